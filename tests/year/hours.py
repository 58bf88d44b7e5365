"""Office time of the province counted without the product: chinesecalendar's days, the notice's rows, and hours typed in."""

import csv
from datetime import date, datetime, timedelta
from itertools import accumulate

import chinese_calendar

from adapters.clock import BEIJING
from tests.year.catalogue import NOTICE

FIRST, DAYS = date(2025, 12, 1), 900
OPEN = ((9, 12), (13, 17))
HOUR, DAY = 3_600_000, 86_400_000
_SINCE = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=BEIJING).timestamp() * 1000)


class Hours:
    """`closed`: the single day of the notice, if it came."""

    def __init__(self, closed: date | None) -> None:
        notice = NOTICE.read_text("utf-8").splitlines() if closed else []
        rows = {row["date"]: row["kind"] for row in csv.DictReader(notice)}
        days = [FIRST + timedelta(days=n) for n in range(DAYS)]
        self._works = [_works(day, rows) and day != closed for day in days]
        self._before = [0, *accumulate(sum(b - a for a, b in OPEN) * HOUR * works for works in self._works)]

    def passed(self, at: int) -> int:
        """Open milliseconds from FIRST to this instant."""
        day, rest = divmod(at - _SINCE, DAY)
        today = sum(min(max(rest - a * HOUR, 0), (b - a) * HOUR) for a, b in OPEN) if self._works[day] else 0
        return self._before[day] + today


def _works(day: date, rows: dict[str, str]) -> bool:
    if day.year < 2027:
        return bool(chinese_calendar.is_workday(day))
    said = rows.get(day.isoformat())
    return said == "上班" if said else day.isoweekday() < 6
