"""
What a sender may write and no reader must stop at: header names that are not UTF-8, and batches that unpack to too much.

aiokafka decodes header names while it iterates a batch and raises UnicodeDecodeError out of `getmany`, for the
same record after every restart. Here such a fetch is read again by aiokafka's own Python parser, with the
undecodable bytes replaced.

It also unpacks whatever it is given: 3 KB of zstd may stand for 80 MB. Here a compressed batch is unpacked into
UNPACKED_BYTES and not a byte more. One that needs more is not read: in its place stands one record, at its last
offset, whose value is `Withheld`. And what one fetch holds is given out in portions of about that size.
"""

import mmap
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import cramjam
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

UNPACKED_BYTES = 16 << 20
"""What a batch may hold when unpacked: the largest record there may be (12 MB), with room around it."""

_HEADER = struct.Struct(">qiibIhiqqqhii")
"""Of a batch: first offset, length, epoch, magic, CRC, attributes, last offset's distance, times, producer, records."""
_LENGTH_AT, _BEFORE_LENGTH_ENDS = 8, 12
_MAGIC_AT, _CODEC_AT, _CODEC = 16, 22, 0x07
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_BYTES = 16
_NO_ROOM = "failed to write whole buffer"

_scratch: mmap.mmap | None = None


class Withheld(bytes):
    """In place of the value of a batch that was not unpacked; empty, as nothing of it was read. `first`: its first offset."""

    first: int

    def __new__(cls, first: int) -> "Withheld":
        made = super().__new__(cls)
        made.first = first
        return made


class TooMuch(Exception):
    """A batch that unpacks to more than UNPACKED_BYTES."""


def unpacked(batch: bytes) -> bytes:
    """
    A record batch of format 2 without its compression. Raises TooMuch, or CorruptRecordException.

    The checksum is left as it was: readers do not check it.
    """
    head = list(_HEADER.unpack_from(batch))
    codec = head[5] & _CODEC
    if codec not in _INTO:
        raise CorruptRecordException(f"unknown codec {codec}")
    try:
        records = _INTO[codec](memoryview(batch)[_HEADER.size :])
    except cramjam.DecompressionError as error:
        if _NO_ROOM in str(error):
            raise TooMuch from None
        raise CorruptRecordException("a batch cannot be unpacked") from None
    head[5] &= ~_CODEC
    return _batch(head, records)


def withheld(batch: bytes) -> tuple[int, int, bytes]:
    """First offset, last offset, and a batch with one empty record at the last, for one that is not to be read."""
    head = list(_HEADER.unpack_from(batch))
    first, distance = head[0], head[6]
    head[5] &= ~_CODEC
    head[12] = 1
    # attributes, time, distance of the offset, no key, an empty value, no headers
    record = b"\x00\x00" + _varint(distance) + _varint(-1) + _varint(0) + _varint(0)
    return first, first + distance, _batch(head, _varint(len(record)) + record)


def _batch(head: list[int], records: bytes) -> bytes:
    head[1] = _HEADER.size - _BEFORE_LENGTH_ENDS + len(records)
    return _HEADER.pack(*head) + records


def _varint(number: int) -> bytes:
    """Zigzag, seven bits a byte, as in the record format."""
    rest, found = (number << 1) ^ (number >> 63), bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*found, rest])


def _room() -> mmap.mmap:
    """One for the process: pages of it are taken only when something is unpacked into them."""
    global _scratch
    if _scratch is None:
        _scratch = mmap.mmap(-1, UNPACKED_BYTES)
    return _scratch


def _stream(into: Callable[[Any, Any], int]) -> Callable[[memoryview], bytes]:
    def unpack(packed: memoryview) -> bytes:
        room = _room()
        return room[: into(packed, room)]

    return unpack


def _snappy(packed: memoryview) -> bytes:
    """Raw, or in the blocks of the xerial library, as Java writes it. Each says beforehand how long it gets."""
    if packed[:8] != _XERIAL:
        return _snappy_block(packed, UNPACKED_BYTES)
    found, at = bytearray(), _XERIAL_BYTES
    while at < len(packed):
        (size,) = struct.unpack_from(">i", packed, at)
        found += _snappy_block(packed[at + 4 : at + 4 + size], UNPACKED_BYTES - len(found))
        at += 4 + max(size, 0)
    return bytes(found)


def _snappy_block(packed: memoryview, room: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(packed) > room:
        raise TooMuch
    return bytes(cramjam.snappy.decompress_raw(packed))


_INTO: dict[int, Callable[[memoryview], bytes]] = {
    1: _stream(cramjam.gzip.decompress_into),
    2: _snappy,
    3: _stream(cramjam.lz4.decompress_into),
    4: _stream(cramjam.zstd.decompress_into),
}
"""By the codec's number in a batch."""


class _Bounded:
    """Batches of one fetch, each unpacked only when its turn comes, until about UNPACKED_BYTES are given out."""

    def __init__(self) -> None:
        self.held_back: dict[int, int] = {}
        """Batches that were not unpacked: last offset -> first offset."""
        self._given = 0

    @property
    def is_enough(self) -> bool:
        """The rest is fetched again: the position stays behind the last batch given out."""
        return self._given >= UNPACKED_BYTES

    def plain(self, batch: bytes) -> bytes:
        """A compressed batch to be read in place of `batch`."""
        try:
            found = unpacked(batch)
        except TooMuch:
            first, last, found = withheld(batch)
            self.held_back[last] = first
        self._given += len(found)
        return found


def _is_packed(raw: Any, at: int) -> bool:
    return bool(raw[at + _MAGIC_AT] >= 2 and raw[at + _CODEC_AT] & _CODEC)


class _Kept(MemoryRecords):  # type: ignore[misc]
    """The C parser's records, with the bytes they came from; what is compressed is unpacked here."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw, self.bounded = raw, _Bounded()
        self._at = 0

    def has_next(self) -> bool:
        return not self.bounded.is_enough and super().has_next()

    def next_batch(self) -> Any:
        found, at = super().next_batch(), self._at
        (length,) = struct.unpack_from(">i", self.raw, at + _LENGTH_AT)
        self._at = at + _BEFORE_LENGTH_ENDS + length
        if not _is_packed(self.raw, at):
            return found
        return MemoryRecords(self.bounded.plain(self.raw[at : self._at])).next_batch()


class _Lenient(bytearray):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, where: Any) -> Any:
        found = super().__getitem__(where)
        return _Lenient(found) if isinstance(where, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, "replace")


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: Any = _Lenient(self._buffer)


class _LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    def __init__(self, raw: bytes, bounded: _Bounded) -> None:
        super().__init__(raw)
        self.bounded = bounded

    def has_next(self) -> bool:
        return not self.bounded.is_enough and super().has_next()

    def next_batch(self) -> Any:
        """Only batches of format 2 have headers; the others are read as ever."""
        batch, found = self._next_slice, super().next_batch()
        if batch is None or batch[self.MAGIC_OFFSET] < 2:
            return found
        return _LenientBatch(self.bounded.plain(bytes(batch)) if _is_packed(batch, 0) else batch)


class ForgivingRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch; where a header name cannot be decoded, the rest of it is read leniently."""

    def __init__(self, tp: Any, records: Any, aborted_transactions: Sequence[Any] | None, *more: Any) -> None:
        super().__init__(tp, records, aborted_transactions, *more)
        self._raw: bytes = records.raw
        self._held_back: dict[int, int] = records.bounded.held_back
        self._aborted_whole: list[Any] = list(self._aborted_transactions)

    def __next__(self) -> Any:
        try:
            record = next(self._records_iterator)
        except StopIteration:
            self._records_iterator: Any = None
            raise
        except UnicodeDecodeError:
            self._records_iterator = self._leniently_from(self.next_fetch_offset)
            return next(self)
        if self._held_back and record.offset in self._held_back:
            return replace(record, value=Withheld(self._held_back[record.offset]))
        return record

    def _leniently_from(self, offset: int) -> Iterator[Any]:
        """The fetch from its beginning, without what was given out already (whole batches move the offset back)."""
        bounded = _Bounded()
        self._records = _LenientRecords(self._raw, bounded)
        self._held_back = bounded.held_back
        self._aborted_transactions: list[Any] = self._aborted_whole
        self._aborted_producers: set[Any] = set()
        return (record for record in self._unpack_records() if record.offset >= offset)


def forgive_senders() -> None:
    """Have aiokafka's fetcher use the above."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = _Kept, ForgivingRecords
