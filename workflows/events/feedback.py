"""What the applicant is asked once it is done, and what is done again. (The grade itself is CaseEvaluated.)"""

from msgspec import UNSET, Raw, UnsetType

from workflows.events.event import Event


class CallBackAsked(Event, frozen=True):
    """
    回访: the desk `unit`, which had no part in it, is to ask the applicant (task). A case that was closed is open again.

    why: drawn (by the policy's share) | redone | bad_review.
    """

    task: str
    unit: str
    endpoint: str
    leg: str
    why: str


class CallBackTried(Event, frozen=True):
    """Nobody was reached; the task stays open for the next attempt."""

    task: str
    attempt: int


class CalledBack(Event, frozen=True):
    """
    The call-back is over after so many attempts. `reached` False: nobody ever was, and nothing was answered.

    contacted, solved, satisfied: 联系、解决、满意, asked apart.
    """

    task: str
    attempts: int
    reached: bool = True
    contacted: bool = False
    solved: bool = False
    satisfied: bool = False
    text: str = ""


class RedoOrdered(Event, frozen=True):
    """
    重办: what `leg` answered was not enough; another leg follows. A case that was closed is open again, in the next round.

    why: call_back | evaluation | order.
    """

    leg: str
    round: int
    why: str
    reason: str = ""


class ReviewAppealed(Event, frozen=True):
    """申诉: the unit holds that the grade of this round is malicious or a mistake, and shows why; the desk `unit` decides (task)."""

    task: str
    unit: str
    endpoint: str
    leg: str
    by: str
    text: str
    officer: str
    confirmed_by: str
    attachments: Raw | UnsetType = UNSET
    """JSON, as in the Order of the contract; an empty list where there is nothing but words"""


class ReviewAppealDecided(Event, frozen=True):
    """
    granted: the grade counts in no rate from now on; it stays visible, with who signed. lapsed: the case was archived, or
    done again, before anybody had decided: the grade stands.
    """

    task: str
    round: int
    granted: bool = False
    lapsed: bool = False
    officer: str = ""
    confirmed_by: str = ""
    reason: str = ""


FeedbackEvent = CallBackAsked | CallBackTried | CalledBack | RedoOrdered | ReviewAppealed | ReviewAppealDecided
