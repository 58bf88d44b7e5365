"""
How a clock's due moves: it pauses and goes on, is held while an extension is undecided, and is extended.

Nothing else moves a due date but a new calendar and what binds it from outside (workflows/rebasing.py). Each of these is an event with the due before and after, why, and every
mark to come (workflows/events/courses.py); what they come to is reckoned in workflows/reckoning.py.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from workflows import events as ev
from workflows.bounds import FINISH, finish_of, is_awake, is_held, latest_within, template_of
from workflows.calendars import budget
from workflows.case import Clock, Course, Leg, clock_key
from workflows.decision import Decision
from workflows.rebasing import keep_within
from workflows.reckoning import Reckoned, announced, consumed, given, longer, moved, waiting


def moved_with(d: Decision, leg: Leg, moves: Sequence[str]) -> list[Clock]:
    """The clocks that move with a leg, as its policy says: its own, and with the lead the citizen's."""
    clocks = d.case.clocks
    own, citizens = clocks.get(clock_key(FINISH, leg.id)), clocks.get(clock_key(FINISH, ""))
    whole = leg.part == "lead" and (own is None or "case" in moves)
    return [clock for clock in (own, citizens if whole else None) if clock is not None]


def held_by(d: Decision, leg: Leg) -> list[Clock]:
    """The clocks that are not late until the extension that this leg asked for is decided."""
    return [clock for clock in moved_with(d, leg, ("leg", "case")) if is_held(clock)]


def pause(d: Decision, clock: Clock, reason: str, allowed: int) -> None:
    """It stands still, for `allowed` milliseconds of its own counting at the most: from now on, or from when it begins to count."""
    calendar = d.facts.calendar_named(clock.calendar)
    until = calendar.after(max(d.now, clock.anchor), allowed, clock.budget, False).at
    d.emit(
        ev.ClockPaused(
            kind=clock.kind,
            of=clock.of,
            reason=reason,
            whole=given(calendar, clock),
            consumed=consumed(calendar, clock, d.now),
            marks=(ev.Mark(at=until, what="go_on"),),
        )
    )


def go_on(d: Decision, clock: Clock, why: str) -> None:
    """A pause is over: now, or when what the policy allows was used up, if nobody came to look until now."""
    course = clock.course
    assert course is not None
    before, calendar = d.case.clocks, d.facts.calendar_named(clock.calendar)
    since = max(clock.anchor, min(d.now, clock.marks[0].at))
    runs = Course(course.whole, course.consumed, since, course.extended)
    made = moved(calendar, template_of(d, clock), clock, runs, latest_of(d, clock), is_awake(d))
    took = calendar.consumed(max(clock.anchor, course.paused_at), since, budget(clock.budget).unit)
    d.emit(
        ev.ClockWentOn(
            kind=clock.kind, of=clock.of, since=since, took=took, before=clock.due, due=made.due, why=why,
            reason=course.pause, provisional=made.provisional, marks=made.marks,
        )
    )  # fmt: skip
    # sooner than before, where a new calendar came while it stood still
    keep_within(d, before)


def hold(d: Decision, clock: Clock) -> None:
    """An extension was asked: until it is decided the due waits, and all that follows it."""
    early = tuple(announced(mark) for mark in clock.marks if mark.at < clock.due)
    d.emit(ev.ClockHeld(kind=clock.kind, of=clock.of, marks=early))


def release(d: Decision, clock: Clock) -> None:
    """There will be no extension: what waited comes due."""
    d.emit(ev.ClockReleased(kind=clock.kind, of=clock.of, marks=tuple(map(announced, waiting(clock)))))


def extend(d: Decision, clock: Clock, by: str, why: str) -> None:
    """`by` is laid to the end of the clock; it warns anew."""
    made, whole = longer_by(d, clock, by)
    d.emit(
        ev.ClockExtended(
            kind=clock.kind, of=clock.of, by=by, whole=whole, before=clock.due, due=made.due, why=why,
            provisional=made.provisional, marks=made.marks,
        )
    )  # fmt: skip


def longer_by(d: Decision, clock: Clock, by: str) -> tuple[Reckoned, int]:
    """The clock with `by` laid to its end, and what it is then given in all. No more than what binds it from outside allows."""
    course = clock.course or Course()
    calendar, template, latest = d.facts.calendar_named(clock.calendar), template_of(d, clock), latest_of(d, clock)
    whole = given(calendar, clock) + longer(calendar, template, clock, by)
    runs = replace(course, whole=whole, extended=(*course.extended, by), held=False, waiting=())
    made = moved(calendar, template, clock, runs, latest, is_awake(d), d.now)
    if latest and made.due == latest:
        since = course.since or clock.anchor
        whole = course.consumed + calendar.consumed(since, made.due, budget(clock.budget).unit)
    return made, whole


def latest_of(d: Decision, clock: Clock) -> int:
    """Who works for another unit, or beside the lead, is never due later than that one needs it; 0: nothing binds the clock."""
    leg = d.case.legs.get(clock.of)
    if leg is None or leg.part == "lead" or clock.kind != FINISH:
        return 0
    outer = finish_of(d, leg.parent)
    if outer is None or outer is clock:
        return 0
    if not leg.parent:
        return max(clock.due, outer.due)
    return max(clock.due, latest_within(d, clock, outer))
