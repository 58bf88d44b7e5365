"""
From records of `case.events` and `case.outbox` to rows of the read model: pure, one batch at a time.

Folding the same stretch of the log again gives the same rows: a row takes what the event says and
never counts. Records of one case come in the order of their versions (one partition per case).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from adapters.readmodel import Batch, CaseRow, ClockRow, DeliveryRow, LegRow, StepRow
from router.projector.kept import detail
from workflows import events as ev
from workflows.outbox import OutboxRecord

CASE_STATES: Mapping[type[ev.Event], str] = {
    ev.EmergencyRedirected: "redirected",
    ev.CaseAnsweredAtOnce: "answered_at_once",
    ev.CaseAccepted: "accepted",
    ev.RefusalProposed: "refusal_proposed",
    ev.RefusalRejected: "registered",
    ev.CaseRefused: "refused",
    ev.CaseWithdrawn: "withdrawn",
    ev.CaseClosed: "closed",
    ev.CallBackAsked: "called_back",
    ev.RedoOrdered: "redo",
    ev.RefusalReviewAsked: "refusal_proposed",
    ev.CaseArchived: "archived",
    ev.CaseForgotten: "forgotten",
}
"""The case's state after an event that concerns the case as a whole (as workflows.evolve has it; a test holds them together)."""

LEG_STATES: Mapping[type[ev.Event], str] = {
    ev.LegSigned: "signed",
    ev.LegReturnAsked: "return_asked",
    ev.LegReturned: "returned",
    ev.LegReturnRejected: "return_rejected",
    ev.LegReplied: "replied",
    ev.LegReviewPassed: "review_passed",
    ev.LegSentBack: "sent_back",
    ev.LegWithdrawn: "withdrawn",
    ev.ArbitrationAsked: "arbitration",
    ev.CaseRuled: "ruled",
    ev.LegTakenBack: "withdrawn",
}

LEAD_MOVES = {
    "signed": "signed",
    "sub_dispatched": "sub_dispatched",
    "returned": "accepted",
    "replied": "replied",
    "sent_back": "sent_back",
    "review_passed": "review_passed",
}
"""States of a leg that, reached by a lead, move the case as well, and where to."""


def touched(records: Iterable[ev.EventRecord]) -> set[str]:
    """The cases whose rows must be loaded before these records can be folded: all but those that begin here."""
    begun: set[str] = set()
    needed: set[str] = set()
    for record in records:
        if record.version == 1:
            begun.add(record.case)
        elif record.case not in begun:
            needed.add(record.case)
    return needed


def add_events(batch: Batch, partition: int, offset: int, record: ev.EventRecord) -> None:
    """Fold one record of `case.events` into the batch."""
    for step, (at, event) in enumerate(ev.timed(record)):
        name = f"{type(event).__name__}.v1"
        batch.timeline.append(
            StepRow(partition, offset, step, record.case, record.version, at, name, record.catalogue, detail(event))
        )
        _fold(batch, record if at == record.at else replace(record, at=at), event)
    case = batch.folded.cases.get(record.case)
    if case is not None:
        case.version, case.updated_at = record.version, record.at


def add_outbox(batch: Batch, partition: int, offset: int, record: OutboxRecord) -> None:
    """Note what one record of `case.outbox` hands out."""
    batch.deliveries.extend(
        DeliveryRow(partition, offset, step, record.case, record.version, record.at, m.to, m.type, m.id, m.seq)
        for step, m in enumerate(record.messages)
    )


def _fold(batch: Batch, record: ev.EventRecord, event: ev.AnyEvent) -> None:
    if isinstance(event, ev.CaseRegistered):
        batch.folded.cases[record.case] = _registered(record, event)
        return
    case = batch.folded.cases.get(record.case)
    if case is None:
        return
    case.state = CASE_STATES.get(type(event), case.state)
    if type(event) in LEG_STATES:
        _move_leg(batch, case, event.leg, LEG_STATES[type(event)])  # type: ignore[union-attr]
    fold = FOLDS.get(type(event))
    if fold is not None:
        fold(batch, case, record, event)


def _registered(record: ev.EventRecord, event: ev.CaseRegistered) -> CaseRow:
    return CaseRow(
        case_id=record.case,
        number=event.number,
        channel=event.channel,
        ref=event.ref,
        state="registered",
        kind=event.appeal_kind,
        category=event.category,
        matter=event.matter,
        region=event.region,
        urgency=event.urgency,
        centre=event.centre,
        received_at=event.received_at,
    )


def _move_leg(batch: Batch, case: CaseRow, leg_id: str, state: str) -> None:
    leg = batch.folded.legs.get((case.case_id, leg_id))
    if leg is not None:
        leg.state = state
        if leg.part == "lead":
            case.state = LEAD_MOVES.get(state, case.state)


def _routed(_: Batch, case: CaseRow, __: ev.EventRecord, event: ev.CaseRouted) -> None:
    case.rule, case.rule_number, case.catalogue = event.rule, event.number, event.catalogue
    case.outcome, case.policy = event.outcome, event.policy


def _urgency_raised(_: Batch, case: CaseRow, __: ev.EventRecord, event: ev.UrgencyRaised) -> None:
    case.urgency = event.urgency


def _closed(_: Batch, case: CaseRow, record: ev.EventRecord, event: ev.CaseClosed) -> None:
    case.closed_at, case.close_reason = record.at, event.reason


def _reopened(_: Batch, case: CaseRow, __: ev.EventRecord, event: ev.Event) -> None:
    case.closed_at, case.close_reason = 0, ""


def _triage_asked(batch: Batch, case: CaseRow, _: ev.EventRecord, event: ev.TriageAsked) -> None:
    leg = batch.folded.legs.get((case.case_id, event.leg))
    if leg is None or leg.part == "lead":
        case.state = "in_triage"


def _dispatched(batch: Batch, case: CaseRow, record: ev.EventRecord, event: ev.LegDispatched) -> None:
    batch.folded.legs[record.case, event.leg] = LegRow(
        case_id=record.case,
        leg=event.leg,
        unit=event.unit,
        unit_name=event.unit_name,
        part=event.part,
        parent=event.parent,
        endpoint=event.endpoint,
        function=event.function,
        matter=event.matter,
        stage=event.stage,
        task=event.task,
        state="dispatched",
        dispatched_at=record.at,
    )
    if event.parent:
        _move_leg(batch, case, event.parent, "sub_dispatched")
    elif event.part == "lead":
        case.lead_leg, case.state = event.leg, "dispatched"


def _signed(batch: Batch, _: CaseRow, record: ev.EventRecord, event: ev.LegSigned) -> None:
    leg = batch.folded.legs.get((record.case, event.leg))
    if leg is not None:
        leg.signed_at = record.at


def _replied(batch: Batch, _: CaseRow, record: ev.EventRecord, event: ev.LegReplied) -> None:
    leg = batch.folded.legs.get((record.case, event.leg))
    if leg is not None:
        leg.replied_at, leg.result = record.at, event.result


def _sent_back(batch: Batch, _: CaseRow, record: ev.EventRecord, event: ev.LegSentBack) -> None:
    leg = batch.folded.legs.get((record.case, event.leg))
    if leg is not None:
        leg.round = event.round


def _clock_started(batch: Batch, _: CaseRow, record: ev.EventRecord, event: ev.ClockStarted) -> None:
    batch.folded.clocks[record.case, event.kind, event.of] = ClockRow(
        case_id=record.case,
        kind=event.kind,
        of=event.of,
        policy=event.policy,
        calendar=event.calendar,
        budget=event.budget,
        start=event.start,
        anchor=event.anchor,
        due=event.due,
        provisional=event.provisional,
    )


def _on_clock(
    change: Callable[[ClockRow, ev.EventRecord, Any], None],
) -> Callable[[Batch, CaseRow, ev.EventRecord, Any], None]:
    """A fold of an event that concerns a clock which was started before."""

    def fold(batch: Batch, _: CaseRow, record: ev.EventRecord, event: Any) -> None:
        clock = batch.folded.clocks.get((record.case, event.kind, event.of))
        if clock is not None:
            change(clock, record, event)

    return fold


def _clock_stopped(clock: ClockRow, _: ev.EventRecord, event: ev.ClockStopped) -> None:
    clock.state, clock.consumed = ("met" if event.met else "missed"), event.consumed


def _clock_resumed(clock: ClockRow, _: ev.EventRecord, __: ev.ClockResumed) -> None:
    clock.state = "overdue" if clock.overdue_at else "running"


def _clock_rebased(clock: ClockRow, _: ev.EventRecord, event: ev.ClockRebased) -> None:
    clock.calendar, clock.due, clock.provisional = event.calendar, event.due, event.provisional


def _clock_warned(clock: ClockRow, record: ev.EventRecord, _: ev.ClockWarned) -> None:
    clock.warned_at = record.at


def _clock_overdue(clock: ClockRow, record: ev.EventRecord, _: ev.ClockOverdue) -> None:
    clock.state, clock.overdue_at = "overdue", record.at


def _escalated(clock: ClockRow, _: ev.EventRecord, event: ev.CaseEscalated) -> None:
    clock.level = max(clock.level, event.level)


def _clock_paused(clock: ClockRow, _: ev.EventRecord, __: ev.ClockPaused) -> None:
    clock.state = "paused"


def _clock_moved(
    clock: ClockRow, _: ev.EventRecord, event: ev.ClockWentOn | ev.ClockExtended | ev.ClockPromised
) -> None:
    clock.due, clock.provisional = event.due, event.provisional
    clock.state = "running" if clock.state == "paused" else clock.state


FOLDS: Mapping[type[ev.Event], Callable[[Batch, CaseRow, ev.EventRecord, Any], None]] = {
    ev.CaseRouted: _routed,
    ev.UrgencyRaised: _urgency_raised,
    ev.CaseClosed: _closed,
    ev.CallBackAsked: _reopened,
    ev.RedoOrdered: _reopened,
    ev.RefusalReviewAsked: _reopened,
    ev.TriageAsked: _triage_asked,
    ev.LegDispatched: _dispatched,
    ev.LegSigned: _signed,
    ev.LegReplied: _replied,
    ev.LegSentBack: _sent_back,
    ev.ClockStarted: _clock_started,
    ev.ClockStopped: _on_clock(_clock_stopped),
    ev.ClockResumed: _on_clock(_clock_resumed),
    ev.ClockRebased: _on_clock(_clock_rebased),
    ev.ClockWarned: _on_clock(_clock_warned),
    ev.ClockOverdue: _on_clock(_clock_overdue),
    ev.CaseEscalated: _on_clock(_escalated),
    ev.ClockPaused: _on_clock(_clock_paused),
    ev.ClockWentOn: _on_clock(_clock_moved),
    ev.ClockExtended: _on_clock(_clock_moved),
    ev.ClockPromised: _on_clock(_clock_moved),
}
"""What an event changes beyond a state, by its type."""
