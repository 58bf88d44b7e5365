"""The loop of every at-least-once role: read a batch, have it done, commit the offsets, beat."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, RebalanceInProgressError

from router.operate.process import Process

Batch = dict[TopicPartition, list[Any]]


async def pump(
    process: Process, reader: Any, handle: Callable[[Batch], Awaitable[None]], *, max_records: int = 2000
) -> None:
    """
    Until the process is asked to stop: `handle` a batch, then commit it.

    `handle` returns only when all that it wrote is acknowledged. When it raises, nothing is committed and
    the error ends the process: its supervisor starts it again and the batch comes again.
    """
    process.health.ready()
    while not process.stop.is_set():
        batch: Batch = await reader.getmany(timeout_ms=200, max_records=max_records)
        process.health.beat()
        if not batch:
            continue
        await handle(batch)
        try:
            await reader.commit({tp: records[-1].offset + 1 for tp, records in batch.items()})
        except (CommitFailedError, RebalanceInProgressError, IllegalStateError):
            # the partitions moved to another member meanwhile: it will do the batch again, which is what at-least-once means
            continue
