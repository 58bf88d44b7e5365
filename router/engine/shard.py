"""
A shard: one partition of `case.commands`, one actor, one transactional id, one local store (design D3-D5).

Taking over, always in this order: InitProducerId (fences whoever held the shard, settles what he left
open) -> `committed()` -> restore the store to the changelog's end -> check `_shard` -> commit it alone, which tells the
broker's time before anything is decided by ours; a store that is too old by it is restored again, from empty -> seek ->
serve. Whatever goes
wrong later, in a step, a send or a commit whose answer is missing, there is one way on: drop what is in
memory and take over anew, finding in the log what holds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from aiokafka import TopicPartition
from msgspec import MsgspecError, json

from router.engine.batch import Batch, ShardRecord
from router.engine.guard import LIMIT, ClockGuard
from router.engine.limits import Limits
from router.engine.quarantine import CRASHES, Files, Folder, Quarantine
from router.engine.store import FORMAT, SHARD_KEY, Changes, Store, due_of
from router.engine.table import ROCKS, Disk
from router.operate import metrics
from router.operate.floor import TOP_UP_MS, Floor
from router.operate.letters import FIRST, retry_of
from router.operate.process import Process
from router.operate.refusals import Refused
from workflows import commands
from workflows.facts import Facts

log = structlog.get_logger()

COMMANDS_PER_BATCH = 400
DUE_PER_BATCH = 200
FLOOR_SECONDS = 0.08
OFFSETS_SECONDS = 1.0
"""How often the group hears how far the shard is: for those who watch it. The shard itself goes by `_shard`."""
LONGEST_WAIT_SECONDS = 0.2
POLL_MS = 500
"""How long the broker holds a request for commands while there are none."""
RESTORE_PAGE = 2_000
TELL_SECONDS = 5.0
ROOM_SECONDS = 1.0

LoadFacts = Callable[[int, str], Awaitable[Facts]]


class ForeignLog(Refused):
    """The state on this log was written for another deployment, shard count or format: refuse to serve."""


class Shard:
    """
    The actor. `take_over`, then `serve` until it is cancelled or fails; then `close`.

    `reader` is the group's, and tells only what is committed. The commands come through a reader of the shard's own: one
    that is shared brings nothing for any shard while it holds records that another has no time for.
    """

    def __init__(
        self,
        process: Process,
        reader: Any,
        partition: int,
        log_id: str,
        load: LoadFacts,
        genesis: Callable[[], Awaitable[tuple[int, str]]],
        guard: ClockGuard | None = None,
        disk: Disk = ROCKS,
        files: Callable[[Path], Files] = Folder,
    ) -> None:
        self._clock, self._disk = process.clock, disk
        self._process, self._reader, self._load, self._genesis = process, reader, load, genesis
        self._topics = process.topics
        self.partition = partition
        self._input = TopicPartition(self._topics.commands, partition)
        self._changelog = TopicPartition(self._topics.state, partition)
        self._log_id = log_id
        self._guard = guard or ClockGuard(process.clock)
        settings = process.settings
        self.folder = settings.state_dir / "engine" / settings.instance / f"shard-{partition}"
        self._quarantine = Quarantine(files(self.folder.parent), self.folder.name)
        self._counted, self._left_behind = -1, 0
        self._limits = Limits(settings.dead_letter_share, settings.dead_letters_in_a_row)
        self._store: Store | None = None
        self._transactions: Any = None
        self._facts: Facts
        self.moved_at = self._clock.monotonic()
        self.serving = self._held = self.lacks_room = False
        self._open = AsyncExitStack()
        self._commands: Any = None
        self._committed_at = float("-inf")
        self._lag = metrics.TIMER_LAG.labels(str(partition))
        self._committed_input = -1

    # -- taking over --

    async def take_over(self) -> None:
        """Fence, read what is committed, restore, check, seek. Raises ForeignLog where it must not serve."""
        started = self._clock.monotonic()
        transactional_id = f"{self._topics.prefix}case.{self.partition}"
        self._transactions = await self._process.log.transactions(transactional_id, self._topics.group("engine"))
        committed = await self._reader.committed(self._input)
        while not await self._has_room():
            pass
        self._store = Store(self.folder, self._log_id, self._disk)
        restored = await self._restore(self._store)
        self._shard = self._check(self._store.shard(), committed)
        await self._check_input(self._shard)
        if not self._shard.catalogue:
            self._shard.catalogue, self._shard.catalogue_hash = await self._genesis()
        self._facts = await self._load(self._shard.catalogue, self._shard.catalogue_hash)
        restored += await self._begin()
        self._look_for_a_crash()
        commands = self._process.log.reader(partitions=[self._input], wait_ms=POLL_MS, lost="none")
        self._commands = await self._open.enter_async_context(commands)
        self._commands.seek(self._input, self._shard.input)
        self.serving, self.moved_at = True, self._clock.monotonic()
        seconds = round(self._clock.monotonic() - started, 3)
        metrics.TAKEOVER_SECONDS.observe(seconds)
        metrics.CATALOGUE.labels(str(self.partition)).set(self._shard.catalogue)
        metrics.PARKED.labels(str(self.partition)).set(len(self._store.parked))
        log.info(
            "shard.taken_over",
            shard=self.partition,
            state=self._store.origin,
            records=restored,
            offset=self._shard.input,
            seconds=seconds,
        )

    async def _restore(self, store: Store) -> int:
        """Bring the store to the end of the changelog: to the end offset, not to the last record seen."""
        count, began, newest = 0, self._clock.monotonic(), 0.0
        told = began
        async with self._process.log.reader(partitions=[self._changelog]) as reader:
            end = (await reader.end_offsets([self._changelog]))[self._changelog]
            first = (await reader.beginning_offsets([self._changelog]))[self._changelog]
            if store.meta.changelog > end:
                # the log lost what the store has (a broker's disk, a topic made anew): only the log counts
                log.error("store.ahead", shard=self.partition, offset=store.meta.changelog, offsets=end)
                store.begin_anew("ahead")
            full = store.is_empty
            reader.seek(self._changelog, max(store.meta.changelog, first))
            while (position := await reader.position(self._changelog)) < end:
                # short, because where only a transaction's marker is left nothing comes but the position moves
                records = (await reader.getmany(timeout_ms=50, max_records=RESTORE_PAGE)).get(self._changelog, [])
                if records:
                    while not await self._has_room():
                        pass
                    page = [(r.key, r.value) for r in records]
                    if full:
                        store.load(page)
                    else:
                        store.apply(page, records[-1].offset + 1)
                    newest = records[-1].timestamp / 1000
                    count += len(records)
                    metrics.RESTORED.inc(len(records))
                    metrics.RESTORE_BEHIND.labels(str(self.partition)).set(end - position)
                    self.moved_at = self._clock.monotonic()
                if self._clock.monotonic() - told > TELL_SECONDS:
                    told = self._clock.monotonic()
                    log.info(
                        "shard.restoring",
                        shard=self.partition,
                        state=store.origin,
                        records=count,
                        offset=position,
                        offsets=[first, end],
                        seconds=round(told - began, 1),
                    )
            if full and count:
                for _ in store.loaded(position, newest):
                    self.moved_at = self._clock.monotonic()
                    await asyncio.sleep(0)  # the other shards of the process, and its heartbeats
            store.meta.changelog = max(store.meta.changelog, position)
        metrics.RESTORE_BEHIND.labels(str(self.partition)).set(0)
        seconds = round(self._clock.monotonic() - began, 3)
        log.info("shard.restored", shard=self.partition, state=store.origin, records=count, seconds=seconds)
        return count

    async def _begin(self) -> int:
        """
        The first transaction changes nothing and tells the broker's time. Restores anew where the store is too old by it, and
        returns how many records that took.
        """
        store, changes = self._store_in_use, Batch(self._store_in_use, self._shard, self.partition)
        changelog, end = await self._write(changes)
        if not store.is_stale(self._told()):
            store.apply(changelog, end, self._told())
            return 0
        store.begin_anew("stale")
        return await self._restore(store)

    def _check(self, found: bytes | None, committed: int | None) -> ShardRecord:
        """The shard's own record against the log: the input offset in the state is the truth."""
        shards = self._process.settings.shards
        if found is None:
            if committed:
                raise ForeignLog("state_gone", shard=self.partition)
            return ShardRecord(log=self._log_id, shards=shards)
        shard = json.decode(found, type=ShardRecord)
        if shard.format > FORMAT:
            raise ForeignLog("state_newer")
        if shard.log != self._log_id:
            raise ForeignLog("state_foreign")
        if shard.shards != shards:
            raise ForeignLog("shards_changed", there=shard.shards, wanted=shards)
        if committed is not None and committed > shard.input:
            log.warning("shard.offset_differs", shard=self.partition, offset=shard.input, offsets=committed)
        return shard

    async def _check_input(self, shard: ShardRecord) -> None:
        """
        The next command must be on the log: a position outside it would be moved by the client without a word.

        Begins with the first one there is. What is done a second time has no effect, as each case knows what it has seen.
        """
        first = (await self._reader.beginning_offsets([self._input]))[self._input]
        end = (await self._reader.end_offsets([self._input]))[self._input]
        if not first <= shard.input <= end:
            log.error("shard.commands_gone", shard=self.partition, offset=shard.input, offsets=[first, end])
            shard.input = first
        self._left_behind = end

    def _look_for_a_crash(self) -> None:
        """Where the last to serve from this folder died hard, take one by one what it may have had in hand."""
        waiting = self._left_behind - self._shard.input
        if self._quarantine.begin(min(COMMANDS_PER_BATCH, waiting), DUE_PER_BATCH):
            log.warning("shard.died", shard=self.partition, offset=self._shard.input, count=self._quarantine.commands)

    # -- serving --

    async def serve(self) -> None:
        """Batch after batch until the process stops. Any error ends it: the owner takes the shard over anew."""
        floor, ended, rest = Floor(FLOOR_SECONDS, COMMANDS_PER_BATCH), self._clock.monotonic(), 0.0
        while not self._process.stop.is_set():
            if not await self._has_room():
                continue
            records = await self._fetch(rested=rest > 0)
            rest = 0.0
            started = self._clock.monotonic()
            batch = Batch(self._store_in_use, self._shard, self.partition)
            await self._decide(batch, records)
            if self._quarantine.commands > 0 and not records:
                await self._end_care()
            fired = self._expire(batch)
            self._check_limits()
            self.moved_at = self._clock.monotonic()
            if batch.changed or self._offsets_are_late() or self._guard.asks:
                await self._commit(batch)
                waited, ended = started - ended, self._clock.monotonic()
                is_behind = fired >= DUE_PER_BATCH
                rest = floor.rest(ended - started, waited, COMMANDS_PER_BATCH if is_behind else len(records))
                await asyncio.sleep(rest)

    def _check_limits(self) -> None:
        """Raises TooManyDeadLetters."""
        if self._shard.letters != self._counted:
            self._counted = self._shard.letters
            metrics.COUNTED_LETTERS.labels(str(self.partition)).set(self._counted)
        self._limits.check(self.partition, self._shard)

    async def _end_care(self) -> None:
        """Of the offsets that were left behind the last are markers of transactions, or commands to the shard itself."""
        if await self.position() >= self._left_behind:
            self._quarantine.commands = 0

    async def position(self) -> int:
        """The offset that is read next: it passes the markers of transactions, and so can reach the end."""
        return int(await self._commands.position(self._input))

    async def _has_room(self) -> bool:
        """
        Whether the disk has room for what is to be committed next. Where it has none the shard waits, and commits nothing
        that it could not keep: it goes on by itself when there is room.
        """
        lacks = self._disk.free(self.folder) < self._process.settings.state_free_mb << 20
        if lacks != self.lacks_room:
            self.lacks_room = lacks
            metrics.LACKS_ROOM.labels(str(self.partition)).set(lacks)
            (log.error if lacks else log.info)("disk.full" if lacks else "disk.has_room", shard=self.partition)
        if lacks:
            self.moved_at = self._clock.monotonic()
            await asyncio.sleep(ROOM_SECONDS)
        return not lacks

    @property
    def _store_in_use(self) -> Store:
        assert self._store is not None
        return self._store

    async def _fetch(self, rested: bool) -> list[Any]:
        due = self._store_in_use.next_due()
        wait = LONGEST_WAIT_SECONDS
        if due and not self._held:
            wait = max(0.0, min(wait, self._clock.real_seconds(due - self._guard.now())))
        records = await self._read(int(wait * 1000), COMMANDS_PER_BATCH)
        if records and rested and len(records) < COMMANDS_PER_BATCH:
            records += await self._read(TOP_UP_MS, COMMANDS_PER_BATCH - len(records))
        return records

    async def _read(self, wait_ms: int, most: int) -> list[Any]:
        found = await self._commands.getmany(self._input, timeout_ms=wait_ms, max_records=most)
        records: list[Any] = found.get(self._input, [])
        return records

    async def _decide(self, batch: Batch, records: list[Any]) -> None:
        now = self._now()
        prefix = f"{self._topics.short(self._input.topic)}/{self.partition}/"
        if not self._quarantine.commands:
            batch.look_up(record.key for record in records)
        for record in records:
            source = f"{prefix}{record.offset}"
            if record.key == SHARD_KEY:
                await self._obey(batch, record.value, source)
            elif self._quarantine.commands > 0:
                self._decide_carefully(batch, record, source, now)
                await asyncio.sleep(0)  # a mark takes the disk's time: heartbeats must not wait for all of them
            else:
                retry = retry_of(record.headers) if record.headers else FIRST
                batch.decide(record.key, record.value, source, self._facts, now, retry)
            self._shard.input = record.offset + 1
        if records:
            metrics.BATCH_COMMANDS.observe(len(records))

    def _decide_carefully(self, batch: Batch, record: Any, source: str, now: int) -> None:
        """One command under a mark. What the process died of too often is not decided any more."""
        retry, deaths = retry_of(record.headers), self._quarantine.mark(source)
        if deaths < CRASHES:
            try:
                batch.decide(record.key, record.value, source, self._facts, now, retry)
            finally:
                self._quarantine.survived(source)
        else:
            batch.crashed(record.key, record.value, source, now, retry, blind=deaths > CRASHES)
            self._quarantine.survived(source, deaths)
        self._quarantine.commands -= 1

    def _expire_carefully(self, batch: Batch, case: bytes, now: int) -> None:
        """The same for a deadline, which is named by the time it is due and not by a state that may be what kills."""
        state = self._store_in_use.state(case)
        source = f"deadline/{case.decode('utf-8', 'replace')}/{due_of(state) if state else 0}"
        deaths = self._quarantine.mark(source)
        if deaths < CRASHES:
            try:
                batch.expire(case, self._facts, now)
            finally:
                self._quarantine.survived(source)
        else:
            batch.crashed_deadline(case, source, now)
            self._quarantine.survived(source, deaths)

    def _now(self) -> int:
        """Business time never runs back in a shard, whatever the clock does."""
        self._shard.now = max(self._shard.now, self._guard.now())
        return self._shard.now

    async def _obey(self, batch: Batch, value: bytes | None, source: str) -> None:
        """A command to the shard itself. One that cannot be read is kept aside like any other."""
        try:
            order = json.decode(value or b"", type=commands.ActivateCatalogue)
        except MsgspecError:
            batch.put_aside(SHARD_KEY, source, "unreadable_command")
            return
        self._facts = await self._load(order.version, order.hash)
        self._shard.catalogue, self._shard.catalogue_hash = order.version, order.hash
        metrics.CATALOGUE.labels(str(self.partition)).set(order.version)
        log.info("catalogue.activated", shard=self.partition, version=order.version)

    def _expire(self, batch: Batch) -> int:
        """Fire a page of what is due; returns how many."""
        if not self._may_fire():
            return 0
        now = self._now()
        due = self._store_in_use.next_due()
        self._lag.set(max(0, now - due) / 1000 if due else 0)
        cases = self._store_in_use.due(now, DUE_PER_BATCH)
        if self._quarantine.deadlines:
            for case in cases:
                self._expire_carefully(batch, case, now)
            self._quarantine.deadlines = 0
        else:
            batch.look_up(cases)
            for case in cases:
                batch.expire(case, self._facts, now)
        return len(cases)

    def _may_fire(self) -> bool:
        """Whether the clock can be trusted, and has reached the time that this shard has seen already."""
        ahead = self._clock.real_seconds(self._shard.now - self._guard.now())
        may = self._guard.trusted() and ahead <= LIMIT
        if may == self._held:
            self._held = not may
            metrics.FIRING_HELD.labels(str(self.partition)).set(self._held)
            log.warning(
                "deadlines.held" if self._held else "deadlines.released", shard=self.partition, seconds=round(ahead)
            )
        return may

    def _offsets_are_late(self) -> bool:
        """
        Whether the group is to hear again how far the shard is: with a transaction, or alone where nothing changes.

        Not with each, as that makes one dearer by two thirds (docs/adr/0005).
        """
        behind = self._shard.input != self._committed_input
        return behind and self._clock.monotonic() - self._committed_at > OFFSETS_SECONDS

    async def _commit(self, batch: Batch) -> None:
        started = self._clock.monotonic()
        changelog, end = await self._write(batch)
        self._store_in_use.apply(changelog, end, self._told())
        self._quarantine.committed()
        if batch.parked:
            metrics.PARKED.labels(str(self.partition)).set(len(self._store_in_use.parked))
        metrics.COMMIT_SECONDS.observe(self._clock.monotonic() - started)

    async def _write(self, batch: Batch) -> tuple[Changes, int]:
        """Have the log take it, all or nothing: what of it the store is to have, and where the changelog ends with it."""
        changelog = batch.changelog()
        add_all, p = self._transactions.add_all, self.partition
        add_all(self._topics.events, p, batch.events)
        add_all(self._topics.state, p, changelog)
        add_all(self._topics.outbox, p, batch.outbox)
        offsets = {self._input: self._shard.input} if self._offsets_are_late() else {}
        async with asyncio.timeout(30):
            ends = await self._transactions.commit(offsets)
        self._guard.heard(self._transactions.appended_ms)
        if offsets:
            self._committed_input, self._committed_at = self._shard.input, self._clock.monotonic()
        metrics.TRANSACTIONS.labels("committed").inc()
        batch.count()
        return changelog, ends[self._changelog]

    def _told(self) -> float:
        """The broker's time of the last transaction, in seconds; where its topic does not tell, the machine's."""
        appended: int | None = self._transactions.appended_ms
        return self._clock.wall() if appended is None else appended / 1000

    # -- leaving --

    async def close(self) -> None:
        """Let go of the transactional id and the store; an open transaction dies with its holder."""
        self.serving = False
        self._quarantine.end()
        if self._store is not None:
            # first, because it takes no time and the next holder of the folder waits for it
            self._store.close()
            self._store = None
        if self._transactions is not None:
            await self._process.log.close(self._transactions)
            self._transactions = None
        await self._open.aclose()
