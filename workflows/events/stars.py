"""What binds cases to each other: resemblance, merging (合并) and splitting (拆分)."""

from workflows.commands import Other
from workflows.events.event import Event


class ResemblanceFound(Event, frozen=True):
    """
    What the case has in common with others. repeat: the same person again, for the `count`-th time; alike: the same thing;
    group: `count` people at one place about one matter; burst: emergencies at one place. told: supervisors learn of it.
    """

    what: str
    count: int
    cases: tuple[Other, ...] = ()
    score: float = 0.0
    told: bool = False


class MergeProposed(Event, frozen=True):
    """
    A dispatcher is asked (task) whether this case is to be handled with `head`. reason: why again, where that one was asked
    and did not take it; empty: they look alike.
    """

    task: str
    endpoint: str
    head: str
    number: str
    reason: str = ""


class MergeRejected(Event, frozen=True):
    """The dispatcher keeps it apart."""

    head: str


class MergeAsked(Event, frozen=True):
    """合并: `head` is asked to take this case. Until it does nothing else changes, and whoever works on it goes on."""

    head: str
    asked: int
    second: bool = False
    ended: tuple[str, ...] = ()
    """tasks that end with it"""


class MergeAskedAgain(Event, frozen=True):
    """
    No answer yet: the same request again. head: empty where the next mark of this clock has passed as well, as after an
    outage, and nothing is asked any more.
    """

    kind: str
    of: str
    head: str = ""
    asked: int = 0


class MergeConfirmed(Event, frozen=True):
    """The head took it: its answer will be this case's, which nobody handles by itself any more. The citizen's clock goes on."""

    head: str
    number: str
    ended: tuple[str, ...] = ()
    """tasks that end with it"""


class MergeRefused(Event, frozen=True):
    """The head did not take it, or never answered, or this case may not be taken any more. All is as before."""

    head: str
    code: str


class MergeForgone(Event, frozen=True):
    """A head took what does not ask it any more: it is told so."""

    head: str
    asked: int


class HeadLeft(Event, frozen=True):
    """解除合并, or what was asked is asked no more. why: unmerged | withdrawn | replied | head_withdrawn …"""

    head: str
    asked: int
    why: str


class HeadAnswered(Event, frozen=True):
    """The answer of the head's `unit` is this case's: who asks for it to be done again asks that unit."""

    head: str
    unit: str
    reason: str
    text: str = ""


class MemberTaken(Event, frozen=True):
    """The head handles `member` too. excluded: who is complained about there leads and reviews here neither."""

    member: str
    number: str
    asked: int
    excluded: tuple[str, ...] = ()
    again: bool = False
    """it was taken before, and asked once more"""


class MemberRefused(Event, frozen=True):
    member: str
    asked: int
    code: str


class MemberLeft(Event, frozen=True):
    member: str


class MemberSpoke(Event, frozen=True):
    """What the applicant of a member added, or that he urges: whoever has the head in hand is told. what: supplemented | urged."""

    member: str
    number: str
    what: str
    texts: tuple[str, ...] = ()


class SplitOff(Event, frozen=True):
    """拆分. `case` begins, from this case's request, about `title` (and `text`, `category`) alone; its channel knows it as `ref`."""

    case: str
    ref: str
    title: str
    text: str = ""
    category: str = ""


class PartRefused(Event, frozen=True):
    """This case has the id that a part of `parent` was to have, and is something else: that one takes its next number."""

    parent: str
    ref: str


StarEvent = (
    ResemblanceFound | MergeProposed | MergeRejected | MergeAsked | MergeAskedAgain | MergeConfirmed | MergeRefused
    | MergeForgone | HeadLeft | HeadAnswered | MemberTaken | MemberRefused | MemberLeft | SplitOff | PartRefused | MemberSpoke
)  # fmt: skip
