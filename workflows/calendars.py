"""
The working calendar: from an instant and a budget such as `5wd` to the instant it is due.

Everything is integer milliseconds since 1970-01-01T00:00Z; days are those of China time, a
fixed +08:00. Which days are worked is data (the State Council's yearly notice with its
worked weekends 调休, then layers of province, city and department), published up to a
`horizon`; what touches a day outside of it counts weekends only and is `provisional`.

How limits are counted (民法典 arts. 201, 203):
- 次日起算 (`next_day`): the day of receipt is not counted, the n-th day after it is the last.
- The last day ends when the office closes for working units (`wd`, `wh`), at 23:59:59 for natural ones.
- `working_day` is for periods of natural days prescribed by law: where the last day is one on which nobody works, the first
  day after it on which somebody does is the last (民法典 art. 203, 行政许可法, 行政复议法).
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

from workflows.workdays import DAY, EPOCH, HOUR, MINUTE, Hours, Intervals, Layer, Rules, Year, published, rules_of

SECOND = 1_000
OFFSET = 8 * HOUR
"""China time, all year; no summer time since 1991."""

Unit = Literal["m", "h", "d", "wh", "wd"]
StartRule = Literal["receipt", "next_working_instant", "next_day"]
DueRule = Literal["exact", "end_of_day", "working_day"]

LENGTH: dict[Unit, int] = {"m": MINUTE, "h": HOUR, "wh": HOUR, "d": DAY, "wd": DAY}
"""Of a working day in natural time; how long it is open each day's hours say."""
_BEFORE, _AFTER = 400, 5 * 366
"""Days that the tables reach beyond the published ones; farther away a table is made on the spot."""
_USUAL = 45 * 365, 75 * 366
"""2015 to 2045: what is published without end is looked at for these days."""


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
    if not (digits.isascii() and digits.isdigit()) or unit not in LENGTH:
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
    return date.fromordinal(EPOCH + day_of(at))


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
        rules = rules_of(layers)
        first, horizon = published(layers)
        if not any(map(rules.of, range(horizon + 1, horizon + 367))):
            raise ValueError(f"calendar {name}: beyond its horizon nobody ever works")
        start, end = looked_at(first - _BEFORE, horizon + _AFTER)
        return _tabled(name, first, horizon, rules, start, end)

    def add(self, start: int, limit: str, start_rule: StartRule = "receipt", due_rule: DueRule = "exact") -> Due:
        """When `limit`, counted from `start`, has run out."""
        parsed = budget(limit)
        try:
            anchor = self._anchor(start, start_rule)
            whole_days = start_rule == "next_day" and parsed.unit in ("d", "wd")
            at = self._later(anchor, parsed, whole_days or due_rule != "exact")
            if due_rule == "working_day" and not parsed.working:
                by_law = self._carried(at)
                return Due(by_law, not (self._known(at) and self._known(by_law)), anchor)
        except IndexError:
            return self._around(start).add(start, limit, start_rule, due_rule)
        by_calendar = parsed.working or start_rule == "next_working_instant"
        return Due(at, by_calendar and not (self._known(anchor) and self._known(at)), anchor)

    def subtract(self, at: int, limit: str) -> int:
        """The instant `limit` before `at`: 1wd before the close of a working day is the close of the one before."""
        parsed = budget(limit)
        if not parsed.working:
            return at - parsed.count * LENGTH[parsed.unit]
        try:
            return self._days_on(at, -parsed.count) if parsed.unit == "wd" else self._open_on(at, -parsed.count * HOUR)
        except IndexError:
            return self._around(at).subtract(at, limit)

    def consumed(self, since: int, until: int, unit: Unit) -> int:
        """Milliseconds of the unit's own counting: open time for working units, natural time for the others."""
        if unit not in ("wh", "wd"):
            return until - since
        try:
            return _open_before(self, until) - _open_before(self, since)
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

    def after(self, since: int, time: int, limit: str, whole_day: bool) -> Due:
        """The first instant at which `time` milliseconds, of the counting that `limit` names, have passed since; never before it."""
        parsed = budget(limit)
        try:
            at = self._open_on(since, max(0, time)) if parsed.working else since + max(0, time)
            at = self._end_of_day(at, parsed) if whole_day else at
        except IndexError:
            return self._around(since, since + max(0, time) * 12).after(since, time, limit, whole_day)
        return Due(at, parsed.working and not (self._known(since) and self._known(at)), since)

    def reaching(self, since: int, until: int) -> "Calendar":
        """The same calendar, made ready for many questions between these instants."""
        inside = self.start <= day_of(since) and day_of(until) < self.start + len(self.hours)
        return self if inside else self._around(since, until)

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
            at = anchor + limit.count * LENGTH[limit.unit]
        return self._end_of_day(at, limit) if whole_day else at

    def _end_of_day(self, at: int, limit: Budget) -> int:
        """The end of the day that `at` belongs to; an exact midnight belongs to the day it ends."""
        day = day_of(at - 1)
        if limit.working and (hours := self._hours(day)) and hours[-1][1] < DAY:
            return max(at, day * DAY - OFFSET + hours[-1][1])
        return (day + 1) * DAY - OFFSET - SECOND

    def _carried(self, at: int) -> int:
        """The end of a day: of this one where somebody works on it, else of the first one after it."""
        index = self._index(at)
        return at + (self._worked(self.before[index]) - index) * DAY

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
        total = _open_before(self, at) + time
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


@lru_cache(maxsize=4096)
def _open_before(calendar: Calendar, at: int) -> int:
    """Open milliseconds of the tables before `at`. Clocks begin at midnights and stop at the instant of a batch: few differ."""
    index = calendar._index(at)
    return calendar.opened[index] + calendar._passed(index, at)


def looked_at(first: int, last: int) -> tuple[int, int]:
    """The part of these days that somebody may yet ask for."""
    start, end = max(first, _USUAL[0]), min(last, _USUAL[1])
    return (start, end) if start < end else _USUAL


def _tabled(name: str, first: int, horizon: int, rules: Rules, start: int, end: int) -> Calendar:
    hours = tuple(map(rules.of, range(start, end + 1)))
    return Calendar(
        id=name, first=first, horizon=horizon, rules=rules, start=start, hours=hours,
        opened=tuple(accumulate(map(_length, hours), initial=0)),
        before=tuple(accumulate(map(bool, hours), initial=0)),
        worked=tuple(index for index, intervals in enumerate(hours) if intervals),
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _length(intervals: Intervals) -> int:
    return sum(until - since for since, until in intervals)
