"""
What only some cases have: orders to report, disputes, ladders that were answered, feedback, a refusal, cases handled as one.

One optional struct per theme at the end of `Case`, so that a case which has nothing of it pays nothing. As in case.py, new
fields go to the end and have a default.
"""

from msgspec import Struct


class Standing(Struct, frozen=True, array_like=True, gc=False):
    """An order to report (督办, 批示) that has not been lifted. `task` is the unit's, `reading` the office's."""

    id: str
    action: str
    by: str
    by_endpoint: str
    unit: str
    endpoint: str
    leg: str
    task: str
    text: str = ""
    document: str = ""
    post: str = ""
    reading: str = ""
    report: str = ""
    attachments: bytes = b""
    """JSON"""
    round: int = 0

    @property
    def reported(self) -> bool:
        """Whether the unit has answered, and has not been asked again."""
        return bool(self.reading)


class Oversight(Struct, frozen=True, array_like=True, gc=False):
    """What offices and the applicant have pressed for beside the clocks (催办 …). None of it moves a due date."""

    urged: int = 0
    """by offices"""
    urged_by_citizen: int = 0
    given: int = 0
    """orders to report so far, lifted ones too"""
    standing: tuple[Standing, ...] = ()
    hung: str = ""
    """the lead's leg while the case is on the list of hard cases (挂账)"""
    plan: int = 0
    """until when it is planned to be solved, as asked or approved"""
    procedure: str = ""
    """the statutory procedure that the lead names in its reply"""
    revealed: int = 0
    """how often the applicant's identity was shown"""
    ex_officio: bool = False
    """a withdrawal is noted and ends nothing"""
    malicious: str = ""
    """what that means (a word of the policy): mark | quiet"""


class Asked(Struct, frozen=True, array_like=True, gc=False):
    """退单 as the unit asked for it; `number`: the how-manieth return of this place in the case."""

    number: int
    reason: str = ""
    text: str = ""
    basis: str = ""
    attachments: bytes = b""
    """JSON"""


class Ruling(Struct, frozen=True, array_like=True, gc=False):
    """裁定: what was decided last about who must act."""

    leg: str
    document: str
    by: str
    lead: str
    charged: str = ""


class Disputes(Struct, frozen=True, array_like=True, gc=False):
    """
    Returns and rulings of a case that has any. asked: by leg. before: of a leg in the place of another, how many
    returns there were before it came.
    """

    asked: dict[str, Asked] = {}
    before: dict[str, int] = {}
    ruling: Ruling | None = None

    def returns(self, leg: str) -> int:
        """How many times the place of this leg has been returned by now."""
        asked = self.asked.get(leg)
        return asked.number if asked else self.before.get(leg, 0)


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """Of which rung a task asks to say that it was seen, and how long that holds."""

    kind: str
    of: str
    level: int
    holds: str


class Ladder(Struct, frozen=True, array_like=True, gc=False):
    """
    What has come of escalations, for cases that have had one that must be answered.

    asked: by open task. seen: by clock, when somebody said so and until when it holds (0: for good). answers: the unit that the case was
    raised to.
    """

    asked: dict[str, Seen] = {}
    seen: dict[str, tuple[int, int]] = {}
    answers: str = ""


class Appeal(Struct, frozen=True, array_like=True, gc=False):
    """What a graded unit says against a grade, while it is undecided."""

    by: str
    text: str
    attachments: bytes = b""
    """JSON"""


class Answerer(Struct, frozen=True, array_like=True, gc=False):
    """Who of a unit answered in which round, by his staff code."""

    unit: str
    officer: str
    round: int


class Feedback(Struct, frozen=True, array_like=True, gc=False):
    """
    What the applicant was asked and may still say, for cases whose policy asks.

    round: how many times it was done again. attempts: calls that reached nobody. silent_at: when silence counts as
    `silent_grade` (0: never). silent: the grade is such a one. left_out: the grade counts in no rate, by a granted appeal
    (`appealed`: there was one in this round). answered: by whom, where another person must do it again.
    """

    round: int = 0
    attempts: int = 0
    evaluate_until: int = 0
    silent_at: int = 0
    silent_grade: int = 0
    silent: bool = False
    left_out: bool = False
    appealed: bool = False
    said: bytes = b""
    """a bad grade as the applicant gave it, for who looks into it: JSON of an Evaluation of the contract"""
    appeal: Appeal | None = None
    answered: tuple[Answerer, ...] = ()


class Refusal(Struct, frozen=True, array_like=True, gc=False):
    """What a rule or an officer proposed, or another officer confirmed, about not taking the case."""

    ground: str
    basis: str
    where_to_turn: str
    officer: str = ""
    """who proposed it, if a person did: another one confirms it"""
    hands: tuple[str, ...] = ()
    """staff codes of those who have refused it: others review that"""
    reviewed: bool = False
    """its author has objected, which he may do once"""


class Member(Struct, frozen=True, array_like=True, gc=False):
    """A case that is handled with its head. `asked`: the request of the member's that was granted."""

    number: str
    asked: int


class Star(Struct, frozen=True, array_like=True, gc=False):
    """
    The cases that are handled as one (合并): a member knows its head, a head its members, and no case is both.

    asked: how many times this case has asked a head to take it. proposed: the case that it was found to resemble, while a
    dispatcher is asked about it. parts: how many cases were split off. unit, reason, text: of the head's answer that ended it.
    """

    head: str = ""
    head_number: str = ""
    asked: int = 0
    second: bool = False
    """a second officer confirmed what is being asked"""
    members: dict[str, Member] = {}
    proposed: str = ""
    proposed_number: str = ""
    parts: int = 0
    unit: str = ""
    reason: str = ""
    text: str = ""
