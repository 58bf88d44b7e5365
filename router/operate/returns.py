"""
How often what is dispatched comes back, by rule and by unit: a fold over `case.events`, of what was dispatched in some time.

Counted are first-level legs that lead or assist, from their dispatch on, whatever becomes of them until the end of what
is read. A leg belongs to the rule that dispatched it; one that a person dispatched (triage, a return, a ruling, 改派) to none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from workflows import events as ev
from workflows.events import EventRecord

_SIGNS = tuple(
    f'"type":"{name}.v1"'.encode()
    for name in ("LegDispatched", "LegReturnAsked", "LegReturned", "LegReturnRejected", "CaseRuled", "LegTakenBack",
                 "CaseClosed")
)  # fmt: skip
"""One of these stands in every record that matters, as the engine writes them; inside a text quotes are escaped."""


@dataclass
class Row:
    """Legs of a rule or a unit: how many were dispatched, and of these how many were what."""

    dispatched: int = 0
    returned: int = 0
    accepted: int = 0
    rejected: int = 0
    ruled: int = 0
    re_dispatched: int = 0

    @property
    def rate(self) -> float:
        """How many of a hundred were returned, or taken away as dispatched wrongly."""
        return round(100 * (self.returned + self.re_dispatched) / self.dispatched, 1) if self.dispatched else 0.0


@dataclass
class Returns:
    """Takes records in the order of each partition; holds of each open case its legs, and nothing of one that is closed."""

    rules: dict[str, Row] = field(default_factory=dict)
    units: dict[str, Row] = field(default_factory=dict)
    _open: dict[str, dict[str, tuple[Row, Row]]] = field(default_factory=dict)

    def take(self, records: Iterable[EventRecord]) -> None:
        for record in records:
            rule, ruled = "", ""
            for event in record.events:
                match event:
                    case ev.CaseRouted():
                        rule = event.rule
                    case ev.LegDispatched() if not event.parent and event.part in ("lead", "assist"):
                        self._dispatched(record.case, event, rule)
                    case ev.LegReturnAsked():
                        self._count(record.case, event.leg, "returned")
                    case ev.LegReturnRejected():
                        self._count(record.case, event.leg, "rejected")
                    case ev.CaseRuled():
                        ruled = event.leg
                        self._count(record.case, event.leg, "ruled")
                    case ev.LegReturned() if event.leg != ruled:
                        self._count(record.case, event.leg, "accepted")
                    case ev.LegTakenBack(action="re_dispatch"):
                        self._count(record.case, event.leg, "re_dispatched")
                    case ev.CaseClosed():
                        self._open.pop(record.case, None)

    def _dispatched(self, case: str, event: ev.LegDispatched, rule: str) -> None:
        rows = self.rules.setdefault(rule, Row()), self.units.setdefault(event.unit, Row())
        self._open.setdefault(case, {})[event.leg] = rows
        for row in rows:
            row.dispatched += 1

    def _count(self, case: str, leg: str, what: str) -> None:
        """A leg that was dispatched before the time asked for counts nowhere."""
        for row in self._open.get(case, {}).get(leg, ()):
            setattr(row, what, getattr(row, what) + 1)


def telling(value: bytes) -> EventRecord | None:
    """The record, where it tells something of a return or a dispatch. Raises MsgspecError."""
    return ev.decode(value) if any(sign in value for sign in _SIGNS) else None
