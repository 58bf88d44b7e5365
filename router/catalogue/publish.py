"""
Catalogue versions on the compacted topic `catalog`: publish, put in force, fetch, follow (design §4).

A publication is one transaction: chunks, `manifest/<version>`, `ActivateCatalogue` in every partition of
`case.commands`, `active`, and its entry in the audit topic (stream `catalog`). So nobody is told of a version that cannot be read, and what is `active` has been
ordered everywhere. A version for a later day is stored in the same way, with `waiting` in place of the orders; when the
day has come the orders and `active` are a second transaction. A shard decides by the version active at its place in the log; all others by `active`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from pydantic import ValidationError

from router.catalogue.analyse import refuse_contradictions
from router.catalogue.calendars import Layers, retained
from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import (
    WAITING,
    Active,
    Desk,
    NotAllowed,
    Waiting,
    opened,
    refuse_long,
    require,
)
from router.catalogue.fetch import active_catalogue, active_files, manifest_of, manifest_version, unpacked
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.keys import Signer
from router.catalogue.life import Life, Version, add, lived, may_be_folder
from router.catalogue.load import from_files, from_stored, salvaged
from router.catalogue.pack import VersionUnusable, is_inside, pack
from router.catalogue.tables import RETAINED
from router.operate.topics import Topics
from schemas.catalogue import CatalogueManifest
from schemas.times import from_milliseconds
from workflows.policies import Policy

log = structlog.get_logger()
RETAINED_POLICIES = "policies/retained.yaml"
"""Made by the publisher, never edited; JSON, which YAML reads."""
TRIED = 5
"""Of so many versions before the one that cannot be read it is tried whether they were carried on in it."""


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
        manifest = manifest_of(kept, wanted.version)
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
        before = active_catalogue(kept)
        carried = _carried(before)
    except CatalogueFaulty as faulty:
        log.error("catalogue.unreadable", error=faulty)
        before, carried = None, salvaged(active_files(kept))
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
