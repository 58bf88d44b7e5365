"""
What is doubtful about calendars beyond what refuses them: for `duokua calendar verify`, which nobody waits for.

Faults that make a calendar useless are found whenever a catalogue is read (router/catalogue/calendars.py).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from router.catalogue.calendars import Layers
from router.catalogue.findings import At, Findings
from router.catalogue.tables import Table
from workflows.workdays import Layer, Rules, Year, ordinal, rules_of

SOON = timedelta(days=45)
"""The notice for the next year comes in November: by the middle of that month somebody should look for it."""


def verify(table: Table[Layer], today: date, findings: Findings) -> None:
    """Everything that a layer says twice, for nothing, without a source or not long enough."""
    for key, spot, layer in table:
        stack = _stack(table, layer)
        _days(layer, rules_of(stack[:-1]), spot.at, findings)
        years = sorted({year.year for above in stack for year in above.years})
        for missing in sorted(set(range(years[0], years[-1])) - set(years)) if years else ():
            findings.add("year_missing", spot.at(), id=key, year=missing)
        if layer.horizon and years and layer.horizon.year > years[-1]:
            findings.add("days_unpublished", spot.at("horizon"), id=key, horizon=layer.horizon, last=years[-1])
        if layer.horizon and layer.horizon < today + SOON:
            findings.add("horizon_near", spot.at("horizon"), id=key, horizon=layer.horizon)


def _stack(table: Table[Layer], layer: Layer) -> Layers:
    above = table.rows.get(layer.parent)
    return (*_stack(table, above), layer) if above else (layer,)


def _days(layer: Layer, above: Rules, at: Callable[..., At], findings: Findings) -> None:
    weekend = above.weekend if layer.weekend is None else frozenset(layer.weekend)
    for index, year in enumerate(layer.years):
        place = at("years", index)
        twice = sorted(day for day, times in _times(year).items() if times > 1)
        if twice:
            findings.add("days_twice", place, id=layer.id, year=year.year, days=_listed(twice))
        usual = [day for day in year.work if day.isoweekday() not in weekend and ordinal(day) not in above.off]
        if usual:
            findings.add("work_anyway", place, id=layer.id, days=_listed(usual))
        if not (year.source or layer.source):
            findings.add("no_source", place, id=layer.id, year=year.year)


def _times(year: Year) -> Counter[date]:
    spans = [(span.first, ((span.last or span.first) - span.first).days + 1) for span in year.rest]
    return Counter([*year.work, *(first + timedelta(n) for first, length in spans for n in range(length))])


def _listed(days: Iterable[date]) -> str:
    return ", ".join(map(str, days))


def compare(
    layers: Sequence[Layer], is_workday: Callable[[date], bool], at: At, findings: Findings
) -> tuple[int, list[date]]:
    """Every day of the layers' years against another who knows: how many were compared, and which differ."""
    rules, differ, count = rules_of(layers), [], 0
    for year in sorted({year.year for layer in layers for year in layer.years}):
        days = [date(year, 1, 1) + timedelta(n) for n in range((date(year, 12, 31) - date(year, 1, 1)).days + 1)]
        try:
            theirs = [is_workday(day) for day in days]
        except NotImplementedError:  # beyond what they know
            continue
        count += len(days)
        differ += [day for day, works in zip(days, theirs, strict=True) if works != rules.works(ordinal(day))]
    if differ:
        findings.add("day_differs", at, id=layers[-1].id, days=_listed(differ))
    return count, differ
