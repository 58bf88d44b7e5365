"""
A store that is older than the log remembers deletions holds what is not there any more: it is never served, by whichever
clock is right, and whoever died in between.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.kafka.log import OutcomeUnknown
from adapters.kafka.memory import MemoryTransactions
from router.engine.store import STALE_SECONDS, Store, state_value
from tests.memory.engine.house import House

GHOST = b"00000000-0000-0000-0000-000000000001"
"""A case that was deleted while the store was away, and whose tombstone is gone."""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def left(house: House, seconds: float) -> None:
    """The store was left so long ago, by the broker's clock, with a case that the log has forgotten since."""
    store = opened(house)
    store.apply([(GHOST, state_value(5, b"ghost"))], store.meta.changelog, store.meta.written_at - seconds)
    store.close()


def opened(house: House) -> Store:
    return Store(house.settings.state_dir / "engine" / house.settings.instance / "shard-0", "memory")


def has_the_ghost(house: House) -> bool:
    store = opened(house)
    has = store.state(GHOST) is not None
    store.close()
    return has


async def serve(house: House, ref: str) -> None:
    house.submit(ref)
    await house.run(house.done)


@pytest.mark.parametrize("wrong", [0.0, -STALE_SECONDS, 9 * STALE_SECONDS], ids=["right", "behind", "ahead"])
@pytest.mark.parametrize("away", [STALE_SECONDS - 3600, STALE_SECONDS + 3600], ids=["in time", "too late"])
async def test_age_goes_by_the_brokers_clock(
    house: House, monkeypatch: pytest.MonkeyPatch, wrong: float, away: float
) -> None:
    """Whatever the machine's clock says: what is too old is built anew, what is not is kept."""
    await serve(house, "R1")
    left(house, away)
    monkeypatch.setattr(house.clock, "wall", lambda: time.time() + wrong)
    await serve(house, "R2")

    assert has_the_ghost(house) == (away < STALE_SECONDS)


async def test_a_death_before_the_broker_was_heard_makes_no_store_younger(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the log was restored, fresh records in it; the next holder still knows since when it was away."""
    await serve(house, "R1")
    left(house, STALE_SECONDS + 3600)
    mine = house.process.settings
    house.process.settings = mine.model_copy(update={"instance": "another"})
    await serve(house, "R2")
    house.process.settings = mine
    commits = fails_at_first(monkeypatch, 1)
    await serve(house, "R3")

    assert commits() > 1
    assert not has_the_ghost(house)


async def test_a_death_after_the_broker_was_heard_makes_no_store_younger(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store is thrown away for is not noted in it first."""
    await serve(house, "R1")
    left(house, STALE_SECONDS + 3600)
    begin_anew, deaths = Store.begin_anew, []

    def dies_once(self: Store, why: str) -> None:
        if not deaths:
            deaths.append(why)
            raise OutcomeUnknown
        begin_anew(self, why)

    monkeypatch.setattr(Store, "begin_anew", dies_once)
    await serve(house, "R2")

    assert deaths == ["stale"]
    assert not has_the_ghost(house)


async def test_a_shard_that_was_idle_for_long_keeps_what_it_has(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds a shard misses nothing, however long nothing happens: no second restore, and no place lost."""
    await serve(house, "R1")
    async with house.log.reader([house.topics.commands], group=house.topics.group("engine")) as reader:
        begun: list[str] = []
        monkeypatch.setattr(Store, "begin_anew", lambda self, why: begun.append(why))
        later = STALE_SECONDS * 2

        def append(self: Any, added: Any) -> Any:
            ends = self._log.append(added)
            self.appended_ms = int((time.time() + (later if added and len(added) > 1 else 0)) * 1000)
            return ends

        monkeypatch.setattr(MemoryTransactions, "_append", append)
        house.submit("R2")
        await house.serve_once(reader, house.done)
    assert begun == []
    store = opened(house)
    assert store.meta.written_at > time.time() + STALE_SECONDS
    store.close()


def fails_at_first(monkeypatch: pytest.MonkeyPatch, times: int) -> Callable[[], int]:
    commit, calls = MemoryTransactions.commit, []

    async def failing(self: MemoryTransactions, offsets: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise OutcomeUnknown
        return await commit(self, offsets)

    monkeypatch.setattr(MemoryTransactions, "commit", failing)
    return lambda: len(calls)
