"""
Bugs to be found: what an engine could do wrong that the simulation must notice, each planted into the real one.

A check that never sees its violation proves nothing. Each plant is a function that breaks something through `set`
(pytest's monkeypatch.setattr); it undoes itself with the test.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from msgspec.structs import replace

from adapters.kafka.writing import OutcomeUnknown, Transactions, Writer
from router.engine import batch as engine
from router.engine.aside import Aside
from router.engine.batch import Batch
from router.engine.guard import ClockGuard
from router.engine.ledger import Ledger
from router.engine.quarantine import Quarantine
from router.engine.store import Store
from router.engine.sweep import Sweep
from tests.simulation import invariants
from tests.simulation.client import Producer, Reader
from workflows import answers, commands
from workflows.case import Case, has_seen
from workflows.evolve import fold
from workflows.facts import Facts
from workflows.handle import Step, give_up

Set = Callable[[Any, str, Any], None]


def refused_records_are_passed_over(set_: Set) -> None:
    """The sends' futures are not looked at before the commit."""

    async def flush(self: Writer) -> dict[TopicPartition, int]:
        batches, self._full = [*self._full, *self._open.items()], []
        self._open = {}
        sent = [await self._send(slot, batch) for slot, batch in batches]
        answers = await asyncio.gather(*sent, return_exceptions=True)
        ends = {}
        for (slot, batch), answer in zip(batches, answers, strict=True):
            if not isinstance(answer, BaseException):
                ends[TopicPartition(*slot)] = answer.offset + batch.record_count()
                self.appended_ms = answer.timestamp
        return ends

    commit, begin = Ledger.commit, Ledger.begin

    async def lenient(self: Ledger, batch: Any) -> None:
        with suppress(KeyError):  # where the changelog's own batch was refused
            await commit(self, batch)

    async def lenient_begin(self: Ledger) -> int:
        with suppress(KeyError):
            return await begin(self)
        return 0

    set_(Writer, "flush", flush)
    set_(Ledger, "commit", lenient)
    set_(Ledger, "begin", lenient_begin)


def the_store_is_written_first(set_: Set) -> None:
    """Before the transaction is committed."""
    commit = Ledger.commit

    async def too_early(self: Ledger, batch: Any) -> None:
        self.store.apply(batch.changelog(), self.store.meta.changelog)
        await commit(self, batch)

    set_(Ledger, "commit", too_early)


def the_log_is_read_before_the_fence(set_: Set) -> None:
    """The store is restored before InitProducerId has settled what the former holder left open."""
    restore, open_ = Ledger._restore, Ledger.open

    async def nothing_more(self: Ledger, store: Store) -> int:
        return 0

    async def too_early(self: Ledger) -> int:
        store = Store(self.folder, self._log_id, self._disk)
        try:
            await restore(self, store)
            store.apply([], store.meta.changelog)
        finally:
            store.close()
        return await open_(self)

    set_(Ledger, "_restore", nothing_more)
    set_(Ledger, "open", too_early)


def an_unknown_outcome_counts_as_done(set_: Set) -> None:
    """The answer to EndTxn is missing, and the commit is taken for done."""
    commit, flush = Transactions.commit, Writer.flush

    async def remembering(self: Writer) -> dict[TopicPartition, int]:
        self.last_ends = await flush(self)  # type: ignore[attr-defined]
        return self.last_ends  # type: ignore[attr-defined, no-any-return]

    async def guessing(self: Transactions, offsets: Mapping[TopicPartition, int]) -> Any:
        try:
            return await commit(self, offsets)
        except OutcomeUnknown:
            self._producer._in_transaction = False
            return self.last_ends  # type: ignore[attr-defined]

    set_(Writer, "flush", remembering)
    set_(Transactions, "commit", guessing)


def an_unanswered_commit_is_sent_again(set_: Set) -> None:
    """As aiokafka does by itself: EndTxn a second time, under the same epoch. The first may come in the next transaction."""
    lose = Producer._lose_the_answer

    async def again(self: Producer) -> None:
        with suppress(OutcomeUnknown):
            await lose(self)

    set_(Producer, "_lose_the_answer", again)


def an_old_store_is_kept(set_: Set) -> None:
    """However old: what was deleted since, and is forgotten by the log, stays in it."""
    set_(Store, "is_stale", lambda self, now: False)


def restored_to_the_last_record(set_: Set) -> None:
    """A store that has something is taken for complete, without looking where the log ends."""
    restore = Ledger._restore

    async def lazy(self: Ledger, store: Store) -> int:
        return 0 if store.meta.changelog else await restore(self, store)

    set_(Ledger, "_restore", lazy)


def reading_goes_on_where_it_stopped(set_: Set) -> None:
    """A take-over does not seek: what the failed batch had read is passed over."""
    seek = Reader.seek

    def not_commands(self: Reader, partition: TopicPartition, offset: int) -> None:
        if not partition.topic.endswith("case.commands"):
            seek(self, partition, offset)

    set_(Reader, "seek", not_commands)


def every_clock_is_trusted(set_: Set) -> None:
    """No guard: business time is what the machine says, and deadlines fire by it."""
    set_(ClockGuard, "trusted", lambda self: True)
    set_(ClockGuard, "now", lambda self: self._clock.now())


def a_mark_goes_away_before_its_record_is_decided(set_: Set) -> None:
    """Nothing is left of whatever it is that kills."""
    mark = Quarantine.mark

    def too_short(self: Quarantine, what: str) -> int:
        deaths = mark(self, what)
        self.survived(what)
        return deaths

    set_(Quarantine, "mark", too_short)


def a_mark_is_not_on_disk(set_: Set) -> None:
    """It is in memory, where it dies with its process."""
    set_(Quarantine, "_keep", lambda self, what, deaths, *, sync: self._deaths.update({what: deaths}))


def a_later_command_of_a_parked_case_is_let_through(set_: Set) -> None:
    """Out of the order of its case."""
    set_(Aside, "must_wait", lambda self, command, retry: False)


def a_parked_case_is_forgotten_by_the_next_holder(set_: Set) -> None:
    """The parking lives in memory only."""
    set_(Aside, "of", lambda self, case: self.parked.get(case))


def what_was_given_up_is_not_remembered(set_: Set) -> None:
    """Its sender is told, its case is not."""
    set_(engine, "give_up", lambda case, order, facts, now: Step(None, case, answers.undecided(order.of, "discarded")))


def what_took_effect_is_given_up(set_: Set) -> None:
    """The core itself does not look, wherever it is asked."""

    def blind(case: Case | None, order: commands.GiveUp, facts: Facts, now: int) -> Step:
        if case is None or not has_seen(case, order.of.id):
            return give_up(case, order, facts, now)
        done = give_up(replace(case, seen=b""), order, facts, now)
        return done if done.record is None else Step(done.record, fold(case, done.record), done.messages)

    set_(engine, "give_up", blind)
    set_(invariants, "give_up", blind)


def a_sweep_begins_in_the_batch_of_its_order(set_: Set) -> None:
    """What the same batch opened before the order is not in the store yet, and is passed over."""
    set_(Sweep, "goes_on", lambda self, now: self.is_due and now >= self._again_at)


def a_case_waits_for_the_sweep(set_: Set) -> None:
    """It is decided about by whatever calendar its clocks count by."""

    def decided(decide: Callable[..., None]) -> Callable[..., None]:
        def deciding(self: Batch, *more: Any, **how: Any) -> None:
            stale, self.stale = self.stale, False
            try:
                decide(self, *more, **how)
            finally:
                self.stale = stale

        return deciding

    set_(Batch, "decide", decided(Batch.decide))
    set_(Batch, "expire", decided(Batch.expire))


def a_sweep_goes_on_from_the_last_one(set_: Set) -> None:
    """Of a version that was superseded before its sweep was over."""
    look = Sweep.look

    def looked(self: Sweep, facts: Facts) -> None:
        swept = self._record.swept
        look(self, facts)
        self._record.swept = swept or "5"

    set_(Sweep, "look", looked)


PLANTS: dict[Callable[[Set], None], tuple[str, ...]] = {
    refused_records_are_passed_over: ("refused",),
    the_store_is_written_first: ("refused", "commit_lost", "crash"),
    the_log_is_read_before_the_fence: ("crash", "stop", "rebalance", "slow_marker"),
    an_unknown_outcome_counts_as_done: ("commit_lost",),
    an_unanswered_commit_is_sent_again: ("commit_lost",),
    an_old_store_is_kept: ("standstill", "rebalance"),
    restored_to_the_last_record: ("crash", "rebalance"),
    reading_goes_on_where_it_stopped: ("poison", "crash", "slow_marker"),
    every_clock_is_trusted: ("jump", "wrong_boot"),
    a_mark_goes_away_before_its_record_is_decided: ("poison",),
    a_mark_is_not_on_disk: ("poison",),
    a_later_command_of_a_parked_case_is_let_through: ("poison",),
    a_parked_case_is_forgotten_by_the_next_holder: ("poison", "crash", "rebalance"),
    what_was_given_up_is_not_remembered: ("poison",),
    what_took_effect_is_given_up: ("poison",),
    a_sweep_begins_in_the_batch_of_its_order: ("slow",),
    a_case_waits_for_the_sweep: ("slow",),
    a_sweep_goes_on_from_the_last_one: ("slow",),
}
"""Each with what is to go wrong in the runs that look for it (story.KINDS): so that no luck is needed to find it."""
