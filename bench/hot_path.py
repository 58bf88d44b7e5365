"""
Where the CPU of one request goes, part by part, on the catalogue of the checkout, without a broker.

    python -m bench.hot_path

Prints microseconds a request: the lower quartile over rounds of ROUND requests, so that a busy machine and the
garbage collector weigh little. Each request is received at an instant of its own, and decided at that of its batch. What the log's
client and the broker take comes on top (python -m bench).
"""

import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec.structs import replace

from adapters.clock import Clock
from adapters.kafka.writing import BATCH_BYTES, Writer
from bench.cluster import SHARDS
from bench.processes import CHECKOUT
from bench.sample import Sample
from router.catalogue.catalogue import Catalogue
from router.catalogue.load import load
from router.delivery.fanout import fan_out
from router.engine.batch import Batch
from router.engine.record import ShardRecord
from router.engine.store import Changes, Store, state_value
from router.intake.translate import Accepted, Known, translate
from router.operate.topics import Topics
from workflows import case as cases
from workflows import commands, events, outbox, outgoing
from workflows.decide import decision
from workflows.handle import step

REQUESTS, ROUND = 16_000, 100
TOGETHER = 50
"""Commands that a shard decides at one instant: a batch as it is under load."""
PREFIX = "bench."
Item = TypeVar("Item")
Made = TypeVar("Made")


def part(name: str, call: Callable[[Item], Made], items: Sequence[Item], each: int = ROUND, of: int = 1) -> list[Made]:
    """Call it for every item, which stands for `of` requests, and print what one cost; gives what it made."""
    made, costs = [], []
    for begin in range(0, len(items) - each + 1, each):
        before = time.process_time()
        made += [call(item) for item in items[begin : begin + each]]
        costs.append((time.process_time() - before) / each / of * 1e6)
    print(f"{sorted(costs)[len(costs) // 4]:8.1f}  {name}", flush=True)
    return made


def intake(catalogue: Catalogue, now: int) -> list[Accepted]:
    known = Known(directory=catalogue, prefix=PREFIX, shards=SHARDS, secret=b"bench")
    records: list[Any] = [
        SimpleNamespace(
            topic=f"{PREFIX}intake.{r.channel}", partition=0, offset=n, key=r.ref.encode(), value=r.value, headers=[]
        )
        for n, r in enumerate(Sample(catalogue, now).take(REQUESTS))
    ]
    found = part("intake: check, translate", lambda record: translate(record, known, now + record.offset), records)
    return [one for one in found if isinstance(one, Accepted) and one.partition == 0]


def core(catalogue: Catalogue, accepted: list[Accepted], now: int) -> None:
    """The parts of a step, one after the other."""
    facts = catalogue.facts()
    taken = part("engine: command decoded", lambda one: commands.decode(one.command), accepted)
    submits = [replace(c, serial=f"00{n:05d}") for n, c in enumerate(taken) if isinstance(c, commands.Submit)]
    instants = [now + REQUESTS + n // TOGETHER * TOGETHER for n in range(len(submits))]
    pairs = list(zip(submits, instants, strict=True))
    made = part("engine: decided (routed, clocks computed, events folded)", lambda p: decision(None, p[0], facts, p[1]), pairs)  # fmt: skip
    part(
        "engine: messages made",
        lambda both: outgoing.outgoing(None, both[0], both[1], lambda: bytes(both[1].request)),
        list(zip(made, submits, strict=False)),
    )
    steps = part("engine: both, and settled", lambda p: step(None, p[0], facts, p[1]), pairs)
    part("engine: events, state and outbox encoded", _encoded, steps)


def _encoded(made: Any) -> int:
    out = outbox.OutboxRecord(case=made.case.id, version=1, at=0, messages=made.messages)
    state = state_value(made.case.next_due, cases.encode(made.case))
    return len(events.encode(made.record)) + len(outbox.encode(out)) + len(state)


def batches(catalogue: Catalogue, accepted: list[Accepted], now: int, folder: Path) -> list[Batch]:
    """The batches of a shard as it makes them: decide, build the records, apply to the store."""
    store, shard, facts = Store(folder / "store", "bench"), ShardRecord(log="bench", shards=SHARDS), catalogue.facts()
    commits, instant = 0, now + REQUESTS

    def decide(ones: Sequence[Accepted]) -> Batch:
        nonlocal instant
        instant += TOGETHER
        batch = Batch(store, shard, 0)
        batch.look_up(one.case.encode() for one in ones)
        for one in ones:
            batch.decide(one.case.encode(), one.command, "", facts, instant)
        return batch

    def apply(batch: Batch) -> Changes:
        nonlocal commits
        commits += 1
        changelog = batch.changelog()
        store.apply(changelog, commits)
        return changelog

    size = TOGETHER
    groups = [accepted[n : n + size] for n in range(0, len(accepted) - size + 1, size)]
    made = part("engine: all of that, as a batch does it", decide, groups, 1, size)
    changelogs = part("engine: changelog made and applied to the store", apply, made, 1, size)
    part("engine: records built", _built, list(zip(made, changelogs, strict=True)), 1, size)
    store.close()
    return made


def _built(both: tuple[Batch, Changes]) -> None:
    """Into record batches, by the writer, and closed with their checksums."""
    batch, changelog = both
    producer: Any = SimpleNamespace(create_batch=lambda: BatchBuilder(BATCH_BYTES, 0, is_transactional=1))
    writer = Writer(producer)
    for topic, records in (("events", batch.events), ("state", changelog), ("outbox", batch.outbox)):
        writer.add_all(topic, 0, records)
    for _, filled in [*writer._full, *writer._open.items()]:
        filled._build()


def delivery(made: list[Batch]) -> None:
    topics = Topics(PREFIX, SHARDS)
    values = [value for batch in made for _, value in batch.outbox]
    part("delivery: outbox decoded, fanned out", lambda value: fan_out(outbox.decode(value), topics), values)


def main() -> None:
    catalogue, now = load(CHECKOUT / "catalog"), Clock().now()
    catalogue.facts()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # as a role has it
    accepted = intake(catalogue, now)
    core(catalogue, accepted, now)
    with tempfile.TemporaryDirectory(prefix="duokua-bench-") as folder:
        made = batches(catalogue, accepted, now, Path(folder))
    delivery(made)


if __name__ == "__main__":
    main()
