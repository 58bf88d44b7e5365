"""
The shard's local store: RocksDB, written only after the Kafka transaction committed (design D5).

It follows `case.state` and is never ahead of it: each WriteBatch carries the changelog offset that it
reflects, so a crash in between replays the tail and nothing is guessed. Restoring parses nothing: a state
value begins with a fixed prefix, format (1 byte) and the next due time (8 bytes, big-endian
milliseconds, 0 = none); what follows belongs to `workflows.case`.

Keys: `c<case id>` state value, `r<case id>` the request's body, `d<due 8 bytes><case id>` the due index
(one entry per case, its earliest), `p<case id>` why the case is parked, `m…` what the store knows of itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from struct import Struct

from msgspec import json

from router.operate.table import ROCKS, Damaged, Disk, DiskRefuses, Table, TableInUse

FORMAT = 1
PREFIX = Struct(">BQ")
DUE = Struct(">Q")
SHARD_KEY = b"_shard"
REQUEST_SUFFIX = b"/request"
PARKED_SUFFIX = b"/parked"
NEVER = bytes(DUE.size)
"""A due, as it stands in a state value and in the index, that is none. Like this dues are in the order of their bytes."""
ASIDE = (REQUEST_SUFFIX, PARKED_SUFFIX)
STALE_SECONDS = 3 * 24 * 3600
INDEX_PAGE = 2_000
"""Entries of the due index written at a time in a full restore."""
READ_AHEAD = 20_000
"""Cases whose due is remembered from the look-up to the write."""

Changes = list[tuple[bytes, bytes | None]]


class NewerFormat(Exception):
    """The state was written by a newer release: this one must not touch it."""


@dataclass
class Meta:
    """
    What the store knows of itself: which log it follows, up to where (next offset), and since when it may lack something.

    written_at: when it was surely at the end of the log, by the broker's clock, in seconds since 1970. Of a restore of the end
    alone it learns nothing: what was deleted meanwhile may be forgotten there already, and a crash must not hide that.
    cursor: before this key the due index holds nothing. What fired leaves tombstones behind, and a scan from the
    first key would walk over all of them again and again, after a restart too.
    """

    log: str
    changelog: int = 0
    written_at: float = 0.0
    cursor: bytes = b"d"


def state_value(next_due: int, body: bytes) -> bytes:
    """A value of `case.state`."""
    return PREFIX.pack(FORMAT, next_due) + body


def body_of(value: bytes) -> bytes:
    if value[0] > FORMAT:
        raise NewerFormat(value[0])
    return value[PREFIX.size :]


def due_of(value: bytes) -> int:
    return int(PREFIX.unpack_from(value)[1])


def _place(key: bytes) -> bytes:
    """Where a key of the changelog lies in the table."""
    if key == SHARD_KEY:
        return b"mshard"
    if key.endswith(REQUEST_SUFFIX):
        return b"r" + key[: -len(REQUEST_SUFFIX)]
    if key.endswith(PARKED_SUFFIX):
        return b"p" + key[: -len(PARKED_SUFFIX)]
    return b"c" + key


def _due_in(value: bytes | None) -> bytes:
    return value[1 : PREFIX.size] if value else NEVER


class Store:
    """
    One shard's folder. Opened at take-over, closed when the shard leaves. `origin` says what was found there.

    Raises TableInUse and, wherever it reads or writes, DiskRefuses or Damaged. A store that was found damaged
    is removed when it is closed, so the next take-over builds it anew.
    """

    def __init__(self, folder: Path, log_id: str, disk: Disk = ROCKS) -> None:
        self._folder, self._log_id, self._disk = folder, log_id, disk
        self.origin = "new"
        self._damaged = False
        self._next: bytes | None = None
        self._dues: dict[bytes, bytes] = {}
        self._parked: dict[bytes, bytes] | None = None
        self._table, self.meta = self._open()

    def _open(self) -> tuple[Table, Meta]:
        """The store as it stands, or an empty one where it is missing, foreign or unreadable."""
        if self._disk.exists(self._folder):
            table = None
            try:
                table = self._disk.open(self._folder)
                meta = json.decode(table.get(b"mmeta") or b"null", type=Meta | None)
                self.origin = self._judge(meta)
                if meta is not None and self.origin == "kept":
                    return table, meta
            except (TableInUse, DiskRefuses):
                if table is not None:
                    table.close()
                raise
            except Exception as error:
                # a damaged store is not worth saving: the changelog has everything
                self.origin = f"unreadable ({type(error).__name__})"
            if table is not None:
                table.close()
            self._disk.remove(self._folder)
        return self._empty()

    def _empty(self) -> tuple[Table, Meta]:
        return self._disk.open(self._folder), Meta(log=self._log_id)

    def begin_anew(self, why: str) -> None:
        """Throw everything away: the changelog has it all."""
        self._table.close()
        self._disk.remove(self._folder)
        self._table, self.meta = self._empty()
        self.origin, self._next, self._dues, self._parked = why, None, {}, None

    def _judge(self, meta: Meta | None) -> str:
        if meta is None:
            return "empty"
        return "kept" if meta.log == self._log_id else "foreign"

    def is_stale(self, now: float) -> bool:
        """
        Whether it was left so long ago that the log may have forgotten what was deleted since. `now`: by the broker's clock,
        as no machine's own is right for certain. Only whoever just opened it may ask.
        """
        return self.origin == "kept" and now - self.meta.written_at > STALE_SECONDS

    def close(self) -> None:
        self._table.close()
        if self._damaged:
            self._disk.remove(self._folder)

    # -- reading --

    def state(self, case: bytes) -> bytes | None:
        """The state value of a case, prefix included."""
        value = self._get(b"c" + case)
        self._remember(((case, _due_in(value)),))
        return value

    def states(self, cases: Sequence[bytes]) -> list[bytes | None]:
        """`state` of each, looked up together for half the price."""
        with self._watched():
            values = self._table.get_all([b"c" + case for case in cases])
        self._remember(zip(cases, map(_due_in, values), strict=True))
        return values

    def after(self, case: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Up to `limit` cases beyond this one in the order of their keys, with their state values."""
        found: list[tuple[bytes, bytes]] = []
        with self._watched():
            for key, value in islice(self._table.items_from(b"c" + case + b"\0"), limit):
                if key[:1] != b"c":
                    break
                found.append((key[1:], value))
        self._remember((key, _due_in(value)) for key, value in found)
        return found

    def _remember(self, dues: Iterable[tuple[bytes, bytes]]) -> None:
        """When cases are due, for the write that may follow."""
        if len(self._dues) > READ_AHEAD:
            self._dues.clear()
        self._dues.update(dues)

    def request(self, case: bytes) -> bytes | None:
        return self._get(b"r" + case)

    def shard(self) -> bytes | None:
        """The last `_shard` record."""
        return self._get(b"mshard")

    @property
    def parked(self) -> dict[bytes, bytes]:
        """Cases whose commands are kept aside, and why; few, so they are held in memory and asked for each command."""
        if self._parked is None:
            self._parked = {}
            with self._watched():
                for key, value in self._table.items_from(b"p"):
                    if key[:1] != b"p":
                        break
                    self._parked[key[1:]] = body_of(value)
        return self._parked

    def due(self, now: int, limit: int) -> list[bytes]:
        """Up to `limit` cases whose earliest due is not after `now`, earliest first."""
        until = DUE.pack(now)
        if self._next is not None and not NEVER < self._next <= until:
            return []
        found: list[bytes] = []
        for key in islice(self._entries(), limit):
            if key[1:9] > until:
                break
            found.append(key[9:])
        return found

    def is_waiting(self, case: bytes, value: bytes) -> bool:
        """Whether the case, of this state value, stands in the index where a scan will come by."""
        entry = b"d" + _due_in(value) + case
        return entry >= self.meta.cursor and self._get(entry) is not None

    def next_due(self) -> int:
        """The earliest due of all cases in milliseconds, 0 for none."""
        if self._next is None:
            next(self._entries(), None)
        return int(DUE.unpack(self._next or NEVER)[0])

    def _entries(self) -> Iterator[bytes]:
        """The keys of the due index in order; on the way notes which is the first."""
        self._next = None
        with self._watched():
            for key in self._table.keys_from(self.meta.cursor):
                if key[:1] != b"d":
                    break
                if self._next is None:
                    self.meta.cursor, self._next = key, key[1:9]
                yield key
        if self._next is None:
            self._next = NEVER

    def _get(self, key: bytes) -> bytes | None:
        try:
            return self._table.get(key)
        except Damaged:
            self._damaged = True
            raise

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except Damaged:
            self._damaged = True
            raise

    # -- writing --

    def apply(self, records: Iterable[tuple[bytes, bytes | None]], changelog: int, now: float | None = None) -> None:
        """
        Take over committed records of `case.state` up to the offset `changelog`, in one batch. `now`: the broker's time, where
        nothing is missing before that offset.
        """
        changes: Changes = []
        moved: dict[bytes, bytes | None] = {}
        for key, value in records:
            if key.endswith(ASIDE):
                changes.append((_place(key), value))
                if key.endswith(PARKED_SUFFIX):
                    self._parked = None
            elif key != SHARD_KEY:
                moved[key] = value
            elif value is not None:
                changes.append((_place(key), value))
        for case, value in moved.items():
            changes.append((b"c" + case, value))
            self._move(case, _due_in(value), changes)
        self._dues.clear()
        self.meta.changelog = changelog
        if now is not None:
            self.meta.written_at = now
        changes.append((b"mmeta", json.encode(self.meta)))
        with self._watched():
            self._table.write(changes)

    def _move(self, case: bytes, new: bytes, changes: Changes) -> None:
        """The case's place in the due index."""
        if case not in self._dues:
            self.state(case)
        old = self._dues[case]
        if old == new:
            return
        if old != NEVER:
            changes.append((b"d" + old + case, None))
            if old == self._next:
                self._next = None
        if new != NEVER:
            entry = b"d" + new + case
            changes.append((entry, b""))
            if entry < self.meta.cursor:
                self.meta.cursor = entry
            if self._next is not None and (new < self._next or self._next == NEVER):
                self._next = new

    # -- a full restore --

    @property
    def is_empty(self) -> bool:
        """Whether everything is still to come from the changelog."""
        return self.meta.changelog == 0

    def load(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """
        A page of a full restore, into an empty store. Nothing is looked up, and nothing holds before `loaded`: a store
        that is left in between has no record of itself and is begun anew.
        """
        with self._watched():
            self._table.write(((_place(key), value) for key, value in records))

    def loaded(self, changelog: int, now: float | None = None) -> Iterator[int]:
        """
        End a full restore: build the due index in one pass over the cases. Gives the number of cases after each page.
        `now`: as of `apply`, the time of the last record.
        """
        count, page = 0, Changes()
        with self._watched():
            for key, value in self._table.items_from(b"c"):
                if key[:1] != b"c":
                    break
                count += 1
                if (due := _due_in(value)) != NEVER:
                    page.append((b"d" + due + key[1:], b""))
                if count % INDEX_PAGE == 0:
                    self._table.write(page)
                    page = Changes()
                    yield count
            self._table.write(page)
        self._next, self.meta.cursor, self._parked = None, b"d", None
        self.apply((), changelog, now)
        with self._watched():
            self._table.flush()
