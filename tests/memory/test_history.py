"""Every request of a time is read once, and nothing before it; found by halving, whatever lies between."""

from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition

from adapters.kafka.memory import MemoryLog, MemoryReader
from router.catalogue.load import from_files
from router.operate import history
from router.operate.history import History, NoEvents, registered
from router.rules.backtest import Registered
from tests.unit.catalogue.small import small
from tests.unit.rules.archive import DAY, NINE, archived, submitted
from workflows import commands as cmd
from workflows import events as ev
from workflows.handle import step

TOPIC = "t.case.events"
CATALOGUE = from_files(small(), version=7)


def log_of(*partitions: Sequence[bytes]) -> MemoryLog:
    log = MemoryLog()
    log.names[TOPIC] = len(partitions)
    for number, values in enumerate(partitions):
        log.append([(TopicPartition(TOPIC, number), b"k", value, ()) for value in values])
    return log


async def read(log: MemoryLog, since: int, until: int) -> tuple[list[Registered], History, list[tuple[int, int]]]:
    past, told = History(log, TOPIC, since, until, registered), list[tuple[int, int]]()
    return [one async for batch in past.batches(lambda *step: told.append(step)) for one in batch], past, told


def record(ref: str, at: int) -> bytes:
    return ev.encode(archived(CATALOGUE, ref, at))


def other(at: int) -> bytes:
    """What happens most: an event of a case that is there already."""
    return ev.encode(ev.EventRecord(case="c", version=2, at=at, cause="x", events=(ev.LegSigned(leg="1"),)))


@pytest.mark.parametrize("since", [NINE - 1, NINE, NINE + 7 * DAY, NINE + 30 * DAY, NINE + 59 * DAY, NINE + 60 * DAY])
async def test_the_requests_of_the_time_and_no_others(since: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reading of everything would find them, from the first instant to just before the last."""
    monkeypatch.setattr(history, "NEAR", 4)
    days = [NINE + n * DAY for n in range(60)]
    partitions = [[record(f"{p}-{at}", at) if at % 3 else other(at) for at in days if at % 5 != p] for p in range(3)]
    found, past, _ = await read(log_of(*partitions), since, NINE + 50 * DAY)
    everything = [registered(value) for values in partitions for value in values]
    wanted = {one.number for one in everything if one and since <= one.at < NINE + 50 * DAY}
    assert sorted(one.number for one in found) == sorted(wanted) and past.unreadable == 0


async def test_halving_leaves_out_what_is_long_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand records before the time hardly any is read."""
    monkeypatch.setattr(history, "NEAR", 8)
    values = [other(NINE + n) for n in range(1000)] + [record("now", NINE + DAY)]
    found, _, told = await read(log_of(values), NINE + DAY, NINE + 2 * DAY)
    assert [one.ref for one in found] == ["now"]
    assert told[-1][0] == told[-1][1] <= 10
    assert told == sorted(told)


async def test_whatever_became_of_a_case_its_request_counts() -> None:
    """Archived, forgotten and registered anew under its id, it was two requests; a copy of one was none."""
    first = submitted(CATALOGUE, "a")
    assert first.record is not None and first.case is not None
    again = cmd.Submit(
        id="00000000-0000-5000-8000-000000000001", case=first.case.id, at=NINE, channel="phone", ref="a", request=ev.decode(ev.encode(first.record)).events[0].request, digest="a", received_at=NINE, serial="1",
    )  # fmt: skip
    copy = step(first.case, again, CATALOGUE.facts(), NINE + 1).record
    ends = [ev.EventRecord(case=first.case.id, version=3, at=NINE + 2, cause="x", events=(e,)) for e in (ev.CaseArchived(), ev.CaseForgotten())]  # fmt: skip
    values = [ev.encode(r) for r in (first.record, copy, *ends, archived(CATALOGUE, "a", NINE + 3)) if r]
    found, _, _ = await read(log_of(values), 0, NINE + DAY)
    assert len(values) == 5 and [one.at for one in found] == [NINE, NINE + 3]


async def test_what_cannot_be_read_is_counted() -> None:
    """A registration of a later version than this code knows is told of; other records are none of its business."""
    strange = b'{"case":1,"events":[{"type":"CaseRegistered.v1"}]}'
    _, past, _ = await read(log_of([strange, b"", b"no json", record("a", NINE)]), 0, NINE + DAY)
    assert past.unreadable == 1


async def test_a_request_that_quotes_an_event_is_no_event() -> None:
    """What a citizen writes stands in quotes of its own; a form may hold the very words as data."""
    words = {
        "one_thing": {"package": "birth", "form": {"x": {"type": "CaseRegistered.v1"}}},
        "title": '{"type":"CaseRegistered.v1"',
    }
    value = ev.encode(archived(CATALOGUE, "a", **words))
    follow_up = value.replace(b'[{"type":"CaseRegistered.v1",', b'[{"type":"CaseSupplemented.v1","body":{},', 1)
    found, past, _ = await read(log_of([value, follow_up]), 0, NINE + DAY)
    assert (len(found), past.unreadable) == (1, 0)


async def test_without_the_topic_nothing_ever_ran() -> None:
    with pytest.raises(NoEvents):
        await read(MemoryLog(), 0, 1)


async def test_a_broker_that_brings_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes away in the middle: the client itself would ask on, without a word."""
    monkeypatch.setattr(history, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(MemoryReader, "_take", lambda *_: {})
    with pytest.raises(TimeoutError):
        await read(log_of([record("a", NINE)]), 0, NINE + DAY)
