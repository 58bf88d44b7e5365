"""
What the channel is told of its case without having asked: how it stands, a date that moved, how it ended.
"""

from msgspec.structs import replace

from workflows import between, supervision
from workflows import events as ev
from workflows import messages as body
from workflows.case import Leg
from workflows.outbox import OUTCOME, STATUS
from workflows.post import Post


def status(post: Post, word: str) -> None:
    """How the case stands after the record."""
    case = post.case
    lead = case.lead
    said = body.StatusBody(
        ref=case.ref,
        case_id=case.id,
        number=case.number,
        status=word,
        at=body.instant(post.d.now),
        unit_name=body.unit_name(post.d, lead.unit) if lead else None,
        promised_due=body.promised_due(case),
    )
    post.answer(STATUS, _with_procedure(post, said, lead) if word == "in_procedure" else said)


def _with_procedure(post: Post, said: body.StatusBody, lead: Leg | None) -> body.StatusBody:
    """Which procedure it is, and what the lead says of it."""
    begun = next((e for e in post.d.events if isinstance(e, ev.ProcedureBegun)), None)
    if begun is None:
        return said
    name = body.Said(zh=begun.name_zh, en=begun.name_en)
    return replace(said, text=lead.text or None if lead else None, procedure=begun.procedure, procedure_name=name)


NEW_CALENDAR = "节假日安排公布或调整"
"""Why a promised date moves with a calendar: for the citizen, in his language."""


def due_moved(post: Post, event: ev.ClockExtended | ev.ClockWentOn | ev.ClockRebased) -> None:
    """The citizen is told a new date, and why. While the clock stands still again by a plan that moved, that date is the plan's."""
    citizens = event.kind == "statutory" or (event.kind == "finish" and not event.of)
    if not citizens or event.due == event.before:
        return
    if isinstance(event, ev.ClockWentOn) and event.why == "plan_moved":
        return
    _promise(post, "due_moved", event.before, event.due, _why_moved(post, event))


_HUNG = {"released": "已销账，恢复计时", "pause_used_up": "挂账计划日期已到，恢复计时"}


def plan_moved(post: Post, event: ev.PlanReviewed) -> None:
    """挂账计划改期: the citizen and the supervisors are told the new date; him why as well."""
    if not event.plan:
        return
    listed = post.d.facts.reasons("review_plan").get(event.reason)
    unit = body.unit_name(post.d, post.case.legs[event.leg].unit)
    _promise(post, "hung", event.before, event.plan, listed.name_zh if listed else event.reason, unit)
    supervision.plan_moved(post, event)


def _promise(post: Post, word: str, before: int, due: int, why: str, unit_name: str | None = None) -> None:
    case = post.case
    post.answer(
        STATUS,
        body.StatusBody(
            ref=case.ref,
            case_id=case.id,
            number=case.number,
            status=word,
            at=body.instant(post.d.now),
            unit_name=unit_name,
            promised_due=body.instant(due),
            promised_before=body.instant(before),
            reason=why,
        ),
    )


def _why_moved(post: Post, event: ev.ClockExtended | ev.ClockWentOn | ev.ClockRebased) -> str:
    if isinstance(event, ev.ClockRebased):
        return NEW_CALENDAR
    if isinstance(event, ev.ClockWentOn) and event.reason == "hung":
        return _HUNG.get(event.why, "恢复计时")
    action, code = ("ask_extension", event.why) if isinstance(event, ev.ClockExtended) else ("pause", event.reason)
    listed = post.d.facts.reasons(action).get(code)
    return listed.name_zh if listed else code


def _outcome(post: Post, event: ev.CaseClosed) -> None:
    case = post.case
    refusal = case.refusal if event.reason == "refused" else None
    begun = None
    if event.reason == "transferred":
        begun = next((e for e in post.d.events if isinstance(e, ev.ProcedureBegun | ev.ProcedureEnded)), None)
    post.answer(
        OUTCOME,
        body.OutcomeBody(
            ref=case.ref,
            case_id=case.id,
            number=case.number,
            reason=event.reason,
            text=event.result or None,
            at=body.instant(post.d.now),
            where_to_turn=refusal.where_to_turn if refusal else None,
            legal_basis=refusal.basis if refusal else None,
            procedure=begun.procedure if begun else None,
            procedure_name=body.Said(zh=begun.name_zh, en=begun.name_en) if begun else None,
            procedure_due=body.instant(begun.due) if begun else None,
        ),
    )


def closed(post: Post, event: ev.CaseClosed) -> None:
    _outcome(post, event)
    if post.case.star is not None:
        between.end(post, event)
