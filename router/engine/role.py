"""
`duokua run engine`: the shards that the group gave to this process, and the watchdog over them.

The rebalance callbacks only note what changed (no heartbeats run inside them); taking over happens in
tasks of their own. A shard that fails is taken over anew, by the same path, after a short pause; one that
cannot be served at all, for whatever reason, ends the process (router/engine/progress.py).
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from router.catalogue.activate import keep_dates
from router.catalogue.fetch import active_version, fetch_version
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.following import tell_faults
from router.catalogue.pack import VersionUnusable
from router.engine.guard import ClockGuard
from router.engine.ledger import ForeignLog
from router.engine.limits import TooManyDeadLetters
from router.engine.progress import Progress
from router.engine.shard import Shard
from router.engine.store import NewerFormat
from router.operate import metrics
from router.operate.process import Process, settle
from router.operate.table import Rocks
from workflows.facts import Facts

log = structlog.get_logger()

RETRY_SECONDS = 1.0
POLL_SECONDS = 0.5
LOOK_SECONDS = 5.0
GROUP_SECONDS = 10.0
"""How long the group may refuse us before the process ends."""
NOWHERE = TopicPartition("", 0)
REFUSALS = (ForeignLog, NewerFormat, VersionUnusable, CatalogueFaulty, TooManyDeadLetters)


class Shards(ConsumerRebalanceListener):  # type: ignore[misc]
    """The shards of this process, each in a task. After every rebalance each assigned one is taken over anew."""

    def __init__(self, process: Process, log_id: str) -> None:
        self._process, self._log_id = process, log_id
        self.reader: Any = None
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._facts: dict[tuple[int, str], Facts] = {}
        self._loading = asyncio.Lock()
        self._guard = ClockGuard(process.clock)
        self._disk = Rocks(process.settings.state_memory_mb)
        self._awaits_catalogue = False
        self.progress = Progress()
        self.shards: dict[TopicPartition, Shard] = {}
        self.fatal: BaseException | None = None

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self.progress.unassigned()
        for task in self._tasks.values():
            task.cancel()
        self._leaving |= set(self._tasks.values())
        self._tasks = {}

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self.progress.assigned()
        # whoever is not gone yet, from however many rebalances ago, may still have its store open
        self._leaving = {task for task in self._leaving if not task.done()}
        for gauge in metrics.OF_A_SHARD:
            gauge.clear()
        for tp in assigned:
            self.reader.pause(tp)
            self._tasks[tp] = asyncio.create_task(self._own(tp, set(self._leaving)), name=f"shard-{tp.partition}")
        metrics.SHARDS.set(len(self._tasks))

    async def _own(self, tp: TopicPartition, left: set[asyncio.Task[None]]) -> None:
        """Take over and serve, again and again, until cancelled. The folder is free once the former tasks are gone."""
        if left:
            await asyncio.wait(left)
        reason = "assigned"
        while not self._process.stop.is_set():
            shard = self.shards[tp] = Shard(
                self._process,
                self.reader,
                tp.partition,
                self._log_id,
                self._load,
                self._genesis,
                self._guard,
                self._disk,
            )
            try:
                metrics.TAKEOVERS.labels(reason).inc()
                await shard.take_over()
                await shard.serve()
            except REFUSALS as error:
                log.error("shard.refused", shard=tp.partition, error=error)
                self.fatal = error
                self._process.stop.set()
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise  # we are meant; else it is a library's own, and the shard would have nobody any more
                reason = type(error).__name__
                log.warning("shard.dropped", shard=tp.partition, error=error)
                metrics.TRANSACTIONS.labels("dropped").inc()
                self.progress.failed(tp.partition)
            finally:
                try:
                    await asyncio.shield(shard.close())
                finally:
                    # also where that is cut short: else the watchdog would take it for one that stands still
                    if self.shards.get(tp) is shard:
                        del self.shards[tp]
            if not self._process.stop.is_set():
                await asyncio.sleep(RETRY_SECONDS)

    @property
    def waiting_for(self) -> str:
        """What this process cannot serve without; empty when every shard it was given is served."""
        if self.progress.is_unassigned:
            return "shards of the group"
        if self._awaits_catalogue:
            return "a published catalogue"
        if any(shard.lacks_room for shard in self.shards.values()):
            return "room on the disk"
        serving = {tp for tp, shard in self.shards.items() if shard.serving}
        return "" if serving >= set(self._tasks) else "taking shards over"

    async def look(self) -> None:
        """See how far each shard is, for the watchdog. A broker that does not answer is its own trouble."""
        serving = {tp: shard for tp, shard in self.shards.items() if shard.serving}
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                ends = await self.reader.end_offsets(list(serving))
                for tp, shard in serving.items():
                    if shard.lacks_room:
                        self.progress.seen(tp.partition, ends[tp], ends[tp])  # it is known why it does not move
                        continue
                    position = await shard.position()
                    self.progress.seen(tp.partition, position, ends[tp])
                    metrics.COMMANDS_BEHIND.labels(str(tp.partition)).set(max(0, ends[tp] - position))

    def stalled(self) -> list[int]:
        """The shards that do not move; asked from a thread of its own."""
        return self.progress.stalled({s.partition: s.moved_at for s in list(self.shards.values())})

    async def _load(self, version: int, digest: str) -> Facts:
        """The facts of a catalogue version, verified against its hash; read once for all shards, the last two kept."""
        async with self._loading:
            if (version, digest) not in self._facts:
                catalogue = await fetch_version(self._process.log, self._process.topics.catalog, version, digest)
                tell_faults(catalogue)
                self._facts = {**dict(list(self._facts.items())[-1:]), (version, digest): catalogue.facts()}
                settle()
            return self._facts[version, digest]

    async def _genesis(self) -> tuple[int, str]:
        """For a shard that never had one: the catalogue in force now. Waits for the first publication."""
        while (active := await active_version(self._process.log, self._process.topics.catalog)) is None:
            self._awaits_catalogue = True
            for shard in self.shards.values():
                shard.moved_at = time.monotonic()
            await asyncio.sleep(1)
        self._awaits_catalogue = False
        return active

    def now(self) -> int | None:
        """Business time, None while the clock cannot be trusted: nothing may begin too early."""
        return self._guard.now() if self._guard.trusted() else None

    async def drain(self) -> None:
        """Let each shard finish its batch and leave; those that cannot are left to the next holder of their ids."""
        for tp, task in self._tasks.items():
            if tp not in self.shards or not self.shards[tp].serving:
                task.cancel()
        tasks = {*self._tasks.values(), *self._leaving}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=15)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5)


async def run(process: Process) -> None:
    """Serve until asked to stop; prints how long leaving took. Raises when a shard must not be served."""
    partitions = (await process.log.topics()).get(process.topics.commands)
    if partitions is None:
        raise ForeignLog("no_commands_topic")
    if partitions != process.settings.shards:
        # on a new deployment no state would tell, and half of all requests would be dead letters
        raise ForeignLog("shards_differ", wanted=process.settings.shards, there=partitions)
    metrics.SHARDS_SET.set(process.settings.shards)
    owned = Shards(process, await process.log.cluster_id())
    await dismiss_predecessor(process)
    async with process.log.reader(group=process.topics.group("engine")) as reader:
        owned.reader = reader
        reader.subscribe([process.topics.commands], listener=owned)
        _watch(process, owned)
        dates = asyncio.create_task(keep_dates(process, owned.now), name="dates")
        try:
            await _attend(process, owned)
        finally:
            process.stop.set()
            dates.cancel()
            await asyncio.wait({dates}, timeout=5)
            started = time.monotonic()
            await owned.drain()
    log.info("engine.drained", seconds=round(time.monotonic() - started, 3))
    if owned.fatal is not None:
        raise owned.fatal


async def _attend(process: Process, owned: Shards) -> None:
    """
    Beat, poll and look until asked to stop. Raises what the group refuses us with, where it goes on doing so.

    The poll asks for nothing. But a member that has no shards, or whose shards take long to come up, polls
    nowhere else: aiokafka would have it leave the group after MAX_POLL_MS and never come back. And what is wrong
    with the group is told to who polls, and to nobody else.
    """
    looked, refused, name = 0.0, 0.0, ""
    while not process.stop.is_set():
        process.health.beat()
        process.health.waiting_for = owned.waiting_for
        name = _noted(process, owned.reader, name)
        now = time.monotonic()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await owned.reader.getmany(NOWHERE, timeout_ms=0)
            refused = 0.0
        except KafkaError as error:
            log.warning("group.refused", error=error)
            refused = refused or now
            if now - refused > GROUP_SECONDS:
                raise
        if now - looked > LOOK_SECONDS:
            looked = now
            await owned.look()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.stop.wait(), POLL_SECONDS)


def _member(process: Process) -> Path:
    """Holds the name under which the group knows this instance, for the process that follows if this one is killed."""
    return process.settings.state_dir / "engine" / process.settings.instance / "member"


def _noted(process: Process, reader: Any, before: str) -> str:
    if (name := process.log.member(reader)) and name != before:
        with suppress(OSError):  # a full disk must not keep us from the shards
            _member(process).parent.mkdir(parents=True, exist_ok=True)
            _member(process).write_text(name)
    return str(name)


async def dismiss_predecessor(process: Process) -> None:
    """
    Have the group know that the process which held this folder before is gone: started in place after a kill, this
    one would wait for the end of its session, and all others with it.
    """
    with suppress(OSError, KafkaError):  # nothing that a start may fail for: then its session ends by itself
        if name := _member(process).read_text():
            await process.log.dismiss(process.topics.group("engine"), name)


def _watch(process: Process, owned: Shards) -> None:
    """A thread of its own: a partition that does not move, or a loop that hangs, cannot report itself (design D3)."""

    def look() -> None:
        while not process.stop.is_set():
            time.sleep(5)
            stuck = owned.stalled()
            if stuck or not process.health.live:
                log.error("shard.stalled", shard=stuck)
                faulthandler.dump_traceback(file=sys.stderr)
                os._exit(70)

    threading.Thread(target=look, name="watchdog", daemon=True).start()
