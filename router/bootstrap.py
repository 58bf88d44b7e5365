"""
The composition root: the only place that reads the environment and connects things.

`duokua run X` is `router/X/role.py`; roles never import each other, and nothing connects when imported.
"""

import asyncio
import faulthandler
import gc
import importlib
import importlib.metadata
import os
import signal
import sys
import threading
import time
from typing import Any

import structlog
import uvloop
from prometheus_client import Info

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from router.operate import logs
from router.operate.packages import PackagesMixed, check_packages
from router.operate.process import Process, watched
from router.operate.refusals import sentence
from router.operate.settings import Settings

ROLES = ("intake", "engine", "delivery", "projector", "auditor", "similar", "insights", "simulator")
ASIDE = ("shadow",)
"""Roles that nothing needs: somebody starts one for as long as he wants to look (`duokua rules shadow`)."""

STOP_SECONDS = 24.0
"""How long a role may take to end when asked: less than supervisors wait before they kill (25 s and more)."""
HUNG_SECONDS = 120.0
LOOK_SECONDS = 1.0
HUNG = 70
"""Exit code of a role that hung."""

log = structlog.get_logger()


def run_role(role: str, settings: Settings) -> int:
    """Run one role until SIGTERM or SIGINT. Returns the exit code: 0 ended as asked, 1 it failed."""
    logs.setup(role, instance=settings.instance, form=settings.log_format, level=settings.log_level)
    try:
        check_packages()
    except PackagesMixed as error:
        return _failed(error)
    return uvloop.run(_serve(role, settings))


def _failed(error: BaseException) -> int:
    """Say why a role ends: in a sentence where it refuses to go on, else by the error's type. The exit code."""
    told = sentence(error)
    if told is None:
        log.error("role.failed", error=error)
    else:
        log.error("role.refused", code=told.code, said=f"{told.zh} / {told.en}", error=error)
    return 1


async def _serve(role: str, settings: Settings) -> int:
    process = Process(
        role=role, settings=settings, clock=Clock.from_text(settings.clock), log=KafkaLog(settings.bootstrap)
    )
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_note)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop.set)
    Info("duokua_build", "Which role this is.").info({"role": role, "version": importlib.metadata.version("duokua")})
    module = importlib.import_module(f"router.{role}.role")
    # batches make many short-lived objects: the default would look for cycles after every 700 of them
    gc.set_threshold(20_000, 20, 20)
    _end_if_hung(process)
    try:
        async with watched(process):
            log.info("role.started")
            await module.run(process)
        log.info("role.stopped")
        return 0
    except (Exception, asyncio.CancelledError) as error:
        # nobody cancels a role: that is a library's own cancellation, and its trace would hold exceptions' words
        return _failed(error)


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a task or future failed with and nobody asked for. asyncio itself would print the texts of exceptions, as they are."""
    reason = str(context.get("message", "")).partition("(")[0]  # what follows are a callback's arguments
    log.warning("loop.exception", error=context.get("exception"), reason=reason)


def _end_if_hung(process: Process) -> None:
    """
    A thread that ends the process where its loop does not turn, or does not come to its end when asked.

    What was not acknowledged comes again, so ending hard loses nothing; a process that waits for a broker for ever
    would neither work nor make room for one that does.
    """

    def look() -> None:
        asked = 0.0
        while True:
            time.sleep(LOOK_SECONDS)
            if process.stop.is_set():
                asked = asked or time.monotonic()
            overdue = bool(asked) and time.monotonic() - asked > STOP_SECONDS
            if overdue or process.health.silent > HUNG_SECONDS:
                log.error("role.hung", reason="stop" if overdue else "loop")
                faulthandler.dump_traceback(file=sys.stderr)
                os._exit(HUNG)

    threading.Thread(target=look, name="end-if-hung", daemon=True).start()
