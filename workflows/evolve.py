"""
Folding: a case and an event give the case after it. Looks nothing up and decides nothing.

`evolve` of a released event version never changes, so a replay of `case.events` gives the state of
every case. A status moves only along the tables of workflows/states.py; a KeyError here means that
`decide` said something it may not say.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Clock, Leg, Pending, Refusal, Task, clock_key, remembering, stub, unborn
from workflows.states import APPEAL, LEAD_MOVES, LEG


def evolve(case: Case, event: ev.AnyEvent, at: int) -> Case:
    """The case after `event`, which happened at `at`."""
    return FOLDS[type(event)](case, event, at)


def fold(case: Case | None, record: ev.EventRecord) -> Case | None:
    """The case after all that one command brought about; None where it is kept no longer."""
    moved = reduce(lambda c, event: evolve(c, event, record.at), record.events, case or unborn(record.case))
    settled = settle(moved, record)
    return None if settled.is_forgotten else settled


def settle(case: Case, record: ev.EventRecord) -> Case:
    """What the record itself says, beside its events: version, the command that caused it, what it sent."""
    sent = dict(case.sent)
    for destination in record.sent:
        sent[destination] = sent.get(destination, 0) + 1
    return replace(case, version=record.version, seen=remembering(case.seen, record.cause), sent=sent)


class Started(NamedTuple):
    """Clocks that begin together, and what folding their events adds to a case: many cases share both."""

    events: tuple[ev.ClockStarted, ...]
    clocks: dict[str, Clock]


def started(events: Iterable[ev.ClockStarted]) -> Started:
    """These clocks, folded."""
    begun = tuple(events)
    return Started(begun, {clock_key(e.kind, e.of): _clock(e) for e in begun})


def with_clocks(case: Case, more: Started) -> Case:
    """The same as `evolve` with each of the events."""
    return replace(case, clocks=case.clocks | more.clocks if case.clocks else more.clocks)


def without_clocks(case: Case, stopped: Sequence[ev.ClockStopped]) -> Case:
    """The same as `evolve` with each of the events."""
    keys = [clock_key(e.kind, e.of) for e in stopped]
    return replace(case, clocks=case.clocks | {key: replace(case.clocks[key], running=False) for key in keys})


# -- the case -----------------------------------------------------------------------------------


def _registered(case: Case, e: ev.CaseRegistered, at: int) -> Case:
    return Case(
        id=case.id, state="registered", number=e.number, digest=e.digest, channel=e.channel, ref=e.ref,
        query_code=e.query_code, received_at=e.received_at, centre=e.centre, centre_endpoint=e.centre_endpoint,
        appeal_kind=e.appeal_kind, region=e.region, category=e.category, matter=e.matter, urgency=e.urgency,
        disclosure=e.disclosure, excluded=e.excluded, proposal=e.proposal,
    )  # fmt: skip


def _unchanged(case: Case, e: ev.Event, at: int) -> Case:
    return case


def _redirected(case: Case, e: ev.EmergencyRedirected, at: int) -> Case:
    task = Task(e.task, "confirm_receipt", e.unit, e.endpoint)
    return _opened(replace(case, state=_to(case, "redirect"), policy=e.policy), task)


def _receipt_confirmed(case: Case, e: ev.RedirectConfirmed, at: int) -> Case:
    return _without(replace(case, state=_to(case, "confirm_receipt")), "confirm_receipt")


def _answered_at_once(case: Case, e: ev.CaseAnsweredAtOnce, at: int) -> Case:
    return replace(case, state=_to(case, "answer_at_once"))


def _routed(case: Case, e: ev.CaseRouted, at: int) -> Case:
    return replace(
        case, policy=e.policy, rule=e.rule, rule_number=e.number, rule_catalogue=e.catalogue, why=e.why, plan=e.stages
    )


def _urgency_raised(case: Case, e: ev.UrgencyRaised, at: int) -> Case:
    return replace(case, urgency=e.urgency)


def _accepted(case: Case, e: ev.CaseAccepted, at: int) -> Case:
    return replace(case, state=_to(case, "accept"), accepted_by=e.by)


def _refusal_proposed(case: Case, e: ev.RefusalProposed, at: int) -> Case:
    task = Task(e.task, "confirm_refusal", case.centre, e.endpoint)
    refusal = Refusal(e.ground, e.basis, e.where_to_turn)
    return _opened(replace(case, state=_to(case, "propose_refusal"), refusal=refusal), task)


def _refusal_rejected(case: Case, e: ev.RefusalRejected, at: int) -> Case:
    return _without(replace(case, state=_to(case, "reject_refusal"), refusal=None), "confirm_refusal")


def _refused(case: Case, e: ev.CaseRefused, at: int) -> Case:
    refusal = Refusal(e.ground, e.basis, e.where_to_turn)
    return _without(replace(case, state=_to(case, "confirm_refusal"), refusal=refusal), "confirm_refusal")


def _triage_asked(case: Case, e: ev.TriageAsked, at: int) -> Case:
    task = Task(e.task, "triage", case.centre, e.endpoint, e.leg, e.reason)
    whole = not e.leg or case.legs[e.leg].part == "lead"
    return _opened(replace(case, state=_to(case, "ask_triage")) if whole else case, task)


def _triage_ended(case: Case, e: ev.TriageEnded, at: int) -> Case:
    return replace(case, tasks=_less(case.tasks, e.task))


def _stage_opened(case: Case, e: ev.StageOpened, at: int) -> Case:
    return replace(case, stage=e.stage)


def _supplemented(case: Case, e: ev.CaseSupplemented, at: int) -> Case:
    return replace(case, state=_to(case, "supplement"), supplements=(*case.supplements, bytes(e.body)))


def _withdrawn(case: Case, e: ev.CaseWithdrawn, at: int) -> Case:
    return replace(case, state=_to(case, "withdraw"))


def _evaluated(case: Case, e: ev.CaseEvaluated, at: int) -> Case:
    return replace(case, state=_to(case, "evaluate"), grade=e.grade)


def _closed(case: Case, e: ev.CaseClosed, at: int) -> Case:
    return replace(
        case,
        state=_to(case, "close"),
        close_reason=e.reason,
        closed_at=at,
        archive_at=e.archive_at,
        tasks={},
        clocks={},
    )


def _archived(case: Case, e: ev.CaseArchived, at: int) -> Case:
    return stub(replace(case, state=_to(case, "archive")), e.forget_at)


def _forgotten(case: Case, e: ev.CaseForgotten, at: int) -> Case:
    return replace(case, state=_to(case, "forget"), forget_at=0)


# -- the legs -----------------------------------------------------------------------------------


def _dispatched(case: Case, e: ev.LegDispatched, at: int) -> Case:
    if e.parent:
        case = _moved(case, e.parent, "sub_dispatch")
    state = _to(case, "dispatch") if e.part == "lead" and not e.parent else case.state
    leg = Leg(
        e.leg, e.task, e.unit, e.endpoint, e.part, at,
        parent=e.parent, function=e.function, matter=e.matter, stage=e.stage, blocking=e.blocking,
    )  # fmt: skip
    return replace(case, state=state, legs={**case.legs, e.leg: leg}, tasks={**case.tasks, e.task: _handling(leg)})


def _signed(case: Case, e: ev.LegSigned, at: int) -> Case:
    moved = _moved(case, e.leg, "deem_signed" if e.deemed else "sign")
    leg = moved.legs[e.leg]
    return moved if leg.open else replace(moved, tasks=_less(moved.tasks, leg.task))


def _return_asked(case: Case, e: ev.LegReturnAsked, at: int) -> Case:
    task = Task(e.task, "decide_return", e.unit or case.centre, e.endpoint, e.leg, e.reason)
    return _opened(_moved(case, e.leg, "ask_return", proposed=e.proposed), task)


def _returned(case: Case, e: ev.LegReturned, at: int) -> Case:
    moved = _moved(case, e.leg, "accept_return")
    return _without(replace(moved, tasks=_less(moved.tasks, moved.legs[e.leg].task)), "decide_return", e.leg)


def _return_rejected(case: Case, e: ev.LegReturnRejected, at: int) -> Case:
    return _without(_moved(case, e.leg, "reject_return"), "decide_return", e.leg)


def _replied(case: Case, e: ev.LegReplied, at: int) -> Case:
    moved = _moved(
        case, e.leg, "reply",
        result=e.result, text=e.text, contacted=e.contacted, basis=e.basis, attachments=bytes(e.attachments or b""),
    )  # fmt: skip
    moved = replace(moved, tasks=_less(moved.tasks, moved.legs[e.leg].task))
    return _opened(moved, Task(e.task, "review", case.centre, e.endpoint, e.leg)) if e.task else moved


def _review_passed(case: Case, e: ev.LegReviewPassed, at: int) -> Case:
    return _without(_moved(case, e.leg, "pass"), "review", e.leg)


def _sent_back(case: Case, e: ev.LegSentBack, at: int) -> Case:
    moved = _moved(case, e.leg, "send_back", round=e.round, result="", text="", basis="", attachments=b"")
    return _opened(_without(moved, "review", e.leg), _handling(moved.legs[e.leg], e.reason))


def _leg_withdrawn(case: Case, e: ev.LegWithdrawn, at: int) -> Case:
    moved = _moved(case, e.leg, "withdraw")
    return replace(moved, tasks=_less(moved.tasks, moved.legs[e.leg].task))


# -- the clocks ---------------------------------------------------------------------------------


def _clock_started(case: Case, e: ev.ClockStarted, at: int) -> Case:
    return replace(case, clocks={**case.clocks, clock_key(e.kind, e.of): _clock(e)})


def _clock(e: ev.ClockStarted) -> Clock:
    marks = tuple([Pending(m.at, m.what, m.level, m.who, m.step) for m in e.marks])
    return Clock(e.kind, e.of, e.calendar, e.budget, e.anchor, e.due, e.provisional, marks)


def _clock_stopped(case: Case, e: ev.ClockStopped, at: int) -> Case:
    return without_clocks(case, (e,))


def _clock_resumed(case: Case, e: ev.ClockResumed, at: int) -> Case:
    key = clock_key(e.kind, e.of)
    return replace(case, clocks={**case.clocks, key: replace(case.clocks[key], running=True)})


def _mark_fired(case: Case, e: ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated, at: int) -> Case:
    """Marks fire in the order of their times, so it was the first one."""
    key = clock_key(e.kind, e.of)
    clock = case.clocks[key]
    return replace(case, clocks={**case.clocks, key: replace(clock, marks=clock.marks[1:])})


# -- how states, tasks and clocks move ----------------------------------------------------------


def _to(case: Case, action: str) -> str:
    return APPEAL[case.state][action]


def _moved(case: Case, leg_id: str, action: str, **changes: Any) -> Case:
    """The leg after `action`, and the appeal with it where it is the lead's."""
    leg = case.legs[leg_id]
    legs = {**case.legs, leg_id: replace(leg, state=LEG[leg.state][action], **changes)}
    if leg.part == "lead" and action in LEAD_MOVES:
        return replace(case, legs=legs, state=_to(case, "sign" if action == "deem_signed" else action))
    return replace(case, legs=legs)


def _handling(leg: Leg, reason: str = "") -> Task:
    return Task(leg.task, "handle", leg.unit, leg.endpoint, leg.id, reason)


def _opened(case: Case, task: Task) -> Case:
    return replace(case, tasks={**case.tasks, task.id: task})


def _without(case: Case, kind: str, leg: str = "") -> Case:
    """Without the task of this kind (about this leg)."""
    return replace(case, tasks={i: t for i, t in case.tasks.items() if (t.kind, t.leg) != (kind, leg)})


def _less(tasks: dict[str, Task], task: str) -> dict[str, Task]:
    return {i: t for i, t in tasks.items() if i != task}


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.CaseRegistered: _registered,
    ev.DuplicateReceived: _unchanged,
    ev.IdReused: _unchanged,
    ev.CommandRefused: _unchanged,
    ev.EmergencyRedirected: _redirected,
    ev.RedirectConfirmed: _receipt_confirmed,
    ev.CaseAnsweredAtOnce: _answered_at_once,
    ev.CaseRouted: _routed,
    ev.UrgencyRaised: _urgency_raised,
    ev.CaseAccepted: _accepted,
    ev.RefusalProposed: _refusal_proposed,
    ev.RefusalRejected: _refusal_rejected,
    ev.CaseRefused: _refused,
    ev.TriageAsked: _triage_asked,
    ev.TriageEnded: _triage_ended,
    ev.StageOpened: _stage_opened,
    ev.CaseSupplemented: _supplemented,
    ev.CaseWithdrawn: _withdrawn,
    ev.CaseEvaluated: _evaluated,
    ev.CaseClosed: _closed,
    ev.CaseArchived: _archived,
    ev.CaseForgotten: _forgotten,
    ev.LegDispatched: _dispatched,
    ev.LegSigned: _signed,
    ev.LegReturnAsked: _return_asked,
    ev.LegReturned: _returned,
    ev.LegReturnRejected: _return_rejected,
    ev.LegReplied: _replied,
    ev.LegReviewPassed: _review_passed,
    ev.LegSentBack: _sent_back,
    ev.LegWithdrawn: _leg_withdrawn,
    ev.ClockStarted: _clock_started,
    ev.ClockStopped: _clock_stopped,
    ev.ClockResumed: _clock_resumed,
    ev.ClockWarned: _mark_fired,
    ev.ClockOverdue: _mark_fired,
    ev.CaseEscalated: _mark_fired,
}
