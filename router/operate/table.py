"""
An ordered table of bytes on disk, and the place where such tables lie: what the store needs of RocksDB, and no more.

Writes are batches, each all or nothing. A killed process may lose the last of them but never a middle one; what is
lost comes back from the changelog. The simulation brings tables that lose on purpose (tests/simulation).
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

MB = 1 << 20
MEMORY_MB = 128
"""
What all tables of a process may hold in memory together: half for blocks that were read, half for what is written.

Twice or four times as much makes nothing cheaper that was measured: the system keeps the files in memory as well.
"""
REFUSALS = (
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Permission denied",
    "Too many open files",
    "File too large",
    "Writer has previous error",
)
"""What a disk says that takes nothing more. What lies there is sound."""


class TableInUse(Exception):
    """Another engine has this folder open: two of them share a state directory and DUOKUA_INSTANCE, or one still leaves."""


class DiskRefuses(Exception):
    """The disk takes nothing more: it is full, read-only or not ours to write. What lies there is not at fault."""


class Damaged(Exception):
    """What lies there cannot be read, or is not what was written: a checksum differs, a file is missing."""


class Table(Protocol):
    """Keys in byte order. Everything may raise DiskRefuses or Damaged: what was damaged is never handed out."""

    def get(self, key: bytes) -> bytes | None: ...
    def get_all(self, keys: Sequence[bytes]) -> list[bytes | None]: ...
    def keys_from(self, key: bytes) -> Iterator[bytes]: ...
    def items_from(self, key: bytes) -> Iterator[tuple[bytes, bytes]]: ...
    def write(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """One batch. A death before `flush` may lose the last ones, but none without all that came after it."""

    def flush(self) -> None: ...
    def close(self) -> None: ...


class Disk(Protocol):
    """Where tables lie, by folder."""

    def exists(self, folder: Path) -> bool: ...
    def open(self, folder: Path) -> Table: ...
    def remove(self, folder: Path) -> None: ...
    def free(self, folder: Path) -> int:
        """Bytes that may still be written there."""


@contextmanager
def _told() -> Iterator[None]:
    """RocksDB tells what is wrong by the text alone."""
    try:
        yield
    except DbClosedError:
        raise
    except Exception as error:
        raise _meaning(error) from error


def _meaning(error: Exception) -> Exception:
    said = str(error)
    refusal = next((words for words in REFUSALS if words in said), None)
    return DiskRefuses(refusal) if refusal else Damaged(said.partition(":")[0])


class RocksTable:
    """A folder of RocksDB, its keys and values taken as they are."""

    def __init__(self, db: Rdict) -> None:
        self._db = db
        # The changelog is the write-ahead log. With one of its own RocksDB opens, without a word, a table with a hole in the
        # middle where the end of its manifest is missing: files are gone from it, and the log holds what came after them
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign,assignment]  # a property, whatever its stub says

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._db.get(key)
        except DbClosedError:
            raise
        except Exception as error:
            raise _meaning(error) from error
        return value

    def get_all(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with _told():
            values: Any = self._db.get(list(keys))
            return list(values)

    def keys_from(self, key: bytes) -> Iterator[bytes]:
        with _told():
            it = self._db.iter()
            it.seek(key)
            valid, this, step = it.valid, it.key, it.next
            while valid():
                yield this()
                step()
            it.status()  # not valid: at the end, or at a place that cannot be read

    def items_from(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        with _told():
            it = self._db.iter()
            it.seek(key)
            while it.valid():
                yield it.key(), it.value()
                it.next()
            it.status()

    def write(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for key, value in changes:
            if value is None:
                delete(key)
            else:
                put(key, value)
        with _told():
            self._db.write(batch, self._unlogged)

    def flush(self) -> None:
        with _told():
            self._db.flush()

    def close(self) -> None:
        with suppress(Exception):  # a disk that refuses does so here once more; the folder is let go all the same
            self._db.flush()
        with suppress(Exception):
            self._db.close()


class Rocks:
    """The machine's own disk. `memory_mb` is for all tables that are opened through it together."""

    def __init__(self, memory_mb: int = MEMORY_MB) -> None:
        self._memory = memory_mb * MB

    def exists(self, folder: Path) -> bool:
        return folder.exists()

    def open(self, folder: Path) -> Table:
        """Open, or make anew. Raises TableInUse, DiskRefuses or Damaged."""
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            return RocksTable(Rdict(str(folder), self._options))
        except Exception as error:
            # whoever holds the lock writes there: nothing may be deleted under it
            if "/LOCK: No locks" in str(error) or "lock hold by" in str(error):
                raise TableInUse from error
            raise _meaning(error) from error

    def remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def free(self, folder: Path) -> int:
        place = next(path for path in (folder, *folder.parents) if path.exists())
        found = os.statvfs(place)
        return found.f_bavail * found.f_frsize

    @cached_property
    def _options(self) -> Options:
        """
        For millions of small values under random keys, most of which are looked up once in a while.

        A write never waits for a compaction, as it would hold up the whole process, heartbeats included: the
        number of files at which RocksDB would make it wait is out of reach, compaction catches up afterwards.
        """
        blocks = BlockBasedOptions()
        blocks.set_block_cache(Cache(self._memory // 2))
        blocks.set_block_size(8 << 10)
        blocks.set_format_version(5)
        blocks.set_bloom_filter(10, False)  # of a new case there is nothing: most look-ups need no block at all
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(blocks)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_write_buffer_manager(WriteBufferManager(self._memory // 2, False))
        options.set_write_buffer_size(self._memory // 8)
        options.set_max_write_buffer_number(6)
        options.set_level_zero_slowdown_writes_trigger(1000)
        options.set_level_zero_stop_writes_trigger(2000)
        options.set_soft_pending_compaction_bytes_limit(0)
        options.set_hard_pending_compaction_bytes_limit(0)
        options.set_max_background_jobs(2)
        options.set_bytes_per_sync(MB)
        options.set_skip_stats_update_on_db_open(True)
        options.set_keep_log_file_num(2)
        return options


ROCKS = Rocks()
