"""
A department's system in one file: reads its tasks, signs and answers them, and does nothing twice.

    python examples/python/department.py ENDPOINT [--tasks N]

Needs nothing of Duokua, only aiokafka. DUOKUA_BOOTSTRAP and DUOKUA_PREFIX say where; `ENDPOINT.db` in the current
folder (--store) remembers what was done. Tasks come at least once: after a crash the same one may come again, so

1. what `seen` holds is passed over;
2. a reply is acknowledged by the broker, then noted in `seen`, and only then the offset is committed;
3. the id of a reply follows from the task, its round and the action.

A crash between 1 and 2 sends a reply again. That is harmless: Duokua lets each one take effect once and refuses the
second. `answers` is the part to replace by your own system.
"""

import argparse
import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

BOOTSTRAP = os.environ.get("DUOKUA_BOOTSTRAP", "127.0.0.1:9092")
PREFIX = os.environ.get("DUOKUA_PREFIX", "duokua.")
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


async def handle(endpoint: str, kind: str, body: dict[str, Any], producer: AIOKafkaProducer) -> bool:
    """Do what one message asks for; True when it was a task."""
    if kind not in ("cn.duokua.task.assigned.v1", "cn.duokua.task.sent_back.v1"):
        print(f"{kind.split('.')[-2]}：{json.dumps(body, ensure_ascii=False)}", flush=True)
        return False
    due = next((clock["due"] for clock in body["due"] if clock["kind"] == "finish"), "")
    print(f"收到任务 {body['number']} {body['kind']} {body['unit_name']}「{body['title']}」 {due}", flush=True)
    for answer in answers(body):
        reply = {"case_id": body["case_id"], "task_id": body["task_id"], **answer}
        value, headers = json.dumps(reply, ensure_ascii=False).encode(), envelope(endpoint, body, answer["action"])
        await producer.send_and_wait(
            f"{PREFIX}replies.{endpoint}", value, key=body["case_id"].encode(), headers=headers
        )
        print(f"已回复 {body['number']} {answer['action']}", flush=True)
    return True


async def run(endpoint: str, tasks: int, store: sqlite3.Connection) -> None:
    """Until `tasks` tasks were handled; for ever with 0."""
    store.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")
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
            headers = {name: value.decode() for name, value in record.headers}
            if store.execute("SELECT 1 FROM seen WHERE id = ?", (headers["ce_id"],)).fetchone() is None:
                handled += await handle(endpoint, headers["ce_type"], json.loads(record.value), producer)
                with store:
                    store.execute("INSERT INTO seen VALUES (?)", (headers["ce_id"],))
            await consumer.commit()
            if tasks and handled >= tasks:
                return


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("--tasks", type=int, default=0, help="end after so many tasks")
    parser.add_argument("--store", type=Path)
    given = parser.parse_args()
    with sqlite3.connect(given.store or f"{given.endpoint}.db") as connection:
        asyncio.run(run(given.endpoint, given.tasks, connection))
