"""The engine's process around its shards: rebalances in any order, and what it says of itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from router.engine import role
from router.engine.ledger import ForeignLog
from router.engine.role import Shards
from tests.memory.engine.house import House


class FakeShard:
    """Holds its folder from the take-over until its slow closing is over; notes when two hold one at a time."""

    held: set[int]
    clashes: int
    serve_with: Callable[[], Awaitable[Any]]

    def __init__(self, process: Any, reader: Any, partition: int, *more: Any) -> None:
        self.partition, self.moved_at, self.serving = partition, time.monotonic(), False
        self.lacks_room = False

    async def take_over(self) -> None:
        if self.partition in FakeShard.held:
            FakeShard.clashes += 1
        FakeShard.held.add(self.partition)
        await asyncio.sleep(0)
        self.serving = True

    async def serve(self) -> None:
        await FakeShard.serve_with()

    async def close(self) -> None:
        self.serving = False
        await asyncio.sleep(0.2)
        FakeShard.held.discard(self.partition)


@pytest.fixture
async def owned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    FakeShard.held, FakeShard.clashes = set(), 0
    monkeypatch.setattr(role, "Shard", FakeShard)
    monkeypatch.setattr(role, "RETRY_SECONDS", 0.01)
    house = House(tmp_path)
    FakeShard.serve_with = staticmethod(house.process.stop.wait)
    owned = Shards(house.process, "memory")
    async with house.log.reader([house.topics.commands], group="g") as owned.reader:
        yield owned
        house.process.stop.set()
        await owned.drain()


TP = TopicPartition("duokua.case.commands", 0)


async def test_a_shard_is_never_held_twice_however_fast_rebalances_follow(owned: Shards) -> None:
    """Whoever waits for the former holder and is revoked himself must not let the next one in before it."""
    await owned.on_partitions_assigned([TP])
    await asyncio.sleep(0.05)
    for _ in range(3):
        await owned.on_partitions_revoked([TP])
        await asyncio.sleep(0.01)
        await owned.on_partitions_assigned([TP])
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)

    assert FakeShard.clashes == 0
    assert owned.shards[TP].serving


async def test_another_number_of_shards_than_partitions_is_refused(tmp_path: Path) -> None:
    """Even where there is no state yet that could tell: every command would be a dead letter, in the wrong shard."""
    house = House(tmp_path)
    house.log.names[house.topics.commands] = 4

    with pytest.raises(ForeignLog):
        await asyncio.wait_for(role.run(house.process), 60)


async def test_it_says_what_it_waits_for(owned: Shards) -> None:
    """Ready means that every shard it was given is served; a process without shards stands by and is ready."""
    said = [owned.waiting_for]
    await owned.on_partitions_assigned([TP])
    said.append(owned.waiting_for)
    await asyncio.sleep(0.05)
    said.append(owned.waiting_for)
    await owned.on_partitions_revoked([TP])
    said.append(owned.waiting_for)
    await owned.on_partitions_assigned([])
    await asyncio.sleep(0.3)
    said.append(owned.waiting_for)

    assert said == ["shards of the group", "taking shards over", "", "shards of the group", ""]


async def test_a_shard_that_fails_at_once_and_for_ever_is_seen(owned: Shards, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt is a new, young shard; the failing is what is old."""

    async def fail() -> None:
        raise KafkaError

    FakeShard.serve_with = staticmethod(fail)
    monkeypatch.setattr("router.engine.progress.STALLED_SECONDS", 0.5)
    await owned.on_partitions_assigned([TP])
    await asyncio.sleep(1.0)

    assert owned.stalled() == [0]


async def test_a_cancellation_that_is_not_ours_does_not_leave_a_shard_without_anybody(owned: Any) -> None:
    """aiokafka lets the cancellations of its own tasks out: the shard is taken over anew, as after any other failure."""
    turns = 0

    async def leaks() -> None:
        nonlocal turns
        turns += 1
        if turns < 3:
            raise asyncio.CancelledError
        await owned._process.stop.wait()

    FakeShard.serve_with = staticmethod(leaks)
    await owned.on_partitions_assigned([TP])
    async with asyncio.timeout(60):
        while turns < 3:
            await asyncio.sleep(0.01)


async def test_a_shard_whose_close_is_cut_short_is_not_taken_for_one_that_stands_still(
    owned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It failed, closes slowly, and a rebalance takes it away meanwhile: the watchdog has nothing left to look at."""
    closing = asyncio.Event()

    class Failing:
        serving = lacks_room = False

        def __init__(self, *_: Any) -> None:
            self.partition, self.moved_at = 0, 0.0

        async def take_over(self) -> None:
            raise OSError

        async def close(self) -> None:
            closing.set()
            await asyncio.sleep(0.1)

    monkeypatch.setattr(role, "Shard", Failing)
    await owned.on_partitions_assigned([TP])
    await closing.wait()
    tasks = list(owned._tasks.values())
    await owned.on_partitions_revoked([TP])
    await asyncio.wait(tasks)
    assert owned.shards == {}
