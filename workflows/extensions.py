"""
延期: a unit asks for more time before its time is up, and who may grant that much decides.

While nobody has decided the clock is not late: its due waits. Granted, the new due takes the place of the old one and the
citizen is told; refused, the clock is late from the old due on, exactly.
"""

from collections.abc import Callable, Mapping

from workflows import events as ev
from workflows.bounds import is_paused
from workflows.calendars import budget
from workflows.case import Leg, Task
from workflows.clocks import start_task_clock
from workflows.courses import extend, held_by, hold, longer_by, moved_with, release
from workflows.decision import Decision
from workflows.facts import Unit
from workflows.policies import Extensions
from workflows.rights import unlisted
from workflows.said import ReplyView


def _may_ask(d: Decision, leg: Leg, said: ReplyView) -> str:
    rules = d.policy.extensions
    if rules is None:
        return "extension_not_allowed"
    if not said.reason or not said.limit:
        return "incomplete"
    if code := unlisted(d, "ask_extension", said.reason):
        return code
    if any(task.kind == "decide_extension" and task.leg == leg.id for task in d.case.tasks.values()):
        return "extension_undecided"
    clocks = moved_with(d, leg, rules.moves)
    if not clocks or any(not clock.running or clock.due < d.now for clock in clocks):
        return "extension_after_due"
    if any(map(is_paused, clocks)):
        return "clock_paused"
    before = [clock.course.extended if clock.course else () for clock in clocks]
    if any(len(granted) >= rules.times for granted in before):
        return "extension_used_up"
    if not _fits(rules, said.limit, max(before, key=_sum)):
        return "extension_too_long"
    return "" if any(longer_by(d, clock, said.limit)[0].due > clock.due for clock in clocks) else "extension_too_long"


def _fits(rules: Extensions, limit: str, before: tuple[str, ...]) -> bool:
    """Whether the policy gives that much, in the unit of counting that it uses."""
    asked, most = budget(limit), budget(rules.at_most)
    return asked.unit == most.unit and 0 < asked.count <= most.count - _sum(before)


def _sum(lengths: tuple[str, ...]) -> int:
    return sum(budget(length).count for length in lengths)


def _ask(d: Decision, leg: Leg, said: ReplyView) -> None:
    """申请延期. From here on the clocks that would move are not late until it is decided."""
    rules = d.policy.extensions
    assert rules is not None
    limit, task = said.limit or "", d.new_task()
    who = _approver(d, leg, rules, limit)
    d.emit(
        ev.ExtensionAsked(
            leg=leg.id, task=task, unit=who.id, endpoint=who.endpoint, limit=limit,
            reason=said.reason or "", text=said.text or "",
        )
    )  # fmt: skip
    for clock in moved_with(d, leg, rules.moves):
        hold(d, clock)
    start_task_clock(d, task, "decide_extension")


def _approver(d: Decision, leg: Leg, rules: Extensions, limit: str) -> Unit:
    """By length; for a second-level unit the first-level one."""
    parent = d.case.legs.get(leg.parent)
    if parent is not None:
        return d.facts.unit(parent.unit) or d.centre()
    fitting = [step.who for step in rules.approvers if budget(limit).count <= budget(step.up_to).count]
    if fitting and fitting[0] == "supervisor":
        return d.facts.supervisor(d.case.region, d.excluded | {leg.unit}) or d.above(d.case.centre)
    return d.centre()


def _grant(d: Decision, task: Task, said: ReplyView) -> str:
    """同意延期, for what was asked or for less."""
    limit = said.limit or task.limit
    asked, granted = budget(task.limit), budget(limit)
    if granted.unit != asked.unit or not 0 < granted.count <= asked.count:
        return "extension_too_long"
    leg = d.case.legs[task.leg]
    d.emit(ev.ExtensionDecided(leg=leg.id, task=task.id, limit=limit, reason=said.reason or ""))
    for clock in held_by(d, leg):
        extend(d, clock, limit, task.reason)
    return ""


def _refuse(d: Decision, task: Task, said: ReplyView) -> str:
    """不同意延期."""
    if not said.reason:
        return "incomplete"
    d.emit(ev.ExtensionDecided(leg=task.leg, task=task.id, reason=said.reason))
    for clock in held_by(d, d.case.legs[task.leg]):
        release(d, clock)
    return ""


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {"ask_extension": _may_ask}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {"ask_extension": _ask}
DECIDE: Mapping[str, Callable[[Decision, Task, ReplyView], str]] = {
    "grant_extension": _grant,
    "refuse_extension": _refuse,
}
