"""One KRaft node that is broker and controller at once: its settings, its folder, its log configuration."""

import base64
import re
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
    # There is no other broker to take over: being slow for a while must not cost this one its partitions.
    "broker.session.timeout.ms": "60000",
    # The default takes 128 MB of a heap that is meant to stay small.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
}

JVM = (
    "-Xms256m", "-Xmx700m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true", "-Dsun.stdout.encoding=UTF-8", "-Dstdout.encoding=UTF-8",
)  # fmt: skip

#: For a JVM that does one thing and ends.
SHORT_JVM = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

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


#: What the controller writes about a broker's place when it reads its metadata, and when it changes it.
PLACE = re.compile(r"\bfenced=(true|false|1|-1)\b")


#: What it writes when it has read all its metadata and takes charge; the server may say earlier that it has started.
IN_CHARGE = "Becoming the active controller"


def is_fenced(log: str) -> bool:
    """Whether a controller that wrote this log is in charge and holds no place for a broker."""
    places = PLACE.findall(log)
    return IN_CHARGE in log and (not places or places[-1] in ("true", "1"))


def prepare(node: Node, java: Path, jars: Sequence[Path]) -> None:
    """Lays the node's files; formats the data folder the first time."""
    (node.data / "log4j2.properties").write_text(LOG4J, "utf-8")
    if not (node.data / "kafka").exists():
        _format(node, java, jars)


def command(node: Node, java: Path, jars: Sequence[Path]) -> list[str]:
    """What runs the node."""
    config = _write(node.data / "server.properties", node.settings())
    return [*_java(node, java, jars, *JVM), "kafka.Kafka", config]


def has_crashed(node: Node) -> bool:
    """Whether a broker ran on this data and did not end in order."""
    log = node.data / "kafka"
    return (log / "recovery-point-offset-checkpoint").exists() and not (log / ".kafka_cleanshutdown").exists()


def controller_command(node: Node, java: Path, jars: Sequence[Path]) -> list[str]:
    """The controller alone on the same metadata, impatient with brokers that do not report."""
    settings = node.settings() | {
        "process.roles": "controller",
        "listeners": f"CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"CONTROLLER://{HOST}:{node.controller_port}",
        "broker.session.timeout.ms": "500",
        "broker.heartbeat.interval.ms": "100",
    }
    return [*_java(node, java, jars, *SHORT_JVM), "kafka.Kafka", _write(node.data / "controller.properties", settings)]


def _format(node: Node, java: Path, jars: Sequence[Path]) -> None:
    """In a folder of its own that is then renamed: a half-formatted folder is never started on."""
    fresh = node.data / "formatting"
    shutil.rmtree(fresh, ignore_errors=True)
    config = _write(node.data / "format.properties", node.settings(fresh))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={config}", "--standalone"]
    said = subprocess.run(
        [*_java(node, java, jars, *SHORT_JVM), *storage],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=FORMAT_WITHIN,
    )  # fmt: skip
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
