"""What a new calendar would move: the running clocks of the log's states, re-based by the core itself and written nowhere."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from aiokafka import TopicPartition
from msgspec import Struct

from router.catalogue.catalogue import Catalogue
from workflows import events as ev
from workflows.calendars import Calendar, date_of
from workflows.case import Case, decode
from workflows.commands import Rebase
from workflows.decide import decide
from workflows.policies import Policy

SHOWN = 20
POLL_MS = 500
ASIDE = (b"/request", b"/parked")


class Move(Struct, frozen=True, order=True):
    """One clock whose due would be another: `unit` must keep it, days are those of China time."""

    number: str
    policy: str
    unit: str
    kind: str
    before: int
    due: int

    @property
    def days(self) -> tuple[str, str]:
        return date_of(self.before).isoformat(), date_of(self.due).isoformat()


class Report(Struct, frozen=True, kw_only=True):
    """
    What was found: cases with running clocks, clocks that would count by other days, and those of them that would move.
    """

    cases: int
    clocks: int
    moves: tuple[Move, ...]

    def groups(self) -> list[tuple[str, str, str, str, int]]:
        """Policy, unit, from which day to which, how many; the most first."""
        found = Counter((move.policy, move.unit, *move.days) for move in self.moves)
        return [(*group, many) for group, many in sorted(found.items(), key=lambda item: (-item[1], item[0]))]

    def examples(self) -> tuple[Move, ...]:
        """Those that move farthest."""
        return tuple(sorted(self.moves, key=lambda move: (-abs(move.due - move.before), move)))[:SHOWN]


class NoState(Exception):
    """There is no topic of states: nothing ever ran here."""


class _Following:
    """The facts of a version that would follow another: what that one carries on is known."""

    def __init__(self, before: Catalogue, after: Catalogue) -> None:
        self._before, self._after = before, after.facts()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._after, name)

    def calendar_named(self, calendar: str) -> Calendar:
        return self._before.calendars.get(calendar) or self._after.calendar_named(calendar)

    def policy(self, policy: str) -> Policy:
        """Running clocks stay as they were given, so by the policy as it is now."""
        return self._before.policies.get(policy) or self._after.policy(policy)


async def moves(
    broker: Any, topic: str, before: Catalogue, after: Catalogue, progress: Callable[[int, int], None]
) -> Report:
    """Read `case.state` as it is now; of each case its last state counts. Raises NoState, TimeoutError."""
    partitions = (await broker.topics()).get(topic, 0)
    if not partitions:
        raise NoState
    facts = _Following(before, after)
    found: dict[bytes, tuple[int, tuple[Move, ...]]] = {}
    tps = [TopicPartition(topic, p) for p in range(partitions)]
    async with broker.reader(partitions=tps) as reader:
        ends = await reader.end_offsets(tps)
        starts = await reader.beginning_offsets(tps)
        for tp in tps:
            reader.seek(tp, starts[tp])
        total = sum(ends[tp] - starts[tp] for tp in tps)
        while (left := sum([max(0, ends[tp] - await reader.position(tp)) for tp in tps])) > 0:
            progress(total - left, total)
            for records in (await reader.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    _take(record.key or b"", record.value, facts, found)
    progress(total, total)
    gathered = [move for _, ms in found.values() for move in ms]
    return Report(
        cases=sum(clocks > 0 for clocks, _ in found.values()),
        clocks=sum(clocks for clocks, _ in found.values()),
        moves=tuple(sorted(gathered)),
    )


def _take(key: bytes, value: bytes | None, facts: Any, found: dict[bytes, tuple[int, tuple[Move, ...]]]) -> None:
    if key == b"_shard" or key.endswith(ASIDE):
        return
    case = decode(value[PREFIX:]) if value else None
    if case is None or not case.clocks:
        found.pop(key, None)
        return
    rebased = [e for e in decide(case, Rebase(id="", case=case.id, at=0), facts, 0) if isinstance(e, ev.ClockRebased)]
    found[key] = len(rebased), tuple(_moved(case, rebased))


PREFIX = 9
"""Format and due time before the state itself (router/engine/store.py)."""


def _moved(case: Case, rebased: list[ev.ClockRebased]) -> Iterator[Move]:
    for event in rebased:
        if event.due != event.before:
            held = case.legs.get(event.of) or case.tasks.get(event.of) or case.lead
            unit = held.unit if held else case.centre
            yield Move(case.number, case.policy, unit, event.kind, event.before, event.due)
