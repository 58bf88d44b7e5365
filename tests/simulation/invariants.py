"""
What must hold when a run has come to rest, whatever happened in it.

The log is told again from its beginning: each record of `case.events` must be what the pure core decides from its cause at
that place and time, its causes must be the commands of `case.commands` in their order, each once, and what was passed over
must be without effect there. From that follow conservation, no double effect, order, and the messages of the outbox. The
state on the changelog and in each live store must be the events, folded.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import TopicPartition

from router.engine.batch import ShardRecord
from router.engine.store import REQUEST_SUFFIX, SHARD_KEY, Store, body_of, due_of
from schemas.ids import event_id, shard_of
from tests.simulation.broker import Entry
from tests.simulation.machine import SimulatedDisk
from tests.simulation.world import SHARDS, Violation, World
from tests.unit.workflows.small_world import SmallWorld
from workflows import commands, events, outgoing
from workflows.case import Case, encode, has_seen
from workflows.evolve import fold
from workflows.handle import step

FIRED = (events.ClockWarned, events.ClockOverdue, events.CaseEscalated)


def holds(claim: bool, what: str, *where: Any) -> None:
    if not claim:
        raise Violation(f"{what} ({', '.join(map(str, where))})")


def check(world: World) -> None:
    numbers: set[str] = set()
    for shard in range(SHARDS):
        told = Told(world, shard)
        told.tell()
        _transactions(world, shard)
        _state(world, told)
        for case in told.cases.values():
            holds(case.number not in numbers, "a number was given twice", case.number)
            numbers.add(case.number)
    _stores(world)


@dataclass
class Told:
    """One shard's log, told again by the core alone."""

    world: World
    shard: int
    cases: dict[str, Case] = field(default_factory=dict)
    requests: dict[str, bytes] = field(default_factory=dict)
    messages: dict[tuple[str, bytes], None] = field(default_factory=dict)
    lost: dict[tuple[str, bytes], None] = field(default_factory=dict)
    """Answers to commands for cases that are not there: redelivered, they are answered again, under the same id."""
    unread: set[str] = field(default_factory=set)
    """Ids of the dead letters of records that cannot be read, or are of another shard."""
    fired: set[tuple[Any, ...]] = field(default_factory=set)
    catalogue: int = 1
    at: int = 0

    def __post_init__(self) -> None:
        topics = self.world.topics
        self._inputs = self._read(topics.commands)
        self._next = 0
        self._outbox = self._read(topics.outbox)
        self._events = self._read(topics.events)

    def _read(self, topic: str) -> list[Entry]:
        return self.world.broker.partitions[TopicPartition(topic, self.shard)].visible()

    def tell(self) -> None:
        for entry in self._events:
            self._record(entry)
        while self._next < len(self._inputs):
            self._pass_over(self._inputs[self._next])
        said: Counter[tuple[str, bytes]] = Counter()
        for entry in self._outbox:
            for message in outgoing.decode(entry.value or b"").messages:
                if message.id in self.unread:
                    self.unread.remove(message.id)
                else:
                    said[message.id, msgspec.json.encode(message)] += 1
        holds(not self.unread, "an unreadable record left no dead letter", self.shard, self.unread)
        holds(len({message for message, _ in said}) == len(said), "two messages under one id", self.shard)
        for name, count in said.items():
            holds(name in self.messages or name in self.lost, "a message that nothing brought about", self.shard, name)
            holds(count == 1 or name in self.lost, "a message left twice", self.shard, name)
        for name in [*self.messages, *self.lost]:
            holds(name in said, "a message is missing", self.shard, name)

    def _record(self, entry: Entry) -> None:
        record = events.decode(entry.value or b"")
        where = (self.shard, entry.offset, record.case)
        before = self.cases.get(record.case)
        holds(
            record.version == (before.version if before else 0) + 1,
            "a version is not the next one",
            *where,
            record.version,
        )
        holds(entry.key == record.case.encode(), "an event under another key", *where)
        holds(record.at >= self.at, "business time ran back", *where)
        self.at = record.at
        early = record.at - entry.timestamp
        holds(early <= self.world.tolerance * 1000, f"business time is {early} ms ahead of true time", *where)
        command = self._cause(record, before, where)
        if isinstance(command, commands.ReachDeadline):
            assert before is not None
            holds(0 < before.next_due <= record.at, "a deadline fired before its time", *where)
            self.world.counts["deadlines"] += 1
        else:
            holds(record.catalogue == self.catalogue, "decided by another catalogue than the one in force", *where)
        request = self.requests.get(record.case)
        result = step(before, command, SmallWorld(version=record.catalogue), record.at, lambda: request)
        holds(result.record is not None, "an event that the core does not decide", *where)
        holds(events.encode(result.record) == entry.value, "an event that the core decides otherwise", *where)
        for message in result.messages:
            self.messages[message.id, msgspec.json.encode(message)] = None
        for event in record.events:
            if isinstance(event, FIRED):
                name = (record.case, type(event).__name__, event.kind, event.of, getattr(event, "level", 0))
                holds(name not in self.fired, "a deadline fired twice", *name)
                self.fired.add(name)
        case = self.cases[record.case] = fold(before, record)
        if isinstance(command, commands.Submit) and before is None:
            self.requests[record.case] = bytes(command.request)
        elif case.state == "archived":
            self.requests.pop(record.case, None)

    def _cause(self, record: events.EventRecord, before: Case | None, where: tuple[Any, ...]) -> Any:
        """The command behind a record: the case's deadline, or the next one on the log that has an effect."""
        if before is not None and record.cause == event_id(f"{before.id}/{before.number}", before.version):
            return commands.ReachDeadline(id=record.cause, case=before.id, at=record.at)
        while self._next < len(self._inputs):
            command = self._readable(self._inputs[self._next])
            if command is not None and command.id == record.cause:
                self._next += 1
                if isinstance(command, commands.Submit) and before is None:
                    serial = record.number.split("-")[2]
                    command = msgspec.structs.replace(command, serial=serial)
                return command
            self._pass_over(self._inputs[self._next])
        raise Violation(f"an effect whose cause is not the next one on the log {where}")

    def _readable(self, entry: Entry) -> commands.AnyCommand | None:
        if entry.key == SHARD_KEY:
            return None
        try:
            command = commands.decode(entry.value or b"")
        except msgspec.MsgspecError:
            return None
        return command if shard_of(command.case, SHARDS) == self.shard else None

    def _pass_over(self, entry: Entry) -> None:
        """A record without an event: it must be one that has none, and leave what such a one leaves."""
        self._next += 1
        command = self._readable(entry)
        if command is None:
            self._pass_over_unreadable(entry)
            return
        case = self.cases.get(command.case)
        if case is None:
            holds(
                not isinstance(command, commands.Submit), "a request was lost", self.shard, entry.offset, command.case
            )
            for message in outgoing.lost(command):
                self.lost[message.id, msgspec.json.encode(message)] = None
            return
        holds(
            has_seen(case, command.id) or case.state == "archived",
            "a command was lost",
            self.shard,
            entry.offset,
            command,
        )

    def _pass_over_unreadable(self, entry: Entry) -> None:
        if entry.key == SHARD_KEY:
            try:
                self.catalogue = msgspec.json.decode(entry.value or b"", type=commands.ActivateCatalogue).version
            except msgspec.MsgspecError:
                pass
            else:
                return
        source = f"{self.world.topics.short(entry.topic)}/{self.shard}/{entry.offset}"
        self.unread.add(event_id(source, 0))


def _transactions(world: World, shard: int) -> None:
    """State and input offset are of one transaction, no fenced holder committed, and all of the log is done."""
    entries = world.broker.truth[TopicPartition(world.topics.state, shard)]
    input_tp = TopicPartition(world.topics.commands, shard)
    epoch = seen = now = 0
    for entry in entries:
        transaction = entry.transaction
        assert transaction is not None
        if entry.key != SHARD_KEY or transaction.outcome != "commit":
            continue
        record = msgspec.json.decode(entry.value or b"", type=ShardRecord)
        holds(transaction.epoch >= epoch, "a fenced holder committed", shard, entry.offset)
        holds(transaction.offsets in ({}, {input_tp: record.input}), "state and offset differ", shard, entry.offset)
        holds(record.input >= seen and record.now >= now, "a shard went back", shard, entry.offset)
        epoch, seen, now = transaction.epoch, record.input, record.now
    holds(seen == world.broker.partitions[input_tp].end, "not all commands are done", shard, seen)
    holds(world.broker.committed.get(input_tp) == seen, "the committed offset is not the state's", shard)


def _state(world: World, told: Told) -> None:
    """The changelog's newest values are the events, folded."""
    states = world.states(told.shard)
    cases = {k: v for k, v in states.items() if k != SHARD_KEY and not k.endswith(REQUEST_SUFFIX)}
    requests = {k[: -len(REQUEST_SUFFIX)].decode(): v for k, v in states.items() if k.endswith(REQUEST_SUFFIX)}
    holds({k.decode() for k in cases} == set(told.cases), "cases of the state are not those of the events", told.shard)
    holds(requests == told.requests, "requests of the state are not those of the events", told.shard)
    for key, value in cases.items():
        case = told.cases[key.decode()]
        holds(body_of(value) == encode(case), "a case's state is not its events, folded", told.shard, case.id)
        holds(due_of(value) == case.next_due, "a case's due is not its clocks'", told.shard, case.id)


def _stores(world: World) -> None:
    """Each live store is what an empty one becomes that reads the changelog from the beginning."""
    for number, shard in world.serving().items():
        tp = TopicPartition(world.topics.state, number)
        again = Store(Path("again"), "simulated", SimulatedDisk(world.loop))
        again.apply([(e.key or b"", e.value) for e in world.broker.partitions[tp].visible()], 0)
        live, fresh = (
            {k: v for k, v in store._table.contents().items() if not k.startswith(b"m") or k == b"mshard"}
            for store in (shard._store, again)
        )
        holds(live == fresh, "a live store is not the changelog", number, sorted(live.keys() ^ fresh.keys())[:5])
        holds(shard._store.meta.changelog <= world.broker.partitions[tp].stable, "a store is ahead of the log", number)
