"""
What units and officers say about their tasks. Each handler first looks for a reason to refuse, then lets it happen.

A handler returns the code of the refusal (workflows/refusals.py), or an empty text when it took effect.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from workflows import (
    arbitration,
    below,
    emergencies,
    endings,
    extensions,
    feedback,
    hanging,
    ladders,
    merging,
    oversight,
    pauses,
    procedures,
    progress,
    returns,
)
from workflows import events as ev
from workflows.arbitration import named
from workflows.case import Leg, Task
from workflows.clocks import resume_clock, start_task_clock, stop_clocks
from workflows.commands import Reply
from workflows.decision import Decision
from workflows.legs import (
    accept,
    ask_triage,
    close,
    dispatch,
    dispatch_instead,
    open_stages,
    put_in_place,
    waits_for,
)  # fmt: skip
from workflows.rights import unlisted
from workflows.said import ReplyView, read
from workflows.states import ACTING, LEG, LEG_ACTION, SPOKEN_FOR, TASK_ACTIONS, verdict


def reply(d: Decision, command: Reply) -> str:
    """A reply counts if its task is open, was given to this endpoint, takes this action, and the tables allow it."""
    task = d.case.tasks.get(command.task)
    if task is None:
        return "task_not_open"
    speaker = None
    if task.endpoint != command.endpoint and (speaker := _above(d, task, command.endpoint)) is None:
        return "wrong_endpoint"
    if command.action not in (SPOKEN_FOR if speaker else TASK_ACTIONS[task.kind]):
        return "wrong_action"
    said = read(command.body)
    if said.category and not d.facts.has_category(said.category):
        return "unknown_category"
    if said.reason and (code := unlisted(d, command.action, said.reason)):
        return code
    if task.kind == "handle":
        leg = d.case.legs[task.leg]
        return _act(d, leg, command.action, replace(said, by=speaker.unit) if speaker else said)
    code = _DECIDE[command.action](d, task, said)
    if not code and task.id not in d.case.tasks:
        stop_clocks(d, task.id)
    return code


def _above(d: Decision, task: Task, endpoint: str) -> Leg | None:
    """The leg above, of a unit that speaks through this endpoint: a unit may speak for those it dispatched to."""
    legs = d.case.legs
    above = legs.get(legs[task.leg].parent) if task.kind == "handle" else None
    while above is not None and above.endpoint != endpoint:
        above = legs.get(above.parent)
    return above


# -- units --------------------------------------------------------------------------------------


def _act(d: Decision, leg: Leg, action: str, said: ReplyView) -> str:
    """A unit on its own leg. Acting on a task that is not signed signs it first."""
    unsigned = leg.state == "dispatched" and action in ACTING
    code: str = verdict(LEG, "signed" if unsigned else leg.state, LEG_ACTION.get(action, action))
    if code:
        return "already_signed" if action == "sign" else code
    if leg.part == "copy" and action != "sign":
        return "wrong_action"
    if d.case.state == hanging.HUNG and leg.part == "lead" and action not in hanging.MEANWHILE:
        return "hung"
    code = _MAY[action](d, leg, said)
    if not code:
        if unsigned:
            _sign(d, leg, said)
        _DO[action](d, leg, said)
    return code


def _may_sign(d: Decision, leg: Leg, said: ReplyView) -> str:
    return ""


def _sign(d: Decision, leg: Leg, said: ReplyView) -> None:
    """签收. Who has called the applicant by then may say so: the first contact is made."""
    d.emit(ev.LegSigned(leg=leg.id))
    stop_clocks(d, leg.id, "sign", *(("contact",) if said.contacted else ()))


def _may_reply(d: Decision, leg: Leg, said: ReplyView) -> str:
    if not (said.result and said.text):
        return "incomplete"
    if said.result == "transferred" and (known := d.facts.procedures()) and said.procedure not in known:
        return "unknown_procedure"
    if code := feedback.same_person(d, leg, said):
        return code
    return waits_for(d.case, leg) or ("" if leg.part != "lead" or _is_joined(d, said) else "assists_open")


def _is_joined(d: Decision, said: ReplyView) -> bool:
    """Whether as many assists as the policy asks for have replied, or the lead names those that have not."""
    if d.policy.join == "lead":
        return True
    assists = [leg for leg in d.case.legs.values() if leg.part == "assist" and not leg.stage]
    waiting = {leg.unit for leg in assists if leg.open}
    if not waiting:
        return True
    enough = d.policy.join != "all" and sum(leg.state == "replied" for leg in assists) >= int(d.policy.join)
    return enough or waiting <= set(said.unanswered)


def _reply(d: Decision, leg: Leg, said: ReplyView) -> None:
    """办理结果: the lead's goes to review; anybody else's rises, and may let the next stage begin."""
    leads = leg.part == "lead"
    task = d.new_task() if leads else ""
    d.emit(
        ev.LegReplied(
            leg=leg.id,
            result=said.result or "",
            text=said.text or "",
            contacted=bool(said.contacted),
            basis=said.basis or "",
            task=task,
            endpoint=d.case.centre_endpoint if leads else "",
            contacted_at=said.contacted_at or "",
            contact_method=said.contact_method or "",
            attachments=said.attachments,
            unanswered=said.unanswered,
            by=said.by,
            procedure=said.procedure or "" if said.result == "transferred" and leads else "",
            officer=feedback.answerer(d, said) if leads else "",
        )
    )
    stop_clocks(d, leg.id)
    if leads:
        merging.leave(d, "replied")
        start_task_clock(d, task, "review")
    elif leg.stage:
        open_stages(d)


_MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {
    "sign": _may_sign,
    "reply": _may_reply,
    **returns.MAY,
    **arbitration.MAY,
    **progress.MAY,
    **below.MAY,
    **extensions.MAY,
    **pauses.MAY,
    **hanging.MAY,
}
_DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {
    "sign": _sign,
    "reply": _reply,
    **returns.DO,
    **arbitration.DO,
    **progress.DO,
    **below.DO,
    **extensions.DO,
    **pauses.DO,
    **hanging.DO,
}


# -- officers -----------------------------------------------------------------------------------


def _pass(d: Decision, task: Task, said: ReplyView) -> str:
    """审核通过: the lead's answer becomes the citizen's, who may be asked about it first."""
    if oversight.report_first(d.case):
        return "report_first"
    leg = d.case.legs[task.leg]
    d.emit(ev.LegReviewPassed(leg=leg.id))
    if leg.result == "transferred" and procedures.begin(d, leg):
        return ""
    feedback.passed(d, leg)
    return ""


def _send_back(d: Decision, task: Task, said: ReplyView) -> str:
    """退回重办: the same task again, the same due."""
    if not said.reason:
        return "incomplete"
    leg = d.case.legs[task.leg]
    d.emit(ev.LegSentBack(leg=leg.id, reason=said.reason, round=leg.round + 1))
    resume_clock(d, leg.id)
    return ""


def _dispatch(d: Decision, task: Task, said: ReplyView) -> str:
    """A dispatcher names who acts: for the whole case exactly one lead; for a returned leg, who takes its place."""
    returned = d.case.legs.get(task.leg)
    whole = returned is None or returned.part == "lead"
    units, code = named(d, said.targets)
    if not code and whole and sum(target.part == "lead" for target in said.targets) != 1:
        code = "one_lead"
    if code:
        return code
    d.emit(ev.TriageEnded(task=task.id, category=said.category or ""))
    accept(d, task.endpoint)
    for target, unit in sorted(zip(said.targets, units, strict=True), key=lambda pair: pair[0].part != "lead"):
        if returned is None:
            dispatch(d, unit, target.part, matter=d.case.matter)
        elif target.part == "lead":
            put_in_place(d, returned, unit)
        else:
            dispatch_instead(d, returned, unit, target.part)
    open_stages(d)
    return ""


def _confirm_refusal(d: Decision, task: Task, said: ReplyView) -> str:
    proposed = d.case.refusal
    assert proposed is not None
    if code := endings.own_work(proposed, said):
        return code
    if proposed.reviewed and not said.text:
        return "incomplete"
    hands = proposed.hands or tuple(filter(None, (proposed.officer, said.officer)))
    d.emit(
        ev.CaseRefused(
            ground=proposed.ground, basis=said.basis or proposed.basis, where_to_turn=proposed.where_to_turn,
            hands=hands,
        )
    )  # fmt: skip
    close(d, "refused", said.text or "")
    return ""


def _reject_refusal(d: Decision, task: Task, said: ReplyView) -> str:
    proposed = d.case.refusal
    if proposed is not None and proposed.reviewed and (code := endings.own_work(proposed, said)):
        return code
    d.emit(ev.RefusalRejected())
    ask_triage(d, "refusal_rejected")
    return ""


def _confirm_receipt(d: Decision, task: Task, said: ReplyView) -> str:
    d.emit(ev.RedirectConfirmed(receipt_no=said.receipt_no or ""))
    close(d, "referred_outside")
    return ""


_DECIDE: Mapping[str, Callable[[Decision, Task, ReplyView], str]] = {
    "pass": _pass,
    "send_back": _send_back,
    "dispatch": _dispatch,
    "confirm_refusal": _confirm_refusal,
    "reject_refusal": _reject_refusal,
    "confirm_receipt": _confirm_receipt,
    **returns.DECIDE,
    **arbitration.DECIDE,
    **ladders.DECIDE,
    **oversight.REPLIES,
    **hanging.REPLIES,
    **extensions.DECIDE,
    **merging.DECIDE,
    **feedback.REPLIES,
    **procedures.REPLIES,
    **emergencies.DECIDE,
    **endings.REPLIES,
}
