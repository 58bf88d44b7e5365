"""
The projector: `case.events` and `case.outbox` into the read model.

It belongs to no consumer group: it takes every partition and starts where the read model says it stopped,
so rows and offsets cannot drift apart. A read model made from another log or in another format is dropped
and made anew. A record that cannot be read (a newer event than this code knows) is counted and passed
over: the log stays the truth, and a newer projector with a raised FORMAT reads it again.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from adapters.readmodel import Batch, OffsetMoved, ReadModel
from router.operate import metrics
from router.operate.process import Process
from router.operate.pump import batches
from router.operate.topics import Topics
from router.projector.fold import add_events, add_outbox, touched
from workflows import events, outbox

log = structlog.get_logger()

MAX_RECORDS = 2000
LOOK = 1.0
"""Seconds between two looks at how far delivery, and this role, are."""
ANSWER = 5.0
"""How long a look may take: the client asks a group's coordinator that is away for ever, and nothing is projected meanwhile."""


async def run(process: Process) -> None:
    """Project until asked to stop; what was read is written before it ends."""
    topics = process.topics
    model = ReadModel(process.settings.readmodel_url())
    slots = {
        topic: [TopicPartition(topic, p) for p in range(topics.shards)] for topic in (topics.events, topics.outbox)
    }
    try:
        log_id = f"{await process.log.cluster_id()}/{topics.prefix}"
        if await asyncio.to_thread(model.prepare, log_id):
            log.warning("readmodel.dropped", reason="another log or format")
        async with (
            process.log.reader(partitions=[tp for tps in slots.values() for tp in tps], lost="none") as reader,
            process.log.reader(partitions=slots[topics.outbox], group=topics.group("delivery")) as delivery,
        ):
            await _Follower(process, Projection(model, topics), reader, delivery, slots).follow()
    finally:
        model.close()


@dataclass
class _Follower:
    """Reads on and on. `delivery` only tells how far the delivery role is: it has no partitions of that group."""

    process: Process
    projection: "Projection"
    reader: Any
    delivery: Any
    slots: Mapping[str, list[TopicPartition]]
    is_unanswered: bool = False

    async def follow(self) -> None:
        await self._start()
        self.process.health.ready()
        looked = 0.0
        async for batch in batches(self.process, self.reader, MAX_RECORDS):
            if batch:
                await self._project(batch)
            if self.process.clock.monotonic() - looked >= LOOK:
                await self._look()
                looked = self.process.clock.monotonic()
        await self._look()

    async def _start(self) -> None:
        """Go to where the read model stopped; to the beginning where it never was."""
        held = await asyncio.to_thread(self.projection.resume)
        for topic, tps in self.slots.items():
            beginning = await self.reader.beginning_offsets(tps)
            starts = {tp: held.get((topic, tp.partition), beginning[tp]) for tp in tps}
            for tp, offset in starts.items():
                self.reader.seek(tp, offset)
            log.info("projector.started", topic=topic, offsets={tp.partition: o for tp, o in starts.items()})

    async def _project(self, batch: Mapping[TopicPartition, list[Any]]) -> None:
        """Write a batch. If another projector was faster nothing was written: go to where that one is."""
        try:
            await asyncio.to_thread(self.projection.write, batch)
        except OffsetMoved:
            log.warning("projector.overtaken")
            await self._start()

    async def _look(self) -> None:
        """
        Note how far delivery is, and how far behind the read model is. While no broker says so, what is known of it
        stands.
        """
        try:
            async with asyncio.timeout(ANSWER):
                delivered = await self._delivered()
                behind = await self._behind()
        except (KafkaError, TimeoutError) as error:
            metrics.PROJECTOR_UNANSWERED.inc()
            if not self.is_unanswered:
                log.warning("projector.unanswered", error=error)
            self.is_unanswered = True
            return
        if self.is_unanswered:
            log.info("projector.answered")
        self.is_unanswered = False
        await asyncio.to_thread(self.projection.note_delivered, delivered)
        for topic, count in behind.items():
            metrics.PROJECTOR_BEHIND.labels(self.process.topics.short(topic)).set(count)

    async def _delivered(self) -> dict[int, int]:
        """By partition of the outbox, the offset before which delivery has handed out all."""
        committed = {tp: await self.delivery.committed(tp) for tp in self.slots[self.process.topics.outbox]}
        return {tp.partition: upto for tp, upto in committed.items() if upto is not None}

    async def _behind(self) -> dict[str, int]:
        """By topic, how many offsets are still to be read."""
        behind = {}
        for topic, tps in self.slots.items():
            ends = await self.reader.end_offsets(tps)
            behind[topic] = sum([ends[tp] - await self.reader.position(tp) for tp in tps])
        return behind


class Projection:
    """Batches of records to transactions on the read model. Blocking: called in a thread, one call at a time."""

    def __init__(self, model: ReadModel, topics: Topics) -> None:
        self._model, self._topics = model, topics
        self._next: dict[tuple[str, int], int] = {}
        self._delivered: dict[int, int] = {}

    def resume(self) -> dict[tuple[str, int], int]:
        """Where to read on, by topic and partition, as the read model has it now."""
        self._next = self._model.offsets()
        return dict(self._next)

    def write(self, read: Mapping[TopicPartition, list[Any]]) -> None:
        """Fold what was read and write it with its offsets. Raises OffsetMoved."""
        happened = self._decoded(read, self._topics.events, events.decode)
        handed = self._decoded(read, self._topics.outbox, outbox.decode)
        batch = Batch(self._model.load(touched(record for *_, record in happened)))
        for partition, offset, record in happened:
            add_events(batch, partition, offset, record)
        for partition, offset, record in handed:
            add_outbox(batch, partition, offset, record)
        following = {(tp.topic, tp.partition): records[-1].offset + 1 for tp, records in read.items()}
        batch.offsets = {slot: (self._next.get(slot, 0), upto) for slot, upto in following.items()}
        self._model.write(batch)
        self._next |= following
        for tp, records in read.items():
            metrics.PROJECTED.labels(self._topics.short(tp.topic)).inc(len(records))

    def note_delivered(self, upto: Mapping[int, int]) -> None:
        """Write how far delivery is, where that has changed."""
        changed = {p: offset for p, offset in upto.items() if self._delivered.get(p) != offset}
        if changed:
            self._model.note_delivered(changed)
            self._delivered |= changed

    def _decoded(
        self, read: Mapping[TopicPartition, list[Any]], topic: str, decode: Callable[[bytes], Any]
    ) -> list[tuple[int, int, Any]]:
        """Partition, offset and content of each record of a topic that can be read."""
        found = [
            (tp.partition, r.offset, r.value) for tp, records in read.items() if tp.topic == topic for r in records
        ]
        return [
            (partition, offset, content)
            for partition, offset, value in found
            if (content := self._content(topic, partition, offset, value, decode)) is not None
        ]

    def _content(
        self, topic: str, partition: int, offset: int, value: bytes | None, decode: Callable[[bytes], Any]
    ) -> Any:
        try:
            return decode(value or b"")
        except msgspec.MsgspecError as error:
            metrics.PROJECTOR_UNREADABLE.labels(self._topics.short(topic)).inc()
            log.error("record.unreadable", topic=topic, partition=partition, offset=offset, error=error)
            return None
