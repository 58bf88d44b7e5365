"""The table-driven calendar gives what walking minute by minute, or day by day, gives."""

from collections.abc import Iterator
from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.workflows.calendar_2026 import CHINA
from workflows.calendars import OFFSET, SECOND, Calendar, day_of
from workflows.ledger import ledger
from workflows.workdays import DAY, HOUR, MINUTE, Hours, Rest, Year

FIRST = date(2026, 1, 1)
MIDNIGHT = day_of(0) * DAY + (FIRST - date(1970, 1, 1)).days * DAY - OFFSET
"""2026-01-01 00:00 of China time."""


@st.composite
def calendars(draw: st.DrawFn) -> tuple[Calendar, dict[date, bool], list[tuple[int, int]]]:
    """A calendar with odd hours and scattered days off and on; what it says of single days; its intervals in minutes."""
    cuts = sorted(draw(st.sets(st.integers(0, 24 * 4), min_size=2, max_size=6)))
    intervals = [(a * 15, b * 15) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    days = draw(st.dictionaries(st.integers(0, 364), st.booleans(), max_size=60))
    said = {FIRST + timedelta(n): worked for n, worked in days.items()}
    year = Year(
        year=2026,
        rest=tuple(Rest(first=day) for day, worked in said.items() if not worked),
        work=tuple(day for day, worked in said.items() if worked),
    )
    hours = Hours(open=tuple(f"{_hm(a)}-{_hm(b)}" for a, b in intervals))
    return Calendar.build("made-up", hours=[hours], years=[year]), said, intervals


def _hm(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _works(day: date, said: dict[date, bool]) -> bool:
    return said.get(day, day.isoweekday() < 6)


def _open_minutes(start: int, said: dict[date, bool], intervals: list[tuple[int, int]]) -> Iterator[int]:
    """The ends of all open minutes after `start` (a whole minute), one by one."""
    at = start
    while True:
        day, minute = divmod((at - MIDNIGHT) // MINUTE, 24 * 60)
        if _works(FIRST + timedelta(day), said) and any(a <= minute < b for a, b in intervals):
            yield at + MINUTE
        at += MINUTE


moments = st.integers(0, 200 * 24 * 60).map(lambda n: MIDNIGHT + n * MINUTE)


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, st.integers(1, 20))
def test_working_hours_are_counted_minute_by_minute(
    made: tuple[Calendar, dict[date, bool], list[tuple[int, int]]], start: int, hours: int
) -> None:
    calendar, said, intervals = made
    assume(sum(b - a for a, b in intervals) >= 120)
    minutes = _open_minutes(start, said, intervals)
    naive = [next(minutes) for _ in range(hours * 60)][-1]
    assert calendar.add(start, f"{hours}wh").at == naive
    assert calendar.consumed(start, naive, "wh") == hours * HOUR
    assert calendar.consumed(start, calendar.subtract(naive, f"{hours}wh"), "wh") <= 0
    assert calendar.percent(start, naive, 50, "wh") <= naive


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, st.integers(1, 3))
def test_an_exact_working_day_is_a_days_worth_of_open_minutes(
    made: tuple[Calendar, dict[date, bool], list[tuple[int, int]]], start: int, days: int
) -> None:
    """Where all days have the same hours."""
    calendar, said, intervals = made
    assume(sum(b - a for a, b in intervals) >= 30)
    minutes = _open_minutes(start, said, intervals)
    naive = [next(minutes) for _ in range(days * sum(b - a for a, b in intervals))][-1]
    assert calendar.add(start, f"{days}wd").at == naive


@settings(max_examples=200, deadline=None)
@given(calendars(), moments, st.integers(1, 40))
def test_counted_from_the_next_day_the_nth_working_day_is_the_last(
    made: tuple[Calendar, dict[date, bool], list[tuple[int, int]]], start: int, days: int
) -> None:
    """次日起算, day by day; due when the office closes that day."""
    calendar, said, intervals = made
    day, left = FIRST + timedelta((start - MIDNIGHT) // DAY), days
    while left:
        day += timedelta(1)
        left -= _works(day, said)
    due = calendar.add(start, f"{days}wd", "next_day", "end_of_day")
    closes = min(intervals[-1][1] * MINUTE, DAY - SECOND)  # who closes at midnight closes on that day
    assert due.at == MIDNIGHT + (day - FIRST).days * DAY + closes
    assert calendar.subtract(due.at, f"{days}wd") < calendar.add(due.anchor, "1wd").at
    assert due.provisional == (day > date(2026, 12, 31))


units = st.sampled_from(["m", "h", "d", "wh", "wd"])
rules = st.sampled_from(["receipt", "next_working_instant", "next_day"])
dues = st.sampled_from(["exact", "end_of_day"])
anytime = st.integers(-(10**14), 2 * 10**14) | st.integers(MIDNIGHT - 700 * DAY, MIDNIGHT + 4_000 * DAY)


@settings(max_examples=100, deadline=None)
@given(anytime, st.integers(1, 60), units, rules, dues)
def test_no_instant_is_too_far(start: int, count: int, unit: str, rule: str, end: str) -> None:
    """Before the published years, beyond the horizon, in the year 8000: a due that does not lie before its start."""
    due = CHINA.add(start, f"{count}{unit}", rule, end)  # type: ignore[arg-type]
    assert due.at >= start
    assert due.anchor >= start
    later = CHINA.add(start, f"{count + 1}{unit}", rule, end)  # type: ignore[arg-type]
    assert later.at >= due.at


@settings(max_examples=200, deadline=None)
@given(moments, st.integers(0, 300 * DAY), st.integers(1, 20), units)
def test_a_later_start_is_never_due_earlier(start: int, wait: int, count: int, unit: str) -> None:
    assert CHINA.add(start, f"{count}{unit}").at <= CHINA.add(start + wait, f"{count}{unit}").at


@settings(max_examples=100, deadline=None)
@given(moments, st.integers(1, 15), st.integers(0, 100), units)
def test_percent_lies_between_start_and_due_and_uses_up_its_share(
    start: int, count: int, percent: int, unit: str
) -> None:
    due = CHINA.add(start, f"{count}{unit}")
    at = CHINA.percent(due.anchor, due.at, percent, unit)  # type: ignore[arg-type]
    assert due.anchor <= at <= due.at
    whole, part = (CHINA.consumed(due.anchor, end, unit) for end in (due.at, at))  # type: ignore[arg-type]
    assert part == whole * percent // 100


@settings(max_examples=150, deadline=None)
@given(moments, st.integers(1, 40), units, rules)
def test_a_ledger_adds_up_to_its_limit(start: int, count: int, unit: str, rule: str) -> None:
    """Every day is in it once, and what counted makes the limit, to the second that natural days end before midnight."""
    due = CHINA.add(start, f"{count}{unit}", rule)  # type: ignore[arg-type]
    rows = ledger(CHINA, [], unit, [(due.anchor, due.at)], start)  # type: ignore[arg-type]
    assert [row.day for row in rows] == list(range(day_of(start), day_of(due.at - 1) + 1))
    assert abs(float(rows[-1].total) - count) < 0.0001
    assert all(row.counted >= 0 for row in rows) and sum(row.counted for row in rows) == rows[-1].total
