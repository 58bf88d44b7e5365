"""What happens where units disagree on who must act, and where work is taken back from one."""

from workflows.events.event import Event


class ArbitrationAsked(Event, frozen=True):
    """提请裁定: the arbitration body `unit` decides (task). Neither the citizen's clock nor the unit's stops."""

    leg: str
    task: str
    unit: str
    endpoint: str
    why: str
    """second_return | dispatcher (who will not decide it alone) | unit (whose return was rejected)"""
    reason: str = ""


class CaseRuled(Event, frozen=True):
    """
    裁定: `lead` takes the place of `leg`, or stays in it; the case cannot be returned any more. What follows (a return, other
    legs) are events of their own. It carries all that a rule can be made of (router/catalogue/ruling.py).
    """

    leg: str
    document: str
    """文号"""
    by: str
    """the arbitration body"""
    reason: str
    lead: str
    assists: tuple[str, ...] = ()
    first_receiver: bool = False
    """首接负责: nobody was named, so who had it first leads."""
    charged: str = ""
    """The unit that pays for what ran over its time; empty: nobody was named."""
    rule: str = ""
    category: str = ""
    matter: str = ""
    place: str = ""
    function: str = ""
    officer: str = ""
    confirmed_by: str = ""


class LegTakenBack(Event, frozen=True):
    """
    Who dispatched the leg takes it back, and what was dispatched below it: recall (收回转派), re_dispatch (改派, with the
    reason why it went to the wrong unit), leads (an assist that leads from now on), redirect (转应急, with what it is).
    """

    leg: str
    action: str
    reason: str = ""


DisputeEvent = ArbitrationAsked | CaseRuled | LegTakenBack
