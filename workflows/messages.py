"""
The bodies of what leaves: the JSON of the models of `schemas`.

These structs have the field names of the pydantic models (a test validates every message against
them) and leave out what is empty.
"""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from schemas.times import to_text
from workflows.case import Case, clock_key
from workflows.decision import Decision
from workflows.facts import Reason
from workflows.proposals import Proposal
from workflows.refusals import REFUSALS

encode = msgspec.json.Encoder().encode
instant = lru_cache(maxsize=8192)(to_text)


class Body(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of the bodies."""


class Said(Body, frozen=True, kw_only=True):
    zh: str
    en: str


class DueBody(Body, frozen=True, kw_only=True):
    kind: str
    due: str
    provisional: bool = False
    paused: bool = False


class RuleBody(Body, frozen=True, kw_only=True):
    id: str
    number: int
    catalogue: int
    why: tuple[Reason, ...]


class ReplyUnderReviewBody(Body, frozen=True, kw_only=True):
    result: str
    text: str
    unit: str
    unit_name: str
    contacted: bool
    basis: str | None = None
    attachments: Raw | None = None
    unanswered: tuple[str, ...] = ()


class ReturnAskedBody(Body, frozen=True, kw_only=True):
    unit: str
    unit_name: str
    reason: str
    text: str = ""
    basis: str = ""
    attachments: Raw | None = None
    proposed_unit: str | None = None
    number: int = 0


class OrderBody(Body, frozen=True, kw_only=True):
    """What was ordered, and what was reported to it."""

    id: str
    action: str
    unit: str
    unit_name: str
    text: str = ""
    document: str = ""
    post: str = ""
    report: str = ""
    attachments: Raw | None = None


class AppealBody(Body, frozen=True, kw_only=True):
    """What a unit says against a grade."""

    unit: str
    unit_name: str
    text: str
    attachments: Raw


class RefusalBody(Body, frozen=True, kw_only=True):
    """Why a case is not to be taken."""

    ground: str
    basis: str
    where_to_turn: str


class OtherBody(Body, frozen=True, kw_only=True):
    case_id: str
    number: str


class TaskBody(Body, frozen=True, kw_only=True):
    case_id: str
    number: str
    task_id: str
    kind: str
    part: str = ""
    unit: str
    unit_name: str
    leg: str = ""
    title: str = ""
    request: Raw | None = None
    supplements: tuple[Raw, ...] = ()
    reply_under_review: ReplyUnderReviewBody | None = None
    return_asked: ReturnAskedBody | None = None
    urgency: str = "normal"
    rule: RuleBody | None = None
    proposal: Proposal | None = None
    due: list[DueBody]
    allowed: tuple[str, ...]
    parent_task: str | None = None
    round: int = 0
    reason: str | None = None
    order: OrderBody | None = None
    limit: str | None = None
    version: int
    alike: OtherBody | None = None
    members: tuple[str, ...] = ()
    evaluation: Raw | None = None
    appeal: AppealBody | None = None
    former_number: str = ""
    refusal: RefusalBody | None = None


class TaskWithdrawnBody(Body, frozen=True, kw_only=True):
    case_id: str
    number: str
    task_id: str
    reason: str = ""
    at: str
    version: int


class ReplyRefusedBody(Body, frozen=True, kw_only=True):
    case_id: str
    task_id: str
    action: str
    code: str
    text: Said
    state: str | None = None
    source: str | None = None


class OrderAnsweredBody(Body, frozen=True, kw_only=True):
    case_id: str
    action: str
    unit: str
    code: str
    reason: str | None = None
    text: Said | None = None
    state: str | None = None
    source: str | None = None


class IdentityBody(Body, frozen=True, kw_only=True):
    case_id: str
    number: str
    unit: str
    officer: str
    applicant: dict[str, Any]


class ReceiptBody(Body, frozen=True, kw_only=True):
    ref: str
    code: str
    reason: str | None = None
    case_id: str | None = None
    number: str | None = None
    query_code: str | None = None
    text: Said | None = None
    promised_due: str | None = None


class StatusBody(Body, frozen=True, kw_only=True):
    ref: str
    case_id: str
    number: str
    status: str
    at: str
    unit_name: str | None = None
    promised_due: str | None = None
    promised_before: str | None = None
    reason: str | None = None
    text: str | None = None
    procedure: str | None = None
    procedure_name: Said | None = None


class OutcomeBody(Body, frozen=True, kw_only=True):
    ref: str
    case_id: str
    number: str
    reason: str
    text: str | None = None
    at: str
    where_to_turn: str | None = None
    legal_basis: str | None = None
    procedure: str | None = None
    procedure_name: Said | None = None
    procedure_due: str | None = None


class ResemblanceBody(Body, frozen=True, kw_only=True):
    case_id: str
    number: str
    what: str
    count: int
    cases: tuple[str, ...] = ()
    region: str
    category: str = ""
    urgency: str
    at: str
    version: int


class SupervisionBody(Body, frozen=True, kw_only=True):
    case_id: str
    number: str
    kind: str
    leg: str = ""
    unit: str = ""
    unit_name: str = ""
    level: int = 0
    what: str
    turn: int = 0
    post: str = ""
    due: str
    at: str
    version: int


class OverseenBody(Body, frozen=True, kw_only=True):
    case_id: str
    number: str
    what: str
    by: str
    by_name: str
    order: str = ""
    unit: str = ""
    unit_name: str = ""
    leg: str = ""
    reason: str | None = None
    document: str | None = None
    post: str | None = None
    due: str | None = None
    round: int = 0
    at: str
    version: int


class DeadLetterBody(Body, frozen=True, kw_only=True):
    stage: str
    code: str
    source: str
    case: str
    action: str
    text: Said
    input: str = ""


def refusal_text(code: str) -> Said:
    zh, en = REFUSALS[code]
    return Said(zh=zh, en=en)


def unit_name(d: Decision, unit: str) -> str:
    """Its name in the catalogue in force; its id where it is no longer there."""
    known = d.facts.unit(unit)
    return known.name if known else unit


_PROMISED = clock_key("finish", "")


def promised_due(case: Case) -> str | None:
    """What the citizen may be told: while the case is hung, the plan date; in a statutory procedure, when that one must end."""
    if case.oversight is not None and case.oversight.hung:
        return instant(case.oversight.plan)
    if case.state == "in_procedure":
        return next((instant(clock.due) for clock in case.clocks.values() if clock.kind == "statutory"), None)
    clock = case.clocks.get(_PROMISED)
    return instant(clock.due) if clock else None
