"""
A calendar changes under many running clocks, and the engine is killed in the middle: `python -m tests.rebasing --cases 500000`.

The real shard, store and core on the log in memory. All cases are registered by the old calendar; one minute before many
are due by it the new one is put in force, time goes on past that due, and half-way the shard is dropped without a word and
taken over anew. Then the due date and every mark of each running clock are compared with what is counted here, day by day
and minute by minute, from the notice alone; and by the old calendar nothing may have fired.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import structlog
from aiokafka import TopicPartition
from msgspec import json as msgjson
from msgspec.structs import replace

from adapters.clock import BEIJING
from router.engine.record import ShardRecord
from router.engine.shard import Shard
from router.engine.store import REQUEST_SUFFIX, SHARD_KEY, Store, body_of, due_of, state_value
from schemas.ids import case_id
from tests.memory.engine.house import House
from tests.unit.workflows.calendar_2026 import CHANGED, CHINA, OFF, WORK, ms
from tests.unit.workflows.small_world import SmallWorld, told
from workflows import commands, events
from workflows.case import Case, decode, encode
from workflows.facts import Facts

BEFORE, AFTER = "2026-09-24 16:59", "2026-09-24 17:01"
FIRST, LAST, STEP = "2026-09-18 09:00", "2026-09-21 18:00", timedelta(minutes=11)
REQUEST = b'{"title":"x","appeal_kind":"help"}'
PAGE = 2_000
FIRED = (events.ClockWarned, events.ClockOverdue, events.CaseEscalated)


# -- counted by hand: the notice, changed as it was announced -------------------------------------

REST = {date(2026, 9, 22), date(2026, 9, 23)}
CLOCKS = {"finish/": 5, "finish/1": 4}
HOURS = ((9 * 60, 12 * 60), (13 * 60 + 30, 17 * 60))


@cache
def worked(day: date) -> bool:
    """By the notice as it is after the change: 09-20 is a Sunday again, 09-22 and 09-23 are off."""
    text = f"{day:%m-%d}"
    if day in REST or any(first <= text <= last for first, last in OFF):
        return False
    return day.isoweekday() < 6 or (text in WORK and text != "09-20")


def days_after(day: date, number: int) -> date:
    """The n-th working day after this one, or before it."""
    while number:
        day += timedelta(1 if number > 0 else -1)
        number -= (number > 0) - (number < 0) if worked(day) else 0
    return day


def at(day: date, minutes: int) -> int:
    return int((datetime(day.year, day.month, day.day, tzinfo=BEIJING) + timedelta(minutes=minutes)).timestamp() * 1000)


@cache
def expected(key: str, start: date) -> tuple[int, frozenset[tuple[str, int, int]]]:
    """The due of a clock of a case that came in on this day, and all its marks."""
    last = days_after(start, CLOCKS[key])
    due = at(last, 17 * 60)
    if key == "finish/":
        rungs = {("escalate", 1, at(days_after(last, 1), 17 * 60)), ("escalate", 2, at(days_after(last, 3), 17 * 60))}
        return due, frozenset({("warn", 0, at(days_after(last, -1), 17 * 60)), ("due", 0, due)} | rungs)
    return due, frozenset({("warn", 0, at(*four_fifths(start))), ("due", 0, due), ("escalate", 1, due)})


def four_fifths(start: date) -> tuple[date, int]:
    """When 80 % of four days' open minutes have passed."""
    left, day = 4 * 390 * 80 // 100, start
    while True:
        day = days_after(day, 1)
        for since, until in HOURS:
            if left <= until - since:
                return day, since + left
            left -= until - since


# -- the run --------------------------------------------------------------------------------------


def some_cases() -> Iterator[tuple[Case, date]]:
    """One of each minute and what has become of it until shortly before the change, by the old calendar."""
    start, last = (datetime.fromisoformat(f"{text}+08:00") for text in (FIRST, LAST))
    while start < last:
        made = told(int(start.timestamp() * 1000)).submit("alone").wait_until(BEFORE).held
        yield made, start.date()
        start += STEP


class Run:
    """One shard with `cases` cases, and what is found of it."""

    def __init__(self, folder: Path, cases: int) -> None:
        self.house, self.cases = House(folder), cases
        self.house.clock.time = ms(BEFORE)
        self.starts: dict[str, date] = {}
        self.counts: Counter[str] = Counter()
        self._seen = 0
        topics = self.house.topics
        self.events, self.state = (TopicPartition(topic, 0) for topic in (topics.events, topics.state))

    def fill(self) -> None:
        """The store as it is when the shard has followed the log so far; the log itself tells of it only that."""
        house, kinds = self.house, list(some_cases())
        record = ShardRecord(log="memory", shards=1, catalogue=1, catalogue_hash="", calendars=CHINA.id)
        house.log.append([(self.state, SHARD_KEY, msgjson.encode(record), ())])
        store = Store(house.settings.state_dir / "engine" / house.settings.instance / "shard-0", "memory", house.disk)
        numbered = count()
        while page := list(islice(numbered, min(PAGE, self.cases - len(self.starts)))):
            store.load(self._made(kinds, page))
        store.load([(SHARD_KEY, msgjson.encode(record))])
        for _ in store.loaded(1, time.time()):
            pass
        store.close()

    def _made(self, kinds: list[tuple[Case, date]], numbers: list[int]) -> Iterator[tuple[bytes, bytes | None]]:
        for number in numbers:
            kind, start = kinds[number % len(kinds)]
            case = replace(kind, id=case_id("website", str(number)), number=str(number))
            self.starts[case.id] = start
            yield case.id.encode(), state_value(case.next_due, encode(case))
            yield case.id.encode() + REQUEST_SUFFIX, REQUEST

    async def _load(self, version: int, digest: str) -> Facts:
        return SmallWorld(version=version, china=CHINA if version == 1 else CHANGED)

    async def _genesis(self) -> tuple[int, str]:
        return 1, ""

    async def sweep(self, until: int) -> None:
        """Serve, until this many cases are re-based, then drop the shard as a killed process would."""
        house = self.house
        async with house.log.reader([house.topics.commands], group=house.topics.group("engine")) as reader:
            shard = Shard(house.process, reader, 0, "memory", self._load, self._genesis, disk=house.disk)
            await shard.take_over()
            serving = asyncio.create_task(shard.serve())
            while not serving.done() and (
                self.counts["cases"] < until or (until == self.cases and shard._sweep.is_due)
            ):
                await asyncio.sleep(0.002)
                self.look()
                if self.counts["cases"] > self.cases // 10:
                    house.clock.time = ms(AFTER)
                if sys.stderr.isatty():
                    sys.stderr.write(f"\r{self.counts['cases']}/{self.cases}")
            self.counts["takeovers"] += 1
            serving.cancel()
            await asyncio.wait([serving])
            if not serving.cancelled() and (error := serving.exception()):
                raise error
            await shard.close()
        self.look()

    def look(self) -> None:
        """What was told since; what has been looked at is let go."""
        records = self.house.log.records[self.events]
        for i in range(self._seen, len(records)):
            record = events.decode(records[i].value or b"")
            moved = [event for event in record.events if isinstance(event, events.ClockRebased)]
            self.counts["cases"] += bool(moved)
            self.counts["clocks"] += len(moved)
            self.counts["moved"] += sum(event.due != event.before for event in moved)
            self.counts["fired_wrongly"] += sum(isinstance(event, FIRED) for event in record.events)
            self.counts["other_events"] += len(record.events) - len(moved)
            records[i] = dataclasses.replace(records[i], value=b"")
        self._seen = len(records)

    def verify(self) -> None:
        """Each clock of each case, as the store has it, against what is counted by hand."""
        store = Store(
            self.house.settings.state_dir / "engine" / self.house.settings.instance / "shard-0",
            "memory",
            self.house.disk,
        )
        last = b""
        while page := store.after(last, PAGE):
            for key, value in page:
                case = decode(body_of(value))
                start = self.starts.pop(case.id)
                self.counts["wrong"] += due_of(value) != case.next_due
                for name in CLOCKS:
                    clock, (due, marks) = case.clocks[name], expected(name, start)
                    announced = {(mark.what, mark.level, mark.at) for mark in clock.marks}
                    is_right = (
                        clock.due == due
                        and announced <= marks
                        and clock.calendar == CHANGED.id
                        and not clock.provisional
                    )
                    self.counts["dues"] += 1
                    self.counts["wrong"] += not is_right
                last = key
        self.counts["lost"] = len(self.starts)
        store.close()


async def run(folder: Path, cases: int) -> dict[str, Any]:
    """Fill, publish, sweep half, die, sweep the rest, verify."""
    made = Run(folder, cases)
    made.fill()
    begun = time.monotonic()
    made.house.send(commands.ActivateCatalogue(id="c", version=2, hash=""), key=SHARD_KEY)
    await made.sweep(cases // 2)
    half = made.counts["cases"]
    await made.sweep(cases)
    seconds = round(time.monotonic() - begun, 1)
    commits = sum(r.key == SHARD_KEY for r in made.house.log.records[made.state]) - 1
    made.verify()
    return {"seconds": seconds, "transactions": commits, "at_the_crash": half, **made.counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500_000)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(run(Path(folder), parser.parse_args().cases))
    sys.stdout.write(json.dumps(told) + "\n")
    sys.exit(
        bool(told["wrong"] or told["lost"] or told["fired_wrongly"] or told["cases"] != told["dues"] // len(CLOCKS))
    )


if __name__ == "__main__":
    main()
