"""
The generator of a latency turn: sends requests at a steady pace, in a process of its own.

    python -m bench.pace <bootstrap> <prefix> <rate> <count> <seed> <now>

Request n is planned for `start + n / rate`, whatever became of those before it. Prints the start (epoch seconds)
and how late the sending itself was (milliseconds, p99).
"""

import asyncio
import gc
import sys
import time

import uvloop

from adapters.kafka.log import KafkaLog
from bench.sample import Request, Sample
from router.catalogue.load import load
from router.operate.settings import Settings


async def pace(bootstrap: str, prefix: str, rate: float, requests: list[Request]) -> tuple[float, float]:
    """Returns start and lateness."""
    late, sent = list[float](), 0
    async with KafkaLog(bootstrap).writer() as writer:
        start = time.time() + 0.2
        while sent < len(requests):
            await asyncio.sleep(max(0.0, start + sent / rate - time.time()))
            now = time.time()
            due = min(len(requests), int((now - start) * rate) + 1)
            for n in range(sent, due):
                r = requests[n]
                late.append(now - start - n / rate)
                writer.add(f"{prefix}intake.{r.channel}", 0, r.ref.encode(), r.value)
            sent = due
            await writer.flush()
    return start, sorted(late)[len(late) * 99 // 100] * 1000


def main(bootstrap: str, prefix: str, rate: str, count: str, seed: str, now: str) -> None:
    requests = Sample(load(Settings().catalog), int(now), int(seed)).take(int(count))
    gc.freeze()
    start, late = uvloop.run(pace(bootstrap, prefix, float(rate), requests))
    print(f"{start:.6f} {late:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
