"""
The shadow: a draft beside the rules in force. Each request that the engine decides is decided by the draft as well, the
differences are counted, and nothing comes of them.

It reads `case.events` and writes nothing to the log, belongs to no group and commits nothing, so nobody waits for it.
What it says of the rules in force is what the log says they decided. It begins with the requests from now on, or of the
last days, and after a restart counts anew from there: metrics begin at 0, and what came while it was away is missing
unless days were asked for. The draft is that of the start, whatever is saved later.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition

from router.catalogue.catalogue import Catalogue
from router.catalogue.fetch import fetch_active
from router.catalogue.named import named
from router.operate import metrics
from router.operate.history import registered, start
from router.operate.process import Process, settle
from router.operate.pump import Batch, pump
from router.operate.refusals import Refused
from router.operate.topics import DAY
from router.rules.backtest import Judge, outcome_of
from router.rules.comparison import Comparison, Report, report
from workflows import events

log = structlog.get_logger()

WRITE_SECONDS = 10.0
"""How often what was found is written where people look."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What `duokua rules shadow --show` shows: of which draft, and by what content (hash)."""

    draft: str
    hash: str
    report: Report


def place(state_dir: Path) -> Path:
    """Where it is written."""
    return state_dir / "shadow.json"


async def run(process: Process) -> None:
    """Until asked to stop. Raises Refused, and what `named` raises."""
    topics, settings = process.topics, process.settings
    count = (await process.log.topics()).get(topics.events, 0)
    if not count:
        raise Refused("no_events_topic")
    if not settings.shadow:
        raise Refused("no_shadow")
    draft = await named(process.log, topics, settings.shadow)
    since = process.clock.now() - settings.shadow_days * DAY
    shadow = Shadow(process, draft, await fetch_active(process.log, topics.catalog) or draft, since)
    settle()
    partitions = [TopicPartition(topics.events, p) for p in range(count)]
    async with process.log.reader(partitions=partitions, lost="none") as reader:
        ends = await reader.end_offsets(partitions)
        for tp in partitions:
            reader.seek(tp, await start(reader, tp, ends[tp], since) if settings.shadow_days else ends[tp])
        shadow.write()  # else what an earlier one found would be taken for its own
        log.info("shadow.started", name=settings.shadow, hash=draft.hash)
        try:
            await pump(process, reader, shadow.take)
        finally:
            shadow.write()


class Shadow:
    """Takes what happened, batch by batch. Of a request nothing stays but the numbers of a few cases."""

    def __init__(self, process: Process, draft: Catalogue, live: Catalogue, since: int) -> None:
        self._process, self._draft, self._live, self._since = process, draft, live.rules, since
        self._judge, self._made = Judge(draft.facts()), Comparison()
        self._unreadable, self._written = 0, process.clock.monotonic()

    async def take(self, batch: Batch) -> Mapping[TopicPartition, int]:
        """No offset is ever to be committed."""
        for records in batch.values():
            for record in records:
                self._compare(record)
        if self._process.clock.monotonic() - self._written >= WRITE_SECONDS:
            self.write()
        return {}

    def _compare(self, record: Any) -> None:
        try:
            asked = registered(record.value or b"")
            if asked is None or (self._process.settings.shadow_days and asked.at < self._since):
                return
            live = outcome_of(events.decode(record.value).events)
        except msgspec.MsgspecError:
            self._unreadable += 1
            metrics.SHADOW_UNREADABLE.inc()
            return
        differences = self._made.take(asked, live, self._judge.outcome(asked))
        metrics.SHADOWED.labels("no" if differences else "yes").inc()
        for what in differences:
            metrics.SHADOW_DIFFERENCES.labels(what).inc()

    def write(self) -> None:
        """Have what was found by now stand in the state folder, whole or not at all."""
        self._written = self._process.clock.monotonic()
        now = self._process.clock.now()
        made = report(self._made, self._live, self._draft.rules, self._since, now, self._unreadable)
        file = place(self._process.settings.state_dir)
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        shown = Shown(draft=self._process.settings.shadow, hash=self._draft.hash, report=made)
        fresh.write_bytes(msgspec.json.encode(shown))
        fresh.replace(file)
