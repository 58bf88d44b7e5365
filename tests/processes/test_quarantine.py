"""
A record that kills the process: three deaths at its mark and it is parked with its case; the partition goes on.

The process is a real one that dies by `os._exit`. The log in memory, which would die with it, is kept in a file that
is written after each commit, as a broker would keep it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PHONE = "13800001234"
ENGINE = """
import asyncio, json, os, pickle, sys
from pathlib import Path
from adapters.kafka.log import TopicPartition
from adapters.kafka.memory import MemoryTransactions
from router.engine import batch
from router.operate import logs
from router.engine.store import due_of
from tests.memory.engine import house as module
from tests.memory.engine.house import START, House
from tests.unit.workflows.small_world import SmallWorld
from workflows import commands

async def small_world(version, digest):
    return SmallWorld()

module.load_facts = small_world  # the shipped catalogue takes a second to load, and there are many starts

def engine(folder, orders):
    house, kept = House(folder), folder / "log"
    if kept.exists():
        house.log.records, house.log.committed, epochs = pickle.loads(kept.read_bytes())
        house.log.epochs.update(epochs)

    def keep():
        new = kept.with_suffix(".new")
        new.write_bytes(pickle.dumps((house.log.records, house.log.committed, dict(house.log.epochs))))
        new.replace(kept)

    commit, step = MemoryTransactions.commit, batch.step

    async def committed(self, offsets):
        if orders.get("die") == "commit" and any(tp.topic == house.topics.events for tp, *_ in self._added):
            os._exit(9)
        ends = await commit(self, offsets)
        keep()
        return ends

    def deadly(case, command, *more):
        which = "deadline" if isinstance(command, commands.ReachDeadline) else command.ref
        if which in orders.get("killers", []):
            os._exit(9)
        return step(case, command, *more)

    def letters():
        return [json.loads(bytes(m.data)) for m in house.messages() if m.to == "dead-letters.engine"]

    MemoryTransactions.commit, batch.step = committed, deadly
    house.clock.time = START + orders.get("days", 0) * 86_400_000
    for ref in orders.get("submit", []):
        house.submit(ref, text="请打 13800001234", appeal_category="street")
    if orders.get("submit"):
        keep()
    asyncio.run(house.run(lambda: house.done() and len(letters()) >= orders.get("letters", 0)))
    print(json.dumps({
        "letters": letters(),
        "due": [due_of(value) for key, value in house.state().items() if b"/" not in key and key != b"_shard"],
        "registered": [r.case for r in house.events() if type(r.events[0]).__name__ == "CaseRegistered"],
        "left": sorted(p.name for p in (folder / "engine" / "1").iterdir() if p.is_file()),
    }), flush=True)
    os._exit(0)

logs.setup("engine", form="json")
for line in sys.stdin:
    child = os.fork()  # importing takes longer than all the rest
    if child == 0:
        engine(Path(sys.argv[1]), json.loads(line))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        print(json.dumps({"died": status}), flush=True)
"""


class Engine:
    """One instance with its folder, started again as a supervisor would. What it says on the way is kept in a file."""

    def __init__(self, folder: Path) -> None:
        self._said = (folder / "said").open("w+b")
        command = [sys.executable, "-c", ENGINE, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said)

    def start(self, **orders: Any) -> dict[str, Any] | None:
        """Run once; None where it died."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(orders).encode() + b"\n")
        self._process.stdin.flush()
        end = json.loads(self._process.stdout.readline() or b'{"died": "all"}')
        assert end.get("died", 9) == 9, self.said()
        return None if "died" in end else end

    def until_it_lives(self, **orders: Any) -> tuple[int, dict[str, Any]]:
        """Start it again and again; how often it died, and what it said in the end."""
        for deaths in range(12):
            if (end := self.start(**orders)) is not None:
                return deaths, end
        raise AssertionError("it dies for ever")

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read().decode()

    def close(self) -> None:
        self._process.communicate(timeout=60)
        self._said.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


def codes(end: dict[str, Any]) -> list[str]:
    return [letter["code"] for letter in end["letters"]]


def test_a_command_that_kills_is_parked_after_three_deaths_and_the_others_go_on(engine: Engine) -> None:
    """One death that nobody saw coming, three under the mark; what comes for that case later waits, no other does."""
    engine.start(submit=["R1"])
    assert engine.start(submit=["R2", "killer", "R3"], killers=["killer"]) is None
    deaths, end = engine.until_it_lives(killers=["killer"])

    assert (1 + deaths, codes(end), len(end["registered"])) == (4, ["engine_crashed"], 3)
    assert end["left"] == []
    end = engine.start(submit=["killer", "R4"], killers=["killer"]) or {}
    assert (codes(end), len(end["registered"])) == (["engine_crashed", "case_parked"], 4)
    assert "case.parked" in engine.said() and PHONE not in engine.said()


def test_two_killers_in_one_batch_are_both_found(engine: Engine) -> None:
    """What is parked but not committed yet is not forgotten when the process dies at the next."""
    engine.start(submit=["K1", "R1", "K2", "R2"], killers=["K1", "K2"])
    deaths, end = engine.until_it_lives(killers=["K1", "K2"])

    assert (1 + deaths, codes(end), len(end["registered"])) == (7, ["engine_crashed"] * 2, 2)


def test_a_deadline_that_kills_is_parked_and_does_not_come_back(engine: Engine) -> None:
    """Its case is not due again before somebody has looked."""
    engine.start(submit=["R1"])
    deaths, end = engine.until_it_lives(days=20, killers=["deadline"], letters=1)

    assert (deaths, codes(end), end["due"]) == (4, ["engine_crashed"], [0])


def test_a_process_killed_from_outside_while_it_commits_counts_against_nobody(engine: Engine) -> None:
    """However often: the marks are gone before anything is sent."""
    engine.start(submit=["R1", "R2"], die="commit")
    for _ in range(4):
        assert engine.start(die="commit") is None
    end = engine.start() or {}

    assert (codes(end), len(end["registered"]), end["left"]) == ([], 2, [])
