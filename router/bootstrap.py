"""
The composition root: the only place that reads the environment and connects things.

`duokua run X` is `router/X/role.py`; roles never import each other, and nothing connects when imported.
"""

import asyncio
import importlib
import importlib.metadata
import signal

import structlog
import uvloop
from prometheus_client import Info

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from router.operate import logs
from router.operate.packages import check_packages
from router.operate.process import Process, watched
from router.operate.settings import Settings

ROLES = ("intake", "engine", "delivery", "projector", "insights", "simulator")

log = structlog.get_logger()


def run_role(role: str, settings: Settings) -> int:
    """Run one role until SIGTERM or SIGINT. Returns the exit code: 0 ended as asked, 1 it failed."""
    check_packages()
    logs.setup(role, instance=settings.instance, form=settings.log_format, level=settings.log_level)
    return uvloop.run(_serve(role, settings))


async def _serve(role: str, settings: Settings) -> int:
    process = Process(
        role=role, settings=settings, clock=Clock.from_text(settings.clock), log=KafkaLog(settings.bootstrap)
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop.set)
    Info("duokua_build", "Which role this is.").info({"role": role, "version": importlib.metadata.version("duokua")})
    module = importlib.import_module(f"router.{role}.role")
    try:
        async with watched(process):
            log.info("role.started")
            await module.run(process)
        log.info("role.stopped")
        return 0
    except Exception as error:
        log.error("role.failed", error=error)
        return 1
