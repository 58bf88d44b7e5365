"""
What a city asks in a year: when its people call, and what they say afterwards. Seeded; instants are business time.

Calls come by the hour of the day and the day of the week, more of them in the heating season. Of those who were
answered some judge the answer some days later; before that some add to their request, ask after it, or take it back.
"""

import json
import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from adapters.clock import BEIJING
from bench.sample import Sample
from schemas.registry import CASE_OUTCOME, REQUEST_EVALUATED, REQUEST_SUPPLEMENTED, REQUEST_URGED, REQUEST_WITHDRAWN
from workflows.workdays import DAY, HOUR

BY_HOUR = (2, 1, 1, 1, 1, 2, 4, 8, 14, 17, 16, 13, 10, 11, 14, 15, 14, 12, 10, 9, 8, 6, 4, 3)
BY_WEEKDAY = (115, 110, 105, 103, 102, 85, 80)
HEATING = (11, 12, 1, 2, 3)
AFTERWARDS = {"supplemented": 4.0, "urged": 3.0, "withdrawn": 1.0}
"""Percent of the requests, one to forty hours after them."""
EVALUATED = 35
"""Percent of the answers."""
KINDS = {
    "supplemented": REQUEST_SUPPLEMENTED,
    "withdrawn": REQUEST_WITHDRAWN,
    "evaluated": REQUEST_EVALUATED,
    "urged": REQUEST_URGED,
}
GRADES = {5: 62, 4: 22, 3: 8, 2: 5, 1: 3}


class Said(NamedTuple):
    """A record of a channel and when it is sent."""

    at: int
    channel: str
    ref: str
    value: bytes


def instants(first: datetime, days: int, count: int, seed: int) -> list[int]:
    """`count` instants over the days, in order, in milliseconds."""
    pick = random.Random(f"{seed} instants")
    dates = [first + timedelta(days=n) for n in range(days)]
    weights = [BY_WEEKDAY[d.weekday()] * (1.2 if d.month in HEATING else 1.0) for d in dates]
    chosen = zip(pick.choices(dates, weights, k=count), pick.choices(range(24), BY_HOUR, k=count), strict=True)
    return sorted(int(d.timestamp() * 1000) + h * HOUR + pick.randrange(HOUR) for d, h in chosen)


def requests(sample: Sample, times: list[int], seed: int) -> Iterator[Said]:
    """All requests and what is said of them before they are answered, by time."""
    pick = random.Random(f"{seed} afterwards")
    later: list[Said] = []
    for at in times:
        made = sample.take(1)[0]
        event = json.loads(made.value)
        event["time"] = _text(at)
        event["data"].pop("occurred_at", None)
        yield from _until(later, at)
        yield Said(at, made.channel, made.ref, json.dumps(event, ensure_ascii=False).encode())
        for what, percent in AFTERWARDS.items():
            if pick.random() * 100 < percent:
                later.append(_follow_up(at + pick.randrange(HOUR, 40 * HOUR), what, made.channel, made.ref))
    yield from _until(later, 1 << 62)


def _until(later: list[Said], at: int) -> Iterator[Said]:
    due = sorted(said for said in later if said.at <= at)
    later[:] = [said for said in later if said.at > at]
    yield from due


def evaluation(channel: str, headers: Mapping[str, str], ref: str, at: int, seed: int) -> Said | None:
    """What the applicant thinks of an outcome, and when he says it; most say nothing."""
    pick = random.Random(f"{seed} {ref} {headers.get('ce_id')}")
    if headers.get("ce_type") != CASE_OUTCOME or pick.random() * 100 >= EVALUATED:
        return None
    grade = pick.choices(list(GRADES), list(GRADES.values()))[0]
    return _follow_up(at + pick.randrange(HOUR, 6 * DAY), "evaluated", channel, ref, grade=grade)


def _follow_up(at: int, what: str, channel: str, ref: str, **data: object) -> Said:
    said = {"supplemented": {"text": "补充：情况没有变化。"}}.get(what, {}) | data
    event = {
        "specversion": "1.0",
        "id": f"{ref}-{what}-{at}",
        "source": f"/channels/{channel}",
        "type": KINDS[what],
        "subject": ref,
        "time": _text(at),
        "data": said,
    }
    return Said(at, channel, ref, json.dumps(event, ensure_ascii=False).encode())


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, BEIJING).isoformat(timespec="milliseconds")
