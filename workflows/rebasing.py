"""
Re-basing: clocks that run while the calendar they count by is published anew (the yearly notice, a change in mid-year).

Each is reckoned anew on the calendar in force from what it was given and has used up (workflows/reckoning.py); what it
comes to is an event of its own, which says the due before and after. A mark that has fired stays fired, whatever the new
calendar makes of its time; one that now lies in the past fires at the next deadline pass.

A unit below has to be done `reserve` before the one above: where that one's due moves sooner, by whatever event, the due
below follows (`keep_within`). Later it does not: what a unit was promised to have is extended only by who asks for it.

Nothing else may move with the calendar: which rules and marks a clock was started with is asked of its policy, and believed
only where they give, on the calendar of that day, the very due and marks that the clock has. A policy that was edited since
leaves the clock its own due rule and its own ladder.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, get_args

from msgspec.structs import replace

from workflows import events as ev
from workflows.bounds import FINISH, is_awake, is_held, is_paused, latest_within, template_of
from workflows.calendars import Calendar, DueRule, StartRule, budget
from workflows.case import Clock, Course, clock_key
from workflows.decision import Decision
from workflows.policies import ClockTemplate
from workflows.reckoning import Reckoned, announced, moved, reckon, run_of, waiting

NEW_CALENDAR = "new_calendar"
OUTER_SOONER = "outer_sooner"
"""Why a clock was re-based: its calendar; or the clock within which it runs."""


def rebase(d: Decision) -> None:
    """Every clock of the case that runs, or stands still, and counts by days that are no longer those in force."""
    before = d.case.clocks
    for clock in before.values():
        if clock.running or is_paused(clock):
            outer = _outer(d, clock)
            _rebase(d, clock, before.get(outer), d.case.clocks.get(outer))


def keep_within(d: Decision, before: Mapping[str, Clock]) -> None:
    """The due of another clock has moved since `before`: who works below it is due no later than its unit needs that."""
    for clock in before.values():
        outer = _outer(d, clock)
        if outer and clock.running and 0 < latest_within(d, clock, d.case.clocks.get(outer)) < clock.due:
            _rebase(d, clock, before.get(outer), d.case.clocks.get(outer))


def rebase_clock(d: Decision, clock: Clock) -> None:
    """One that goes on, after a time in which nobody re-based it."""
    outer = d.case.clocks.get(_outer(d, clock))
    _rebase(d, clock, outer, outer)


def rebased_due(d: Decision, clock: Clock) -> int:
    """When the clock, which no other binds, would be due by the days that its unit counts by."""
    old, new = d.facts.calendar_named(clock.calendar), _in_force(d, clock)
    return clock.due if same_days(old, new) else _reckoned(d, clock, old, new, _Bound(0, 0)).due


def _outer(d: Decision, clock: Clock) -> str:
    """The clock within which a second-level unit's runs; empty for all others."""
    leg = d.case.legs.get(clock.of)
    if leg is None or not leg.parent or clock.kind != FINISH:
        return ""
    own = clock_key(FINISH, leg.parent)
    return own if own in d.case.clocks else clock_key(FINISH, "")


class _Bound(NamedTuple):
    """What binds a second-level unit's clock, as it was and as it is: 0 for nothing."""

    was: int
    now: int


def _rebase(d: Decision, clock: Clock, outer_before: Clock | None, outer: Clock | None) -> None:
    old, new = d.facts.calendar_named(clock.calendar), _in_force(d, clock)
    bound = _Bound(latest_within(d, clock, outer_before), latest_within(d, clock, outer))
    if same_days(old, new) and not 0 < bound.now < clock.due:
        return
    if is_paused(clock):
        made, marks, waits = _stands_still(d, clock, old, new, bound.now)
    else:
        made = _reckoned(d, clock, old, new, bound)
        undecided = is_held(clock)
        marks = tuple([mark for mark in made.marks if not undecided or mark.at < made.due])
        waits = made.marks[len(marks) :]
    d.emit(
        ev.ClockRebased(
            kind=clock.kind, of=clock.of, reason=OUTER_SOONER if same_days(old, new) else NEW_CALENDAR, calendar=new.id, calendar_before=clock.calendar,
            before=clock.due, due=made.due, provisional=made.provisional, marks=marks, waiting=waits,
        )
    )  # fmt: skip


def _in_force(d: Decision, clock: Clock) -> Calendar:
    """By which such a clock would be started now: a unit counts by its own calendar where it has one."""
    leg = d.case.legs.get(clock.of)
    return d.calendar_of(leg.unit) if leg else d.calendar


@lru_cache(maxsize=1024)
def same_days(one: Calendar, other: Calendar) -> bool:
    """Whether two versions say the same of every day: they are one, or one only names a source otherwise."""
    return one is other or (one.rules, one.first, one.horizon) == (other.rules, other.first, other.horizon)


# -- what it comes to ---------------------------------------------------------------------------


_Made = tuple[Reckoned, tuple[ev.Mark, ...], tuple[ev.Mark, ...]]
"""What a clock comes to, what it announces, and what waits."""


def _stands_still(d: Decision, clock: Clock, old: Calendar, new: Calendar, latest: int) -> _Made:
    """
    It is due when it goes on, and is reckoned then, but never later than `latest`; till when the policy lets it stand is as
    much of its counting as before.
    """
    course = clock.course
    assert course is not None
    since, unit = max(clock.anchor, course.paused_at), budget(clock.budget).unit
    marks = [
        replace(announced(mark), at=new.after(since, old.consumed(since, mark.at, unit), clock.budget, False).at)
        for mark in clock.marks
    ]
    if 0 < latest < clock.due:
        runs = Course(course.whole, course.consumed, since, course.extended)
        made = moved(new, template_of(d, clock), clock, runs, latest, is_awake(d))
        return made, tuple(marks), made.marks
    made = Reckoned(clock.anchor, clock.due, clock.provisional, ())
    return made, tuple(marks), tuple(map(announced, course.waiting))


def _reckoned(d: Decision, clock: Clock, old: Calendar, new: Calendar, bound: _Bound) -> Reckoned:
    waits, by_due = tuple(map(announced, waiting(clock))), None
    for template, awake in _origins(d, clock):
        was = reckon(old, template, run_of(clock, template, bound.was, awake))
        if was.due == clock.due:
            made = reckon(new, template, run_of(clock, template, bound.now, awake))
            if _still(was.marks, was.marks, waits) == waits:
                return made._replace(marks=_still(made.marks, was.marks, waits))
            by_due = by_due or made
    kept = min(clock.due, bound.now) if bound.now else clock.due
    made = by_due or Reckoned(clock.anchor, kept, clock.provisional, ())
    return made._replace(marks=_moved(waits, made.due - clock.due))


def _still(marks: Sequence[ev.Mark], before: Sequence[ev.Mark], waiting: Sequence[ev.Mark]) -> tuple[ev.Mark, ...]:
    """
    Of marks reckoned anew those that have not fired, by what was announced `before` and what of it is `waiting`.

    Each sort fires in its order: of repetitions those from the first that waits on; of warnings as many are left out as
    were given. Who is overdue already is warned no more.
    """
    gone = Counter(map(_sort, before)) - Counter(map(_sort, waiting))
    turn = {_sort(mark): mark.turn for mark in reversed(waiting)}
    late = gone["due", 0] or gone["deem_signed", 0]
    kept = []
    for mark in marks:
        sort = _sort(mark)
        if mark.turn and sort in turn:
            is_gone = mark.turn < turn[sort]
        else:
            is_gone = gone[sort] > 0
            gone[sort] -= not mark.turn
        if not is_gone and not (late and mark.what == "warn"):
            kept.append(mark)
    return tuple(kept)


def _sort(mark: ev.Mark) -> tuple[str, int]:
    return mark.what, mark.level


def _moved(marks: tuple[ev.Mark, ...], by: int) -> tuple[ev.Mark, ...]:
    """As far from the due as they were: all that can be said of marks whose ladder is no longer known."""
    return tuple([replace(mark, at=mark.at + by) for mark in marks])


def _origins(d: Decision, clock: Clock) -> Iterator[tuple[ClockTemplate, bool]]:
    """From what the clock may have been started, as an urgent case's or not: it may have become one since."""
    urgent = is_awake(d)
    for template in _templates(d, clock):
        yield template, urgent
        yield template, not urgent


def _templates(d: Decision, clock: Clock) -> Iterator[ClockTemplate]:
    """The one of its policy, others of its policy, then any start and due rule there is."""
    mine = template_of(d, clock)
    if mine is not None:
        yield mine
    group = _GROUP[clock.of in d.case.legs, not clock.of]
    fitting = [template for template in d.policy.clocks if template.kind == clock.kind]
    yield from sorted(fitting, key=lambda template: template.of != group)
    for start in get_args(StartRule):
        for due in get_args(DueRule):
            yield _bare(clock.kind, clock.budget, start, due)


_GROUP: Mapping[tuple[bool, bool], str] = {(False, True): "case", (True, False): "leg", (False, False): "task"}


@lru_cache(maxsize=1024)
def _bare(kind: str, budget: str, start: StartRule, due: DueRule) -> ClockTemplate:
    return ClockTemplate(kind=kind, of="case", budget=budget, start=start, due=due)  # type: ignore[arg-type]
