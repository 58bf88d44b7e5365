"""The stage of a turn: the processes of a contender on topics of their own, started and warm."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from adapters.kafka.log import KafkaLog
from bench.cluster import SHARDS, Ground, ground
from bench.processes import Processes, cpu_seconds
from bench.sample import SEED, Sample
from router.catalogue.catalogue import Catalogue

WARM = 500
#: Seconds that starting and the first requests may take: generous, because a busy machine is no fault of the contender.
START = 180
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


class Wrong(Exception):
    """Not everything came out exactly once: no figure of such a turn counts."""


class Stuck(Exception):
    """Something that should have come did not come in time."""


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
        await self.until_done(WARM, 0, START)

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
            raise Stuck(f"not done after {limit:.0f} s\n{processes.said()}")
        await asyncio.sleep(look)
