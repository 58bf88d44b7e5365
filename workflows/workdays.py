"""
Which hours of which days are worked, as people write it down: layers of days off, worked weekends and office hours.

One layer per file of `catalog/calendars/`; `rules_of` lays them over each other. Days are counted from
1970-01-01, instants of a day in milliseconds since midnight, both of China time.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
Intervals = tuple[tuple[int, int], ...]
"""Open intervals of one day: (from, until), in order; empty on a day off."""

EPOCH = date(1970, 1, 1).toordinal()
_GREGORIAN = 146_097
"""Days in 400 years: month, day and weekday repeat, so no day is too far for `date`."""
_LEAP = tuple(date(2024, 1, 1) + timedelta(n) for n in range(366))
"""Every day that a year can have."""
LONGEST_BREAK = 62
"""Days: no office is closed for longer; more is a mistake of the data."""


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


class OneOff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds on one day alone. `open`: these hours; empty: closed; left out: worked with the usual hours."""

    day: date
    open: tuple[str, ...] | None = None
    name: str = ""
    source: str = ""


class Layer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One layer: national → province → city → department → one-off entries, each laid over its `parent`.

    A later layer's days win over an earlier one's, in one layer its `days` over its `years`; its hours and weekend
    replace the earlier ones when given; the earliest horizon counts. `place`: the division for which it holds,
    `units`: the units (neither: it is there to be laid under others, or to be asked for). weekend: ISO weekdays.
    Without any year, a horizon says that no notice changes anything until then (a desk that never closes).
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
    units: tuple[str, ...] | UnsetType = UNSET
    days: tuple[OneOff, ...] | UnsetType = UNSET
    """unset and not empty where a layer has none: a calendar's name is a hash of its layers, and old names must stay"""


class Rules(Struct, frozen=True):
    """Which hours a day has, for any day: what the tables are made from. Days are counted from 1970-01-01."""

    weekend: frozenset[int]
    off: frozenset[int]
    work: frozenset[int]
    hours: Mapping[tuple[int, int], Intervals]
    """by month and day; what is not in it has none"""
    alone: Mapping[int, Intervals]
    """days with hours of their own"""

    def works(self, day: int) -> bool:
        """Whether a day is worked, whatever its hours."""
        return day not in self.off and ((day + 3) % 7 + 1 not in self.weekend or day in self.work)

    def of(self, day: int) -> Intervals:
        """The open intervals of a day."""
        if day in self.off or ((day + 3) % 7 + 1 in self.weekend and day not in self.work):
            return ()
        if day in self.alone:
            return self.alone[day]
        when = date.fromordinal(EPOCH + day % _GREGORIAN)
        return self.hours.get((when.month, when.day), ())

    def without_hours(self) -> tuple[date, date] | None:
        """The first and last day (of a leap year) of the first part of the year for which nobody wrote office hours."""
        runs = groupby(_LEAP, lambda day: (day.month, day.day) not in self.hours)
        lacking = next((list(run) for without, run in runs if without), None)
        return (lacking[0], lacking[-1]) if lacking else None

    def closed(self, first: int, last: int) -> tuple[date, date] | None:
        """The first stretch of more than LONGEST_BREAK days within these that nobody works."""
        free = (list(run) for works, run in groupby(range(first, last + 1), self.works) if not works)
        found = next((run for run in free if len(run) > LONGEST_BREAK), None)
        return (date.fromordinal(EPOCH + found[0]), date.fromordinal(EPOCH + found[-1])) if found else None


def ordinal(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - EPOCH


def published(layers: Sequence[Layer]) -> tuple[int, int]:
    """First and last published day; a calendar with neither year nor horizon is provisional throughout."""
    years = [year.year for layer in layers for year in layer.years]
    horizon = min((layer.horizon for layer in layers if layer.horizon), default=None)
    if years:
        return ordinal(date(min(years), 1, 1)), ordinal(horizon or date(max(years), 12, 31))
    return (ordinal(date.min), ordinal(horizon)) if horizon else (1, 0)


def rules_of(layers: Sequence[Layer]) -> Rules:
    """What holds for each day: later layers win. ValueError where a layer's data are wrong."""
    off: set[int] = set()
    work: set[int] = set()
    alone: dict[int, Intervals] = {}
    for layer in layers:
        for year in layer.years:
            layer_off, layer_work = _days(layer.id, year)
            off = (off | layer_off) - layer_work
            work = (work | layer_work) - layer_off
            alone = {day: hours for day, hours in alone.items() if day not in layer_off | layer_work}
        for day, hours in _one_off(layer).items():
            (work.discard if hours == () else off.discard)(day)
            (off.add if hours == () else work.add)(day)
            alone.pop(day, None)
            if hours:
                alone[day] = hours
    weekends = [layer.weekend for layer in layers if layer.weekend is not None]
    hours_of = [layer.hours for layer in layers if layer.hours]
    return Rules(
        weekend=frozenset(weekends[-1] if weekends else (6, 7)),
        off=frozenset(off),
        work=frozenset(work),
        hours=_by_date(hours_of[-1]) if hours_of else {},
        alone=alone,
    )


def _one_off(layer: Layer) -> dict[int, Intervals | None]:
    days = layer.days or ()
    found = {ordinal(one.day): None if one.open is None else _intervals(one.open) for one in days}
    if len(found) < len(days):
        raise ValueError(f"calendar {layer.id}: a single day is named twice")
    return found


def _by_date(seasons: Sequence[Hours]) -> dict[tuple[int, int], Intervals]:
    """The hours of each day of a year; the last season that fits holds."""
    parsed = [(_month_day(s.since), _month_day(s.until), _intervals(s.open)) for s in seasons]
    days = [(day.month, day.day) for day in _LEAP]
    return {day: hours for since, until, hours in parsed for day in days if _within(since, day, until)}


def _days(layer: str, year: Year) -> tuple[set[int], set[int]]:
    off = {day for span in year.rest for day in range(ordinal(span.first), ordinal(span.last or span.first) + 1)}
    work = {ordinal(day) for day in year.work}
    stray = [day for day in off | work if date.fromordinal(EPOCH + day).year != year.year]
    if stray or off & work or any(span.last and span.last < span.first for span in year.rest):
        raise ValueError(f"calendar {layer}: {year.year} has days of another year, twice or in the wrong order")
    return off, work


def _intervals(texts: Sequence[str]) -> Intervals:
    intervals = tuple(_interval(text) for text in texts)
    flat = [instant for interval in intervals for instant in interval]
    if flat != sorted(set(flat)):
        raise ValueError(f"office hours overlap or are out of order: {', '.join(texts)}")
    return intervals


def _interval(text: str) -> tuple[int, int]:
    since, _, until = text.partition("-")
    return time_of_day(since), time_of_day(until)


def time_of_day(text: str) -> int:
    """`08:30` in milliseconds since midnight; ValueError where it is no time of day."""
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
