"""What offices order, and what citizens urge."""

from workflows.events.event import Event


class OrderGiven(Event, frozen=True):
    """
    An office ordered it and had the right to; what came of it are the events beside it.

    officer, confirmed_by: staff codes. reason: a code of the action's closed list. document: 文号.
    """

    action: str
    unit: str
    endpoint: str
    officer: str
    confirmed_by: str = ""
    reason: str = ""
    text: str = ""
    document: str = ""
    basis: str = ""


class CaseUrged(Event, frozen=True):
    """催办. `unit` is the office that urged, empty for the applicant: the two are counted apart. Moves no due date."""

    unit: str = ""
    leg: str = ""
    """only this one; empty: whoever has something in hand"""
    text: str = ""


OrderEvent = OrderGiven | CaseUrged
