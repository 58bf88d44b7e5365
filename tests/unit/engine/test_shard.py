"""
The shard runtime on the log in memory: what is committed holds, whatever goes wrong in between.

The core and the catalogue are the real ones; only the log and the clock are stand-ins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from adapters.clock import Clock
from adapters.kafka.log import OutcomeUnknown, RecordRefused
from adapters.kafka.memory import MemoryLog, MemoryTransactions
from router.catalogue.load import load
from router.engine.batch import ShardRecord
from router.engine.shard import ForeignLog, Shard
from router.engine.store import SHARD_KEY, body_of
from router.operate.process import Process
from router.operate.settings import CHECKOUT, Settings
from schemas.ids import case_id, command_id, shard_of
from workflows import commands, events, outgoing
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
        for topic in (self.topics.commands, self.topics.events, self.topics.state, self.topics.outbox):
            self.log.names[topic] = 1
        self.input = TopicPartition(self.topics.commands, 0)
        self.sent = 0

    def submit(self, ref: str, *, offset: int | None = None, **changes: Any) -> str:
        """Put a Submit on the log; returns the case id."""
        case = case_id("hotline_12345", ref)
        source = f"intake.hotline_12345/0/{self.sent if offset is None else offset}"
        self.sent += 1
        body = msgspec.json.encode(REQUEST | changes)
        self.send(
            commands.Submit(
                id=command_id(case, source),
                case=case,
                at=self.clock.time,
                source=source,
                channel="hotline_12345",
                ref=ref,
                request=msgspec.Raw(body),
                digest=str(hash(body)),
                received_at=self.clock.time,
            )
        )
        return case

    def send(self, command: Any, key: bytes | None = None) -> None:
        value = msgspec.json.encode(command)
        self.log.append([(self.input, key or command.case.encode(), value, ())])

    async def run(self, until: Callable[[], bool]) -> None:
        """Take over and serve until `until` holds, as the role does: a failure leads to a new take-over."""
        async with self.log.reader([self.topics.commands], group=self.topics.group("engine")) as reader:
            async with asyncio.timeout(20):
                while not until():
                    await self.serve_once(reader, until)

    async def serve_once(self, reader: Any, until: Callable[[], bool]) -> None:
        shard = Shard(self.process, reader, 0, "memory", load_facts, genesis)
        try:
            await shard.take_over()
            serving = asyncio.create_task(shard.serve())
            while not until() and not serving.done():
                await asyncio.wait([serving], timeout=0.001)
            serving.cancel()
            await asyncio.wait([serving])
            if not serving.cancelled() and serving.exception() and not isinstance(serving.exception(), ACCEPTED):
                raise serving.exception() or AssertionError
        finally:
            await shard.close()

    def events(self) -> list[events.EventRecord]:
        return [events.decode(r.value or b"") for r in self.log.records[TopicPartition(self.topics.events, 0)]]

    def messages(self) -> list[outgoing.Message]:
        records = self.log.records[TopicPartition(self.topics.outbox, 0)]
        return [m for r in records for m in outgoing.decode(r.value or b"").messages]

    def state(self) -> dict[bytes, bytes]:
        """The last value of each key of the changelog."""
        return {r.key or b"": r.value or b"" for r in self.log.records[TopicPartition(self.topics.state, 0)]}

    def committed(self) -> int:
        return self.log.committed.get((self.topics.group("engine"), self.input), 0)

    def done(self) -> bool:
        return self.committed() == len(self.log.records[self.input])


ACCEPTED = (OutcomeUnknown, RecordRefused)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def registered(house: House) -> list[str]:
    return [r.case for r in house.events() for e in r.events if isinstance(e, events.CaseRegistered)]


async def test_a_request_becomes_a_case_with_state_events_and_messages(house: House) -> None:
    """One transaction: the case's state, its request, its events, a task, a receipt, the shard's record and the offset."""
    case = house.submit("R1")
    await house.run(house.done)

    assert registered(house) == [case]
    assert {case.encode(), case.encode() + b"/request", SHARD_KEY} <= set(house.state())
    assert {m.to.partition(".")[0] for m in house.messages()} >= {"tasks", "answers"}
    shard = msgspec.json.decode(house.state()[SHARD_KEY], type=ShardRecord)
    assert (shard.input, shard.shards, shard.catalogue) == (1, 1, 1)


async def test_a_redelivered_command_takes_effect_once(house: House) -> None:
    """Intake is at-least-once: the same record as two commands is one registration and no duplicate answer."""
    house.submit("R1", offset=5)
    house.submit("R1", offset=5)
    await house.run(house.done)

    assert len(house.events()) == 1


async def test_the_same_request_sent_twice_is_answered_as_a_duplicate(house: House) -> None:
    """Another offset is another submission: same body a duplicate, other body id_reused; neither opens a case."""
    house.submit("R1")
    house.submit("R1")
    house.submit("R1", title="别的事")
    await house.run(house.done)
    kinds = [type(e).__name__ for r in house.events()[1:] for e in r.events]

    assert (len(registered(house)), kinds) == (1, ["DuplicateReceived", "IdReused"])


async def fails_once(house: House, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., Awaitable[Any]]) -> None:
    """Three requests, the second commit broken by `broken(original, transactions, offsets)`; then all must hold."""
    original, calls = MemoryTransactions.commit, []

    async def commit(self: MemoryTransactions, offsets: Any) -> Any:
        calls.append(1)
        return await (broken(original, self, offsets) if len(calls) == 2 else original(self, offsets))

    monkeypatch.setattr(MemoryTransactions, "commit", commit)
    cases = [house.submit("R1")]
    await house.run(house.done)
    cases += [house.submit("R2"), house.submit("R3")]
    await house.run(house.done)

    assert registered(house) == cases
    assert len({m.id for m in house.messages()}) == len(house.messages())


async def test_a_refused_record_means_the_batch_is_done_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a refused batch counts; the next take-over does it again, once."""

    async def refuse(original: Any, transactions: Any, offsets: Any) -> None:
        transactions.forget()
        raise RecordRefused("MessageSizeTooLargeError")

    await fails_once(house, monkeypatch, refuse)


async def test_a_commit_whose_answer_is_lost_is_neither_redone_nor_dropped(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker committed, the answer got lost: the take-over finds it in the log."""

    async def lose_the_answer(original: Any, transactions: Any, offsets: Any) -> None:
        await original(transactions, offsets)
        raise OutcomeUnknown("RequestTimedOutError")

    await fails_once(house, monkeypatch, lose_the_answer)


async def test_a_deleted_store_is_rebuilt_to_the_same_state(house: House) -> None:
    """State is a function of the log: a new instance with an empty disk goes on where the former one stopped."""
    first = house.submit("R1")
    await house.run(house.done)
    before = house.state()[first.encode()]
    house.process.settings = house.settings.model_copy(update={"instance": "another"})
    house.submit("R1")
    await house.run(house.done)

    assert [type(e).__name__ for e in house.events()[-1].events] == ["DuplicateReceived"]
    assert body_of(house.state()[first.encode()]) != body_of(before)  # the version moved on
    assert house.events()[-1].version == 2


async def test_deadlines_fire_when_due_and_not_before(house: House) -> None:
    """The due index drives the clocks: nothing before its time, everything after it, once."""
    house.submit("R1")
    await house.run(house.done)
    until = len(house.events())
    house.clock.time = START + 20 * DAY
    await house.run(lambda: any(isinstance(e, events.CaseEscalated) for r in house.events() for e in r.events))
    fired = [
        (type(e).__name__, e.kind, e.of)
        for r in house.events()[until:]
        for e in r.events
        if isinstance(e, events.ClockOverdue)
    ]

    assert fired and len(fired) == len(set(fired))
    assert all(not isinstance(e, events.ClockOverdue) for r in house.events()[:until] for e in r.events)


async def test_unreadable_and_misplaced_commands_are_dead_lettered_and_delay_nobody(house: House) -> None:
    """A record that is no command, between two good ones: kept aside with its place, the others go on."""
    good = [house.submit("R1")]
    house.log.append([(house.input, b"x", b"\xff{", ())])
    good += [house.submit("R2")]
    await house.run(house.done)

    assert registered(house) == good
    dead = [m for m in house.messages() if m.to == "dead-letters.engine"]
    assert [msgspec.json.decode(m.data)["source"] for m in dead] == ["case.commands/0/1"]


async def test_state_of_another_log_or_shard_count_is_refused(house: House) -> None:
    """A shard that does not know the state it finds must not serve."""
    house.submit("R1")
    await house.run(house.done)
    house.process.settings = house.settings.model_copy(update={"shards": 8, "instance": "another"})

    with pytest.raises(ForeignLog):
        await house.run(lambda: False)


def test_shard_of_spreads_and_stays() -> None:
    """The shard of a known case id never changes."""
    assert shard_of("f3a1b2c4-0000-0000-0000-000000000000", 4) == 0xF3A1B2C4 % 4


async def test_of_an_archived_case_only_a_stub_stays(house: House) -> None:
    """After the re-open window the request's body gets a tombstone, and its id is still known as a duplicate."""
    case = house.submit("R1", direct_answer={"agent": "8", "text": "已解释"})
    await house.run(house.done)
    house.clock.time = START + 400 * DAY
    await house.run(lambda: any(isinstance(e, events.CaseArchived) for r in house.events() for e in r.events))
    house.submit("R1", direct_answer={"agent": "8", "text": "已解释"})
    await house.run(house.done)

    assert house.state()[case.encode() + b"/request"] == b""
    assert [type(e).__name__ for e in house.events()[-1].events] == ["DuplicateReceived"]
