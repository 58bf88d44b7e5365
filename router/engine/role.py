"""
`duokua run engine`: the shards that the group gave to this process, and the watchdog over them.

The rebalance callbacks only note what changed (no heartbeats run inside them); taking over happens in
tasks of their own. A shard that fails is taken over anew, by the same path, after a short pause.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition

from router.catalogue.pack import VersionUnusable
from router.catalogue.publish import active_version, fetch_version
from router.engine.shard import ForeignLog, Shard
from router.operate import metrics
from router.operate.process import Process
from workflows.facts import Facts

log = structlog.get_logger()

STALLED_SECONDS = 60.0
RETRY_SECONDS = 1.0


class Shards(ConsumerRebalanceListener):  # type: ignore[misc]
    """The shards of this process, each in a task. After every rebalance each assigned one is taken over anew."""

    def __init__(self, process: Process, log_id: str) -> None:
        self._process, self._log_id = process, log_id
        self.reader: Any = None
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._facts: dict[tuple[int, str], Facts] = {}
        self._loading = asyncio.Lock()
        self.shards: dict[TopicPartition, Shard] = {}
        self.fatal: BaseException | None = None

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._leaving |= set(self._tasks.values())
        self._tasks = {}

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        left, self._leaving = self._leaving, set()
        for tp in assigned:
            self.reader.pause(tp)
            self._tasks[tp] = asyncio.create_task(self._own(tp, left), name=f"shard-{tp.partition}")
        metrics.SHARDS.set(len(self._tasks))

    async def _own(self, tp: TopicPartition, left: set[asyncio.Task[None]]) -> None:
        """Take over and serve, again and again, until cancelled. The folder is free once the former tasks are gone."""
        if left:
            await asyncio.wait(left)
        reason = "assigned"
        while not self._process.stop.is_set():
            shard = self.shards[tp] = Shard(
                self._process, self.reader, tp.partition, self._log_id, self._load, self._genesis
            )
            try:
                metrics.TAKEOVERS.labels(reason).inc()
                await shard.take_over()
                self._process.health.ready()
                await shard.serve()
            except (ForeignLog, VersionUnusable) as error:
                log.error("shard.refused", shard=tp.partition, error=error)
                self.fatal = error
                self._process.stop.set()
            except Exception as error:
                reason = type(error).__name__
                log.warning("shard.dropped", shard=tp.partition, error=error)
                metrics.TRANSACTIONS.labels("dropped").inc()
                self._pause(tp)
            finally:
                await asyncio.shield(shard.close())
                self.shards.pop(tp, None)
            if not self._process.stop.is_set():
                await asyncio.sleep(RETRY_SECONDS)

    def _pause(self, tp: TopicPartition) -> None:
        if tp in self.reader.assignment():
            self.reader.pause(tp)

    async def _load(self, version: int, digest: str) -> Facts:
        """The facts of a catalogue version, verified against its hash; read once for all shards, the last few kept."""
        async with self._loading:
            if (version, digest) not in self._facts:
                catalogue = await fetch_version(self._process.log, self._process.topics.catalog, version, digest)
                self._facts = {**dict(list(self._facts.items())[-3:]), (version, digest): catalogue.facts()}
            return self._facts[version, digest]

    async def _genesis(self) -> tuple[int, str]:
        """For a shard that never had one: the catalogue in force now. Waits for the first publication."""
        while (active := await active_version(self._process.log, self._process.topics.catalog)) is None:
            self._process.health.waiting_for = "a published catalogue"
            for shard in self.shards.values():
                shard.moved_at = time.monotonic()
            await asyncio.sleep(1)
        return active

    async def drain(self) -> None:
        """Let each shard finish its batch and leave."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=20)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)


async def run(process: Process) -> None:
    """Serve until asked to stop; prints how long leaving took. Raises when a shard must not be served."""
    owned = Shards(process, await process.log.cluster_id())
    async with process.log.reader(group=process.topics.group("engine")) as reader:
        owned.reader = reader
        reader.subscribe([process.topics.commands], listener=owned)
        _watch(process, owned)
        while not process.stop.is_set():
            await asyncio.sleep(0.5)
            process.health.beat()
        started = time.monotonic()
        await owned.drain()
    log.info("engine.drained", seconds=round(time.monotonic() - started, 3))
    if owned.fatal is not None:
        raise owned.fatal


def _watch(process: Process, owned: Shards) -> None:
    """A thread of its own: a partition that does not move, or a loop that hangs, cannot report itself (design D3)."""

    def look() -> None:
        while not process.stop.is_set():
            time.sleep(5)
            stuck = [
                s.partition for s in list(owned.shards.values()) if time.monotonic() - s.moved_at > STALLED_SECONDS
            ]
            if stuck or not process.health.live:
                metrics.STALLED.inc()
                log.error("shard.stalled", shard=stuck)
                faulthandler.dump_traceback(file=sys.stderr)
                os._exit(70)

    threading.Thread(target=look, name="watchdog", daemon=True).start()
