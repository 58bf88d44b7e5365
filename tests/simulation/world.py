"""
One run: a broker, two machines with an engine each, the people who write to it, and what goes wrong, all drawn from a seed.

Nothing is compressed: days pass because the loop's time jumps over what nobody does. Only LONGEST_WAIT_SECONDS of a shard
is longer than in service (IDLE_SECONDS), for an idle shard's turns are all that would be left to simulate.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import Context
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import structlog
from aiokafka import TopicPartition

from router.engine import batch as batch_module
from router.engine import role
from router.engine import shard as shard_module
from router.engine.batch import Batch
from router.engine.quarantine import CRASHES
from router.engine.role import Shards
from router.engine.store import PARKED_SUFFIX, REQUEST_SUFFIX, SHARD_KEY, due_of
from router.operate.process import Process
from router.operate.settings import Settings
from router.operate.topics import Topics
from tests.simulation.broker import Broker
from tests.simulation.client import Faults, Log, Reader, Wire
from tests.simulation.loop import LIFE, Life, VirtualLoop
from tests.simulation.machine import Machine, MachineClock, SimulatedDisk
from tests.simulation.people import People
from tests.unit.workflows.calendar_2026 import ms
from tests.unit.workflows.small_world import in_force
from workflows import commands
from workflows.facts import Facts

SHARDS = 2
EPOCH = ms("2026-09-18 09:00") // 1000
HOUR, DAY = 3600.0, 24 * 3600.0
IDLE_SECONDS = DAY
SESSION_SECONDS = 10.0
TAIL = 60


MOST_DEATHS = 2 + CRASHES
"""Of one thing on one machine: one that nobody foresaw, those at its mark, and one more where even reading it kills."""
DEFECTS = (AttributeError, AssertionError, NameError, TypeError, KeyError, IndexError)
"""What an engine is never to drop a shard for: the world below is not the real one, or the engine is broken."""


class Violation(Exception):
    """An invariant does not hold."""


class Killed(BaseException):
    """The process is gone in the middle of a step."""


@cache
def settings(machine: str) -> Settings:
    return Settings(
        state_dir=Path("disk"), shards=SHARDS, instance=machine, dead_letter_share=0, dead_letters_in_a_row=0
    )


class Engine(Shards):
    """The real owner of shards; its catalogue is the small world of the core's tests."""

    def __init__(self, process: Process, wire: Wire) -> None:
        super().__init__(process, "simulated")
        self.process, self._wire = process, wire
        self.told: asyncio.Task[None] | None = None
        self.member = False

    async def _load(self, version: int, digest: str) -> Facts:
        await self._wire.ask(lambda: None)
        return in_force(version)

    async def _genesis(self) -> tuple[int, str]:
        await self._wire.ask(lambda: None)
        return 1, "h1"


class World:
    """Everything of one run. `trace` tells what happened; two runs of one seed tell the same."""

    def __init__(self, seed: int) -> None:
        self.seed, self.random = seed, Random(seed)
        self.loop = VirtualLoop(Random(seed * 7 + 1))
        self.faults = Faults()
        self.wire = Wire(self.loop, self.random, self.faults)
        self.broker = Broker(self.loop, self.random, EPOCH * 1000, self.wire.marker_seconds)
        self.disk = SimulatedDisk(self.loop)
        self.machines = [Machine(name, self.loop, float(EPOCH)) for name in ("a", "b")]
        self.topics = Topics(settings("a").prefix, SHARDS)
        for topic in (self.topics.commands, self.topics.events, self.topics.state, self.topics.outbox):
            self.broker.create(topic, SHARDS)
        self.people = People(self.broker, self.topics, self.random, self._later)
        self.group = Group(self)
        self.lives: list[Life] = []
        self.trace: list[tuple[Any, ...]] = []
        self.counts: Counter[str] = Counter()
        self.tolerance = 1.0
        """Seconds that business time may be ahead of true time."""
        self.broken = ""
        """What went wrong where nobody could be told."""
        self.struck: Counter[tuple[str, str, str | bytes]] = Counter()
        self.place = ""
        """Of the command that was read last."""

    # -- telling --

    def tell(self, what: str, *more: Any) -> None:
        life = LIFE.get()
        self.trace.append((round(self.loop.time(), 4), life.name if life else "-", what, *more))

    def tail(self) -> str:
        return "\n".join(
            f"{at:>14.4f} {who:<5} {' '.join(map(str, (what, *more)))}" for at, who, what, *more in self.trace[-TAIL:]
        )

    def digest(self) -> str:
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self.loop.in_world(seconds, call)

    # -- processes --

    def boot(self, machine: Machine) -> None:
        """Start the engine's process on a machine."""
        if machine.alive:
            return
        life = Life(f"{machine.name}{len(self.lives)}")
        self.lives.append(life)
        machine.life = life
        process = Process("engine", settings(machine.name), MachineClock(machine), Log(self.wire, self.broker, life))
        life.engine = life.context.run(Engine, process, self.wire)
        life.engine.reader = Reader(self.wire, self.broker)
        self.tell("boot", machine.name, round(machine.wall_ahead()))
        self._later(0.1 + self.random.random(), lambda: self.group.join(machine, life))

    def crash(self, machine: Machine, away: float) -> None:
        """The process is gone between two of its steps. Its disk may have lost something when it comes back."""
        if not machine.alive or machine.life is None:
            return
        self.counts["crashes"] += 1
        self.tell("crash", machine.name)
        machine.life.dead = True
        self.group.silent(machine, machine.life)
        self._later(away, lambda: self._come_back(machine))

    def strike(self, name: str | bytes) -> None:
        """A process is about to take up this: where it is cursed, it fails at it or dies."""
        people, life = self.people, LIFE.get()
        how = people.curses.get(name)
        if how is None or name in people.mended or life is None or life.over:
            return
        machine = next(m for m in self.machines if m.life is life)
        this = machine.name, self.place if type(name) is bytes or not name.startswith("deadline/") else "", name
        self.struck[this] += 1
        if how == "fault":
            if str(name).startswith("deadline/") and self.struck[this] == 3:
                people.mended.add(name)  # else it would be tried again each hour of weeks
            raise KeyError(name)
        self.tell("killed", machine.name, name)
        if self.struck[this] > MOST_DEATHS and not str(name).startswith("deadline/"):
            self.broken = f"died too often of one thing ({machine.name}, {name!r})"
            people.mended.add(name)
        self.crash(machine, self.random.choice((0.5, 20.0)) * self.random.random())
        raise Killed

    def _come_back(self, machine: Machine) -> None:
        if not machine.alive:
            self._harm(machine)
            self.boot(machine)

    def _harm(self, machine: Machine) -> None:
        for name in self.disk.of(machine.name):
            draw = self.random.random()
            if draw < 0.2:
                self.disk.lose(name, self.random.randrange(1, 6))
            elif draw < 0.3:
                self.disk.remove(Path(name))
            elif draw < 0.4:
                self.disk.turn_back(name, self.loop.time() * self.random.random())
            elif draw < 0.45:
                self.disk.folders[name].broken = True
            else:
                continue
            self.tell("harm", name, round(draw, 2))

    def stop(self, machine: Machine, seconds: float) -> None:
        """SIGSTOP, and later SIGCONT."""
        life = machine.life
        if life is None or life.dead or life.stopped:
            return
        self.counts["stops"] += 1
        self.tell("stop", machine.name, round(seconds, 1))
        life.stopped = True
        self.group.silent(machine, life)
        self._later(seconds, lambda: self.go_on(machine, life))

    def go_on(self, machine: Machine, life: Life) -> None:
        if life.stopped and not life.dead:
            self.tell("continue", machine.name)
            self.loop.go_on(life)
            self.group.heard_again(machine, life)

    def leave(self, machine: Machine, away: float) -> None:
        """SIGTERM: an orderly end, and a start later."""
        life = machine.life
        if life is None or life.dead:
            return
        engine = life.engine

        async def drain() -> None:
            engine.process.stop.set()
            await engine.drain()
            life.dead = True
            self.loop.in_world(0, self.group.gone, machine, life)
            self.loop.in_world(away, self._come_back, machine)

        self.tell("terminate", machine.name)
        self.loop.start_in(life, drain())

    # -- the end --

    def heal(self) -> None:
        """From here on nothing goes wrong any more."""
        self.tell("heal")
        self.faults.heal()
        for life in self.lives:
            life._plans.clear()
        for machine in self.machines:
            machine.set_right()
            if machine.life is not None and machine.life.stopped:
                self.go_on(machine, machine.life)
            self.boot(machine)

    def unrest(self) -> str:
        """What is not at rest; empty when all is done that is to be done."""
        now = self.broker.time_ms()
        for number in range(SHARDS):
            tp = TopicPartition(self.topics.commands, number)
            if self.broker.committed.get(tp, 0) != self.broker.partitions[tp].end:
                return f"shard {number}: commands wait"
            for key, value in self.states(number).items():
                if (
                    key != SHARD_KEY
                    and not key.endswith((REQUEST_SUFFIX, PARKED_SUFFIX))
                    and value
                    and 0 < due_of(value) <= now
                ):
                    return f"shard {number}: a deadline is over and has not fired ({now - due_of(value)} ms)"
        if len(self.serving()) != SHARDS:
            return "a shard is not served"
        if any(shard._sweep.is_due for shard in self.serving().values()):
            return "a sweep is not over"
        return ""

    def serving(self) -> dict[int, Any]:
        """The shards that are served, by number."""
        return {
            tp.partition: shard
            for machine in self.machines
            if machine.alive
            for tp, shard in machine.engine.shards.items()
            if shard.serving
        }

    def states(self, shard: int) -> dict[bytes, bytes]:
        """The newest value of each key of the shard's changelog."""
        tp = TopicPartition(self.topics.state, shard)
        newest = {e.key or b"": e.value for e in self.broker.partitions[tp].visible()}
        return {key: value for key, value in newest.items() if value is not None}


class Group:
    """The consumer group, eager: everybody gives up everything, then each gets a share. Who is silent is thrown out."""

    def __init__(self, world: World) -> None:
        self._world, self._loop = world, world.loop
        self._members: list[tuple[Machine, Life]] = []
        self._has: dict[str, list[TopicPartition]] = {}
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def join(self, machine: Machine, life: Life) -> None:
        """Once: who was stopped twice in a moment learns twice that he was thrown out."""
        if not life.dead and (machine, life) not in self._members:
            self._members.append((machine, life))
            self.changed()

    def gone(self, machine: Machine, life: Life) -> None:
        if (machine, life) in self._members:
            self._members.remove((machine, life))
            self.changed()

    def silent(self, machine: Machine, life: Life) -> None:
        """No heartbeats from now on."""
        since = self._loop.time()

        def expire() -> None:
            if life.dead or (life.stopped and self._loop.time() - since >= SESSION_SECONDS - 0.001):
                self.gone(machine, life)

        self._loop.in_world(SESSION_SECONDS, expire)

    def heard_again(self, machine: Machine, life: Life) -> None:
        """Whoever was thrown out meanwhile learns it from his next heartbeat."""
        engine = life.engine

        def learn() -> None:
            if (machine, life) not in self._members and not life.dead:
                had = self._has.pop(life.name, [])
                self._call(life, lambda: engine.on_partitions_revoked(had))
                self._loop.in_world(0.1, self.join, machine, life)

        self._loop.in_world(self._world.random.random() * 2, learn)

    def changed(self) -> None:
        self._again = True
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._rebalance(), context=Context())

    async def _rebalance(self) -> None:
        while self._again:
            self._again = False
            await asyncio.sleep(self._world.random.random() * 0.5)
            self._world.counts["rebalances"] += 1
            joined: list[Life] = []
            for _, life in list(self._members):
                life.engine.reader.rejoin()
                self._call(life, partial(self._give_up, life, joined))
            while any(life not in joined for _, life in self._members):
                await asyncio.sleep(0.05 if self._loop.time() % 1 < 0.5 else 0.5)
                if self._again:
                    break
            else:
                self._give_out()

    async def _give_up(self, life: Life, joined: list[Life]) -> None:
        await life.engine.on_partitions_revoked(self._has.pop(life.name, []))
        joined.append(life)

    def _give_out(self) -> None:
        shares: dict[str, list[TopicPartition]] = {life.name: [] for _, life in self._members}
        if not shares:
            return
        for number in range(SHARDS):
            _, life = self._world.random.choice(self._members)
            shares[life.name].append(TopicPartition(self._world.topics.commands, number))
        for _, life in list(self._members):
            self._has[life.name] = shares[life.name]
            self._call(life, partial(self._take, life, shares[life.name]))

    async def _take(self, life: Life, share: list[TopicPartition]) -> None:
        self._world.tell("assigned", *(tp.partition for tp in share))
        life.engine.reader.assign(share)
        await life.engine.on_partitions_assigned(share)

    def _call(self, life: Life, callback: Callable[[], Awaitable[Any]]) -> None:
        """In the process, one callback after the other."""
        engine, before = life.engine, life.engine.told

        async def in_turn() -> None:
            if before is not None:
                await asyncio.wait([before])
            try:
                await callback()
            except Exception as error:  # the client logs it and goes on
                self._world.tell("listener.failed", repr(error))

        engine.told = self._loop.start_in(life, in_turn())


@contextmanager
def in_place(world: World) -> Iterator[None]:
    """What the engine's modules look up is the world's, for as long as a run lasts; their log goes into its trace."""

    def told(logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        world.tell(event["event"], *(f"{k}={_plain(v)}" for k, v in event.items() if k not in ("event", "seconds")))
        if event["event"] == "shard.dropped" and isinstance(event["error"], DEFECTS):
            world.broken = f"a shard was dropped for {event['error']!r}"
        raise structlog.DropEvent

    def deciding(case: Any, command: Any, *more: Any) -> Any:
        world.strike(f"deadline/{command.case}" if isinstance(command, commands.ReachDeadline) else command.id)
        return step(case, command, *more)

    def reading(batch: Batch, key: Any, value: Any, source: str, *more: Any) -> Any:
        world.place = source
        world.strike(value)
        return read(batch, key, value, source, *more)

    processors = structlog.get_config()["processors"]
    before, wait, make = list(processors), shard_module.LONGEST_WAIT_SECONDS, role.Shard
    step, read = batch_module.step, Batch._read
    batch_module.step, Batch._read = deciding, reading  # type: ignore[assignment, method-assign]
    processors[:] = [told]
    shard_module.LONGEST_WAIT_SECONDS = IDLE_SECONDS
    role.Shard = lambda *args: make(*args[:7], world.disk, world.disk.small_files)  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        processors[:] = before
        shard_module.LONGEST_WAIT_SECONDS = wait
        role.Shard = make  # type: ignore[misc]
        batch_module.step, Batch._read = step, read  # type: ignore[method-assign]


def _plain(value: Any) -> str:
    return f"{type(value).__name__}({value})" if isinstance(value, BaseException) else str(value)
