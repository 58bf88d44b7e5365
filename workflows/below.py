"""
转派: a unit lets units of its own work for it, and answers for what they do; it may take work back, or send a reply back.
"""

from collections.abc import Callable, Mapping

from workflows import events as ev
from workflows.case import Leg
from workflows.clocks import resume_clock
from workflows.decision import Decision
from workflows.legs import level, sub_dispatch, take_back
from workflows.said import ReplyView


def _may_sub_dispatch(d: Decision, leg: Leg, said: ReplyView) -> str:
    if level(leg) >= d.policy.levels:
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


def _may_recall(d: Decision, leg: Leg, said: ReplyView) -> str:
    return _all_below(said.units, {child.unit for child in _children(d, leg) if child.open})


def _recall(d: Decision, leg: Leg, said: ReplyView) -> None:
    """收回转派: it was given to the wrong unit below, or is no longer needed."""
    for child in _children(d, leg):
        if child.open and child.unit in said.units:
            take_back(d, child, "recall", said.reason or "")


def _may_send_back_below(d: Decision, leg: Leg, said: ReplyView) -> str:
    if not said.reason:
        return "incomplete"
    return _all_below(said.units, set(_replied(d, leg)))


def _send_back_below(d: Decision, leg: Leg, said: ReplyView) -> None:
    """退回下级重办: the same task again with the same due, as the centre does with the lead's reply."""
    replied = _replied(d, leg)
    for unit in dict.fromkeys(said.units):
        child = replied[unit]
        d.emit(ev.LegSentBack(leg=child.id, reason=said.reason or "", round=child.round + 1))
        resume_clock(d, child.id)


def _children(d: Decision, leg: Leg) -> list[Leg]:
    return [child for child in d.case.legs.values() if child.parent == leg.id]


def _replied(d: Decision, leg: Leg) -> dict[str, Leg]:
    """By unit the newest leg below that has replied."""
    return {child.unit: child for child in _children(d, leg) if child.state == "replied"}


def _all_below(units: tuple[str, ...], known: set[str]) -> str:
    if not units:
        return "incomplete"
    return "" if known.issuperset(units) else "not_below"


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {
    "sub_dispatch": _may_sub_dispatch,
    "recall": _may_recall,
    "send_back_below": _may_send_back_below,
}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {
    "sub_dispatch": _sub_dispatch,
    "recall": _recall,
    "send_back_below": _send_back_below,
}
