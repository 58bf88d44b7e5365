"""
The broker dies, is away, or has no room, under roles that run: each role goes on by itself or ends with a code for
its supervisor; in the end every request has its one case and its answer, and nothing stands still.
"""

import asyncio
import json
import os
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka.embedded import EmbeddedKafka
from adapters.kafka.embedded.faults import NotReady
from adapters.kafka.embedded.node import answers
from adapters.kafka.log import KafkaLog, RecordRefused
from adapters.readmodel import ReadModel, ReadModelMissing
from router.catalogue.load import load
from router.catalogue.publish import publish
from router.operate import children
from router.operate.children import Children
from router.operate.settings import Settings
from router.operate.topics import Topics
from schemas.cloudevents import decode
from schemas.ids import case_id
from workflows import events

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def _a_patient_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that starts anew for as long as it takes, as systemd and container platforms do."""
    monkeypatch.setattr(children, "RESTARTS", 1000)


ROLES = ("intake", "engine", "delivery", "projector", "insights", "simulator")
SHARDS = 2
ROOM = 150_000
"""Bytes that a file of the broker may have when it has no room."""
SPEED = 3600
"""An hour a second, so that departments act while the test looks on."""
WITHIN = 150.0
"""Seconds that everything may take to be well again, on a machine that does other things."""


@dataclass
class Deployment:
    """A broker of its own, all roles as processes, and a channel that sends."""

    broker: EmbeddedKafka
    settings: Settings
    children: Children
    sent: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.prefix, SHARDS)

    @property
    def log(self) -> KafkaLog:
        return KafkaLog(self.settings.bootstrap)

    async def send(self, count: int, size: int = 1) -> None:
        """Requests of the channel `grid`: those that no acknowledgement came for are sent again with the next."""
        fresh = [f"g-{len(self.sent) + n}" for n in range(count)]
        self.sent += fresh
        self.sizes |= dict.fromkeys(fresh, size)
        async with self.log.writer() as writer:
            for ref in self.sent[self.acknowledged :]:
                writer.add(self.topics.intake("grid"), 0, ref.encode(), request(ref, self.sizes[ref]))
            await writer.flush()
        self.acknowledged = len(self.sent)

    async def values(self, topic: str, partitions: int = 1) -> list[Any]:
        """All records of a topic, committed."""
        chosen, found = [TopicPartition(topic, p) for p in range(partitions)], []
        async with asyncio.timeout(90), self.log.reader(partitions=chosen) as reader:
            ends = await reader.end_offsets(chosen)
            while [tp for tp in chosen if await reader.position(tp) < ends[tp]]:
                for records in (await reader.getmany(timeout_ms=100)).values():
                    found += records
        return found

    async def answered(self) -> set[str]:
        """Whose receipt says `accepted`."""
        bodies = [decode(r.value, r.headers).data for r in await self.values(self.topics.answers("grid"))]
        return {body["ref"] for body in bodies if body.get("code") == "accepted"}

    async def opened(self) -> Counter[str]:
        """How often each case was registered, in committed state."""
        records = [events.decode(r.value) for r in await self.values(self.topics.events, SHARDS)]
        return Counter(r.case for r in records for event in r.events if isinstance(event, events.CaseRegistered))

    async def worked_on(self) -> set[str]:
        """The cases that departments have answered something about."""
        return {(r.key or b"").decode() for r in await self.values(self.topics.replies("desk"))}

    async def projected(self) -> set[str]:
        """The requests that stand in the read model."""
        model = ReadModel.existing(self.settings.readmodel_url())
        try:
            return {ref for ref in self.sent if model.find_ref("grid", ref)}
        finally:
            model.close()


def request(ref: str, size: int) -> bytes:
    event = {"specversion": "1.0", "id": ref, "source": "/channels/grid", "type": "cn.duokua.request.submitted.v1"}
    return json.dumps({**event, "data": {"title": "路灯不亮", "text": "x" * size, "appeal_category": "C10"}}).encode()


@asynccontextmanager
async def deployed(folder: Path, prefix: str, roles: tuple[str, ...] = ROLES) -> AsyncIterator[Deployment]:
    """Everything up, with the shipped catalogue in force."""
    with EmbeddedKafka(folder / "kafka") as broker:
        env = os.environ | {
            "DUOKUA_BOOTSTRAP": broker.bootstrap,
            "DUOKUA_PREFIX": prefix,
            "DUOKUA_SHARDS": str(SHARDS),
            "DUOKUA_STATE_DIR": str(folder / "state"),
            "DUOKUA_LOG_FORMAT": "json",
            "DUOKUA_CLOCK": f"2026-09-18T09:00:00+08:00,{time.time()},{SPEED}",
        }
        settings = Settings(bootstrap=broker.bootstrap, prefix=prefix, shards=SHARDS, state_dir=folder / "state")
        log, topics, catalogue = KafkaLog(broker.bootstrap), Topics(prefix, SHARDS), load(settings.catalog)
        await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
        await publish(log, topics, catalogue.files, by="test")
        processes = Children(env, folder, lambda event, child: None)
        try:
            for role in roles:
                await processes.start(role)
            await processes.ready(roles, WITHIN)
            yield Deployment(broker, settings, processes)
        finally:
            await processes.close()


async def back(d: Deployment) -> None:
    """Start the broker on the data it left; recovering a hundred partitions takes long on a machine that does other things."""
    d.broker.kill()
    for last in (False, False, True):
        try:
            await asyncio.to_thread(d.broker.start)
            return
        except NotReady:
            if last:
                raise


async def filled(d: Deployment) -> None:
    """Send more and more, until the broker takes no more: a client goes on to ask one that has ended for long."""
    with suppress(RecordRefused, KafkaError):
        while True:
            await d.send(10, 3_000)


async def is_whole(d: Deployment) -> None:
    """Every request has its answer, exactly one case and a row to be read; departments go on; every role is ready."""
    wanted = set(d.sent)
    cases = {case_id("grid", ref) for ref in wanted}
    await reached(d, "answered", d.answered, lambda found: found == wanted)
    assert await d.opened() == dict.fromkeys(cases, 1)
    roles = {child.role for child in d.children.members}
    if "projector" in roles:
        await reached(d, "projected", d.projected, lambda found: found == wanted)
    if "simulator" in roles:
        late = {case_id("grid", ref) for ref in d.sent[len(d.sent) // 2 :]}
        await reached(d, "worked on", d.worked_on, lambda found: bool(found & late))
    await d.children.ready(tuple(roles), WITHIN)


async def reached(
    d: Deployment, what: str, ask: Callable[[], Awaitable[set[str]]], is_enough: Callable[[set[str]], bool]
) -> None:
    """Poll to a deadline; a broker that does not answer yet is asked again."""
    deadline = time.monotonic() + WITHIN
    found: set[str] = set()
    while True:
        with suppress(KafkaError, TimeoutError, ReadModelMissing):
            if is_enough(found := await ask()):
                return
        how = [(child.name, child.starts, child.process.returncode) for child in d.children.members]
        assert time.monotonic() < deadline, f"{what}: {len(found)} of {len(d.sent)}; {how}"
        await asyncio.sleep(0.2)


async def test_every_role_goes_on_after_the_broker_was_killed(tmp_path: Path, prefix: str) -> None:
    """SIGKILL in the middle of work, and back on the same data."""
    async with deployed(tmp_path, prefix) as d:
        await d.send(30)
        await reached(d, "answered", d.answered, bool)
        await back(d)
        await d.send(30)
        await is_whole(d)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can limit the files of a process that runs")
async def test_every_role_goes_on_after_the_broker_had_no_room(tmp_path: Path, prefix: str) -> None:
    """
    Its files may not grow any more: Kafka gives its only log folder up and ends, having acknowledged nothing that it
    has not. With room again it is started anew, and the requests that were not acknowledged are sent again.
    """
    async with deployed(tmp_path, prefix, ("intake", "engine", "delivery")) as d:
        await d.send(30)
        await reached(d, "answered", d.answered, bool)
        resource.prlimit(d.broker.pid, resource.RLIMIT_FSIZE, (ROOM, ROOM))
        filling = asyncio.create_task(filled(d))
        async with asyncio.timeout(WITHIN):
            while answers(d.broker.bootstrap):
                await asyncio.sleep(0.1)
        filling.cancel()
        await asyncio.wait([filling])
        await back(d)
        await d.send(30)
        await is_whole(d)
