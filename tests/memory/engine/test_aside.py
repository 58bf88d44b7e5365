"""What cannot be done is kept aside and said so, once; it stops neither the shard nor the others."""

import asyncio
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from router.engine import batch, pages
from router.engine.batch import POSTPONED_MS
from router.engine.store import NewerFormat
from schemas.ids import command_id
from tests.memory.engine.house import DAY, START, House, facts
from workflows import commands, events
from workflows.case import Case
from workflows.handle import Step


@pytest.fixture
def house(tmp_path: Any) -> House:
    return House(tmp_path)


def codes(house: House) -> list[str]:
    """The codes of the engine's dead letters."""
    return [msgspec.json.decode(m.data)["code"] for m in house.messages() if m.to == "dead-letters.engine"]


def registered(house: House) -> list[str]:
    return [r.case for r in house.events() for e in r.events if isinstance(e, events.CaseRegistered)]


def fail_at_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    real = batch.step

    def broken(case: Case | None, command: Any, *more: Any) -> Step:
        if isinstance(command, commands.ReachDeadline):
            raise KeyError
        return real(case, command, *more)

    monkeypatch.setattr(batch, "step", broken)


async def serve(house: House, seconds: float) -> None:
    end = asyncio.get_running_loop().time() + seconds
    await house.run(lambda: asyncio.get_running_loop().time() > end)


async def test_a_deadline_that_cannot_be_decided_is_tried_again_later_and_not_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect met at a deadline makes one dead letter, however often it is tried; when it is mended, the deadline fires."""
    house.submit("R1")
    await house.run(house.done)
    with monkeypatch.context() as patch:
        fail_at_deadlines(patch)
        house.clock.time = START + 20 * DAY
        await serve(house, 0.5)
        for _ in range(12):
            house.clock.time += POSTPONED_MS
            await serve(house, 0.1)
        assert codes(house) == ["engine_fault"]
    house.clock.time += POSTPONED_MS
    await house.run(lambda: any(isinstance(e, events.ClockOverdue) for r in house.events() for e in r.events))


async def test_a_parked_deadline_stays_parked_for_the_next_holder(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the changelog, so a rebuilt store knows it."""
    house.submit("R1")
    await house.run(house.done)
    fail_at_deadlines(monkeypatch)
    house.clock.time = START + 20 * DAY
    await serve(house, 0.3)
    house.process.settings = house.settings.model_copy(update={"instance": "another"})
    await serve(house, 0.3)

    assert codes(house) == ["engine_fault"]


async def test_a_case_whose_state_cannot_be_read_delays_nobody(house: House) -> None:
    """Neither a command to it nor its deadline stops the shard."""
    case = house.submit("R1")
    await house.run(house.done)
    changelog = TopicPartition(house.topics.state, 0)
    value = house.state()[case.encode()]
    house.log.append([(changelog, case.encode(), value[:9] + b"\xc1", ())])
    house.process.settings = house.settings.model_copy(update={"instance": "another"})
    house.clock.time = START + 20 * DAY
    house.submit("R1")
    other = house.submit("R2")
    await house.run(house.done)
    await serve(house, 0.3)

    assert registered(house) == [case, other]
    assert codes(house) == ["engine_fault"]


async def test_state_of_a_newer_release_is_no_dead_letter(house: House) -> None:
    """Its commands are the newer release's to decide: this one must not serve the shard at all."""
    case = house.submit("R1")
    await house.run(house.done)
    changelog = TopicPartition(house.topics.state, 0)
    house.log.append([(changelog, case.encode(), b"\x63" + house.state()[case.encode()][1:], ())])
    house.process.settings = house.settings.model_copy(update={"instance": "another"})
    house.submit("R1")

    with pytest.raises(NewerFormat):
        await house.run(house.done)
    assert codes(house) == []


async def test_an_unreadable_command_to_the_shard_itself_is_kept_aside(house: House) -> None:
    """Garbage or a tombstone under the key `_shard` is like any other record that is no command."""
    house.log.append([(house.input, b"_shard", b"garbage", ()), (house.input, b"_shard", None, ())])
    case = house.submit("R1")
    await house.run(house.done)

    assert (registered(house), codes(house)) == ([case], ["unreadable_command"] * 2)


def dispatch(house: House, case: str, units: list[str]) -> None:
    """The centre's dispatcher gives the case to all of them, the first one leads."""
    task = next(m for m in house.messages() if b'"kind":"triage"' in bytes(m.data))
    targets = [{"unit": unit, "part": "assist"} for unit in units]
    targets[0]["part"] = "lead"
    house.send(
        commands.Reply(
            id=command_id(case, f"replies/0/{house.sent}"),
            case=case,
            at=house.clock.time,
            source=f"replies.desk/0/{house.sent}",
            endpoint=task.to.removeprefix("tasks."),
            task=msgspec.json.decode(task.data)["task_id"],
            action="dispatch",
            body=msgspec.Raw(msgspec.json.encode({"targets": targets})),
        )
    )


UNITS = 50


async def test_a_large_request_to_many_units_is_told_in_several_records(house: House) -> None:
    """256 KB to fifty units, with what was added later, is more than one record holds; each is told all the same."""
    case = house.submit("R1", appeal_kind="other", appeal_category=None, text="大" * 80_000)
    await house.run(house.done)
    house.supplement("R1", "小" * 20_000)
    dispatch(house, case, list(facts()._catalogue.units)[:UNITS])  # type: ignore[attr-defined]
    other = house.submit("R2")
    await house.run(house.done)

    told = {
        msgspec.json.decode(m.data)["unit"]
        for m in house.messages()
        if m.type == "cn.duokua.task.assigned.v1" and m.key == case and b'"kind":"handle"' in bytes(m.data)
    }
    assert (len(told), codes(house), registered(house)) == (UNITS, [], [case, other])
    assert len({m.id for m in house.messages()}) == len(house.messages())


async def test_a_case_that_no_record_can_hold_takes_nothing_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that would make it too large is kept aside, the case stays as it was."""
    monkeypatch.setattr(pages, "RECORD_BYTES", 100_000)
    case = house.submit("R1", appeal_kind="other", appeal_category=None)
    await house.run(house.done)
    dispatch(house, case, list(facts()._catalogue.units)[:UNITS])  # type: ignore[attr-defined]
    await house.run(house.done)
    before = house.state()[case.encode()]
    house.supplement("R1", "小" * 30_000)
    other = house.submit("R2")
    await house.run(house.done)

    assert (codes(house), registered(house)) == (["case_too_large"], [case, other])
    assert house.state()[case.encode()] == before
