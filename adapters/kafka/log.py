"""
The log: Apache Kafka through aiokafka, with the settings that keep its promises.

Readers and topics are here; what is written, and how, is in adapters/kafka/writing.py.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import for_code
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from tenacity import AsyncRetrying, TryAgain, stop_after_delay, wait_fixed

from adapters.kafka.forgiving import forgive_senders
from adapters.kafka.frames import frame_in_one_copy
from adapters.kafka.leaving import end_tasks, left
from adapters.kafka.writing import (
    BATCH_BYTES,
    MAX_RECORD_BYTES,
    Fenced,
    Header,
    OutcomeUnknown,
    RecordRefused,
    Transactions,
    Writer,
)

SESSION_MS = 10_000
# a long restore must not cost the membership; a shard that stands still is the watchdog's business
MAX_POLL_MS = 600_000
TOPICS_SECONDS = 15.0
"""How long created topics may take to be listed."""

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
            await left(consumer.stop, consumer._client)
            end_tasks(consumer)

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
            await left(producer.stop, producer.client)

    async def transactions(self, transactional_id: str, group: str) -> Transactions:
        """Fence every earlier holder of the id (InitProducerId) and become its holder. Close with `close`."""
        return await Transactions.of(self.bootstrap, transactional_id, group)

    async def close(self, transactions: Transactions) -> None:
        """Leave a transactional id, whatever state it is in; never raises and never waits long."""
        await transactions.close()

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
