"""
暂停计时: a unit's clock stands still for a reason that the policy lists, so often and so long as it allows.

There is no pause unless the policy says so. When what it allows is used up the clock goes on by itself.
"""

from collections.abc import Callable, Mapping

from workflows.bounds import is_held, is_paused
from workflows.calendars import budget
from workflows.case import Clock, Leg
from workflows.courses import go_on, moved_with, pause
from workflows.decision import Decision
from workflows.policies import Pause
from workflows.said import ReplyView


def _may_pause(d: Decision, leg: Leg, said: ReplyView) -> str:
    rule = _rule(d, said.reason or "")
    if rule is None:
        return "pause_not_allowed"
    clocks = moved_with(d, leg, rule.moves)
    if any(map(is_paused, clocks)):
        return "clock_paused"
    if not clocks or any(not clock.running or clock.due < d.now for clock in clocks):
        return "pause_after_due"
    if any(map(is_held, clocks)):
        return "extension_undecided"
    return "pause_used_up" if any(_left(d, clock, rule) <= 0 for clock in clocks) else ""


def _pause(d: Decision, leg: Leg, said: ReplyView) -> None:
    rule = _rule(d, said.reason or "")
    assert rule is not None
    for clock in moved_with(d, leg, rule.moves):
        pause(d, clock, rule.reason, _left(d, clock, rule))


def _rule(d: Decision, reason: str) -> Pause | None:
    return next((rule for rule in d.policy.pauses if rule.reason == reason), None)


def _left(d: Decision, clock: Clock, rule: Pause) -> int:
    """Milliseconds of the clock's own counting that it may still stand still for this reason."""
    took = [took for reason, took in (clock.course.pauses if clock.course else ()) if reason == rule.reason]
    if len(took) >= rule.times:
        return 0
    calendar, since = d.facts.calendar_named(clock.calendar), max(d.now, clock.anchor)
    end = calendar.add(since, rule.at_most).at
    return calendar.consumed(since, end, budget(clock.budget).unit) - sum(took)


def _may_go_on(d: Decision, leg: Leg, said: ReplyView) -> str:
    return "" if any(map(is_paused, moved_with(d, leg, ("leg", "case")))) else "clock_runs"


def _go_on(d: Decision, leg: Leg, said: ReplyView) -> None:
    for clock in moved_with(d, leg, ("leg", "case")):
        if is_paused(clock):
            go_on(d, clock, "asked")


def applicant_said_more(d: Decision) -> None:
    """Whoever waited for the applicant waits no more."""
    for clock in list(d.case.clocks.values()):
        if clock.course is not None and clock.course.pause:
            rule = _rule(d, clock.course.pause)
            if rule is not None and rule.waits_for == "applicant":
                go_on(d, clock, "supplemented")


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {"pause": _may_pause, "go_on": _may_go_on}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {"pause": _pause, "go_on": _go_on}
