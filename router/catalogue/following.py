"""The catalogue in force as a process follows it that has no shards: by `active` on the topic `catalog`."""

import asyncio

import structlog
from aiokafka import TopicPartition
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential

from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import ACTIVE, TopicsMissing
from router.catalogue.fetch import active_of, unpacked
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.latest import POLL_MS, keep, read_to
from router.catalogue.pack import VersionUnusable
from router.operate import metrics
from router.operate.process import Process, settle

log = structlog.get_logger()


class Following:
    """The catalogue in force, kept up to date by a task of its own. Made by `follow`."""

    def __init__(self, process: Process) -> None:
        self._process, self._kept = process, dict[bytes, bytes]()
        self._current: Catalogue | None = None
        self.arrived = asyncio.Event()
        self._task = asyncio.create_task(self._watch())

    @property
    def current(self) -> Catalogue:
        """The version in force now."""
        if self._current is None:
            raise VersionUnusable("no catalogue was published yet")
        return self._current

    async def stopped(self) -> None:
        """Until the watching ended, which it does when the process stops."""
        await self._task

    async def _watch(self) -> None:
        """Until the process stops; a broker that is away is waited for, however long."""
        stop = self._process.stop
        async for attempt in AsyncRetrying(wait=wait_exponential(max=10), retry=retry_if_exception_type(Exception)):
            with attempt:
                await self._read(stop)

    async def _read(self, stop: asyncio.Event) -> None:
        partition = TopicPartition(self._process.topics.catalog, 0)
        if partition.topic not in await self._process.log.topics():
            raise TopicsMissing
        async with self._process.log.reader(partitions=[partition]) as reader:
            end = (await reader.end_offsets([partition]))[partition]
            await read_to(end, reader, partition, self._kept)
            self._take()
            while not stop.is_set():
                batch = await reader.getmany(timeout_ms=POLL_MS)
                if batch:
                    keep(batch, self._kept)
                    self._take()

    def _take(self) -> None:
        """Make what is `active` the current catalogue. One that cannot be used is refused; the old one stays."""
        active = active_of(self._kept.get(ACTIVE))
        if active is None or (self._current is not None and active.version == self._current.version):
            return
        try:
            self._current = unpacked(self._kept, active)
        except (VersionUnusable, CatalogueFaulty) as error:
            log.error("catalogue.refused", version=active.version, error=error)
            return
        tell_faults(self._current)
        settle()
        metrics.CATALOGUE_FOLLOWED.labels(self._process.role).set(active.version)
        log.info("catalogue.followed", version=active.version, hash=active.hash)
        self.arrived.set()


async def follow(process: Process) -> Following:
    """
    Wait for the catalogue in force and keep following it: `(await follow(process)).current`.

    Returns early, without a current catalogue, only when the process is asked to stop.
    """
    following = Following(process)
    process.health.waiting_for = "a published catalogue"
    stopping = asyncio.create_task(process.stop.wait())
    arriving = asyncio.create_task(following.arrived.wait())
    await asyncio.wait({stopping, arriving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stopping, arriving):
        task.cancel()
    return following


def tell_faults(catalogue: Catalogue) -> None:
    """
    Log what this release finds wrong with a version that an earlier one has published: it is used as it is, and whoever
    publishes the next one must mend it. Warnings and hints are for those who edit.
    """
    errors = [finding for finding in catalogue.findings if finding.level == "error"]
    if errors:
        first = errors[0]
        log.warning(
            "catalogue.faults", version=catalogue.version, count=len(errors), code=first.code, file=first.file,
            line=first.line,
        )  # fmt: skip
