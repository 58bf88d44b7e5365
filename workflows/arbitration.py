"""
裁定: who must act where units do not agree. A ruling binds, names its document (文号), and can become a rule.

A second return of one place goes to the arbitration body, and so does a dispute: the dispatcher may hand a return
over, a unit whose return was rejected may ask. None of those who disagree rules. A joint meeting (联席会议) is a ruling that
names assists beside the lead; where it can name nobody, who had it first leads (首接负责).
"""

from collections.abc import Callable, Mapping, Sequence

from workflows import events as ev
from workflows.case import Leg, Task
from workflows.clocks import start_task_clock
from workflows.decision import Decision
from workflows.facts import Unit
from workflows.legs import give_back, put_beside, put_in_place
from workflows.said import ReplyView, TargetView
from workflows.states import APPEAL, verdict


def arbiter(d: Decision, leg: Leg, proposed: str = "") -> Unit | None:
    """Who may rule on this leg: neither complained about, nor one of those who have returned it or are named instead."""
    asked = d.case.disputes.asked if d.case.disputes else {}
    parties = {leg.unit, *(d.case.legs[other].unit for other in asked), *filter(None, (leg.proposed, proposed))}
    return d.facts.arbiter(d.case.region, d.excluded | parties)


def ask_arbitration(d: Decision, leg: Leg, unit: Unit, why: str, reason: str) -> None:
    """提请裁定: the body has a clock of its own; the unit's and the citizen's go on."""
    task = d.new_task()
    d.emit(
        ev.ArbitrationAsked(leg=leg.id, task=task, unit=unit.id, endpoint=unit.endpoint, why=why, reason=reason)
    )  # fmt: skip
    start_task_clock(d, task, "arbitrate")


def named(d: Decision, targets: Sequence[TargetView]) -> tuple[list[Unit], str]:
    """The units that somebody names, or why they cannot be."""
    if not targets or any(target.part not in ("lead", "assist", "copy") for target in targets):
        return [], "incomplete"
    units = [unit for target in targets if (unit := d.facts.unit(target.unit)) is not None]
    if len(units) < len(targets):
        return [], "unknown_unit"
    return units, "recused" if any(map(d.is_recused, units)) else ""


def stuck(d: Decision, leg: Leg) -> str:
    """Why a lead cannot be taken off the case as it stands (hung, merging): a code, or empty."""
    return verdict(APPEAL, d.case.state, "accept_return") if leg.part == "lead" else ""


# -- asking for it ------------------------------------------------------------------------------


def _hand_over(d: Decision, task: Task, said: ReplyView) -> str:
    """The dispatcher will not decide a return alone."""
    leg = d.case.legs[task.leg]
    unit, code = _body(d, leg, said)
    if unit is not None:
        ask_arbitration(d, leg, unit, "dispatcher", said.reason or "")
    return code


def _may_dispute(d: Decision, leg: Leg, said: ReplyView) -> str:
    """Only of what was rejected: while it is undecided, whether it goes to arbitration is the dispatcher's to say."""
    return _body(d, leg, said)[1] if leg.state == "return_rejected" else "not_allowed"


def _dispute(d: Decision, leg: Leg, said: ReplyView) -> None:
    """A unit whose return was rejected does not accept that."""
    unit, _ = _body(d, leg, said)
    if unit is not None:
        ask_arbitration(d, leg, unit, "unit", said.reason or "")


def _body(d: Decision, leg: Leg, said: ReplyView) -> tuple[Unit | None, str]:
    if leg.parent:
        return None, "inner_dispute"
    if not said.reason:
        return None, "incomplete"
    unit = arbiter(d, leg)
    return unit, "" if unit else "no_arbiter"


# -- ruling ---------------------------------------------------------------------------------------


def _rule(d: Decision, task: Task, said: ReplyView) -> str:
    """裁定: exactly one unit leads (or takes the place of the leg), the others assist; nobody named: the first receiver."""
    leg = d.case.legs[task.leg]
    if code := stuck(d, leg):
        return code
    targets = said.targets or (TargetView(unit=_first_receiver(d, leg)),)
    units, code = named(d, targets)
    if not (said.document and said.reason):
        code = "incomplete"
    elif not code and sum(target.part == "lead" for target in targets) != 1:
        code = "one_lead"
    elif not code and said.charged and d.facts.unit(said.charged) is None:
        code = "unknown_unit"
    if code:
        return code
    lead = next(unit for target, unit in zip(targets, units, strict=True) if target.part == "lead")
    beside = {unit.id: (unit, t.part) for t, unit in zip(targets, units, strict=True) if unit.id != lead.id}
    d.emit(_ruled(d, task, leg, lead, tuple(beside), said))
    if lead.id != leg.unit:
        give_back(d, leg)
        put_in_place(d, leg, lead)
    put_beside(d, beside.values())
    return ""


def _ruled(d: Decision, task: Task, leg: Leg, lead: Unit, beside: tuple[str, ...], said: ReplyView) -> ev.CaseRuled:
    case = d.case
    return ev.CaseRuled(
        leg=leg.id, document=said.document or "", by=task.unit, reason=said.reason or "", lead=lead.id, assists=beside,
        first_receiver=not said.targets, charged=said.charged or "", rule=case.rule,
        category=said.category or case.category or (case.proposal.category if case.proposal else ""),
        matter=case.matter, place=case.region, function=leg.function if lead.id == leg.unit else "",
        officer=said.officer or "", confirmed_by=said.confirmed_by or "",
    )  # fmt: skip


def _first_receiver(d: Decision, leg: Leg) -> str:
    """Who led first; of another place, who has it."""
    if leg.part != "lead":
        return leg.unit
    return next(held.unit for held in d.case.legs.values() if held.part == "lead")


MAY: Mapping[str, Callable[[Decision, Leg, ReplyView], str]] = {"arbitrate": _may_dispute}
DO: Mapping[str, Callable[[Decision, Leg, ReplyView], None]] = {"arbitrate": _dispute}
DECIDE: Mapping[str, Callable[[Decision, Task, ReplyView], str]] = {"arbitrate": _hand_over, "rule": _rule}
