"""The projector on a real broker: transactions leave gaps in the offsets, aborted records are there, delivery is another group."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicSpec
from adapters.readmodel import CaseFile, ReadModel, ReadModelMissing
from router.operate.process import Process
from router.operate.settings import Settings
from router.projector import role
from tests.unit.reading.made_up import handed_out, whole_life
from workflows import events as ev
from workflows import outbox

pytestmark = pytest.mark.kafka


async def publish(process: Process, topic: str, values: Iterable[bytes], *, commit: bool = True) -> None:
    """Each value in a transaction of its own, as an engine that is not busy writes them."""
    producer = AIOKafkaProducer(
        bootstrap_servers=process.settings.bootstrap, transactional_id=f"{process.settings.prefix}x"
    )
    await producer.start()
    for value in values:
        await producer.begin_transaction()
        await (await producer.send(topic, value, partition=1))
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()


async def delivered_upto(process: Process, offset: int) -> None:
    """What the delivery role commits when it has fanned out the outbox up to here."""
    outbox = TopicPartition(process.topics.outbox, 1)
    async with process.log.reader(partitions=[outbox], group=process.topics.group("delivery")) as reader:
        await reader.commit({outbox: offset})


async def projected(process: Process, version: int) -> CaseFile:
    """Run the role until the case stands at `version`, stop it, and show what it left."""
    process.stop.clear()
    task = asyncio.create_task(role.run(process))
    url = process.settings.readmodel_url()
    async with asyncio.timeout(90):
        while not task.done() and _version(url) < version:
            await asyncio.wait({task}, timeout=0.02)
    process.stop.set()
    await task
    model = ReadModel.existing(url)
    file = model.file(model.find("case-1")[0])
    model.close()
    return file


def _version(url: str) -> int:
    try:
        model = ReadModel.existing(url)
    except ReadModelMissing:
        return 0
    found = model.find("case-1")
    model.close()
    return found[0].version if found else 0


async def test_committed_records_are_projected_once_and_aborted_ones_never(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    """
    Two runs over a growing log, with a transaction aborted in between: every committed event stands in the
    timeline exactly once, and of the messages handed out those below delivery's offset count as delivered.
    """
    process = Process(
        "projector", Settings(bootstrap=kafka, prefix=prefix, shards=2, state_dir=tmp_path), Clock(), KafkaLog(kafka)
    )
    await process.log.create_topics([TopicSpec(process.topics.events, 2), TopicSpec(process.topics.outbox, 2)])
    life = whole_life()
    await publish(process, process.topics.events, [ev.encode(r) for r in life[:5]])
    await publish(process, process.topics.outbox, [outbox.encode(r) for r in handed_out()])
    assert (await projected(process, 5)).delivered == {}
    await publish(
        process, process.topics.events, [ev.encode(r) for r in whole_life("case-9", "9", "r-9")], commit=False
    )
    await publish(process, process.topics.events, [ev.encode(r) for r in life[5:]])
    await delivered_upto(process, 1)
    file = await projected(process, len(life))
    assert [step.type for step in file.timeline] == [f"{type(e).__name__}.v1" for r in life for e in r.events]
    assert [d.offset < file.delivered[d.partition] for d in file.deliveries] == [True, True, False]
    model = ReadModel.existing(process.settings.readmodel_url())
    assert model.find("case-9") == []
    model.close()
