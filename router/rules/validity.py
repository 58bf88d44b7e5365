"""From when until when a rule holds, in milliseconds. Days are Beijing days."""

from datetime import date, datetime, time, timedelta, timezone

from router.rules.model import Rule

BEIJING = timezone(timedelta(hours=8))
NEVER = 1 << 62


def window(rule: Rule) -> tuple[int, int]:
    """The first millisecond at which the rule holds, and the first at which it no longer does. Raises ValueError."""
    start = _midnight(date.fromisoformat(rule.valid_from)) if rule.valid_from else 0
    end = _midnight(date.fromisoformat(rule.valid_to) + timedelta(days=1)) if rule.valid_to else NEVER
    return start, end


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), BEIJING).timestamp() * 1000)
