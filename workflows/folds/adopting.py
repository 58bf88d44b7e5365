"""Folding what is said of a case that another system had before."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Course, clock_key
from workflows.folds.clocks import mark_fired, pending


def _promised(case: Case, e: ev.ClockPromised, at: int) -> Case:
    key = clock_key(e.kind, e.of)
    clock = case.clocks[key]
    course = replace(clock.course or Course(), whole=e.whole, waiting=pending(e.waiting))
    moved = replace(clock, due=e.due, provisional=e.provisional, marks=pending(e.marks), course=course)
    return replace(case, clocks={**case.clocks, key: moved})


def _taken_over(case: Case, e: ev.CaseTakenOver, at: int) -> Case:
    return replace(case, former=e.number)


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.MarkPassed: mark_fired,
    ev.ClockPromised: _promised,
    ev.CaseTakenOver: _taken_over,
}
