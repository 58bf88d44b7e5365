"""On a real, compacted topic a version is published, verified, followed; a second publication changes nothing that was."""

import asyncio

import pytest

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicPartition
from router.catalogue.fetch import active_version, fetch_version
from router.catalogue.following import follow
from router.catalogue.load import from_files, load, read_folder
from router.catalogue.pack import VersionUnusable
from router.catalogue.publish import publish
from router.operate.process import Process
from router.operate.settings import CHECKOUT, Settings
from router.operate.topics import Topics
from tests.unit.catalogue.small import small

pytestmark = pytest.mark.kafka


async def test_the_whole_catalogue_over_the_broker(kafka: str, prefix: str) -> None:
    """The real catalogue and a small one, in turn: both stay readable by version and hash, a follower sees both."""
    log, topics = KafkaLog(kafka), Topics(prefix, 2)
    real, tiny = load(CHECKOUT / "catalog"), from_files(small())
    doors = ({**real.channels, **tiny.channels}, {**real.endpoints, **tiny.endpoints})
    await log.create_topics(topics.specs(*doors))
    process = Process(role="test", settings=Settings(prefix=prefix, shards=2), clock=Clock(), log=log)
    first = await publish(log, topics, read_folder(CHECKOUT / "catalog"), by="test", reason="first")
    following = await asyncio.wait_for(follow(process), 30)
    assert following.current.hash == first.hash

    following.arrived.clear()
    second = await publish(log, topics, small())
    await asyncio.wait_for(following.arrived.wait(), 30)
    assert (first.version, second.version, following.current.version) == (1, 2, 2)
    assert await active_version(log, topics.catalog) == (2, second.hash)

    fetched = await fetch_version(log, topics.catalog, 1, first.hash)
    assert len(fetched.units) > 10_000
    assert fetched.facts().version == 1
    with pytest.raises(VersionUnusable):
        await fetch_version(log, topics.catalog, 2, first.hash)
    ends = await _ends(log, topics)
    assert ends == [4, 4]  # two orders in each shard, each with the marker of its transaction
    process.stop.set()
    await asyncio.wait_for(following.stopped(), 30)


async def _ends(log: KafkaLog, topics: Topics) -> list[int]:
    """How many orders each shard was given."""
    partitions = [TopicPartition(topics.commands, p) for p in range(2)]
    async with log.reader(partitions=partitions) as reader:
        ends = await reader.end_offsets(partitions)
    return [ends[partition] for partition in partitions]
