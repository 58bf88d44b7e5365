"""A year: brokers and roles up, the town talks, its cases come to their end, and all is counted again."""

import asyncio
import heapq
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import TopicPartition
from msgspec.structs import replace

from adapters.clock import BEIJING, Clock
from adapters.kafka.log import KafkaLog
from bench.sample import Sample
from router.catalogue.load import load
from router.catalogue.publish import publish
from router.operate.settings import CHECKOUT
from router.operate.topics import Topics
from schemas.times import parse
from tests.chaos.cluster import Cluster
from tests.chaos.evidence import STEPS, Evidence
from tests.chaos.house import House
from tests.year.offices import Offices, Spoken
from tests.year.recount import Recount
from tests.year.town import Said, evaluation, instants, requests
from workflows import events
from workflows.rates import rates
from workflows.workdays import DAY

FIRST = datetime(2026, 1, 1, tzinfo=BEIJING)
PREFIX, SHARDS, ENGINES = "year.", 4, 2
UP_WITHIN = 180.0
GRACE_SECONDS = 15.0
"""Seconds of the wall, as business time, that a mark may fire after its instant: the machine is shared, the clock is not."""
TELL = 10.0


@dataclass(frozen=True)
class Wanted:
    """minutes: of the wall, for the days of calls. after: days after the last call in which what is open may end."""

    cases: int
    days: int
    minutes: float
    seed: int
    folder: Path
    after: int = 60


@dataclass
class Found:
    """What came of it."""

    counts: "Counter[str]" = field(default_factory=Counter)
    wrong: list[tuple[str, str, str, int]] = field(default_factory=list)
    sent: int = 0
    cases: int = 0
    open: int = 0
    latest: int = 0
    exits: "Counter[str]" = field(default_factory=Counter)
    behind: dict[str, int] = field(default_factory=dict)
    by_product: dict[str, int] = field(default_factory=dict)
    by_sql: dict[str, int] = field(default_factory=dict)
    """the three rates, counted twice"""

    @property
    def passed(self) -> bool:
        """Whether every mark fired once, and everything came to rest."""
        rest = not any(self.behind.values())
        return not self.wrong and rest and self.cases > 0 and self.by_product == self.by_sql


async def run(wanted: Wanted, tell: Callable[[str], None]) -> Found:
    """Raises KafkaFault where the broker does not come up."""
    cluster, logs = Cluster(wanted.folder / "kafka", 1, dict(os.environ)), wanted.folder / "logs"
    logs.mkdir(parents=True)
    house, found = House(logs), Found()
    try:
        await asyncio.to_thread(cluster.start)
        log, topics = KafkaLog(cluster.bootstrap), Topics(PREFIX, SHARDS)
        catalogue = load(CHECKOUT / "catalog")
        await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
        await publish(log, topics, catalogue.files, by="year")
        speed = wanted.days * DAY / 1000 / (wanted.minutes * 60)
        epoch = wanted.folder / "epoch"
        setting = f"{FIRST.isoformat()},@{epoch},{speed}"
        await _open(house, _env(cluster.bootstrap, wanted.folder, setting))
        await asyncio.sleep(20)  # all are members of their groups
        epoch.with_suffix(".new").write_text(f"{time.time():.3f}")
        epoch.with_suffix(".new").rename(epoch)
        clock = Clock.from_text(setting)
        tell(f"a day is {86400 / speed:.2f} s, the grace {timedelta(seconds=GRACE_SECONDS * speed)}")
        evidence = Evidence(log, topics, None)  # type: ignore[arg-type]
        await evidence.look()
        found.sent = await _talk(log, topics, catalogue, clock, wanted, evidence, tell)
        await _rest(house, evidence, found, tell)
        now = clock.now()
        found.exits = house.exits
        await _count(log, topics, wanted.folder, found, int(GRACE_SECONDS * speed * 1000), now)
    finally:
        await house.close()
        cluster.stop()
    return found


def _env(bootstrap: str, folder: Path, clock: str) -> dict[str, str]:
    return {
        "DUOKUA_BOOTSTRAP": bootstrap,
        "DUOKUA_PREFIX": PREFIX,
        "DUOKUA_SHARDS": str(SHARDS),
        "DUOKUA_ENVIRONMENT": "trial",
        "DUOKUA_CLOCK": clock,
        "DUOKUA_STATE_DIR": str(folder / "state"),
        "DUOKUA_STATE_MEMORY_MB": "64",
        "DUOKUA_LOG_FORMAT": "json",
        "DUOKUA_CATALOG": str(CHECKOUT / "catalog"),
    }


async def _open(house: House, env: Mapping[str, str]) -> None:
    for number in range(1, ENGINES + 1):
        await house.start("engine", str(number), env)
    for role in ("intake", "delivery", "simulator", "auditor"):
        await house.start(role, "1", env)


# -- the town ------------------------------------------------------------------------------------


async def _talk(
    log: KafkaLog, topics: Topics, catalogue: Any, clock: Clock, wanted: Wanted, evidence: Evidence,
    tell: Callable[[str], None],
) -> int:  # fmt: skip
    """Send what town and offices say when its time has come; returns how many records."""
    sample = Sample(catalogue, int(FIRST.timestamp() * 1000), wanted.seed)
    row = requests(sample, instants(FIRST, wanted.days, wanted.cases, wanted.seed), wanted.seed)
    offices = Offices(catalogue.facts(), wanted.seed)
    until = int((FIRST + timedelta(days=wanted.days + wanted.after)).timestamp() * 1000)
    heard = [tp for tp in evidence.partitions if topics.short(tp.topic).startswith(("answers.", "tasks."))]
    heap: list[Said | Spoken] = []
    ahead, sent, told = next(row, None), 0, time.monotonic()
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(log.writer())
        reader = await stack.enter_async_context(log.reader(partitions=heard))
        while (now := clock.now()) < until:
            while ahead is not None and ahead.at <= now:
                heapq.heappush(heap, ahead)
                ahead = next(row, None)
            before = sent
            while heap and heap[0].at <= now:
                said = heapq.heappop(heap)
                if isinstance(said, Said):
                    writer.add(topics.intake(said.channel), 0, said.ref.encode(), said.value)
                else:
                    writer.add(topics.replies(said.endpoint), 0, said.case.encode(), said.value)
                sent += 1
            if sent > before:
                await writer.flush()
            for tp, records in (await reader.getmany(timeout_ms=50)).items():
                for later in _replies(topics.short(tp.topic), records, offices, wanted.seed):
                    heapq.heappush(heap, later)
            if time.monotonic() - told > TELL:
                told = time.monotonic()
                lag = {name: await evidence.lag(name, what) for name, what in STEPS}
                tell(f"{datetime.fromtimestamp(now / 1000, BEIJING):%Y-%m-%d}: {sent} sent, behind {lag}")
    return sent


def _replies(topic: str, records: Sequence[Any], offices: Offices, seed: int) -> Iterator[Said | Spoken]:
    """What people will say because of what they were told."""
    family, _, name = topic.partition(".")
    for record in records:
        headers = {key: value.decode("utf-8", "replace") for key, value in record.headers}
        at = parse(headers.get("ce_time", "")) or 0
        if family == "tasks":
            yield from offices.hear(name, headers, record.value, at)
        elif (later := evaluation(name, headers, record.key.decode(), at, seed)) is not None:
            yield later


# -- rest and recount --------------------------------------------------------------------------------


async def _rest(house: House, evidence: Evidence, found: Found, tell: Callable[[str], None]) -> None:
    """Stop in the direction of the flow, so that nothing is under way when it is counted."""
    await house.stop(*house.of("simulator"), *house.of("auditor"))
    for name, what in STEPS:
        for _ in range(60):
            found.behind[name] = await evidence.lag(name, what)
            if not found.behind[name]:
                break
            tell(f"{name} is {found.behind[name]} behind")
            await asyncio.sleep(2)
        await house.stop(*house.of(name))


async def _count(log: KafkaLog, topics: Topics, folder: Path, found: Found, grace: int, now: int) -> None:
    recount = Recount(grace)
    partitions = [TopicPartition(topics.events, p) for p in range(SHARDS)]
    base = sqlite3.connect(folder / "year.sqlite")
    base.execute("CREATE TABLE events (case_id TEXT, version INT, at INT, number INT, type TEXT, body TEXT)")
    base.execute("CREATE INDEX by_case ON events (case_id, type)")
    cases: set[str] = set()
    history: list[events.EventRecord] = []
    async with log.reader(partitions=partitions) as reader:
        ends = await reader.end_offsets(partitions)
        while [tp for tp in partitions if await reader.position(tp) < ends[tp]]:
            for records in (await reader.getmany(timeout_ms=200, max_records=5000)).values():
                for record in records:
                    kept = events.decode(record.value)
                    cases.add(kept.case)
                    recount.take(kept)
                    base.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", _rows(kept))
                    history.append(_without_request(kept))
    base.commit()
    found.by_product, found.by_sql = by_product(history), by_sql(base)
    base.close()
    recount.end(now)
    found.counts, found.wrong, found.cases = recount.counts, recount.wrong, len(cases)
    found.open, found.latest = recount.open, recount.latest


def _without_request(record: events.EventRecord) -> events.EventRecord:
    """A year of requests need not be in memory."""
    first = record.events[0]
    if not isinstance(first, events.CaseRegistered):
        return record
    return replace(record, events=(replace(first, request=msgspec.Raw(b"{}")), *record.events[1:]))


def by_product(records: Iterable[events.EventRecord]) -> dict[str, int]:
    """The three rates as the product has them, numerators and denominators."""
    told = rates(records)
    return {
        "answered": told.answered,
        "in_time": told.in_time.counted, "in_time_of": told.in_time.of,
        "contacted": told.contacted.counted, "solved": told.solved.counted, "reached": told.solved.of,
        "called": told.called,
        "satisfied": told.satisfied.counted, "satisfied_of": told.satisfied.of,
    }  # fmt: skip


def by_sql(base: sqlite3.Connection) -> dict[str, int]:
    """The same by SQL over the table of events."""
    row = base.execute((Path(__file__).parent / "rates.sql").read_text("utf-8"))
    return dict(zip([column[0] for column in row.description], row.fetchone(), strict=True))


def _rows(record: events.EventRecord) -> list[tuple[str, int, int, int, str, str]]:
    """Events as a database gets them: their JSON, without the applicant's request."""
    rows = []
    for number, event in enumerate(record.events):
        body = {name: getattr(event, name) for name in event.__struct_fields__ if name not in ("request", "body")}
        name = type(event).__name__
        rows.append((record.case, record.version, record.at, number, name, _json(body)))
    return rows


def _json(body: object) -> str:
    return msgspec.json.encode(body).decode()
