"""
Clocks: started from a policy's templates, stopped, resumed, and fired mark by mark.

A clock is folded from its events: they carry the due and every mark to come, so that nothing but its
start needs a calendar. A mark fires once, in the order of time, at the first deadline pass at or after
its instant; a clock that started late (a backfilled request) fires what is past at the next pass.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from msgspec.structs import replace

from workflows import events as ev
from workflows.bounds import FINISH, finish_of, is_awake, is_held, is_paused
from workflows.calendars import OFFSET, Calendar, day_of
from workflows.case import Clock, Course, Leg, Pending, clock_key
from workflows.courses import go_on, held_by, release
from workflows.decision import Decision
from workflows.folds.clocks import Started, started
from workflows.ladders import escalate, holder
from workflows.policies import ClockTemplate, Policy
from workflows.rebasing import rebase_clock, rebased_due
from workflows.reckoning import Run, consumed, reckon, run_of
from workflows.workdays import DAY

TASK_CLOCK: Mapping[str, str] = {
    "review": "review",
    "decide_return": "return_decision",
    "arbitrate": "arbitration",
    "decide_extension": "extension_decision",
    "triage": "triage",
    "confirm_refusal": "confirm",
    "confirm_receipt": "confirm",
    "report": "report",
    "decide_merge": "merge_decision",
    "decide_hang": "hang_decision",
    "review_plan": "plan_review",
    "call_back": "call_back",
    "judge_review": "judge_review",
}
"""The clock that measures how long a task of this kind takes."""

RESUMES = "finish"
"""The clock of a leg that goes on when its reply is sent back."""


# -- starting -----------------------------------------------------------------------------------


def start_case_clocks(d: Decision) -> None:
    """The citizen's clocks, from the receipt of the request: whatever happens inside, they run until the case is closed."""
    _begin(d, d.calendar, "case", "", d.case.received_at)


def restart_case_clocks(d: Decision) -> None:
    """The same anew, from now on: it is to be done again, or looked into, and the citizen is promised another date."""
    stop_clocks(d, "")
    _begin(d, d.calendar, "case", "", d.now)


def start_leg_clocks(d: Decision, leg: str, instead: str = "") -> None:
    """
    The clocks of a unit, from its dispatch. Who answers for a whole one-thing must be done when the case must; who takes the
    place of the leg `instead` has what that one left, and no less than the policy's floor.
    """
    held = d.case.legs[leg]
    whole = d.case.plan and held.part == "lead"
    left = d.case.clocks.get(clock_key(FINISH, instead)) if instead and d.policy.floor and not whole else None
    _begin(d, d.calendar_of(held.unit), "leg", leg, d.now, FINISH if whole or left is not None else "")
    if left is not None:
        _take_over(d, leg, left)


def _take_over(d: Decision, leg: str, left: Clock) -> None:
    """The clock of a returned leg runs on for who takes its place: its anchor and due, unless the floor reaches farther."""
    calendar, own, awake = d.facts.calendar_named(left.calendar), d.calendar_of(d.case.legs[leg].unit), is_awake(d)
    for template in _templates(d.policy, "leg"):
        if template.kind != FINISH:
            continue
        least = _start(own, replace(template, budget=d.policy.floor), d.case.policy, leg, d.now, awake=awake)
        rest = reckon(calendar, template, run_of(left, template, left.due, awake))
        marks = tuple(mark for mark in rest.marks if mark.at > d.now)
        came = left.course or Course()
        runs_on = ev.ClockStarted(
            kind=FINISH, of=leg, policy=d.case.policy, calendar=left.calendar, budget=left.budget, anchor=left.anchor,
            due=left.due, provisional=left.provisional, start=template.start, marks=marks,
            whole=came.whole, consumed=came.consumed, since=came.since, extended=came.extended,
        )  # fmt: skip
        # whoever counts by other days counts the rest by them: it is that which the floor is held against
        clock = started((runs_on,)).clocks[clock_key(FINISH, leg)]
        if least.due > rebased_due(d, clock):
            d.emit(least)
            continue
        d.emit(runs_on)
        # one that had stopped was not re-based when its calendar was published anew
        rebase_clock(d, d.case.clocks[clock_key(FINISH, leg)])


def start_statutory_clocks(d: Decision, procedure: str, kind: str = "statutory") -> bool:
    """
    转入法定程序: the clocks of the kind `statutory` of the policy `procedure` run from now on, each with the source that this
    policy names; once they are due, those of the kind `follow_up`. False where they run already, or the policy has none.
    """
    begun = False
    for template in _templates(d.facts.policy(procedure), "case"):
        if template.kind == kind and clock_key(kind, procedure) not in d.case.clocks:
            d.emit(_start(d.calendar, template, procedure, procedure, d.now, awake=is_awake(d)))
            begun = True
    return begun


def start_sub_leg_clocks(d: Decision, leg: str, parent: str) -> None:
    """The same for a second-level unit: it must be done `reserve` before the first-level unit must."""
    outer = finish_of(d, parent)
    latest = d.calendar_of(d.case.legs[parent].unit).subtract(outer.due, d.policy.reserve) if outer else None
    calendar = d.calendar_of(d.case.legs[leg].unit)
    templates = _templates(d.policy, "leg")
    if not any(template.kind == "finish" for template in templates):
        templates += [template for template in _templates(d.policy, "case") if template.kind == "finish"]
    for template in templates:
        bound = latest if template.kind == "finish" else None
        d.emit(_start(calendar, template, d.case.policy, leg, d.now, bound, awake=is_awake(d)))


def start_task_clock(
    d: Decision, task: str, kind: str, reason: str = "", limit: str = "", policy: str = ""
) -> None:  # fmt: skip
    """The clock of an officer's task: the one for this very reason where the policy has such a one.

    limit: set for this very task, in place of the policy's. policy: another one than the case's."""
    chosen = _of_task(d.facts.policy(policy) if policy else d.policy, kind, reason)
    if limit:
        bare = ClockTemplate(kind="report", of="task", budget=limit, start="next_day", due="end_of_day")
        chosen = [replace(template, budget=limit) for template in chosen] or [bare]
    for template in chosen:
        d.emit(_start(d.calendar, template, policy or d.case.policy, task, d.now, awake=is_awake(d)))


@lru_cache(maxsize=1024)
def _of_task(policy: Policy, kind: str, reason: str) -> list[ClockTemplate]:
    fitting = [template for template in _templates(policy, "task") if template.kind == TASK_CLOCK[kind]]
    special = [template for template in fitting if template.reason and template.reason == reason]
    return special or [template for template in fitting if not template.reason]


def restart_leg_clock(d: Decision, leg: str, kind: str) -> None:
    """A clock of a leg that waits for something again and again: what came ends it, and it begins anew."""
    for template in _templates(d.policy, "leg"):
        if template.kind == kind:
            stop_clocks(d, leg, kind)
            calendar = d.calendar_of(d.case.legs[leg].unit)
            d.emit(_start(calendar, template, d.case.policy, leg, d.now, awake=is_awake(d)))


def has_task_clock(d: Decision, kind: str) -> bool:
    """Whether the policy says how long a task of this kind may take."""
    return any(template.kind == TASK_CLOCK[kind] for template in _templates(d.policy, "task"))


def _begin(d: Decision, calendar: Calendar, group: str, of: str, start: int, without: str = "") -> None:
    """
    The clocks of a group (case | leg) of the policy, but for those of the kind `without`; `of`: the leg.

    What is decided in one batch starts at one instant, and 次日起算 depends on the day alone: most cases share them.
    """
    policy = d.policy
    if _by_the_day(policy, group):
        start = day_of(start) * DAY - OFFSET
    d.start(_begun(calendar, policy, d.case.policy, group, of, start, without, is_awake(d)))


@lru_cache(maxsize=1024)
def _begun(
    calendar: Calendar, policy: Policy, name: str, group: str, of: str, start: int, without: str, awake: bool
) -> Started:
    """`name`: under which the case knows the policy."""
    templates = [template for template in _templates(policy, group) if template.kind != without]
    return started(_start(calendar, template, name, of, start, awake=awake) for template in templates)


@lru_cache(maxsize=1024)
def _by_the_day(policy: Policy, group: str) -> bool:
    return all(template.start == "next_day" for template in _templates(policy, group))


def _templates(policy: Policy, of: str) -> list[ClockTemplate]:
    return [template for template in policy.clocks if template.of == of]


def _start(
    calendar: Calendar,
    template: ClockTemplate,
    policy: str,
    of: str,
    start: int,
    latest: int | None = None,
    *,
    awake: bool = False,
) -> ev.ClockStarted:
    if template.start == "next_day" and latest is None:
        start = day_of(start) * DAY - OFFSET
    timed = reckon(calendar, template, Run(start, template.budget, latest=latest or 0, awake=awake))
    return ev.ClockStarted(
        kind=template.kind,
        of=of,
        policy=policy,
        calendar=calendar.id,
        budget=template.budget,
        anchor=timed.anchor,
        due=timed.due,
        provisional=timed.provisional,
        start=template.start,
        marks=timed.marks,
    )


# -- stopping and going on ----------------------------------------------------------------------


def stop_clocks(d: Decision, of: str, *kinds: str) -> None:
    """Stop the running clocks of a leg or task (of these kinds only, where any are named)."""
    if not kinds and of in d.case.legs:
        _settle(d, d.case.legs[of])
    clocks = d.case.clocks.values()
    _stop(d, [clock for clock in clocks if clock.running and clock.of == of and (not kinds or clock.kind in kinds)])


def _settle(d: Decision, leg: Leg) -> None:
    """A leg replied or ended: what it paused goes on, and what it asked for, if it ended, nobody need decide."""
    for clock in [clock for clock in d.case.clocks.values() if clock.course is not None]:
        if is_paused(clock) and (clock.of == leg.id or (leg.part == "lead" and not clock.of)):
            go_on(d, clock, "ended")
    if leg.state != "replied":
        lapse(d, leg.id)


def lapse(d: Decision, leg: str) -> None:
    """The extension that this leg asked for, if it is undecided, is no matter any more."""
    for task in [task for task in d.case.tasks.values() if task.kind == "decide_extension" and task.leg == leg]:
        d.emit(ev.ExtensionLapsed(leg=leg, task=task.id))
        stop_clocks(d, task.id)
        for clock in held_by(d, d.case.legs[leg]):
            release(d, clock)


def stop_all_clocks(d: Decision) -> None:
    """The case is over."""
    _stop(d, [clock for clock in d.case.clocks.values() if clock.running])


def resume_clock(d: Decision, of: str, kind: str = RESUMES) -> None:
    """Sent back: the unit's clock goes on as if it had not stopped, overdue at once where its due has passed."""
    clock = d.case.clocks.get(clock_key(kind, of))
    if clock is not None and not clock.running:
        d.emit(ev.ClockResumed(kind=clock.kind, of=clock.of))
        rebase_clock(d, d.case.clocks[clock_key(kind, of)])


def _stop(d: Decision, clocks: Sequence[Clock]) -> None:
    d.stop([_stopped(d, clock) for clock in clocks])


def _stopped(d: Decision, clock: Clock) -> ev.ClockStopped:
    used = consumed(d.facts.calendar_named(clock.calendar), clock, d.now)
    return ev.ClockStopped(kind=clock.kind, of=clock.of, consumed=used, met=is_held(clock) or d.now <= clock.due)


# -- firing -------------------------------------------------------------------------------------


Fire = Callable[[Decision, Clock, Pending], None]


def fire_marks(d: Decision, more: Mapping[str, Fire]) -> None:
    """
    Everything that is due, over all clocks in the order of time. What one mark stops, the next one does not fire.

    `more`: what the marks of other themes bring about.
    """
    while (clock := _earliest(d)) is not None:
        mark = clock.marks[0]
        (FIRE.get(mark.what) or more[mark.what])(d, clock, mark)


def _earliest(d: Decision) -> Clock | None:
    found, before = None, d.now + 1
    for clock in d.case.clocks.values():
        if clock.running and clock.marks and clock.marks[0].at < before:
            found, before = clock, clock.marks[0].at
    return found


def _warn(d: Decision, clock: Clock, mark: Pending) -> None:
    unit, endpoint = holder(d, clock)
    d.emit(ev.ClockWarned(kind=clock.kind, of=clock.of, due=clock.due, unit=unit, endpoint=endpoint))


def _overdue(d: Decision, clock: Clock, mark: Pending) -> None:
    unit, endpoint = holder(d, clock)
    d.emit(ev.ClockOverdue(kind=clock.kind, of=clock.of, due=clock.due, unit=unit, endpoint=endpoint))
    if clock.kind == "statutory":
        start_statutory_clocks(d, clock.of, "follow_up")


def _deem_signed(d: Decision, clock: Clock, mark: Pending) -> None:
    d.emit(ev.LegSigned(leg=clock.of, deemed=True))
    _stop(d, [clock])


def _go_on(d: Decision, clock: Clock, mark: Pending) -> None:
    """What the policy allows a pause to take is used up."""
    go_on(d, clock, "pause_used_up")


FIRE: Mapping[str, Fire] = {
    "warn": _warn,
    "go_on": _go_on,
    "due": _overdue,
    "deem_signed": _deem_signed,
    "escalate": escalate,
}
