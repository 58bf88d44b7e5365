"""On a real Kafka a sheet goes into a draft, is compared with what is in force, and is not laid over others' work."""

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters.kafka.log import KafkaLog
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.catalogue.sheets import FIELDS
from router.cli.main import app
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small
from tests.unit.catalogue.test_commands import write

pytestmark = pytest.mark.kafka


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


async def published(kafka: str, prefix: str) -> None:
    log, topics, catalogue = KafkaLog(kafka), Topics(prefix, 2), from_files(small())
    await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
    await publish(log, topics, small(), by="setup")
    await publish(log, topics, edited("rules/90.yaml", "按事项", "事项"), by="setup")


@pytest.fixture
def folder(kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is in force, as files too, and the settings of a terminal beside it."""
    for name, value in {"BOOTSTRAP": kafka, "PREFIX": prefix, "SHARDS": "2", "KEYS": str(tmp_path / "keys")}.items():
        monkeypatch.setenv(f"DUOKUA_{name}", value)
    write(tmp_path / "catalog", edited("rules/90.yaml", "按事项", "事项"))
    monkeypatch.setenv("DUOKUA_CATALOG", str(tmp_path / "catalog"))
    return tmp_path


def renamed(path: Path, rule: str, name: str) -> None:
    """A rule gets another name in the CSV."""
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    next(row for row in rows if row[0] == rule)[FIELDS.index("name")] = name
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    path.write_text(out.getvalue(), "utf-8")


def test_a_sheet_becomes_a_draft(kafka: str, prefix: str, folder: Path) -> None:
    """Saved under the base it was made from; then compared; a second hand does not undo it with an older sheet."""
    asyncio.run(published(kafka, prefix))
    for who in ("zhang.wei", "li.na"):
        new = call("keys", "new", who, "--json")
        assert new.exit_code == 0, new.output
    public = json.loads(new.stdout.splitlines()[-1])["public"]
    assert call("keys", "add", "li.na", public, "--actor", "zhang.wei").exit_code == 0
    assert call("rules", "export", folder / "r.csv").exit_code == 0
    assert call("rules", "export", folder / "old.xlsx").exit_code == 0

    renamed(folder / "r.csv", "joint", "大联合")
    zhang = ("--draft", "spring", "--actor", "zhang.wei", "--reason", "春季")
    saved = call("rules", "import", folder / "r.csv", *zhang, "--json")
    assert saved.exit_code == 0, saved.output
    assert json.loads(saved.stdout.splitlines()[-1])["written"] == "草稿“spring”第 1 稿"
    told = call("rules", "diff", "active", "spring")
    assert told.exit_code == 1
    assert told.stdout == "变更\tjoint 大联合 #30\n\t名称：甲市联合 → 大联合\n"
    assert call("rules", "diff", "spring", "spring").stdout == "没有差异\n"
    assert call("rules", "diff", "1", "active").stdout == "变更\tmatter 事项 #910\n\t名称：按事项 → 事项\n"
    assert call("rules", "diff", folder / "catalog", "2").exit_code == 0

    again = call("rules", "import", folder / "r.csv", *zhang, "--json")
    assert json.loads(again.stdout.splitlines()[-1])["differences"] == []
    other = ("--draft", "spring", "--actor", "li.na", "--reason", "x")
    refused = call("rules", "import", folder / "old.xlsx", *other)
    assert refused.exit_code == 1 and "zhang.wei" in refused.stderr
    assert call("rules", "diff", "active", "spring").exit_code == 1

    assert call("rules", "diff", "7", "active").exit_code == 1
    assert call("rules", "diff", "nothing", "active").exit_code == 1
    assert call("rules", "import", folder / "r.csv", "--draft", "spring").exit_code == 2
