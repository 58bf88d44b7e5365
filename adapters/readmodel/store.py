"""
The read model: written by the projector, read by `case show` and the console; the engine never reads it.

One batch is one transaction: the rows and the offsets they reflect. A batch that another projector
has already written is refused as a whole (`OffsetMoved`), so two projectors do no harm. Everything here
can be dropped and made anew from the log.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, and_, create_engine, delete, event, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from adapters.readmodel import tables as t
from adapters.readmodel.rows import CaseFile, CaseRow, ClockRow, DeliveryRow, Folded, LegRow, StepRow

__all__ = ["Batch", "OffsetMoved", "ReadModel", "ReadModelMissing"]

Row = TypeVar("Row")
Slot = tuple[str, int]
"""A topic and a partition."""

CHUNK = 400
"""Ids in one IN list: below the lowest bound of the databases in question."""


class OffsetMoved(Exception):
    """Another projector has written this stretch of the log: nothing was changed; read the offsets anew."""


class ReadModelMissing(Exception):
    """There is no read model at the address, or it cannot be reached. The text says where it was looked for."""


@dataclass
class Batch:
    """What one transaction writes. `offsets` gives for each slot where the batch begins and where the next one will."""

    folded: Folded = field(default_factory=Folded)
    timeline: list[StepRow] = field(default_factory=list)
    deliveries: list[DeliveryRow] = field(default_factory=list)
    offsets: dict[Slot, tuple[int, int]] = field(default_factory=dict)


class ReadModel:
    """A read model at an SQLAlchemy URL. Not thread-safe in `write`; one writer is enough."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    @classmethod
    def existing(cls, url: str) -> "ReadModel":
        """Open for reading. Raises ReadModelMissing when nobody has projected anything there yet."""
        parsed = make_url(url)
        place = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            raise ReadModelMissing(place)
        model = cls(url)
        if not model._is_prepared():
            model.close()
            raise ReadModelMissing(place)
        return model

    def _is_prepared(self) -> bool:
        try:
            return inspect(self._engine).has_table(t.ORIGIN.name) and self._origin() is not None
        except SQLAlchemyError:
            return False

    def prepare(self, log_id: str) -> bool:
        """Make the tables for this log. What another log or format left is dropped; returns whether that was so."""
        strange = inspect(self._engine).has_table(t.ORIGIN.name) and self._origin() != (t.FORMAT, log_id)
        if strange:
            self.drop()
        t.METADATA.create_all(self._engine)
        if self._origin() is None:
            with self._engine.begin() as db:
                db.execute(insert(t.ORIGIN).values(format=t.FORMAT, log_id=log_id))
        return strange

    def drop(self) -> None:
        """Forget everything; the next start projects the log from its beginning."""
        t.METADATA.drop_all(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def _origin(self) -> tuple[int, str] | None:
        with self._engine.connect() as db:
            row = db.execute(select(t.ORIGIN)).first()
        return (row[0], row[1]) if row else None

    # -- writing ------------------------------------------------------------------------------

    def offsets(self) -> dict[Slot, int]:
        """Where to go on reading, for each slot that was ever projected."""
        with self._engine.connect() as db:
            return {(topic, partition): upto for topic, partition, upto in db.execute(select(t.OFFSETS))}

    def load(self, cases: Iterable[str]) -> Folded:
        """The folded rows of these cases as they stand; a case that is not there is left out."""
        ids = list(cases)
        with self._engine.connect() as db:
            held = [list(_of_cases(db, table, ids)) for table in (t.CASES, t.LEGS, t.CLOCKS)]
        return Folded(
            {row[0]: CaseRow(*row) for row in held[0]},
            {row[:2]: LegRow(*row) for row in held[1]},
            {row[:3]: ClockRow(*row) for row in held[2]},
        )

    def write(self, batch: Batch) -> None:
        """Write a batch with its offsets, all or nothing. Raises OffsetMoved."""
        with self._engine.begin() as db:
            for slot, (first, following) in batch.offsets.items():
                _advance(db, slot, first, following)
            _replace_folded(db, batch.folded)
            _append(db, t.TIMELINE, batch.timeline)
            _append(db, t.DELIVERIES, batch.deliveries)

    def rewind(self, slot: Slot, offset: int) -> None:
        """Have a partition projected again from `offset` on (repair)."""
        with self._engine.begin() as db:
            db.execute(update(t.OFFSETS).where(_at(slot)).values(next_offset=offset))

    def note_delivered(self, upto: Mapping[int, int]) -> None:
        """Record how far delivery has acknowledged the outbox."""
        with self._engine.begin() as db:
            db.execute(delete(t.DELIVERED).where(t.DELIVERED.c.log_partition.in_(list(upto))))
            _insert(db, t.DELIVERED, [{"log_partition": p, "upto": o} for p, o in upto.items()])

    # -- reading ------------------------------------------------------------------------------

    def find(self, name: str) -> list[CaseRow]:
        """The cases that `name` may mean: a public number, or a case id."""
        meant = (t.CASES.c.case_number == name) | (t.CASES.c.case_id == name)
        with self._engine.connect() as db:
            return [CaseRow(*row) for row in db.execute(select(t.CASES).where(meant))]

    def find_ref(self, channel: str, ref: str) -> list[CaseRow]:
        """The case of a channel's own id."""
        meant = and_(t.CASES.c.channel == channel, t.CASES.c.channel_ref == ref)
        with self._engine.connect() as db:
            return [CaseRow(*row) for row in db.execute(select(t.CASES).where(meant))]

    def latest(self, state: str, limit: int) -> list[CaseRow]:
        """The cases received last, newest first; only those in `state` unless it is empty."""
        wanted = select(t.CASES).order_by(t.CASES.c.received_at.desc(), t.CASES.c.case_number.desc()).limit(limit)
        if state:
            wanted = wanted.where(t.CASES.c.case_state == state)
        with self._engine.connect() as db:
            return [CaseRow(*row) for row in db.execute(wanted)]

    def file(self, case: CaseRow) -> CaseFile:
        """Everything about one case, its timeline and deliveries in their order."""
        with self._engine.connect() as db:
            rows = {
                table: list(_of_cases(db, table, [case.case_id]))
                for table in (t.TIMELINE, t.LEGS, t.CLOCKS, t.DELIVERIES)
            }
            delivered = {row[0]: row[1] for row in db.execute(select(t.DELIVERED))}
        return CaseFile(
            case,
            [StepRow(*row) for row in sorted(rows[t.TIMELINE])],
            sorted((LegRow(*row) for row in rows[t.LEGS]), key=lambda leg: (leg.dispatched_at, leg.leg)),
            sorted((ClockRow(*row) for row in rows[t.CLOCKS]), key=lambda clock: (clock.anchor, clock.due, clock.kind)),
            [DeliveryRow(*row) for row in sorted(rows[t.DELIVERIES])],
            delivered,
        )


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    event.listen(engine, "connect", _tune_sqlite)
    event.listen(engine, "begin", lambda db: db.exec_driver_sql("BEGIN"))
    return engine


def _tune_sqlite(connection: Any, _: object) -> None:
    """Readers do not wait for the writer (WAL); begin and commit are SQLAlchemy's, not the driver's."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=10000")


def _of_cases(db: Connection, table: Table, cases: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for ids in _chunks(cases, CHUNK):
        yield from (tuple(row) for row in db.execute(select(table).where(table.c.case_id.in_(ids))))


def _at(slot: Slot) -> Any:
    return and_(t.OFFSETS.c.topic == slot[0], t.OFFSETS.c.log_partition == slot[1])


def _advance(db: Connection, slot: Slot, first: int, following: int) -> None:
    """Move a slot's offset on, if it is where the batch begins. The first of a transaction's writes: it takes the lock."""
    moved = db.execute(
        update(t.OFFSETS).where(_at(slot), t.OFFSETS.c.next_offset == first).values(next_offset=following)
    )
    if moved.rowcount == 1:
        return
    if db.execute(select(t.OFFSETS).where(_at(slot))).first() is not None:
        raise OffsetMoved(f"{slot[0]}/{slot[1]}")
    try:
        db.execute(insert(t.OFFSETS).values(topic=slot[0], log_partition=slot[1], next_offset=following))
    except IntegrityError as error:
        raise OffsetMoved(f"{slot[0]}/{slot[1]}") from error


def _replace_folded(db: Connection, folded: Folded) -> None:
    cases = list(folded.cases)
    for table, rows in ((t.CASES, folded.cases), (t.LEGS, folded.legs), (t.CLOCKS, folded.clocks)):
        for ids in _chunks(cases, CHUNK):
            db.execute(delete(table).where(table.c.case_id.in_(ids)))
        _insert(db, table, [_values(table, row) for row in rows.values()])


def _append(db: Connection, table: Table, rows: Sequence[StepRow] | Sequence[DeliveryRow]) -> None:
    """Append rows of the log; what a replayed stretch had written before is replaced."""
    stretches: dict[int, tuple[int, int]] = {}
    for row in rows:
        low, high = stretches.get(row.partition, (row.offset, row.offset))
        stretches[row.partition] = (min(low, row.offset), max(high, row.offset))
    for partition, (low, high) in stretches.items():
        db.execute(delete(table).where(table.c.log_partition == partition, table.c.log_offset.between(low, high)))
    _insert(db, table, [_values(table, row) for row in rows])


def _insert(db: Connection, table: Table, values: list[dict[str, Any]]) -> None:
    if values:
        db.execute(insert(table), values)


def _values(table: Table, row: Any) -> dict[str, Any]:
    """A row's fields stand in the order of its table's columns (a test holds the two together)."""
    return {column.name: getattr(row, f.name) for column, f in zip(table.columns, fields(row), strict=True)}


def _chunks(items: Iterable[Row], size: int) -> Iterator[list[Row]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
