"""
When the rungs of a ladder are due: reckoned with the clock they belong to, repetitions and quiet hours included.

A rung that falls into its receiver's quiet hours is said when they end, and so never lost; a warning is said before they
begin, as after the due it would be none.
"""

from collections.abc import Iterator
from functools import lru_cache

from workflows import events as ev
from workflows.calendars import OFFSET, Calendar, day_of
from workflows.policies import Step
from workflows.workdays import DAY, time_of_day

CLOSED = "closed"
"""Quiet hours that are whatever the calendar does not work."""


def rungs(calendar: Calendar, ladder: tuple[Step, ...], start: int, due: int, awake: bool) -> Iterator[ev.Mark]:
    """The marks of a ladder. awake: the case is urgent, nobody's quiet hours count."""
    for step in ladder:
        said = 0
        for turn, at in enumerate(_times(calendar, step, start if step.since == "start" else due), 1):
            at = at if awake or not step.quiet else waking(calendar, step.quiet, at)
            if at == said:
                continue  # two repetitions that wait for the same morning are one
            said = at
            yield _mark(step, at, turn)


def _times(calendar: Calendar, step: Step, since: int) -> Iterator[int]:
    at = calendar.add(since, step.after).at
    yield at
    for _ in range(step.times - 1):
        at = calendar.add(at, step.every).at
        yield at


def _mark(step: Step, at: int, turn: int) -> ev.Mark:
    if step.is_plain:
        return ev.Mark(at=at, what="escalate", level=step.level, who=step.who, step=step.what)
    return ev.Mark(
        at=at, what="escalate", level=step.level, who=step.who, step=step.what,
        turn=turn, role=step.role, duty=step.duty, until=step.until, acknowledge=step.acknowledge,
    )  # fmt: skip


def waking(calendar: Calendar, quiet: str, at: int) -> int:
    """The first instant from `at` on that is not in the quiet hours."""
    if quiet == CLOSED:
        return calendar.add(at, "0wh", "next_working_instant").at
    since, until = hours(quiet)
    time, midnight = _in_day(at)
    if since < until:
        return midnight + until if since <= time < until else at
    if time >= since:
        return midnight + DAY + until
    return midnight + until if time < until else at


def last_waking(calendar: Calendar, quiet: str, at: int) -> int:
    """The last instant up to `at` that is not in the quiet hours: the one at which they begin."""
    if quiet == CLOSED:
        return at if waking(calendar, quiet, at) == at else calendar.subtract(at, "0wd")
    if waking(calendar, quiet, at) == at:
        return at
    since, _ = hours(quiet)
    time, midnight = _in_day(at)
    return midnight + since if time >= since else midnight - DAY + since


@lru_cache(maxsize=256)
def hours(quiet: str) -> tuple[int, int]:
    """Quiet hours in milliseconds since midnight, over it where the second is the earlier. ValueError where they are none."""
    since, _, until = quiet.partition("-")
    parsed = time_of_day(since), time_of_day(until)
    if parsed[0] == parsed[1]:
        raise ValueError(f"no quiet hours: {quiet!r}")
    return parsed


def _in_day(at: int) -> tuple[int, int]:
    """The time of the day, and when that day began."""
    midnight = day_of(at) * DAY - OFFSET
    return at - midnight, midnight
