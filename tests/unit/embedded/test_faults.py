"""What the broker's own log says decides which fault is told; whatever it says, its end is shown."""

from pathlib import Path

import pytest

from adapters.kafka.embedded.broker import diagnose
from adapters.kafka.embedded.child import Running
from adapters.kafka.embedded.faults import DataInUse, DiskFull, KafkaFault, NotReady, PortTaken
from adapters.kafka.embedded.node import Node, free_port, is_fenced


def broker(folder: Path, log: str) -> Running:
    (folder / "broker.log").write_text(log, "utf-8")
    return Running("127.0.0.1:19092", str(folder), str(folder / "broker.log"), discard=False)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("java.net.BindException: Address already in use", PortTaken),
        ("java.io.IOException: No space left on device", DiskFull),
        ("KafkaException: Failed to acquire lock on file .lock in /data", DataInUse),
        ("java.lang.IllegalStateException: who knows", NotReady),
    ],
)
def test_the_brokers_words_name_the_fault(tmp_path: Path, line: str, kind: type[KafkaFault]) -> None:
    """Port, disk and a second broker are recognised; all else is told with the end of the log."""
    fault = diagnose(broker(tmp_path, f"an earlier run\n{line}\nmore\n"), begin=0, patience=60.0)

    assert type(fault) is kind
    assert kind is not NotReady or (line in fault.text("zh") and "broker.log" in fault.text("en"))


def test_what_an_earlier_run_wrote_does_not_count(tmp_path: Path) -> None:
    """The log is kept over restarts; only what this start wrote is read."""
    earlier = "No space left on device\n"

    fault = diagnose(broker(tmp_path, f"{earlier}something else\n"), begin=len(earlier), patience=60.0)

    assert type(fault) is NotReady
    assert earlier.strip() not in fault.text("en")


STARTED = "KafkaRaftServer [KafkaRaftServer nodeId=1] Kafka Server started\n"
IN_CHARGE = (
    "QuorumController [QuorumController id=1] Becoming the active controller at epoch 2, next write offset 34.\n"
)


@pytest.mark.parametrize(
    ("log", "fenced"),
    [
        ("", False),
        (STARTED, False),
        (IN_CHARGE, True),
        (f"RegisterBrokerRecord(brokerId=1, fenced=true, inControlledShutdown=false)\n{IN_CHARGE}", True),
        (f"RegisterBrokerRecord(fenced=true)\nBrokerRegistrationChangeRecord(fenced=-1)\n{IN_CHARGE}{STARTED}", False),
        (f"BrokerRegistrationChangeRecord(fenced=-1)\n{IN_CHARGE}BrokerRegistrationChangeRecord(fenced=1)\n", True),
        (f"{STARTED}BrokerRegistrationChangeRecord(fenced=1)\n", False),
        (f"BrokerRegistrationChangeRecord(fenced=1)\nBrokerRegistrationChangeRecord(fenced=0)\n{IN_CHARGE}", True),
    ],
)
def test_a_dead_broker_is_seen_off_before_the_next(log: str, fenced: bool) -> None:
    """The controller must be up, and the last word about the broker's place be that it has none."""
    assert is_fenced(log) is fenced


def test_a_node_listens_on_loopback_only(tmp_path: Path) -> None:
    """Nobody outside this machine reaches the embedded broker, and it makes no topics by itself."""
    settings = Node(tmp_path, free_port(), free_port()).settings()

    assert all("//127.0.0.1:" in one for one in settings["listeners"].split(","))
    assert settings["auto.create.topics.enable"] == "false"
