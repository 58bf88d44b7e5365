"""
转派: a first-level unit lets units of its own work for it, and answers for what they do.
"""

from collections.abc import Callable, Mapping

from workflows.case import Leg
from workflows.decision import Decision
from workflows.legs import sub_dispatch
from workflows.said import ReplyView


def _may_sub_dispatch(d: Decision, leg: Leg, said: ReplyView) -> str:
    if leg.parent:
        return "second_level"
    own = {unit.id: unit for unit in d.facts.children(leg.unit)}
    if not said.units:
        return "incomplete"
    if any(unit not in own for unit in said.units):
        return "not_own_unit"
    return "recused" if any(d.is_recused(own[unit]) for unit in said.units) else ""


def _sub_dispatch(d: Decision, leg: Leg, said: ReplyView) -> None:
    own = {unit.id: unit for unit in d.facts.children(leg.unit)}
    for unit in dict.fromkeys(said.units):
        sub_dispatch(d, leg, own[unit])


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {"sub_dispatch": _may_sub_dispatch}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {"sub_dispatch": _sub_dispatch}
