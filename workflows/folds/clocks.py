"""Folding what clocks do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Clock, Course, Pending, Rung, clock_key


class Started(NamedTuple):
    """Clocks that begin together, and what folding their events adds to a case: many cases share both."""

    events: tuple[ev.ClockStarted, ...]
    clocks: dict[str, Clock]


def started(events: Iterable[ev.ClockStarted]) -> Started:
    """These clocks, folded."""
    begun = tuple(events)
    return Started(begun, {clock_key(e.kind, e.of): _clock(e) for e in begun})


def with_clocks(case: Case, more: Started) -> Case:
    """The same as `evolve` with each of the events."""
    return replace(case, clocks=case.clocks | more.clocks if case.clocks else more.clocks)


def without_clocks(case: Case, stopped: Sequence[ev.ClockStopped]) -> Case:
    """The same as `evolve` with each of the events."""
    keys = [clock_key(e.kind, e.of) for e in stopped]
    return replace(case, clocks=case.clocks | {key: replace(case.clocks[key], running=False) for key in keys})


def _clock_started(case: Case, e: ev.ClockStarted, at: int) -> Case:
    return replace(case, clocks={**case.clocks, clock_key(e.kind, e.of): _clock(e)})


def _clock(e: ev.ClockStarted) -> Clock:
    course = Course(e.whole, e.consumed, e.since, e.extended) if e.whole else None
    return Clock(e.kind, e.of, e.calendar, e.budget, e.anchor, e.due, e.provisional, pending(e.marks), course=course)


def pending(marks: Iterable[ev.Mark]) -> tuple[Pending, ...]:
    """The marks as a case keeps them."""
    return tuple([Pending(m.at, m.what, m.level, m.who, m.step, _rung(m) if m.turn else None) for m in marks])


def _rung(m: ev.Mark) -> Rung:
    return Rung(m.turn, m.role, m.duty, m.until, m.acknowledge)


def _clock_stopped(case: Case, e: ev.ClockStopped, at: int) -> Case:
    return without_clocks(case, (e,))


def _clock_resumed(case: Case, e: ev.ClockResumed, at: int) -> Case:
    key = clock_key(e.kind, e.of)
    return replace(case, clocks={**case.clocks, key: replace(case.clocks[key], running=True)})


def _clock_rebased(case: Case, e: ev.ClockRebased, at: int) -> Case:
    key = clock_key(e.kind, e.of)
    clock = case.clocks[key]
    course = replace(clock.course, waiting=pending(e.waiting)) if clock.course is not None else None
    moved = replace(
        clock, calendar=e.calendar, due=e.due, provisional=e.provisional, marks=pending(e.marks), course=course
    )
    return replace(case, clocks={**case.clocks, key: moved})


def mark_fired(
    case: Case, e: ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated | ev.EscalationSkipped | ev.MarkPassed, at: int
) -> Case:
    """Marks fire in the order of their times, so it was the first one."""
    key = clock_key(e.kind, e.of)
    clock = case.clocks[key]
    return replace(case, clocks={**case.clocks, key: replace(clock, marks=clock.marks[1:])})


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.ClockStarted: _clock_started,
    ev.ClockStopped: _clock_stopped,
    ev.ClockResumed: _clock_resumed,
    ev.ClockRebased: _clock_rebased,
    ev.ClockWarned: mark_fired,
    ev.ClockOverdue: mark_fired,
}
