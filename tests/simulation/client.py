"""
What the engine has of Kafka: a log whose readers and transactions speak to the simulated broker over a simulated wire.

`adapters.kafka.writing.Transactions` is the real one; simulated is the producer beneath it, which behaves as aiokafka's does
under our settings: a batch's answer comes by its future and nothing else tells of a refusal, `commit_transaction` commits
whatever became of the batches, EndTxn is sent once, and being fenced is final. The reader is aiokafka's consumer: a
rebalance forgets positions and pauses, a paused or lost partition brings nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import (
    ConcurrentTransactions,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RequestTimedOutError,
    UnknownTopicOrPartitionError,
)

from adapters.kafka.writing import LOG_APPEND_TIME, OutcomeUnknown, Transactions
from tests.simulation.broker import Broker
from tests.simulation.loop import LIFE, Life, VirtualLoop

LOST_SECONDS = 15.0
"""After so long the client gives up on an answer."""


@dataclass
class Faults:
    """How often (0 to 1) what goes wrong; `slow` is the share of requests that take seconds. Set to none when all heals."""

    refused: float = 0.0
    commit_lost: float = 0.0
    commit_late: float = 0.0
    unknown_topic: float = 0.0
    read_error: float = 0.0
    slow: float = 0.0
    slow_marker: float = 0.0
    down_until: float = 0.0

    def heal(self) -> None:
        self.__init__()  # type: ignore[misc]


class Wire:
    """Requests and answers take their time; what was sent arrives, even when its sender is dead by then."""

    def __init__(self, loop: VirtualLoop, random: Random, faults: Faults) -> None:
        self.loop, self.random, self.faults = loop, random, faults

    def chance(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def seconds(self) -> float:
        """How long one way takes; while the broker is down, until it is back."""
        took = 0.0005 + self.random.random() * 0.004
        if self.chance(self.faults.slow):
            took += self.random.random() * 5
        return took + max(0.0, self.faults.down_until - self.loop.time())

    def marker_seconds(self) -> float:
        if self.chance(self.faults.slow_marker):
            return self.random.random() * 40
        return self.random.random() * 0.02

    async def ask(self, request: Callable[..., Any], *args: Any) -> Any:
        life = LIFE.get()
        if life is not None and life.over:
            raise asyncio.CancelledError
        answer: asyncio.Future[Any] = self.loop.create_future()
        self.loop.in_world(self.seconds(), self._arrive, answer, request, args)
        return await answer

    async def ask_until_settled(self, request: Callable[..., Any], *args: Any) -> Any:
        """As the client does while the broker finishes the former transaction."""
        pause = 0.02
        while True:
            try:
                return await self.ask(request, *args)
            except ConcurrentTransactions:
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 2)

    def _arrive(self, answer: "asyncio.Future[Any]", request: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            found, error = request(*args), None
        except KafkaError as e:
            found, error = None, e
        self.loop.in_world(self.seconds(), _tell, answer, found, error)


def _tell(answer: "asyncio.Future[Any]", found: Any, error: Exception | None) -> None:
    if not answer.done():
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)


class Answer(NamedTuple):
    """Of a produce request."""

    offset: int
    timestamp: int
    timestamp_type: int


class Batch:
    """Records for one partition; takes no more than `most`. The library's C builder is here the batch itself."""

    def __init__(self, most: int) -> None:
        self.records: list[tuple[bytes | None, bytes | None]] = []
        self._most, self._closed = most, False
        self._builder, self._relative_offset = self, 0

    def append(
        self, offset: int = 0, timestamp: int | None = None, key: Any = None, value: Any = None, headers: Any = ()
    ) -> int | None:
        if self._closed or len(self.records) >= self._most:
            return None
        self.records.append((key, value))
        return len(self.records)

    def close(self) -> None:
        self._closed = True

    def record_count(self) -> int:
        return len(self.records)


class Producer:
    """aiokafka's transactional producer."""

    def __init__(self, wire: Wire, broker: Broker, name: str) -> None:
        self._wire, self._broker, self._name = wire, broker, name
        self._epoch = -1
        self._error: KafkaError | None = None
        self._added: set[TopicPartition] = set()
        self._tails: dict[TopicPartition, asyncio.Task[None]] = {}
        self._sent: list[asyncio.Future[Answer]] = []
        self._in_transaction = False
        self._most = wire.random.choice((3, 1000))
        self._txn_manager = None
        """Where sequence numbers are set back after a record too large, for those who go on with the same producer."""

    async def start(self) -> None:
        self._epoch = await self._wire.ask_until_settled(self._broker.init, self._name)

    async def stop(self) -> None:
        for task in self._tails.values():
            task.cancel()

    async def begin_transaction(self) -> None:
        self._check()
        assert not self._in_transaction
        self._in_transaction = True
        self._added, self._sent, self._tails = set(), [], {}

    def create_batch(self) -> Batch:
        return Batch(self._most)

    async def partitions_for(self, topic: str) -> set[int]:
        if self._wire.chance(self._wire.faults.unknown_topic):
            await asyncio.sleep(self._wire.seconds())
            raise UnknownTopicOrPartitionError
        return {tp.partition for tp in self._broker.partitions if tp.topic == topic}

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Future[Answer]":
        self._check()
        tp = TopicPartition(topic, partition)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._sent.append(answer)
        before = self._tails.get(tp)
        self._tails[tp] = asyncio.ensure_future(self._deliver(tp, batch, answer, before))
        return answer

    async def _deliver(self, tp: TopicPartition, batch: Batch, answer: Any, before: Any) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            if tp not in self._added:
                await self._wire.ask_until_settled(self._broker.add, self._name, self._epoch, tp)
                self._added.add(tp)
            if self._wire.chance(self._wire.faults.refused):
                if self._wire.chance(0.5):
                    raise MessageSizeTooLargeError
                await self._wire.ask(self._broker.produce, self._name, self._epoch, tp, batch.records)
                raise RequestTimedOutError
            offset, stamp = await self._wire.ask(self._broker.produce, self._name, self._epoch, tp, batch.records)
        except ProducerFenced as error:
            self._fail(error)
        except KafkaError as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(Answer(offset, stamp, LOG_APPEND_TIME))

    async def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, int], group: str) -> None:
        self._check()
        await self._final(self._broker.commit_offsets, dict(offsets))

    async def commit_transaction(self) -> None:
        self._check()
        if self._sent:
            await asyncio.wait(self._sent)  # and their errors are nobody's business: commits all the same
        if self._wire.chance(self._wire.faults.commit_lost):
            await self._lose_the_answer()
        await self._final(self._broker.end)
        self._in_transaction = False

    async def _lose_the_answer(self) -> None:
        """The commit arrives, or does not, or arrives late; its sender is told nothing."""
        wire, told = self._wire, self._wire.random.choice((0.01, LOST_SECONDS))
        if wire.chance(wire.faults.commit_late):
            self._broker.late[self._name] = self._epoch
        elif wire.chance(0.5):
            wire.loop.in_world(wire.seconds(), _silent, self._broker.end, self._name, self._epoch)
        await asyncio.sleep(told)
        raise OutcomeUnknown("RequestTimedOutError")

    async def _final(self, request: Callable[..., Any], *args: Any) -> None:
        try:
            await self._wire.ask_until_settled(request, self._name, self._epoch, *args)
        except ProducerFenced as error:
            self._fail(error)
            raise

    def _check(self) -> None:
        life = LIFE.get()
        if life is not None and life.over:
            raise asyncio.CancelledError
        if self._error is not None:
            raise self._error

    def _fail(self, error: KafkaError) -> None:
        """Fenced: for ever."""
        self._error = error
        for answer in self._sent:
            if not answer.done():
                answer.set_exception(error)


def _silent(request: Callable[..., Any], *args: Any) -> None:
    with suppress(KafkaError):
        request(*args)


class Reader:
    """aiokafka's consumer, of the partitions assigned to it; `group` reads and keeps committed offsets."""

    def __init__(self, wire: Wire, broker: Broker) -> None:
        self._wire, self._broker = wire, broker
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._joining: asyncio.Future[None] | None = None

    # what the group does with it

    def rejoin(self) -> None:
        if self._joining is None:
            self._joining = self._wire.loop.create_future()

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._positions = {tp: self._broker.committed.get(tp, 0) for tp in partitions}
        self._paused = set()
        if self._joining is not None:
            self._joining.set_result(None)
            self._joining = None

    # what the engine uses

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]:
        loop, until = self._wire.loop, self._wire.loop.time() + timeout_ms / 1000
        await asyncio.sleep(self._wire.seconds() if self._wire.chance(0.3) else 0)
        if self._wire.chance(self._wire.faults.read_error):
            raise KafkaConnectionError
        while True:
            while self._joining is not None:
                await asyncio.shield(self._joining)
            for tp in partitions or tuple(self._positions):
                if tp in self._positions and tp not in self._paused:
                    limit = min(max_records or 500, self._wire.random.choice((1, 4, 500)))
                    found, self._positions[tp] = self._broker.fetch(tp, self._positions[tp], limit)
                    if found:
                        return {tp: found}
            if loop.time() >= until:
                return {}
            await self._more(partitions, until)

    async def _more(self, partitions: Iterable[TopicPartition], until: float) -> None:
        arrived = self._wire.loop.create_future()
        for tp in partitions:
            if tp in self._positions and tp not in self._paused:
                self._broker.when_more(tp, arrived)
        timer = self._wire.loop.call_at(until, _tell, arrived, None, None)
        await arrived
        timer.cancel()

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    async def committed(self, partition: TopicPartition) -> int | None:
        found: int | None = await self._ask(self._broker.committed.get, partition)
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._positions[self._mine(partition)] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= {self._mine(tp) for tp in partitions}

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= {self._mine(tp) for tp in partitions}

    async def position(self, partition: TopicPartition) -> int:
        return self._positions[self._mine(partition)]

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = list(partitions)
        found: dict[TopicPartition, int] = await self._ask(
            lambda: {tp: self._broker.partitions[tp].stable for tp in wanted}
        )
        return found

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = list(partitions)
        found: dict[TopicPartition, int] = await self._ask(lambda: dict.fromkeys(wanted, 0))
        return found

    async def _ask(self, request: Callable[..., Any], *args: Any) -> Any:
        if self._wire.chance(self._wire.faults.read_error):
            await asyncio.sleep(self._wire.seconds())
            if self._wire.chance(0.1):
                raise asyncio.CancelledError  # of a task of the client's own, that it had cancelled and awaited
            raise KafkaConnectionError
        return await self._wire.ask(request, *args)

    def _mine(self, partition: TopicPartition) -> TopicPartition:
        if partition not in self._positions:
            raise IllegalStateError(f"{partition} is not assigned")
        return partition


class Log:
    """What the engine is given in place of adapters.kafka.log.KafkaLog."""

    def __init__(self, wire: Wire, broker: Broker, life: Life) -> None:
        self._wire, self._broker, self._life = wire, broker, life

    @asynccontextmanager
    async def reader(
        self, *, partitions: Sequence[TopicPartition], wait_ms: int = 100, lost: str = "earliest"
    ) -> AsyncIterator[Reader]:
        reader = Reader(self._wire, self._broker)
        reader.assign(partitions)
        yield reader

    async def transactions(self, transactional_id: str, group: str) -> Transactions:
        """Cancelled, it lets the request that is under way come to its end, as KafkaLog does."""
        producer: Any = Producer(self._wire, self._broker, transactional_id)
        starting = asyncio.ensure_future(producer.start())
        try:
            await asyncio.shield(starting)
        except BaseException:
            with suppress(Exception, asyncio.TimeoutError):
                await asyncio.wait_for(starting, 10)
            raise
        return Transactions(producer, group)

    async def close(self, transactions: Any) -> None:
        await transactions._producer.stop()
