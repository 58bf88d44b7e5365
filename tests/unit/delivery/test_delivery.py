"""Delivery passes nothing over: where one message cannot leave, none of its batch counts as delivered."""

import asyncio

import pytest
import structlog
from aiokafka import TopicPartition
from msgspec import Raw

from adapters.clock import Clock
from adapters.kafka.log import RecordRefused
from adapters.kafka.memory import MemoryLog
from router.delivery import role
from router.operate.process import Process
from router.operate.settings import Settings
from workflows.outgoing import Message, OutboxRecord, encode


async def test_a_missing_topic_is_named_and_nothing_is_committed() -> None:
    """Whoever looks after it reads which one; the next try finds the whole batch again, and nobody had it twice."""
    process = Process("delivery", Settings(shards=1, prefix="p."), Clock(), MemoryLog())
    outbox, there = TopicPartition("p.case.outbox", 0), TopicPartition("p.tasks.there", 0)
    process.log.names |= {outbox.topic: 1, there.topic: 1}
    messages = tuple(
        Message(to=f"tasks.{name}", key="k", id=name, type="t", data=Raw(b"{}")) for name in ("there", "new")
    )
    process.log.append([(outbox, b"k", encode(OutboxRecord(case="c", version=1, at=0, messages=messages)), ())])

    with structlog.testing.capture_logs() as logs, pytest.raises(RecordRefused):
        await asyncio.wait_for(role.run(process), 5)
    assert [entry["topic"] for entry in logs if entry["event"] == "delivery.refused"] == ["p.tasks.new"]
    assert (process.log.records[there], process.log.committed) == ([], {})
