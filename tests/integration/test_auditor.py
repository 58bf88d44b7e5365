"""The auditor beside a real engine on a real broker: silent while all is well, and not to be silenced by a kill."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicPartition
from router.auditor.watch import repair_id
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.engine import role
from router.engine.store import Store
from router.operate.process import Process
from router.operate.settings import Settings
from schemas.ids import case_id, command_id
from tests.unit.catalogue.small import edited
from workflows import commands, events

pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

SPEED = 1800
"""Half an hour a second, once time is let pass."""
LIMIT = 60.0
AUDITOR = """
import asyncio
from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from router.auditor import role
from router.operate import logs
from router.operate.process import Process
from router.operate.settings import Settings
settings = Settings()
logs.setup("auditor", instance="1", form="json", level="info")
process = Process("auditor", settings, Clock.from_text(settings.clock), KafkaLog(settings.bootstrap))
asyncio.run(role.run(process, role.Pace(grace=1.0, every=0.2, again=2.0)))
"""
CATALOGUE = edited(
    "policies/all.yaml",
    "{kind: finish, of: case, budget: 5wd}",
    "{kind: finish, of: case, budget: 20m, warn: [{percent: 50}], ladder: [{level: 1, after: 10m, who: centre, what: urge, every: 10m, times: 4}]}",
)


@pytest.fixture
async def engine(kafka: str, prefix: str, tmp_path: Path) -> Process:
    clock = f"2026-09-18T09:00:00+08:00,@{tmp_path / 'epoch'},{SPEED}"
    settings = Settings(bootstrap=kafka, prefix=prefix, shards=1, state_dir=tmp_path, clock=clock)
    process = Process("engine", settings, Clock.from_text(clock), KafkaLog(kafka))
    catalogue = from_files(CATALOGUE)
    await process.log.create_topics(process.topics.specs(catalogue.channels, catalogue.endpoints))
    await publish(process.log, process.topics, CATALOGUE)
    return process


def let_time_pass(folder: Path) -> None:
    """Until now all clocks, those of the engine and of the auditor's process, stand at the beginning."""
    (folder / "new").write_text(f"{time.time():.3f}")
    (folder / "new").rename(folder / "epoch")


class Auditor:
    """The role in a process of its own, and what it says."""

    def __init__(self, engine: Process, folder: Path) -> None:
        settings = engine.settings
        self._env = os.environ | {
            "DUOKUA_BOOTSTRAP": settings.bootstrap, "DUOKUA_PREFIX": settings.prefix, "DUOKUA_SHARDS": "1",
            "DUOKUA_STATE_DIR": str(folder), "DUOKUA_CLOCK": settings.clock,
        }  # fmt: skip
        self._said = folder / "auditor.log"
        self._child: Any = None

    async def start(self) -> None:
        with self._said.open("ab") as said:
            self._child = await asyncio.create_subprocess_exec(sys.executable, "-c", AUDITOR, env=self._env, stderr=said, stdout=said)  # fmt: skip

    async def kill(self) -> None:
        self._child.kill()
        await self._child.wait()

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = self._said.read_text().splitlines() if self._said.exists() else []
        found: Iterator[dict[str, Any]] = (json.loads(line) for line in lines if line.startswith("{"))
        return [line for line in found if line["event"] == event]


async def submit(engine: Process, ref: str) -> str:
    case = case_id("phone", ref)
    request = {
        "appeal_kind": "complaint",
        "appeal_category": "C11",
        "place": {"region": "370102"},
        "title": "路",
        "text": "坏",
    }
    body = msgspec.json.encode(request)
    command = commands.Submit(
        id=command_id(case, ref), case=case, at=engine.clock.now(), source=f"intake.phone/0/{ref}", channel="phone",
        ref=ref, request=msgspec.Raw(body), digest=ref, received_at=engine.clock.now(),
    )  # fmt: skip
    async with engine.log.writer() as writer:
        writer.add(engine.topics.commands, 0, case.encode(), commands.encode(command))
        await writer.flush()
    return case


async def happened(engine: Process) -> list[events.EventRecord]:
    tp = TopicPartition(engine.topics.events, 0)
    found: list[events.EventRecord] = []
    async with engine.log.reader(partitions=[tp]) as reader:
        end = (await reader.end_offsets([tp]))[tp]
        while await reader.position(tp) < end:
            for records in (await reader.getmany(timeout_ms=100)).values():
                found += [events.decode(record.value) for record in records]
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not holds():
            await asyncio.sleep(0.1)


def said(records: list[events.EventRecord], case: str) -> list[int]:
    """How often it was warned of, overdue and escalated."""
    names = [type(e).__name__ for r in records if r.case == case for e in r.events]
    return [names.count(name) for name in ("ClockWarned", "ClockOverdue", "CaseEscalated")]


async def all_said(engine: Process, *cases: str) -> None:
    """Until both ladders are at their end."""
    async with asyncio.timeout(LIMIT):
        while records := await happened(engine):
            if all(said(records, case) == [1, 1, 4] for case in cases):
                return
            await asyncio.sleep(0.2)


async def test_a_lost_deadline_is_found_and_repaired_though_the_auditor_is_killed(
    engine: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The engine's index never learns when one case is due. Nothing else is wrong with it, and nothing else is said.
    The auditor is killed hard once it has read of the case, before anything of it is due.
    """
    lost, kept = case_id("phone", "lost"), case_id("phone", "kept")
    move, dropped = Store._move, list[bytes]()

    def forgetful(store: Store, case: bytes, new: bytes, changes: Any) -> None:
        before = len(changes)
        move(store, case, new, changes)
        if case == lost.encode() and not dropped:
            dropped.extend(key for key, value in changes[before:] if value is not None)
            changes[before:] = [change for change in changes[before:] if change[1] is None]
            store._next = None

    monkeypatch.setattr(Store, "_move", forgetful)
    auditor = Auditor(engine, tmp_path)
    await auditor.start()
    serving = asyncio.create_task(role.run(engine))
    try:
        await until(lambda: not engine.health.waiting_for)
        await submit(engine, "lost")
        await submit(engine, "kept")
        await until(lambda: bool(auditor.said("auditor.started")))
        await asyncio.sleep(1)
        await auditor.kill()
        await auditor.start()
        await until(lambda: len(auditor.said("auditor.started")) == 2)
        let_time_pass(tmp_path)
        await until(lambda: bool(auditor.said("audit.found")))
        assert dropped
        await all_said(engine, lost, kept)
        await auditor.kill()
    finally:
        engine.stop.set()
        await asyncio.wait_for(serving, LIMIT)
    found = auditor.said("audit.found")
    assert {line["case_id"] for line in found} == {lost}
    assert {line["reason"] for line in found} == {"missed"}
    assert len({line["name"] for line in found}) == len(found), "each once"
    records = await happened(engine)
    assert [r.version for r in records if r.case == lost and r.cause == repair_id(lost, 1)] == [2]
    for case in (lost, kept):
        assert said(records, case) == [1, 1, 4]
    assert not auditor.said("role.failed")
