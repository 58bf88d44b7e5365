"""
What units, offices and applicants say in the year beside what the simulated departments say of their tasks by themselves:
the moves of the table, drawn once for each task that is given and each case that ends.
"""

import json
import random
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from adapters.clock import BEIJING
from schemas.ids import event_id
from schemas.registry import ORDER_GIVEN, REPLY_SUBMITTED, TASK_ASSIGNED
from tests.year.moves import MOVES, Move
from tests.year.town import Known, Said, follow_up
from workflows.facts import Facts, Target
from workflows.workdays import DAY

NOBODY_KNOWS = Known("hotline_12345", "", "")
"""In place of a case that no channel sent: a part that was split off."""
RECENT = 300
"""Cases of which a dispatcher still thinks when he merges another one."""


class Spoken(NamedTuple):
    """A record for the replies of an endpoint and when it is sent."""

    at: int
    endpoint: str
    case: str
    value: bytes


class Offices:
    """Everybody who says something of a case without being asked by the simulated departments."""

    def __init__(self, facts: Facts, known: Mapping[str, Known], seed: int) -> None:
        self._facts, self._known, self._seed = facts, known, seed
        self._seen: set[str] = set()
        self._given: dict[str, tuple[str, str, str]] = {}
        """Who has a unit's task, by its id: endpoint, unit, task"""
        self._leads: dict[str, str] = {}
        """The task of who leads, by case"""
        self._legs: dict[tuple[str, str], str] = {}
        self._recent: deque[tuple[str, str]] = deque(maxlen=RECENT)

    def hear(self, endpoint: str, headers: Mapping[str, str], value: bytes, at: int) -> Iterator[Said | Spoken]:
        """A record of a task topic: what will be said because of it."""
        if headers.get("ce_type") != TASK_ASSIGNED:
            return
        task = json.loads(value)
        if task["task_id"] in self._seen:
            return
        self._seen.add(task["task_id"])
        case, kind = task["case_id"], task["kind"]
        if kind == "handle":
            kind = task.get("part", "")
            self._given[task["task_id"]] = endpoint, task["unit"], task["task_id"]
            self._legs[case, task["leg"]] = task["task_id"]
            if kind == "lead":
                self._leads[case] = task["task_id"]
        for what in self._heard(kind, task):
            yield from self.happens(what, task | {"endpoint": endpoint}, at)
        if kind == "lead":
            self._recent.append((case, self._centre(task)))

    def _heard(self, kind: str, task: Mapping[str, Any]) -> Iterator[str]:
        """By which names the table knows what was given."""
        yield kind
        if kind == "lead" and not ((task.get("request") or {}).get("applicant") or {}).get("phone"):
            yield "hidden"
        if kind == "triage" and task["case_id"] not in self._leads:
            yield "untouched"
        if kind == "call_back" and task.get("reason") == "redone":
            yield "called_again"

    def happens(self, what: str, task: Mapping[str, Any], at: int) -> Iterator[Said | Spoken]:
        """What follows from something, by the table. `task`: at least its `case_id`."""
        pick = random.Random(f"{self._seed} {what} {task['case_id']} {task.get('task_id', at)}")
        yield from self._moves(what, task, at, pick)

    def _moves(self, on: str, task: Mapping[str, Any], at: int, pick: random.Random) -> Iterator[Said | Spoken]:
        for number, move in enumerate(MOVES):
            if move.on == on and pick.random() * 100 < move.percent:
                then = at + pick.randint(*move.within)
                said = self._said(move, task, then, pick, number)
                if said is not None:
                    yield said
                    yield from self._moves(f"after {move.action}", task, then, pick)

    def _said(
        self, move: Move, task: Mapping[str, Any], at: int, pick: random.Random, number: int
    ) -> Said | Spoken | None:
        case = task["case_id"]
        if move.by == "applicant":
            known = self._known.get(case)
            return follow_up(at, move.action, known.channel, known.ref) if known else None
        said = {"case_id": case, "action": move.action} | dict(move.said) | self._more(move, task, at, pick)
        if said.get("cases") == []:  # nobody else is there to merge it into
            return None
        if move.by in _TASKS:
            holder = self._holder(move.by, task)
            if holder is None:
                return None
            endpoint, _, said["task_id"] = holder
            return _spoken(at, REPLY_SUBMITTED, endpoint, said, number)
        unit = self._office(move.by, task)
        if unit is None:
            return None
        said["unit"], endpoint = unit
        return _spoken(at, ORDER_GIVEN, endpoint, said, number)

    # -- who speaks -------------------------------------------------------------------------------

    def _holder(self, by: str, task: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """Endpoint, unit and task of who answers a task."""
        if by == "parent":
            return self._given.get(task.get("parent_task") or "")
        if by == "returner":
            return self._given.get(self._legs.get((task["case_id"], task.get("leg", "")), ""))
        return task["endpoint"], task["unit"], task["task_id"]

    def _office(self, by: str, task: Mapping[str, Any]) -> tuple[str, str] | None:
        """Unit and endpoint of who orders."""
        region = self._region(task)
        if by == "lead":
            holder = self._given.get(self._leads.get(task["case_id"], ""))
            return (holder[1], holder[0]) if holder else None
        if by == "centre":
            unit = self._facts.unit(self._centre(task))
        elif by == "supervisor":
            unit = self._facts.supervisor(region)
        elif by == "orderer":
            unit = self._facts.unit((task.get("order") or {}).get("unit", ""))
        else:
            unit = self._facts.resolve(Target(function="government"), region)
        return (unit.id, unit.endpoint) if unit else None

    def _centre(self, task: Mapping[str, Any]) -> str:
        return self._facts.centre(self._known.get(task["case_id"], NOBODY_KNOWS).channel, self._region(task)).id

    def _region(self, task: Mapping[str, Any]) -> str:
        place = (task.get("request") or {}).get("place") or {}
        return str(place.get("region") or self._known.get(task["case_id"], NOBODY_KNOWS).region)

    # -- what follows from the case ---------------------------------------------------------------

    def _more(self, move: Move, task: Mapping[str, Any], at: int, pick: random.Random) -> dict[str, Any]:
        if move.action in ("ask_hang", "review_plan"):
            until = datetime.fromtimestamp((at + pick.randint(30, 200) * DAY) / 1000, BEIJING)
            return {"until": until.isoformat(timespec="seconds")}
        if move.action == "re_dispatch":
            superior = self._facts.superior(task["unit"])
            return {"targets": [{"unit": superior.id if superior else task["unit"]}]}
        if move.action == "merge":
            mine = self._centre(task)
            others = [case for case, centre in self._recent if centre == mine and case != task["case_id"]]
            return {"cases": [pick.choice(others)] if others else []}
        if move.action in ("recall", "send_back_below"):
            return {"units": [task["unit"]]}
        return {}


_TASKS = ("unit", "parent", "returner")
"""Who answers a task; all others order."""


def _spoken(at: int, kind: str, endpoint: str, data: dict[str, Any], number: int) -> Spoken:
    event = {
        "specversion": "1.0",
        "id": event_id(f"{data['case_id']}|{data.get('task_id')}|{number}|{at}", 0),
        "source": f"/endpoints/{endpoint}",
        "type": kind,
        "data": data,
    }
    return Spoken(at, endpoint, data["case_id"], json.dumps(event, ensure_ascii=False).encode())
