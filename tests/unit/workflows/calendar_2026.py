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


NEXT = Year(year=2027, rest=(Rest(first=date(2027, 1, 1), last=date(2027, 1, 3)),), work=(date(2027, 1, 9),))
"""Made up: the notice for 2027 is not out."""
PUBLISHED = Calendar.build("cn-2027", hours=[OFFICE], years=[YEAR, NEXT], horizon=date(2027, 12, 31))
"""The same with the next year."""
CHANGED = Calendar.build(
    "cn-2026b",
    hours=[OFFICE],
    years=[
        Year(
            year=2026,
            rest=(*YEAR.rest, Rest(first=day("09-22"), last=day("09-23"))),
            work=tuple(d for d in YEAR.work if d != day("09-20")),
        )
    ],
    horizon=date(2026, 12, 31),
)
"""Changed in mid-year: 09-20 is no longer worked, 09-22 and 09-23 are off."""
CALENDARS = {calendar.id: calendar for calendar in (CHINA, PUBLISHED, CHANGED)}


def ms(text: str) -> int:
    """`2026-09-18 10:00` of China time in milliseconds."""
    return round(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1000)


def show(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, tz=datetime.fromisoformat("2026-01-01T00:00+08:00").tzinfo).strftime(
        "%Y-%m-%d %H:%M:%S"
    )
