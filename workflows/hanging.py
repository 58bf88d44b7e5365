"""
挂账: what cannot be solved for now is put on a list with a plan date, and taken off it again (销账).

The lead asks on a ground of the list; the centre approves with a second officer, and looks at the plan each quarter
(task `review_plan`). Where the policy says so the clocks of lead and citizen stand still, until the plan date at the
latest; released, what was left of them goes on.
"""

from collections.abc import Callable, Mapping

from schemas.times import parse
from workflows import events as ev
from workflows.bounds import is_held, is_paused
from workflows.calendars import budget
from workflows.case import Leg, Task
from workflows.clocks import start_task_clock, stop_clocks
from workflows.commands import Order
from workflows.courses import go_on, moved_with, pause
from workflows.decision import Decision
from workflows.ordered import Handler, Ordered
from workflows.said import ReplyHandler, ReplyView
from workflows.states import APPEAL, LEG

MEANWHILE = frozenset({"sub_dispatch", "recall", "send_back_below", "note"})
"""What the lead may do while its case is hung: work goes on, an answer needs the release first."""
HUNG = "hung"


# -- the unit asks ------------------------------------------------------------------------------


def _may_ask(d: Decision, leg: Leg, said: ReplyView) -> str:
    if leg.part != "lead" or leg.parent:
        return "wrong_action"
    if not d.policy.hangs:
        return "hang_not_allowed"
    if not said.reason or not said.text or not said.until:
        return "incomplete"
    if code := _bad_plan(d, parse(said.until) or 0):
        return code
    return "hang_undecided" if any(task.kind == "decide_hang" for task in d.case.tasks.values()) else ""


def _bad_plan(d: Decision, plan: int) -> str:
    """A plan for some year to come is none; and what stands still for ever is not on a list but forgotten."""
    if plan <= d.now:
        return "plan_date_past"
    return "plan_date_too_far" if plan > d.calendar.add(d.now, d.policy.hangs_within).at else ""


def _ask(d: Decision, leg: Leg, said: ReplyView) -> None:
    task = d.new_task()
    d.emit(
        ev.HangAsked(
            leg=leg.id, task=task, endpoint=d.case.centre_endpoint, ground=said.reason or "", text=said.text or "",
            plan=parse(said.until or "") or 0,
        )
    )  # fmt: skip
    start_task_clock(d, task, "decide_hang")


# -- the centre decides -------------------------------------------------------------------------


def _grant(d: Decision, task: Task, said: ReplyView) -> str:
    """同意挂账, by two officers."""
    if not said.officer or said.confirmed_by in (None, said.officer):
        return "second_officer"
    leg, asked = d.case.legs[task.leg], d.case.oversight
    assert asked is not None
    if "hang" not in APPEAL[d.case.state] or "ask_hang" not in LEG[leg.state]:
        return "not_allowed"
    if code := _bad_plan(d, asked.plan):
        return code
    clocks = moved_with(d, leg, ("leg", "case"))
    if any(map(is_held, clocks)):
        return "extension_undecided"
    review = d.new_task()
    d.emit(ev.CaseHung(leg=leg.id, task=task.id, review=review, ground=task.reason.partition(": ")[0], plan=asked.plan))
    _stand_still(d, leg, asked.plan)
    start_task_clock(d, review, "review_plan")
    return ""


def _stand_still(d: Decision, leg: Leg, plan: int) -> None:
    """The clocks of lead and citizen, until the plan date at the latest: but not one that is late, as it is late."""
    for clock in moved_with(d, leg, ("leg", "case")) if d.policy.hangs == "stop" else ():
        calendar = d.facts.calendar_named(clock.calendar)
        allowed = calendar.consumed(max(d.now, clock.anchor), plan, budget(clock.budget).unit)
        if clock.running and not is_paused(clock) and clock.due >= d.now and allowed > 0:
            pause(d, clock, HUNG, allowed)


def _refuse(d: Decision, task: Task, said: ReplyView) -> str:
    if not said.reason:
        return "incomplete"
    d.emit(ev.HangRefused(leg=task.leg, task=task.id, reason=said.reason))
    return ""


def _reviewed(d: Decision, task: Task, said: ReplyView) -> str:
    """每季度复核: the plan stands, or two officers move its date; the next quarter begins."""
    if not said.text:
        return "incomplete"
    following, held = d.new_task(), d.case.oversight
    assert held is not None
    plan = parse(said.until or "") or held.plan
    if plan == held.plan:
        d.emit(ev.PlanReviewed(leg=task.leg, task=task.id, review=following, text=said.text))
    else:
        if code := _may_move(d, plan, said):
            return code
        d.emit(
            ev.PlanReviewed(
                leg=task.leg, task=task.id, review=following, text=said.text, plan=plan, before=held.plan,
                reason=said.reason or "", officer=said.officer or "", confirmed_by=said.confirmed_by or "",
            )
        )  # fmt: skip
        _go_on(d, "plan_moved")
        _stand_still(d, d.case.legs[held.hung], plan)
    start_task_clock(d, following, "review_plan")
    return ""


def _may_move(d: Decision, plan: int, said: ReplyView) -> str:
    """As where it was granted: a reason, two officers, and a date that somebody will see."""
    if not said.reason:
        return "incomplete"
    if not said.officer or said.confirmed_by in (None, said.officer):
        return "second_officer"
    return _bad_plan(d, plan)


def _release(d: Decision, command: Order, said: Ordered) -> str:
    take_off(d, said.reason)
    return ""


def take_off(d: Decision, ground: str) -> None:
    """销账: what was left of the time goes on."""
    hung = d.case.oversight.hung if d.case.oversight else ""
    for task in [task for task in d.case.tasks.values() if task.kind == "review_plan"]:
        stop_clocks(d, task.id)
    _go_on(d, "released")
    d.emit(ev.HangReleased(leg=hung, ground=ground))


def _go_on(d: Decision, why: str) -> None:
    hung = d.case.oversight.hung if d.case.oversight else ""
    for clock in moved_with(d, d.case.legs[hung], ("leg", "case")):
        if clock.course is not None and clock.course.pause == HUNG:
            go_on(d, clock, why)


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {"ask_hang": _may_ask}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {"ask_hang": _ask}
REPLIES: Mapping[str, ReplyHandler] = {"grant_hang": _grant, "refuse_hang": _refuse, "review_plan": _reviewed}
ORDERS: Mapping[str, Handler] = {"release": _release}
