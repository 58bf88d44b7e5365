"""
The verdict: what the topics hold against what was sent, set by set. Pure; fed record by record, in the order of offsets.

It knows the rules of the log and nothing of how the engine keeps them: conservation (I1), single effect (I2), order (I3),
replay (I4), deadlines (I5). Each finding has a kind (`lost`, `double`, `order`, `early`, `state`) and a text of its own.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.ids import case_id, event_id, shard_of
from workflows import commands as cmd
from workflows import events as ev
from workflows.case import Case, decode, encode
from workflows.evolve import fold
from workflows.outbox import OutboxRecord
from workflows.states import ENDED

SHOWN = 20
"""Findings of one kind that are kept as text; the others are counted."""
FATES = {
    "opened": ("opened",),
    "duplicate": ("duplicate",),
    "reused": ("dead", "reused"),
    "followup": ("followup",),
    "dead": ("dead",),
}
"""What must be found of an input, by what it must become."""
ANNOUNCING = (
    ev.ClockStarted
    | ev.ClockRebased
    | ev.ClockPaused
    | ev.ClockWentOn
    | ev.ClockHeld
    | ev.ClockReleased
    | ev.ClockExtended
)
"""Events that say all that their clock will bring about from here on."""
FIRED: Mapping[type[ev.Event], str] = {
    ev.ClockWarned: "warn",
    ev.ClockOverdue: "due",
    ev.CaseEscalated: "escalate",
    ev.EscalationSkipped: "escalate",
}


def digest(value: bytes | None) -> bytes:
    """What a record says, in 16 bytes."""
    return hashlib.blake2b(value or b"", digest_size=16).digest()


class Sent(NamedTuple):
    """A line of the load's ledger."""

    kind: str
    channel: str
    ref: str


class Left(NamedTuple):
    """A record on a topic outside."""

    topic: str
    id: str
    case: str
    seq: int
    version: int
    task: str
    digest: bytes


class Input(NamedTuple):
    """A record on an intake topic; number: of the load's ledger, -1 where it is not ours."""

    source: str
    number: int
    digest: bytes


class Mark(NamedTuple):
    """Something a clock will bring about."""

    at: int
    what: str
    level: int


@dataclass
class Audit:
    """Feed it all (`sent` and `acked` first), then ask for `finish`."""

    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cases: dict[str, Case] = field(default_factory=dict)
    _sent: dict[int, Sent] = field(default_factory=dict)
    _acked: set[int] = field(default_factory=set)
    _inputs: list[Input] = field(default_factory=list)
    _replies: set[str] = field(default_factory=set)
    _fates: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _dead: set[str] = field(default_factory=set)
    _causes: set[bytes] = field(default_factory=set)
    _asked: dict[str, cmd.Resemble | cmd.Recheck] = field(default_factory=dict)
    _between: set[bytes] = field(default_factory=set)
    _told: set[tuple[str, str]] = field(default_factory=set)
    _opened: set[str] = field(default_factory=set)
    _marks: dict[str, dict[tuple[str, str], list[Mark]]] = field(default_factory=lambda: defaultdict(dict))
    _stopped: set[tuple[str, str, str]] = field(default_factory=set)
    _outbox: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _numbered: set[str] = field(default_factory=set)
    _queued: dict[tuple[str, str], int] = field(default_factory=dict)
    _left: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _reached: dict[tuple[str, str], int] = field(default_factory=dict)
    _tasks: dict[tuple[str, int], bytes] = field(default_factory=dict)
    _task_topics: dict[str, str] = field(default_factory=dict)

    def find(self, kind: str, text: str) -> None:
        """Something is wrong."""
        self.counts[kind] += 1
        if len(self.found[kind]) < SHOWN:
            self.found[kind].append(text)

    # -- what went in ------------------------------------------------------------------------------

    def sent(self, number: int, what: Sent) -> None:
        self._sent[number] = what

    def acked(self, numbers: Iterable[int]) -> None:
        self._acked.update(numbers)

    def input(self, record: Input) -> None:
        """In the order of its topic."""
        self._inputs.append(record)

    def reply(self, source: str) -> None:
        self._replies.add(source)

    def command(self, value: bytes | None) -> None:
        """A record of the commands: what the auditor and the similar role ask, and what cases say to each other."""
        command = cmd.decode(value or b"")
        if isinstance(command, cmd.Resemble | cmd.Recheck):
            kind = "resembles" if isinstance(command, cmd.Resemble) else "rechecks"
            self.counts[kind] += command.id not in self._asked
            self._asked[command.id] = command
        elif isinstance(command, cmd.Between):
            self._between.add(digest(value))

    # -- what was decided --------------------------------------------------------------------------

    def event(self, record: ev.EventRecord) -> None:
        """In the order of its partition."""
        if record.source:
            self._fates[record.source].append(_fate(record))
        cause = digest(record.cause.encode())
        if cause in self._causes:
            self.find("double", f"case {record.case}: command {record.cause} took effect again")
        self._causes.add(cause)
        self._by_others(record)
        if any(isinstance(e, ev.CaseRegistered) for e in record.events):
            if record.case in self._opened:
                self.find("double", f"case {record.case}: registered again")
            self._opened.add(record.case)
        self._in_order(record)
        self._clocks(record)
        self._fold(record)

    def _by_others(self, record: ev.EventRecord) -> None:
        """What the auditor had fired, and what a case was told of others: each kind once in its life, and by that role alone."""
        asked = self._asked.get(record.cause)
        self.counts["repaired"] += isinstance(asked, cmd.Recheck)
        for event in record.events:
            if not isinstance(event, ev.ResemblanceFound):
                continue
            told = (record.case, event.what)
            if told in self._told:
                self.find("double", f"case {record.case}: told again what is {event.what}")
            if not isinstance(asked, cmd.Resemble):
                self.find("double", f"case {record.case}: nobody said what is {event.what}")
            self._told.add(told)

    def _in_order(self, record: ev.EventRecord) -> None:
        before = self.cases.get(record.case)
        version = before.version if before else 0
        if record.version <= version:
            self.find("double", f"case {record.case}: version {record.version} after {version}")
        if record.version != version + 1:
            self.find("order", f"case {record.case}: version {record.version} after {version}")

    def _clocks(self, record: ev.EventRecord) -> None:
        """Each mark of a clock fires at most once, and not before its time."""
        marks = self._marks[record.case]
        for event in record.events:
            if isinstance(event, ANNOUNCING):
                marks[event.kind, event.of] = [Mark(m.at, m.what, m.level) for m in event.marks]
            if isinstance(event, ev.ClockStopped):
                self._stopped.add((record.case, event.kind, event.of))
            elif isinstance(event, ev.ClockResumed | ev.ClockStarted):
                self._stopped.discard((record.case, event.kind, event.of))
            elif isinstance(event, ev.LegSigned) and event.deemed:
                # which clock it was the event does not say
                due = [k for k, ms in marks.items() if k[1] == event.leg and any(m.what == "deem_signed" for m in ms)]
                self._fire(record, marks, due[0] if due else ("sign", event.leg), "deem_signed", 0)
            elif type(event) in FIRED:
                level = getattr(event, "level", 0)
                self._fire(record, marks, (event.kind, event.of), FIRED[type(event)], level)  # type: ignore[union-attr]
            elif isinstance(event, ev.CaseClosed):
                marks.clear()
        if not marks:
            del self._marks[record.case]

    def _fire(
        self,
        record: ev.EventRecord,
        marks: dict[tuple[str, str], list[Mark]],
        clock: tuple[str, str],
        what: str,
        level: int,
    ) -> None:
        name = f"case {record.case}: {what} {level} of {'/'.join(clock)}"
        armed = [m for m in marks.get(clock, ()) if (m.what, m.level) == (what, level)]
        if not armed:
            self.find("double", f"{name} fired and was not armed")
            return
        if (record.case, *clock) in self._stopped:
            self.find("early", f"{name} fired while its clock stood still")
        if armed[0].at > record.at:
            self.find("early", f"{name} fired {armed[0].at - record.at} ms early")
        marks[clock].remove(armed[0])
        self.counts["fired"] += 1

    def _fold(self, record: ev.EventRecord) -> None:
        try:
            case = fold(self.cases.pop(record.case, None), record)
        except Exception as error:
            self.find("state", f"case {record.case}: version {record.version} cannot be replayed ({error!r})")
            return
        if case is not None:  # else its last trace is dropped
            self.cases[record.case] = case

    # -- what left ---------------------------------------------------------------------------------

    def queued(self, record: OutboxRecord) -> None:
        """A record of the outbox, in the order of its partition."""
        for message in record.messages:
            said = (message.to, digest(bytes(message.data)))
            # what answers a command to no case has no number: that command may come again, and says the same again
            if self._outbox.setdefault(message.id, said) != said or (message.seq and message.id in self._numbered):
                self.find("double", f"message {message.id}: twice in the outbox")
            if not message.seq:
                continue
            self._numbered.add(message.id)
            last = self._queued.get((record.case, message.to), 0)
            if message.seq != last + 1:
                self.find("order", f"case {record.case}: to {message.to} number {message.seq} after {last}")
            self._queued[record.case, message.to] = message.seq

    def left(self, record: Left) -> None:
        """A record outside, in the order of its topic. The same one may come again; another one in its place may not."""
        known = self._left.get((record.topic, record.id))
        if known is not None:
            if known != record.digest:
                self.find("double", f"message {record.id}: two contents on {record.topic}")
            return
        self._left[record.topic, record.id] = record.digest
        if record.seq:
            last = self._reached.get((record.case, record.topic), 0)
            if record.seq != last + 1:
                self.find("order", f"case {record.case}: on {record.topic} number {record.seq} after {last}")
            self._reached[record.case, record.topic] = record.seq
        if record.task:
            self._task(record)

    def _task(self, record: Left) -> None:
        if self._tasks.setdefault((record.task, record.version), record.digest) != record.digest:
            self.find("double", f"task {record.task}: two contents in version {record.version}")
        if self._task_topics.setdefault(record.task, record.topic) != record.topic:
            self.find("double", f"task {record.task}: on {record.topic} and {self._task_topics[record.task]}")

    def dead(self, origin: str) -> None:
        """A dead letter names where it came from; delivered at least once."""
        self._dead.add(origin)

    # -- the verdict -------------------------------------------------------------------------------

    def finish(self) -> None:
        """All that can be said only at the end."""
        self._conserved()
        self._expected()
        for source in sorted(self._replies):
            self._compare(source, ("followup",), ("dead",))
        for command in self._asked.values():
            self._heard(command)
        for name, (to, said) in self._outbox.items():
            if to.startswith("case:"):
                if said not in self._between:
                    self.find("lost", f"message {name}: never came to {to}")
                continue
            arrived = self._left.get((to, name))
            if arrived is None:
                self.find("lost", f"message {name}: never left to {to}")
            elif arrived != said:
                self.find("double", f"message {name}: left to {to} with another content")
        refused = {event_id(source, 0) for source in self._dead}
        for to, name in self._left.keys() - {(to, name) for name, (to, _) in self._outbox.items()}:
            if name not in refused:
                self.find("double", f"message {name}: on {to}, and nobody has written it to the outbox")

    def _conserved(self) -> None:
        """All that was acknowledged is there, and nothing that nobody sent."""
        there = {record.number for record in self._inputs}
        for number in sorted(self._acked - there):
            self.find("lost", f"input {number}: acknowledged, and not on its topic")
        for number in sorted(there - self._sent.keys()):
            self.find("double", f"input {number}: nobody sent it")

    def _heard(self, command: cmd.Resemble | cmd.Recheck) -> None:
        """A case that has not ended has noted what it was told of others."""
        case = self.cases.get(command.case)
        if not isinstance(command, cmd.Resemble) or case is None or case.state in ENDED:
            return
        if (command.case, command.what) not in self._told:
            self.find("lost", f"case {command.case}: was told what is {command.what}, and has not noted it")

    def _expected(self) -> None:
        """Each input has become what it had to become, by the order in which its topic has them."""
        first: dict[tuple[str, str], bytes] = {}
        opened: set[str] = set()
        for record in self._inputs:
            sent = self._sent.get(record.number)
            if sent is None:
                continue
            name = (sent.channel, sent.ref)
            fate = _expected(sent.kind, first.get(name), record.digest)
            if fate == "opened":
                first[name] = record.digest
                opened.add(case_id(*name))
            self.counts[f"fate_{fate}"] += 1
            self._compare(record.source, FATES[fate])
        for case in sorted(opened ^ self._opened):
            self.find("lost" if case in opened else "double", f"case {case}: opened by {'the log' if case in self._opened else 'nobody'}")  # fmt: skip

    def _compare(self, source: str, *allowed: tuple[str, ...]) -> None:
        fates = tuple(sorted([*self._fates.get(source, ()), *(["dead"] if source in self._dead else [])]))
        if fates in allowed:
            return
        kind = "double" if len(fates) > min(map(len, allowed)) else "lost"
        self.find(kind, f"input {source}: {' and '.join(fates) or 'no effect'}, expected {' or '.join('+'.join(a) for a in allowed)}")  # fmt: skip

    def unfired(self, times: Sequence[int], slack: int) -> None:
        """Deadlines that lie before the last time of their shard (`times`) by more than `slack` (ms) and have not fired."""
        for case in self.cases.values():
            late = times[shard_of(case.id, len(times))] - case.next_due if case.next_due else 0
            if late > slack:
                self.find("lost", f"case {case.id}: due {late} ms before the end and not fired")


def _fate(record: ev.EventRecord) -> str:
    for event in record.events:
        if isinstance(event, ev.CaseRegistered):
            return "opened"
        if isinstance(event, ev.DuplicateReceived):
            return "duplicate"
        if isinstance(event, ev.IdReused):
            return "reused"
    return "followup"


def _expected(kind: str, known: bytes | None, said: bytes) -> str:
    if kind == "bad":
        return "dead"
    if kind in ("new", "duplicate", "reused"):
        return "opened" if known is None else "duplicate" if known == said else "reused"
    return "dead" if known is None else "followup"


# -- I4: three ways to the same state ----------------------------------------------------------------


def replayed_hash(cases: Mapping[str, Case]) -> str:
    """Of all cases as the events tell them."""
    return _hash((case.encode(), encode(cases[case])) for case in sorted(cases))


def stored_hash(bodies: Mapping[bytes, bytes]) -> str:
    """Of all cases as a store or the changelog has them, whatever release wrote them."""
    return _hash((case, encode(decode(bodies[case]))) for case in sorted(bodies))


def _hash(pairs: Iterable[tuple[bytes, bytes]]) -> str:
    whole = hashlib.blake2b(digest_size=16)
    for key, value in pairs:
        whole.update(len(key).to_bytes(4) + key + len(value).to_bytes(4) + value)
    return whole.hexdigest()


def differences(cases: Mapping[str, Case], bodies: Mapping[bytes, bytes], where: str) -> Iterator[str]:
    """Which cases differ between the replay and `where`."""
    for name in sorted(cases.keys() | {key.decode() for key in bodies}):
        body, case = bodies.get(name.encode()), cases.get(name)
        if body is None or case is None:
            yield f"case {name}: only in {'the events' if body is None else where}"
        elif (held := decode(body)) != case:
            wrong = [f for f in case.__struct_fields__ if getattr(case, f) != getattr(held, f)]
            yield f"case {name}: {where} has version {held.version}, the events {case.version}; differ in {', '.join(wrong)}"
