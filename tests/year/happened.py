"""Whether all paths were taken: what can be said to a case, and what can happen to it, against what did."""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from workflows import commands as cmd
from workflows import events as ev

EXCEPTED: Mapping[str, str] = {
    "reach_deadline": "made by the shard itself: its events say that it came",
    "CaseForgotten": "a stub is kept for longer than the year",
    **dict.fromkeys(
        ("part_refused", "PartRefused"), "a channel would have to use the id of a part before it is split off"
    ),
    **dict.fromkeys(
        ("adopt", "CaseTakenOver", "ClockPromised", "MarkPassed"),
        "open cases are taken over once, before the first day",
    ),
}
"""What need not occur in a year, and why."""


def sayable() -> list[str]:
    """Every command by its name, and by what it does or is about where that is a closed list."""
    return [name for kind in _members(cmd.AnyCommand) for name in _names(kind)]


def possible() -> list[str]:
    """Every kind of event."""
    return [event.__name__ for event in _members(ev.AnyEvent)]


def missing(done: Iterable[str]) -> list[str]:
    """What never occurred and is not excepted."""
    occurred = set(done)
    return [name for name in (*sayable(), *possible()) if name not in occurred and name not in EXCEPTED]


def _members(union: Any) -> Iterator[Any]:
    if isinstance(union, UnionType) or get_origin(union) is not None:
        for member in get_args(union):
            yield from _members(member)
    else:
        yield union


def _names(kind: Any) -> Iterator[str]:
    tag, hints = kind.__struct_config__.tag, get_type_hints(kind)
    listed = next((get_args(hints[name]) for name in ("action", "what") if get_origin(hints.get(name)) is Literal), ())
    if not listed:
        yield tag
    for word in listed:
        yield f"{tag} {word}"
