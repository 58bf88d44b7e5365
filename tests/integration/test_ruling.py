"""`duokua rules from-ruling` on a real broker: into a draft, signed, with the cases of the log that it would have caught."""

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from router.catalogue import drafts
from router.catalogue.keys import load
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.cli.keys import app as keys
from router.cli.rules import app as rules
from router.operate.topics import Topics
from tests.unit.catalogue.small import small
from tests.unit.rules.archive import DAY, archived
from workflows import events as ev

pytestmark = pytest.mark.kafka

RULING = {
    "document": "裁〔2026〕3号", "ruled_by": "裁定组", "date": "2026-09-17", "reason": "移交市里", "unit": "370100.roads",
    "function": "roads", "category": ["C11"], "place": ["370102"],
}  # fmt: skip


async def test_a_ruling_becomes_a_rule_of_a_draft_with_its_document_number(
    kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Of the requests of the last days it names those that the rule would have decided, by number and former unit. A
    second ruling goes into the same draft beside the first.
    """
    settings: dict[str, object] = {
        "BOOTSTRAP": kafka,
        "PREFIX": prefix,
        "SHARDS": "2",
        "STATE_DIR": tmp_path,
        "KEYS": tmp_path / "keys",
    }
    settings["CATALOG"] = tmp_path / "catalog"
    for name, data in small().items():
        (tmp_path / "catalog" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "catalog" / name).write_bytes(data)
    for name, value in settings.items():
        monkeypatch.setenv(f"DUOKUA_{name}", str(value))
    file = tmp_path / "ruling.json"
    file.write_text(json.dumps(RULING))

    async def call(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, rules, ["from-ruling", str(file), *arguments])

    log, topics, active = KafkaLog(kafka), Topics(prefix, 2), from_files(small(), version=1)
    mine = ("--draft", "lamps", "--actor", "zhang.wei")
    assert (await call(*mine)).exit_code == 2  # no key
    assert (await call()).exit_code == 3  # no topics
    await log.create_topics(topics.specs(active.channels, active.endpoints))
    assert (await asyncio.to_thread(CliRunner().invoke, keys, ["new", "zhang.wei"])).exit_code == 0
    assert (await call(*mine)).exit_code == 1  # nothing in force
    signer = load(tmp_path / "keys", "zhang.wei")
    await publish(log, topics, small(), by=signer.who, signer=signer)
    now = Clock().now()
    at = {"appeal_category": "C111", "place": {"region": "370102001"}}
    elsewhere = {"appeal_category": "C111", "place": {"region": "370103"}}
    records = [archived(active, f"r-{n}", now - n * DAY, **(elsewhere if n == 3 else at)) for n in range(5)]
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for number, record in enumerate(records):
        await producer.send_and_wait(topics.events, ev.encode(record), partition=number % 2)
    await producer.stop()

    said = await call(*mine, "--days", "4", "--json")
    assert said.exit_code == 0, said.output
    made = json.loads(said.stdout.splitlines()[-1])
    caught = made["caught"]
    assert (caught["seen"], caught["caught"], caught["units"]) == (4, 3, {"370102.roads": 3})
    assert set(caught["cases"]) == {records[n].number for n in (0, 1, 2)}
    draft = await drafts.fetch(log, topics, "lamps")
    assert (draft.head.by, draft.head.basis, draft.head.base) == ("zhang.wei", "裁〔2026〕3号", 1)
    assert from_files(draft.files).rules["ruling-2026-09-17"].number == 899
    again = await call(*mine, "--lang", "en")
    assert again.exit_code == 0 and "saved in the draft 'lamps', revision 2" in again.stdout
    assert "13800001111" not in said.output + again.output
    assert set(from_files((await drafts.fetch(log, topics, "lamps")).files).rules) > {
        "ruling-2026-09-17", "ruling-2026-09-17-2",
    }  # fmt: skip
