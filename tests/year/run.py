"""A year: brokers and roles up, the town talks, its cases come to their end, and all is counted again."""

import asyncio
import heapq
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from adapters.clock import BEIJING, Clock
from adapters.kafka.log import KafkaLog
from router.catalogue.catalogue import Catalogue
from router.catalogue.load import load
from router.catalogue.publish import publish
from router.operate.topics import Topics
from schemas.registry import CASE_OUTCOME
from schemas.times import parse
from tests.chaos.cluster import Cluster
from tests.chaos.evidence import STEPS, Evidence
from tests.chaos.house import House
from tests.year.catalogue import closed_on, of_the_year, with_the_notice
from tests.year.count import Counted, count
from tests.year.offices import Offices, Spoken
from tests.year.town import BAD, Said, Town, evaluation, instants
from workflows.workdays import DAY

FIRST = datetime(2026, 1, 1, tzinfo=BEIJING)
PREFIX, SHARDS, ENGINES = "year.", 4, 2
PROVINCE = "370000"
ASIDE = ("auditor", "similar")
GRACE_SECONDS = 15.0
"""Seconds of the wall, as business time, that a mark may fire after its instant: the machine is shared, the clock is not."""
TELL = 10.0
NOTICE_AFTER = 0.85
"""Of the days: when the calendar of the next year is published."""
WHOLE = 100_000
"""Cases from which on everything that can be said and happen must occur."""


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

    counted: Counted = field(default_factory=Counted)
    sent: int = 0
    exits: "Counter[str]" = field(default_factory=Counter)
    behind: dict[str, int] = field(default_factory=dict)
    whole: bool = False

    @property
    def passed(self) -> bool:
        """Whether every mark fired once, everything came to rest, both counts agree, and nothing was left untried or unlooked at."""
        rest, told = not any(self.behind.values()), self.counted
        tried = not self.whole or (not told.missing and all(told.checked.values()))
        return not told.wrong and rest and tried and told.cases > 0 and told.by_product == told.by_sql


async def run(wanted: Wanted, tell: Callable[[str], None]) -> Found:
    """Raises KafkaFault where the broker does not come up."""
    cluster, logs = Cluster(wanted.folder / "kafka", 1, dict(os.environ)), wanted.folder / "logs"
    logs.mkdir(parents=True)
    house, found = House(logs), Found(whole=wanted.cases >= WHOLE)
    try:
        await asyncio.to_thread(cluster.start)
        log, topics = KafkaLog(cluster.bootstrap), Topics(PREFIX, SHARDS)
        of_the_year(wanted.folder / "catalog")
        catalogue = load(wanted.folder / "catalog")
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
        notice = asyncio.create_task(_notice(log, topics, clock, wanted, tell))
        found.sent = await _talk(log, topics, catalogue, clock, wanted, evidence, tell)
        closed = await notice
        await _rest(house, evidence, found, tell)
        now = clock.now()
        found.exits = house.exits
        calendar = load(wanted.folder / "catalog").facts().calendar(PROVINCE)
        grace = int(GRACE_SECONDS * speed * 1000)
        found.counted = await count(log, topics, catalogue.channels, wanted.folder, grace, now, calendar, closed)
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
        "DUOKUA_CATALOG": str(folder / "catalog"),
    }


async def _open(house: House, env: Mapping[str, str]) -> None:
    for number in range(1, ENGINES + 1):
        await house.start("engine", str(number), env)
    for role in ("intake", "delivery", "simulator", *ASIDE):
        await house.start(role, "1", env)


async def _notice(log: KafkaLog, topics: Topics, clock: Clock, wanted: Wanted, tell: Callable[[str], None]) -> date:
    """When its time has come the next year's calendar is published; returns the single day it closes."""
    at = FIRST + timedelta(days=int(wanted.days * NOTICE_AFTER), hours=9)
    while clock.now() < at.timestamp() * 1000:
        await asyncio.sleep(0.2)
    closed = closed_on(at.date())
    await asyncio.to_thread(with_the_notice, wanted.folder / "catalog", closed)
    catalogue = await asyncio.to_thread(load, wanted.folder / "catalog")
    version = await publish(log, topics, catalogue.files, by="year")
    tell(f"calendars published: {version}")
    return closed


# -- the town ------------------------------------------------------------------------------------


async def _talk(
    log: KafkaLog, topics: Topics, catalogue: Catalogue, clock: Clock, wanted: Wanted, evidence: Evidence,
    tell: Callable[[str], None],
) -> int:  # fmt: skip
    """Send what town and offices say when its time has come; returns how many records."""
    town = Town(catalogue, int(FIRST.timestamp() * 1000), wanted.seed)
    row = town.says(instants(FIRST, wanted.days, wanted.cases, wanted.seed))
    offices = Offices(catalogue.facts(), town.known, wanted.seed)
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
        elif headers.get("ce_type") == CASE_OUTCOME:
            yield from offices.happens("outcome", case := _of(record.value), at)
            if case["reason"] == "refused":
                yield from offices.happens("refused", case, at)
            if (judged := evaluation(name, headers, record.key.decode(), at, seed)) is not None:
                said, grade = judged
                yield said
                if grade <= BAD:
                    yield from offices.happens("bad_grade", case, said.at)


_of = msgspec.json.Decoder(dict[str, Any]).decode


# -- rest ------------------------------------------------------------------------------------------


async def _rest(house: House, evidence: Evidence, found: Found, tell: Callable[[str], None]) -> None:
    """Stop in the direction of the flow, so that nothing is under way when it is counted."""
    await house.stop(*house.of("simulator"), *(member for role in ASIDE for member in house.of(role)))
    for name, what in STEPS:
        for _ in range(60):
            found.behind[name] = await evidence.lag(name, what)
            if not found.behind[name]:
                break
            tell(f"{name} is {found.behind[name]} behind")
            await asyncio.sleep(2)
        await house.stop(*house.of(name))
