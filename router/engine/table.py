"""
An ordered table of bytes on disk, and the place where such tables lie: what the store needs of RocksDB, and no more.

Writes are batches, each all or nothing. A killed process may lose the last of them but never a middle one; what is
lost comes back from the changelog. The simulation brings tables that lose on purpose (tests/simulation).
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from rocksdict import Options, Rdict, WriteBatch


class TableInUse(Exception):
    """Another engine has this folder open: two of them share a state directory and DUOKUA_INSTANCE, or one still leaves."""


class Table(Protocol):
    """Keys in byte order."""

    def get(self, key: bytes) -> bytes | None: ...
    def keys_from(self, key: bytes) -> Iterator[bytes]: ...
    def write(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None: ...
    def close(self) -> None: ...


class Disk(Protocol):
    """Where tables lie, by folder."""

    def exists(self, folder: Path) -> bool: ...
    def open(self, folder: Path) -> Table: ...
    def remove(self, folder: Path) -> None: ...


class RocksTable:
    """A folder of RocksDB, its keys and values taken as they are."""

    def __init__(self, db: Rdict) -> None:
        self._db = db
        self.get = db.get

    def keys_from(self, key: bytes) -> Iterator[bytes]:
        it = self._db.iter()
        it.seek(key)
        while it.valid():
            yield it.key()
            it.next()

    def write(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for key, value in changes:
            if value is None:
                delete(key)
            else:
                put(key, value)
        self._db.write(batch)

    def close(self) -> None:
        self._db.close()


class Rocks:
    """The machine's own disk."""

    def exists(self, folder: Path) -> bool:
        return folder.exists()

    def open(self, folder: Path) -> Table:
        """Open, or make anew. Raises TableInUse; anything else means that what lies there is damaged."""
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_keep_log_file_num(2)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            return RocksTable(Rdict(str(folder), options))
        except Exception as error:
            # RocksDB tells it by the text alone. Whoever holds the lock writes there: nothing may be deleted under it
            if "/LOCK: " in str(error):
                raise TableInUse from error
            raise

    def remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)


ROCKS = Rocks()
