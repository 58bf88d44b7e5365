"""
The files of `catalog/`, one Struct per kind of row: the fields are the columns (docs/catalogue.md).

A row says what a clerk wrote. What follows from it (units of every place, trees, indexes) is
in `catalogue.py`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Level = Literal["province", "city", "county", "town", "village"]
LEVELS: tuple[Level, ...] = ("village", "town", "county", "city", "province")
Written = Annotated[str, Meta(min_length=1)]
ROLES = ("handle", "approve", "supervise", "review", "triage", "arbitrate")


class Similar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    `similar` of catalogue.yaml: from where on it is said that cases are alike (router/similar).

    days: how far back. alike: how much two texts of one matter and division must have in common, from 0 to 1; alike_title: two
    titles; alike_here: either, at one address or grid cell. group: people about one thing at one place; burst: emergencies there within burst_hours.
    """

    days: int = 30
    alike: float = 0.5
    alike_title: float = 0.28
    alike_here: float = 0.25
    group: int = 5
    burst: int = 3
    burst_hours: int = 2


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """catalogue.yaml: whose catalogue this is and what holds where nothing else does."""

    name: str
    province: str
    default_policy: str
    emergency_policy: str
    """how soon who takes an emergency has to confirm it"""
    default_calendar: str
    notes: str = ""
    proposal_threshold: float = 0.7
    """how likely a proposed category must be to be routed by"""
    answer_threshold: float = 0.5
    """how well an entry of the knowledge base must fit a question to be shown to who dispatches it"""
    similar: Similar = Similar()
    max_rules: int = 200_000
    """more are a mistake of the program that wrote them: nobody could read them, and a start would take minutes"""
    max_keywords: int = 100_000
    """in all rules together: what is looked for in every text"""


class DivisionRow(Struct, frozen=True, kw_only=True):
    """places/divisions.csv. `valid_to` says that the code *is* abolished; `successors` name what took over, nearest first."""

    code: str
    name: str
    level: Literal["province", "city", "county"]
    parent: str = ""
    kind: Literal["division", "functional_zone", "scenic_area"] = "division"
    valid_from: str = ""
    valid_to: str = ""
    successors: tuple[str, ...] = ()
    source: str = ""


class TownRow(Struct, frozen=True, kw_only=True):
    """places/towns.csv"""

    code9: str
    name: str
    parent: str
    kind: Literal["town", "street"] = "town"


class VillageRow(Struct, frozen=True, kw_only=True):
    """places/villages.csv"""

    code12: str
    name: str
    parent: str


class FunctionRow(Struct, frozen=True, kw_only=True):
    """units/functions.csv"""

    function: str
    name: str
    field: str = ""


class TemplateRow(Struct, frozen=True, kw_only=True):
    """units/templates.csv: a unit of every place of `level`; its id is `<place code>.<short>`."""

    template: str
    level: Literal["province", "city", "county", "functional_zone", "town", "village"]
    short: str
    name_pattern: str
    kind: str = "department"
    functions: tuple[str, ...] = ()
    parent_template: str = ""


class UnitRow(Struct, frozen=True, kw_only=True):
    """units/units.csv: a unit of its own, or an override of a template's unit by id (its functions are replaced)."""

    id: str
    name: str = ""
    kind: str = ""
    place: str = ""
    parent: str = ""
    functions: tuple[str, ...] = ()
    endpoint: str = ""


class EndpointRow(Struct, frozen=True, kw_only=True):
    """endpoints.csv: a door. `units` are unit ids, `<place code>.*` (all units of that place) or `*.<short>`."""

    id: str
    kind: Literal["desk", "topic", "duokua"]
    name: str = ""
    units: tuple[str, ...] = ()


class ChannelRow(Struct, frozen=True, kw_only=True):
    """channels.csv: what a channel's requests are when they do not say so themselves."""

    id: str
    name_zh: str
    name_en: str
    kind: str
    owner_region: str = ""
    origin: str = "citizen"
    medium: str = ""
    default_kind: str = ""
    policy: str = ""
    evaluates: str = "no"


class CategoryRow(Struct, frozen=True, kw_only=True):
    """categories.csv: the tree of appeal categories, and which function acts (inherited from above when empty)."""

    code: str
    name: str
    parent: str = ""
    function: str = ""
    role: str = ""
    emergency: str = ""
    note: str = ""


class KeywordRow(Struct, frozen=True, kw_only=True):
    """proposals/keywords/*.csv: a word that speaks for a category; each unit of weight makes it e times as likely."""

    keyword: str
    category: str
    weight: float = 2.0


class MatterRow(Struct, frozen=True, kw_only=True):
    """matters.csv: the tree of service matters with duty, limits (`5wd`), systems and data items (四项清单)."""

    code: str
    name: str
    parent: str = ""
    function: str = ""
    role: str = ""
    duty: str = ""
    legal_limit: str = ""
    promised_limit: str = ""
    systems: tuple[str, ...] = ()
    data_items: tuple[str, ...] = ()
    source: str = ""


class DutyRow(Struct, frozen=True, kw_only=True):
    """lists/duties.csv (职责清单)"""

    id: str
    name: str
    function: str
    basis: str = ""


class ProcedureRow(Struct, frozen=True, kw_only=True):
    """lists/procedures.csv: a statutory procedure to which a unit may hand over; its policy says until when it has to end."""

    code: str
    name_zh: Written
    name_en: Written
    policy: str
    basis: str = ""


class ReasonRow(Struct, frozen=True, kw_only=True):
    """lists/reasons.csv: the closed list of reasons for an action; one that stands in no row takes free text."""

    action: str
    code: str
    name_zh: Written
    name_en: Written
    basis: str = ""

    @property
    def id(self) -> str:
        return f"{self.action}/{self.code}"


class RosterRow(Struct, frozen=True, kw_only=True):
    """
    rosters/*.csv (带班值班表): which post is on duty for a unit, and through which endpoint it is told. No names.

    days: ISO weekdays, none for all; hours: `17:30-08:30` belongs to the day on which it begins, none for the whole day;
    since, until: days, both included. A `stand_in` goes before who is on `duty`; of several the first of the file.
    """

    id: str
    unit: str
    post: str
    endpoint: str
    role: Literal["duty", "stand_in"] = "duty"
    days: tuple[int, ...] = ()
    hours: str = ""
    since: str = ""
    until: str = ""


class SystemRow(Struct, frozen=True, kw_only=True):
    """lists/systems.csv (系统清单)"""

    id: str
    name: str
    owner_function: str = ""


class DataItemRow(Struct, frozen=True, kw_only=True):
    """lists/data_items.csv (数据清单)"""

    id: str
    name: str
    owner_function: str = ""
    system: str = ""


class EmergencyRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    emergencies.yaml: who takes it. A row without categories and keywords takes an emergency that no other row names.

    id: also what an officer names who sees that it is one (转应急), in words `name` and `name_en`.
    """

    id: str
    receiver_function: str
    name: str = ""
    name_en: str = ""
    role: str = "handle"
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


class AnswerRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """answers/*.yaml: an entry of the knowledge base. `text` is what the citizen reads; `author` answers for it."""

    id: str
    title: Written
    text: Written
    basis: Written
    author: Written
    valid_from: str = ""
    valid_to: str = ""
    questions: tuple[Written, ...] = ()
    """how people ask for it, beside the title"""


class ListEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which yearly list names a one-thing, with its lead and helping departments there."""

    document: str = ""
    year: int = 0
    national_lead: str = ""
    national_coop: tuple[str, ...] | str = ()


class Lead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    function: str
    role: str = "handle"


class Leg(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one unit does in a stage. The next stage waits for the blocking legs."""

    function: str
    role: str = "handle"
    matter: str = ""
    name: str = ""
    part: Literal["lead", "assist", "copy"] = "assist"
    blocking: bool = True
    kind: Literal["decision", "check", "utility", "notice", "appointment"] = "decision"
    level: str = ""
    note: str = ""


class PlanStage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    legs: tuple[Leg, ...]
    limit: str = ""
    note: str = ""


class Material(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source`: S shared data (not asked), P product of an earlier leg, O the applicant's own."""

    id: str
    name: str
    source: str = "O"
    note: str = ""


class OneThing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """one_things/*.yaml: a package, its plan of stages and its materials."""

    id: str
    name: str
    lead: Lead
    stages: tuple[PlanStage, ...]
    list: ListEntry = field(default_factory=ListEntry)
    materials: tuple[Material, ...] = ()
    limit: str = ""
    policy: str = ""
    source: str = ""
    grade: str = ""
    notes: str = ""
