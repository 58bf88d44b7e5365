"""
Requests a second and latency, end to end on a real Kafka, next to the bare chain and a Faust pass-through.

    python -m bench [--quick] [--requests N] [--repeats N] [--seconds N]

Uses the cluster of DUOKUA_BOOTSTRAP, else an embedded one for the time of the bench. Progress goes to stderr, tables
and raw figures to bench/results/, and one JSON object of all figures is the last line of stdout.
Exit codes: 0 measured, 1 requests were lost, doubled or stuck, 3 Kafka cannot be reached.
"""

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiokafka.errors import KafkaError

from adapters.clock import Clock, to_text
from adapters.kafka.embedded import EmbeddedKafka, KafkaFault
from adapters.kafka.embedded.jars import KAFKA_VERSION
from adapters.kafka.log import KafkaLog
from bench import report
from bench.latency import Latency, latencies
from bench.processes import CHECKOUT, Died, Others
from bench.stage import Bench, Stuck
from bench.throughput import Throughput, Wrong, chain_throughput, faust_throughput
from router.catalogue.load import load

RATES = (50, 1000)
CONTENDERS = ("duokua", "bare", "faust")
WARM_UP = 2000


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextmanager
def broker() -> Iterator[tuple[str, int | None, str]]:
    """Bootstrap, pid where it is ours, and what it is."""
    if given := os.environ.get("DUOKUA_BOOTSTRAP"):
        yield given, None, "of DUOKUA_BOOTSTRAP"
        return
    with EmbeddedKafka() as kafka:
        yield kafka.bootstrap, kafka.pid, f"{KAFKA_VERSION} (embedded)"


async def one(bench: Bench, contender: str, count: int) -> Throughput:
    found = (
        await faust_throughput(bench, count)
        if contender == "faust"
        else await chain_throughput(bench, contender, count)
    )
    say(f"  {contender}: {found.per_second:,.0f} requests/s, CPU µs a request {found.cpu_us}")
    return found


async def measure(bench: Bench, options: argparse.Namespace) -> tuple[list[dict[str, Throughput]], list[list[Latency]]]:
    """All turns. The order of the contenders changes from repeat to repeat."""
    say("warming up")
    for contender in ("duokua", "bare"):
        await one(bench, contender, min(WARM_UP, options.requests))
    rounds, waits = [], []
    for n in range(options.repeats):
        say(f"repeat {n + 1} of {options.repeats}")
        order = CONTENDERS[n % 3 :] + CONTENDERS[: n % 3]
        rounds.append({contender: await one(bench, contender, options.requests) for contender in order})
        waits.append(await latencies(bench, RATES, options.seconds))
        for found in waits[-1]:
            say(f"  at {found.rate}/s: p50 {found.p50} ms, p90 {found.p90} ms, p99 {found.p99} ms")
    return rounds, waits


def run(options: argparse.Namespace) -> dict[str, Any]:
    say("starting Kafka")
    others = Others()
    catalogue, now = load(CHECKOUT / "catalog"), Clock().now()
    with broker() as (bootstrap, pid, kafka), tempfile.TemporaryDirectory(prefix="duokua-bench-") as scratch:
        machine = report.machine(kafka)
        bench = Bench(KafkaLog(bootstrap), catalogue, Path(scratch), pid, now)
        rounds, waits = uvloop.run(measure(bench, options))
    machine["used_by_others"] = round(others.share(), 3)
    return {
        "at": to_text(now // 1000 * 1000),
        "machine": machine,
        "requests": options.requests,
        "repeats": options.repeats,
        "figures": report.summary(rounds, waits),
        "cpu_us": report.cpu(rounds),
        "bytes": {name: rounds[0][name].size for name in ("duokua", "bare")},
        "hops_ms": report.hops(waits),
        "rounds": msgspec.to_builtins(rounds),
        "latencies": msgspec.to_builtins(waits),
    }


def save(result: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['at'][:19].replace(':', '')}-{result['machine']['commit'].rstrip('+')}.md"
    path.write_text(report.markdown(result), "utf-8")
    path.with_suffix(".json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 000 requests, once, 5 s at each pace")
    parser.add_argument("--requests", type=int, default=20_000, help="requests a turn (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=15, help="at each pace (default: %(default)s)")
    options = parser.parse_args()
    if options.quick:
        options.requests, options.repeats, options.seconds = 3000, 1, 5
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics that are seconds old: it tries again by itself
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = run(options)
    except (Wrong, Stuck, Died) as error:
        say(f"{type(error).__name__}: {error}")
        return 1
    except (KafkaFault, KafkaError, OSError) as error:
        say(f"Kafka: {error}")
        return 3
    path = save(result, CHECKOUT / "bench/results")
    print(path.read_text("utf-8"))
    flat = {name: found[0] for name, found in result["figures"].items()}
    about = {name: result["machine"][name] for name in ("commit", "cores", "used_by_others")}
    print(json.dumps({**flat, "requests": result["requests"], "repeats": result["repeats"], **about}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
