"""
What the engine and the redrive say to each other: the body of an engine's dead letter, and how a command is marked
that was written again from one. Pure.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct


class DeadLetter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    Why the engine could not take a record; the record's own words stay where they are.

    source: the record's place. input: the place of what it came from. case, action: as far as they could be read.
    parked: the how-manieth letter of its case's parking this is; faults: how many of them were no `case_parked`.
    retry_of, root: of a command that was written again, the letter and the place of its first try.
    """

    stage: str
    code: str
    source: str
    case: str = ""
    action: str = ""
    input: str = ""
    parked: int = 0
    faults: int = 0
    retry_of: str = ""
    root: str = ""


class Retry(Struct, frozen=True):
    """
    A command that was written again from a dead letter: of which, where it first stood, and how many faults its case
    had then. While there are no more it is decided although its case is parked; else something before it failed again.
    """

    of: str
    root: str
    faults: int


FIRST = Retry("", "", -1)
"""No retry."""
RETRY_HEADERS = ("x-retry-of", "x-retry-root", "x-retry-faults")


def retry_headers(retry: Retry) -> list[tuple[str, bytes]]:
    """The headers that mark a command as written again."""
    return list(zip(RETRY_HEADERS, (retry.of.encode(), retry.root.encode(), b"%d" % retry.faults), strict=True))


def retry_of(headers: Sequence[tuple[str, bytes]]) -> Retry:
    """What a command's headers say. Headers that do not fit mark nothing: then it is a command like any other."""
    named: Mapping[str, bytes] = dict(headers)
    try:
        of, root, faults = (named[name].decode() for name in RETRY_HEADERS)
        return Retry(of, root, int(faults))
    except (KeyError, ValueError):
        return FIRST
