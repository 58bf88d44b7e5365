"""
The fan-out: each message of the outbox to the topic of its destination. Pure; copies and understands nothing.

At-least-once with a key: a message keeps its id however often it is copied, and carries the case's version
and a sequence per destination, so that a receiver can ignore what is old (design D16).
"""

from typing import NamedTuple

from adapters.clock import to_text
from adapters.kafka.log import Header
from router.operate.topics import Topics
from schemas.ids import shard_of
from workflows.outgoing import Message, OutboxRecord

SOURCE = b"/duokua"


class Outgoing(NamedTuple):
    """A record to write."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: list[Header]


def fan_out(record: OutboxRecord, topics: Topics) -> list[Outgoing]:
    """The records that one outbox record turns into, in its order."""
    time = to_text(record.at).encode()
    return [_copy(message, record, time, topics) for message in record.messages]


def _copy(message: Message, record: OutboxRecord, time: bytes, topics: Topics) -> Outgoing:
    family, _, name = message.to.partition(":")
    if family == "case":
        return Outgoing(topics.commands, shard_of(name, topics.shards), name.encode(), bytes(message.data), [])
    return Outgoing(
        topics.prefix + message.to, 0, message.key.encode(), bytes(message.data), _headers(message, record, time)
    )


def _headers(message: Message, record: OutboxRecord, time: bytes) -> list[Header]:
    """CloudEvents, Kafka binding, binary mode. Dead letters name their origin besides."""
    headers: list[Header] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", message.id.encode()),
        ("ce_source", SOURCE),
        ("ce_type", message.type.encode()),
        ("ce_time", time),
        ("ce_partitionkey", record.case.encode()),
        ("ce_sequence", str(message.seq).encode()),
        ("ce_caseversion", str(record.version).encode()),
        ("content-type", b"application/json"),
    ]
    if record.number:
        headers.append(("ce_subject", record.number.encode()))
    if message.to.startswith("dead-letters."):
        topic, partition, offset = [*record.source.split("/"), "", "", ""][:3]
        headers += [
            ("x-stage", b"engine"),
            ("x-original-topic", topic.encode()),
            ("x-original-partition", partition.encode()),
            ("x-original-offset", offset.encode()),
        ]
    return headers
