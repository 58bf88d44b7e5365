"""
When a clock is due and what it brings about until then and after: the one place where both are reckoned.

A clock is given a *whole*: its budget from the anchor on, with every extension laid to its end. Pauses take nothing from
it: what was used up before (`consumed`) is taken off the whole, and the rest runs from where the clock went on (`since`),
in the clock's own counting. The whole is never rounded again, so no number of pauses gains or loses a minute of it.

A start, the end of a pause, an extension and a new calendar all ask `reckon`. Where a clock runs already, a mark that
has fired stays fired: `unfired` keeps of the new marks those that still waited.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from workflows import events as ev
from workflows.calendars import Calendar, Due, DueRule, budget
from workflows.case import Clock, Pending
from workflows.policies import ClockTemplate
from workflows.rungs import last_waking, rungs
from workflows.workdays import DAY

_ORDER = {"warn": 0, "due": 1, "deem_signed": 1, "escalate": 2}


class Run(NamedTuple):
    """
    How far a clock has come.

    start: an instant from which its start rule counts. budget and extended: what it was given, as `5wd`. consumed: of its
    own counting, in milliseconds, used up before `since`, the instant at which it last went on; both 0 for a clock that never paused.
    latest: it is never due later than this (a second-level unit within the first-level one); 0 where nothing binds it. awake: quiet hours do not count, as the case is urgent.
    """

    start: int
    budget: str
    extended: tuple[str, ...] = ()
    consumed: int = 0
    since: int = 0
    latest: int = 0
    awake: bool = False


class Reckoned(NamedTuple):
    """All instants of a clock."""

    anchor: int
    due: int
    provisional: bool
    marks: tuple[ev.Mark, ...]


@lru_cache(maxsize=4096)
def reckon(calendar: Calendar, template: ClockTemplate, run: Run) -> Reckoned:
    """The due of a clock that runs, and every mark it would bring about, those that are past included."""
    whole = _whole(calendar, template, run)
    at, provisional, allowed = whole.at, whole.provisional, 0
    if run.since:
        allowed = calendar.consumed(whole.anchor, whole.at, budget(run.budget).unit)
        due = calendar.after(run.since, allowed - run.consumed, run.budget, by_the_day(template, run.budget))
        at, provisional = due.at, provisional or due.provisional
    if run.latest:
        at = min(at, run.latest)
    return Reckoned(whole.anchor, at, provisional, _marks(calendar, template, run, whole.anchor, at, allowed))


def run_of(clock: Clock, template: ClockTemplate, latest: int = 0, awake: bool = False) -> Run:
    """How far a clock of a case has come. The day before the anchor leads to it where the day of receipt is not counted."""
    start = clock.anchor - DAY if template.start == "next_day" else clock.anchor
    course = clock.course
    if course is None:
        return Run(start, clock.budget, latest=latest, awake=awake)
    return Run(start, clock.budget, course.extended, course.consumed, course.since, latest, awake)


def consumed(calendar: Calendar, clock: Clock, now: int) -> int:
    """Milliseconds of the clock's own counting that it has run until `now`, pauses left out."""
    course = clock.course
    if course is None:
        return max(0, calendar.consumed(clock.anchor, now, budget(clock.budget).unit))
    if course.pause:
        return course.consumed
    since = course.since or clock.anchor
    return course.consumed + max(0, calendar.consumed(since, now, budget(clock.budget).unit))


def unfired(marks: Sequence[ev.Mark], waiting: Iterable[Pending]) -> tuple[ev.Mark, ...]:
    """Of marks reckoned anew those that have not fired: of each sort the last ones, as many as still wait."""
    left = Counter((mark.what, mark.level) for mark in waiting)
    kept: list[ev.Mark] = []
    for mark in reversed(marks):
        sort = mark.what, mark.level
        if left[sort]:
            left[sort] -= 1
            kept.append(mark)
    return tuple(reversed(kept))


def by_the_day(template: ClockTemplate, limit: str) -> bool:
    """Whether it is due at the end of a day and not at an instant within."""
    return template.due == "end_of_day" or (template.start == "next_day" and budget(limit).unit in ("d", "wd"))


def _whole(calendar: Calendar, template: ClockTemplate, run: Run) -> Due:
    """As if the clock had never paused: each extension is counted from the due before."""
    due = calendar.add(run.start, run.budget, template.start, template.due)
    for length in run.extended:
        rule: DueRule = "end_of_day" if by_the_day(template, length) else "exact"
        more = calendar.add(due.at, length, "receipt", rule)
        due = replace(due, at=more.at, provisional=due.provisional or more.provisional)
    return due


def _marks(
    calendar: Calendar, template: ClockTemplate, run: Run, anchor: int, due: int, allowed: int
) -> tuple[ev.Mark, ...]:
    """All that the clock will bring about, in order. A warning that could only come before the start, or late, is none."""
    marks = [ev.Mark(at=due, what="deem_signed" if template.on_due == "deem_signed" else "due")]
    unit = budget(run.budget).unit
    begun = run.since or anchor
    for warning in template.warn:
        if warning.before:
            at = calendar.subtract(due, warning.before)
        elif run.since:
            at = calendar.after(begun, allowed * warning.percent // 100 - run.consumed, run.budget, False).at
        else:
            at = calendar.percent(anchor, due, warning.percent, unit)
        if warning.quiet and not run.awake:
            at = last_waking(calendar, warning.quiet, at)
        if begun < at < due:
            marks.append(ev.Mark(at=at, what="warn"))
    marks += rungs(calendar, template.ladder, begun, due, run.awake)
    marks.sort(key=lambda mark: (mark.at, _ORDER[mark.what], mark.level))
    return tuple(marks)
