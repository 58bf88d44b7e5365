"""
The plot of a run: days with bursts of requests, what goes wrong in them, a long standstill in some, and the healing.

Which kinds of faults a run has is drawn first (swarm testing): a run in which everything goes wrong hides what only one of
them would show.
"""

import asyncio
import gc
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from router.engine.guard import LIMIT
from tests.simulation import invariants
from tests.simulation.loop import Livelock, Standstill
from tests.simulation.machine import Machine
from tests.simulation.world import DAY, HOUR, IDLE_SECONDS, Violation, World, in_place

LOOKS = 10
"""How often, IDLE_SECONDS apart, a healed run is looked at before it is said to never come to rest."""


@dataclass
class Result:
    seed: int
    failed: str = ""
    tail: str = ""
    digest: str = ""
    counts: dict[str, int] = field(default_factory=dict)


def settle() -> None:
    """What is loaded stays: a collection of garbage need not look at it thousands of times."""
    gc.freeze()
    gc.set_threshold(20_000)


def run(seed: int, *, sure: Collection[str] = (), keep: bool = False) -> Result:
    """
    One run from its seed. Everything that is not right becomes `failed`; then, or with `keep`, it says what happened.

    sure: KINDS that are not left to the draw. They alone go wrong, and as often as they ever do.
    """
    world = World(seed)
    failed = ""
    with in_place(world):
        try:
            world.loop.run_until_complete(_story(world, sure))
            invariants.check(world)
        except (Violation, Livelock, Standstill) as error:
            failed = f"{type(error).__name__}: {error}"
        finally:
            tail, digest, counts = world.tail() if failed or keep else "", world.digest(), _counts(world)
            world.loop.bury(world.lives)
            world.loop.close()
    return Result(seed, failed, tail, digest, counts)


def _counts(world: World) -> dict[str, int]:
    told = [what for _, _, what, *_ in world.trace]
    return {
        "crashes": world.counts["crashes"],
        "stops": world.counts["stops"],
        "takeovers": told.count("shard.taken_over"),
        "fenced": world.broker.fenced,
        "commits": sum(t.outcome == "commit" for t in world.broker.history),
        "commands": world.people.sent,
        "deadlines": world.counts["deadlines"],
    }


async def _story(world: World, sure: Collection[str]) -> None:
    plot = Plot(world, sure)
    for machine in world.machines:
        world.boot(machine)
    until = plot.days()
    await asyncio.sleep(until)
    world.heal()
    if plot.has["standstill"]:
        await plot.stand_still()
    else:
        await asyncio.sleep(9 * DAY)
    if world.people.poison or world.people.deadline_poison:
        world.people.mended |= set(world.people.curses)
        world.people.redrive()
    await _rest(world)


async def _rest(world: World) -> None:
    why = ""
    for _ in range(LOOKS):
        await asyncio.sleep(IDLE_SECONDS * 1.01)
        for machine in world.machines:
            if machine.engine.fatal is not None:
                raise Violation(f"engine {machine.name} refuses to serve: {machine.engine.fatal!r}")
        if not (why := world.unrest()):
            return
    raise Violation(f"never comes to rest: {why}")


KINDS = (
    "crash", "stop", "terminate", "rebalance", "jump", "drift", "wrong_boot", "down", "compact", "standstill",
    "refused", "commit_lost", "unknown_topic", "read_error", "slow", "slow_marker", "poison", "deadline_poison",
)  # fmt: skip
SHARES = {
    "refused": (0.01, 0.05), "commit_lost": (0.05, 0.2), "unknown_topic": (0.01, 0.05), "read_error": (0.01, 0.05),
    "slow": (0.01, 0.05), "slow_marker": (0.02, 0.2), "poison": (0.03, 0.1), "deadline_poison": (0.03, 0.1),
}  # fmt: skip
"""How often (0 to 1) what happens to each request alike goes wrong: seldom or often."""
POISONS = ("poison", "deadline_poison")


class Plot:
    """Draws what happens when, and has the loop do it."""

    def __init__(self, world: World, sure: Collection[str]) -> None:
        self.world, self.random = world, world.random
        self.has = {kind: self._drawn(kind) if not sure else kind in sure for kind in KINDS}
        self._most = bool(sure)
        for kind, shares in SHARES.items():
            if self.has[kind]:
                setattr(world.people if kind in POISONS else world.faults, kind, self._one_of(shares))
        if self.has["commit_lost"]:
            world.faults.commit_late = self._one_of((0.0, 0.5))

    def _drawn(self, kind: str) -> bool:
        """Rarer are those that change a whole run."""
        return self.random.random() < (0.2 if kind in (*POISONS, "standstill") else 0.4)

    def _one_of(self, shares: tuple[float, float]) -> float:
        return shares[1] if self._most else self.random.choice(shares)

    def at(self, seconds: float, call: Callable[[], Any]) -> None:
        self.world.loop.in_world(seconds, call)

    def days(self) -> float:
        """The eventful days; returns when they are over."""
        bursts = [1.0] + [self.random.random() * 3 * DAY for _ in range(self.random.randrange(1, 3))]
        for begin in bursts:
            for _ in range(self.random.randrange(3, 8)):
                self.at(begin + self.random.random() * 2, self.world.people.arrive)
            for _ in range(self.random.randrange(4)):
                self.at(begin + self.random.random() * 3, self.go_wrong)
        until = max(bursts) + DAY
        for _ in range(8):
            self.at(self.random.random() * until, self.world.people.read_tasks)
        for _ in range(self.random.randrange(3)):
            self.at(self.random.random() * until, self.go_wrong)
        if self.has["poison"]:
            self.at(self.random.random() * until, self.world.people.redrive)  # before anything is mended
        return until

    def go_wrong(self) -> None:
        """One of the faults that this run has, now or in some steps."""
        kinds = [kind for kind in self.has if self.has[kind] and hasattr(self, "_" + kind)]
        if kinds:
            machine = self.random.choice(self.world.machines)
            getattr(self, "_" + self.random.choice(kinds))(machine)

    def _soon(self, machine: Machine, act: Callable[[], Any]) -> None:
        """Between any two steps of the process."""
        if machine.life is not None:
            machine.life.at_step(int(400 * self.random.random() ** 2), act)

    def _away(self) -> float:
        return self.random.choice((0.5, 20.0, 4 * HOUR)) * self.random.random()

    def _crash(self, machine: Machine) -> None:
        away = self._away()
        self._soon(machine, lambda: self.world.crash(machine, away))

    def _stop(self, machine: Machine) -> None:
        seconds = self.random.choice((3.0, 40.0, 12 * HOUR)) * self.random.random()
        self._soon(machine, lambda: self.world.stop(machine, seconds))

    def _terminate(self, machine: Machine) -> None:
        away = self._away()
        self._soon(machine, lambda: self.world.leave(machine, away))

    def _rebalance(self, machine: Machine) -> None:
        self.world.group.changed()

    def _jump(self, machine: Machine) -> None:
        """The wall clock is wrong at once; some time later somebody may put it right, again at once."""
        ahead = self._wrong()
        self.world.tell("jump", machine.name, round(ahead))
        machine.ahead += ahead
        if 0 < machine.wall_ahead() <= LIMIT:
            self.world.tolerance = max(
                self.world.tolerance, LIMIT + 1
            )  # wrong by so little that the guard takes it for right
        if self.random.random() < 0.6:
            self.at(self.random.choice((60.0, HOUR, 20 * HOUR)) * self.random.random(), machine.set_right)

    def _wrong(self) -> float:
        return (
            self.random.choice((-1, 1, 1))
            * self.random.choice((100.0, HOUR, DAY, 40 * DAY))
            * (0.5 + self.random.random())
        )

    def _drift(self, machine: Machine) -> None:
        """So slow that no two looks differ by much; some time it is put right."""
        self.world.tolerance = 61.0
        machine.ahead, machine.drifts_from = machine.wall_ahead(), self.world.loop.time()
        machine.drift = self.random.choice((-1, 1)) * 10.0 ** -self.random.choice((1, 2, 3))
        self.world.tell("drift", machine.name, machine.drift)

    def _wrong_boot(self, machine: Machine) -> None:
        """It comes back with a clock that was wrong from the start."""
        ahead, away = self._wrong(), self._away()

        def crash() -> None:
            self.world.crash(machine, away)
            machine.ahead = ahead

        self._soon(machine, crash)

    def _down(self, machine: Machine) -> None:
        self.world.faults.down_until = self.world.loop.time() + self.random.random() * 60
        self.world.tell("down", round(self.world.faults.down_until, 1))

    def _compact(self, machine: Machine) -> None:
        for tp in self.world.broker.partitions:
            if tp.topic == self.world.topics.state:
                self.world.broker.compact(tp)

    async def stand_still(self) -> None:
        """
        Weeks in which nothing runs; then one machine alone, which archives what is closed; then the other one comes back
        with the disk it had, when the log has forgotten what was deleted since.
        """
        world = self.world
        await asyncio.sleep(self.random.random() * 3 * DAY)
        for machine in world.machines:
            world.crash(machine, 500 * DAY)
        await asyncio.sleep(DAY * (31 + self.random.random() * 10))
        first, second = self.random.sample(world.machines, 2)
        world.boot(first)
        await asyncio.sleep(8 * DAY)
        self._compact(first)
        world.boot(second)
        await asyncio.sleep(DAY)
