"""
A department's system in one file: reads its tasks, signs and answers them, and does nothing twice.

    python examples/python/department.py ENDPOINT [--tasks N] [--store FILE]

Needs nothing of Duokua, only aiokafka. DUOKUA_BOOTSTRAP and DUOKUA_PREFIX say where. Messages come at least once:
after a crash the same one may come again, and a supplement brings the task again with a higher version. So the store
remembers the last round of each task that was answered, and the order is: the broker has our reply, the store has the
round, the offset is committed. A crash in between sends the same reply again, under the same id; Duokua lets it take
effect once and refuses the second.

`answers` is the part to replace by your own system.
"""

import argparse
import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

BOOTSTRAP = os.environ.get("DUOKUA_BOOTSTRAP", "127.0.0.1:9092")
PREFIX = os.environ.get("DUOKUA_PREFIX", "duokua.")
TASKS = ("cn.duokua.task.assigned.v1", "cn.duokua.task.sent_back.v1")
BEIJING = timezone(timedelta(hours=8))


def answers(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What we say about a task. Kinds that are not named here are left to a person."""
    if task["kind"] == "handle":
        if "sign" in task["allowed"]:
            yield {"action": "sign"}
        yield {
            "action": "reply",
            "result": "solved",
            "text": "已现场处理并恢复正常。",
            "contacted": True,
            "contact_method": "电话",
        }
    elif task["kind"] == "review":
        yield {"action": "pass"}


def envelope(endpoint: str, task: dict[str, Any], action: str) -> list[tuple[str, bytes]]:
    """CloudEvents in binary mode: the attributes are headers, the value is the reply alone."""
    attributes = {
        "specversion": "1.0",
        "id": f"{task['task_id']}-{task.get('round', 0)}-{action}",
        "source": f"/endpoints/{endpoint}",
        "type": "cn.duokua.reply.submitted.v1",
        "time": datetime.now(BEIJING).isoformat(timespec="seconds"),
    }
    return [
        *((f"ce_{name}", text.encode()) for name, text in attributes.items()),
        ("content-type", b"application/json"),
    ]


async def answer(endpoint: str, task: dict[str, Any], producer: AIOKafkaProducer) -> None:
    """Sends what we say about a task; returns when the broker has it."""
    due = next((clock["due"] for clock in task.get("due", ()) if clock["kind"] == "finish"), "")
    print(f"收到任务 {task['number']} {task['kind']} {task['unit_name']}「{task['title']}」 {due}", flush=True)
    for said in answers(task):
        reply = {"case_id": task["case_id"], "task_id": task["task_id"], **said}
        value, headers = json.dumps(reply, ensure_ascii=False).encode(), envelope(endpoint, task, said["action"])
        await producer.send_and_wait(
            f"{PREFIX}replies.{endpoint}", value, key=task["case_id"].encode(), headers=headers
        )
        print(f"已回复 {task['number']} {said['action']}", flush=True)


class Store:
    """The last round of each task that was answered."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("CREATE TABLE IF NOT EXISTS done (task_id TEXT PRIMARY KEY, round INTEGER)")

    def has(self, task: dict[str, Any]) -> bool:
        found = self._connection.execute("SELECT round FROM done WHERE task_id = ?", (task["task_id"],)).fetchone()
        return found is not None and task.get("round", 0) <= found[0]

    def note(self, task: dict[str, Any]) -> None:
        row = (task["task_id"], task.get("round", 0))
        self._connection.execute("INSERT OR REPLACE INTO done VALUES (?, ?)", row)


async def run(endpoint: str, tasks: int, store: Store) -> None:
    """Until `tasks` tasks were handled; for ever with 0."""
    consumer = AIOKafkaConsumer(
        f"{PREFIX}tasks.{endpoint}",
        bootstrap_servers=BOOTSTRAP,
        group_id=f"{PREFIX}department.{endpoint}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    handled = 0
    async with consumer, AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all", enable_idempotence=True) as producer:
        async for record in consumer:
            kind, body = dict(record.headers)["ce_type"].decode(), json.loads(record.value)
            if kind not in TASKS:
                print(kind, json.dumps(body, ensure_ascii=False), flush=True)
            elif not store.has(body):
                await answer(endpoint, body, producer)
                store.note(body)
                handled += 1
            await consumer.commit()
            if tasks and handled >= tasks:
                return


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("--tasks", type=int, default=0, help="end after so many tasks")
    parser.add_argument("--store", help="by default ENDPOINT.db in the current folder")
    given = parser.parse_args()
    asyncio.run(run(given.endpoint, given.tasks, Store(given.store or f"{given.endpoint}.db")))
