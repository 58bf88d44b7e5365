"""Engines in a group on a real broker: who has no shard, or none that can be served yet, stays a member."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.clock import Clock
from adapters.kafka import log as kafka_log
from adapters.kafka.leaving import end_tasks
from adapters.kafka.log import KafkaLog, TopicPartition
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.engine import role
from router.operate.process import Process
from router.operate.settings import Settings
from tests.unit.catalogue.small import edited, small

# aiokafka forgets a connection that is cancelled while it comes up. In a process that ends with its engine nobody
# notices; here it is collected with the loop that it belonged to, and each test sees to that itself
pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(autouse=True)
def _nothing_left_for_others() -> Iterator[None]:
    yield
    gc.collect()


IDLE_MS = 2_000
LIMIT = 90.0
"""Seconds that anything may take, on a machine that does other things."""


@pytest.fixture
async def made(kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Process]:
    """Makes engines of one deployment with one shard, whose clients hold a member for idle after IDLE_MS."""
    monkeypatch.setattr(kafka_log, "MAX_POLL_MS", IDLE_MS)
    log = KafkaLog(kafka)

    def make(instance: str) -> Process:
        settings = Settings(bootstrap=kafka, prefix=prefix, shards=1, state_dir=tmp_path, instance=instance)
        return Process("engine", settings, Clock(), log)

    catalogue = from_files(small())
    await log.create_topics(make("0").topics.specs(catalogue.channels, catalogue.endpoints))
    return make


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    serving = asyncio.create_task(role.run(process))
    try:
        yield process
    finally:
        process.stop.set()
        await asyncio.wait_for(serving, LIMIT)


async def ready(process: Process) -> None:
    async with asyncio.timeout(LIMIT):
        while process.health.waiting_for:
            await asyncio.sleep(0.05)


async def test_an_engine_that_waited_long_for_its_first_catalogue_serves(made: Callable[[str], Process]) -> None:
    """A deployment may stand for an hour before somebody publishes: the engine is still a member then."""
    async with running(made("1")) as engine:
        async with asyncio.timeout(LIMIT):
            while engine.health.waiting_for != "a published catalogue":
                await asyncio.sleep(0.05)
        await asyncio.sleep(2 * IDLE_MS / 1000)
        assert engine.health.waiting_for == "a published catalogue"
        await publish(engine.log, engine.topics, small())
        await ready(engine)


async def test_an_engine_that_stood_by_for_long_takes_over(
    made: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More engines than shards: the one without a shard polls nothing, and is there when it is needed."""
    owners: list[role.Shards] = []
    begin = role.Shards.__init__

    def known(owner: role.Shards, *given: Any) -> None:
        begin(owner, *given)
        owners.append(owner)

    monkeypatch.setattr(role.Shards, "__init__", known)
    engines = [made("1"), made("2")]
    await publish(engines[0].log, engines[0].topics, small())
    async with running(engines[0]), running(engines[1]):
        await asyncio.gather(*map(ready, engines))
        await asyncio.sleep(2 * IDLE_MS / 1000)
        holder = next(owner for owner in owners if owner.shards)
        standby = next(engine for engine in engines if engine is not holder._process)
        holder._process.stop.set()
        await publish(standby.log, standby.topics, edited("catalogue.yaml", "小省", "新省"))
        await all_done(standby)


async def all_done(process: Process) -> None:
    """Until the shard has committed every command there is; the last offset is the marker of the order's transaction."""
    tp = TopicPartition(process.topics.commands, 0)
    async with (
        process.log.reader(group=process.topics.group("engine"), partitions=[tp]) as reader,
        asyncio.timeout(LIMIT),
    ):
        end = (await reader.end_offsets([tp]))[tp]
        while await reader.committed(tp) != end - 1:
            await asyncio.sleep(0.1)


async def test_who_was_killed_is_dismissed_by_who_starts_in_its_place(
    made: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group is without the killed member as soon as its successor says so, and not when a session has ended."""
    before = made("1")
    log, group = before.log, before.topics.group("engine")
    stack = AsyncExitStack()  # never left: a killed process cleans nothing up
    killed = await stack.enter_async_context(log.reader([before.topics.commands], group=group))
    async with asyncio.timeout(LIMIT):
        while not log.member(killed):
            await killed.getmany(timeout_ms=50)
    member = log.member(killed)
    end_tasks(killed)
    await killed._client.close()  # without a word to the group
    assert await members(log, group) == [member]
    (before.settings.state_dir / "engine" / "1").mkdir(parents=True)
    (before.settings.state_dir / "engine" / "1" / "member").write_text(member)
    await role.dismiss_predecessor(before)
    assert await members(log, group) == []
    await role.dismiss_predecessor(before)  # nobody is there any more: nothing happens


async def members(log: KafkaLog, group: str) -> list[str]:
    async with log.admin() as admin:
        (answer,) = await admin.describe_consumer_groups([group])
        return [member[0] for member in answer.groups[0][5]]


async def test_an_engine_leaves_its_name_for_who_follows_it(made: Callable[[str], Process]) -> None:
    """As the group knows it, in the folder of its instance."""
    process = made("1")
    await publish(process.log, process.topics, small())
    async with running(process):
        await ready(process)
        left = (process.settings.state_dir / "engine" / "1" / "member").read_text()
        assert await members(process.log, process.topics.group("engine")) == [left]
