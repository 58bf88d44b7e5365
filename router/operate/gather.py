"""
What the ledger and the live view of the demo read: every record of the real topics, read_committed, once.

`Gathering` takes records as they come and can be asked at any time; `collect` reads all topics from
their first record to their end. Nothing here writes, and nothing is kept of what a citizen wrote.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import TopicPartition

from router.operate.ledger import Delivered, Gathered
from router.operate.topics import STAGES, Topics
from workflows import events as ev
from workflows import outbox

SUBMITTED = "cn.duokua.request.submitted.v1"
FOLLOWUPS = frozenset(f"cn.duokua.request.{what}.v1" for what in ("supplemented", "withdrawn", "evaluated"))
ASSIGNED = "cn.duokua.task.assigned.v1"

PAGE = 5000


class _TaskId(msgspec.Struct):
    task_id: str = ""


class _Type(msgspec.Struct):
    type: str = ""


class _Letter(msgspec.Struct):
    input: str = ""


_letter = msgspec.json.Decoder(_Letter).decode
_task = msgspec.json.Decoder(_TaskId).decode
_event = msgspec.json.Decoder(_Type).decode


class Gathering:
    """All that was read so far. Records are named `topic/partition/offset`."""

    def __init__(self, topics: Topics, channels: Iterable[str], endpoints: Iterable[str]) -> None:
        self._topics = topics
        self.channel_of = {topics.intake(c): c for c in channels}
        self.endpoint_of = {topics.tasks(e): e for e in endpoints}
        self._replies = {topics.replies(e): e for e in self.endpoint_of.values()}
        self._takes = self._takers()
        self.inputs: dict[str, str] = {}
        self.replies: set[str] = set()
        self.dead: set[str] = set()
        self.kept: set[str] = set()
        self._unreadable: set[str] = set()
        self.records: list[ev.EventRecord] = []
        self.outbox: list[outbox.OutboxRecord] = []
        self.delivered: list[Delivered] = []
        self.per_topic: Counter[str] = Counter()
        self.ends: dict[tuple[str, int], int] = {}
        self._settled: set[str] = set()

    def _takers(self) -> dict[str, Callable[[str, Any], None]]:
        """For each topic what is done with its records."""
        topics = self._topics
        leaving = [*self.endpoint_of, *map(topics.answers, self.channel_of.values()), topics.supervision]
        takes: dict[str, Callable[[str, Any], None]] = dict.fromkeys(leaving, self._left)
        takes |= dict.fromkeys(self.channel_of, self._came_in)
        takes |= dict.fromkeys(self._replies, lambda source, _: self.replies.add(source))
        takes |= {topics.dead_letters(stage): self._died for stage in STAGES}
        return takes | {topics.events: self._happened, topics.outbox: self._queued}

    def partitions(self, counts: Mapping[str, int]) -> list[TopicPartition]:
        """Everything to read, given the partition counts of the cluster."""
        return [TopicPartition(topic, p) for topic in self._takes for p in range(counts.get(topic, 0))]

    def answers_of(self, channel: str) -> str:
        """The topic on which a channel is answered."""
        return self._topics.answers(channel)

    def replies_of(self, endpoint: str) -> str:
        """The topic on which an endpoint replies."""
        return self._topics.replies(endpoint)

    def take(self, batch: Mapping[TopicPartition, Sequence[Any]]) -> int:
        """Note a batch; returns how many records it had."""
        for tp, records in batch.items():
            take = self._takes[tp.topic]
            self.per_topic[tp.topic] += len(records)
            self.ends[tp.topic, tp.partition] = records[-1].offset + 1
            for record in records:
                take(f"{tp.topic}/{tp.partition}/{record.offset}", record)
        return sum(map(len, batch.values()))

    def gathered(self, published: Iterable[str] = ()) -> Gathered:
        """For the ledger. What intake dead-lettered was no readable follow-up, whatever it called itself."""
        return Gathered(
            inputs={s: kind in FOLLOWUPS and s not in self._unreadable for s, kind in self.inputs.items()},
            replies=frozenset(self.replies),
            dead=frozenset(self.dead),
            kept=frozenset(self.kept),
            records=self.records,
            outbox=self.outbox,
            delivered=self.delivered,
            published=frozenset(published),
        )

    @property
    def waiting(self) -> int:
        """Inputs and replies that no decision and no dead letter answers yet."""
        return len(self.inputs.keys() - self._settled) + len(self.replies - self._settled)

    # -- one taker per kind of topic -------------------------------------------------------------------

    def _came_in(self, source: str, record: Any) -> None:
        self.inputs[source] = _type_of(record)

    def _happened(self, _: str, record: Any) -> None:
        decided = ev.decode(record.value)
        self.records.append(decided)
        self._settled.add(decided.source)

    def _queued(self, _: str, record: Any) -> None:
        self.outbox.append(outbox.decode(record.value))

    def _left(self, _: str, record: Any) -> None:
        headers = dict(record.headers)
        if "ce_id" not in headers:
            return
        task = _task(record.value).task_id if headers.get("ce_type") == ASSIGNED.encode() else ""
        digest = hashlib.blake2b(record.value, digest_size=8).hexdigest()
        self.delivered.append(Delivered(self._topics.short(record.topic), headers["ce_id"].decode(), task, digest))

    def _died(self, source: str, record: Any) -> None:
        named = {name: value.decode() for name, value in record.headers if name.startswith("x-original-")}
        origin = "/".join(named.get(f"x-original-{part}", "") for part in ("topic", "partition", "offset"))
        self.dead.add(origin)
        self._settled.add(origin)
        if record.topic == self._topics.dead_letters("intake"):
            self._unreadable.add(origin)
        elif record.topic == self._topics.dead_letters("engine") and (came_from := _letter(record.value).input):
            self.kept.add(came_from)
            self._settled.add(came_from)
        self._left(source, record)


def _type_of(record: Any) -> str:
    """The CloudEvents type of an intake record, binary or structured; empty where none can be read."""
    for name, value in record.headers:
        if name == "ce_type":
            return bytes(value).decode(errors="replace")
    try:
        return _event(record.value or b"").type
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return ""


async def collect(log: Any, gathering: Gathering) -> Gathered:
    """Read everything from the first record to the end as it is now, for a ledger over a log that has come to rest."""
    counts = await log.topics()
    async with log.reader(partitions=gathering.partitions(counts)) as reader:
        await catch_up(reader, gathering)
    return gathering.gathered()


async def catch_up(reader: Any, gathering: Gathering) -> None:
    """Read on to the end of every partition: to the end offset, since a transaction's marker has an offset too."""
    partitions = reader.assignment()
    ends = await reader.end_offsets(partitions)
    while [tp for tp in partitions if await reader.position(tp) < ends[tp]]:
        gathering.take(await reader.getmany(timeout_ms=200, max_records=PAGE))
