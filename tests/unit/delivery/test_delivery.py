"""Delivery passes nothing over, and no destination stops the others."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from msgspec import MsgspecError, Raw

from adapters.clock import Clock
from adapters.kafka.log import RecordRefused
from adapters.kafka.memory import MemoryLog
from router.delivery import role
from router.operate.process import Process
from router.operate.settings import Settings
from workflows.outbox import Message, OutboxRecord, encode

OUTBOX = TopicPartition("p.case.outbox", 0)
GROUP = "p.delivery"


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    """Delivery on a log in memory that has the topics `tasks.a`, `tasks.b` (small) and the dead letters."""
    monkeypatch.setattr(role, "LOOK_SECONDS", 0.01)
    made = Process("delivery", Settings(shards=1, prefix="p."), Clock(), MemoryLog())
    made.log.names |= {OUTBOX.topic: 1, "p.tasks.a": 1, "p.tasks.b": 1, "p.dead-letters.delivery": 1}
    made.log.largest["p.tasks.b"] = 500
    return made


def hand_out(process: Process, *messages: tuple[str, str], size: int = 2) -> None:
    """One outbox record with these (destination, id)."""
    made = tuple(
        Message(to=f"tasks.{to}", key="k", id=name, type="t", data=Raw(b'"' + b"x" * (size - 2) + b'"'))
        for to, name in messages
    )
    process.log.append([(OUTBOX, b"k", encode(OutboxRecord(case="c", version=1, at=0, messages=made)), ())])


def arrived(process: Process, endpoint: str) -> list[str]:
    return [ids(r)["ce_id"] for r in process.log.records[TopicPartition(f"p.tasks.{endpoint}", 0)]]


def ids(record: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


def committed(process: Process) -> int:
    return process.log.committed.get((GROUP, OUTBOX), 0)


@asynccontextmanager
async def delivering(process: Process) -> AsyncIterator[None]:
    process.stop.clear()
    task = asyncio.create_task(role.run(process))
    try:
        yield
        process.stop.set()
        await asyncio.wait_for(task, 60)
    finally:
        task.cancel()


async def until(*holds: Any) -> None:
    async with asyncio.timeout(60):
        while not all(one() for one in holds):
            await asyncio.sleep(0.005)


async def test_a_missing_topic_holds_its_own_messages_only(process: Process) -> None:
    """The others arrive; what is held is named; the group's place stays before it."""
    hand_out(process, ("a", "1"))
    hand_out(process, ("a", "2"), ("new", "n1"))
    hand_out(process, ("new", "n2"), ("a", "3"))
    async with delivering(process):
        await until(lambda: arrived(process, "a") == ["1", "2", "3"], lambda: committed(process) == 1)
        assert process.health.lacking == "topics: tasks.new"


async def test_what_was_held_leaves_in_its_order_when_the_topic_is_made(process: Process) -> None:
    """Before whatever comes later; then the place moves behind it all, without a new record."""
    hand_out(process, ("new", "n1"))
    hand_out(process, ("new", "n2"), ("a", "1"))
    async with delivering(process):
        await until(lambda: arrived(process, "a") == ["1"])
        process.log.names["p.tasks.new"] = 1
        hand_out(process, ("new", "n3"))
        await until(lambda: committed(process) == 3)
        assert arrived(process, "new") == ["n1", "n2", "n3"]
        assert process.health.lacking == ""


async def test_a_restart_finds_what_was_held(process: Process) -> None:
    """Nothing that was held is lost; what lay behind it comes a second time under the same id."""
    hand_out(process, ("new", "n1"), ("a", "1"))
    async with delivering(process):
        await until(lambda: arrived(process, "a") == ["1"])
    process.log.names["p.tasks.new"] = 1
    async with delivering(process):
        await until(lambda: committed(process) == 1)

    assert (arrived(process, "new"), arrived(process, "a")) == (["n1"], ["1", "1"])


async def test_what_is_held_outlasts_a_broker_that_does_not_answer(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say whether the topic is there by now: that ends nothing."""
    hand_out(process, ("new", "n1"))
    async with process.log.reader([OUTBOX.topic]) as reader, process.log.writer() as writer:
        delivery = role.Delivery(process, writer, reader)
        await delivery.take(await reader.getmany())

        async def silent(topics: Iterable[str]) -> set[str]:
            raise RecordRefused("TimeoutError")

        monkeypatch.setattr(role, "LOOK_SECONDS", 0)
        with monkeypatch.context() as away:
            away.setattr(writer, "missing", silent)
            assert await delivery.take({}) == {}
        process.log.names["p.tasks.new"] = 1
        await delivery.take({})
    assert arrived(process, "new") == ["n1"]


async def test_no_more_is_read_than_may_be_held(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: beyond the limit reading waits, and goes on when the topic is there."""
    monkeypatch.setattr(role, "HELD_MESSAGES", 2)
    hand_out(process, *[("new", f"n{n}") for n in range(3)])
    async with delivering(process):
        await until(lambda: process.health.lacking != "")
        hand_out(process, ("a", "1"))
        for _ in range(50):
            await asyncio.sleep(0)
        assert arrived(process, "a") == []
        process.log.names["p.tasks.new"] = 1
        await until(lambda: arrived(process, "a") == ["1"])
    assert arrived(process, "new") == ["n0", "n1", "n2"]


async def test_what_is_read_anew_is_told_as_done_anew(process: Process) -> None:
    """It was not committed, else it would not have come again: a commit may fail with the rebalance that follows."""
    hand_out(process, ("a", "1"))
    async with process.log.reader([OUTBOX.topic]) as reader, process.log.writer() as writer:
        delivery = role.Delivery(process, writer, reader)
        batch = await reader.getmany()
        assert [await delivery.take(b) for b in (batch, {}, batch)] == [{OUTBOX: 1}, {}, {OUTBOX: 1}]


@pytest.mark.parametrize("limit", [100, 2])
async def test_what_is_read_anew_is_held_once(process: Process, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """After a rebalance a reader begins again with the first that is held, each time: what is held grows by none of it."""
    monkeypatch.setattr(role, "HELD_MESSAGES", limit)
    hand_out(process, ("new", "n1"))
    hand_out(process, ("new", "n2"), ("a", "1"))
    async with process.log.reader([OUTBOX.topic]) as reader, process.log.writer() as writer:
        delivery = role.Delivery(process, writer, reader)
        for _ in range(3):
            reader.seek(OUTBOX, 0)
            async with asyncio.timeout(60):
                assert (await delivery.take(await reader.getmany())).get(OUTBOX, 0) == 0
        process.log.names["p.tasks.new"] = 1
        await asyncio.sleep(role.LOOK_SECONDS)
        assert await delivery.take({}) == {OUTBOX: 2}

    assert arrived(process, "new") == ["n1", "n2"]


async def test_a_full_role_stays_a_member_of_its_group(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on to poll, without taking anything: a member that does not poll is put out of the group."""
    monkeypatch.setattr(role, "HELD_MESSAGES", 1)
    hand_out(process, ("new", "n1"), ("new", "n2"))
    async with process.log.reader([OUTBOX.topic]) as reader, process.log.writer() as writer:
        delivery = role.Delivery(process, writer, reader)
        batch, polls, real = await reader.getmany(), 0, reader.getmany
        hand_out(process, ("a", "1"))

        async def counted(*partitions: TopicPartition, **more: Any) -> Any:
            nonlocal polls
            polls += 1
            if polls == 5:
                process.log.names["p.tasks.new"] = 1
            return await real(*partitions, **more)

        monkeypatch.setattr(reader, "getmany", counted)
        async with asyncio.timeout(60):
            await delivery.take(batch)
        assert arrived(process, "new") == ["n1", "n2"]
        assert [r.offset for r in (await real()).get(OUTBOX, [])] == [1]


async def test_what_is_too_large_becomes_a_dead_letter_that_names_its_place(process: Process) -> None:
    """Its neighbours arrive, on the same topic and on others, and the place moves on."""
    hand_out(process, ("b", "1"), ("a", "1"))
    hand_out(process, ("b", "large"), size=600)
    hand_out(process, ("b", "2"))
    async with delivering(process):
        await until(lambda: committed(process) == 3)

    assert distinct(arrived(process, "b")) == ["1", "2"]
    assert distinct(arrived(process, "a")) == ["1"]
    (dead,) = process.log.records[TopicPartition("p.dead-letters.delivery", 0)]
    told = ids(dead)
    assert (told["x-stage"], told["x-reason"], told["x-destination"]) == ("delivery", "too_large", "p.tasks.b")
    assert "/".join(told[f"x-original-{p}"] for p in ("topic", "partition", "offset")) == "p.case.outbox/0/1"
    assert told["x-message-id"] == "large"


async def test_a_message_with_nowhere_to_go_stops_nobody(process: Process) -> None:
    """A defect of ours becomes a dead letter; what stands beside it and behind it arrives."""
    lost = Message(to="case:", key="", id="lost", type="t", data=Raw(b"{}"))
    beside = Message(to="tasks.a", key="k", id="1", type="t", data=Raw(b"{}"))
    process.log.append([(OUTBOX, b"k", encode(OutboxRecord(case="c", version=1, at=0, messages=(lost, beside))), ())])
    hand_out(process, ("a", "2"))
    async with delivering(process):
        await until(lambda: committed(process) == 2)

    assert arrived(process, "a") == ["1", "2"]
    (dead,) = process.log.records[TopicPartition("p.dead-letters.delivery", 0)]
    told = ids(dead)
    assert (told["x-reason"], told["x-destination"], told["x-message-id"]) == ("no_address", "case:", "lost")
    assert "/".join(told[f"x-original-{p}"] for p in ("topic", "partition", "offset")) == "p.case.outbox/0/0"


async def test_a_record_that_cannot_be_read_is_never_passed_over(process: Process) -> None:
    """It is our own: a defect, which ends the process with nothing committed."""
    process.log.append([(OUTBOX, b"k", b"\xff", ())])
    with pytest.raises(MsgspecError):
        await asyncio.wait_for(role.run(process), 60)
    assert process.log.committed == {}


def distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


async def test_a_unit_whose_system_is_down_delays_nobody(process: Process) -> None:
    """Delivery asks no receiver: what nobody reads stands on its topic, whole and in order, and the others have theirs."""
    for n in range(50):
        hand_out(process, ("a", f"a{n}"), ("b", f"b{n}"))
    async with delivering(process), process.log.reader(["p.tasks.b"]) as reads_on:
        seen: list[str] = []
        async with asyncio.timeout(60):
            while len(seen) < 50:
                for records in (await reads_on.getmany(timeout_ms=50)).values():
                    seen += [ids(r)["ce_id"] for r in records]

    assert seen == [f"b{n}" for n in range(50)]
    assert arrived(process, "a") == [f"a{n}" for n in range(50)]
