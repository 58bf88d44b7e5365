"""
转应急: an emergency goes to 110, 119, 120 or a utility; its record stays open until who takes it confirms.

As a request comes in that is done before any rule (workflows/submit.py). Later an officer of the centre does it as soon as
somebody sees that it is one, in whatever state the case is: who has it in hand is let go, and the receipt has the minutes of
an emergency. The citizen's clock runs on. An office that waits for a report still gets it.
"""

from collections.abc import Mapping

from workflows import events as ev
from workflows.case import Task
from workflows.clocks import lapse, start_task_clock, stop_clocks
from workflows.commands import Order
from workflows.decision import Decision
from workflows.facts import Target
from workflows.folds.moves import ORDERED
from workflows.hanging import take_off
from workflows.legs import resolve, take_back
from workflows.merging import leave
from workflows.ordered import Handler, Ordered
from workflows.said import ReplyHandler, ReplyView
from workflows.states import APPEAL, verdict

_STAYING = frozenset({*ORDERED, "acknowledge"})
"""Tasks that are not about who handles it."""


def redirect(d: Decision, target: Target, what: str = "", ended: tuple[str, ...] = ()) -> None:
    """To whoever takes such an emergency for the place, else the centre."""
    receiver = resolve(d, target, d.case.matter) or d.centre()
    task, policy = d.new_task(), d.facts.emergency_policy
    d.emit(
        ev.EmergencyRedirected(
            task=task, unit=receiver.id, endpoint=receiver.endpoint, policy=policy, what=what, ended=ended
        )
    )
    start_task_clock(d, task, "confirm_receipt", policy=policy)


def _redirect(d: Decision, what: str) -> str:
    """`what` it is, by the catalogue's list: that says who takes it."""
    target = d.facts.emergencies().get(what)
    if target is None:
        return "unknown_reason"
    leave(d, "redirected")
    if d.case.oversight is not None and d.case.oversight.hung:
        take_off(d, "redirect")
    for leg in d.case.legs.values():
        lapse(d, leg.id)
        if not leg.parent and (leg.open or leg.state == "replied"):
            take_back(d, leg, "redirect", what)
    ended = tuple(task.id for task in d.case.tasks.values() if task.kind not in _STAYING)
    for of in ended:
        stop_clocks(d, of)
    redirect(d, target, what, ended)
    return ""


def _ordered(d: Decision, command: Order, said: Ordered) -> str:
    return _redirect(d, said.reason)


def _answered(d: Decision, task: Task, said: ReplyView) -> str:
    """By the dispatcher who is asked who acts."""
    return verdict(APPEAL, d.case.state, "redirect") or _redirect(d, said.reason or "")


ORDERS: Mapping[str, Handler] = {"redirect": _ordered}
DECIDE: Mapping[str, ReplyHandler] = {"redirect": _answered}
