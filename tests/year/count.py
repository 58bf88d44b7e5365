"""All that was said and happened, from the topics into SQLite, and counted there: beside the product, by SQL of our own."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import TopicPartition

from adapters.kafka.log import KafkaLog
from router.operate.topics import Topics
from schemas.times import parse
from tests.year.happened import missing
from tests.year.hours import Hours
from tests.year.recount import Recount
from workflows import events
from workflows.attribution import attribute, happened
from workflows.calendars import Calendar
from workflows.rates import rates

HERE = Path(__file__).parent
CHECKS = ("dues", "marks", "ledger", "told")
"""Each a query over the tables: a row for whatever is looked at, and in `wrong` what is wrong with it."""
WRITTEN = ("request", "body", "attachments")
"""What applicants and units wrote: not counted."""
TABLES = """
CREATE TABLE events (case_id TEXT, version INT, at INT, number INT, type TEXT, body TEXT);
CREATE TABLE records (case_id TEXT, version INT, at INT, cause TEXT, refused INT, raw BLOB);
CREATE TABLE commands (id TEXT, name TEXT);
CREATE TABLE answers (case_id TEXT, version INT, status TEXT, promised INT, before INT, reason TEXT);
CREATE TABLE ledger (case_id TEXT PRIMARY KEY, whole INT, shares INT);
"""
INDEXES = """
CREATE INDEX by_case ON events (case_id, type);
CREATE INDEX by_version ON records (case_id, version);
CREATE INDEX by_cause ON records (cause);
CREATE INDEX by_answer ON answers (case_id, version);
"""


@dataclass
class Counted:
    """What came of it. done: how often something was said and not refused, or happened."""

    counts: "Counter[str]" = field(default_factory=Counter)
    wrong: list[tuple[str, str, str, object]] = field(default_factory=list)
    checked: "Counter[str]" = field(default_factory=Counter)
    done: "Counter[str]" = field(default_factory=Counter)
    refused: "Counter[str]" = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    cases: int = 0
    open: int = 0
    latest: int = 0
    by_product: dict[str, int] = field(default_factory=dict)
    by_sql: dict[str, int] = field(default_factory=dict)


class _Named(msgspec.Struct):
    """A command as far as its name goes."""

    kind: str
    id: str
    action: str = ""
    what: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind} {self.action or self.what}".strip()


_named = msgspec.json.Decoder(_Named).decode


class _Answer(msgspec.Struct):
    """What a channel was told of a case."""

    case_id: str | None = None
    status: str = "receipt"
    promised_due: str | None = None
    promised_before: str | None = None
    reason: str | None = None


_answer = msgspec.json.Decoder(_Answer).decode


async def count(
    log: KafkaLog, topics: Topics, channels: Iterable[str], folder: Path, grace: int, now: int, calendar: Calendar,
    closed: date | None,
) -> Counted:  # fmt: skip
    """Everything that lies on the topics. calendar: of the province, as it is now. closed: the single day of its notice."""
    base = opened(folder / "year.sqlite")
    recount = Recount(grace)
    shards = range(topics.shards)
    async for record in _read(log, [TopicPartition(topics.commands, p) for p in shards]):
        command = _named(record.value)
        base.execute("INSERT INTO commands VALUES (?, ?)", (command.id, command.name))
    async for record in _read(log, [TopicPartition(topics.answers(channel), 0) for channel in channels]):
        hear(base, record.value, next((int(value) for key, value in record.headers if key == "ce_caseversion"), 0))
    async for record in _read(log, [TopicPartition(topics.events, p) for p in shards]):
        recount.take(keep(base, record.value))
    recount.end(now)
    counted = Counted(counts=recount.counts, wrong=list(recount.wrong), open=recount.open, latest=recount.latest)
    weigh(base, counted, calendar, now, Hours(closed).passed)
    base.commit()
    base.close()
    return counted


def opened(path: Path | str) -> sqlite3.Connection:
    """An empty database."""
    base = sqlite3.connect(path)
    base.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA mmap_size = 8000000000;" + TABLES)
    return base


def keep(base: sqlite3.Connection, value: bytes) -> events.EventRecord:
    """A record of `case.events` into the tables."""
    record = events.decode(value)
    base.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", _rows(record))
    refused = any(isinstance(event, events.CommandRefused) for event in record.events)
    row = (record.case, record.version, record.at, record.cause, refused, value)
    base.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", row)
    return record


def hear(base: sqlite3.Connection, value: bytes, version: int) -> None:
    """What left for a channel into the tables; a receipt of what became no case names none."""
    said = _answer(value)
    if said.case_id is not None:
        promised, before = (text and (parse(text) or 0) // 1000 for text in (said.promised_due, said.promised_before))
        row = (said.case_id, version, said.status, promised, before, said.reason)
        base.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)


def weigh(
    base: sqlite3.Connection, counted: Counted, calendar: Calendar, now: int, passed: Callable[[int], int]
) -> None:
    """All that is counted from the tables. calendar: the product's; passed: office time up to an instant, counted apart."""
    base.executescript(INDEXES)
    (counted.cases,) = base.execute("SELECT COUNT(DISTINCT case_id) FROM records").fetchone()
    counted.by_product, counted.by_sql = by_product(_records(base)), by_sql(base)
    _charge(base, calendar, now)
    base.create_function("passed", 1, passed, deterministic=True)
    for check in CHECKS:
        _check(base, check, calendar.id.partition("@")[0], counted)
    _done(base, counted)


async def _read(log: KafkaLog, partitions: list[TopicPartition]) -> AsyncIterator[Any]:
    async with log.reader(partitions=partitions) as reader:
        ends = await reader.end_offsets(partitions)
        while [tp for tp in partitions if await reader.position(tp) < ends[tp]]:
            for records in (await reader.getmany(timeout_ms=200, max_records=5000)).values():
                for record in records:
                    yield record


def _records(base: sqlite3.Connection) -> Iterator[events.EventRecord]:
    """Case after case, each in its order."""
    for (raw,) in base.execute("SELECT raw FROM records ORDER BY case_id, version"):
        yield events.decode(raw)


def _rows(record: events.EventRecord) -> list[tuple[str, int, int, int, str, str]]:
    """Events as a database gets them: their JSON, without what applicants wrote."""
    rows = []
    for number, event in enumerate(record.events):
        said = {name: getattr(event, name) for name in event.__struct_fields__ if name not in WRITTEN}
        body = {name: value for name, value in said.items() if value is not msgspec.UNSET}
        text = msgspec.json.encode(body).decode()
        rows.append((record.case, record.version, record.at, number, type(event).__name__, text))
    return rows


# -- by the product --------------------------------------------------------------------------------


def by_product(records: Iterator[events.EventRecord]) -> dict[str, int]:
    """The three rates as the product has them, numerators and denominators."""
    told = rates(records)
    return {
        "answered": told.answered,
        "in_time": told.in_time.counted, "in_time_of": told.in_time.of,
        "contacted": told.contacted.counted, "solved": told.solved.counted, "reached": told.solved.of,
        "called": told.called,
        "satisfied": told.satisfied.counted, "satisfied_of": told.satisfied.of,
    }  # fmt: skip


def _charge(base: sqlite3.Connection, calendar: Calendar, now: int) -> None:
    """The ledger of each case, added up."""
    for case, records in groupby(_records(base), key=lambda record: record.case):
        ledger = attribute(happened(records), calendar, now)
        if ledger is not None:
            shares = sum(share.time for share in ledger.shares)
            base.execute("INSERT INTO ledger VALUES (?, ?, ?)", (case, ledger.whole, shares))


# -- by SQL ----------------------------------------------------------------------------------------


def by_sql(base: sqlite3.Connection) -> dict[str, int]:
    """The same rates over the table of events."""
    row = base.execute(_query("rates"))
    return dict(zip([column[0] for column in row.description], row.fetchone(), strict=True))


def _check(base: sqlite3.Connection, check: str, calendar: str, counted: Counted) -> None:
    counted.checked[check] += 0  # one that finds no rows says so
    for case, clock, what, wrong in base.execute(_query(check), {"calendar": calendar}):
        counted.checked[check] += 1
        if wrong:
            counted.wrong.append((f"{check}: {wrong}", case, clock, what))


def _done(base: sqlite3.Connection, counted: Counted) -> None:
    for name, said, refused in base.execute(_query("done")):
        counted.done[name] = said - refused
        counted.refused[name] = refused
    counted.done.update(dict(base.execute("SELECT type, COUNT(*) FROM events GROUP BY type")))
    counted.missing = missing(name for name, n in counted.done.items() if n)


def _query(name: str) -> str:
    return (HERE / f"{name}.sql").read_text("utf-8")
