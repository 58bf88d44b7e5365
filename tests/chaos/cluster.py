"""
One broker or three, each with two doors: one for the tests themselves, and one that is advertised at a proxy's port.

The roles know only the second door, so that everything they say passes the proxy (tests/chaos/proxy.py).
"""

import base64
import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.kafka.embedded import broker as embedded
from adapters.kafka.embedded import node as nodes
from adapters.kafka.embedded.child import Child, Running
from adapters.kafka.embedded.faults import NotReady
from adapters.kafka.embedded.jars import fetch, jar_folder, mirror_of
from adapters.kafka.embedded.java import find_java
from adapters.kafka.embedded.node import HOST, Node, free_port

TRIES = 5
HEAP = ("-Xms256m", "-Xmx400m")


@dataclass(frozen=True)
class Seat(Node):
    """A node among several. `door` is where it listens for roles, `proxy` the port under which they know it."""

    number: int = 1
    door: int = 0
    proxy: int = 0
    voters: tuple[tuple[int, int], ...] = ()
    """(number, controller port) of all nodes"""

    def settings(self, log_dir: Path | None = None) -> dict[str, str]:
        several = len(self.voters) > 1
        replicas = str(len(self.voters))
        needed = "2" if several else "1"
        controller = f"CONTROLLER://{HOST}:{self.controller_port}"
        settings = super().settings(log_dir) | {
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(f"{number}@{HOST}:{port}" for number, port in self.voters),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,ROLES:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listeners": f"PLAINTEXT://{self.bootstrap},ROLES://{HOST}:{self.door},{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap},ROLES://{HOST}:{self.proxy},{controller}",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": needed,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": needed,
            "default.replication.factor": replicas,
            "min.insync.replicas": needed,
        }
        if several:
            # somebody is there to take over, so a dead one should be missed soon
            settings |= {"broker.session.timeout.ms": "6000", "inter.broker.listener.name": "PLAINTEXT"}
        else:
            settings["inter.broker.listener.name"] = "PLAINTEXT"
        del settings["controller.quorum.bootstrap.servers"]
        return settings


@dataclass
class Broker:
    """One node and its process."""

    seat: Seat
    java: Path
    jars: Sequence[Path]
    child: Child | None = field(default=None)

    def launch(self) -> None:
        """Start it; `await_it` says when it answers. A node that crashed alone waits for its own fencing first."""
        seat = self.seat
        wanted = Running(seat.bootstrap, str(seat.data), str(seat.data / "broker.log"), discard=False)
        if len(seat.voters) == 1 and nodes.has_crashed(seat):
            order = nodes.controller_command(seat, self.java, self.jars)
            embedded._fence_predecessor(seat, order, wanted)
        self.began = embedded._size(wanted)
        jvm = (*HEAP, *(option for option in nodes.JVM if not option.startswith("-Xm")))
        config = nodes._write(seat.data / "server.properties", seat.settings())
        self.child = Child([*nodes._java(seat, self.java, self.jars, *jvm), "kafka.Kafka", config], wanted)

    def await_it(self) -> None:
        assert self.child is not None
        embedded._await(
            lambda: nodes.answers(self.seat.bootstrap), embedded.READY_WITHIN, self.child.running, self.began
        )

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child = None

    def stop(self) -> None:
        if self.child is not None:
            self.child.let_go()
            self.child = None


class Cluster:
    """All brokers of a run. Their data stay where they are; the run's folder is somebody else's to delete."""

    def __init__(self, folder: Path, count: int, env: dict[str, str]) -> None:
        java, jars = find_java(env), fetch(jar_folder(env), mirror_of(env))
        voters = tuple((number, free_port()) for number in range(1, count + 1))
        self.brokers = [
            Broker(Seat(folder / f"broker-{number}", free_port(), port, number, free_port(), free_port(), voters), java, jars)
            for number, port in voters
        ]  # fmt: skip
        self._java, self._jars = java, jars

    @property
    def bootstrap(self) -> str:
        """For the tests themselves."""
        return ",".join(broker.seat.bootstrap for broker in self.brokers)

    @property
    def proxied(self) -> str:
        """For the roles."""
        return ",".join(f"{HOST}:{broker.seat.proxy}" for broker in self.brokers)

    @property
    def doors(self) -> list[tuple[int, int]]:
        """(proxy's port, broker's port) of each broker."""
        return [(broker.seat.proxy, broker.seat.door) for broker in self.brokers]

    def start(self) -> None:
        """Raises KafkaFault."""
        self._format(base64.urlsafe_b64encode(random.randbytes(16)).decode().rstrip("="))
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.await_it()

    def _format(self, cluster: str) -> None:
        for broker in self.brokers:
            seat = broker.seat
            seat.data.mkdir(parents=True)
            (seat.data / "log4j2.properties").write_text(nodes.LOG4J, "utf-8")
            config = nodes._write(seat.data / "format.properties", seat.settings())
            tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={config}"]
            said = subprocess.run(
                [*nodes._java(seat, self._java, self._jars, *nodes.SHORT_JVM), *tool],
                capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=nodes.FORMAT_WITHIN,
            )  # fmt: skip
            if said.returncode:
                raise NotReady(patience=nodes.FORMAT_WITHIN, log="StorageTool", tail=said.stdout + said.stderr)

    def restart(self, broker: Broker) -> None:
        """Bring one back that was killed. A busy machine may need several tries; raises NotReady after the last."""
        for attempt in range(1, TRIES + 1):
            try:
                broker.launch()
                broker.await_it()
            except NotReady:
                broker.kill()
                if attempt == TRIES:
                    raise
            else:
                return

    def stop(self) -> None:
        for broker in self.brokers:
            broker.stop()

    def discard(self) -> None:
        for broker in self.brokers:
            shutil.rmtree(broker.seat.data, ignore_errors=True)
