"""
What the centre decides about a case as a whole: that it is not to be taken, that it is over (终结), that it goes on
although its author withdraws it, that it is malicious. Each needs grounds; none is decided by one person alone but
going on, which takes nothing from anybody.
"""

from collections.abc import Mapping

from msgspec import Raw
from msgspec.json import decode, encode

from workflows import events as ev
from workflows import merging
from workflows.case import SUPPLEMENTS, Task
from workflows.clocks import restart_case_clocks, start_task_clock, stop_clocks
from workflows.commands import Order
from workflows.decision import Decision
from workflows.facts import Unit
from workflows.feedback import may_redo
from workflows.legs import close
from workflows.ordered import Handler, Ordered
from workflows.oversight import report_first
from workflows.particulars import Refusal
from workflows.said import ReplyHandler, ReplyView
from workflows.states import APPEAL, verdict


def _refuse(d: Decision, command: Order, said: Ordered) -> str:
    """不予受理, before anything was dispatched: a second officer confirms it, as where a rule proposes it."""
    if not said.basis or not said.where_to_turn:
        return "incomplete"
    if d.case.legs:
        return "not_allowed"
    if d.case.refusal is not None and d.case.refusal.reviewed:
        return "already_reviewed"
    merging.leave(d, "refused")
    held = set(d.case.tasks)
    task = d.new_task()
    d.emit(
        ev.RefusalOrdered(
            task=task, endpoint=d.case.centre_endpoint, ground=said.reason, basis=said.basis,
            where_to_turn=said.where_to_turn, officer=said.officer,
        )
    )  # fmt: skip
    for ended in sorted(held - set(d.case.tasks)):
        stop_clocks(d, ended)
    start_task_clock(d, task, "confirm_refusal")
    return ""


def objected(d: Decision, body: Raw, by: str = "") -> str:
    """复核: the applicant does not agree that it was refused. Open again, once, and decided by others."""
    refusal = d.case.refusal
    if d.case.close_reason != "refused" or refusal is None:
        return "not_refused"
    if refusal.reviewed:
        return "already_reviewed"
    if sum(map(len, d.case.supplements)) > SUPPLEMENTS:
        return "too_many_supplements"
    unit, task = _reviewer(d), d.new_task()
    d.emit(ev.RefusalReviewAsked(task=task, unit=unit.id, endpoint=unit.endpoint, body=body, by=by))
    restart_case_clocks(d)
    start_task_clock(d, task, "confirm_refusal", "review_asked")
    return ""


def _reviewer(d: Decision) -> Unit:
    """The centre has refused it: the supervising office reviews that, else whoever is above; where there is neither, others there."""
    centre = d.centre()
    supervisor = d.facts.supervisor(d.case.region, d.excluded | {centre.id})
    if supervisor is not None and not d.is_recused(supervisor):
        return supervisor
    return d.above(centre.id)


def own_work(refusal: Refusal, said: ReplyView) -> str:
    """`second_officer` where somebody would decide about what he has proposed or confirmed himself, or does not say who he is."""
    hands = (*refusal.hands, refusal.officer)
    known = refusal.reviewed or refusal.officer
    return "second_officer" if known and (not said.officer or said.officer in hands) else ""


def _ask_review(d: Decision, command: Order, said: Ordered) -> str:
    """By an office, for an applicant who has come or called."""
    return objected(d, Raw(encode({"text": said.text})), command.unit)


def _conclude(d: Decision, command: Order, said: Ordered) -> str:
    """终结: after it was done again, if its policy has that. What comes later is attached, and brings nobody a task."""
    if may_redo(d) and not (d.case.feedback and d.case.feedback.round):
        return "redo_first"
    d.emit(
        ev.CaseConcluded(
            ground=said.reason, basis=said.basis, evidence=len(decode(said.attachments or b"[]")),
            attachments=said.attachments,
        )
    )  # fmt: skip
    close(d, "concluded", said.text)
    return ""


def _go_on(d: Decision, command: Order, said: Ordered) -> str:
    """依职权继续: a withdrawal to come is noted and ends nothing, where the policy allows that."""
    if not d.policy.ex_officio:
        return "not_by_policy"
    if not said.basis:
        return "incomplete"
    d.emit(ev.GoingOnDecided(unit=command.unit, basis=said.basis))
    return ""


def _mark_malicious(d: Decision, command: Order, said: Ordered) -> str:
    """恶意诉求: only where the policy has it, and with no more effect than it says, on this case alone."""
    effect = d.policy.malicious
    if not effect:
        return "not_by_policy"
    d.emit(ev.CaseMarkedMalicious(ground=said.reason, document=said.document, effect=effect))
    return ""


def _answer_at_once(d: Decision, task: Task, said: ReplyView) -> str:
    """直接答复 by the dispatcher, before any unit had it: counted apart. A report of wrongdoing is looked into by somebody."""
    if d.case.legs or d.case.appeal_kind == "report":
        return "not_allowed"
    if code := verdict(APPEAL, d.case.state, "answer_at_once"):
        return code
    if report_first(d.case):
        return "report_first"
    if not said.text or not said.officer:
        return "incomplete"
    merging.leave(d, "answered")
    d.emit(ev.TriageEnded(task=task.id, category=said.category or ""))
    d.emit(ev.CaseAnsweredAtOnce())
    close(d, "answered", said.text)
    return ""


REPLIES: Mapping[str, ReplyHandler] = {"answer_at_once": _answer_at_once}
ORDERS: Mapping[str, Handler] = {
    "refuse": _refuse,
    "ask_review": _ask_review,
    "conclude": _conclude,
    "ex_officio": _go_on,
    "mark_malicious": _mark_malicious,
}
