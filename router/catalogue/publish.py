"""
Catalogue versions on the compacted topic `catalog`: publish, fetch, follow (design §4).

A publication is one transaction: chunks, `manifest/<version>`, `ActivateCatalogue` in every partition of
`case.commands`, `active`, and its entry in the audit topic (stream `catalog`). So nobody is told of a version that cannot be read, and what is `active` has been
ordered everywhere. Two at once would order two versions of one number: the publisher's transactional id
lets one of them through. A shard decides by the version active at its place in the log; all others by `active`.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential

from adapters.kafka.log import Fenced
from router.catalogue.calendars import retained
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files
from router.catalogue.pack import VersionUnusable, pack, unpack
from router.catalogue.tables import RETAINED
from router.operate import audit
from router.operate.process import Process, settle
from router.operate.topics import Topics
from schemas.catalogue import CatalogueManifest
from schemas.ids import command_id
from schemas.times import from_milliseconds, to_text
from workflows.commands import ActivateCatalogue

log = structlog.get_logger()
ACTIVE = b"active"
RETAINED_POLICIES = "policies/retained.yaml"
"""Made by the publisher, never edited; JSON, which YAML reads."""
SHARD = "_shard"
STREAM = "catalog"
POLL_MS = 500


class Active(msgspec.Struct, frozen=True):
    """The value of the key `active`."""

    version: int
    hash: str


class TopicsMissing(Exception):
    """
    These topics do not exist yet: create them first (`duokua topics apply`).

    Those of new channels and endpoints too: the first message to one that is missing would stop delivery for all.
    """


class PublishedMeanwhile(Exception):
    """Somebody else published at the same moment: look at what is in force now, then try again."""


@dataclass(frozen=True)
class Published:
    """What a publication came to. `changed` is False where the same files were in force already."""

    version: int
    hash: str
    changed: bool


async def publish(
    broker: Any, topics: Topics, files: Mapping[str, bytes], *, by: str = "", reason: str = "", now: int = 0
) -> Published:
    """
    Put a new version in force. Raises CatalogueFaulty with every fault, TopicsMissing, PublishedMeanwhile, audit.ChainBroken;
    then nothing was written.

    `now` is the business time of the act. Calendars and policies of earlier versions are carried on, because running
    clocks and cases name them.
    """
    publisher = f"{topics.prefix}publisher"
    partitions = await broker.topics()
    _require(topics.catalog, topics.commands, among=partitions)
    transaction = await broker.transactions(publisher, publisher)
    try:
        # read after the id was taken: whoever published before us is settled, whoever does now is fenced
        kept = await _read_all(broker, topics.catalog)
        before = _active_catalogue(kept)
        catalogue = from_files(_with_carried(files, before))
        if before is not None and before.hash == catalogue.hash:
            return Published(before.version, before.hash, changed=False)
        _require(*(s.name for s in topics.specs(catalogue.channels, catalogue.endpoints)), among=partitions)
        version = 1 + max((manifest_version(key) for key in kept), default=0)
        manifest, chunks = pack(catalogue, version, at=from_milliseconds(now) if now else None, by=by, note=reason)
        for name, piece in chunks.items():
            if name.encode() not in kept:
                transaction.add(topics.catalog, 0, name.encode(), piece)
        described = manifest.model_dump_json(exclude_none=True).encode()
        transaction.add(topics.catalog, 0, f"manifest/{version}".encode(), described)
        for partition in range(partitions[topics.commands]):
            order = _order(version, catalogue.hash, partition)
            transaction.add(topics.commands, partition, SHARD.encode(), msgspec.json.encode(order))
        transaction.add(topics.catalog, 0, ACTIVE, msgspec.json.encode(Active(version, catalogue.hash)))
        earlier = await audit.read(broker, topics.audit, STREAM)
        act = audit.entry(
            earlier[-1] if earlier else None, STREAM, at=to_text(now) if now else "", who=by, act="publish", why=reason,
            facts={"version": version, "hash": catalogue.hash},
        )  # fmt: skip
        transaction.add(topics.audit, 0, STREAM.encode(), audit.encode(act))
        await _commit(transaction)
    finally:
        await broker.close(transaction)
    # the answer to a commit comes before its markers are everywhere; the next holder of the id waits for them
    await broker.close(await broker.transactions(publisher, publisher))
    return Published(version, catalogue.hash, changed=True)


def _require(*needed: str, among: Mapping[str, int]) -> None:
    missing = [name for name in needed if name not in among]
    if missing:
        raise TopicsMissing(", ".join(missing))


async def _commit(transaction: Any) -> None:
    try:
        await transaction.commit({})
    except Fenced as error:
        raise PublishedMeanwhile from error


def _order(version: int, digest: str, partition: int) -> ActivateCatalogue:
    cause = f"catalog/{version}/{digest}/{partition}"
    return ActivateCatalogue(id=command_id(SHARD, cause), version=version, hash=digest)


def _with_carried(files: Mapping[str, bytes], before: Catalogue | None) -> dict[str, bytes]:
    """The files without foreign leftovers, and each calendar and policy of the version before that they do not make."""
    mine = {name: data for name, data in files.items() if not name.startswith(RETAINED) and name != RETAINED_POLICIES}
    if before is None:
        return mine
    made = from_files(mine)
    carried = {
        f"{RETAINED}{name}.json": retained(layers)
        for name, layers in before.calendar_layers.items()
        if name not in made.calendars
    }
    gone = [policy for name, policy in before.policies.items() if name not in made.policies]
    if gone:
        carried[RETAINED_POLICIES] = msgspec.json.encode(gone)
    return mine | carried


# -- reading ------------------------------------------------------------------------------------------


async def fetch_version(broker: Any, topic: str, version: int, digest: str) -> Catalogue:
    """That very version. Raises VersionUnusable when it is missing or is not what `digest` says."""
    kept = await _read_all(broker, topic)
    # a large catalogue takes longer to read than a group waits for a heartbeat
    return await asyncio.to_thread(_unpacked, kept, Active(version, digest))


async def active_version(broker: Any, topic: str) -> tuple[int, str] | None:
    """Version and hash in force; None before the first publication."""
    active = _active((await _read_all(broker, topic)).get(ACTIVE))
    return (active.version, active.hash) if active else None


async def fetch_active(broker: Any, topic: str) -> Catalogue | None:
    """The catalogue in force; None before the first publication."""
    return _active_catalogue(await _read_all(broker, topic))


def manifest_version(key: bytes) -> int:
    """The version that a key `manifest/<version>` names, else 0."""
    found = re.fullmatch(rb"manifest/([0-9]+)", key)
    return int(found.group(1)) if found else 0


def _active(value: bytes | None) -> Active | None:
    return msgspec.json.decode(value, type=Active) if value else None


def _active_catalogue(kept: Mapping[bytes, bytes]) -> Catalogue | None:
    active = _active(kept.get(ACTIVE))
    return _unpacked(kept, active) if active else None


def _unpacked(kept: Mapping[bytes, bytes], wanted: Active) -> Catalogue:
    found = kept.get(f"manifest/{wanted.version}".encode())
    if found is None:
        raise VersionUnusable(f"catalogue {wanted.version} is not on the topic")
    manifest = CatalogueManifest.model_validate_json(found)
    if manifest.hash != wanted.hash or manifest.version != wanted.version:
        raise VersionUnusable(f"catalogue {wanted.version}: its manifest is of something else")
    return unpack(manifest, lambda name: kept.get(name.encode()))


async def _read_all(broker: Any, topic: str) -> dict[bytes, bytes]:
    """
    The last value of every key up to the end of the topic as it is now, open transactions included: who is told of a
    version by another topic may be here before the broker has ended the publication everywhere.
    """
    kept, partition = dict[bytes, bytes](), TopicPartition(topic, 0)
    async with broker.reader(partitions=[partition], committed=False) as reader:
        end = (await reader.end_offsets([partition]))[partition]
    async with broker.reader(partitions=[partition]) as reader:
        await _read_to(end, reader, partition, kept)
    return kept


async def _read_to(end: int, reader: Any, partition: TopicPartition, kept: dict[bytes, bytes]) -> None:
    while await reader.position(partition) < end:
        _keep(await reader.getmany(timeout_ms=POLL_MS), kept)


def _keep(batch: Mapping[TopicPartition, list[Any]], kept: dict[bytes, bytes]) -> None:
    for record in (record for records in batch.values() for record in records):
        if record.value is None:
            kept.pop(record.key, None)
        elif record.key is not None:
            kept[record.key] = record.value


# -- following ----------------------------------------------------------------------------------------


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
            await _read_to(end, reader, partition, self._kept)
            self._take()
            while not stop.is_set():
                batch = await reader.getmany(timeout_ms=POLL_MS)
                if batch:
                    _keep(batch, self._kept)
                    self._take()

    def _take(self) -> None:
        """Make what is `active` the current catalogue. One that cannot be used is refused; the old one stays."""
        active = _active(self._kept.get(ACTIVE))
        if active is None or (self._current is not None and active.version == self._current.version):
            return
        try:
            self._current = _unpacked(self._kept, active)
        except (VersionUnusable, CatalogueFaulty) as error:
            log.error("catalogue.refused", version=active.version, error=error)
            return
        settle()
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
