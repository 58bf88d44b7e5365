"""Folding what binds cases to each other."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, Leg, Task, clock_key
from workflows.folds.moves import opened, to, without
from workflows.particulars import Member, Star

ALONE = Star()


def _proposed(case: Case, e: ev.MergeProposed, at: int) -> Case:
    task = Task(e.task, "decide_merge", case.centre, e.endpoint, reason=e.reason or "alike")
    return opened(_with(case, proposed=e.head, proposed_number=e.number), task)


def _rejected(case: Case, e: ev.MergeRejected, at: int) -> Case:
    return without(_with(case, proposed="", proposed_number=""), "decide_merge")


def _asked(case: Case, e: ev.MergeAsked, at: int) -> Case:
    bound = _with(case, head=e.head, asked=e.asked, second=e.second, proposed="", proposed_number="")
    return replace(bound, state=to(case, "merge"), tasks=_less(case, e.ended))


def _asked_again(case: Case, e: ev.MergeAskedAgain, at: int) -> Case:
    key = clock_key(e.kind, e.of)
    clock = case.clocks[key]
    return replace(case, clocks={**case.clocks, key: replace(clock, marks=clock.marks[1:])})


def _confirmed(case: Case, e: ev.MergeConfirmed, at: int) -> Case:
    return replace(_with(case, head_number=e.number), state=to(case, "confirm_merge"), tasks=_less(case, e.ended))


def _refused(case: Case, e: ev.MergeRefused, at: int) -> Case:
    return _with(case, head="")


def _head_left(case: Case, e: ev.HeadLeft, at: int) -> Case:
    """Who withdraws has left by that, and who has only asked was nowhere else."""
    state = to(case, "unmerge") if case.state == "merged" else case.state
    return replace(_with(case, head="", head_number=""), state=state)


def _head_answered(case: Case, e: ev.HeadAnswered, at: int) -> Case:
    return _with(case, unit=e.unit, reason=e.reason, text=e.text)


def _taken(case: Case, e: ev.MemberTaken, at: int) -> Case:
    members = {**star(case).members, e.member: Member(e.number, e.asked)}
    return replace(_with(case, members=members), excluded=tuple(sorted({*case.excluded, *e.excluded})))


def _member_left(case: Case, e: ev.MemberLeft, at: int) -> Case:
    return _with(case, members={member: held for member, held in star(case).members.items() if member != e.member})


def _spoke(case: Case, e: ev.MemberSpoke, at: int) -> Case:
    """Kept with what the head's own applicant added, under the member's number."""
    texts = [msgspec.json.encode({"text": f"{e.number}: {text}"}) for text in e.texts]
    return replace(case, supplements=(*case.supplements, *texts))


def _split(case: Case, e: ev.SplitOff, at: int) -> Case:
    return _with(case, parts=star(case).parts + 1)


def _unchanged(case: Case, e: ev.Event, at: int) -> Case:
    return case


def star(case: Case) -> Star:
    """What binds the case; nothing does for most."""
    return case.star or ALONE


def shared(case: Case) -> Leg | None:
    """The answer of its head that ended the case, in the form of a leg that it does not have itself."""
    held = star(case)
    if not held.unit:
        return None
    return Leg("", "", held.unit, "", "lead", 0, state="review_passed", result=held.reason, text=held.text)


def answers_itself(case: Case) -> Case:
    """It is done again: from here on it has an answer of its own to wait for."""
    return _with(case, unit="", reason="", text="") if case.star is not None and case.star.unit else case


def _less(case: Case, ended: tuple[str, ...]) -> dict[str, Task]:
    return {i: t for i, t in case.tasks.items() if i not in ended}


def _with(case: Case, **changes: Any) -> Case:
    return replace(case, star=replace(star(case), **changes))


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    ev.ResemblanceFound: _unchanged,
    ev.MergeProposed: _proposed,
    ev.MergeRejected: _rejected,
    ev.MergeAsked: _asked,
    ev.MergeAskedAgain: _asked_again,
    ev.MergeConfirmed: _confirmed,
    ev.MergeRefused: _refused,
    ev.MergeForgone: _unchanged,
    ev.HeadLeft: _head_left,
    ev.HeadAnswered: _head_answered,
    ev.MemberTaken: _taken,
    ev.MemberRefused: _unchanged,
    ev.MemberLeft: _member_left,
    ev.SplitOff: _split,
    ev.PartRefused: _unchanged,
    ev.MemberSpoke: _spoke,
}
