"""`duokua rules explain` on a real broker: the case's own record and its own catalogue, not what is in force now."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from msgspec import Raw
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from adapters.kafka.log import KafkaLog
from adapters.readmodel import Batch, ReadModel
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.cli.rules import app
from router.operate.topics import Topics
from router.projector.fold import add_events
from tests.unit.catalogue.small import edited, small
from workflows import events as ev
from workflows.commands import Submit
from workflows.decide import decide

pytestmark = pytest.mark.kafka

NOW = 1_789_693_200_000
CASE = "00000001-0000-5000-8000-00000000000%d"
REQUEST = {"title": "王五家门前", "appeal_kind": "help", "appeal_category": "C111", "place": {"region": "370102"}}


@dataclass
class Stage:
    """A deployment of two shards, with the read model that a projector would have made of its log."""

    log: KafkaLog
    topics: Topics
    model: ReadModel

    async def publish(self, files: dict[str, bytes]) -> None:
        await publish(self.log, self.topics, files, now=NOW)

    async def write(self, *records: ev.EventRecord, commit: bool = True) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.log.bootstrap, transactional_id=f"{self.topics.prefix}x")
        await producer.start()
        await producer.begin_transaction()
        batch = Batch()
        for record in records:
            sent = await (await producer.send(self.topics.events, ev.encode(record), partition=1))
            add_events(batch, 1, sent.offset, record)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
        await producer.stop()
        if commit:
            await asyncio.to_thread(self.model.write, batch)


@pytest.fixture
async def stage(kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name, value in (("BOOTSTRAP", kafka), ("PREFIX", prefix), ("SHARDS", "2"), ("STATE_DIR", str(tmp_path))):
        monkeypatch.setenv(f"DUOKUA_{name}", value)
    log, topics, catalogue = KafkaLog(kafka), Topics(prefix, 2), from_files(small())
    await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
    model = ReadModel(f"sqlite:///{tmp_path / 'readmodel.db'}")
    model.prepare("log")
    return Stage(log, topics, model)


def registered(which: int, files: dict[str, bytes], version: int, **more: Any) -> ev.EventRecord:
    """What an engine writes that decides by this version."""
    body = Raw(json.dumps(REQUEST | more).encode())
    command = Submit(
        id=CASE % (which + 5), case=CASE % which, at=NOW, channel="phone", ref=f"W-{which}", request=body, digest="d",
        received_at=NOW - 60_000, query_code="1", serial=str(which),
    )  # fmt: skip
    events = tuple(decide(None, command, from_files(files, version).facts(), NOW))
    number = events[0].number if isinstance(events[0], ev.CaseRegistered) else ""
    return ev.EventRecord(
        case=command.case, version=1, at=NOW, cause=command.id, number=number, catalogue=version, events=events
    )


async def ask(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["explain", *arguments])


async def test_a_case_is_explained_by_the_version_that_it_was_decided_by(stage: Stage) -> None:
    """After a later version routes the same request elsewhere, and with an aborted record before it on the log."""
    later = edited("rules/90.yaml", "number: 900", "number: 920")
    await stage.publish(small())
    await stage.publish(later)
    await stage.write(registered(3, small(), 1), commit=False)
    await stage.write(registered(1, small(), 1), registered(2, later, 2, matter_code="M1"))
    said = await ask("phone:W-1", "--json", "--rule", "matter")
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout.splitlines()[-1])
    assert told["catalogue"]["version"] == 1 and told["differing"] == []
    assert told["recorded"] == told["decided"] and told["decided"]["rule"] == "category"
    assert [cell["held"] for other in told["asked"] for cell in other["cells"]] == [["(missing)"]]
    second = await ask(CASE % 2)
    assert second.exit_code == 0 and "目录  第 2 版" in second.stdout and "与当时的记录一致" in second.stdout
    assert "决定  910 matter 按事项" in second.stdout and "也成立  920 category" in second.stdout
    assert "王五" not in said.output + second.output
    assert (await ask("phone:W-3")).exit_code == 1  # aborted: there is no such case
    assert (await ask("phone:W-1", "--rule", "none")).exit_code == 2


async def test_a_record_that_would_be_decided_otherwise_is_told_loudly(stage: Stage) -> None:
    """The record says another rule than its version gives."""
    await stage.publish(small())
    record = registered(1, small(), 1)
    forged = tuple(
        replace(e, rule="fallback", number=999) if isinstance(e, ev.CaseRouted) else e for e in record.events
    )
    await stage.write(replace(record, events=forged))
    said = await ask("phone:W-1")
    assert said.exit_code == 1 and "！！与当时的记录不一致：rule, number。当时：fallback" in said.stdout
    told = json.loads((await ask("phone:W-1", "--json")).stdout.splitlines()[-1])
    assert told["differing"] == ["rule", "number"] and told["recorded"]["rule"] == "fallback"


async def test_what_is_not_on_the_log_any_more_is_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that nobody published; a read model of another log; no broker."""
    await stage.publish(small())
    record = registered(1, small(), 7)
    await stage.write(record)
    gone = await ask("phone:W-1")
    assert gone.exit_code == 1 and "当时的目录版本读不出来：7" in gone.output
    batch = Batch()
    add_events(batch, 1, 99, replace(record, catalogue=1, case=CASE % 4))
    await asyncio.to_thread(stage.model.write, batch)
    lost = await ask(CASE % 4)
    assert lost.exit_code == 1 and "不在日志上" in lost.output
    monkeypatch.setenv("DUOKUA_BOOTSTRAP", "127.0.0.1:1")
    assert (await ask(CASE % 1)).exit_code == 3
