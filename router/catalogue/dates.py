"""Days, hours and limits as people write them, and the findings when they do not."""

from datetime import date

from router.catalogue.findings import At, Findings
from workflows.calendars import budget
from workflows.rungs import CLOSED as OUTSIDE_OFFICE_HOURS
from workflows.rungs import hours


def check_dates(start: str, end: str, at: At, findings: Findings) -> None:
    """Both are days (`2026-01-31`) or empty, and in this order."""
    good = [_is_day(value, at, findings) for value in (start, end)]
    if all(good) and start and end and end < start:
        findings.add("dates_reversed", at, start=start, end=end)


def _is_day(value: str, at: At, findings: Findings) -> bool:
    try:
        if not value or (len(value) == 10 and date.fromisoformat(value)):
            return True
    except ValueError:
        pass
    findings.add("bad_date", at, value=value)
    return False


def check_budget(limit: str, at: At, findings: Findings) -> None:
    """A finding unless `limit` reads like `5wd`."""
    try:
        budget(limit)
    except ValueError:
        findings.add("bad_budget", at, value=limit)


def longer(promised: str, legal: str) -> bool:
    """Whether a promised limit is longer than the legal one; unlike units are not compared."""
    try:
        mine, law = budget(promised), budget(legal)
    except ValueError:
        return False
    return mine.unit == law.unit and mine.count > law.count


def check_limits(at: At, findings: Findings, *limits: str) -> None:
    """The same of as many as are given."""
    for limit in filter(None, limits):
        check_budget(limit, at, findings)


def check_hours(text: str, at: At, findings: Findings, column: str = "quiet") -> None:
    """Add what is wrong with hours of the day; quiet ones may be those outside office hours."""
    if text and not (text == OUTSIDE_OFFICE_HOURS and column == "quiet"):
        try:
            hours(text)
        except ValueError:
            findings.add("bad_hours", at, column=column, value=text)
