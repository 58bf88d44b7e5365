"""
`duokua run insights`: the consolidation of problem data, on Faust, in a process of its own.

It is on no path where a lost or doubled record matters (design D2, docs/adr/0014). Faust's own stalls are
not trusted to show themselves: when records wait and none is read for `STALLED` seconds, the process ends
and its supervisor starts it anew.
"""

import asyncio
import logging
from typing import Any

import faust
import structlog
from aiokafka.errors import IllegalStateError

from router.insights.app import make_app
from router.insights.surge import Rule
from router.operate.process import Process

log = structlog.get_logger()

STALLED = 60.0
LOOK = 1.0
"""Seconds between two looks at the worker."""


class Stalled(Exception):
    """Records wait, the worker is alive, and nothing is read."""


class Crashed(Exception):
    """Faust gave up one of its services."""


async def run(process: Process) -> None:
    """Run the worker inside this loop until asked to stop. Raises what ended it otherwise."""
    _quiet_loggers()
    folder = process.settings.state_dir / "insights"
    folder.mkdir(parents=True, exist_ok=True)
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(error: BaseException) -> None:
        if not failed.done():
            failed.set_exception(error)

    app = make_app(process.settings.bootstrap, process.topics, folder, Rule(), fail)
    ends: set[asyncio.Future[Any]] = {
        asyncio.create_task(_watch(app, process)),
        asyncio.create_task(process.stop.wait()),
        failed,
    }
    try:
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    finally:
        for end in ends:
            end.cancel()
        await app.stop()


async def _watch(app: faust.App, process: Process) -> None:
    """Start the worker, then see that it moves. Returns never; raises Crashed, Stalled or TimeoutError."""
    await app.start()
    process.health.ready()
    moved, seen = process.clock.monotonic(), -1
    while True:
        if app.crashed:
            raise Crashed from app.crash_reason
        done, waiting = await asyncio.wait_for(progress(app), STALLED)
        now = process.clock.monotonic()
        if done != seen or not waiting:
            moved, seen = now, done
            process.health.beat()
        if now - moved > STALLED:
            raise Stalled
        await asyncio.sleep(LOOK)


async def progress(app: faust.App) -> tuple[int, bool]:
    """
    A number that grows while anything is read or finished, and whether anything waits.

    The end is asked of the broker, so that a consumer which no longer fetches is seen too. What counts is the
    consumer's position, not the last record seen: behind it lie the marks of transactions, which
    are read and never shown, and after an abort whole records. The table's own changelog is read only to restore it.
    """
    consumer, monitor = app.consumer, app.monitor
    inputs = [tp for tp in consumer.assignment() if tp.topic not in app.tables.changelog_topics]
    try:
        positions = {tp: await consumer.position(tp) or 0 for tp in inputs}
        ends = await consumer.highwaters(*inputs)
    except IllegalStateError:
        return 0, False  # the partitions move to another worker just now
    behind = any((ends[tp] or 0) > position for tp, position in positions.items())
    finished = monitor.events_total - monitor.events_active
    return finished + sum(positions.values()), behind or monitor.events_active > 0


class _Bridge(logging.Handler):
    """Faust's warnings as ours: where they were raised and the error's type. Their texts may hold a record's content."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log.warning(
            "faust.warned", name=record.name, where=f"{record.filename}:{record.lineno} {record.funcName}", error=error
        )


def _quiet_loggers() -> None:
    for name in ("faust", "mode"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_Bridge(logging.WARNING)], False
        logger.setLevel(logging.WARNING)
