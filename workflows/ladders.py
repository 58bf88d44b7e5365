"""
Escalation (升级): whom a clock's marks tell, what the rungs of its ladder bring about, and the word of who was told (已阅).

The rungs are on the case, as the clock announced them (workflows/rungs.py): an edit of the policy moves none of them. Who
is meant by `superior` or by the roster is asked when a rung fires. A rung that its ladder calls needless by then is
skipped, by an event of its own.
"""

from collections.abc import Callable, Mapping

from workflows import events as ev
from workflows.case import Clock, Leg, Pending, Rung, Task, clock_key
from workflows.decision import Decision
from workflows.facts import Target, Unit
from workflows.policies import ANSWERED
from workflows.said import ReplyView

_PLAIN = Rung(0)


# -- whom it tells ------------------------------------------------------------------------------


def holder(d: Decision, clock: Clock) -> tuple[str, str]:
    """Who has it in hand now: unit and endpoint."""
    case = d.case
    held = case.tasks.get(clock.of) or case.legs.get(clock.of)
    if held is None and (lead := case.lead) is not None and (lead.open or case.state == "in_procedure"):
        held = lead
    return (held.unit, held.endpoint) if held else (case.centre, case.centre_endpoint)


def _told(d: Decision, clock: Clock, who: str, role: str) -> tuple[str, str]:
    unit, endpoint = holder(d, clock)
    if who == "unit":
        return unit, endpoint
    told = d.centre()
    if who == "superior":
        told = d.above(unit)
    elif who == "supervisor":
        told = d.facts.supervisor(d.case.region, d.excluded | {unit}) or d.above(d.case.centre)
    elif who == "role":
        told = _holds(d, role) or told
    return told.id, told.endpoint


def _holds(d: Decision, role: str) -> Unit | None:
    """Who holds `function:role` for the place and need not stand aside."""
    function, _, as_what = role.partition(":")
    target = Target(function=function, role=as_what or "handle")  # type: ignore[arg-type]  # checked at load
    return d.facts.resolve(target, d.case.region, d.case.matter, d.excluded)


# -- a rung fires -------------------------------------------------------------------------------


def escalate(d: Decision, clock: Clock, mark: Pending) -> None:
    """Tell who is meant, unless the ladder says that it is needless by now."""
    rung = mark.rung or _PLAIN
    why = next((why for why in rung.until if _NEEDLESS[why](d, clock, mark)), "")
    if why:
        skipped = ev.EscalationSkipped(kind=clock.kind, of=clock.of, level=mark.level, why=why, turn=rung.turn)
        d.emit(skipped)
        return
    unit, endpoint = _told(d, clock, mark.who, rung.role)
    post = d.facts.on_duty(unit, mark.at) if rung.duty else None
    asks = bool(rung.acknowledge) or mark.step in ANSWERED
    again = _asked(d, clock, mark.level) if asks else ""
    d.emit(
        ev.CaseEscalated(
            kind=clock.kind, of=clock.of, level=mark.level, unit=unit, endpoint=post.endpoint if post else endpoint,
            what=mark.step, turn=rung.turn, post=post.post if post else "",
            task=d.new_task() if asks and not again else "", again=again,
        )
    )  # fmt: skip
    if mark.step == "raise" and d.case.urgency == "normal":
        d.emit(ev.UrgencyRaised(urgency="urgent"))


def _asked(d: Decision, clock: Clock, level: int) -> str:
    """The task that asks for a word about this rung and is open still."""
    asked = d.case.ladder.asked if d.case.ladder else {}
    mine = (clock.kind, clock.of, level)
    return next((t for t, rung in asked.items() if t in d.case.tasks and (rung.kind, rung.of, rung.level) == mine), "")


def _is_acknowledged(d: Decision, clock: Clock, mark: Pending) -> bool:
    """Somebody on the ladder has said that he has seen it, and has not been silent for too long since."""
    seen = d.case.ladder.seen if d.case.ladder else {}
    at, until = seen.get(clock_key(clock.kind, clock.of), (0, 0))
    # a clock that has begun anew since is waited for anew
    return at >= clock.anchor and (until == 0 or mark.at < until)


def _is_signed(d: Decision, clock: Clock, mark: Pending) -> bool:
    leg = _leg(d, clock)
    return leg is not None and leg.state != "dispatched"


def _is_replied(d: Decision, clock: Clock, mark: Pending) -> bool:
    leg = _leg(d, clock)
    return leg is not None and leg.state in ("replied", "review_passed")


def _leg(d: Decision, clock: Clock) -> Leg | None:
    """The leg that the clock is about: its own, or the one that answers the citizen."""
    return d.case.legs.get(clock.of) or d.case.lead


_NEEDLESS: Mapping[str, Callable[[Decision, Clock, Pending], bool]] = {
    "acknowledged": _is_acknowledged,
    "signed": _is_signed,
    "replied": _is_replied,
}


# -- the word of who was told -------------------------------------------------------------------


def _acknowledge(d: Decision, task: Task, said: ReplyView) -> str:
    """已阅. It holds for as long as the ladder says; what then still has come to nothing is said again."""
    ladder = d.case.ladder
    assert ladder is not None
    asked = ladder.asked[task.id]
    clock = d.case.clocks[clock_key(asked.kind, asked.of)]
    until = d.facts.calendar_named(clock.calendar).add(d.now, asked.holds).at if asked.holds else 0
    d.emit(
        ev.EscalationAcknowledged(kind=asked.kind, of=asked.of, level=asked.level, task=task.id, until=until)
    )  # fmt: skip
    return ""


DECIDE: Mapping[str, Callable[[Decision, Task, ReplyView], str]] = {"acknowledge": _acknowledge}
