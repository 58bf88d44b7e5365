"""The life of a catalogue on a real broker: two at once, what is forged, a day that comes over a restart, and the way back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicPartition
from router.catalogue import drafts, releases
from router.catalogue.desk import DEPLOYMENT, STREAM, NotAllowed
from router.catalogue.fetch import active_version
from router.catalogue.following import follow
from router.catalogue.hand import register
from router.catalogue.keys import Signer
from router.catalogue.load import from_files
from router.catalogue.publish import publish, without_carried
from router.engine import role
from router.operate import audit, metrics
from router.operate.process import Process
from router.operate.settings import Settings
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small

pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

LIMIT = 60.0
LOOK = 2.0
"""Seconds in which what is done too early would have been done."""
NOON, DAY = 1_790_000_000_000, 24 * 3600 * 1000
ONE, OTHER = edited("rules/90.yaml", "按事项", "事项"), edited("rules/90.yaml", "按分类", "分类")
ZHANG, LI = Signer.fresh("zhang.wei"), Signer.fresh("li.na")


class Set(Clock):
    """A business clock that stands where it was set; the real clocks beneath go on."""

    at = NOON

    def now(self) -> int:
        return self.at


@pytest.fixture
async def log(kafka: str, prefix: str) -> KafkaLog:
    """A version in force, and two people whose keys hold."""
    log, topics, catalogue = KafkaLog(kafka), Topics(prefix, 2), from_files(small())
    await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
    await publish(log, topics, small(), by="setup", now=NOON)
    for person in (ZHANG, LI):
        await register(log, topics, person.who, person.public, by=ZHANG, now=NOON)
    return log


@pytest.fixture
def topics(prefix: str) -> Topics:
    return Topics(prefix, 2)


async def agreed(log: KafkaLog, topics: Topics, name: str, files: dict[str, bytes], by: Signer, other: Signer) -> None:
    """A draft of one, approved by the other."""
    head = await drafts.save(log, topics, name, files, by=by, reason=name, base=1, revision=0, now=NOON)
    await releases.approve(log, topics, name, head.content, by=other, reason="", now=NOON)


async def ends(log: KafkaLog, topics: Topics) -> list[int]:
    """Where the commands of each shard end: an order and the marker of its transaction are two offsets."""
    partitions = [TopicPartition(topics.commands, p) for p in range(2)]
    async with log.reader(partitions=partitions) as reader:
        found = await reader.end_offsets(partitions)
    return [found[tp] for tp in partitions]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not holds():
            await asyncio.sleep(0.05)


async def test_of_two_who_publish_at_once_one_is_told_of_the_other(log: KafkaLog, topics: Topics) -> None:
    """One version, one order in each shard; the other draft is still there, and its author knows why."""
    await agreed(log, topics, "one", ONE, ZHANG, LI)
    await agreed(log, topics, "other", OTHER, LI, ZHANG)
    made = await asyncio.gather(
        releases.publish_draft(log, topics, "one", by=ZHANG, now=NOON),
        releases.publish_draft(log, topics, "other", by=LI, now=NOON),
        return_exceptions=True,
    )
    (refused,) = [one for one in made if isinstance(one, BaseException)]
    assert isinstance(refused, NotAllowed) and refused.code == "old_base"
    assert (await active_version(log, topics.catalog) or (0,))[0] == 2
    assert await ends(log, topics) == [4, 4]
    version = (await releases.history(log, topics)).versions[2]
    assert refused.facts["who"] == version.by and version.draft is not None
    assert [head.name for head in await drafts.listed(log, topics)] == [
        {"one": "other", "other": "one"}[version.draft.name]
    ]
    audit.check(await audit.read(log, topics.audit, STREAM))


async def test_a_forged_approval_is_no_approval(log: KafkaLog, topics: Topics) -> None:
    """Whoever can write to the audit topic can go on with the chain, but not sign: all that builds on it is refused."""
    head = await drafts.save(log, topics, "one", ONE, by=ZHANG, reason="", base=1, revision=0, now=NOON)
    entries = await audit.read(log, topics.audit, STREAM)
    facts = {"draft": "one", "revision": 1, "content": head.content, DEPLOYMENT: entries[-1].facts[DEPLOYMENT]}
    forged = audit.entry(
        entries[-1], STREAM, at=head.at, who="li.na", act="approve", why="", facts=facts, sign=ZHANG.sign
    )
    async with log.writer() as writer:
        writer.add(topics.audit, 0, STREAM.encode(), audit.encode(forged))
        await writer.flush()
    audit.check(await audit.read(log, topics.audit, STREAM))
    with pytest.raises(audit.ChainBroken):
        await releases.publish_draft(log, topics, "one", by=ZHANG, now=NOON)
    assert (await active_version(log, topics.catalog) or (0,))[0] == 1


@asynccontextmanager
async def engines(
    log: KafkaLog, topics: Topics, folder: Path, clock: Clock, count: int
) -> AsyncIterator[list[Process]]:
    made = [
        Process(
            "engine",
            Settings(
                bootstrap=log.bootstrap,
                prefix=topics.prefix,
                shards=2,
                state_dir=folder,
                instance=str(n),
                state_free_mb=0,
            ),
            clock,
            log,
        )
        for n in range(count)
    ]
    serving = [asyncio.create_task(role.run(process)) for process in made]
    try:
        await until(lambda: not any(process.health.waiting_for for process in made))
        yield made
    finally:
        for process in made:
            process.stop.set()
        await asyncio.wait_for(asyncio.gather(*serving), LIMIT)


def in_shards() -> list[Any]:
    return [metrics.CATALOGUE.labels(str(shard))._value.get() for shard in range(2)]


async def test_a_day_comes_once_over_a_restart_and_back(log: KafkaLog, topics: Topics, tmp_path: Path) -> None:
    """
    Not before its time while an engine runs; while none runs nothing is lost; two that start after it put it in force once. A
    rollback has the old content decide everywhere.
    """
    clock = Set()
    await agreed(log, topics, "one", ONE, ZHANG, LI)
    async with engines(log, topics, tmp_path, clock, 1):
        await releases.publish_draft(log, topics, "one", by=ZHANG, now=NOON, start=NOON + DAY)
        clock.at = NOON + DAY - 1
        await asyncio.sleep(LOOK)
        assert in_shards() == [1, 1] and await ends(log, topics) == [2, 2]
    clock.at = NOON + DAY
    async with engines(log, topics, tmp_path, clock, 2):
        await until(lambda: in_shards() == [2, 2])
        await asyncio.sleep(LOOK)
        assert await ends(log, topics) == [4, 4]

        follower = Process("test", Settings(prefix=topics.prefix, shards=2), clock, log)
        following = await asyncio.wait_for(follow(follower), LIMIT)
        assert without_carried(following.current.files) == ONE
        await releases.rollback(log, topics, 1, by=LI, reason="误派", now=clock.at)
        await until(lambda: in_shards() == [3, 3] and following.current.version == 3)
        assert without_carried(following.current.files) == small()
        follower.stop.set()
        await asyncio.wait_for(following.stopped(), LIMIT)
    acts = [entry.act for entry in await audit.read(log, topics.audit, STREAM)]
    assert acts.count("activate") == 1 and acts[-2:] == ["activate", "publish"]
    life = await releases.history(log, topics)
    assert [(v.number, v.state, v.rollback_of) for v in life.versions.values()] == [
        (1, "earlier", 0), (2, "earlier", 0), (3, "in_force", 1),
    ]  # fmt: skip
