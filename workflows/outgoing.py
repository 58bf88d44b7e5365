"""
What leaves: messages that an event record brings about, written to `case.outbox` in the same transaction.

`outgoing(before, after, record)` is pure. Delivery fans the messages out without understanding them.
"""

import msgspec
from msgspec import Raw, Struct


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message for one destination.

    to: `tasks.<endpoint>` | `answers.<channel>` | `supervision` | `dead-letters.engine` | `case:<case id>`.
    key: the record key there (case id; for answers the channel's own id). id: uuid5 of its cause, the idempotency key.
    type: CloudEvents type. seq: 1, 2, 3 … per case and destination; receivers ignore older ones.
    data: JSON of the model of `schemas` that `type` names; for `case:` a Command.
    """

    to: str
    key: str
    id: str
    type: str
    seq: int = 0
    data: Raw


class OutboxRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of `case.outbox` per command."""

    case: str
    version: int
    at: int
    source: str = ""
    messages: tuple[Message, ...]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(OutboxRecord).decode
