"""The embedded broker is a real Kafka, and it never outlives who asked for it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from adapters.kafka.embedded import EmbeddedKafka, KafkaFault, running, stop
from adapters.kafka.embedded.faults import DataInUse, PortTaken
from adapters.kafka.embedded.node import LARGEST, answers, free_port

pytestmark = pytest.mark.kafka

LIMIT = 90.0


def until(holds: Callable[[], bool]) -> bool:
    """Whether it came true before the deadline."""
    deadline = time.monotonic() + LIMIT
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc/self").exists() else True
    return False


async def create(bootstrap: str, topic: str, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=config)])
    finally:
        await admin.close()


async def write(bootstrap: str, topic: str, value: bytes) -> None:
    async with (
        AIOKafkaProducer(
            bootstrap_servers=bootstrap, transactional_id=f"{topic}-writer", max_request_size=LARGEST
        ) as producer,
        producer.transaction(),
    ):
        sent = await producer.send(topic, value)
        await sent


async def read(bootstrap: str, topic: str) -> list[bytes]:
    """All of a topic's one partition, committed only."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", max_partition_fetch_bytes=LARGEST
    ) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values = []
        while await consumer.position(partition) < end:
            batch = await consumer.getmany(timeout_ms=500)
            values += [record.value for record in batch.get(partition, [])]
        return values


async def test_what_was_committed_is_read_back(kafka: str, prefix: str) -> None:
    """A committed transaction, with a record of 12 MB in it, is read back whole."""
    value = os.urandom(1024) * (12 * 1024)
    await create(kafka, f"{prefix}large")

    await write(kafka, f"{prefix}large", value)

    assert await read(kafka, f"{prefix}large") == [value]


async def test_no_topic_comes_into_being_by_writing_to_it(kafka: str, prefix: str) -> None:
    """Auto-create is off: topics are declared, not mistyped into existence."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.describe_topics([f"{prefix}nobody-declared-it"])
        assert f"{prefix}nobody-declared-it" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_a_killed_broker_comes_back_with_what_it_held(tmp_path: Path) -> None:
    """After SIGKILL the same data is served on the same port."""
    with EmbeddedKafka(tmp_path / "data") as broker:
        before = broker.bootstrap
        await create(before, "held")
        await write(before, "held", b"one")

        broker.kill()
        assert not answers(before)
        broker.start()

        assert broker.bootstrap == before
        # The marker that ends the transaction may be written only after the restart.
        deadline = time.monotonic() + LIMIT
        while not (held := await read(before, "held")) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        assert held == [b"one"]


async def test_kept_data_is_served_on_another_port(tmp_path: Path) -> None:
    """Ports are chosen anew at each start; the data does not depend on them. The log is kept beside it."""
    with EmbeddedKafka(tmp_path) as broker:
        await create(broker.bootstrap, "held")
        await write(broker.bootstrap, "held", b"one")

    with EmbeddedKafka(tmp_path, free_port()) as broker:
        assert await read(broker.bootstrap, "held") == [b"one"]
        assert broker.log == tmp_path / "broker.log"
        with pytest.raises(DataInUse):
            EmbeddedKafka(tmp_path).start()
        with pytest.raises(PortTaken):
            EmbeddedKafka(tmp_path / "other", int(broker.bootstrap.split(":")[1])).start()


PARENT = """
import sys
from pathlib import Path
from adapters.kafka.embedded import EmbeddedKafka
with EmbeddedKafka(Path(sys.argv[1]), discard=True) as broker:
    print(broker.pid, broker.running.guard, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("victim", ["parent", "guard", "interrupted parent"])
def test_the_broker_ends_when_its_parent_does(tmp_path: Path, victim: str) -> None:
    """No broker outlives who started it: parent killed, parent interrupted, guard killed. Logs stay."""
    if victim == "guard" and sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent died")
    data = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=os.environ | {"PYTHONPATH": os.getcwd()},
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        pid, guard = map(int, parent.stdout.readline().split())
        target, sign = (guard, signal.SIGKILL) if victim == "guard" else (parent.pid, signal.SIGKILL)
        os.kill(target, signal.SIGINT if victim == "interrupted parent" else sign)
        if victim == "guard":
            parent.communicate()

    assert until(lambda: not alive(pid) and not alive(guard))
    assert until(lambda: not data.exists())


def test_a_detached_broker_is_found_and_stopped(tmp_path: Path) -> None:
    """`start` leaves a broker that another process finds by its data folder, and ends."""
    started = EmbeddedKafka(tmp_path, detached=True).start().running
    try:
        assert running(tmp_path) == started
        assert answers(started.bootstrap)
    finally:
        assert stop(tmp_path) == started
    assert until(lambda: not alive(started.pid))
    assert (running(tmp_path), stop(tmp_path)) == (None, None)


def test_a_broker_that_ends_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """Data that this Kafka cannot read is told with the broker's own last words."""
    with EmbeddedKafka(tmp_path):
        pass
    (tmp_path / "kafka" / "meta.properties").write_text("version=77\n")

    with pytest.raises(KafkaFault, match=r"meta\.properties") as caught:
        EmbeddedKafka(tmp_path).start()

    assert str(tmp_path / "broker.log") in caught.value.text("en")
