"""
Header names that are not UTF-8: one sender must not stop a reader of many.

aiokafka decodes header names while it iterates a batch and raises UnicodeDecodeError out of `getmany`, for the
same record after every restart. Here such a fetch is read again by aiokafka's own Python parser, with the
undecodable bytes replaced. Everything else goes through the C parser as before.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


class _Kept(MemoryRecords):  # type: ignore[misc]
    """The C parser's records, with the bytes they came from."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw = raw


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
    def next_batch(self) -> Any:
        """Only batches of format 2 have headers; the others are read as ever."""
        batch, found = self._next_slice, super().next_batch()
        return _LenientBatch(batch) if batch is not None and batch[self.MAGIC_OFFSET] >= 2 else found


class ForgivingRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch; where a header name cannot be decoded, the rest of it is read leniently."""

    def __init__(self, tp: Any, records: Any, aborted_transactions: Sequence[Any] | None, *more: Any) -> None:
        super().__init__(tp, records, aborted_transactions, *more)
        self._raw: bytes = records.raw
        self._aborted_whole: list[Any] = list(self._aborted_transactions)

    def __next__(self) -> Any:
        try:
            return next(self._records_iterator)
        except StopIteration:
            self._records_iterator: Any = None
            raise
        except UnicodeDecodeError:
            self._records_iterator = self._leniently_from(self.next_fetch_offset)
            return next(self)

    def _leniently_from(self, offset: int) -> Iterator[Any]:
        """The fetch from its beginning, without what was given out already (whole batches move the offset back)."""
        self._records = _LenientRecords(self._raw)
        self._aborted_transactions: list[Any] = self._aborted_whole
        self._aborted_producers: set[Any] = set()
        return (record for record in self._unpack_records() if record.offset >= offset)


def forgive_header_names() -> None:
    """Have aiokafka's fetcher use the above."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = _Kept, ForgivingRecords
