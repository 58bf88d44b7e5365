"""
A request decided again, as the engine decides it, and told both ways: why so, and why not otherwise.

What a rule that did not decide would have done is asked of the same code: `workflows.decide`, with facts in which that
rule decides. Nothing here holds what the applicant wrote (router/rules/nearest.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from router.catalogue.catalogue import Catalogue
from router.catalogue.facts import CatalogueFacts
from router.rules.model import COLUMNS, Rule
from router.rules.nearest import Reading, nearest, read
from workflows import events as ev
from workflows.commands import Submit
from workflows.decide import decide
from workflows.facts import Facts, Joined, Reason, RequestView, Route


class Acting(Struct, frozen=True, kw_only=True):
    """A unit that has something to do."""

    unit: str
    name: str
    part: str
    function: str = ""
    stage: str = ""


class Due(Struct, frozen=True, kw_only=True):
    """A clock that began. of: `case`, `task`, or the unit whose leg it is."""

    kind: str
    of: str
    budget: str
    due: int
    provisional: bool = False


class Outcome(Struct, frozen=True, kw_only=True):
    """
    What one decision came to. before: what went before any rule (`answered`, `emergency`), then no rule was asked.
    triage: why a person must dispatch.
    """

    before: str = ""
    rule: str = ""
    number: int = 0
    outcome: str = ""
    policy: str = ""
    why: tuple[Reason, ...] = ()
    joined: tuple[Joined, ...] = ()
    urgency: str = ""
    answer: str = ""
    units: tuple[Acting, ...] = ()
    clocks: tuple[Due, ...] = ()
    triage: str = ""
    ground: str = ""
    basis: str = ""
    where_to_turn: str = ""


class Other(Struct, frozen=True, kw_only=True):
    """A rule that did not decide: how it reads, and what it would have done."""

    reading: Reading
    would: Outcome


class Explained(Struct, frozen=True, kw_only=True):
    """
    A decision with everything around it. deciding: the rule that decided, cell by cell; None where no rule was asked.
    runners_up: further rules that hold. misses: those that one condition kept from holding, the most telling first, and
    `missed` how many there are in all. asked: rules that somebody asked for by name. request: by column, the code or
    state that the rules saw; working: whether the office was open at `received_at` where the request is.
    """

    decided: Outcome
    deciding: Reading | None
    runners_up: tuple[Other, ...]
    misses: tuple[Other, ...]
    missed: int
    asked: tuple[Other, ...]
    request: Mapping[str, str]
    received_at: int
    working: bool


def outcome_of(events: Iterable[ev.AnyEvent]) -> Outcome:
    """What the events of one submission say was decided."""
    told: dict[str, Any] = {}
    units: dict[str, Acting] = {}
    clocks = []
    for event in events:
        match event:
            case ev.CaseAnsweredAtOnce():
                told |= {"answer": event.answer} if event.answer else {"before": "answered"}
            case ev.UrgencyRaised():
                told["urgency"] = event.urgency
            case ev.EmergencyRedirected():
                told["before"] = "emergency"
                units[event.task] = Acting(unit=event.unit, name=event.unit, part="lead")
            case ev.CaseRouted():
                named = ("rule", "number", "outcome", "policy", "why", "joined")
                told |= {name: getattr(event, name) for name in named}
            case ev.TriageAsked():
                told["triage"] = event.reason
            case ev.RefusalProposed():
                told |= {"ground": event.ground, "basis": event.basis, "where_to_turn": event.where_to_turn}
            case ev.LegDispatched():
                units[event.leg] = Acting(
                    unit=event.unit, name=event.unit_name, part=event.part, function=event.function, stage=event.stage
                )
            case ev.ClockStarted():
                clocks.append(event)
    due = tuple(
        Due(kind=c.kind, of=_of(c.of, units), budget=c.budget, due=c.due, provisional=c.provisional) for c in clocks
    )
    return Outcome(**told, units=tuple(units.values()), clocks=due)


def _of(holder: str, units: Mapping[str, Acting]) -> str:
    return (units[holder].unit if holder in units else "task") if holder else "case"


def explained(catalogue: Catalogue, command: Submit, now: int, *, most: int, asked: Sequence[Rule] = ()) -> Explained:
    """The decision, the rules beside it, and those of `asked`. most: of the misses at most so many."""
    facts = catalogue.facts()
    heard = _Heard(facts, command.request)
    outcome = outcome_of(decide(None, command, cast(Facts, heard), now))
    view = facts.view(command.channel, heard.request, command.received_at)
    deciding = catalogue.rules[outcome.rule] if outcome.rule else None
    missed = nearest(catalogue.rules.values(), view, now, deciding, _trees(catalogue))
    beside = [rule for rule in catalogue.index.every(view, now) if not (rule.adds or rule is deciding)]

    def other(reading: Reading) -> Other:
        return Other(reading=reading, would=_would(facts, reading.rule, deciding, command, now))

    return Explained(
        decided=outcome,
        deciding=read(deciding, view, now) if deciding else None,
        runners_up=tuple(other(read(rule, view, now)) for rule in beside),
        misses=tuple(other(reading) for reading in missed[:most]),
        missed=len(missed),
        asked=tuple(other(read(rule, view, now)) for rule in asked),
        request={column: held[0] for column, held in zip(COLUMNS, view.held, strict=True) if column != "tags"},
        received_at=view.at,
        working=view.working,
    )


def _trees(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Code → parent, by column."""
    tables: dict[str, Mapping[str, Any]] = {
        "category_under": catalogue.categories, "matter_under": catalogue.matters, "place_under": catalogue.divisions,
    }  # fmt: skip
    return {column: {code: row.parent for code, row in table.items()} for column, table in tables.items()}


def _would(facts: CatalogueFacts, rule: Rule, deciding: Rule | None, command: Submit, now: int) -> Outcome:
    """
    What the rule would have done, had it decided; one that only adds, beside the rule that decided. What stands before
    the rules is left aside.
    """
    first = deciding if rule.adds else rule
    if first is None:
        return Outcome()
    asked = cast(Facts, _Ruled(facts, first, (rule,) if rule.adds else ()))
    return outcome_of(decide(None, msgspec.structs.replace(command, request=_routable(command.request)), asked, now))


def _routable(request: msgspec.Raw) -> msgspec.Raw:
    """The request without the call agent's answer, which would leave no rule anything to decide."""
    told = msgspec.json.decode(request, type=dict[str, msgspec.Raw])
    return msgspec.Raw(msgspec.json.encode(told)) if told.pop("direct_answer", None) is not None else request


class _Heard:
    """The facts of a catalogue, and the request as the rules were asked about it: a proposal may have gone in."""

    def __init__(self, facts: CatalogueFacts, request: msgspec.Raw) -> None:
        self._facts, self.request = facts, request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)

    def route(self, channel: str, view: RequestView, now: int, raw: msgspec.Raw, received_at: int) -> Route:
        self.request = raw
        return self._facts.route(channel, view, now, raw, received_at)


class _Ruled:
    """The facts of a catalogue in which one rule decides, and these add to it."""

    def __init__(self, facts: CatalogueFacts, rule: Rule, adding: tuple[Rule, ...]) -> None:
        self._facts, self._rule, self._adding = facts, rule, adding

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)

    def emergency(self, channel: str, request: RequestView) -> None:
        """Goes before the rules; here it does not."""

    def route(self, channel: str, request: RequestView, *_: object) -> Route:
        return self._facts.by(self._rule, self._adding, channel, request)
