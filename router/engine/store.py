"""
The shard's local store: RocksDB, written only after the Kafka transaction committed (design D5).

It follows `case.state` and is never ahead of it: each WriteBatch carries the changelog offset that it
reflects, so a crash in between replays the tail and nothing is guessed. Restoring parses nothing: a state
value begins with a fixed prefix, format (1 byte) and the next due time (8 bytes, big-endian
milliseconds, 0 = none); what follows belongs to `workflows.case`.

Keys: `c<case id>` state value, `r<case id>` the request's body, `d<due 8 bytes><case id>` the due index
(one entry per case, its earliest), `m…` what the store knows of itself.
"""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

from msgspec import json
from rocksdict import Options, Rdict, WriteBatch

FORMAT = 1
PREFIX = Struct(">BQ")
DUE = Struct(">Q")
SHARD_KEY = b"_shard"
REQUEST_SUFFIX = b"/request"
STALE_SECONDS = 3 * 24 * 3600


class NewerFormat(Exception):
    """The state was written by a newer release: this one must not touch it."""


class StoreInUse(Exception):
    """Another engine has this folder open: two of them share a state directory and DUOKUA_INSTANCE, or one still leaves."""


@dataclass
class Meta:
    """What the store knows of itself: which log it follows, up to where (next offset), and when it last did."""

    log: str
    changelog: int = 0
    written_at: float = field(default_factory=time.time)


def state_value(next_due: int, body: bytes) -> bytes:
    """A value of `case.state`."""
    return PREFIX.pack(FORMAT, next_due) + body


def body_of(value: bytes) -> bytes:
    if value[0] > FORMAT:
        raise NewerFormat(value[0])
    return value[PREFIX.size :]


def due_of(value: bytes) -> int:
    return int(PREFIX.unpack_from(value)[1])


class Store:
    """One shard's folder. Opened at take-over, closed when the shard leaves. `origin` says what was found there.

    Raises StoreInUse."""

    def __init__(self, folder: Path, log_id: str) -> None:
        self._folder, self._log_id = folder, log_id
        self.origin = "new"
        self._db, self.meta = self._open()
        self._cursor = 0

    def _open(self) -> tuple[Rdict, Meta]:
        """The store as it stands, or an empty one where it is missing, foreign, unreadable or too old."""
        if self._folder.exists():
            db = None
            try:
                db = self._connect()
                meta = json.decode(db.get(b"mmeta") or b"null", type=Meta | None)
                self.origin = self._judge(meta)
                if meta is not None and self.origin == "kept":
                    return db, meta
            except StoreInUse:
                raise
            except Exception as error:
                # a damaged store is not worth saving: the changelog has everything
                self.origin = f"unreadable ({type(error).__name__})"
            if db is not None:
                db.close()
            shutil.rmtree(self._folder, ignore_errors=True)
        return self._empty()

    def _empty(self) -> tuple[Rdict, Meta]:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        return self._connect(), Meta(log=self._log_id)

    def begin_anew(self, why: str) -> None:
        """Throw everything away: the changelog has it all."""
        self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._db, self.meta = self._empty()
        self.origin, self._cursor = why, 0

    def _judge(self, meta: Meta | None) -> str:
        if meta is None:
            return "empty"
        if meta.log != self._log_id:
            return "foreign"
        return "stale" if time.time() - meta.written_at > STALE_SECONDS else "kept"

    def _connect(self) -> Rdict:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_keep_log_file_num(2)
        try:
            return Rdict(str(self._folder), options)
        except Exception as error:
            # RocksDB tells it by the text alone. Whoever holds the lock writes there: nothing may be deleted under it
            if "/LOCK: " in str(error):
                raise StoreInUse from error
            raise

    def close(self) -> None:
        self._db.close()

    # -- reading --

    def state(self, case: bytes) -> bytes | None:
        """The state value of a case, prefix included."""
        value: bytes | None = self._db.get(b"c" + case)
        return value

    def request(self, case: bytes) -> bytes | None:
        value: bytes | None = self._db.get(b"r" + case)
        return value

    def shard(self) -> bytes | None:
        """The last `_shard` record."""
        value: bytes | None = self._db.get(b"mshard")
        return value

    def due(self, now: int, limit: int) -> list[bytes]:
        """
        Up to `limit` cases whose earliest due is not after `now`, earliest first.

        The scan starts at a cursor, not at the first key: fired entries leave tombstones behind
        that would be walked over again and again.
        """
        found: list[bytes] = []
        it = self._db.iter()
        it.seek(b"d" + DUE.pack(self._cursor))
        while it.valid() and len(found) < limit:
            key = it.key()
            if key[:1] != b"d" or DUE.unpack_from(key, 1)[0] > now:
                break
            found.append(key[9:])
            it.next()
        return found

    def next_due(self) -> int:
        """The earliest due of all cases in milliseconds, 0 for none."""
        it = self._db.iter()
        it.seek(b"d" + DUE.pack(self._cursor))
        if it.valid() and (key := it.key())[:1] == b"d":
            due: int = DUE.unpack_from(key, 1)[0]
            # nothing lies before it, so later scans may start here; `apply` lowers the cursor when something earlier comes
            self._cursor = due
            return due
        return 0

    # -- writing --

    def apply(self, records: Iterable[tuple[bytes, bytes | None]], changelog: int) -> None:
        """Take over committed records of `case.state` up to the offset `changelog`, in one batch."""
        batch, moved = WriteBatch(raw_mode=True), {}
        for key, value in records:
            if key == SHARD_KEY:
                if value is not None:
                    batch.put(b"mshard", value)
            elif key.endswith(REQUEST_SUFFIX):
                self._put(batch, b"r" + key[: -len(REQUEST_SUFFIX)], value)
            else:
                moved[key] = value
        for case, value in moved.items():
            self._move(batch, case, value)
        self.meta.changelog, self.meta.written_at = changelog, time.time()
        batch.put(b"mmeta", json.encode(self.meta))
        self._db.write(batch)

    @staticmethod
    def _put(batch: WriteBatch, key: bytes, value: bytes | None) -> None:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value)

    def _move(self, batch: WriteBatch, case: bytes, value: bytes | None) -> None:
        before = self.state(case)
        old, new = due_of(before) if before else 0, due_of(value) if value else 0
        if old and old != new:
            batch.delete(b"d" + DUE.pack(old) + case)
        if new and old != new:
            batch.put(b"d" + DUE.pack(new) + case, b"")
            self._cursor = min(self._cursor, new)
        self._put(batch, b"c" + case, value)
