"""What every log must do: one suite, run on the log in memory and on a real Apache Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from adapters.kafka.log import Fenced, KafkaLog, RecordRefused, TopicSpec
from adapters.kafka.memory import MemoryLog


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def log(request: pytest.FixtureRequest) -> Any:
    """A log; the real one is started for the whole session."""
    if request.param == "memory":
        return MemoryLog()
    return KafkaLog(request.getfixturevalue("kafka"))


@pytest.fixture
async def topic(log: Any) -> AsyncIterator[str]:
    """A fresh topic with two partitions."""
    name = f"t-{uuid4()}"
    await log.create_topics([TopicSpec(name, 2, config={"max.message.bytes": "4096"})])
    return name


async def read_all(log: Any, tp: TopicPartition, **how: Any) -> list[bytes]:
    """The values of a partition, to its end offset."""
    values: list[bytes] = []
    async with log.reader(partitions=[tp], **how) as reader:
        end = (await reader.end_offsets([tp]))[tp]
        while await reader.position(tp) < end:
            for records in (await reader.getmany(timeout_ms=200)).values():
                values += [r.value for r in records]
    return values


async def test_what_is_flushed_is_read_in_order(log: Any, topic: str) -> None:
    """After flush returns, every record can be read, in the order it was added."""
    tp = TopicPartition(topic, 1)
    async with log.writer() as writer:
        for i in range(300):
            writer.add(topic, 1, b"k", b"%d" % i)
        ends = await writer.flush()

    assert await read_all(log, tp) == [b"%d" % i for i in range(300)]
    assert ends[tp] == 300


async def test_headers_and_null_values_survive(log: Any, topic: str) -> None:
    """A tombstone and headers come out as they went in; a null key is a null key."""
    tp = TopicPartition(topic, 0)
    async with log.writer() as writer:
        writer.add(topic, 0, None, b"v", [("ce_id", b"1")])
        writer.add(topic, 0, b"k", None)
        await writer.flush()
    async with log.reader(partitions=[tp]) as reader:
        records = []
        while len(records) < 2:
            records += (await reader.getmany(timeout_ms=200)).get(tp, [])

    assert [(r.key, r.value, [tuple(h) for h in r.headers]) for r in records] == [
        (None, b"v", [("ce_id", b"1")]),
        (b"k", None, []),
    ]


async def test_a_refused_record_is_told(log: Any, topic: str) -> None:
    """A record that the log does not take raises: it is never passed over."""
    async with log.writer() as writer:
        writer.add(topic, 7, b"k", b"v")
        with pytest.raises(RecordRefused):
            await writer.flush()


async def test_a_transaction_is_all_or_nothing_with_its_offsets(log: Any, topic: str) -> None:
    """Records of both partitions and the input offset become visible together."""
    tp = TopicPartition(topic, 0)
    transactions = await log.transactions(f"id-{topic}", f"g-{topic}")
    transactions.add(topic, 0, b"k", b"a")
    transactions.add(topic, 1, b"k", b"b")
    ends = await transactions.commit({tp: 5})
    await log.close(transactions)
    # the answer to a commit comes before its markers are everywhere; the next holder of the id waits for them
    await log.close(await log.transactions(f"id-{topic}", f"g-{topic}"))

    assert (await read_all(log, tp), await read_all(log, TopicPartition(topic, 1))) == ([b"a"], [b"b"])
    assert ends == {tp: 1, TopicPartition(topic, 1): 1}
    async with log.reader(group=f"g-{topic}", partitions=[tp]) as reader:
        assert await reader.committed(tp) == 5


async def test_the_next_holder_of_an_id_fences_the_former(log: Any, topic: str) -> None:
    """A zombie with the same transactional id cannot commit once another has taken over."""
    tp = TopicPartition(topic, 0)
    zombie = await log.transactions(f"id-{topic}", "g")
    heir = await log.transactions(f"id-{topic}", "g")
    heir.add(topic, 0, b"k", b"heir")
    await heir.commit({tp: 1})
    zombie.add(topic, 0, b"k", b"zombie")
    with pytest.raises(Fenced):
        await zombie.commit({tp: 2})
    await log.close(zombie)
    await log.close(heir)
    await log.close(await log.transactions(f"id-{topic}", "g"))

    assert await read_all(log, tp) == [b"heir"]


@pytest.mark.kafka
async def test_a_transaction_with_a_refused_record_commits_nothing(kafka: str) -> None:
    """`commit_transaction()` of the library would commit the rest and the offsets; ours must not."""
    log, name = KafkaLog(kafka), f"t-{uuid4()}"
    await log.create_topics([TopicSpec(name, 2, config={"max.message.bytes": "4096"})])
    transactions = await log.transactions(f"id-{name}", f"g-{name}")
    transactions.add(name, 0, b"k", b"fits")
    transactions.add(name, 1, b"k", b"x" * 10_000)
    with pytest.raises(RecordRefused):
        await transactions.commit({TopicPartition(name, 0): 9})
    await log.close(transactions)
    heir = await log.transactions(f"id-{name}", f"g-{name}")
    await log.close(heir)

    assert await read_all(log, TopicPartition(name, 0)) == []
    async with log.reader(group=f"g-{name}", partitions=[TopicPartition(name, 0)]) as reader:
        assert await reader.committed(TopicPartition(name, 0)) is None


async def test_where_one_topic_is_missing_nothing_is_sent(
    log: Any, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tries again after the refusal must not have sent all others their records already, each time anew."""
    async with log.writer() as writer:
        writer.add(topic, 0, b"k", b"v")
        writer.add(f"{topic}-missing", 0, b"k", b"v")
        if isinstance(log, KafkaLog):
            writer._producer.client._request_timeout_ms = 500  # how long it looks for the topic
        with pytest.raises(RecordRefused):
            await writer.flush()

    assert await read_all(log, TopicPartition(topic, 0)) == []


async def test_the_broker_tells_when_it_appended(log: Any, topic: str) -> None:
    """Of a topic with LogAppendTime the time of the last flush is known: the clock guard compares it."""
    name = f"{topic}-timed"
    await log.create_topics([TopicSpec(name, 1, config={"message.timestamp.type": "LogAppendTime"})])
    transactions = await log.transactions(f"id-{topic}", f"g-{topic}")
    transactions.add(name, 0, b"k", b"v")
    transactions.add(topic, 0, b"k", b"v")
    await transactions.commit({TopicPartition(topic, 0): 1})
    appended = transactions.appended_ms
    await log.close(transactions)

    assert appended is not None and abs(appended / 1000 - time.time()) < 30


@pytest.mark.kafka
async def test_a_take_over_that_is_given_up_leaves_nothing_running(kafka: str) -> None:
    """Cancelled while the id is being taken, as a rebalance does it: no task and no connection goes on by itself."""
    log = KafkaLog(kafka)
    before = asyncio.all_tasks()
    for wait in (0.001, 0.01, 0.03):
        taking = asyncio.create_task(log.transactions(f"id-{uuid4()}", "g"))
        await asyncio.sleep(wait)
        taking.cancel()
        await asyncio.wait([taking])
        if not taking.cancelled():
            await log.close(taking.result())
    await asyncio.sleep(0.2)

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("before", [0, 1, 3])
async def test_a_writer_goes_on_after_a_record_that_is_too_large(log: Any, topic: str, before: int) -> None:
    """
    The topic that refused is named, what went elsewhere is written, and nothing that follows is lost or doubled.

    On the first record ever to a partition, and later; with records behind it in the same flush, and flushes behind it.
    """
    other, tp = f"{topic}-other", TopicPartition(topic, 0)
    await log.create_topics([TopicSpec(other, 1)])
    async with log.writer() as writer:
        for n in range(before):
            writer.add(topic, 0, None, b"before %d" % n)
            await writer.flush()
        for turn in range(3):
            writer.add(other, 0, None, b"other %d" % turn)
            writer.add(topic, 0, None, b"x" * 1_000_000)
            writer.add(topic, 0, None, b"y" * 1_000_000)
            writer.add(topic, 0, None, b"behind")
            with pytest.raises(RecordRefused) as refused:
                await writer.flush()
            assert refused.value.too_large == {topic}
            writer.add(topic, 0, None, b"after %d" % turn)
            await writer.flush()

    # what stands behind it on its own topic may be written or not: it was told as refused
    read = [value for value in await read_all(log, tp) if value != b"behind"]
    assert read == [b"before %d" % n for n in range(before)] + [b"after %d" % n for n in range(3)]
    assert await read_all(log, TopicPartition(other, 0)) == [b"other %d" % n for n in range(3)]


async def test_which_topics_are_missing_is_told(log: Any, topic: str) -> None:
    """Of now: one that was made since is missing no more."""
    new = f"{topic}-new"
    async with log.writer() as writer:
        assert await writer.missing([topic, new]) == {new}
        await log.create_topics([TopicSpec(new, 1)])
        assert await writer.missing([topic, new]) == set()
        assert await writer.missing([]) == set()
