"""Folding what escalations bring about."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Task, clock_key
from workflows.folds.clocks import mark_fired
from workflows.folds.moves import less, opened
from workflows.particulars import Ladder, Seen

_NONE = Ladder()


def _escalated(case: Case, e: ev.CaseEscalated, at: int) -> Case:
    """A rung that was told; one that must be answered opens a task for who was told."""
    after = mark_fired(case, e, at)
    ladder = case.ladder or _NONE
    if e.task:
        rung = case.clocks[clock_key(e.kind, e.of)].marks[0].rung
        asked = Seen(e.kind, e.of, e.level, rung.acknowledge if rung else "")
        # those whose task went with its leg ask nobody any more
        still = {task: rung for task, rung in ladder.asked.items() if task in case.tasks}
        ladder = replace(ladder, asked={**still, e.task: asked})
        after = opened(
            after, Task(e.task, "acknowledge", e.unit, e.endpoint, e.of if e.of in case.legs else "", e.what)
        )
    if e.what == "raise":
        ladder = replace(ladder, answers=e.unit)
    return after if ladder is _NONE or ladder is case.ladder else replace(after, ladder=ladder)


def _acknowledged(case: Case, e: ev.EscalationAcknowledged, at: int) -> Case:
    held = case.ladder or _NONE
    asked = {task: rung for task, rung in held.asked.items() if task != e.task}
    seen = {**held.seen, clock_key(e.kind, e.of): (at, e.until)}
    return replace(case, tasks=less(case.tasks, e.task), ladder=replace(held, asked=asked, seen=seen))


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.CaseEscalated: _escalated,
    ev.EscalationSkipped: mark_fired,
    ev.EscalationAcknowledged: _acknowledged,
}
