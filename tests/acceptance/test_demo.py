"""
Invariant: whatever is published, and whoever dies on the way, each input stands in exactly one set of the ledger.

The demo runs as a user runs it: as a process, with every role a process of its own, on a real Kafka.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.kafka

QUICK = ("--speed", "60000")
"""Time enough to see every kind of event; the figures of a day in 3 s are for people who watch."""
PATIENCE = 240
SHOWN = (
    "returned",
    "warned",
    "overdue",
    "escalated",
    "redirected",
    "sub_dispatched",
    "sent_back",
    "duplicates",
    "followups",
    "called_back",
    "mergers_proposed",
)
SUM = ("open", "finished", "duplicates", "dead_letters")
STARTED = re.compile(r"started (\S+) \(pid (\d+)\)")


@pytest.fixture
def env(kafka: str, tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "DUOKUA_BOOTSTRAP": kafka, "DUOKUA_STATE_DIR": str(tmp_path)}


@contextmanager
def start(env: dict[str, str], *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A demo; if the test fails on the way, it is asked to end, and so ends all of its own."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "router.cli.main", "demo", "--json", "--lang", "en", *options],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with demo:
        try:
            yield demo
        finally:
            demo.terminate()


def ended(demo: "subprocess.Popen[str]") -> dict[str, int]:
    """The ledger of a demo that has ended well: the last line of stdout, and nothing else there."""
    out, err = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 0, err[-3000:]
    lines = out.splitlines()
    assert len(lines) == 1, out
    ledger: dict[str, int] = json.loads(lines[0])
    assert all(type(count) is int for count in ledger.values())
    assert ledger["submitted"] == sum(ledger[name] for name in SUM)
    assert ledger["lost"] == ledger["double"] == 0
    return ledger


def test_the_demo_balances_shows_everything_and_can_be_read_afterwards(env: dict[str, str]) -> None:
    """With an embedded broker of its own, as `make demo` runs it."""
    del env["DUOKUA_BOOTSTRAP"]
    with start(env, *QUICK) as demo:
        ledger = ended(demo)
    assert ledger["submitted"] >= 300 and ledger["channels_with_outcome"] == 15
    assert all(ledger[name] >= 1 for name in SHOWN), ledger
    listed = read(env, "list")["cases"]
    shown = read(env, "show", listed[0]["number"])
    assert shown["case"]["number"] == listed[0]["number"] and shown["timeline"]


def read(env: dict[str, str], *words: str) -> Any:
    answer = subprocess.run(
        [sys.executable, "-m", "router.cli.main", "case", *words, "--json"],
        env=env, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(answer.stdout)


def test_it_balances_when_an_engine_is_killed_in_the_middle(env: dict[str, str]) -> None:
    with start(env, *QUICK) as demo:
        pids = read_until(demo, "published [1-9]")
        os.kill(pids["engine"], signal.SIGKILL)
        ledger = ended(demo)
    assert ledger["restarts"] >= 1 and ledger["submitted"] >= 300


def read_until(demo: "subprocess.Popen[str]", sign: str) -> dict[str, int]:
    """Read what the demo says until a line shows `sign`; the pids of its roles."""
    assert demo.stderr is not None
    pids: dict[str, int] = {}
    for line in iter(demo.stderr.readline, ""):
        pids |= {name: int(pid) for name, pid in STARTED.findall(line)}
        if re.search(sign, line):
            break
    return pids


def test_each_line_of_a_file_is_accounted_for(env: dict[str, str], tmp_path: Path) -> None:
    """Good lines, a duplicate, an id used again, a withdrawal, and lines that no channel of ours can have written."""
    lines = tmp_path / "lines.jsonl"
    lines.write_text("\n".join(inputs()) + "\n\n", encoding="utf-8")
    with start(env, "--speed", "100000", "--input", str(lines)) as demo:
        ledger = ended(demo)
    assert ledger["submitted"] == 8 and ledger["followups"] == 1 and ledger["published"] == 9
    assert ledger["duplicates"] == 1 and ledger["dead_letters"] == 4
    assert ledger["open"] + ledger["finished"] == 3


def inputs() -> Iterator[str]:
    def event(name: str, title: str, source: str = "/channels/grid", kind: str = "submitted", **more: object) -> str:
        data = {"title": title} if kind == "submitted" else {"reason": title}
        attributes = {"specversion": "1.0", "type": f"cn.duokua.request.{kind}.v1", "source": source, "id": name}
        return json.dumps(attributes | more | {"data": data}, ensure_ascii=False)

    yield event("g-1", "路灯不亮")
    yield event("g-2", "井盖缺失")
    yield event("g-1", "路灯不亮")
    yield event("g-1", "另一件事")
    yield event("w-1", "留言", source="/channels/website")
    yield event("x-1", "无此渠道", source="/channels/nowhere")
    yield "不是 JSON"
    yield '{"specversion": "1.0"}'
    yield event("g-2-c", "已修好", kind="withdrawn", subject="g-2")


def test_ctrl_c_ends_every_process(env: dict[str, str]) -> None:
    with start(env) as demo:
        children = [psutil.Process(pid) for pid in read_until(demo, "publishing begins").values()]
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=60)
        assert demo.returncode == 130, err
    deadline = time.monotonic() + 10
    while any(child.is_running() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children and not any(child.is_running() for child in children)


@pytest.mark.parametrize("options", [("--speed", "quick"), ("--input", "nowhere.jsonl"), ("--speed", "0"), ("--what",)])
def test_wrong_arguments_are_usage_errors(env: dict[str, str], options: tuple[str, ...]) -> None:
    with start(env, *options) as demo:
        out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 2 and not out


def test_a_cluster_that_is_not_there_is_told_at_once(env: dict[str, str]) -> None:
    with start({**env, "DUOKUA_BOOTSTRAP": "127.0.0.1:1"}) as demo:
        _, err = demo.communicate(timeout=60)
    assert demo.returncode == 3 and "127.0.0.1:1" in err
