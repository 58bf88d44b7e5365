"""
What the auditor keeps: the watched cases, when each is to be looked at, and where in the log it is, in one small RocksDB.

Offsets and cases are written in one batch, so a killed auditor goes on where its store says and counts nothing twice. A
replay of `case.events` from its beginning, which is kept for ever, would take longer with each year; a store that is
missing, damaged, of another log or another format is begun anew that way all the same.

Keys: `c<case>` a Watch, `d<partition 2 bytes><look 8 bytes><case>` the index of looks, `meta`.
"""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from struct import Struct as Packed
from typing import NamedTuple

from msgspec import Struct, json
from msgspec.structs import replace

from router.auditor.watch import Finding, Sweep, Watch, decode, encode, overdue, take
from router.operate.table import ROCKS, Damaged, Disk, Table
from workflows import events as ev

FORMAT = 1
LOOK = Packed(">HQ")
"""Partition and time: a shard that is away must not stand before the others."""


class Meta(Struct, kw_only=True):
    """
    offsets: the next of each partition. sweeps: how far each shard has come by itself. cases: how many are
    watched. waiting: of these, how many have something overdue that they were asked for.
    """

    log: str
    format: int = FORMAT
    offsets: dict[int, int] = {}
    sweeps: dict[int, Sweep] = {}
    cases: int = 0
    waiting: int = 0


class Read(NamedTuple):
    """What a batch came to."""

    findings: list[Finding]
    fired: int


class Overdue(NamedTuple):
    """Cases of which something is overdue, to be asked for; what was proved to be missed; whether there are more of a partition."""

    cases: list[tuple[str, Watch]]
    findings: list[Finding]
    more: bool


class AuditStore:
    """Blocking: called in a thread, one call at a time. Raises what a Table does; `grace` in business milliseconds."""

    def __init__(self, folder: Path, log_id: str, grace: int, disk: Disk = ROCKS) -> None:
        self._disk, self._folder, self._grace = disk, folder, grace
        self.begun_anew = False
        self._table, self.meta = self._open(log_id)

    def _open(self, log_id: str) -> tuple[Table, Meta]:
        if self._disk.exists(self._folder):
            table = self._disk.open(self._folder)
            try:
                meta = json.decode(table.get(b"meta") or b"null", type=Meta | None)
                if meta is not None and (meta.log, meta.format) == (log_id, FORMAT):
                    return table, meta
            except (Damaged, ValueError):
                pass
            table.close()
            self._disk.remove(self._folder)
        self.begun_anew = True
        return self._disk.open(self._folder), Meta(log=log_id)

    def take(self, partition: int, records: Iterable[ev.EventRecord], upto: int) -> Read:
        """Records of one partition in their order, up to the offset `upto`; in one write with it."""
        batch = list(records)
        names = list(dict.fromkeys(record.case.encode() for record in batch))
        stored = self._table.get_all([b"c" + name for name in names])
        old = {name: decode(value) if value else None for name, value in zip(names, stored, strict=True)}
        new, sweep, found, fired = dict(old), self.meta.sweeps.get(partition, Sweep()), list[Finding](), 0
        for record in batch:
            name = record.case.encode()
            taken = take(new[name], record, partition, sweep, self._grace)
            new[name], sweep = taken.watch, taken.sweep
            found += taken.findings
            fired += taken.fired
        self.meta.offsets[partition], self.meta.sweeps[partition] = upto, sweep
        self._write((name, old[name], new[name]) for name in names)
        return Read(found, fired)

    def overdue(self, now: int, partitions: Iterable[int], again: int, limit: int) -> Overdue:
        """
        What is overdue at `now` in these partitions, up to `limit` cases of each; those are looked at again after `again`.

        `cases` are to be repaired: they carry the id by which the record that comes of it will be known.
        """
        changed, found = [], list[Finding]()
        pages = [self._looks(partition, now, limit) for partition in partitions]
        for name, watch in chain.from_iterable(pages):
            sweep = self.meta.sweeps.get(watch.partition, Sweep())
            told, findings = overdue(watch, name.decode(), now, sweep, self._grace)
            found += findings
            changed.append((name, watch, replace(told, look=now + again)))
        self._write(changed)
        more = any(len(page) == limit for page in pages)
        return Overdue([(name.decode(), watch) for name, _, watch in changed], found, more)

    def passes_over(self, now: int, partitions: Iterable[int], limit: int) -> bool:
        """
        Whether something overdue at `now` in these partitions was not looked at since its last record. Where more than a
        page is overdue nobody goes through all of it to say no.
        """
        pages = (self._looks(partition, now, limit) for partition in partitions)
        return any(len(page) == limit or any(not watch.look for _, watch in page) for page in pages)

    def asked(self, cases: Iterable[tuple[str, Watch, str]]) -> None:
        """These were asked for, under these ids."""
        self._write([(case.encode(), watch, replace(watch, asked=name)) for case, watch, name in cases])

    def _looks(self, partition: int, now: int, limit: int) -> list[tuple[bytes, Watch]]:
        begin, until, found = b"d" + LOOK.pack(partition, 0), b"d" + LOOK.pack(partition, now), list[bytes]()
        for key in self._table.keys_from(begin):
            if key[: len(until)] > until or len(found) == limit:
                break
            found.append(key[len(until) :])
        values = self._table.get_all([b"c" + name for name in found])
        return [(name, decode(value)) for name, value in zip(found, values, strict=True) if value]

    def _write(self, changes: Iterable[tuple[bytes, Watch | None, Watch | None]]) -> None:
        rows: list[tuple[bytes, bytes | None]] = []
        for name, old, new in changes:
            if old == new:
                continue
            was, due = old.due(self._grace) if old else 0, new.due(self._grace) if new else 0
            if old and was and was != due:
                rows.append((b"d" + LOOK.pack(old.partition, was) + name, None))
            if new and due:
                rows.append((b"d" + LOOK.pack(new.partition, due) + name, b""))
            rows.append((b"c" + name, encode(new) if new else None))
            self.meta.cases += (new is not None) - (old is not None)
            self.meta.waiting += bool(new and new.look) - bool(old and old.look)
        self._table.write([*rows, (b"meta", json.encode(self.meta))])

    def flush(self) -> None:
        """What was written by now outlives a kill; what was not is read from the log again."""
        self._table.flush()

    def close(self) -> None:
        self._table.close()
