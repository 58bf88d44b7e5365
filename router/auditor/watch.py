"""
What was announced, and what came of it: of each open case the marks of its running clocks that have not fired.

Pure, and apart from `workflows.evolve` on purpose: it reads the same events and comes to its own opinion of what they
announced. An event of a clock that carries `marks` says all that is to come of it from then on.

How it is known that a mark was passed over and is not merely late: a shard fires what is due in the order of time. Once it
has by itself fired another case's later mark (`Sweep`), or fired something of this very case and left this, the mark is
missed, or late where it fires after all. Where something else than such a mark brought the shard to a case (a merger that
is asked for again, a pause that is used up), the marks of that case may be later than others' that still wait: it proves
nothing. While a shard is down, lags, or its clock guard holds deadlines, it fires nothing by itself, so nothing can be said
of it, and nothing is.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.ids import command_id
from workflows import events as ev

AUDITED = frozenset({"warn", "due", "deem_signed", "escalate"})
"""Marks of which it is known what event they fire as."""

BESIDE = (ev.CaseEvaluated, ev.CaseArchived)
"""What is due by itself too, and said after all marks whichever was first."""

Kind = Literal["missed", "doubled", "early", "late"]


class Expected(Struct, frozen=True, array_like=True, gc=False):
    """A mark that is to fire. told: it was found missed already."""

    at: int
    what: str
    level: int = 0
    turn: int = 0
    told: bool = False


class Clock(Struct, frozen=True, array_like=True, gc=False):
    """since: when its marks were announced, or it went on: nothing of it was due before."""

    since: int
    running: bool
    marks: tuple[Expected, ...]


class Watch(Struct, frozen=True, array_like=True, gc=False):
    """
    What is known of one open case. at: of its last record. look: not before then is it looked at again. asked: the id of
    the last repair.
    """

    version: int
    partition: int
    at: int
    clocks: dict[str, Clock]
    look: int = 0
    asked: str = ""

    def due(self, grace: int) -> int:
        """When something of it will be overdue for longer than `grace`; 0 for never."""
        dues = [_begins(clock, mark) for clock in self.clocks.values() if clock.running for mark in clock.marks]
        return max(min(dues) + grace, self.look) if dues else 0


class Sweep(Struct, frozen=True, array_like=True, gc=False):
    """How far a shard has come by itself: it had fired everything that was due before `at` when it was `seen` to."""

    at: int = 0
    seen: int = 0


class Finding(NamedTuple):
    """One mark that did not fire as it was announced. at: when it was due; seen: when that was found."""

    kind: Kind
    case: str
    clock: str
    what: str
    level: int
    at: int
    seen: int
    repaired: bool = False
    turn: int = 0


class Taken(NamedTuple):
    """What one record came to: the case as it is watched now (None: over), findings, marks fired, and the shard's sweep."""

    watch: Watch | None
    findings: list[Finding]
    fired: int
    sweep: Sweep


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Watch).decode


def repair_id(case: str, version: int) -> str:
    """The command that asks a shard to look at a case of this version: the same however often it is sent."""
    return command_id(case, f"recheck {version}")


def take(watch: Watch | None, record: ev.EventRecord, partition: int, sweep: Sweep, grace: int) -> Taken:
    """One record of a case; `watch` is None where nothing of it was announced before."""
    return _Fold(watch, record, partition, sweep, grace).done()


def overdue(watch: Watch, case: str, now: int, sweep: Sweep, grace: int) -> tuple[Watch, list[Finding]]:
    """What the shard has passed over, told once."""
    found, clocks = [], dict(watch.clocks)
    for key, clock in watch.clocks.items():
        if clock.running:
            told = [_passed_over(clock, mark, sweep, grace) for mark in clock.marks]
            found += [_finding("missed", case, key, m, now) for m, over in zip(clock.marks, told, strict=True) if over]
            marks = [replace(m, told=True) if over else m for m, over in zip(clock.marks, told, strict=True)]
            clocks[key] = replace(clock, marks=tuple(marks))
    return replace(watch, clocks=clocks), found


def _begins(clock: Clock, mark: Expected) -> int:
    return max(mark.at, clock.since)


def _passed_over(clock: Clock, mark: Expected, sweep: Sweep, grace: int) -> bool:
    """What was past already when it was announced comes after what the shard had before it in the same transaction."""
    begins = _begins(clock, mark)
    return not mark.told and sweep.at > begins and sweep.seen > begins + grace


def _finding(kind: Kind, case: str, key: str, mark: Expected, seen: int, repaired: bool = False) -> Finding:
    return Finding(kind, case, key, mark.what, mark.level, mark.at, seen, repaired, mark.turn)


class _Fold:
    """One record being read."""

    def __init__(self, watch: Watch | None, record: ev.EventRecord, partition: int, sweep: Sweep, grace: int) -> None:
        self.record, self.partition, self.sweep, self.grace = record, partition, sweep, grace
        self.asked = watch.asked if watch else ""
        self.clocks = dict(watch.clocks) if watch else {}
        self.rested = watch is not None and record.at > watch.at + grace
        self.findings: list[Finding] = []
        self.fired: list[int] = []
        self.led = False
        """whether a mark that is known came first: marks of a case fire in the order of their times"""
        self.over = False

    def done(self) -> Taken:
        record = self.record
        for number, event in enumerate(record.events):
            if handler := _HANDLERS.get(type(event)):
                handler(self, event)
            elif getattr(event, "marks", None) is not None:
                self.announced(event)
            if number == 0:
                self.led = bool(self.fired)
        repaired = bool(self.asked) and record.cause == self.asked
        sweep = self.sweep
        # of a case that a command has just touched nobody knows by which of its marks the shard came to it
        led = self.led and not any(isinstance(event, BESIDE) for event in record.events)
        if led and not repaired and self.rested:
            sweep = Sweep(max(min(self.fired), sweep.at), record.at)
        if self.fired and not self.over:
            self._left_behind()
        watch = None
        if self.clocks and not self.over:
            watch = Watch(
                record.version, self.partition, record.at, self.clocks, asked=self.asked if not repaired else ""
            )
        return Taken(watch, self.findings, len(self.fired), sweep)

    def _left_behind(self) -> None:
        """The shard looked at this case and fired what is due: all of it, or something is missed."""
        now = self.record.at
        for key, clock in self.clocks.items():
            if clock.running and clock.since < now and any(m.at <= now and not m.told for m in clock.marks):
                left = [m for m in clock.marks if m.at <= now and not m.told]
                self.findings += [_finding("missed", self.record.case, key, m, now) for m in left]
                self.clocks[key] = replace(
                    clock, marks=tuple([replace(m, told=m.told or m in left) for m in clock.marks])
                )

    # -- what is announced --

    def started(self, e: ev.ClockStarted) -> None:
        self._ends(_key(e))
        self.clocks[_key(e)] = Clock(self.record.at, True, _expected(e.marks))

    def announced(self, e: Any) -> None:
        """Marks anew, in place of those that waited; of a clock that was stopped they are to come when it goes on."""
        held = self.clocks.get(_key(e))
        if held is not None:
            self._ends(_key(e))
            self.clocks[_key(e)] = Clock(self.record.at, held.running, _expected(e.marks))

    def stopped(self, e: ev.ClockStopped) -> None:
        if (held := self.clocks.get(_key(e))) is not None:
            self._ends(_key(e))
            self.clocks[_key(e)] = replace(held, running=False)

    def resumed(self, e: ev.ClockResumed) -> None:
        if (held := self.clocks.get(_key(e))) is not None:
            self.clocks[_key(e)] = replace(held, running=True, since=self.record.at)

    def closed(self, e: ev.CaseClosed) -> None:
        for key in self.clocks:
            self._ends(key)
        self.over = True

    def _ends(self, key: str) -> None:
        """What waits here will not fire any more: was any of it passed over?"""
        held = self.clocks.get(key)
        if held is not None and held.running:
            over = [m for m in held.marks if _passed_over(held, m, self.sweep, self.grace)]
            self.findings += [_finding("missed", self.record.case, key, m, self.record.at) for m in over]

    # -- what fires --

    def warned(self, e: ev.ClockWarned) -> None:
        self._fires(_key(e), "warn")

    def late(self, e: ev.ClockOverdue) -> None:
        self._fires(_key(e), "due")

    def escalated(self, e: ev.CaseEscalated | ev.EscalationSkipped) -> None:
        self._fires(_key(e), "escalate", e.level, e.turn)

    def passed(self, e: ev.MarkPassed) -> None:
        """It was due elsewhere: it will not fire here, and nothing is missed."""
        self._fires(_key(e), e.what, e.level, e.turn)

    def signed(self, e: ev.LegSigned) -> None:
        if e.deemed:
            self._fires(f"sign/{e.leg}", "deem_signed")

    def _fires(self, key: str, what: str, level: int = 0, turn: int = 0) -> None:
        record, held = self.record, self.clocks.get(key)
        sort = (what, level, turn)
        marks = held.marks if held is not None and held.running else ()
        mark = next((m for m in marks if (m.what, m.level, m.turn) == sort), None)
        if mark is None or held is None:
            self.findings.append(Finding("doubled", record.case, key, what, level, 0, record.at, turn=turn))
            return
        before = [m for m in marks if m.at < mark.at and not m.told]  # a clock's marks fire in the order of their times
        self.findings += [_finding("missed", record.case, key, m, record.at) for m in before]
        self.clocks[key] = replace(
            held, marks=tuple([replace(m, told=m.told or m in before) for m in marks if m is not mark])
        )
        self.fired.append(mark.at)
        if record.at < mark.at:
            self.findings.append(_finding("early", record.case, key, mark, record.at))
        elif mark.told:
            return
        elif self.asked and record.cause == self.asked:
            self.findings.append(_finding("missed", record.case, key, mark, record.at, repaired=True))
        elif _passed_over(held, mark, self.sweep, self.grace):
            self.findings.append(_finding("late", record.case, key, mark, record.at))


def _key(event: Any) -> str:
    return f"{event.kind}/{event.of}"


def _expected(marks: tuple[ev.Mark, ...]) -> tuple[Expected, ...]:
    return tuple([Expected(m.at, m.what, m.level, m.turn) for m in marks if m.what in AUDITED])


_HANDLERS: Mapping[type[ev.Event], Callable[[_Fold, Any], None]] = {
    ev.ClockStarted: _Fold.started,
    ev.ClockStopped: _Fold.stopped,
    ev.ClockResumed: _Fold.resumed,
    ev.CaseClosed: _Fold.closed,
    ev.ClockWarned: _Fold.warned,
    ev.ClockOverdue: _Fold.late,
    ev.CaseEscalated: _Fold.escalated,
    ev.EscalationSkipped: _Fold.escalated,
    ev.LegSigned: _Fold.signed,
    ev.MarkPassed: _Fold.passed,
}
