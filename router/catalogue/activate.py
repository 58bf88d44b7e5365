"""
A version that waits for its day is put in force when that has come (router/catalogue/publish.py stores it).
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

from router.catalogue.desk import ACTIVE, STREAM, WAITING, Active, TopicsMissing, Waiting, opened, require
from router.catalogue.fetch import active_of, unpacked
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.latest import POLL_MS, keep, latest, read_to
from router.catalogue.life import lived
from router.catalogue.pack import VersionUnusable
from router.operate import audit, metrics
from router.operate.process import Process
from router.operate.topics import Topics

log = structlog.get_logger()
STAYS = (VersionUnusable, CatalogueFaulty, TopicsMissing, audit.ChainBroken)
"""What does not pass by itself: somebody has to do something before a version can take effect."""
SOON, LATER = wait_exponential(max=10), wait_exponential(max=180) + wait_random(max=60)


async def activate(broker: Any, topics: Topics, now: int) -> bool:
    """
    Put the version that waits in force if its time has come; whether something was done. Raises VersionUnusable,
    CatalogueFaulty, TopicsMissing, PublishedMeanwhile, audit.ChainBroken; then it goes on waiting.

    One whose base is not in force any more lapses: it would undo what came in between.
    """
    looked_at = await _due(broker, topics, now)
    if looked_at is None:
        return False
    async with opened(broker, topics) as desk:
        waiting = desk.waiting
        if waiting is None or waiting != looked_at:
            return False
        desk.put(topics.catalog, WAITING, None)
        if waiting.base != (desk.active.version if desk.active else 0):
            desk.note("lapse", "engine", "", now, version=waiting.version)
        else:
            desk.order(waiting.version, waiting.hash)
            desk.note("activate", "engine", "", now, version=waiting.version, hash=waiting.hash)
        await desk.commit()
        return True


async def _due(broker: Any, topics: Topics, now: int) -> Waiting | None:
    """
    What waits and can take effect now. Raises as `activate` does: before the publisher's id is taken, because whoever
    takes it in vain, again and again, keeps people from withdrawing what cannot take effect.
    """
    partitions = await broker.topics()
    require(topics.catalog, topics.audit, among=partitions)
    kept = await latest(broker, topics.catalog)
    found, active = kept.get(WAITING), active_of(kept.get(ACTIVE))
    waiting = msgspec.json.decode(found, type=Waiting) if found else None
    if waiting is None or now < waiting.start:
        return None
    known = (await asyncio.to_thread(lived, await audit.read(broker, topics.audit, STREAM))).waiting
    if known is None or (known.number, known.hash) != (waiting.version, waiting.hash):
        if (await latest(broker, topics.catalog)).get(WAITING) != found:
            return None  # withdrawn between the two looks
        raise audit.ChainBroken(f"{STREAM}: version {waiting.version} does not wait")
    if waiting.base == (active.version if active else 0):
        catalogue = await asyncio.to_thread(unpacked, kept, Active(waiting.version, waiting.hash))
        require(*(s.name for s in topics.specs(catalogue.channels, catalogue.endpoints)), among=partitions)
    return waiting


async def keep_dates(process: Process, now: Callable[[], int | None]) -> None:
    """
    Put each version that waits in force when its day has come, until the process stops.

    `now`: business time; None while it cannot be trusted. Any number of processes may do so at once: whoever is second
    finds nothing that waits. Nothing here ends the process: what fails is tried again, what somebody has to mend every few
    minutes, and not by all at once.
    """
    async for attempt in AsyncRetrying(wait=_pause, retry=retry_if_exception_type(Exception)):
        with attempt:
            try:
                await _keep_dates(process, now)
            except Exception as error:
                log.warning("catalogue.not_activated", error=error)
                raise


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (LATER if isinstance(error, STAYS) else SOON)(state)


async def _keep_dates(process: Process, now: Callable[[], int | None]) -> None:
    kept, partition = dict[bytes, bytes](), TopicPartition(process.topics.catalog, 0)
    async with process.log.reader(partitions=[partition]) as reader:
        await read_to((await reader.end_offsets([partition]))[partition], reader, partition, kept)
        while not process.stop.is_set():
            kept = {WAITING: kept[WAITING]} if WAITING in kept else {}  # the chunks are for others
            await _look_at_date(process, kept.get(WAITING), now())
            keep(await reader.getmany(timeout_ms=POLL_MS), kept)


async def _look_at_date(process: Process, found: bytes | None, now: int | None) -> None:
    waiting = msgspec.json.decode(found, type=Waiting) if found else None
    if waiting is None:
        metrics.CATALOGUE_LATE.set(0)
    if waiting is None or now is None:
        return
    metrics.CATALOGUE_LATE.set(max(0, now - waiting.start) / 1000)
    if now >= waiting.start and await activate(process.log, process.topics, now):
        log.info("catalogue.day_came", version=waiting.version)
