"""
The tasks that units and officers get: one that opened, one that is over, one whose holder learns something.

A task that comes again under the same id replaces what its endpoint knew of it (a reply that rose, a supplement, a rejected
return).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from workflows import commands as cmd
from workflows import events as ev
from workflows.case import Case, Leg, Task, clock_key
from workflows.folds.stars import shared
from workflows.messages import IdentityBody, TaskWithdrawnBody, instant
from workflows.outbox import ASSIGNED, IDENTITY_REVEALED, SENT_BACK, WITHDRAWN
from workflows.oversight import is_quiet
from workflows.post import Post
from workflows.task_body import task_body


def opened_and_over(post: Post, before: Case | None) -> None:
    """What was open and is not, and what is open now and was not."""
    old, new = before.tasks if before else {}, post.case.tasks
    if old is new:
        return
    command = post.command
    acted = (command.task, command.endpoint) if type(command) is cmd.Reply else None
    for task in old.values():
        if task.id not in new and (task.id, task.endpoint) != acted:
            _withdraw(post, task)
    for task in new.values():
        if task.id not in old:
            _assign(post, task)


_SHOWN = frozenset({"review", "call_back", "judge_review"})
"""Tasks about what a unit has answered."""


def _assign(post: Post, task: Task, reason: str = "") -> None:
    leg = post.case.legs.get(task.leg)
    again = task.kind == "handle" and leg is not None and leg.state == "sent_back"
    shown = _shown(post.case, task) if task.kind in _SHOWN else None
    tell(post, SENT_BACK if again else ASSIGNED, task, shown, reason)


def _shown(case: Case, task: Task) -> Leg | None:
    """The reply that a task is about: a leg's, or the head's that ended the case."""
    return case.legs.get(task.leg) or shared(case) if task.kind in _SHOWN else None


def handed_over(post: Post, reason: str) -> None:
    """All that is open, to whoever has it; `reason` where the task has none of its own, by which it is decided."""
    for task in post.case.tasks.values():
        _assign(post, task, task.reason or reason)


Again = Iterable[tuple[Task, Leg | None, str]]
"""Open tasks whose holders learn something: (task, the reply that rose to it, why)."""


def return_rejected(case: Case, event: ev.LegReturnRejected) -> Again:
    yield case.tasks[case.legs[event.leg].task], None, event.reason or "return_rejected"


def ruled(case: Case, event: ev.CaseRuled) -> Again:
    """Who keeps the work is told; who loses it gets it withdrawn."""
    leg = case.legs[event.leg]
    if leg.task in case.tasks:
        yield case.tasks[leg.task], None, event.reason


def reply_below(case: Case, event: ev.LegReplied) -> Again:
    """The lead's own reply is a task of its own: its review."""
    leg = case.legs[event.leg]
    answers_for = case.legs.get(leg.parent) or case.lead
    if not event.task and answers_for is not None and answers_for.task in case.tasks:
        yield case.tasks[answers_for.task], leg, "reply_below"


def supplemented(case: Case, event: ev.CaseSupplemented) -> Again:
    if is_quiet(case):
        return
    for task in case.tasks.values():
        yield task, _shown(case, task), "supplemented"


def member_spoke(case: Case, event: ev.MemberSpoke) -> Again:
    for task in case.tasks.values():
        yield task, _shown(case, task), f"member_{event.what}: {event.number}"


def hung(case: Case, event: ev.CaseHung | ev.HangRefused | ev.HangReleased) -> Again:
    """The lead learns what became of it."""
    task = case.tasks.get(case.legs[event.leg].task)
    if task is not None:
        yield task, None, event.reason if isinstance(event, ev.HangRefused) else _HANGING[type(event)]


def plan_moved(case: Case, event: ev.PlanReviewed) -> Again:
    """The lead learns of another date."""
    task = case.tasks.get(case.legs[event.leg].task)
    if event.plan and task is not None:
        yield task, None, "plan_moved"


_HANGING: Mapping[type[ev.Event], str] = {ev.CaseHung: "hung", ev.HangReleased: "released"}


def procedure_due(case: Case, event: ev.ClockOverdue) -> Again:
    """It must have ended by now: how did it?"""
    for task in case.tasks.values() if event.kind == "statutory" else ():
        if task.kind == "end_procedure":
            yield task, None, "procedure_due"


def withdrawal_noted(case: Case, event: ev.WithdrawalNoted) -> Again:
    for task in case.tasks.values():
        yield task, case.legs.get(task.leg) if task.kind == "review" else None, "withdrawal_noted"


def urged(case: Case, event: ev.CaseUrged) -> Again:
    if not event.unit and is_quiet(case):
        return
    for task in case.tasks.values():
        if not event.leg or (task.leg == event.leg and task.kind == "handle"):
            yield task, _shown(case, task), "urged"


def escalated_again(case: Case, event: ev.CaseEscalated) -> Again:
    """Who has not said yet that he has seen it."""
    if event.again in case.tasks:
        yield case.tasks[event.again], None, event.what


def extension_decided(case: Case, event: ev.ExtensionDecided) -> Again:
    task = case.tasks.get(case.legs[event.leg].task)
    if task is not None:
        yield task, None, "extension_granted" if event.limit else event.reason


def went_on(case: Case, event: ev.ClockWentOn) -> Again:
    """Whoever asked for it knows."""
    leg = case.legs.get(event.of)
    if event.why == "pause_used_up" and leg is not None and leg.task in case.tasks:
        yield case.tasks[leg.task], None, event.why


def clock_moved(case: Case, event: ev.ClockRebased) -> Again:
    """Whoever has to keep it; of the citizen's clock those who have none of this kind of their own."""
    for task in case.tasks.values():
        own = task.leg if task.kind == "handle" else task.id
        keeps = own if clock_key(event.kind, own) in case.clocks else ""
        if event.due != event.before and keeps == event.of:
            yield task, case.legs.get(task.leg) if task.kind == "review" else None, "due_moved"


def tell(post: Post, kind: str, task: Task, reply: Leg | None, reason: str = "") -> None:
    post.to_endpoint(task.endpoint, kind, task_body(post.d, task, post.version, post.asked, reply, reason))


_LOST = {"returned": "returned", "withdrawn": "taken_back", "replied": "answered_above"}
"""Why a unit's task is over though its case is not, by the state of its leg."""
_LEFT = {"redirected": "redirected"}
"""Why nobody here handles it any more, by the state of the case."""


def _withdraw(post: Post, task: Task) -> None:
    case = post.case
    leg = case.legs.get(task.leg)
    reason = case.close_reason
    if not reason and any(isinstance(event, ev.MergeConfirmed) for event in post.d.events):
        reason = "merged"
    if leg is not None and not reason:
        reason = _LOST.get(leg.state, "")
    reason = _LEFT.get(case.state, reason)
    post.to_endpoint(
        task.endpoint,
        WITHDRAWN,
        TaskWithdrawnBody(
            case_id=case.id,
            number=case.number,
            task_id=task.id,
            reason=reason,
            at=instant(post.d.now),
            version=post.version,
        ),
    )


def revealed(post: Post, event: ev.IdentityRevealed) -> None:
    """Of who asks for confidence: the fields that were asked for, of what the applicant gave, to whoever may see them."""
    case, request = post.case, post.asked.request
    said: dict[str, Any] = msgspec.json.decode(request) if request is not None else {}
    applicant = said.get("applicant") or {}
    kept = ("kind", "disclosure", *event.fields)
    post.to_endpoint(
        event.endpoint,
        IDENTITY_REVEALED,
        IdentityBody(
            case_id=case.id,
            number=case.number,
            unit=event.unit,
            officer=event.officer,
            applicant={name: applicant[name] for name in kept if name in applicant},
        ),
    )
