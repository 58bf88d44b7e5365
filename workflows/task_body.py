"""
The body of a task: what its holder must know to act, as the case now stands.

The request is passed through as it came, but for what the applicant keeps from a handling unit.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from schemas.times import to_text
from workflows import offered
from workflows.bounds import is_paused
from workflows.case import Case, Clock, Leg, Task
from workflows.decision import Decision
from workflows.facts import URGENCIES
from workflows.messages import (
    AppealBody,
    DueBody,
    OrderBody,
    OtherBody,
    RefusalBody,
    ReplyUnderReviewBody,
    ReturnAskedBody,
    RuleBody,
    TaskBody,
    encode,
    unit_name,
)

_URGENCIES = {word: word for word in URGENCIES}
"""A default is left out where it is that very text, and one that was read is another: a case read again would word it otherwise."""


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
    handled = leg if task.kind == "handle" else None
    body = TaskBody(
        case_id=case.id,
        number=case.number,
        task_id=task.id,
        kind=task.kind,
        part=handled.part if handled else "",
        unit=task.unit,
        unit_name=unit_name(d, task.unit),
        leg=task.leg,
        title=asked.title,
        request=asked.shown if handled or not _sees_names(case, task) else asked.request,
        supplements=tuple(map(Raw, case.supplements)) if case.supplements else (),
        reply_under_review=_reply_body(d, reply) if reply else None,
        urgency=_URGENCIES.get(case.urgency, case.urgency),
        rule=RuleBody(id=case.rule, number=case.rule_number, catalogue=case.rule_catalogue, why=case.why)
        if case.rule
        else None,
        proposal=case.proposal,
        due=_dues(case, task),
        allowed=offered.of_leg(d, handled) if handled else offered.of_officer(d, task, leg),
        round=leg.round if leg else 0,
        reason=reason or task.reason or None,
        version=version,
    )
    beside = _beside(d, task, leg)
    return replace(body, **beside) if beside else body


def _beside(d: Decision, task: Task, leg: Leg | None) -> dict[str, Any]:
    """What few tasks tell."""
    case = d.case
    told = _BESIDE[task.kind](d, task) if task.kind in _BESIDE else {}
    if leg is not None and leg.parent:
        told["parent_task"] = case.legs[leg.parent].task
    if task.limit:
        told["limit"] = task.limit
    if case.former:
        told["former_number"] = case.former
    if case.star is not None:
        told["members"] = tuple([member.number for member in case.star.members.values()])
    return told


def _sees_names(case: Case, task: Task) -> bool:
    """The centre, whoever must call back, and who takes an emergency; whoever handles it sees what the applicant shows."""
    return task.kind != "handle" and (task.unit == case.centre or task.kind in ("confirm_receipt", "call_back"))


def _dues(case: Case, task: Task) -> list[DueBody]:
    """The running clocks that whoever has the task must keep: its own and its leg's; the citizen's where it has no such one."""
    citizens: dict[str, Clock] = {}
    own: dict[str, Clock] = {}
    leg = task.leg if task.kind == "handle" else task.id
    for clock in case.clocks.values():
        if not clock.running:
            continue
        if not clock.of or clock.kind in ("statutory", "follow_up"):
            citizens[clock.kind] = clock
        elif clock.of == leg or clock.of == task.id:
            own[clock.kind] = clock
    return [
        _due_body(clock.kind, clock.due, clock.provisional, is_paused(clock)) for clock in (citizens | own).values()
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
        unanswered=_unanswered(d.case) if leg.part == "lead" and len(d.case.legs) > 1 else (),
    )


def _unanswered(case: Case) -> tuple[str, ...]:
    """The assisting units that have not answered yet."""
    return tuple([leg.unit for leg in case.legs.values() if leg.part == "assist" and leg.open])


def _return_asked(d: Decision, task: Task) -> dict[str, Any]:
    """What the unit says against having the leg"""
    leg = d.case.legs.get(task.leg)
    if leg is None:
        return {}
    asked = d.case.disputes.asked.get(leg.id) if d.case.disputes else None
    body = ReturnAskedBody(
        unit=leg.unit,
        unit_name=unit_name(d, leg.unit),
        reason=asked.reason if asked else task.reason,
        text=asked.text if asked else "",
        basis=asked.basis if asked else "",
        attachments=Raw(asked.attachments) if asked and asked.attachments else None,
        proposed_unit=leg.proposed or None,
        number=asked.number if asked else 0,
    )
    return {"return_asked": body}


def _order(d: Decision, task: Task) -> dict[str, Any]:
    for order in d.case.oversight.standing if d.case.oversight else ():
        if task.id in (order.task, order.reading):
            body = OrderBody(
                id=order.id, action=order.action, unit=order.by, unit_name=unit_name(d, order.by), text=order.text,
                document=order.document, post=order.post, report=order.report,
                attachments=Raw(order.attachments) if order.attachments else None,
            )  # fmt: skip
            return {"order": body}
    return {}


def _alike(d: Decision, task: Task) -> dict[str, Any]:
    """The case that a dispatcher is asked about."""
    star = d.case.star
    return {"alike": OtherBody(case_id=star.proposed, number=star.proposed_number)} if star else {}


def _refusal(d: Decision, task: Task) -> dict[str, Any]:
    """What was proposed, or is objected to: who confirms it answers for that very ground."""
    held = d.case.refusal
    if held is None:
        return {}
    return {"refusal": RefusalBody(ground=held.ground, basis=held.basis, where_to_turn=held.where_to_turn)}


def _evaluation(d: Decision, task: Task) -> dict[str, Any]:
    """The grade that is looked into, and why it was given."""
    case, held = d.case, d.case.feedback
    if held is not None and held.said:
        return {"evaluation": Raw(held.said)}
    return {"evaluation": Raw(encode({"grade": case.grade}))} if case.grade else {}


def _appeal(d: Decision, task: Task) -> dict[str, Any]:
    """The same, and what is said against it."""
    appeal = d.case.feedback.appeal if d.case.feedback else None
    if appeal is None:
        return _evaluation(d, task)
    body = AppealBody(
        unit=appeal.by, unit_name=unit_name(d, appeal.by), text=appeal.text, attachments=Raw(appeal.attachments)
    )
    return _evaluation(d, task) | {"appeal": body}


_BESIDE: Mapping[str, Callable[[Decision, Task], dict[str, Any]]] = {
    "decide_return": _return_asked,
    "arbitrate": _return_asked,
    "report": _order,
    "read_report": _order,
    "decide_merge": _alike,
    "confirm_refusal": _refusal,
    "call_back": _evaluation,
    "judge_review": _appeal,
}
"""What only tasks of a kind tell."""


def _without_names(request: bytes | Raw) -> Raw:
    """The request as a handling unit sees it: who asks for confidence or anonymity is not named to it."""
    body: dict[str, Any] = msgspec.json.decode(request)
    applicant = body.get("applicant") or {}
    body["applicant"] = {name: applicant[name] for name in ("kind", "disclosure") if name in applicant}
    for name in ("co_applicants", "recording_ref"):
        body.pop(name, None)
    return Raw(encode(body))
