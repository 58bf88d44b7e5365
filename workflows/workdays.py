"""
Which hours of which days are worked, as people write it down: layers of days off, worked weekends and office hours.

One layer per file of `catalog/calendars/`; `rules_of` lays them over each other. Days are counted from
1970-01-01, instants of a day in milliseconds since midnight, both of China time.
"""

from collections.abc import Sequence
from datetime import date
from typing import Literal

from msgspec import Struct

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
Intervals = tuple[tuple[int, int], ...]
"""Open intervals of one day: (from, until), in order; empty on a day off."""

EPOCH = date(1970, 1, 1).toordinal()
_GREGORIAN = 146_097
"""Days in 400 years: month, day and weekday repeat, so no day is too far for `date`."""


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


class Rules(Struct, frozen=True):
    """Which hours a day has, for any day: what the tables are made from. Days are counted from 1970-01-01."""

    weekend: frozenset[int]
    off: frozenset[int]
    work: frozenset[int]
    seasons: tuple[tuple[tuple[int, int], tuple[int, int], Intervals], ...]
    """(month, day) from and until, and the hours then; the last that fits holds"""

    def of(self, day: int) -> Intervals:
        """The open intervals of a day."""
        when = date.fromordinal(EPOCH + day % _GREGORIAN)
        rest = day in self.off or (when.isoweekday() in self.weekend and day not in self.work)
        return () if rest else self._hours((when.month, when.day))

    def _hours(self, when: tuple[int, int]) -> Intervals:
        fits = (i for since, until, i in reversed(self.seasons) if _within(since, when, until))
        return next(fits, ())


def _number(day: date) -> int:
    return day.toordinal() - EPOCH


def published(layers: Sequence[Layer]) -> tuple[int, int]:
    """First and last published day; a calendar without any year is provisional throughout."""
    years = [year.year for layer in layers for year in layer.years]
    if not years:
        return 1, 0
    horizon = min((layer.horizon for layer in layers if layer.horizon), default=date(max(years), 12, 31))
    return _number(date(min(years), 1, 1)), _number(horizon)


def rules_of(layers: Sequence[Layer]) -> Rules:
    """What holds for each day: later layers win. ValueError where a layer's data are wrong."""
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
    stray = [day for day in off | work if date.fromordinal(EPOCH + day).year != year.year]
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
