"""When the simulated people say what they plan to say: pure functions of the plan, the task's due and the calendar."""

from collections.abc import Iterator, Sequence

from adapters.departments.simulated import Planned
from schemas.handling import ClockKind, TaskKind
from schemas.task import Task
from schemas.times import milliseconds
from workflows.calendars import Calendar
from workflows.workdays import MINUTE

UNTOLD = "4wd"
"""The due that people assume where a task names none."""
APART = 20 * MINUTE
"""The least time between two things that one desk says about one task."""


def schedule(plan: Sequence[Planned], due: int, assigned_at: int, calendar: Calendar) -> Iterator[tuple[int, Planned]]:
    """Each planned reply with its instant, in the order of the plan and never before the task was there."""
    earliest = assigned_at
    for planned in plan:
        at = max(_instant(planned, assigned_at, due, calendar) + planned.minutes * MINUTE, earliest)
        earliest = at + APART
        yield at, planned


def _instant(planned: Planned, assigned_at: int, due: int, calendar: Calendar) -> int:
    if planned.anchor == "before_due":
        return calendar.subtract(due, planned.delay)
    return calendar.add(due if planned.anchor == "after_due" else assigned_at, planned.delay).at


def due_of(task: Task, assigned_at: int, calendar: Calendar) -> int:
    """
    A unit's finish clock; of an officer's task its own clock, and the case's only where it has none; else the latest, or
    what people assume.
    """
    dues = {due.kind: milliseconds(due.due) for due in task.due if due.kind is not ClockKind.SIGN}
    if task.kind is not TaskKind.HANDLE and len(dues) > 1:
        # who reviews the plan of a hung case in a quarter would be at it every day, as the case itself is due long before
        dues.pop(ClockKind.FINISH, None)
    if not dues:
        return calendar.add(assigned_at, UNTOLD).at
    return dues.get(ClockKind.FINISH) or max(dues.values())
