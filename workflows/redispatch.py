"""
改派: before there is a reply, a dispatcher gives a leg to another unit, and says why the first one was the wrong one.
"""

from collections.abc import Mapping

from workflows.arbitration import named
from workflows.case import Leg
from workflows.commands import Order
from workflows.decision import Decision
from workflows.facts import Unit
from workflows.legs import put_beside, put_in_place, take_back
from workflows.ordered import Handler, Ordered
from workflows.states import LEG, verdict


def _re_dispatch(d: Decision, command: Order, said: Ordered) -> str:
    """Of the leg that is named, else of the lead: exactly one unit takes its place, others assist."""
    leg = d.case.legs.get(said.leg) if said.leg else d.case.lead
    units, code = named(d, said.targets)
    code = code or _may(d, command, leg, units)
    if not code and [target.part for target in said.targets].count("lead") != 1:
        code = "one_lead"
    if code or leg is None:
        return code
    lead = next(unit for target, unit in zip(said.targets, units, strict=True) if target.part == "lead")
    if lead.id == leg.unit:
        return "same_unit"
    take_back(d, leg, "re_dispatch", said.reason)
    put_in_place(d, leg, lead)
    put_beside(d, [(u, t.part) for t, u in zip(said.targets, units, strict=True) if u.id not in (lead.id, leg.unit)])
    return ""


def _may(d: Decision, command: Order, leg: Leg | None, units: list[Unit]) -> str:
    if leg is None or not leg.open or leg.parent:
        return "leg_not_open"
    if d.case.disputes is not None and d.case.disputes.ruling is not None:
        return "ruled_case"
    if code := verdict(LEG, leg.state, "re_dispatch"):
        return code
    owns = command.unit == d.case.centre
    return "" if owns or all(d.facts.holds(command.unit, "centre", unit.place) for unit in units) else "out_of_county"


ORDERS: Mapping[str, Handler] = {"re_dispatch": _re_dispatch}
