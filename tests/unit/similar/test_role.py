"""The similar role without a broker: it remembers in silence, lets others have the loop, and goes by the catalogue in force."""

import asyncio
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
from aiokafka import TopicPartition

from adapters.clock import Clock
from router.catalogue.rows import Similar as Limits
from router.operate import metrics
from router.operate.topics import Topics
from router.similar.role import SLICE, Similar, _remember
from tests.unit.similar.requests import came
from workflows import commands, events

SLOT = TopicPartition("events", 0)


class Said(NamedTuple):
    offset: int
    value: bytes | None
    timestamp: int = 0


class Reader:
    """A log of one partition."""

    def __init__(self, records: list[Said]) -> None:
        self._records, self._at = records, 0

    async def position(self, _: TopicPartition) -> int:
        return self._at

    async def getmany(self, *_: TopicPartition, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Said]]:
        found = self._records[self._at : self._at + max_records]
        self._at += len(found)
        return {SLOT: found}


class Writer:
    def __init__(self) -> None:
        self.said: list[commands.AnyCommand] = []

    def add(self, _topic: str, _place: int, _key: bytes, value: bytes, _headers: object) -> None:
        self.said.append(commands.decode(value))

    async def flush(self) -> None: ...


def made(limits: Limits) -> tuple[Any, Any, Writer, Similar]:
    process: Any = SimpleNamespace(
        clock=Clock(), stop=asyncio.Event(), topics=Topics("t", 2), beats=[],
        settings=SimpleNamespace(secret=SimpleNamespace(get_secret_value=lambda: "s")),
    )  # fmt: skip
    process.health = SimpleNamespace(beat=lambda: process.beats.append(1))
    following: Any = SimpleNamespace(current=SimpleNamespace(header=SimpleNamespace(similar=limits)))
    writer: Any = Writer()
    return process, following, writer, Similar(process, following, writer)


def log(*happened: events.EventRecord) -> list[Said]:
    """Under ids that have a shard."""
    named = [msgspec.structs.replace(one, case=case(int(one.case.removeprefix("c-")))) for one in happened]
    return [Said(n, events.encode(one)) for n, one in enumerate(named)]


def case(n: int) -> str:
    return f"{n:08x}"


async def test_it_remembers_in_silence_and_lets_others_have_the_loop() -> None:
    """Up to where it was told and no further; what cannot be read is passed over."""
    process, _, writer, similar = made(Limits())
    records = log(*(came(n, category=f"C{n % 50}", phone="13800001111") for n in range(5 * SLICE)))
    records[7] = Said(7, b"not an event")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    await _remember(process, Reader(records), similar, {SLOT: 5 * SLICE - 1})
    other.cancel()
    assert (len(similar.index.order), writer.said) == (5 * SLICE - 2, [])
    assert len(process.beats) >= 5 and turns >= 5


async def test_a_newly_published_catalogue_holds_from_the_next_batch_on() -> None:
    _, following, writer, similar = made(Limits(group=0))
    known = log(*(came(n, phone=f"1380000{n:04d}") for n in range(5)))
    await similar.take({SLOT: known[:4]})
    following.current = SimpleNamespace(header=SimpleNamespace(similar=Limits(group=5)))
    await similar.take({SLOT: known[4:]})
    last = [one for one in writer.said if isinstance(one, commands.Resemble) and one.case == case(4)]
    assert [(one.what, one.count) for one in last] == [("alike", 2), ("group", 5)]


async def test_a_request_that_cannot_be_read_stops_nobody() -> None:
    _, _, writer, similar = made(Limits())
    (registered,) = came(1).events
    assert isinstance(registered, events.CaseRegistered)
    broken = msgspec.structs.replace(registered, request=msgspec.Raw(b'{"title": 1}'))
    (bad,) = log(msgspec.structs.replace(came(1), events=(broken,)))
    await similar.take({SLOT: [bad, Said(1, None), *log(came(2), came(3))]})
    assert [(one.case, one.what) for one in writer.said if isinstance(one, commands.Resemble)] == [(case(3), "alike")]


def test_what_was_never_found_is_counted_from_the_start() -> None:
    """An alert asks how much a count has grown: of one that begins with its first finding that is nothing."""
    metrics.SIMILAR_FOUND.clear()
    made(Limits())
    (family,) = metrics.SIMILAR_FOUND.collect()
    counts = {one.labels["what"]: one.value for one in family.samples if one.name.endswith("_total")}
    assert counts == dict.fromkeys(("repeat", "alike", "group", "burst"), 0)
