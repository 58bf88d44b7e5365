"""
The demo: a real Kafka, every role as a process of its own, the samples through the channels' topics, time compressed.

It begins at a fixed moment, Friday 2026-09-18 09:00 (a worked Sunday follows), lets some working days pass in well
under a minute, comes to rest role by role in the direction of the flow, and balances the ledger from the topics.
`run` does it all and returns what it found; showing it is the caller's (router/cli/demo.py).
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.channels.simulated import Sample, Sent, send
from adapters.clock import Clock
from adapters.kafka.embedded import EmbeddedKafka
from adapters.kafka.log import KafkaLog
from adapters.readmodel import ReadModel, ReadModelMissing
from router.catalogue.catalogue import Catalogue
from router.catalogue.load import load
from router.catalogue.publish import publish
from router.operate.children import Child, Children
from router.operate.gather import Gathering, catch_up
from router.operate.ledger import Ledger, balance
from router.operate.settings import CHECKOUT, Settings
from router.operate.tally import Tally
from router.operate.topics import DAY, Topics

BEGIN = "2026-09-18T09:00:00+08:00"
DAYS = 11.5
"""Days from the first sample until the silent units have spoken: to the evening of Tuesday 2026-09-29."""
LONGER = 30.0
"""Seconds more, where a slow machine has left a channel without any outcome."""
SPEED = 28_000.0
"""Business seconds in one real second: a day in 3.1 s."""
PUBLISHING = 8.0
"""Seconds over which the samples are published."""
UP_WITHIN = 90.0
REST_WITHIN = 30.0
TICK = 0.1
LOOK = 0.25
LOGS, EPOCH, KAFKA = "logs", "epoch", "kafka"
RUNS_KEPT = 5
ROLES = (
    ("intake", "1"),
    ("engine", "1"),
    ("engine", "2"),
    ("delivery", "1"),
    ("projector", "1"),
    ("auditor", "1"),
    ("similar", "1"),
    ("simulator", "1"),
    ("insights", "1"),
)
NEEDED = ("intake", "engine", "delivery", "projector", "similar", "simulator")
"""Who must be ready before the first sample: `similar` compares what comes from then on; insights may come up later."""


@dataclass(frozen=True)
class Plan:
    """What to run. `keep`: the broker's data, topics and logs stay. `kill_engine`: SIGKILL one in the middle."""

    samples: Sequence[Sample]
    settings: Settings
    bootstrap: str = ""
    speed: float = SPEED
    seed: str = "duokua"
    keep: bool = False
    kill_engine: bool = False


@dataclass
class Show:
    """What a spectator may look at while it runs. `said` gets (key, details) of things worth a line of their own."""

    said: Callable[[str, Mapping[str, object]], None]
    drawn: Callable[["Show"], None]
    clock: Clock = field(default_factory=Clock)
    catalogue: Catalogue | None = None
    gathering: Gathering | None = None
    tally: Tally = field(default_factory=Tally)
    children: Sequence[Child] = ()
    published: int = 0
    total: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class Found:
    """What came of it. `published`: inputs that the broker acknowledged; `logs`: the folder of the roles' logs."""

    ledger: Ledger
    tally: Tally
    published: int
    restarts: int
    logs: Path


async def run(plan: Plan, show: Show) -> Found:
    """Run the demo to its end. Raises KafkaFault, RoleFailed, CatalogueFaulty; ends its children and broker always."""
    catalogue = show.catalogue = load(plan.settings.catalog)
    show.total = len(plan.samples)
    folder = _new_folder(plan.settings)
    async with _broker(plan, show, folder) as (log, topics):
        await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
        await publish(log, topics, catalogue.files, by="demo")
        show.said("catalogue", {"rules": len(catalogue.rules), "units": len(catalogue.units)})
        show.gathering = Gathering(topics, catalogue.channels, catalogue.endpoints)
        async with _roles(plan, show, log, topics, folder) as children:
            return await _Run(plan, show, log, topics, show.gathering, children).to_the_end()


@asynccontextmanager
async def _broker(plan: Plan, show: Show, folder: Path) -> AsyncIterator[tuple[KafkaLog, Topics]]:
    """The cluster that was named, under a prefix of our own that goes again; else an embedded broker."""
    settings = plan.settings
    if plan.bootstrap:
        prefix = f"{settings.prefix}demo{int(time.time() * 1000):x}."
        log = KafkaLog(plan.bootstrap)
        show.said("cluster", {"bootstrap": plan.bootstrap, "prefix": prefix})
        try:
            yield log, Topics(prefix, settings.shards, settings.replication)
        finally:
            if not plan.keep:
                await _delete_topics(log, prefix)
        return
    kafka = EmbeddedKafka(folder / KAFKA if plan.keep else None)
    await asyncio.to_thread(kafka.start)
    show.said("broker", {"bootstrap": kafka.bootstrap, "pid": kafka.pid})
    try:
        yield KafkaLog(kafka.bootstrap), Topics(settings.prefix, settings.shards, settings.replication)
    finally:
        await asyncio.to_thread(kafka.stop)


async def _delete_topics(log: KafkaLog, prefix: str) -> None:
    mine = [name for name in await log.topics() if name.startswith(prefix)]
    async with log.admin() as admin:
        await admin.delete_topics(mine)


@asynccontextmanager
async def _roles(plan: Plan, show: Show, log: KafkaLog, topics: Topics, folder: Path) -> AsyncIterator[Children]:
    """All roles, ready; ended in any case."""
    clock = f"{BEGIN},@{folder / EPOCH},{plan.speed}"
    show.clock = Clock.from_text(clock)
    env = {
        **os.environ,
        "DUOKUA_BOOTSTRAP": log.bootstrap,
        "DUOKUA_PREFIX": topics.prefix,
        "DUOKUA_SHARDS": str(topics.shards),
        "DUOKUA_ENVIRONMENT": "trial",
        "DUOKUA_CLOCK": clock,
        "DUOKUA_STATE_DIR": str(folder),
        "DUOKUA_READMODEL": readmodel_url(plan.settings),
        "DUOKUA_LOG_FORMAT": "json",
        "DUOKUA_SIMULATOR_SEED": plan.seed,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH", "")))),
    }
    children = Children(env, folder / LOGS, lambda what, child: show.said(what, _about(child)))
    show.children = children.members
    try:
        for role, instance in ROLES:
            await children.start(role, instance)
        await children.ready(NEEDED, UP_WITHIN)
        show.said("ready", {})
        _begin(folder / EPOCH)
        yield children
    finally:
        await children.close()
        if not plan.keep:
            await asyncio.to_thread(_drop_stores, folder)


def _drop_stores(folder: Path) -> None:
    for stores in folder.iterdir():
        if stores.is_dir() and stores.name != LOGS:
            shutil.rmtree(stores, ignore_errors=True)


def _begin(epoch: Path) -> None:
    """The file that every process's clock waits for: from now on time passes."""
    unfinished = epoch.with_suffix(".new")
    unfinished.write_text(f"{time.time():.3f}")
    unfinished.rename(epoch)


def readmodel_url(settings: Settings) -> str:
    """The file beside the state, whatever read model is configured: a demo must not drop anybody's real one."""
    return f"sqlite:///{settings.state_dir / 'readmodel.db'}"


def _new_folder(settings: Settings) -> Path:
    """A folder for this run's stores and logs; the oldest runs' folders go, but for those with data that were to be kept."""
    runs = settings.state_dir / "demo"
    folder = runs / f"{int(time.time() * 1000):x}"
    (folder / LOGS).mkdir(parents=True)
    for old in sorted(runs.iterdir())[:-RUNS_KEPT]:
        if not (old / KAFKA).exists():
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _about(child: Child) -> dict[str, object]:
    return {"name": child.name, "pid": child.process.pid, "log": child.log, "code": child.process.returncode}


class _Run:
    """One run over ready roles."""

    def __init__(
        self, plan: Plan, show: Show, log: KafkaLog, topics: Topics, gathering: Gathering, children: Children
    ) -> None:
        self._plan, self._show, self._log, self._topics = plan, show, log, topics
        self._gathering, self._children = gathering, children
        self._published: set[str] = set()
        self._folded = self._began = 0
        self._resting = False

    async def to_the_end(self) -> Found:
        partitions = self._gathering.partitions(await self._log.topics())
        async with self._log.reader(partitions=partitions) as reader, self._log.writer() as writer:
            try:
                async with asyncio.TaskGroup() as together:
                    together.create_task(self._watch(reader))
                    await self._publish(writer)
                    await self._until_done()
                    await self._come_to_rest()
                    self._resting = True
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None
            ledger = await self._balanced(reader)
        await self._until_projected()
        restarts = sum(child.starts - 1 for child in self._children.members)
        return Found(ledger, self._show.tally, len(self._published), restarts, self._children.logs)

    # -- while it runs -------------------------------------------------------------------------------

    async def _watch(self, reader: Any) -> None:
        """Read along, and let the spectator look."""
        last, events = time.monotonic(), 0
        while not self._resting:
            self._gathering.take(await reader.getmany(timeout_ms=100, max_records=2000))
            self._fold()
            if (now := time.monotonic()) - last >= LOOK:
                self._show.rate += 0.3 * ((self._show.tally.events - events) / (now - last) - self._show.rate)
                last, events = now, self._show.tally.events
                self._show.drawn(self._show)

    def _fold(self) -> None:
        self._show.tally.take(self._gathering.records[self._folded :])
        self._folded = len(self._gathering.records)

    async def _publish(self, writer: Any) -> None:
        """The samples at their times; an engine dies in the middle, if it was asked for."""
        self._began = self._show.clock.now()
        begin, waiting = time.monotonic(), list(self._plan.samples)
        killed = not self._plan.kill_engine
        while waiting:
            passed = (time.monotonic() - begin) / PUBLISHING
            due = [sample for sample in waiting if sample.at <= passed]
            waiting = waiting[len(due) :]
            await self._write(writer, due)
            if not killed and passed > 0.5:
                killed = True
                self._kill_an_engine()
            await asyncio.sleep(TICK)

    async def _write(self, writer: Any, samples: Sequence[Sample]) -> None:
        sent = [send(sample, self._show.clock.now()) for sample in samples]
        for record in sent:
            writer.add(self._topics.intake(record.channel), 0, record.key, record.value, record.headers)
        self._note(sent, await writer.flush())
        self._show.published += len(sent)

    def _note(self, sent: Sequence[Sent], ends: Mapping[Any, int]) -> None:
        """The places of what the broker has acknowledged: nobody else writes to these topics."""
        for tp, end in ends.items():
            count = sum(self._topics.intake(record.channel) == tp.topic for record in sent)
            self._published |= {f"{tp.topic}/{tp.partition}/{offset}" for offset in range(end - count, end)}

    def _kill_an_engine(self) -> None:
        victim = self._children.of("engine")[0]
        self._show.said("killed", _about(victim))
        os.kill(victim.process.pid, signal.SIGKILL)

    # -- coming to rest --------------------------------------------------------------------------------

    async def _until_done(self) -> None:
        """Until every case has ended, or the days are over and each channel has been told an outcome."""
        while self._show.clock.now() < self._began + int(DAYS * DAY):
            everything = len(self._gathering.inputs) >= self._show.total and not self._gathering.waiting
            if everything and not self._show.tally.open:
                return
            await asyncio.sleep(TICK)
        await _within(LONGER, lambda: not self._show.tally.unanswered)

    async def _come_to_rest(self) -> None:
        """In the direction of the flow: who writes first stops first, and the next one finishes what is there."""
        self._show.said("resting", {})
        await self._children.stop("simulator")
        await _within(REST_WITHIN, lambda: not self._gathering.waiting)
        await self._children.stop("engine")

    async def _balanced(self, reader: Any) -> Ledger:
        """The ledger, once delivery has copied what the engines left; after a while as it is."""
        end = time.monotonic() + REST_WITHIN
        while True:
            await catch_up(reader, self._gathering)
            self._fold()
            ledger = balance(self._gathering.gathered(self._published))
            if not ledger.lost or time.monotonic() > end:
                return ledger
            await asyncio.sleep(0.2)

    async def _until_projected(self) -> None:
        """Until the read model holds every event, so that `case show` tells the end of each story."""
        wanted = {slot: end for slot, end in self._gathering.ends.items() if slot[0] == self._topics.events}
        url = readmodel_url(self._plan.settings)
        await _within(REST_WITHIN, lambda: _projected(url, wanted))


def _projected(url: str, wanted: Mapping[tuple[str, int], int]) -> bool:
    try:
        model = ReadModel.existing(url)
    except ReadModelMissing:
        return False
    try:
        offsets = model.offsets()
    finally:
        model.close()
    return all(offsets.get(slot, 0) >= end for slot, end in wanted.items())


async def _within(seconds: float, done: Callable[[], bool]) -> None:
    """Wait until `done`, but not longer: the ledger will say what is missing."""
    for _ in range(int(seconds / TICK)):
        if done():
            return
        await asyncio.sleep(TICK)
