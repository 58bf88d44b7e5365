"""
The bodies of what leaves: the JSON of the models of `schemas`, built from a case.

These structs have the field names of the pydantic models (a test validates every message against
them) and leave out what is empty. The request is passed through as it came, but for what the
applicant keeps from a handling unit.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from schemas.times import to_text
from workflows import events as ev
from workflows.case import Case, Clock, Leg, Task, clock_key
from workflows.courses import is_paused, moved_with
from workflows.decision import Decision
from workflows.facts import URGENCIES, Reason
from workflows.feedback import may_redo
from workflows.hanging import HUNG, MEANWHILE
from workflows.legs import level, waits_for
from workflows.proposals import Proposal
from workflows.refusals import REFUSALS
from workflows.states import ACTING, LEG, LEG_ACTION, TASK_ACTIONS

_URGENCIES = {word: word for word in URGENCIES}
"""A default is left out where it is that very text, and one that was read is another: a case read again would word it otherwise."""

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


class DeadLetterBody(Body, frozen=True, kw_only=True):
    stage: str
    code: str
    source: str
    case: str
    action: str
    text: Said


def refusal_text(code: str) -> Said:
    zh, en = REFUSALS[code]
    return Said(zh=zh, en=en)


# -- tasks --------------------------------------------------------------------------------------


class Asked(Struct, frozen=True, gc=False):
    """What the applicant asked, for as many tasks as a record has: the request as it came, as units see it, its title."""

    request: Raw | None
    shown: Raw | None
    title: str


class _Titled(Struct):
    title: str = ""


_titled = msgspec.json.Decoder(_Titled).decode


def asked(case: Case, request: bytes | Raw | None, title: str | None) -> Asked:
    """Read the request once; its `title` where that is known already."""
    if request is None:
        return Asked(None, None, "")
    whole = request if isinstance(request, Raw) else Raw(request)
    shown = whole if case.disclosure == "open" else _without_names(request)
    return Asked(whole, shown, _titled(request).title if title is None else title)


def task_body(
    d: Decision, task: Task, version: int, asked: Asked, reply: Leg | None = None, reason: str = ""
) -> TaskBody:
    """The task as it now stands. `reply`: the leg whose reply is to be looked at."""
    case = d.case
    leg = case.legs.get(task.leg)
    handle = task.kind == "handle" and leg is not None
    return TaskBody(
        case_id=case.id,
        number=case.number,
        task_id=task.id,
        kind=task.kind,
        part=leg.part if leg is not None and handle else "",
        unit=task.unit,
        unit_name=unit_name(d, task.unit),
        leg=task.leg,
        title=asked.title,
        request=asked.request if _sees_names(case, task) else asked.shown,
        supplements=tuple(map(Raw, case.supplements)) if case.supplements else (),
        reply_under_review=_reply_body(d, reply) if reply else None,
        return_asked=_return_body(d, leg, task.reason) if leg is not None and task.kind in _ABOUT_A_RETURN else None,
        urgency=_URGENCIES.get(case.urgency, case.urgency),
        rule=RuleBody(id=case.rule, number=case.rule_number, catalogue=case.rule_catalogue, why=case.why)
        if case.rule
        else None,
        proposal=case.proposal,
        due=_dues(case, task),
        allowed=_allowed(d, leg) if leg is not None and handle else _of_officers(d, task, leg),
        parent_task=case.legs[leg.parent].task if leg and leg.parent else None,
        round=leg.round if leg else 0,
        reason=reason or task.reason or None,
        order=_order_body(d, task) if task.kind in ("report", "read_report") else None,
        limit=task.limit or None,
        version=version,
        alike=_alike(case, task) if case.star else None,
        members=tuple([member.number for member in case.star.members.values()]) if case.star else (),
    )


def _sees_names(case: Case, task: Task) -> bool:
    """The centre, whoever must call back, and who takes an emergency; whoever handles it sees what the applicant shows."""
    return task.kind != "handle" and (task.unit == case.centre or task.kind in ("confirm_receipt", "call_back"))


def _order_body(d: Decision, task: Task) -> OrderBody | None:
    for order in d.case.oversight.standing if d.case.oversight else ():
        if task.id in (order.task, order.reading):
            return OrderBody(
                id=order.id, action=order.action, unit=order.by, unit_name=unit_name(d, order.by), text=order.text,
                document=order.document, post=order.post, report=order.report,
                attachments=Raw(order.attachments) if order.attachments else None,
            )  # fmt: skip
    return None


def _alike(case: Case, task: Task) -> OtherBody | None:
    """The case that a dispatcher is asked about."""
    if case.star is None or task.kind != "decide_merge":
        return None
    return OtherBody(case_id=case.star.proposed, number=case.star.proposed_number)


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


def _allowed(d: Decision, leg: Leg) -> tuple[str, ...]:
    """What the unit may answer as things stand; the limits of time and person are told only when it tries."""
    if leg.part == "copy":
        return ("sign",) if leg.state == "dispatched" else ()
    may = [action for action, fits in _ALLOWED[leg.state] if fits(d, leg)]
    if leg.state == "dispatched":
        may.insert(0, "sign")
    if d.case.state == HUNG and leg.part == "lead":
        may = [action for action in may if action in MEANWHILE]
    return tuple(may)


def _may_return(d: Decision, leg: Leg) -> bool:
    return d.policy.returns and (bool(leg.parent) or d.case.disputes is None or d.case.disputes.ruling is None)


def _has_units_below(d: Decision, leg: Leg) -> bool:
    return (not leg.parent or level(leg) < d.policy.levels) and bool(d.facts.children(leg.unit))


def _is_paused(d: Decision, leg: Leg) -> bool:
    return bool(d.policy.pauses) and any(map(is_paused, moved_with(d, leg, ("leg", "case"))))


_FITS: Mapping[str, Callable[[Decision, Leg], bool]] = {
    "sub_dispatch": _has_units_below,
    "recall": lambda d, leg: any(child.parent == leg.id and child.open for child in d.case.legs.values()),
    "send_back_below": lambda d, leg: any(
        child.parent == leg.id and child.state == "replied" for child in d.case.legs.values()
    ),
    "return": _may_return,
    "arbitrate": lambda d, leg: not leg.parent and leg.state == "return_rejected",
    "reply": lambda d, leg: not waits_for(d.case, leg),
    "ask_extension": lambda d, leg: d.policy.extensions is not None,
    "pause": lambda d, leg: bool(d.policy.pauses) and not _is_paused(d, leg),
    "go_on": _is_paused,
    "ask_hang": lambda d, leg: bool(d.policy.hangs) and leg.part == "lead",
}
"""What must be so that an action which the table allows is offered; of any other, nothing."""
_BELOW = ("recall", "send_back_below")
"""What needs units below: a leg that is not signed has none."""

_ALLOWED: Mapping[str, tuple[tuple[str, Callable[[Decision, Leg], bool]], ...]] = {
    state: tuple(
        (action, _FITS.get(action, lambda d, leg: True))
        for action in ACTING
        if LEG_ACTION.get(action, action) in LEG["signed" if state == "dispatched" else state]
        and not (state == "dispatched" and action in _BELOW)
    )
    for state in LEG
}
"""What the table allows in each state; before it is signed, what it will allow then."""


def _of_officers(d: Decision, task: Task, leg: Leg | None) -> tuple[str, ...]:
    """A return inside a unit's own house does not go to arbitration; nothing is done again more often than the policy says."""
    if task.kind == "call_back" and not may_redo(d):
        return tuple(action for action in TASK_ACTIONS[task.kind] if action != "redo")
    if task.kind == "decide_return" and leg is not None and leg.parent:
        return tuple(action for action in TASK_ACTIONS[task.kind] if action != "arbitrate")
    return TASK_ACTIONS[task.kind]


def _dues(case: Case, task: Task) -> list[DueBody]:
    """The running clocks that whoever has the task must keep: its own and its leg's; the citizen's where it has no such one."""
    citizens: dict[str, Clock] = {}
    own: dict[str, Clock] = {}
    leg = task.leg if task.kind == "handle" else task.id
    for clock in case.clocks.values():
        if clock.running and (not clock.of or clock.kind in ("statutory", "follow_up")):
            citizens[clock.kind] = clock
        elif clock.running and clock.of in (task.id, leg):
            own[clock.kind] = clock
    return [
        _due_body(clock.kind, clock.due, clock.provisional, clock.course is not None and bool(clock.course.pause))
        for clock in (citizens | own).values()
    ]


@lru_cache(maxsize=8192)
def _due_body(kind: str, due: int, provisional: bool, paused: bool) -> DueBody:
    return DueBody(kind=kind, due=to_text(due), provisional=provisional, paused=paused)


def _reply_body(d: Decision, leg: Leg) -> ReplyUnderReviewBody:
    return ReplyUnderReviewBody(
        result=leg.result,
        text=leg.text,
        unit=leg.unit,
        unit_name=unit_name(d, leg.unit),
        contacted=leg.contacted,
        basis=leg.basis or None,
        attachments=Raw(leg.attachments) if leg.attachments else None,
        unanswered=_unanswered(d.case) if leg.part == "lead" else (),
    )


def _unanswered(case: Case) -> tuple[str, ...]:
    """The assisting units that have not answered yet."""
    return tuple([leg.unit for leg in case.legs.values() if leg.part == "assist" and leg.open])


_ABOUT_A_RETURN = frozenset({"decide_return", "arbitrate"})


def _return_body(d: Decision, leg: Leg, reason: str) -> ReturnAskedBody:
    """What the unit says against having the leg"""
    asked = d.case.disputes.asked.get(leg.id) if d.case.disputes else None
    return ReturnAskedBody(
        unit=leg.unit,
        unit_name=unit_name(d, leg.unit),
        reason=asked.reason if asked else reason,
        text=asked.text if asked else "",
        basis=asked.basis if asked else "",
        attachments=Raw(asked.attachments) if asked and asked.attachments else None,
        proposed_unit=leg.proposed or None,
        number=asked.number if asked else 0,
    )


def _without_names(request: bytes | Raw) -> Raw:
    """The request as a handling unit sees it: who asks for confidence or anonymity is not named to it."""
    body: dict[str, Any] = msgspec.json.decode(request)
    applicant = body.get("applicant") or {}
    body["applicant"] = {name: applicant[name] for name in ("kind", "disclosure") if name in applicant}
    for name in ("co_applicants", "recording_ref"):
        body.pop(name, None)
    return Raw(encode(body))


def identity(case: Case, event: ev.IdentityRevealed, request: bytes | Raw | None) -> IdentityBody:
    """The fields that were asked for, of what the applicant gave."""
    said: dict[str, Any] = msgspec.json.decode(request) if request is not None else {}
    applicant = said.get("applicant") or {}
    kept = ("kind", "disclosure", *event.fields)
    return IdentityBody(
        case_id=case.id, number=case.number, unit=event.unit, officer=event.officer,
        applicant={name: applicant[name] for name in kept if name in applicant},
    )  # fmt: skip


# -- supervisors --------------------------------------------------------------------------------


def supervision_body(
    d: Decision, event: ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated, level: int, what: str, version: int
) -> SupervisionBody:
    """A warning, an overdue clock or a rung of the ladder; of an officer's task, with the leg that the task is about."""
    case = d.case
    task = case.tasks.get(event.of)
    return SupervisionBody(
        case_id=case.id,
        number=case.number,
        kind=event.kind,
        leg=task.leg if task else event.of,
        unit=event.unit,
        unit_name=unit_name(d, event.unit),
        level=level,
        what=what,
        turn=event.turn if isinstance(event, ev.CaseEscalated) else 0,
        post=event.post if isinstance(event, ev.CaseEscalated) else "",
        due=instant(case.clocks[clock_key(event.kind, event.of)].due),
        at=instant(d.now),
        version=version,
    )


def resemblance_body(case: Case, event: ev.ResemblanceFound, now: int, version: int) -> ResemblanceBody:
    """Many at one place, or one who comes again and again: the numbers, and nobody's words or names."""
    return ResemblanceBody(
        case_id=case.id,
        number=case.number,
        what=event.what,
        count=event.count,
        cases=tuple([other.number for other in event.cases]),
        region=case.region,
        category=case.category,
        urgency=case.urgency,
        at=instant(now),
        version=version,
    )
