"""
Requests a second and latency, end to end and in the engine alone, on a real Kafka, next to peers in the same run.

    python -m bench [--quick] [--only chain latency hop] [--requests N] [--repeats N] [--seconds N]

Uses the cluster of DUOKUA_BOOTSTRAP, else an embedded one for the time of the bench. Progress goes to stderr, tables
and raw figures to bench/results/, and one JSON object of all figures is the last line of stdout.
A peer that cannot run, or whose output is not complete, has a row that says so.
Exit codes: 0 measured, 1 requests were lost, doubled or stuck in Duokua or the bare chain, 3 Kafka cannot be reached.
"""

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from bench.hop import CONTENDERS, Hop, yard
from bench.latency import Latency, latencies
from bench.peers.java import DoesNotCompile
from bench.processes import CHECKOUT, Died, Others
from bench.stage import Bench, Stuck, Wrong
from bench.throughput import Throughput, chain_throughput, faust_throughput
from router.catalogue.load import load

RATES = (50, 1000)


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


SECTIONS = ("chain", "latency", "hop")
OWN = ("duokua", "bare")
WARM_UP = 2000


@dataclass
class Found:
    """All that was measured. left_out: peer → why it has no figure. tried: peer → width → requests/s when tried."""

    chain: list[dict[str, Throughput]] = field(default_factory=list)
    hop: list[dict[str, Hop]] = field(default_factory=list)
    latency: list[list[Latency]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    tried: dict[str, dict[str, int]] = field(default_factory=dict)


class Race:
    """Contenders that take turns; each runs as wide as it was best when tried."""

    def __init__(self, title: str, found: Found, run: Callable[[str, int, int], Awaitable[Throughput | Hop]]) -> None:
        self._title, self._found, self._run = title, found, run
        self._width: dict[str, int] = {}

    async def try_out(self, contender: str, widths: tuple[int, ...], count: int) -> None:
        """Warms the broker up as well."""
        speeds = {w: turn.per_second for w in widths if (turn := await self._turn(contender, w, count))}
        if speeds:
            self._width[contender] = max(speeds, key=lambda width: speeds[width])
        if len(widths) > 1:
            self._found.tried[f"{contender}, {self._title}"] = {str(w): round(s) for w, s in speeds.items()}

    async def round(self, n: int, count: int) -> dict[str, Any]:
        """One turn of each, in another order every time."""
        names = [*self._width]
        turns = {
            name: await self._turn(name, self._width[name], count)
            for name in names[n % len(names) :] + names[: n % len(names)]
        }
        return {name: turn for name, turn in turns.items() if turn}

    async def _turn(self, contender: str, width: int, count: int) -> Any:
        """None when a peer failed: its row says so. Ours must not fail."""
        try:
            turn = await self._run(contender, width, count)
        except (Wrong, Stuck, Died) as error:
            if contender in OWN:
                raise
            say(f"  {contender} × {width}, {self._title}: {error}")
            said = str(error).partition("\n")[0]  # what the processes said last is on stderr
            self._found.left_out[f"{contender} × {width}, {self._title}"] = f"{type(error).__name__}: {said}"
            return None
        say(
            f"  {contender} × {width}, {self._title}: {turn.per_second:,.0f} requests/s, CPU µs a request {turn.cpu_us}"
        )
        return turn


async def measure(bench: Bench, options: argparse.Namespace) -> Found:
    """All turns."""
    found, races = Found(), list[tuple[Race, list[Any]]]()
    if {"chain", "latency"} & set(options.only):
        race = await _whole_chain(bench, options, found)
        if "chain" in options.only:
            races.append((race, found.chain))
    if "hop" in options.only:
        races.append((await _engines_hop(bench, options, found), found.hop))
    for n in range(options.repeats):
        say(f"repeat {n + 1} of {options.repeats}")
        for race, rounds in races:
            rounds.append(await race.round(n, options.requests))
        if "latency" in options.only:
            found.latency.append(await latencies(bench, RATES, options.seconds))
            for at in found.latency[-1]:
                say(f"  at {at.rate}/s: p50 {at.p50} ms, p90 {at.p90} ms, p99 {at.p99} ms")
    return found


async def _whole_chain(bench: Bench, options: argparse.Namespace, found: Found) -> Race:
    async def run(contender: str, width: int, count: int) -> Throughput:
        if contender.startswith("faust"):
            return await faust_throughput(bench, count, width)
        return await chain_throughput(bench, contender, count)

    race = Race("whole chain", found, run)
    say("whole chain: warming up")
    for name, width in (("duokua", 2), ("bare", 2), ("faust-1", 1), ("faust-2", 2)):
        if name == "duokua" or "chain" in options.only:
            await race.try_out(name, (width,), min(WARM_UP, options.requests))
    return race


async def _engines_hop(bench: Bench, options: argparse.Namespace, found: Found) -> Race:
    say("engine's hop: the real intake writes the commands, peers are made ready and tried in two widths")
    place = await yard(bench, options.requests)
    race = Race("engine's hop", found, place.turn)
    for name, contender in CONTENDERS.items():
        if why := place.missing.get(name):
            say(f"  {name}: {why}")
            found.left_out[f"{name}, engine's hop"] = why
        else:
            await race.try_out(name, contender.widths, options.requests // 2)
    return race


def run(options: argparse.Namespace) -> dict[str, Any]:
    say("starting Kafka")
    others = Others()
    catalogue, now = load(CHECKOUT / "catalog"), Clock().now()
    with broker() as (bootstrap, pid, kafka), tempfile.TemporaryDirectory(prefix="duokua-bench-") as scratch:
        machine = report.machine(kafka)
        bench = Bench(KafkaLog(bootstrap), catalogue, Path(scratch), pid, now)
        found = uvloop.run(measure(bench, options))
    machine["used_by_others"] = round(others.share(), 3)
    return {
        "at": to_text(now // 1000 * 1000),
        "machine": machine,
        "requests": options.requests,
        "repeats": options.repeats,
        "figures": report.chain_figures(found.chain)
        | report.hop_figures(found.hop)
        | report.latency_figures(found.latency),
        "left_out": found.left_out,
        "tried": found.tried,
        "cpu_us": report.cpu(found.chain),
        "hop_cpu_us": report.cpu(found.hop),
        "bytes": {name: found.chain[0][name].size for name in OWN} if found.chain else {},
        "hops_ms": report.hops(found.latency) if found.latency else {},
        "rounds": msgspec.to_builtins(found.chain),
        "hop_rounds": msgspec.to_builtins(found.hop),
        "latencies": msgspec.to_builtins(found.latency),
    }


def save(result: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['at'][:19].replace(':', '')}-{result['machine']['commit'].rstrip('+')}.md"
    path.write_text(report.markdown(result), "utf-8")
    path.with_suffix(".json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="6 000 requests, once, 5 s at each pace")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="default: all")
    parser.add_argument("--requests", type=int, default=20_000, help="requests a turn (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=15, help="at each pace (default: %(default)s)")
    options = parser.parse_args()
    if options.quick:
        options.requests, options.repeats, options.seconds = 6000, 1, 5
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics that are seconds old: it tries again by itself
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = run(options)
    except (Wrong, Stuck, Died, DoesNotCompile) as error:
        say(f"{type(error).__name__}: {error}")
        return 1
    except (KafkaFault, KafkaError, OSError) as error:
        say(f"Kafka: {error}")
        return 3
    path = save(result, report.RESULTS)
    print(path.read_text("utf-8"))
    flat = {name: found[0] for name, found in result["figures"].items()}
    about = {name: result["machine"][name] for name in ("commit", "cores", "used_by_others")}
    about |= {"met": report.met(result["figures"]), "left_out": result["left_out"]}
    print(json.dumps({**flat, "requests": result["requests"], "repeats": result["repeats"], **about}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
