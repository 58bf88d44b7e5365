"""
What leaves: messages that an event record brings about, written to `case.outbox` in the same transaction.

`outgoing` is pure. Delivery fans the messages out without understanding them. A task that comes again under
the same id replaces what its endpoint knew of it (a reply that rose, a supplement, a rejected return).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from schemas.ids import command_id, event_id, message_id
from workflows import between
from workflows import commands as cmd
from workflows import events as ev
from workflows import messages as body
from workflows.case import Case, Leg, Task, clock_key
from workflows.decision import Decision
from workflows.oversight import is_quiet


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message for one destination.

    to: `tasks.<endpoint>` | `answers.<channel>` | `supervision` | `dead-letters.engine` | `case:<case id>`.
    key: the record key there (case id; for answers the channel's own id). id: follows from its cause, the idempotency key.
    type: CloudEvents type. seq: 1, 2, 3 … per case and destination; receivers ignore older ones.
    data: JSON of the model of `schemas` that `type` names; for `case:` a Command.
    """

    to: str
    key: str
    id: str
    type: str
    seq: int = 0
    data: Raw


class OutboxRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One record of `case.outbox` per command."""

    case: str
    version: int
    at: int
    source: str = ""
    number: str = ""
    """the public 工单编号; empty where there is no case"""
    messages: tuple[Message, ...]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(OutboxRecord).decode

RECEIPT = "cn.duokua.receipt.issued.v1"
REFUSED = "cn.duokua.reply.refused.v1"
IDENTITY_REVEALED = "cn.duokua.identity.revealed.v1"
ORDER_ANSWERED = "cn.duokua.order.answered.v1"
ASSIGNED = "cn.duokua.task.assigned.v1"
SENT_BACK = "cn.duokua.task.sent_back.v1"
WITHDRAWN = "cn.duokua.task.withdrawn.v1"
STATUS = "cn.duokua.case.status_changed.v1"
OUTCOME = "cn.duokua.case.outcome.v1"
WARNED = "cn.duokua.clock.warned.v1"
OVERDUE = "cn.duokua.clock.overdue.v1"
ESCALATED = "cn.duokua.case.escalated.v1"
RESEMBLES = "cn.duokua.case.resembles.v1"
DEAD_LETTER = "cn.duokua.dead_letter.written.v1"

Ask = Callable[[], bytes | Raw | None]


def outgoing(
    before: Case | None, d: Decision, command: cmd.AnyCommand | cmd.Rebase, request: Ask | None
) -> tuple[Message, ...]:
    """
    The messages for what `d` decided: receipts first, then tasks, then what the channel and the supervisors are told.

    `before`: the case before the command. `request`: gives the body of its ServiceRequest; asked when a task carries it.
    """
    post = Post(d, command, request, before.version + 1 if before else 1, before.sent if before else {})
    told = [(event, telling) for event in d.events if (telling := _TOLD.get(type(event)))]
    for event, telling in told:
        if telling.answer:
            telling.answer(post, event)
    _tasks(post, before)
    _again(post, told)
    _status(post, told)
    for event, telling in told:
        if telling.news:
            telling.news(post, event)
    return tuple(post.messages)


def lost(command: cmd.AnyCommand) -> tuple[Message, ...]:
    """For a command to a case that does not exist: an answer to its sender, and a dead letter. A stale deadline is nothing."""
    post = Post(None, command, None, 0, {})
    if isinstance(command, cmd.Reply):
        _refuse_reply(post, command.action, "unknown_case", "")
    elif isinstance(command, cmd.Order):
        _answer_order(post, "refused", "unknown_case", "")
    elif isinstance(command, cmd.Supplement | cmd.Withdraw | cmd.Evaluate | cmd.Urge):
        _refuse_channel(post, "unknown_case")
    elif isinstance(command, cmd.Join):
        to, said, answer = between.unknown_head(command)
        return (Message(to=to, key=command.member, id=said, type=between.JOIN_ANSWERED, data=answer),)
    else:
        return ()
    _dead_letter(post, "unknown_case")
    return tuple(post.messages)


def undecided(command: cmd.AnyCommand, code: str) -> tuple[Message, ...]:
    """
    To the sender of a command that is kept aside: too much for its case (`case_too_large`), `held` until a person
    has looked, or `discarded` where its case is not there. Under ids of their own: decided later, the same command has answers of its own.
    """
    said, said_id = body.refusal_text(code), event_id(f"{command.id}|{code}", 0)
    if isinstance(command, cmd.Reply):
        refused = body.ReplyRefusedBody(
            case_id=command.case,
            task_id=command.task,
            action=command.action,
            code=code,
            text=said,
            source=command.source.replace("/", "-") or None,
        )
        return (_message(f"tasks.{command.endpoint}", command.case, said_id, REFUSED, refused),)
    if isinstance(command, cmd.Order):
        answer = _order_answered(command, "held" if code == "held" else "refused", code, "")
        return (_message(f"tasks.{command.endpoint}", command.case, said_id, ORDER_ANSWERED, answer),)
    if isinstance(command, cmd.ReachDeadline | cmd.Between):
        return ()
    outcome, reason = ("held", None) if code == "held" else ("rejected", code)
    receipt = body.ReceiptBody(ref=command.ref, code=outcome, reason=reason, case_id=command.case, text=said)
    return (_message(f"answers.{command.channel}", command.ref, said_id, RECEIPT, receipt),)


def _message(to: str, key: str, message_id: str, kind: str, data: Struct) -> Message:
    return Message(to=to, key=key, id=message_id, type=kind, data=Raw(body.encode(data)))


class Post:
    """The messages of one record while they are being written. `d` and `case` (after the command) are of a case that exists."""

    __slots__ = ("_asked", "_cause", "_numbered", "_request", "_sent", "case", "command", "d", "messages", "version")

    d: Decision
    case: Case

    def __init__(
        self,
        d: Decision | None,
        command: cmd.AnyCommand | cmd.Rebase,
        request: Ask | None,
        version: int,
        sent: Mapping[str, int],
    ) -> None:
        if d is not None:
            self.d = d
            self.case = d.case
        self.command = command
        # to a case that is not there yet the same command may have an effect, and its own answers, when it comes again
        self._cause = command.id if d is not None else event_id(f"{command.id}|lost", 0)
        self._request = request
        self._asked: body.Asked | None = None
        self.version = version
        self.messages: list[Message] = []
        self._numbered = d is not None
        self._sent = dict(sent)

    @property
    def asked(self) -> body.Asked:
        """The request, read when the first task needs it."""
        if self._asked is None:
            self._asked = body.asked(self.case, self._request() if self._request else None, self.d.title)
        return self._asked

    def add(self, to: str, key: str, kind: str, data: Struct) -> None:
        """One more message; of a case that exists it gets the next number of its destination."""
        seq = 0
        if self._numbered:
            seq = self._sent[to] = self._sent.get(to, 0) + 1
        message = message_id(self._cause, len(self.messages))
        self.messages.append(Message(to=to, key=key, id=message, type=kind, seq=seq, data=Raw(body.encode(data))))

    def to_case(self, case: str, type_: str, kind: type[cmd.Command], **fields: Any) -> None:
        """A command to another case; its id follows from the message's."""
        said = message_id(self._cause, len(self.messages))
        self.add(f"case:{case}", case, type_, kind(id=command_id(case, said), case=case, at=self.d.now, **fields))

    def answer(self, kind: str, data: Struct) -> None:
        """To the channel that the case came from."""
        self.add(f"answers.{self.case.channel}", self.case.ref, kind, data)

    def to_endpoint(self, endpoint: str, kind: str, data: Struct) -> None:
        """To an endpoint of units."""
        self.add(f"tasks.{endpoint}", self.command.case, kind, data)


# -- receipts and refusals ----------------------------------------------------------------------


def _receipt(post: Post, code: str) -> None:
    case = post.case
    post.answer(
        RECEIPT,
        body.ReceiptBody(
            ref=case.ref,
            code=code,
            case_id=case.id,
            number=case.number,
            query_code=case.query_code or None,
            promised_due=body.promised_due(case),
        ),
    )


def _accepted(post: Post, event: ev.Event) -> None:
    _receipt(post, "accepted")


def _evaluated(post: Post, event: ev.CaseEvaluated) -> None:
    if not event.silent:
        _receipt(post, "accepted")


def _urge_taken(post: Post, event: ev.CaseUrged) -> None:
    if not event.unit:
        _receipt(post, "accepted")


def _duplicate(post: Post, event: ev.DuplicateReceived) -> None:
    _receipt(post, "duplicate")


def _id_reused(post: Post, event: ev.IdReused) -> None:
    """The other request's case is not named to whoever used its id."""
    post.answer(
        RECEIPT,
        body.ReceiptBody(ref=post.case.ref, code="id_reused", reason="id_reused", text=body.refusal_text("id_reused")),
    )
    _dead_letter(post, "id_reused")


def _refused(post: Post, event: ev.CommandRefused) -> None:
    if isinstance(post.command, cmd.Order):
        _answer_order(post, "refused", event.code, event.state)
    elif event.endpoint:
        _refuse_reply(post, event.action, event.code, event.state)
    else:
        _refuse_channel(post, event.code)


def _refuse_channel(post: Post, code: str) -> None:
    command: Any = post.command
    # what was given up was never judged: nothing of the case speaks against it
    outcome = "rejected" if code == "discarded" else "refused_command"
    post.add(
        f"answers.{command.channel}",
        command.ref,
        RECEIPT,
        body.ReceiptBody(
            ref=command.ref, code=outcome, reason=code, case_id=command.case, text=body.refusal_text(code)
        ),
    )


def _refuse_reply(post: Post, action: str, code: str, state: str) -> None:
    command: Any = post.command
    post.to_endpoint(
        command.endpoint,
        REFUSED,
        body.ReplyRefusedBody(
            case_id=command.case,
            task_id=command.task,
            action=action,
            code=code,
            text=body.refusal_text(code),
            state=state or None,
            source=command.source.replace("/", "-") or None,
        ),
    )


def _ordered(post: Post, event: ev.OrderGiven) -> None:
    _answer_order(post, "accepted", "", post.case.state)


def _answer_order(post: Post, outcome: str, code: str, state: str) -> None:
    command: Any = post.command
    post.to_endpoint(command.endpoint, ORDER_ANSWERED, _order_answered(command, outcome, code, state))


def _order_answered(command: cmd.Order, outcome: str, code: str, state: str) -> body.OrderAnsweredBody:
    return body.OrderAnsweredBody(
        case_id=command.case,
        action=command.action,
        unit=command.unit,
        code=outcome,
        reason=code or None,
        text=body.refusal_text(code) if code else None,
        state=state or None,
        source=command.source.replace("/", "-") or None,
    )


def _dead_letter(post: Post, code: str) -> None:
    command = post.command
    letter = body.DeadLetterBody(
        stage="engine",
        code=code,
        source=command.source,
        case=command.case,
        action=type(command).__name__,
        text=body.refusal_text(code),
    )
    post.add("dead-letters.engine", command.case, DEAD_LETTER, letter)


# -- tasks --------------------------------------------------------------------------------------


def _tasks(post: Post, before: Case | None) -> None:
    """What was open and is not, and what is open now and was not."""
    old, new = before.tasks if before else {}, post.case.tasks
    if old is new:
        return
    command = post.command
    acted = (command.task, command.endpoint) if isinstance(command, cmd.Reply) else None
    for task in old.values():
        if task.id not in new and (task.id, task.endpoint) != acted:
            _withdraw(post, task)
    for task in new.values():
        if task.id not in old:
            _assign(post, task)


_SHOWN = frozenset({"review", "call_back", "judge_review"})
"""Tasks about what a unit has answered."""


def _assign(post: Post, task: Task) -> None:
    leg = post.case.legs.get(task.leg)
    again = task.kind == "handle" and leg is not None and leg.state == "sent_back"
    _tell(post, SENT_BACK if again else ASSIGNED, task, leg if task.kind in _SHOWN else None)


Again = Iterable[tuple[Task, Leg | None, str]]
"""Open tasks whose holders learn something: (task, the reply that rose to it, why)."""


def _return_rejected(case: Case, event: ev.LegReturnRejected) -> Again:
    yield case.tasks[case.legs[event.leg].task], None, event.reason or "return_rejected"


def _ruled(case: Case, event: ev.CaseRuled) -> Again:
    """Who keeps the work is told; who loses it gets it withdrawn."""
    leg = case.legs[event.leg]
    if leg.task in case.tasks:
        yield case.tasks[leg.task], None, event.reason


def _reply_below(case: Case, event: ev.LegReplied) -> Again:
    """The lead's own reply is a task of its own: its review."""
    leg = case.legs[event.leg]
    answers_for = case.legs.get(leg.parent) or case.lead
    if not event.task and answers_for is not None and answers_for.task in case.tasks:
        yield case.tasks[answers_for.task], leg, "reply_below"


def _supplemented(case: Case, event: ev.CaseSupplemented) -> Again:
    if is_quiet(case):
        return
    for task in case.tasks.values():
        yield task, case.legs.get(task.leg) if task.kind in _SHOWN else None, "supplemented"


def _member_spoke(case: Case, event: ev.MemberSpoke) -> Again:
    for task in case.tasks.values():
        yield task, case.legs.get(task.leg) if task.kind in _SHOWN else None, f"member_{event.what}: {event.number}"


def _hung(case: Case, event: ev.CaseHung | ev.HangRefused | ev.HangReleased) -> Again:
    """The lead learns what became of it."""
    task = case.tasks.get(case.legs[event.leg].task)
    if task is not None:
        yield task, None, event.reason if isinstance(event, ev.HangRefused) else _HANGING[type(event)]


_HANGING: Mapping[type[ev.Event], str] = {ev.CaseHung: "hung", ev.HangReleased: "released"}


def _procedure_due(case: Case, event: ev.ClockOverdue) -> Again:
    """It must have ended by now: how did it?"""
    for task in case.tasks.values() if event.kind == "statutory" else ():
        if task.kind == "end_procedure":
            yield task, None, "procedure_due"


def _withdrawal_noted(case: Case, event: ev.WithdrawalNoted) -> Again:
    for task in case.tasks.values():
        yield task, case.legs.get(task.leg) if task.kind == "review" else None, "withdrawal_noted"


def _urged(case: Case, event: ev.CaseUrged) -> Again:
    if not event.unit and is_quiet(case):
        return
    for task in case.tasks.values():
        if not event.leg or (task.leg == event.leg and task.kind == "handle"):
            yield task, case.legs.get(task.leg) if task.kind in _SHOWN else None, "urged"


def _escalated_again(case: Case, event: ev.CaseEscalated) -> Again:
    """Who has not said yet that he has seen it."""
    if event.again in case.tasks:
        yield case.tasks[event.again], None, event.what


def _extension_decided(case: Case, event: ev.ExtensionDecided) -> Again:
    task = case.tasks.get(case.legs[event.leg].task)
    if task is not None:
        yield task, None, "extension_granted" if event.limit else event.reason


def _went_on(case: Case, event: ev.ClockWentOn) -> Again:
    """Whoever asked for it knows."""
    leg = case.legs.get(event.of)
    if event.why == "pause_used_up" and leg is not None and leg.task in case.tasks:
        yield case.tasks[leg.task], None, event.why


def _clock_moved(case: Case, event: ev.ClockRebased) -> Again:
    """Whoever has to keep it; of the citizen's clock those who have none of this kind of their own."""
    for task in case.tasks.values():
        own = task.leg if task.kind == "handle" else task.id
        keeps = own if clock_key(event.kind, own) in case.clocks else ""
        if event.due != event.before and keeps == event.of:
            yield task, case.legs.get(task.leg) if task.kind == "review" else None, "due_moved"


def _again(post: Post, told: Sequence[tuple[ev.Event, "Telling"]]) -> None:
    """Each once, however many events of the record concern it: it is told how it now stands."""
    known = set()
    for event, telling in told:
        for task, reply, reason in telling.again(post.case, event) if telling.again else ():
            if task.id not in known:
                known.add(task.id)
                _tell(post, ASSIGNED, task, reply, reason)


def _tell(post: Post, kind: str, task: Task, reply: Leg | None, reason: str = "") -> None:
    post.to_endpoint(task.endpoint, kind, body.task_body(post.d, task, post.version, post.asked, reply, reason))


_LOST = {"returned": "returned", "withdrawn": "taken_back", "replied": "answered_above"}
"""Why a unit's task is over though its case is not, by the state of its leg."""


def _withdraw(post: Post, task: Task) -> None:
    case = post.case
    leg = case.legs.get(task.leg)
    reason = case.close_reason
    if leg is not None and not reason:
        reason = _LOST.get(leg.state, "")
    if case.state == "merging":
        reason = "merged"
    post.to_endpoint(
        task.endpoint,
        WITHDRAWN,
        body.TaskWithdrawnBody(
            case_id=case.id,
            number=case.number,
            task_id=task.id,
            reason=reason,
            at=body.instant(post.d.now),
            version=post.version,
        ),
    )


# -- what the channel is told -------------------------------------------------------------------

_ENDS = ("answered_at_once", "refused", "withdrawn")


def _status(post: Post, told: Sequence[tuple[ev.Event, "Telling"]]) -> None:
    """At most one status per record: how the case stands after it."""
    case = post.case
    status = ""
    for event, telling in told:
        if telling.status and status not in _ENDS and _concerns(case, event):
            status = telling.status
    if not status:
        return
    lead = case.lead
    begun = (
        next((e for e in post.d.events if isinstance(e, ev.ProcedureBegun)), None) if status == "in_procedure" else None
    )
    post.answer(
        STATUS,
        body.StatusBody(
            ref=case.ref,
            case_id=case.id,
            number=case.number,
            status=status,
            at=body.instant(post.d.now),
            unit_name=body.unit_name(post.d, lead.unit) if lead else None,
            promised_due=body.promised_due(case),
            text=lead.text or None if begun and lead else None,
            procedure=begun.procedure if begun else None,
            procedure_name=body.Said(zh=begun.name_zh, en=begun.name_en) if begun else None,
        ),
    )


def _concerns(case: Case, event: Any) -> bool:
    leg = getattr(event, "leg", "")
    return not leg or case.legs[leg].part == "lead"


NEW_CALENDAR = "节假日安排公布或调整"
"""Why a promised date moves with a calendar: for the citizen, in his language."""


def _due_moved(post: Post, event: ev.ClockExtended | ev.ClockWentOn | ev.ClockRebased) -> None:
    """The citizen is told a new date, and why."""
    if event.of or event.kind != "finish" or event.due == event.before:
        return
    case = post.case
    post.answer(
        STATUS,
        body.StatusBody(
            ref=case.ref,
            case_id=case.id,
            number=case.number,
            status="due_moved",
            at=body.instant(post.d.now),
            promised_due=body.instant(event.due),
            promised_before=body.instant(event.before),
            reason=_why_moved(post, event),
        ),
    )


def _why_moved(post: Post, event: ev.ClockExtended | ev.ClockWentOn | ev.ClockRebased) -> str:
    if isinstance(event, ev.ClockRebased):
        return NEW_CALENDAR
    action, code = ("ask_extension", event.why) if isinstance(event, ev.ClockExtended) else ("pause", event.reason)
    listed = post.d.facts.reasons(action).get(code)
    return listed.name_zh if listed else code


def _outcome(post: Post, event: ev.CaseClosed) -> None:
    case = post.case
    refusal = case.refusal if event.reason == "refused" else None
    begun = next((e for e in post.d.events if isinstance(e, ev.ProcedureBegun | ev.ProcedureEnded)), None)
    post.answer(
        OUTCOME,
        body.OutcomeBody(
            ref=case.ref,
            case_id=case.id,
            number=case.number,
            reason=event.reason,
            text=event.result or None,
            at=body.instant(post.d.now),
            where_to_turn=refusal.where_to_turn if refusal else None,
            legal_basis=refusal.basis if refusal else None,
            procedure=begun.procedure if begun else None,
            procedure_name=body.Said(zh=begun.name_zh, en=begun.name_en) if begun else None,
            procedure_due=body.instant(begun.due) if begun else None,
        ),
    )


def _closed(post: Post, event: ev.CaseClosed) -> None:
    _outcome(post, event)
    if post.case.star is not None:
        between.end(post, event)


# -- what supervisors are told ------------------------------------------------------------------


def _warned(post: Post, event: ev.ClockWarned) -> None:
    _supervise(post, WARNED, event, 0, "warn")


def _overdue(post: Post, event: ev.ClockOverdue) -> None:
    _supervise(post, OVERDUE, event, 0, "overdue")


def _escalated(post: Post, event: ev.CaseEscalated) -> None:
    _supervise(post, ESCALATED, event, event.level, event.what)


def _resembles(post: Post, event: ev.ResemblanceFound) -> None:
    if event.told:
        data = body.resemblance_body(post.case, event, post.d.now, post.version)
        post.add("supervision", post.case.id, RESEMBLES, data)


def _supervise(
    post: Post, kind: str, event: ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated, level: int, what: str
) -> None:
    data = body.supervision_body(post.d, event, level, what, post.version)
    post.add("supervision", post.case.id, kind, data)


# -- who asks for confidence ---------------------------------------------------------------------


def _revealed(post: Post, event: ev.IdentityRevealed) -> None:
    shown = body.identity(post.case, event, post.asked.request)
    post.to_endpoint(event.endpoint, IDENTITY_REVEALED, shown)


# -- who learns of what -------------------------------------------------------------------------


class Telling(NamedTuple):
    """
    What an event of a record brings to somebody outside, in this order.

    answer: to its sender. again: open tasks whose holders learn something. status: the word for the channel; of legs it
    learns of the lead's only, and what a proposed refusal or a review leads to later. news: to channel or supervisors.
    """

    answer: Callable[[Post, Any], None] | None = None
    again: Callable[[Case, Any], Again] | None = None
    status: str = ""
    news: Callable[[Post, Any], None] | None = None


_TOLD: Mapping[type[ev.Event], Telling] = {
    ev.CaseRegistered: Telling(answer=_accepted),
    ev.DuplicateReceived: Telling(answer=_duplicate),
    ev.IdReused: Telling(answer=_id_reused),
    ev.CommandRefused: Telling(answer=_refused),
    ev.OrderGiven: Telling(answer=_ordered),
    ev.CaseHung: Telling(again=_hung, status="hung"),
    ev.HangRefused: Telling(again=_hung),
    ev.HangReleased: Telling(again=_hung, status="released"),
    ev.SupplementAttached: Telling(answer=_accepted),
    ev.WithdrawalNoted: Telling(answer=_accepted, again=_withdrawal_noted),
    ev.IdentityRevealed: Telling(news=_revealed),
    ev.CaseUrged: Telling(answer=_urge_taken, again=_urged, news=between.pass_on),
    ev.CaseSupplemented: Telling(answer=_accepted, again=_supplemented, news=between.pass_on),
    ev.CaseEvaluated: Telling(answer=_evaluated),
    ev.CallBackAsked: Telling(status="called_back"),
    ev.RedoOrdered: Telling(status="redo"),
    ev.CaseWithdrawn: Telling(answer=_accepted, status="withdrawn"),
    ev.EmergencyRedirected: Telling(status="redirected"),
    ev.CaseAnsweredAtOnce: Telling(status="answered_at_once"),
    ev.CaseRefused: Telling(status="refused"),
    ev.TriageAsked: Telling(status="in_triage"),
    ev.LegDispatched: Telling(status="dispatched"),
    ev.LegSigned: Telling(status="signed"),
    ev.LegReturnRejected: Telling(again=_return_rejected),
    ev.CaseRuled: Telling(again=_ruled),
    ev.LegReplied: Telling(again=_reply_below, status="replied"),
    ev.CaseClosed: Telling(status="closed", news=_closed),
    ev.ResemblanceFound: Telling(news=_resembles),
    ev.MergeAsked: Telling(news=between.ask),
    ev.MergeAskedAgain: Telling(news=between.ask),
    ev.MergeConfirmed: Telling(status="merged", news=between.confirmed),
    ev.MergeForgone: Telling(news=between.leave),
    ev.HeadLeft: Telling(news=between.leave),
    ev.MemberTaken: Telling(again=between.now_one_more, news=between.take),
    ev.MemberRefused: Telling(news=between.refuse),
    ev.SplitOff: Telling(news=between.split),
    ev.MemberLeft: Telling(again=between.now_one_more),
    ev.MemberSpoke: Telling(again=_member_spoke),
    ev.ClockRebased: Telling(again=_clock_moved, news=_due_moved),
    ev.ClockWarned: Telling(news=_warned),
    ev.ClockOverdue: Telling(again=_procedure_due, news=_overdue),
    ev.ProcedureBegun: Telling(status="in_procedure"),
    ev.CaseEscalated: Telling(again=_escalated_again, news=_escalated),
    ev.ExtensionDecided: Telling(again=_extension_decided),
    ev.ClockExtended: Telling(news=_due_moved),
    ev.ClockWentOn: Telling(again=_went_on, news=_due_moved),
}
"""Most events nobody outside learns of."""
