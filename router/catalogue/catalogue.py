"""
The catalogue in memory: immutable, one version, everything expanded and indexed.

Made by `load`, read by every role. `facts()` gives what decisions may ask (workflows.facts).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import Struct

from router.catalogue.facts import CatalogueFacts
from router.catalogue.findings import At, Finding
from router.catalogue.rows import (
    AnswerRow,
    CategoryRow,
    ChannelRow,
    DataItemRow,
    DutyRow,
    EmergencyRow,
    EndpointRow,
    FunctionRow,
    Header,
    KeywordRow,
    MatterRow,
    OneThing,
    ProcedureRow,
    ReasonRow,
    RosterRow,
    SystemRow,
)
from router.proposals.model import ModelFile
from router.proposals.propose import Proposer
from router.proposals.shelf import Shelf
from router.rules.index import Index
from router.rules.model import Rule
from workflows.calendars import Calendar
from workflows.policies import Policy
from workflows.workdays import Layer

NOWHERE = At("", 0)


class Place(Struct, frozen=True, kw_only=True):
    """A division, functional zone, town or village. `level` of a functional zone is county."""

    code: str
    name: str
    level: str
    kind: str
    parent: str = ""
    abolished: str = ""
    """the day its code was abolished; empty while in force"""
    successors: tuple[str, ...] = ()
    at: At = NOWHERE


class Held(Struct, frozen=True):
    """A function in a role that a unit holds, of one matter (and what is below it) only where `matter` is given."""

    function: str
    role: str = "handle"
    matter: str = ""


class DirectoryUnit(Struct, frozen=True, kw_only=True):
    """A unit of the directory, from a template or a row of its own."""

    id: str
    name: str
    kind: str
    place: str
    parent: str = ""
    functions: tuple[Held, ...] = ()
    endpoint: str = ""
    own: bool = False
    """a row of its own stands before a template's unit where both hold a function"""
    at: At = NOWHERE


def successor(places: Mapping[str, Place], code: str) -> str:
    """The place in force for a listed code: itself, or what took over where it was abolished; empty where nothing did."""
    for _ in range(len(places)):
        place = places.get(code)
        if place is None or not place.abolished:
            return code if place else ""
        code = place.successors[0] if place.successors else ""
    return ""


@dataclass(frozen=True)
class Catalogue:
    """
    One version of the reference data.

    `hash` is the SHA-256 of all files; `version` is given by the publisher, 0 for a catalogue read from a folder.
    Mappings are by id or code. `vocabularies[name][foreign value]` is our code.
    """

    version: int
    hash: str
    header: Header
    divisions: Mapping[str, Place]
    units: Mapping[str, DirectoryUnit]
    functions: Mapping[str, FunctionRow]
    endpoints: Mapping[str, EndpointRow]
    channels: Mapping[str, ChannelRow]
    categories: Mapping[str, CategoryRow]
    keywords: Mapping[str, KeywordRow]
    model: ModelFile | None
    matters: Mapping[str, MatterRow]
    duties: Mapping[str, DutyRow]
    systems: Mapping[str, SystemRow]
    data_items: Mapping[str, DataItemRow]
    procedures: Mapping[str, ProcedureRow]
    reasons: Mapping[str, ReasonRow]
    rosters: Mapping[str, RosterRow]
    emergencies: Mapping[str, EmergencyRow]
    answers: Mapping[str, AnswerRow]
    rules: Mapping[str, Rule]
    policies: Mapping[str, Policy]
    calendars: Mapping[str, Calendar]
    calendar_layers: Mapping[str, tuple[Layer, ...]]
    calendar_of_place: Mapping[str, str]
    calendar_of_unit: Mapping[str, str]
    one_things: Mapping[str, OneThing]
    vocabularies: Mapping[str, Mapping[str, str]]
    files: Mapping[str, bytes]
    rules_at: Mapping[str, At] = field(default_factory=dict)
    """where each rule stands"""
    findings: tuple[Finding, ...] = ()
    """warnings and hints; a catalogue with errors never comes to be"""

    def has_region(self, code: str) -> bool:
        """Whether a request may name this code; villages and towns that are not listed count as their county."""
        return self.known_region(code) is not None

    def known_region(self, code: str) -> str | None:
        """The listed place for a code of 6, 9 or 12 digits, nearest first: itself, its town, its county."""
        for length in (12, 9, 6):
            if len(code) >= length and code[:length] in self.divisions and len(code) in (6, 9, 12):
                return code[:length]
        return None

    def region_in_force(self, code: str) -> str | None:
        """The place in force for a code: its successor where it was abolished; None for an unknown code."""
        return successor(self.divisions, self.known_region(code) or "") or None

    @cached_property
    def index(self) -> Index:
        """The routing rules, compiled."""
        return Index(self.rules.values())

    @cached_property
    def proposer(self) -> Proposer | None:
        """Who proposes a category where a request names none; None where the catalogue has nothing to go by."""
        if not self.keywords and self.model is None and not self.answers:
            return None
        parents = {code: row.parent for code, row in self.categories.items()}
        keywords = [(row.keyword, row.category, row.weight) for row in self.keywords.values()]
        version = f"{self.version}/{self.hash[:12]}"
        return Proposer(parents, keywords, self.model, self.header.proposal_threshold, version)

    @cached_property
    def shelf(self) -> Shelf:
        """The entries of the knowledge base, to be searched."""
        return Shelf(self.answers.values(), f"{self.version}/{self.hash[:12]}", self.header.answer_threshold)

    @cached_property
    def _facts(self) -> CatalogueFacts:
        return CatalogueFacts(self)

    def facts(self) -> CatalogueFacts:
        """What decisions may ask of this version; one object with warm caches."""
        return self._facts
