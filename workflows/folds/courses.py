"""Folding what moves a due date."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Clock, Course, Task, clock_key
from workflows.folds.clocks import pending
from workflows.folds.moves import less, opened
from workflows.reckoning import waiting


def _changed(case: Case, e: ev.CourseEvent, course: Course, **changes: Any) -> Case:
    key = clock_key(e.kind, e.of)  # type: ignore[union-attr]
    clock = replace(case.clocks[key], course=course, marks=pending(e.marks), **changes)  # type: ignore[union-attr]
    return replace(case, clocks={**case.clocks, key: clock})


def _of(case: Case, e: Any) -> tuple[Clock, Course]:
    clock = case.clocks[clock_key(e.kind, e.of)]
    return clock, clock.course or Course()


def _paused(case: Case, e: ev.ClockPaused, at: int) -> Case:
    clock, course = _of(case, e)
    still = replace(
        course, whole=e.whole, consumed=e.consumed, pause=e.reason, paused_at=at, waiting=waiting(clock)
    )  # fmt: skip
    return _changed(case, e, still)


def _went_on(case: Case, e: ev.ClockWentOn, at: int) -> Case:
    _, course = _of(case, e)
    pauses = (*course.pauses, (course.pause, e.took))
    runs = replace(course, since=e.since, pause="", paused_at=0, pauses=pauses, waiting=())
    return _changed(case, e, runs, due=e.due, provisional=e.provisional)


def _held(case: Case, e: ev.ClockHeld, at: int) -> Case:
    clock, course = _of(case, e)
    said = {(mark.at, mark.what, mark.level) for mark in e.marks}
    waits = tuple(mark for mark in clock.marks if (mark.at, mark.what, mark.level) not in said)
    return _changed(case, e, replace(course, held=True, waiting=waits))


def _released(case: Case, e: ev.ClockReleased, at: int) -> Case:
    _, course = _of(case, e)
    return _changed(case, e, replace(course, held=False, waiting=()))


def _extended(case: Case, e: ev.ClockExtended, at: int) -> Case:
    _, course = _of(case, e)
    longer = replace(course, whole=e.whole, extended=(*course.extended, e.by), held=False, waiting=())
    return _changed(case, e, longer, due=e.due, provisional=e.provisional)


def _asked(case: Case, e: ev.ExtensionAsked, at: int) -> Case:
    return opened(case, Task(e.task, "decide_extension", e.unit, e.endpoint, e.leg, e.reason, e.limit))


def _decided(case: Case, e: ev.ExtensionDecided | ev.ExtensionLapsed, at: int) -> Case:
    return replace(case, tasks=less(case.tasks, e.task))


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.ClockPaused: _paused,
    ev.ClockWentOn: _went_on,
    ev.ClockHeld: _held,
    ev.ClockReleased: _released,
    ev.ClockExtended: _extended,
    ev.ExtensionAsked: _asked,
    ev.ExtensionDecided: _decided,
    ev.ExtensionLapsed: _decided,
}
