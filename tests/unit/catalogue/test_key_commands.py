"""The commands of keys and folders, on a log in memory: what they tell, and what they leave on the disk."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.kafka.memory import MemoryLog
from router.catalogue.publish import publish
from router.cli import acting
from router.cli.main import app
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small, unchanged

TOPICS = Topics("t.", 2)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryLog:
    log = MemoryLog()
    monkeypatch.setattr(acting, "KafkaLog", lambda _: log)
    for name, value in (("PREFIX", "t."), ("SHARDS", "2"), ("KEYS", str(tmp_path / "keys"))):
        monkeypatch.setenv(f"DUOKUA_{name}", value)
    return log


def run(*words: str, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*words, *(["--json"] if code == 0 else [])])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout.splitlines()[-1]) if code == 0 else {}


async def _begin(log: MemoryLog) -> None:
    catalogue = unchanged()
    await log.create_topics(TOPICS.specs(catalogue.channels, catalogue.endpoints))
    await publish(log, TOPICS, small())


def test_whose_key_was_revoked_makes_a_new_one(log: MemoryLog, tmp_path: Path) -> None:
    """The old file is set aside; a folder is nobody's way any more, which `--to-begin` takes for no fault."""
    asyncio.run(_begin(log))
    run("keys", "new", "zhang")
    old = run("keys", "new", "li")["public"]
    run("keys", "add", "li", old, "--actor", "zhang")
    assert run("keys", "new", "li")["public"] == old
    assert run("keys", "revoke", "li", "--actor", "zhang", "--reason", "lost")["withdrawn"] is None
    new = run("keys", "new", "li")["public"]
    assert new != old
    run("keys", "add", "li", old, "--actor", "zhang", code=1)
    run("keys", "add", "li", new, "--actor", "zhang")
    folder = tmp_path / "folder"
    for name, data in edited("rules/90.yaml", "按事项", "事项").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    run("catalog", "publish", str(folder), "--actor", "zhang", code=1)
    assert run("catalog", "publish", str(folder), "--to-begin")["changed"] is False
