"""
催办: whoever has it in hand is reminded. It moves no due date; by the citizen and by an office are counted apart.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from workflows import events as ev
from workflows.commands import Order, Urge
from workflows.decision import Decision
from workflows.ordered import Handler, Ordered


class _Said(Struct):
    text: str | None = None


_said = msgspec.json.Decoder(_Said).decode


def urged(d: Decision, command: Urge) -> None:
    """By the applicant."""
    d.emit(ev.CaseUrged(text=_said(command.body).text or ""))


def _urge(d: Decision, command: Order, said: Ordered) -> str:
    """Of one leg, or of all that is open."""
    leg = d.case.legs.get(said.leg)
    if said.leg and (leg is None or not leg.open):
        return "leg_not_open"
    d.emit(ev.CaseUrged(unit=command.unit, leg=said.leg, text=said.text))
    return ""


ORDERS: Mapping[str, Handler] = {"urge": _urge}
