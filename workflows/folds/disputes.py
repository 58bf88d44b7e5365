"""Folding returns as far as they are counted, arbitrations, rulings, and legs that are taken back."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Task
from workflows.folds.moves import goes_with, moved, opened, without
from workflows.particulars import Asked, Disputes, Ruling


def asked(case: Case, e: ev.LegReturnAsked) -> Case:
    """The return as it was asked for, and the count of its place."""
    held = case.disputes or Disputes()
    said = Asked(e.number, e.reason, e.text, e.basis, bytes(e.attachments or b""))
    return replace(case, disputes=replace(held, asked={**held.asked, e.leg: said}))


def in_place(case: Case, e: ev.LegDispatched) -> Case:
    """A leg takes the place of another: the returns of the place go on counting."""
    held = case.disputes or Disputes()
    return replace(case, disputes=replace(held, before={**held.before, e.leg: held.returns(e.instead)}))


def _arbitration_asked(case: Case, e: ev.ArbitrationAsked, at: int) -> Case:
    task = Task(e.task, "arbitrate", e.unit, e.endpoint, e.leg, e.reason)
    return opened(without(moved(case, e.leg, "arbitrate"), "decide_return", e.leg), task)


def _ruled(case: Case, e: ev.CaseRuled, at: int) -> Case:
    held = replace(case.disputes or Disputes(), ruling=Ruling(e.leg, e.document, e.by, e.lead, e.charged))
    return without(replace(moved(case, e.leg, "rule"), disputes=held), "arbitrate", e.leg)


def _taken_back(case: Case, e: ev.LegTakenBack, at: int) -> Case:
    again = e.action == "re_dispatch" and not case.legs[e.leg].parent
    after = moved(case, e.leg, "re_dispatch" if again else "withdraw")
    return replace(after, tasks={i: task for i, task in after.tasks.items() if not goes_with(task, e.leg)})


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.ArbitrationAsked: _arbitration_asked,
    ev.CaseRuled: _ruled,
    ev.LegTakenBack: _taken_back,
}
