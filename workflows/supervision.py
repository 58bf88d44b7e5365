"""
What supervisors are told: of clocks that are nearly or quite due, of rungs of a ladder, of many cases alike, and of what
offices order and decide (督办, 批示, 挂账, 终结, 改派, 转应急). Units, codes and dates: nobody's name and nobody's words.
"""

from typing import Any

from workflows import commands as cmd
from workflows import events as ev
from workflows import messages as body
from workflows.case import clock_key
from workflows.outbox import ESCALATED, OVERDUE, OVERSEEN, RESEMBLES, WARNED
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
    """Of an officer's task, with the leg that the task is about. What was archived in the same pass has forgotten both."""
    case, d = post.case, post.d
    held = post.before if post.before is not None and case.state == "archived" else case
    task = held.tasks.get(event.of)
    data = body.SupervisionBody(
        case_id=case.id,
        number=case.number,
        kind=event.kind,
        leg=task.leg if task else event.of,
        unit=event.unit,
        unit_name=body.unit_name(d, event.unit),
        level=level,
        what=what,
        turn=event.turn if type(event) is ev.CaseEscalated else 0,
        post=event.post if type(event) is ev.CaseEscalated else "",
        due=body.instant(held.clocks[clock_key(event.kind, event.of)].due),
        at=body.instant(d.now),
        version=post.version,
    )
    post.add("supervision", case.id, kind, data)


# -- what offices order and decide -------------------------------------------------------------------


def ordered(post: Post, event: ev.OrderGiven) -> None:
    """Of those that have no event of their own to be told by: who has it now, or had it last."""
    if event.action not in ("re_dispatch", "conclude"):
        return
    lead = post.case.lead
    dispatched = next((e for e in post.d.events if isinstance(e, ev.LegDispatched)), None)
    unit, leg = (dispatched.unit, dispatched.leg) if dispatched else (lead.unit, lead.id) if lead else ("", "")
    _tell(post, event.action, event.unit, unit, leg, reason=event.reason or None, document=event.document or None)


def redirected(post: Post, event: ev.EmergencyRedirected) -> None:
    """By an officer, ordered or in triage: who has to take it. What comes in as an emergency goes there before anybody decides."""
    if event.what:
        by = post.command.unit if isinstance(post.command, cmd.Order) else post.case.centre
        _tell(post, "redirect", by, event.unit, "", reason=event.what)


def report_ordered(post: Post, event: ev.ReportOrdered) -> None:
    given = next((e for e in post.d.events if isinstance(e, ev.OrderGiven)), None)
    _tell(
        post, event.action, event.by, event.unit, event.leg, order=event.order, document=event.document or None,
        post=event.post or None, reason=(given.reason or None) if given else None, due=_report_due(post, event.task),
    )  # fmt: skip


def reported(post: Post, event: ev.ReportSubmitted) -> None:
    _of_order(post, "reported", event.order)


def report_rejected(post: Post, event: ev.ReportRejected) -> None:
    """The same due as before: asking again gives no more time."""
    _of_order(post, "report_rejected", event.order)


def lifted(post: Post, event: ev.OrderLifted) -> None:
    by_hand = isinstance(post.command, cmd.Order) and post.command.action == "lift"
    _of_order(post, "report_accepted" if event.accepted else "lifted" if by_hand else "ended", event.order)


def _of_order(post: Post, what: str, name: str) -> None:
    """An order that stood before the command; of its unit, document and post no more than the office itself has said."""
    held = post.before.oversight if post.before is not None else None
    order = next((one for one in held.standing if one.id == name), None) if held else None
    if order is None:
        return
    again = what == "report_rejected"
    _tell(
        post, what, order.by, order.unit, order.leg, order=order.id, document=order.document or None,
        post=order.post or None, round=order.round + again, due=_report_due(post, order.task) if again else None,
    )  # fmt: skip


def _report_due(post: Post, task: str) -> str | None:
    clock = post.case.clocks.get(clock_key("report", task))
    return body.instant(clock.due) if clock else None


def hung(post: Post, event: ev.CaseHung) -> None:
    unit, listed = post.case.legs[event.leg].unit, post.d.facts.reasons("ask_hang")
    reason = event.ground if event.ground in listed else None  # without a list it is somebody's words
    _tell(post, "hung", post.case.centre, unit, event.leg, reason=reason, due=body.instant(event.plan))


def plan_moved(post: Post, event: ev.PlanReviewed) -> None:
    unit, listed = post.case.legs[event.leg].unit, post.d.facts.reasons("review_plan")
    reason = event.reason if event.reason in listed else None
    _tell(post, "plan_moved", post.case.centre, unit, event.leg, reason=reason, due=body.instant(event.plan))


def released(post: Post, event: ev.HangReleased) -> None:
    by = post.command.unit if isinstance(post.command, cmd.Order) else post.case.centre
    _tell(post, "released", by, post.case.legs[event.leg].unit, event.leg, reason=event.ground or None)


def _tell(letter: Post, what: str, by: str, unit: str, leg: str, **said: Any) -> None:
    """said: what else is known of it, by the names of the message."""
    case, d = letter.case, letter.d
    data = body.OverseenBody(
        case_id=case.id, number=case.number, what=what, by=by, by_name=body.unit_name(d, by), unit=unit,
        unit_name=body.unit_name(d, unit) if unit else "", leg=leg, at=body.instant(d.now), version=letter.version,
        **said,
    )  # fmt: skip
    letter.add("supervision", case.id, OVERSEEN, data)
