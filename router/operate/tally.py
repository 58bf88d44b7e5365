"""
Where the cases of a run stand, folded from their events: what the demo's live view shows and its last table.

Nothing of what a citizen wrote is kept: channel, state, reason of closing, counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.handling import CaseState
from workflows import events as ev

STATE_AFTER: Mapping[type[ev.Event], CaseState] = {
    ev.CaseRegistered: CaseState.REGISTERED,
    ev.EmergencyRedirected: CaseState.REDIRECTED,
    ev.CaseAnsweredAtOnce: CaseState.ANSWERED_AT_ONCE,
    ev.RefusalProposed: CaseState.REFUSAL_PROPOSED,
    ev.CaseRefused: CaseState.REFUSED,
    ev.TriageAsked: CaseState.IN_TRIAGE,
    ev.CaseAccepted: CaseState.ACCEPTED,
    ev.LegDispatched: CaseState.DISPATCHED,
    ev.LegSigned: CaseState.SIGNED,
    ev.LegReplied: CaseState.REPLIED,
    ev.LegSentBack: CaseState.SENT_BACK,
    ev.CaseWithdrawn: CaseState.WITHDRAWN,
    ev.CaseClosed: CaseState.CLOSED,
}
"""The state that the channel would be told after an event; the others leave it as it is."""

ENDED = frozenset({CaseState.CLOSED, CaseState.REFUSED, CaseState.WITHDRAWN})

WORTH: Mapping[type[ev.Event], int] = {
    ev.LegReturned: 8,
    ev.LegReturnAsked: 3,
    ev.LegSentBack: 5,
    ev.CaseEscalated: 4,
    ev.ClockOverdue: 3,
    ev.ClockWarned: 2,
    ev.CaseSupplemented: 2,
    ev.EmergencyRedirected: 1,
}
"""What makes a case worth showing; dispatched further counts as well, and a case that came to its end."""


@dataclass
class CaseNote:
    """What is known of one case."""

    case: str
    number: str = ""
    channel: str = ""
    state: CaseState = CaseState.REGISTERED
    reason: str = ""
    kinds: set[type[ev.Event]] = field(default_factory=set)
    sub_dispatched: bool = False

    @property
    def worth(self) -> int:
        points = sum(WORTH.get(kind, 0) for kind in self.kinds) + (6 if self.sub_dispatched else 0)
        return points + (10 if self.state in ENDED else 0)


class Tally:
    """Takes event records in the order of each partition."""

    def __init__(self) -> None:
        self.cases: dict[str, CaseNote] = {}
        self.events = 0

    def take(self, records: Iterable[ev.EventRecord]) -> None:
        for record in records:
            note = self.cases.setdefault(record.case, CaseNote(record.case))
            note.number = record.number or note.number
            self.events += len(record.events)
            for event in record.events:
                _note(note, event)

    def by_channel(self) -> dict[str, Counter[CaseState]]:
        """How many cases of each channel stand in which state."""
        found: dict[str, Counter[CaseState]] = {}
        for note in self.cases.values():
            found.setdefault(note.channel, Counter())[note.state] += 1
        return found

    def outcomes(self) -> dict[str, Counter[str]]:
        """The reasons of closing of each channel."""
        found: dict[str, Counter[str]] = {}
        for note in self.cases.values():
            if note.reason:
                found.setdefault(note.channel, Counter())[note.reason] += 1
        return found

    @property
    def unanswered(self) -> set[str]:
        """Channels of which no case has been closed yet."""
        return self.by_channel().keys() - self.outcomes().keys()

    @property
    def open(self) -> int:
        return sum(note.state not in ENDED for note in self.cases.values())

    def most_telling(self) -> CaseNote | None:
        """The case in whose timeline there is most to see."""
        return max(self.cases.values(), key=lambda note: (note.worth, note.case), default=None)

    def with_most_of(self, *kinds: type[ev.Event]) -> CaseNote | None:
        """A case to which the first of these happened; of the others, those named first weigh most."""
        notes = [note for note in self.cases.values() if kinds[0] in note.kinds]
        return max(notes, key=lambda note: ([k in note.kinds for k in kinds], note.worth, note.case), default=None)


def _note(note: CaseNote, event: ev.Event) -> None:
    note.kinds.add(type(event))
    if isinstance(event, ev.CaseRegistered):
        note.channel, note.number = event.channel, event.number
    if isinstance(event, ev.LegDispatched) and event.parent:
        note.sub_dispatched = True
    if isinstance(event, ev.CaseClosed):
        note.reason = event.reason
    if note.state not in ENDED:
        note.state = STATE_AFTER.get(type(event), note.state)
