"""
What a decision may look up: a Protocol, bound to one version of the catalogue.

The engine passes an implementation (router/catalogue); tests pass a small one of their own.
All answers are pure functions of the catalogue version and the arguments.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Raw, Struct

from workflows.calendars import Calendar
from workflows.policies import Policy


class Target(Struct, frozen=True, kw_only=True, cache_hash=True):
    """What a rule says: a function in a role, not a unit; `level` where the rule lifts or lowers it."""

    function: str
    role: Literal["handle", "approve", "supervise", "review", "triage", "arbitrate"] = "handle"
    level: Literal["", "village", "town", "county", "city", "province"] = ""
    part: Literal["lead", "assist", "copy"] = "lead"


class Unit(Struct, frozen=True, kw_only=True):
    """A unit as the directory resolved it. `ancestors` are the ids above it, nearest first."""

    id: str
    name: str
    endpoint: str
    place: str
    ancestors: tuple[str, ...] = ()


class Duty(Struct, frozen=True, kw_only=True):
    """Who is on duty for a unit (带班): a post, never a person, and through which endpoint it is reached."""

    post: str
    endpoint: str


class Reason(Struct, frozen=True, kw_only=True):
    """One column of the rule that matched: which, what the request held, which cell of the rule took it."""

    column: str
    value: str
    cell: str


class Stage(Struct, frozen=True, kw_only=True):
    """One stage of a one-thing plan: its targets act in parallel; the next stage waits for the blocking ones."""

    id: str
    name: str
    targets: tuple[Target, ...]
    matters: tuple[str, ...] = ()  # one per target
    blocking: tuple[bool, ...] = ()  # one per target


class Joined(Struct, frozen=True, kw_only=True):
    """A rule that did not decide but took part: it added assists, copies or urgency. `why` it held."""

    rule: str
    number: int
    why: tuple[Reason, ...] = ()


class Route(Struct, frozen=True, kw_only=True, cache_hash=True):
    """The rule that decided, why, and what it says. Exactly one of the outcomes holds.

    dispatch: `targets` (one lead first). one_thing: `stages`. propose_refusal: `ground`, `basis`, `where_to_turn`.
    answer: the entry `answer` of the knowledge base, which says `text`. triage: nobody could be named; a person dispatches.
    joined: the rules that took part beside it, by number. urgency: to which they raise the case's, together; or empty.
    """

    rule: str
    number: int
    outcome: Literal["dispatch", "one_thing", "propose_refusal", "answer", "triage"]
    policy: str
    why: tuple[Reason, ...] = ()
    targets: tuple[Target, ...] = ()
    stages: tuple[Stage, ...] = ()
    ground: str = ""
    basis: str = ""
    where_to_turn: str = ""
    answer: str = ""
    text: str = ""
    joined: tuple[Joined, ...] = ()
    urgency: Literal["", "urgent", "emergency"] = ""


URGENCIES = ("normal", "urgent", "emergency")
"""From the least to the most."""


class RequestView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a ServiceRequest that decisions look at (field names as in schemas; the rest is ignored)."""

    appeal_kind: str
    title: str = ""
    urgency: str = "normal"
    origin: str = "citizen"
    appeal_category: str | None = None
    matter_code: str | None = None
    place: "PlaceView | None" = None
    received_region: str | None = None
    applicant: "ApplicantView | None" = None
    subject_of_complaint: tuple["SubjectView", ...] = ()
    one_thing: "OneThingView | None" = None
    direct_answer: "DirectAnswerView | None" = None
    backfilled: bool = False


class PlaceView(Struct, frozen=True, kw_only=True):
    region: str


class ApplicantView(Struct, frozen=True, kw_only=True):
    kind: str = "person"
    disclosure: str = "open"


class SubjectView(Struct, frozen=True, kw_only=True):
    kind: str  # unit | enterprise | person
    unit: str | None = None


class OneThingView(Struct, frozen=True, kw_only=True):
    package: str


class DirectAnswerView(Struct, frozen=True, kw_only=True):
    """The call agent answered at once (直接答复)."""

    text: str = ""


class Listed(Struct, frozen=True, kw_only=True):
    """An entry of a closed list of reasons, and the basis on which it is one."""

    name_zh: str
    name_en: str
    basis: str = ""


class Procedure(Struct, frozen=True, kw_only=True):
    """A statutory procedure to which a unit may hand over: by which law, and the policy that says until when it has to end."""

    name_zh: str
    name_en: str
    policy: str
    basis: str = ""


Office = Literal["centre", "supervisor", "leaders_office", "arbiter"]
"""What a unit may be to a place by its functions: 热线办, 督查, 领导办公室, 裁定机构."""


class Facts(Protocol):
    """Everything a decision may ask the catalogue."""

    version: int
    emergency_policy: str
    """The clocks of an emergency's receipt: minutes, whatever the rules would give its category."""

    @property
    def calendars(self) -> str:
        """Which calendar holds where, in a word: the same word in two versions says that no clock need be re-based."""

    def emergency(self, channel: str, request: RequestView) -> Target | None:
        """Who takes an emergency (110/119/120/utility), asked before any rule; None for no emergency."""

    def emergencies(self) -> Mapping[str, Target]:
        """The closed list of emergencies, by code, and who takes each: for an officer who says that it is one."""

    def route(self, channel: str, request: RequestView, now: int, raw: Raw, received_at: int) -> Route:
        """The first rule by number that matches (there is always one: the fallback).

        `raw` is the request as it was sent: rules may ask for more of it than decisions do."""

    def resolve(
        self, target: Target, region: str, matter: str = "", excluded: frozenset[str] = frozenset()
    ) -> Unit | None:
        """The unit that holds the function for the place (and matter), an empty role rising a level.

        No unit of `excluded`, nor one below it, is given (recusal). None: nobody up to the province holds it.
        An abolished division code means its successor."""

    def unit(self, unit: str) -> Unit | None:
        """A unit by id."""

    def superior(self, unit: str) -> Unit | None:
        """The unit directly above, for escalation."""

    def children(self, unit: str) -> tuple[Unit, ...]:
        """Second-level units to which this first-level unit may dispatch further."""

    def centre(self, channel: str, region: str) -> Unit:
        """The centre (热线办) that owns cases of this channel and region: triage, review, returns. Never empty."""

    def supervisor(self, region: str, excluded: frozenset[str] = frozenset()) -> Unit | None:
        """The supervising office (督查) at or above the place, other than `excluded` and those below them."""

    def holds(self, unit: str, office: Office, region: str) -> bool:
        """Whether the unit holds this office for the place: there, or at a place above it."""

    def procedures(self) -> Mapping[str, Procedure]:
        """The closed list of statutory procedures, by code; empty where none must be named."""

    def reasons(self, action: str) -> Mapping[str, Listed]:
        """The closed list of reasons for an action, by code; empty where there is none and a reason is free text."""

    def has_category(self, code: str) -> bool:
        """Whether this is a category of appeals."""

    def answer(self, entry: str, now: int) -> str:
        """What the citizen reads of an entry of the knowledge base that is in force; empty where there is none."""

    def arbiter(self, region: str, excluded: frozenset[str] = frozenset()) -> Unit | None:
        """The body that rules who must act (裁定), at or above the place, other than `excluded` and those below them."""

    def on_duty(self, unit: str, at: int) -> Duty | None:
        """The post that is on duty for a unit at this instant, a stand-in before who is stood in for; None: nobody is."""

    def policy(self, policy: str) -> Policy:
        """A clock policy by id."""

    def calendar(self, region: str) -> Calendar:
        """The working calendar in force for a place (national, province, city layers merged)."""

    def calendar_of(self, unit: str) -> Calendar | None:
        """The unit's own working calendar (the department's layer); None where it keeps its place's."""

    def calendar_named(self, calendar: str) -> Calendar:
        """The very calendar version a running clock was started with."""
