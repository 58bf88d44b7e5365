"""
What a task offers: the actions by which whoever has it may answer as things stand.

The limits of time and person are told only when it is tried; what is not offered is refused (workflows/refusals.py).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from workflows.bounds import is_paused
from workflows.case import Leg, Task
from workflows.courses import moved_with
from workflows.decision import Decision
from workflows.feedback import may_redo
from workflows.hanging import HUNG, MEANWHILE
from workflows.legs import level, waits_for
from workflows.policies import Policy
from workflows.states import ACTING, LEG, LEG_ACTION, TASK_ACTIONS


def of_leg(d: Decision, leg: Leg) -> tuple[str, ...]:
    """What the unit may answer as things stand; the limits of time and person are told only when it tries."""
    case = d.case
    alone = len(case.legs) == 1 and not case.plan
    may = [action for action, fits in _granted(d.policy, leg.state, leg.part, alone) if fits is None or fits(d, leg)]
    if case.disputes is not None and case.disputes.ruling is not None and not leg.parent:
        may = [action for action in may if action != "return"]
    if case.state == HUNG and leg.part == "lead":
        may = [action for action in may if action in MEANWHILE]
    return tuple(may)


def _has_units_below(d: Decision, leg: Leg) -> bool:
    return bool(d.facts.children(leg.unit)) and (not leg.parent or level(leg) < d.policy.levels)


def _is_paused(d: Decision, leg: Leg) -> bool:
    return any(map(is_paused, moved_with(d, leg, ("leg", "case"))))


Fits = Callable[[Decision, Leg], bool]

_FITS: Mapping[str, Fits] = {
    "sub_dispatch": _has_units_below,
    "recall": lambda d, leg: any(child.parent == leg.id and child.open for child in d.case.legs.values()),
    "send_back_below": lambda d, leg: any(
        child.parent == leg.id and child.state == "replied" for child in d.case.legs.values()
    ),
    "reply": lambda d, leg: not waits_for(d.case, leg),
    "pause": lambda d, leg: not _is_paused(d, leg),
    "go_on": _is_paused,
}
"""What must be so in the case that an action is offered; of any other, nothing."""
_GRANTS: Mapping[str, Callable[[Policy, str, str], object]] = {
    "return": lambda policy, state, part: policy.returns,
    "arbitrate": lambda policy, state, part: part != "sub" and state == "return_rejected",
    "ask_extension": lambda policy, state, part: policy.extensions,
    "pause": lambda policy, state, part: policy.pauses,
    "go_on": lambda policy, state, part: policy.pauses,
    "ask_hang": lambda policy, state, part: policy.hangs and part == "lead",
}
"""The same by what most cases share: their policy, the state of the leg and its part."""
_BELOW = ("recall", "send_back_below")
"""What needs units below: a leg that is not signed has none, nor has the only one."""


@lru_cache(maxsize=1024)
def _granted(policy: Policy, state: str, part: str, alone: bool) -> list[tuple[str, Fits | None]]:
    """
    What table and policy allow in this state; before it is signed, what they will allow then. `alone`: it is the only leg,
    and no other will follow: it waits for nobody.
    """
    unsigned = state == "dispatched"
    if part == "copy":
        return [("sign", None)] if unsigned else []
    allowed = [
        (action, None if alone and action == "reply" else _FITS.get(action))
        for action in ACTING
        if LEG_ACTION.get(action, action) in LEG["signed" if unsigned else state]
        and not ((unsigned or alone) and action in _BELOW)
        and (action not in _GRANTS or _GRANTS[action](policy, state, part))
    ]
    return [("sign", None), *allowed] if unsigned else allowed


def of_officer(d: Decision, task: Task, leg: Leg | None) -> tuple[str, ...]:
    """A return inside a unit's own house does not go to arbitration; nothing is done again more often than the policy says."""
    if task.kind == "call_back" and not may_redo(d):
        return tuple(action for action in TASK_ACTIONS[task.kind] if action != "redo")
    if task.kind == "decide_return" and leg is not None and leg.parent:
        return tuple(action for action in TASK_ACTIONS[task.kind] if action != "arbitrate")
    return TASK_ACTIONS[task.kind]
