"""
The auditor: proves that each warning and escalation that was due fired once, and has repaired what did not.

It reads `case.events` beside everybody else, belongs to no group, and shares with the engine nothing but the events: the
marks that clocks announced, and what fired. Where something is overdue and it has read all there is, it asks the shard
by a command to look at the case (`Recheck`); the shard fires only what its own index has lost, so a shard that is down,
lags or holds its deadlines is not accused and not hurried (router/auditor/watch.py says how it is told apart).

A pass is complete when everything that was on the log at its beginning is read and everything overdue is looked at; it
beats by the time of the last complete one.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka.log import Writer
from router.auditor.store import AuditStore
from router.auditor.watch import Finding, Kind, Watch, repair_id
from router.operate import metrics
from router.operate.process import Process
from router.operate.pump import batches
from router.operate.table import Rocks
from workflows import commands, events

log = structlog.get_logger()

MAX_RECORDS = 2000
GRACE_SECONDS = 60.0
"""How late a mark may fire, on the clock on the wall: a transaction, a take-over, a page of others before it."""
PASS_SECONDS = 10.0
AGAIN_SECONDS = 600.0
"""Between two repairs of one case."""
PAGE = 200
"""Cases of a pass that are asked for; the next page waits until the shards have read this one."""
ANSWER = 5.0
MEMORY_MB = 32


@dataclass(frozen=True)
class Pace:
    """In seconds on the wall; business time may run faster."""

    grace: float = GRACE_SECONDS
    every: float = PASS_SECONDS
    again: float = AGAIN_SECONDS


async def run(process: Process, pace: Pace = Pace()) -> None:
    """Audit until asked to stop; what was read is kept before it ends."""
    topics = process.topics
    log_id = f"{await process.log.cluster_id()}/{topics.prefix}"
    folder = process.settings.state_dir / "auditor" / process.settings.instance
    store = await asyncio.to_thread(
        AuditStore, folder, log_id, _business(process, pace.grace), Rocks(MEMORY_MB)
    )  # fmt: skip
    slots = [TopicPartition(topics.events, p) for p in range(topics.shards)]
    orders = [TopicPartition(topics.commands, p) for p in range(topics.shards)]
    try:
        async with (
            process.log.reader(partitions=slots, lost="none") as reader,
            process.log.reader(partitions=orders, group=topics.group("engine")) as engine,
            process.log.writer() as writer,
        ):
            await Auditor(process, store, pace, reader, engine, writer, slots).follow()
    finally:
        await asyncio.to_thread(store.close)


def _business(process: Process, seconds: float) -> int:
    """That long on the wall, in milliseconds of business time."""
    return int(seconds * 1000 * process.clock.speed)


@dataclass
class Auditor:
    """Reads on and on, and makes a pass now and then. `engine` only tells how far the shards are: it is no member."""

    process: Process
    store: AuditStore
    pace: Pace
    reader: Any
    engine: Any
    writer: Writer
    slots: list[TopicPartition]
    sent: dict[int, int] = field(default_factory=dict)
    """By partition, where the last page of repairs ends in its commands."""
    begun: int = 0
    """When the pass began, in business time (0: none has), and where each partition of the log ended then."""
    ends: Mapping[TopicPartition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in get_args(Kind):
            metrics.AUDIT_FINDINGS.labels(kind)  # from 0 on: no increase is seen of what begins with its first finding

    async def follow(self) -> None:
        beginning = await self.reader.beginning_offsets(self.slots)
        starts = {tp: self.store.meta.offsets.get(tp.partition, beginning[tp]) for tp in self.slots}
        for tp, offset in starts.items():
            self.reader.seek(tp, offset)
        log.info(
            "auditor.started",
            state="new" if self.store.begun_anew else "kept",
            offsets={tp.partition: offset for tp, offset in starts.items()},
            count=self.store.meta.cases,
        )
        self.process.health.ready()
        clock, passed = self.process.clock, float("-inf")
        async for batch in batches(self.process, self.reader, MAX_RECORDS):
            for tp, records in batch.items():
                await self._take(tp, records)
            if clock.monotonic() - passed >= self.pace.every:
                passed = clock.monotonic()
                await self._pass()

    async def _take(self, tp: TopicPartition, records: list[Any]) -> None:
        decoded = [record for r in records if (record := self._decoded(tp, r)) is not None]
        read = await asyncio.to_thread(self.store.take, tp.partition, decoded, records[-1].offset + 1)
        metrics.AUDIT_FIRED.inc(read.fired)
        self._tell(read.findings)

    def _decoded(self, tp: TopicPartition, record: Any) -> events.EventRecord | None:
        try:
            return events.decode(record.value or b"")
        except msgspec.MsgspecError as error:
            metrics.AUDIT_UNREADABLE.inc()
            log.error("record.unreadable", topic=tp.topic, partition=tp.partition, offset=record.offset, error=error)
            return None

    def _tell(self, findings: list[Finding]) -> None:
        for found in findings:
            metrics.AUDIT_FINDINGS.labels(found.kind).inc()
            late = self.process.clock.real_seconds(found.seen - found.at) if found.at else 0.0
            log.error(
                "audit.found",
                reason=found.kind,
                case_id=found.case,
                name=f"{found.clock} {found.what} {found.level}/{found.turn}",
                state="repaired" if found.repaired else "",
                seconds=round(late),
            )

    # -- a pass --

    async def _pass(self) -> None:
        """Go on with the pass, or begin one. While no broker answers there is none, and the heartbeat stands still."""
        try:
            async with asyncio.timeout(ANSWER):
                if not self.begun:
                    self.begun, self.ends = self.process.clock.now(), await self.reader.end_offsets(self.slots)
                behind = await self._behind()
                read = [p for p, count in behind.items() if not count and await self._has_read(p)]
        except (KafkaError, TimeoutError) as error:
            log.warning("auditor.unanswered", error=error)
            return
        metrics.AUDIT_BEHIND.set(sum(behind.values()))
        again = _business(self.process, self.pace.again)
        looked = await asyncio.to_thread(self.store.overdue, self.begun, read, again, PAGE)
        unread = [partition for partition in behind if partition not in read]
        more = looked.more or await asyncio.to_thread(self.store.passes_over, self.begun, unread, PAGE)
        self._tell(looked.findings)
        await self._repair(looked.cases, self.begun)
        await asyncio.to_thread(self.store.flush)
        metrics.AUDIT_CASES.set(self.store.meta.cases)
        metrics.AUDIT_UNFIRED.set(self.store.meta.waiting)
        if any(behind.values()):
            log.info("auditor.behind", offsets=behind, count=self.store.meta.cases)
        elif not more:
            self.begun = 0
            metrics.AUDIT_PASSED.set(self.process.clock.wall())

    async def _behind(self) -> dict[int, int]:
        """By partition, how many of the offsets that were there when the pass began are still to be read."""
        return {tp.partition: max(0, self.ends[tp] - await self.reader.position(tp)) for tp in self.slots}

    async def _has_read(self, partition: int) -> bool:
        """Whether the shard has read the last page of repairs: a shard that is away must not find a heap of them."""
        if partition not in self.sent:
            return True
        upto = await self.engine.committed(TopicPartition(self.process.topics.commands, partition))
        return upto is not None and upto >= self.sent[partition]

    async def _repair(self, cases: list[tuple[str, Watch]], now: int) -> None:
        """Ask the shards to look. The same case at the same version is asked for by the same command."""
        if not cases:
            return
        topic, asked = self.process.topics.commands, []
        for case, watch in cases:
            order = commands.Recheck(id=repair_id(case, watch.version), case=case, at=now)
            self.writer.add(topic, watch.partition, case.encode(), commands.encode(order))
            asked.append((case, watch, order.id))
            log.warning("audit.overdue", case_id=case, shard=watch.partition)
        await asyncio.to_thread(self.store.asked, asked)
        self.sent |= self._ends(await self.writer.flush())
        metrics.AUDIT_REPAIRS.inc(len(cases))

    @staticmethod
    def _ends(ends: Mapping[TopicPartition, int]) -> dict[int, int]:
        return {tp.partition: offset for tp, offset in ends.items()}
