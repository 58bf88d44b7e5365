"""
Latency: requests come at a steady pace, and the clock runs from the moment at which each was planned to be sent to
the moment at which a reader of the task topics holds its first task.

Planned, not sent: a generator that is held up by a busy machine must not make the machine look quick.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections import defaultdict
from typing import Any

from msgspec import Struct

from bench.cluster import Ground
from bench.processes import CHECKOUT
from bench.sample import SEED, Request
from bench.stage import Bench, Chain, Stuck

LEAD_SECONDS = 3.0
STATIONS = ("intake", "case.commands", "case.outbox", "tasks")


class Latency(Struct):
    """
    Milliseconds from submit to task at `rate` a second.

    hops: medians by where the time went, from the timestamps of the records: until each was added to a batch for the
    next topic (`reader`: until it was held by the reader of tasks). late: how late the generator itself was (p99).
    """

    rate: int
    samples: int
    p50: float
    p90: float
    p99: float
    hops: dict[str, float]
    late: float


async def latencies(bench: Bench, rates: tuple[int, ...], seconds: int) -> list[Latency]:
    """Duokua at one pace after the other, on the same processes."""
    async with Chain(bench, "duokua") as chain:
        return [await _latency(bench, chain, rate, seconds, SEED + 2 + n) for n, rate in enumerate(rates)]


async def _latency(bench: Bench, chain: Chain, rate: int, seconds: int, seed: int) -> Latency:
    requests = bench.sample(seed).take(int((seconds + LEAD_SECONDS) * rate))
    pacing = asyncio.create_task(_pace(bench, chain.ground, rate, len(requests), seed))
    try:
        seen = await _seen(bench, chain, {r.case.encode() for r in requests}, time.monotonic() + seconds + 60, pacing)
        start, late = await pacing
    finally:
        pacing.cancel()
    planned = {r: start + n / rate for n, r in enumerate(requests) if n >= LEAD_SECONDS * rate}
    waits = sorted((seen[r.case.encode()] - at) * 1000 for r, at in planned.items())
    p50, p90, p99 = (_percentile(waits, p) for p in (50, 90, 99))
    return Latency(rate, len(waits), p50, p90, p99, await _hops(chain.ground, planned, seen), late)


def _percentile(ordered: list[float], percent: int) -> float:
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1)


async def _seen(
    bench: Bench, chain: Chain, cases: set[bytes], deadline: float, pacing: "asyncio.Task[tuple[float, float]]"
) -> dict[bytes, float]:
    """When the first task of each case was held. Raises Stuck when some do not come."""
    seen: dict[bytes, float] = {}
    tasks = chain.ground.of(chain.ground.topics.tasks(""))
    async with bench.log.reader(partitions=tasks) as reader:
        await reader.seek_to_end(*tasks)
        while len(seen) < len(cases):
            batch = await reader.getmany(timeout_ms=200)
            now = time.time()
            for record in (r for records in batch.values() for r in records):
                if record.key in cases:
                    seen.setdefault(record.key, now)
            chain.processes.check()
            if pacing.done():
                pacing.result()
            if time.monotonic() > deadline:
                raise Stuck(f"{len(cases) - len(seen)} of {len(cases)} requests have no task\n{chain.processes.said()}")
    return seen


async def _hops(place: Ground, planned: dict[Request, float], seen: dict[bytes, float]) -> dict[str, float]:
    """Median milliseconds of each stretch of the way."""
    at: defaultdict[str, dict[bytes, float]] = defaultdict(dict)
    case_of = {r.ref.encode(): r.case.encode() for r in planned}

    def take(family: str, record: Any) -> None:
        if family in STATIONS:
            at[family].setdefault(case_of.get(record.key, record.key), record.timestamp / 1000)

    await place.read_all(take)
    at["planned"], at["reader"] = {r.case.encode(): when for r, when in planned.items()}, seen
    way = ["planned", *STATIONS, "reader"]
    return {
        after: round(statistics.median(at[after][case] - at[before][case] for case in at["planned"]) * 1000, 1)
        for before, after in itertools.pairwise(way)
    }


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
