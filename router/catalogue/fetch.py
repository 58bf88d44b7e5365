"""
Catalogue versions read from the compacted topic `catalog`: the one in force, a named one, or what is of it there.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import ACTIVE, Active
from router.catalogue.latest import latest
from router.catalogue.pack import VersionUnusable, files_of, unpack
from schemas.catalogue import CatalogueManifest


async def fetch_version(broker: Any, topic: str, version: int, digest: str) -> Catalogue:
    """That very version. Raises VersionUnusable when it is missing or is not what `digest` says."""
    kept = await latest(broker, topic)
    # a large catalogue takes longer to read than a group waits for a heartbeat
    return await asyncio.to_thread(unpacked, kept, Active(version, digest))


async def fetch_numbered(broker: Any, topic: str, version: int) -> Catalogue | None:
    """The version of that number, whatever its hash; None where there is none. Raises VersionUnusable."""
    kept = await latest(broker, topic)
    manifest = manifest_of(kept, version)
    return await asyncio.to_thread(_whole, kept, manifest) if manifest else None


async def active_version(broker: Any, topic: str) -> tuple[int, str] | None:
    """Version and hash in force; None before the first publication."""
    active = active_of((await latest(broker, topic)).get(ACTIVE))
    return (active.version, active.hash) if active else None


async def fetch_active(broker: Any, topic: str) -> Catalogue | None:
    """The catalogue in force; None before the first publication."""
    return active_catalogue(await latest(broker, topic))


def manifest_version(key: bytes) -> int:
    """The version that a key `manifest/<version>` names, else 0."""
    found = re.fullmatch(rb"manifest/([0-9]+)", key)
    return int(found.group(1)) if found else 0


def active_of(value: bytes | None) -> Active | None:
    """What the key `active` says."""
    return msgspec.json.decode(value, type=Active) if value else None


def active_catalogue(kept: Mapping[bytes, bytes]) -> Catalogue | None:
    active = active_of(kept.get(ACTIVE))
    return unpacked(kept, active) if active else None


def active_files(kept: Mapping[bytes, bytes]) -> dict[str, bytes]:
    """The files of the version in force, whatever is in them. Raises VersionUnusable."""
    active = active_of(kept.get(ACTIVE))
    manifest = manifest_of(kept, active.version) if active else None
    return files_of(manifest.chunks, lambda chunk: kept.get(chunk.encode()), manifest.hash) if manifest else {}


def unpacked(kept: Mapping[bytes, bytes], wanted: Active) -> Catalogue:
    """A version of those on the topic. Raises VersionUnusable, CatalogueFaulty as `unpack` does."""
    manifest = manifest_of(kept, wanted.version)
    if manifest is None:
        raise VersionUnusable(f"catalogue {wanted.version} is not on the topic")
    if manifest.hash != wanted.hash:
        raise VersionUnusable(f"catalogue {wanted.version}: its manifest is of something else")
    return _whole(kept, manifest)


def manifest_of(kept: Mapping[bytes, bytes], version: int) -> CatalogueManifest | None:
    found = kept.get(f"manifest/{version}".encode())
    if found is None:
        return None
    manifest = CatalogueManifest.model_validate_json(found)
    if manifest.version != version:
        raise VersionUnusable(f"catalogue {version}: its manifest is of something else")
    return manifest


def _whole(kept: Mapping[bytes, bytes], manifest: CatalogueManifest) -> Catalogue:
    return unpack(manifest, lambda chunk: kept.get(chunk.encode()))
