"""
A running hotline is taken over on a real Kafka: tried, written, written again. The engine opens what the try said, each unit gets
its task once and may answer it, and who looks a case up reads the times of the old system.
"""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import json
from typer.testing import CliRunner

from adapters.clock import BEIJING
from router.cli.main import app
from router.delivery import role as delivery
from router.engine import role as engine
from router.intake import role as intake
from router.operate import audit
from router.operate.settings import Settings
from router.operate.taking_over import STREAM
from router.projector import role as projector
from schemas.ids import case_id
from schemas.registry import REPLY_SUBMITTED, TASK_ASSIGNED
from tests.integration.house import LIMIT, serving
from tests.integration.test_orders import House
from tests.unit.catalogue.small import small

pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

CASES = 300
ROADS = "370102.roads"
NOW = datetime.now(BEIJING).replace(microsecond=0)


def _at(hours: int) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


def line(number: int) -> str:
    """Every third waits for a dispatcher; of the others a unit has signed one in two."""
    history = [
        {"at": _at(50), "action": "dispatch", "said": {"targets": [{"unit": ROADS}]}},
        {"at": _at(49), "action": "sign", "unit": ROADS},
    ]
    request = {
        "appeal_kind": "help", "appeal_category": "C111", "place": {"region": "370102"}, "title": f"路面破损{number}",
        "received_at": _at(72),
    }  # fmt: skip
    steps = history[: number % 3]
    return json.encode({"id": f"old-{number}", "number": f"JN{number}", "request": request, "history": steps}).decode()


@pytest.fixture
async def house(kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = {"BOOTSTRAP": kafka, "PREFIX": prefix, "SHARDS": "2", "STATE_DIR": str(tmp_path), "STATE_FREE_MB": "0"}
    for name, value in settings.items():
        monkeypatch.setenv(f"DUOKUA_{name}", value)
    roles = {"intake": intake, "engine": engine, "delivery": delivery, "projector": projector}
    async with serving(Settings(), roles, small()) as process:
        yield House(process)


async def _run(code: int, *arguments: str) -> dict[str, Any]:
    done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
    assert done.exit_code == code, done.output
    return json.decode(done.stdout.splitlines()[-1], type=dict[str, Any])


async def _opened(house: House) -> dict[str, Any]:
    """The tasks that stand at the desk, by case; one each."""
    tasks = [data for kind, data in await house.read(house.process.topics.tasks("desk")) if kind == TASK_ASSIGNED]
    assert len({data["task_id"] for data in tasks}) == len(tasks), "no task twice"
    return {data["case_id"]: data for data in tasks}


async def test_a_running_hotline_is_taken_over(house: House, tmp_path: Path) -> None:
    file = tmp_path / "open.jsonl"
    file.write_text("\n".join(map(line, range(CASES))) + "\n")
    command = ("import", "open-cases", str(file), "--channel", "phone")
    act = ("--write", "--actor", "张工", "--reason", "上线", "--rate", "100000")
    faulty = tmp_path / "faulty.jsonl"
    faulty.write_text(line(0) + "\n{}\n")
    refused = await _run(1, "import", "open-cases", str(faulty), "--channel", "phone", *act)
    assert (refused["sound"], refused["written"]) == (1, 0), "nothing is written while a line is at fault"
    written = await _run(0, *command, *act)
    assert (written["sound"], written["written"]) == (CASES, CASES)
    assert written["states"] == {"in_triage": 100, "dispatched": 100, "signed": 100}

    log, topics = house.process.log, house.process.topics
    async with asyncio.timeout(LIMIT):
        while len(tasks := await _opened(house)) < CASES:
            await asyncio.sleep(1)
    assert {data["reason"] for data in tasks.values()} == {"taken_over"}
    assert {data["former_number"] for data in tasks.values()} == {f"JN{number}" for number in range(CASES)}
    entries = await audit.read(log, topics.audit, STREAM)
    assert [(entry.who, entry.why, len(entry.facts["cases"])) for entry in entries] == [("张工", "上线", 100)] * 3

    # a second run changes nothing; what comes from the unit, and from the channel, is taken
    await _run(0, *command, *act)
    mine = tasks[case_id("phone", "old-2")]
    said = {
        "case_id": mine["case_id"],
        "task_id": mine["task_id"],
        "action": "reply",
        "result": "solved",
        "text": "已修",
    }
    await house.write(topics.replies("desk"), REPLY_SUBMITTED, said)
    review = await house.wait(topics.tasks("desk"), TASK_ASSIGNED, kind="review")
    assert (review["case_id"], review["former_number"]) == (mine["case_id"], "JN2")
    assert len(await _opened(house)) == CASES

    async with asyncio.timeout(LIMIT):
        while (told := await _shown("phone:old-2")) is None or told["case"]["state"] != "replied":
            await asyncio.sleep(0.5)
    happened = {step["type"]: step["at"] for step in told["timeline"]}
    assert datetime.fromisoformat(happened["LegDispatched.v1"]) == NOW - timedelta(hours=50)
    assert datetime.fromisoformat(happened["LegSigned.v1"]) == NOW - timedelta(hours=49)
    assert [step["type"] for step in told["timeline"]].count("CaseRegistered.v1") == 1


async def _shown(case: str) -> dict[str, Any] | None:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["case", "show", case, "--json"])
    return json.decode(done.stdout, type=dict[str, Any]) if done.exit_code == 0 else None
