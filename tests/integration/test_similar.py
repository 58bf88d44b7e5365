"""Cases that are handled as one on a real broker: engine, delivery and the similar role, in two shards, over a SIGKILL."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.kafka.log import TopicPartition
from router.delivery import role as delivery
from router.engine import role as engine
from router.operate.process import Process
from router.operate.settings import Settings
from schemas.ids import case_id, command_id, shard_of
from tests.integration.house import serving
from tests.unit.catalogue.small import small
from workflows import commands, events

pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

LIMIT = 60.0
LIGHT = "我们小区门口的路灯已经坏了一个多星期，晚上出行非常不方便，老人小孩容易摔倒，请尽快派人修理。"


def settings(kafka: str, prefix: str, folder: Path) -> Settings:
    return Settings(bootstrap=kafka, prefix=prefix, shards=2, state_dir=folder, state_free_mb=0)


@pytest.fixture
async def house(kafka: str, prefix: str, tmp_path: Path) -> Any:
    """Engine and delivery, serving; the catalogue of the tests."""
    roles = {"engine": engine, "delivery": delivery}
    async with serving(settings(kafka, prefix, tmp_path), roles, small()) as process:
        yield process


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not holds():
            await asyncio.sleep(0.05)


def refs(shard: int) -> str:
    """A channel's id whose case lies in this shard."""
    return next(ref for n in range(100) if shard_of(case_id("phone", ref := f"r-{n}"), 2) == shard)


async def write(process: Process, command: commands.AnyCommand) -> None:
    async with process.log.writer() as writer:
        writer.add(process.topics.commands, shard_of(command.case, 2), command.case.encode(), commands.encode(command))
        await writer.flush()


async def submit(process: Process, ref: str) -> str:
    case = case_id("phone", ref)
    request = {
        "appeal_kind": "help", "appeal_category": "C11", "place": {"region": "370102"}, "title": "路灯", "text": LIGHT,
        "applicant": {"phone": "13800001111"},
    }  # fmt: skip
    now = process.clock.now()
    await write(
        process,
        commands.Submit(
            id=command_id(case, ref), case=case, at=now, source=f"intake.phone/0/{ref}", channel="phone", ref=ref,
            request=msgspec.Raw(msgspec.json.encode(request)), digest=ref, received_at=now,
        ),
    )  # fmt: skip
    return case


async def happened(process: Process) -> dict[str, list[events.AnyEvent]]:
    """Everything that is committed, by case."""
    slots = [TopicPartition(process.topics.events, p) for p in range(2)]
    found: dict[str, list[events.AnyEvent]] = {}
    async with process.log.reader(partitions=slots) as reader:
        ends = await reader.end_offsets(slots)
        for tp in slots:
            while await reader.position(tp) < ends[tp]:
                for records in (await reader.getmany(tp, timeout_ms=50)).values():
                    for record in records:
                        told = events.decode(record.value)
                        found.setdefault(told.case, []).extend(told.events)
    return found


async def seen(process: Process, case: str, kind: type[events.Event]) -> list[Any]:
    """Those events of a case, once there is one."""
    async with asyncio.timeout(LIMIT):
        while not (found := [e for e in (await happened(process)).get(case, []) if isinstance(e, kind)]):
            await asyncio.sleep(0.1)
    return found


async def reply(process: Process, case: str, task: str, endpoint: str, action: Any, **said: object) -> None:
    body = msgspec.Raw(msgspec.json.encode({"action": action, **said}))
    await write(
        process,
        commands.Reply(
            id=command_id(case, f"{task}/{action}"), case=case, at=process.clock.now(), endpoint=endpoint, task=task,
            action=action, body=body,
        ),
    )  # fmt: skip


async def test_two_cases_of_different_shards_end_as_one(house: Process) -> None:
    """The order to one, the handling of the other, an outcome for each; all between them went through the outbox."""
    head, member = await submit(house, refs(0)), await submit(house, refs(1))
    (came,) = await seen(house, member, events.CaseRegistered)
    (leg,) = await seen(house, head, events.LegDispatched)
    body = msgspec.Raw(msgspec.json.encode({"officer": "0001", "cases": [head]}))
    await write(
        house,
        commands.Order(
            id=command_id(member, "merge"), case=member, at=house.clock.now(), endpoint=came.centre_endpoint,
            unit=came.centre, action="merge", body=body,
        ),
    )  # fmt: skip
    await seen(house, member, events.MergeConfirmed)
    await reply(house, head, leg.task, leg.endpoint, "reply", result="solved", text="已修好")
    (replied,) = await seen(house, head, events.LegReplied)
    await reply(house, head, replied.task, replied.endpoint, "pass")
    for case in (head, member):
        (closed,) = await seen(house, case, events.CaseClosed)
        assert (closed.reason, closed.result) == ("solved", "已修好")


class Role:
    """The similar role in a process of its own."""

    def __init__(self, process: Process, folder: Path) -> None:
        made = process.settings
        self._said = folder / "similar.log"
        self._env = os.environ | {
            "DUOKUA_BOOTSTRAP": made.bootstrap, "DUOKUA_PREFIX": made.prefix, "DUOKUA_SHARDS": "2",
            "DUOKUA_STATE_DIR": str(folder),
        }  # fmt: skip
        self.child: Any = None

    async def start(self, killed_at: int) -> None:
        """Until it remembers what it knew."""
        before = self._count()
        with self._said.open("ab") as said:
            self.child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.integration.killed_at_commit",
                "similar",
                str(killed_at),
                env=self._env,
                stdout=said,
                stderr=said,
            )
        await until(lambda: self._count() > before or self.child.returncode is not None)

    def _count(self) -> int:
        return self._said.read_text().count("similar.started") if self._said.exists() else 0


async def read_to_the_end(process: Process) -> None:
    """Until the similar role says that it has taken everything there is; it speaks of what it has read, and of no more."""
    topics = process.topics
    slots = [TopicPartition(topics.events, p) for p in range(2)]
    async with asyncio.timeout(LIMIT), process.log.reader(partitions=slots, group=topics.group("similar")) as reader:
        ends = await reader.end_offsets(slots)  # behind the last record is the marker of its transaction
        while any([(await reader.committed(tp) or 0) < end - 1 for tp, end in ends.items()]):
            await asyncio.sleep(0.1)


async def test_a_case_hears_each_thing_once_though_the_role_is_killed(house: Process, tmp_path: Path) -> None:
    """Killed between what it said and its offsets: it says it again, the case has heard it. What it knew, it knows again."""
    role = Role(house, tmp_path)
    await role.start(killed_at=2)
    first, second = await submit(house, refs(0)), await submit(house, refs(1))
    assert await asyncio.wait_for(role.child.wait(), LIMIT) == -9
    for case in (first, second):
        await seen(house, case, events.CaseRegistered)
    await role.start(killed_at=0)
    await read_to_the_end(house)
    third = await submit(house, "third")
    (proposed,) = await seen(house, third, events.MergeProposed)  # the last that it hears
    role.child.terminate()
    assert await asyncio.wait_for(role.child.wait(), LIMIT) == 0
    told = await happened(house)
    what = [
        [(e.what, e.count) for e in told[case] if isinstance(e, events.ResemblanceFound)]
        for case in (first, second, third)
    ]
    assert what[2] == [("repeat", 3), ("alike", 2)], "both that came before the kill are known after it"
    early = sorted(what[0] + what[1])
    assert early == [("alike", 2), ("repeat", 2)], "whichever was registered second, and each once"
    assert proposed.head in (first, second)
