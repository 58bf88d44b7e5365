"""
A shard: one partition of `case.commands`, one actor, one transactional id, one local store (design D3-D5).

Taking over: open the ledger (router/engine/ledger.py), look what the last holder died of, seek, serve. Whatever goes
wrong later, in a step, a send or a commit whose answer is missing, there is one way on: drop what is in
memory and take over anew, finding in the log what holds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from msgspec import MsgspecError, json

from router.engine.batch import Batch
from router.engine.guard import LIMIT, ClockGuard
from router.engine.ledger import Ledger
from router.engine.limits import Limits
from router.engine.quarantine import CRASHES, Files, Folder, Quarantine
from router.engine.store import SHARD_KEY, due_of
from router.engine.sweep import AT_ONCE, Sweep
from router.operate import metrics
from router.operate.floor import TOP_UP_MS, Floor
from router.operate.letters import FIRST, retry_of
from router.operate.process import Process
from router.operate.table import ROCKS, Disk
from workflows import commands
from workflows.facts import Facts

log = structlog.get_logger()

COMMANDS_PER_BATCH = 400
DUE_PER_BATCH = 100
FLOOR_SECONDS = 0.08
LONGEST_WAIT_SECONDS = 0.2
POLL_MS = 500
"""How long the broker holds a request for commands while there are none."""

LoadFacts = Callable[[int, str], Awaitable[Facts]]


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
        self._clock, self._topics = process.clock, process.topics
        self._process, self._load, self._genesis = process, load, genesis
        self.partition = partition
        self._guard = guard or ClockGuard(process.clock)
        self._ledger = Ledger(process, reader, partition, log_id, self._guard, disk, self._moved)
        self._input = self._ledger.input
        settings, folder = process.settings, self._ledger.folder
        self._quarantine = Quarantine(files(folder.parent), folder.name)
        self._counted = -1
        self._limits = Limits(settings.dead_letter_share, settings.dead_letters_in_a_row)
        self._facts: Facts
        self._sweep: Sweep
        self.moved_at = self._clock.monotonic()
        self.serving = self._held = False
        self._open = AsyncExitStack()
        self._commands: Any = None
        self._lag = metrics.TIMER_LAG.labels(str(partition))

    # -- taking over --

    async def take_over(self) -> None:
        """Open the ledger and read on where it ends. Raises ForeignLog where it must not serve."""
        started = self._clock.monotonic()
        restored = await self._ledger.open()
        shard = self._ledger.record
        if not shard.catalogue:
            shard.catalogue, shard.catalogue_hash = await self._genesis()
        self._facts = await self._load(shard.catalogue, shard.catalogue_hash)
        self._sweep = Sweep(self.partition, shard, self._clock)
        self._sweep.look(self._facts)
        restored += await self._ledger.begin()
        self._look_for_a_crash()
        commands = self._process.log.reader(partitions=[self._input], wait_ms=POLL_MS, lost="none")
        self._commands = await self._open.enter_async_context(commands)
        self._commands.seek(self._input, shard.input)
        self.serving, self.moved_at = True, self._clock.monotonic()
        seconds = round(self._clock.monotonic() - started, 3)
        metrics.TAKEOVER_SECONDS.observe(seconds)
        metrics.CATALOGUE.labels(str(self.partition)).set(shard.catalogue)
        metrics.PARKED.labels(str(self.partition)).set(len(self._ledger.store.parked))
        log.info(
            "shard.taken_over",
            shard=self.partition,
            state=self._ledger.store.origin,
            records=restored,
            offset=shard.input,
            seconds=seconds,
        )

    def _look_for_a_crash(self) -> None:
        """Where the last to serve from this folder died hard, take one by one what it may have had in hand."""
        waiting = self._ledger.ended - self._ledger.record.input
        sweeping = AT_ONCE if self._sweep.is_due else 0
        if self._quarantine.begin(min(COMMANDS_PER_BATCH, waiting), DUE_PER_BATCH, sweeping):
            log.warning(
                "shard.died", shard=self.partition, offset=self._ledger.record.input, count=self._quarantine.commands
            )

    # -- serving --

    async def serve(self) -> None:
        """Batch after batch until the process stops. Any error ends it: the owner takes the shard over anew."""
        floor, ended, rest = Floor(FLOOR_SECONDS, COMMANDS_PER_BATCH), self._clock.monotonic(), 0.0
        while not self._process.stop.is_set():
            if not await self._ledger.has_room():
                continue
            records = await self._fetch(rested=rest > 0)
            rest = 0.0
            started = self._clock.monotonic()
            batch = self._ledger.batch()
            batch.may_fire = self._may_fire
            batch.stale = self._sweep.turn()
            await self._decide(batch, records)
            if self._quarantine.commands > 0 and not records:
                await self._end_care()
            fired = self._expire(batch)
            swept = await self._go_on_sweeping(batch) if batch.stale else 0
            self._check_limits()
            self._moved()
            if batch.changed or self._ledger.offsets_are_late() or self._guard.asks or self._sweep.asks:
                await self._commit(batch)
                waited, ended = started - ended, self._clock.monotonic()
                is_behind = fired >= DUE_PER_BATCH or swept > 0
                rest = floor.rest(ended - started, waited, COMMANDS_PER_BATCH if is_behind else len(records))
                await asyncio.sleep(rest)

    def _check_limits(self) -> None:
        """Raises TooManyDeadLetters."""
        if self._ledger.record.letters != self._counted:
            self._counted = self._ledger.record.letters
            metrics.COUNTED_LETTERS.labels(str(self.partition)).set(self._counted)
        self._limits.check(self.partition, self._ledger.record)

    async def _end_care(self) -> None:
        """Of the offsets that were left behind the last are markers of transactions, or commands to the shard itself."""
        if await self.position() >= self._ledger.ended:
            self._quarantine.commands = 0

    def _moved(self) -> None:
        self.moved_at = self._clock.monotonic()

    @property
    def lacks_room(self) -> bool:
        """It waits for room on the disk."""
        return self._ledger.lacks_room

    async def position(self) -> int:
        """The offset that is read next: it passes the markers of transactions, and so can reach the end."""
        return int(await self._commands.position(self._input))

    async def _fetch(self, rested: bool) -> list[Any]:
        due = self._ledger.store.next_due()
        wait = LONGEST_WAIT_SECONDS
        if self._sweep.goes_on(self._ledger.record.now):
            wait = 0.0
        elif due and not self._held:
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
            self._ledger.record.input = record.offset + 1
        if records:
            metrics.BATCH_COMMANDS.observe(len(records))

    def _decide_carefully(self, batch: Batch, record: Any, source: str, now: int) -> None:
        key, value, retry = record.key, record.value, retry_of(record.headers)
        self._carefully(
            source,
            lambda: batch.decide(key, value, source, self._facts, now, retry),
            lambda deaths: batch.crashed(key, value, source, now, retry, blind=deaths > CRASHES),
        )
        self._quarantine.commands -= 1

    def _expire_carefully(self, batch: Batch, case: bytes, now: int) -> None:
        """A deadline is named by the time it is due and not by a state that may be what kills."""
        state = self._ledger.store.state(case)
        source = f"deadline/{case.decode('utf-8', 'replace')}/{due_of(state) if state else 0}"
        self._carefully(
            source,
            lambda: batch.expire(case, self._facts, now),
            lambda _: batch.crashed_deadline(case, source, now),
        )

    def _carefully(self, source: str, decide: Callable[[], None], put_aside: Callable[[int], None]) -> None:
        """One decision under a mark. What the process died of too often is not decided any more."""
        deaths = self._quarantine.mark(source)
        if deaths < CRASHES:
            try:
                decide()
            finally:
                self._quarantine.survived(source)
        else:
            put_aside(deaths)
            self._quarantine.survived(source, deaths)

    def _now(self) -> int:
        """Business time never runs back in a shard, whatever the clock does."""
        self._ledger.record.now = max(self._ledger.record.now, self._guard.now())
        return self._ledger.record.now

    async def _obey(self, batch: Batch, value: bytes | None, source: str) -> None:
        """A command to the shard itself. One that cannot be read is kept aside like any other."""
        try:
            order = json.decode(value or b"", type=commands.ActivateCatalogue)
        except MsgspecError:
            batch.aside.unread(SHARD_KEY, source, "unreadable_command")
            return
        self._facts = await self._load(order.version, order.hash)
        self._ledger.record.catalogue, self._ledger.record.catalogue_hash = order.version, order.hash
        self._sweep.look(self._facts)
        batch.stale = self._sweep.is_due
        metrics.CATALOGUE.labels(str(self.partition)).set(order.version)
        log.info("catalogue.activated", shard=self.partition, version=order.version)

    def _expire(self, batch: Batch) -> int:
        """Fire a page of what is due; returns how many."""
        if not self._may_fire():
            return 0
        now = self._now()
        due = self._ledger.store.next_due()
        self._lag.set(max(0, now - due) / 1000 if due else 0)
        cases = self._ledger.store.due(now, DUE_PER_BATCH)
        if self._quarantine.deadlines:
            for case in cases:
                self._expire_carefully(batch, case, now)
            self._quarantine.deadlines = 0
        else:
            batch.look_up(cases)
            for case in cases:
                batch.expire(case, self._facts, now)
        return len(cases)

    async def _go_on_sweeping(self, batch: Batch) -> int:
        """Re-base a page of cases; returns how many were looked at. Fires nothing, so the clock need not be trusted."""
        now = self._now()
        if not self._sweep.goes_on(now):
            return 0
        cases = self._sweep.page(self._ledger.store, now)
        if not cases:
            self._quarantine.cases = 0
        batch.stored = {**dict(cases), **batch.stored}
        for case, _ in cases:
            if self._quarantine.cases > 0:
                self._rebase_carefully(batch, case, now)
                await asyncio.sleep(0)
            else:
                self._sweep.seen(case, rebased=batch.rebase(case, self._facts, now))
        await asyncio.sleep(0)  # where nothing is committed nobody else would have a turn
        return len(cases)

    def _rebase_carefully(self, batch: Batch, case: bytes, now: int) -> None:
        self._carefully(
            f"calendar/{case.decode('utf-8', 'replace')}",
            lambda: self._sweep.seen(case, rebased=batch.rebase(case, self._facts, now)),
            lambda _: self._sweep.seen(case, rebased=False),
        )
        self._quarantine.cases -= 1

    def _may_fire(self) -> bool:
        """Whether the clock can be trusted, and has reached the time that this shard has seen already."""
        ahead = self._clock.real_seconds(self._ledger.record.now - self._guard.now())
        may = self._guard.trusted() and ahead <= LIMIT
        if may == self._held:
            self._held = not may
            metrics.FIRING_HELD.labels(str(self.partition)).set(self._held)
            log.warning(
                "deadlines.held" if self._held else "deadlines.released", shard=self.partition, seconds=round(ahead)
            )
        return may

    async def _commit(self, batch: Batch) -> None:
        started = self._clock.monotonic()
        await self._ledger.commit(batch)
        self._quarantine.committed()
        self._sweep.committed()
        if batch.aside.parked:
            metrics.PARKED.labels(str(self.partition)).set(len(self._ledger.store.parked))
        metrics.COMMIT_SECONDS.observe(self._clock.monotonic() - started)

    # -- leaving --

    async def close(self) -> None:
        """Let go of the transactional id and the store; an open transaction dies with its holder."""
        self.serving = False
        self._quarantine.end()
        await self._ledger.close()
        await self._open.aclose()
