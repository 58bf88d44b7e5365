"""A role says truthfully whether it lives, and does not outlive the order to end."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.bootstrap import HUNG
from router.operate import process as module
from router.operate.process import Health


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the process, in the test's hand."""
    at = [1000.0]

    class Time:
        monotonic = staticmethod(lambda: at[0])

    monkeypatch.setattr(module, "time", Time)
    return at


def test_who_waits_to_begin_lives(seconds: list[float]) -> None:
    """Waiting an hour for the first catalogue is no reason to be killed; `/readyz` says what for."""
    health = Health()
    health.waiting_for = "a published catalogue"
    seconds[0] += 3600
    assert health.live
    health.ready()
    assert health.live


def test_whose_loop_stands_still_does_not_live(seconds: list[float]) -> None:
    """From the last turn on it has `stale` seconds."""
    health = Health(stale=60)
    health.ready()
    seconds[0] += 59
    health.beat()
    seconds[0] += 59
    assert health.live
    seconds[0] += 2
    assert (health.live, health.silent) == (False, 61)


ROLE = """
import asyncio, os, signal, sys, threading
from router import bootstrap
from router.operate.settings import Settings
bootstrap.STOP_SECONDS = bootstrap.HUNG_SECONDS = 0.5
bootstrap.LOOK_SECONDS = 0.05

class Role:
    @staticmethod
    async def run(process):
        process.health.ready()
        if sys.argv[1] == "stop":
            process.health.waiting_for = "nothing"
            os.kill(os.getpid(), signal.SIGTERM)
        if sys.argv[1] == "task":
            asyncio.create_task(fail("张三 13800000000"))
            await asyncio.sleep(0.2)
            return
        await asyncio.sleep(60)

async def fail(words):
    raise ValueError(words)

bootstrap.importlib.import_module = lambda name: Role
sys.exit(bootstrap.run_role("delivery", Settings(log_format="json")))
"""


@pytest.mark.parametrize("harm", ["stop", "loop"])
def test_a_role_that_hangs_is_ended(tmp_path: Path, harm: str) -> None:
    """A flush that no broker answers, when asked to stop or while it runs: the stacks, then the end."""
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", ROLE, harm], capture_output=True, text=True, timeout=50)

    assert (ended.returncode, time.monotonic() - started < 40) == (HUNG, True)
    assert f'"reason": "{harm}"' in ended.stderr and "Current thread" in ended.stderr


def test_nobody_s_words_are_printed_with_a_failure_that_nobody_awaits() -> None:
    """asyncio's own report would hold the exception's text, past the allow-list of the logs."""
    ended = subprocess.run([sys.executable, "-c", ROLE, "task"], capture_output=True, text=True, timeout=50)

    assert '"loop.exception"' in ended.stderr and "ValueError" in ended.stderr
    assert "13800000000" not in ended.stderr
