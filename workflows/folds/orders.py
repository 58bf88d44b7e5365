"""Folding what offices order."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Task
from workflows.folds.moves import ORDERED, less, opened, to, without
from workflows.particulars import Oversight, Refusal, Standing


def _unchanged(case: Case, e: ev.Event, at: int) -> Case:
    return case


def _urged(case: Case, e: ev.CaseUrged, at: int) -> Case:
    held = oversight(case)
    more = {"urged": held.urged + 1} if e.unit else {"urged_by_citizen": held.urged_by_citizen + 1}
    return replace(case, oversight=replace(held, **more))


def _report_ordered(case: Case, e: ev.ReportOrdered, at: int) -> Case:
    held = oversight(case)
    order = Standing(
        e.order, e.action, e.by, e.by_endpoint, e.unit, e.endpoint, e.leg, e.task, e.text, e.document, e.post
    )  # fmt: skip
    watched = replace(held, given=held.given + 1, standing=(*held.standing, order))
    return opened(replace(case, oversight=watched), _reporting(order))


def _report_submitted(case: Case, e: ev.ReportSubmitted, at: int) -> Case:
    order = _standing(case, e.order)
    told = replace(order, reading=e.task, report=e.text, attachments=bytes(e.attachments or b""))
    after = _changed(replace(case, tasks=less(case.tasks, order.task)), told)
    return opened(after, Task(e.task, "read_report", order.by, order.by_endpoint, order.leg))


def _report_rejected(case: Case, e: ev.ReportRejected, at: int) -> Case:
    order = _standing(case, e.order)
    after = replace(case, tasks=less(case.tasks, order.reading))
    again = replace(order, reading="", report="", attachments=b"", round=order.round + 1)
    return opened(_changed(after, again), _reporting(order, e.reason))


def _lifted(case: Case, e: ev.OrderLifted, at: int) -> Case:
    order, held = _standing(case, e.order), oversight(case)
    left = tuple([one for one in held.standing if one.id != e.order])
    tasks = less(less(case.tasks, order.task), order.reading)
    return replace(case, tasks=tasks, oversight=replace(held, standing=left))


def _reporting(order: Standing, reason: str = "") -> Task:
    return Task(order.task, "report", order.unit, order.endpoint, order.leg, reason or order.action)


def _standing(case: Case, order: str) -> Standing:
    return next(one for one in oversight(case).standing if one.id == order)


def _changed(case: Case, order: Standing) -> Case:
    held = oversight(case)
    changed = tuple([order if one.id == order.id else one for one in held.standing])
    return replace(case, oversight=replace(held, standing=changed))


def _hang_asked(case: Case, e: ev.HangAsked, at: int) -> Case:
    task = Task(e.task, "decide_hang", case.centre, e.endpoint, e.leg, f"{e.ground}: {e.text}")
    return opened(replace(case, oversight=replace(oversight(case), plan=e.plan)), task)


def _hung(case: Case, e: ev.CaseHung, at: int) -> Case:
    review = Task(e.review, "review_plan", case.centre, case.centre_endpoint, e.leg, e.ground)
    held = replace(oversight(case), hung=e.leg, plan=e.plan)
    tasks = less(case.tasks, e.task)
    return opened(replace(case, state=to(case, "hang"), tasks=tasks, oversight=held), review)


def _hang_refused(case: Case, e: ev.HangRefused, at: int) -> Case:
    return replace(case, tasks=less(case.tasks, e.task), oversight=replace(oversight(case), plan=0))


def _plan_reviewed(case: Case, e: ev.PlanReviewed, at: int) -> Case:
    again = replace(case.tasks[e.task], id=e.review)
    if e.plan:
        case = replace(case, oversight=replace(oversight(case), plan=e.plan))
    return opened(replace(case, tasks=less(case.tasks, e.task)), again)


def _hang_released(case: Case, e: ev.HangReleased, at: int) -> Case:
    held = replace(oversight(case), hung="", plan=0)
    return without(replace(case, state=to(case, "release"), oversight=held), "review_plan", e.leg)


def _procedure_begun(case: Case, e: ev.ProcedureBegun, at: int) -> Case:
    """The hotline's work is over: what else was asked is nobody's task any more."""
    if not e.task:
        return case
    task = Task(e.task, "end_procedure", e.unit, e.endpoint, e.leg, e.procedure)
    return replace(case, state=to(case, "begin_procedure"), tasks={task.id: task})


def _procedure_ended(case: Case, e: ev.ProcedureEnded, at: int) -> Case:
    return replace(case, state=to(case, "end_procedure"), tasks=less(case.tasks, e.task))


def _refusal_ordered(case: Case, e: ev.RefusalOrdered, at: int) -> Case:
    refusal = Refusal(e.ground, e.basis, e.where_to_turn, e.officer)
    task = Task(e.task, "confirm_refusal", case.centre, e.endpoint)
    stand = {i: held for i, held in case.tasks.items() if held.kind in (*ORDERED, "acknowledge")}
    return opened(replace(case, state=to(case, "refuse"), refusal=refusal, tasks=stand), task)


def _review_asked(case: Case, e: ev.RefusalReviewAsked, at: int) -> Case:
    assert case.refusal is not None
    after = replace(
        case, state=to(case, "ask_review"), closed_at=0, archive_at=0, close_reason="",
        refusal=replace(case.refusal, reviewed=True), supplements=(*case.supplements, bytes(e.body)),
    )  # fmt: skip
    return opened(after, Task(e.task, "confirm_refusal", e.unit, e.endpoint, reason="review_asked"))


def _concluded(case: Case, e: ev.CaseConcluded, at: int) -> Case:
    return replace(case, state=to(case, "conclude"))


def _attached(case: Case, e: ev.SupplementAttached, at: int) -> Case:
    return replace(case, state=to(case, "attach"), supplements=(*case.supplements, bytes(e.body)))


def _going_on(case: Case, e: ev.GoingOnDecided, at: int) -> Case:
    return replace(case, oversight=replace(oversight(case), ex_officio=True))


def _malicious(case: Case, e: ev.CaseMarkedMalicious, at: int) -> Case:
    return replace(case, oversight=replace(oversight(case), malicious=e.effect))


def _revealed(case: Case, e: ev.IdentityRevealed, at: int) -> Case:
    held = oversight(case)
    return replace(case, oversight=replace(held, revealed=held.revealed + 1))


def oversight(case: Case) -> Oversight:
    return case.oversight or Oversight()


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.OrderGiven: _unchanged,
    ev.ProcedureBegun: _procedure_begun,
    ev.ProcedureEnded: _procedure_ended,
    ev.CaseUrged: _urged,
    ev.ReportOrdered: _report_ordered,
    ev.ReportSubmitted: _report_submitted,
    ev.ReportRejected: _report_rejected,
    ev.OrderLifted: _lifted,
    ev.HangAsked: _hang_asked,
    ev.CaseHung: _hung,
    ev.HangRefused: _hang_refused,
    ev.PlanReviewed: _plan_reviewed,
    ev.HangReleased: _hang_released,
    ev.RefusalOrdered: _refusal_ordered,
    ev.RefusalReviewAsked: _review_asked,
    ev.CaseConcluded: _concluded,
    ev.SupplementAttached: _attached,
    ev.WithdrawalNoted: _unchanged,
    ev.GoingOnDecided: _going_on,
    ev.CaseMarkedMalicious: _malicious,
    ev.IdentityRevealed: _revealed,
}
