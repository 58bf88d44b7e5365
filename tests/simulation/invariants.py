"""
What must hold when a run has come to rest, whatever happened in it.

The log is told again from its beginning: each record of `case.events` must be what the pure core decides from its cause at
that place and time, its causes must be the commands of `case.commands` in their order, each once, and what was passed over
must be without effect there. From that follow conservation, no double effect, order, and the messages of the outbox. The
state on the changelog and in each live store must be the events, folded.

What was kept aside is told by its dead letter: it must be one that the core failed at or died of, or one of a case that was
parked at that place; whatever has none must be of a case that was not. Which transaction a command was in is known, so the
order of commands and of deadlines that parked a case is exact.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import TopicPartition

from router.auditor.watch import Sweep, Watch, take
from router.engine.aside import PARKING, Parked
from router.engine.record import ShardRecord
from router.engine.store import PARKED_SUFFIX, REQUEST_SUFFIX, SHARD_KEY, Store, body_of, due_of
from router.operate.letters import FIRST, DeadLetter, retry_of
from schemas.ids import event_id, shard_of
from tests.simulation.broker import Entry
from tests.simulation.machine import SimulatedDisk
from tests.simulation.world import SHARDS, Violation, World
from tests.unit.workflows.calendar_2026 import HALL
from tests.unit.workflows.small_world import in_force
from workflows import answers, commands, events, outbox
from workflows.case import Case, encode, has_seen
from workflows.evolve import fold
from workflows.handle import give_up, rebase, step

ANSWERS = (events.CommandRefused, events.DuplicateReceived, events.IdReused)
FRESH = Sweep()
GRACE = 60_000
FIRED = (events.ClockWarned, events.ClockOverdue, events.CaseEscalated)


def holds(claim: bool, what: str, *where: Any) -> None:
    if not claim:
        raise Violation(f"{what} ({', '.join(map(str, where))})")


def check(world: World) -> None:
    holds(not world.broken, world.broken)
    died = world.loop.died(world.lives)
    holds(not died, "a task of an engine died", *map(repr, died))
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
    """
    Answers to commands for cases that are not there, or that are kept aside: redelivered, they are answered again, under the
    same id. So are letters of deadlines that are tried again.
    """
    unread: set[str] = field(default_factory=set)
    """Ids of the dead letters of records that cannot be read, or are of another shard."""
    parked: dict[str, Parked] = field(default_factory=dict)
    put_off: set[str] = field(default_factory=set)
    """Cases whose deadline kills: not due before something else happens to them."""
    causes: set[str] = field(default_factory=set)
    effects: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    """Commands that took effect, and those whose senders were told that they took none and never will."""
    once_more: set[str] = field(default_factory=set)
    fired: dict[tuple[str, str, str], set[tuple[Any, ...]]] = field(default_factory=dict)
    watches: dict[str, Watch | None] = field(default_factory=dict)
    sweep: Sweep = FRESH
    """The auditor's own opinion of the same events."""
    catalogue: int = 1
    at: int = 0

    def __post_init__(self) -> None:
        topics = self.world.topics
        self._inputs = self._read(topics.commands)
        self._next = 0
        self._outbox = self._read(topics.outbox)
        self._events = self._read(topics.events)
        self._inputs_after, self._turns = self._transactions()
        self._letters: dict[str, tuple[DeadLetter, Any]] = {}
        self._deadlines: list[tuple[int, DeadLetter]] = []
        self._read_letters()

    def _transactions(self) -> tuple[list[int], dict[int, int]]:
        """Which input each transaction ended with, in their order, and the place of each in that order, by identity."""
        state = self._world_truth(self.world.topics.state)
        ended = [e for e in state if e.key == SHARD_KEY and e.transaction and e.transaction.outcome == "commit"]
        inputs = [msgspec.json.decode(e.value or b"", type=ShardRecord).input for e in ended]
        return inputs, {id(e.transaction): turn for turn, e in enumerate(ended)}

    def _turn_of(self, entry: Entry) -> int:
        """The place among them of the transaction that an output is of."""
        holds(id(entry.transaction) in self._turns, "half a transaction", self.shard, entry.topic, entry.offset)
        return self._turns[id(entry.transaction)]

    def _world_truth(self, topic: str) -> list[Entry]:
        return self.world.broker.truth[TopicPartition(topic, self.shard)]

    def _read_letters(self) -> None:
        """The engine's own letters about what it kept aside, by what they stand for."""
        for entry in self._outbox:
            for message in outbox.decode(entry.value or b"").messages:
                if message.type != outbox.DEAD_LETTER:
                    continue
                letter = msgspec.json.decode(message.data, type=DeadLetter)
                if letter.source.startswith("deadline/"):
                    self._deadlines.append((self._turn_of(entry), letter))
                    self.lost[message.id, msgspec.json.encode(message)] = None
                elif letter.code in (*PARKING, "case_parked"):
                    holds(letter.source not in self._letters, "two letters of one record", self.shard, letter)
                    self._letters[letter.source] = letter, message
                    self.messages[message.id, msgspec.json.encode(message)] = None

    def _read(self, topic: str) -> list[Entry]:
        return self.world.broker.partitions[TopicPartition(topic, self.shard)].visible()

    def tell(self) -> None:
        for entry in self._events:
            self._record(entry)
        while self._next < len(self._inputs):
            self._pass_over(self._inputs[self._next])
        self._catch_up(len(self._inputs_after))
        holds(not self._letters, "a letter of nothing", self.shard, *self._letters)
        said: Counter[tuple[str, bytes]] = Counter()
        for entry in self._outbox:
            for message in outbox.decode(entry.value or b"").messages:
                if message.id in self.unread:
                    self.unread.remove(message.id)
                else:
                    said[message.id, msgspec.json.encode(message)] += 1
        holds(not self.unread, "an unreadable record left no dead letter", self.shard, self.unread)
        ids = [message for message, _ in said if message not in self.once_more]
        holds(len(set(ids)) == len(ids), "two messages under one id", self.shard)
        for name, count in said.items():
            holds(name in self.messages or name in self.lost, "a message that nothing brought about", self.shard, name)
            holds(count == 1 or name in self.lost, "a message left twice", self.shard, name)
        for name in [*self.messages, *self.lost]:
            holds(name in said, "a message is missing", self.shard, name)

    def _audit(self, record: events.EventRecord) -> None:
        """Whatever befell the shard, nobody is accused but who fails at a deadline."""
        taken = take(self.watches.get(record.case), record, self.shard, self.sweep, GRACE)
        self.watches[record.case], self.sweep = taken.watch, taken.sweep
        for found in taken.findings:
            fails = found.kind in ("missed", "late") and f"deadline/{record.case}" in self.world.people.curses
            holds(fails, "the auditor accuses a sound shard", self.shard, found)

    def _record(self, entry: Entry) -> None:
        record = events.decode(entry.value or b"")
        where = (self.shard, entry.offset, record.case)
        self._catch_up(self._turn_of(entry))
        if not self._is_rebasing(record):
            self.put_off.discard(record.case)
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
        self._audit(record)
        early = record.at - entry.timestamp
        holds(early <= self.world.tolerance * 1000, f"business time is {early} ms ahead of true time", *where)
        command = self._cause(record, before, where)
        if isinstance(command, commands.ReachDeadline):
            assert before is not None
            holds(0 < before.next_due <= record.at, "a deadline fired before its time", *where)
            self.world.counts["deadlines"] += 1
        elif not isinstance(
            command, commands.Rebase
        ):  # a sweep's are of some place in their transaction, as deadlines are
            holds(record.catalogue == self.catalogue, "decided by another catalogue than the one in force", *where)
        facts = in_force(record.catalogue)
        if isinstance(command, commands.GiveUp):
            result = give_up(before, command, facts, record.at)
            self._give_up(command, record)
        elif isinstance(command, commands.Rebase):
            assert before is not None
            request = self.requests.get(record.case)
            result = rebase(before, command, facts, record.at, lambda: request)
            self.world.counts["rebased"] += 1
        else:
            holds(is_based(before, facts.calendars), "decided by a calendar that is no longer in force", *where)
            request = self.requests.get(record.case)
            result = step(before, command, facts, record.at, lambda: request)
            self._has_effect(record)
        holds(result.record is not None, "an event that the core does not decide", *where)
        holds(events.encode(result.record) == entry.value, "an event that the core decides otherwise", *where)
        if (
            record.cause in self.causes
        ):  # redelivered to a stub, that knows no more what it has seen: an answer to the same
            self.once_more |= {message.id for message in result.messages}
        self.causes.add(record.cause)
        for message in result.messages:
            self.messages[message.id, msgspec.json.encode(message)] = None
        for event in record.events:
            if getattr(event, "marks", None) is not None:  # begun anew, or all that is to come of it announced anew
                self.fired.pop((record.case, event.kind, event.of), None)  # type: ignore[union-attr]
            if isinstance(event, FIRED):
                rung = (getattr(event, "level", 0), getattr(event, "turn", 0))
                fired = self.fired.setdefault((record.case, event.kind, event.of), set())
                name = (type(event).__name__, *rung)
                holds(name not in fired, "a deadline fired twice", record.case, event.kind, event.of, *name)
                fired.add(name)
        case = self.cases[record.case] = fold(before, record)
        if isinstance(command, commands.Submit) and before is None:
            self.requests[record.case] = bytes(command.request)
        elif case.state == "archived":
            self.requests.pop(record.case, None)

    def _has_effect(self, record: events.EventRecord) -> None:
        """What is more than an answer; of a command whose sender was told that it took none, nothing is."""
        if all(isinstance(event, ANSWERS) for event in record.events):
            return
        holds(record.cause not in self.given_up, "what was given up took effect", self.shard, record.case, record.cause)
        self.effects.add(record.cause)

    def _give_up(self, order: commands.GiveUp, record: events.EventRecord) -> None:
        """The sender is told that it took no effect, and it took none."""
        if "discarded" in [getattr(event, "code", "") for event in record.events]:
            holds(record.cause not in self.effects, "what took effect was given up", self.shard, order)
            self.given_up.add(record.cause)

    def _cause(self, record: events.EventRecord, before: Case | None, where: tuple[Any, ...]) -> Any:
        """The command behind a record: the case's deadline, a new calendar, or the next one on the log that has an effect."""
        if self._is_rebasing(record):
            return commands.Rebase(id=record.cause, case=record.case, at=record.at)
        if before is not None and record.cause == event_id(f"{before.id}/{before.number}", before.version):
            return commands.ReachDeadline(id=record.cause, case=before.id, at=record.at)
        while self._next < len(self._inputs):
            entry = self._inputs[self._next]
            command = None if self._source(entry) in self._letters else self._readable(entry)
            if isinstance(command, commands.GiveUp) and command.of.id == record.cause and _refuses(record):
                self._next += 1
                self._catch_up(self._turn(entry))
                return command
            if isinstance(command, commands.AnyCommand) and command.id == record.cause:
                self._next += 1
                self._may_be_decided(command, entry)
                if isinstance(command, commands.Submit) and before is None:
                    serial = record.number.split("-")[2]
                    command = msgspec.structs.replace(command, serial=serial)
                return command
            self._pass_over(self._inputs[self._next])
        raise Violation(f"an effect whose cause is not the next one on the log {where}")

    def _source(self, entry: Entry) -> str:
        return f"{self.world.topics.short(entry.topic)}/{self.shard}/{entry.offset}"

    def _turn(self, entry: Entry) -> int:
        """Which transaction an input was taken in."""
        return bisect_right(self._inputs_after, entry.offset)

    def _may_be_decided(self, command: commands.AnyCommand, entry: Entry) -> None:
        self._catch_up(self._turn(entry))
        parked, retry = self.parked.get(command.case), retry_of(entry.headers)
        holds(
            parked is None or parked.faults == retry.faults,
            "a command of a parked case was let through", self.shard, entry.offset, command, parked,
        )  # fmt: skip

    def _is_rebasing(self, record: events.EventRecord) -> bool:
        """Whether only its clocks count by other calendars now: a deadline that killed the process stays put off."""
        before = self.cases.get(record.case)
        return before is not None and record.cause == event_id(f"{before.id}/{before.number}/calendar", before.version)

    def _catch_up(self, turn: int) -> None:
        """Deadlines that parked their case in the transactions before this one."""
        while self._deadlines and self._deadlines[0][0] < turn:
            then, letter = self._deadlines.pop(0)
            while self._next < len(self._inputs) and self._turn(self._inputs[self._next]) <= then:
                self._pass_over(self._inputs[self._next])
            curse = self.world.people.curses.get(f"deadline/{letter.case}")
            if letter.code == "engine_crashed":
                holds(curse == "kill", "a deadline that kills nobody is kept aside", self.shard, letter)
                self.put_off.add(letter.case)
                self._park(letter)
            else:
                holds(curse == "fault", "a deadline that is sound is kept aside", self.shard, letter)

    def _park(self, letter: DeadLetter) -> None:
        """A letter says the how-manieth it is of its case's parking."""
        before = self.parked.get(letter.case) or Parked(code=letter.code, since=0)
        faults = before.faults + (letter.code != "case_parked")
        holds(
            (letter.parked, letter.faults) == (before.letters + 1, faults), "letters are miscounted", self.shard, letter, before
        )  # fmt: skip
        self.parked[letter.case] = Parked(code=before.code, since=0, letters=letter.parked, faults=faults)

    def _kept_aside(self, entry: Entry, letter: DeadLetter) -> None:
        """A command with a letter in place of an effect."""
        command, retry = self._readable(entry), retry_of(entry.headers)
        where = (self.shard, entry.offset, letter)
        curse = self.world.people.curses.get(entry.value or b"")
        if isinstance(command, commands.AnyCommand):
            curse = curse or self.world.people.curses.get(command.id)
            holds(letter.case == command.case, "a letter of another case", *where)
            if retry is FIRST and letter.action:
                for message in answers.undecided(command, "held"):
                    self.lost[message.id, msgspec.json.encode(message)] = None
        if letter.code == "case_parked":
            holds(letter.case in self.parked, "a command of a case that is not parked is kept aside", *where)
            holds(self.parked[letter.case].faults != retry.faults, "what was written again is kept aside", *where)
        else:
            holds(
                curse == {"engine_fault": "fault", "engine_crashed": "kill"}[letter.code],
                "what is sound is kept aside",
                *where,
            )
        self._park(letter)

    def _readable(self, entry: Entry) -> commands.AnyCommand | commands.Release | commands.GiveUp | None:
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
        self._catch_up(self._turn(entry))
        if found := self._letters.pop(self._source(entry), None):
            self._kept_aside(entry, found[0])
            return
        command = self._readable(entry)
        if command is None:
            self._pass_over_unreadable(entry)
            return
        if isinstance(command, commands.Release):
            parked = self.parked.get(command.case)
            if parked is None or parked.letters == command.letters:
                self.parked.pop(command.case, None)
                self.put_off.discard(command.case)
            return
        if isinstance(command, commands.GiveUp):
            case = self.cases.get(command.case)
            if case is None:
                for message in answers.undecided(command.of, "discarded"):
                    self.lost[message.id, msgspec.json.encode(message)] = None
                return
            holds(
                has_seen(case, command.of.id) or case.state == "archived", "nobody told of what was given up",
                self.shard, entry.offset, command,
            )  # fmt: skip
            return
        self._may_be_decided(command, entry)
        case = self.cases.get(command.case)
        if case is None:
            holds(
                not isinstance(command, commands.Submit), "a request was lost", self.shard, entry.offset, command.case
            )
            for message in answers.lost(command):
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
        self.unread.add(event_id(self._source(entry), 0))


def is_based(case: Case | None, calendar: str) -> bool:
    """Whether every running clock counts by this calendar, but for those of units that keep their own."""
    own = (calendar, HALL.id)
    return case is None or all(clock.calendar in own for clock in case.clocks.values() if clock.running)


def _refuses(record: events.EventRecord) -> bool:
    """Whether it may be what was given up, and not the command itself: the answer to a copy of a request, or a refusal."""
    codes = {getattr(event, "code", "") for event in record.events}
    return codes == {"discarded"} or isinstance(record.events[0], events.DuplicateReceived)


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
    cases = {k: v for k, v in states.items() if k != SHARD_KEY and not k.endswith((REQUEST_SUFFIX, PARKED_SUFFIX))}
    parked = {
        k.removesuffix(PARKED_SUFFIX).decode(): msgspec.structs.replace(
            msgspec.json.decode(body_of(v), type=Parked), since=0
        )
        for k, v in states.items()
        if k.endswith(PARKED_SUFFIX)
    }
    holds(parked == told.parked, "parked are others than the letters say", told.shard, parked, told.parked)
    requests = {k[: -len(REQUEST_SUFFIX)].decode(): v for k, v in states.items() if k.endswith(REQUEST_SUFFIX)}
    holds({k.decode() for k in cases} == set(told.cases), "cases of the state are not those of the events", told.shard)
    holds(requests == told.requests, "requests of the state are not those of the events", told.shard)
    for key, value in cases.items():
        case = told.cases[key.decode()]
        holds(body_of(value) == encode(case), "a case's state is not its events, folded", told.shard, case.id)
        holds(is_based(case, in_force(told.catalogue).calendars), "a clock was not re-based", told.shard, case.id)
        due = 0 if case.id in told.put_off else case.next_due
        holds(due_of(value) == due, "a case's due is not its clocks'", told.shard, case.id)


def _stores(world: World) -> None:
    """Each live store is what an empty one becomes that reads the changelog from the beginning."""
    for number, shard in world.serving().items():
        tp = TopicPartition(world.topics.state, number)
        again = Store(Path("again"), "simulated", SimulatedDisk(world.loop))
        again.apply([(e.key or b"", e.value) for e in world.broker.partitions[tp].visible()], 0)
        live, fresh = (
            {k: v for k, v in store._table.contents().items() if not k.startswith(b"m") or k == b"mshard"}
            for store in (shard._ledger.store, again)
        )
        holds(live == fresh, "a live store is not the changelog", number, sorted(live.keys() ^ fresh.keys())[:5])
        holds(
            shard._ledger.store.meta.changelog <= world.broker.partitions[tp].stable,
            "a store is ahead of the log",
            number,
        )
