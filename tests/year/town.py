"""
What a city asks in a year: when its people call, what about, and what they say afterwards. Seeded; instants are business time.

Calls come by the hour of the day and the day of the week, more of them in the heating season. Some come again about the
same, or others do; some requests come twice over the wire. Of those who were answered some judge the answer some days
later; before that some add to their request, ask after it, or take it back.
"""

import json
import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

from adapters.channels.simulated import read_samples
from adapters.clock import BEIJING
from bench.sample import Sample
from router.catalogue.catalogue import Catalogue
from router.operate.settings import CHECKOUT
from schemas.ids import case_id
from schemas.registry import (
    CASE_OUTCOME,
    REQUEST_EVALUATED,
    REQUEST_OBJECTED,
    REQUEST_SUBMITTED,
    REQUEST_SUPPLEMENTED,
    REQUEST_URGED,
    REQUEST_WITHDRAWN,
)
from workflows.workdays import DAY, HOUR, MINUTE

BY_HOUR = (2, 1, 1, 1, 1, 2, 4, 8, 14, 17, 16, 13, 10, 11, 14, 15, 14, 12, 10, 9, 8, 6, 4, 3)
BY_WEEKDAY = (115, 110, 105, 103, 102, 85, 80)
HEATING = (11, 12, 1, 2, 3)
AFTERWARDS = {"supplement": 4.0, "urge": 3.0, "withdraw": 1.0}
"""Percent of the requests, one to forty hours after them."""
EXAMPLES = 6.0
"""Percent that are those of examples/requests: one-things, emergencies, what is answered at once, all channels."""
DISCLOSURE = {"open": 92, "confidential": 5, "anonymous": 3}
EVALUATED = 35
"""Percent of the answers."""
GRADES = {5: 62, 4: 22, 3: 8, 2: 5, 1: 3}
BAD = 2
REASONS = {"": 55, "slow": 15, "rude": 10, "not_done": 15, "false_reply": 5}
"""Of the bad grades."""
KINDS = {
    "supplement": REQUEST_SUPPLEMENTED,
    "withdraw": REQUEST_WITHDRAWN,
    "evaluate": REQUEST_EVALUATED,
    "urge": REQUEST_URGED,
    "ask_review": REQUEST_OBJECTED,
}


class Again(NamedTuple):
    """Who comes about the same once more: percent of the requests, how many (at most), within what time."""

    percent: float
    how_many: int
    soonest: int
    latest: int
    same_person: bool = False
    urgency: str = ""


AGAIN: Mapping[str, Again] = {
    "repeat": Again(3.0, 3, 2 * DAY, 20 * DAY, same_person=True),
    "alike": Again(2.0, 1, HOUR, 10 * DAY),
    "crowd": Again(0.05, 9, HOUR, 5 * DAY),
    "burst": Again(0.05, 5, MINUTE, 50 * MINUTE, urgency="emergency"),
}
RESENT = {"the same": 0.4, "another under its id": 0.1}
"""Percent of the requests that a channel sends twice, minutes later."""


class Said(NamedTuple):
    """A record of a channel and when it is sent."""

    at: int
    channel: str
    ref: str
    value: bytes


class Known(NamedTuple):
    """What a case is known by outside."""

    channel: str
    ref: str
    region: str


def instants(first: datetime, days: int, count: int, seed: int) -> list[int]:
    """`count` instants over the days, in order, in milliseconds."""
    pick = random.Random(f"{seed} instants")
    dates = [first + timedelta(days=n) for n in range(days)]
    weights = [BY_WEEKDAY[d.weekday()] * (1.2 if d.month in HEATING else 1.0) for d in dates]
    chosen = zip(pick.choices(dates, weights, k=count), pick.choices(range(24), BY_HOUR, k=count), strict=True)
    return sorted(int(d.timestamp() * 1000) + h * HOUR + pick.randrange(HOUR) for d, h in chosen)


class Town:
    """All who ask. `known`: what was sent so far, by case."""

    def __init__(self, catalogue: Catalogue, first: int, seed: int) -> None:
        self._pick = random.Random(f"{seed} town")
        self._seed, self._serial = seed, count(1)
        self._ordinary = Sample(catalogue, first, seed)
        examples = read_samples(CHECKOUT / "examples" / "requests")
        self._examples = [s for s in examples if s.event and s.event.get("type") == REQUEST_SUBMITTED]
        self._examples = [s for s in self._examples if s.channel != "nyc311" and not s.expect]
        self._words = [row.name for row in (*catalogue.categories.values(), *catalogue.divisions.values())]
        self._later: list[Said] = []
        self.known: dict[str, Known] = {}

    def says(self, times: list[int]) -> Iterator[Said]:
        """All requests, about one for each of the times, and what is said of them before they are answered, by time."""
        left = len(times)
        for at in times:
            yield from self._until(at)
            if left <= 0:
                break
            left -= self._asks(at)
        yield from self._until(1 << 62)

    def _until(self, at: int) -> Iterator[Said]:
        while self._later and self._later[0].at <= at:
            yield heappop(self._later)

    def _asks(self, at: int) -> int:
        """Somebody asks something new; those who come about the same count as well."""
        channel, event = self._example() if self._falls(EXAMPLES) else self._new()
        self._sent(at, channel, event)
        asked = 1
        for again in AGAIN.values():
            for _ in range(self._pick.randint(1, again.how_many) if self._falls(again.percent) else 0):
                self._sent(
                    at + self._pick.randrange(again.soonest, again.latest), channel, self._once_more(event, again)
                )
                asked += 1
        return asked

    def _new(self) -> tuple[str, dict[str, Any]]:
        """Each about something else: one of this town that is like another was meant to be."""
        made = self._ordinary.take(1)[0]
        event = json.loads(made.value)
        data = event["data"]
        data["title"] = "，".join(self._pick.sample(self._words, 3))[:100]
        data["text"] = f"{data['place']['address']}：{'，'.join(self._pick.sample(self._words, 14))}。"
        data["applicant"]["disclosure"] = self._drawn(DISCLOSURE)
        return made.channel, event

    def _example(self) -> tuple[str, dict[str, Any]]:
        made = self._pick.choice(self._examples)
        event = json.loads(json.dumps(made.event))
        for name in ("received_at", "backfilled"):
            event["data"].pop(name, None)
        if "phone" in (event["data"].get("applicant") or {}):
            event["data"]["applicant"]["phone"] = self._phone()
            event["data"]["applicant"].pop("id_number", None)
        return made.channel, event

    def _once_more(self, event: dict[str, Any], again: Again) -> dict[str, Any]:
        other: dict[str, Any] = json.loads(json.dumps(event))
        data = other["data"]
        data["text"] = f"{data.get('text', '')}另有情况：{'，'.join(self._pick.sample(self._words, 2))}。"
        if not again.same_person and "phone" in (data.get("applicant") or {}):
            data["applicant"]["phone"] = self._phone()
        if again.urgency:
            data["urgency"] = again.urgency
        return other

    def _phone(self) -> str:
        return f"137{self._pick.randint(0, 99999999):08d}"

    def _sent(self, at: int, channel: str, event: dict[str, Any]) -> None:
        """On its way, with what will be said of it."""
        ref = f"year-{self._seed}-{next(self._serial):07d}"
        event |= {"id": ref, "time": _text(at)}
        event["data"].pop("occurred_at", None)
        place = event["data"].get("place") or {}
        self.known[case_id(channel, ref)] = Known(channel, ref, place.get("region", ""))
        heappush(self._later, Said(at, channel, ref, _written(event)))
        for what, percent in RESENT.items():
            if self._falls(percent):
                if what != "the same":
                    event["data"]["title"] += "（更正）"
                heappush(self._later, Said(at + self._pick.randrange(MINUTE, HOUR), channel, ref, _written(event)))
        for what, percent in AFTERWARDS.items():
            if self._falls(percent):
                heappush(self._later, follow_up(at + self._pick.randrange(HOUR, 40 * HOUR), what, channel, ref))

    def _falls(self, percent: float) -> bool:
        return self._pick.random() * 100 < percent

    def _drawn(self, shares: Mapping[str, int]) -> str:
        return self._pick.choices(list(shares), list(shares.values()))[0]


def evaluation(channel: str, headers: Mapping[str, str], ref: str, at: int, seed: int) -> tuple[Said, int] | None:
    """What the applicant thinks of an outcome, when he says it, and the grade; most say nothing."""
    pick = random.Random(f"{seed} {ref} {headers.get('ce_id')}")
    if headers.get("ce_type") != CASE_OUTCOME or pick.random() * 100 >= EVALUATED:
        return None
    grade = pick.choices(list(GRADES), list(GRADES.values()))[0]
    reason = pick.choices(list(REASONS), list(REASONS.values()))[0] if grade <= BAD else ""
    said: dict[str, object] = {"grade": grade} | ({"reasons": [reason]} if reason else {})
    return follow_up(at + pick.randrange(HOUR, 6 * DAY), "evaluate", channel, ref, **said), grade


def follow_up(at: int, what: str, channel: str, ref: str, **data: object) -> Said:
    """What an applicant says of a request of his."""
    said = {"supplement": {"text": "补充：情况没有变化。"}, "ask_review": {"text": "属贵市职责，请复核。"}}.get(
        what, {}
    ) | data
    event = {
        "specversion": "1.0",
        "id": f"{ref}-{what}-{at}",
        "source": f"/channels/{channel}",
        "type": KINDS[what],
        "subject": ref,
        "time": _text(at),
        "data": said,
    }
    return Said(at, channel, ref, _written(event))


def _written(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, BEIJING).isoformat(timespec="milliseconds")
