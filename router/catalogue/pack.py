"""A catalogue as records: gzip chunks named by their SHA-256, and a manifest that lists them."""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from router.catalogue.catalogue import Catalogue
from router.catalogue.load import from_stored, hash_of
from schemas.catalogue import CatalogueManifest

CHUNK = 800_000
"""Bytes of a chunk: with its key and the batch around it below the topic's 1 MB."""
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(dict[str, bytes]).decode


class VersionUnusable(Exception):
    """A version on the topic that is missing, incomplete or not what its hash says: it must not be used."""


def chunks_of(files: Mapping[str, bytes]) -> tuple[int, dict[str, bytes]]:
    """The size of the whole, and its chunks in order by SHA-256. The same files make the same chunks."""
    whole = _encode(dict(files))
    packed = gzip.compress(whole, compresslevel=9, mtime=0)
    pieces = [packed[start : start + CHUNK] for start in range(0, len(packed), CHUNK)]
    return len(whole), {_sha(piece): piece for piece in pieces}


def is_inside(name: str) -> bool:
    """Whether a file of this name stays below the folder that it is written to, on any system."""
    return not {"", ".", ".."} & set(name.split("/")) and all(sign >= " " and sign not in "\\:" for sign in name)


def files_of(names: Iterable[str], chunk: Callable[[str], bytes | None], whole: str) -> dict[str, bytes]:
    """The files of these chunks. Raises VersionUnusable unless every chunk and the whole are what they are called."""
    pieces = []
    for name in names:
        piece = chunk(name)
        if piece is None or _sha(piece) != name:
            raise VersionUnusable("a chunk is missing or damaged")
        pieces.append(piece)
    try:
        files = _decode(gzip.decompress(b"".join(pieces)))
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise VersionUnusable("it cannot be unpacked") from error
    if not all(map(is_inside, files)):
        raise VersionUnusable("a file would be written elsewhere")
    if hash_of(files) != whole:
        raise VersionUnusable("the hash does not fit")
    return files


def pack(catalogue: Catalogue, version: int, **said: object) -> tuple[CatalogueManifest, dict[str, bytes]]:
    """The manifest of a version, with what is `said` of it, and its chunks by SHA-256."""
    size, chunks = chunks_of(catalogue.files)
    manifest = CatalogueManifest.model_validate(
        {
            "version": version, "hash": catalogue.hash, "chunks": tuple(chunks), "size": size,
            "name": catalogue.header.name, "province": catalogue.header.province, **said,
        }
    )  # fmt: skip
    return manifest, chunks


def unpack(manifest: CatalogueManifest, chunk: Callable[[str], bytes | None]) -> Catalogue:
    """The catalogue of a manifest. Raises VersionUnusable unless every chunk and the whole are what they are called,
    CatalogueFaulty where this release cannot read it."""
    try:
        files = files_of(manifest.chunks, chunk, manifest.hash)
    except VersionUnusable as error:
        raise VersionUnusable(f"catalogue {manifest.version}: {error}") from error
    return from_stored(files, manifest.version)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
