"""The stage of a run: brokers, the proxy before them, the roles, the load; and its coming to rest in the direction of the flow."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, TopicPartition
from router.catalogue.load import load
from router.catalogue.publish import publish
from router.operate.children import _end_with
from router.operate.settings import CHECKOUT
from router.operate.topics import DAY, Topics
from tests.chaos import faults
from tests.chaos.auditor import PACE
from tests.chaos.cluster import Cluster
from tests.chaos.evidence import SIMILAR, STEPS, Evidence
from tests.chaos.house import House

BEGIN = "2026-09-18T09:00:00+08:00"
DAYS = 8.0
"""Business days that pass during the load: clocks of some days go off, and replies of some hours come in."""
PREFIX, SHARDS = "chaos.", 4
ENGINES = ("1", "2", "3")
SMALL = "3"
"""The engine whose disk is small."""
UP_WITHIN = 180.0
STILL = 180.0
"""Seconds that a healed deployment may go without working off anything, by itself (I10): more than its watchdogs take."""
SETTLE = 4.0
TURNS = 3
"""How often what was said goes round: a merger is asked for, answered by the other case, and taken note of."""


class NotAtRest(Exception):
    """A group has records to work off and does not move for STILL seconds. The text says which."""


class Proxy:
    """The process of tests/chaos/proxy.py and the orders to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, doors: list[tuple[int, int]], seed: int, log: Path) -> "Proxy":
        with log.open("ab") as err:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.chaos.proxy", str(seed), *(f"{a}:{b}" for a, b in doors),
                cwd=CHECKOUT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=err,
                preexec_fn=partial(_end_with, os.getpid()),
            )  # fmt: skip
        proxy = cls(process)
        await proxy._answer()
        return proxy

    async def order(self, mode: str) -> dict[str, int]:
        """Behave so; what it has done so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"mode": mode}).encode() + b"\n")
        return await self._answer()

    async def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        said: dict[str, int] = json.loads(await asyncio.wait_for(self._process.stdout.readline(), 30))
        return said

    async def stop(self) -> None:
        self._process.kill()
        await self._process.wait()


@dataclass
class Stage:
    """What faults may lay hands on."""

    folder: Path
    seed: int
    cluster: Cluster
    proxy: Proxy
    house: House
    log: KafkaLog
    topics: Topics
    env: dict[str, str]
    speed: float
    random: random.Random
    engines: tuple[str, ...] = ENGINES
    spared: tuple[str, ...] = ()
    """Instances that are not killed: their memory is watched over the whole run"""
    small_disk: Path | None = None
    damaged: set[str] = field(default_factory=set)
    """Instances whose stores we have damaged: what was never read since need not have been noticed"""
    forgotten: set[bytes] = field(default_factory=set)
    """Entries that we took out of due indexes"""
    note: Callable[[str], None] = field(default=lambda _: None)

    def now(self) -> int:
        """Business time, in milliseconds."""
        return Clock.from_text(self.env["DUOKUA_CLOCK"]).now()

    @property
    def stores(self) -> Path:
        return self.folder / "state" / "engine"

    @property
    def ledger(self) -> Path:
        return self.folder / "load.ledger"

    async def open(self) -> None:
        """Roles up, then the business clock begins."""
        for instance in self.engines:
            await self.house.start("engine", instance, self.env)
        await self.house.start("intake", "1", self.env)
        await self.house.start("delivery", "1", self.env)
        await self.house.start("auditor", "1", self.env, ("-m", "tests.chaos.auditor"))
        await self.house.start("similar", "1", self.env)
        await self.house.start("simulator", "1", {**self.env, "DUOKUA_BOOTSTRAP": self.cluster.bootstrap})

    async def first_case(self) -> None:
        """Wait until the chain is up: something has been decided. Raises NotAtRest."""
        partitions = [TopicPartition(self.topics.events, p) for p in range(SHARDS)]
        began = time.monotonic()
        async with self.log.reader(partitions=partitions) as reader:
            while not any((await reader.end_offsets(partitions)).values()):
                if time.monotonic() - began > UP_WITHIN:
                    raise NotAtRest(f"no case within {UP_WITHIN:.0f} s: {self.folder / 'logs'}")
                await asyncio.sleep(0.2)

    def begin(self) -> None:
        """From now on business time passes."""
        epoch = self.folder / "epoch.new"
        epoch.write_text(f"{time.time():.3f}")
        epoch.rename(self.folder / "epoch")

    async def heal(self) -> None:
        """Undo whatever a fault may have left."""
        await self.proxy.order("pass")
        for member in self.house.members:
            member.signal(signal.SIGCONT)
            member.held = False
        if self.small_disk is not None:
            (self.small_disk / faults.BALLAST).unlink(missing_ok=True)
        for broker in self.cluster.brokers:
            if broker.child is None:
                await asyncio.to_thread(self.cluster.restart, broker)

    async def rest(self, evidence: Evidence) -> float:
        """Stop in the direction of the flow, each role when it has nothing left. Raises NotAtRest; how long it took."""
        began = time.monotonic()
        await self.house.stop(*self.house.of("simulator"))
        await self._idle(evidence, "intake")
        for _ in range(TURNS):
            for group in ("engine", "similar", "delivery"):
                await self._idle(evidence, group)
        await asyncio.sleep(
            PACE.grace + PACE.again + SETTLE
        )  # what the auditor asks for, and deadlines of this instant
        await self.house.stop(*self.house.of("auditor"))
        await self._idle(evidence, "engine")
        took = await self.house.stop(*self.house.of("engine"))
        self.note(f"engines left within {took:.1f} s")
        await self._idle(evidence, "delivery")
        await self._idle(evidence, "similar")
        await self.house.stop(*(m for role in ("delivery", "intake", "similar") for m in self.house.of(role)))
        return time.monotonic() - began

    async def _idle(self, evidence: Evidence, group: str) -> None:
        names, least, moved = dict((*STEPS, SIMILAR))[group], float("inf"), time.monotonic()
        while lag := await evidence.lag(group, names):
            self.note(f"{group} is {lag} behind")
            if lag < least:
                least, moved = lag, time.monotonic()
            elif time.monotonic() - moved > STILL:
                raise NotAtRest(f"{group} stands still, {lag} records behind")
            await asyncio.sleep(2)


@asynccontextmanager
async def stage(folder: Path, seed: int, brokers: int, seconds: float, environ: dict[str, str]) -> AsyncIterator[Stage]:
    """All that runs, and its end in any case. Raises KafkaFault."""
    cluster = Cluster(folder / "kafka", brokers, environ)
    proxy: Proxy | None = None
    logs = folder / "logs"
    logs.mkdir()
    house = House(logs)
    small: Path | None = None
    try:
        await asyncio.to_thread(cluster.start)
        proxy = await Proxy.start(cluster.doors, seed, logs / "proxy.log")
        log, topics = KafkaLog(cluster.bootstrap), Topics(PREFIX, SHARDS, brokers)
        catalogue = load(CHECKOUT / "catalog")
        await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
        await publish(log, topics, catalogue.files, by="chaos")
        small = faults.mount_small_disk(folder / "state" / "engine" / SMALL)
        speed = DAYS * DAY / 1000 / seconds
        env = {
            "DUOKUA_BOOTSTRAP": cluster.proxied,
            "DUOKUA_PREFIX": PREFIX,
            "DUOKUA_SHARDS": str(SHARDS),
            "DUOKUA_REPLICATION": str(brokers),
            "DUOKUA_ENVIRONMENT": "trial",
            "DUOKUA_CLOCK": f"{BEGIN},@{folder / 'epoch'},{speed}",
            "DUOKUA_STATE_DIR": str(folder / "state"),
            "DUOKUA_STATE_MEMORY_MB": "16",  # full within minutes, so that what grows after that tells of a leak
            "DUOKUA_LOG_FORMAT": "json",
            "DUOKUA_CATALOG": str(CHECKOUT / "catalog"),
        }
        yield Stage(folder, seed, cluster, proxy, house, log, topics, env, speed, random.Random(seed), small_disk=small)
    finally:
        await house.close()
        if proxy is not None:
            await proxy.stop()
        await asyncio.to_thread(cluster.stop)
        faults.unmount(small)


def business(text: str = BEGIN) -> int:
    """Business milliseconds."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)
