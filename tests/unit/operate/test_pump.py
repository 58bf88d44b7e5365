"""The loop of the at-least-once roles: nothing is committed that was not done, and a stuck consumer is seen."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, OffsetOutOfRangeError

from adapters.clock import Clock
from adapters.kafka.memory import MemoryLog, MemoryReader
from router.operate import pump as module
from router.operate.process import Process
from router.operate.pump import Batch, Stalled, pump
from router.operate.settings import Settings

TP = TopicPartition("t", 0)


@pytest.fixture
def process() -> Process:
    log = MemoryLog()
    log.names["t"] = 1
    log.append([(TP, b"k", b"%d" % i, ()) for i in range(3)])
    return Process("delivery", Settings(), Clock(), log)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pump's monotonic clock: five seconds pass with each look at it."""
    at = [1000.0]

    class Time:
        @staticmethod
        def monotonic() -> float:
            at[0] += 5
            return at[0]

    monkeypatch.setattr(module, "time", Time)
    return at


async def test_what_could_not_be_done_is_not_committed(process: Process) -> None:
    """The error ends the loop; the batch comes again."""

    async def handle(batch: Batch) -> None:
        raise ConnectionAbortedError

    async with process.log.reader(["t"], group="g") as reader:
        with pytest.raises(ConnectionAbortedError):
            await pump(process, reader, handle)
        assert await reader.committed(TP) is None


async def test_a_commit_after_the_partitions_moved_is_nothing(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another member does the batch again; this one goes on."""
    done: list[bytes] = []

    async def handle(batch: Batch) -> None:
        done.extend(r.value for records in batch.values() for r in records)
        if len(done) == 3:
            process.stop.set()

    async def moved(reader: MemoryReader, offsets: Any) -> None:
        raise CommitFailedError

    monkeypatch.setattr(MemoryReader, "commit", moved)
    async with process.log.reader(["t"], group="g") as reader:
        await pump(process, reader, handle, max_records=1)

    assert done == [b"0", b"1", b"2"]


async def test_offsets_are_committed_now_and_then_and_all_of_them_at_the_end(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never more than is done; time stands still here, so that only the first batch and the last are told."""
    done = 0
    told: list[tuple[int, int]] = []

    async def handle(batch: Batch) -> None:
        nonlocal done
        done += sum(map(len, batch.values()))
        if done == 3:
            process.stop.set()

    async def commit(reader: MemoryReader, offsets: Any) -> None:
        told.append((offsets[TP], done))

    monkeypatch.setattr(MemoryReader, "commit", commit)
    monkeypatch.setattr(module.time, "monotonic", lambda: 1000.0)
    async with process.log.reader(["t"], group="g") as reader:
        await pump(process, reader, handle, max_records=1)

    assert told == [(1, 1), (3, 3)]


@pytest.mark.parametrize("lost", [False, True])
async def test_a_batch_after_a_rest_takes_what_came_meanwhile_and_loses_nothing_where_the_place_is_gone(
    process: Process, lost: bool
) -> None:
    """Each record is handled once and in order, also when the second look at the log finds no place to read on."""
    async with process.log.reader(["t"], group="g") as reader:
        real, looks = reader.getmany, 0

        async def one(*, timeout_ms: int, max_records: int) -> Batch:
            nonlocal looks
            looks += 1
            if lost and looks == 2:
                raise OffsetOutOfRangeError({TP: 1})
            found: Batch = await real(timeout_ms=0, max_records=min(1, max_records))
            return found

        reader.getmany = one
        batches = [await module.read(reader, 2, rested=True), await module.read(reader, 2, rested=True)]

    assert [[r.value for r in (batch or {})[TP]] for batch in batches] == (
        [[b"0"], [b"1", b"2"]] if lost else [[b"0", b"1"], [b"2"]]
    )


async def nothing(batch: Batch) -> None:
    pass


async def test_a_consumer_that_brings_nothing_although_records_wait_is_stalled(
    process: Process, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, so that a new consumer does what this one does not."""

    async def stuck(reader: MemoryReader, *partitions: Any, **how: Any) -> Batch:
        return {}

    monkeypatch.setattr(MemoryReader, "getmany", stuck)
    async with process.log.reader(["t"], group="g") as reader:
        with pytest.raises(Stalled):
            await pump(process, reader, nothing)


async def test_a_consumer_at_the_end_is_not(process: Process, seconds: list[float]) -> None:
    """Nothing to bring is no stall, however long."""

    async def handle(batch: Batch) -> None:
        seconds.append(0)

    async with process.log.reader(["t"], group="g") as reader:
        real, polls = reader.getmany, 0

        async def few(*partitions: Any, **how: Any) -> Batch:
            nonlocal polls
            polls += 1
            if polls > 60:
                process.stop.set()
            found: Batch = await real(timeout_ms=0)
            return found

        reader.getmany = few
        await pump(process, reader, handle)
        assert await reader.committed(TP) == 3


@pytest.mark.parametrize("where", ["getmany", "position"])
async def test_a_consumer_that_says_nothing_is_stalled(
    process: Process, seconds: list[float], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It waits for its group, or for a place to read on, and nothing ever comes: the role does not wait with it."""
    waits = asyncio.Event()

    async def never(reader: MemoryReader, *about: Any, **how: Any) -> Any:
        await waits.wait()

    async def nothing_there(reader: MemoryReader, *partitions: Any, **how: Any) -> Batch:
        return {}

    monkeypatch.setattr(MemoryReader, "getmany", nothing_there)
    monkeypatch.setattr(MemoryReader, where, never)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(module, "PLACE_SECONDS", 0.001)
    async with process.log.reader(["t"], group="g") as reader:
        with pytest.raises(Stalled):
            await pump(process, reader, nothing)


async def test_a_commit_that_is_never_answered_is_stalled(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the role, and what was done is done again."""
    waits = asyncio.Event()

    async def never(reader: MemoryReader, offsets: Any) -> None:
        await waits.wait()

    monkeypatch.setattr(MemoryReader, "commit", never)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.001)
    async with process.log.reader(["t"], group="g") as reader:
        with pytest.raises(Stalled):
            await pump(process, reader, nothing)


async def test_what_was_read_is_handed_on_when_the_group_is_shared_out_anew(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look that waits for a new assignment does not hold back, or lose, what the first has brought."""
    waits = asyncio.Event()
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    async with process.log.reader(["t"], group="g") as reader:
        real, looks = reader.getmany, 0

        async def first_only(*, timeout_ms: int, max_records: int) -> Batch:
            nonlocal looks
            looks += 1
            if looks == 2:
                await waits.wait()
            found: Batch = await real(timeout_ms=0, max_records=min(1, max_records))
            return found

        reader.getmany = first_only
        batches = [await module.read(reader, 2, rested=True) for _ in range(2)]

    assert [[r.value for r in (batch or {})[TP]] for batch in batches] == [[b"0"], [b"1", b"2"]]
