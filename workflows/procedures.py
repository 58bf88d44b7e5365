"""
转入法定程序: a case that another law decides. The hotline's part is over: its clocks stop and its work ends.

The case stays open, in a state of its own, until the lead says how the procedure ended (task `end_procedure`). The clock
`statutory` of the procedure's policy runs until then; once it is due the lead is asked again, and `follow_up` measures how
long that takes. A head of other cases is closed at once, since those end with it and are not kept waiting.
"""

from collections.abc import Mapping

from workflows import events as ev
from workflows.case import Clock, Leg, Task
from workflows.clocks import start_statutory_clocks
from workflows.decision import Decision
from workflows.legs import close, end_work
from workflows.said import ReplyHandler, ReplyView


def begin(d: Decision, leg: Leg) -> bool:
    """Whether the lead named a procedure that is known: the case now waits for it; the citizen is told which, and until when."""
    code = d.case.oversight.procedure if d.case.oversight else ""
    procedure = d.facts.procedures().get(code)
    if procedure is None:
        return False
    end_work(d)
    if not start_statutory_clocks(d, procedure.policy):
        return False
    clock, waits = running(d), d.case.star is None or not d.case.star.members
    d.emit(
        ev.ProcedureBegun(
            leg=leg.id, unit=leg.unit, procedure=code, name_zh=procedure.name_zh, name_en=procedure.name_en,
            limit=clock.budget, due=clock.due, provisional=clock.provisional, task=d.new_task() if waits else "",
            endpoint=leg.endpoint if waits else "",
        )
    )  # fmt: skip
    if not waits:
        close(d, leg.result, leg.text)
    return True


def running(d: Decision) -> Clock:
    """The clock of the procedure."""
    return next(clock for clock in d.case.clocks.values() if clock.kind == "statutory")


def _end(d: Decision, task: Task, said: ReplyView) -> str:
    """How it ended, for the citizen: the outcome of the case."""
    if not said.text:
        return "incomplete"
    code = d.case.oversight.procedure if d.case.oversight else ""
    known = d.facts.procedures().get(code)
    d.emit(
        ev.ProcedureEnded(
            leg=task.leg, task=task.id, procedure=code, name_zh=known.name_zh if known else code,
            name_en=known.name_en if known else code, due=running(d).due,
        )
    )  # fmt: skip
    close(d, "transferred", said.text)
    return ""


REPLIES: Mapping[str, ReplyHandler] = {"end_procedure": _end}
