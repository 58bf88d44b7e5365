"""`duokua rules backtest` on a real broker: aborted, open, archived and deleted, and the version in force."""

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.cli.rules import app
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small
from tests.unit.rules.archive import DAY, archived
from workflows import events as ev

pytestmark = pytest.mark.kafka

PARKS = ("rules/90.yaml", '{function: "@category"}', "{function: parks}")
ROADS = {"appeal_category": "C11", "place": {"region": "370102"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in edited(*PARKS).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


async def write(kafka: str, topics: Topics, values: list[bytes], end: str = "commit") -> AIOKafkaProducer:
    """Records in one transaction to each of two partitions in turn; `open` leaves it to the caller to end."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topics.prefix}{end}")
    await producer.start()
    await producer.begin_transaction()
    for number, value in enumerate(values):
        await (await producer.send(topics.events, value, partition=number % 2))
    if end == "open":
        return producer
    await (producer.commit_transaction() if end == "commit" else producer.abort_transaction())
    await producer.stop()
    return producer


async def called(monkeypatch: pytest.MonkeyPatch, kafka: str, prefix: str, *arguments: object) -> Result:
    for name, value in {"BOOTSTRAP": kafka, "PREFIX": prefix, "SHARDS": "2"}.items():
        monkeypatch.setenv(f"DUOKUA_{name}", value)
    return await asyncio.to_thread(CliRunner().invoke, app, ["backtest", *map(str, arguments)])


async def test_the_requests_of_the_log_are_decided_again(
    kafka: str, prefix: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed, once each; what was archived or deleted since too; what was aborted or is still open not."""
    log, topics, now = KafkaLog(kafka), Topics(prefix, 2), Clock().now()
    active = from_files(small(), version=1)
    await log.create_topics(topics.specs(active.channels, active.endpoints))

    nothing = await called(monkeypatch, kafka, prefix, folder)
    assert nothing.exit_code == 1  # no version in force
    await publish(log, topics, small())
    empty = await called(monkeypatch, kafka, prefix, folder)
    assert empty.exit_code == 1 and "此期间没有登记过诉求" in empty.stdout

    kept = [archived(active, f"kept-{n}", now - n * DAY, **ROADS) for n in range(7, -1, -1)]
    gone = [
        ev.EventRecord(case=kept[0].case, version=2, at=now, cause="x", events=(event,))
        for event in (ev.CaseArchived(), ev.CaseForgotten())
    ]
    await write(kafka, topics, [ev.encode(record) for record in (*kept, *gone)])
    await write(kafka, topics, [ev.encode(archived(active, f"void-{n}", now, **ROADS)) for n in range(4)], "abort")
    left = await write(
        kafka, topics, [ev.encode(archived(active, f"open-{n}", now, **ROADS)) for n in range(4)], "open"
    )

    said = await called(monkeypatch, kafka, prefix, folder, "--days", 4, "--json")
    assert said.exit_code == 1, said.output
    made = json.loads(said.stdout.splitlines()[-1])
    assert (made["requests"], made["differing"], made["checked"], made["unlike"]) == (4, 4, 4, 0)
    assert made["functions"] == [{"before": "roads", "after": "parks", "count": 4}]
    assert {example["number"] for example in made["examples"]} == {record.number for record in kept[4:]}
    everything = await called(monkeypatch, kafka, prefix, folder, "--days", 30, "--json")
    assert json.loads(everything.stdout.splitlines()[-1])["requests"] == 8

    await left.abort_transaction()
    await left.stop()
    same = await called(monkeypatch, kafka, prefix, "active", "--against", folder, "--lang", "en")
    assert same.exit_code == 1 and "8 requests, of which 8 would come out otherwise" in same.stdout
    assert "13800001111" not in same.stdout + said.stdout
    quiet = await called(monkeypatch, kafka, prefix, "1", "--against", "active")
    assert quiet.exit_code == 0 and "每件诉求的去向、单位和时限都不变。" in quiet.stdout
    assert (await called(monkeypatch, kafka, prefix, "no-such-draft")).exit_code == 1


async def test_without_topics_or_broker_it_says_so(
    kafka: str, prefix: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3: there is nothing to read from."""
    said = await called(monkeypatch, kafka, prefix, folder, "--against", folder)
    assert said.exit_code == 3 and f"{prefix}case.events" in said.stderr
    assert (await called(monkeypatch, "127.0.0.1:1", prefix, folder, "--against", folder)).exit_code == 3
