"""The commands of a release on a real Kafka, as people give them: for a day and back, in an emergency, and a key that is lost."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.kafka.log import KafkaLog
from router.catalogue import drafts, releases
from router.catalogue.hand import register
from router.catalogue.keys import Signer
from router.catalogue.life import Life
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.cli.main import app
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small

pytestmark = pytest.mark.kafka

ZHANG, LI = Signer.fresh("zhang.wei"), Signer.fresh("li.na")
NOW = 1_790_000_000_000


class Desk:
    """Two people at a terminal; what is not looked at here is done without the command line."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self.log, self.topics, self._count = KafkaLog(kafka), Topics(prefix, 2), 0

    async def begin(self) -> None:
        catalogue = from_files(small())
        await self.log.create_topics(self.topics.specs(catalogue.channels, catalogue.endpoints))
        await publish(self.log, self.topics, small(), by="setup", now=NOW)
        for person in (ZHANG, LI):
            await register(self.log, self.topics, person.who, person.public, by=ZHANG, now=NOW)

    async def drafted(self, name: str, base: int, *, agreed: bool, days: str = "2026-09-20") -> None:
        self._count += 1
        files = edited("rules/90.yaml", "按事项", f"事项{self._count}")
        files |= {"calendars/days.yaml": edited("calendars/days.yaml", "2026-09-20", days)["calendars/days.yaml"]}
        head = await drafts.save(
            self.log, self.topics, name, files, by=ZHANG, reason="r", base=base, revision=0, now=NOW
        )
        if agreed:
            await releases.approve(self.log, self.topics, name, head.content, by=LI, reason="", now=NOW)

    def life(self) -> Life:
        return asyncio.run(releases.history(self.log, self.topics))

    @staticmethod
    def told(code: int, *arguments: str) -> Any:
        """What a command says with `--json`; nothing where it refuses."""
        done = CliRunner().invoke(app, [*arguments, "--json"])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout.splitlines()[-1]) if code == 0 else done.output


@pytest.fixture
def desk(kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name, value in {"BOOTSTRAP": kafka, "PREFIX": prefix, "SHARDS": "2", "KEYS": str(tmp_path / "keys")}.items():
        monkeypatch.setenv(f"DUOKUA_{name}", value)
    for person in (ZHANG, LI):
        person.store(tmp_path / "keys")
    made = Desk(kafka, prefix)
    asyncio.run(made.begin())
    return made


def test_a_release_for_a_day_an_emergency_and_a_lost_key(desk: Desk) -> None:
    """Each is refused where it must be, with nothing changed, and told as the log has it where it is done."""
    asyncio.run(desk.drafted("spring", 1, agreed=True))
    by = ("--actor", "zhang.wei")
    desk.told(2, "rules", "publish", "spring", *by, "--from", "soon")
    waits = desk.told(0, "rules", "publish", "spring", *by, "--from", "2099-01-01")
    assert (waits["version"], waits["start"][:10]) == (2, "2099-01-01")
    assert desk.life().versions[2].state == "waiting"
    withdrawn = desk.told(0, "rules", "withdraw", *by, "--reason", "改期")
    assert withdrawn["version"] == 2 and desk.life().versions[2].state == "withdrawn"
    desk.told(1, "rules", "withdraw", *by, "--reason", "再来")

    asyncio.run(desk.drafted("flood", 1, agreed=False))
    desk.told(1, "rules", "publish", "flood", *by)
    desk.told(1, "rules", "publish", "flood", *by, "--emergency")
    assert desk.told(0, "rules", "publish", "flood", *by, "--emergency", "--reason", "汛情")["version"] == 3
    life = desk.life()
    assert life.in_force is not None and (life.in_force.number, life.in_force.wants_review) == (3, True)

    asyncio.run(desk.drafted("autumn", 3, agreed=True))
    assert desk.told(0, "rules", "publish", "autumn", *by, "--from", "2099-01-01")["version"] == 4
    gone = desk.told(0, "keys", "revoke", "li.na", *by, "--reason", "遗失")
    assert gone == {"who": "li.na", "known": False, "withdrawn": 4}
    assert desk.life().versions[4].state == "withdrawn"
    desk.told(1, "keys", "revoke", "zhang.wei", *by, "--reason", "最后一把")
    assert not desk.life().holds("li.na", LI.public)


def test_whoever_changes_a_calendar_is_told_where_to_look_and_nobody_else_is(desk: Desk) -> None:
    by = ("--actor", "zhang.wei")
    asyncio.run(desk.drafted("rule", 1, agreed=True))
    assert desk.told(0, "rules", "draft", "show", "rule")["recounts"] is False
    assert desk.told(0, "rules", "publish", "rule", *by)["recounts"] is False
    asyncio.run(desk.drafted("days", 2, agreed=True, days="2026-09-27"))
    assert desk.told(0, "rules", "draft", "show", "days")["recounts"] is True
    assert "duokua calendar moves days" in CliRunner().invoke(app, ["rules", "draft", "show", "days"]).output
    waits = desk.told(0, "rules", "publish", "days", *by, "--from", "2099-01-01")
    assert waits["recounts"] is True
    desk.told(0, "rules", "withdraw", *by, "--reason", "改期")
    back = CliRunner().invoke(app, ["rules", "rollback", "1", *by, "--reason", "恢复"])
    assert back.exit_code == 0 and "日历有变" not in back.output
