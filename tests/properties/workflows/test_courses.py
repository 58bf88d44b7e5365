"""
Whatever is paused, let go on and extended, in whatever order: the due is the one at which all minutes that the clock was given
have run, counted one by one, and when it stops it has used up exactly those that it ran.
"""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.workflows.calendar_2026 import OFF, WORK, day, ms, show
from tests.unit.workflows.small_world import Told, told
from workflows import commands as cmd
from workflows import events as ev

FIRST = date(2026, 9, 18)
ORIGIN = ms("2026-09-18 00:00")
MINUTE, WHOLE_DAY = 60_000, 24 * 60
HOURS = ((9 * 60, 12 * 60), (13 * 60 + 30, 17 * 60))
ALLOWED = 5 * 390
"""Minutes that the pauses for one reason may take, of working days of 390."""


def _works(on: date) -> bool:
    if on in {day(text) for text in WORK}:
        return True
    return on.isoweekday() < 6 and not any(day(first) <= on <= day(last) for first, last in OFF)


DAYS = [_works(FIRST + timedelta(n)) for n in range(220)]
OPEN = [worked and any(a <= m < b for a, b in HOURS) for worked in DAYS for m in range(WHOLE_DAY)]
"""Whether somebody works in each minute from ORIGIN on."""


def _at(instant: int) -> int:
    return (instant - ORIGIN) // MINUTE


def _closing(minute: int) -> int:
    """The end of the working day that this instant, the end of an open minute, belongs to."""
    return (minute - 1) // WHOLE_DAY * WHOLE_DAY + HOURS[-1][1]


class Counted:
    """A clock of `days` working days, the day of receipt not counted, as somebody with a tally would keep it."""

    def __init__(self, days: int) -> None:
        self.stood: list[tuple[int, int]] = []
        self.since = -1
        self.anchor = WHOLE_DAY
        self.due = self._days_after(self.anchor, days)
        self.given = sum(OPEN[self.anchor : self.due])

    @staticmethod
    def _days_after(minute: int, days: int) -> int:
        at = minute // WHOLE_DAY if minute % WHOLE_DAY == 0 else minute // WHOLE_DAY + 1
        while days:
            days -= DAYS[at]
            at += 1
        return (at - 1) * WHOLE_DAY + HOURS[-1][1]

    def ran(self, until: int) -> int:
        """Minutes that it has run."""
        spans = [*self.stood, (self.since, until)] if self.since >= 0 else self.stood
        still = {minute for a, b in spans for minute in range(a, min(b, until))}
        return sum(OPEN[m] and m not in still for m in range(self.anchor, until))

    def paused(self, at: int) -> None:
        self.since = max(at, self.anchor)

    def ends(self, at: int) -> int:
        """When a pause that goes on at `at`, at the latest, is over: no more than is allowed in all."""
        left = ALLOWED - sum(OPEN[m] for a, b in self.stood for m in range(a, b))
        for minute in range(self.since, at):
            if left == 0:
                return minute
            left -= OPEN[minute]
        return max(at, self.since)

    def goes_on(self, at: int) -> None:
        self.stood.append((self.since, self.ends(at)))
        self.since = -1
        left, minute = self.given - self.ran(self.stood[-1][1]), self.stood[-1][1]
        while left:
            left -= OPEN[minute]
            minute += 1
        self.due = _closing(minute)

    def extended(self, days: int) -> None:
        before = self.due
        self.due = self._days_after(before, days)
        self.given += sum(OPEN[before : self.due])


GAPS = st.integers(0, 3 * WHOLE_DAY) | st.integers(8 * WHOLE_DAY, 12 * WHOLE_DAY)
KINDS = st.sampled_from(["pause", "go_on", "extend", "wait", "supplement"])
EARLY = st.tuples(st.sampled_from(["pause", "extend"]), st.integers(0, 2 * WHOLE_DAY), st.integers(1, 4), st.booleans())
STEPS = st.lists(st.tuples(KINDS, GAPS, st.integers(1, 4), st.booleans()), max_size=8)
"""What is done, how many minutes later, how many days are asked for, and whether the engine looks meanwhile."""


@settings(max_examples=60, deadline=None)
@given(EARLY, STEPS)
def test_no_minute_is_lost_or_won(early: tuple[str, int, int, bool], steps: list[tuple[str, int, int, bool]]) -> None:
    t = told(ORIGIN + 9 * 60 * MINUTE).submit("timed")
    counted = Counted(4)
    for what, gap, days, late in (early, *steps):
        if late:  # the engine does not look meanwhile
            t.now += gap * MINUTE
        else:
            t.wait_until(show(t.now + gap * MINUTE))
        _took_what_is_allowed(t, counted)
        _do(t, counted, what, days)
        assert _at(t.held.clocks["finish/1"].due) == counted.due
    now = _at(t.now)
    if counted.since >= 0:
        counted.goes_on(now)
    t.reply("handle", "reply", unit="370102.urban", result="solved", text="x")
    (stopped,) = [
        e for e in t.records[-1].events if isinstance(e, ev.ClockStopped) and (e.kind, e.of) == ("finish", "1")
    ]
    assert stopped.consumed == counted.ran(max(now, counted.anchor)) * MINUTE
    assert _at(t.held.clocks["finish/1"].due) == counted.due


def _took_what_is_allowed(t: Told, counted: Counted) -> None:
    """The clock may have gone on by itself since."""
    course = t.held.clocks["finish/1"].course
    if counted.since >= 0 and course is not None and not course.pause:
        counted.goes_on(_at(t.now))


def _do(t: Told, counted: Counted, what: str, days: int) -> None:
    if what == "supplement":
        t.follow_up(cmd.Supplement, text="x")
    elif what == "extend":
        t.reply("handle", "ask_extension", unit="370102.urban", limit=f"{days}wd", reason="x")
        if "CommandRefused" not in t.happened:
            t.reply("decide_extension", "grant_extension")
            counted.extended(days)
    elif what in ("pause", "go_on"):
        t.reply("handle", what, unit="370102.urban", reason="appraisal")  # type: ignore[arg-type]
        if "CommandRefused" not in t.happened:
            counted.paused(_at(t.now)) if what == "pause" else counted.goes_on(_at(t.now))
