"""
Who may order what, and what an order needs: a table (domain.md §1), and nothing else grants a right.

An office is what a unit is to a case: by a leg it holds (holder, lead, first_level), by its place in the tree
(superior), or by a function in the catalogue (centre, county_centre, supervisor, leaders_office, arbiter). Who is complained
about, or stands below, holds none; but the centre that owns the case does unless it is meant itself. In which states an action is allowed is in workflows/states.py.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from workflows.decision import Decision
from workflows.facts import Unit
from workflows.ordered import Ordered
from workflows.states import APPEAL, verdict


class Right(NamedTuple):
    """
    An order's row. offices: any one of them may give it.

    Needed with it: a `reason` of the action's closed list, a `second` officer who confirms, a `document` number (文号),
    a `text`, `evidence` (attachments).
    """

    offices: tuple[str, ...]
    reason: bool = False
    second: bool = False
    document: bool = False
    text: bool = False
    evidence: bool = False


RIGHTS: Mapping[str, Right] = {
    "urge": Right(("centre", "supervisor", "leaders_office", "superior")),
    "supervise": Right(("supervisor", "leaders_office"), reason=True),
    "instruct": Right(("leaders_office",), text=True),
    "lift": Right(("supervisor", "leaders_office")),
    "re_dispatch": Right(("centre", "county_centre"), reason=True),
    "redirect": Right(("centre", "county_centre"), reason=True),
    "refuse": Right(("centre",), reason=True),
    "conclude": Right(("centre",), reason=True, second=True, text=True, evidence=True),
    "ex_officio": Right(("lead", "centre")),
    "mark_malicious": Right(("centre",), reason=True, second=True, document=True),
    "release": Right(("centre", "county_centre"), reason=True, second=True),
    "reveal": Right(("holder",), reason=True),
    "merge": Right(("centre",)),
    "unmerge": Right(("centre",), text=True),
    "split": Right(("centre",)),
    "redo": Right(("centre", "supervisor"), reason=True),
    "appeal_review": Right(("lead",), second=True, text=True),
    "ask_review": Right(("centre", "supervisor", "leaders_office"), text=True),
}
"""By action. One that is not here nobody may order yet."""


def refused(d: Decision, endpoint: str, unit: str, action: str, said: Ordered) -> str:
    """Why this order may not be given (a code of workflows/refusals.py), or empty."""
    right, who = RIGHTS.get(action), d.facts.unit(unit)
    if right is None:
        return "not_available"
    if who is None:
        return "unknown_unit"
    if who.endpoint != endpoint:
        return "wrong_unit"
    if _stands_aside(d, who):
        return "recused"
    if not has_office(d, who, right.offices):
        return "not_entitled"
    return verdict(APPEAL, d.case.state, action) or _lacks(d, right, action, said)


def has_office(d: Decision, unit: Unit, offices: Iterable[str]) -> bool:
    """Whether the unit is one of these to the case."""
    return any(_OFFICES[office](d, unit) for office in offices)


def unlisted(d: Decision, action: str, reason: str) -> str:
    """`unknown_reason` where the action has a closed list and the reason is not on it; or empty."""
    listed = d.facts.reasons(action)
    return "unknown_reason" if listed and reason not in listed else ""


def _stands_aside(d: Decision, unit: Unit) -> bool:
    """Whoever owns the case must be able to end it: only a complaint about itself takes that away, none about those above."""
    return unit.id in d.excluded if unit.id == d.case.centre else d.is_recused(unit)


def _lacks(d: Decision, right: Right, action: str, said: Ordered) -> str:
    if not said.officer or (right.reason and not said.reason) or (right.text and not said.text):
        return "incomplete"
    if said.reason and (code := unlisted(d, action, said.reason)):
        return code
    if right.second and said.confirmed_by in ("", said.officer):
        return "second_officer"
    if right.document and not said.document:
        return "document_needed"
    return "evidence_needed" if right.evidence and not msgspec.json.decode(said.attachments or b"[]") else ""


# -- offices ------------------------------------------------------------------------------------


def _holder(d: Decision, unit: Unit) -> bool:
    return any(leg.open and leg.unit == unit.id for leg in d.case.legs.values())


def _lead(d: Decision, unit: Unit) -> bool:
    lead = d.case.lead
    return lead is not None and lead.unit == unit.id


def _first_level(d: Decision, unit: Unit) -> bool:
    return any(leg.open and leg.unit == unit.id and not leg.parent for leg in d.case.legs.values())


def _superior(d: Decision, unit: Unit) -> bool:
    """Above a unit that has it in hand."""
    held = (d.facts.unit(leg.unit) for leg in d.case.legs.values() if leg.open)
    return any(below is not None and unit.id in below.ancestors for below in held)


def _centre(d: Decision, unit: Unit) -> bool:
    """The centre that owns the case, and those above it."""
    above = unit.id in d.centre().ancestors and d.facts.holds(unit.id, "centre", d.case.region)
    return above or unit.id == d.case.centre


def _county_centre(d: Decision, unit: Unit) -> bool:
    """The centre of the place, below the one that owns the case."""
    return d.case.centre in unit.ancestors and d.facts.holds(unit.id, "centre", d.case.region)


def _supervisor(d: Decision, unit: Unit) -> bool:
    return d.facts.holds(unit.id, "supervisor", d.case.region)


def _leaders_office(d: Decision, unit: Unit) -> bool:
    return d.facts.holds(unit.id, "leaders_office", d.case.region)


def _arbiter(d: Decision, unit: Unit) -> bool:
    return d.facts.holds(unit.id, "arbiter", d.case.region)


_OFFICES: Mapping[str, Callable[[Decision, Unit], bool]] = {
    "holder": _holder,
    "lead": _lead,
    "first_level": _first_level,
    "superior": _superior,
    "centre": _centre,
    "county_centre": _county_centre,
    "supervisor": _supervisor,
    "leaders_office": _leaders_office,
    "arbiter": _arbiter,
}
