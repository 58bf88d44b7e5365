"""100 000 due dates of the shipped calendar, with seasons, single days, pauses and extensions, are those of counted minutes."""

from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from router.catalogue.calendars import read_calendars
from router.catalogue.load import read_folder
from tests.properties.workflows.minutes import DAY, FIRST, HOUR, MINUTE, SINGLE, Ints, Minutes
from workflows.calendars import OFFSET, Calendar
from workflows.policies import ClockTemplate
from workflows.reckoning import Run, reckon
from workflows.workdays import Hours, Layer, OneOff, ordinal

CATALOG = Path(__file__).parents[3] / "catalog"
ORIGIN = ordinal(FIRST) * DAY - OFFSET
MOST = {"m": 3_000, "h": 700, "d": 60, "wh": 300, "wd": 60}
RULES = tuple(product(MOST, ("receipt", "next_working_instant", "next_day"), ("exact", "end_of_day")))
SIZE = 100_000 // len(RULES) + 1
"""Of each unit under each rule, in each test."""


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    """The national layer as it is shipped, below a city with two seasons and the single days of the oracle."""
    calendars = read_calendars(read_folder(CATALOG))
    name = calendars.name_of("national")
    assert name is not None
    usual = Hours(open=("09:00-12:00", "13:00-17:00"))
    summer = Hours(open=("08:30-12:00", "14:00-18:00"), since="06-01", until="08-31")
    days = tuple(
        OneOff(day=day, open=tuple(f"{_hm(a)}-{_hm(b)}" for a, b in intervals)) for day, intervals in SINGLE.items()
    )
    return Calendar.merge("city", [*calendars.layers[name], Layer(id="city", hours=(usual, summer), days=days)])


@pytest.fixture(scope="module")
def minutes() -> Minutes:
    return Minutes()


def _hm(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _starts(rng: np.random.Generator, size: int) -> Ints:
    """Any minute from 2020 to the middle of 2026; every tenth at the very edge of office hours."""
    minute = rng.integers(0, (date(2026, 6, 30) - FIRST).days * 1440, size)
    edges = minute // 1440 * 1440 + rng.choice([0, 510, 540, 720, 780, 840, 1020, 1080, 1439], size)
    return np.where(rng.random(size) < 0.1, edges, minute) * MINUTE


@pytest.mark.parametrize(("unit", "start_rule", "due_rule"), RULES)
def test_every_rule_over_many_starts(
    calendar: Calendar, minutes: Minutes, unit: str, start_rule: str, due_rule: str
) -> None:
    """All starts and limits at once, and none differs."""
    rng = np.random.default_rng(RULES.index((unit, start_rule, due_rule)))
    starts, counts = _starts(rng, SIZE), rng.integers(1, MOST[unit] + 1, SIZE)
    anchors, dues = minutes.add(starts, counts, unit, start_rule, due_rule)
    found = [
        calendar.add(start + ORIGIN, f"{count}{unit}", start_rule, due_rule)  # type: ignore[arg-type]
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
    ]
    assert np.flatnonzero(np.array([due.at for due in found]) - ORIGIN - dues).tolist() == []
    assert np.flatnonzero(np.array([due.anchor for due in found]) - ORIGIN - anchors).tolist() == []


@pytest.mark.parametrize(("unit", "start_rule", "due_rule"), RULES)
def test_pauses_and_extensions_over_many_starts(
    calendar: Calendar, minutes: Minutes, unit: str, start_rule: str, due_rule: str
) -> None:
    """
    A clock that was extended and then stood still twice is due once all of its minutes have run.

    The pauses lie before the due that it had; the minutes of a pause are those of no clock.
    """
    rng = np.random.default_rng(1_000 + RULES.index((unit, start_rule, due_rule)))
    starts, counts = _starts(rng, SIZE), rng.integers(2, MOST[unit] + 1, SIZE)
    more = rng.integers(1, 20, SIZE)
    anchors, whole = minutes.add(starts, counts, unit, start_rule, due_rule)
    by_the_day = due_rule == "end_of_day" or (start_rule == "next_day" and unit in ("d", "wd"))
    _, whole = minutes.add(whole, more, unit, "receipt", "end_of_day" if by_the_day else "exact")
    spans = whole - anchors
    first, second = np.sort(rng.random((2, SIZE)) * 0.9, axis=0)
    stops = [anchors + (spans * part).astype(np.int64) // MINUTE * MINUTE for part in (first, second)]
    lengths = [rng.integers(1, 20 * 1440, SIZE) * MINUTE for _ in range(2)]

    def run(at: Ints) -> Ints:
        return minutes.open_ms(at) if unit in ("wd", "wh") else at

    allowed = run(whole) - run(anchors)
    since = stops[0] + lengths[0]
    again = np.maximum(stops[1] + lengths[0], since)
    used = run(stops[0]) - run(anchors) + run(again) - run(since)
    ended = used >= allowed
    resumed = again + lengths[1]
    rest = np.maximum(allowed - used, 0)
    dues = minutes.at_open(run(resumed) + np.maximum(rest, 1)) if unit in ("wd", "wh") else resumed + rest
    dues = np.where(rest == 0, resumed, dues)
    dues = minutes.end_of_day(dues, unit) if by_the_day else dues

    template = ClockTemplate(kind="finish", of="leg", budget="1wd", start=start_rule, due=due_rule)  # type: ignore[arg-type]
    found = [
        reckon(calendar, template, Run(start + ORIGIN, f"{count}{unit}", (f"{extra}{unit}",), took, back + ORIGIN)).due
        for start, count, extra, took, back in zip(
            starts.tolist(), counts.tolist(), more.tolist(), used.tolist(), resumed.tolist(), strict=True
        )
    ]
    assert np.flatnonzero(np.array(found) - ORIGIN - dues).tolist() == []
    assert ended.mean() < 0.5, "most cases are to have something left"
    assert resumed.max() < (date(2028, 6, 30) - FIRST).days * DAY + HOUR
