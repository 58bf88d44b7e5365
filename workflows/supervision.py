"""
What supervisors are told: of clocks that are nearly or quite due, of rungs of a ladder, of many cases alike.
"""

from workflows import events as ev
from workflows import messages as body
from workflows.case import clock_key
from workflows.outbox import ESCALATED, OVERDUE, RESEMBLES, WARNED
from workflows.post import Post


def warned(post: Post, event: ev.ClockWarned) -> None:
    _supervise(post, WARNED, event, 0, "warn")


def overdue(post: Post, event: ev.ClockOverdue) -> None:
    _supervise(post, OVERDUE, event, 0, "overdue")


def escalated(post: Post, event: ev.CaseEscalated) -> None:
    _supervise(post, ESCALATED, event, event.level, event.what)


def resembles(post: Post, event: ev.ResemblanceFound) -> None:
    """Many at one place, or one who comes again and again: the numbers, and nobody's words or names."""
    if not event.told:
        return
    case = post.case
    data = body.ResemblanceBody(
        case_id=case.id,
        number=case.number,
        what=event.what,
        count=event.count,
        cases=tuple([other.number for other in event.cases]),
        region=case.region,
        category=case.category,
        urgency=case.urgency,
        at=body.instant(post.d.now),
        version=post.version,
    )
    post.add("supervision", case.id, RESEMBLES, data)


def _supervise(
    post: Post, kind: str, event: ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated, level: int, what: str
) -> None:
    """Of an officer's task, with the leg that the task is about."""
    case, d = post.case, post.d
    task = case.tasks.get(event.of)
    data = body.SupervisionBody(
        case_id=case.id,
        number=case.number,
        kind=event.kind,
        leg=task.leg if task else event.of,
        unit=event.unit,
        unit_name=body.unit_name(d, event.unit),
        level=level,
        what=what,
        turn=event.turn if isinstance(event, ev.CaseEscalated) else 0,
        post=event.post if isinstance(event, ev.CaseEscalated) else "",
        due=body.instant(case.clocks[clock_key(event.kind, event.of)].due),
        at=body.instant(d.now),
        version=post.version,
    )
    post.add("supervision", case.id, kind, data)
