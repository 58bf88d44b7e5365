"""Somebody's transaction hangs open: what others committed behind it is waited for, and not taken for not being there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest
from aiokafka import TopicPartition

from adapters.kafka.log import KafkaLog
from adapters.kafka.memory import MemoryLog
from router.catalogue.fetch import fetch_version
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.operate import audit
from router.operate.dead_letters import Source, letters, original
from router.operate.topics import Topics
from tests.unit.catalogue.small import small

pytestmark = pytest.mark.kafka

LOOK = 2.0
"""Seconds in which a reading that does not wait is long through."""


@asynccontextmanager
async def hanging(log: KafkaLog, topic: str) -> AsyncIterator[None]:
    """A transaction with one record on this topic, which nobody ends before the block does."""
    left = await log.transactions(f"{topic}.left", "g")
    await left._producer.begin_transaction()
    left.add(topic, 0, b"left", b"{}")
    await left.flush()
    try:
        yield
    finally:
        await log.close(await log.transactions(f"{topic}.left", "g"))  # a next holder ends what the former left open
        await log.close(left)


async def test_an_entry_behind_an_open_transaction_is_not_overlooked(kafka: str) -> None:
    """Else the next one would get its number, and the chain be broken for good."""
    log, topics = KafkaLog(kafka), Topics("hanging-audit.", 1)
    await log.create_topics([spec for spec in topics.specs([], []) if spec.name == topics.audit])
    made = audit.entry(None, "one", at="2026-09-18T09:00:00+08:00", who="w", act="a", why="y", facts={})
    async with hanging(log, topics.audit):
        writer = await log.transactions("hanging-audit.one", "g")
        writer.add(topics.audit, 0, b"one", audit.encode(made))
        await writer.commit({})
        await log.close(writer)
        reading = asyncio.create_task(audit.read(log, topics.audit, "one"))
        await asyncio.wait([reading], timeout=LOOK)

    async with asyncio.timeout(90):
        assert await reading == [made]


async def test_a_version_behind_an_open_transaction_is_waited_for(kafka: str) -> None:
    """A shard that is told of a version before all of the publication can be read does not give up."""
    log, topics, catalogue, elsewhere = (
        KafkaLog(kafka),
        Topics("hanging-catalogue.", 1),
        from_files(small()),
        MemoryLog(),
    )
    await log.create_topics([spec for spec in topics.specs([], []) if spec.name == topics.catalog])
    await elsewhere.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
    published = await publish(elsewhere, topics, small())
    async with hanging(log, topics.catalog):
        async with log.writer() as writer:
            for record in elsewhere.records[TopicPartition(topics.catalog, 0)]:
                writer.add(topics.catalog, 0, record.key, record.value)
            await writer.flush()
        reading = asyncio.create_task(fetch_version(log, topics.catalog, published.version, published.hash))
        await asyncio.wait([reading], timeout=LOOK)

    async with asyncio.timeout(90):
        assert (await reading).hash == catalogue.hash


async def test_an_original_behind_an_open_transaction_is_not_taken_for_gone(kafka: str) -> None:
    """It can be read as soon as that ends: nobody is to give it up meanwhile, or to ask for it again."""
    log, topics = KafkaLog(kafka), Topics("hanging-original.", 1)
    await log.create_topics(topics.specs(["web"], []))
    intake, dead = topics.intake("web"), topics.dead_letters("intake")
    place = {"topic": intake, "partition": "0", "offset": "1", "sha256": sha256(b"{").hexdigest()}
    headers = [(f"x-original-{name}", value.encode()) for name, value in place.items()]
    async with hanging(log, intake), log.writer() as writer:
        writer.add(intake, 0, b"k", b"{")
        writer.add(dead, 0, b"k", b"", headers)
        writer.add(dead, 0, b"k", b"", [*headers[:2], ("x-original-offset", b"7"), *headers[3:]])
        await writer.flush()
        one, none = await letters(log, topics)
        assert [await original(log, topics, letter) for letter in (one, none)] == ["not_yet", "gone"]
    async with asyncio.timeout(90):
        while (found := await original(log, topics, one)) == "not_yet":
            await asyncio.sleep(0.1)
    assert isinstance(found, Source)
    assert found.value == b"{"
