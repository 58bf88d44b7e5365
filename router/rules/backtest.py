"""What would become of a request under another rule set: the engine's own decision, made again and told as it is compared."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from workflows import events as ev
from workflows.commands import Submit
from workflows.decide import decide
from workflows.facts import Facts, RequestView
from workflows.proposals import Proposal

REMEMBERED = 50_000
"""Decisions that a judge remembers: about 1 KB each."""
DIFFERENCES = ("outcome", "function", "unit", "others", "clocks", "urgency", "text")
"""
In what two decisions can differ for those concerned: what becomes of it, the lead's function, the lead, the other units
with their parts, policy and time limits, how urgent it is, what the citizen is told. The rule alone is not one of them.
"""
_COMMAND = "00000000-0000-5000-8000-000000000000"
"""Of the command that is decided again; nothing that is compared depends on it."""

_view = msgspec.json.Decoder(RequestView).decode


class Registered(Struct, frozen=True, kw_only=True):
    """
    A request as it was registered. at: when it was decided. catalogue and rule: by which version, by which rule of it
    (empty where no rule was asked). proposal: what a classifier thought of it then.
    """

    case: str
    number: str
    at: int
    catalogue: int
    rule: str
    channel: str
    ref: str
    request: Raw
    received_at: int
    proposal: Proposal | None = None


class Outcome(Struct, frozen=True, kw_only=True, cache_hash=True):
    """
    What was decided about a request.

    kind: dispatch | one_thing | propose_refusal | triage | answer (by a rule) | answered (by the call agent) |
    emergency | failed. unit, function: of the lead, of an emergency the receiver. others: `<part> <unit>`. clocks:
    `<kind> <budget>` of each that starts. text: what a refusal or a rule's answer says; of `failed` the error.
    rules: the one that decided first, then those that added to it.
    """

    kind: str
    rules: tuple[str, ...] = ()
    unit: str = ""
    function: str = ""
    others: tuple[str, ...] = ()
    policy: str = ""
    calendar: str = ""
    urgency: str = ""
    clocks: tuple[str, ...] = ()
    text: str = ""


def outcome_of(events: Iterable[ev.AnyEvent]) -> Outcome:
    """What the events of one submission come to."""
    said: dict[str, Any] = {"kind": "failed"}
    others, clocks = [], []
    for event in events:
        match event:
            case ev.CaseRegistered():
                said |= {"calendar": event.calendar, "urgency": event.urgency}
            case ev.CaseAnsweredAtOnce():
                said["kind"] = "answer" if event.answer else "answered"
            case ev.CaseClosed() if said["kind"] == "answer":  # a rule's; the call agent's own words are not kept
                said["text"] = event.result
            case ev.EmergencyRedirected():
                said |= {"kind": "emergency", "unit": event.unit, "policy": event.policy}
            case ev.CaseRouted():
                took_part = (event.rule, *(joined.rule for joined in event.joined))
                said |= {"kind": event.outcome, "rules": took_part, "policy": event.policy}
            case ev.UrgencyRaised():
                said["urgency"] = event.urgency
            case ev.TriageAsked():
                said["kind"] = "triage"
            case ev.RefusalProposed():
                said["text"] = f"{event.ground} {event.basis} {event.where_to_turn}"
            case ev.LegDispatched(part="lead"):
                said |= {"unit": event.unit, "function": event.function}
            case ev.LegDispatched():
                others.append(f"{event.part} {event.unit}")
            case ev.ClockStarted():
                clocks.append(f"{event.kind} {event.budget}")
            case _:
                pass
    return Outcome(**said, others=tuple(sorted(others)), clocks=tuple(sorted(clocks)))


def differing(before: Outcome, after: Outcome) -> tuple[str, ...]:
    """Which of DIFFERENCES there are."""
    limits = [(outcome.policy, outcome.calendar, outcome.clocks) for outcome in (before, after)]
    differs = {
        "outcome": before.kind != after.kind,
        "function": before.function != after.function,
        "unit": before.unit != after.unit,
        "others": before.others != after.others,
        "clocks": limits[0] != limits[1],
        "urgency": before.urgency != after.urgency,
        "text": before.text != after.text,
    }
    return tuple(name for name in DIFFERENCES if differs[name])


class Judge:
    """
    Decides archived requests by one catalogue's facts, as the engine would have had it been in force then: validity by
    the moment of the decision, times of rules by that of receipt. What it has decided once it does not decide again.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._known: dict[Any, Outcome] = {}

    def outcome(self, asked: Registered) -> Outcome:
        """A request that this catalogue cannot decide at all is `failed`: that, too, is what a back-test is for."""
        try:
            key = self._key(asked)
            known = self._known.get(key) if key else None
            if known is None:
                known = outcome_of(decide(None, _submit(asked), self._facts, asked.at))
                if key:
                    self._remember(key, known)
        except Exception as error:  # whatever it is, it would stop the engine on this request
            return Outcome(kind="failed", text=type(error).__name__)
        return known

    def _key(self, asked: Registered) -> Any:
        """All that what is compared depends on; None where that cannot be told without deciding."""
        if asked.proposal is not None:
            return None
        view = _view(asked.request)
        if view.direct_answer is not None:
            way: Any = "answered"
        else:
            way = self._facts.emergency(asked.channel, view) or self._facts.route(
                asked.channel, view, asked.at, asked.request, asked.received_at
            )
        about = view.subject_of_complaint
        named = view.place.region if view.place else view.received_region
        return (way, asked.channel, named, view.matter_code, view.urgency, about)

    def _remember(self, key: Any, outcome: Outcome) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = outcome


def _submit(asked: Registered) -> Submit:
    return Submit(
        id=_COMMAND, case=asked.case, at=asked.at, channel=asked.channel, ref=asked.ref, request=asked.request,
        digest="", received_at=asked.received_at, serial="0", proposal=asked.proposal,
    )  # fmt: skip
