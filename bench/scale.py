"""
What many open cases cost: restoring them, starting with them, working among them, and a flood of deadlines.

    python -m bench.scale [--cases N] [--due N] [--rate N] [--exponents 3 4 5 6]

`cost`: CPU of a command in the engine (decided, encoded, applied to the store; no broker) by how many cases are open,
next to the same among 10 000, in turn.
`shard`: one engine process on the embedded Kafka with N open cases: a full restore next to a process that only reads the
same changelog (in wall time, and by CPU less what a start alone takes); memory; killed and started in place; then
DUE cases are due in the same second while RATE requests a second arrive at the engine, whose outbox is watched. Exit codes: 0 measured, 1 something was not done, 3 Kafka cannot be reached.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from adapters.clock import Clock, to_text
from adapters.kafka.embedded import EmbeddedKafka, KafkaFault
from adapters.kafka.embedded.jars import KAFKA_VERSION
from adapters.kafka.log import KafkaLog
from bench import report
from bench.cost import FEW, MORNING, cost
from bench.open_cases import Copy, at_once, copies, requests, spread
from bench.processes import CHECKOUT, Died, Others, Processes, cpu_seconds, memory
from router.catalogue.catalogue import Catalogue
from router.catalogue.load import load
from router.catalogue.publish import publish
from router.operate.topics import Topics

SHARDS = 4
LIMIT = 900.0
"""Seconds after which an engine is given up that does not serve."""
LEAD = 20.0
"""Seconds of the steady pace before the flood."""
DRAIN = 150.0
"""Seconds after which a flood is given up."""


class NotDone(Exception):
    """Something that should have come did not come in time."""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# -- one engine ----------------------------------------------------------------------------------


class Yard:
    """Topics of the bench on one broker, an engine process, and what it says."""

    def __init__(self, log: KafkaLog, folder: Path) -> None:
        self.log, self.folder = log, folder
        self.topics = Topics("scale.", SHARDS)
        self.processes = Processes(folder)
        self.starts = 0

    def of(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, p) for p in range(SHARDS)]

    async def prepare(self, catalogue: Catalogue, many: Iterable[Copy]) -> None:
        """The topics, the catalogue in force, and the changelog as an engine would have left it."""
        await self.log.create_topics(self.topics.specs(catalogue.channels, catalogue.endpoints))
        await publish(self.log, self.topics, catalogue.files, now=MORNING)
        async with self.log.writer() as writer:
            for n, one in enumerate(many, 1):
                for key, value in one.records:
                    writer.add(self.topics.state, one.shard, key, value)
                if n % 10_000 == 0:
                    await writer.flush()
            await writer.flush()

    def start(self, clock: str) -> float:
        """Start the engine; returns when."""
        self.starts += 1
        env = {
            "DUOKUA_BOOTSTRAP": self.log.bootstrap,
            "DUOKUA_PREFIX": self.topics.prefix,
            "DUOKUA_SHARDS": str(SHARDS),
            "DUOKUA_STATE_DIR": str(self.folder / "state"),
            "DUOKUA_LOG_FORMAT": "json",
            "DUOKUA_HTTP_PORT": "0",
            "DUOKUA_CLOCK": clock,
        }
        began = time.time()
        self.processes.start(self.name, ["-m", "router.cli.main", "run", "engine"], env)
        return began

    async def serving(self, limit: float) -> list[dict[str, Any]]:
        """What each shard said when its store was restored, once all serve."""
        deadline = time.monotonic() + limit
        while True:
            self.processes.check()
            said = (self.folder / f"{self.name}.log").read_text("utf-8").splitlines()
            lines = [json.loads(line) for line in said if line.startswith("{")]
            serving = {line["shard"] for line in lines if line.get("event") == "shard.taken_over"}
            if len(serving) == SHARDS:
                return list({line["shard"]: line for line in lines if line.get("event") == "shard.restored"}.values())
            if time.monotonic() > deadline:
                raise NotDone(f"not serving after {limit:.0f} s\n{self.processes.said()}")
            await asyncio.sleep(0.05)

    @property
    def name(self) -> str:
        return f"engine-{self.starts}"

    @property
    def pid(self) -> int:
        return self.processes.pid(self.name)

    async def just_read(self) -> tuple[int, float, float]:
        """Read the changelog and do nothing with it: records, seconds, CPU seconds."""
        count, tps = 0, self.of(self.topics.state)
        async with self.log.reader(partitions=tps) as reader:
            ends = await reader.end_offsets(tps)
            began, cpu = time.monotonic(), time.process_time()
            while [tp for tp in tps if await reader.position(tp) < ends[tp]]:
                for records in (await reader.getmany(timeout_ms=200, max_records=5000)).values():
                    count += len(records)
            return count, time.monotonic() - began, time.process_time() - cpu


def clock_at(moment: int) -> str:
    """Business time that stands at `moment` now."""
    return f"{to_text(moment)},{time.time():.3f},1"


async def shard(log: KafkaLog, catalogue: Catalogue, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    yard = Yard(log, folder)
    due, kinds = at_once(catalogue, MORNING)
    flood = list(copies(kinds, options.due, SHARDS, "due"))
    found: dict[str, Any] = {"cases": options.cases, "due": options.due, "rate": options.rate}
    say(f"seeding {options.cases:,} open cases and {options.due:,} that are due at once")
    many = copies(spread(catalogue, due + 24 * 3600 * 1000), options.cases, SHARDS)
    await yard.prepare(catalogue, (one for part in (flood, many) for one in part))
    try:
        records, seconds, cpu = await yard.just_read()
        found |= {"changelog_records": records, "read_s": seconds, "read_per_s": records / seconds, "read_cpu_s": cpu}
        say(f"just reading the changelog: {records / seconds:,.0f} records/s")
        found |= await _restored(yard, due, records)
        found |= {"restore_over_read": found["restore_per_s"] / found["read_per_s"]}
        found |= await _killed(yard, due)
        found["restore_over_read_by_cpu"] = cpu / max(0.01, found["restore_cpu_s"] - found["warm_cpu_s"])
        try:
            found |= await _flooded(yard, catalogue, due, {c.case for c in flood}, options.rate)
        except NotDone as error:  # what was measured before holds all the same
            say(f"the flood: {error}")
            found["flood_not_done"] = 1
        found |= {f"after_{name}_mb": size for name, size in memory(yard.pid).items()}
    finally:
        yard.processes.stop()
    return found


async def _restored(yard: Yard, due: int, records: int) -> dict[str, float]:
    """On an empty disk."""
    began = yard.start(clock_at(due - 3 * 3600 * 1000))
    told = await yard.serving(LIMIT)
    wall, cpu = time.time() - began, cpu_seconds(yard.pid)
    assert sum(line["records"] for line in told) >= records, "not everything was restored"
    seconds = max(line["seconds"] for line in told)
    found = {"restore_s": seconds, "restore_per_s": records / seconds, "cold_start_s": wall, "restore_cpu_s": cpu}
    found |= {f"restored_{name}_mb": size for name, size in memory(yard.pid).items()}
    say(f"full restore: {records / seconds:,.0f} records/s, serving after {wall:.1f} s, {found['restored_rss_mb']} MB")
    return found


async def _killed(yard: Yard, due: int) -> dict[str, float]:
    """SIGKILL, and started in place."""
    yard.processes.kill(yard.name)
    began = yard.start(clock_at(due - 2 * 3600 * 1000))
    told = await yard.serving(LIMIT)
    wall = time.time() - began
    found = {
        "warm_start_s": wall,
        "warm_restore_s": max(line["seconds"] for line in told),
        "warm_restored": sum(line["records"] for line in told),
        "warm_rss_mb": memory(yard.pid)["rss"],
        "warm_cpu_s": cpu_seconds(yard.pid),
    }
    say(f"killed and started in place: serving after {wall:.1f} s, {found['warm_restored']} records read again")
    return found


async def _flooded(yard: Yard, catalogue: Catalogue, due: int, flood: set[bytes], rate: int) -> dict[str, float]:
    """A steady pace of requests; in the middle of it the flood comes due."""
    new = requests(catalogue, due, int(rate * (LEAD + DRAIN)), SHARDS, 7)
    yard.processes.stop(yard.name)
    begins = yard.folder / "begins"  # business time rests until it is there
    began = yard.start(f"{to_text(due - int(LEAD * 1000))},@{begins},1")
    await yard.serving(LIMIT)
    say(f"serving after {time.time() - began:.1f} s; {rate} requests/s, and {len(flood):,} deadlines in {LEAD:.0f} s")
    watch = Watch(yard, flood)
    watching = asyncio.create_task(watch.run())
    await watch.ready.wait()
    at, used = time.time() + LEAD, cpu_seconds(yard.pid)
    begins.with_suffix(".new").write_text(f"{at - LEAD:.3f}")
    begins.with_suffix(".new").rename(begins)
    planned: dict[bytes, float] = {}
    try:
        async with yard.log.writer() as writer:
            first, sent = at - LEAD, 0
            while not watch.drained and sent < len(new):
                await asyncio.sleep(max(0.0, first + sent / rate - time.time()))
                until = min(len(new), int((time.time() - first) * rate) + 1)
                for n in range(sent, until):
                    planned[new[n].case.encode()] = first + n / rate
                    writer.add(yard.topics.commands, new[n].partition, new[n].case.encode(), new[n].command)
                sent = until
                await writer.flush()
            if not watch.drained:
                raise NotDone(f"{watch.left} of {len(flood)} deadlines have not fired")
            for _ in range(1200):
                if watch.seen.keys() >= planned.keys():
                    break
                await asyncio.sleep(0.05)
    finally:
        watching.cancel()
    if missing := planned.keys() - watch.seen.keys():
        raise NotDone(f"{len(missing)} of {len(planned)} requests were not answered")
    waits = [(when, (watch.seen[case] - when) * 1000) for case, when in planned.items()]
    calm = sorted(wait for when, wait in waits if at - LEAD * 0.75 < when < at - 1)
    meanwhile = sorted(wait for when, wait in waits if at <= when < watch.drained)
    if not calm or not meanwhile:
        raise NotDone("the engine was not ready before the flood")
    spent = (cpu_seconds(yard.pid) - used) / (len(flood) + len(planned)) * 1e6
    found = {"drained_s": watch.drained - at, "requests_meanwhile": len(meanwhile), "flood_cpu_us": spent}
    for name, ordered in (("calm", calm), ("flood", meanwhile)):
        found |= {f"{name}_p{p}_ms": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 99)}
    found["p99_ratio"] = found["flood_p99_ms"] / found["calm_p99_ms"]
    say(f"drained in {found['drained_s']:.1f} s; p99 {found['calm_p99_ms']:.0f} → {found['flood_p99_ms']:.0f} ms")
    return found


class Watch:
    """Reads what the engine commits: when the outbox first named a case, and when the last deadline had fired."""

    def __init__(self, yard: Yard, flood: set[bytes]) -> None:
        self._yard, self._flood = yard, set(flood)
        self.seen: dict[bytes, float] = {}
        self.drained = 0.0
        self.ready = asyncio.Event()

    @property
    def left(self) -> int:
        return len(self._flood)

    async def run(self) -> None:
        events, outbox = self._yard.topics.events, self._yard.topics.outbox
        tps = [*self._yard.of(events), *self._yard.of(outbox)]
        async with self._yard.log.reader(partitions=tps) as reader:
            await reader.seek_to_end(*tps)
            self.ready.set()
            while True:
                batch = await reader.getmany(timeout_ms=200)
                now = time.time()
                for tp, records in batch.items():
                    if tp.topic == outbox:
                        for record in records:
                            self.seen.setdefault(record.key, now)
                    elif self._flood:
                        self._flood.difference_update(record.key for record in records)
                        self.drained = 0.0 if self._flood else now


# -- all of it -----------------------------------------------------------------------------------

GOALS = {
    "restore_over_read": ("≥ 0.3", "≥ 0.6"),
    "restored_rss_mb": ("≤ 1 536", ""),
    "warm_start_s": ("≤ 15", "≤ 5"),
    "drained_s": ("≤ 60", "≤ 20"),
    "p99_ratio": ("≤ 3", "≤ 2"),
    "cost_ratio": ("≤ 1.5", "≤ 1.2"),
}
"""Design figures: what must be reached first, and then."""


def run(options: argparse.Namespace) -> dict[str, Any]:
    others, catalogue = Others(), load(CHECKOUT / "catalog")
    catalogue.facts()
    result: dict[str, Any] = {"at": to_text(Clock().now() // 1000 * 1000), "machine": report.machine(KAFKA_VERSION)}
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="duokua-scale-", dir=options.scratch) as scratch:
        if options.cases:
            with EmbeddedKafka() as kafka:
                figures |= uvloop.run(shard(KafkaLog(kafka.bootstrap), catalogue, Path(scratch), options))
        costs = {}
        for exponent in options.exponents:
            costs[10**exponent] = cost(catalogue, Path(scratch), 10**exponent, exponent)
            say(
                f"10^{exponent} open cases: {costs[10**exponent]['us']:.1f} µs a command, {costs[10**exponent]['ratio']:.2f} × among {FEW:,}"
            )
        for cases, found in costs.items():
            figures |= {f"cost_us_{cases}": found["us"], f"cost_ratio_{cases}": found["ratio"]}
            figures[f"cost_rss_mb_{cases}"] = found["rss_mb"]
        if costs:
            figures["cost_ratio"] = max(found["ratio"] for found in costs.values())
    result["machine"]["used_by_others"] = round(others.share(), 3)
    result["figures"] = {name: round(value, 3) for name, value in figures.items()}
    result["costs"] = costs
    return result


def markdown(result: dict[str, Any]) -> str:
    where = result["machine"]
    lines = [
        f"# Scale, {result['at']}, commit {where['commit']}",
        "",
        f"{where['cores']} cores ({where['cpu']}), {where['memory_gb']} GB, Python {where['python']}, Kafka {where['kafka']} "
        f"(embedded) on the same machine. Others used {where['used_by_others']:.0%} of it meanwhile.",
        "",
        "| figure | measured | first | then |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {value:,.4g} | {' | '.join(GOALS.get(name, ('', '')))} |"
        if value < 1000
        else f"| {name} | {value:,.0f} | {' | '.join(GOALS.get(name, ('', '')))} |".replace(",", " ")
        for name, value in result["figures"].items()
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=1_000_000, help="open cases of the engine; 0 leaves it out")
    parser.add_argument("--due", type=int, default=100_000, help="cases that are due in the same second")
    parser.add_argument("--rate", type=int, default=1000, help="requests a second meanwhile")
    parser.add_argument("--exponents", type=int, nargs="*", default=[3, 4, 5, 6], help="of the numbers of open cases")
    parser.add_argument("--scratch", type=Path, help="folder for the state (default: where temporary files go)")
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = run(options)
    except (NotDone, Died, AssertionError) as error:
        say(f"{type(error).__name__}: {error}")
        return 1
    except (KafkaFault, KafkaError) as error:
        say(f"Kafka: {error}")
        return 3
    folder = CHECKOUT / "bench/results"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"scale-{result['at'][:19].replace(':', '')}-{result['machine']['commit'].rstrip('+')}.md"
    path.write_text(markdown(result), "utf-8")
    path.with_suffix(".json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(path.read_text("utf-8"))
    about = {name: result["machine"][name] for name in ("commit", "cores", "used_by_others")}
    print(json.dumps({**result["figures"], **about}))
    return 1 if "flood_not_done" in result["figures"] else 0


if __name__ == "__main__":
    sys.exit(main())
