"""
退单: a unit says that something is not its duty, and who dispatched it decides. The citizen's clock never stops for it.
"""

from collections.abc import Callable, Mapping

from workflows import events as ev
from workflows.arbitration import arbiter, ask_arbitration, stuck
from workflows.calendars import budget
from workflows.case import Leg, Task
from workflows.clocks import start_task_clock
from workflows.decision import Decision
from workflows.facts import Unit
from workflows.legs import ask_triage, give_back, put_in_place
from workflows.oversight import is_supervised
from workflows.said import ReplyView


def _may_return(d: Decision, leg: Leg, said: ReplyView) -> str:
    if not d.policy.returns:
        return "return_not_allowed"
    if not leg.parent and d.case.disputes is not None and d.case.disputes.ruling is not None:
        return "ruled_case"
    if is_supervised(d.case, leg.id):
        return "under_supervision"
    if not said.reason:
        return "incomplete"
    within = d.policy.return_within
    if not within:
        return ""
    by_day = budget(within).unit in ("d", "wd")
    until = d.calendar_of(leg.unit).add(leg.dispatched_at, within, "next_day" if by_day else "receipt").at
    return "return_window_over" if d.now > until else ""


def _return(d: Decision, leg: Leg, said: ReplyView) -> None:
    """
    退单. Who dispatched decides, of a place that has been returned before the arbitration body; the time goes on for the
    unit and for the citizen.
    """
    parent, number = d.case.legs.get(leg.parent), 0
    unit, endpoint = (parent.unit, parent.endpoint) if parent else (d.case.centre, d.case.centre_endpoint)
    ruling: Unit | None = None
    if parent is None:
        number = (d.case.disputes.returns(leg.id) if d.case.disputes else 0) + 1
        if 0 < d.policy.arbitrate_after <= number:
            ruling = arbiter(d, leg, said.proposed_unit or "")
    task = "" if ruling else d.new_task()
    d.emit(
        ev.LegReturnAsked(
            leg=leg.id, task=task, endpoint=ruling.endpoint if ruling else endpoint, unit=ruling.id if ruling else unit,
            reason=said.reason or "", proposed=said.proposed_unit or "", number=number, text=said.text or "",
            basis=said.basis or "", attachments=said.attachments, officer=said.officer or "",
            confirmed_by=said.confirmed_by or "",
        )
    )  # fmt: skip
    if ruling is not None:
        ask_arbitration(d, d.case.legs[leg.id], ruling, "second_return", said.reason or "")
    else:
        start_task_clock(d, task, "decide_return")


def _accept_return(d: Decision, task: Task, said: ReplyView) -> str:
    """同意退单: to the unit proposed if there is one that may take it, else a dispatcher names one."""
    leg = d.case.legs[task.leg]
    if code := stuck(d, leg):
        return code
    give_back(d, leg)
    unit = _instead(d, leg, said.proposed_unit or leg.proposed)
    if unit is not None:
        put_in_place(d, leg, unit)
    elif not leg.parent:
        ask_triage(d, "returned", leg.id)
    return ""


def _instead(d: Decision, leg: Leg, proposed: str) -> Unit | None:
    """The proposed unit, unless it is unknown, the same, to stand aside, or (of a second-level leg) not the parent's own."""
    unit = d.facts.unit(proposed) if proposed and proposed != leg.unit else None
    if unit is None or d.is_recused(unit):
        return None
    if leg.parent and unit.id not in {own.id for own in d.facts.children(d.case.legs[leg.parent].unit)}:
        return None
    return unit


def _reject_return(d: Decision, task: Task, said: ReplyView) -> str:
    """驳回退单: the leg goes on; the time stays with the unit."""
    d.emit(ev.LegReturnRejected(leg=task.leg, reason=said.reason or ""))
    return ""


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {"return": _may_return}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {"return": _return}
DECIDE: Mapping[str, Callable[[Decision, Task, ReplyView], str]] = {
    "accept_return": _accept_return,
    "reject_return": _reject_return,
}
