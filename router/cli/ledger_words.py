"""How a ledger of days reads (workflows/ledger.py), in Chinese and in English, and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from router.cli.case_texts import WEEKDAYS
from workflows.ledger import Reason, Row
from workflows.workdays import DAY, EPOCH, MINUTE, Intervals

WHY: Mapping[str, tuple[str, str]] = {
    "usual": ("工作日", "working day"),
    "weekend": ("休息日", "weekend"),
    "rest": ("{name}放假（{layer}）", "holiday {name} ({layer})"),
    "work": ("调休上班（{layer}）", "worked weekend ({layer})"),
    "closed": ("当日不办公：{name}（{layer}）", "closed on this day: {name} ({layer})"),
    "opened": ("当日办公：{name}（{layer}）", "open on this day: {name} ({layer})"),
    "hours": ("当日另定办公时间：{name}（{layer}）", "hours of its own on this day: {name} ({layer})"),
    "receipt": ("收到当日，不计", "day of receipt, not counted"),
    "natural": ("自然日", "natural day"),
    "carried": ("期间最后一日是休假日，顺延至此", "the last day of the period was a day off: this one is"),
}
PROVISIONAL = ("暂定：当年安排未公布", "provisional: the notice is not out")
NAMELESS = "—"


def sentence(row: Row, side: int) -> str:
    """Why a day is what it is; its hours, where it is open."""
    parts = [worded(row.reason, side)]
    if row.counted and row.reason.why != "natural":
        parts.append(hours(row.open))
    if row.provisional:
        parts.append(PROVISIONAL[side])
    return ("，", ", ")[side].join(parts)


def worded(reason: Reason, side: int) -> str:
    return WHY[reason.why][side].format(name=reason.name or NAMELESS, layer=reason.layer)


def lines(rows: Sequence[Row], side: int) -> Iterator[str]:
    """One line a day: the date, how much is used up by its end (`-` where nothing of it counts), and why."""
    for row in rows:
        day = date.fromordinal(EPOCH + row.day)
        used = number(row.total) if row.counted else "-"
        yield f"{day} {WEEKDAYS[day.weekday()][side]} {used:>6}  {sentence(row, side)}"


def number(amount: Fraction) -> str:
    """To two digits, rounded to the nearest: 59 seconds are no hour, and a day that ends at 23:59:59 is a day."""
    return f"{float(amount):.2f}".rstrip("0").rstrip(".")


def hours(open_: Intervals) -> str:
    return " ".join(f"{_clock(since)}-{_clock(until)}" for since, until in open_)


def _clock(time: int) -> str:
    return "24:00" if time == DAY else f"{time // MINUTE // 60:02d}:{time // MINUTE % 60:02d}"


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For machines: the amounts in the limit's unit, in codes and both languages."""
    return [
        {
            "date": date.fromordinal(EPOCH + row.day).isoformat(),
            "weekday": date.fromordinal(EPOCH + row.day).isoweekday(),
            "counted": round(float(row.counted), 6),
            "total": round(float(row.total), 6),
            "why": row.reason.why,
            "name": row.reason.name,
            "layer": row.reason.layer,
            "text_zh": sentence(row, 0),
            "text_en": sentence(row, 1),
            "open": hours(row.open).split(),
            "provisional": row.provisional,
        }
        for row in rows
    ]
