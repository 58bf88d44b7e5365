"""
What comes of a resemblance that was found (router/similar): it is noted, pressed, told, or put to a dispatcher.

Nobody but the case decides: whoever found it does not know how the case stands by now. The same person for the n-th time
raises the level that the policy names; what looks alike becomes a question to the centre, never a merger by itself;
a group and a burst are told to supervision.
"""

from workflows import events as ev
from workflows import merging
from workflows.commands import Other, Resemble
from workflows.decision import Decision
from workflows.facts import URGENCIES
from workflows.folds.stars import star
from workflows.policies import Repeat
from workflows.states import APPEAL, ENDED, verdict

_TOLD = frozenset({"group", "burst"})


def resemble(d: Decision, command: Resemble) -> None:
    """It is too late for a case that is over."""
    if d.case.state in ENDED:
        return
    rung = _rung(d, command)
    d.emit(
        ev.ResemblanceFound(
            what=command.what, count=command.count, cases=command.cases, score=command.score,
            told=command.what in _TOLD or (rung is not None and rung.notify),
        )
    )  # fmt: skip
    if rung is not None and rung.urgency and URGENCIES.index(rung.urgency) > URGENCIES.index(d.case.urgency):
        d.emit(ev.UrgencyRaised(urgency=rung.urgency))
    if command.what == "alike" and command.cases:
        _propose(d, command.cases[0])


def _rung(d: Decision, command: Resemble) -> Repeat | None:
    """The highest rung of the policy that this many times reach."""
    if command.what != "repeat" or not d.case.policy:
        return None
    reached = [rung for rung in d.policy.repeats if rung.times <= command.count]
    return max(reached, key=lambda rung: rung.times, default=None)


def _propose(d: Decision, head: Other) -> None:
    """Only while it could still be merged, and one question at a time."""
    held = star(d.case)
    if verdict(APPEAL, d.case.state, "merge") or held.proposed or held.head or held.members or d.case.plan:
        return
    merging.propose(d, head.case, head.number)
