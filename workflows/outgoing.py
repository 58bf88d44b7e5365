"""
What leaves: messages that an event record brings about, written to `case.outbox` in the same transaction. `outgoing` is pure.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from workflows import answers, between, news, supervision, tasks
from workflows import commands as cmd
from workflows import events as ev
from workflows.case import Case
from workflows.decision import Decision
from workflows.outbox import ASSIGNED, Message
from workflows.post import Ask, Post


def outgoing(
    before: Case | None, d: Decision, command: cmd.AnyCommand | cmd.Rebase, request: Ask | None
) -> tuple[Message, ...]:
    """
    The messages for what `d` decided: receipts first, then tasks, then what the channel and the supervisors are told.

    `before`: the case before the command. `request`: gives the body of its ServiceRequest; asked when a task carries it.
    """
    post = Post(d, command, request, before)
    if type(command) is cmd.Adopt:
        _taken_over(post, command)
        return tuple(post.messages)
    told = [(event, telling) for event in d.events if (telling := _TOLD.get(type(event)))]
    for event, telling in told:
        if telling.answer:
            telling.answer(post, event)
    tasks.opened_and_over(post, before)
    _again(post, told)
    _status(post, told)
    for event, telling in told:
        if telling.news:
            telling.news(post, event)
    return tuple(post.messages)


def _taken_over(post: Post, command: cmd.Adopt) -> None:
    """Of what happened before, elsewhere, nobody is told. Of a case that was here already nothing happened."""
    if isinstance(post.d.events[0], ev.CaseRegistered):
        if command.receipt:
            answers.accepted(post, post.d.events[0])
        if command.tasks:
            tasks.handed_over(post, "taken_over")


Told = Sequence[tuple[ev.Event, "Telling"]]


def _again(post: Post, told: Told) -> None:
    """Each once, however many events of the record concern it: it is told how it now stands."""
    known = set()
    for event, telling in told:
        for task, reply, reason in telling.again(post.case, event) if telling.again else ():
            if task.id not in known:
                known.add(task.id)
                tasks.tell(post, ASSIGNED, task, reply, reason)


_ENDS = ("answered_at_once", "refused", "withdrawn")


def _status(post: Post, told: Told) -> None:
    """At most one status per record: how the case stands after it."""
    word = ""
    for event, telling in told:
        if telling.status and word not in _ENDS and _concerns(post.case, event):
            word = telling.status
    if word:
        news.status(post, word)


def _concerns(case: Case, event: Any) -> bool:
    leg = getattr(event, "leg", "")
    return not leg or case.legs[leg].part == "lead"


class Telling(NamedTuple):
    """
    What an event of a record brings to somebody outside, in this order.

    answer: to its sender. again: open tasks whose holders learn something. status: the word for the channel; of legs it
    learns of the lead's only, and what a proposed refusal or a review leads to later. news: to channel or supervisors.
    """

    answer: Callable[[Post, Any], None] | None = None
    again: Callable[[Case, Any], tasks.Again] | None = None
    status: str = ""
    news: Callable[[Post, Any], None] | None = None


_TOLD: Mapping[type[ev.Event], Telling] = {
    ev.CaseRegistered: Telling(answer=answers.accepted),
    ev.DuplicateReceived: Telling(answer=answers.duplicate),
    ev.IdReused: Telling(answer=answers.id_reused),
    ev.CommandRefused: Telling(answer=answers.refused),
    ev.OrderGiven: Telling(answer=answers.ordered, news=supervision.ordered),
    ev.ReportOrdered: Telling(news=supervision.report_ordered),
    ev.ReportSubmitted: Telling(news=supervision.reported),
    ev.ReportRejected: Telling(news=supervision.report_rejected),
    ev.OrderLifted: Telling(news=supervision.lifted),
    ev.CaseHung: Telling(again=tasks.hung, status="hung", news=supervision.hung),
    ev.HangRefused: Telling(again=tasks.hung),
    ev.PlanReviewed: Telling(again=tasks.plan_moved, news=news.plan_moved),
    ev.HangReleased: Telling(again=tasks.hung, status="released", news=supervision.released),
    ev.SupplementAttached: Telling(answer=answers.accepted),
    ev.WithdrawalNoted: Telling(answer=answers.accepted, again=tasks.withdrawal_noted),
    ev.IdentityRevealed: Telling(news=tasks.revealed),
    ev.CaseUrged: Telling(answer=answers.urge_taken, again=tasks.urged, news=between.pass_on),
    ev.CaseSupplemented: Telling(answer=answers.accepted, again=tasks.supplemented, news=between.pass_on),
    ev.CaseEvaluated: Telling(answer=answers.evaluated),
    ev.CallBackAsked: Telling(status="called_back"),
    ev.RedoOrdered: Telling(status="redo"),
    ev.CaseWithdrawn: Telling(answer=answers.accepted, status="withdrawn"),
    ev.EmergencyRedirected: Telling(status="redirected", news=supervision.redirected),
    ev.CaseAnsweredAtOnce: Telling(status="answered_at_once"),
    ev.CaseRefused: Telling(status="refused"),
    ev.RefusalReviewAsked: Telling(answer=answers.review_asked, status="under_review"),
    ev.TriageAsked: Telling(status="in_triage"),
    ev.LegDispatched: Telling(status="dispatched"),
    ev.LegSigned: Telling(status="signed"),
    ev.LegReturnRejected: Telling(again=tasks.return_rejected),
    ev.CaseRuled: Telling(again=tasks.ruled),
    ev.LegReplied: Telling(again=tasks.reply_below, status="replied"),
    ev.CaseClosed: Telling(status="closed", news=news.closed),
    ev.ResemblanceFound: Telling(news=supervision.resembles),
    ev.MergeAsked: Telling(news=between.ask),
    ev.MergeAskedAgain: Telling(news=between.ask),
    ev.MergeConfirmed: Telling(status="merged", news=between.confirmed),
    ev.MergeForgone: Telling(news=between.leave),
    ev.HeadLeft: Telling(news=between.leave),
    ev.MemberTaken: Telling(again=between.now_one_more, news=between.take),
    ev.MemberRefused: Telling(news=between.refuse),
    ev.SplitOff: Telling(news=between.split),
    ev.PartRefused: Telling(news=between.refuse_part),
    ev.MemberLeft: Telling(again=between.now_one_more),
    ev.MemberSpoke: Telling(again=tasks.member_spoke),
    ev.ClockRebased: Telling(again=tasks.clock_moved, news=news.due_moved),
    ev.ClockWarned: Telling(news=supervision.warned),
    ev.ClockOverdue: Telling(again=tasks.procedure_due, news=supervision.overdue),
    ev.ProcedureBegun: Telling(status="in_procedure"),
    ev.CaseEscalated: Telling(again=tasks.escalated_again, news=supervision.escalated),
    ev.ExtensionDecided: Telling(again=tasks.extension_decided),
    ev.ClockExtended: Telling(news=news.due_moved),
    ev.ClockWentOn: Telling(again=tasks.went_on, news=news.due_moved),
}
"""Most events nobody outside learns of."""
