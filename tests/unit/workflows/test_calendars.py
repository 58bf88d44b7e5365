"""A due date follows the published working days, worked weekends included, and is never an exception."""

from datetime import date, timedelta

import pytest

from tests.unit.workflows.calendar_2026 import CHINA, OFF, OFFICE, PUBLISHED, WORK, YEAR, day, ms, show
from workflows.calendars import Budget, Calendar, budget, date_of, day_of
from workflows.workdays import Hours, Layer, OneOff, Rest, Year, rules_of

GOLDEN = [
    ("2026-02-13", 1, "2026-02-14"),
    ("2026-02-13", 5, "2026-02-27"),
    ("2026-02-13", 15, "2026-03-12"),
    ("2026-09-18", 1, "2026-09-20"),
    ("2026-09-18", 5, "2026-09-24"),
    ("2026-09-30", 3, "2026-10-10"),
    ("2026-09-19", 1, "2026-09-20"),
    ("2026-04-30", 2, "2026-05-07"),
    ("2026-01-02", 1, "2026-01-04"),
]


@pytest.mark.parametrize(("received", "days", "due"), GOLDEN)
@pytest.mark.parametrize("time", ["00:00", "08:59", "10:30", "12:30", "17:00", "23:59"])
def test_golden_vectors_of_the_norms(received: str, days: int, due: str, time: str) -> None:
    """
    次日起算: at whatever time of the day it was received, the n-th working day after it is the last one.

    peers 35, 36: FixMyStreet, Zammad, GLPI and Frappe take holidays off but know no worked weekend, Signalen knows neither.
    """
    found = CHINA.add(ms(f"{received} {time}"), f"{days}wd", "next_day", "end_of_day")
    assert show(found.at) == f"{due} 17:00:00"
    assert not found.provisional


@pytest.mark.parametrize(("received", "days", "due"), GOLDEN)
def test_golden_dates_hold_when_counted_from_the_instant(received: str, days: int, due: str) -> None:
    """Counted exactly from the middle of a working day, or from a rest day, the same date comes out."""
    assert date_of(CHINA.add(ms(f"{received} 10:30"), f"{days}wd").at).isoformat() == due


@pytest.mark.parametrize("days", [1, 7, 15, 30, 60, 90])
@pytest.mark.parametrize(("start_rule", "first"), [("next_day", 1), ("receipt", 0)])
def test_a_period_prescribed_by_law_ends_on_no_day_off(days: int, start_rule: str, first: int) -> None:
    """民法典 art. 203, for each day of the year, by walking on from the last day to one that the notice has as worked."""
    off = {day(a) + timedelta(n) for a, b in OFF for n in range((day(b) - day(a)).days + 1)}
    worked = {day(one) for one in WORK}
    for n in range(300):
        received = date(2026, 1, 1) + timedelta(n)
        last = received + timedelta(days)
        law = last
        while law not in worked and (law in off or law.weekday() > 4) and law.year == 2026:
            law += timedelta(1)
        if law.year > 2026:
            continue
        start = ms(f"{received} 10:00")
        found = CHINA.add(start, f"{days}d", start_rule, "working_day")  # type: ignore[arg-type]
        assert (show(found.at), found.provisional) == (f"{law} 23:59:59", False), received
        plain = CHINA.add(start, f"{days}d", start_rule, "end_of_day").at  # type: ignore[arg-type]
        assert date_of(plain) == last and (found.at == plain) == (law == last)


def test_a_period_prescribed_by_law_is_provisional_beyond_the_horizon() -> None:
    """And working time ends on no day off anyway."""
    found = CHINA.add(ms("2026-12-01 10:00"), "31d", "next_day", "working_day")
    assert (show(found.at), found.provisional) == ("2027-01-01 23:59:59", True)
    assert PUBLISHED.add(ms("2026-12-01 10:00"), "31d", "next_day", "working_day").at == ms("2027-01-04 23:59") + 59_000
    assert CHINA.add(ms("2026-09-18 12:00"), "5wd", "next_day", "working_day").at == ms("2026-09-24 17:00")


def test_2026_has_248_working_days() -> None:
    days = (date(2026, 1, 1) + timedelta(n) for n in range(365))
    assert sum(bool(CHINA.rules.of(day_of(ms(f"{day} 00:00")))) for day in days) == 248


@pytest.mark.parametrize(
    ("start", "limit", "start_rule", "due_rule", "due"),
    [
        ("2026-09-18 10:00", "30m", "receipt", "exact", "2026-09-18 10:30:00"),
        ("2026-09-18 23:50", "30m", "receipt", "exact", "2026-09-19 00:20:00"),
        ("2026-09-18 20:00", "30m", "next_working_instant", "exact", "2026-09-20 09:30:00"),
        ("2026-09-18 12:10", "30m", "next_working_instant", "exact", "2026-09-18 14:00:00"),
        ("2026-09-18 10:00", "24h", "receipt", "exact", "2026-09-19 10:00:00"),
        ("2026-09-18 10:00", "24h", "next_day", "exact", "2026-09-20 00:00:00"),
        ("2026-09-18 10:00", "2wh", "receipt", "exact", "2026-09-18 12:00:00"),
        ("2026-09-18 10:30", "2wh", "receipt", "exact", "2026-09-18 14:00:00"),
        ("2026-09-18 16:30", "1wh", "receipt", "exact", "2026-09-20 09:30:00"),
        ("2026-09-18 16:30", "1wh", "next_day", "exact", "2026-09-20 10:00:00"),
        ("2026-09-18 16:30", "1wh", "receipt", "end_of_day", "2026-09-20 17:00:00"),
        ("2026-09-18 10:00", "3d", "receipt", "exact", "2026-09-21 10:00:00"),
        ("2026-09-18 10:00", "3d", "receipt", "end_of_day", "2026-09-21 23:59:59"),
        ("2026-09-18 10:00", "3d", "next_day", "exact", "2026-09-21 23:59:59"),
        ("2026-09-18 10:00", "1wd", "receipt", "exact", "2026-09-20 10:00:00"),
        ("2026-09-18 10:00", "1wd", "receipt", "end_of_day", "2026-09-20 17:00:00"),
        ("2026-09-18 17:00", "1wd", "receipt", "exact", "2026-09-20 17:00:00"),
        ("2026-09-18 17:30", "1wd", "receipt", "exact", "2026-09-20 17:00:00"),
        ("2026-09-19 10:00", "1wd", "next_working_instant", "exact", "2026-09-20 17:00:00"),
        ("2026-09-19 10:00", "0m", "receipt", "exact", "2026-09-19 10:00:00"),
        ("2026-09-19 10:00", "0wd", "receipt", "exact", "2026-09-19 10:00:00"),
    ],
)
def test_every_unit_under_every_rule(start: str, limit: str, start_rule: str, due_rule: str, due: str) -> None:
    """
    One row per unit and rule, over a worked Sunday (2026-09-20).

    peers 34 (Frappe #2212 has one interval a day), 38 (Zammad and Frappe have no day mode), 39 (GLPI #687: received at night).
    """
    assert show(CHINA.add(ms(start), limit, start_rule, due_rule).at) == due  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("at", "limit", "earlier"),
    [
        ("2026-09-24 17:00", "1wd", "2026-09-23 17:00:00"),
        ("2026-09-20 17:00", "1wd", "2026-09-18 17:00:00"),
        ("2026-09-20 10:00", "1wd", "2026-09-18 10:00:00"),
        ("2026-09-19 12:00", "1wd", "2026-09-17 17:00:00"),
        ("2026-09-20 10:00", "2wh", "2026-09-18 16:00:00"),
        ("2026-09-20 10:00", "1d", "2026-09-19 10:00:00"),
        ("2026-09-20 10:00", "90m", "2026-09-20 08:30:00"),
    ],
)
def test_subtract_goes_back_over_rest_days(at: str, limit: str, earlier: str) -> None:
    """A warning `1wd` before the close of a working day comes at the close of the one before."""
    assert show(CHINA.subtract(ms(at), limit)) == earlier


def test_percent_counts_open_time_for_working_units() -> None:
    """80 % of a working limit is 80 % of its office hours, not of the nights and rest days."""
    due = CHINA.add(ms("2026-09-18 10:00"), "5wd", "next_day")
    assert show(CHINA.percent(due.anchor, due.at, 80, "wd")) == "2026-09-23 17:00:00"
    assert show(CHINA.percent(ms("2026-09-18 10:00"), ms("2026-09-19 10:00"), 50, "h")) == "2026-09-18 22:00:00"


@pytest.mark.parametrize("start", ["2026-12-30 10:00", "2027-02-01 10:00", "2035-05-05 10:00", "9998-12-31 10:00"])
@pytest.mark.parametrize("limit", ["5wd", "100wh"])
def test_beyond_the_horizon_is_provisional(start: str, limit: str) -> None:
    """No data: weekends only, marked as provisional, and never an exception, however far (peers 41: nobody else marks it)."""
    assert CHINA.add(ms(start), limit, "next_day").provisional
    assert not CHINA.add(ms("2026-12-23 10:00"), "5wd", "next_day").provisional


def test_before_the_first_published_day_is_provisional() -> None:
    assert CHINA.add(ms("2025-06-02 10:00"), "1wd").provisional
    assert CHINA.add(ms("1949-10-01 10:00"), "1wd", "next_day").provisional


def test_natural_limits_need_no_calendar() -> None:
    assert not CHINA.add(ms("2031-01-01 10:00"), "24h").provisional
    assert CHINA.add(ms("2031-01-01 10:00"), "24h", "next_working_instant").provisional


def test_layers_lie_over_each_other() -> None:
    """A city's day off, its summer hours and its worked day win over the nation's; the earliest horizon counts (peers 37)."""
    nation = Layer(id="cn", years=(YEAR,), hours=(OFFICE,), horizon=date(2026, 12, 31))
    local = Year(year=2026, rest=(Rest(first=date(2026, 9, 20)),), work=(date(2026, 9, 26),))
    summer = Hours(open=("09:00-12:00", "14:00-17:30"), since="06-01", until="09-30")
    city = Layer(id="heze", parent="cn", years=(local,), hours=(OFFICE, summer), horizon=date(2026, 10, 31))
    merged = Calendar.merge("heze", [nation, city])
    assert show(merged.add(ms("2026-09-18 10:00"), "1wd", "next_day").at) == "2026-09-21 17:30:00"
    assert show(merged.add(ms("2026-09-24 10:00"), "1wd", "next_day").at) == "2026-09-26 17:30:00"
    assert show(merged.add(ms("2026-10-09 10:00"), "1wd", "next_day").at) == "2026-10-10 17:00:00"
    assert merged.add(ms("2026-11-02 10:00"), "1wd").provisional


def test_a_season_may_span_the_new_year() -> None:
    winter = Hours(open=("09:30-16:00",), since="11-15", until="03-15")
    calendar = Calendar.build("winter", hours=[OFFICE, winter], years=[YEAR])
    assert show(calendar.add(ms("2026-01-05 08:00"), "1wd", "next_day").at).endswith("16:00:00")
    assert show(calendar.add(ms("2026-03-16 08:00"), "1wd", "next_day").at).endswith("17:00:00")


NATION = Layer(id="cn", years=(YEAR,), hours=(OFFICE,), horizon=date(2026, 12, 31))


def test_single_days_win_over_the_notice() -> None:
    """A city closes on a working day, an office works one Sunday, another day ends at noon; a layer above may undo it."""
    days = (
        OneOff(day=date(2026, 9, 21), open=()),
        OneOff(day=date(2026, 9, 26)),
        OneOff(day=date(2026, 9, 24), open=("09:00-12:00",)),
    )
    city = Layer(id="heze", parent="cn", days=days)
    closed = Calendar.merge("heze", [NATION, city])
    assert show(closed.add(ms("2026-09-20 10:00"), "1wd", "next_day").at) == "2026-09-22 17:00:00"
    assert show(closed.add(ms("2026-09-23 10:00"), "1wd", "next_day").at) == "2026-09-24 12:00:00"
    assert show(closed.add(ms("2026-09-24 10:00"), "1wd", "next_day").at) == "2026-09-26 17:00:00"
    bureau = Layer(id="bureau", parent="heze", days=(OneOff(day=date(2026, 9, 21)), OneOff(day=date(2026, 9, 24))))
    open_again = Calendar.merge("bureau", [NATION, city, bureau])
    assert show(open_again.add(ms("2026-09-20 10:00"), "1wd", "next_day").at) == "2026-09-21 17:00:00"
    assert show(open_again.add(ms("2026-09-23 10:00"), "1wd", "next_day").at) == "2026-09-24 17:00:00"


def test_a_single_day_publishes_nothing() -> None:
    """That a city closes one day of 2027 does not mean that the notice for 2027 is out."""
    city = Layer(id="heze", parent="cn", days=(OneOff(day=date(2027, 3, 1), open=()),))
    assert Calendar.merge("heze", [NATION, city]).horizon == CHINA.horizon


def test_a_desk_that_never_closes_needs_no_notice() -> None:
    """24×7: working units run day and night, and its due dates are never provisional."""
    always = Hours(open=("00:00-24:00",))
    desk = Calendar.build("desk", hours=[always], weekend=(), horizon=date(9999, 12, 31))
    for start in ("2026-02-15 22:30", "2036-10-01 22:30"):
        day = start[:8] + f"{int(start[8:10]) + 1:02d}"
        assert desk.add(ms(start), "2wh", "next_working_instant").at == ms(start) + 2 * 3_600_000
        assert show(desk.add(ms(start), "1wd", "next_day", "end_of_day").at) == f"{day} 23:59:59"
        assert not desk.add(ms(start), "5wd", "next_day").provisional


def test_a_year_without_hours_or_open_days_is_found() -> None:
    """Seasons that leave a part of the year out, years in which nobody works; a long holiday is none of it (peers 47)."""
    summer, winter = (
        Hours(open=("08:00-12:00",), since="06-01", until="09-30"),
        Hours(open=("09:00-12:00",), since="10-01", until="05-30"),
    )
    assert rules_of([Layer(id="cn", hours=(summer, winter))]).without_hours() == (date(2024, 5, 31), date(2024, 5, 31))
    assert rules_of([Layer(id="cn", hours=(OFFICE, summer))]).without_hours() is None
    year = day_of(ms("2026-01-01 00:00")), day_of(ms("2026-12-31 00:00"))
    off = Year(year=2026, rest=(Rest(first=date(2026, 5, 1), last=date(2026, 7, 19)),))
    assert rules_of([NATION, Layer(id="x", years=(off,))]).closed(*year) == (date(2026, 5, 1), date(2026, 7, 19))
    assert rules_of([NATION]).closed(*year) is None


@pytest.mark.parametrize(
    ("hours", "years", "weekend"),
    [
        ([], [YEAR], None),
        ([OFFICE], [YEAR], (1, 2, 3, 4, 5, 6, 7)),
        ([Hours(open=("12:00-09:00",))], [YEAR], None),
        ([Hours(open=("09:00-12:00", "11:00-17:00"))], [YEAR], None),
        ([Hours(open=("09:00-25:00",))], [YEAR], None),
        ([Hours(open=("nine",))], [YEAR], None),
        ([OFFICE], [Year(year=2026, rest=(Rest(first=date(2025, 1, 1)),))], None),
        ([OFFICE], [Year(year=2026, rest=(Rest(first=date(2026, 1, 1)),), work=(date(2026, 1, 1),))], None),
        ([OFFICE], [Year(year=2026, rest=(Rest(first=date(2026, 1, 2), last=date(2026, 1, 1)),))], None),
    ],
)
def test_wrong_data_are_refused(hours: list[Hours], years: list[Year], weekend: tuple[int, ...] | None) -> None:
    """Nobody ever working, overlapping hours, a day of another year, a day both off and worked: ValueError when built."""
    with pytest.raises(ValueError, match=r".+"):
        Calendar.build("wrong", hours=hours, years=years, weekend=weekend)


@pytest.mark.parametrize("text", ["", "5", "wd", "-1d", "5 wd", "1.5h", "5w", "5wdh", "٣d", "1s"])
def test_a_budget_is_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(ValueError, match="time limit"):
        budget(text)


def test_budgets_are_read() -> None:
    assert [budget(text) for text in ("30m", "24h", "2wh", "3d", "15wd")] == [
        Budget(30, "m"), Budget(24, "h"), Budget(2, "wh"), Budget(3, "d"), Budget(15, "wd"),
    ]  # fmt: skip
