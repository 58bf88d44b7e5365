"""
Dead letters written again or given up: each command takes effect once, in the order of its case, whatever fails again
and whatever comes meanwhile. The engine, the fan-out and the redrive are the real ones, on the log in memory.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.kafka.forgiving import Withheld
from adapters.kafka.log import Fenced
from router.delivery.fanout import fan_out
from router.operate import audit, dead_letters
from router.operate.letters import Letter, Wanted, plan
from router.operate.redrive import opened
from schemas.ids import case_id
from tests.memory.town import CASES, PERSON, Town, at_once
from workflows import events, outbox


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    return Town(tmp_path, monkeypatch)


SAY = st.tuples(st.just("say"), st.sampled_from(CASES), st.booleans())
RETRY = st.tuples(st.just("retry"), st.sampled_from(["", *CASES]), st.integers(1, 4))
MEND = st.tuples(st.just("mend"), st.just(""), st.integers(0, 3))
WORK = st.tuples(st.just("work"), st.just(""), st.just(0))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.one_of(SAY, SAY, SAY, RETRY, MEND, WORK), min_size=8, max_size=25))
def test_however_it_goes_each_command_takes_effect_once_and_in_the_order_of_its_case(story: Sequence[Any]) -> None:
    """Faults, retries that fail again, retries of a part, commands that come in between; in the end all is mended."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        asyncio.run(_told(Town(Path(folder), patch), story))


async def _told(town: Town, story: Sequence[Any]) -> None:
    await town.open_cases()
    for what, ref, how in story:
        if what == "say":
            command = town.supplement(ref)
            if how:
                town.broken.add(command)
        elif what == "mend":
            town.broken -= set(sorted(town.broken)[:how])
        elif what == "work":
            await town.work()
        else:
            if how > 1:  # else it does not know what waits on the log
                await town.work()
            await town.act("retry", Wanted(case=case_id("hotline_12345", ref) if ref else ""), how)
    await town.work()
    town.broken.clear()
    for _ in range(len(story) + 2):
        if not await town.letters():
            break
        await town.act("retry", Wanted())
        await town.work()

    assert {ref: town.heard(ref) for ref in CASES} == town.said
    assert (town.parked(), await town.letters()) == ([], [])
    every = await town.letters(every=True)
    entries = await audit.read(town.house.log, town.house.topics.audit, dead_letters.STREAM)
    assert sorted(x for e in entries for x in e.facts["letters"]) == sorted(letter.id for letter in every)


async def test_none_of_a_case_goes_before_the_ones_in_front_of_it(town: Town) -> None:
    """One asked for alone is told to wait; with those in front of it, it goes."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    town.supplement("R1")
    await town.work()
    first, second = await town.letters()
    town.broken.clear()

    assert (await town.act("retry", Wanted(ids=(second.id,)))).blocked == {second.id: "behind_others"}
    done = await town.act("retry", Wanted(ids=(second.id, first.id)))
    await town.work()
    assert (done.letters, done.blocked, town.heard("R1")) == ([first.id, second.id], {}, town.said["R1"])


async def test_what_failed_again_keeps_its_place_before_what_came_meanwhile(town: Town) -> None:
    """Its new letter is the younger one, its command the older."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    await town.work()
    town.supplement("R1")
    await town.act("retry", Wanted())
    await town.work()
    later, again = await town.letters()
    assert (again.said.retry_of, later.said.retry_of, town.parked() == []) == ("engine/0/0", "", False)
    town.broken.clear()
    await town.act("retry", Wanted())
    await town.work()

    assert (town.heard("R1"), town.parked()) == (town.said["R1"], [])


async def test_what_is_given_up_has_no_effect_and_holds_nobody_up(town: Town) -> None:
    """The rest of the case is written again, then it is released."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    town.supplement("R1")
    await town.work()
    first, second = await town.letters()
    assert (await town.act("discard", Wanted(ids=(first.id,)))).released == []
    assert (await town.act("retry", Wanted(ids=(second.id,)))).released == [first.case]
    town.supplement("R1")
    await town.work()

    assert town.heard("R1") == town.said["R1"][1:]
    assert [letter.state for letter in await town.letters(every=True)] == ["discarded", "retried"]


async def test_whoever_was_told_to_wait_is_told_that_it_was_given_up(town: Town) -> None:
    """Once, on his own topic, by the published contract, without his words on the way; those that were done hear nothing."""
    await town.open_cases()
    said = town.supplement("R1")
    town.broken.add(said)
    town.supplement("R1")
    town.supplement("R2")
    await town.work()
    given_up, rest = await town.letters()
    done = await town.act("discard", Wanted(ids=(given_up.id,)))
    await town.act("retry", Wanted(ids=(rest.id,)))
    await town.work()

    assert (done.told, done.untold, town.heard("R1")) == ([given_up.id], [], town.said["R1"][1:])
    told = [(r.ref, r.code, r.reason) for r in town.receipts()][len(CASES) :]
    assert sorted(told) == sorted([
        ("R1", "held", None), ("R1", "held", None), ("R2", "accepted", None),
        ("R1", "rejected", "discarded"), ("R1", "accepted", None),
    ])  # fmt: skip
    orders = [r.value or b"" for r in town.house.log.records[town.house.input] if b'"give_up"' in (r.value or b"")]
    assert [(said.encode() in o, town.said["R1"][0].encode() in o) for o in orders] == [(True, False)]


async def test_of_a_copy_of_what_took_effect_nobody_is_told_that_it_took_none(town: Town) -> None:
    """A command that was written twice, and whose case was parked in between."""
    await town.open_cases()
    town.supplement("R1")
    copy = town.house.log.records[town.house.input][-1]
    town.broken.add(town.supplement("R1"))
    town.house.log.append([(town.house.input, copy.key, copy.value, copy.headers)])
    await town.work()
    done = await town.act("discard", Wanted())
    await town.work()

    assert (len(done.letters), town.heard("R1")) == (2, town.said["R1"][:1])
    assert [r.code for r in town.receipts()][len(CASES) :] == ["accepted", "held", "held", "rejected"]


async def _written_twice(town: Town) -> list[Letter]:
    """A supplement that fails, and its copy behind it."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    town.write_again()
    await town.work()
    town.broken.clear()
    return await town.letters()


def _answers(town: Town) -> list[str]:
    return [r.reason or r.code for r in town.receipts()][len(CASES) :]


async def test_nobody_is_told_of_a_copy_while_the_other_may_take_effect(town: Town) -> None:
    """Given up is only what is given up under each of its letters."""
    first, copy = await _written_twice(town)
    done = await town.act("discard", Wanted(ids=(copy.id,)))
    await town.act("retry", Wanted(ids=(first.id,)))
    await town.work()

    assert (done.told, done.untold, town.heard("R1")) == ([], [], town.said["R1"])
    assert (_answers(town), town.parked()) == (["held", "held", "accepted"], [])


@pytest.mark.parametrize("size", [1, 100])
async def test_a_command_given_up_under_both_its_letters_is_told_once(town: Town, size: int) -> None:
    """By the last of them."""
    _, copy = await _written_twice(town)
    done = await town.act("discard", Wanted(), size)
    await town.work()

    assert (done.told, town.heard("R1"), town.parked()) == ([copy.id], [], [])
    assert _answers(town) == ["held", "held", "discarded"]


async def test_what_failed_again_can_be_given_up_and_its_sender_told(town: Town) -> None:
    """Its first letter was retried; nothing can come of that any more."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    await town.work()
    await town.act("retry", Wanted())
    await town.work()
    (again,) = await town.letters()
    done = await town.act("discard", Wanted())
    await town.work()

    assert (again.said.retry_of, done.told, _answers(town)) == ("engine/0/0", [again.id], ["held", "discarded"])


async def test_what_is_given_up_takes_no_effect_when_it_is_written_once_more(town: Town) -> None:
    """Intake died before it committed, and writes the same command again: the case remembers it as refused."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    record = town.house.log.records[town.house.input][-1]
    await town.work()
    town.broken.clear()
    await town.act("discard", Wanted())
    town.house.log.append([(town.house.input, record.key, record.value, record.headers)])
    town.supplement("R1")
    await town.work()

    assert (town.heard("R1"), _answers(town)) == (town.said["R1"][1:], ["held", "discarded", "accepted"])
    refused = [e for r in town.house.events() for e in r.events if isinstance(e, events.CommandRefused)]
    assert [(e.action, e.code) for e in refused] == [("supplement", "discarded")]


async def test_a_request_that_is_open_is_not_said_to_be_given_up(town: Town) -> None:
    """The channel sent it once more while its case was parked: it hears that it was here, with its number."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    town.house.submit("R1", appeal_category="street")
    await town.work()
    (submit,) = [letter for letter in await town.letters() if letter.said.action == "Submit"]
    await town.act("discard", Wanted(ids=(submit.id,)))
    await town.work()

    assert _answers(town) == ["held", "held", "duplicate"]


async def test_a_request_whose_case_is_not_there_is_given_up_and_may_come_again(town: Town) -> None:
    """Nothing could remember it: a copy opens the case, and says so."""
    town.house.submit("R1", appeal_category="street")
    record = town.house.log.records[town.house.input][-1]
    town.broken.add(msgspec.json.decode(record.value or b"")["id"])
    await town.work()
    town.broken.clear()
    await town.act("discard", Wanted())
    town.house.log.append([(town.house.input, record.key, record.value, record.headers)])
    await town.work()

    assert [r.reason or r.code for r in town.receipts()] == ["held", "discarded", "accepted"]


async def test_a_sender_whose_record_is_gone_is_named_as_not_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The letter is given up all the same, and holds nobody up."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    await town.work()
    (letter,) = await town.letters()
    gone = TopicPartition(town.house.topics.commands, 0), 10_000
    monkeypatch.setattr(dead_letters, "_place", lambda letter, t: gone)
    done = await town.act("discard", Wanted())
    await town.work()

    assert (done.letters, done.told, done.untold, done.released) == ([letter.id], [], [letter.id], [letter.case])
    assert town.parked() == []


async def test_garbage_among_the_letters_hides_none(town: Town) -> None:
    """It is listed and can be given up; there is nothing to write again."""
    await town.open_cases()
    dead = TopicPartition(town.house.topics.dead_letters("engine"), 0)
    town.house.log.append([(dead, None, b"\xff{", ())])
    town.broken.add(town.supplement("R1"))
    await town.work()
    garbage, letter = await town.letters()
    assert (garbage.code, letter.code) == ("", "engine_fault")
    assert (await town.act("retry", Wanted(ids=(garbage.id,)))).blocked == {garbage.id: "gone"}
    assert (await town.act("discard", Wanted(ids=(garbage.id,)))).letters == [garbage.id]


async def test_a_letter_is_done_once(town: Town) -> None:
    """What was done is told as done, even to who named it."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    await town.work()
    (letter,) = await town.letters()
    await town.act("discard", Wanted(ids=(letter.id,)))

    assert (await town.act("retry", Wanted(ids=(letter.id,)))).blocked == {letter.id: "closed"}


@pytest.mark.parametrize("page", [1, 100])
async def test_a_record_past_its_retention_stays_open_and_so_do_those_behind_it(
    town: Town, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Said so, also where they are of another page; given up, it lets the others go on."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    town.supplement("R1")
    town.broken.add(town.supplement("R2"))
    await town.work()
    town.broken.clear()
    one, two, other = await town.letters()
    real = dead_letters._place
    with monkeypatch.context() as patch:
        gone = TopicPartition(town.house.topics.commands, 0), 10_000
        patch.setattr(dead_letters, "_place", lambda letter, t: gone if letter.id == one.id else real(letter, t))
        done = await town.act("retry", Wanted(), page)
    assert (done.blocked, done.letters) == ({one.id: "gone", two.id: "behind_others"}, [other.id])


async def test_a_letter_that_was_brought_twice_is_one(town: Town) -> None:
    """Delivery brings what it was at when it died once more: listed, done and counted once, under either name."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    town.supplement("R1")
    await town.work()
    town.bring_again()
    first, second = await town.letters()
    assert [(x.id, x.copies) for x in (first, second)] == [
        ("engine/0/0", ("engine/0/2",)), ("engine/0/1", ("engine/0/3",)),
    ]  # fmt: skip

    town.broken.clear()
    done = await town.act("retry", Wanted(ids=("engine/0/2",)))
    assert (done.letters, (await town.act("retry", Wanted(ids=(first.id,)))).blocked) == (
        [first.id],
        {first.id: "closed"},
    )
    done = await town.act("retry", Wanted())
    await town.work()
    assert (done.letters, done.released, town.heard("R1")) == ([second.id], [second.case], town.said["R1"])
    town.bring_again()
    assert await town.letters() == []
    told = await dead_letters.acts(town.house.log, town.house.topics, (await town.letters(every=True))[0])
    assert [entry["act"] for entry in told] == ["retry"]


async def _its_place_comes_again(town: Town, *, given_up: bool) -> Letter:
    """case.commands loses its end; where a supplement of R1 stood, one of R2 comes to stand, and fails too."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    await town.work()
    (first,) = await town.letters()
    if given_up:
        await town.act("discard", Wanted())
        await town.work()
    del town.house.log.records[town.house.input][int(first.said.source.rpartition("/")[2]) :]
    town.broken.add(town.supplement("R2"))
    return first


async def test_a_letter_whose_place_came_again_is_no_copy_of_the_one_before(town: Town) -> None:
    """Its id follows from the place; hidden behind one that was done, its command would be lost at the next release."""
    first = await _its_place_comes_again(town, given_up=True)
    town.supplement("R2")
    await town.work()
    again, behind = await town.letters()
    town.broken.clear()
    await town.act("retry", Wanted())
    await town.work()

    assert (again.original, again.case, behind.case) == (first.original, *[case_id("hotline_12345", "R2")] * 2)
    assert (town.heard("R2"), town.parked(), await town.letters()) == (town.said["R2"], [], [])


@pytest.mark.parametrize("act", ["retry", "discard"])
async def test_a_record_that_took_the_place_of_an_original_is_not_taken_for_it(town: Town, act: str) -> None:
    """Neither written again for it, nor is its sender told about the other's."""
    first = await _its_place_comes_again(town, given_up=False)
    done = await town.act(act, Wanted(ids=(first.id,)))
    written = town.house.log.records[town.house.input][int(first.said.source.rpartition("/")[2]) + 1 :]

    kinds = [msgspec.json.decode(r.value or b"{}").get("kind", "") for r in written]
    assert set(kinds) - {""} == ({"release"} if act == "discard" else set())
    assert done.blocked == ({first.id: "gone"} if act == "retry" else {}), done
    assert done.untold == ([first.id] if act == "discard" else [])


async def test_a_second_redrive_fences_the_first(town: Town) -> None:
    """Of two at once, only the later one's acts hold."""
    await town.open_cases()
    town.broken.add(town.supplement("R1"))
    await town.work()
    log, topics = town.house.log, town.house.topics
    async with opened(log, topics, PERSON) as first:
        planned = plan("retry", await first.look(), Wanted())
        async with opened(log, topics, PERSON) as second:
            await second.do(plan("discard", await second.look(), Wanted()), at_once)
            with pytest.raises(Fenced):
                await first.do(planned, at_once)
    assert [letter.state for letter in await town.letters(every=True)] == ["discarded"]


async def test_a_letter_of_intake_is_published_again_as_it_was(town: Town) -> None:
    """Value, key and headers; a record that is not the one the letter tells of is not taken for it."""
    log, topics = town.house.log, town.house.topics
    intake, dead = TopicPartition(topics.intake("hotline_12345"), 0), TopicPartition(topics.dead_letters("intake"), 0)
    log.names |= {intake.topic: 1}
    log.append([(intake, b"k", "坏".encode(), (("ce_type", b"x"),))])

    def letter(digest: str) -> tuple[Any, ...]:
        headers = {
            "x-stage": "intake", "x-reason": "not_json", "x-original-topic": intake.topic,
            "x-original-partition": "0", "x-original-offset": "0", "x-original-sha256": digest,
        }  # fmt: skip
        return dead, b"k", b"", tuple((name, text.encode()) for name, text in headers.items())

    right = dead_letters.sha256("坏".encode()).hexdigest()
    log.append([letter(right), letter("0" * 64)])
    done = await town.act("retry", Wanted())

    assert (done.letters, done.blocked) == (["intake/0/0"], {"intake/0/1": "gone"})
    assert [(r.key, r.value, tuple(r.headers)) for r in log.records[intake]] == [
        (b"k", "坏".encode(), (("ce_type", b"x"),))
    ] * 2


@pytest.mark.parametrize(
    ("stage", "named", "left"), [("intake", b"", 1), ("delivery", b"m1", 1), ("delivery", b"m2", 2)]
)
async def test_a_letter_that_a_role_wrote_twice_is_one(town: Town, stage: str, named: bytes, left: int) -> None:
    """It read its record once more; two messages of one record are two letters."""
    dead = TopicPartition(town.house.topics.dead_letters(stage), 0)
    place = {"topic": b"p.x", "partition": b"0", "offset": b"7"}
    headers = [(f"x-original-{part}", value) for part, value in place.items()]
    for name in (b"m1", named):
        told = [("x-message-id", name)] if stage == "delivery" else []
        town.house.log.append([(dead, b"k", b"", (*headers, *told))])
    assert len(await town.letters()) == left


async def test_a_batch_that_was_not_unpacked_is_not_published_as_an_empty_record(town: Town) -> None:
    """Nobody has read what it holds, and nobody will: there is nothing to write again."""
    log, topics = town.house.log, town.house.topics
    intake, dead = TopicPartition(topics.intake("hotline_12345"), 0), TopicPartition(topics.dead_letters("intake"), 0)
    log.names |= {intake.topic: 1}
    log.append([(intake, None, Withheld(0), ())])
    headers = {
        "x-stage": "intake", "x-reason": "batch_too_large", "x-original-topic": intake.topic,
        "x-original-partition": "0", "x-original-offset": "0", "x-original-first-offset": "0",
        "x-original-sha256": dead_letters.sha256(b"").hexdigest(),
    }  # fmt: skip
    log.append([(dead, b"k", b"", tuple((name, text.encode()) for name, text in headers.items()))])

    assert (await town.act("retry", Wanted())).blocked == {"intake/0/0": "gone"}
    assert len(log.records[intake]) == 1


async def test_a_message_too_large_for_its_topic_is_sent_again_as_delivery_would(town: Town) -> None:
    """From the outbox, the one message that is meant, under its own id."""
    await town.open_cases()
    log, topics = town.house.log, town.house.topics
    handed = log.records[TopicPartition(topics.outbox, 0)][0]
    message = fan_out(outbox.decode(handed.value or b""), topics)[-1]
    named = dict(message.headers)
    headers = {
        "x-stage": b"delivery", "x-reason": b"too_large", "x-original-topic": topics.outbox.encode(),
        "x-original-partition": b"0", "x-original-offset": b"0", "x-message-id": named["ce_id"],
    }  # fmt: skip
    log.append([(TopicPartition(topics.dead_letters("delivery"), 0), b"k", b"", tuple(headers.items()))])
    there = log.records[TopicPartition(message.topic, 0)]
    before = len(there)
    log.names |= {message.topic: 1}
    log.largest[message.topic] = 1 << 24
    await town.act("retry", Wanted(stage="delivery"))

    assert [(r.key, r.value) for r in there[before:]] == [(message.key, message.value)]
