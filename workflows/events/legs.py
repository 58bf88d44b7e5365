"""What happens to one unit's part of a case."""

from msgspec import UNSET, Raw, UnsetType

from workflows.events.event import Event


class LegDispatched(Event, frozen=True):
    """派单 / 转派 / 改派: a unit has a task. `parent` is the leg of the first-level unit that dispatched further."""

    leg: str
    task: str
    unit: str
    unit_name: str
    endpoint: str
    part: str
    """lead | assist | copy | sub"""
    parent: str = ""
    function: str = ""
    matter: str = ""
    stage: str = ""
    blocking: bool = True
    instead: str = ""
    """the leg whose place it takes"""


class LegSigned(Event, frozen=True):
    leg: str
    deemed: bool = False


class LegReturnAsked(Event, frozen=True):
    """
    退单: who dispatched the leg decides (task): the centre, or the first-level unit. The citizen's clock goes on.

    Without a task it goes to arbitration at once: an ArbitrationAsked follows.
    """

    leg: str
    task: str
    endpoint: str
    reason: str
    proposed: str = ""
    unit: str = ""
    """who decides"""
    number: int = 0
    """how many times this place in the case has been returned by now, this one included; 0 in a unit's own house"""
    text: str = ""
    basis: str = ""
    """职责依据（三定）"""
    attachments: Raw | UnsetType = UNSET
    """evidence: JSON, as in the Reply of the contract"""
    officer: str = ""
    confirmed_by: str = ""
    """Who drafted it and which leader confirmed it, as the endpoint says."""


class LegReturned(Event, frozen=True):
    """The return was accepted; a re-dispatch or triage follows."""

    leg: str


class LegReturnRejected(Event, frozen=True):
    """驳回退单: the leg goes on, and the time stays with the unit."""

    leg: str
    reason: str = ""


class LegReplied(Event, frozen=True):
    """办理结果 of a leg. The lead's goes to review at the centre (`task`, `endpoint`); others' rise to the lead or parent."""

    leg: str
    result: str
    text: str = ""
    contacted: bool = False
    basis: str = ""
    task: str = ""
    endpoint: str = ""
    contacted_at: str = ""
    contact_method: str = ""
    attachments: Raw | UnsetType = UNSET
    """JSON, as in the Reply of the contract"""
    unanswered: tuple[str, ...] = ()
    """Assisting units of which the lead says that they have not answered."""
    by: str = ""
    """the unit above that spoke for it; empty: it spoke itself"""
    procedure: str = ""
    """of a lead that hands over: to which statutory procedure"""
    officer: str = ""
    """of a lead: staff code of who answered, where the policy wants another one if it is done again"""


class LegReviewPassed(Event, frozen=True):
    leg: str


class LegSentBack(Event, frozen=True):
    """退回重办: the unit has the task again (same task id); the clock goes on as if it had not stopped."""

    leg: str
    reason: str
    round: int


class LegNoted(Event, frozen=True):
    """进展: what the unit has done so far. It ends no task and starts no clock but the one that waits for such a word."""

    leg: str
    text: str
    contacted: bool = False


class LegWithdrawn(Event, frozen=True):
    """The leg ends because its case ended or its parent did."""

    leg: str


LegEvent = (
    LegDispatched | LegSigned | LegReturnAsked | LegReturned | LegReturnRejected | LegReplied | LegReviewPassed
    | LegSentBack | LegNoted | LegWithdrawn
)  # fmt: skip
