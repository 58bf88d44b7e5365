"""An order on a real Kafka: what an office writes to its door takes effect at the unit, or is refused, and is answered either way."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from adapters.kafka.log import TopicPartition
from router.delivery import role as delivery
from router.engine import role as engine
from router.intake import role as intake
from router.operate.process import Process
from router.operate.settings import Settings
from schemas.ids import case_id
from schemas.registry import CASE_OVERSEEN, MODELS, ORDER_ANSWERED, TASK_ASSIGNED, TASK_WITHDRAWN
from tests.integration.house import LIMIT, serving
from tests.unit.catalogue.small import edited

pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

OFFICE, ROADS = "370100.government", "370102.roads"
REQUEST = {"appeal_kind": "help", "appeal_category": "C111", "place": {"region": "370102"}, "title": "路面破损"}


def city() -> dict[str, bytes]:
    """The small catalogue; its government supervises."""
    name = "units/templates.csv"
    files = edited("units/functions.csv", "parks,公园,城建", "parks,公园,城建\nsupervision-office,督查,政务")
    supervises = edited(
        name,
        "{place}政府,government,government:supervise,province.government",
        "{place}政府,government,government:supervise;supervision-office:supervise,province.government",
    )
    return files | {name: supervises[name]}


class House:
    """Intake, engine and delivery, serving; and whoever writes to the doors and reads what comes."""

    def __init__(self, process: Process) -> None:
        self.process, self._count = process, 0

    async def write(self, topic: str, kind: str, data: dict[str, Any], **more: str) -> str:
        self._count += 1
        source = f"/units/{topic.rpartition('.')[2]}" if "replies" in topic else "/channels/phone"
        event = {"specversion": "1.0", "id": f"e-{self._count}", "source": source, "type": kind, "data": data} | more
        async with self.process.log.writer() as writer:
            writer.add(topic, 0, b"k", json.encode(event))
            await writer.flush()
        return str(event["id"])

    async def order(self, case: str, unit: str, action: str, door: str = "desk", **said: Any) -> None:
        body = {"case_id": case, "unit": unit, "action": action, "officer": "G-1001", **said}
        await self.write(self.process.topics.replies(door), "cn.duokua.order.given.v1", body)

    async def read(self, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """All that stands there: CloudEvents type and data, by the contract."""
        tp, found = TopicPartition(topic, 0), list[tuple[str, dict[str, Any]]]()
        async with self.process.log.reader(partitions=[tp]) as reader:
            end = (await reader.end_offsets([tp]))[tp]
            while await reader.position(tp) < end:
                for records in (await reader.getmany(timeout_ms=50)).values():
                    for record in records:
                        kind = dict(record.headers)["ce_type"].decode()
                        MODELS[kind].model_validate_json(record.value)
                        found.append((kind, json.decode(record.value)))
        return found

    async def wait(self, topic: str, wanted: str, /, **fields: Any) -> dict[str, Any]:
        """The first of this type with these fields."""
        async with asyncio.timeout(LIMIT):
            while True:
                for kind, data in await self.read(topic):
                    if kind == wanted and fields.items() <= data.items():
                        return data
                await asyncio.sleep(0.05)


@pytest.fixture
async def house(kafka: str, prefix: str, tmp_path: Path) -> Any:
    settings = Settings(bootstrap=kafka, prefix=prefix, shards=2, state_dir=tmp_path, state_free_mb=0)
    roles = {"intake": intake, "engine": engine, "delivery": delivery}
    async with serving(settings, roles, city()) as process:
        yield House(process)


async def test_an_order_takes_effect_at_the_unit_or_is_refused_and_is_answered(house: House) -> None:
    topics = house.process.topics
    desk, water = topics.tasks("desk"), topics.tasks("water")
    ref = await house.write(topics.intake("phone"), "cn.duokua.request.submitted.v1", REQUEST)
    case = case_id("phone", ref)
    handled = await house.wait(desk, TASK_ASSIGNED, kind="handle")
    assert (handled["case_id"], handled["unit"]) == (case, ROADS)

    said: dict[str, Any] = {"reason": "overdue", "limit": "1wd", "document": "政督〔2026〕1号"}
    await house.order(case, OFFICE, "supervise", **said, text="请核实")
    given = await house.wait(desk, ORDER_ANSWERED, action="supervise", code="accepted")
    report = await house.wait(desk, TASK_ASSIGNED, kind="report")
    assert (given["unit"], report["unit"], report["order"]["unit"]) == (OFFICE, ROADS, OFFICE)
    told = await house.wait(topics.supervision, CASE_OVERSEEN, what="supervise")
    assert (told["by"], told["unit"], told["document"]) == (OFFICE, ROADS, "政督〔2026〕1号")

    await house.order(case, ROADS, "supervise", **said)
    await house.wait(desk, ORDER_ANSWERED, unit=ROADS, code="refused", reason="not_entitled")
    await house.order(case, OFFICE, "supervise", "water", **said)
    await house.wait(water, ORDER_ANSWERED, unit=OFFICE, code="refused", reason="wrong_unit")
    await house.order(case, OFFICE, "supervise", **said | {"reason": "whim"})
    await house.wait(desk, ORDER_ANSWERED, code="refused", reason="unknown_reason")
    await house.order(case_id("phone", "nobody"), OFFICE, "lift")
    await house.wait(desk, ORDER_ANSWERED, action="lift", code="refused", reason="unknown_case")
    tasks = [data["kind"] for kind, data in await house.read(desk) if kind == TASK_ASSIGNED]
    assert tasks == ["handle", "report"], "what is refused changes nothing"

    await house.order(case, OFFICE, "lift")
    await house.wait(desk, ORDER_ANSWERED, action="lift", code="accepted")
    assert (await house.wait(desk, TASK_WITHDRAWN, task_id=report["task_id"]))["case_id"] == case
    await house.wait(topics.supervision, CASE_OVERSEEN, what="lifted")
