"""
The dead letters as they are on the log: what there is, what became of each, and the records that they stand for.

A letter's id is its place, `<stage>/<partition>/<offset>`. What became of it stands in the stream `dead-letters` of
the audit topic; folded over the letters that gives each one its state.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import msgspec
from aiokafka import TopicPartition

from adapters.kafka.forgiving import Withheld
from adapters.kafka.log import Header
from router.operate import audit
from router.operate.letters import DONE, Block, DeadLetter, Letter, State
from router.operate.topics import STAGES, Topics
from workflows import commands

STREAM = "dead-letters"
POLL_MS = 200


@dataclass(frozen=True)
class Source:
    """A record as it stands on the log."""

    partition: TopicPartition
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


async def letters(broker: Any, topics: Topics) -> list[Letter]:
    """Every letter there is, once, in order, with what became of it. Raises ChainBroken."""
    written: dict[tuple[str, ...], list[Letter]] = {}
    for stage in STAGES:
        tp = TopicPartition(topics.dead_letters(stage), 0)
        async for record in _whole(broker, tp):
            letter = _letter(stage, record, topics)
            written.setdefault(_same_as(letter), []).append(letter)
    found = [replace(one, copies=tuple(copy.id for copy in more)) for one, *more in written.values()]
    done = _folded(await audit.read(broker, topics.audit, STREAM), found)
    return [replace(letter, state=done.get(letter.id, "open")) for letter in found]


def _same_as(letter: Letter) -> tuple[str, ...]:
    """
    What a letter and its copies have in common: who writes them may write them again after a crash, like all that
    leaves. Of the engine's a copy is the same in all it says: the id alone follows from a place on `case.commands`,
    which may come again where that topic lost its end or was made anew. Of the other stages each record, or message of
    the outbox, has one letter.
    """
    named = {name: value.decode("utf-8", "replace") for name, value in letter.headers}
    if letter.stage == "engine":
        said = msgspec.json.encode(letter.said).decode()
        return letter.stage, named.get("ce_id") or letter.id, named.get("ce_time", ""), letter.key, said
    place = letter.original or letter.id
    return letter.stage, place, named.get("x-original-sha256", ""), named.get("x-message-id", "")


async def _whole(broker: Any, tp: TopicPartition) -> AsyncIterator[Any]:
    async with broker.reader(partitions=[tp]) as reader:
        reader.seek(tp, (await reader.beginning_offsets([tp]))[tp])
        end = (await reader.end_offsets([tp]))[tp]
        while await reader.position(tp) < end:
            for record in (await reader.getmany(timeout_ms=POLL_MS)).get(tp, []):
                yield record


def _letter(stage: str, record: Any, topics: Topics) -> Letter:
    headers = tuple(record.headers)
    named = {name: value.decode("utf-8", "replace") for name, value in headers if name.startswith("x-")}
    said = DeadLetter(stage=stage, code=named.get("x-reason", ""), source="")
    if stage == "engine":
        # something that the engine did not write there must not hide the others
        with suppress(msgspec.MsgspecError):
            said = msgspec.json.decode(record.value or b"", type=DeadLetter)
    place = said.source or "/".join(named.get(f"x-original-{part}", "") for part in ("topic", "partition", "offset"))
    return Letter(
        id=f"{stage}/{record.partition}/{record.offset}",
        stage=stage,
        code=said.code,
        original=place.removeprefix(topics.prefix) if place.strip("/") else "",
        written=record.timestamp,
        key=(record.key or b"").decode("utf-8", "replace"),
        headers=headers,
        said=said,
    )


def _folded(entries: Iterable[audit.Entry], found: Iterable[Letter]) -> dict[str, State]:
    """What became of each letter, by whichever of its names it was called: the last act counts."""
    first = {name: letter.id for letter in found for name in letter.names}
    return {
        first.get(name, name): DONE[entry.act]
        for entry in entries
        for name in entry.facts["letters"]
        if entry.act in DONE
    }


async def acts(broker: Any, topics: Topics, letter: Letter) -> list[dict[str, str]]:
    """What was done about a letter: when, what, who and why."""
    entries = await audit.read(broker, topics.audit, STREAM)
    return [
        {"at": entry.at, "act": entry.act, "who": entry.who, "why": entry.why}
        for entry in entries
        if not letter.names.isdisjoint(entry.facts["letters"])
    ]


Read = Callable[[Letter], Awaitable[Source | Block]]


async def original(broker: Any, topics: Topics, letter: Letter) -> Source | Block:
    """The record that a letter stands for, whole; else why there is none (`gone`, `not_yet`)."""
    async with originals(broker, topics, [letter]) as read:
        return await read(letter)


@asynccontextmanager
async def originals(broker: Any, topics: Topics, of: Iterable[Letter]) -> AsyncIterator[Read]:
    """A way to read the originals of these letters, with one reader for all of them."""
    counts = await broker.topics()
    places = {tp for letter in of if (tp := _place(letter, topics)[0]) and tp.partition < counts.get(tp.topic, 0)}
    some = sorted(places) or [TopicPartition(topics.audit, 0)]
    async with broker.reader(partitions=some, committed=False) as reader:
        ends = await reader.end_offsets(places)
    async with broker.reader(partitions=some) as reader:
        starts, stable = await reader.beginning_offsets(places), await reader.end_offsets(places)
        reader.pause(*places)

        async def read(letter: Letter) -> Source | Block:
            tp, offset = _place(letter, topics)
            if tp is None or tp not in places or not starts[tp] <= offset < ends[tp]:
                return "gone"
            if offset >= stable[tp]:
                return "not_yet"
            reader.seek(tp, offset)
            reader.resume(tp)
            while await reader.position(tp) <= offset:
                for record in (await reader.getmany(tp, timeout_ms=POLL_MS, max_records=1)).get(tp, []):
                    reader.pause(tp)
                    return _same(record, letter, topics) if record.offset == offset else "gone"
            return "gone"

        yield read


def _same(record: Any, letter: Letter, topics: Topics) -> Source | Block:
    """The record, unless it is not the one that the letter was written for, or one that nobody could read."""
    if isinstance(record.value, Withheld):
        return "gone"
    if letter.stage == "intake":
        wanted = dict(letter.headers).get("x-original-sha256", b"").decode()
        if wanted != sha256(record.value or b"").hexdigest():
            return "gone"
    if letter.said.action and record.topic == topics.commands and not _is_meant(record.value, letter.said):
        return "gone"
    return Source(TopicPartition(record.topic, record.partition), record.key, record.value, tuple(record.headers))


def _is_meant(value: bytes | None, said: DeadLetter) -> bool:
    """Whether this is still the command that the letter tells of: its place may have come again."""
    try:
        command = commands.decode(value or b"")
    except msgspec.MsgspecError:
        return False
    return (command.case, type(command).__name__, command.source) == (said.case, said.action, said.input)


def _place(letter: Letter, topics: Topics) -> tuple[TopicPartition | None, int]:
    name, _, rest = letter.original.partition("/")
    partition, _, offset = rest.partition("/")
    if letter.is_deadline or not (partition.isdigit() and offset.isdigit()):
        return None, 0
    return TopicPartition(topics.prefix + name, int(partition)), int(offset)
