"""What intake promises, on the log in memory and on a real Apache Kafka: each record has exactly one outcome."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.record.util import calc_crc32c
from tenacity import AsyncRetrying, retry_if_exception_type, wait_fixed

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog, RecordRefused, TopicSpec
from adapters.kafka.memory import MemoryLog
from router.intake import role
from router.intake.role import Intake, ShardsDiffer, serve
from router.operate.process import Process
from router.operate.settings import Settings
from schemas.cloudevents import decode
from schemas.ids import case_id, shard_of
from workflows import commands

SHARDS = 3
CASE = case_id("grid", "g-1")


@dataclass(frozen=True)
class Channel:
    id: str
    origin: str = "grid"
    medium: str = "app"
    default_kind: str = "report"


@dataclass(frozen=True)
class Doors:
    """A catalogue of nothing but doors."""

    channels: dict[str, Channel]
    endpoints: dict[str, object] = field(default_factory=dict)

    proposer = None

    def has_region(self, code: str) -> bool:
        return code == "370102"


@dataclass
class InForce:
    current: Doors


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def log(request: pytest.FixtureRequest) -> Any:
    return MemoryLog() if request.param == "memory" else KafkaLog(request.getfixturevalue("kafka"))


@pytest.fixture
def doors() -> Doors:
    return Doors({name: Channel(name) for name in ("grid", "wechat")}, {"desk": None})


@pytest.fixture
async def process(log: Any, prefix: str, doors: Doors) -> Process:
    """A role with its topics, those of the channel `later` included."""
    settings = Settings(prefix=prefix, shards=SHARDS, clock="2026-09-18T09:00:00+08:00,0,0.000001")
    made = Process(role="intake", settings=settings, clock=Clock.from_text(settings.clock), log=log)
    await log.create_topics(made.topics.specs([*doors.channels, "later"], doors.endpoints))
    return made


def request(ref: str, **data: Any) -> bytes:
    event = {"specversion": "1.0", "id": ref, "source": "/x", "type": "cn.duokua.request.submitted.v1"}
    return json.dumps({**event, "data": {"title": "t", **data}}).encode()


def reply(**data: Any) -> bytes:
    event = {"specversion": "1.0", "id": "r-1", "source": "/x", "type": "cn.duokua.reply.submitted.v1"}
    return json.dumps({**event, "data": {"case_id": CASE, "task_id": CASE, "action": "sign", **data}}).encode()


INPUTS: dict[str, list[bytes | None]] = {
    "intake.grid": [request(f"g-{n}") for n in range(40)] + [None, b"", b"{", b"[" * 10_000, request("13812345678")],
    "intake.wechat": [b"\xff", request("w-1"), request("w-1"), request("w-2", place={"region": "999999"})] * 5,
    "replies.desk": [reply(), reply(action="reply"), b"nope"],
}


async def publish(process: Process, inputs: dict[str, list[bytes | None]]) -> None:
    async with process.log.writer() as writer:
        for topic, values in inputs.items():
            for value in values:
                writer.add(process.settings.prefix + topic, 0, None, value)
        await writer.flush()


@asynccontextmanager
async def serving(process: Process, in_force: InForce) -> AsyncIterator[None]:
    task = asyncio.create_task(serve(process, in_force))
    try:
        yield
    finally:
        process.stop.set()
        await asyncio.wait_for(task, 30)


async def settled(process: Process, topics: list[str]) -> None:
    """Wait until intake has committed all that is in these topics."""
    partitions = [TopicPartition(process.settings.prefix + topic, 0) for topic in topics]
    async with asyncio.timeout(60), process.log.reader(group=process.topics.group("intake")) as reader:
        ends = await reader.end_offsets(partitions)
        async for attempt in AsyncRetrying(wait=wait_fixed(0.02), retry=retry_if_exception_type(AssertionError)):
            with attempt:
                assert not [tp for tp in partitions if (await reader.committed(tp) or 0) < ends[tp]]


async def read(process: Process, topic: str, partitions: int = 1) -> list[Any]:
    """Every record of a topic, to its end."""
    records: list[Any] = []
    chosen = [TopicPartition(topic, n) for n in range(partitions)]
    async with process.log.reader(partitions=chosen) as reader:
        ends = await reader.end_offsets(chosen)
        while [tp for tp in chosen if await reader.position(tp) < ends[tp]]:
            for batch in (await reader.getmany(timeout_ms=200)).values():
                records += batch
    return records


async def test_each_record_has_exactly_one_outcome(process: Process, doors: Doors) -> None:
    """A command on its own shard, or a dead letter with an answer: never both, never neither, whatever the bytes."""
    await publish(process, INPUTS)
    async with serving(process, InForce(doors)):
        await settled(process, list(INPUTS))

    accepted = [commands.decode(r.value) for r in await read(process, process.topics.commands, SHARDS)]
    dead = [dict(r.headers) for r in await read(process, process.topics.dead_letters("intake"))]
    origins = ["/".join(d[f"x-original-{part}"].decode() for part in ("topic", "partition", "offset")) for d in dead]
    outcomes = Counter([command.source for command in accepted] + origins)
    expected = {f"{process.settings.prefix}{t}/0/{n}" for t, values in INPUTS.items() for n in range(len(values))}
    assert set(outcomes) == expected
    assert set(outcomes.values()) == {1}

    answers = [r for name in doors.channels for r in await read(process, process.topics.answers(name))]
    answers += await read(process, process.topics.tasks("desk"))
    assert len(answers) == len(dead) == 5 + 10 + 2


async def test_commands_keep_the_order_of_their_case(process: Process, doors: Doors) -> None:
    """What a channel says about one request stays in the order in which it was said, on the shard of the case."""
    values = [request("g-1")]
    for n in range(20):
        event = json.loads(request(f"g-1-{n}"))
        event |= {"type": "cn.duokua.request.supplemented.v1", "subject": "g-1", "data": {"text": str(n)}}
        values.append(json.dumps(event).encode())
    await publish(process, {"intake.grid": list(values)})
    async with serving(process, InForce(doors)):
        await settled(process, ["intake.grid"])

    records = await read(process, process.topics.commands, SHARDS)
    assert {(r.partition, r.key) for r in records} == {(shard_of(CASE, SHARDS), CASE.encode())}
    assert [r.value.count(b"supplement") for r in records] == [0] + [1] * 20
    assert [json.loads(bytes(commands.decode(r.value).body))["text"] for r in records[1:]] == [
        str(n) for n in range(20)
    ]  # type: ignore[union-attr]


async def test_a_batch_done_twice_writes_the_same(process: Process, doors: Doors) -> None:
    """After a crash between writing and committing the same commands come again under the same ids."""
    await publish(process, INPUTS)
    topics = [process.settings.prefix + topic for topic in INPUTS]
    async with (
        process.log.writer() as writer,
        process.log.reader(partitions=[TopicPartition(topic, 0) for topic in topics]) as reader,
    ):
        intake = Intake(process, InForce(doors), writer)
        left = sum(map(len, INPUTS.values()))
        while left:
            batch = await reader.getmany(timeout_ms=200)
            left -= sum(map(len, batch.values()))
            await intake.take(batch)
            await intake.take(batch)

    for topic, partitions in ((process.topics.commands, SHARDS), (process.topics.dead_letters("intake"), 1)):
        written = Counter((r.key, r.value, tuple(r.headers)) for r in await read(process, topic, partitions))
        assert set(written.values()) == {2}


async def test_a_channel_of_a_new_catalogue_is_read(process: Process, doors: Doors) -> None:
    """No restart: reading begins anew with the doors of the catalogue in force."""
    in_force = InForce(doors)
    await publish(process, {"intake.grid": [request("g-1")], "intake.later": [request("l-1")]})
    async with serving(process, in_force):
        await settled(process, ["intake.grid"])
        in_force.current = Doors({**doors.channels, "later": Channel("later")}, doors.endpoints)
        await settled(process, ["intake.later"])

    refs = [commands.decode(r.value).ref for r in await read(process, process.topics.commands, SHARDS)]  # type: ignore[union-attr]
    assert sorted(refs) == ["g-1", "l-1"]


async def test_nothing_is_committed_that_was_not_written(process: Process, doors: Doors) -> None:
    """Where an answer is refused (no topic in memory, one for 100 bytes on Kafka) the role fails; the record is still to be done."""
    gone = Doors({**doors.channels, "mute": Channel("mute")}, doors.endpoints)
    name = process.topics.intake("mute")
    await process.log.create_topics([TopicSpec(name, 1)])
    if isinstance(process.log, KafkaLog):
        small = TopicSpec(process.topics.answers("mute"), 1, config={"max.message.bytes": "100"})
        await process.log.create_topics([small])
    await publish(process, {"intake.mute": [b"nope"]})
    with pytest.raises(RecordRefused):
        await asyncio.wait_for(serve(process, InForce(gone)), 60)
    async with process.log.reader(group=process.topics.group("intake")) as reader:
        assert not await reader.committed(TopicPartition(name, 0))


async def test_another_number_of_shards_is_refused(process: Process, doors: Doors) -> None:
    """A case must not be sent to another's shard because a setting differs from the log."""
    process.settings.shards = SHARDS + 1
    with pytest.raises(ShardsDiffer):
        await serve(process, InForce(doors))


async def test_a_giant_is_answered_and_the_next_is_taken(process: Process, doors: Doors) -> None:
    """10 MB, as the topic allows: refused without being parsed; the request behind it becomes a case."""
    giant = b'"' + b"x" * 10_000_000 + b'"'
    await publish(process, {"intake.grid": [giant, request("g-9")]})
    async with serving(process, InForce(doors)):
        await settled(process, ["intake.grid"])

    (answer,) = await read(process, process.topics.answers("grid"))
    receipt = decode(answer.value, answer.headers).data
    assert (receipt["code"], receipt["reason"]) == ("rejected", "too_large")
    assert len(await read(process, process.topics.commands, SHARDS)) == 1


async def test_a_defect_in_translating_is_the_record_s_alone(
    process: Process, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever our code raises at one record: that one is kept and answered as our fault, those around it are taken."""
    real = role.translate

    def defective(record: Any, *more: Any) -> Any:
        if record.offset == 1:
            raise ZeroDivisionError
        return real(record, *more)

    monkeypatch.setattr(role, "translate", defective)
    await publish(process, {"intake.grid": [request(f"g-{n}") for n in range(3)], "replies.desk": [reply()]})
    async with serving(process, InForce(doors)):
        await settled(process, ["intake.grid", "replies.desk"])

    taken = [commands.decode(r.value).source for r in await read(process, process.topics.commands, SHARDS)]
    grid, desk = process.topics.intake("grid"), process.topics.replies("desk")
    assert set(taken) == {f"{grid}/0/0", f"{grid}/0/2", f"{desk}/0/0"}
    (answer,) = await read(process, process.topics.answers("grid"))
    assert decode(answer.value, answer.headers).data["reason"] == "internal_error"
    (dead,) = await read(process, process.topics.dead_letters("intake"))
    assert dict(dead.headers)["x-reason"] == b"internal_error"


@pytest.mark.kafka
@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_any_compression_is_read(kafka: str, prefix: str, doors: Doors, codec: str) -> None:
    """A channel's producer compresses as it likes: its requests become cases all the same."""
    settings = Settings(prefix=prefix, shards=SHARDS)
    process = Process(role="intake", settings=settings, clock=Clock(), log=KafkaLog(kafka))
    await process.log.create_topics(process.topics.specs(doors.channels, doors.endpoints))
    async with AIOKafkaProducer(bootstrap_servers=kafka, compression_type=codec) as producer:
        await producer.send_and_wait(process.topics.intake("grid"), request("g-1", text="路灯不亮" * 500))
    async with serving(process, InForce(doors)):
        await settled(process, ["intake.grid"])

    assert len(await read(process, process.topics.commands, SHARDS)) == 1


@pytest.mark.kafka
@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_a_batch_that_unpacks_to_too_much_stops_nobody(kafka: str, prefix: str, doors: Doors, codec: str) -> None:
    """It passes the broker; it is answered once, kept aside with its range, and the requests around it become cases."""
    settings = Settings(prefix=prefix, shards=SHARDS)
    process = Process(role="intake", settings=settings, clock=Clock(), log=KafkaLog(kafka))
    await process.log.create_topics(process.topics.specs(doors.channels, doors.endpoints))
    await publish(process, {"intake.grid": [request("g-1")]})
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, compression_type=codec, max_batch_size=64 << 20, max_request_size=64 << 20
    ) as producer:
        bomb = producer.create_batch()
        for _ in range(5):
            bomb.append(key=None, value=b" " * (4 << 20), timestamp=None)
        await (await producer.send_batch(bomb, process.topics.intake("grid"), partition=0))
    await publish(process, {"intake.grid": [request("g-2")]})
    async with serving(process, InForce(doors)):
        await settled(process, ["intake.grid"])

    assert len(await read(process, process.topics.commands, SHARDS)) == 2
    (answer,) = await read(process, process.topics.answers("grid"))
    receipt = decode(answer.value, answer.headers).data
    assert (receipt["code"], receipt["reason"]) == ("rejected", "batch_too_large")
    (dead,) = await read(process, process.topics.dead_letters("intake"))
    headers = dict(dead.headers)
    assert (headers["x-original-first-offset"], headers["x-original-offset"]) == (b"1", b"5")


@pytest.mark.kafka
async def test_a_header_name_that_is_not_utf8_stops_nobody(kafka: str, prefix: str, doors: Doors) -> None:
    """Such a record comes through the broker; it and the next request become cases."""
    settings = Settings(prefix=prefix, shards=SHARDS)
    process = Process(role="intake", settings=settings, clock=Clock(), log=KafkaLog(kafka))
    await process.log.create_topics(process.topics.specs(doors.channels, doors.endpoints))
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        odd = producer.create_batch()
        odd.append(key=None, value=request("g-1"), timestamp=None, headers=[("broken", b"x")])
        odd._builder = Broken(odd._builder)
        await (await producer.send_batch(odd, process.topics.intake("grid"), partition=0))
    await publish(process, {"intake.grid": [request("g-2")]})
    async with serving(process, InForce(doors)):
        await settled(process, ["intake.grid"])

    assert len(await read(process, process.topics.commands, SHARDS)) == 2


class Broken:
    """A record builder that spoils a header name and mends the checksum."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def build(self) -> bytearray:
        raw = bytearray(bytes(self._builder.build()).replace(b"broken", b"\xff\xfe\xfd\xfc\xfb\xfa"))
        raw[17:21] = calc_crc32c(raw[21:]).to_bytes(4)
        return raw
