"""
Channels under load, as a process of its own with a ledger of its own: `python -m tests.chaos.load ORDER`.

ORDER is a JSON object (Order). Before anything is sent the ledger says what; when the broker has acknowledged it, it
says so: what is acknowledged must have an effect, whatever happened meanwhile. A send without an answer is sent again,
byte by byte the same, as channels do.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from aiokafka.errors import KafkaError

from adapters.kafka.log import KafkaLog, RecordRefused, Writer
from bench.sample import Sample
from router.catalogue.load import load
from router.operate.settings import CHECKOUT
from router.operate.topics import Topics

TICK = 0.1
ANSWER_WITHIN = 60.0
SHARES = {"new": 86, "duplicate": 4, "reused": 2, "bad": 3, "supplemented": 2, "withdrawn": 1, "evaluated": 1, "orphan": 1}  # fmt: skip
KNOWN = 20_000
"""Requests that a later record may refer to."""
BAD: tuple[bytes | None, ...] = (
    b"",
    None,
    b"not json",
    b'{"specversion": "1.0"',
    b"\xff\xfe\x00",
    b"[1, 2, 3]",
    b'{"specversion": "1.0", "id": "x", "id": "y"}',
    b'{"a": ' * 300 + b"1" + b"}" * 300,
    b'{"specversion": "9", "id": "a-1", "source": "/x", "type": "t", "data": {}}',
    b'{"specversion": "1.0", "id": "a-2", "source": "/channels/grid", "type": "cn.duokua.request.nonsense.v1", "data": {}}',
    b'{"specversion": "1.0", "id": "a-3", "source": "/channels/nowhere", "type": "cn.duokua.request.submitted.v1", "data": {}}',
    b'{"n": NaN}',
)
"""None of them is a request."""


class Order(msgspec.Struct, kw_only=True):
    """What to send, until stdin ends. at_least: records, however long it takes; time: of the requests, business ms."""

    bootstrap: str
    prefix: str
    shards: int
    seed: int
    rate: float
    time: int
    ledger: str
    at_least: int = 0


@dataclass(frozen=True)
class Made:
    """One record of the load. number: its name in the ledger and in the header `load`."""

    number: int
    kind: str
    channel: str
    ref: str
    value: bytes | None

    def line(self) -> str:
        return json.dumps(["sent", self.number, self.kind, self.channel, self.ref])


class Maker:
    """An endless row of records, the same for the same seed."""

    def __init__(self, sample: Sample, seed: int) -> None:
        self._sample, self._random, self._made = sample, random.Random(seed), 0
        self._known: list[Made] = []

    def __iter__(self) -> Iterator[Made]:
        while True:
            kind = self._random.choices(list(SHARES), list(SHARES.values()))[0]
            if not self._known and kind != "bad":
                kind = "new"
            self._made += 1
            made = self._one(kind)
            if kind == "new":
                if len(self._known) < KNOWN:
                    self._known.append(made)
                else:
                    self._known[self._random.randrange(KNOWN)] = made
            yield made

    def _one(self, kind: str) -> Made:
        if kind == "new":
            request = self._sample.take(1)[0]
            return Made(self._made, kind, request.channel, request.ref, request.value)
        if kind == "bad":
            return Made(self._made, kind, "grid", f"bad-{self._made}", self._random.choice(BAD))
        known = self._random.choice(self._known)
        if kind == "duplicate":
            return Made(self._made, kind, known.channel, known.ref, known.value)
        if kind == "reused":
            assert known.value is not None
            event = json.loads(known.value)
            event["data"]["title"] += f"（另一件事 {self._made}）"
            return Made(self._made, kind, known.channel, known.ref, json.dumps(event, ensure_ascii=False).encode())
        return self._follow_up(kind, known)

    def _follow_up(self, kind: str, known: Made) -> Made:
        what = kind if kind != "orphan" else "supplemented"
        ref = known.ref if kind != "orphan" else f"nobody-{self._made}"
        data = {"supplemented": {"text": "补充：情况没有变化。"}, "withdrawn": {}, "evaluated": {"grade": 3}}[what]
        event = {
            "specversion": "1.0",
            "id": f"{ref}-{what}-{self._made}",
            "source": f"/channels/{known.channel}",
            "type": f"cn.duokua.request.{what}.v1",
            "subject": ref,
            "data": data,
        }
        return Made(self._made, kind, known.channel, ref, json.dumps(event, ensure_ascii=False).encode())


class Channels:
    """One writer to all intake topics, made anew when it fails."""

    def __init__(self, order: Order, ledger: IO[str]) -> None:
        self._log, self._topics, self._ledger = KafkaLog(order.bootstrap), Topics(order.prefix, order.shards), ledger
        self._stack = AsyncExitStack()
        self._writer: Writer | None = None

    async def send(self, batch: list[Made]) -> None:
        """All of it, and again until the broker has said yes."""
        self._note("".join(made.line() + "\n" for made in batch))
        first, last = batch[0].number, batch[-1].number
        while True:
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await self._flush(batch)
                break
            except (KafkaError, RecordRefused, TimeoutError, OSError):
                self._note(json.dumps(["again", first, last]) + "\n")
                await self.close()
                await asyncio.sleep(0.5)
        self._note(json.dumps(["acked", first, last]) + "\n")

    async def _flush(self, batch: list[Made]) -> None:
        if self._writer is None:
            self._writer = await self._stack.enter_async_context(self._log.writer())
        for made in batch:
            topic, header = self._topics.intake(made.channel), ("load", str(made.number).encode())
            self._writer.add(topic, 0, made.ref.encode(), made.value, [header])
        await self._writer.flush()

    def _note(self, text: str) -> None:
        self._ledger.write(text)
        self._ledger.flush()

    async def close(self) -> None:
        await self._stack.aclose()
        self._writer = None


async def run(order: Order, ledger: IO[str]) -> None:
    """Send until told to end and enough is sent."""
    row = iter(Maker(Sample(load(CHECKOUT / "catalog"), order.time, order.seed), order.seed))
    channels = Channels(order, ledger)
    told = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    begin, sent = time.monotonic(), 0
    try:
        while not told.done() or sent < order.at_least:
            wanted = int((time.monotonic() - begin) * order.rate) - sent
            # after a standstill it goes on at most at three times the pace: channels do not wait in one place
            count = min(max(wanted, 0), int(order.rate * TICK * 3) + 1)
            if count:
                await channels.send([next(row) for _ in range(count)])
                sent += count
            await asyncio.sleep(TICK)
    finally:
        await channels.close()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Order)
    with Path(given.ledger).open("a", encoding="utf-8") as file:
        asyncio.run(run(given, file))
