"""
The working calendar: from an instant and a budget such as `5wd` to the instant it is due.

Everything is integer milliseconds since 1970-01-01T00:00Z; days are those of China time, a
fixed +08:00. Which days are worked is data (the State Council's yearly notice with its
worked weekends 调休, then layers of province, city and department), published up to a
`horizon`; what touches a day outside of it counts weekends only and is `provisional`.

How limits are counted (民法典 arts. 201, 203):
- 次日起算 (`next_day`): the day of receipt is not counted, the n-th day after it is the last.
- The last day ends when the office closes for working units (`wd`, `wh`), at 23:59:59 for natural ones.
- `exact` working days keep the place in the working day: Friday 10:00 + 1wd = next working day 10:00.
  From a moment when nobody works (night, rest day) the first working day is the next one, whole.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate
from typing import Literal

from msgspec import Struct

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
OFFSET = 8 * HOUR
"""China time, all year; no summer time since 1991."""

Unit = Literal["m", "h", "d", "wh", "wd"]
StartRule = Literal["receipt", "next_working_instant", "next_day"]
DueRule = Literal["exact", "end_of_day"]
Intervals = tuple[tuple[int, int], ...]
"""Open intervals of one day: (from, until) in milliseconds since midnight, in order; empty on a day off."""

_LENGTH: dict[Unit, int] = {"m": MINUTE, "h": HOUR, "wh": HOUR, "d": DAY, "wd": DAY}
_EPOCH = date(1970, 1, 1).toordinal()
_GREGORIAN = 146_097
"""Days in 400 years: month, day and weekday repeat, so no instant is too far for `date`."""
_BEFORE, _AFTER = 400, 5 * 366
"""Days that the tables reach beyond the published ones; farther away a table is made on the spot."""


# -- what people edit: one layer per file of catalog/calendars/ -----------------------------------


class Rest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days off from `first` to `last`, both included (`last` left out: one day)."""

    first: date
    last: date | None = None
    name: str = ""


class Year(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One year's notice: days off beside the weekends, and the weekend days that are worked (调休)."""

    year: int
    source: str = ""
    rest: tuple[Rest, ...] = ()
    work: tuple[date, ...] = ()


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Office hours, as `09:00-12:00`; with `since` and `until` (`06-01`, `09-30`, both included) of a season only."""

    open: tuple[str, ...]
    since: str = "01-01"
    until: str = "12-31"


class Layer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One layer: national → province → city → department, each laid over its `parent`.

    A later layer's days win over an earlier one's; its hours and weekend replace the earlier ones when given;
    the earliest horizon counts. `place`: the division for which it holds (empty: everywhere). weekend: ISO weekdays.
    """

    id: str
    name: str = ""
    parent: str = ""
    place: str = ""
    source: str = ""
    grade: Literal["A", "B", "C", "mem", ""] = ""
    weekend: tuple[int, ...] | None = None
    horizon: date | None = None
    hours: tuple[Hours, ...] = ()
    years: tuple[Year, ...] = ()


# -- budgets ----------------------------------------------------------------------------------------


class Budget(Struct, frozen=True):
    """`5wd`: how many of which unit. m minutes, h hours, wh working hours, d natural days, wd working days."""

    count: int
    unit: Unit

    @property
    def working(self) -> bool:
        """Whether it is counted in open time."""
        return self.unit in ("wh", "wd")


@lru_cache(maxsize=4096)
def budget(text: str) -> Budget:
    """Read `5wd`; ValueError on anything else, so that a policy's fault is found when it is loaded."""
    digits = text.rstrip("mhdw")
    unit = text[len(digits) :]
    if not (digits.isascii() and digits.isdigit()) or unit not in _LENGTH:
        raise ValueError(f"not a time limit (such as 30m, 24h, 2wh, 3d, 5wd): {text!r}")
    return Budget(int(digits), unit)


class Due(Struct, frozen=True):
    """When it is due, whether that may still move (beyond the horizon), and the instant the counting began."""

    at: int
    provisional: bool
    anchor: int


# -- the calendar ---------------------------------------------------------------------------------


def day_of(at: int) -> int:
    """The day of China time, counted from 1970-01-01."""
    return (at + OFFSET) // DAY


def date_of(at: int) -> date:
    """The date of China time."""
    return date.fromordinal(_EPOCH + day_of(at))


class Rules(Struct, frozen=True):
    """Which hours a day has, for any day: what the tables are made from. Days are counted from 1970-01-01."""

    weekend: frozenset[int]
    off: frozenset[int]
    work: frozenset[int]
    seasons: tuple[tuple[tuple[int, int], tuple[int, int], Intervals], ...]
    """(month, day) from and until, and the hours then; the last that fits holds"""

    def of(self, day: int) -> Intervals:
        """The open intervals of a day."""
        when = date.fromordinal(_EPOCH + day % _GREGORIAN)
        rest = day in self.off or (when.isoweekday() in self.weekend and day not in self.work)
        return () if rest else self._hours((when.month, when.day))

    def _hours(self, when: tuple[int, int]) -> Intervals:
        fits = (i for since, until, i in reversed(self.seasons) if _within(since, when, until))
        return next(fits, ())


class Calendar(Struct, frozen=True, eq=False):
    """
    A calendar version with day tables made ready: a due date is a table look-up (a few µs).
    It is equal to itself only, so that it can cheaply be part of a key.

    `first` and `horizon` are the published days, `start` is the first day of the tables. Made by `build` or `merge`.
    """

    id: str
    first: int
    horizon: int
    rules: Rules
    start: int
    hours: tuple[Intervals, ...]
    opened: tuple[int, ...]
    """open milliseconds before each day, and in all"""
    before: tuple[int, ...]
    """working days before each day, and in all"""
    worked: tuple[int, ...]
    """the working days, as index into the tables"""

    @staticmethod
    def build(
        name: str,
        *,
        hours: Sequence[Hours],
        years: Sequence[Year] = (),
        horizon: date | None = None,
        weekend: Sequence[int] | None = None,
    ) -> "Calendar":
        """A calendar of one layer; ValueError where its data are wrong or nobody ever works."""
        rest = None if weekend is None else tuple(weekend)
        return Calendar.merge(
            name, [Layer(id=name, hours=tuple(hours), years=tuple(years), horizon=horizon, weekend=rest)]
        )

    @staticmethod
    def merge(name: str, layers: Sequence[Layer]) -> "Calendar":
        """The calendar in force where these layers hold, from the most general to the most special one."""
        rules = _rules(layers)
        first, horizon = _published(layers)
        if not any(map(rules.of, range(horizon + 1, horizon + 367))):
            raise ValueError(f"calendar {name}: beyond its horizon nobody ever works")
        return _tabled(name, first, horizon, rules, first - _BEFORE, horizon + _AFTER)

    def add(self, start: int, limit: str, start_rule: StartRule = "receipt", due_rule: DueRule = "exact") -> Due:
        """When `limit`, counted from `start`, has run out."""
        parsed = budget(limit)
        try:
            anchor = self._anchor(start, start_rule)
            whole_days = start_rule == "next_day" and parsed.unit in ("d", "wd")
            at = self._later(anchor, parsed, whole_days or due_rule == "end_of_day")
        except IndexError:
            return self._around(start).add(start, limit, start_rule, due_rule)
        by_calendar = parsed.working or start_rule == "next_working_instant"
        return Due(at, by_calendar and not (self._known(anchor) and self._known(at)), anchor)

    def subtract(self, at: int, limit: str) -> int:
        """The instant `limit` before `at`: 1wd before the close of a working day is the close of the one before."""
        parsed = budget(limit)
        if not parsed.working:
            return at - parsed.count * _LENGTH[parsed.unit]
        try:
            return self._days_on(at, -parsed.count) if parsed.unit == "wd" else self._open_on(at, -parsed.count * HOUR)
        except IndexError:
            return self._around(at).subtract(at, limit)

    def consumed(self, since: int, until: int, unit: Unit) -> int:
        """Milliseconds of the unit's own counting: open time for working units, natural time for the others."""
        if unit not in ("wh", "wd"):
            return until - since
        try:
            return self._open_before(until) - self._open_before(since)
        except IndexError:
            return self._around(since, until).consumed(since, until, unit)

    def percent(self, anchor: int, due: int, percent: int, unit: Unit) -> int:
        """The instant at which `percent` of the time from `anchor` to `due` is used up, in the unit's own counting."""
        part = self.consumed(anchor, due, unit) * percent // 100
        if unit not in ("wh", "wd"):
            return anchor + part
        try:
            return self._open_on(anchor, part)
        except IndexError:
            return self._around(anchor, due).percent(anchor, due, percent, unit)

    # -- inside: tables; an IndexError means that the tables do not reach -------------------------

    def _anchor(self, start: int, rule: StartRule) -> int:
        if rule == "next_day":
            return (day_of(start) + 1) * DAY - OFFSET
        return self._next_open(start) if rule == "next_working_instant" else start

    def _later(self, anchor: int, limit: Budget, whole_day: bool) -> int:
        if limit.unit == "wd":
            at = self._days_on(anchor, limit.count) if limit.count else anchor
        elif limit.unit == "wh":
            at = self._open_on(anchor, limit.count * HOUR)
        else:
            at = anchor + limit.count * _LENGTH[limit.unit]
        return self._end_of_day(at, limit) if whole_day else at

    def _end_of_day(self, at: int, limit: Budget) -> int:
        """The end of the day that `at` belongs to; an exact midnight belongs to the day it ends."""
        day = day_of(at - 1)
        if limit.working and (hours := self._hours(day)):
            return max(at, day * DAY - OFFSET + hours[-1][1])
        return (day + 1) * DAY - OFFSET - SECOND

    def _days_on(self, at: int, count: int) -> int:
        """`count` working days on (or back), at the same part of the working day."""
        index = self._index(at)
        passed, whole = self._passed(index, at), self._whole(index)
        place = self.before[index] + count
        if passed == 0 or passed == whole:  # between two working days: the end of the last one counted
            day = self._worked(place - 1 if passed == 0 else place)
            return (self.start + day) * DAY - OFFSET + self.hours[day][-1][1]
        day = self._worked(place)
        return self._instant(day, passed * self._whole(day) // whole)

    def _open_on(self, at: int, time: int) -> int:
        """The first instant at which `time` more open milliseconds have passed."""
        total = self._open_before(at) + time
        if time == 0:
            return at
        index = bisect_left(self.opened, total) - 1
        if index < 0:
            raise IndexError
        return self._instant(index, total - self.opened[index])

    def _next_open(self, at: int) -> int:
        index = self._index(at)
        time = (at + OFFSET) % DAY
        for since, until in self.hours[index]:
            if time < until:
                return at + max(0, since - time)
        day = self._worked(self.before[index + 1])
        return (self.start + day) * DAY - OFFSET + self.hours[day][0][0]

    def _open_before(self, at: int) -> int:
        index = self._index(at)
        return self.opened[index] + self._passed(index, at)

    def _passed(self, index: int, at: int) -> int:
        """Open milliseconds of that day before `at`."""
        time, passed = (at + OFFSET) % DAY, 0
        for since, until in self.hours[index]:
            if time <= since:
                break
            passed += min(time, until) - since
        return passed

    def _whole(self, index: int) -> int:
        """Open milliseconds of that day."""
        return self.opened[index + 1] - self.opened[index]

    def _instant(self, index: int, passed: int) -> int:
        """The first instant of that day at which `passed` open milliseconds are over."""
        midnight = (self.start + index) * DAY - OFFSET
        for since, until in self.hours[index]:
            if passed <= until - since:
                return midnight + since + passed
            passed -= until - since
        raise IndexError

    def _index(self, at: int) -> int:
        index = (at + OFFSET) // DAY - self.start
        if not 0 <= index < len(self.hours):
            raise IndexError
        return index

    def _hours(self, day: int) -> Intervals:
        index = day - self.start
        return self.hours[index] if 0 <= index < len(self.hours) else self.rules.of(day)

    def _worked(self, place: int) -> int:
        if place < 0:
            raise IndexError
        return self.worked[place]

    def _known(self, at: int) -> bool:
        return self.first <= day_of(at) <= self.horizon

    def _around(self, *instants: int) -> "Calendar":
        """The same calendar with tables that reach farther, around these instants."""
        reach = len(self.hours)
        days = [day_of(at) for at in instants]
        return _tabled(self.id, self.first, self.horizon, self.rules, min(days) - reach, max(days) + reach)


def _tabled(name: str, first: int, horizon: int, rules: Rules, start: int, end: int) -> Calendar:
    hours = tuple(map(rules.of, range(start, end + 1)))
    return Calendar(
        id=name, first=first, horizon=horizon, rules=rules, start=start, hours=hours,
        opened=tuple(accumulate(map(_length, hours), initial=0)),
        before=tuple(accumulate(map(bool, hours), initial=0)),
        worked=tuple(index for index, intervals in enumerate(hours) if intervals),
    )  # fmt: skip


def _length(intervals: Intervals) -> int:
    return sum(until - since for since, until in intervals)


def _number(day: date) -> int:
    return day.toordinal() - _EPOCH


def _published(layers: Sequence[Layer]) -> tuple[int, int]:
    """First and last published day; a calendar without any year is provisional throughout."""
    years = [year.year for layer in layers for year in layer.years]
    if not years:
        return 1, 0
    horizon = min((layer.horizon for layer in layers if layer.horizon), default=date(max(years), 12, 31))
    return _number(date(min(years), 1, 1)), _number(horizon)


def _rules(layers: Sequence[Layer]) -> Rules:
    off: set[int] = set()
    work: set[int] = set()
    for layer in layers:
        for year in layer.years:
            layer_off, layer_work = _days(layer.id, year)
            off = (off | layer_off) - layer_work
            work = (work | layer_work) - layer_off
    weekends = [layer.weekend for layer in layers if layer.weekend is not None]
    hours = [layer.hours for layer in layers if layer.hours]
    return Rules(
        weekend=frozenset(weekends[-1] if weekends else (6, 7)),
        off=frozenset(off),
        work=frozenset(work),
        seasons=tuple(map(_season, hours[-1])) if hours else (),
    )


def _days(layer: str, year: Year) -> tuple[set[int], set[int]]:
    off = {day for span in year.rest for day in range(_number(span.first), _number(span.last or span.first) + 1)}
    work = {_number(day) for day in year.work}
    stray = [day for day in off | work if date.fromordinal(_EPOCH + day).year != year.year]
    if stray or off & work or any(span.last and span.last < span.first for span in year.rest):
        raise ValueError(f"calendar {layer}: {year.year} has days of another year, twice or in the wrong order")
    return off, work


def _season(hours: Hours) -> tuple[tuple[int, int], tuple[int, int], Intervals]:
    intervals = tuple(_interval(text) for text in hours.open)
    flat = [instant for interval in intervals for instant in interval]
    if flat != sorted(set(flat)):
        raise ValueError(f"office hours overlap or are out of order: {', '.join(hours.open)}")
    return _month_day(hours.since), _month_day(hours.until), intervals


def _interval(text: str) -> tuple[int, int]:
    since, _, until = text.partition("-")
    return _time_of_day(since), _time_of_day(until)


def _time_of_day(text: str) -> int:
    hour, _, minute = text.partition(":")
    time = int(hour) * HOUR + int(minute) * MINUTE
    if not 0 <= time <= DAY or not 0 <= int(minute) < 60:
        raise ValueError(f"not a time of day: {text!r}")
    return time


def _month_day(text: str) -> tuple[int, int]:
    day = date.fromisoformat(f"2024-{text}")
    return day.month, day.day


def _within(since: tuple[int, int], when: tuple[int, int], until: tuple[int, int]) -> bool:
    """A season may span the new year (`11-15` to `03-15`)."""
    return since <= when <= until if since <= until else when >= since or when <= until
