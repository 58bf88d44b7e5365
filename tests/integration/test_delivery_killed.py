"""Delivery that is killed between copying and committing: every message arrives, under one id, and in its order."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from msgspec import Raw

from adapters.kafka.log import KafkaLog
from router.operate.topics import Topics
from workflows.outbox import Message, OutboxRecord, encode

pytestmark = pytest.mark.kafka

RECORDS = 300


@pytest.fixture
async def topics(kafka: str, prefix: str) -> Topics:
    """An outbox of one shard, with messages to two endpoints in each record."""
    made, log = Topics(prefix, 1), KafkaLog(kafka)
    await log.create_topics(made.specs([], ["a", "b"]))
    async with log.writer() as writer:
        for n in range(RECORDS):
            messages = tuple(
                Message(to=f"tasks.{to}", key=f"c{n % 7}", id=f"{to}-{n}", type="t", data=Raw(b"{}"), seq=n)
                for to in ("a", "b")
            )
            writer.add(made.outbox, 0, b"c", encode(OutboxRecord(case=f"c{n % 7}", version=n, at=0, messages=messages)))
        await writer.flush()
    return made


async def read(log: KafkaLog, topic: str) -> list[dict[str, bytes]]:
    tp, found = TopicPartition(topic, 0), []
    async with asyncio.timeout(120), log.reader(partitions=[tp]) as reader:
        end = (await reader.end_offsets([tp]))[tp]
        while await reader.position(tp) < end:
            for records in (await reader.getmany(timeout_ms=200)).values():
                found += [dict(r.headers) for r in records]
    return found


async def committed(log: KafkaLog, topics: Topics) -> int:
    tp = TopicPartition(topics.outbox, 0)
    async with log.reader(group=topics.group("delivery")) as reader:
        return await reader.committed(tp) or 0


def start(kafka: str, topics: Topics, state: Path, killed_at: int) -> "subprocess.Popen[bytes]":
    env = os.environ | {
        "DUOKUA_BOOTSTRAP": kafka,
        "DUOKUA_PREFIX": topics.prefix,
        "DUOKUA_SHARDS": "1",
        "DUOKUA_STATE_DIR": str(state),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.killed_at_commit", "delivery", str(killed_at)],
        env=env,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("killed_at", [1])
async def test_it_sends_again_under_the_same_ids(kafka: str, topics: Topics, tmp_path: Path, killed_at: int) -> None:
    """Nothing was committed, so the batch comes again; a receiver that knows ids has each message once, in order."""
    log = KafkaLog(kafka)
    with start(kafka, topics, tmp_path, killed_at) as first:
        assert await asyncio.to_thread(first.wait, 120) == -signal.SIGKILL
    assert await committed(log, topics) < RECORDS
    with start(kafka, topics, tmp_path, 0) as second:
        async with asyncio.timeout(120):
            while await committed(log, topics) < RECORDS:
                await asyncio.sleep(0.2)
        second.terminate()
        assert await asyncio.to_thread(second.wait, 60) == 0

    twice = 0
    for to in ("a", "b"):
        ids = [headers["ce_id"].decode() for headers in await read(log, topics.tasks(to))]
        assert list(dict.fromkeys(ids)) == [f"{to}-{n}" for n in range(RECORDS)]
        twice += len(ids) - RECORDS
    assert twice > 0, "it was not killed where it should"
