"""One KRaft node that is broker and controller at once: its settings, its folder, its log configuration."""

import base64
import shutil
import socket
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.kafka.embedded.faults import NotReady

HOST = "127.0.0.1"
#: The largest record, in bytes: 12 MB of content with its envelope.
LARGEST = 13 * 1024 * 1024
#: Seconds that laying out an empty data folder may take.
FORMAT_WITHIN = 60.0

#: What does not depend on ports and folders. One node: every internal topic has one replica and few partitions.
FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(LARGEST),
    "replica.fetch.max.bytes": str(LARGEST),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A transaction left open by a killed worker must not hold up read_committed readers for long after its time-out.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # After a crash the controller keeps the dead broker's place for this long (default 9 s) before it lets it in again.
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "1000",
    # The default takes 128 MB of a heap that is meant to stay small.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
}

JVM = (
    "-Xms256m", "-Xmx700m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true", "-Dsun.stdout.encoding=UTF-8", "-Dstdout.encoding=UTF-8",
)  # fmt: skip

LOG4J = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
logger.config.name=org.apache.kafka.common.config.AbstractConfig
logger.config.level=WARN
"""


@dataclass(frozen=True)
class Node:
    """Where the node lives and listens."""

    data: Path
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    def settings(self, log_dir: Path | None = None) -> dict[str, str]:
        controller = f"{HOST}:{self.controller_port}"
        return FIXED | {
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "log.dirs": str(log_dir or self.data / "kafka"),
        }


def run_command(node: Node, java: Path, jars: Sequence[Path]) -> list[str]:
    """Lays the node's files and gives the command that runs it; formats the data folder the first time."""
    node.data.mkdir(parents=True, exist_ok=True)
    (node.data / "log4j2.properties").write_text(LOG4J, "utf-8")
    if not (node.data / "kafka" / "meta.properties").exists():
        _format(node, java, jars)
    return [*_java(node, java, jars, *JVM), "kafka.Kafka", _write(node.data / "server.properties", node.settings())]


def _format(node: Node, java: Path, jars: Sequence[Path]) -> None:
    """In a folder of its own that is then renamed: a half-formatted folder is never started on."""
    fresh = node.data / "formatting"
    shutil.rmtree(fresh, ignore_errors=True)
    config = _write(node.data / "format.properties", node.settings(fresh))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    quick = _java(node, java, jars, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    command = [*quick, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", config, "--standalone"]
    said = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=FORMAT_WITHIN
    )
    if said.returncode:
        raise NotReady(patience=FORMAT_WITHIN, log="StorageTool", tail=said.stdout + said.stderr)
    fresh.rename(node.data / "kafka")


def _java(node: Node, java: Path, jars: Sequence[Path], *options: str) -> list[str]:
    log4j = f"-Dlog4j2.configurationFile={node.data / 'log4j2.properties'}"
    return [str(java), *options, log4j, "-cp", ":".join(map(str, jars))]


def _write(path: Path, settings: dict[str, str]) -> str:
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), "utf-8")
    return str(path)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(bootstrap: str, patience: float = 2.0) -> bool:
    """Whether a Kafka answers there: one ApiVersions request (v0), which every broker understands before any login."""
    host, _, port = bootstrap.rpartition(":")
    request = bytes.fromhex("0012 0000 00000007 ffff")
    try:
        with socket.create_connection((host, int(port)), timeout=patience) as sock:
            sock.sendall(len(request).to_bytes(4) + request)
            head = sock.makefile("rb").read(10)
    except OSError:
        return False
    return len(head) == 10 and head[4:] == bytes.fromhex("00000007 0000")
