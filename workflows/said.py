"""What a reply says, as far as decisions look at it."""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from workflows.case import Task
from workflows.decision import Decision


class TargetView(Struct, frozen=True, kw_only=True):
    """One unit that a dispatcher names."""

    unit: str
    part: str = "lead"


class ReplyView(Struct, frozen=True, kw_only=True):
    """The part of a Reply of the contract that decisions look at."""

    result: str | None = None
    text: str | None = None
    contacted: bool | None = None
    contacted_at: str | None = None
    contact_method: str | None = None
    basis: str | None = None
    attachments: Raw | UnsetType = UNSET
    reason: str | None = None
    proposed_unit: str | None = None
    units: tuple[str, ...] = ()
    targets: tuple[TargetView, ...] = ()
    receipt_no: str | None = None
    category: str | None = None
    limit: str | None = None
    until: str | None = None
    procedure: str | None = None
    document: str | None = None
    charged: str | None = None
    unanswered: tuple[str, ...] = ()
    officer: str | None = None
    confirmed_by: str | None = None
    solved: bool | None = None
    satisfied: bool | None = None
    by: str = ""
    """not from the reply: the unit above that speaks for the one that has the task"""


ReplyHandler = Callable[[Decision, Task, ReplyView], str]
"""Takes what an officer says about a task: returns the code of a refusal, or lets it happen and returns an empty text."""

read = msgspec.json.Decoder(ReplyView).decode
