"""
A running role: what it was given, and how the outside sees that it lives.

`/livez` says that the loop turned lately (never anything about Kafka); `/readyz` that the role has
what it needs to serve; `/metrics` is Prometheus text.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from adapters.clock import Clock
from router.operate.settings import Settings
from router.operate.topics import Topics

log = structlog.get_logger()


class Health:
    """Progress and readiness of one process. `stale` seconds without a beat mean the loop hangs."""

    def __init__(self, stale: float = 60.0) -> None:
        self._stale, self._beat, self.waiting_for = stale, time.monotonic(), "start"
        self.lacking = ""
        """What it cannot do although it serves, such as topics it cannot write to; not ready, but its loop turns."""

    def beat(self) -> None:
        """The main loop turned."""
        self._beat = time.monotonic()

    def ready(self) -> None:
        self.waiting_for = ""
        self.beat()

    @property
    def live(self) -> bool:
        """Whoever still waits for something has no loop yet that could hang; `/readyz` says what for."""
        return self.silent < self._stale

    @property
    def silent(self) -> float:
        """Seconds since the loop last turned; 0 while it has not begun to."""
        return 0.0 if self.waiting_for else time.monotonic() - self._beat


@dataclass
class Process:
    """What every role is handed by the composition root (router/bootstrap.py). `log` is KafkaLog or MemoryLog."""

    role: str
    settings: Settings
    clock: Clock
    log: Any
    health: Health = field(default_factory=Health)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.prefix, self.settings.shards, self.settings.replication)


def settle() -> None:
    """
    What is loaded by now stays loaded: keep the collector from walking it again and again.

    A catalogue is some hundred thousand objects; without this a third of the engine's time went into full
    collections (docs/performance.md). Called after each load, so that what the former one left is collected.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def watched(process: Process) -> AsyncIterator[int]:
    """Serve `/livez`, `/readyz` and `/metrics` while the role runs; yields the port."""
    app = web.Application()
    app.add_routes([web.get("/livez", _livez), web.get("/readyz", _readyz), web.get("/metrics", _metrics)])
    app[HEALTH] = process.health
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, process.settings.http_host, process.settings.http_port)
    await site.start()
    port = runner.addresses[0][1]
    log.info("http.started", port=port)
    try:
        yield port
    finally:
        await runner.cleanup()


HEALTH = web.AppKey("health", Health)


async def _livez(request: web.Request) -> web.Response:
    live = request.app[HEALTH].live
    return web.json_response({"live": live}, status=200 if live else 503)


async def _readyz(request: web.Request) -> web.Response:
    health = request.app[HEALTH]
    waiting = health.waiting_for or health.lacking
    return web.json_response({"ready": not waiting, "waiting_for": waiting}, status=503 if waiting else 200)


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
