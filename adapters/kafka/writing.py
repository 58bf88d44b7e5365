"""
What is written to the log: records in whole batches, and transactions under an id that only its newest holder may use.

Three things the library leaves to its user are done here once (docs/adr/0005):
every send is awaited before anything is committed, because `commit_transaction()` passes over
a refused record; an EndTxn whose answer is lost raises `OutcomeUnknown` instead of being retried
in silence; batches are built by the C record builder, without a future per record.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced
from aiokafka.producer.sender import BACKOFF_OVERRIDE, AddPartitionsToTxnHandler, EndTxnHandler, Sender

from adapters.kafka.leaving import LEAVE_SECONDS, ended, left

Header = tuple[str, bytes]
BATCH_BYTES = 900 << 10
MAX_RECORD_BYTES = 12 << 20
TRANSACTION_MS = 15_000
MARKERS_SECONDS = 0.004
"""How long the broker takes about to finish a transaction whose commit it has answered."""
ANSWER_SECONDS = 50.0
"""How long what was written may stay without an answer: longer than the client's own patience with one request (40 s)."""
RETRY_SECONDS = 0.2
"""Between two tries to learn which topics there are."""
LOG_APPEND_TIME = 1
NO_HEADERS: list[Header] = []  # the C builder takes a list and only reads it


class RecordRefused(Exception):
    """
    The broker did not take a record: nothing of its batch may be counted as done. `topic` is which one.

    too_large: the topics that took nothing from some record on because it is too large for them, where nothing
    else was wrong: all that was added for other topics is written, and the writer may be used again.
    """

    def __init__(self, reason: str, topic: str = "", too_large: frozenset[str] = frozenset()) -> None:
        super().__init__(reason)
        self.topic, self.too_large = topic, too_large


class Fenced(Exception):
    """The transactional id has a newer holder: nothing of this transaction holds, and nothing more may be sent."""


class OutcomeUnknown(Exception):
    """A commit was sent and its answer is missing: neither done nor failed. Take the shard over anew."""


class Writer:
    """Buffers records per partition and sends them as whole batches. One user at a time."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], Any] = {}
        self._full: list[tuple[tuple[str, int], Any]] = []
        self.appended_ms: int | None = None
        """The broker's time of the last flush, where a topic touched has LogAppendTime."""

    def add(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: list[Header] = NO_HEADERS
    ) -> None:
        """Put a record into the batch of its partition. Nothing is sent before `flush`."""
        slot = (topic, partition)
        batch = self._open.get(slot) or self._begin(slot)
        # the library's C builder: its own append before it costs as much again
        if batch._builder.append(batch._relative_offset, None, key, value, headers) is None:
            batch = self._begin(slot)
            batch._builder.append(0, None, key, value, headers)
        batch._relative_offset += 1

    def add_all(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """`add` for each, at less: one look at the batch, and all with the same time."""
        if not records:
            return  # a batch without a record has no answer
        slot, now = (topic, partition), int(time.time() * 1000)
        batch = self._open.get(slot) or self._begin(slot)
        append, count = batch._builder.append, batch._relative_offset
        for key, value in records:
            if append(count, now, key, value, NO_HEADERS) is None:
                batch = self._begin(slot)
                append, count = batch._builder.append, 0
                append(count, now, key, value, NO_HEADERS)
            count += 1
            batch._relative_offset = count

    def _begin(self, slot: tuple[str, int]) -> Any:
        """A new batch of the partition; the one before, if there is one, is full."""
        if slot in self._open:
            self._full.append((slot, self._open[slot]))
        batch = self._open[slot] = self._producer.create_batch()
        return batch

    async def flush(self) -> dict[TopicPartition, int]:
        """
        Send everything and wait for every answer: where each partition touched now ends (next offset).

        Raises RecordRefused when one was not taken or nobody answers, Fenced when the id has a newer holder.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._sent()
        except TimeoutError:
            raise RecordRefused("TimeoutError") from None

    async def _sent(self) -> dict[TopicPartition, int]:
        batches, self._full = [*self._full, *self._open.items()], []
        self._open, self.appended_ms = {}, None
        await self._know({slot for slot, _ in batches})
        sent = [await self._send(slot, batch) for slot, batch in batches]
        answers = await asyncio.gather(*sent, return_exceptions=True)
        ends: dict[TopicPartition, int] = {}
        for (slot, batch), answer in zip(batches, answers, strict=True):
            if isinstance(answer, ProducerFenced):
                raise Fenced from answer
            if isinstance(answer, BaseException):
                too_large = self._too_large(
                    [slot for slot, _ in batches], [b.record_count() for _, b in batches], answers
                )
                raise RecordRefused(type(answer).__name__, slot[0], too_large) from answer
            ends[TopicPartition(*slot)] = answer.offset + batch.record_count()
            if answer.timestamp_type == LOG_APPEND_TIME:
                self.appended_ms = answer.timestamp
        return ends

    def _too_large(
        self, slots: Sequence[tuple[str, int]], counts: Sequence[int], answers: Sequence[Any]
    ) -> frozenset[str]:
        """
        The topics that refused a record for its size; none where anything else went wrong.

        The library has counted on the sequence numbers of what was refused, so that whatever follows on such a
        partition would be out of order: they are taken back.
        """
        lost: dict[tuple[str, int], int] = {}
        for slot, count, answer in zip(slots, counts, answers, strict=True):
            if isinstance(answer, MessageSizeTooLargeError) or (slot in lost and isinstance(answer, KafkaError)):
                lost[slot] = lost.get(slot, 0) + count
            elif isinstance(answer, BaseException):
                return frozenset()
            elif slot in lost:
                lost[slot] = 0  # a broker that knows nothing of us yet takes any number, and counts on from there
        manager = self._producer._txn_manager
        if manager is not None:
            for slot, count in lost.items():
                manager._sequence_numbers[TopicPartition(*slot)] -= count
        return frozenset(topic for topic, _ in lost)

    async def missing(self, topics: Iterable[str]) -> set[str]:
        """
        Those of `topics` that do not exist, by the broker's word of now. Asks nothing where all are known.

        Asks again while no broker can be asked: the client then knows no topics, which says nothing about them. Raises
        RecordRefused when nobody answers.
        """
        client = self._producer.client
        unknown = {topic for topic in topics if client.cluster.partitions_for_topic(topic) is None}
        if unknown:
            for topic in unknown:
                client.add_topic(topic)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await _informed(client)
            except TimeoutError:
                raise RecordRefused("TimeoutError") from None
        return {topic for topic in unknown if client.cluster.partitions_for_topic(topic) is None}

    async def _know(self, slots: set[tuple[str, int]]) -> None:
        """
        Every partition exists, or nothing is sent.

        Else whoever tries again after a missing topic would send all others their records again with each try.
        """
        for topic, partition in slots:
            try:
                partitions = await self._producer.partitions_for(topic)
            except KafkaError as error:
                raise RecordRefused(type(error).__name__, topic) from error
            if partition not in partitions:
                raise RecordRefused("UnknownTopicOrPartitionError", topic)

    async def _send(self, slot: tuple[str, int], batch: Any) -> "asyncio.Future[Any]":
        batch.close()
        try:
            answer: asyncio.Future[Any] = await self._producer.send_batch(batch, slot[0], partition=slot[1])
        except ProducerFenced as error:
            raise Fenced from error
        except (KafkaError, AssertionError) as error:
            raise RecordRefused(type(error).__name__, slot[0]) from error
        return answer

    def forget(self) -> None:
        """Drop what was added and not sent."""
        self._open, self._full = {}, []


async def _informed(client: Any) -> None:
    """Until a broker has said which topics there are."""
    while True:
        if await client.force_metadata_update():
            return
        await asyncio.sleep(RETRY_SECONDS)


class Transactions(Writer):
    """A writer whose flushes are transactions under one transactional id (one per shard, for ever the same)."""

    def __init__(self, producer: AIOKafkaProducer, group: str) -> None:
        super().__init__(producer)
        self._group = group

    @classmethod
    async def of(cls, bootstrap: str, transactional_id: str, group: str) -> "Transactions":
        """Fence every earlier holder of the id (InitProducerId) and become its holder."""
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_MS,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=TRANSACTION_MS,
        )
        sender = producer._sender
        producer._sender = _Sender(
            producer.client,
            acks=sender._acks,
            txn_manager=sender._txn_manager,
            message_accumulator=sender._message_accumulator,
            retry_backoff_ms=100,
            request_timeout_ms=sender._request_timeout_ms,
        )
        starting = asyncio.ensure_future(producer.start())
        try:
            await asyncio.shield(starting)
        except BaseException:
            # aiokafka forgets a connection that is cancelled while it comes up, and what was begun goes on by itself:
            # let it come up, then leave
            await ended(starting, LEAVE_SECONDS)
            await left(producer.stop, producer.client)
            raise
        return cls(producer, group)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """
        Send what was added and the input offsets, all or nothing; returns as `flush`.

        Raises RecordRefused, Fenced, OutcomeUnknown or a KafkaError. After any of them this object is
        not to be used again: the owner takes its shard over anew and finds in the log what holds.
        """
        try:
            await self._producer.begin_transaction()
            ends = await self.flush()
            if offsets:
                await self._producer.send_offsets_to_transaction(dict(offsets), self._group)
            await self._producer.commit_transaction()
        except ProducerFenced as error:
            raise Fenced from error
        return ends

    async def close(self) -> None:
        """Leave the transactional id, whatever state it is in; never raises and never waits long."""
        producer = self._producer
        await left(producer.stop, producer.client, 5)
        sender = producer._sender.sender_task
        if sender is not None and not sender.done():
            # it would go on to send for an id that is no longer ours
            sender.cancel()
            await asyncio.wait([sender], timeout=1)
        _have_it_told(producer)


class _EndTxn(EndTxnHandler):  # type: ignore[misc]
    """EndTxn, sent once: a lost answer is told, not papered over by a second try under the same epoch."""

    async def do(self, node_id: int) -> bool:
        request = self.create_request()
        try:
            answer = await self._sender.client.send(node_id, request, group=self.group)
        except KafkaError as error:
            raise OutcomeUnknown(type(error).__name__) from error
        backoff = self.handle_response(answer)
        if backoff is not None:
            await asyncio.sleep(backoff)
        return backoff is None


class _AddPartitions(AddPartitionsToTxnHandler):  # type: ignore[misc]
    """The first request of a transaction: while the broker still finishes the one before, ask again soon."""

    def handle_response(self, answer: Any) -> float | None:
        backoff: float | None = super().handle_response(answer)
        return MARKERS_SECONDS if backoff == BACKOFF_OVERRIDE else backoff


class _Sender(Sender):  # type: ignore[misc]
    async def _do_add_partitions_to_txn(self, partitions: Iterable[TopicPartition]) -> bool:
        node = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        done: bool = await _AddPartitions(self, partitions).do(node)
        return done

    async def _do_txn_commit(self, commit_result: int) -> None:
        await self._message_accumulator.flush_for_commit()
        if self._txn_manager.is_empty_transaction():
            self._txn_manager.complete_transaction()
            return
        node = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        await _EndTxn(self, commit_result).do(node)


def _have_it_told(producer: AIOKafkaProducer) -> None:
    """What a dead transaction still holds has been told to its owner already: no warning about each of its futures."""
    accumulator, manager = producer._message_accumulator, producer._txn_manager
    batches = [*accumulator._pending_batches, *(batch for queue in accumulator._batches.values() for batch in queue)]
    futures = [future for batch in batches for future in (batch.future, batch._drain_waiter)]
    for future in (manager._transaction_waiter, *futures):
        if future is not None and future.done() and not future.cancelled():
            future.exception()
