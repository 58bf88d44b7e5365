"""
The broker's own files: which producer, in which epoch, wrote each batch. What no consumer is told.

A producer is fenced by a higher epoch of its id. In the log of a partition that one transactional id alone may write, no
batch of an epoch may follow one of a higher epoch (I6); and what is there must be of that one producer.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

HEADER = Struct(">qiibIhiqqqhii")
"""base offset, length, leader epoch, magic, crc, attributes, last delta, two times, producer, epoch, sequence, count"""
TRANSACTIONAL, CONTROL = 0x10, 0x20


class Written(NamedTuple):
    """A batch. marker: of a transaction's end."""

    offset: int
    producer: int
    epoch: int
    marker: bool
    transactional: bool


def batches(folder: Path) -> Iterator[Written]:
    """All batches of a partition's folder, by offset; a torn last one is left out."""
    for segment in sorted(folder.glob("*.log")):
        with segment.open("rb") as file:
            while len(head := file.read(HEADER.size)) == HEADER.size:
                base, length, _, _, _, attributes, _, _, _, producer, epoch, _, _ = HEADER.unpack(head)
                if length <= 0:
                    break
                yield Written(base, producer, epoch, bool(attributes & CONTROL), bool(attributes & TRANSACTIONAL))
                file.seek(length + 12 - HEADER.size, 1)


def breaches(log: Iterable[Written]) -> Iterator[str]:
    """Batches that a fenced producer wrote, and producers that replaced each other and came back."""
    epochs: dict[int, int] = {}
    producer = -1
    for batch in log:
        if not batch.transactional:
            yield f"offset {batch.offset}: outside any transaction"
            continue
        if batch.producer != producer:
            if batch.producer in epochs:
                yield f"offset {batch.offset}: producer {batch.producer} is back after {producer}"
            producer = batch.producer
        highest = epochs.get(batch.producer, -1)
        if batch.epoch < highest:
            yield f"offset {batch.offset}: epoch {batch.epoch} after {highest}"
        epochs[batch.producer] = max(highest, batch.epoch)
