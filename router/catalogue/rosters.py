"""Who is on duty for a unit (带班): the rows of `rosters/` as questions about an instant."""

from collections.abc import Iterable
from datetime import date

from router.catalogue.rows import RosterRow
from workflows.calendars import OFFSET, day_of
from workflows.facts import Duty
from workflows.rungs import hours
from workflows.workdays import DAY, EPOCH

Shift = tuple[RosterRow, int, int, tuple[int, int]]
"""A row with its first and last day, and its hours."""
_WHOLE_DAY = (0, DAY)
_FOR_EVER = 1 << 40


class Rosters:
    """The rosters of all units."""

    def __init__(self, rows: Iterable[RosterRow]) -> None:
        self._of: dict[str, list[Shift]] = {}
        for row in sorted(rows, key=lambda row: row.role != "stand_in"):
            self._of.setdefault(row.unit, []).append(_shift(row))

    def on_duty(self, unit: str, at: int) -> Duty | None:
        """A stand-in before who is stood in for."""
        for row, first, last, (since, until) in self._of.get(unit, ()):
            day = day_of(at)
            time = at - (day * DAY - OFFSET)
            if since > until and time < until:  # it began the evening before
                day, time = day - 1, time + DAY
            ends = until + DAY if since > until else until
            if since <= time < ends and first <= day <= last and (not row.days or _weekday(day) in row.days):
                return Duty(post=row.post, endpoint=row.endpoint)
        return None


def _shift(row: RosterRow) -> Shift:
    first = _number(row.since) if row.since else 0
    last = _number(row.until) if row.until else _FOR_EVER
    return row, first, last, hours(row.hours) if row.hours else _WHOLE_DAY


def _number(day: str) -> int:
    return date.fromisoformat(day).toordinal() - EPOCH


def _weekday(day: int) -> int:
    return (day + 3) % 7 + 1
