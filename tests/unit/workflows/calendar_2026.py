"""The notice for 2026 (国务院办公厅, 2025-11-04), typed in, so that the tests depend on no data file."""

from datetime import date, datetime

from workflows.calendars import Calendar
from workflows.workdays import Hours, Rest, Year

OFF = (
    ("01-01", "01-03"), ("02-15", "02-23"), ("04-04", "04-06"), ("05-01", "05-05"),
    ("06-19", "06-21"), ("09-25", "09-27"), ("10-01", "10-07"),
)  # fmt: skip
WORK = ("01-04", "02-14", "02-28", "05-09", "09-20", "10-10")


def day(month_day: str) -> date:
    return date.fromisoformat(f"2026-{month_day}")


YEAR = Year(
    year=2026,
    rest=tuple(Rest(first=day(first), last=day(last)) for first, last in OFF),
    work=tuple(day(text) for text in WORK),
)
OFFICE = Hours(open=("09:00-12:00", "13:30-17:00"))
CHINA = Calendar.build("cn-2026", hours=[OFFICE], years=[YEAR], horizon=date(2026, 12, 31))

HALL = Calendar.build(
    "hall-2026",
    hours=[Hours(open=("08:30-12:00", "14:00-18:00"))],
    years=[YEAR],
    horizon=date(2026, 12, 31),
    weekend=(7,),
)
"""A department's own: Saturdays too, and other hours."""


def ms(text: str) -> int:
    """`2026-09-18 10:00` of China time in milliseconds."""
    return round(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1000)


def show(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, tz=datetime.fromisoformat("2026-01-01T00:00+08:00").tzinfo).strftime(
        "%Y-%m-%d %H:%M:%S"
    )
