"""`duokua dead-letters` on a real broker, with an engine and a delivery that run meanwhile, as an operator would use it."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicPartition
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.delivery import role as delivery
from router.engine import batch
from router.engine import role as engine
from router.operate import audit
from router.operate.dead_letters import STREAM, letters
from router.operate.process import Process
from router.operate.settings import Settings
from schemas.ids import case_id, command_id, shard_of
from tests.unit.catalogue.small import small
from workflows import commands, events
from workflows.case import Case
from workflows.handle import Step

pytestmark = pytest.mark.kafka

LIMIT = 60.0
CHANNEL = "hotline_12345"
REQUEST = {
    "appeal_kind": "complaint",
    "place": {"region": "370102", "kind": "division"},
    "title": "路灯",
    "text": "不亮",
}
PERSON = ("--actor", "王", "--reason", "已修复")


class Said(NamedTuple):
    exit_code: int
    stdout: str


class Stack:
    """One engine and one delivery on the broker, a core that fails where it is told to, and the operator's commands."""

    def __init__(self, kafka: str, prefix: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.log, self.broken, self._sent = KafkaLog(kafka), set[str](), 0
        settings = Settings(bootstrap=kafka, prefix=prefix, shards=2, state_dir=folder)
        self.processes = [Process(name, settings, Clock(), self.log) for name in ("engine", "delivery")]
        self.topics = self.processes[0].topics
        self._env = {"DUOKUA_BOOTSTRAP": kafka, "DUOKUA_PREFIX": prefix, "DUOKUA_SHARDS": "7"}  # the log knows better
        real = batch.step

        def faulty(case: Case | None, command: Any, *more: Any) -> Step:
            if getattr(command, "source", "") in self.broken:
                raise KeyError
            return real(case, command, *more)

        patch.setattr(batch, "step", faulty)

    async def send(self, ref: str, text: str = "", *, broken: bool = False) -> str:
        """A request, or with a text a supplement to it; returns the case id."""
        case, self._sent = case_id(CHANNEL, ref), self._sent + 1
        source = f"intake.{CHANNEL}/0/{self._sent}"
        if broken:
            self.broken.add(source)
        common: dict[str, Any] = {
            "id": command_id(case, source), "case": case, "at": 0, "source": source, "channel": CHANNEL, "ref": ref,
        }  # fmt: skip
        body = msgspec.Raw(msgspec.json.encode(REQUEST))
        now = self.processes[0].clock.now()
        command: Any = (
            commands.Supplement(**common, body=msgspec.Raw(msgspec.json.encode({"text": text})))
            if text
            else commands.Submit(**common, request=body, digest="d", received_at=now)
        )
        async with self.log.writer() as writer:
            writer.add(self.topics.commands, shard_of(case, 2), case.encode(), commands.encode(command))
            await writer.flush()
        return case

    async def say(self, *words: str) -> Said:
        """The command as a process of its own: this one's standard output is the roles'."""
        command = (sys.executable, "-m", "router.cli.main", "dead-letters", *words)
        ran = await asyncio.create_subprocess_exec(*command, env=os.environ | self._env, stdout=PIPE, stderr=PIPE)
        out, err = await ran.communicate()
        assert b"Traceback" not in err, err.decode()
        return Said(ran.returncode or 0, out.decode())

    async def asked(self, *words: str) -> dict[str, Any]:
        """The one JSON object of a command."""
        answer: dict[str, Any] = json.loads((await self.say(*words, "--json")).stdout)
        return answer

    async def until_listed(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(LIMIT):
            while len(await letters(self.log, self.topics)) < count:
                await asyncio.sleep(0.2)
        return list((await self.asked("list"))["letters"])

    async def heard(self, case: str) -> list[str]:
        """What was said to the case, in the order in which it took effect."""
        tp = TopicPartition(self.topics.events, shard_of(case, 2))
        found: list[str] = []
        async with self.log.reader(partitions=[tp]) as reader:
            end = (await reader.end_offsets([tp]))[tp]
            while await reader.position(tp) < end:
                for record in (await reader.getmany(timeout_ms=200)).get(tp, []):
                    happened = events.decode(record.value)
                    found += [
                        msgspec.json.decode(e.body)["text"]
                        for e in happened.events
                        if isinstance(e, events.CaseSupplemented) and happened.case == case
                    ]
        return found

    async def receipts(self) -> list[str]:
        """What the channel was told, by code or the reason for it."""
        tp, found = TopicPartition(self.topics.answers(CHANNEL), 0), list[str]()
        async with self.log.reader(partitions=[tp]) as reader:
            end = (await reader.end_offsets([tp]))[tp]
            while await reader.position(tp) < end:
                for record in (await reader.getmany(timeout_ms=200)).get(tp, []):
                    said = msgspec.json.decode(record.value)
                    if dict(record.headers)["ce_type"] == b"cn.duokua.receipt.issued.v1":
                        found.append(said.get("reason") or said["code"])
        return found


@asynccontextmanager
async def running(stack: Stack) -> AsyncIterator[None]:
    catalogue = from_files(small())
    await stack.log.create_topics(stack.topics.specs([*catalogue.channels, CHANNEL], catalogue.endpoints))
    await publish(stack.log, stack.topics, small())
    serving = [asyncio.create_task(r.run(p)) for r, p in zip((engine, delivery), stack.processes, strict=True)]
    try:
        yield
    finally:
        for process in stack.processes:
            process.stop.set()
        await asyncio.wait_for(asyncio.gather(*serving), LIMIT)


@pytest.fixture
async def stack(kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    stack = Stack(kafka, prefix, tmp_path, monkeypatch)
    async with running(stack):
        yield stack


async def test_what_was_held_is_looked_at_tried_in_vain_mended_and_written_again(stack: Stack) -> None:
    """The whole way of an operator, with the exit codes of each step."""
    case = await stack.send("R1")
    await stack.send("R1", "一", broken=True)
    await stack.send("R1", "二")
    other = await stack.send("R2")
    await stack.send("R2", "甲")
    first, second = await stack.until_listed(2)
    assert [(x["code"], x["case"], x["state"]) for x in (first, second)] == [
        ("engine_fault", case, "open"), ("case_parked", case, "open"),
    ]  # fmt: skip
    assert await stack.heard(other) == ["甲"]

    shown = await stack.say("show", first["id"], "--body")
    assert (shown.exit_code, "supplement" in shown.stdout, first["original"] in shown.stdout) == (0, True, True)
    assert "二" not in (await stack.say("show", second["id"])).stdout
    assert (await stack.say("show", "engine/0/999")).exit_code == 1

    assert (await stack.asked("retry", "--case", case, *PERSON))["plan"] == [first["id"], second["id"]]
    assert (await stack.say("retry", second["id"], *PERSON)).exit_code == 1  # the first comes first
    assert await stack.heard(case) == []

    vain = await stack.asked("retry", "--case", case, "--yes", *PERSON)
    assert (vain["retried"], len(vain["failed"]), vain["released"]) == ([first["id"], second["id"]], 2, [])

    stack.broken.clear()
    helped = await stack.asked("retry", "--code", "engine_fault", "--stage", "engine", "--yes", *PERSON)
    assert (len(helped["retried"]), helped["failed"], helped["released"]) == (1, [], [])
    rest = await stack.say("retry", "--case", case, "--yes", "--rate", "1", *PERSON)
    assert rest.exit_code == 0
    await stack.send("R1", "三")
    async with asyncio.timeout(LIMIT):
        while len(await stack.heard(case)) < 3:
            await asyncio.sleep(0.2)
    assert await stack.heard(case) == ["一", "二", "三"]

    everything = (await stack.asked("list", "--all"))["letters"]
    assert [letter["state"] for letter in everything] == ["retried"] * 4
    entries = await audit.read(stack.log, stack.topics.audit, STREAM)
    assert [(e.act, e.who, len(e.facts["letters"])) for e in entries] == [
        ("retry", "王", 2), ("retry", "王", 1), ("retry", "王", 1),
    ]  # fmt: skip


async def test_given_up_is_given_up(stack: Stack) -> None:
    """Its sender is told, once, where he was told to wait; the case goes on without it; to name it again is no use."""
    case = await stack.send("R1")
    await stack.send("R1", "一", broken=True)
    (letter,) = await stack.until_listed(1)
    assert "discarded" in (await stack.say("discard", letter["id"], *PERSON)).stdout  # what it means for the sender
    done = await stack.asked("discard", letter["id"], "--yes", *PERSON)
    assert (done["discarded"], done["released"], done["settled"]) == ([letter["id"]], [case], True)
    assert (done["told"] == done["discarded"], await stack.receipts()) == (True, ["accepted", "held", "discarded"])
    await stack.send("R1", "二")
    async with asyncio.timeout(LIMIT):
        while await stack.heard(case) != ["二"]:
            await asyncio.sleep(0.2)
    again = await stack.say("retry", letter["id"], "--yes", *PERSON)
    assert (again.exit_code, "已处理过" in again.stdout) == (1, True)
