"""
`duokua run simulator`: the departments of the demo, on the real topics.

It reads the task topics of every endpoint from their beginning and belongs to no consumer group: what the
simulated people will say follows from the tasks alone, so a simulator that starts anew plans the same again.
What stands on the reply topics already is not said twice.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import structlog
from aiokafka import TopicPartition
from pydantic import ValidationError

from adapters.departments.simulated import Planned, plan, reply_id
from router.catalogue.publish import follow
from router.operate.process import Process
from router.simulator.desk import Desk
from router.simulator.schedule import schedule
from schemas.registry import REPLY_SUBMITTED, TASK_ASSIGNED, TASK_SENT_BACK, TASK_WITHDRAWN
from schemas.task import Task, TaskWithdrawn
from schemas.times import from_milliseconds, parse, to_text
from workflows.calendars import MINUTE
from workflows.facts import Facts

log = structlog.get_logger()

POLL_MS = 100
WITHDRAWN = 1 << 30
"""In place of a round: nothing more is said about the task, whatever comes again."""
TALKED_BEFORE = 25 * MINUTE
"""How long before a reply the applicant was called."""


class Departments:
    """All desks of one deployment: what they were asked, and what they will say when."""

    def __init__(self, desk: Desk, facts: Facts, seed: str) -> None:
        self._desk, self._facts, self._seed = desk, facts, seed
        self._rounds: dict[str, int] = {}
        self._heap: list[tuple[int, int, str, int, Planned]] = []
        self._order = count()
        self.said: set[str] = set()

    def take(self, endpoint: str, headers: Mapping[str, str], value: bytes) -> None:
        """A record of a task topic."""
        kind = headers.get("ce_type", "")
        if kind == TASK_WITHDRAWN:
            self._rounds[TaskWithdrawn.model_validate_json(value).task_id] = WITHDRAWN
        elif kind in (TASK_ASSIGNED, TASK_SENT_BACK):
            self._plan(endpoint, Task.model_validate_json(value), parse(headers.get("ce_time", "")) or 0)

    def _plan(self, endpoint: str, task: Task, at: int) -> None:
        """Plan a round once; an older one, and what was planned for it, lapses."""
        if self._rounds.get(task.task_id, task.round - 1) != task.round - 1:
            return
        self._rounds[task.task_id] = task.round
        unit = self._facts.unit(task.unit)
        calendar = self._facts.calendar(unit.place if unit else "")
        for when, planned in schedule(plan(task, self._desk, self._seed), task, at, calendar):
            heapq.heappush(self._heap, (when, next(self._order), endpoint, task.round, planned))

    @property
    def next_at(self) -> int:
        """The instant of the earliest planned reply; far away where none is planned."""
        return self._heap[0][0] if self._heap else 1 << 62

    def due(self, now: int) -> Iterable[tuple[str, str, int, Planned]]:
        """What is to be said by now: endpoint, event id, instant, reply. Each is given once."""
        while self._heap and self._heap[0][0] <= now:
            at, _, endpoint, round_, planned = heapq.heappop(self._heap)
            name = reply_id(planned.reply, round_)
            if self._rounds[planned.reply.task_id] == round_ and name not in self.said:
                self.said.add(name)
                yield endpoint, name, at, planned


async def run(process: Process) -> None:
    """Until asked to stop."""
    following = await follow(process)
    if process.stop.is_set():
        return
    facts = following.current.facts()
    endpoints = {process.topics.tasks(e): e for e in following.current.endpoints}
    departments = Departments(Desk(facts), facts, process.settings.simulator_seed)
    departments.said |= await _said_before(process, endpoints.values())
    partitions = [TopicPartition(topic, 0) for topic in endpoints]
    async with process.log.writer() as writer, process.log.reader(partitions=partitions) as reader:
        process.health.ready()
        while not process.stop.is_set():
            for tp, records in (await reader.getmany(timeout_ms=_patience(process, departments))).items():
                for record in records:
                    _take(departments, endpoints[tp.topic], record)
            process.health.beat()
            await _speak(process, departments, writer)


def _patience(process: Process, departments: Departments) -> int:
    """Milliseconds to wait for tasks: not beyond the instant at which somebody wants to speak."""
    return max(1, min(POLL_MS, int(1000 * process.clock.real_seconds(departments.next_at - process.clock.now()))))


def _take(departments: Departments, endpoint: str, record: Any) -> None:
    """A task that cannot be read is noted and passed over: the departments of a demo must not stop at one."""
    try:
        departments.take(endpoint, _texts(record.headers), record.value)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = "/".join(map(str, fault["loc"]))
        log.error("task.unreadable", topic=record.topic, offset=record.offset, code=fault["type"], pointer=where)


async def _speak(process: Process, departments: Departments, writer: Any) -> None:
    for endpoint, name, at, planned in departments.due(process.clock.now()):
        reply = planned.reply
        if reply.contacted:
            reply = reply.model_copy(update={"contacted_at": from_milliseconds(at - TALKED_BEFORE)})
        value = reply.model_dump_json(exclude_none=True).encode()
        writer.add(process.topics.replies(endpoint), 0, reply.case_id.encode(), value, _headers(endpoint, name, at))
    await writer.flush()


async def _said_before(process: Process, endpoints: Iterable[str]) -> set[str]:
    """The ids of all replies that stand on the log."""
    partitions = [TopicPartition(process.topics.replies(e), 0) for e in endpoints]
    said: set[str] = set()
    async with process.log.reader(partitions=partitions) as reader:
        ends = await reader.end_offsets(partitions)
        while [tp for tp in partitions if await reader.position(tp) < ends[tp]]:
            for records in (await reader.getmany(timeout_ms=POLL_MS)).values():
                said |= {_texts(record.headers).get("ce_id", "") for record in records}
    return said


def _headers(endpoint: str, name: str, at: int) -> list[tuple[str, bytes]]:
    attributes = {
        "specversion": "1.0",
        "id": name,
        "source": f"/endpoints/{endpoint}",
        "type": REPLY_SUBMITTED,
        "time": to_text(at),
    }
    return [*((f"ce_{key}", text.encode()) for key, text in attributes.items()), ("content-type", b"application/json")]


def _texts(headers: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    return {name: value.decode() for name, value in headers}
