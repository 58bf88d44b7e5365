"""
What a case can be asked to do, in the imperative.

A command is the value of a record on `case.commands`: JSON, one object, `kind` says which.
Times are milliseconds since 1970-01-01T00:00Z on the business clock (`at`: when the edge took it in).
`source` names the record it came from (`topic/partition/offset`), so that the ledger can
account for each input. Commands are written by the edges and read by the engine only;
the published contract for everybody else is in `schemas`.
"""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from workflows.proposals import Proposal


class Command(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """`id` is derived from its cause (schemas.ids); the same id takes effect once."""

    id: str
    case: str
    at: int
    source: str = ""


class Other(Struct, frozen=True, array_like=True, gc=False):
    """Another case: its id, and the number by which people know it."""

    case: str
    number: str


class Submit(Command, frozen=True, tag="submit"):
    """A request from a channel. `request` is the canonical JSON of a valid ServiceRequest, `digest` its SHA-256 (hex).

    `serial` (shard and running number, digits only) is filled in by the engine at the command's place in the log.
    `part_of`: the number of the case it was split off, by which then no channel sent it; `parent`: that case.
    `proposal`: what a classifier thinks of a request that names neither category nor matter.
    """

    channel: str
    ref: str
    request: Raw
    digest: str
    received_at: int
    query_code: str = ""
    serial: str = ""
    proposal: Proposal | None = None
    part_of: str = ""
    parent: str = ""


class Supplement(Command, frozen=True, tag="supplement"):
    """More from the applicant; `body` is a Supplement of the contract. Never restarts a clock."""

    channel: str
    ref: str
    body: Raw


class Withdraw(Command, frozen=True, tag="withdraw"):
    channel: str
    ref: str
    body: Raw


class Evaluate(Command, frozen=True, tag="evaluate"):
    channel: str
    ref: str
    grade: int
    body: Raw


class Urge(Command, frozen=True, tag="urge"):
    """The applicant asks to hurry; `body` is an Urging of the contract."""

    channel: str
    ref: str
    body: Raw


class AskReview(Command, frozen=True, tag="ask_review"):
    """The applicant objects to the refusal of the case; `body` is an Objection of the contract."""

    channel: str
    ref: str
    body: Raw


ReplyAction = Literal[
    "sign", "return", "sub_dispatch", "recall", "send_back_below", "reply",
    "accept_return", "reject_return", "arbitrate", "rule", "pass", "send_back",
    "confirm_refusal", "reject_refusal", "dispatch", "redirect", "answer_at_once", "confirm_receipt",
    "note", "acknowledge",
    "report", "accept_report", "reject_report",
    "ask_hang", "grant_hang", "refuse_hang", "review_plan",
    "ask_extension", "grant_extension", "refuse_extension", "pause", "go_on",
    "accept_merge", "reject_merge",
    "call_back", "not_reached", "redo", "grant_appeal", "refuse_appeal",
    "end_procedure",
]  # fmt: skip


class Reply(Command, frozen=True, tag="reply"):
    """What a unit says through its endpoint about one task it was given.

    Accepted only if `task` is open on this case and was given to `endpoint`.
    `body` is the whole Reply of the contract (result, text, reason, units, ...).
    """

    endpoint: str
    task: str
    action: ReplyAction
    body: Raw


OrderAction = Literal[
    "urge", "supervise", "lift", "instruct", "re_dispatch", "redirect", "release", "conclude", "merge", "unmerge", "split",
    "reveal", "mark_malicious", "ex_officio", "refuse", "redo", "appeal_review", "ask_review",
]  # fmt: skip


class Order(Command, frozen=True, tag="order"):
    """What an office says without having been asked, in the name of `unit`, through the endpoint that speaks for it.

    Who may give which is workflows/rights.py. `body` is the whole Order of the contract.
    """

    endpoint: str
    unit: str
    action: OrderAction
    body: Raw


class Join(Command, frozen=True, tag="join"):
    """From a case to another: be the head of this one (合并). Asked again until it is answered; `asked` counts the requests.

    second: a second officer confirmed it. excluded: units complained about in the member, which then handle neither."""

    member: str
    number: str
    asked: int
    centre: str
    appeal_kind: str
    excluded: tuple[str, ...] = ()
    second: bool = False


class JoinAnswered(Command, frozen=True, tag="join_answered"):
    """From the head to the case that asked. code: why not (workflows/refusals.py), or empty."""

    head: str
    asked: int
    number: str = ""
    code: str = ""


class Leave(Command, frozen=True, tag="leave"):
    """From a member to its head: from here on it goes its own way."""

    member: str
    asked: int


class Begun(Struct, frozen=True, array_like=True, gc=False):
    """The statutory procedure that a matter was handed over to, as the citizen is told of it."""

    procedure: str
    name_zh: str
    name_en: str
    limit: str
    due: int
    provisional: bool = False


class HeadEnded(Command, frozen=True, tag="head_ended"):
    """From the head to each member: how it ended, with the answer, and whose that is."""

    head: str
    number: str
    asked: int
    reason: str
    result: str = ""
    begun: Begun | None = None
    unit: str = ""


class MemberSaid(Command, frozen=True, tag="member_said"):
    """From a member to its head: what its applicant has added (texts), or that he urges."""

    member: str
    asked: int
    what: Literal["supplemented", "urged"]
    texts: tuple[str, ...] = ()


class PartRefused(Command, frozen=True, tag="part_refused"):
    """To the case that a part was split off: the channel has used that id (`ref`) for something else. What the part was about."""

    ref: str
    title: str
    text: str = ""
    category: str = ""


class Resemble(Command, frozen=True, tag="resemble"):
    """From the similar role: what this case has in common with `cases`. It proposes; the case decides what comes of it.

    count: which time it is (repeat), or how many there are with this one (group, burst). Nothing personal is in it."""

    what: Literal["repeat", "alike", "group", "burst"]
    count: int
    cases: tuple[Other, ...] = ()
    score: float = 0.0


class Past(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A step of what happened to a case elsewhere: at that time `unit` did it (of a decision: or it is about the unit's part).

    action: a word of replies or orders, or supplement | urge | evaluate of the applicant. `body`: what was said with it,
    as the contract has it for that action; grade: of an evaluation.
    """

    at: int
    action: str
    unit: str = ""
    grade: int = 0
    body: Raw = Raw(b"{}")


class Adopt(Command, frozen=True, tag="adopt"):
    """
    Take over an open case of another system (接管), as it stands by its history. Nobody outside has sent it.

    channel, ref, request, digest, received_at, query_code, serial: as of a Submit. number: the case's there. due: for when
    it was promised there; 0: what follows from the limits in force here holds. by, why: who takes it over. tasks: whether
    units are given what they have in hand; receipt: whether the channel is told the new number.
    """

    channel: str
    ref: str
    request: Raw
    digest: str
    received_at: int
    number: str
    by: str
    why: str
    history: tuple[Past, ...] = ()
    due: int = 0
    query_code: str = ""
    serial: str = ""
    tasks: bool = True
    receipt: bool = False


OPENING = (Submit, Adopt)
"""What a case begins with. Where each command passes, ask `type(…) is`: that it is none of a Struct `isinstance` finds slowly."""
Between = Join | JoinAnswered | Leave | HeadEnded | MemberSaid | PartRefused | Resemble | Adopt
"""What nobody outside has sent: nobody outside is answered."""


class ReachDeadline(Command, frozen=True, tag="reach_deadline"):
    """Something of this case is due. Made by the shard itself from its due index, never sent.

    Its id is derived from the case and its version, so that a replay makes the same one."""


class Rebase(Command, frozen=True, tag="rebase"):
    """The calendar in force is another one than some clock of this case counts by. Made by the shard itself, never sent.

    Its id is derived from the case and its version, so that a replay makes the same one."""


AnyCommand = Submit | Supplement | Withdraw | Evaluate | Urge | AskReview | Reply | Order | ReachDeadline | Between


class Release(Command, frozen=True, tag="release"):
    """To the shard, about a case whose commands it keeps aside: what was kept has been written again, or given up.

    `letters`: how many dead letters of this parking were seen. If there are more by now the case stays parked.
    The shard answers it without asking the core: a case neither notices that it was parked nor that it is not."""

    letters: int = 0


class Recheck(Command, frozen=True, tag="recheck"):
    """To the shard, about a case of which the auditor says that something due did not fire.

    The shard fires it under this command's id where its own index has lost it, and does nothing otherwise: what is still
    to come by itself comes by itself, and while it holds its deadlines nothing fires."""


class GiveUp(Command, frozen=True, tag="give_up"):
    """A command that was kept aside will never be judged, and its sender, who was told `held`, waits for word of it.

    `of`: that command without what its sender wrote. The case remembers it as if it had come, so that no copy of it has
    an effect later."""

    of: AnyCommand


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyCommand | Release | GiveUp | Recheck).decode


class ActivateCatalogue(Struct, frozen=True, kw_only=True, tag_field="kind", tag="activate_catalogue"):
    """To the shard itself (key `_shard`), in every partition: from here on, decide by this version (design §4)."""

    id: str
    version: int
    hash: str
