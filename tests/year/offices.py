"""
What units and offices say in the year beside what the simulated departments say of their tasks by themselves.

Drawn once per case, when its lead is first given its task: some units ask for an extension or note how far they are; a few cases
are urged by the centre, supervised, instructed or given to another unit. What no longer fits when its time comes is
refused, as in life.
"""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.ids import event_id
from schemas.registry import ORDER_GIVEN, REPLY_SUBMITTED, TASK_ASSIGNED
from workflows.facts import Facts, Target
from workflows.workdays import DAY, HOUR

SHARES = {
    "extension": 6.0,
    "note": 3.0,
    "urge": 4.0,
    "supervise": 1.0,
    "instruct": 0.3,
    "re_dispatch": 0.5,
    "reveal": 1.0,
}
"""Percent of the cases."""
LENGTHS = ("2wd", "5wd", "10wd")


class Spoken(NamedTuple):
    """A record for the replies of an endpoint and when it is sent."""

    at: int
    endpoint: str
    case: str
    value: bytes


class Offices:
    """Everybody who says something of a case without being asked."""

    def __init__(self, facts: Facts, seed: int) -> None:
        self._facts, self._seed = facts, seed
        self._seen: set[str] = set()

    def hear(self, endpoint: str, headers: Mapping[str, str], value: bytes, at: int) -> Iterator[Spoken]:
        """A record of a task topic: what will be said because of it."""
        if headers.get("ce_type") != TASK_ASSIGNED:
            return
        task = json.loads(value)
        if task["kind"] != "handle" or task.get("part") != "lead" or task["case_id"] in self._seen:
            return
        self._seen.add(task["case_id"])
        pick = random.Random(f"{self._seed} {task['case_id']}")
        for what, percent in SHARES.items():
            if pick.random() * 100 < percent:
                said = self._said(what, task, endpoint, pick)
                if said is not None:
                    yield _spoken(at + pick.randrange(2 * HOUR, 3 * DAY), what, *said)

    def _said(
        self, what: str, task: dict[str, Any], endpoint: str, pick: random.Random
    ) -> tuple[str, dict[str, Any]] | None:
        mine = {"case_id": task["case_id"], "task_id": task["task_id"]}
        if what == "extension":
            more = {"action": "ask_extension", "limit": pick.choice(LENGTHS), "reason": "complex"}
            return endpoint, mine | more
        if what == "note":
            return endpoint, mine | {"action": "note", "text": "已到现场查看。"}
        unit = self._unit(what, task)
        if unit is None:
            return None
        order = {"case_id": task["case_id"], "action": what, "unit": unit[0], "officer": "G-1001"}
        return unit[1], order | self._more(what, task)

    def _unit(self, what: str, task: dict[str, Any]) -> tuple[str, str] | None:
        region = task["request"]["place"]["region"]
        if what == "reveal":
            unit = self._facts.unit(task["unit"])
        elif what in ("urge", "re_dispatch"):
            unit = self._facts.centre("hotline_12345", region)
        elif what == "supervise":
            unit = self._facts.supervisor(region)
        else:
            unit = self._facts.resolve(Target(function="government"), region)
        return (unit.id, unit.endpoint) if unit else None

    def _more(self, what: str, task: dict[str, Any]) -> dict[str, Any]:
        if what == "supervise":
            return {"reason": "shifting", "limit": "3wd", "text": "请尽快核实办理。"}
        if what == "instruct":
            return {"text": "请认真办理并报结果。", "post": "分管副区长", "limit": "3wd"}
        if what == "reveal":
            return {"reason": "contact", "fields": ["phone"]}
        if what == "re_dispatch":
            superior = self._facts.superior(task["unit"])
            return {"reason": "wrong_level", "targets": [{"unit": superior.id if superior else task["unit"]}]}
        return {}


def _spoken(at: int, what: str, endpoint: str, data: dict[str, Any]) -> Spoken:
    kind = REPLY_SUBMITTED if "task_id" in data else ORDER_GIVEN
    event = {
        "specversion": "1.0",
        "id": event_id(f"{data['case_id']}|{what}", 0),
        "source": f"/endpoints/{endpoint}",
        "type": kind,
        "data": data,
    }
    return Spoken(at, endpoint, data["case_id"], json.dumps(event, ensure_ascii=False).encode())
