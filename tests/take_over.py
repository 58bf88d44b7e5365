"""
Forty thousand open cases are taken over on a real Kafka: `DUOKUA_BOOTSTRAP=… python -m tests.take_over --cases 40000`.

The file is made up (every third waits for a dispatcher, pauses, extensions and old promises among the others), tried, written,
and read back from `case.events`; each case has to stand there once. The engine runs in a process of its own.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import TopicPartition

from adapters.clock import BEIJING
from adapters.kafka.log import KafkaLog
from router.operate.settings import CHECKOUT
from workflows import events as ev

URBAN = "370102.urban-management"
LIMIT = 1800.0


def main() -> int:
    """Figures as one JSON object; exit code 1 where a case is missing, there twice, or refused."""
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=40_000)
    cases = options.parse_args().cases
    with tempfile.TemporaryDirectory() as folder:
        prefix, file = f"take{uuid4().hex[:8]}.", Path(folder) / "open.jsonl"
        now = datetime.now(BEIJING).replace(microsecond=0)
        file.write_text("".join(json.dumps(_line(number, now), ensure_ascii=False) + "\n" for number in range(cases)))
        os.environ |= {"DUOKUA_PREFIX": prefix, "DUOKUA_STATE_DIR": folder, "DUOKUA_STATE_FREE_MB": "0"}
        _duokua("topics", "apply")
        _duokua("catalog", "publish", "--to-begin", "--reason", "tests.take_over")
        figures: dict[str, Any] = {"cases": cases, "file_mb": round(file.stat().st_size / 1e6, 1)}
        figures["try"] = _import(file)
        with subprocess.Popen([sys.executable, "-m", "router.cli.main", "run", "engine"], cwd=CHECKOUT) as engine:
            try:
                figures["write"] = _import(file, "--write", "--actor", "t", "--reason", "t", "--rate", "1000000")
                began = time.monotonic()
                figures["found"] = asyncio.run(_opened(prefix, cases))
                figures["engine_behind_s"] = round(time.monotonic() - began, 1)
                figures["again"] = _import(file, "--write", "--actor", "t", "--reason", "t", "--rate", "1000000")
                figures["found_again"] = asyncio.run(_opened(prefix, cases))
            finally:
                engine.terminate()
    sys.stdout.write(json.dumps(figures) + "\n")
    return figures["found"] != figures["found_again"] or figures["found"] != {"cases": cases, "records": cases}


def _line(number: int, now: datetime) -> dict[str, Any]:
    received = now - timedelta(hours=30 + number % 400)

    def step(hours: float, action: str, unit: str = "", **said: Any) -> dict[str, Any]:
        at = (received + timedelta(hours=hours)).isoformat()
        return {"at": at, "action": action, "said": said} | ({"unit": unit} if unit else {})

    history = [
        step(1, "dispatch", targets=[{"unit": URBAN}]),
        step(2, "sign", URBAN),
        step(3, "urge"),
        step(4, "note", URBAN, text="已到现场"),
    ]
    request = {
        "title": f"路灯不亮 {number}", "text": "路灯连续几晚不亮，请尽快维修。" * 5, "appeal_kind": "complaint", "place": {"region": "370102"},
        "received_at": received.isoformat(),
    }  # fmt: skip
    promised = {"due": (received + timedelta(days=12)).isoformat()} if number % 10 == 0 else {}
    return {
        "id": f"old-{number}",
        "number": f"JN{number}",
        "request": request,
        "history": history[: number % 5],
    } | promised


def _duokua(*arguments: str) -> str:
    command = [sys.executable, "-m", "router.cli.main", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _import(file: Path, *options: str) -> dict[str, Any]:
    """Seconds by the clock and of the processor, and the most memory of any command so far."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    told = json.loads(_duokua("import", "open-cases", str(file), "--json", *options).splitlines()[-1])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "s": round(time.monotonic() - began, 1), "cpu_s": round(after.ru_utime - before, 1), "mb": after.ru_maxrss // 1024,
        "sound": told["sound"], "faulty": told["faulty"], "written": told["written"], "differing": len(told["differing"]),
    }  # fmt: skip


async def _opened(prefix: str, cases: int) -> dict[str, int]:
    """How many cases stand on `case.events`, and in how many records, once there are as many as wanted and no more come."""
    log, found = KafkaLog(os.environ["DUOKUA_BOOTSTRAP"]), Counter[str]()
    topic = f"{prefix}case.events"
    partitions = [TopicPartition(topic, p) for p in range((await log.topics())[topic])]
    async with log.reader(partitions=partitions) as reader, asyncio.timeout(LIMIT):
        quiet = 0
        while quiet < 15:
            batch = await reader.getmany(timeout_ms=1000)
            for records in batch.values():
                found.update(ev.decode(record.value).case for record in records)
            quiet = quiet + 1 if not batch and len(found) >= cases else 0
    return {"cases": len(found), "records": found.total()}


if __name__ == "__main__":
    sys.exit(main())
