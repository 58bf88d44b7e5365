"""Child processes of a bench: started, watched, their CPU time read, and stopped by pid. Nobody else's are touched."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
GRACE = 30.0


class Died(Exception):
    """A process ended that should have gone on; the text ends with its last lines."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int | str) -> dict[str, int]:
    """MB of a process: now, and at most so far."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return {name: int(lines[field].split()[0]) >> 10 for name, field in (("rss", "VmRSS"), ("peak", "VmHWM"))}


class Others:
    """How much of the machine others use, from now on until asked."""

    def __init__(self) -> None:
        self._begin = self._look()

    @staticmethod
    def _look() -> tuple[float, float]:
        """Wall time, and CPU seconds of the machine less those of this process and of all its children that ended."""
        busy = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]))
        own = os.times()
        used = (sum(busy) - busy[3] - busy[4]) / TICKS
        return time.monotonic(), used - own.user - own.system - own.children_user - own.children_system

    def share(self) -> float:
        """Of all cores, 0 to 1."""
        (began, before), (now, after) = self._begin, self._look()
        return max(0.0, (after - before) / (now - began) / len(os.sched_getaffinity(0)))


class Processes:
    """By name. Each writes what it says to `<name>.log` in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, arguments: Sequence[str], env: Mapping[str, str], *, program: str = sys.executable
    ) -> None:
        with (self._folder / f"{name}.log").open("ab") as out:
            self._running[name] = subprocess.Popen(
                [program, *arguments], cwd=CHECKOUT, env={**os.environ, **env}, stdout=out, stderr=out
            )

    def stop(self, *names: str) -> None:
        """SIGTERM, then SIGKILL to those that do not leave."""
        leaving = {name: self._running.pop(name) for name in names or tuple(self._running)}
        for process in leaving.values():
            process.terminate()
        for process in leaving.values():
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """They stand still meanwhile."""
        for process in self._running.values():
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._running.values():
                process.send_signal(signal.SIGCONT)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL, and gone."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def check(self) -> None:
        """Raises Died when one ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise Died(f"{name} ended with {process.returncode}\n{self.said(name)}")

    def said(self, *names: str) -> str:
        """The last lines of the logs."""
        logs = {name: self._folder / f"{name}.log" for name in names or self._running}
        tails = {name: log.read_text("utf-8", "replace").splitlines()[-15:] for name, log in logs.items()}
        return "\n".join(f"  {name}: {line}" for name, lines in tails.items() for line in lines)

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each so far."""
        return {name: cpu_seconds(process.pid) for name, process in self._running.items()}
