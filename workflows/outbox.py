"""
What a record of `case.outbox` holds: the messages that one command brought about, each for one destination.

Delivery fans them out without understanding them. What is in them: workflows/messages.py.
"""

import msgspec
from msgspec import Raw, Struct


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message for one destination.

    to: `tasks.<endpoint>` | `answers.<channel>` | `supervision` | `dead-letters.engine` | `case:<case id>`.
    key: the record key there (case id; for answers the channel's own id). id: follows from its cause, the idempotency key.
    type: CloudEvents type. seq: 1, 2, 3 … per case and destination; receivers ignore older ones.
    data: JSON of the model of `schemas` that `type` names; for `case:` a Command.
    """

    to: str
    key: str
    id: str
    type: str
    seq: int = 0
    data: Raw


class OutboxRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One record of `case.outbox` per command."""

    case: str
    version: int
    at: int
    source: str = ""
    number: str = ""
    """the public 工单编号; empty where there is no case"""
    messages: tuple[Message, ...]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(OutboxRecord).decode

RECEIPT = "cn.duokua.receipt.issued.v1"
REFUSED = "cn.duokua.reply.refused.v1"
IDENTITY_REVEALED = "cn.duokua.identity.revealed.v1"
ORDER_ANSWERED = "cn.duokua.order.answered.v1"
ASSIGNED = "cn.duokua.task.assigned.v1"
SENT_BACK = "cn.duokua.task.sent_back.v1"
WITHDRAWN = "cn.duokua.task.withdrawn.v1"
STATUS = "cn.duokua.case.status_changed.v1"
OUTCOME = "cn.duokua.case.outcome.v1"
WARNED = "cn.duokua.clock.warned.v1"
OVERDUE = "cn.duokua.clock.overdue.v1"
ESCALATED = "cn.duokua.case.escalated.v1"
RESEMBLES = "cn.duokua.case.resembles.v1"
OVERSEEN = "cn.duokua.case.overseen.v1"
DEAD_LETTER = "cn.duokua.dead_letter.written.v1"
