"""
`duokua run simulator`: the departments of the demo, on the real topics.

It reads the task topics of every endpoint from their beginning and belongs to no consumer group: what the
simulated people will say follows from the tasks alone, so a simulator that starts anew plans the same again.
What stands on the reply topics already is not said twice.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import structlog
from aiokafka import TopicPartition
from pydantic import ValidationError

from adapters.departments.simulated import Planned, plan, reply_id
from router.catalogue.following import follow
from router.operate.process import Process
from router.simulator.desk import Desk
from router.simulator.schedule import due_of, schedule
from schemas.handling import ReplyAction
from schemas.registry import REPLY_REFUSED, REPLY_SUBMITTED, TASK_ASSIGNED, TASK_SENT_BACK, TASK_WITHDRAWN
from schemas.task import ReplyRefused, Task, TaskWithdrawn
from schemas.times import from_milliseconds, parse, to_text
from workflows.workdays import MINUTE

log = structlog.get_logger()

POLL_MS = 100
WITHDRAWN = 1 << 30
"""In place of a round: nothing more is said about the task, whatever comes again."""
FAR = 1 << 62
TOO_EARLY = frozenset({"children_open", "stages_open", "not_allowed"})
"""Refusals of a result that pass: others have to answer first, or a return is not decided yet."""
AGAIN_AFTER = "3wh"
ATTEMPTS = 20
TALKED_BEFORE = 25 * MINUTE
"""How long before a reply the applicant was called."""


class Wish(NamedTuple):
    """
    Something that somebody wants to say at `at`. `order` keeps wishes of the same instant in their order. `due`: of the
    task as it was planned by; a due that has moved has everything planned anew.
    """

    at: int
    order: int
    endpoint: str
    round: int
    attempt: int
    due: int
    planned: Planned


class Given(NamedTuple):
    """A task as it was planned by: its round, when it came, when it is due. round WITHDRAWN: nothing is said any more."""

    round: int
    at: int = 0
    due: int = 0


class Departments:
    """All desks of one deployment: what they were asked, and what they will say when."""

    def __init__(self, desk: Desk, seed: str) -> None:
        self._desk, self._facts, self._seed = desk, desk.facts, seed
        self._given: dict[str, Given] = {}
        self._replied: dict[str, Wish] = {}
        self._heap: list[Wish] = []
        self._order = count()
        self.said: set[str] = set()

    def take(self, endpoint: str, headers: Mapping[str, str], value: bytes) -> None:
        """A record of a task topic."""
        kind, at = headers.get("ce_type", ""), parse(headers.get("ce_time", "")) or 0
        if kind == TASK_WITHDRAWN:
            self._given[TaskWithdrawn.model_validate_json(value).task_id] = Given(WITHDRAWN)
        elif kind == REPLY_REFUSED:
            self._try_again(ReplyRefused.model_validate_json(value), at)
        elif kind in (TASK_ASSIGNED, TASK_SENT_BACK):
            self._plan(endpoint, Task.model_validate_json(value), at)

    def _plan(self, endpoint: str, task: Task, at: int) -> None:
        """Plan a round once, and anew when its due has moved; what was planned before lapses."""
        unit = self._facts.unit(task.unit)
        calendar = self._facts.calendar_of(task.unit) or self._facts.calendar(unit.place if unit else "")
        known = self._given.get(task.task_id, Given(task.round - 1))
        if known.round == task.round:
            at = known.at
        elif known.round != task.round - 1:
            return
        given = Given(task.round, at, due_of(task, at, calendar))
        if given == known:
            return
        self._given[task.task_id] = given
        for when, planned in schedule(plan(task, self._desk, self._seed), given.due, at, calendar):
            self._wish(Wish(when, next(self._order), endpoint, task.round, 0, given.due, planned))

    def _try_again(self, refused: ReplyRefused, at: int) -> None:
        """A result that came before those of others is handed in again later."""
        before = self._replied.get(refused.task_id or "")
        if before and refused.action == ReplyAction.REPLY and refused.code in TOO_EARLY and before.attempt < ATTEMPTS:
            later = self._facts.calendar("").add(at, AGAIN_AFTER).at
            self._wish(before._replace(at=later, order=next(self._order), attempt=before.attempt + 1))

    def _wish(self, wish: Wish) -> None:
        if wish.planned.reply.action == ReplyAction.REPLY:
            self._replied[wish.planned.reply.task_id] = wish
        heapq.heappush(self._heap, wish)

    @property
    def next_at(self) -> int:
        """The instant of the earliest wish; far away where there is none."""
        return self._heap[0].at if self._heap else FAR

    def due(self, now: int) -> Iterable[tuple[str, Wish]]:
        """What is to be said by now, with its event id. Each is given once."""
        while self._heap and self._heap[0].at <= now:
            wish = heapq.heappop(self._heap)
            name = reply_id(wish.planned.reply, wish.round, wish.attempt)
            if self._stands(wish) and name not in self.said:
                self.said.add(name)
                yield name, wish

    def _stands(self, wish: Wish) -> bool:
        """What is handed in again does not wait for another due."""
        given = self._given[wish.planned.reply.task_id]
        return given.round == wish.round and (bool(wish.attempt) or given.due == wish.due)


async def run(process: Process) -> None:
    """Until asked to stop."""
    following = await follow(process)
    if process.stop.is_set():
        return
    endpoints = {process.topics.tasks(e): e for e in following.current.endpoints}
    departments = Departments(Desk(following.current), process.settings.simulator_seed)
    departments.said |= await _said_before(process, endpoints.values())
    partitions = [TopicPartition(topic, 0) for topic in endpoints]
    async with process.log.writer() as writer, process.log.reader(partitions=partitions) as reader:
        behind = await reader.end_offsets(partitions)
        process.health.ready()
        while not process.stop.is_set():
            for tp, records in (await reader.getmany(timeout_ms=_patience(process, departments))).items():
                for record in records:
                    _take(departments, endpoints[tp.topic], record)
            process.health.beat()
            # what was known when it began is read before anything is said: a due may have moved, a task be gone
            behind = {tp: end for tp, end in behind.items() if await reader.position(tp) < end}
            if not behind:
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
    for name, wish in departments.due(process.clock.now()):
        reply = wish.planned.reply
        if reply.contacted:
            reply = reply.model_copy(update={"contacted_at": from_milliseconds(wish.at - TALKED_BEFORE)})
        value = reply.model_dump_json(exclude_none=True).encode()
        topic, headers = process.topics.replies(wish.endpoint), _headers(wish.endpoint, name, wish.at)
        writer.add(topic, 0, reply.case_id.encode(), value, headers)
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
