"""
The bare chain: the same records through intake, shard and fan-out, with the same transactions and store, and no
thinking. It parses JSON and writes as many records, as large, to the same topics as Duokua did (shape.py). What
Duokua reaches is measured against it: it is the limit that this log, this language and this machine set.

    python -m bench.chain intake | engine <part> <of> | delivery        settings from DUOKUA_*, shape from BENCH_SHAPE
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiokafka import TopicPartition
from msgspec import Raw

from adapters.kafka.log import Header, KafkaLog
from bench.shape import OneCase, Piece, Shape
from router.engine.ledger import OFFSETS_SECONDS
from router.engine.shard import COMMANDS_PER_BATCH, FLOOR_SECONDS, POLL_MS
from router.engine.store import REQUEST_SUFFIX, SHARD_KEY, Store, state_value
from router.operate import pump
from router.operate.floor import Floor
from router.operate.settings import Settings
from router.operate.topics import Topics
from schemas.ids import case_id, shard_of
from workflows import outbox

FULL = 2000
DAY = 24 * 3600 * 1000
UUID = "0" * 36
SHA256 = "0" * 64
SHARD_RECORD = b'{"log":"%s","input":%%d}' % (b"x" * 200)


class Part:
    """What all three have: where the log is, how the topics are called, when to stop."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.log = KafkaLog(self.settings.bootstrap)
        self.topics = Topics(self.settings.prefix, self.settings.shards)
        self.shape = Shape.read(Path(os.environ["BENCH_SHAPE"]))
        self.stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stop.set)


async def _copy(part: Part, reader: Any, writer: Any, add: Callable[[Any], None]) -> None:
    """The loop of intake and delivery, with the floor and the commits of the real one."""
    floor, done = Floor(pump.FLOOR_SECONDS, FULL), dict[TopicPartition, int]()
    ended, told, rest = time.monotonic(), 0.0, 0.0
    while not part.stop.is_set():
        batch = await pump.read(reader, FULL, rested=rest > 0)
        started = time.monotonic()
        for record in (r for records in batch.values() for r in records):
            add(record)
        if batch:
            await writer.flush()
            done |= {tp: records[-1].offset + 1 for tp, records in batch.items()}
        if done and started - told > pump.COMMIT_SECONDS:
            await reader.commit(done)
            told, done = started, {}
        if batch:
            waited, ended = started - ended, time.monotonic()
            rest = floor.rest(ended - started, waited, sum(map(len, batch.values())))
            await asyncio.sleep(rest)


# -- intake: a request becomes a command ---------------------------------------------------------


async def intake(part: Part) -> None:
    names = [t for t in await part.log.topics() if t.startswith(part.topics.intake(""))]
    async with part.log.writer() as writer, part.log.reader(names, group=part.topics.group("intake")) as reader:

        def add(record: Any) -> None:
            case, command = _command(record, part.topics)
            writer.add(part.topics.commands, shard_of(case, part.topics.shards), case.encode(), command)

        await _copy(part, reader, writer, add)


def _command(record: Any, topics: Topics) -> tuple[str, bytes]:
    event = orjson.loads(record.value)
    channel = record.topic.removeprefix(topics.intake(""))
    case = case_id(channel, event["id"])
    command = {
        "kind": "submit",
        "id": UUID,
        "case": case,
        "at": record.timestamp,
        "source": f"{record.topic}/{record.partition}/{record.offset}",
        "channel": channel,
        "ref": event["id"],
        "request": event["data"],
        "digest": SHA256,
        "received_at": record.timestamp,
        "query_code": "000000",
    }
    return case, orjson.dumps(command)


# -- shard: a command becomes an event record, a state, a request, an outbox record ------------------


async def engine(part: Part, number: int, of: int) -> None:
    partitions = [TopicPartition(part.topics.commands, p) for p in range(part.topics.shards) if p % of == number]
    await asyncio.gather(*(_serve(part, tp) for tp in partitions))


async def _serve(part: Part, commands: TopicPartition) -> None:
    """One shard, with the batches, the floor and the offsets of the real one."""
    async with part.log.reader(partitions=[commands], wait_ms=POLL_MS) as reader:
        await _batches(part, reader, commands)


async def _batches(part: Part, reader: Any, commands: TopicPartition) -> None:
    p, topics = commands.partition, part.topics
    store = Store(part.settings.state_dir / f"bare-{p}", "bare")
    transactions = await part.log.transactions(f"{topics.prefix}case.{p}", topics.group("engine"))
    likeness, floor = islice(cycle(part.shape.cases), 17 * p, None), Floor(FLOOR_SECONDS, COMMANDS_PER_BATCH)
    ended, told, done, behind, rest = time.monotonic(), 0.0, 0, False, 0.0
    while not part.stop.is_set():
        batch = await pump.read(reader, COMMANDS_PER_BATCH, rested=rest > 0)
        records = batch.get(commands, [])
        started = time.monotonic()
        late = started - told > OFFSETS_SECONDS
        if not records and not (behind and late):
            continue
        done = records[-1].offset + 1 if records else done
        changelog = _decide(transactions, topics, p, records, done, likeness, store)
        ends = await transactions.commit({commands: done} if late else {})
        store.apply(changelog, ends[TopicPartition(topics.state, p)])
        told, behind = (started, False) if late else (told, True)
        waited, ended = started - ended, time.monotonic()
        rest = floor.rest(ended - started, waited, len(records))
        await asyncio.sleep(rest)
    await part.log.close(transactions)
    store.close()


def _decide(
    transactions: Any,
    topics: Topics,
    p: int,
    records: list[Any],
    done: int,
    likeness: Iterator[OneCase],
    store: Store,
) -> list[tuple[bytes, bytes | None]]:
    """Adds what the commands bring about; returns what is for the changelog and the store."""
    changelog: list[tuple[bytes, bytes | None]] = []
    for record in records:
        if record.key == SHARD_KEY or store.state(record.key) is not None:
            continue
        command, like = orjson.loads(record.value), next(likeness)
        body, key = orjson.dumps(command["request"]), record.key
        changelog.append((key, state_value(command["at"] + DAY, b"s" * like.state)))
        changelog.append((key + REQUEST_SUFFIX, body))
        transactions.add(topics.events, p, key, _sized(body, like.event))
        transactions.add(topics.outbox, p, key, _outbox(command, body, like.pieces))
    changelog.append((SHARD_KEY, SHARD_RECORD % done))
    for key, value in changelog:
        transactions.add(topics.state, p, key, value)
    return changelog


def _outbox(command: dict[str, Any], body: bytes, pieces: tuple[Piece, ...]) -> bytes:
    messages = tuple(
        outbox.Message(to=p.to, key=command["case"], id=UUID, type=p.type, seq=1, data=Raw(_sized(body, p.size)))
        for p in pieces
    )
    return outbox.encode(
        outbox.OutboxRecord(
            case=command["case"], version=1, at=command["at"], source=command["source"], messages=messages
        )
    )


def _sized(body: bytes, size: int) -> bytes:
    """JSON of `size` bytes, with the request in it where it fits."""
    if size < len(body) + 5:
        return b'"%s"' % (b"x" * (size - 2))
    return b'[%s,"%s"]' % (body, b"x" * (size - len(body) - 5))


# -- fan-out -----------------------------------------------------------------------------------------


async def delivery(part: Part) -> None:
    topics = part.topics
    headers: list[Header] = [(name, value.encode()) for name, value in part.shape.headers]
    async with part.log.writer() as writer, part.log.reader([topics.outbox], group=topics.group("delivery")) as reader:

        def add(record: Any) -> None:
            for message in outbox.decode(record.value).messages:
                writer.add(topics.prefix + message.to, 0, message.key.encode(), bytes(message.data), headers)

        await _copy(part, reader, writer, add)


async def _main(role: str, *numbers: str) -> None:
    part = Part()
    if role == "engine":
        await engine(part, *map(int, numbers))
    else:
        await {"intake": intake, "delivery": delivery}[role](part)


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))
