"""A channel and a department need nothing of ours: kcat speaks to the topics, and a case goes its way."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.operate.children import Children

pytestmark = [pytest.mark.kafka, pytest.mark.debian]

ROLES = ("intake", "engine", "delivery")
LIMIT = 60.0
REF = "HL3703-260918-0001"
REQUEST: dict[str, Any] = {
    "specversion": "1.0",
    "id": REF,
    "source": "/channels/hotline_12345",
    "type": "cn.duokua.request.submitted.v1",
    "data": {
        "title": "路灯不亮",
        "text": "中华路东段三盏路灯不亮已经一周，晚上走路看不清。",
        "appeal_category": "C010703",
        "place": {"region": "370306"},
    },
}


class Kcat:
    """The client of librdkafka, as a person would use it, on topics of one prefix."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap, self.prefix = bootstrap, prefix

    def write(self, topic: str, key: str, value: dict[str, Any]) -> None:
        command = ["kcat", "-P", "-b", self.bootstrap, "-t", self.prefix + topic, "-k", key]
        subprocess.run(command, input=json.dumps(value, ensure_ascii=False), text=True, check=True, timeout=LIMIT)

    def read(self, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """All that stands on a topic: (CloudEvents type, data)."""
        command = ["kcat", "-C", "-q", "-e", "-J", "-b", self.bootstrap, "-t", self.prefix + topic, "-o", "beginning"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT)
        return [_event(json.loads(line)) for line in said.stdout.splitlines()]

    def wait(self, topic: str, wanted: str, **fields: str) -> dict[str, Any]:
        """The first event of this type with these fields, before the deadline."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            for kind, data in self.read(topic):
                if kind == wanted and fields.items() <= data.items():
                    return data
            time.sleep(0.2)
        raise AssertionError(f"no {wanted} on {topic}: {self.read(topic)}")


def _event(record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    headers = dict(zip(record["headers"][::2], record["headers"][1::2], strict=True))
    return headers["ce_type"], json.loads(record["payload"])


def prepare(env: dict[str, str]) -> None:
    for command in (["topics", "apply"], ["catalog", "publish", "--reason", "test"]):
        program = [sys.executable, "-m", "router.cli.main", *command]
        subprocess.run(program, env=env, check=True, timeout=LIMIT, capture_output=True)


@pytest.fixture
async def kcat(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Kcat]:
    """Topics, a published catalogue and the three roles that a case needs, as real processes."""
    env = {**os.environ, "DUOKUA_BOOTSTRAP": kafka, "DUOKUA_PREFIX": prefix, "DUOKUA_STATE_DIR": str(tmp_path)}
    prepare(env)
    children = Children(env, tmp_path, lambda *_: None)
    try:
        for role in ROLES:
            await children.start(role)
        await children.ready(ROLES, LIMIT)
        yield Kcat(kafka, prefix)
    finally:
        await children.close()


async def test_a_case_goes_its_way_between_two_foreign_clients(kcat: Kcat) -> None:
    """A request written by kcat becomes a task that kcat reads; a reply written by kcat is an answer that kcat reads."""
    kcat.write("intake.hotline_12345", REF, REQUEST)

    receipt = kcat.wait("answers.hotline_12345", "cn.duokua.receipt.issued.v1")
    task = kcat.wait("tasks.desk", "cn.duokua.task.assigned.v1", kind="handle")

    assert (receipt["code"], receipt["ref"], receipt["case_id"]) == ("accepted", REF, task["case_id"])
    assert task["title"] == "路灯不亮"

    kcat.write("replies.desk", task["case_id"], reply(task, "sign"))
    kcat.write(
        "replies.desk",
        task["case_id"],
        reply(task, "reply", result="solved", text="三盏路灯已修复。", contacted=True),
    )
    review = kcat.wait("tasks.desk", "cn.duokua.task.assigned.v1", kind="review")

    assert review["case_id"] == task["case_id"]
    assert review["reply_under_review"]["text"] == "三盏路灯已修复。"


def reply(task: dict[str, Any], action: str, **more: object) -> dict[str, Any]:
    """What a department's system answers to a task."""
    return {
        "specversion": "1.0",
        "id": f"{task['task_id']}-{action}",
        "source": "/endpoints/desk",
        "type": "cn.duokua.reply.submitted.v1",
        "data": {"case_id": task["case_id"], "task_id": task["task_id"], "action": action, **more},
    }
