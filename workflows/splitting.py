"""拆分: parts of a request become cases of their own, each with its own rule, unit, clock and answer; the rest stays here."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.ids import case_id
from workflows import events as ev
from workflows.commands import Command, Order, PartRefused
from workflows.decision import Decision
from workflows.folds.stars import star
from workflows.ordered import Handler, Ordered

PARTS = 50
"""Of one case: each of them carries the whole request once more."""


def _split(d: Decision, command: Order, said: Ordered) -> str:
    """The channel knows a part as `<ref>#1`, `<ref>#2` …, and may supplement or withdraw it under that id."""
    before = star(d.case).parts
    if d.case.plan:
        return "not_merged"
    if before + len(said.parts) > PARTS:
        return "too_many_parts"
    if len(said.parts) > d.policy.merge_alone and said.confirmed_by in ("", said.officer):
        return "second_officer"
    for part in said.parts:
        _split_off(d, part.title, part.text, part.category)
    return ""


def _split_off(d: Decision, title: str, text: str, category: str) -> None:
    """Under the next number: a case's id follows from its channel and the channel's id, and never means another one."""
    ref = f"{d.case.ref}#{star(d.case).parts + 1}"
    d.emit(ev.SplitOff(case=case_id(d.case.channel, ref), ref=ref, title=title, text=text, category=category))


def _taken(d: Decision, command: PartRefused) -> None:
    """The channel has used that id itself: the next one. There are only so many that it has used."""
    if d.case.state not in ("archived", "forgotten"):
        _split_off(d, command.title, command.text, command.category)


BETWEEN: Mapping[type[Command], Callable[[Decision, Any], None]] = {PartRefused: _taken}
ORDERS: Mapping[str, Handler] = {"split": _split}
