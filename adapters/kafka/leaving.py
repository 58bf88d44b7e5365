"""
How a client of the log is left: in bounded time, whatever state it and the broker are in.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer

LEAVE_SECONDS = 10.0
"""How long a client may take to leave: a broker that does not answer must not keep a process from ending."""


async def left(stop: Callable[[], Awaitable[None]], client: Any, seconds: float = LEAVE_SECONDS) -> None:
    """Stop a consumer or producer in bounded time, whatever state it is in; never raises. What it had to say is said."""
    await ended(asyncio.ensure_future(stop()), seconds)
    await ended(asyncio.ensure_future(client.close()), 1)


async def ended(task: "asyncio.Future[Any]", seconds: float) -> None:
    """
    Wait until it has ended, however it ends, or cancel it. Raises only when we are cancelled ourselves.

    aiokafka awaits tasks that it has cancelled: a CancelledError of theirs would look like one of ours, and end a role or
    a shard's task that nobody wanted to end.
    """
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        task.cancel()


def end_tasks(consumer: AIOKafkaConsumer) -> None:
    """What a consumer that could not leave in time still does: heartbeats above all, that would keep its partitions."""
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    for task in (
        *(getattr(consumer._coordinator, n, None) for n in names),
        getattr(consumer._fetcher, "_fetch_task", None),
    ):
        if task is not None and not task.done():
            task.cancel()
