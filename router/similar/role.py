"""
`duokua run similar`: tells cases what they have in common with others, and decides nothing (docs/adr/0027).

It reads `case.events`, keeps the requests of the window in memory and nothing on a disk. The group's offsets say up to
where cases have been told. A start reads the window anew in silence, and speaks from there on; what was said and not
committed is said again under the same id, which follows from the case and the kind, so that a case hears each kind
once in its life. A deployment that never ran it begins with the requests from now on.

One process has all partitions, as anybody may be like anybody. A second one says the same, under the same ids.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition

from adapters.kafka.log import Writer
from router.catalogue.following import follow
from router.operate import metrics
from router.operate.history import start
from router.operate.process import Process
from router.operate.pump import Batch, pump
from router.operate.topics import DAY
from router.similar.index import Found, Index, key
from schemas.ids import command_id, shard_of
from workflows import commands, events

log = structlog.get_logger()

PAGE = 2000
POLL_MS = 500


async def run(process: Process) -> None:
    """Until asked to stop; nothing is lost where it is killed."""
    topics = process.topics
    following = await follow(process)
    slots = [TopicPartition(topics.events, p) for p in range(topics.shards)]
    async with (
        process.log.writer() as writer,
        process.log.reader(partitions=slots, group=topics.group("similar"), lost="none") as reader,
    ):
        limits = following.current.header.similar
        told = await _told_upto(reader, slots)
        since = process.clock.now() - limits.days * DAY
        similar = Similar(process, Index(limits), writer)
        for tp, offset in told.items():
            reader.seek(tp, await start(reader, tp, offset, since) if offset else 0)
        await _remember(process, reader, similar, told)
        for tp, offset in told.items():
            reader.seek(tp, offset)
        log.info("similar.started", count=len(similar.index.order), offsets={tp.partition: told[tp] for tp in slots})
        await pump(process, reader, similar.take)


async def _told_upto(reader: Any, slots: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the last one stopped to speak. Where there was none: the end, and said so at once, for the next one."""
    ends = await reader.end_offsets(slots)
    told = {tp: await reader.committed(tp) for tp in slots}
    fresh = {tp: ends[tp] for tp, offset in told.items() if offset is None}
    if fresh:
        await reader.commit(fresh)
    return {tp: ends[tp] if offset is None else offset for tp, offset in told.items()}


async def _remember(process: Process, reader: Any, similar: "Similar", told: Mapping[TopicPartition, int]) -> None:
    """Read all partitions together up to where they are told; else a case would be compared with half of the window."""
    while not process.stop.is_set():
        behind = [tp for tp in told if await reader.position(tp) < told[tp]]
        if not behind:
            return
        batch = await reader.getmany(*behind, timeout_ms=POLL_MS, max_records=PAGE)
        for tp, records in batch.items():
            for record in records:
                if record.offset < told[tp]:
                    similar.learn(tp, record)


class Similar:
    """Takes what happened, batch by batch."""

    def __init__(self, process: Process, index: Index, writer: Writer) -> None:
        self.index = index
        self._process, self._writer = process, writer
        self._secret = key(process.settings.secret.get_secret_value().encode())

    async def take(self, batch: Batch) -> None:
        """What is said of it is acknowledged when it returns."""
        said = False
        for tp, records in batch.items():
            for record in records:
                case, found = self.learn(tp, record)
                for one in found:
                    self._say(case, one)
                    said = True
        if said:
            await self._writer.flush()
        metrics.SIMILAR_KEPT.set(len(self.index.order))

    def learn(self, tp: TopicPartition, record: Any) -> tuple[str, list[Found]]:
        """What is to be said, and to which case."""
        try:
            happened = events.decode(record.value or b"")
            return happened.case, self.index.take(happened, self._secret)
        except msgspec.MsgspecError as error:
            metrics.SIMILAR_UNREADABLE.inc()
            log.error("record.unreadable", topic=tp.topic, partition=tp.partition, offset=record.offset, error=error)
            return "", []

    def _say(self, case: str, found: Found) -> None:
        topics = self._process.topics
        command = commands.Resemble(
            id=command_id(case, f"similar/{found.what}"),
            case=case,
            at=self._process.clock.now(),
            what=found.what,
            count=found.count,
            cases=found.others,
            score=found.score,
        )
        place = shard_of(case, topics.shards)
        self._writer.add(topics.commands, place, case.encode(), commands.encode(command), [])
        metrics.SIMILAR_FOUND.labels(found.what).inc()
