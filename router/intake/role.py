"""
`duokua run intake`: every channel and every endpoint of the catalogue in force, at least once.

A batch is translated without an await in between (others may be heard then, router/intake/outside.py), written whole, acknowledged, and only then are its
offsets committed. Done twice, it writes the same ids again. When a new catalogue names other
channels or endpoints, reading begins anew with those.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import structlog

from adapters.kafka.forgiving import Withheld
from adapters.platforms.http import HttpPlatform
from adapters.platforms.simulated import SimulatedPlatform
from router.catalogue.following import follow
from router.intake.knowledge import Entries, Knowledge, KnowledgeBase
from router.intake.platform import Judge, Platform, SecondOpinion
from router.intake.refuse import STAGE, refusal
from router.intake.translate import Accepted, Directory, Known, Record, Rejected, rejected, translate
from router.operate import metrics
from router.operate.process import Process
from router.operate.pump import Batch, pump
from router.operate.refusals import Refused
from router.operate.topics import Topics
from schemas.faults import CODES, InvalidMessage, fault
from schemas.registry import FROM_CHANNELS
from workflows.proposals import Found, Proposal

log = structlog.get_logger()

UNREADABLE = "unreadable"


class ShardsDiffer(Refused):
    """DUOKUA_SHARDS is not the partition count of `case.commands`: a case would be sent to another's shard."""


class Proposes(Judge, Protocol):
    """Who says what a request is about that does not say so itself."""

    def propose(self, title: str, text: str) -> Proposal: ...


class Finds(Entries, Protocol):
    """Who finds what may answer a question."""

    def find(self, title: str, text: str, now: int) -> Found | None: ...


class Outsider(Platform, KnowledgeBase, Protocol):
    """A platform of others that is asked both: what a request is about, and what answers a question."""

    async def close(self) -> None: ...


class Catalogue(Directory, Protocol):
    """What the role asks of the catalogue."""

    @property
    def proposer(self) -> Proposes | None: ...
    @property
    def answers(self) -> Mapping[str, object]: ...
    @property
    def shelf(self) -> Finds: ...


class Opinions(NamedTuple):
    """Who is asked beside ourselves."""

    category: SecondOpinion
    answer: Knowledge


class InForce(Protocol):
    """Whatever knows the catalogue in force now."""

    @property
    def current(self) -> Catalogue: ...


async def run(process: Process) -> None:
    """Until asked to stop. Raises ShardsDiffer, and whatever the log could not take."""
    following = await follow(process)
    if not process.stop.is_set():
        platform = _platform(process.settings.platform)
        try:
            await serve(process, following, platform)
        finally:
            if platform:
                await platform.close()


def _platform(named: str) -> Outsider | None:
    """Whom DUOKUA_PLATFORM names."""
    if not named:
        return None
    return SimulatedPlatform() if named == "simulated" else HttpPlatform(named)


async def serve(process: Process, following: InForce, platform: Outsider | None = None) -> None:
    """Take what comes through the doors that `following` names, until asked to stop."""
    outside = Opinions(SecondOpinion(platform), Knowledge(platform)) if platform else None
    await _require_shards(process)
    async with process.log.writer() as writer:
        while not process.stop.is_set():
            await _read_while_unchanged(process, following, writer, outside)


async def _require_shards(process: Process) -> None:
    partitions = (await process.log.topics()).get(process.topics.commands)
    if partitions is None:
        raise ShardsDiffer("no_commands_topic")
    if partitions != process.settings.shards:
        raise ShardsDiffer("shards_differ", wanted=process.settings.shards, there=partitions)


async def _read_while_unchanged(process: Process, following: InForce, writer: Any, outside: Opinions | None) -> None:
    """One subscription: until the process stops, or until the catalogue names other doors."""
    names = doors(following.current, process.topics)
    turn = replace(process, stop=asyncio.Event())
    _initialise(following.current)
    intake = Intake(process, following, writer, outside)
    async with process.log.reader(names, group=process.topics.group("intake"), lost="none") as reader:
        watching = asyncio.create_task(_stop_when_changed(process, following, names, turn.stop))
        try:
            await pump(turn, reader, intake.take)
        finally:
            watching.cancel()


async def _stop_when_changed(process: Process, following: InForce, names: list[str], stop: asyncio.Event) -> None:
    while not process.stop.is_set() and doors(following.current, process.topics) == names:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.stop.wait(), 1)
    stop.set()


def doors(directory: Directory, topics: Topics) -> list[str]:
    """The topics of every channel and every endpoint."""
    return [*map(topics.intake, directory.channels), *map(topics.replies, directory.endpoints)]


def _initialise(directory: Directory) -> None:
    """Every label at 0, so that rates and absences can be seen."""
    for channel in directory.channels:
        for kind in (*FROM_CHANNELS, UNREADABLE):
            metrics.RECEIVED.labels(channel, kind)
    for endpoint in directory.endpoints:
        metrics.REPLIES.labels(endpoint)
    for code in CODES:
        metrics.DEAD_LETTERS.labels(STAGE, code)


def _guess(proposer: Proposes, title: str, text: str) -> Proposal | None:
    """What a request is about; None where the guess has a defect, which must not cost the request."""
    try:
        return proposer.propose(title, text)
    except Exception as error:
        log.error("request.not_proposed", error=error)
        return None


def _found(shelf: Finds, title: str, text: str, now: int) -> Found | None:
    """What may answer a question; None where the search has a defect, which must not cost the request."""
    try:
        return shelf.find(title, text, now)
    except Exception as error:
        log.error("answer.not_looked_for", error=error)
        return None


class Intake:
    """Takes batches: what each record became is written before `take` returns."""

    def __init__(self, process: Process, following: InForce, writer: Any, outside: Opinions | None = None) -> None:
        self._process, self._following, self._writer, self._outside = process, following, writer, outside
        self._topics = process.topics

    async def take(self, batch: Batch) -> None:
        """Translate and write a batch; returns when all of it is acknowledged."""
        if not batch:
            return
        known, now = self._known(), self._process.clock.now()
        refused: Counter[str] = Counter()
        received: Counter[tuple[str, str]] = Counter()
        taken = [(tp.topic, record) for tp, records in batch.items() for record in records]
        became = [self._translated(record, known, now) for _, record in taken]
        proposer = self._following.current.proposer
        if self._outside is not None and proposer is not None:
            became = await self._outside.category.on(became, proposer)
            became = await self._outside.answer.on(became, self._following.current.shelf)
        for (topic, record), one in zip(taken, became, strict=True):
            received[topic, self._write(record, one, now, refused)] += 1
        await self._writer.flush()
        self._count(received, refused)

    def _known(self) -> Known:
        catalogue = self._following.current
        return Known(
            directory=catalogue,
            prefix=self._topics.prefix,
            shards=self._topics.shards,
            secret=self._process.settings.secret.get_secret_value().encode(),
            propose=partial(_guess, catalogue.proposer) if catalogue.proposer else None,
            find=partial(_found, catalogue.shelf) if catalogue.proposer and catalogue.answers else None,
        )

    def _write(self, record: Record, became: Accepted | Rejected, now: int, refused: Counter[str]) -> str:
        """Add what the record became to the batches that leave; returns its type, as far as it could be read."""
        if isinstance(became, Accepted):
            self._writer.add(
                self._topics.commands, became.partition, became.case.encode(), became.command, became.headers
            )
            return became.type
        for message in refusal(record, became, self._topics, now):
            self._writer.add(message.topic, 0, message.key, message.value, message.headers)
        refused[became.fault.code] += 1
        return UNREADABLE

    def _translated(self, record: Record, known: Known, now: int) -> Accepted | Rejected:
        """`translate`, and if it has a defect, a dead letter of its own: one record must not stop all channels."""
        if isinstance(record.value, Withheld):
            return rejected(record, known, InvalidMessage([fault("batch_too_large")]))
        try:
            return translate(record, known, now)
        except Exception as error:
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            log.error("message.not_translated", error=error, **place)
            return rejected(record, known, InvalidMessage([fault("internal_error")]))

    def _count(self, received: Counter[tuple[str, str]], refused: Counter[str]) -> None:
        for (topic, kind), count in received.items():
            family, _, name = self._topics.short(topic).partition(".")
            counter = metrics.RECEIVED.labels(name, kind) if family == "intake" else metrics.REPLIES.labels(name)
            counter.inc(count)
        for code, count in refused.items():
            metrics.DEAD_LETTERS.labels(STAGE, code).inc(count)
            log.info("messages.refused", code=code, count=count)
