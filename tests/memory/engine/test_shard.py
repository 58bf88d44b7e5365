"""
The shard runtime on the log in memory: what is committed holds, whatever goes wrong in between.

The core and the catalogue are the real ones; only the log and the clock are stand-ins.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from adapters.kafka.log import OutcomeUnknown, RecordRefused
from adapters.kafka.memory import MemoryReader, MemoryTransactions
from router.engine.ledger import ForeignLog
from router.engine.record import ShardRecord
from router.engine.store import SHARD_KEY, body_of
from schemas.ids import command_id, shard_of
from tests.memory.engine.house import DAY, START, House
from workflows import commands, events
from workflows.case import KEPT_MS


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


async def test_a_forgotten_case_leaves_nothing_and_its_id_begins_anew(house: House) -> None:
    """After the horizon both keys get tombstones; sent again it is a case of its own, and no message id comes twice."""

    def happened(kind: type[events.Event]) -> int:
        return sum(isinstance(e, kind) for r in house.events() for e in r.events)

    case = house.submit("R1")
    await house.run(house.done)
    house.clock.time += 2 * DAY
    await house.run(lambda: happened(events.ClockWarned) > 0)
    source = "intake.hotline_12345/0/77"
    about = {"channel": "hotline_12345", "ref": "R1", "body": msgspec.Raw(b"{}")}
    house.send(commands.Withdraw(id=command_id(case, source), case=case, at=house.clock.time, source=source, **about))
    await house.run(house.done)
    for kind in (events.CaseArchived, events.CaseForgotten):
        house.clock.time += KEPT_MS
        await house.run(lambda kind=kind: happened(kind) == 1 and house.done())  # type: ignore[misc]
    assert (house.state()[case.encode()], house.state()[case.encode() + b"/request"]) == (b"", b"")

    warned = happened(events.ClockWarned)
    house.submit("R1")
    await house.run(house.done)
    house.clock.time += 2 * DAY
    await house.run(lambda: happened(events.ClockWarned) > warned)
    assert registered(house) == [case, case]
    again = [r.version for r in house.events()][-2:]
    assert again == [1, 2]
    assert len({m.id for m in house.messages()}) == len(house.messages())


async def test_a_store_ahead_of_the_log_is_rebuilt(house: House) -> None:
    """A broker that lost what it had acknowledged: the log counts, and what it says is not skipped."""
    house.submit("R1")
    await house.run(house.done)
    for topic in (house.topics.commands, house.topics.state):
        house.log.records[TopicPartition(topic, 0)].clear()
    house.log.committed.clear()
    second = house.submit("R2")
    await house.run(house.done)

    assert registered(house)[-1] == second


@pytest.mark.parametrize("gone", ["the end", "the beginning"])
async def test_a_position_outside_the_commands_is_not_left_to_the_client(
    house: House, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """Commands lost or expired: the shard says so, begins with the first there is, and does nothing twice."""
    first = house.submit("R1", offset=1)
    house.submit("R1", offset=2)
    await house.run(house.done)
    if gone == "the end":
        house.log.records[house.input].clear()
    else:

        async def beginnings(reader: MemoryReader, tps: Any) -> dict[TopicPartition, int]:
            return {tp: 3 if tp == house.input else 0 for tp in tps}

        monkeypatch.setattr(MemoryReader, "beginning_offsets", beginnings)
        house.submit("R0")  # the one that nobody reads any more
    second = house.submit("R2")
    await house.run(lambda: second in registered(house))

    assert registered(house) == [first, second]
