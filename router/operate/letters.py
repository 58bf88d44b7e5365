"""
Dead letters without a log: what the engine's say, how a command is marked that was written again from one, and in
which order letters are done. Pure.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from msgspec import Struct

Header = tuple[str, bytes]


KEPT_BYTES = 4096
"""What intake and delivery keep of a record in its dead letter. The engine keeps nothing of it."""


def origin(stage: str, reason: str, topic: str, partition: int, offset: int, value: bytes) -> dict[str, str]:
    """The headers of a dead letter of intake or delivery: which stage, why, and which record it stands for."""
    return {
        "x-stage": stage,
        "x-reason": reason,
        "x-original-topic": topic,
        "x-original-partition": str(partition),
        "x-original-offset": str(offset),
        "x-original-sha256": sha256(value).hexdigest(),
        "x-original-size": str(len(value)),
    }


class DeadLetter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    Why the engine could not take a record; the record's own words stay where they are.

    source: the record's place. input: the place of what it came from, or the channel and id of a case taken over. case, action: as far as they could be read.
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


def retry_headers(retry: Retry) -> list[Header]:
    """The headers that mark a command as written again."""
    return list(zip(RETRY_HEADERS, (retry.of.encode(), retry.root.encode(), b"%d" % retry.faults), strict=True))


def retry_of(headers: Sequence[Header]) -> Retry:
    """What a command's headers say. Headers that do not fit mark nothing: then it is a command like any other."""
    named: Mapping[str, bytes | None] = dict(headers)
    try:
        of, root, faults = ((named[name] or b"").decode() for name in RETRY_HEADERS)
        return Retry(of, root, int(faults))
    except (KeyError, ValueError):
        return FIRST


# -- as they are looked at ------------------------------------------------------------------------------

Act = Literal["retry", "discard"]
State = Literal["open", "retried", "discarded"]
DONE: Mapping[str, State] = {"retry": "retried", "discard": "discarded"}
Block = Literal["closed", "gone", "not_yet", "behind_others", "no_original"]
"""Why a letter cannot be acted on: done already; its record is no longer on the log, or stands behind a transaction
that is open; others of its case come first; nothing to write again."""


@dataclass(frozen=True)
class Letter:
    """
    One dead letter, without what its sender wrote. `original` is the place of the record it stands for, or a deadline's
    name, or empty where no record is told of; written: broker time, milliseconds. said: the engine's own words, empty
    for other stages. copies: the ids under which the same letter stands on its topic again.
    """

    id: str
    stage: str
    code: str
    original: str
    written: int
    key: str
    headers: tuple[Header, ...]
    said: DeadLetter
    state: State = "open"
    copies: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.id, *self.copies))

    @property
    def offset(self) -> int:
        return int(self.id.rpartition("/")[2])

    @property
    def case(self) -> str:
        return self.said.case

    @property
    def is_deadline(self) -> bool:
        """A deadline has no record: the shard tries it again by itself, or when the case is released."""
        return self.original.startswith("deadline/")

    @property
    def was_held(self) -> bool:
        """Its sender was told `held`, and waits; or, of what killed when it was read, nothing at all."""
        return self.said.parked > 0 and not self.is_deadline

    @property
    def order(self) -> tuple[int, int]:
        """Where its command first stood: among letters of one case, which is on one partition."""
        root = self.said.root or self.original
        at = root.rpartition("/")[2]
        return (int(at) if at.isdigit() and not self.is_deadline else -1, self.offset)


@dataclass(frozen=True)
class Wanted:
    """Which letters are meant; what is empty asks nothing. since: broker time."""

    ids: tuple[str, ...] = ()
    stage: str = ""
    code: str = ""
    case: str = ""
    since: int = 0

    def takes(self, letter: Letter) -> bool:
        return (
            (not self.ids or not letter.names.isdisjoint(self.ids))
            and self.stage in ("", letter.stage)
            and self.code in ("", letter.code)
            and self.case in ("", letter.case)
            and letter.written >= self.since
        )


@dataclass(frozen=True)
class Plan:
    """What an act comes to: letters in the order in which they are done, and those that cannot be, with why."""

    act: Act
    letters: tuple[Letter, ...]
    blocked: Mapping[str, Block] = field(default_factory=dict)


class Unknown(Exception):
    """A letter was named that does not exist."""


def plan(act: Act, every: Sequence[Letter], wanted: Wanted) -> Plan:
    """
    Which letters are done, in which order. None of a parked case goes before an open one in front of it. Raises
    Unknown, as each letter that was named exists or nothing is done.
    """
    chosen = {letter.id for letter in every if wanted.takes(letter)}
    if not wanted.ids:
        chosen = {letter.id for letter in every if letter.id in chosen and letter.state == "open"}
    blocked: dict[str, Block] = {}
    done: list[Letter] = []
    for queue in _queues(every):
        ahead = False
        for letter in queue:
            if letter.id in chosen and letter.state != "open":
                blocked[letter.id] = "closed"
            elif letter.id in chosen and act == "retry" and letter.said.parked and ahead:
                blocked[letter.id] = "behind_others"
            elif letter.id in chosen:
                done.append(letter)
            elif letter.state == "open" and letter.said.parked:
                ahead = True
    found = {name for letter in every if letter.id in chosen for name in letter.names}
    for name in wanted.ids:
        if name not in found:
            raise Unknown(name)
    return Plan(act, tuple(done), blocked)


def _queues(every: Sequence[Letter]) -> Iterator[list[Letter]]:
    """Letters that keep an order among each other: those of a case, by the place of the first try; others alone."""
    cases: dict[str, list[Letter]] = {}
    for letter in every:
        cases.setdefault(letter.case or letter.id, []).append(letter)
    for queue in cases.values():
        yield sorted(queue, key=lambda letter: letter.order)


def released(every: Sequence[Letter], done: Collection[str], case: str) -> int | None:
    """How many letters to release the case with once `done` are; None while others of it are still open."""
    parked = [letter for letter in every if letter.case == case and letter.said.parked]
    if any(letter.state == "open" and letter.id not in done for letter in parked):
        return None
    return newest(parked).parked


def is_pending_elsewhere(every: Sequence[Letter], letter: Letter, given_up: Collection[str]) -> bool:
    """
    Whether another letter of the same command is open, and not `given_up` just now, or was retried and has not failed
    again: intake writes a command twice where it died in between, and each may be kept aside.
    """
    mine = (letter.case, letter.said.input, letter.said.action)
    others = [
        other
        for other in every
        if (other.case, other.said.input, other.said.action) == mine
        and other.id not in given_up
        and other.id != letter.id
    ]
    failed_again = {other.said.retry_of for other in every} if others else set()
    return any(
        other.state == "open" or (other.state == "retried" and other.names.isdisjoint(failed_again)) for other in others
    )


def newest(parked: Sequence[Letter]) -> DeadLetter:
    """What the last letter of a parking says: its counts only grow. No letter, no counts."""
    newest = max(parked, key=lambda letter: letter.offset, default=None)
    return newest.said if newest else DeadLetter(stage="engine", code="", source="")
