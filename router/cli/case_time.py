"""
Who had a case in hand for how long, in working time: the part of `duokua case show` that workflows/attribution.py reckons.
"""

import json
from typing import Any

from adapters.readmodel import CaseFile
from router.cli.case_words import Words
from schemas.times import to_text
from workflows.attribution import Happening, Ledger, attribute
from workflows.calendars import Calendar
from workflows.workdays import HOUR, MINUTE


def ledger_of(file: CaseFile, words: Words, now: int) -> tuple[Ledger, Calendar] | None:
    """The ledger of a case, and the calendar that it counts by; None where this catalogue does not know that calendar."""
    happenings = [Happening(s.at, s.type.partition(".")[0], json.loads(s.detail)) for s in file.timeline]
    named = next((str(h.what.get("calendar", "")) for h in happenings if h.name == "CaseRegistered"), "")
    calendar = words.calendar(named)
    made = attribute(happenings, calendar, now) if calendar is not None else None
    return (made, calendar) if made is not None and calendar is not None else None


def length(words: Words, calendar: Calendar, time: int) -> str:
    """`26 小时 30 分（4.1 个工作日）`: a working day is as long as they are on the whole."""
    hours, rest = divmod(time, HOUR)
    days = time * calendar.before[-1] / calendar.opened[-1]
    return words.word("length", hours=hours, minutes=rest // MINUTE, days=f"{days:.1f}")


def as_json(ledger: Ledger) -> dict[str, Any]:
    """Times in milliseconds of working time."""
    return {
        "received": to_text(ledger.received),
        "until": to_text(ledger.until),
        "whole": ledger.whole,
        "shares": [share._asdict() for share in ledger.shares],
        "kept": [
            kept._asdict()
            | {"promised": to_text(kept.promised), "actual": to_text(kept.actual) if kept.actual else None}
            for kept in ledger.kept
        ],
    }
