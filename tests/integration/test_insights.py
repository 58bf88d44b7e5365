"""The insights worker on a real broker: what Faust is made to do here, and what it would do by itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from faust.transport.drivers import aiokafka as stock
from faust.types import ProcessingGuarantee

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicSpec
from router.insights import app as insights_app
from router.insights import role
from router.insights.surge import Rule
from router.insights.transport import CommittedTransport
from router.operate.process import Process
from router.operate.settings import Settings
from tests.unit.reading.made_up import record, registered
from workflows import events as ev

pytestmark = pytest.mark.kafka

FLOOR = 10
"""Cases that make a surge where nothing was before (router.insights.surge.Rule)."""


@pytest.fixture
async def process(kafka: str, prefix: str, tmp_path: Path) -> Process:
    """The role's surroundings: its two topics of ours, one shard, nothing of Faust's yet."""
    process = Process(
        "insights", Settings(bootstrap=kafka, prefix=prefix, shards=1, state_dir=tmp_path), Clock(), KafkaLog(kafka)
    )
    await process.log.create_topics([TopicSpec(process.topics.events, 1), TopicSpec(process.topics.surges, 1)])
    return process


@asynccontextmanager
async def working(process: Process) -> AsyncIterator[None]:
    """The role runs meanwhile, and ends when it is asked to."""
    process.stop.clear()
    task = asyncio.create_task(role.run(process))
    try:
        yield
        assert not task.done(), task
    finally:
        process.stop.set()
        await asyncio.wait_for(task, 90)


def cases(category: str, first: int, count: int) -> list[bytes]:
    numbers = range(first, first + count)
    return [
        ev.encode(record(f"{category}-{n}", 1, registered(f"{category}-{n}", str(n), category=category)))
        for n in numbers
    ]


async def publish(process: Process, values: Iterable[bytes], *, commit: bool = True) -> None:
    """Write records to `case.events` in one transaction, as an engine does; or begin it and abort it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=process.settings.bootstrap, transactional_id=f"{process.settings.prefix}x"
    )
    await producer.start()
    await producer.begin_transaction()
    for value in values:
        await (await producer.send(process.topics.events, value, partition=0))
    await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()


async def surges_until(process: Process, category: str) -> list[dict[str, Any]]:
    """Every surge announced up to the one of `category`."""
    found: list[dict[str, Any]] = []
    async with (
        process.log.reader(partitions=[TopicPartition(process.topics.surges, 0)]) as reader,
        asyncio.timeout(120),
    ):
        while not any(surge["category"] == category for surge in found):
            read = await reader.getmany(timeout_ms=200)
            found += [json.loads(r.value) for records in read.values() for r in records]
    return found


@pytest.mark.parametrize(
    ("transport", "announced"),
    [(CommittedTransport, ["committed"]), (stock.Transport, ["aborted", "committed"])],
    ids=["ours", "as Faust ships it"],
)
async def test_aborted_records_are_not_counted(
    process: Process, monkeypatch: pytest.MonkeyPatch, transport: type, announced: list[str]
) -> None:
    """
    Invariant: what an engine aborted never happened. The worker announces the committed surge alone.

    The plant: the same worker on Faust's own transport announces the aborted one too.
    """
    monkeypatch.setattr(insights_app, "CommittedTransport", transport)
    await publish(process, cases("aborted", 0, FLOOR), commit=False)
    await publish(process, cases("committed", 0, FLOOR))
    async with working(process):
        surges = await surges_until(process, "committed")
    assert [surge["category"] for surge in surges] == announced


async def test_a_worker_with_nothing_to_do_does_not_look_stalled(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marks of transactions and aborted records at the end of the log are read and never shown: nothing waits behind them."""
    apps: list[Any] = []

    def keep(*given: Any) -> Any:
        apps.append(insights_app.make_app(*given))
        return apps[0]

    monkeypatch.setattr(role, "make_app", keep)
    await publish(process, cases("0203", 0, FLOOR))
    await publish(process, cases("0204", 0, FLOOR), commit=False)
    async with working(process):
        await surges_until(process, "0203")
        async with asyncio.timeout(90):
            while (await role.progress(apps[0]))[1]:
                await asyncio.wait({asyncio.create_task(process.stop.wait())}, timeout=0.05)
        assert (await role.progress(apps[0]))[0] > FLOOR


async def test_a_surge_says_what_where_when_and_how_many(process: Process) -> None:
    """One record per surge, with its window in Beijing time and an id that a second telling would share."""
    async with working(process):
        await publish(process, cases("0203", 0, FLOOR + 5))
        (surge,) = await surges_until(process, "0203")
    assert surge == {
        "id": "0203|371702|website@1789696800000",
        "window": {"from": "2026-09-17T10:00:00+08:00", "to": "2026-09-18T10:00:00+08:00"},
        "category": "0203",
        "place": "371702",
        "channel": "website",
        "count": FLOOR,
        "baseline": 0.0,
    }


async def test_a_worker_started_anew_goes_on_counting(process: Process) -> None:
    """The table comes back from its changelog: what was counted before the stop counts after it."""
    await publish(process, cases("late", 0, FLOOR - 1))
    await publish(process, cases("first", 0, FLOOR))
    async with working(process):
        await surges_until(process, "first")
    async with working(process):
        await publish(process, cases("late", FLOOR - 1, 1))
        surges = await surges_until(process, "late")
    assert [(surge["category"], surge["count"]) for surge in surges] == [("first", FLOOR), ("late", FLOOR)]


async def test_a_record_that_cannot_be_read_delays_nobody(process: Process) -> None:
    """Not JSON, an event of a later version, a tombstone's emptiness: passed over, and the worker goes on."""
    await publish(
        process,
        [
            b"\xff",
            b'{"case":"c","version":1,"at":1,"cause":"x","events":[{"type":"CaseSung.v1"}]}',
            b"",
            *cases("0203", 0, FLOOR),
        ],
    )
    async with working(process):
        assert len(await surges_until(process, "0203")) == 1


async def test_faust_opens_no_door_and_makes_its_own_topics(process: Process) -> None:
    """The broker creates no topic by itself: Faust's are there by request. No web server, no exactly_once, no pickle."""
    await publish(process, cases("0203", 0, FLOOR))
    async with working(process):
        await surges_until(process, "0203")
        topics = {
            topic.removeprefix(process.settings.prefix): n
            for topic, n in (await process.log.topics()).items()
            if topic.startswith(process.settings.prefix)
        }
    assert topics == {"case.events": 1, "insights.surges": 1, "insights-sightings": 1, "insights-cells-changelog": 1}
    app = insights_app.make_app(
        process.settings.bootstrap, process.topics, process.settings.state_dir, Rule(), lambda _: None
    )
    conf: Any = app.conf
    assert not conf.web_enabled and conf.processing_guarantee is ProcessingGuarantee.AT_LEAST_ONCE
    assert {conf.key_serializer, conf.value_serializer} == {"raw"}
