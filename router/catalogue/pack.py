"""A catalogue as records: gzip chunks named by their SHA-256, and a manifest that lists them."""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from router.catalogue.catalogue import Catalogue
from router.catalogue.load import from_files, hash_of
from schemas.catalogue import CatalogueManifest

CHUNK = 800_000
"""Bytes of a chunk: with its key and the batch around it below the topic's 1 MB."""
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(dict[str, bytes]).decode


class VersionUnusable(Exception):
    """A version on the topic that is missing, incomplete or not what its hash says: it must not be used."""


def pack(
    catalogue: Catalogue, version: int, *, at: datetime | None = None, by: str = "", note: str = ""
) -> tuple[CatalogueManifest, dict[str, bytes]]:
    """The manifest of a version, and its chunks by SHA-256. The same files make the same chunks."""
    whole = _encode(dict(catalogue.files))
    packed = gzip.compress(whole, compresslevel=9, mtime=0)
    pieces = [packed[start : start + CHUNK] for start in range(0, len(packed), CHUNK)]
    chunks = {_sha(piece): piece for piece in pieces}
    manifest = CatalogueManifest(
        version=version, hash=catalogue.hash, chunks=tuple(map(_sha, pieces)), size=len(whole), name=catalogue.header.name,
        province=catalogue.header.province, published_at=at, published_by=by or None, note=note or None,
    )  # fmt: skip
    return manifest, chunks


def unpack(manifest: CatalogueManifest, chunk: Callable[[str], bytes | None]) -> Catalogue:
    """The catalogue of a manifest. Raises VersionUnusable unless every chunk and the whole are what they are called."""
    pieces = []
    for name in manifest.chunks:
        piece = chunk(name)
        if piece is None or _sha(piece) != name:
            raise VersionUnusable(f"catalogue {manifest.version}: a chunk is missing or damaged")
        pieces.append(piece)
    files = _files(b"".join(pieces), manifest.version)
    if hash_of(files) != manifest.hash:
        raise VersionUnusable(f"catalogue {manifest.version}: the hash does not fit")
    return from_files(files, manifest.version)


def _files(packed: bytes, version: int) -> Mapping[str, bytes]:
    try:
        return _decode(gzip.decompress(packed))
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise VersionUnusable(f"catalogue {version}: it cannot be unpacked") from error


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
