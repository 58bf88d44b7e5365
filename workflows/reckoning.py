"""
When a clock is due and what it brings about until then and after: the one place where both are reckoned.

A clock is given a *whole*: the time from its anchor to its first due, and every extension, in its own counting. Pauses
take nothing from it: what was used up before (`consumed`) is taken off the whole, and the rest runs from where the clock
went on (`since`). The whole is never rounded again, so no number of pauses gains or loses a minute of it.

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
from workflows.case import Clock, Course, Pending, Rung
from workflows.policies import ClockTemplate
from workflows.rungs import last_waking, rungs
from workflows.workdays import DAY

_ORDER = {"warn": 0, "due": 1, "deem_signed": 1, "escalate": 2}


class Run(NamedTuple):
    """
    How far a clock has come.

    start: an instant from which its start rule counts. budget and extended: what it was given, as `5wd`. consumed: of its
    own counting, in milliseconds, used up before `since`, the instant at which it last went on; both 0 for a clock that never paused.
    latest: it is never due later than this (a second-level unit within the first-level one); 0 where nothing binds it.
    whole: what it was given in all, in milliseconds, where that is known; 0: by `budget` and `extended`, on this calendar.
    awake: quiet hours do not count, as the case is urgent.
    """

    start: int
    budget: str
    extended: tuple[str, ...] = ()
    consumed: int = 0
    since: int = 0
    latest: int = 0
    whole: int = 0
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
    by_calendar = _given(calendar, template, run)
    anchor, at, provisional, whole = by_calendar.anchor, by_calendar.at, by_calendar.provisional, run.whole
    if run.since and not whole:
        whole = calendar.consumed(anchor, at, budget(run.budget).unit)
    if whole:
        due = calendar.after(run.since or anchor, whole - run.consumed, run.budget, by_the_day(template, run.budget))
        at, provisional = due.at, due.provisional
    if run.latest:
        at = min(at, run.latest)
    return Reckoned(anchor, at, provisional, _marks(calendar, template, run, anchor, at, whole))


def moved(
    calendar: Calendar,
    template: ClockTemplate | None,
    clock: Clock,
    course: Course,
    latest: int = 0,
    awake: bool = False,
    now: int = 0,
) -> Reckoned:
    """
    A clock of a case as its course becomes `course`, with the marks that have not fired; after `now` it warns anew, if given.

    Its ladder stays the one it began with. Where `template`, the one in force, would no longer give what still waits, it was
    edited since: then the rungs keep their distance from the due.
    """  # fmt: skip
    rules = template or _plain(calendar, clock)
    waits = waiting(clock)
    made = reckon(calendar, rules, run_of(replace(clock, course=course), rules, latest, awake))
    before = unfired(reckon(calendar, rules, run_of(clock, rules, clock.due, awake)).marks, waits)
    marks = list(unfired(made.marks, waits))
    if [(m.at, m.what, m.level) for m in before] != [(m.at, m.what, m.level) for m in waits]:
        marks = [mark for mark in marks if mark.what == "warn"]
        marks += [_shifted(calendar, clock, mark, made.due) for mark in waits if mark.what != "warn"]
    if now:
        marks = [mark for mark in marks if mark.what != "warn"]
        marks += [mark for mark in made.marks if mark.what == "warn" and mark.at > now]
    return made._replace(marks=_in_order(marks))


def waiting(clock: Clock) -> tuple[Pending, ...]:
    """All marks of a clock that have not fired, those included that wait for a decision or the end of a pause."""
    if clock.course is None:
        return clock.marks
    marks = [mark for mark in (*clock.marks, *clock.course.waiting) if mark.what != "go_on"]
    return tuple(sorted(marks, key=lambda mark: (mark.at, _ORDER[mark.what], mark.level)))


def _shifted(calendar: Calendar, clock: Clock, mark: Pending, due: int) -> ev.Mark:
    at = mark.at + due - clock.due
    if mark.at >= clock.due:
        distance = calendar.consumed(clock.due, mark.at, budget(clock.budget).unit)
        at = calendar.after(due, distance, clock.budget, False).at
    return replace(announced(mark), at=at)


def announced(mark: Pending) -> ev.Mark:
    """A mark that a case keeps, as an event says it."""
    rung = mark.rung or Rung(0)
    return ev.Mark(
        at=mark.at, what=mark.what, level=mark.level, who=mark.who, step=mark.step,
        turn=rung.turn, role=rung.role, duty=rung.duty, until=rung.until, acknowledge=rung.acknowledge,
    )  # fmt: skip


def _plain(calendar: Calendar, clock: Clock) -> ClockTemplate:
    """What stands for the template of a clock that its policy no longer has."""
    ends = calendar.after(clock.due, 0, clock.budget, True).at == clock.due
    return ClockTemplate(kind="finish", of="case", budget=clock.budget, due="end_of_day" if ends else "exact")


def run_of(clock: Clock, template: ClockTemplate, latest: int = 0, awake: bool = False) -> Run:
    """How far a clock of a case has come. The day before the anchor leads to it where the day of receipt is not counted."""
    start = clock.anchor - DAY if template.start == "next_day" else clock.anchor
    course = clock.course
    if course is None:
        return Run(start, clock.budget, latest=latest, awake=awake)
    return Run(start, clock.budget, course.extended, course.consumed, course.since, latest, course.whole, awake)


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
    return template.due != "exact" or (template.start == "next_day" and budget(limit).unit in ("d", "wd"))


def _given(calendar: Calendar, template: ClockTemplate, run: Run) -> Due:
    """As if the clock had never paused: each extension is counted from the due before."""
    due = calendar.add(run.start, run.budget, template.start, template.due)
    for length in run.extended:
        more = calendar.add(due.at, length, "receipt", _rule(template, length))
        due = replace(due, at=more.at, provisional=due.provisional or more.provisional)
    return due


def longer(calendar: Calendar, template: ClockTemplate | None, clock: Clock, length: str) -> int:
    """How much `length`, counted from its due, adds to the whole of a clock: milliseconds of its own counting."""
    due = calendar.add(clock.due, length, "receipt", _rule(template or _plain(calendar, clock), length)).at
    return calendar.consumed(clock.due, due, budget(clock.budget).unit)


def given(calendar: Calendar, clock: Clock) -> int:
    """The whole of a clock, in milliseconds of its own counting."""
    if clock.course is not None and clock.course.whole:
        return clock.course.whole
    return calendar.consumed(clock.anchor, clock.due, budget(clock.budget).unit)


def _rule(template: ClockTemplate, length: str) -> DueRule:
    return "end_of_day" if by_the_day(template, length) else "exact"


def _marks(
    calendar: Calendar, template: ClockTemplate, run: Run, anchor: int, due: int, whole: int
) -> tuple[ev.Mark, ...]:
    """All that the clock will bring about, in order. A warning that could only come before the start, or late, is none."""
    marks = [ev.Mark(at=due, what="deem_signed" if template.on_due == "deem_signed" else "due")]
    unit = budget(run.budget).unit
    begun = run.since or anchor
    for warning in template.warn:
        if warning.before:
            at = calendar.subtract(due, warning.before)
        elif whole:
            at = calendar.after(begun, whole * warning.percent // 100 - run.consumed, run.budget, False).at
        else:
            at = calendar.percent(anchor, due, warning.percent, unit)
        if warning.quiet and not run.awake:
            at = last_waking(calendar, warning.quiet, at)
        if begun < at < due:
            marks.append(ev.Mark(at=at, what="warn"))
    marks += rungs(calendar, template.ladder, begun, due, run.awake)
    return _in_order(marks)


def _in_order(marks: Iterable[ev.Mark]) -> tuple[ev.Mark, ...]:
    return tuple(sorted(marks, key=lambda mark: (mark.at, _ORDER[mark.what], mark.level)))
