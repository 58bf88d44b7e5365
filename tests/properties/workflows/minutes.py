"""
Due dates found by counting minutes: every minute of some years is open or not, and numpy adds them up.

It shares nothing with the calendar under test: the days are chinesecalendar's, the hours and single days are typed in.
All answers are arrays, one element a case; instants are milliseconds since FIRST, 00:00 of China time.
"""

from datetime import date, timedelta

import chinese_calendar
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
FIRST, LAST = date(2020, 1, 1), date(2028, 12, 31)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
LENGTH = {"m": MINUTE, "h": HOUR, "d": DAY}

WINTER, SUMMER = ((540, 720), (780, 1020)), ((510, 720), (840, 1080))
"""Open minutes of a day: 09:00-12:00 13:00-17:00; from June to August 08:30-12:00 14:00-18:00."""
SINGLE: dict[date, tuple[tuple[int, int], ...]] = {
    date(2023, 5, 17): (),
    date(2024, 7, 6): SUMMER,
    date(2025, 9, 30): ((540, 690),),
    date(2026, 3, 1): WINTER,
}
"""A city closes, an office works a Saturday and a Sunday, another day ends early."""


def open_minutes(day: date) -> tuple[tuple[int, int], ...]:
    """The open intervals of a day, in minutes since midnight; beyond what chinesecalendar knows, Monday to Friday."""
    if day in SINGLE:
        return SINGLE[day]
    works = chinese_calendar.is_workday(day) if day.year <= 2026 else day.isoweekday() < 6
    return (SUMMER if day.month in (6, 7, 8) else WINTER) if works else ()


class Minutes:
    """The years, minute by minute."""

    def __init__(self) -> None:
        days = (LAST - FIRST).days + 1
        grid = np.zeros((days, 1440), dtype=bool)
        for n in range(days):
            for since, until in open_minutes(FIRST + timedelta(n)):
                grid[n, since:until] = True
        self.passed: Ints = np.concatenate(([0], np.cumsum(grid.ravel(), dtype=np.int64)))
        """open minutes before each minute, and in all"""
        self.opens: Ints = np.flatnonzero(grid.ravel()).astype(np.int64)
        self.whole: Ints = grid.sum(axis=1).astype(np.int64)
        self.worked: Ints = np.flatnonzero(self.whole).astype(np.int64)
        self.before: Ints = np.concatenate(([0], np.cumsum(self.whole > 0, dtype=np.int64)))
        self.close: Ints = (1440 - np.argmax(grid[:, ::-1], axis=1)).astype(np.int64)

    def add(self, start: Ints, count: Ints, unit: str, start_rule: str, due_rule: str) -> tuple[Ints, Ints]:
        """Anchor and due. Starts are whole minutes."""
        anchor = self._anchor(start, start_rule)
        if unit in LENGTH:
            due = anchor + count * LENGTH[unit]
        elif unit == "wh":
            due = self.at_open(self.open_ms(anchor) + count * HOUR)
        else:
            due = self._days(anchor, count)
        whole_day = due_rule == "end_of_day" or (start_rule == "next_day" and unit in ("d", "wd"))
        return anchor, self.end_of_day(due, unit) if whole_day else due

    def open_ms(self, at: Ints) -> Ints:
        """Open time before an instant."""
        minute, rest = np.divmod(at, MINUTE)
        return self.passed[minute] * MINUTE + rest * (self.passed[minute + 1] - self.passed[minute])

    def at_open(self, passed: Ints) -> Ints:
        """The first instant before which so much time was open."""
        minutes, rest = np.divmod(passed, MINUTE)
        return np.where(rest > 0, self.opens[minutes] * MINUTE + rest, (self.opens[minutes - 1] + 1) * MINUTE)

    def end_of_day(self, at: Ints, unit: str) -> Ints:
        day = (at - 1) // DAY
        closes = np.maximum(at, day * DAY + self.close[day] * MINUTE)
        working = (self.whole[day] > 0) & (unit in ("wd", "wh"))
        return np.where(working, closes, (day + 1) * DAY - 1000)

    def _anchor(self, start: Ints, rule: str) -> Ints:
        if rule == "next_day":
            return (start // DAY + 1) * DAY
        if rule == "receipt":
            return start
        return self.opens[np.searchsorted(self.opens, start // MINUTE)] * MINUTE

    def _days(self, anchor: Ints, count: Ints) -> Ints:
        """At the same part of the working day; between two of them, the end of the last one counted."""
        day = anchor // DAY
        gone, whole = self.open_ms(anchor) - self.open_ms(day * DAY), self.whole[day] * MINUTE
        finished = (whole > 0) & (gone == whole)
        inside = (gone > 0) & ~finished
        place = self.before[day] + finished + count
        last = self.worked[place - 1]
        target = self.worked[place]
        part = gone * self.whole[target] * MINUTE // np.maximum(whole, 1)
        return np.where(
            inside,
            self.at_open(self.open_ms(target * DAY) + np.where(inside, part, MINUTE)),
            last * DAY + self.close[last] * MINUTE,
        )
