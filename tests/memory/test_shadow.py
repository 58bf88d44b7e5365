"""A draft beside the rules in force: every request is counted, in what it differs, and nothing is written to the log."""

import asyncio
import copy
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from adapters.clock import Clock
from adapters.kafka.memory import MemoryLog
from router.catalogue.load import from_files
from router.catalogue.named import UnknownCatalogue
from router.cli.rules import app
from router.operate.process import Process
from router.operate.refusals import Refused
from router.operate.settings import Settings
from router.shadow import role
from tests.unit.catalogue.small import edited, small
from tests.unit.rules.archive import DAY, NINE, archived
from workflows import events as ev

LIVE = from_files(small(), version=1)
ROADS = {"appeal_category": "C11", "place": {"region": "370102"}}
PARKS = {"appeal_category": "C12", "place": {"region": "370102"}}


class Standing(Clock):
    """Business time stands still at noon of the Friday on which everything here happens."""

    def now(self) -> int:
        return NINE + DAY // 8


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    draft = tmp_path / "draft"
    for name, data in edited("rules/90.yaml", '{function: "@category"}', "{function: parks}").items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).write_bytes(data)
    monkeypatch.setenv("DUOKUA_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("DUOKUA_CATALOG", str(draft))
    settings = Settings(shadow=str(draft), shards=2, prefix="t.")
    made = Process("shadow", settings, Standing(), MemoryLog())
    made.log.names |= {made.topics.events: 2, made.topics.catalog: 1}
    return made


def happened(process: Process, records: Sequence[ev.EventRecord]) -> None:
    process.log.append(
        [(TopicPartition(process.topics.events, n % 2), b"k", ev.encode(r), ()) for n, r in enumerate(records)]
    )


def counted() -> dict[str, float]:
    names = {"yes": {"same": "yes"}, "no": {"same": "no"}}
    found = {name: REGISTRY.get_sample_value("duokua_shadow_requests_total", labels) for name, labels in names.items()}
    for what in ("function", "unit", "clocks"):
        found[what] = REGISTRY.get_sample_value("duokua_shadow_differences_total", {"what": what})
    found["unreadable"] = REGISTRY.get_sample_value("duokua_shadow_unreadable_total", {})
    return {name: value or 0.0 for name, value in found.items()}


def seen(counts: dict[str, float]) -> float:
    return counts["yes"] + counts["no"]


async def ran(process: Process, requests: int, records: Sequence[ev.EventRecord] = ()) -> dict[str, float]:
    """Run it, let this happen once it is ready, stop it when it has seen so many requests; what was counted."""
    before = counted()
    process.stop.clear()
    task = asyncio.create_task(role.run(process))
    async with asyncio.timeout(60):
        while process.health.waiting_for and not task.done():
            await asyncio.sleep(0.01)
        happened(process, records)
        while seen(counted()) < seen(before) + requests and not task.done():
            await asyncio.sleep(0.01)
    process.stop.set()
    await task
    return {name: value - before[name] for name, value in counted().items() if value != before[name]}


async def test_what_comes_is_decided_by_the_draft_as_well(process: Process) -> None:
    """Two alike, three otherwise in function and unit; what came before the start is not counted, nothing is written."""
    happened(process, [archived(LIVE, "before", NINE, **ROADS)])
    came = [archived(LIVE, f"r{n}", NINE + n, **ROADS) for n in range(3)]
    came += [archived(LIVE, f"p{n}", NINE + n, **PARKS) for n in range(2)]
    other = ev.EventRecord(case="c", version=2, at=NINE, cause="x", events=(ev.LegSigned(leg="1"),))
    assert await ran(process, 5, [other, *came]) == {"yes": 2, "no": 3, "function": 3, "unit": 3}
    log = process.log.records
    assert sum(map(len, log.values())) == 7 and not process.log.committed
    found = json.loads(role.place(process.settings.state_dir).read_bytes())["report"]
    assert (found["requests"], found["differing"]) == (5, 3)
    assert {example["number"] for example in found["examples"]} == {record.number for record in came[:3]}


async def test_with_days_it_counts_the_same_anew_after_a_restart(process: Process) -> None:
    """From so many days ago; what is older is left out."""
    process.settings.shadow_days = 2
    happened(process, [archived(LIVE, f"r{n}", NINE - n * DAY, **ROADS) for n in (4, 3, 1, 0)])
    once = await ran(process, 2)
    assert once == {"no": 2, "function": 2, "unit": 2} == await ran(process, 2)


async def test_what_it_cannot_read_does_not_stop_it(process: Process) -> None:
    before = copy.copy(archived(LIVE, "r", NINE, **ROADS))
    process.settings.shadow_days = 1
    strange = b'{"case":1,"events":[{"type":"CaseRegistered.v1"}]}'
    process.log.append([(TopicPartition(process.topics.events, 0), b"k", strange, ())])
    happened(process, [before])
    assert await ran(process, 1) == {"no": 1, "function": 1, "unit": 1, "unreadable": 1}


async def test_it_does_not_begin_without_a_draft(process: Process) -> None:
    """A sentence says which is missing (router/operate/refusals.py)."""
    process.settings.shadow = "t"
    with pytest.raises(UnknownCatalogue):
        await role.run(process)
    process.settings.shadow = ""
    with pytest.raises(Refused):
        await role.run(process)
    del process.log.names[process.topics.events]
    with pytest.raises(Refused):
        await role.run(process)


async def test_what_it_found_is_shown(process: Process) -> None:
    """By another process, while it runs; 3 before it ever ran, 2 without a draft."""
    run = CliRunner().invoke
    assert run(app, ["shadow", "--show"]).exit_code == 3
    assert run(app, ["shadow"]).exit_code == 2
    await ran(process, 1, [archived(LIVE, "r", NINE, **ROADS)])
    said = run(app, ["shadow", "--show"])
    assert said.exit_code == 1 and "1\t道路 → 公园" in said.stdout and "13800001111" not in said.stdout
    assert json.loads(run(app, ["shadow", "--show", "--json"]).stdout)["report"]["differences"] == {
        "function": 1,
        "unit": 1,
    }
