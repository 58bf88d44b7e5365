"""
The engine's hop alone: commands of `case.commands`, written once by the real intake, become what a contender makes of them.

Each contender is started and warmed with commands of its own, then held (SIGSTOP) while the backlog is laid. The
clock runs from letting it go until it has committed the last command (Faust: until the last task is visible). Then its
output is read back: a turn counts only if each command came out exactly once.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from adapters.kafka.embedded import KafkaFault
from bench.cluster import Put, fill, ground, in_out
from bench.peers import streams
from bench.processes import CHECKOUT, Processes
from bench.sample import SEED
from bench.shape import Learning
from bench.stage import LOOK, ROLE, START, Bench, Wrong, until
from router.engine.store import REQUEST_SUFFIX, SHARD_KEY

PEERS_PYTHON = CHECKOUT / ".venv-bench/bin/python"
#: A worker of Faust; web and table recovery aside, as `faust worker` runs.
FAUST = ("-m", "bench.peers.faust_hop", "worker", "-l", "error", "--without-web")


class Contender(Struct, frozen=True):
    """
    widths: how many processes (threads of Kafka Streams) are tried; the best is repeated. warm: commands before the
    backlog, so many that a just-in-time compiler has seen them. group: where its offsets are, after the prefix.
    at_least_once: its commits lag behind its output, which is visible at once.
    """

    widths: tuple[int, ...]
    warm: int = 2_000
    group: str = ""
    at_least_once: bool = False


CONTENDERS = {
    "duokua": Contender((2,)),
    "bare": Contender((2,)),
    "copy": Contender((1, 2), group="raw"),
    "streams": Contender((1, 2), warm=30_000, group="streams"),
    "quix": Contender((1, 2), group="quix"),
    "faust": Contender((1, 2), group="faust", at_least_once=True),
}


class Hop(Struct):
    """requests: of the backlog. cpu_us: microseconds of CPU a request, of the contender and of the broker."""

    contender: str
    width: int
    requests: int
    per_second: float
    cpu_us: dict[str, int]


@dataclass
class Line:
    """A contender on topics of its own. done: whether it is through with `n` commands. came: keys that came out, by topic."""

    processes: Processes
    fill: Callable[[list[Put]], Awaitable[None]]
    done: Callable[[int], Awaitable[bool]]
    came: Callable[[], Awaitable[list["Counter[bytes]"]]]


class Yard:
    """What all hops share: the backlog, the command that runs Java, peers that cannot run here and why. Made by `yard`."""

    def __init__(self, bench: Bench, commands: list[Put], java: tuple[str, ...], missing: dict[str, str]) -> None:
        self._bench, self._commands, self._java, self.missing = bench, commands, java, missing

    async def turn(self, contender: str, width: int, count: int) -> Hop:
        """One turn of `count` commands. Raises Wrong, Stuck, Died."""
        about = CONTENDERS[contender]
        warm, rest = self._commands[: about.warm], self._commands[-count:]
        async with self._line(contender, width) as line:
            await line.fill(warm)
            await until(lambda: line.done(len(warm)), START + len(warm) / 100, line.processes)
            with line.processes.held():
                await line.fill(rest)
                used = self._bench.cpu(line.processes)
            began = time.monotonic()
            await until(lambda: line.done(len(warm) + count), 60 + count / 100, line.processes, LOOK)
            took, spent = time.monotonic() - began, self._bench.cpu(line.processes)
            line.processes.stop()
            complete(contender, await line.came(), [*warm, *rest])
        by_process = {name: round((seconds - used[name]) / count * 1e6) for name, seconds in spent.items()}
        broker = by_process.pop("broker", 0)
        return Hop(contender, width, count, count / took, {"itself": sum(by_process.values()), "broker": broker})

    def _line(self, contender: str, width: int) -> Any:
        return (self._ours if contender in ("duokua", "bare") else self._peer)(contender, width)

    @asynccontextmanager
    async def _ours(self, contender: str, width: int) -> AsyncIterator[Line]:
        bench = self._bench
        prefix, folder = bench.next_turn()
        processes = Processes(folder)
        async with ground(bench.log, prefix, bench.catalogue, now=bench.now) as place:

            async def done(count: int) -> bool:
                return await place.decided()

            async def came() -> list[Counter[bytes]]:
                seen = {name: Counter[bytes]() for name in ("case.events", "case.outbox", "case.state")}
                learning = Learning()

                def take(family: str, record: Any) -> None:
                    learning.take(family, record)
                    if family in seen and record.key != SHARD_KEY and not record.key.endswith(REQUEST_SUFFIX):
                        seen[family][record.key] += 1

                await place.read_all(take)
                if contender == "duokua" and not bench.shape.exists():
                    learning.shape().write(bench.shape)
                return list(seen.values())

            try:
                for n in range(width):
                    engine = (*ROLE, "engine") if contender == "duokua" else ("-m", "bench.chain", "engine", str(n), str(width))  # fmt: skip
                    processes.start(f"engine-{n}", engine, bench.env(prefix, folder, f"engine-{n}"))
                yield Line(processes, lambda puts: fill(bench.log, place.topics.commands, puts), done, came)
            finally:
                processes.stop()

    @asynccontextmanager
    async def _peer(self, contender: str, width: int) -> AsyncIterator[Line]:
        bench, about = self._bench, CONTENDERS[contender]
        prefix, folder = bench.next_turn()
        processes = Processes(folder)
        async with in_out(bench.log, prefix) as place:

            async def done(count: int) -> bool:
                return await place.left() >= count if about.at_least_once else await place.taken(prefix + about.group)

            async def came() -> list[Counter[bytes]]:
                return [await place.keys()]

            try:
                for n, (program, *arguments) in enumerate(self._commands_of(contender, width, prefix, folder)):
                    own = folder / str(n)
                    own.mkdir()
                    processes.start(f"{contender}-{n}", arguments, bench.env(prefix, own, str(n)), program=program)
                if about.at_least_once:
                    await until(lambda: place.joined(prefix + about.group, width), START, processes)
                yield Line(processes, place.fill, done, came)
            finally:
                processes.stop()

    def _commands_of(self, contender: str, width: int, prefix: str, folder: Path) -> list[tuple[str, ...]]:
        """The processes of a peer."""
        python = sys.executable
        if contender == "streams":
            return [(*self._java, self._bench.log.bootstrap, prefix, str(folder / "streams"), str(width))]
        if contender == "copy":
            return [(python, "-m", "bench.peers.raw_copy", str(n), str(width)) for n in range(width)]
        if contender == "quix":
            return [(str(PEERS_PYTHON), "-m", "bench.peers.quix_hop")] * width
        return [(python, *FAUST)] * width


def complete(contender: str, came: list["Counter[bytes]"], commands: list[Put]) -> None:
    """Raises Wrong where a topic (its keys in `came`) has not each command exactly once."""
    wanted = Counter(command.key for command in commands)
    for keys in came:
        if keys != wanted:
            raise Wrong(
                f"{contender}: {len(wanted)} commands, {len(keys)} came out, {sum((keys - wanted).values())} too often, "
                f"{sum((wanted - keys).values())} missing"
            )


async def yard(bench: Bench, count: int) -> Yard:
    """Have the real intake write the commands for turns of `count`, and make the peers ready."""
    warm = max(about.warm for about in CONTENDERS.values())
    classes = bench.scratch / "classes"
    classes.mkdir()
    missing = {} if PEERS_PYTHON.exists() else {"quix": "no .venv-bench: make bench sets it up"}
    try:
        java = await asyncio.to_thread(streams.program, classes)
    except KafkaFault as fault:
        java, missing["streams"] = (), str(fault)
    return Yard(bench, await _written_by_intake(bench, warm + count), java, missing)


async def _written_by_intake(bench: Bench, count: int) -> list[Put]:
    """In an order in which every partition has its share anywhere."""
    prefix, folder = bench.next_turn()
    processes = Processes(folder)
    async with ground(bench.log, prefix, bench.catalogue, now=bench.now) as place:
        await place.fill(bench.sample(SEED + 9).take(count))
        before = await place.commands()
        try:
            processes.start("intake", (*ROLE, "intake"), bench.env(prefix, folder))

            async def through() -> bool:
                return await place.commands() - before >= count

            await until(through, 60 + count / 100, processes)
        finally:
            processes.stop()
        found: list[tuple[int, int, Put]] = []

        def take(family: str, record: Any) -> None:
            if family == "case.commands" and record.key != SHARD_KEY:
                found.append((record.offset, record.partition, Put(record.partition, record.key, record.value)))

        await place.read_all(take)
    if len(found) != count:
        raise Wrong(f"{count} requests, {len(found)} commands")
    return [put for _, _, put in sorted(found, key=lambda row: row[:2])]
