"""
Throughput: a backlog is laid on the channels' topics, intake is started, and the clock runs from the first task or
receipt that is visible to the last.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct, json

from bench.cluster import SHARDS, Ground, Put, in_out
from bench.processes import Processes
from bench.sample import SEED, Request
from bench.shape import Learning
from bench.stage import LOOK, START, WARM, Bench, Chain, Wrong, until

FAUST = ("-m", "bench.peers.faust_copy", "worker", "-l", "error", "--without-web")


class Throughput(Struct):
    """
    per_second: from the first task or receipt visible to the last, counting what became visible in between.
    whole: all requests, from the first command written to the last message visible (0 where there are no commands).
    cpu_us: microseconds of CPU a request, by process. size: bytes written a request, by kind of topic.
    """

    contender: str
    requests: int
    per_second: float
    whole: float
    cpu_us: dict[str, int]
    size: dict[str, int] = {}


class _Answer(Struct):
    code: str = ""
    ref: str = ""


class Stopwatch:
    """Notes when the number of visible messages first and last rose."""

    def __init__(self, left: Callable[[], Awaitable[int]], before: int) -> None:
        self._left, self._before = left, before
        self.first = self.last = (0.0, 0)
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            count, now = await self._left() - self._before, time.monotonic()
            if count > self.last[1]:
                self.last = (now, count)
                self.first = self.first if self.first[1] else self.last
            await asyncio.sleep(LOOK)

    async def stop(self) -> None:
        await asyncio.sleep(2 * LOOK)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def per_second(self, requests: int) -> float:
        """What was visible at the first look has no duration and is not counted."""
        (began, first), (ended, last) = self.first, self.last
        if first == last:
            raise Wrong(f"all {requests} requests became visible at once: take more")
        return requests * (1 - first / last) / (ended - began)


async def chain_throughput(bench: Bench, kind: str, count: int) -> Throughput:
    """A turn of `duokua` or of `bare`. After one of duokua the shape is on the disk. Raises Wrong, Stuck, Died."""
    requests = bench.sample().take(count)
    async with Chain(bench, kind) as chain:
        place, processes = chain.ground, chain.processes
        processes.stop("intake")
        before, commands = await place.left(), await place.commands()
        await place.fill(requests)
        watch = Stopwatch(place.left, before)
        chain.start("intake")
        used, began = await _first_command(bench, chain, commands, _limit(count))
        await chain.until_done(count, before, _limit(count))
        cpu = _spent(used, bench.cpu(processes), count)
        await watch.stop()
        processes.stop()
        size = await _look_through(bench, kind, place, count + WARM)
    return Throughput(kind, count, watch.per_second(count), count / (watch.last[0] - began), cpu, size)


def _limit(count: int) -> float:
    """Seconds after which a turn of `count` requests is given up."""
    return 60 + count / 100


def _spent(before: dict[str, float], after: dict[str, float], count: int) -> dict[str, int]:
    return {name: round((seconds - before[name]) / count * 1e6) for name, seconds in after.items()}


async def _first_command(bench: Bench, chain: Chain, before: int, limit: float) -> tuple[dict[str, float], float]:
    """Wait for intake's first command; returns the CPU times just before it, and when it was seen."""
    used = bench.cpu(chain.processes)

    async def entered() -> bool:
        nonlocal used
        now = bench.cpu(chain.processes)
        if await chain.ground.commands() > before:
            return True
        used = now
        return False

    await until(entered, limit, chain.processes, LOOK)
    return used, time.monotonic()


async def _look_through(bench: Bench, kind: str, place: Ground, requests: int) -> dict[str, int]:
    """Read everything: bytes a request by kind of topic; of duokua also whether all came out right, and the shape."""
    learning, accepted, asked = Learning(), list[str](), set[bytes]()

    def take(family: str, record: Any) -> None:
        learning.take(family, record)
        if family == "tasks":
            asked.add(record.key)
        elif family == "answers":
            answer = json.decode(record.value, type=_Answer)
            if answer.code == "accepted":
                accepted.append(answer.ref)

    if kind != "duokua":
        size = await place.read_all(lambda family, record: None)
    else:
        size = await place.read_all(take)
        if not len(accepted) == len(set(accepted)) == len(asked) == requests:
            raise Wrong(
                f"{requests} requests: {len(accepted)} receipts accepted, {len(set(accepted))} distinct, "
                f"{len(asked)} cases with a task, {await place.dead()} dead letters"
            )
        learning.shape().write(bench.shape)
    return {name: round(amount / requests) for name, amount in sorted(size.items()) if name != "catalog"}


async def faust_throughput(bench: Bench, count: int, workers: int) -> Throughput:
    """A turn of the Faust pass-through: the same records from one topic to another."""
    prefix, folder = bench.next_turn()
    processes = Processes(folder)
    async with in_out(bench.log, prefix) as place:
        for n in range(workers):
            own = folder / str(n)
            own.mkdir()
            processes.start(f"faust-{n}", FAUST, bench.env(prefix, own, str(n)))
        try:
            await until(lambda: place.joined(f"{prefix}faust", workers), START, processes)
            await place.fill(_puts(bench.sample(SEED + 1).take(WARM)))
            await until(lambda: _reached(place.left, WARM), START, processes)
            with processes.held():
                await place.fill(_puts(bench.sample().take(count)))
                used = bench.cpu(processes)
            watch = Stopwatch(place.left, WARM)
            await until(lambda: _reached(place.left, WARM + count), _limit(count), processes, LOOK)
            cpu = _spent(used, bench.cpu(processes), count)
            await watch.stop()
            processes.stop()
            if (found := len(await place.keys())) != WARM + count:
                raise Wrong(f"faust: {WARM + count} records, {found} came out")
        finally:
            processes.stop()
    by_role = {"faust": sum(us for name, us in cpu.items() if name != "broker"), "broker": cpu.get("broker", 0)}
    return Throughput(f"faust-{workers}", count, watch.per_second(count), 0.0, by_role)


def _puts(requests: list[Request]) -> list[Put]:
    return [Put(n % SHARDS, r.ref.encode(), r.value) for n, r in enumerate(requests)]


async def _reached(left: Callable[[], Awaitable[int]], count: int) -> bool:
    return await left() >= count
