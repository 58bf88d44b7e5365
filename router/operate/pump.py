"""The loop of every at-least-once role: read a batch, have it done, commit the offsets, beat."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, RebalanceInProgressError

from router.operate.process import Process

Batch = dict[TopicPartition, list[Any]]

STALLED_SECONDS = 60.0
LOOK_SECONDS = 10.0


class Stalled(Exception):
    """Records wait, and the consumer does not bring them. Only a new one helps."""


async def pump(
    process: Process, reader: Any, handle: Callable[[Batch], Awaitable[None]], *, max_records: int = 2000
) -> None:
    """
    Until the process is asked to stop: `handle` a batch, then commit it.

    `handle` returns only when all that it wrote is acknowledged. When it raises, nothing is committed and
    the error ends the process: its supervisor starts it again and the batch comes again. Raises Stalled.
    """
    process.health.ready()
    idle = _Idle(reader)
    while not process.stop.is_set():
        batch: Batch = await reader.getmany(timeout_ms=200, max_records=max_records)
        process.health.beat()
        if not batch:
            await idle.look()
            continue
        idle.moved()
        await handle(batch)
        try:
            await reader.commit({tp: records[-1].offset + 1 for tp, records in batch.items()})
        except (CommitFailedError, RebalanceInProgressError, IllegalStateError):
            # the partitions moved to another member meanwhile: it will do the batch again, which is what at-least-once means
            continue


class _Idle:
    """A consumer that brings nothing: because there is nothing, or because it is stuck? aiokafka's own do get stuck."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._looked = time.monotonic()
        self._behind: dict[TopicPartition, tuple[int, float]] = {}

    def moved(self) -> None:
        self._behind = {}

    async def look(self) -> None:
        """Now and then, compare where each partition is with where it ends. Raises Stalled."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            positions = {tp: await self._reader.position(tp) for tp in self._reader.assignment()}
            ends = await self._reader.end_offsets(list(positions))
        except KafkaError:
            return  # a rebalance, or a broker that is away: neither is a consumer that is stuck
        behind = {tp: at for tp, at in positions.items() if at < ends[tp]}
        self._behind = {
            tp: held if (held := self._behind.get(tp)) and held[0] == at else (at, now) for tp, at in behind.items()
        }
        if any(now - since > STALLED_SECONDS for _, since in self._behind.values()):
            raise Stalled
