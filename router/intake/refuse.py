"""
What a refusal writes: an answer to whoever sent the record, and a dead letter for those who look after it.

Neither holds a value of the message but the dead letter's first 4 KB of it; keys and headers carry no personal data.
"""

from typing import NamedTuple

from adapters.kafka.forgiving import Withheld
from router.intake.translate import Record, Rejected, place_of, source_of, usable_key
from router.operate.letters import KEPT_BYTES, origin
from router.operate.topics import Topics
from schemas import registry
from schemas.answer import Receipt
from schemas.cloudevents import Header, binary_headers
from schemas.fields import Model
from schemas.handling import OrderAction, OrderCode, ReplyAction
from schemas.ids import event_id
from schemas.order import OrderAnswered
from schemas.task import ReplyRefused, Said
from schemas.vocabulary import ReceiptCode

STAGE = "intake"


class Outgoing(NamedTuple):
    """A record to write, to partition 0: what leaves for one channel or endpoint is one queue."""

    topic: str
    key: bytes
    value: bytes
    headers: list[Header]


def refusal(record: Record, rejected: Rejected, topics: Topics, now: int) -> tuple[Outgoing, Outgoing]:
    """The answer and the dead letter for a record that became no command."""
    return _answer(record, rejected, topics, now), _dead_letter(record, rejected, topics)


def _answer(record: Record, rejected: Rejected, topics: Topics, now: int) -> Outgoing:
    body: Model
    if rejected.door == "channel":
        topic, kind, key, body = (
            topics.answers(rejected.name),
            registry.RECEIPT_ISSUED,
            rejected.ref,
            _receipt(rejected),
        )
    else:
        topic = topics.tasks(rejected.name)
        kind = registry.ORDER_ANSWERED if rejected.ordered else registry.REPLY_REFUSED
        body = (_order_refused if rejected.ordered else _reply_refused)(record, rejected)
        key = rejected.case_id or place_of(record)
    headers = binary_headers(id=event_id(source_of(record), 0), type=kind, time=now, partitionkey=key)
    return Outgoing(topic, key.encode(), body.model_dump_json(exclude_none=True).encode(), headers)


def _receipt(rejected: Rejected) -> Receipt:
    return Receipt(
        ref=rejected.ref,
        code=ReceiptCode.REJECTED,
        reason=rejected.fault.code,
        pointer=rejected.fault.pointer,
        text=Said(zh=rejected.fault.zh, en=rejected.fault.en),
    )


def _reply_refused(record: Record, rejected: Rejected) -> ReplyRefused:
    return ReplyRefused(
        case_id=rejected.case_id or None,
        task_id=rejected.task_id or None,
        action=ReplyAction(rejected.action) if rejected.action else None,
        code=rejected.fault.code,
        pointer=rejected.fault.pointer,
        text=Said(zh=rejected.fault.zh, en=rejected.fault.en),
        source=place_of(record),
    )


def _order_refused(record: Record, rejected: Rejected) -> OrderAnswered:
    return OrderAnswered(
        case_id=rejected.case_id or None,
        action=OrderAction(rejected.action) if rejected.action else None,
        unit=rejected.unit or None,
        code=OrderCode.REFUSED,
        reason=rejected.fault.code,
        pointer=rejected.fault.pointer,
        text=Said(zh=rejected.fault.zh, en=rejected.fault.en),
        source=place_of(record),
    )


def _dead_letter(record: Record, rejected: Rejected, topics: Topics) -> Outgoing:
    value = b"" if record.value is None else record.value
    key = usable_key(record.key) or place_of(record)
    headers = {
        **origin(STAGE, rejected.fault.code, record.topic, record.partition, record.offset, value),
        "x-pointer": rejected.fault.pointer,
        "x-text": rejected.fault.zh,
    }
    if isinstance(value, Withheld):
        headers["x-original-first-offset"] = str(value.first)
    encoded = [(name, text.encode()) for name, text in headers.items()]
    return Outgoing(topics.dead_letters(STAGE), key.encode(), value[:KEPT_BYTES], encoded)
