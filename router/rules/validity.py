"""From when until when a rule holds, in milliseconds. Days are Beijing days."""

from datetime import date, datetime, time, timedelta, timezone

from router.rules.model import Rule

BEIJING = timezone(timedelta(hours=8))
NEVER = 1 << 62


def window(rule: Rule) -> tuple[int, int]:
    """The first millisecond at which the rule holds, and the first at which it no longer does. Raises ValueError."""
    return _window(rule.valid_from, rule.valid_to)


def is_on(valid_from: str, valid_to: str, now: int) -> bool:
    """Whether what is valid on these days, both included, is so now. Raises ValueError."""
    start, end = _window(valid_from, valid_to)
    return start <= now < end


def _window(valid_from: str, valid_to: str) -> tuple[int, int]:
    start = _midnight(date.fromisoformat(valid_from)) if valid_from else 0
    end = _midnight(date.fromisoformat(valid_to) + timedelta(days=1)) if valid_to else NEVER
    return start, end


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), BEIJING).timestamp() * 1000)
