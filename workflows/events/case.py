"""What happens to the case as a whole."""

from msgspec import UNSET, Raw, UnsetType

from workflows.events.event import Event
from workflows.facts import Joined, Reason, Stage
from workflows.proposals import Proposal


class CaseRegistered(Event, frozen=True):
    """登记. A request became a case. `number` is the public 工单编号, `centre` the unit that owns the case."""

    channel: str
    ref: str
    number: str
    query_code: str
    digest: str
    request: Raw
    received_at: int
    centre: str
    centre_endpoint: str
    appeal_kind: str
    region: str
    calendar: str
    category: str = ""
    matter: str = ""
    urgency: str = "normal"
    excluded: tuple[str, ...] = ()
    """Units complained about: they and those below them never lead or review (recusal)."""
    disclosure: str = "open"
    """What a handling unit may see of the applicant: open | confidential | anonymous."""
    proposal: Proposal | None = None
    """What a classifier thought; `category` stays what the channel said."""
    part_of: str = ""
    """The number of the case that it was split off (拆分)."""


class DuplicateReceived(Event, frozen=True):
    """The same request again (same id, same body). Changes nothing but is answered and counted."""


class IdReused(Event, frozen=True):
    """The channel's id again with another body: answered and dead-lettered, never silent."""

    digest: str


class EmergencyRedirected(Event, frozen=True):
    """
    Handed to 110/119/120/a utility at once; the record stays open until the receiver confirms.

    policy: of its receipt, and of the case where no rule had chosen one. what: by the list of emergencies, where an officer
    says it; `ended`: the tasks that end with that.
    """

    task: str
    unit: str
    endpoint: str
    policy: str = ""
    what: str = ""
    ended: tuple[str, ...] = ()


class RedirectConfirmed(Event, frozen=True):
    receipt_no: str = ""


class CaseAnsweredAtOnce(Event, frozen=True):
    """直办: the call agent or the dispatcher answered, or a rule did with an `answer` of the knowledge base; no leg, counted apart."""

    answer: str = ""
    """the entry's id, in the version of the catalogue that CaseRouted names; empty: the call agent's own words"""


class CaseRouted(Event, frozen=True):
    """Which rule of which catalogue version decided, and the values that matched. Never changes afterwards."""

    rule: str
    number: int
    catalogue: int
    outcome: str
    policy: str
    why: tuple[Reason, ...] = ()
    stages: tuple[Stage, ...] = ()
    """The plan of a one-thing, as it was then: a running case stays on it."""
    joined: tuple[Joined, ...] = ()
    """The rules that added assists, copies or urgency to what this one decided."""


class UrgencyRaised(Event, frozen=True):
    """A rule asked for more urgency than the request did. It is never lowered."""

    urgency: str


class CaseAccepted(Event, frozen=True):
    """受理. `by` is `rule` or the endpoint of the officer."""

    by: str


class RefusalProposed(Event, frozen=True):
    """A rule proposes 不予受理; an officer of the centre confirms or rejects it (task)."""

    task: str
    endpoint: str
    ground: str
    basis: str
    where_to_turn: str


class RefusalRejected(Event, frozen=True):
    """The officer did not follow the proposal; a TriageAsked follows."""


class CaseRefused(Event, frozen=True):
    ground: str
    basis: str
    where_to_turn: str
    hands: tuple[str, ...] = ()
    """staff codes of who proposed it and who confirmed it, as far as they said them"""


class TriageAsked(Event, frozen=True):
    """Nobody could be named: a dispatcher of the centre decides (task)."""

    task: str
    endpoint: str
    reason: str
    leg: str = ""
    """The returned leg that needs another unit; empty: the case as a whole needs one."""


class TriageEnded(Event, frozen=True):
    """The dispatcher decided; the legs follow."""

    task: str
    category: str = ""
    """What the dispatcher says it is about: a labelled sample (docs/proposals.md)"""


class StageOpened(Event, frozen=True):
    """A stage of a one-thing plan began."""

    stage: str
    name: str


class CaseSupplemented(Event, frozen=True):
    body: Raw


class CaseWithdrawn(Event, frozen=True):
    body: Raw


class CaseEvaluated(Event, frozen=True):
    """评价. `round`: 0, and one more each time it was done again. silent: nobody said so; it is what the policy makes of silence."""

    grade: int
    body: Raw | UnsetType = UNSET
    round: int = 0
    silent: bool = False
    reasons: tuple[str, ...] = ()
    """codes of the closed list `evaluate`"""
    said: Raw | UnsetType = UNSET
    """of a bad grade, for who looks into it: JSON of the Evaluation of the contract, without the applicant's token"""


class CaseClosed(Event, frozen=True):
    """`reason` is one of CloseReason (schemas/handling.py); `result` is the lead's answer that the citizen gets."""

    reason: str
    result: str = ""
    archive_at: int = 0
    """When only a stub of the case will be kept."""
    evaluate_until: int = 0
    """until when the applicant may grade this round, where the policy says so"""
    silent_at: int = 0
    """when silence counts as `silent_grade`; 0 for never"""
    silent_grade: int = 0


class CaseArchived(Event, frozen=True):
    """After the re-open window only a stub stays (version, digest, closed at)."""

    forget_at: int = 0
    """When the stub is dropped as well; 0 for never."""


class CaseForgotten(Event, frozen=True):
    """Nothing of the case is state any more. What is sent under its id from now on is a case anew, from version 1 on."""


class CommandRefused(Event, frozen=True):
    """The state table does not allow it, or the sender may not: an answer with a code, never silence."""

    action: str
    code: str
    state: str
    endpoint: str = ""
    channel: str = ""
    task: str = ""
    unit: str = ""
    """of an order: in whose name it was given"""


CaseEvent = (
    CaseRegistered | DuplicateReceived | IdReused | EmergencyRedirected | RedirectConfirmed | CaseAnsweredAtOnce
    | CaseRouted | UrgencyRaised | CaseAccepted | RefusalProposed | RefusalRejected | CaseRefused | TriageAsked
    | TriageEnded | StageOpened | CaseSupplemented | CaseWithdrawn | CaseEvaluated | CaseClosed | CaseArchived
    | CaseForgotten | CommandRefused
)  # fmt: skip
