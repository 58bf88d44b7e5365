"""
What the centre decides about a case as a whole: that it is not to be taken, that it is over (终结), that it goes on
although its author withdraws it, that it is malicious. Each needs grounds; none is decided by one person alone but
going on, which takes nothing from anybody.
"""

from collections.abc import Mapping

from workflows import events as ev
from workflows.clocks import start_task_clock, stop_clocks
from workflows.commands import Order
from workflows.decision import Decision
from workflows.feedback import may_redo
from workflows.legs import close
from workflows.ordered import Handler, Ordered


def _refuse(d: Decision, command: Order, said: Ordered) -> str:
    """不予受理, before anything was dispatched: a second officer confirms it, as where a rule proposes it."""
    if not said.basis or not said.where_to_turn:
        return "incomplete"
    if d.case.legs:
        return "not_allowed"
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


def _conclude(d: Decision, command: Order, said: Ordered) -> str:
    """终结: after it was done again, if its policy has that. What comes later is attached, and brings nobody a task."""
    if may_redo(d) and not (d.case.feedback and d.case.feedback.round):
        return "redo_first"
    d.emit(ev.CaseConcluded(ground=said.reason, basis=said.basis))
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


ORDERS: Mapping[str, Handler] = {
    "refuse": _refuse,
    "conclude": _conclude,
    "ex_officio": _go_on,
    "mark_malicious": _mark_malicious,
}
