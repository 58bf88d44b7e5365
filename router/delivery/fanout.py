"""
The fan-out: each message of the outbox to the topic of its destination. Pure; copies and understands nothing.

At-least-once with a key: a message keeps its id however often it is copied, and carries the case's version
and a sequence per destination, so that a receiver can ignore what is old (design D16).
"""

from functools import lru_cache

from msgspec import Struct

from adapters.clock import to_text
from adapters.kafka.log import Header
from router.operate.topics import Topics
from schemas.ids import shard_of
from workflows.outbox import Message, OutboxRecord


class Outgoing(Struct, frozen=True, gc=False):
    """A record to write."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: list[Header]


def fan_out(record: OutboxRecord, topics: Topics) -> list[Outgoing]:
    """The records that one outbox record turns into, in its order."""
    shared = _shared_headers(record)
    return [_copy(message, record, shared, topics) for message in record.messages]


def fan_out_what_can(record: OutboxRecord, topics: Topics) -> tuple[list[Outgoing], list[Message]]:
    """The same, and apart the messages that name no case or topic to go to: a defect of ours, and theirs alone."""
    try:
        return fan_out(record, topics), []
    except ValueError:
        pass
    shared, leaving, lost = _shared_headers(record), list[Outgoing](), list[Message]()
    for message in record.messages:
        try:
            leaving.append(_copy(message, record, shared, topics))
        except ValueError:
            lost.append(message)
    return leaving, lost


def _copy(message: Message, record: OutboxRecord, shared: list[Header], topics: Topics) -> Outgoing:
    family, _, name = message.to.partition(":")
    if family == "case":
        return Outgoing(topics.commands, shard_of(name, topics.shards), name.encode(), bytes(message.data), [])
    headers: list[Header] = [
        ("ce_id", message.id.encode()),
        ("ce_type", message.type.encode()),
        ("ce_sequence", str(message.seq).encode()),
        *shared,
    ]
    if family.startswith("dead-letters."):
        headers += _origin(record.source)
    return Outgoing(topics.prefix + family, 0, message.key.encode(), bytes(message.data), headers)


_FIXED: tuple[Header, ...] = (
    ("ce_specversion", b"1.0"),
    ("ce_source", b"/duokua"),
    ("content-type", b"application/json"),
)


def _shared_headers(record: OutboxRecord) -> list[Header]:
    """CloudEvents, Kafka binding, binary mode: what all messages of a record have in common."""
    headers: list[Header] = [
        *_FIXED,
        ("ce_time", _time(record.at)),
        ("ce_partitionkey", record.case.encode()),
        ("ce_caseversion", str(record.version).encode()),
    ]
    if record.number:
        headers.append(("ce_subject", record.number.encode()))
    return headers


@lru_cache(256)  # a batch of commands is decided at one instant
def _time(at: int) -> bytes:
    return to_text(at).encode()


def _origin(source: str) -> list[Header]:
    """Of a dead letter: where the record stands that it is about."""
    topic, partition, offset = [*source.split("/"), "", "", ""][:3]
    return [
        ("x-stage", b"engine"),
        ("x-original-topic", topic.encode()),
        ("x-original-partition", partition.encode()),
        ("x-original-offset", offset.encode()),
    ]
