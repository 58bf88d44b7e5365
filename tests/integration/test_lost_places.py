"""The place to read on is not on the log any more: it is said, nothing is read twice or skipped silently, never the latest."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicSpec
from router.operate import metrics
from router.operate import pump as module
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
        found.extend(r.value for r in batch.get(tp, ()))
        if len(found) >= count:
            process.stop.set()

    process.stop.clear()
    async with (
        asyncio.timeout(120),
        process.log.reader([tp.topic], group=process.topics.group(GROUP), lost="none") as r,
    ):
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
        found.extend(r.value for r in batch.get(tp, ()))
        if b"29" in found:
            process.stop.set()

    async with (
        asyncio.timeout(120),
        process.log.reader([tp.topic], group=process.topics.group(GROUP), lost="none") as reader,
    ):
        pumping = asyncio.create_task(pump(process, reader, take))
        while len(found) < 10:
            if pumping.done():
                await pumping  # tells why it ended
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


async def test_a_look_does_not_wait_for_a_place_that_only_a_read_can_bring(
    process: Process, tp: TopicPartition
) -> None:
    """
    A partition in which the group never read gets its place after a read has raised that it has none. aiokafka's own
    `position()` waits for it: a look between two reads, as after a rebalance, would wait for ever.
    """
    async with process.log.reader([tp.topic], group=process.topics.group(GROUP), lost="none") as reader:
        async with asyncio.timeout(90):
            while not reader.assignment():
                await asyncio.sleep(0.01)
        idle = module._Idle(reader)
        idle._looked -= module.LOOK_SECONDS
        async with asyncio.timeout(module.STALLED_SECONDS):
            await idle.look()


async def test_a_member_that_is_thrown_out_again_and_again_reads_on(
    process: Process, tp: TopicPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As after a broker that was away for longer than a session: the member is unknown, joins anew, and is given all its
    partitions anew, most of which nobody ever wrote to. The broker is slow to say where it was, so that reads are empty
    meanwhile; and after each empty read the loop looks whether its consumer is stuck.
    """
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    quiet = [f"{process.settings.prefix}quiet-{n}" for n in range(20)]
    await process.log.create_topics([TopicSpec(name, 1) for name in quiet])
    group, found = process.topics.group(GROUP), set[bytes]()

    async def take(batch: Batch) -> None:
        found.update(r.value for records in batch.values() for r in records)

    async with (
        asyncio.timeout(90),
        process.log.reader([tp.topic, *quiet], group=group, lost="none") as reader,
    ):
        ask, told = reader._coordinator._do_fetch_commit_offsets, set[str]()

        async def slowly(partitions: Any) -> Any:
            if (member := process.log.member(reader)) not in told:
                told.add(member)
                await asyncio.sleep(0.5)  # longer than a read waits
            return await ask(partitions)

        monkeypatch.setattr(reader._coordinator, "_do_fetch_commit_offsets", slowly)
        pumping = asyncio.create_task(pump(process, reader, take))
        for turn in range(1, 4):
            while len(found) < 10 * turn:
                await asyncio.sleep(0.01)
            member = process.log.member(reader)
            await process.log.dismiss(group, member)
            while process.log.member(reader) in (member, ""):
                await asyncio.sleep(0.01)
            await write(process, tp, range(10 * turn, 10 * turn + 10))
        process.stop.set()
        await pumping
