"""
What of each event may stand in the read model's timeline: an allow-list.

Codes, numbers, units, rules, times and texts of the catalogue are kept. What a citizen or an official
wrote (request, supplement, reply, reasons) and the query code are withheld: the read model is made for
many eyes. A field is in one of the two tables or a test fails, so a new field needs a decision.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from workflows import events as ev
from workflows.facts import Reason

KEPT: Mapping[str, tuple[str, ...]] = {
    "CaseRegistered": (
        "channel", "ref", "number", "received_at", "centre", "appeal_kind", "region", "calendar", "category", "matter", "urgency", "excluded", "proposal", "part_of",
    ),
    "DuplicateReceived": (),
    "IdReused": ("digest",),
    "EmergencyRedirected": ("task", "unit", "endpoint", "policy", "what", "ended"),
    "RedirectConfirmed": ("receipt_no",),
    "CaseAnsweredAtOnce": ("answer",),
    "CaseRouted": ("rule", "number", "catalogue", "outcome", "policy", "why", "joined"),
    "UrgencyRaised": ("urgency",),
    "CaseAccepted": ("by",),
    "RefusalProposed": ("task", "endpoint", "ground", "basis", "where_to_turn"),
    "RefusalRejected": (),
    "CaseRefused": ("ground", "basis", "where_to_turn"),
    "TriageAsked": ("task", "endpoint", "reason", "leg"),
    "TriageEnded": ("task", "category"),
    "StageOpened": ("stage", "name"),
    "CaseSupplemented": (),
    "CaseWithdrawn": (),
    "CaseEvaluated": ("grade", "round", "silent"),
    "CaseClosed": ("reason", "archive_at", "evaluate_until", "silent_at", "silent_grade"),
    "CaseArchived": ("forget_at",),
    "CaseForgotten": (),
    "LegDispatched": ("leg", "task", "unit", "unit_name", "endpoint", "part", "parent", "function", "matter", "stage", "blocking", "instead"),
    "LegSigned": ("leg", "deemed"),
    "LegReturnAsked": ("leg", "task", "endpoint", "proposed", "unit", "number"),
    "LegReturned": ("leg",),
    "LegReturnRejected": ("leg",),
    "LegReplied": ("leg", "result", "contacted", "task", "endpoint", "unanswered", "by", "procedure"),
    "LegReviewPassed": ("leg",),
    "LegSentBack": ("leg", "round"),
    "LegWithdrawn": ("leg",),
    "ClockStarted": ("kind", "of", "policy", "calendar", "budget", "start", "anchor", "due", "provisional", "whole", "consumed", "since", "extended"),
    "ClockStopped": ("kind", "of", "consumed", "met"),
    "ClockResumed": ("kind", "of"),
    "ClockRebased": ("kind", "of", "reason", "calendar", "calendar_before", "before", "due", "provisional"),
    "ClockWarned": ("kind", "of", "due", "unit", "endpoint"),
    "ClockOverdue": ("kind", "of", "due", "unit", "endpoint"),
    "ClockPaused": ("kind", "of", "reason", "whole", "consumed"),
    "ClockWentOn": ("kind", "of", "since", "took", "before", "due", "provisional", "why", "reason"),
    "ClockHeld": ("kind", "of"),
    "ClockReleased": ("kind", "of"),
    "ClockExtended": ("kind", "of", "by", "whole", "before", "due", "provisional"),
    "ExtensionAsked": ("leg", "task", "unit", "endpoint", "limit"),
    "ExtensionDecided": ("leg", "task", "limit"),
    "ExtensionLapsed": ("leg", "task"),
    "CallBackAsked": ("task", "unit", "endpoint", "leg", "why"),
    "CallBackTried": ("task", "attempt"),
    "CalledBack": ("task", "attempts", "satisfied", "solved", "reached", "contacted"),
    "RedoOrdered": ("leg", "round", "why"),
    "ReviewAppealed": ("task", "unit", "endpoint", "leg", "by"),
    "ReviewAppealDecided": ("task", "round", "granted", "lapsed"),
    "CommandRefused": ("action", "code", "state", "endpoint", "channel", "task", "unit"),
    "OrderGiven": ("action", "unit", "endpoint", "document"),
    "CaseUrged": ("unit", "leg"),
    "ArbitrationAsked": ("leg", "task", "unit", "endpoint", "why"),
    "CaseRuled": ("leg", "document", "by", "lead", "assists", "first_receiver", "charged", "rule", "category", "matter", "place", "function"),
    "LegTakenBack": ("leg", "action"),
    "CaseEscalated": ("kind", "of", "level", "unit", "endpoint", "what", "turn", "post", "task", "again"),
    "EscalationSkipped": ("kind", "of", "level", "why", "turn"),
    "EscalationAcknowledged": ("kind", "of", "level", "task", "until"),
    "LegNoted": ("leg", "contacted"),
    "ReportOrdered": ("order", "action", "by", "by_endpoint", "task", "unit", "endpoint", "leg", "document", "post"),
    "ReportSubmitted": ("order", "task"),
    "ReportRejected": ("order",),
    "OrderLifted": ("order", "accepted"),
    "HangAsked": ("leg", "task", "endpoint", "ground", "plan"),
    "CaseHung": ("leg", "task", "review", "ground", "plan"),
    "HangRefused": ("leg", "task"),
    "PlanReviewed": ("leg", "task", "review", "plan", "before"),
    "HangReleased": ("leg", "ground"),
    "ProcedureBegun": ("leg", "unit", "procedure", "name_zh", "name_en", "limit", "due", "provisional", "task", "endpoint"),
    "ProcedureEnded": ("leg", "task", "procedure", "name_zh", "name_en", "due"),
    "RefusalOrdered": ("task", "endpoint", "ground", "basis", "where_to_turn"),
    "RefusalReviewAsked": ("task", "unit", "endpoint", "by"),
    "CaseConcluded": ("ground", "basis", "evidence"),
    "SupplementAttached": (),
    "GoingOnDecided": ("unit", "basis"),
    "WithdrawalNoted": (),
    "CaseMarkedMalicious": ("ground", "document", "effect"),
    "IdentityRevealed": ("unit", "endpoint", "fields"),
    "ResemblanceFound": ("what", "count", "score", "told"),
    "MergeProposed": ("task", "endpoint", "head", "number", "reason"),
    "MergeRejected": ("head",),
    "MergeAsked": ("head", "asked", "second", "ended"),
    "MergeAskedAgain": ("kind", "of", "head", "asked"),
    "MergeConfirmed": ("head", "number", "ended"),
    "MergeRefused": ("head", "code"),
    "MergeForgone": ("head", "asked"),
    "HeadAnswered": ("head", "unit", "reason"),
    "HeadLeft": ("head", "asked", "why"),
    "MemberTaken": ("member", "number", "asked", "excluded", "again"),
    "MemberRefused": ("member", "asked", "code"),
    "MemberLeft": ("member",),
    "SplitOff": ("case", "ref", "category"),
    "PartRefused": ("parent", "ref"),
    "MemberSpoke": ("member", "number", "what"),
    "MarkPassed": ("kind", "of", "what", "level", "turn"),
    "ClockPromised": ("kind", "of", "before", "due", "whole", "provisional"),
    "CaseTakenOver": ("number", "by", "promised"),
}  # fmt: skip

WITHHELD: Mapping[str, tuple[str, ...]] = {
    "CaseRegistered": ("query_code", "digest", "request", "centre_endpoint", "disclosure"),
    "CaseRouted": ("stages",),
    "CaseSupplemented": ("body",),
    "CaseWithdrawn": ("body",),
    "MemberSpoke": ("texts",),
    "CaseEvaluated": ("body", "reasons", "said"),
    "CaseClosed": ("result",),
    "LegReturnAsked": ("reason", "text", "basis", "attachments", "officer", "confirmed_by"),
    "ArbitrationAsked": ("reason",),
    "CaseRuled": ("reason", "officer", "confirmed_by"),
    "LegTakenBack": ("reason",),
    "LegReturnRejected": ("reason",),
    "LegReplied": ("text", "basis", "contacted_at", "contact_method", "attachments", "officer"),
    "LegSentBack": ("reason",),
    "LegNoted": ("text",),
    "ClockStarted": ("marks",),
    "ClockPaused": ("marks",),
    "ClockWentOn": ("marks",),
    "ClockHeld": ("marks",),
    "ClockReleased": ("marks",),
    "ClockExtended": ("marks", "why"),
    "ExtensionAsked": ("reason", "text"),
    "ExtensionDecided": ("reason",),
    "CalledBack": ("text",),
    "RedoOrdered": ("reason",),
    "ReviewAppealed": ("text", "officer", "confirmed_by", "attachments"),
    "ReviewAppealDecided": ("officer", "confirmed_by", "reason"),
    "OrderGiven": ("officer", "confirmed_by", "reason", "text", "basis"),
    "CaseUrged": ("text",),
    "ReportOrdered": ("text",),
    "ReportSubmitted": ("text", "attachments"),
    "ReportRejected": ("reason",),
    "HangAsked": ("text",),
    "HangRefused": ("reason",),
    "PlanReviewed": ("text", "reason", "officer", "confirmed_by"),
    "RefusalOrdered": ("officer",),
    "RefusalReviewAsked": ("body",),
    "CaseRefused": ("hands",),
    "CaseConcluded": ("attachments",),
    "SupplementAttached": ("body",),
    "WithdrawalNoted": ("body",),
    "IdentityRevealed": ("officer",),
    "ResemblanceFound": ("cases",),
    "SplitOff": ("title", "text"),
    "HeadAnswered": ("text",),
    "ClockRebased": ("marks", "waiting"),
    "ClockPromised": ("marks", "waiting"),
    "CaseTakenOver": ("why",),
}

WORDS = ("words_", "form.")
"""Rule columns that match what a citizen wrote (docs/rules.md): of a reason only the rule's cell is kept."""

_encode = msgspec.json.Encoder().encode


def detail(event: ev.Event) -> str:
    """The kept fields of an event as a JSON object; what equals its default is left out."""
    kept = {name: getattr(event, name) for name in KEPT.get(type(event).__name__, ())}
    if isinstance(event, ev.CaseRouted):
        kept["why"] = _without_words(kept["why"])
        kept["joined"] = tuple(replace(rule, why=_without_words(rule.why)) for rule in kept["joined"])
    return _encode({name: value for name, value in kept.items() if value not in ("", 0, (), None)}).decode()


def _without_words(why: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(replace(reason, value="") if reason.column.startswith(WORDS) else reason for reason in why)
