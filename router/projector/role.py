"""
The projector: `case.events` and `case.outbox` into the read model.

It belongs to no consumer group: it takes every partition and starts where the read model says it stopped,
so rows and offsets cannot drift apart. A read model made from another log or in another format is dropped
and made anew. A record that cannot be read (a newer event than this code knows) is counted and passed
over: the log stays the truth, and a newer projector with a raised FORMAT reads it again.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition
from prometheus_client import Counter, Gauge

from adapters.readmodel import Batch, OffsetMoved, ReadModel
from router.operate.process import Process
from router.projector.fold import add_events, add_outbox, touched
from workflows import events, outgoing

log = structlog.get_logger()

RECORDS = Counter("duokua_projector_records", "Records of the log written to the read model", ["topic"])
UNREADABLE = Counter("duokua_projector_unreadable", "Records passed over because this code cannot read them", ["topic"])
BEHIND = Gauge(
    "duokua_projector_behind_records", "Offsets of the log that the read model does not reflect yet", ["topic"]
)

MAX_RECORDS = 2000
DELIVERED_EVERY = 1.0
"""Seconds between two looks at how far delivery is."""


async def run(process: Process) -> None:
    """Project until asked to stop; what was read is written before it ends."""
    model = ReadModel(process.settings.readmodel_url())
    try:
        if await asyncio.to_thread(model.prepare, await process.log.cluster_id()):
            log.warning("readmodel.dropped", reason="another log or format")
        await _follow(process, Projection(model, process.topics.events, process.topics.outbox))
    finally:
        model.close()


async def _follow(process: Process, projection: "Projection") -> None:
    topics = (process.topics.events, process.topics.outbox)
    slots = [TopicPartition(topic, p) for topic in topics for p in range(process.topics.shards)]
    outbox = [tp for tp in slots if tp.topic == process.topics.outbox]
    async with (
        process.log.reader(partitions=slots) as reader,
        process.log.reader(partitions=outbox, group=process.topics.group("delivery")) as delivery,
    ):
        await _start(reader, projection, slots)
        process.health.ready()
        looked = 0.0
        while not process.stop.is_set():
            batch = await reader.getmany(timeout_ms=200, max_records=MAX_RECORDS)
            process.health.beat()
            if batch and not await _project(projection, batch):
                await _start(reader, projection, slots)
            if (now := process.clock.monotonic()) - looked >= DELIVERED_EVERY:
                looked = now
                await _look(reader, delivery, projection, slots, outbox)
        await _look(reader, delivery, projection, slots, outbox)


async def _start(reader: Any, projection: "Projection", slots: list[TopicPartition]) -> None:
    """Go to where the read model stopped; to the beginning where it never was."""
    held = await asyncio.to_thread(projection.resume)
    beginning = await reader.beginning_offsets(slots)
    for tp in slots:
        reader.seek(tp, held.get((tp.topic, tp.partition), beginning[tp]))
    log.info(
        "projector.started",
        offsets={f"{tp.topic}/{tp.partition}": held.get((tp.topic, tp.partition), 0) for tp in slots},
    )


async def _project(projection: "Projection", batch: Mapping[TopicPartition, list[Any]]) -> bool:
    """Whether the batch was written; if not, another projector was faster and the offsets must be read anew."""
    try:
        await asyncio.to_thread(projection.write, batch)
    except OffsetMoved:
        log.warning("projector.overtaken")
        return False
    return True


async def _look(
    reader: Any, delivery: Any, projection: "Projection", slots: list[TopicPartition], outbox: list[TopicPartition]
) -> None:
    """Note how far delivery is, and how far behind the read model is."""
    delivered = {tp.partition: upto for tp in outbox if (upto := await delivery.committed(tp)) is not None}
    await asyncio.to_thread(projection.note_delivered, delivered)
    ends = await reader.end_offsets(slots)
    for topic in {tp.topic for tp in slots}:
        BEHIND.labels(topic).set(sum([ends[tp] - await reader.position(tp) for tp in slots if tp.topic == topic]))


class Projection:
    """Batches of records to transactions on the read model. Blocking: called in a thread, one call at a time."""

    def __init__(self, model: ReadModel, events_topic: str, outbox_topic: str) -> None:
        self._model = model
        self._decoders = {events_topic: events.decode, outbox_topic: outgoing.decode}
        self._next: dict[tuple[str, int], int] = {}
        self._delivered: dict[int, int] = {}

    def resume(self) -> dict[tuple[str, int], int]:
        """Where to read on, by topic and partition, as the read model has it now."""
        self._next = self._model.offsets()
        return dict(self._next)

    def write(self, read: Mapping[TopicPartition, list[Any]]) -> None:
        """Fold what was read and write it with its offsets. Raises OffsetMoved."""
        happened = self._decoded(read, events.decode)
        handed = self._decoded(read, outgoing.decode)
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
            RECORDS.labels(tp.topic).inc(len(records))

    def note_delivered(self, upto: Mapping[int, int]) -> None:
        """Write how far delivery is, where that has changed."""
        changed = {p: offset for p, offset in upto.items() if self._delivered.get(p) != offset}
        if changed:
            self._model.note_delivered(changed)
            self._delivered |= changed

    def _decoded(
        self, read: Mapping[TopicPartition, list[Any]], decode: Callable[[bytes], Any]
    ) -> list[tuple[int, int, Any]]:
        wanted = [(tp, r) for tp, records in read.items() if self._decoders[tp.topic] is decode for r in records]
        return [(tp.partition, r.offset, record) for tp, r in wanted if (record := _read(tp, r, decode)) is not None]


def _read(tp: TopicPartition, record: Any, decode: Callable[[bytes], Any]) -> Any:
    try:
        return decode(record.value or b"")
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        UNREADABLE.labels(tp.topic).inc()
        log.error("record.unreadable", topic=tp.topic, partition=tp.partition, offset=record.offset, error=error)
        return None
