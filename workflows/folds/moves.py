"""How states and tasks move: only along the tables."""

from typing import Any

from msgspec.structs import replace

from workflows.case import Case, Leg, Task
from workflows.states import APPEAL, LEAD_MOVES, LEG


def to(case: Case, action: str) -> str:
    return APPEAL[case.state][action]


def moved(case: Case, leg_id: str, action: str, **changes: Any) -> Case:
    """The leg after `action`, and the appeal with it where it is the lead's."""
    leg = case.legs[leg_id]
    legs = {**case.legs, leg_id: replace(leg, state=LEG[leg.state][action], **changes)}
    if leg.part == "lead" and action in LEAD_MOVES:
        return replace(case, legs=legs, state=to(case, "sign" if action == "deem_signed" else action))
    return replace(case, legs=legs)


def handling(leg: Leg, reason: str = "") -> Task:
    return Task(leg.task, "handle", leg.unit, leg.endpoint, leg.id, reason)


ORDERED = ("report", "read_report")
"""Tasks about a leg that stand until who ordered them lifts them, whatever becomes of the leg."""


def goes_with(task: Task, leg: str) -> bool:
    """Whether there is no such task without the leg."""
    return task.leg == leg and task.kind not in ORDERED


def opened(case: Case, task: Task) -> Case:
    return replace(case, tasks={**case.tasks, task.id: task})


def without(case: Case, kind: str, leg: str = "") -> Case:
    """Without the task of this kind (about this leg)."""
    return replace(case, tasks={i: t for i, t in case.tasks.items() if (t.kind, t.leg) != (kind, leg)})


def less(tasks: dict[str, Task], task: str) -> dict[str, Task]:
    return {i: t for i, t in tasks.items() if i != task}
