"""Folding what happens to the case as a whole."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Task, stub
from workflows.folds.moves import less, opened, to, without
from workflows.particulars import Feedback, Refusal


def _registered(case: Case, e: ev.CaseRegistered, at: int) -> Case:
    # by position, which is that of the stored state and never changes: by name it takes four times as long
    return Case(
        case.id, 0, "registered", e.number, e.digest, 0, 0, b"", {}, e.channel, e.ref, e.query_code, e.received_at,
        e.centre, e.centre_endpoint, e.appeal_kind, e.region, e.category, e.matter, e.urgency, e.disclosure, e.excluded,
        proposal=e.proposal,
    )  # fmt: skip


def _unchanged(case: Case, e: ev.Event, at: int) -> Case:
    return case


def _redirected(case: Case, e: ev.EmergencyRedirected, at: int) -> Case:
    task = Task(e.task, "confirm_receipt", e.unit, e.endpoint)
    left = {i: held for i, held in case.tasks.items() if i not in e.ended}
    return opened(replace(case, state=to(case, "redirect"), policy=case.policy or e.policy, tasks=left), task)


def _receipt_confirmed(case: Case, e: ev.RedirectConfirmed, at: int) -> Case:
    return without(replace(case, state=to(case, "confirm_receipt")), "confirm_receipt")


def _answered_at_once(case: Case, e: ev.CaseAnsweredAtOnce, at: int) -> Case:
    return replace(case, state=to(case, "answer_at_once"))


def _routed(case: Case, e: ev.CaseRouted, at: int) -> Case:
    return replace(
        case, policy=e.policy, rule=e.rule, rule_number=e.number, rule_catalogue=e.catalogue, why=e.why, plan=e.stages
    )


def _urgency_raised(case: Case, e: ev.UrgencyRaised, at: int) -> Case:
    return replace(case, urgency=e.urgency)


def _accepted(case: Case, e: ev.CaseAccepted, at: int) -> Case:
    return replace(case, state=to(case, "accept"), accepted_by=e.by)


def _refusal_proposed(case: Case, e: ev.RefusalProposed, at: int) -> Case:
    task = Task(e.task, "confirm_refusal", case.centre, e.endpoint)
    refusal = Refusal(e.ground, e.basis, e.where_to_turn)
    return opened(replace(case, state=to(case, "propose_refusal"), refusal=refusal), task)


def _refusal_rejected(case: Case, e: ev.RefusalRejected, at: int) -> Case:
    kept = case.refusal if case.refusal is not None and case.refusal.reviewed else None  # it is not refused twice
    return without(replace(case, state=to(case, "reject_refusal"), refusal=kept), "confirm_refusal")


def _refused(case: Case, e: ev.CaseRefused, at: int) -> Case:
    reviewed = case.refusal is not None and case.refusal.reviewed
    refusal = Refusal(e.ground, e.basis, e.where_to_turn, hands=e.hands, reviewed=reviewed)
    return without(replace(case, state=to(case, "confirm_refusal"), refusal=refusal), "confirm_refusal")


def _triage_asked(case: Case, e: ev.TriageAsked, at: int) -> Case:
    task = Task(e.task, "triage", case.centre, e.endpoint, e.leg, e.reason)
    whole = not e.leg or case.legs[e.leg].part == "lead"
    return opened(replace(case, state=to(case, "ask_triage")) if whole else case, task)


def _triage_ended(case: Case, e: ev.TriageEnded, at: int) -> Case:
    return replace(case, tasks=less(case.tasks, e.task))


def _stage_opened(case: Case, e: ev.StageOpened, at: int) -> Case:
    return replace(case, stage=e.stage)


def _supplemented(case: Case, e: ev.CaseSupplemented, at: int) -> Case:
    return replace(case, state=to(case, "supplement"), supplements=(*case.supplements, bytes(e.body)))


def _withdrawn(case: Case, e: ev.CaseWithdrawn, at: int) -> Case:
    return replace(case, state=to(case, "withdraw"))


def _evaluated(case: Case, e: ev.CaseEvaluated, at: int) -> Case:
    after = replace(case, state=to(case, "evaluate"), grade=e.grade)
    held = case.feedback
    return (
        after
        if held is None
        else replace(after, feedback=replace(held, silent=e.silent, silent_at=0, said=bytes(e.said or b"")))
    )


def _closed(case: Case, e: ev.CaseClosed, at: int) -> Case:
    held = case.feedback
    if e.evaluate_until:
        held = replace(
            held or Feedback(), evaluate_until=e.evaluate_until, silent_at=e.silent_at, silent_grade=e.silent_grade
        )
    return replace(
        case,
        state=to(case, "close"),
        close_reason=e.reason,
        closed_at=at,
        archive_at=e.archive_at,
        tasks={},
        clocks={},
        feedback=held,
    )


def _archived(case: Case, e: ev.CaseArchived, at: int) -> Case:
    return stub(replace(case, state=to(case, "archive")), e.forget_at)


def _forgotten(case: Case, e: ev.CaseForgotten, at: int) -> Case:
    return replace(case, state=to(case, "forget"), forget_at=0)


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.CaseRegistered: _registered,
    ev.DuplicateReceived: _unchanged,
    ev.IdReused: _unchanged,
    ev.CommandRefused: _unchanged,
    ev.EmergencyRedirected: _redirected,
    ev.RedirectConfirmed: _receipt_confirmed,
    ev.CaseAnsweredAtOnce: _answered_at_once,
    ev.CaseRouted: _routed,
    ev.UrgencyRaised: _urgency_raised,
    ev.CaseAccepted: _accepted,
    ev.RefusalProposed: _refusal_proposed,
    ev.RefusalRejected: _refusal_rejected,
    ev.CaseRefused: _refused,
    ev.TriageAsked: _triage_asked,
    ev.TriageEnded: _triage_ended,
    ev.StageOpened: _stage_opened,
    ev.CaseSupplemented: _supplemented,
    ev.CaseWithdrawn: _withdrawn,
    ev.CaseEvaluated: _evaluated,
    ev.CaseClosed: _closed,
    ev.CaseArchived: _archived,
    ev.CaseForgotten: _forgotten,
}
