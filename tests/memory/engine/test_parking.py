"""
A case of which a command could not be decided is parked: its order holds, the others are not delayed, nothing is lost.
"""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.engine import batch
from router.engine.batch import Batch
from router.engine.limits import TooManyDeadLetters
from router.engine.pages import CaseTooLarge
from router.engine.quarantine import CRASHES, Folder
from router.engine.record import ShardRecord
from router.engine.store import Store, body_of, due_of, state_value
from router.operate.letters import DeadLetter, Retry, retry_headers
from schemas.ids import case_id, command_id
from tests.memory.engine.house import DAY, START, House, facts
from workflows import commands, events
from workflows.case import Case, decode
from workflows.handle import Step

PHONE = "13800001234"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Ids of commands and cases that the core fails at while they are in this set, with a citizen's number in the text."""
    real, those = batch.step, set[str]()

    def faulty(case: Case | None, command: Any, *more: Any) -> Step:
        if command.id in those or (command.case in those and not isinstance(command, commands.ReachDeadline)):
            raise KeyError(PHONE)
        return real(case, command, *more)

    monkeypatch.setattr(batch, "step", faulty)
    return those


def again(house: House, letter: DeadLetter, number: int, faults: int) -> None:
    """Write the command of a letter again, as the redrive does."""
    record = house.log.records[house.input][int(letter.source.rpartition("/")[2])]
    headers = retry_headers(Retry(f"engine/0/{number}", letter.root or letter.source, faults))
    house.log.append([(house.input, record.key, record.value, tuple(headers))])


def release(house: House, case: str, letters: int) -> None:
    house.send(commands.Release(id=command_id(case, f"release/{letters}"), case=case, at=START, letters=letters))


def letters(house: House) -> list[DeadLetter]:
    return [msgspec.json.decode(m.data, type=DeadLetter) for m in house.messages() if m.to == "dead-letters.engine"]


def receipts(house: House, ref: str) -> list[str]:
    return [
        msgspec.json.decode(m.data)["code"]
        for m in house.messages()
        if m.to.startswith("answers.") and m.key == ref and m.type == "cn.duokua.receipt.issued.v1"
    ]


def supplemented(house: House, case: str) -> list[str]:
    return [
        msgspec.json.decode(e.body)["text"]
        for r in house.events()
        for e in r.events
        if isinstance(e, events.CaseSupplemented) and r.case == case
    ]


async def test_what_comes_after_a_fault_waits_and_the_other_cases_do_not(house: House, broken: set[str]) -> None:
    """Letters in the order of the commands, each told to its sender as held; nothing of the case is decided."""
    case = house.submit("R1")
    await house.run(house.done)
    first = house.supplement("R1", "一")
    broken.add(first.id)
    house.supplement("R1", "二")
    other = house.submit("R2")
    await house.run(house.done)

    assert [(x.code, x.source, x.case, x.parked, x.faults) for x in letters(house)] == [
        ("engine_fault", "case.commands/0/1", case, 1, 1),
        ("case_parked", "case.commands/0/2", case, 2, 1),
    ]
    assert [x.input for x in letters(house)] == [f"intake.hotline_12345/0/{n}" for n in (1, 2)]
    assert supplemented(house, case) == []
    assert (receipts(house, "R1"), receipts(house, "R2")) == (["accepted", "held", "held"], ["accepted"])
    assert other.encode() in house.state()


async def test_a_request_that_fails_parks_the_case_it_would_have_opened(house: House, broken: set[str]) -> None:
    """What follows is held as well and is not refused as unknown."""
    case = case_id("hotline_12345", "R1")
    broken.add(case)
    house.submit("R1")
    house.supplement("R1", "补充")
    await house.run(house.done)

    assert [x.code for x in letters(house)] == ["engine_fault", "case_parked"]
    assert receipts(house, "R1") == ["held", "held"]


async def test_parking_holds_for_the_next_holder_and_for_one_with_an_empty_disk(house: House, broken: set[str]) -> None:
    """It stands in `case.state`."""
    case = house.submit("R1")
    broken.add(case)
    await house.run(house.done)
    broken.clear()
    house.supplement("R1", "一")
    await house.run(house.done)
    house.process.settings = house.settings.model_copy(update={"instance": "another"})
    house.supplement("R1", "二")
    await house.run(house.done)

    assert [x.code for x in letters(house)] == ["engine_fault", "case_parked", "case_parked"]


async def test_letters_written_again_are_decided_in_their_order_and_the_case_is_released(
    house: House, broken: set[str]
) -> None:
    """Same commands, same ids: each takes effect once, and what comes afterwards is decided as ever."""
    case = house.submit("R1")
    await house.run(house.done)
    broken.add(case)
    house.supplement("R1", "一")
    house.supplement("R1", "二")
    await house.run(house.done)
    broken.clear()
    held = letters(house)
    for number, letter in enumerate([*held, *held]):  # a redrive that is done twice changes nothing
        again(house, letter, number, faults=1)
    release(house, case, letters=2)
    house.supplement("R1", "三")
    await house.run(house.done)

    assert supplemented(house, case) == ["一", "二", "三"]
    assert len(letters(house)) == 2
    assert house.state()[case.encode() + b"/parked"] == b""
    assert len({m.id for m in house.messages()}) == len(house.messages())


async def test_a_release_that_has_not_seen_all_letters_is_refused(house: House, broken: set[str]) -> None:
    """Else what came meanwhile would be decided after what comes next."""
    case = house.submit("R1")
    broken.add(case)
    await house.run(house.done)
    broken.clear()
    again(house, letters(house)[0], 0, faults=1)
    house.supplement("R1", "一")
    release(house, case, letters=1)
    house.supplement("R1", "二")
    await house.run(house.done)
    assert [x.code for x in letters(house)] == ["engine_fault", "case_parked", "case_parked"]

    for number in (1, 2):
        again(house, letters(house)[number], number, faults=1)
    release(house, case, letters=3)
    house.supplement("R1", "三")
    await house.run(house.done)
    assert supplemented(house, case) == ["一", "二", "三"]


async def test_what_fails_again_names_its_letter_and_holds_up_what_was_written_again_after_it(
    house: House, broken: set[str]
) -> None:
    """The order of a case survives a retry that does not help."""
    case = house.submit("R1")
    await house.run(house.done)
    bad = house.supplement("R1", "一")
    broken.add(bad.id)
    house.supplement("R1", "二")
    await house.run(house.done)
    for number, letter in enumerate(letters(house)):
        again(house, letter, number, faults=1)
    release(house, case, letters=2)
    await house.run(house.done)

    assert [(x.code, x.retry_of, x.root, x.faults) for x in letters(house)[2:]] == [
        ("engine_fault", "engine/0/0", "case.commands/0/1", 2),
        ("case_parked", "engine/0/1", "case.commands/0/2", 2),
    ]
    assert supplemented(house, case) == []
    assert receipts(house, "R1") == ["accepted", "held", "held"]  # told once


async def test_deadlines_of_a_parked_case_go_on(house: House, broken: set[str]) -> None:
    """The citizen's clock does not stop because of a fault of ours."""
    case = house.submit("R1")
    await house.run(house.done)
    broken.add(case)
    house.supplement("R1", "一")
    await house.run(house.done)
    house.clock.time = START + 20 * DAY
    await house.run(lambda: any(isinstance(e, events.ClockOverdue) for r in house.events() for e in r.events))


async def test_what_follows_a_release_in_the_same_batch_says_when_the_case_is_due(house: House) -> None:
    """The release sets a put-off deadline right; a later command of the batch makes another due time, and that one counts."""
    case = house.submit("R1")
    await house.run(house.done)
    key, state = case.encode(), house.state()
    store = Store(house.settings.state_dir / "copy", "memory")
    store.apply(
        [(key, state_value(START + DAY, body_of(state[key]))), (key + b"/request", state[key + b"/request"])], 1
    )
    at_work = Batch(store, ShardRecord(log="memory", shards=1), 0)
    (leg,) = decode(body_of(state[key])).legs.values()
    for n, command in enumerate(
        (
            commands.Release(id="release", case=case, at=START, letters=1),
            commands.Reply(
                id="sign",
                case=case,
                at=START,
                endpoint=leg.endpoint,
                task=leg.task,
                action="sign",
                body=msgspec.Raw(b"{}"),
            ),
        )
    ):
        at_work.decide(key, commands.encode(command), f"case.commands/0/{n}", facts(), START)
    after = at_work.cases[key]
    assert after is not None and after.legs[leg.id].state == "signed"
    store.apply(at_work.changelog(), 2)
    assert due_of(store.state(key) or b"") == after.next_due != START + DAY
    store.close()


async def test_a_deadline_of_a_case_that_is_gone_writes_nothing(house: House) -> None:
    """Forgotten between the death and the restart: there is nothing to park, and no state to make up."""
    house.submit("R1")
    await house.run(house.done)
    store = Store(house.settings.state_dir / "copy", "memory")
    at_work = Batch(store, ShardRecord(log="memory", shards=1), 0)
    at_work.crashed_deadline(b"nobody", "deadline/nobody/1", START)
    assert not at_work.changed
    store.close()


async def test_the_state_of_a_parked_case_is_not_read_for_what_waits(house: House, broken: set[str]) -> None:
    """It may be what kills whoever reads it: what waits does so without it."""
    broken.add(house.submit("R1"))
    other = house.submit("R2").encode()
    await house.run(house.done)
    (parked,) = [key.removesuffix(b"/parked") for key in house.state() if key.endswith(b"/parked")]
    state = house.state()
    store = Store(house.settings.state_dir / "copy", "memory")
    store.apply([(other, state[other]), (parked + b"/parked", state[parked + b"/parked"])], 1)
    at_work = Batch(store, ShardRecord(log="memory", shards=1), 0)
    at_work.look_up([parked, other, None])
    assert at_work.stored == {other: state[other]}
    store.close()


async def test_nothing_of_a_citizen_is_in_what_a_fault_writes(house: House, broken: set[str]) -> None:
    """Neither the words of the request nor those of the exception (of logs: tests/processes/test_quarantine.py)."""
    broken.add(house.submit("R1", text=f"请打 {PHONE}"))
    await house.run(house.done)
    assert len(house.messages()) == 2
    assert all(PHONE.encode() not in bytes(m.data) for m in house.messages())


# -- limits ------------------------------------------------------------------------------------------


async def test_a_bad_deploy_stops_the_shard_and_a_restart_gets_no_new_allowance(house: House, broken: set[str]) -> None:
    """Ten different cases in a row: the batch is not committed, however often it is tried."""
    for n in range(9):
        broken.add(house.submit(f"R{n}"))
    await house.run(house.done)
    assert len(letters(house)) == 9
    broken.add(house.submit("R9"))
    for _ in range(3):
        with pytest.raises(TooManyDeadLetters):
            await house.run(house.done)
    assert (len(letters(house)), house.done()) == (9, False)


async def test_a_mended_release_goes_on_where_the_shard_stopped(house: House, broken: set[str]) -> None:
    """What was not committed is decided; what was parked before stays parked."""
    for n in range(10):
        broken.add(house.submit(f"R{n}"))
    with pytest.raises(TooManyDeadLetters):
        await house.run(house.done)
    broken.clear()
    await house.run(house.done)
    assert letters(house) == []


async def test_a_person_who_has_looked_can_let_it_go_on(house: House, broken: set[str]) -> None:
    """With the limits off it goes on, and what was counted is forgotten."""
    for n in range(30):
        broken.add(house.submit(f"R{n}"))
    house.process.settings = house.settings.model_copy(update={"dead_letter_share": 0.0, "dead_letters_in_a_row": 0})
    await house.run(house.done)
    assert len(letters(house)) == 30
    house.process.settings = house.settings
    broken.add(house.submit("R30"))
    await house.run(house.done)
    assert len(letters(house)) == 31


async def test_the_senders_own_faults_stop_nothing(house: House) -> None:
    """Commands to cases that do not exist are answered and dead-lettered, and they count for no limit."""
    for n in range(40):
        house.supplement(f"nobody{n}", "一")
    await house.run(house.done)
    assert [x.code for x in letters(house)] == ["unknown_case"] * 40


async def test_a_case_that_is_full_stops_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on sending to it is answered each time; it must not be in a sender's hand to stop a shard."""
    house.submit("R1")
    await house.run(house.done)
    real = batch.step

    def full(case: Case | None, command: Any, *more: Any) -> Step:
        if isinstance(command, commands.Supplement):
            raise CaseTooLarge
        return real(case, command, *more)

    monkeypatch.setattr(batch, "step", full)
    for n in range(30):
        house.supplement("R1", str(n))
    await house.run(house.done)
    assert [letter.code for letter in letters(house)] == ["case_too_large"] * 30


async def test_one_fault_among_hundreds_stops_nothing_and_one_in_fifty_does(house: House, broken: set[str]) -> None:
    """The share counts where faults do not come in a row."""
    for n in range(600):
        case = house.submit(f"R{n}")
        if n % 300 == 7:
            broken.add(case)
    await house.run(house.done)
    assert len(letters(house)) == 2
    for n in range(600, 1200):
        case = house.submit(f"R{n}")
        if n % 50 == 7:
            broken.add(case)
    with pytest.raises(TooManyDeadLetters):
        await house.run(house.done)


async def test_a_record_that_kills_whoever_reads_it_is_parked_unread(house: House) -> None:
    """Beyond the three deaths it died of being told apart as well: by its key alone, and the others go on."""
    case = house.submit("R1")
    other = house.submit("R2")
    folder = house.settings.state_dir / "engine" / house.settings.instance
    Folder(folder).write("shard-0.marks", msgspec.json.encode({"case.commands/0/0": CRASHES + 1}), sync=False)
    await house.run(house.done)

    (letter,) = letters(house)
    assert (letter.code, letter.case, letter.action, letter.parked) == ("engine_crashed", case, "", 1)
    assert (receipts(house, "R1"), receipts(house, "R2"), other.encode() in house.state()) == ([], ["accepted"], True)
    assert [path.name for path in folder.iterdir() if path.is_file()] == []


async def test_care_ends_where_what_was_left_behind_ends(house: House) -> None:
    """The last offsets may be nobody's commands: after an orderly end nothing says any more that somebody died."""
    house.submit("R1")
    await house.run(house.done)
    folder = Folder(house.settings.state_dir / "engine" / "1")
    folder.write("shard-0.serving", b"", sync=False)
    house.send(commands.ActivateCatalogue(id="c", version=1, hash="first"), key=b"_shard")
    ended = asyncio.get_running_loop().time() + 1
    await house.run(lambda: house.done() and asyncio.get_running_loop().time() > ended)
    assert folder.read("shard-0.serving") is None
