"""
The embedded broker: the real Apache Kafka as a child of this process, or detached from it.

    with EmbeddedKafka() as kafka:            # data thrown away at the end
        ... kafka.bootstrap, kafka.pid

It ends with its parent, also when the parent is killed (guard.py). `running` and `stop` find a detached one again.
"""

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from adapters.kafka.embedded import guard
from adapters.kafka.embedded.faults import DataInUse, DiskFull, KafkaFault, NotReady, PortTaken
from adapters.kafka.embedded.jars import MAVEN, Progress, cache_folder, fetch, jar_folder
from adapters.kafka.embedded.java import find_java
from adapters.kafka.embedded.node import Node, answers, free_port, is_free, run_command

#: Seconds until a broker that was started must answer; until one that was asked to stop is killed.
READY_WITHIN, GRACE = 60.0, 20.0
#: Ports are chosen a moment before the broker takes them: somebody may be quicker, so try again this often.
PORT_TRIES = 3
KEPT_LOGS = 10
TAIL = 30


@dataclass(frozen=True)
class Running:
    """A broker that runs: pids of Java and of its guard, where it listens, what it writes."""

    bootstrap: str
    pid: int
    guard: int
    data: str
    log: str
    discard: bool


class EmbeddedKafka:
    """
    A single-node Kafka on 127.0.0.1.

    Without `data_dir` the data lies in a temporary folder and goes with the broker; with one it is kept unless
    `discard` says otherwise. The broker's log is kept either way. `port` 0 takes a free one, which stays the same
    over `kill` and `start`. `detached`: the broker outlives this process until `stop(data_dir)`.
    Raises the faults of faults.py; fetches Kafka's jars first where they are missing.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        discard: bool | None = None,
        detached: bool = False,
        progress: Progress = lambda _: None,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self._given = data_dir
        self._port = port
        self._discard = data_dir is None if discard is None else discard
        self._detached = detached
        self._progress = progress
        self._env = env
        self._guard: subprocess.Popen[str] | None = None
        self._running: Running | None = None
        self._data = Path()

    @property
    def bootstrap(self) -> str:
        return self._now.bootstrap

    @property
    def pid(self) -> int:
        """The pid of the broker itself (Java)."""
        return self._now.pid

    @property
    def log(self) -> Path:
        return Path(self._now.log)

    @property
    def running(self) -> Running:
        """All of it, for `duokua kafka status --json`."""
        return self._now

    @property
    def _now(self) -> Running:
        if self._running is None:
            raise RuntimeError("not started")
        return self._running

    def start(self) -> Self:
        """Starts the broker and returns when it answers."""
        java = find_java(self._env)
        jars = fetch(jar_folder(self._env), self._env.get("DUOKUA_MAVEN") or MAVEN, progress=self._progress)
        self._data = self._folder()
        try:
            self._launch(java, jars)
        except BaseException as error:
            if self._given is None:
                shutil.rmtree(self._data, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in DiskFull.ERRNOS:
                raise DiskFull(where=self._data) from error
            raise
        return self

    def stop(self) -> None:
        """Ends the broker: kept data are closed in order, data to be thrown away are thrown away."""
        if self._running is None:
            return
        self._leave()
        if self._discard:
            shutil.rmtree(self._data, ignore_errors=True)
        self._running = None

    def kill(self) -> None:
        """SIGKILL to the broker, as a crash would; `start` brings it back on the same port and data."""
        os.kill(self.pid, signal.SIGKILL)
        if self._guard:
            self._guard.wait(GRACE)
        self._leave()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _folder(self) -> Path:
        if self._running:
            return Path(self._running.data)
        if self._given is None:
            return Path(tempfile.mkdtemp(prefix="duokua-kafka-"))
        self._given.mkdir(parents=True, exist_ok=True)
        return self._given.resolve()

    def _launch(self, java: Path, jars: Sequence[Path]) -> None:
        """Ports are chosen a moment before the broker takes them: where somebody is quicker, others are tried."""
        for attempt in itertools.count(1):
            node = self._node()
            try:
                self._running = self._run(node, run_command(node, java, jars))
            except PortTaken:
                if self._port or attempt == PORT_TRIES:
                    raise
            else:
                self._port = node.port
                return

    def _node(self) -> Node:
        if self._port and not is_free(self._port):
            raise PortTaken(port=self._port)
        return Node(self._data, self._port or free_port(), free_port())

    def _run(self, node: Node, command: list[str]) -> Running:
        log = self._log_file()
        known = {"bootstrap": node.bootstrap, "data": str(self._data), "log": str(log), "discard": self._discard}
        order = {
            "command": command,
            "data": str(self._data),
            "log": str(log),
            "discard": self._discard,
            "detached": self._detached,
            "grace": 0 if self._discard else GRACE,
            "running": known,
        }
        begin = log.stat().st_size if log.exists() else 0
        self._guard = _spawn(order)
        try:
            found = self._greet(node, log, begin)
            _await_answer(found, node, begin)
        except BaseException:
            self._leave()
            raise
        if self._detached:
            self._leave()
        return found

    def _greet(self, node: Node, log: Path, begin: int) -> Running:
        """The guard's first word: whom it started, or that the folder is another's."""
        assert self._guard is not None and self._guard.stdout is not None
        line = self._guard.stdout.readline().strip()
        if line == guard.IN_USE:
            raise DataInUse(data=self._data)
        if not line:
            raise _diagnose(node, log, begin)
        return Running(**json.loads(line))

    def _leave(self) -> None:
        """Lets the guard go. One that is not detached takes the end of its stdin as the word to end the broker."""
        if self._guard is None:
            return
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe:
                pipe.close()
        self._guard.wait(GRACE + 10)
        self._guard = None

    def _log_file(self) -> Path:
        """Beside the data; where those are thrown away, in the cache folder, which keeps the last few."""
        if self._given is not None and not self._discard:
            return self._data / "broker.log"
        folder = cache_folder(self._env) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("kafka-*.log"), key=lambda path: path.stat().st_mtime)[:-KEPT_LOGS]:
            old.unlink(missing_ok=True)
        return folder / f"kafka-{self._data.name}.log"


def _spawn(order: dict[str, Any]) -> "subprocess.Popen[str]":
    """In a session of its own: Ctrl-C reaches us, and we decide when the broker goes."""
    with open(order["log"], "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)],
            stdin=subprocess.DEVNULL if order["detached"] else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )


def _await_answer(started: Running, node: Node, begin: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    try:
        while not answers(node.bootstrap):
            if not _held(node.data) or time.monotonic() > deadline:
                raise _diagnose(node, Path(started.log), begin)
            time.sleep(0.05)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.kill(started.guard, signal.SIGTERM)
        raise


#: What the broker writes before it ends, and what it means.
SIGNS = (
    ("Address already in use", lambda node: PortTaken(port=node.port)),
    ("No space left on device", lambda node: DiskFull(where=node.data)),
    ("Failed to acquire lock on file", lambda node: DataInUse(data=node.data)),
)


def _diagnose(node: Node, log: Path, begin: int) -> KafkaFault:
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read().decode("utf-8", "replace")
    named = (fault(node) for sign, fault in SIGNS if sign in text)
    return next(named, NotReady(patience=READY_WITHIN, log=log, tail="\n".join(text.splitlines()[-TAIL:])))


def running(data: Path) -> Running | None:
    """The broker that runs on this data folder, if one does (its guard holds the lock)."""
    if not _held(data):
        return None
    with contextlib.suppress(FileNotFoundError):
        return Running(**json.loads((data / "running.json").read_text("utf-8")))
    return None


def stop(data: Path) -> Running | None:
    """Ends the broker on this data folder and waits for it; gives what it ended."""
    found = running(data)
    if found is None:
        return None
    os.kill(found.guard, signal.SIGTERM)
    deadline = time.monotonic() + GRACE + 10
    while _held(data) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _held(data: Path) -> bool:
    """Whether a guard lives on this folder."""
    try:
        with (data / "guard.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
