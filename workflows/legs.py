"""
Who must act: legs opened by a route, a plan's stage, a dispatcher or a first-level unit; and how a case ends.

A leg that cannot be given to anybody becomes a task of the centre (triage), never nothing. In a one-thing
the lead answers for the whole: what no unit holds there falls to the lead.
"""

from collections.abc import Iterable
from functools import lru_cache

from workflows import events as ev
from workflows.case import Case, Leg
from workflows.clocks import start_leg_clocks, start_sub_leg_clocks, start_task_clock, stop_all_clocks, stop_clocks
from workflows.decision import Decision
from workflows.facts import Stage, Target, Unit
from workflows.folds.moves import goes_with
from workflows.states import ENDED

DEFAULT_REOPEN_WINDOW = "30d"
"""For a case that ended before any policy was chosen."""


# -- opening legs -------------------------------------------------------------------------------


def dispatch(
    d: Decision,
    unit: Unit,
    part: str,
    *,
    function: str = "",
    matter: str = "",
    stage: str = "",
    blocking: bool = False,
    instead: str = "",
) -> None:
    """派单: a leg of its own for `unit` (in the place of the leg `instead`), with its task and clocks. A copy has no clock."""
    leg = str([held.parent for held in d.case.legs.values()].count("") + 1)
    d.emit(
        ev.LegDispatched(
            leg=leg, task=d.new_task(), unit=unit.id, unit_name=unit.name, endpoint=unit.endpoint, part=part,
            function=function, matter=matter, stage=stage, blocking=blocking, instead=instead,
        )
    )  # fmt: skip
    if part != "copy":
        start_leg_clocks(d, leg, instead)


def sub_dispatch(d: Decision, parent: Leg, unit: Unit, instead: str = "") -> None:
    """转派: a unit below works for the one that dispatched further, which waits for it."""
    count = sum(held.parent == parent.id for held in d.case.legs.values())
    leg = f"{parent.id}.{count + 1}"
    d.emit(
        ev.LegDispatched(
            leg=leg, task=d.new_task(), unit=unit.id, unit_name=unit.name, endpoint=unit.endpoint, part="sub",
            function=parent.function, matter=parent.matter, parent=parent.id, instead=instead,
        )
    )  # fmt: skip
    start_sub_leg_clocks(d, leg, parent.id)


def dispatch_instead(d: Decision, returned: Leg, unit: Unit, part: str) -> None:
    """改派: `unit` takes the place of a leg that was returned."""
    if returned.parent:
        sub_dispatch(d, d.case.legs[returned.parent], unit, returned.id)
    else:
        dispatch(
            d, unit, part,
            function=returned.function, matter=returned.matter, stage=returned.stage, blocking=returned.blocking,
            instead=returned.id,
        )  # fmt: skip


def give_back(d: Decision, leg: Leg) -> None:
    """退单 granted: the leg is over, and so is what its unit asked the centre to decide (挂账)."""
    for task in d.case.tasks.values():
        if task.kind == "decide_hang" and task.leg == leg.id:
            stop_clocks(d, task.id)
    d.emit(ev.LegReturned(leg=leg.id))
    stop_clocks(d, leg.id)


def put_in_place(d: Decision, left: Leg, unit: Unit) -> None:
    """改派: `unit` gets what `left` had. Who leads from now on does not assist or get a copy as well."""
    if left.part == "lead":
        for held in d.case.legs.values():
            if held.unit == unit.id and held.open and not held.parent and not held.stage:
                take_back(d, held, "leads")
    dispatch_instead(d, left, unit, left.part)


def put_beside(d: Decision, units: Iterable[tuple[Unit, str]]) -> None:
    """Assists and copies for those of the units (each with its part) that have no part yet."""
    acting = {held.unit for held in d.case.legs.values() if held.open and not held.parent}
    for unit, part in units:
        if unit.id not in acting:
            dispatch(d, unit, part, matter=d.case.matter)


def take_back(d: Decision, leg: Leg, action: str, reason: str = "") -> None:
    """Who dispatched the leg takes it back, with all that was dispatched below it and was asked about it."""
    for child in d.case.legs.values():
        if child.parent == leg.id and child.open:
            take_back(d, child, action, reason)
    for task in d.case.tasks.values():
        if goes_with(task, leg.id):
            stop_clocks(d, task.id)
    stop_clocks(d, leg.id)
    d.emit(ev.LegTakenBack(leg=leg.id, action=action, reason=reason))


# -- by a rule ----------------------------------------------------------------------------------


def dispatch_targets(d: Decision, targets: tuple[Target, ...]) -> None:
    """
    What the rules say: the first lead target leads, every other one assists or gets a copy. A unit that is named twice acts
    once, in the greater part. One missing unit: triage of all.
    """
    region, matter, excluded = d.case.region, d.case.matter, d.excluded
    units = [d.facts.resolve(target, region, matter, excluded) for target in targets]
    if None in units or not units:
        missing = [target.function for target, unit in zip(targets, units, strict=True) if unit is None]
        ask_triage(d, f"no_unit: {', '.join(missing)}")
        return
    accept(d, "rule")
    given: set[str] = set()
    for part, i in _parts(targets):
        unit = units[i]
        if unit is not None and unit.id not in given:
            given.add(unit.id)
            dispatch(d, unit, part, function=targets[i].function, matter=matter)


@lru_cache(maxsize=1024)
def _parts(targets: tuple[Target, ...]) -> list[tuple[str, int]]:
    """Who gets which part, by number: the lead, the assists, the copies; a second lead assists; without a lead the first one is it."""
    said = [target.part for target in targets]
    lead = said.index("lead") if "lead" in said else 0
    others = [("assist" if part == "lead" else part, i) for i, part in enumerate(said) if i != lead]
    return [("lead", lead), *sorted(others, key=lambda other: other[0] == "copy")]


def resolve(d: Decision, target: Target, matter: str) -> Unit | None:
    """The unit that holds the function here and need not stand aside."""
    return d.facts.resolve(target, d.case.region, matter, d.excluded)


def accept(d: Decision, by: str) -> None:
    """受理, once."""
    if not d.case.accepted_by:
        d.emit(ev.CaseAccepted(by=by))


def ask_triage(d: Decision, reason: str, leg: str = "") -> None:
    """A dispatcher of the centre must name who acts (instead of the returned `leg`)."""
    task = d.new_task()
    d.emit(ev.TriageAsked(task=task, endpoint=d.case.centre_endpoint, reason=reason, leg=leg))
    start_task_clock(d, task, "triage", reason.partition(": ")[0])


# -- one-thing: stages in order -----------------------------------------------------------------


def open_stages(d: Decision) -> None:
    """Open the next stage as soon as nothing blocks the present one; a stage without blocking legs lets the next one follow."""
    while d.case.state not in ENDED and (stage := _next_stage(d.case)) is not None:
        d.emit(ev.StageOpened(stage=stage.id, name=stage.name))
        for i, target in enumerate(stage.targets):
            _open_stage_leg(d, stage, i, target)


def plan_is_done(case: Case) -> bool:
    """Whether every stage was opened and nothing blocks the last one."""
    return not case.plan or (case.stage == case.plan[-1].id and not _stage_is_blocked(case))


def _next_stage(case: Case) -> Stage | None:
    if not case.plan or (case.stage and _stage_is_blocked(case)):
        return None
    ids = [stage.id for stage in case.plan]
    following = ids.index(case.stage) + 1 if case.stage else 0
    return case.plan[following] if following < len(ids) else None


def _stage_is_blocked(case: Case) -> bool:
    """A blocking leg is open, or was returned and waits for another unit."""
    waiting = {task.leg for task in case.tasks.values() if task.kind == "triage"}
    return any(
        leg.stage == case.stage and leg.blocking and (leg.open or leg.id in waiting) for leg in case.legs.values()
    )  # fmt: skip


def _open_stage_leg(d: Decision, stage: Stage, i: int, target: Target) -> None:
    matter = stage.matters[i] if i < len(stage.matters) else ""
    blocking = stage.blocking[i] if i < len(stage.blocking) else True
    part = "copy" if target.part == "copy" else "assist"
    unit = resolve(d, target, matter) or _lead_unit(d)
    dispatch(
        d, unit, part, function=target.function, matter=matter, stage=stage.id, blocking=blocking and part != "copy"
    )  # fmt: skip


def _lead_unit(d: Decision) -> Unit:
    lead = d.case.lead
    return (lead and d.facts.unit(lead.unit)) or d.centre()


# -- waiting and ending -------------------------------------------------------------------------


def level(leg: Leg) -> int:
    """1 for a unit that the centre or a rule dispatched to, 2 for one that such a unit dispatched to, and so on."""
    return leg.id.count(".") + 1


def waits_for(case: Case, leg: Leg) -> str:
    """Why the unit cannot reply yet (a code of refusals), or empty."""
    for child in case.legs.values():
        if child.parent == leg.id and child.open:
            return "children_open"
    return "stages_open" if case.plan and leg.part == "lead" and not plan_is_done(case) else ""


def close(d: Decision, reason: str, result: str = "") -> None:
    """办结: open legs end, all clocks stop."""
    end_work(d)
    window = d.policy.reopen_window if d.case.policy else DEFAULT_REOPEN_WINDOW
    archive_at = d.calendar.add(d.now, window).at
    rules, lead = d.policy.evaluation if d.case.policy else None, d.case.lead
    if rules is None or lead is None or lead.state != "review_passed" or lead.result != reason:
        d.emit(ev.CaseClosed(reason=reason, result=result, archive_at=archive_at))
        return
    until = d.calendar.add(d.now, rules.within).at if rules.within else archive_at
    silent = d.calendar.add(d.now, rules.silent_after).at if rules.silent_after and not d.case.grade else 0
    d.emit(
        ev.CaseClosed(
            reason=reason, result=result, archive_at=max(archive_at, until, silent),
            evaluate_until=until, silent_at=silent, silent_grade=rules.silent_grade if silent else 0,
        )
    )  # fmt: skip


def end_work(d: Decision) -> None:
    """Nobody handles it any more: open legs end, orders are lifted, all clocks stop."""
    for leg in d.case.legs.values():
        if leg.open or (leg.part == "lead" and leg.state == "replied"):
            d.emit(ev.LegWithdrawn(leg=leg.id))
    for order in d.case.oversight.standing if d.case.oversight else ():
        d.emit(ev.OrderLifted(order=order.id))
    stop_all_clocks(d)
