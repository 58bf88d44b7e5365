"""A compacted topic of one partition: the last value of every key."""

from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

POLL_MS = 500


async def latest(broker: Any, topic: str) -> dict[bytes, bytes]:
    """
    The last value of every key up to the end of the topic as it is now, open transactions included: who is told of a
    version by another topic may be here before the broker has ended the publication everywhere.
    """
    kept, partition = dict[bytes, bytes](), TopicPartition(topic, 0)
    async with broker.reader(partitions=[partition], committed=False) as reader:
        end = (await reader.end_offsets([partition]))[partition]
    async with broker.reader(partitions=[partition]) as reader:
        await read_to(end, reader, partition, kept)
    return kept


async def read_to(end: int, reader: Any, partition: TopicPartition, kept: dict[bytes, bytes]) -> None:
    """Keep what comes before `end`."""
    while await reader.position(partition) < end:
        keep(await reader.getmany(timeout_ms=POLL_MS), kept)


def keep(batch: Mapping[TopicPartition, list[Any]], kept: dict[bytes, bytes]) -> None:
    """The values of a batch over those that are kept."""
    for record in (record for records in batch.values() for record in records):
        if record.value is None:
            kept.pop(record.key, None)
        elif record.key is not None:
            kept[record.key] = record.value
