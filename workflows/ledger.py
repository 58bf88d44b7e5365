"""
Why is it due then? Each day from the receipt to the due: how much of it counted, and what makes it so.

What counts is asked of the calendar that reckoned the due, what makes it so of the layers it was merged from, so the
sums of a ledger are those of the due date or the ledger is wrong.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

from workflows.calendars import LENGTH, OFFSET, Calendar, Unit, day_of
from workflows.workdays import DAY, Intervals, Layer, ordinal


class Reason(NamedTuple):
    """
    What makes a day what it is, and which layer says so.

    why: usual (a working day like any other), weekend, rest (放假), work (调休上班), closed, opened, hours (on this day
    alone), receipt (the day of receipt, not counted), natural (every day counts),
    carried (the last day of a period prescribed by law was no working day: this one is). `layer` is its name, else its id.
    """

    why: str
    name: str = ""
    layer: str = ""


class Row(NamedTuple):
    """One day. `counted` and `total` (the days before included) are in the limit's own unit: `wd`, `wh`, `d`, `h`, `m`."""

    day: int
    reason: Reason
    open: Intervals
    counted: Fraction
    total: Fraction
    provisional: bool


def ledger(
    calendar: Calendar,
    layers: Sequence[Layer],
    unit: Unit,
    runs: Sequence[tuple[int, int]],
    received: int,
    ends: int = 0,
) -> tuple[Row, ...]:
    """
    The days of a clock, from `received` to the end of its last run.

    runs: from when until when it ran, in order: one run from anchor to due where it never paused. ends: of a limit of
    natural days prescribed by law, when its last day ended; the days to which that was carried over count nothing.
    """
    first, last = min(day_of(received), day_of(runs[0][0])), day_of(runs[-1][1] - 1)
    begun = day_of(runs[0][0])
    calendar = calendar.reaching(first * DAY - OFFSET, (last + 1) * DAY)
    days = range(first, max(first, last) + 1)
    counted = [sum((_share(calendar, unit, day, run) for run in runs), Fraction()) for day in days]
    beyond = day_of(ends - 1) + 1 if ends else last + 1
    counted = [share if day < beyond else Fraction() for day, share in zip(days, counted, strict=True)]
    working = unit in ("wd", "wh")
    return tuple(
        Row(
            day,
            Reason("receipt")
            if day < begun and day == day_of(received)
            else Reason("carried")
            if day == last >= beyond
            else _reason(calendar, layers, day, working or day >= beyond),
            calendar.rules.of(day) if working else ((0, DAY),),
            share,
            total,
            (working or day >= beyond) and not calendar.first <= day <= calendar.horizon,
        )
        for day, share, total in zip(days, counted, accumulate(counted), strict=True)
    )


def _share(calendar: Calendar, unit: Unit, day: int, run: tuple[int, int]) -> Fraction:
    """How much of the unit passed on this day of a run: a working day is as long as that day's office hours."""
    midnight = day * DAY - OFFSET
    since, until = max(run[0], midnight), min(run[1], midnight + DAY)
    if since >= until:
        return Fraction()
    whole = calendar.consumed(midnight, midnight + DAY, unit) if unit == "wd" else LENGTH[unit]
    return Fraction(calendar.consumed(since, until, unit), whole) if whole else Fraction()


def _reason(calendar: Calendar, layers: Sequence[Layer], day: int, working: bool) -> Reason:
    if not working:
        return Reason("natural")
    said = next((reason for layer in reversed(layers) for reason in _said(layer, day)), None)
    if said is not None:
        return said
    return Reason("weekend" if (day + 3) % 7 + 1 in calendar.rules.weekend else "usual")


def _said(layer: Layer, day: int) -> Iterator[Reason]:
    """What a layer says of a day: its single days first, as these win."""
    name = layer.name or layer.id
    for one in layer.days or ():
        if ordinal(one.day) == day:
            yield Reason("opened" if one.open is None else "hours" if one.open else "closed", one.name, name)
    for year in layer.years:
        for span in year.rest:
            if ordinal(span.first) <= day <= ordinal(span.last or span.first):
                yield Reason("rest", span.name, name)
        if any(ordinal(worked) == day for worked in year.work):
            yield Reason("work", layer=name)
