"""
The moments at which a request can come: parts of the week that windows tell apart, in and out of working hours.

Which of them there are depends on the calendar of the place: a Sunday in working hours is there where it is worked.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

from router.rules.model import Hours as HoursCell
from router.rules.model import Rule, Window
from workflows.calendars import OFFSET, Calendar, day_of
from workflows.workdays import DAY, HOUR, MINUTE, Intervals

WEEK = 7 * 24 * 60
_DAY = 24 * 60
AHEAD = 400
"""Days that are looked at beyond what the calendars publish: a year and its edges."""
LONGEST = 30 * 366
"""A desk that never closes is published for centuries; nothing new comes in them."""


class Hours:
    """Atoms of the axis of time: of part `i` of the week 2i out of working hours, 2i+1 in them. One, if no rule asks."""

    def __init__(
        self, rules: Iterable[Rule], calendars: Mapping[str, Calendar], chains: Mapping[str, tuple[str, ...]]
    ) -> None:
        cells = [cell for rule in rules for box in rule.boxes() for cell in box.time]
        self._calendars, self._chains, self._asked = calendars, chains, bool(cells)
        edges = {day * _DAY for day in range(7)}
        for cell in cells:
            for start, length in cell.spans() if isinstance(cell, Window) else ():
                edges |= {start % WEEK, (start + length) % WEEK}
        cuts = [*sorted(edges), WEEK]
        self._parts = list(pairwise(cuts))
        self.all = (1 << 2 * len(self._parts)) - 1 if cells else 1
        self._groups = self._grouped() if cells else []
        self._found: dict[tuple[str, int, int, int], int | None] = {}

    def mask(self, cells: Iterable[HoursCell | Window]) -> int:
        """The atoms that a cell takes."""
        found = 0
        for i, (start, _) in enumerate(self._parts):
            for cell in cells:
                if isinstance(cell, Window):
                    found |= 3 << 2 * i if any((start - since) % WEEK < length for since, length in cell.spans()) else 0
                else:
                    found |= (2 if cell == "working_hours" else 1) << 2 * i
        return found

    def find(self, places: int, times: int, stretches: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
        """A place and an instant of some stretch of days that is as asked for; None where there is none."""
        for since, until in stretches:
            if not self._asked:
                return (places & -places).bit_length() - 1, since + 9 * HOUR
            for mask, calendar in self._groups:
                here = places & mask
                for atom in _bits(times) if here else ():
                    at = self._instant(calendar, atom, since, until)
                    if at is not None:
                        return (here & -here).bit_length() - 1, at
        return None

    def is_open(self, place: str, at: int) -> bool:
        """Whether the office is open there and then."""
        calendar = self._calendars[self._nearest(place)]
        return calendar.consumed(at, at + 1, "wh") > 0

    def _grouped(self) -> list[tuple[int, str]]:
        """The places of each calendar; atoms of places are the two states, then the chains in their order."""
        masks: dict[str, int] = {}
        for i, place in enumerate(("", "", *self._chains)):
            calendar = self._nearest(place)
            masks[calendar] = masks.get(calendar, 0) | 1 << i
        return [(mask, calendar) for calendar, mask in masks.items()]

    def _nearest(self, place: str) -> str:
        return next((above for above in self._chains.get(place, ()) if above in self._calendars), "")

    def _instant(self, calendar: str, atom: int, since: int, until: int) -> int | None:
        key = (calendar, atom, since, until)
        if key not in self._found:
            self._found[key] = next(self._instants(*key), None)
        return self._found[key]

    def _instants(self, calendar: str, atom: int, since: int, until: int) -> Iterator[int]:
        start, end = self._parts[atom // 2]
        weekday, low = divmod(start, _DAY)
        low, high = low * MINUTE, (low + end - start) * MINUTE
        for hours, days in _days(self._calendars[calendar], day_of(since)).get(weekday, {}).items():
            edges = [low, *(edge for span in hours for edge in span if low <= edge < high)]
            fit = [edge for edge in edges if any(a <= edge < b for a, b in hours) == bool(atom % 2)]
            moments = (day * DAY - OFFSET + edge for edge in fit for day in days)
            yield from (at for at in moments if since <= at < until)


@lru_cache(maxsize=256)
def _days(calendar: Calendar, first: int) -> dict[int, dict[Intervals, list[int]]]:
    """By weekday and opening hours the days that are such, from a day on."""
    kinds: dict[int, dict[Intervals, list[int]]] = {}
    last = min(max(first, calendar.horizon), first + LONGEST) + AHEAD
    for day in range(first, last):
        kinds.setdefault((day + 3) % 7, {}).setdefault(calendar.rules.of(day), []).append(day)
    return kinds


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
