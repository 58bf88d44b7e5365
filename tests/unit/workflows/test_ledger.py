"""The ledger says of each day what the calendar counted and why, and adds up to the limit (peers 46: Zammad #390 is asked by hand)."""

from datetime import date
from fractions import Fraction

import pytest

from tests.unit.workflows.calendar_2026 import CHINA, OFFICE, YEAR, ms
from workflows.calendars import Calendar, budget
from workflows.ledger import Row, ledger
from workflows.workdays import EPOCH, Layer, OneOff

NATION = Layer(id="cn", name="全国", years=(YEAR,), hours=(OFFICE,), horizon=date(2026, 12, 31))
CITY = Layer(
    id="city",
    name="某市",
    parent="cn",
    days=(
        OneOff(day=date(2026, 9, 21), open=(), name="停电"),
        OneOff(day=date(2026, 9, 24), open=("09:00-12:00",), name="演练"),
        OneOff(day=date(2026, 9, 26), name="延时服务"),
    ),
)
LAYERS = [NATION, CITY]
HERE = Calendar.merge("city", LAYERS)


def told(
    start: str, limit: str, start_rule: str = "next_day", due_rule: str = "end_of_day", calendar: Calendar = HERE
) -> tuple[Row, ...]:
    due = calendar.add(ms(start), limit, start_rule, due_rule)  # type: ignore[arg-type]
    return ledger(calendar, LAYERS, budget(limit).unit, [(due.anchor, due.at)], ms(start))


def why(rows: tuple[Row, ...]) -> list[tuple[str, str, str, float]]:
    return [
        (f"{date.fromordinal(EPOCH + row.day):%m-%d}", row.reason.why, row.reason.name, float(row.total))
        for row in rows
    ]


def test_each_day_and_what_makes_it_so() -> None:
    """Worked weekend, rest day, a day closed by the city, one with hours of its own, one opened, the holiday after."""
    assert why(told("2026-09-18 16:30", "5wd")) == [
        ("09-18", "receipt", "", 0),
        ("09-19", "weekend", "", 0),
        ("09-20", "work", "", 1),
        ("09-21", "closed", "停电", 1),
        ("09-22", "usual", "", 2),
        ("09-23", "usual", "", 3),
        ("09-24", "hours", "演练", 4),
        ("09-25", "rest", "", 4),
        ("09-26", "opened", "延时服务", 5),
    ]
    assert [row.reason.layer for row in told("2026-09-18 16:30", "5wd")][2:4] == ["全国", "某市"]


def test_what_the_law_carries_over_counts_nothing() -> None:
    """The third day of three is the first of the National Day week: the eighth is the last."""
    start, limit = ms("2026-09-28 10:00"), "3d"
    due = CHINA.add(start, limit, "next_day", "working_day")
    ends = CHINA.add(start, limit, "next_day", "end_of_day").at
    rows = ledger(CHINA, [NATION], "d", [(due.anchor, due.at)], start, ends)
    assert [round(float(row.total), 2) for row in rows] == [0, 1, 2, *[3] * 8]
    assert [row.reason.why for row in rows] == ["receipt", *["natural"] * 3, *["rest"] * 6, "carried"]
    assert not any(row.counted for row in rows[4:])


def test_hours_are_counted_in_open_time() -> None:
    rows = told("2026-09-18 16:30", "2wh", "receipt", "exact")
    assert [(row.counted, row.total) for row in rows] == [
        (Fraction(1, 2), Fraction(1, 2)), (0, Fraction(1, 2)), (Fraction(3, 2), 2),
    ]  # fmt: skip


def test_natural_days_count_whatever_they_are() -> None:
    rows = told("2026-09-18 16:30", "3d")
    assert [row.reason.why for row in rows] == ["receipt", "natural", "natural", "natural"]
    assert not any(row.provisional for row in told("2035-09-18 16:30", "3d"))


@pytest.mark.parametrize(("start", "limit"), [("2026-12-30 10:00", "4wd"), ("2040-05-05 10:00", "900wd")])
def test_days_beyond_the_horizon_are_marked(start: str, limit: str) -> None:
    rows = told(start, limit)
    assert [row.provisional for row in rows] == [row.day > HERE.horizon for row in rows]
    assert rows[-1].total == budget(limit).count


def test_what_does_not_run_does_not_count() -> None:
    """A clock that stood still from Tuesday noon to Thursday morning."""
    runs = [(ms("2026-09-22 00:00"), ms("2026-09-22 12:00")), (ms("2026-09-24 09:00"), ms("2026-09-24 12:00"))]
    rows = ledger(CHINA, [NATION], "wh", runs, ms("2026-09-21 10:00"))
    assert [row.counted for row in rows] == [0, 3, 0, 3]


def test_before_the_clock_runs_nothing_counts() -> None:
    """Received on a rest day, counted from the next working instant."""
    rows = told("2026-09-19 10:00", "1wh", "next_working_instant", "exact")
    assert why(rows) == [("09-19", "receipt", "", 0), ("09-20", "work", "", 1)]
