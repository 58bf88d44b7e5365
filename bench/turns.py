"""
One turn of a contender: its processes on topics of their own, a warm-up, then what is measured.

Throughput: a backlog is laid on the channels' topics, intake is started, and the clock runs from the first
task or receipt that is visible to the last. Latency: requests come at a steady pace, and the clock runs from the
moment at which each was planned to be sent to the moment at which a reader of the task topics holds its first task.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct, json

from adapters.kafka.log import KafkaLog
from bench.cluster import SHARDS, Ground, ground, two_topics
from bench.processes import CHECKOUT, Processes, cpu_seconds
from bench.sample import SEED, Sample
from bench.shape import Learning
from router.catalogue.catalogue import Catalogue

WARM = 500
LEAD_SECONDS = 3.0
LOOK = 0.05
ROLE = ("-m", "router.cli.main", "run")
CHAINS: dict[str, dict[str, tuple[str, ...]]] = {
    "duokua": {
        "engine-1": (*ROLE, "engine"),
        "engine-2": (*ROLE, "engine"),
        "delivery": (*ROLE, "delivery"),
        "intake": (*ROLE, "intake"),
    },
    "bare": {
        "engine-1": ("-m", "bench.chain", "engine", "0", "2"),
        "engine-2": ("-m", "bench.chain", "engine", "1", "2"),
        "delivery": ("-m", "bench.chain", "delivery"),
        "intake": ("-m", "bench.chain", "intake"),
    },
}


class Stuck(Exception):
    """Something that should have come did not come in time."""


class Wrong(Exception):
    """Not every request led to exactly one receipt `accepted` and to a task: no figure of such a turn counts."""


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


class Latency(Struct):
    """Milliseconds from submit to task at `rate` a second; `late` is how late the generator itself was (p99)."""

    rate: int
    samples: int
    p50: float
    p90: float
    p99: float
    late: float


class _Answer(Struct):
    code: str = ""
    ref: str = ""


@dataclass
class Bench:
    """What all turns share."""

    log: KafkaLog
    catalogue: Catalogue
    scratch: Path
    broker_pid: int | None
    now: int
    turns: int = 0
    shape: Path = field(init=False)

    def __post_init__(self) -> None:
        self.shape = self.scratch / "shape.json"

    def sample(self, seed: int = SEED) -> Sample:
        return Sample(self.catalogue, self.now, seed)

    def next_turn(self) -> tuple[str, Path]:
        """Prefix and folder of the next turn."""
        self.turns += 1
        folder = self.scratch / f"turn-{self.turns}"
        folder.mkdir()
        return f"bench{self.turns}.", folder

    def env(self, prefix: str, folder: Path, instance: str = "1") -> dict[str, str]:
        return {
            "DUOKUA_BOOTSTRAP": self.log.bootstrap,
            "DUOKUA_PREFIX": prefix,
            "DUOKUA_SHARDS": str(SHARDS),
            "DUOKUA_STATE_DIR": str(folder),
            "DUOKUA_INSTANCE": instance,
            "DUOKUA_HTTP_PORT": "0",
            "DUOKUA_LOG_FORMAT": "json",
            "DUOKUA_CLOCK": "",
            "BENCH_SHAPE": str(self.shape),
        }

    def cpu(self, processes: Processes) -> dict[str, float]:
        broker = {"broker": cpu_seconds(self.broker_pid)} if self.broker_pid else {}
        return processes.cpu() | broker


class Chain:
    """A chain of processes on a ground, warm: `async with Chain(...)`."""

    def __init__(self, bench: Bench, kind: str) -> None:
        self._bench, self._kind, self._stack = bench, kind, AsyncExitStack()
        self.ground: Ground
        self.processes: Processes

    async def __aenter__(self) -> "Chain":
        prefix, folder = self._bench.next_turn()
        self.processes = Processes(folder)
        self._prefix, self._folder = prefix, folder
        try:
            self.ground = await self._stack.enter_async_context(
                ground(self._bench.log, prefix, self._bench.catalogue, now=self._bench.now)
            )
            self._stack.callback(self.processes.stop)
            for name in CHAINS[self._kind]:
                self.start(name)
            await self._warm_up()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def start(self, name: str) -> None:
        env = self._bench.env(self._prefix, self._folder, name)
        self.processes.start(name, CHAINS[self._kind][name], env)

    async def _warm_up(self) -> None:
        """A few requests all the way: everything is started, assigned and loaded once they are out."""
        await self.ground.fill(self._bench.sample(SEED + 1).take(WARM))
        await self.until_done(WARM, 0, 90)

    async def until_done(self, requests: int, before: int, limit: float) -> None:
        """Until all that `requests` more lead to has left."""

        async def done() -> bool:
            return await self.ground.left() - before >= 2 * requests and await self.ground.settled()

        await until(done, limit, self.processes)


async def until(done: Callable[[], Awaitable[bool]], limit: float, processes: Processes, look: float = 0.25) -> None:
    """Look again and again. Raises Stuck after `limit` seconds, Died when a process ends."""
    deadline = time.monotonic() + limit
    while not await done():
        processes.check()
        if time.monotonic() > deadline:
            raise Stuck(f"not done after {limit:.0f} s")
        await asyncio.sleep(look)


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
        return requests * (1 - first / last) / (ended - began)


async def chain_throughput(bench: Bench, kind: str, count: int) -> Throughput:
    """A turn of `duokua` or of `bare`. After one of duokua the shape is on the disk. Raises Wrong, Stuck, Died."""
    requests, limit = bench.sample().take(count), 60 + count / 100
    async with Chain(bench, kind) as chain:
        place, processes = chain.ground, chain.processes
        processes.stop("intake")
        before, commands = await place.left(), await place.commands()
        await place.fill(requests)
        watch = Stopwatch(place.left, before)
        chain.start("intake")

        used = dict[str, float]()

        async def entered() -> bool:
            """With the CPU time as it was just before."""
            nonlocal used
            now = bench.cpu(processes)
            if await place.commands() > commands:
                used = used or now
                return True
            used = now
            return False

        await until(entered, limit, processes, LOOK)
        began = time.monotonic()
        await chain.until_done(count, before, limit)
        used = {name: seconds - used[name] for name, seconds in bench.cpu(processes).items()}
        await watch.stop()
        processes.stop()
        size = await _look_through(bench, kind, place, count + WARM)
    return Throughput(
        contender=kind,
        requests=count,
        per_second=watch.per_second(count),
        whole=count / (watch.last[0] - began),
        cpu_us={name: round(seconds / count * 1e6) for name, seconds in used.items()},
        size=size,
    )


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


async def faust_throughput(bench: Bench, count: int) -> Throughput:
    """A turn of the Faust pass-through: the same records from one topic to another."""
    prefix, folder = bench.next_turn()
    processes, limit = Processes(folder), 60 + count / 100
    async with two_topics(bench.log, prefix) as place:
        await place.fill(bench.sample().take(count))
        watch = Stopwatch(place.left, 0)
        processes.start(
            "faust",
            ("-m", "bench.faust_peer", "worker", "-l", "error", "--without-web"),
            bench.env(prefix, folder),
        )

        async def left(least: int) -> bool:
            return await place.left() >= least

        try:
            await until(lambda: left(1), limit, processes, LOOK)
            used = bench.cpu(processes)
            await until(lambda: left(count), limit, processes)
            used = {name: seconds - used[name] for name, seconds in bench.cpu(processes).items()}
            await watch.stop()
        finally:
            processes.stop()
    cpu = {name: round(seconds / count * 1e6) for name, seconds in used.items()}
    return Throughput("faust", count, watch.per_second(count), 0.0, cpu)


async def latencies(bench: Bench, rates: tuple[int, ...], seconds: int) -> list[Latency]:
    """Duokua at one pace after the other, on the same processes."""
    async with Chain(bench, "duokua") as chain:
        return [await _latency(bench, chain, rate, seconds, SEED + 2 + n) for n, rate in enumerate(rates)]


async def _latency(bench: Bench, chain: Chain, rate: int, seconds: int, seed: int) -> Latency:
    place, count = chain.ground, int((seconds + LEAD_SECONDS) * rate)
    planned = {r.case.encode(): n for n, r in enumerate(bench.sample(seed).take(count))}
    seen: dict[bytes, float] = {}
    tasks = [tp for tp in place.partitions if tp.topic.startswith(place.topics.tasks(""))]
    async with bench.log.reader(partitions=tasks) as reader:
        await reader.seek_to_end(*tasks)
        pacing = asyncio.create_task(_pace(bench, place, rate, count, seed))
        deadline = time.monotonic() + seconds + 60
        while len(seen) < count and time.monotonic() < deadline and not (pacing.done() and pacing.exception()):
            batch = await reader.getmany(timeout_ms=200)
            now = time.time()
            for record in (r for records in batch.values() for r in records):
                if record.key in planned:
                    seen.setdefault(record.key, now)
            chain.processes.check()
    if len(seen) < count:
        raise Stuck(f"{count - len(seen)} of {count} requests have no task")
    start, late = await pacing
    waits = sorted((seen[case] - start - n / rate) * 1000 for case, n in planned.items() if n >= LEAD_SECONDS * rate)
    p50, p90, p99 = (_percentile(waits, p) for p in (50, 90, 99))
    return Latency(rate, len(waits), p50, p90, p99, late)


def _percentile(ordered: list[float], percent: int) -> float:
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1)


async def _pace(bench: Bench, place: Ground, rate: int, count: int, seed: int) -> tuple[float, float]:
    """Run the generator as a process; returns when it began (epoch seconds) and how late it was (ms, p99)."""
    arguments = [place.topics.prefix, str(rate), str(count), str(seed), str(bench.now)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.pace",
        bench.log.bootstrap,
        *arguments,
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise Stuck(f"the generator ended with {process.returncode}")
    start, late = out.split()
    return float(start), float(late)
