"""
What a task offers: the actions by which whoever has it may answer as things stand.

The limits of time and person are told only when it is tried; what is not offered is refused (workflows/refusals.py).
"""

from collections.abc import Callable, Mapping

from workflows.case import Leg, Task
from workflows.courses import is_paused, moved_with
from workflows.decision import Decision
from workflows.feedback import may_redo
from workflows.hanging import HUNG, MEANWHILE
from workflows.legs import level, waits_for
from workflows.states import ACTING, LEG, LEG_ACTION, TASK_ACTIONS


def of_leg(d: Decision, leg: Leg) -> tuple[str, ...]:
    """What the unit may answer as things stand; the limits of time and person are told only when it tries."""
    if leg.part == "copy":
        return ("sign",) if leg.state == "dispatched" else ()
    may = [action for action, fits in _ALLOWED[leg.state] if fits(d, leg)]
    if leg.state == "dispatched":
        may.insert(0, "sign")
    if d.case.state == HUNG and leg.part == "lead":
        may = [action for action in may if action in MEANWHILE]
    return tuple(may)


def _may_return(d: Decision, leg: Leg) -> bool:
    return d.policy.returns and (bool(leg.parent) or d.case.disputes is None or d.case.disputes.ruling is None)


def _has_units_below(d: Decision, leg: Leg) -> bool:
    return (not leg.parent or level(leg) < d.policy.levels) and bool(d.facts.children(leg.unit))


def _is_paused(d: Decision, leg: Leg) -> bool:
    return bool(d.policy.pauses) and any(map(is_paused, moved_with(d, leg, ("leg", "case"))))


_FITS: Mapping[str, Callable[[Decision, Leg], bool]] = {
    "sub_dispatch": _has_units_below,
    "recall": lambda d, leg: any(child.parent == leg.id and child.open for child in d.case.legs.values()),
    "send_back_below": lambda d, leg: any(
        child.parent == leg.id and child.state == "replied" for child in d.case.legs.values()
    ),
    "return": _may_return,
    "arbitrate": lambda d, leg: not leg.parent and leg.state == "return_rejected",
    "reply": lambda d, leg: not waits_for(d.case, leg),
    "ask_extension": lambda d, leg: d.policy.extensions is not None,
    "pause": lambda d, leg: bool(d.policy.pauses) and not _is_paused(d, leg),
    "go_on": _is_paused,
    "ask_hang": lambda d, leg: bool(d.policy.hangs) and leg.part == "lead",
}
"""What must be so that an action which the table allows is offered; of any other, nothing."""
_BELOW = ("recall", "send_back_below")
"""What needs units below: a leg that is not signed has none."""

_ALLOWED: Mapping[str, tuple[tuple[str, Callable[[Decision, Leg], bool]], ...]] = {
    state: tuple(
        (action, _FITS.get(action, lambda d, leg: True))
        for action in ACTING
        if LEG_ACTION.get(action, action) in LEG["signed" if state == "dispatched" else state]
        and not (state == "dispatched" and action in _BELOW)
    )
    for state in LEG
}
"""What the table allows in each state; before it is signed, what it will allow then."""


def of_officer(d: Decision, task: Task, leg: Leg | None) -> tuple[str, ...]:
    """A return inside a unit's own house does not go to arbitration; nothing is done again more often than the policy says."""
    if task.kind == "call_back" and not may_redo(d):
        return tuple(action for action in TASK_ACTIONS[task.kind] if action != "redo")
    if task.kind == "decide_return" and leg is not None and leg.parent:
        return tuple(action for action in TASK_ACTIONS[task.kind] if action != "arbitrate")
    return TASK_ACTIONS[task.kind]
