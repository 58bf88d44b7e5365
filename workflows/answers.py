"""
What whoever sent a command gets back: a receipt, a refusal, the answer to an order.
"""

from typing import Any

from msgspec import Raw, Struct

from schemas.ids import event_id
from workflows import between
from workflows import commands as cmd
from workflows import events as ev
from workflows import messages as body
from workflows.outbox import DEAD_LETTER, ORDER_ANSWERED, RECEIPT, REFUSED, Message
from workflows.post import Post


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


def accepted(post: Post, event: ev.Event) -> None:
    _receipt(post, "accepted")


def evaluated(post: Post, event: ev.CaseEvaluated) -> None:
    if not event.silent:
        _receipt(post, "accepted")


def urge_taken(post: Post, event: ev.CaseUrged) -> None:
    if not event.unit:
        _receipt(post, "accepted")


def review_asked(post: Post, event: ev.RefusalReviewAsked) -> None:
    if not event.by:
        _receipt(post, "accepted")


def duplicate(post: Post, event: ev.DuplicateReceived) -> None:
    _receipt(post, "duplicate")


def id_reused(post: Post, event: ev.IdReused) -> None:
    """The other request's case is not named to whoever used its id."""
    post.answer(
        RECEIPT,
        body.ReceiptBody(ref=post.case.ref, code="id_reused", reason="id_reused", text=body.refusal_text("id_reused")),
    )
    _dead_letter(post, "id_reused")


def refused(post: Post, event: ev.CommandRefused) -> None:
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


def ordered(post: Post, event: ev.OrderGiven) -> None:
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
    # of what nobody has sent there is no record to look at: its line is found by channel and id
    line = f"{command.channel}:{command.ref}" if isinstance(command, cmd.Adopt) else ""
    letter = body.DeadLetterBody(
        stage="engine",
        code=code,
        source=command.source,
        case=command.case,
        action=type(command).__name__,
        text=body.refusal_text(code),
        input=line,
    )
    post.add("dead-letters.engine", command.case, DEAD_LETTER, letter)


# -- where no case says anything -----------------------------------------------------------------


def lost(command: cmd.AnyCommand) -> tuple[Message, ...]:
    """For a command to a case that does not exist: an answer to its sender, and a dead letter. A stale deadline is nothing."""
    post = Post(None, command, None, None)
    if isinstance(command, cmd.Reply):
        _refuse_reply(post, command.action, "unknown_case", "")
    elif isinstance(command, cmd.Order):
        _answer_order(post, "refused", "unknown_case", "")
    elif isinstance(command, cmd.Supplement | cmd.Withdraw | cmd.Evaluate | cmd.Urge | cmd.AskReview):
        _refuse_channel(post, "unknown_case")
    elif isinstance(command, cmd.Join):
        to, said, answer = between.unknown_head(command)
        return (Message(to=to, key=command.member, id=said, type=between.JOIN_ANSWERED, data=answer),)
    else:
        return ()
    _dead_letter(post, "unknown_case")
    return tuple(post.messages)


def not_adopted(command: cmd.AnyCommand, code: str) -> tuple[Message, ...]:
    """For a case of another system that cannot be taken over: a dead letter, as nobody outside has sent it."""
    post = Post(None, command, None, None)
    _dead_letter(post, code)
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
