"""
The embedded broker: the real Apache Kafka as a child of this process, or detached from it.

    with EmbeddedKafka() as kafka:            # data thrown away at the end
        ... kafka.bootstrap, kafka.pid

It ends with its parent, also when the parent is killed (guard.py). `running` and `stop` find a detached one again.
"""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.kafka.embedded import node as nodes
from adapters.kafka.embedded.child import Child, Running, held
from adapters.kafka.embedded.faults import DataInUse, DiskFull, KafkaFault, NotReady, PortTaken
from adapters.kafka.embedded.jars import cache_folder, fetch, jar_folder, mirror_of
from adapters.kafka.embedded.java import find_java
from adapters.kafka.embedded.node import Node

#: Seconds until a broker that was started must answer, and its controller have seen its predecessor off.
READY_WITHIN, FENCED_WITHIN = 90.0, 45.0
PORT_TRIES = 3
KEPT_LOGS = 10
#: Lines of the log that an error shows.
TAIL = 30


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
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self._given = data_dir
        self._port = port
        self._discard = data_dir is None if discard is None else discard
        self._detached = detached
        self._env = env
        self._data: Path | None = None
        self._child: Child | None = None

    @property
    def running(self) -> Running:
        """Where it listens, its pids, its folders. Raises RuntimeError before `start`."""
        if self._child is None:
            raise RuntimeError("not started")
        return self._child.running

    @property
    def bootstrap(self) -> str:
        return self.running.bootstrap

    @property
    def pid(self) -> int:
        """The pid of the broker itself (Java)."""
        return self.running.pid

    @property
    def log(self) -> Path:
        return Path(self.running.log)

    def start(self) -> Self:
        """Starts the broker and returns when it answers."""
        java = find_java(self._env)
        jars = fetch(jar_folder(self._env), mirror_of(self._env))
        self._data = data = self._data or self._folder()
        try:
            self._launch(java, jars)
        except BaseException as error:
            self._throw_away(self._given is None)
            if isinstance(error, OSError) and error.errno in DiskFull.ERRNOS:
                raise DiskFull(where=data) from error
            raise
        return self

    def stop(self) -> None:
        """Ends the broker: kept data are closed in order, data to be thrown away are thrown away."""
        if self._child:
            self._child.let_go()
            self._throw_away(self._discard)
            self._child = None

    def kill(self) -> None:
        """SIGKILL to the broker, as a crash would; `start` brings it back on the same port and data."""
        if self._child:
            self._child.kill()

    def wait(self) -> None:
        """Returns when the broker has ended by itself."""
        if self._child:
            self._child.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _folder(self) -> Path:
        if self._given is None:
            return Path(tempfile.mkdtemp(prefix="duokua-kafka-"))
        self._given.mkdir(parents=True, exist_ok=True)
        return self._given.resolve()

    def _throw_away(self, really: bool) -> None:
        if really and self._data:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = self._data if self._given else None

    def _launch(self, java: Path, jars: Sequence[Path]) -> None:
        """Ports are chosen a moment before the broker takes them: where somebody is quicker, others are tried."""
        for attempt in itertools.count(1):
            node = self._node()
            try:
                self._child = self._run(node, java, jars)
            except PortTaken:
                if self._port or attempt == PORT_TRIES:
                    raise
            else:
                self._port = node.port
                return

    def _node(self) -> Node:
        assert self._data is not None
        if held(self._data):
            raise DataInUse(data=self._data)
        if self._port and not nodes.is_free(self._port):
            raise PortTaken(port=self._port)
        return Node(self._data, self._port or nodes.free_port(), nodes.free_port())

    def _run(self, node: Node, java: Path, jars: Sequence[Path]) -> Child:
        wanted = Running(node.bootstrap, str(node.data), str(self._log_file(node.data)), self._discard)
        nodes.prepare(node, java, jars)
        if nodes.has_crashed(node):
            _fence_predecessor(node, nodes.controller_command(node, java, jars), wanted)
        begin = _size(wanted)
        child = Child(nodes.command(node, java, jars), wanted, detached=self._detached)
        try:
            _await(lambda: nodes.answers(node.bootstrap), READY_WITHIN, child.running, begin)
        except BaseException:
            child.running.end()
            child.let_go()
            raise
        if self._detached:
            child.let_go()
        return child

    def _log_file(self, data: Path) -> Path:
        """Beside the data; where those are thrown away, in the cache folder, which keeps the last few."""
        if not self._discard:
            return data / "broker.log"
        folder = cache_folder(self._env) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)[:-KEPT_LOGS]:
            old.unlink(missing_ok=True)
        return folder / f"{data.name}.log"


def _fence_predecessor(node: Node, command: Sequence[str], wanted: Running) -> None:
    """
    After a crash, lets a controller alone see the dead broker off before the new one starts.

    Started at once, the new broker leads its partitions by stale metadata until the session of its dead predecessor
    runs out, and Kafka 4.3.1 may in that moment take the partitions of a committed transaction for deleted and never
    write their markers: readers of committed records then stand still (docs/adr/0002, with the log).
    """
    begin = _size(wanted)
    child = Child(command, Running(wanted.bootstrap, wanted.data, wanted.log, discard=False))
    try:
        _await(lambda: nodes.is_fenced(child.running.written(begin)), FENCED_WITHIN, child.running, begin)
    finally:
        child.let_go()


def _await(holds: Callable[[], bool], patience: float, child: Running, begin: int) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        if not held(Path(child.data)) or time.monotonic() > deadline:
            raise diagnose(child, begin, patience)
        time.sleep(0.05)


#: What the broker writes before it ends, and what it means.
SIGNS: tuple[tuple[str, Callable[[Running], KafkaFault]], ...] = (
    ("Address already in use", lambda child: PortTaken(port=child.bootstrap)),
    ("No space left on device", lambda child: DiskFull(where=child.data)),
    ("Failed to acquire lock on file", lambda child: DataInUse(data=child.data)),
)


def diagnose(child: Running, begin: int, patience: float) -> KafkaFault:
    """Why it did not come up, by what it wrote to its log since byte `begin`."""
    text = child.written(begin)
    tail = "\n".join(text.splitlines()[-TAIL:])
    return next(
        (fault(child) for sign, fault in SIGNS if sign in text), NotReady(patience=patience, log=child.log, tail=tail)
    )


def _size(wanted: Running) -> int:
    log = Path(wanted.log)
    return log.stat().st_size if log.exists() else 0
