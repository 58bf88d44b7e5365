"""A shard with all that it needs: the log in memory, a clock that stands still, the real core and catalogue."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import TopicPartition

from adapters.clock import Clock
from adapters.kafka.log import OutcomeUnknown, RecordRefused
from adapters.kafka.memory import MemoryLog
from router.catalogue.load import load
from router.engine.record import ShardRecord
from router.engine.shard import Shard
from router.engine.store import SHARD_KEY
from router.operate.process import Process
from router.operate.settings import CHECKOUT, Settings
from router.operate.table import ROCKS, Damaged, Disk, DiskRefuses
from schemas.ids import case_id, command_id
from workflows import commands, events, outbox
from workflows.facts import Facts

START = int(datetime.fromisoformat("2026-09-18T09:00:00+08:00").timestamp() * 1000)
DAY = 24 * 3600 * 1000
REQUEST = {
    "appeal_kind": "complaint",
    "appeal_category": "C010101",
    "place": {"region": "371702", "kind": "division"},
    "title": "小区路灯不亮",
    "text": "晚上看不见路。",
    "urgency": "normal",
}


class HandClock(Clock):
    """A business clock that stands until the test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = START

    def now(self) -> int:
        return self.time

    def real_seconds(self, milliseconds: int) -> float:
        return milliseconds / 1000 / 86_400


FAILURES = (OutcomeUnknown, RecordRefused, DiskRefuses, Damaged)
"""What leads to a new take-over; anything else is a defect."""


@cache
def facts() -> Facts:
    return load(CHECKOUT / "catalog").facts()


async def load_facts(version: int, digest: str) -> Facts:
    return facts()


async def genesis() -> tuple[int, str]:
    return 1, "first"


class House:
    """A log, a clock and the shard under test."""

    def __init__(self, folder: Path) -> None:
        self.log = MemoryLog()
        self.clock = HandClock()
        self.settings = Settings(state_dir=folder, shards=1)
        self.process = Process("engine", self.settings, self.clock, self.log)
        self.topics = self.process.topics
        for spec in self.topics.specs([], []):
            self.log.names[spec.name] = spec.partitions
            self.log.largest[spec.name] = int(spec.config["max.message.bytes"])
        self.input = TopicPartition(self.topics.commands, 0)
        self.sent = 0
        self.disk: Disk = ROCKS

    def submit(self, ref: str, *, offset: int | None = None, **changes: Any) -> str:
        """Put a Submit on the log; returns the case id."""
        body = msgspec.json.encode(REQUEST | changes)
        command = commands.Submit(
            **self._from_channel(ref, offset),
            request=msgspec.Raw(body),
            digest=str(hash(body)),
            received_at=self.clock.time,
        )
        self.send(command)
        return command.case

    def supplement(self, ref: str, text: str) -> commands.Supplement:
        """Put more about a case on the log."""
        command = commands.Supplement(**self._from_channel(ref), body=msgspec.Raw(msgspec.json.encode({"text": text})))
        self.send(command)
        return command

    def _from_channel(self, ref: str, offset: int | None = None) -> dict[str, Any]:
        """What all commands of the channel say: the next record of its topic, or the one at `offset` once more."""
        case = case_id("hotline_12345", ref)
        source = f"intake.hotline_12345/0/{self.sent if offset is None else offset}"
        self.sent += 1
        return {
            "id": command_id(case, source), "case": case, "at": self.clock.time, "source": source,
            "channel": "hotline_12345", "ref": ref,
        }  # fmt: skip

    def send(self, command: Any, key: bytes | None = None) -> None:
        value = msgspec.json.encode(command)
        self.log.append([(self.input, key or command.case.encode(), value, ())])

    async def run(self, until: Callable[[], bool]) -> None:
        """Take over and serve until `until` holds, as the role does: a failure leads to a new take-over."""
        async with self.log.reader([self.topics.commands], group=self.topics.group("engine")) as reader:
            async with asyncio.timeout(60):
                while not until():
                    await self.serve_once(reader, until)

    async def serve_once(self, reader: Any, until: Callable[[], bool]) -> None:
        shard = Shard(self.process, reader, 0, "memory", load_facts, genesis, disk=self.disk)
        try:
            await shard.take_over()
            serving = asyncio.create_task(shard.serve())
            while not until() and not serving.done():
                await asyncio.wait([serving], timeout=0.001)
            serving.cancel()
            await asyncio.wait([serving])
            if not serving.cancelled() and serving.exception() and not isinstance(serving.exception(), FAILURES):
                raise serving.exception() or AssertionError
        except FAILURES:
            pass
        finally:
            await shard.close()

    def events(self) -> list[events.EventRecord]:
        return [events.decode(r.value or b"") for r in self.log.records[TopicPartition(self.topics.events, 0)]]

    def messages(self) -> list[outbox.Message]:
        records = self.log.records[TopicPartition(self.topics.outbox, 0)]
        return [m for r in records for m in outbox.decode(r.value or b"").messages]

    def state(self) -> dict[bytes, bytes]:
        """The last value of each key of the changelog."""
        return {r.key or b"": r.value or b"" for r in self.log.records[TopicPartition(self.topics.state, 0)]}

    def committed(self) -> int:
        """How far the shard is, by its own record on the log: the group hears of it once a second only."""
        shard = self.state().get(SHARD_KEY)
        return msgspec.json.decode(shard, type=ShardRecord).input if shard else 0

    def done(self) -> bool:
        return self.committed() == len(self.log.records[self.input])
