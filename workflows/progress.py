"""
进展: a unit says what it has done so far. No task ends and nothing is decided; who waits for such a word (a clock of the
kind `progress`) waits for the next one from then on.
"""

from collections.abc import Callable, Mapping

from workflows import events as ev
from workflows.case import Leg
from workflows.clocks import restart_leg_clock, stop_clocks
from workflows.decision import Decision
from workflows.said import ReplyView


def _may_note(d: Decision, leg: Leg, said: ReplyView) -> str:
    return "" if said.text else "incomplete"


def _note(d: Decision, leg: Leg, said: ReplyView) -> None:
    d.emit(ev.LegNoted(leg=leg.id, text=said.text or "", contacted=bool(said.contacted)))
    if said.contacted:
        stop_clocks(d, leg.id, "contact")
    restart_leg_clock(d, leg.id, "progress")


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {"note": _may_note}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {"note": _note}
