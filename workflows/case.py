"""
A case as it stands: what `evolve` folds from the events and the engine keeps between commands.

Compact on purpose (msgpack, structs as arrays): millions are open at a time. New fields go to the
end of a struct and have a default, so that older states can be read. The request's body is not in it.
"""

from functools import lru_cache
from hashlib import blake2b

import msgspec
from msgspec import Struct

from workflows.facts import Reason, Stage
from workflows.particulars import Disputes, Feedback, Ladder, Oversight, Refusal, Star
from workflows.proposals import Proposal
from workflows.states import OPEN_LEG

SEEN = 2_000
"""Command ids that a case remembers; from then on it takes nothing more from its channel."""
URGES = SEEN // 2
"""Commands from which on its applicant urges no more: there is room for more that he may want to say."""
_DIGEST = 8
_BEGUN = blake2b(digest_size=_DIGEST)
KEPT_MS = 400 * 24 * 3600 * 1000
"""How long an archived case's id is still recognised; intake refuses what was received longer ago."""
SUPPLEMENTS = 64 * 1024
"""Bytes of supplements from which on a case takes no more of them: its state is rewritten with each change."""


class Leg(Struct, frozen=True, array_like=True, gc=False):
    """One unit's part. `id` is its number in the case (`1`, `2`), a second-level unit's below its parent's (`1.1`)."""

    id: str
    task: str
    unit: str
    endpoint: str
    part: str
    dispatched_at: int
    state: str = "dispatched"
    parent: str = ""
    function: str = ""
    matter: str = ""
    stage: str = ""
    blocking: bool = True
    proposed: str = ""
    round: int = 0
    result: str = ""
    text: str = ""
    contacted: bool = False
    basis: str = ""
    attachments: bytes = b""
    """JSON"""

    @property
    def open(self) -> bool:
        """Whether the unit still has to act. A copy (抄送) is for information: signing it is all there is to do."""
        return self.state in OPEN_LEG and not (self.part == "copy" and self.state == "signed")


class Pending(Struct, frozen=True, array_like=True, gc=False):
    """A mark (workflows.events.Mark) that has not fired."""

    at: int
    what: str
    level: int
    who: str
    step: str
    rung: "Rung | None" = None


class Rung(Struct, frozen=True, array_like=True, gc=False):
    """What the mark of a rung says beside level, receiver and words, if it says more."""

    turn: int
    role: str = ""
    duty: bool = False
    until: tuple[str, ...] = ()
    acknowledge: str = ""


class Course(Struct, frozen=True, array_like=True, gc=False):
    """
    What has happened to a clock besides running: only those that were paused or extended, or asked for it, have one.

    whole: what it was given in all, in milliseconds of its own counting (reckoning.py). consumed: what of that was used up
    before `since`, at which it last went on (0: it never paused). extended: lengths granted, as `5wd`. pause: the reason for
    which it stands still, from `paused_at` on. pauses: earlier ones, with the milliseconds they took. waiting: marks that come to
    nothing while it stands still or an extension is undecided (`held`).
    """

    whole: int = 0
    consumed: int = 0
    since: int = 0
    extended: tuple[str, ...] = ()
    pause: str = ""
    paused_at: int = 0
    pauses: tuple[tuple[str, int], ...] = ()
    held: bool = False
    waiting: tuple[Pending, ...] = ()


class Clock(Struct, frozen=True, array_like=True, gc=False):
    """A time limit that runs, or has run; `marks` are those that have not fired, in the order of their times."""

    kind: str
    of: str
    calendar: str
    budget: str
    anchor: int
    due: int
    provisional: bool
    marks: tuple[Pending, ...]
    running: bool = True
    course: Course | None = None


class Task(Struct, frozen=True, array_like=True, gc=False):
    """Something a person was asked to do and has not done: only it takes a reply, and only through `endpoint`."""

    id: str
    kind: str
    unit: str
    endpoint: str
    leg: str = ""
    reason: str = ""
    limit: str = ""
    """the time that is asked for, as `5wd`"""


class Case(Struct, frozen=True, array_like=True, gc=False):
    """One appeal or application. `version` counts its event records; times are business milliseconds."""

    id: str
    version: int = 0
    state: str = ""
    number: str = ""
    digest: str = ""
    closed_at: int = 0
    archive_at: int = 0
    seen: bytes = b""
    sent: dict[str, int] = {}
    """the last sequence number per destination"""
    channel: str = ""
    ref: str = ""
    query_code: str = ""
    received_at: int = 0
    centre: str = ""
    centre_endpoint: str = ""
    appeal_kind: str = ""
    region: str = ""
    category: str = ""
    matter: str = ""
    urgency: str = ""
    disclosure: str = "open"
    excluded: tuple[str, ...] = ()
    accepted_by: str = ""
    policy: str = ""
    rule: str = ""
    rule_number: int = 0
    rule_catalogue: int = 0
    why: tuple[Reason, ...] = ()
    plan: tuple[Stage, ...] = ()
    stage: str = ""
    refusal: Refusal | None = None
    grade: int = 0
    close_reason: str = ""
    legs: dict[str, Leg] = {}
    tasks: dict[str, Task] = {}
    clocks: dict[str, Clock] = {}
    supplements: tuple[bytes, ...] = ()
    """JSON, as in the Supplement of the contract: whoever gets a task from now on gets them too"""
    forget_at: int = 0
    """when nothing of the case is kept any more"""
    proposal: Proposal | None = None
    oversight: Oversight | None = None
    disputes: Disputes | None = None
    ladder: Ladder | None = None
    star: Star | None = None
    feedback: Feedback | None = None
    former: str = ""
    """the number by which another system had it before (接管)"""

    @property
    def next_due(self) -> int:
        """When something of this case is due next; 0 for never."""
        due = self.archive_at
        if self.forget_at and (self.forget_at < due or not due):
            due = self.forget_at
        for clock in self.clocks.values():
            if clock.running and clock.marks:
                at = clock.marks[0].at
                if at < due or not due:
                    due = at
        if self.feedback is not None and self.feedback.silent_at and (self.feedback.silent_at < due or not due):
            due = self.feedback.silent_at
        return due

    @property
    def is_forgotten(self) -> bool:
        """Whether the case has come to its very end: it is kept no longer."""
        return self.state == "forgotten"

    @property
    def lead(self) -> Leg | None:
        """The leg whose unit answers the citizen: the newest lead that was not returned or withdrawn."""
        for leg in reversed(self.legs.values()):
            if leg.part == "lead" and leg.state not in ("returned", "withdrawn"):
                return leg
        return None


def unborn(case: str) -> Case:
    """The case before its first event."""
    return Case(id=case)


def clock_key(kind: str, of: str) -> str:
    """A clock's name in its case."""
    return f"{kind}/{of}"


def has_seen(case: Case, command: str) -> bool:
    """Whether this command has taken effect on the case before."""
    digest, at = _short(command), -1
    while (at := case.seen.find(digest, at + 1)) >= 0:
        if at % _DIGEST == 0:
            return True
    return False


def is_flooded(case: Case, most: int = SEEN) -> bool:
    """Whether the case has had as many commands: as it can remember, if not fewer."""
    return len(case.seen) >= most * _DIGEST


def remembering(seen: bytes, command: str) -> bytes:
    """`seen` with one more command; beyond SEEN the oldest is forgotten."""
    return (seen + _short(command))[-SEEN * _DIGEST :]


def stub(case: Case, forget_at: int) -> Case:
    """What is kept of an archived case, so that its id is still recognised: version, number, digest, when and why it ended."""
    return Case(
        id=case.id,
        version=case.version,
        state=case.state,
        number=case.number,
        digest=case.digest,
        closed_at=case.closed_at,
        close_reason=case.close_reason,
        sent=case.sent,
        channel=case.channel,
        ref=case.ref,
        forget_at=forget_at,
    )


@lru_cache(maxsize=64)
def _short(command: str) -> bytes:
    """Asked for twice by each command: whether it was here before, and to remember it."""
    digest = _BEGUN.copy()
    digest.update(command.encode())
    return digest.digest()


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Case).decode
