"""拆分: parts of a request become cases of their own, each with its own rule, unit, clock and answer; the rest stays here."""

from collections.abc import Mapping

from schemas.ids import case_id
from workflows import events as ev
from workflows.commands import Order
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
    for n, part in enumerate(said.parts, before + 1):
        ref = f"{d.case.ref}#{n}"
        d.emit(
            ev.SplitOff(
                case=case_id(d.case.channel, ref), ref=ref, title=part.title, text=part.text, category=part.category
            )
        )  # fmt: skip
    return ""


ORDERS: Mapping[str, Handler] = {"split": _split}
