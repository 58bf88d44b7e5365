"""
What one case says to another: commands in the outbox for `case:<id>`, the one path by which one case touches another.

Each function takes the messages being written (workflows/post.py) and the event that brings it about.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from schemas.ids import event_id, message_id
from workflows import commands as cmd
from workflows import events as ev
from workflows.case import Case
from workflows.folds.stars import star
from workflows.oversight import is_quiet
from workflows.post import Post
from workflows.tasks import Again

JOIN = "cn.duokua.case.join_asked.v1"
JOIN_ANSWERED = "cn.duokua.case.join_answered.v1"
LEFT = "cn.duokua.case.member_left.v1"
HEAD_ENDED = "cn.duokua.case.head_ended.v1"
MEMBER_SAID = "cn.duokua.case.member_said.v1"
SPLIT_OFF = "cn.duokua.case.split_off.v1"
PART_REFUSED = "cn.duokua.case.part_refused.v1"


def ask(post: Post, event: ev.MergeAsked | ev.MergeAskedAgain) -> None:
    """To the head: take this one. By the event: the case may have gone further in the same record."""
    case = post.case
    if event.head:
        post.to_case(
            event.head, JOIN, cmd.Join,
            member=case.id, number=case.number, asked=event.asked, centre=case.centre, appeal_kind=case.appeal_kind,
            excluded=case.excluded, second=star(case).second,
        )  # fmt: skip


def take(post: Post, event: ev.MemberTaken) -> None:
    post.to_case(
        event.member, JOIN_ANSWERED, cmd.JoinAnswered, head=post.case.id, number=post.case.number, asked=event.asked
    )


def refuse(post: Post, event: ev.MemberRefused) -> None:
    post.to_case(
        event.member, JOIN_ANSWERED, cmd.JoinAnswered,
        head=post.case.id, number=post.case.number, asked=event.asked, code=event.code,
    )  # fmt: skip


def leave(post: Post, event: ev.HeadLeft | ev.MergeForgone) -> None:
    """To a head: this is not one of yours."""
    post.to_case(event.head, LEFT, cmd.Leave, member=post.case.id, asked=event.asked)


def end(post: Post, event: ev.CaseClosed) -> None:
    """To each member: this is how it ended."""
    case = post.case
    procedure = next((e for e in post.d.events if isinstance(e, ev.ProcedureBegun)), None)
    begun = procedure and cmd.Begun(
        procedure.procedure, procedure.name_zh, procedure.name_en, procedure.limit, procedure.due, procedure.provisional
    )
    lead = case.lead
    unit = lead.unit if lead is not None and lead.state == "review_passed" else ""
    for member, held in star(case).members.items():
        post.to_case(
            member, HEAD_ENDED, cmd.HeadEnded,
            head=case.id, number=case.number, asked=held.asked, reason=event.reason, result=event.result,
            begun=begun, unit=unit,
        )  # fmt: skip


def confirmed(post: Post, event: ev.MergeConfirmed) -> None:
    """To the head: what the applicant has added so far, which those who handle the head have not seen."""
    if post.case.supplements and not is_quiet(post.case):
        _say(post, event.head, "supplemented", post.case.supplements)


def pass_on(post: Post, event: ev.CaseSupplemented | ev.CaseUrged) -> None:
    """To the head of a member, which nobody handles by itself: what is said to it. Before it is taken: when it is."""
    case = post.case
    if case.state != "merged" or (is_quiet(case) and not getattr(event, "unit", "")):
        return
    if isinstance(event, ev.CaseSupplemented):
        _say(post, star(case).head, "supplemented", (event.body,))
    else:
        _say(post, star(case).head, "urged")


def _say(post: Post, head: str, what: Literal["supplemented", "urged"], bodies: Iterable[bytes | Raw] = ()) -> None:
    post.to_case(
        head, MEMBER_SAID, cmd.MemberSaid, member=post.case.id, asked=star(post.case).asked, what=what,
        texts=tuple([piece for body in bodies for piece in _pieces(_said(body).text or "")]),
    )  # fmt: skip


class _Said(Struct):
    text: str | None = None


_said = msgspec.json.Decoder(_Said).decode


PIECE = 9_000
"""Characters: the longest text of the contract has no room for the number of whose it is."""


def _pieces(text: str) -> Iterable[str]:
    return (text[at : at + PIECE] for at in range(0, len(text), PIECE))


def split(post: Post, event: ev.SplitOff) -> None:
    """The request again, of the same moment, about the part alone: a request like any other from here on."""
    asked: dict[str, Any] = msgspec.json.decode(post.asked.request or b"{}")
    asked = {name: value for name, value in asked.items() if name not in _WHOLE}
    asked |= {"title": event.title}
    asked |= {"text": event.text} if event.text else {}
    asked |= {"appeal_category": event.category} if event.category else {}
    request, case = msgspec.json.encode(asked), post.case
    post.to_case(
        event.case, SPLIT_OFF, cmd.Submit,
        channel=case.channel, ref=event.ref, request=Raw(request), digest=sha256(request).hexdigest(),
        received_at=case.received_at, part_of=case.number, parent=case.id,
    )  # fmt: skip


def refuse_part(post: Post, event: ev.PartRefused) -> None:
    """Back to where it was split off, with what it was about."""
    command: Any = post.command
    part = _part(command.request)
    post.to_case(
        event.parent, PART_REFUSED, cmd.PartRefused,
        ref=event.ref, title=part.title, text=part.text or "", category=part.appeal_category or "",
    )  # fmt: skip


class _Part(Struct):
    title: str = ""
    text: str | None = None
    appeal_category: str | None = None


_part = msgspec.json.Decoder(_Part).decode


_WHOLE = ("appeal_category", "matter_code", "direct_answer", "one_thing")
"""What a request says of itself as a whole, and no part of it inherits."""


def unknown_head(join: cmd.Join) -> tuple[str, str, Raw]:
    """The answer where there is no such case: destination, message id, command."""
    said = message_id(event_id(f"{join.id}|lost", 0), 0)
    answer = cmd.JoinAnswered(
        id=said, case=join.member, at=join.at, head=join.case, asked=join.asked, code="unknown_case"
    )
    return f"case:{join.member}", said, Raw(msgspec.json.encode(answer))


def now_one_more(case: Case, event: ev.MemberTaken | ev.MemberLeft) -> Again:
    """Who has the head in hand learns for how many it answers."""
    if not (isinstance(event, ev.MemberTaken) and event.again):
        for task in case.tasks.values():
            leg = case.legs.get(task.leg)
            if task.kind == "handle" and leg is not None and leg.part == "lead":
                yield task, None, "members"
