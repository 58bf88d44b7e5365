"""
The loop of every at-least-once role: read a batch, have it done, commit the offsets, beat.

Its readers are made with `lost="none"`: where the place to read on is not on the log any more, the client would
go to another without a word. Here it is said how much is gone, and reading goes on with the first record there is.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
)

from router.operate import metrics
from router.operate.floor import TOP_UP_MS, Floor
from router.operate.process import Process

log = structlog.get_logger()

Batch = dict[TopicPartition, list[Any]]
Offsets = Mapping[TopicPartition, int]

STALLED_SECONDS = 60.0
LOOK_SECONDS = 10.0
POLL_SECONDS = 5.0
"""How long a read may say nothing: while its group is shared out anew the consumer waits, whatever it was asked."""
PLACE_SECONDS = 0.2
ANSWER_SECONDS = 50.0
"""The longest wait for any other answer: more than the client's own patience (40 s), less than `/livez` has (60 s)."""
FLOOR_SECONDS = 0.04
"""A batch goes to as many topics as its records have destinations, and each of them costs the broker and us."""
COMMIT_SECONDS = 0.2
"""How often offsets are committed under load: what was done since then is done again after a crash, under the same ids."""


class Stalled(Exception):
    """Records wait and the consumer does not bring them, or it says nothing any more. Only a new one helps."""


async def pump(
    process: Process, reader: Any, handle: Callable[[Batch], Awaitable[Offsets | None]], *, max_records: int = 2000
) -> None:
    """
    Until the process is asked to stop: `handle` a batch, then commit it, or a few of them at once.

    `handle` returns only when all that it wrote is acknowledged; it is given an empty batch where nothing came. Where
    it is not done with all that it was given it returns the offsets to commit, of former batches too. When it raises, nothing is committed and the error ends the process: its supervisor starts it again and the batch comes
    again. Raises Stalled.
    """
    process.health.ready()
    floor, ended, rest = Floor(FLOOR_SECONDS, max_records), time.monotonic(), 0.0
    idle, commits, age = _Idle(reader), _Commits(reader), metrics.INPUT_AGE.labels(process.role)
    while not process.stop.is_set():
        try:
            batch = await read(reader, max_records, rested=rest > 0)
        except LOST as error:
            await _answered(find_footing(process, reader, error))
            continue
        started = time.monotonic()
        process.health.beat()
        if batch is None:
            idle.silent(started)
            continue
        age.set(_age(process, batch))
        if batch:
            idle.moved()
        else:
            await idle.look()
        done = await handle(batch)
        if done is None:
            done = {tp: records[-1].offset + 1 for tp, records in batch.items()}
        await commits.take(done)
        if batch:
            waited, ended = started - ended, time.monotonic()
            rest = floor.rest(ended - started, waited, _size(batch))
            await asyncio.sleep(rest)
    await commits.commit()


async def read(reader: Any, most: int, rested: bool) -> Batch | None:
    """What there is, of up to `most` records; after a rest also what came in it. None: the consumer said nothing."""
    try:
        batch = await _polled(reader, 200, most)
    except TimeoutError:
        return None
    if batch and rested and (left := most - _size(batch)) > 0:
        with suppress(*LOST, TimeoutError):  # they come again with the next read, which has nothing in hand
            for tp, records in (await _polled(reader, TOP_UP_MS, left)).items():
                batch[tp] = batch.get(tp, []) + records
    return batch


async def _polled(reader: Any, wait_ms: int, most: int) -> Batch:
    async with asyncio.timeout(POLL_SECONDS):
        found: Batch = await reader.getmany(timeout_ms=wait_ms, max_records=most)
    return found


async def _answered(asked: Awaitable[None]) -> None:
    """Wait for it, but not for ever: no wait may hold a role until its watchdog ends it. Raises Stalled."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await asked
    except TimeoutError:
        raise Stalled from None


def _size(batch: Batch) -> int:
    return sum(map(len, batch.values()))


def _age(process: Process, batch: Batch) -> float:
    """Seconds since the oldest record of a batch was written, by the log's own time."""
    written = min((records[0].timestamp for records in batch.values()), default=None)
    return 0.0 if written is None else max(0.0, process.clock.wall() - written / 1000)


async def batches(process: Process, reader: Any, most: int) -> AsyncIterator[Batch]:
    """For a role that keeps its own place: what is read until it is asked to stop, an empty batch where nothing came. Beats."""
    while not process.stop.is_set():
        try:
            batch: Batch = await reader.getmany(timeout_ms=200, max_records=most)
        except LOST as error:
            await find_footing(process, reader, error)
            continue
        process.health.beat()
        yield batch


LOST = (NoOffsetForPartitionError, OffsetOutOfRangeError)
"""What a reader with `lost="none"` raises: no place to read on yet, or one that is not on the log."""


async def find_footing(process: Process, reader: Any, error: KafkaError) -> None:
    """
    After one of LOST: read on with the earliest record there is, never with the latest. Says how many are gone.

    A place behind the log's end means that the log lost what it had acknowledged: all that it has is read anew.
    """
    (place,) = error.args
    lost: dict[TopicPartition, int] = place if isinstance(place, dict) else {}
    partitions = list(lost) or [place]
    first, end = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    for tp in partitions:
        if tp in lost:
            at = lost[tp]
            count = max(first[tp] - at, at - end[tp], 0)
            metrics.RECORDS_GONE.labels(process.topics.short(tp.topic)).inc(count)
            log.error(
                "records.gone",
                topic=tp.topic,
                partition=tp.partition,
                offset=at,
                offsets=[first[tp], end[tp]],
                count=count,
            )
        with suppress(IllegalStateError):  # it went to another member meanwhile
            reader.seek(tp, first[tp])


class _Commits:
    """The offsets before which all is done. A commit is a round trip in which nothing else is done, so not with each batch."""

    def __init__(self, reader: Any) -> None:
        self._reader, self._done, self._at = reader, dict[TopicPartition, int](), float("-inf")

    async def take(self, done: Offsets) -> None:
        self._done.update(done)
        if time.monotonic() - self._at >= COMMIT_SECONDS:
            await self.commit()

    async def commit(self) -> None:
        ours = self._reader.assignment()
        done, self._done = {tp: offset for tp, offset in self._done.items() if tp in ours}, {}
        self._at = time.monotonic()
        if not done:
            return
        # or the partitions moved to another member meanwhile: it will do the batch again, which is what at-least-once means
        with suppress(CommitFailedError, RebalanceInProgressError, IllegalStateError):
            await _answered(self._reader.commit(done))


class _Idle:
    """A consumer that brings nothing: because there is nothing, or because it is stuck? aiokafka's own do get stuck."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._looked = time.monotonic()
        self._behind: dict[TopicPartition, tuple[int | None, float]] = {}
        self._silent_since: float | None = None

    def moved(self) -> None:
        self._behind, self._silent_since = {}, None

    def silent(self, now: float) -> None:
        """It said nothing, not even that there is nothing. Raises Stalled where that goes on."""
        self._silent_since = now if self._silent_since is None else self._silent_since
        if now - self._silent_since > STALLED_SECONDS:
            raise Stalled

    async def look(self) -> None:
        """Now and then, compare where each partition is with where it ends. Raises Stalled."""
        self._silent_since = None
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            ours = list(self._reader.assignment())
            places = dict(zip(ours, await asyncio.gather(*map(self._place, ours)), strict=True))
            ends = await self._reader.end_offsets(ours)
        except KafkaError:
            return  # a rebalance, or a broker that is away: neither is a consumer that is stuck
        behind = {tp: at for tp, at in places.items() if at is None or at < ends[tp]}
        self._behind = {
            tp: held if (held := self._behind.get(tp)) and held[0] == at else (at, now) for tp, at in behind.items()
        }
        if any(now - since > STALLED_SECONDS for _, since in self._behind.values()):
            raise Stalled

    async def _place(self, tp: TopicPartition) -> int | None:
        """
        None where it has none yet. The consumer would wait for one; but where the group has none to begin with, the
        next read is told so and nobody else, and there is no next read while we wait here.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(PLACE_SECONDS):
                return int(await self._reader.position(tp))
        return None
