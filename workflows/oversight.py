"""
督办 and 批示: an office orders a unit to report. The order stands until it is lifted, has a due of its own, and moves none.

The unit gets a task `report` beside its work; what it reports goes to the office that ordered it first (task
`read_report`), which lifts the order or asks again. Several may stand at once, by several offices.
"""

from collections.abc import Mapping

from workflows import events as ev
from workflows.case import Case, Task
from workflows.clocks import has_task_clock, resume_clock, start_task_clock, stop_clocks
from workflows.commands import Order
from workflows.decision import Decision
from workflows.facts import Unit
from workflows.ordered import Handler, Ordered
from workflows.particulars import Standing
from workflows.said import ReplyHandler, ReplyView

MOST = 20
"""Orders that stand on a case at one time: its state is rewritten with each change."""


def standing(case: Case, action: str = "") -> tuple[Standing, ...]:
    """The orders that have not been lifted (of this action)."""
    held = case.oversight.standing if case.oversight else ()
    return tuple([order for order in held if not action or order.action == action])


def is_supervised(case: Case, leg: str) -> bool:
    """Whether the leg is under 督办: it cannot be returned until that is lifted."""
    return any(order.leg == leg for order in standing(case, "supervise"))


def is_quiet(case: Case) -> bool:
    """Whether what the applicant sends is kept without telling anybody again (恶意诉求, by policy)."""
    return case.oversight is not None and case.oversight.malicious == "quiet"


def report_first(case: Case) -> bool:
    """Whether a leader waits for an answer (批示): the citizen's comes after it."""
    return case.oversight is not None and any(not order.reported for order in standing(case, "instruct"))


# -- by an office -------------------------------------------------------------------------------


def _order_report(d: Decision, command: Order, said: Ordered) -> str:
    """To the unit of the leg named, else to the lead, else to the centre, which still has the case."""
    leg = d.case.legs.get(said.leg) if said.leg else d.case.lead
    if said.leg and (leg is None or leg.state in ("returned", "withdrawn")):
        return "leg_not_open"
    if len(standing(d.case)) >= MOST:
        return "too_many_orders"
    if not said.limit and not has_task_clock(d, "report"):
        return "incomplete"
    by = d.facts.unit(command.unit)
    assert by is not None
    unit = _held_by(d, leg.unit, leg.endpoint) if leg else d.centre()
    task = d.new_task()
    d.emit(
        ev.ReportOrdered(
            order=_next(d.case), action=command.action, by=by.id, by_endpoint=by.endpoint, task=task, unit=unit.id,
            endpoint=unit.endpoint, leg=leg.id if leg else "", text=said.text, document=said.document, post=said.post,
        )
    )  # fmt: skip
    start_task_clock(d, task, "report", limit=said.limit)
    return ""


def _held_by(d: Decision, unit: str, endpoint: str) -> Unit:
    return d.facts.unit(unit) or Unit(id=unit, name=unit, endpoint=endpoint, place="")


def _next(case: Case) -> str:
    return str(case.oversight.given + 1 if case.oversight else 1)


def _lift(d: Decision, command: Order, said: Ordered) -> str:
    """By whoever ordered it; with a number, that one, else all of that office."""
    mine = [order for order in standing(d.case) if order.by == command.unit]
    lifted = [order for order in mine if said.order in ("", order.id)]
    for order in lifted:
        _end(d, order)
    return "" if lifted else "no_such_order"


def _end(d: Decision, order: Standing) -> None:
    stop = order.task if order.task in d.case.tasks else ""
    d.emit(ev.OrderLifted(order=order.id))
    if stop:
        stop_clocks(d, stop)


ORDERS: Mapping[str, Handler] = {"supervise": _order_report, "instruct": _order_report, "lift": _lift}


# -- by the unit, and by the office that reads it ------------------------------------------------


def _of(d: Decision, task: Task) -> Standing:
    return next(order for order in standing(d.case) if task.id in (order.task, order.reading))


def _report(d: Decision, task: Task, said: ReplyView) -> str:
    if not said.text:
        return "incomplete"
    order = _of(d, task)
    d.emit(ev.ReportSubmitted(order=order.id, task=d.new_task(), text=said.text, attachments=said.attachments))
    return ""


def _accept_report(d: Decision, task: Task, said: ReplyView) -> str:
    d.emit(ev.OrderLifted(order=_of(d, task).id, accepted=True))
    return ""


def _reject_report(d: Decision, task: Task, said: ReplyView) -> str:
    """The same task again; its clock goes on as if it had not stopped."""
    if not said.reason:
        return "incomplete"
    order = _of(d, task)
    d.emit(ev.ReportRejected(order=order.id, reason=said.reason))
    resume_clock(d, order.task, "report")
    return ""


REPLIES: Mapping[str, ReplyHandler] = {
    "report": _report,
    "accept_report": _accept_report,
    "reject_report": _reject_report,
}
