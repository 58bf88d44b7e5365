"""
`duokua run similar`: tells cases what they have in common with others, and decides nothing (docs/adr/0027).

It reads `case.events`, keeps the requests of the window in memory and nothing on a disk. The group's offsets say up to
where cases have been told. A start reads the window anew in silence, and speaks from there on; what was said and not
committed is said again under the same id, which follows from the case and the kind, so that a case hears each kind
once in its life. A deployment that never ran it begins with the requests from now on.

One process has all partitions, as anybody may be like anybody. A second one says the same, under the same ids.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from heapq import merge
from typing import Any, get_args

import msgspec
import structlog
from aiokafka import TopicPartition

from adapters.kafka.log import Writer
from router.catalogue.following import Following, follow
from router.operate import metrics
from router.operate.history import start
from router.operate.process import Process
from router.operate.pump import Batch, pump
from router.operate.topics import DAY
from router.similar.index import Found, Index, What, key
from schemas.ids import command_id, shard_of
from workflows import commands, events

log = structlog.get_logger()

PAGE = 2000
SLICE = 100
"""Records after which everything else of the process has its turn: some 20 ms of remembering, 40 ms of comparing."""
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
        told = await _told_upto(reader, slots)
        similar = Similar(process, following, writer)
        since = process.clock.now() - similar.index.limits.days * DAY
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
        await similar.remember({tp: [r for r in records if r.offset < told[tp]] for tp, records in batch.items()})


class Similar:
    """Takes what happened, batch by batch, by the catalogue that is in force then."""

    def __init__(self, process: Process, following: Following, writer: Writer) -> None:
        self.index = Index(following.current.header.similar)
        for what in get_args(What):
            metrics.SIMILAR_FOUND.labels(what)  # from 0 on: no increase is seen of what begins with its first finding
        self._process, self._following, self._writer = process, following, writer
        self._secret = key(process.settings.secret.get_secret_value().encode())

    async def take(self, batch: Batch) -> None:
        """
        What is said of it is acknowledged when it returns.

        A window that a new catalogue made longer grows to its length as time goes on.
        """
        self.index.limits = self._following.current.header.similar
        told = await self._each(batch, self.index.take)
        for found in told:
            self._say(found)
        if told:
            await self._writer.flush()
        metrics.SIMILAR_KEPT.set(len(self.index.order))

    async def remember(self, batch: Batch) -> None:
        """Take what was told before, in silence."""
        await self._each(batch, self.index.remember)

    async def _each(self, batch: Batch, do: Callable[[events.EventRecord, bytes], list[Found] | None]) -> list[Found]:
        """What comes of it. Between slices the process beats, and who else waits for the loop has it."""
        told: list[Found] = []
        for n, (tp, record) in enumerate(_as_written(batch)):
            if n % SLICE == 0:
                self._process.health.beat()
                await asyncio.sleep(0)
            try:
                told += do(events.decode(record.value or b""), self._secret) or ()
            except msgspec.MsgspecError as error:
                metrics.SIMILAR_UNREADABLE.inc()
                log.error(
                    "record.unreadable", topic=tp.topic, partition=tp.partition, offset=record.offset, error=error
                )
        return told

    def _say(self, found: Found) -> None:
        topics, case = self._process.topics, found.case
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


def _as_written(batch: Batch) -> Iterable[tuple[TopicPartition, Any]]:
    """All partitions as one log, by the time at which each record was written: few overtake each other then."""
    parts = ([(tp, record) for record in records] for tp, records in batch.items())
    return merge(*parts, key=lambda part: part[1].timestamp)
