"""
A channel system in one file: publishes requests to its intake topic and prints what comes back for them.

    python examples/python/channel.py CHANNEL FILE [--until receipt|outcome] [--seconds 30]

FILE holds CloudEvents, one as a whole or one a line. Needs nothing of Duokua, only aiokafka; any Kafka client
can do the same. DUOKUA_BOOTSTRAP and DUOKUA_PREFIX say where. Exit code 1 when an answer did not come in time.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

BOOTSTRAP = os.environ.get("DUOKUA_BOOTSTRAP", "127.0.0.1:9092")
PREFIX = os.environ.get("DUOKUA_PREFIX", "duokua.")
STRUCTURED = [("content-type", b"application/cloudevents+json")]
LAST_WORD = {"receipt": "cn.duokua.receipt.issued.v1", "outcome": "cn.duokua.case.outcome.v1"}


def events(path: Path) -> list[dict[str, Any]]:
    """The CloudEvents of a file: one document, or one a line."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]


async def publish(channel: str, requests: list[dict[str, Any]]) -> None:
    """Key = the channel's own id, so that what concerns one request stays in order. `acks=all`: on disk when it returns."""
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all", enable_idempotence=True) as producer:
        for event in requests:
            key = (event.get("subject") or event["id"]).encode()
            value = json.dumps(event, ensure_ascii=False).encode()
            await producer.send_and_wait(f"{PREFIX}intake.{channel}", value, key=key, headers=STRUCTURED)
            print(f"已发送 {event['id']}", flush=True)


async def listen(consumer: AIOKafkaConsumer, waiting: set[str], last: str) -> None:
    """Print every answer for the ids in `waiting`, until each has had its last word (or was refused)."""
    mine = set(waiting)
    async for record in consumer:
        kind, answer = dict(record.headers)["ce_type"].decode(), json.loads(record.value)
        if answer["ref"] not in mine:
            continue
        print(kind.removeprefix("cn.duokua.").removesuffix(".v1"), json.dumps(answer, ensure_ascii=False), flush=True)
        if kind == last or answer.get("code") not in (None, "accepted"):
            waiting.discard(answer["ref"])
        if not waiting:
            return


async def run(channel: str, path: Path, until: str, seconds: float) -> int:
    requests = events(path)
    waiting = {event.get("subject") or event["id"] for event in requests}
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP) as consumer:
        answers = TopicPartition(f"{PREFIX}answers.{channel}", 0)
        consumer.assign([answers])
        await consumer.seek_to_end(answers)
        await consumer.position(answers)
        await publish(channel, requests)
        try:
            await asyncio.wait_for(listen(consumer, waiting, LAST_WORD[until]), seconds)
        except TimeoutError:
            print(f"{seconds:g} 秒内没有等到：{', '.join(sorted(waiting))}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("channel")
    parser.add_argument("file", type=Path)
    parser.add_argument("--until", choices=LAST_WORD, default="receipt")
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    sys.exit(asyncio.run(run(given.channel, given.file, given.until, given.seconds)))
