"""A case that was ruled on, on a real broker: its ruling becomes a rule, and its return is in the report."""

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from adapters.readmodel import Batch, ReadModel
from router.catalogue.load import from_files
from router.cli.rules import app
from router.operate.topics import Topics
from router.projector.fold import add_events
from tests.unit.catalogue.small import edited
from tests.unit.rules.archive import disputed
from workflows import events as ev

pytestmark = pytest.mark.kafka


async def test_the_ruling_of_a_case_becomes_a_rule_and_its_return_is_counted(
    kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = edited(
        "units/templates.csv", "centre,hotline:triage,province", "centre,hotline:triage;hotline:arbitrate,province"
    )
    for name, data in files.items():
        (tmp_path / "catalog" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "catalog" / name).write_bytes(data)
    settings = {
        "BOOTSTRAP": kafka, "PREFIX": prefix, "SHARDS": "2", "STATE_DIR": tmp_path, "CATALOG": tmp_path / "catalog",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"DUOKUA_{name}", str(value))
    log, topics, catalogue = KafkaLog(kafka), Topics(prefix, 2), from_files(files)

    async def call(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)

    async def report(*arguments: str) -> tuple[int, dict[str, dict[str, dict[str, float]]]]:
        said = await call("returns", "--json", *arguments)
        return said.exit_code, json.loads(said.stdout.splitlines()[-1])

    assert (await call("returns")).exit_code == 3  # nothing ever ran
    await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
    assert (await report())[1]["rules"] == {}
    records = disputed(catalogue, Clock().now() - 3_600_000).records
    model, batch = ReadModel(f"sqlite:///{tmp_path / 'readmodel.db'}"), Batch()
    model.prepare("log")
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for record in records:
        sent = await producer.send_and_wait(topics.events, ev.encode(record), partition=1)
        add_events(batch, 1, sent.offset, record)
    await producer.stop()
    await asyncio.to_thread(model.write, batch)

    number = records[0].number
    made = json.loads((await call("from-ruling", "--case", number, "--days", "0", "--json")).stdout.splitlines()[-1])
    assert (made["rule"]["basis"], made["before"]) == ("裁〔2026〕3号", "category")
    assert made["rule"]["then"]["route"][0]["function"] == "roads"
    assert (await call("from-ruling", "--case", number, str(tmp_path / "x.yaml"))).exit_code == 2
    assert (await call("from-ruling")).exit_code == 2
    assert (await call("from-ruling", "--case", "nobody")).exit_code == 1

    code, counted = await report()
    assert (code, counted["rules"]["category"]["returned"], counted["rules"]["category"]["ruled"]) == (0, 1, 1)
    assert counted["units"]["370100.roads"]["dispatched"] == 1
    assert await report("--above", "50") == (1, counted | {"rules": {"category": counted["rules"]["category"]}, "units": {
        "370102.roads": counted["units"]["370102.roads"],
    }})  # fmt: skip
    shown = await call("returns", "--lang", "en")
    assert "100.0%  category" in shown.stdout and "370102.roads" in shown.stdout
