"""
A shard's ledger: what is committed of it, in the log and in the local store that follows the log (design D3-D5).

Opened always in this order: InitProducerId (fences whoever held the shard, settles what he left open) -> `committed()` ->
restore the store to the changelog's end -> check `_shard`. Then `begin` commits that record alone, which tells the broker's
time before anything is decided by ours; a store that is too old by it is restored again, from empty. Whatever raises here,
a ledger is not to be used again: a new one finds in the log what holds.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import TopicPartition
from msgspec import json

from router.engine.batch import Batch
from router.engine.guard import ClockGuard
from router.engine.record import ShardRecord
from router.engine.store import FORMAT, Changes, Store
from router.operate import metrics
from router.operate.process import Process
from router.operate.refusals import Refused
from router.operate.table import Disk

log = structlog.get_logger()

OFFSETS_SECONDS = 1.0
"""How often the group hears how far the shard is: for those who watch it. The shard itself goes by `_shard`."""
RESTORE_PAGE = 2_000
TELL_SECONDS = 5.0
ROOM_SECONDS = 1.0


class ForeignLog(Refused):
    """The state on this log was written for another deployment, shard count or format: refuse to serve."""


class Ledger:
    """
    `open`, then `begin`, then `commit` after `commit`; at last `close`, whatever happened.

    `record` is what is committed of the shard as a whole; whoever decides changes it, and the next commit keeps it.
    `ended` is where the commands ended when it was opened. `moved` is called whenever something got on.
    """

    record: ShardRecord

    def __init__(
        self,
        process: Process,
        reader: Any,
        partition: int,
        log_id: str,
        guard: ClockGuard,
        disk: Disk,
        moved: Callable[[], None],
    ) -> None:
        self._process, self._reader, self._log_id = process, reader, log_id
        self._clock, self._guard, self._disk, self._moved = process.clock, guard, disk, moved
        self._topics, self._partition = process.topics, partition
        self.input = TopicPartition(self._topics.commands, partition)
        self._changelog = TopicPartition(self._topics.state, partition)
        settings = process.settings
        self.folder = settings.state_dir / "engine" / settings.instance / f"shard-{partition}"
        self._store: Store | None = None
        self._transactions: Any = None
        self._committed_input, self._committed_at = -1, float("-inf")
        self.ended = 0
        self.lacks_room = False

    @property
    def store(self) -> Store:
        assert self._store is not None
        return self._store

    def batch(self) -> Batch:
        """What is decided next, on top of what is committed."""
        return Batch(self.store, self.record, self._partition)

    # -- opening --

    async def open(self) -> int:
        """Fence, read what is committed, restore, check; returns how many records that took. Raises ForeignLog."""
        transactional_id = f"{self._topics.prefix}case.{self._partition}"
        self._transactions = await self._process.log.transactions(transactional_id, self._topics.group("engine"))
        committed = await self._reader.committed(self.input)
        while not await self.has_room():
            pass
        self._store = Store(self.folder, self._log_id, self._disk)
        restored = await self._restore(self._store)
        self.record = self._check(self._store.shard(), committed)
        await self._check_input()
        return restored

    async def begin(self) -> int:
        """
        The first transaction changes nothing and tells the broker's time. Restores anew where the store is too old by it, and
        returns how many records that took.
        """
        changelog, end = await self._write(self.batch())
        if not self.store.is_stale(self._told()):
            self.store.apply(changelog, end, self._told())
            return 0
        self.store.begin_anew("stale")
        return await self._restore(self.store)

    async def _restore(self, store: Store) -> int:
        """Bring the store to the end of the changelog: to the end offset, not to the last record seen."""
        count, began, newest = 0, self._clock.monotonic(), 0.0
        told = began
        async with self._process.log.reader(partitions=[self._changelog]) as reader:
            end = (await reader.end_offsets([self._changelog]))[self._changelog]
            first = (await reader.beginning_offsets([self._changelog]))[self._changelog]
            if store.meta.changelog > end:
                # the log lost what the store has (a broker's disk, a topic made anew): only the log counts
                log.error("store.ahead", shard=self._partition, offset=store.meta.changelog, offsets=end)
                store.begin_anew("ahead")
            full = store.is_empty
            reader.seek(self._changelog, max(store.meta.changelog, first))
            while (position := await reader.position(self._changelog)) < end:
                # short, because where only a transaction's marker is left nothing comes but the position moves
                records = (await reader.getmany(timeout_ms=50, max_records=RESTORE_PAGE)).get(self._changelog, [])
                if records:
                    while not await self.has_room():
                        pass
                    page = [(r.key, r.value) for r in records]
                    if full:
                        store.load(page)
                    else:
                        store.apply(page, records[-1].offset + 1)
                    newest = records[-1].timestamp / 1000
                    count += len(records)
                    metrics.RESTORED.inc(len(records))
                    metrics.RESTORE_BEHIND.labels(str(self._partition)).set(end - position)
                    self._moved()
                if self._clock.monotonic() - told > TELL_SECONDS:
                    told = self._clock.monotonic()
                    log.info(
                        "shard.restoring",
                        shard=self._partition,
                        state=store.origin,
                        records=count,
                        offset=position,
                        offsets=[first, end],
                        seconds=round(told - began, 1),
                    )
            if full and count:
                for _ in store.loaded(position, newest):
                    self._moved()
                    await asyncio.sleep(0)  # the other shards of the process, and its heartbeats
            store.meta.changelog = max(store.meta.changelog, position)
        metrics.RESTORE_BEHIND.labels(str(self._partition)).set(0)
        seconds = round(self._clock.monotonic() - began, 3)
        log.info("shard.restored", shard=self._partition, state=store.origin, records=count, seconds=seconds)
        return count

    def _check(self, found: bytes | None, committed: int | None) -> ShardRecord:
        """The shard's own record against the log: the input offset in the state is the truth."""
        shards = self._process.settings.shards
        if found is None:
            if committed:
                raise ForeignLog("state_gone", shard=self._partition)
            return ShardRecord(log=self._log_id, shards=shards)
        shard = json.decode(found, type=ShardRecord)
        if shard.format > FORMAT:
            raise ForeignLog("state_newer")
        if shard.log != self._log_id:
            raise ForeignLog("state_foreign")
        if shard.shards != shards:
            raise ForeignLog("shards_changed", there=shard.shards, wanted=shards)
        if committed is not None and committed > shard.input:
            log.warning("shard.offset_differs", shard=self._partition, offset=shard.input, offsets=committed)
        return shard

    async def _check_input(self) -> None:
        """
        The next command must be on the log: a position outside it would be moved by the client without a word.

        Begins with the first one there is. What is done a second time has no effect, as each case knows what it has seen.
        """
        first = (await self._reader.beginning_offsets([self.input]))[self.input]
        end = (await self._reader.end_offsets([self.input]))[self.input]
        if not first <= self.record.input <= end:
            log.error("shard.commands_gone", shard=self._partition, offset=self.record.input, offsets=[first, end])
            self.record.input = first
        self.ended = end

    async def has_room(self) -> bool:
        """
        Whether the disk has room for what is to be committed next. Where it has none the shard waits, and commits nothing
        that it could not keep: it goes on by itself when there is room.
        """
        lacks = self._disk.free(self.folder) < self._process.settings.state_free_mb << 20
        if lacks != self.lacks_room:
            self.lacks_room = lacks
            metrics.LACKS_ROOM.labels(str(self._partition)).set(lacks)
            (log.error if lacks else log.info)("disk.full" if lacks else "disk.has_room", shard=self._partition)
        if lacks:
            self._moved()
            await asyncio.sleep(ROOM_SECONDS)
        return not lacks

    # -- committing --

    def offsets_are_late(self) -> bool:
        """
        Whether the group is to hear again how far the shard is: with a transaction, or alone where nothing changes.

        Not with each, as that makes one dearer by two thirds (docs/adr/0005).
        """
        behind = self.record.input != self._committed_input
        return behind and self._clock.monotonic() - self._committed_at > OFFSETS_SECONDS

    async def commit(self, batch: Batch) -> None:
        """Have the log take a batch, all or nothing, and then the store."""
        changelog, end = await self._write(batch)
        self.store.apply(changelog, end, self._told())

    async def _write(self, batch: Batch) -> tuple[Changes, int]:
        """Have the log take it, all or nothing: what of it the store is to have, and where the changelog ends with it."""
        changelog = batch.changelog()
        add_all, p = self._transactions.add_all, self._partition
        add_all(self._topics.events, p, batch.events)
        add_all(self._topics.state, p, changelog)
        add_all(self._topics.outbox, p, batch.outbox)
        offsets = {self.input: self.record.input} if self.offsets_are_late() else {}
        async with asyncio.timeout(30):
            ends = await self._transactions.commit(offsets)
        self._guard.heard(self._transactions.appended_ms)
        if offsets:
            self._committed_input, self._committed_at = self.record.input, self._clock.monotonic()
        metrics.TRANSACTIONS.labels("committed").inc()
        batch.count()
        return changelog, ends[self._changelog]

    def _told(self) -> float:
        """The broker's time of the last transaction, in seconds; where its topic does not tell, the machine's."""
        appended: int | None = self._transactions.appended_ms
        return self._clock.wall() if appended is None else appended / 1000

    async def close(self) -> None:
        """Let go of the store and the transactional id; an open transaction dies with its holder."""
        if self._store is not None:
            # first, because it takes no time and the next holder of the folder waits for it
            self._store.close()
            self._store = None
        if self._transactions is not None:
            await self._process.log.close(self._transactions)
            self._transactions = None
