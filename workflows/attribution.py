"""
Who lost the three days: the working time of a case, charged to whoever had it in hand, every millisecond to exactly one.

It is told from what happened alone, the centre's own time included. A second-level unit has it in hand while its first-level
unit waits for it; in a one-thing, whoever blocks the stage; else the lead. A reply is in the centre's hand until it is
reviewed. While a return is undecided who decides has it: rejected, that time was the unit's after all. What ran over the
promised date is charged as it was held, unless a ruling names who pays for it (裁定). While a case was closed nobody had it;
what was done again has a promise of its own.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from workflows.calendars import Calendar
from workflows.events import EventRecord, timed


class Happening(NamedTuple):
    """One event: when, its name without the version, and its fields."""

    at: int
    name: str
    what: Mapping[str, Any]


class Share(NamedTuple):
    """What one unit had in hand: `time` of it, and `late` after the promised date; milliseconds of working time."""

    unit: str
    time: int
    late: int


class Kept(NamedTuple):
    """A time limit (办结) and how it was kept. of: a leg, or empty for the citizen's; actual: 0 while it runs."""

    of: str
    promised: int
    actual: int
    late: int


class Ledger(NamedTuple):
    """received and until: what it covers. whole = the sum of all shares, in working time; most first."""

    received: int
    until: int
    whole: int
    shares: tuple[Share, ...]
    kept: tuple[Kept, ...]


def happened(records: Iterable[EventRecord]) -> list[Happening]:
    """The events of a case, in order."""
    return [
        Happening(at, type(event).__name__, msgspec.structs.asdict(event))
        for record in records
        for at, event in timed(record)
    ]


def attribute(happenings: Iterable[Happening], calendar: Calendar, now: int) -> Ledger | None:
    """The ledger of a case until it was closed, or until `now`; None of what was never registered."""
    told = _Told(now)
    for happening in happenings:
        told.take(happening)
    if not told.spans:
        return None
    received, until = told.spans[0].since, told.until()
    whole = calendar.consumed(received, until, "wd")
    time: dict[str, int] = {}
    late: dict[str, int] = {}
    for span, end in zip(told.spans, [*(span.since for span in told.spans[1:]), until], strict=True):
        since, end = min(span.since, until), min(end, until)
        if not span.unit:
            whole -= calendar.consumed(since, end, "wd")
            continue
        promised = told.promised(span.since, until)
        time[span.unit] = time.get(span.unit, 0) + calendar.consumed(since, end, "wd")
        over = calendar.consumed(max(since, promised), end, "wd") if end > promised else 0
        late[span.unit] = late.get(span.unit, 0) + over
    if told.charged:
        late = {told.charged: sum(late.values())}
    shares = [Share(unit, time.get(unit, 0), late.get(unit, 0)) for unit in time | late]
    shares.sort(key=lambda share: (-share.time, -share.late, share.unit))
    kept = tuple(_kept(told, of, due, calendar, until) for of, due in told.dues.items())
    return Ledger(received, until, whole, tuple(shares), kept)


def _kept(told: "_Told", of: str, due: int, calendar: Calendar, until: int) -> Kept:
    actual = told.stopped.get(of, 0)
    end = actual or until
    undecided = of in told.held
    return Kept(of, due, actual, 0 if undecided or end <= due else calendar.consumed(due, end, "wd"))


class _Span(NamedTuple):
    """From `since` to the next span `unit` had it. asked: the leg that asked to return it, whose time this may become."""

    since: int
    unit: str
    asked: str = ""


class _Leg(NamedTuple):
    unit: str
    part: str
    parent: str
    blocks: bool
    open: bool = True
    replied: bool = False
    decider: str = ""
    """who decides on its return"""


class _Told:
    """The story as far as it was told."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.spans: list[_Span] = []
        self.legs: dict[str, _Leg] = {}
        self.centre = ""
        self.receiver = ""
        self.charged = ""
        self.closed_at = 0
        self.dues: dict[str, int] = {}
        self.stopped: dict[str, int] = {}
        self.held: set[str] = set()
        self.rounds: list[tuple[int, int]] = []
        """when the citizen was promised another date, and the one before it"""

    def promised(self, at: int, else_: int) -> int:
        """The date that the citizen was promised at that time."""
        return next((due for since, due in self.rounds if at < since), self.dues.get("", else_))

    def until(self) -> int:
        return self.closed_at or self.now

    def take(self, happening: Happening) -> None:
        at, name, what = happening
        if name == "CaseRegistered":
            self.centre = what["centre"]
            self.spans.append(_Span(what["received_at"], self.centre))
        elif name == "CaseClosed" or (name == "ProcedureBegun" and what.get("task")):
            # a statutory procedure takes time of its own
            self.closed_at = self.closed_at or at
        elif name in ("CallBackAsked", "RedoOrdered", "RefusalReviewAsked"):
            self.closed_at = 0
        elif name == "EmergencyRedirected":
            self.receiver = what["unit"]
        elif name == "RedirectConfirmed":
            self.receiver = ""
        elif name == "CaseRuled":
            self.charged = what.get("charged", "")
        self._legs(name, what)
        self._clocks(at, name, what)
        if self.spans:
            self._hold(at)

    def _legs(self, name: str, what: Mapping[str, Any]) -> None:
        if name == "LegDispatched":
            staged = bool(what.get("stage")) and bool(what.get("blocking", True))
            part = what["part"]
            self.legs[what["leg"]] = _Leg(what["unit"], part, what.get("parent", ""), staged, open=part != "copy")
            return
        leg = self.legs.get(str(what.get("leg", "")))
        if leg is None:
            return
        if name == "LegReturnRejected":
            self.spans = [
                span._replace(unit=leg.unit, asked="") if span.asked == what["leg"] else span for span in self.spans
            ]
        if name in ("LegReturnAsked", "ArbitrationAsked"):
            leg = leg._replace(decider=what.get("unit") or self.centre)
        elif name in _CHANGES:
            leg = leg._replace(**_CHANGES[name])
        self.legs[what["leg"]] = leg

    def _clocks(self, at: int, name: str, what: Mapping[str, Any]) -> None:
        if what.get("kind") != "finish" or not name.startswith("Clock"):
            return
        of = what.get("of", "")
        if name == "ClockStarted" and not of and of in self.dues:
            self.rounds.append((at, self.dues[of]))
        if "due" in what:
            self.dues[of] = what["due"]
        if name == "ClockStopped":
            self.stopped[of] = at
        elif name in ("ClockResumed", "ClockStarted"):
            self.stopped.pop(of, None)
        if name == "ClockHeld":
            self.held.add(of)
        elif name in ("ClockReleased", "ClockExtended"):
            self.held.discard(of)

    def _hold(self, at: int) -> None:
        unit, asked = self._holder()
        last = self.spans[-1]
        if (unit, asked) != (last.unit, last.asked):
            # a request that came in late was the centre's until it was dispatched
            self.spans.append(_Span(max(at, last.since), unit, asked))

    def _holder(self) -> tuple[str, str]:
        if self.closed_at:
            return "", ""
        if self.receiver:
            return self.receiver, ""
        found = next((name for name in reversed(self.legs) if self._leads(self.legs[name])), "")
        if not found or self.legs[found].replied:
            return self.centre, ""
        while (below := self._below(found)) and not self.legs[found].decider:
            found = below
        leg = self.legs[found]
        return (leg.decider, found) if leg.decider else (leg.unit, "")

    @staticmethod
    def _leads(leg: _Leg) -> bool:
        return leg.part == "lead" and not leg.parent and (leg.open or leg.replied)

    def _below(self, of: str) -> str:
        """The leg that this one waits for: the first that was dispatched of those still open."""
        for name, leg in self.legs.items():
            waits = leg.parent == of or (leg.blocks and self.legs[of].part == "lead" and not leg.parent)
            if name != of and leg.open and waits:
                return name
        return ""


_CHANGES: Mapping[str, Mapping[str, Any]] = {
    "LegReturnRejected": {"decider": ""},
    "LegReturned": {"open": False, "decider": ""},
    "LegWithdrawn": {"open": False, "decider": "", "replied": False},
    "LegTakenBack": {"open": False, "decider": "", "replied": False},
    "LegReplied": {"open": False, "replied": True, "decider": ""},
    "LegSentBack": {"open": True, "replied": False},
    "CaseRuled": {"decider": ""},
}
"""What becomes of a leg."""
