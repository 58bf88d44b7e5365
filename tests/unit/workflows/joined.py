"""What cases say to each other, for the tests of merging and splitting: a head far away, and its members."""

from schemas.ids import case_id, command_id
from tests.unit.workflows.small_world import NOW, Told, told
from workflows import commands as cmd

CENTRE = "370100.hotline"
HEAD = cmd.Other("11111111-0000-5000-8000-000000000001", "370100-260918-0200001-1")


def said(t: Told, to: str = "case:") -> list[cmd.AnyCommand]:
    """What the last command said to other cases."""
    return [cmd.decode(message.data) for message in t.last.messages if message.to.startswith(to)]


def joining(**more: object) -> cmd.Join:
    """Another case that asks to be taken."""
    member = case_id("website", str(more.pop("ref", "w-2")))
    base = {
        "id": command_id(member, str(more)), "case": case_id("website", "w-1"), "at": NOW, "member": member, "number": "n-2", "asked": 1,
        "centre": CENTRE, "appeal_kind": "help",
    }  # fmt: skip
    return cmd.Join(**{**base, **more})  # type: ignore[arg-type]


def answer(t: Told, code: str = "", asked: int = 1, head: str = HEAD.case) -> Told:
    base = {"id": command_id(head, f"{code}{asked}{t.count}"), "case": t.held.id, "at": t.now}
    return t.take(cmd.JoinAnswered(**base, head=head, number=HEAD.number, asked=asked, code=code))  # type: ignore[arg-type]


def ended(t: Told, reason: str = "solved", asked: int = 1) -> Told:
    base = {"id": command_id(HEAD.case, f"{reason}{asked}"), "case": t.held.id, "at": t.now}
    return t.take(
        cmd.HeadEnded(**base, head=HEAD.case, number=HEAD.number, asked=asked, reason=reason, result="已修好")  # type: ignore[arg-type]
    )


def merging(category: str = "street") -> Told:
    return told().submit(category).order(CENTRE, "merge", cases=[HEAD.case])


def resembling(t: Told, what: str, count: int = 1) -> Told:
    base = {"id": command_id(t.held.id, f"{what}{count}"), "case": t.held.id, "at": t.now}
    return t.take(cmd.Resemble(**base, what=what, count=count, cases=(HEAD,), score=0.9))  # type: ignore[arg-type]
