"""
A broker: partitions with transactions, their markers and their isolation, a transaction coordinator, group offsets.

Only what the engine can see of Kafka is here, but that exactly: a marker takes an offset, so that an end offset is not
the last record's plus one; the answer to EndTxn comes before the markers are written, partition by partition; the end
offset of a read_committed reader is the first offset of a transaction still open; InitProducerId raises the epoch,
aborts what its former holder left open and waits for it; a partition refuses a producer whose epoch it has seen
surpassed; a cleaner leaves gaps and, after their time, drops tombstones. Methods are what a request does when it
arrives: they do not wait, and raise what the client would get.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import ConcurrentTransactions, InvalidTxnState, KafkaError, ProducerFenced

from tests.simulation.loop import VirtualLoop

TRANSACTION_SECONDS = 15.0
TOMBSTONE_SECONDS = 7 * 24 * 3600.0

Added = Iterable[tuple[bytes | None, bytes | None]]


class Transaction:
    """One transaction of one producer: what it touched, and what became of it. `began` and `ended` are true time."""

    def __init__(self, holder: str, epoch: int, began: float) -> None:
        self.holder, self.epoch, self.began = holder, epoch, began
        self.ended = 0.0
        self.outcome = "open"
        self.partitions: dict[TopicPartition, None] = {}
        self.offsets: dict[TopicPartition, int] = {}
        self.unmarked = 0


@dataclass(slots=True)
class Entry:
    """A record, or a marker (`marker`), on its partition. `timestamp` is the broker's, in milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    transaction: Transaction | None = None
    marker: bool = False
    headers: tuple[Any, ...] = ()


@dataclass
class Partition:
    entries: list[Entry] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    end: int = 0
    open: dict[Transaction, int] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)

    @property
    def stable(self) -> int:
        """The last stable offset: how far a read_committed reader gets."""
        return min(self.open.values(), default=self.end)

    def put(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.offsets.append(entry.offset)
        self.end = entry.offset + 1

    def visible(self, start: int = 0, until: int | None = None) -> list[Entry]:
        """Committed records from an offset on, below the last stable one."""
        end = bisect_left(self.offsets, self.stable if until is None else until)
        found = self.entries[bisect_left(self.offsets, start) : end]
        return [e for e in found if not e.marker and (e.transaction is None or e.transaction.outcome == "commit")]


@dataclass
class Holder:
    """A transactional id as its coordinator knows it."""

    epoch: int = -1
    current: Transaction | None = None


class Broker:
    """`marker_seconds()` draws how long a marker takes; `history` holds every transaction that was decided."""

    def __init__(self, loop: VirtualLoop, random: Random, epoch_ms: int, marker_seconds: Callable[[], float]) -> None:
        self._loop, self._random, self._epoch_ms = loop, random, epoch_ms
        self._marker_seconds = marker_seconds
        self.partitions: dict[TopicPartition, Partition] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.holders: dict[str, Holder] = {}
        self.history: list[Transaction] = []
        self.truth: dict[TopicPartition, list[Entry]] = {}
        self.fenced = 0
        self.late: dict[str, int] = {}
        """EndTxn requests that are still on the wire, by id with their epoch: they arrive at the worst time, in the next one."""
        self._waiters: dict[TopicPartition, list[Any]] = {}

    def create(self, topic: str, partitions: int) -> None:
        for number in range(partitions):
            tp = TopicPartition(topic, number)
            self.partitions[tp], self.truth[tp], self._waiters[tp] = Partition(), [], []

    def time_ms(self) -> int:
        """The true time: the broker's clock is right."""
        return self._epoch_ms + int(self._loop.time() * 1000)

    # -- records --

    def append(
        self, tp: TopicPartition, added: Added, transaction: Transaction | None = None, headers: tuple[Any, ...] = ()
    ) -> tuple[int, int]:
        """Base offset and the broker's time."""
        partition, stamp = self.partitions[tp], self.time_ms()
        base = partition.end
        for key, value in added:
            entry = Entry(tp.topic, tp.partition, partition.end, key, value, stamp, transaction, headers=headers)
            partition.put(entry)
            self.truth[tp].append(entry)
        self._wake(tp)
        return base, stamp

    def fetch(self, tp: TopicPartition, position: int, limit: int) -> tuple[list[Entry], int]:
        """Records from a position on and where that leaves it: past markers, aborted records and gaps."""
        partition = self.partitions[tp]
        found = partition.visible(position)
        if len(found) > limit:
            return found[:limit], found[limit - 1].offset + 1
        return found, max(position, partition.stable)

    def when_more(self, tp: TopicPartition, future: Any) -> None:
        """Set `future` when there may be more to read."""
        self._waiters[tp].append(future)

    def _wake(self, tp: TopicPartition) -> None:
        waiters, self._waiters[tp] = self._waiters[tp], []
        for future in waiters:
            if not future.done():
                future.set_result(None)

    # -- transactions --

    def init(self, name: str) -> int:
        """InitProducerId: the new epoch."""
        holder = self.holders.setdefault(name, Holder())
        current = holder.current
        if current is not None and current.outcome == "open":
            holder.epoch += 1
            self._decide(holder, current, "abort")
        if holder.current is not None:
            raise ConcurrentTransactions
        holder.epoch += 1
        return holder.epoch

    def add(self, name: str, epoch: int, tp: TopicPartition) -> None:
        """AddPartitionsToTxn."""
        self._ongoing(name, epoch).partitions[tp] = None

    def produce(self, name: str, epoch: int, tp: TopicPartition, added: Added) -> tuple[int, int]:
        partition = self.partitions[tp]
        if epoch < partition.epochs.get(name, -1):
            self.fenced += 1
            raise ProducerFenced
        current = self.holders[name].current
        if current is None or current.outcome != "open" or current.epoch != epoch or tp not in current.partitions:
            raise InvalidTxnState
        partition.epochs[name] = epoch
        partition.open.setdefault(current, partition.end)
        if name in self.late:
            self._loop.in_world(self._random.random() * 0.004, self._arrive_late, name, self.late.pop(name))
        return self.append(tp, added, current)

    def _arrive_late(self, name: str, epoch: int) -> None:
        with suppress(KafkaError):
            self.end(name, epoch)

    def commit_offsets(self, name: str, epoch: int, offsets: Mapping[TopicPartition, int]) -> None:
        """AddOffsetsToTxn and TxnOffsetCommit."""
        self._ongoing(name, epoch).offsets.update(offsets)

    def end(self, name: str, epoch: int) -> None:
        """EndTxn with commit. Asked again for what is committed already, it says yes again."""
        holder = self._holder(name, epoch)
        if holder.current is not None:
            if holder.current.outcome == "abort":
                raise InvalidTxnState
            if holder.current.outcome == "open":
                self._decide(holder, holder.current, "commit")

    def _holder(self, name: str, epoch: int) -> Holder:
        holder = self.holders[name]
        if holder.epoch != epoch:
            self.fenced += 1
            raise ProducerFenced
        return holder

    def _ongoing(self, name: str, epoch: int) -> Transaction:
        holder = self._holder(name, epoch)
        if holder.current is None:
            holder.current = Transaction(name, epoch, self._loop.time())
            self._loop.in_world(TRANSACTION_SECONDS, self._expire, holder, holder.current)
        if holder.current.outcome != "open":
            raise ConcurrentTransactions
        return holder.current

    def _expire(self, holder: Holder, transaction: Transaction) -> None:
        """The broker gives up a transaction that is open too long, and its producer with it."""
        if transaction.outcome == "open":
            holder.epoch += 1
            self._decide(holder, transaction, "abort")

    def _decide(self, holder: Holder, transaction: Transaction, outcome: str) -> None:
        """The outcome stands; each partition learns of it in its own time, and the offsets in theirs."""
        transaction.outcome, transaction.ended = outcome, self._loop.time()
        self.history.append(transaction)
        transaction.unmarked = len(transaction.partitions) + 1
        for tp in transaction.partitions:
            self._loop.in_world(self._marker_seconds(), self._mark, holder, transaction, tp)
        self._loop.in_world(self._marker_seconds(), self._mark_offsets, holder, transaction)

    def _mark(self, holder: Holder, transaction: Transaction, tp: TopicPartition) -> None:
        partition = self.partitions[tp]
        partition.epochs[transaction.holder] = max(holder.epoch, partition.epochs.get(transaction.holder, -1))
        partition.open.pop(transaction, None)
        partition.put(Entry(tp.topic, tp.partition, partition.end, b"", b"", self.time_ms(), transaction, marker=True))
        self._wake(tp)
        self._marked(holder, transaction)

    def _mark_offsets(self, holder: Holder, transaction: Transaction) -> None:
        if transaction.outcome == "commit":
            self.committed.update(transaction.offsets)
        self._marked(holder, transaction)

    def _marked(self, holder: Holder, transaction: Transaction) -> None:
        transaction.unmarked -= 1
        if not transaction.unmarked:
            holder.current = None

    # -- the cleaner --

    def compact(self, tp: TopicPartition) -> None:
        """Keep the newest value of each key below the last stable offset; tombstones go after their time."""
        partition = self.partitions[tp]
        below = bisect_left(partition.offsets, partition.stable)
        newest = {e.key: e.offset for e in partition.visible()}
        old = self.time_ms() - TOMBSTONE_SECONDS * 1000
        keep = [
            e
            for e in partition.entries[:below]
            if newest.get(e.key) == e.offset
            and not e.marker
            and not (e.value is None and e.timestamp < old)
            and not (e.transaction is not None and e.transaction.outcome == "abort")
        ]
        partition.entries = keep + partition.entries[below:]
        partition.offsets = [e.offset for e in partition.entries]
