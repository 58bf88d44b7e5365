"""
The shard's local store: RocksDB, written only after the Kafka transaction committed (design D5).

It follows `case.state` and is never ahead of it: each WriteBatch carries the changelog offset that it
reflects, so a crash in between replays the tail and nothing is guessed. Restoring parses nothing: a state
value begins with a fixed prefix, format (1 byte) and the next due time (8 bytes, big-endian
milliseconds, 0 = none); what follows belongs to `workflows.case`.

Keys: `c<case id>` state value, `r<case id>` the request's body, `d<due 8 bytes><case id>` the due index
(one entry per case, its earliest), `m…` what the store knows of itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from msgspec import json

from adapters.clock import Clock
from router.engine.table import ROCKS, Disk, Table, TableInUse

FORMAT = 1
PREFIX = Struct(">BQ")
DUE = Struct(">Q")
SHARD_KEY = b"_shard"
REQUEST_SUFFIX = b"/request"
STALE_SECONDS = 3 * 24 * 3600


class NewerFormat(Exception):
    """The state was written by a newer release: this one must not touch it."""


@dataclass
class Meta:
    """What the store knows of itself: which log it follows, up to where (next offset), and when it last did."""

    log: str
    changelog: int = 0
    written_at: float = 0.0


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

    Raises TableInUse."""

    def __init__(self, folder: Path, log_id: str, clock: Clock | None = None, disk: Disk = ROCKS) -> None:
        self._folder, self._log_id, self._clock, self._disk = folder, log_id, clock or Clock(), disk
        self.origin = "new"
        self._table, self.meta = self._open()
        self._cursor = 0

    def _open(self) -> tuple[Table, Meta]:
        """The store as it stands, or an empty one where it is missing, foreign, unreadable or too old."""
        if self._disk.exists(self._folder):
            table = None
            try:
                table = self._disk.open(self._folder)
                meta = json.decode(table.get(b"mmeta") or b"null", type=Meta | None)
                self.origin = self._judge(meta)
                if meta is not None and self.origin == "kept":
                    return table, meta
            except TableInUse:
                raise
            except Exception as error:
                # a damaged store is not worth saving: the changelog has everything
                self.origin = f"unreadable ({type(error).__name__})"
            if table is not None:
                table.close()
            self._disk.remove(self._folder)
        return self._empty()

    def _empty(self) -> tuple[Table, Meta]:
        return self._disk.open(self._folder), Meta(log=self._log_id, written_at=self._clock.wall())

    def begin_anew(self, why: str) -> None:
        """Throw everything away: the changelog has it all."""
        self._table.close()
        self._disk.remove(self._folder)
        self._table, self.meta = self._empty()
        self.origin, self._cursor = why, 0

    def _judge(self, meta: Meta | None) -> str:
        if meta is None:
            return "empty"
        if meta.log != self._log_id:
            return "foreign"
        return "stale" if self._clock.wall() - meta.written_at > STALE_SECONDS else "kept"

    def close(self) -> None:
        self._table.close()

    # -- reading --

    def state(self, case: bytes) -> bytes | None:
        """The state value of a case, prefix included."""
        return self._table.get(b"c" + case)

    def request(self, case: bytes) -> bytes | None:
        return self._table.get(b"r" + case)

    def shard(self) -> bytes | None:
        """The last `_shard` record."""
        return self._table.get(b"mshard")

    def due(self, now: int, limit: int) -> list[bytes]:
        """Up to `limit` cases whose earliest due is not after `now`, earliest first."""
        found: list[bytes] = []
        for key in self._table.keys_from(b"d" + DUE.pack(self._cursor)):
            if len(found) >= limit or key[:1] != b"d" or DUE.unpack_from(key, 1)[0] > now:
                break
            found.append(key[9:])
        return found

    def next_due(self) -> int:
        """
        The earliest due of all cases in milliseconds, 0 for none.

        Scans start at a cursor, not at the first key: fired entries leave tombstones behind that would be
        walked over again and again. Nothing lies before it; `apply` lowers it when something earlier comes.
        """
        for key in self._table.keys_from(b"d" + DUE.pack(self._cursor)):
            if key[:1] != b"d":
                break
            self._cursor = int(DUE.unpack_from(key, 1)[0])
            return self._cursor
        return 0

    # -- writing --

    def apply(self, records: Iterable[tuple[bytes, bytes | None]], changelog: int) -> None:
        """Take over committed records of `case.state` up to the offset `changelog`, in one batch."""
        changes: list[tuple[bytes, bytes | None]] = []
        moved: dict[bytes, bytes | None] = {}
        for key, value in records:
            if key == SHARD_KEY:
                if value is not None:
                    changes.append((b"mshard", value))
            elif key.endswith(REQUEST_SUFFIX):
                changes.append((b"r" + key[: -len(REQUEST_SUFFIX)], value))
            else:
                moved[key] = value
        for case, value in moved.items():
            changes += self._move(case, value)
        self.meta.changelog, self.meta.written_at = changelog, self._clock.wall()
        self._table.write([*changes, (b"mmeta", json.encode(self.meta))])

    def _move(self, case: bytes, value: bytes | None) -> list[tuple[bytes, bytes | None]]:
        """The case's new value, and its place in the due index."""
        before = self.state(case)
        old, new = due_of(before) if before else 0, due_of(value) if value else 0
        changes: list[tuple[bytes, bytes | None]] = [(b"c" + case, value)]
        if old and old != new:
            changes.append((b"d" + DUE.pack(old) + case, None))
        if new and old != new:
            changes.append((b"d" + DUE.pack(new) + case, b""))
            self._cursor = min(self._cursor, new)
        return changes
