"""The place to read on is not on the log any more: it is said, nothing is read twice or skipped silently, never the latest."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicSpec
from router.operate import metrics
from router.operate.process import Process
from router.operate.pump import Batch, pump
from router.operate.settings import Settings

pytestmark = pytest.mark.kafka

GROUP = "g"


@pytest.fixture
def process(kafka: str, prefix: str) -> Process:
    return Process("delivery", Settings(bootstrap=kafka, prefix=prefix), Clock(), KafkaLog(kafka))


@pytest.fixture
async def tp(process: Process) -> TopicPartition:
    """A topic with ten records, `0` to `9`."""
    made = TopicPartition(2 * process.settings.prefix, 0)  # a label of its own, as counters live as long as the process
    await process.log.create_topics([TopicSpec(made.topic, 1)])
    await write(process, made, range(10))
    return made


async def write(process: Process, tp: TopicPartition, numbers: Any) -> None:
    async with process.log.writer() as writer:
        for number in numbers:
            writer.add(tp.topic, 0, None, b"%d" % number)
        await writer.flush()


async def pumped(process: Process, tp: TopicPartition, count: int) -> list[bytes]:
    """What the loop brings until `count` records were done."""
    found: list[bytes] = []

    async def take(batch: Batch) -> None:
        found.extend(r.value for r in batch[tp])
        if len(found) >= count:
            process.stop.set()

    process.stop.clear()
    async with asyncio.timeout(60), process.log.reader([tp.topic], group=process.topics.group(GROUP), lost="none") as r:
        await pump(process, r, take)
    return found


def gone(process: Process, tp: TopicPartition) -> float:
    return metrics.RECORDS_GONE.labels(process.topics.short(tp.topic))._value.get()


async def delete_before(process: Process, tp: TopicPartition, offset: int) -> None:
    async with process.log.admin() as admin:
        await admin.delete_records({tp: RecordsToDelete(before_offset=offset)})


async def commit(process: Process, tp: TopicPartition, offset: int) -> None:
    async with process.log.reader(partitions=[tp], group=process.topics.group(GROUP)) as reader:
        await reader.commit({tp: offset})


async def test_a_group_that_never_read_begins_with_the_first(process: Process, tp: TopicPartition) -> None:
    """Nothing is missing then, whatever was deleted long ago."""
    await delete_before(process, tp, 3)

    assert await pumped(process, tp, 7) == [b"%d" % n for n in range(3, 10)]
    assert gone(process, tp) == 0


async def test_records_that_were_deleted_unread_are_said(process: Process, tp: TopicPartition) -> None:
    """Reading goes on with the first there is; the size of the gap is counted."""
    await commit(process, tp, 2)
    await delete_before(process, tp, 6)

    assert await pumped(process, tp, 4) == [b"%d" % n for n in range(6, 10)]
    assert gone(process, tp) == 4


async def test_what_a_log_lost_that_was_read_is_said(process: Process, tp: TopicPartition) -> None:
    """A place behind the end: the log was made anew, or lost its end. All that it has is read."""
    await commit(process, tp, 15)

    assert await pumped(process, tp, 10) == [b"%d" % n for n in range(10)]
    assert gone(process, tp) == 5


async def test_deleted_while_reading(process: Process, tp: TopicPartition) -> None:
    """Not only at the start: the place may vanish under a reader that runs."""
    found: list[bytes] = []

    async def take(batch: Batch) -> None:
        found.extend(r.value for r in batch[tp])
        if found[-1] == b"29":
            process.stop.set()

    async with (
        asyncio.timeout(60),
        process.log.reader([tp.topic], group=process.topics.group(GROUP), lost="none") as reader,
    ):
        pumping = asyncio.create_task(pump(process, reader, take))
        while len(found) < 10:
            await asyncio.sleep(0.01)
        reader.pause(tp)
        await write(process, tp, range(10, 20))
        await delete_before(process, tp, 15)
        await write(process, tp, range(20, 30))
        reader.seek(tp, 10)
        reader.resume(tp)
        await pumping

    assert [int(v) for v in found] == [*range(10), *range(15, 30)]
    assert gone(process, tp) == 5
