"""
Catalogue versions on the compacted topic `catalog`: publish, put in force, fetch, follow (design §4).

A publication is one transaction: chunks, `manifest/<version>`, `ActivateCatalogue` in every partition of
`case.commands`, `active`, and its entry in the audit topic (stream `catalog`). So nobody is told of a version that cannot be read, and what is `active` has been
ordered everywhere. A version for a later day is stored in the same way, with `waiting` in place of the orders; when the
day has come the orders and `active` are a second transaction. A shard decides by the version active at its place in the log; all others by `active`.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

from router.catalogue.analyse import refuse_contradictions
from router.catalogue.calendars import Layers, retained
from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import (
    ACTIVE,
    STREAM,
    WAITING,
    Active,
    Desk,
    NotAllowed,
    TopicsMissing,
    Waiting,
    opened,
    refuse_long,
    require,
)
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.keys import Signer
from router.catalogue.latest import POLL_MS, keep, latest, read_to
from router.catalogue.life import Life, Version, add, lived, may_be_folder
from router.catalogue.load import from_files, from_stored, salvaged
from router.catalogue.pack import VersionUnusable, files_of, is_inside, pack, unpack
from router.catalogue.tables import RETAINED
from router.operate import audit, metrics
from router.operate.process import Process
from router.operate.topics import Topics
from schemas.catalogue import CatalogueManifest
from schemas.times import from_milliseconds
from workflows.policies import Policy

log = structlog.get_logger()
RETAINED_POLICIES = "policies/retained.yaml"
"""Made by the publisher, never edited; JSON, which YAML reads."""
TRIED = 5
"""Of so many versions before the one that cannot be read it is tried whether they were carried on in it."""
STAYS = (VersionUnusable, CatalogueFaulty, TopicsMissing, audit.ChainBroken)
"""What does not pass by itself: somebody has to do something before a version can take effect."""
SOON, LATER = wait_exponential(max=10), wait_exponential(max=180) + wait_random(max=60)


@dataclass(frozen=True)
class Published:
    """
    What a publication came to. `changed` is False where the same files were in force already; `mended`: they were, and
    could not be read from the log any more, and now can. recounts: another calendar holds somewhere, so clocks may move.
    """

    version: int
    hash: str
    changed: bool
    mended: bool = False
    recounts: bool = False


async def publish(
    broker: Any, topics: Topics, files: Mapping[str, bytes], *, by: str = "", reason: str = "", now: int = 0,
    only_first: bool = False, signer: Signer | None = None,
) -> Published:  # fmt: skip
    """
    Put a new version in force that nobody approved. Raises CatalogueFaulty with every fault, TopicsMissing,
    PublishedMeanwhile, audit.ChainBroken, NotAllowed; then nothing was written.

    `now` is the business time of the act. Once a key is known it needs the signature of `by`. Once there is a version
    too, or with only_first even without keys, it is refused: drafts are the way. Calendars and policies of earlier
    versions are carried on, because running clocks and cases name them.

    Where the version in force cannot be read from the log, its own files are written again, under its number: whoever
    has them may, as the hash shows that they are the same.
    """
    async with opened(broker, topics) as desk:
        life = lived(desk.entries)
        mended = await asyncio.to_thread(_mended, desk, files, life)
        if not mended and (not may_be_folder(life) or (only_first and desk.active)):
            raise NotAllowed("drafts_only")
        if life.keys and life.deployment not in ("", desk.deployment):
            raise NotAllowed("elsewhere", there=life.deployment, here=desk.deployment)
        if life.keys and (signer is None or signer.who != by or not life.holds(by, signer.public)):
            raise NotAllowed("no_key", who=by)
        published = mended or await add_version(desk, files, by=by, reason=reason, now=now)
        if published.changed:
            sign = signer.sign if life.keys and signer else None
            desk.note(
                "mend" if mended else "publish", by, reason, now, sign, version=published.version, hash=published.hash
            )
            add(life, desk.entries[-1])  # what a reader would refuse would be a chain that nobody can mend
            await desk.commit()
        return published


def _mended(desk: Desk, files: Mapping[str, bytes], life: Life) -> Published | None:
    """Add to the act: what is lost or damaged of the version in force; None where it can be read, or is of other files."""
    active = desk.active
    if active is None or _readable(desk.kept, active):
        return None
    earlier = sorted((version for version in life.versions.values() if version.number < active.version), key=_number)
    for before in (*(_readable(desk.kept, Active(v.number, v.hash)) for v in earlier[: -TRIED - 1 : -1]), None):
        catalogue = from_stored(_with_carried(files, *_carried(before)))
        if catalogue.hash == active.hash:
            known = life.versions[active.version]
            manifest, chunks = pack(catalogue, active.version, published_by=known.by or None, note=known.why or None)
            for name, piece in chunks.items():
                desk.put(desk.topics.catalog, name, piece)
            if not _has_manifest(desk.kept, active):
                desk.put(desk.topics.catalog, f"manifest/{active.version}", _manifest_text(manifest))
            return Published(active.version, active.hash, changed=True, mended=True)
    return None


def _number(version: Version) -> int:
    return version.number


def _readable(kept: Mapping[bytes, bytes], wanted: Active) -> Catalogue | None:
    try:
        return unpacked(kept, wanted)
    except (VersionUnusable, CatalogueFaulty, ValidationError):
        return None


def _has_manifest(kept: Mapping[bytes, bytes], wanted: Active) -> bool:
    try:
        manifest = _manifest(kept, wanted.version)
    except (VersionUnusable, ValidationError):
        return False
    return manifest is not None and manifest.hash == wanted.hash


def _manifest_text(manifest: CatalogueManifest) -> bytes:
    return manifest.model_dump_json(exclude_none=True).encode()


def refuse_while_one_waits(desk: Desk) -> None:
    """What waits for its day would undo what comes before it. Raises NotAllowed."""
    if (waiting := desk.waiting) is not None:
        raise NotAllowed("waits", version=waiting.version, who=waiting.by, start=waiting.start)


async def add_version(
    desk: Desk, files: Mapping[str, bytes], *, by: str, reason: str, now: int, start: int = 0, **said: Any
) -> Published:
    """
    Add to the act: a version with what is `said` of it in its manifest, in force at once or from `start` on.

    Reading and checking a large catalogue takes seconds: a thread does it, or the connection would be given up meanwhile.
    """
    refuse_long(reason)
    refuse_outside(files)
    # what was in force before is taken back as it was
    before, catalogue = await asyncio.to_thread(_checked, desk.kept, files, None if said.get("rollback_of") else now)
    if before is not None and before.hash == catalogue.hash:
        return Published(before.version, before.hash, changed=False)
    require(*(s.name for s in desk.topics.specs(catalogue.channels, catalogue.endpoints)), among=desk.partitions)
    version = 1 + max((manifest_version(key) for key in desk.kept), default=0)
    manifest, chunks = await asyncio.to_thread(
        pack, catalogue, version, published_at=from_milliseconds(now) if now else None, published_by=by or None,
        note=reason or None, starts_at=from_milliseconds(start) if start else None, **said,
    )  # fmt: skip
    for name, piece in chunks.items():
        if name.encode() not in desk.kept:
            desk.put(desk.topics.catalog, name, piece)
    desk.put(desk.topics.catalog, f"manifest/{version}", _manifest_text(manifest))
    if start:
        waiting = Waiting(version, catalogue.hash, desk.active.version if desk.active else 0, start, by)
        desk.put(desk.topics.catalog, WAITING, msgspec.json.encode(waiting))
    else:
        if desk.waiting:
            desk.put(desk.topics.catalog, WAITING, None)
        desk.order(version, catalogue.hash)
    counts_anew = desk.active is not None and (before is None or recounts(before, catalogue))
    return Published(version, catalogue.hash, changed=True, recounts=counts_anew)


def recounts(before: Catalogue, after: Catalogue) -> bool:
    """Whether another calendar holds somewhere, so that running clocks may move (`duokua calendar moves`)."""
    return _calendars(before) != _calendars(after)


def _calendars(catalogue: Catalogue) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Which holds where and for whom, by names that stand for their days."""
    return catalogue.calendar_of_place, catalogue.calendar_of_unit


def _checked(
    kept: Mapping[bytes, bytes], files: Mapping[str, bytes], now: int | None
) -> tuple[Catalogue | None, Catalogue]:
    """
    The version in force, and what these files make with what is carried on; without contradictions at `now`.

    None where this release cannot read the one in force, though it is there as it was published: what can be read of it is
    carried on, and it is replaced.
    """
    try:
        before = _active_catalogue(kept)
        carried = _carried(before)
    except CatalogueFaulty as faulty:
        log.error("catalogue.unreadable", error=faulty)
        before, carried = None, salvaged(_active_files(kept))
    catalogue = from_files(_with_carried(files, *carried))
    if now is not None and (before is None or before.hash != catalogue.hash):
        refuse_contradictions(catalogue, now)
    return before, catalogue


def refuse_outside(files: Mapping[str, bytes]) -> None:
    """Whoever takes them out would write them elsewhere. Raises NotAllowed."""
    for name in files:
        if not is_inside(name):
            raise NotAllowed("bad_file", file=ascii(name))


def without_carried(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What people edit: the files without those that the publisher carries on."""
    return {name: data for name, data in files.items() if not name.startswith(RETAINED) and name != RETAINED_POLICIES}


def _carried(before: Catalogue | None) -> tuple[Mapping[str, Layers], Mapping[str, Policy]]:
    return (before.calendar_layers, before.policies) if before else ({}, {})


def _with_carried(
    files: Mapping[str, bytes], calendars: Mapping[str, Layers], policies: Mapping[str, Policy]
) -> dict[str, bytes]:
    """The files without foreign leftovers, and each calendar and policy of the version before that they do not make."""
    mine = without_carried(files)
    if not calendars and not policies:
        return mine
    made = from_stored(mine)  # what is wrong with them is found with what is carried on
    carried = {
        f"{RETAINED}{name}.json": retained(layers) for name, layers in calendars.items() if name not in made.calendars
    }
    gone = [policy for name, policy in policies.items() if name not in made.policies]
    if gone:
        carried[RETAINED_POLICIES] = msgspec.json.encode(gone)
    return mine | carried


# -- when a day has come ------------------------------------------------------------------------------


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


# -- reading ------------------------------------------------------------------------------------------


async def fetch_version(broker: Any, topic: str, version: int, digest: str) -> Catalogue:
    """That very version. Raises VersionUnusable when it is missing or is not what `digest` says."""
    kept = await latest(broker, topic)
    # a large catalogue takes longer to read than a group waits for a heartbeat
    return await asyncio.to_thread(unpacked, kept, Active(version, digest))


async def fetch_numbered(broker: Any, topic: str, version: int) -> Catalogue | None:
    """The version of that number, whatever its hash; None where there is none. Raises VersionUnusable."""
    kept = await latest(broker, topic)
    manifest = _manifest(kept, version)
    return await asyncio.to_thread(_whole, kept, manifest) if manifest else None


async def active_version(broker: Any, topic: str) -> tuple[int, str] | None:
    """Version and hash in force; None before the first publication."""
    active = active_of((await latest(broker, topic)).get(ACTIVE))
    return (active.version, active.hash) if active else None


async def fetch_active(broker: Any, topic: str) -> Catalogue | None:
    """The catalogue in force; None before the first publication."""
    return _active_catalogue(await latest(broker, topic))


def manifest_version(key: bytes) -> int:
    """The version that a key `manifest/<version>` names, else 0."""
    found = re.fullmatch(rb"manifest/([0-9]+)", key)
    return int(found.group(1)) if found else 0


def active_of(value: bytes | None) -> Active | None:
    """What the key `active` says."""
    return msgspec.json.decode(value, type=Active) if value else None


def _active_catalogue(kept: Mapping[bytes, bytes]) -> Catalogue | None:
    active = active_of(kept.get(ACTIVE))
    return unpacked(kept, active) if active else None


def _active_files(kept: Mapping[bytes, bytes]) -> dict[str, bytes]:
    """The files of the version in force, whatever is in them. Raises VersionUnusable."""
    active = active_of(kept.get(ACTIVE))
    manifest = _manifest(kept, active.version) if active else None
    return files_of(manifest.chunks, lambda chunk: kept.get(chunk.encode()), manifest.hash) if manifest else {}


def unpacked(kept: Mapping[bytes, bytes], wanted: Active) -> Catalogue:
    """A version of those on the topic. Raises VersionUnusable, CatalogueFaulty as `unpack` does."""
    manifest = _manifest(kept, wanted.version)
    if manifest is None:
        raise VersionUnusable(f"catalogue {wanted.version} is not on the topic")
    if manifest.hash != wanted.hash:
        raise VersionUnusable(f"catalogue {wanted.version}: its manifest is of something else")
    return _whole(kept, manifest)


def _manifest(kept: Mapping[bytes, bytes], version: int) -> CatalogueManifest | None:
    found = kept.get(f"manifest/{version}".encode())
    if found is None:
        return None
    manifest = CatalogueManifest.model_validate_json(found)
    if manifest.version != version:
        raise VersionUnusable(f"catalogue {version}: its manifest is of something else")
    return manifest


def _whole(kept: Mapping[bytes, bytes], manifest: CatalogueManifest) -> Catalogue:
    return unpack(manifest, lambda chunk: kept.get(chunk.encode()))
