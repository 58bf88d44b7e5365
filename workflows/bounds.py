"""By what a clock of a case is reckoned, and within which other one it runs."""

from workflows.case import Clock, clock_key
from workflows.decision import Decision
from workflows.policies import ClockTemplate

FINISH = "finish"


def finish_of(d: Decision, leg: str) -> Clock | None:
    """The finish clock that binds a leg: its own, else the case's."""
    clocks = d.case.clocks
    return clocks.get(clock_key(FINISH, leg)) or clocks.get(clock_key(FINISH, ""))


def latest_within(d: Decision, clock: Clock, outer: Clock | None) -> int:
    """When the clock of a leg must be due at the latest that the unit above, bound by `outer`, has its reserve; 0: whenever."""
    if outer is None:
        return 0
    above = d.case.legs[d.case.legs[clock.of].parent].unit
    calendar = d.facts.calendar_of(above) or d.facts.calendar_named(outer.calendar)
    return calendar.subtract(outer.due, d.policy.reserve)


def is_awake(d: Decision) -> bool:
    """Urgent: whoever is to be told is told in his quiet hours too."""
    return d.case.urgency != "normal"


def is_paused(clock: Clock) -> bool:
    return clock.course is not None and bool(clock.course.pause)


def is_held(clock: Clock) -> bool:
    """Whether an extension is undecided: until it is, the clock is not late."""
    return clock.course is not None and clock.course.held


def template_of(d: Decision, clock: Clock) -> ClockTemplate | None:
    """By what the clock is reckoned in the catalogue in force; None where its policy has no such clock any more."""
    case = d.case
    task = case.tasks.get(clock.of)
    group = "task" if task else "leg" if clock.of in case.legs else "case"
    reason = task.reason.partition(": ")[0] if task else ""
    policy = d.facts.policy(clock.of) if clock.kind in ("statutory", "follow_up") else d.policy
    fitting = [t for t in policy.clocks if t.kind == clock.kind and t.of in (group, "case")]
    fitting.sort(key=lambda t: (t.of != group, t.reason != reason, bool(t.reason)))
    return fitting[0] if fitting else None
