"""What offices order, and what citizens urge."""

from msgspec import UNSET, Raw, UnsetType

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


class ReportOrdered(Event, frozen=True):
    """
    督办 or 批示 (`action`): the unit has to report to the office `by` (task), by a due of its own.

    order: its number on the case. post: of the leader whose 批示 it is.
    """

    order: str
    action: str
    by: str
    by_endpoint: str
    task: str
    unit: str
    endpoint: str
    leg: str = ""
    text: str = ""
    document: str = ""
    post: str = ""


class ReportSubmitted(Event, frozen=True):
    """The unit reported; the office that ordered it reads it first (task)."""

    order: str
    task: str
    text: str
    attachments: Raw | UnsetType = UNSET
    """JSON, as in the Reply of the contract"""


class ReportRejected(Event, frozen=True):
    """The office asks again: the unit has the same task once more."""

    order: str
    reason: str


class OrderLifted(Event, frozen=True):
    """解除: the order stands no longer. accepted: because its report was."""

    order: str
    accepted: bool = False


class HangAsked(Event, frozen=True):
    """申请挂账: it cannot be solved before `plan`; the centre decides (task). The time goes on until then."""

    leg: str
    task: str
    endpoint: str
    ground: str
    text: str
    plan: int


class CaseHung(Event, frozen=True):
    """挂账: approved. `review` is the task of the centre to look at the plan each quarter."""

    leg: str
    task: str
    review: str
    ground: str
    plan: int


class HangRefused(Event, frozen=True):
    leg: str
    task: str
    reason: str


class PlanReviewed(Event, frozen=True):
    """The centre has looked at the plan (`task`); `review` is the same for the next quarter. Two officers may move its date."""

    leg: str
    task: str
    review: str
    text: str
    plan: int = 0
    """the new plan date; 0: it stays"""
    before: int = 0
    """the plan date until now, where it moves"""
    reason: str = ""
    officer: str = ""
    confirmed_by: str = ""


class HangReleased(Event, frozen=True):
    """销账: the case goes on."""

    leg: str
    ground: str


class ProcedureBegun(Event, frozen=True):
    """转入法定程序: by its own law, to end within `limit`, counted from the day after."""

    leg: str
    unit: str
    procedure: str
    name_zh: str
    name_en: str
    limit: str
    due: int
    provisional: bool = False
    task: str = ""
    """asks the unit how it ended; empty: the case was closed at once"""
    endpoint: str = ""


class ProcedureEnded(Event, frozen=True):
    """The unit says how the procedure ended. A CaseClosed follows, with its words."""

    leg: str
    task: str
    procedure: str
    name_zh: str
    name_en: str
    due: int


class RefusalOrdered(Event, frozen=True):
    """An officer of the centre would not take the case; another one confirms or rejects it (task)."""

    task: str
    endpoint: str
    ground: str
    basis: str
    where_to_turn: str
    officer: str


class RefusalReviewAsked(Event, frozen=True):
    """
    复核不予受理: the applicant objects, himself or through the office `by`; `unit` (task) decides, which had no part in it if there is such a one.

    The case is open again, and its time counts anew. body: what he says, a Supplement of the contract.
    """

    task: str
    unit: str
    endpoint: str
    body: Raw
    by: str = ""


class CaseConcluded(Event, frozen=True):
    """终结: it was done again and is over for good; a CaseClosed follows."""

    ground: str
    basis: str = ""
    evidence: int = 0
    """how many attachments show it"""
    attachments: Raw | UnsetType = UNSET
    """JSON, as in the Order of the contract"""


class SupplementAttached(Event, frozen=True):
    """More from the applicant of a concluded case: kept, and nobody's task."""

    body: Raw


class GoingOnDecided(Event, frozen=True):
    """依职权继续: should the applicant withdraw, that is noted and the case goes on."""

    unit: str
    basis: str


class WithdrawalNoted(Event, frozen=True):
    """The applicant withdrew a case that goes on ex officio."""

    body: Raw


class CaseMarkedMalicious(Event, frozen=True):
    """恶意诉求. effect: all that it brings about, by the policy: mark | quiet."""

    ground: str
    document: str
    effect: str


class IdentityRevealed(Event, frozen=True):
    """调阅身份: these fields of the applicant were shown to an officer of the unit. Which, never what they hold."""

    unit: str
    endpoint: str
    officer: str
    fields: tuple[str, ...]


OrderEvent = (
    ProcedureBegun | ProcedureEnded | OrderGiven | CaseUrged | ReportOrdered | ReportSubmitted | ReportRejected | OrderLifted | RefusalOrdered | RefusalReviewAsked
    | CaseConcluded | HangAsked | CaseHung | HangRefused | PlanReviewed | HangReleased | SupplementAttached | GoingOnDecided | WithdrawalNoted | CaseMarkedMalicious | IdentityRevealed
)  # fmt: skip
