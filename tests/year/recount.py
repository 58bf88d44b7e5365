"""
The year counted again, from `case.events` alone and by none of the product's own code but the decoder of the records.

A clock announces its marks when it starts, goes on, is moved or extended: whichever event carries `marks` replaces those
that still waited. Each mark that came due while its clock ran must have brought about exactly one event, at its
instant or after, and no later than the grace. What fires without a mark that waited for it is double.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from workflows.events import EventRecord

FIRED = {
    "ClockWarned": "warn",
    "ClockOverdue": "due",
    "CaseEscalated": "escalate",
    "EscalationSkipped": "escalate",
}
"""Which kind of mark an event stands for."""
STARTING = ("ClockStarted", "ClockResumed")
"""All else that is said of a clock that has stopped announces what is to come should it go on, and starts nothing."""
COUNTED = frozenset({"warn", "due", "deem_signed", "escalate"})
"""Marks that somebody learns of. The others let a clock go on, and are seen by what it then does."""


class Clock:
    """One clock of a case while it is counted."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.since = 0
        """When they were announced: one that lay before cannot have fired earlier"""
        self.running = True


class Recount:
    """All cases. `wrong` names each breach: (what, case, clock, mark's instant)."""

    def __init__(self, grace: int) -> None:
        self._grace = grace
        self._clocks: dict[str, dict[tuple[str, str], Clock]] = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[tuple[str, str, str, int]] = []
        self.latest = 0
        """by how much the latest mark was late, milliseconds of business time"""

    def take(self, record: EventRecord) -> None:
        """The next record; those of one case come in order."""
        clocks = self._clocks.setdefault(record.case, {})
        for event in record.events:
            name = type(event).__name__
            self.counts[name] += 1
            if name == "CaseClosed":
                for key in list(clocks):
                    self._stopped(record, clocks, key)
                clocks.clear()
                continue
            for key in _clocks_of(event, name, clocks):
                self._clock(record, event, name, clocks, key)

    def end(self, now: int) -> None:
        """The year is over: what runs still and was due is missed."""
        for case, clocks in self._clocks.items():
            for key, clock in clocks.items():
                if clock.running:
                    self._missed(case, key, clock, now - self._grace)

    @property
    def open(self) -> int:
        """Cases in which a clock still runs."""
        return sum(any(clock.running for clock in clocks.values()) for clocks in self._clocks.values())

    def _clock(
        self, record: EventRecord, event: Any, name: str, clocks: dict[tuple[str, str], Clock], key: tuple[str, str]
    ) -> None:
        if name == "ClockStopped":
            self._stopped(record, clocks, key)
            return
        clock = clocks.setdefault(key, Clock())
        if name == "LegSigned":
            self._fired(record, key, clock, "deem_signed")
        elif what := FIRED.get(name):
            self._fired(record, key, clock, what)
        else:
            if name == "ClockPaused" and clock.running:
                self._missed(record.case, key, clock, record.at - self._grace)
            clock.running = clock.running or name in STARTING
            clock.since = record.at
            if hasattr(event, "marks"):
                clock.waiting = [mark for mark in event.marks if mark.what in COUNTED]

    def _stopped(self, record: EventRecord, clocks: dict[tuple[str, str], Clock], key: tuple[str, str]) -> None:
        clock = clocks.get(key)
        if clock is not None and clock.running:
            self._missed(record.case, key, clock, record.at - self._grace)
            clock.running = False

    def _fired(self, record: EventRecord, key: tuple[str, str], clock: Clock, what: str) -> None:
        found = next((mark for mark in clock.waiting if mark.what == what), None)
        if found is None or not clock.running:
            self._breach("doubled", record.case, key, record.at)
            return
        clock.waiting.remove(found)
        self.counts[f"marks: {what}"] += 1
        if found.at > record.at:
            self._breach("early", record.case, key, found.at)
        late = record.at - max(found.at, clock.since)
        self.latest = max(self.latest, late)
        if late > self._grace:
            self._breach("late", record.case, key, found.at)

    def _missed(self, case: str, key: tuple[str, str], clock: Clock, until: int) -> None:
        for mark in clock.waiting:
            if max(mark.at, clock.since) < until:
                self._breach("missed", case, key, mark.at)

    def _breach(self, what: str, case: str, key: tuple[str, str], at: int) -> None:
        self.counts[what] += 1
        self.wrong.append((what, case, "/".join(key), at))


def _clocks_of(event: Any, name: str, clocks: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The clock that an event is about, if any."""
    if name == "LegSigned":
        if event.deemed and ("sign", event.leg) in clocks:
            yield "sign", event.leg
    elif hasattr(event, "kind") and hasattr(event, "of"):
        yield event.kind, event.of
