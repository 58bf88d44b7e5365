"""
`duokua run delivery`: copies `case.outbox` to where each message goes; offsets after the acknowledgements.

No destination stops the others, and nothing is passed over. What goes to a topic that does not exist is held, in its
order, until somebody makes the topic; until then the group's offset stays before it, so that a restart finds it again
(and sends what lies behind it a second time, under the same ids). What is too large for its topic, or says no place to go
to that there could be, becomes a dead letter.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from msgspec import MsgspecError, Struct

from adapters.kafka.log import RecordRefused
from router.delivery.fanout import Outgoing, fan_out_what_can
from router.operate import metrics
from router.operate.letters import KEPT_BYTES, origin
from router.operate.process import Process
from router.operate.pump import Batch, pump
from workflows.outbox import Message, OutboxRecord, decode

log = structlog.get_logger()

STAGE = "delivery"
LOOK_SECONDS = 1.0
"""Between two looks whether a missing topic is there now."""
HELD_MESSAGES = 20_000
HELD_BYTES = 64 << 20
"""What may be held: beyond either, nothing more is read until the topic is there."""

NOWHERE = TopicPartition("", 0)


class Copy(Struct, frozen=True, gc=False):
    """A message that is to leave, and the place in the outbox that it stands at."""

    place: TopicPartition
    offset: int
    message: Outgoing


ByTopic = Mapping[str, list[Copy]]
"""In each topic's own order: between topics there is none."""


async def run(process: Process) -> None:
    """Until asked to stop. Raises where a record is refused for any other reason than its size."""
    topics = process.topics
    async with (
        process.log.writer() as writer,
        process.log.reader([topics.outbox], group=topics.group("delivery"), lost="none") as reader,
    ):
        await pump(process, reader, Delivery(process, writer, reader).take)


class Delivery:
    """Takes batches of the outbox: what `take` returns is how far everything has left."""

    def __init__(self, process: Process, writer: Any, reader: Any) -> None:
        self._process, self._writer, self._reader = process, writer, reader
        self._topics = process.topics
        self._known: set[str] = set()
        self._held: dict[str, list[Copy]] = {}
        self._read: dict[TopicPartition, int] = {}
        self._told: dict[TopicPartition, int] = {}
        self._looked = 0.0

    async def take(self, batch: Batch) -> dict[TopicPartition, int]:
        """Send what can leave, hold what cannot; returns the offsets before which all has left."""
        if self._held:
            await self._look_again()
        if batch:
            self._let_go(batch)
            await self._deliver(batch)
            self._read |= {tp: records[-1].offset + 1 for tp, records in batch.items()}
            self._told = {tp: offset for tp, offset in self._told.items() if tp not in batch}
        while self._is_full and not self._process.stop.is_set():
            self._process.health.beat()
            # asks for nothing; but a member that polls nowhere is put out of its group, and reads all of it anew
            await self._reader.getmany(NOWHERE, timeout_ms=0)
            await asyncio.sleep(LOOK_SECONDS / 10)
            await self._look_again()
        return self._done()

    async def _deliver(self, batch: Batch) -> None:
        copies = defaultdict[str, list[Copy]](list)
        for tp, records in batch.items():
            for record in records:
                leaving, lost = fan_out_what_can(_read(record.value), self._topics)
                for message in leaving:
                    copies[message.topic].append(Copy(tp, record.offset, message))
                if lost:
                    copies[self._topics.dead_letters(STAGE)] += self._lost(tp, record.offset, lost)
        missing = await self._missing(set(copies))
        if waiting := [topic for topic in copies if topic in missing or topic in self._held]:
            self._hold({topic: copies.pop(topic) for topic in waiting})
        await self._send(copies)

    def _lost(self, place: TopicPartition, offset: int, lost: Iterable[Message]) -> Iterable[Copy]:
        """A dead letter for each message that has no place to go to."""
        log.error("delivery.no_address", partition=place.partition, offset=offset)
        for message in lost:
            metrics.DEAD_LETTERS.labels(STAGE, "no_address").inc()
            headers = [("ce_id", message.id.encode())]
            unsent = Outgoing(message.to, 0, message.key.encode(), bytes(message.data), headers)
            letter = dead_letter(Copy(place, offset, unsent), "no_address", self._topics.dead_letters(STAGE))
            yield Copy(place, offset, letter)

    async def _missing(self, topics: set[str]) -> set[str]:
        unknown = topics - self._known
        missing: set[str] = await self._writer.missing(unknown) if unknown else set()
        self._known |= unknown - missing
        return missing

    # -- what leaves --

    async def _send(self, copies: ByTopic) -> None:
        """Write and count; what is too large for its topic is told apart, one by one."""
        for ones in copies.values():
            for copy in ones:
                self._add(copy.message)
        try:
            await self._writer.flush()
        except RecordRefused as refused:
            if not refused.too_large:
                log.error("delivery.refused", topic=refused.topic, error=refused)
                raise
            for copy in (copy for topic, ones in copies.items() if topic in refused.too_large for copy in ones):
                await self._send_alone(copy)
        sent = Counter[str]()
        for topic, ones in copies.items():
            sent[self._topics.short(topic).partition(".")[0]] += len(ones)
        for family, count in sent.items():
            metrics.DELIVERED.labels(family).inc(count)

    async def _send_alone(self, copy: Copy) -> None:
        """A second time under the same id, if it was not the one that was refused."""
        self._add(copy.message)
        try:
            await self._writer.flush()
        except RecordRefused as refused:
            if not refused.too_large:
                raise
            topic = copy.message.topic
            log.error("delivery.too_large", topic=topic, partition=copy.place.partition, offset=copy.offset)
            self._add(dead_letter(copy, "too_large", self._topics.dead_letters(STAGE)))
            await self._writer.flush()
            metrics.DEAD_LETTERS.labels(STAGE, "too_large").inc()

    def _add(self, message: Outgoing) -> None:
        self._writer.add(message.topic, message.partition, message.key, message.value, message.headers)

    # -- what waits --

    def _hold(self, copies: ByTopic) -> None:
        for topic, ones in copies.items():
            if topic not in self._held:
                log.error("delivery.topic_missing", topic=topic)
            self._held.setdefault(topic, []).extend(ones)
        self._tell()

    def _let_go(self, batch: Batch) -> None:
        """What is held and comes once more with this batch or after it: a rebalance takes a reader back to its offsets."""
        first = {tp: records[0].offset for tp, records in batch.items()}
        for topic, copies in self._held.items():
            self._held[topic] = [copy for copy in copies if copy.offset < first.get(copy.place, copy.offset + 1)]

    async def _look_again(self) -> None:
        """Send what was held for topics that are there now; forget what another member has taken over."""
        now = self._process.clock.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        mine = self._reader.assignment()
        self._read = {tp: offset for tp, offset in self._read.items() if tp in mine}
        for topic, copies in list(self._held.items()):
            self._held[topic] = [copy for copy in copies if copy.place in mine]
        try:
            still = await self._missing(set(self._held))
        except RecordRefused:
            return  # no broker says so: what waits, waits on, and nothing else is to be written now
        for topic in [topic for topic in self._held if topic not in still]:
            log.info("delivery.resumed", topic=topic, count=len(self._held[topic]))
            await self._send({topic: self._held[topic]})
            metrics.HELD.labels(self._topics.short(topic)).set(0)
            del self._held[topic]
        self._tell()

    def _tell(self) -> None:
        for topic, copies in self._held.items():
            metrics.HELD.labels(self._topics.short(topic)).set(len(copies))
        names = ", ".join(sorted(map(self._topics.short, self._held)))
        self._process.health.lacking = f"topics: {names}" if names else ""

    @property
    def _is_full(self) -> bool:
        held = [copy for copies in self._held.values() for copy in copies]
        return len(held) > HELD_MESSAGES or sum(len(copy.message.value) for copy in held) > HELD_BYTES

    def _done(self) -> dict[TopicPartition, int]:
        """
        Of each partition that brought something, or whose place has moved: before the first that is held, else behind
        the last that was read.
        """
        upto = dict(self._read)
        for copy in (copy for copies in self._held.values() for copy in copies):
            upto[copy.place] = min(upto.get(copy.place, copy.offset), copy.offset)
        moved = {tp: offset for tp, offset in upto.items() if self._told.get(tp) != offset}
        self._told = upto
        return moved


def dead_letter(copy: Copy, code: str, topic: str) -> Outgoing:
    """What is kept of a message that its topic does not take: where it stands, and its first 4 KB."""
    message = copy.message
    headers = {
        **origin(STAGE, code, copy.place.topic, copy.place.partition, copy.offset, message.value),
        "x-destination": message.topic,
    }
    encoded = [(name, text.encode()) for name, text in headers.items()]
    named = [("x-message-id", value) for name, value in message.headers if name == "ce_id"]
    return Outgoing(topic, 0, message.key, message.value[:KEPT_BYTES], encoded + named)


def _read(value: bytes) -> OutboxRecord:
    """The engine's own record. One that cannot be read is a defect that must stop delivery, not be passed over."""
    try:
        return decode(value)
    except MsgspecError:
        log.error("outbox.unreadable")
        raise
