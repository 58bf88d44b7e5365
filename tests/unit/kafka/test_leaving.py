"""A client that leaves says nothing that could be taken for an order to us."""

import asyncio
from typing import Any

import pytest

from adapters.kafka.leaving import left


class Client:
    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


async def of_its_own() -> None:
    """As aiokafka's fetcher closes: it awaits a task of its own that it has cancelled."""
    task = asyncio.ensure_future(asyncio.sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def with_words() -> None:
    raise ValueError("张三")


async def never() -> None:
    await asyncio.sleep(3600)


@pytest.mark.parametrize("stop", [of_its_own, with_words, never])
async def test_however_it_ends_its_connection_is_closed_and_nothing_is_raised(stop: Any) -> None:
    client = Client()

    await left(stop, client, 0.01)

    assert client.closed


async def test_who_is_cancelled_while_it_leaves_is_cancelled() -> None:
    """An order to us stays one."""
    leaving = asyncio.ensure_future(left(never, Client()))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
