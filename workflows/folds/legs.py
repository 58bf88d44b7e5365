"""Folding what happens to one unit's part."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Leg, Task
from workflows.folds.disputes import asked, in_place
from workflows.folds.moves import handling, less, moved, opened, to, without
from workflows.particulars import Answerer, Feedback, Oversight


def _dispatched(case: Case, e: ev.LegDispatched, at: int) -> Case:
    if e.parent:
        case = moved(case, e.parent, "sub_dispatch")
    state = to(case, "dispatch") if e.part == "lead" and not e.parent else case.state
    leg = Leg(
        e.leg, e.task, e.unit, e.endpoint, e.part, at, "dispatched", e.parent, e.function, e.matter, e.stage, e.blocking
    )  # fmt: skip
    after = replace(case, state=state, legs={**case.legs, e.leg: leg}, tasks={**case.tasks, e.task: handling(leg)})
    return in_place(after, e) if e.instead and case.disputes else after


def _signed(case: Case, e: ev.LegSigned, at: int) -> Case:
    after = moved(case, e.leg, "deem_signed" if e.deemed else "sign")
    leg = after.legs[e.leg]
    return after if leg.open else replace(after, tasks=less(after.tasks, leg.task))


def _return_asked(case: Case, e: ev.LegReturnAsked, at: int) -> Case:
    after = moved(asked(case, e) if e.number else case, e.leg, "ask_return", proposed=e.proposed)
    task = Task(e.task, "decide_return", e.unit or case.centre, e.endpoint, e.leg, e.reason)
    return opened(after, task) if e.task else after


def _returned(case: Case, e: ev.LegReturned, at: int) -> Case:
    after = moved(case, e.leg, "accept_return")
    held = without(replace(after, tasks=less(after.tasks, after.legs[e.leg].task)), "decide_return", e.leg)
    return without(held, "decide_hang", e.leg)


def _return_rejected(case: Case, e: ev.LegReturnRejected, at: int) -> Case:
    return without(moved(case, e.leg, "reject_return"), "decide_return", e.leg)


def _replied(case: Case, e: ev.LegReplied, at: int) -> Case:
    after = moved(
        case, e.leg, "reply",
        result=e.result, text=e.text, contacted=e.contacted, basis=e.basis, attachments=bytes(e.attachments or b""),
    )  # fmt: skip
    after = replace(after, tasks=less(after.tasks, after.legs[e.leg].task))
    if e.procedure:
        after = replace(after, oversight=replace(after.oversight or Oversight(), procedure=e.procedure))
    if e.officer:
        held = after.feedback or Feedback()
        by = Answerer(after.legs[e.leg].unit, e.officer, held.round)
        after = replace(after, feedback=replace(held, answered=(*(a for a in held.answered if a != by), by)))
    return opened(after, Task(e.task, "review", case.centre, e.endpoint, e.leg)) if e.task else after


def _review_passed(case: Case, e: ev.LegReviewPassed, at: int) -> Case:
    return without(moved(case, e.leg, "pass"), "review", e.leg)


def _sent_back(case: Case, e: ev.LegSentBack, at: int) -> Case:
    after = moved(case, e.leg, "send_back", round=e.round, result="", text="", basis="", attachments=b"")
    return opened(without(after, "review", e.leg), handling(after.legs[e.leg], e.reason))


def _leg_withdrawn(case: Case, e: ev.LegWithdrawn, at: int) -> Case:
    after = moved(case, e.leg, "withdraw")
    return replace(after, tasks=less(after.tasks, after.legs[e.leg].task))


def _noted(case: Case, e: ev.LegNoted, at: int) -> Case:
    return replace(case, legs={**case.legs, e.leg: replace(case.legs[e.leg], contacted=True)}) if e.contacted else case


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.LegDispatched: _dispatched,
    ev.LegSigned: _signed,
    ev.LegReturnAsked: _return_asked,
    ev.LegReturned: _returned,
    ev.LegReturnRejected: _return_rejected,
    ev.LegReplied: _replied,
    ev.LegReviewPassed: _review_passed,
    ev.LegSentBack: _sent_back,
    ev.LegNoted: _noted,
    ev.LegWithdrawn: _leg_withdrawn,
}
