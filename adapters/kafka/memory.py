"""
The log in memory: the same surface as `KafkaLog` for tests, demos and a newcomer's laptop.

Transactions are all or nothing and fenced by epoch; offsets commit with them. What it does not
have: rebalancing between members of a group (each reader gets every partition), replication,
records of an open transaction (nobody sees them, whatever the isolation).
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from adapters.kafka.log import Fenced, Header, RecordRefused, TopicSpec

Added = Iterable[tuple[TopicPartition, bytes | None, bytes | None, Sequence[Header]]]
DEFAULT_BYTES = 1 << 20
"""What a record may hold where its topic does not say."""


@dataclass(frozen=True)
class MemoryRecord:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[Header] = ()


class MemoryReader:
    """Reads from the lists of a MemoryLog; `wake` lets a waiting `getmany` return as soon as something is there."""

    def __init__(self, log: "MemoryLog", group: str | None, partitions: Sequence[TopicPartition]) -> None:
        self._log, self._group = log, group
        self._positions = {tp: log.committed.get((group, tp), 0) if group else 0 for tp in partitions}
        self._paused: set[TopicPartition] = set()

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]:
        wanted = partitions or tuple(self._positions)
        found = self._take(wanted, max_records or 500)
        if not found and timeout_ms:
            await self._log.wait(timeout_ms / 1000)
            found = self._take(wanted, max_records or 500)
        else:
            await asyncio.sleep(0)
        return found

    def _take(self, wanted: Iterable[TopicPartition], limit: int) -> dict[TopicPartition, list[Any]]:
        found: dict[TopicPartition, list[Any]] = {}
        for tp in wanted:
            if tp in self._paused or tp not in self._positions or limit <= 0:
                continue
            start = self._positions[tp]
            records: list[Any] = list(self._log.records[tp][start : start + limit])
            if records:
                found[tp], limit = records, limit - len(records)
                self._positions[tp] = start + len(records)
        return found

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    async def committed(self, partition: TopicPartition) -> int | None:
        return self._log.committed.get((self._group, partition))

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._log.committed.update({(self._group, tp): offset for tp, offset in offsets.items()})

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._positions[partition] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)

    async def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: len(self._log.records[tp]) for tp in partitions}

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)


class MemoryWriter:
    """Buffers, then appends; refuses what the log was told to refuse."""

    def __init__(self, log: "MemoryLog") -> None:
        self._log = log
        self.appended_ms: int | None = None
        self._added: list[tuple[TopicPartition, bytes | None, bytes | None, Sequence[Header]]] = []

    def add(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()
    ) -> None:
        self._added.append((TopicPartition(topic, partition), key, value, tuple(headers)))

    def add_all(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        self._added += [(TopicPartition(topic, partition), key, value, ()) for key, value in records]

    async def flush(self) -> dict[TopicPartition, int]:
        added, self._added = self._added, []
        try:
            self._check(added)
        except RecordRefused as refused:
            # the others are taken by a broker, and told apart
            self._append(
                [one for one in added if one[0].topic not in (refused.too_large or {t.topic for t, *_ in added})]
            )
            raise
        await asyncio.sleep(0)
        return self._append(added)

    async def missing(self, topics: Iterable[str]) -> set[str]:
        return {topic for topic in topics if topic not in self._log.names}

    def _append(self, added: Added) -> dict[TopicPartition, int]:
        self.appended_ms = int(time.time() * 1000)
        return self._log.append(added)

    def _check(self, added: Added) -> None:
        for tp, *_ in added:
            if not 0 <= tp.partition < self._log.names.get(tp.topic, 0):
                raise RecordRefused("UnknownTopicOrPartitionError", tp.topic)
        largest = self._log.largest
        too_large = [tp.topic for tp, _, value, _ in added if len(value or b"") > largest.get(tp.topic, DEFAULT_BYTES)]
        if too_large:
            raise RecordRefused("MessageSizeTooLargeError", too_large[0], frozenset(too_large))

    def forget(self) -> None:
        self._added = []


class MemoryTransactions(MemoryWriter):
    def __init__(self, log: "MemoryLog", transactional_id: str, epoch: int, group: str) -> None:
        super().__init__(log)
        self._id, self._epoch, self._group = transactional_id, epoch, group

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        if self._log.epochs[self._id] != self._epoch:
            raise Fenced
        added, self._added = self._added, []
        self._check(added)
        self._log.committed.update({(self._group, tp): offset for tp, offset in offsets.items()})
        return self._append(added)


class MemoryLog:
    """A cluster in one process."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.largest: dict[str, int] = {}
        self.records: dict[TopicPartition, list[MemoryRecord]] = defaultdict(list)
        self.committed: dict[tuple[str | None, TopicPartition], int] = {}
        self.epochs: dict[str, int] = defaultdict(int)
        self._arrived = asyncio.Event()

    def append(self, added: Added) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = {}
        for tp, key, value, headers in added:
            records = self.records[tp]
            records.append(
                MemoryRecord(tp.topic, tp.partition, len(records), key, value, int(time.time() * 1000), headers)
            )
            ends[tp] = len(records)
        self._arrived.set()
        self._arrived = asyncio.Event()
        return ends

    async def wait(self, seconds: float) -> None:
        """Until something is appended, or the time has passed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)

    @asynccontextmanager
    async def reader(
        self,
        topics: Sequence[str] = (),
        *,
        group: str | None = None,
        partitions: Sequence[TopicPartition] = (),
        committed: bool = True,
        listener: Any = None,
        wait_ms: int = 100,
        lost: str = "earliest",
    ) -> AsyncIterator[MemoryReader]:
        chosen = list(partitions) or [TopicPartition(t, p) for t in topics for p in range(self.names.get(t, 0))]
        reader = MemoryReader(self, group, chosen)
        if listener is not None:
            await listener.on_partitions_assigned(chosen)
        yield reader

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[MemoryWriter]:
        yield MemoryWriter(self)

    async def transactions(self, transactional_id: str, group: str) -> MemoryTransactions:
        self.epochs[transactional_id] += 1
        return MemoryTransactions(self, transactional_id, self.epochs[transactional_id], group)

    async def close(self, transactions: MemoryTransactions) -> None:
        transactions.forget()

    async def topics(self) -> dict[str, int]:
        return dict(self.names)

    async def create_topics(self, specs: Sequence[TopicSpec]) -> list[str]:
        created = [s for s in specs if s.name not in self.names]
        self.names.update({s.name: s.partitions for s in created})
        self.largest.update(
            {s.name: int(s.config["max.message.bytes"]) for s in created if "max.message.bytes" in s.config}
        )
        return [s.name for s in created]

    @staticmethod
    def member(reader: MemoryReader) -> str:
        return ""

    async def dismiss(self, group: str, member: str) -> None:
        """There are no members."""

    async def cluster_id(self) -> str:
        return "memory"
