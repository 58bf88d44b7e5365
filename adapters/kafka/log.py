"""
The log: Apache Kafka through aiokafka, with the settings that keep its promises.

Three things the library leaves to its user are done here once (docs/adr/0005):
every send is awaited before anything is committed, because `commit_transaction()` passes over
a refused record; an EndTxn whose answer is lost raises `OutcomeUnknown` instead of being retried
in silence; batches are built by the C record builder, without a future per record.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import CoordinationType
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced, for_code
from aiokafka.producer.sender import BACKOFF_OVERRIDE, AddPartitionsToTxnHandler, EndTxnHandler, Sender
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from tenacity import AsyncRetrying, TryAgain, stop_after_delay, wait_fixed

from adapters.kafka.forgiving import forgive_senders
from adapters.kafka.frames import frame_in_one_copy

Header = tuple[str, bytes]
BATCH_BYTES = 900 << 10
MAX_RECORD_BYTES = 12 << 20
SESSION_MS = 10_000
# a long restore must not cost the membership; a shard that stands still is the watchdog's business
MAX_POLL_MS = 600_000
TRANSACTION_MS = 15_000
MARKERS_SECONDS = 0.004
"""How long the broker takes about to finish a transaction whose commit it has answered."""
LEAVE_SECONDS = 10.0
"""How long a client may take to leave: a broker that does not answer must not keep a process from ending."""
ANSWER_SECONDS = 50.0
"""How long what was written may stay without an answer: longer than the client's own patience with one request (40 s)."""
RETRY_SECONDS = 0.2
"""Between two tries to learn which topics there are."""
LOG_APPEND_TIME = 1
TOPICS_SECONDS = 15.0
"""How long created topics may take to be listed."""
NO_HEADERS: list[Header] = []  # the C builder takes a list and only reads it

__all__ = [
    "Fenced",
    "Header",
    "KafkaLog",
    "OutcomeUnknown",
    "Reader",
    "RecordRefused",
    "TopicPartition",
    "TopicSpec",
    "Transactions",
    "Writer",
]


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


@dataclass(frozen=True)
class TopicSpec:
    """A topic as declared: partitions, replication factor, broker settings."""

    name: str
    partitions: int
    replication: int = 1
    config: Mapping[str, str] = field(default_factory=dict)


class Record(Protocol):
    """One record as read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[Header]


class Reader(Protocol):
    """What is used of aiokafka's consumer, and what the memory log offers as well."""

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]: ...
    def assignment(self) -> set[TopicPartition]: ...
    async def committed(self, partition: TopicPartition) -> int | None: ...
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def pause(self, *partitions: TopicPartition) -> None: ...
    def resume(self, *partitions: TopicPartition) -> None: ...
    async def position(self, partition: TopicPartition) -> int: ...
    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...
    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...


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
        batch = self._open.get(slot)
        if batch is None:
            batch = self._open[slot] = self._producer.create_batch()
        # the library's C builder: its own append before it costs as much again
        if batch._builder.append(batch._relative_offset, None, key, value, headers) is None:
            self._full.append((slot, batch))
            batch = self._open[slot] = self._producer.create_batch()
            batch._builder.append(0, None, key, value, headers)
        batch._relative_offset += 1

    def add_all(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """`add` for each, at less: one look at the batch, and all with the same time."""
        if not records:
            return  # a batch without a record has no answer
        slot, now = (topic, partition), int(time.time() * 1000)
        batch = self._open.get(slot)
        if batch is None:
            batch = self._open[slot] = self._producer.create_batch()
        append, count = batch._builder.append, batch._relative_offset
        for key, value in records:
            if append(count, now, key, value, NO_HEADERS) is None:
                self._full.append((slot, batch))
                batch = self._open[slot] = self._producer.create_batch()
                append, count = batch._builder.append, 0
                append(count, now, key, value, NO_HEADERS)
            count += 1
            batch._relative_offset = count

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


async def _left(stop: Callable[[], Awaitable[None]], client: Any, seconds: float = LEAVE_SECONDS) -> None:
    """Stop a consumer or producer in bounded time, whatever state it is in; never raises. What it had to say is said."""
    await _ended(asyncio.ensure_future(stop()), seconds)
    await _ended(asyncio.ensure_future(client.close()), 1)


async def _ended(task: "asyncio.Future[Any]", seconds: float) -> None:
    """
    Wait until it has ended, however it ends, or cancel it. Raises only when we are cancelled ourselves.

    aiokafka awaits tasks that it has cancelled: a CancelledError of theirs would look like one of ours, and end a role or
    a shard's task that nobody wanted to end.
    """
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        task.cancel()


def _end_tasks(consumer: AIOKafkaConsumer) -> None:
    """What a consumer that could not leave in time still does: heartbeats above all, that would keep its partitions."""
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    for task in (
        *(getattr(consumer._coordinator, n, None) for n in names),
        getattr(consumer._fetcher, "_fetch_task", None),
    ):
        if task is not None and not task.done():
            task.cancel()


def _have_it_told(producer: AIOKafkaProducer) -> None:
    """What a dead transaction still holds has been told to its owner already: no warning about each of its futures."""
    accumulator, manager = producer._message_accumulator, producer._txn_manager
    batches = [*accumulator._pending_batches, *(batch for queue in accumulator._batches.values() for batch in queue)]
    futures = [future for batch in batches for future in (batch.future, batch._drain_waiter)]
    for future in (manager._transaction_waiter, *futures):
        if future is not None and future.done() and not future.cancelled():
            future.exception()


class KafkaLog:
    """A cluster. Makes readers, writers and transactions; knows and creates topics."""

    def __init__(self, bootstrap: str) -> None:
        if "_crecords" not in DefaultRecordBatchBuilder.__module__:
            raise RuntimeError("aiokafka runs without its C extension (100 x slower): install a wheel")
        forgive_senders()
        frame_in_one_copy()
        self.bootstrap = bootstrap

    @asynccontextmanager
    async def reader(
        self,
        topics: Sequence[str] = (),
        *,
        group: str | None = None,
        partitions: Sequence[TopicPartition] = (),
        committed: bool = True,
        listener: ConsumerRebalanceListener | None = None,
        wait_ms: int = 100,
        lost: Literal["earliest", "none"] = "earliest",
    ) -> AsyncIterator[AIOKafkaConsumer]:
        """
        Read `topics` as a member of `group`, or the given `partitions` alone. Starts at the earliest record.

        lost: where to read on when there is no position, or none that is on the log; `none` raises out of `getmany`.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset=lost,
            isolation_level="read_committed" if committed else "read_uncommitted",
            fetch_max_bytes=16 << 20,
            max_partition_fetch_bytes=2 << 20,
            fetch_max_wait_ms=wait_ms,
            check_crcs=False,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=1_000,
            max_poll_interval_ms=MAX_POLL_MS,
            metadata_max_age_ms=30_000,
            partition_assignment_strategy=(StickyPartitionAssignor,),
        )
        try:
            await consumer.start()
            if partitions:
                consumer.assign(list(partitions))
            elif topics:
                consumer.subscribe(list(topics), listener=listener)
            yield consumer
        finally:
            await _left(consumer.stop, consumer._client)
            _end_tasks(consumer)

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[Writer]:
        """An idempotent writer, acks from all replicas."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES,
        )
        try:
            await producer.start()
            yield Writer(producer)
        finally:
            await _left(producer.stop, producer.client)

    async def transactions(self, transactional_id: str, group: str) -> Transactions:
        """Fence every earlier holder of the id (InitProducerId) and become its holder. Close with `close`."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
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
            await _ended(starting, LEAVE_SECONDS)
            await _left(producer.stop, producer.client)
            raise
        return Transactions(producer, group)

    async def close(self, transactions: Transactions) -> None:
        """Leave a transactional id, whatever state it is in; never raises and never waits long."""
        producer = transactions._producer
        await _left(producer.stop, producer.client, 5)
        sender = producer._sender.sender_task
        if sender is not None and not sender.done():
            # it would go on to send for an id that is no longer ours
            sender.cancel()
            await asyncio.wait([sender], timeout=1)
        _have_it_told(producer)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=30_000)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    async def topics(self) -> dict[str, int]:
        """Every topic of the cluster with its number of partitions."""
        async with self.admin() as admin:
            return {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics()}

    async def create_topics(self, specs: Sequence[TopicSpec]) -> list[str]:
        """Create what does not exist; returns the names created. Raises KafkaError when the broker refuses one."""
        async with self.admin() as admin:
            present = set(await admin.list_topics())
            missing = [s for s in specs if s.name not in present]
            if not missing:
                return []
            answer = await admin.create_topics(
                [NewTopic(s.name, s.partitions, s.replication, topic_configs=dict(s.config)) for s in missing]
            )
            for name, code, *_ in answer.topic_errors:
                if code and for_code(code).__name__ != "TopicAlreadyExistsError":
                    raise for_code(code)(name)
            created = {s.name for s in missing}
            # the broker answers before its own metadata lists them
            async for attempt in AsyncRetrying(stop=stop_after_delay(TOPICS_SECONDS), wait=wait_fixed(0.05)):
                with attempt:
                    if not created <= set(await admin.list_topics()):
                        raise TryAgain
            return [s.name for s in missing]

    @staticmethod
    def member(reader: AIOKafkaConsumer) -> str:
        """The name under which its group knows this reader; empty where it has none yet."""
        return str(getattr(reader._coordinator, "member_id", "") or "")

    async def dismiss(self, group: str, member: str) -> None:
        """
        Have a group know that a member is gone, in its place: it was killed, and could not say so itself.

        Else the group waits for it until its session ends. A member that is not there any more is no error, and one
        that lives after all joins again.
        """
        async with self.admin() as admin:
            coordinator = await admin.find_coordinator(group)
            await admin._send_request(LeaveGroupRequest(group, member), coordinator)

    async def cluster_id(self) -> str:
        """The id of the log itself: state that was kept for another cluster is not state of this one."""
        async with self.admin() as admin:
            return str((await admin.describe_cluster())["cluster_id"])
