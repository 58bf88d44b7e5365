"""Roles that serve on a real Kafka, for tests that write to their doors and read what comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import ModuleType

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from router.catalogue.load import from_files
from router.catalogue.publish import publish
from router.operate.process import Process
from router.operate.settings import Settings

LIMIT = 120.0
"""Seconds until a test that waits for something gives up."""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not holds():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(
    settings: Settings, roles: Mapping[str, ModuleType], files: Mapping[str, bytes]
) -> AsyncIterator[Process]:
    """These roles by the catalogue of these files, until the block ends; the process of the first."""
    log, catalogue = KafkaLog(settings.bootstrap), from_files(files)
    made = [Process(name, settings, Clock(), log) for name in roles]
    topics = made[0].topics
    await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
    await publish(log, topics, files)
    running = [asyncio.create_task(role.run(process)) for role, process in zip(roles.values(), made, strict=True)]
    await until(lambda: not any(process.health.waiting_for for process in made))
    yield made[0]
    for process in made:
        process.stop.set()
    await asyncio.wait_for(asyncio.gather(*running), LIMIT)
