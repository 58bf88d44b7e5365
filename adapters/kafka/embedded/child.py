"""Java under its guard: started, found again by its data folder, let go."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from adapters.kafka.embedded import guard
from adapters.kafka.embedded.faults import DataInUse

#: Seconds until a broker that was asked to stop is killed.
GRACE = 20.0


@dataclass(frozen=True)
class Running:
    """A broker that runs: where it listens, where it keeps its data and its log, pids of Java and of its guard."""

    bootstrap: str
    data: str
    log: str
    discard: bool
    pid: int = 0
    guard: int = 0

    def written(self, begin: int = 0) -> str:
        """What the log says from that byte on."""
        with open(self.log, "rb") as file:
            file.seek(begin)
            return file.read().decode("utf-8", "replace")

    def end(self) -> None:
        """Asks the guard to end it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.guard, signal.SIGTERM)


class Child:
    """
    One Java process for as long as we hold it; `detached` lets it live on without us.

    The guard takes the end of its stdin, however it comes about, as the word to end Java.
    Raises DataInUse where another guard holds the data folder.
    """

    def __init__(self, command: Sequence[str], wanted: Running, *, detached: bool = False) -> None:
        order = {
            "command": list(command),
            "running": asdict(wanted),
            "detached": detached,
            "grace": 0 if wanted.discard else GRACE,
        }
        self._guard = _spawn(order, Path(wanted.log), detached)
        assert self._guard.stdout is not None
        word = self._guard.stdout.readline().strip()
        if not word or word == guard.IN_USE:
            self.let_go()
            raise DataInUse(data=wanted.data) if word else RuntimeError(f"no guard, see {wanted.log}")
        self.running = replace(wanted, **json.loads(word))

    def kill(self) -> None:
        """SIGKILL to Java itself, as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.running.pid, signal.SIGKILL)
        self.wait(GRACE)
        self.let_go()

    def wait(self, patience: float | None = None) -> None:
        """Until Java has ended."""
        self._guard.wait(patience)

    def let_go(self) -> None:
        """Closes the pipes and waits: an attached guard ends Java first, a detached one went its way long ago."""
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe:
                pipe.close()
        self._guard.wait(GRACE + 10)


def _spawn(order: dict[str, object], log: Path, detached: bool) -> "subprocess.Popen[str]":
    """In a session of its own: Ctrl-C reaches us, and we decide when the broker goes."""
    with log.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)],
            stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )


def held(data: Path) -> bool:
    """Whether a guard lives on this folder."""
    try:
        with (data / guard.LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def running(data: Path) -> Running | None:
    """The broker that runs on this data folder, if one does."""
    if held(data):
        with contextlib.suppress(FileNotFoundError):
            return Running(**json.loads((data / guard.RUNNING).read_text("utf-8")))
    return None


def stop(data: Path) -> Running | None:
    """Ends the broker on this data folder and waits for it; gives what it ended."""
    found = running(data)
    if found:
        found.end()
        deadline = time.monotonic() + GRACE + 10
        while held(data) and time.monotonic() < deadline:
            time.sleep(0.05)
    return found
