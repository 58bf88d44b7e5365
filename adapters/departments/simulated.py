"""
Simulated departments: what the people behind an endpoint would say about a task, and when.

Pure and seeded: the same task under the same seed brings the same replies, whoever asks and however
often, so that a simulator that dies and starts again goes on where it was. Delays are office time,
as texts of the policies (`3wh` = three office hours), counted by whoever knows the calendar.

What people do comes in the shares of adapters/departments/shares.py: most units are prompt, some are slow (warned,
sometimes overdue), a few silent until the ladder has gone up; some return what is not theirs (退单), dispatch further
(转派), ask for more time (延期) or let their clock stand still where the policy lets them (暂停计时).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Literal, Protocol
from uuid import uuid5

from adapters.departments import phrases
from adapters.departments.shares import IN_ONE_THINGS, LENGTHS, NOTED, OFFICERS, RESULTS, UNITS, Share
from schemas.handling import ReplyAction, TaskKind
from schemas.ids import NAMESPACE
from schemas.request import Attachment
from schemas.task import Reply, Target, Task
from schemas.vocabulary import Part

__all__ = ["Directory", "Planned", "behaviour", "plan", "reply_id"]

Anchor = Literal["assigned", "before_due", "after_due"]


@dataclass(frozen=True)
class Planned:
    """A reply and when it is given: `delay` (office time) and `minutes` after the anchor, or before the due."""

    anchor: Anchor
    delay: str
    minutes: int
    reply: Reply


class Directory(Protocol):
    """What the people at a desk know of the house: their own units, and whose business something is."""

    def children(self, task: Task) -> Sequence[str]:
        """Units of the task's own unit to which it may dispatch further, the fittest first."""

    def bearer(self, task: Task) -> str | None:
        """The unit whose business it seems to be, if anybody's."""

    def pause(self, task: Task) -> str:
        """A reason for which the policy lets the task's clock stand still; empty where there is none."""


def reply_id(reply: Reply, round_: int, attempt: int = 0) -> str:
    """The CloudEvents id: the same attempt at the same round of the same task is the same event."""
    return str(uuid5(NAMESPACE, f"{reply.task_id}|{reply.action}|{round_}|{attempt}"))


def behaviour(task: Task, seed: str) -> str:
    """How the unit takes this task. What its state does not allow, or what it has no units for, it does not do."""
    shares = IN_ONE_THINGS if task.request and task.request.one_thing else UNITS
    return _shared(shares, _draw(seed, task, "behaviour"))


def plan(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    """All that the people of the unit will say about this round of the task, in order. Empty: never anything."""
    if task.kind is TaskKind.CALL_BACK:
        return _call_back(task, seed)
    if task.kind is not TaskKind.HANDLE:
        return (_OFFICERS[task.kind](task, directory, seed),)
    if task.round:
        return (_planned(task, seed, "assigned", "3wh", ReplyAction.REPLY, **_answer(task, seed)),)
    if task.part is Part.COPY:
        return (_sign(task, seed, "2wh"),)
    return _HANDLERS[behaviour(task, seed)](task, directory, seed)


# -- the units that act --------------------------------------------------------------------------------


def _prompt(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    hours = 6 + _draw(seed, task, "pace") % 12
    return _sign(task, seed, "1wh"), _planned(
        task, seed, "assigned", f"{hours}wh", ReplyAction.REPLY, **_answer(task, seed)
    )


def _at_once(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    return _sign(task, seed, "30m"), _planned(task, seed, "assigned", "2wh", ReplyAction.REPLY, **_answer(task, seed))


def _slow(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    """Signs on the second day and answers shortly before the due (warned), every third one after it (overdue)."""
    late = _draw(seed, task, "late") < 34
    anchor: Anchor = "after_due" if late else "before_due"
    return (
        _sign(task, seed, "6wh"),
        *_noted(task, seed, "1wd"),
        _planned(task, seed, anchor, "5wh" if late else "2wh", ReplyAction.REPLY, **_answer(task, seed)),
    )


def _silent(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    """Says nothing until the ladder has gone up; half of them not even then."""
    if _draw(seed, task, "wakes") < 50:
        return ()
    return (_planned(task, seed, "after_due", "2wd", ReplyAction.REPLY, **_answer(task, seed)),)


def _returning(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    """Not its duty, it says. If the dispatcher does not agree, it works on what comes back to it."""
    if ReplyAction.RETURN not in task.allowed:
        return _prompt(task, directory, seed)
    bearer = directory.bearer(task)
    proposed = None if bearer == task.unit else bearer
    reason, text = phrases.RETURN_REASONS[_number(seed, task, "text") % len(phrases.RETURN_REASONS)]
    why = {
        "reason": reason,
        "text": text.format(unit=task.unit_name),
        "basis": phrases.DUTIES.format(unit=task.unit_name),
        "attachments": (Attachment(name="现场照片.jpg", uri=f"urn:uuid:{task.task_id}", media_type="image/jpeg"),),
        "proposed_unit": proposed,
        "officer": _officer(task, "decides"),
        "confirmed_by": _officer(task, "confirms"),
    }
    return (
        _sign(task, seed, "1wh"),
        _planned(task, seed, "assigned", "3wh", ReplyAction.RETURN, **why),
        _planned(task, seed, "before_due", "4wh", ReplyAction.REPLY, **_answer(task, seed)),
    )


def _sub_dispatching(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    """Signs, hands it to a unit of its own, and puts that unit's reply together before the due."""
    children = directory.children(task) if task.part is not Part.SUB else ()
    if not children:
        return _prompt(task, directory, seed)
    return (
        _sign(task, seed, "1wh"),
        _planned(task, seed, "assigned", "2wh", ReplyAction.SUB_DISPATCH, units=tuple(children[:1])),
        *_noted(task, seed, "1wd"),
        _planned(task, seed, "before_due", "3wh", ReplyAction.REPLY, **_answer(task, seed)),
    )


def _extending(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    """The lead asks for more time on the last day but one, and answers before the due, whichever it is by then."""
    if task.part is not Part.LEAD or ReplyAction.ASK_EXTENSION not in task.allowed:
        return _prompt(task, directory, seed)
    limit = _shared(LENGTHS, _draw(seed, task, "length"))
    reason, text = phrases.EXTENSION_REASONS[_number(seed, task, "text") % len(phrases.EXTENSION_REASONS)]
    return (
        _sign(task, seed, "2wh"),
        *_noted(task, seed, "4wh"),
        _planned(task, seed, "before_due", "1wd", ReplyAction.ASK_EXTENSION, limit=limit, reason=reason, text=text),
        _planned(task, seed, "before_due", "3wh", ReplyAction.REPLY, **_answer(task, seed)),
    )


def _pausing(task: Task, directory: Directory, seed: str) -> tuple[Planned, ...]:
    """Waits with its clock standing still, goes on by itself, and answers."""
    reason = directory.pause(task)
    if not reason or ReplyAction.PAUSE not in task.allowed:
        return _prompt(task, directory, seed)
    return (
        _sign(task, seed, "1wh"),
        _planned(task, seed, "assigned", "3wh", ReplyAction.PAUSE, reason=reason),
        _planned(task, seed, "assigned", "7wh", ReplyAction.GO_ON),
        _planned(task, seed, "assigned", "12wh", ReplyAction.REPLY, **_answer(task, seed)),
    )


def _noted(task: Task, seed: str, delay: str) -> tuple[Planned, ...]:
    """进展: some say in between how far they are."""
    if _shared(NOTED, _draw(seed, task, "noted")) != "noted":
        return ()
    text = _pick(phrases.NOTES, seed, task)
    return (_planned(task, seed, "assigned", delay, ReplyAction.NOTE, text=text, contacted=_is_told(task, seed)),)


_HANDLERS = {
    "at_once": _at_once,
    "prompt": _prompt,
    "slow": _slow,
    "silent": _silent,
    "returning": _returning,
    "sub_dispatching": _sub_dispatching,
    "extending": _extending,
    "pausing": _pausing,
}


# -- the officers of the centre and of the emergency services ----------------------------------------------


def _review(task: Task, directory: Directory, seed: str) -> Planned:
    """Every sixth first reply is sent back; the second one passes."""
    if not task.round and ReplyAction.SEND_BACK in task.allowed and _decided(task, seed) == ReplyAction.SEND_BACK:
        return _planned(
            task, seed, "assigned", "2wh", ReplyAction.SEND_BACK, reason=_pick(phrases.SENT_BACK, seed, task)
        )
    return _planned(task, seed, "assigned", "1wh", ReplyAction.PASS)


def _triage(task: Task, directory: Directory, seed: str) -> Planned:
    unit = directory.bearer(task) or task.unit
    return _planned(task, seed, "assigned", "1wh", ReplyAction.DISPATCH, targets=(Target(unit=unit),))


def _decide_return(task: Task, directory: Directory, seed: str) -> Planned:
    """Accepted, rejected, or handed over to who rules, where that is allowed."""
    action = ReplyAction(_decided(task, seed))
    if action == ReplyAction.ARBITRATE and action in task.allowed:
        return _planned(task, seed, "assigned", "1wh", action, reason=_pick(phrases.HANDED_OVER, seed, task))
    return _planned(
        task, seed, "assigned", "1wh", ReplyAction.ACCEPT_RETURN if action == ReplyAction.ARBITRATE else action
    )


def _rule(task: Task, directory: Directory, seed: str) -> Planned:
    """The arbitration body gives it to whose business it is; who had it first keeps it where that is nobody's."""
    unit = directory.bearer(task)
    reason = _pick(phrases.RULED, seed, task)
    targets = (Target(unit=unit),) if unit else ()
    said: dict[str, object] = {"document": f"裁定 {task.number}", "reason": reason, "targets": targets}
    return _planned(task, seed, "assigned", "4wh", ReplyAction.RULE, **said)


def _decide_extension(task: Task, directory: Directory, seed: str) -> Planned:
    """Granted as asked, or half of it, or not at all."""
    decided = _decided(task, seed)
    if decided == ReplyAction.REFUSE_EXTENSION:
        return _planned(task, seed, "assigned", "2wh", ReplyAction.REFUSE_EXTENSION, reason="理由不充分")
    less = {"limit": _half(task.limit)} if decided == "shorten" and task.limit else {}
    return _planned(task, seed, "assigned", "2wh", ReplyAction.GRANT_EXTENSION, **less)


def _half(limit: str) -> str:
    """Half of `5wd` is `2wd`; one of anything stays one."""
    count = limit.rstrip("mhdw")
    return f"{max(1, int(count) // 2)}{limit[len(count) :]}"


def _confirm_refusal(task: Task, directory: Directory, seed: str) -> Planned:
    """By another officer than who proposed it, if a person did."""
    action, officer = ReplyAction(_decided(task, seed)), _officer(task, "confirms")
    return _planned(task, seed, "assigned", "2wh", action, officer=officer, text="经复核，情况属实。")


def _confirm_receipt(task: Task, directory: Directory, seed: str) -> Planned:
    """Emergency services answer by the clock on the wall, not by office hours."""
    return _planned(task, seed, "assigned", "2m", ReplyAction.CONFIRM_RECEIPT, receipt_no=f"JQ-{task.number}")


def _call_back(task: Task, seed: str) -> tuple[Planned, ...]:
    """One in eight picks up only the second time; who is neither helped nor content has it done again, if that is allowed."""
    first = _draw(seed, task, "picks up") >= 12
    solved, satisfied = _draw(seed, task, "solved") < 88, _draw(seed, task, "satisfied") < 90
    again = not solved and not satisfied and ReplyAction.REDO in task.allowed
    said: dict[str, object] = {
        "contacted": _draw(seed, task, "contacted") < 95,
        "solved": solved,
        "satisfied": satisfied,
    }
    action = ReplyAction.REDO if again else ReplyAction.CALL_BACK
    answer = _planned(
        task, seed, "assigned", "1wh" if first else "3wh", action, **said, **({"reason": "not_solved"} if again else {})
    )
    return (answer,) if first else (_planned(task, seed, "assigned", "1wh", ReplyAction.NOT_REACHED), answer)


def _judge_review(task: Task, directory: Directory, seed: str) -> Planned:
    said = {"officer": _officer(task, "decides"), "reason": "未见恶意"}
    return _planned(task, seed, "assigned", "6wh", ReplyAction.REFUSE_APPEAL, **said)


def _acknowledge(task: Task, directory: Directory, seed: str) -> Planned:
    return _planned(task, seed, "assigned", "1wh", ReplyAction.ACKNOWLEDGE)


def _report(task: Task, directory: Directory, seed: str) -> Planned:
    return _planned(task, seed, "assigned", "6wh", ReplyAction.REPORT, text=_answer(task, seed)["text"])


def _decide_hang(task: Task, directory: Directory, seed: str) -> Planned:
    two = {"officer": _officer(task, "decides"), "confirmed_by": _officer(task, "confirms")}
    return _planned(task, seed, "assigned", "1wd", ReplyAction.GRANT_HANG, **two)


def _review_plan(task: Task, directory: Directory, seed: str) -> Planned:
    return _planned(task, seed, "before_due", "1wd", ReplyAction.REVIEW_PLAN, text="按计划推进。")


def _end_procedure(task: Task, directory: Directory, seed: str) -> Planned:
    return _planned(
        task, seed, "assigned", "3wd", ReplyAction.END_PROCEDURE, text="信访事项已依法办结，处理意见书已送达。"
    )


def _read_report(task: Task, directory: Directory, seed: str) -> Planned:
    return _planned(task, seed, "assigned", "2wh", ReplyAction.ACCEPT_REPORT)


def _decide_merge(task: Task, directory: Directory, seed: str) -> Planned:
    return _planned(task, seed, "assigned", "1wh", ReplyAction(_decided(task, seed)))


_OFFICERS = {
    TaskKind.REVIEW: _review,
    TaskKind.TRIAGE: _triage,
    TaskKind.DECIDE_RETURN: _decide_return,
    TaskKind.ARBITRATE: _rule,
    TaskKind.DECIDE_EXTENSION: _decide_extension,
    TaskKind.CONFIRM_REFUSAL: _confirm_refusal,
    TaskKind.CONFIRM_RECEIPT: _confirm_receipt,
    TaskKind.ACKNOWLEDGE: _acknowledge,
    TaskKind.REPORT: _report,
    TaskKind.READ_REPORT: _read_report,
    TaskKind.DECIDE_HANG: _decide_hang,
    TaskKind.REVIEW_PLAN: _review_plan,
    TaskKind.DECIDE_MERGE: _decide_merge,
    TaskKind.JUDGE_REVIEW: _judge_review,
    TaskKind.END_PROCEDURE: _end_procedure,
}


# -- words and draws ------------------------------------------------------------------------------------------


def _sign(task: Task, seed: str, delay: str) -> Planned:
    return _planned(task, seed, "assigned", delay, ReplyAction.SIGN)


def _planned(task: Task, seed: str, anchor: Anchor, delay: str, action: ReplyAction, **said: object) -> Planned:
    reply = Reply(case_id=task.case_id, task_id=task.task_id, action=action, **said)  # type: ignore[arg-type]
    return Planned(anchor, delay, _draw(seed, task, f"minutes {action}") % 40, reply)


def _is_told(task: Task, seed: str) -> bool:
    """Whether the applicant was called about it, if anybody knows whom to call."""
    party = task.request.applicant if task.request else None
    return not (party is not None and party.kind == "anonymous") and _draw(seed, task, "told") < 90


def _answer(task: Task, seed: str) -> dict[str, object]:
    """What a reply says: its result in the usual shares, a text that fits it, how the applicant was told."""
    result = _shared(RESULTS, _draw(seed, task, "result"))
    texts = phrases.ANSWERS[result]
    text = _pick(texts, seed, task).format(unit=task.unit_name, title=task.title)
    told = _is_told(task, seed)
    said: dict[str, object] = {
        "result": result,
        "text": (phrases.AGAIN if task.round else "") + text,
        "contacted": told,
        "officer": _officer(task, "answers"),
    }
    if result == "transferred":
        said["procedure"] = "petition"
    return said | ({"contact_method": "电话"} if told else {})


def _officer(task: Task, does: str) -> str:
    """A staff code: for one task the same, for another one another, so that who proposed something does not confirm it."""
    digest = blake2b(f"{task.task_id}|{does}".encode(), digest_size=4).digest()
    return f"SIM-{int.from_bytes(digest) % 10**6:06d}"


def _decided(task: Task, seed: str) -> str:
    """What the officer of such a task decides."""
    return _shared(OFFICERS[task.kind], _draw(seed, task, "decided"))


def _shared(shares: Sequence[Share], draw: int) -> str:
    """The row into which a draw of 0..99 falls."""
    upto = accumulate(share.percent for share in shares)
    return next(share.name for share, end in zip(shares, upto, strict=True) if draw < end)


def _pick(texts: Sequence[str], seed: str, task: Task) -> str:
    return texts[_number(seed, task, "text") % len(texts)]


def _draw(seed: str, task: Task, what: str) -> int:
    """0..99, the same for the same seed, task and question."""
    return _number(seed, task, what) % 100


def _number(seed: str, task: Task, what: str) -> int:
    digest = blake2b(f"{seed}|{task.task_id}|{task.round}|{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
