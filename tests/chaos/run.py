"""A run: load and faults side by side, healing, rest, verdict. `run` does it all and returns what it found."""

import asyncio
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from router.operate.children import _end_with
from router.operate.settings import CHECKOUT
from tests.chaos import faults, rss
from tests.chaos.audit import Audit
from tests.chaos.evidence import SIMILAR, STEPS, Evidence, read_ledger
from tests.chaos.load import Order
from tests.chaos.schedule import Fault
from tests.chaos.segments import batches, breaches
from tests.chaos.stage import ENGINES, PREFIX, SHARDS, NotAtRest, Stage, business, stage
from workflows import commands

TELL = 5.0
SLACK = 20.0
"""Seconds of the wall that a deadline may lie before the end of business time and not have fired: what was due while all came to rest."""
AUDITED = ("early", "doubled", "missed")
"""Findings of the auditor that are ours to explain; of deadlines that we took away it must say that they were missed."""
TRANSACTIONAL = ("case.events", "case.state", "case.outbox")


@dataclass(frozen=True)
class Wanted:
    """What to run. rate: records a second; at_least: records to send, even if it takes longer than `seconds`."""

    seconds: float
    seed: int
    rate: float
    schedule: Sequence[Fault]
    folder: Path
    brokers: int = 1
    at_least: int = 0
    engines: tuple[str, ...] = ENGINES
    spared: tuple[str, ...] = ()


@dataclass
class Found:
    """What came of it. counts: findings by kind; texts: some of each."""

    submitted: int = 0
    requests: int = 0
    cases: int = 0
    load_seconds: float = 0.0
    rest_seconds: float = 0.0
    faults: "Counter[str]" = field(default_factory=Counter)
    missed: "Counter[str]" = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    lag: int = 0
    state: list[str] = field(default_factory=list)
    stores: int = 0
    offsets: list[str] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    stuck: str = ""
    takeovers: "Counter[str]" = field(default_factory=Counter)
    accused: "Counter[str]" = field(default_factory=Counter)
    """What the auditor said of it, by the kind of finding"""
    forgotten: int = 0
    exits: "Counter[str]" = field(default_factory=Counter)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        wrong = [self.counts.get(kind, 0) for kind in ("lost", "double", "order", "early", "state")]
        wrong += [self.accused[kind] for kind in (("early", "doubled") if self.forgotten else AUDITED)]
        return not any((*wrong, self.lag, self.state, self.offsets, self.fenced, self.stuck)) and self.submitted > 0


async def run(wanted: Wanted, note: Callable[[str], None]) -> Found:
    """Do it. Raises KafkaFault where the brokers do not start."""
    found = Found()
    environ = dict(os.environ)
    async with stage(wanted.folder, wanted.seed, wanted.brokers, wanted.seconds, environ) as on:
        on.engines, on.spared = wanted.engines, wanted.spared
        on.note = note
        await on.open()
        note(f"brokers: {on.cluster.bootstrap}; small disk: {on.small_disk or 'no (file size limit instead)'}")
        await _faults_under_load(wanted, on, found)
        await on.heal()
        evidence = Evidence(on.log, on.topics, Audit())
        await evidence.look()
        try:
            found.rest_seconds = await on.rest(evidence)
        except NotAtRest as error:
            found.stuck = str(error)
            await on.house.stop(*(m for m in on.house.members if not m.leaving))
        note(f"at rest after {found.rest_seconds:.0f} s; reading everything")
        found.exits = on.house.exits
        found.memory = _memory(on) if wanted.spared else {}
        await _verdict(on, evidence, found)
    return found


async def _faults_under_load(wanted: Wanted, on: Stage, found: Found) -> None:
    """From the first case on, faults by the schedule; the load goes on until the last of them is over."""
    order = Order(
        bootstrap=on.cluster.bootstrap, prefix=PREFIX, shards=SHARDS, seed=wanted.seed, rate=wanted.rate,
        time=business(), ledger=str(on.ledger), at_least=wanted.at_least,
    )  # fmt: skip
    with (on.folder / "logs" / "load.log").open("ab") as out:
        load = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.load", msgspec.json.encode(order).decode(),
            cwd=CHECKOUT, stdin=asyncio.subprocess.PIPE, stdout=out, stderr=out, preexec_fn=partial(_end_with, os.getpid()),
        )  # fmt: skip
    assert load.stdin is not None
    await on.first_case()
    on.begin()
    began = time.monotonic()
    telling = asyncio.create_task(_tell(on, began, found))
    try:
        for fault in wanted.schedule:
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            on.note(f"{time.monotonic() - began:5.0f} s  {fault.kind}: {fault.what}")
            done = await faults.do(on, fault)
            (found.faults if done else found.missed)[fault.name] += 1
        await asyncio.sleep(max(0.0, began + wanted.seconds - time.monotonic()))
        load.stdin.close()
        if code := await load.wait():
            raise RuntimeError(f"the load ended with {code}: {on.folder / 'logs' / 'load.log'}")
    finally:
        telling.cancel()
        if load.returncode is None:
            load.kill()
            await load.wait()
    found.load_seconds = time.monotonic() - began


async def _tell(on: Stage, began: float, found: Found) -> None:
    """Now and then, how far it is."""
    while True:
        await asyncio.sleep(TELL)
        acked = 0
        if on.ledger.exists():
            with on.ledger.open("rb") as file:
                file.seek(max(0, on.ledger.stat().st_size - 400_000))
                numbers = re.findall(rb'\["acked", \d+, (\d+)\]', file.read())
            acked = int(numbers[-1]) if numbers else 0
        deaths = sum(on.house.exits.values())
        on.note(
            f"{time.monotonic() - began:5.0f} s  {acked} acknowledged, {found.faults.total()} faults, {deaths} deaths"
        )


async def _verdict(on: Stage, evidence: Evidence, found: Found) -> None:
    audit = evidence.audit
    found.submitted, found.requests = read_ledger(on.ledger, audit)
    await evidence.read()
    audit.finish()
    # what deadlines of the last instant have cases say to each other finds no engine any more
    found.lag = sum([await evidence.lag(group, names, _is_between) for group, names in (*STEPS, SIMILAR)])
    found.offsets = await evidence.offsets_differ()
    shards = [json.loads(record or b"{}").get("now", 0) for record in evidence.shard_records()]
    audit.unfired(shards, int(SLACK * 1000 * on.speed))
    found.state, found.stores = await asyncio.to_thread(evidence.state_differs, on.stores, on.damaged, on.forgotten)
    found.fenced = [f"{tp}: {text}" for tp, log in _segments(on) for text in breaches(log)]
    found.counts, found.texts, found.cases = dict(audit.counts), dict(audit.found), len(audit.cases)
    found.takeovers = _said(on.folder / "logs")
    found.accused, found.forgotten = _accused(on.folder / "logs"), len(on.forgotten)


def _segments(on: Stage) -> list[tuple[str, list[Any]]]:
    """The partitions that only a shard's own transactional id may write, as each broker has them."""
    return [
        (f"broker {broker.seat.number} {name}-{p}", list(batches(folder)))
        for broker in on.cluster.brokers
        for name in TRANSACTIONAL
        for p in range(SHARDS)
        if (folder := broker.seat.data / "kafka" / f"{PREFIX}{name}-{p}").exists()
    ]


def _said(logs: Path) -> "Counter[str]":
    """How often the roles said what, over all incarnations."""
    wanted = (
        "shard.taken_over",
        "shard.dropped",
        "shard.stalled",
        "shard.refused",
        "store.ahead",
        "role.failed",
        "role.refused",
        "role.hung",
    )
    said: Counter[str] = Counter()
    for log in logs.glob("*.log"):
        text = log.read_text("utf-8", "replace")
        for event in wanted:
            said[event] += text.count(f'"{event}"')
    return said


def _accused(logs: Path) -> "Counter[str]":
    """What the auditor found, by kind."""
    lines = [line for log in logs.glob("auditor-*.log") for line in log.read_text("utf-8", "replace").splitlines()]
    return Counter(json.loads(line)["reason"] for line in lines if '"audit.found"' in line and line.endswith("}"))


def _is_between(record: Any) -> bool:
    """A command of one case to another."""
    if not record.topic.endswith("case.commands") or record.key.startswith(b"_"):
        return False
    return isinstance(commands.decode(record.value or b""), commands.Between)


def _memory(on: Stage) -> dict[str, dict[str, float]]:
    lives: dict[str, list[Any]] = {}
    for member in on.house.members:
        lives.setdefault(member.role, []).extend(life.samples for life in member.lives if life.samples)
    return rss.by_role(lives)
