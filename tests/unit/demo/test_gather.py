"""Invariant: everything on the topics is noted once, whatever its bytes are, and the ledger can be made from it alone."""

from typing import Any

import msgspec
import pytest

from adapters.kafka.memory import MemoryLog
from router.operate.gather import SUBMITTED, Gathering, collect
from router.operate.ledger import balance
from router.operate.topics import Topics
from workflows import events as ev
from workflows import outbox

TOPICS = Topics("t.", 2)
CHANNELS, ENDPOINTS = ("grid", "wechat"), ("desk",)
BODY = msgspec.Raw(b"{}")
HOSTILE = (
    None,
    b"",
    b"\xff\xfe",
    b"[" * 50_000,
    b"{" * 50_000,
    b'{"type": 7}',
    b'{"type": "\xed\xa0\x80"}',
    b"17",
    b"NaN",
)


@pytest.fixture
async def log() -> MemoryLog:
    log = MemoryLog()
    await log.create_topics(TOPICS.specs(CHANNELS, ENDPOINTS))
    return log


async def write(log: MemoryLog, topic: str, *values: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
    async with log.writer() as writer:
        for value in values:
            writer.add(topic, 0, None, value, list(headers))
        await writer.flush()


async def collected(log: MemoryLog) -> Any:
    return await collect(log, Gathering(TOPICS, CHANNELS, ENDPOINTS))


def dead(source: str) -> tuple[tuple[str, bytes], ...]:
    return tuple(
        (f"x-original-{name}", part.encode())
        for name, part in zip(("topic", "partition", "offset"), source.split("/"), strict=True)
    )


def event(kind: str) -> bytes:
    return msgspec.json.encode({"type": kind})


async def test_hostile_records_are_inputs_like_any_other(log: MemoryLog) -> None:
    await write(log, TOPICS.intake("grid"), *HOSTILE)
    gathered = await collected(log)
    assert list(gathered.inputs.values()) == [False] * len(HOSTILE)
    assert len(balance(gathered).lost) == len(HOSTILE)


async def test_a_followup_is_told_by_its_type_in_either_mode_unless_intake_could_not_read_it(log: MemoryLog) -> None:
    withdrawn = "cn.duokua.request.withdrawn.v1"
    await write(log, TOPICS.intake("grid"), event(SUBMITTED), event(withdrawn), event(withdrawn))
    await write(log, TOPICS.intake("wechat"), b"{}", headers=(("ce_type", withdrawn.encode()),))
    await write(log, TOPICS.dead_letters("intake"), b"", headers=dead("t.intake.grid/0/2"))
    assert (await collected(log)).inputs == {
        "t.intake.grid/0/0": False,
        "t.intake.grid/0/1": True,
        "t.intake.grid/0/2": False,
        "t.intake.wechat/0/0": True,
    }


async def test_a_whole_story_balances_and_counts_what_is_still_waiting(log: MemoryLog) -> None:
    await write(log, TOPICS.intake("grid"), event(SUBMITTED), b"broken")
    gathering = Gathering(TOPICS, CHANNELS, ENDPOINTS)
    await collect(log, gathering)
    assert gathering.waiting == 2
    registered = ev.CaseRegistered(
        channel="grid", ref="r", number="n", query_code="", digest="", request=BODY, received_at=0, centre="c", centre_endpoint="desk",
        appeal_kind="help", region="370902", calendar="cn",
    )  # fmt: skip
    record = ev.EventRecord(case="c1", version=1, at=0, cause="x", source="t.intake.grid/0/0", events=(registered,))
    message = outbox.Message(to="tasks.desk", key="c1", id="m1", type="cn.duokua.task.assigned.v1", data=BODY)
    await write(log, TOPICS.events, ev.encode(record))
    await write(log, TOPICS.outbox, outbox.encode(outbox.OutboxRecord(case="c1", version=1, at=0, messages=(message,))))
    await write(log, TOPICS.dead_letters("intake"), b"", headers=dead("t.intake.grid/0/1"))
    assert [text.split(":")[0] for text in balance(await collected(log)).lost] == ["message m1"]
    task = msgspec.json.encode({"task_id": "task-1"})
    await write(log, TOPICS.tasks("desk"), task, headers=(("ce_id", b"m1"), ("ce_type", b"cn.duokua.task.assigned.v1")))
    gathering = Gathering(TOPICS, CHANNELS, ENDPOINTS)
    ledger = balance(await collect(log, gathering))
    assert ledger.balanced and gathering.waiting == 0
    assert (len(ledger.open), len(ledger.dead_letters)) == (1, 1)
