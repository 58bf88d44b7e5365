"""
The ground of a bench: one broker for all contenders, topics with a prefix of their own for each turn, the catalogue
of the checkout published on them, and a look at how far the records have come.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from adapters.kafka.log import KafkaLog, TopicSpec
from bench.sample import Request
from router.catalogue.catalogue import Catalogue
from router.catalogue.publish import publish
from router.operate.topics import Topics

SHARDS = 4
PAGE = 5000


def family(topics: Topics, topic: str) -> str:
    """The kind of a topic: `tasks` for `bench1.tasks.desk`; `case.*` and `dead-letters.*` keep their second word."""
    name = topics.short(topic)
    return name if name.startswith(("case.", "dead-letters.")) else name.partition(".")[0]


class Ground:
    """Topics of one turn. Made by `ground`, which also removes them."""

    def __init__(self, log: KafkaLog, topics: Topics, partitions: dict[str, int], admin: AIOKafkaAdminClient, ends: Any) -> None:  # fmt: skip
        self.log, self.topics, self._admin, self._ends = log, topics, admin, ends
        self.partitions = [TopicPartition(t, p) for t, n in partitions.items() for p in range(n)]
        self._leaving = [tp for tp in self.partitions if family(topics, tp.topic) in ("tasks", "answers")]
        self._dead = [tp for tp in self.partitions if family(topics, tp.topic).startswith("dead-letters")]

    async def fill(self, requests: Iterable[Request]) -> None:
        """Publish on the channels' topics, as fast as it goes."""
        async with self.log.writer() as writer:
            for r in requests:
                writer.add(self.topics.intake(r.channel), 0, r.ref.encode(), r.value)
            await writer.flush()

    async def left(self) -> int:
        """Messages that are visible on tasks and answers: their topics are young and not transactional."""
        return sum((await self._ends.end_offsets(self._leaving)).values())

    async def dead(self) -> int:
        """Records on the dead-letter topics: there should be none."""
        return sum((await self._ends.end_offsets(self._dead)).values())

    async def commands(self) -> int:
        """Commands that intake has written, and those of the publication."""
        return sum((await self._ends.end_offsets(self.of(self.topics.commands))).values())

    async def settled(self) -> bool:
        """
        Whether the engine has committed all commands and delivery all of the outbox.

        The last offset of an outbox partition is the marker of the transaction that wrote there: it is never delivered.
        """
        commands, outbox = self.of(self.topics.commands), self.of(self.topics.outbox)
        ends = await self._ends.end_offsets([*commands, *outbox])
        done = await self._committed("engine") | await self._committed("delivery")
        return all(done.get(tp, 0) >= ends[tp] for tp in commands) and all(
            done.get(tp, 0) >= ends[tp] - 1 for tp in outbox
        )

    async def _committed(self, role: str) -> dict[TopicPartition, int]:
        found = await self._admin.list_consumer_group_offsets(self.topics.group(role))
        return {tp: at.offset for tp, at in found.items()}

    def of(self, name: str) -> list[TopicPartition]:
        """The partitions of a topic, or of all whose names begin so."""
        return [tp for tp in self.partitions if tp.topic.startswith(name)]

    async def read_all(self, take: Callable[[str, Any], None]) -> "Counter[str]":
        """Hand every record of every topic to `take` with its family; returns bytes (key, value, headers) by family."""
        size: Counter[str] = Counter()
        async with self.log.reader(partitions=self.partitions) as reader:
            ends = await reader.end_offsets(self.partitions)
            while [tp for tp in self.partitions if await reader.position(tp) < ends[tp]]:
                for tp, records in (await reader.getmany(timeout_ms=200, max_records=PAGE)).items():
                    name = family(self.topics, tp.topic)
                    for record in records:
                        size[name] += _bytes(record)
                        take(name, record)
        return size


def _bytes(record: Any) -> int:
    return len(record.key or b"") + len(record.value or b"") + sum(len(n) + len(v) for n, v in record.headers)


async def _create(log: KafkaLog, specs: list[TopicSpec]) -> None:
    """Create topics and wait until the broker tells of all of them: it answers a little before it does."""
    await log.create_topics(specs)
    wanted = {s.name for s in specs}
    while True:
        if wanted <= (await log.topics()).keys():
            return
        await asyncio.sleep(0.1)


@asynccontextmanager
async def ground(log: KafkaLog, prefix: str, catalogue: Catalogue, *, now: int) -> AsyncIterator[Ground]:
    """Every topic of the catalogue under `prefix`, with the catalogue in force; removed at the end."""
    topics = Topics(prefix, SHARDS)
    specs = topics.specs(catalogue.channels, catalogue.endpoints)
    await _create(log, specs)
    await publish(log, topics, catalogue.files, now=now)
    async with log.admin() as admin, log.reader() as ends:
        try:
            yield Ground(log, topics, {s.name: s.partitions for s in specs}, admin, ends)
        finally:
            await admin.delete_topics([s.name for s in specs])


class TwoTopics:
    """What the Faust pass-through needs: one topic in, one out."""

    def __init__(self, log: KafkaLog, topics: Topics, ends: Any) -> None:
        self.log, self.topics, self._ends = log, topics, ends

    async def fill(self, requests: Iterable[Request]) -> None:
        async with self.log.writer() as writer:
            for n, r in enumerate(requests):
                writer.add(f"{self.topics.prefix}faust.in", n % SHARDS, r.ref.encode(), r.value)
            await writer.flush()

    async def left(self) -> int:
        ends = await self._ends.end_offsets(
            [TopicPartition(f"{self.topics.prefix}faust.out", p) for p in range(SHARDS)]
        )
        return sum(ends.values())


@asynccontextmanager
async def two_topics(log: KafkaLog, prefix: str) -> AsyncIterator[TwoTopics]:
    specs = [TopicSpec(f"{prefix}faust.{name}", SHARDS) for name in ("in", "out")]
    await _create(log, specs)
    async with log.admin() as admin, log.reader() as ends:
        try:
            yield TwoTopics(log, Topics(prefix, SHARDS), ends)
        finally:
            await admin.delete_topics([s.name for s in specs])
