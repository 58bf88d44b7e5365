"""
The ground of a bench: one broker for all contenders, topics with a prefix of their own for each turn, the catalogue
of the checkout published on them, and a look at how far the records have come.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from msgspec import json

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

    async def made(self) -> int:
        """Outbox records that are visible, and the markers of the transactions that brought them."""
        return sum((await self._ends.end_offsets(self.of(self.topics.outbox))).values())

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

    async def decided(self) -> bool:
        """
        Whether the engine has committed all commands, by what each shard says last in each of its transactions: its
        group hears of it once a second only.
        """
        commands, states = self.of(self.topics.commands), self.of(self.topics.state)
        ends = await self._ends.end_offsets([*commands, *states])
        inputs = await self._inputs({tp: ends[tp] for tp in states})
        return all(inputs.get(tp.partition, 0) >= ends[tp] for tp in commands)

    async def _inputs(self, ends: dict[TopicPartition, int]) -> dict[int, int]:
        """The next command of each shard, from its last record before the marker of its last transaction."""
        found: dict[int, int] = {}
        for tp, end in ends.items():
            self._ends.seek(tp, max(0, end - 2))
        self._ends.resume(*ends)
        while len(found) < sum(end > 0 for end in ends.values()):
            for tp, records in (await self._ends.getmany(timeout_ms=20)).items():
                found[tp.partition] = json.decode(records[-1].value).get("input", 0)
        self._ends.pause(*ends)
        return found

    async def _committed(self, role: str) -> dict[TopicPartition, int]:
        found = await self._admin.list_consumer_group_offsets(self.topics.group(role))
        return {tp: at.offset for tp, at in found.items()}

    def of(self, name: str) -> list[TopicPartition]:
        """The partitions of a topic, or of all whose names begin so."""
        return [tp for tp in self.partitions if tp.topic.startswith(name)]

    async def read_all(self, take: Callable[[str, Any], None]) -> "Counter[str]":
        """Hand every record of every topic to `take` with its family; returns bytes (key, value, headers) by family."""
        size: Counter[str] = Counter()

        def weigh(record: Any) -> None:
            name = family(self.topics, record.topic)
            size[name] += _bytes(record)
            take(name, record)

        await read_to_end(self.log, self.partitions, weigh)
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
    states = [TopicPartition(topics.state, p) for p in range(SHARDS)]
    async with log.admin() as admin, log.reader(partitions=states, wait_ms=10) as ends:
        ends.pause(*states)
        try:
            yield Ground(log, topics, {s.name: s.partitions for s in specs}, admin, ends)
        finally:
            await admin.delete_topics([s.name for s in specs])


@dataclass(frozen=True)
class Put:
    """A record to lay: partition, key, value."""

    partition: int
    key: bytes
    value: bytes


class InOut:
    """What a peer needs: a topic `in`, a topic `out`, as many partitions as there are shards."""

    def __init__(self, log: KafkaLog, prefix: str, admin: AIOKafkaAdminClient, ends: Any) -> None:
        self._log, self.prefix, self._admin, self._ends = log, prefix, admin, ends
        self.source, self.target = (
            [TopicPartition(f"{prefix}{name}", p) for p in range(SHARDS)] for name in ("in", "out")
        )

    async def fill(self, records: Iterable[Put]) -> None:
        await fill(self._log, f"{self.prefix}in", records)

    async def left(self) -> int:
        """Records visible at the other end; where they come in transactions, their markers count as well."""
        return sum((await self._ends.end_offsets(self.target)).values())

    async def taken(self, group: str) -> bool:
        """Whether the group has committed all that was laid."""
        ends = await self._ends.end_offsets(self.source)
        found = await self._admin.list_consumer_group_offsets(group)
        return all(tp in found and found[tp].offset >= ends[tp] for tp in self.source)

    async def joined(self, group: str, members: int) -> bool:
        """Whether so many members share the partitions: what comes before may be done twice by an at-least-once peer."""
        try:
            answer = (await self._admin.describe_consumer_groups([group]))[0].to_object()["groups"][0]
        except GroupCoordinatorNotAvailableError:  # the broker's first group ever
            return False
        return answer["state"] == "Stable" and len(answer["members"]) == members

    async def keys(self) -> "Counter[bytes]":
        """How often each key came out."""
        seen: Counter[bytes] = Counter()
        await read_to_end(self._log, self.target, lambda record: seen.update((record.key,)))
        return seen


async def fill(log: KafkaLog, topic: str, records: Iterable[Put]) -> None:
    """Lay records, as fast as it goes."""
    async with log.writer() as writer:
        for r in records:
            writer.add(topic, r.partition, r.key, r.value)
        await writer.flush()


async def read_to_end(log: KafkaLog, partitions: list[TopicPartition], take: Callable[[Any], None]) -> None:
    """Hand over every committed record there is now."""
    async with log.reader(partitions=partitions) as reader:
        ends = await reader.end_offsets(partitions)
        while [tp for tp in partitions if await reader.position(tp) < ends[tp]]:
            for records in (await reader.getmany(timeout_ms=200, max_records=PAGE)).values():
                for record in records:
                    take(record)


@asynccontextmanager
async def in_out(log: KafkaLog, prefix: str) -> AsyncIterator[InOut]:
    """Removed at the end, with what the peer made for itself."""
    await _create(log, [TopicSpec(f"{prefix}{name}", SHARDS) for name in ("in", "out")])
    async with log.admin() as admin, log.reader() as ends:
        try:
            yield InOut(log, prefix, admin, ends)
        finally:
            own = (prefix, f"changelog__{prefix}", f"repartition__{prefix}")
            await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(own)])
