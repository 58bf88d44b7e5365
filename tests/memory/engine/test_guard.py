"""Deadlines are held while the clock is not to be trusted, and business time does not take over what it jumped."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from adapters.clock import Clock
from adapters.kafka.memory import MemoryReader, MemoryWriter
from router.engine.guard import ASK_AGAIN, SETTLE, ClockGuard
from router.engine.shard import Shard
from tests.memory.engine.house import DAY, START, House, genesis, load_facts
from workflows import events

HOUR = 3600


class Machine(Clock):
    """A machine's two clocks in the test's hand; business time is the wall clock, `speed` times as fast."""

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(speed=speed)
        self.seconds, self.ahead = 1000.0, 0.0

    def now(self) -> int:
        return int(self.wall() * 1000 * self.speed)

    def wall(self) -> float:  # type: ignore[override]
        return 1_800_000_000.0 + self.seconds + self.ahead

    def monotonic(self) -> float:  # type: ignore[override]
        return self.seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def guard(machine: Machine) -> ClockGuard:
    guard = ClockGuard(machine)
    guard.heard(None)
    return guard


def test_before_the_broker_was_heard_nothing_fires(machine: Machine) -> None:
    """Whether the clock was right when the process began only the broker can tell."""
    guard = ClockGuard(machine)
    assert (guard.trusted(), guard.asks) == (False, True)
    guard.heard(int(machine.wall() * 1000))
    assert (guard.trusted(), guard.asks) == (True, False)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 30 * 24 * HOUR])
def test_a_jump_holds_until_the_clock_has_gone_straight(machine: Machine, guard: ClockGuard, jump: int) -> None:
    """For SETTLE seconds business time goes on as before; then the clock is believed, where the broker does not object."""
    before = guard.now()
    machine.ahead += jump
    assert (guard.trusted(), guard.now()) == (False, before)
    guard.heard(None)
    machine.seconds += SETTLE - 1
    assert (guard.trusted(), guard.now()) == (False, before + (SETTLE - 1) * 1000)
    machine.seconds += 1
    assert (guard.trusted(), guard.now()) == (True, machine.now())


def test_a_jump_is_not_believed_before_the_broker_was_heard_again(machine: Machine, guard: ClockGuard) -> None:
    """A shard without work hears nothing by itself: what it heard before the jump must not count (found by simulation)."""
    guard.heard(int(machine.wall() * 1000))
    machine.ahead += 30 * 24 * HOUR
    assert (guard.trusted(), guard.asks) == (False, True)
    machine.seconds += 2 * SETTLE
    true = machine.now() - 30 * 24 * HOUR * 1000
    assert (guard.trusted(), guard.asks, guard.now()) == (False, True, true)
    guard.heard(true)
    machine.seconds += SETTLE
    assert (guard.trusted(), guard.now()) == (False, true + int(SETTLE * 1000))
    machine.ahead = 0.0
    assert guard.now() == machine.now()
    guard.heard(machine.now())
    machine.seconds += SETTLE
    assert (guard.trusted(), guard.now()) == (True, machine.now())


def test_a_clock_wrong_from_the_start_that_jumps_back_too_far_is_not_believed(machine: Machine) -> None:
    """Ahead at first, behind before the broker was heard: what it was ahead must not stay believed (found by simulation)."""
    machine.ahead = HOUR
    guard = ClockGuard(machine)
    machine.ahead = -HOUR
    true = machine.now() + HOUR * 1000
    guard.heard(true)
    assert (guard.trusted(), guard.now() <= true) == (False, True)


def test_a_jump_put_right_leaves_no_trace(machine: Machine, guard: ClockGuard) -> None:
    """Ahead by a month and back again: at no time was business time ahead."""
    machine.ahead += 30 * 24 * HOUR
    assert guard.now() == machine.now() - 30 * 24 * HOUR * 1000
    machine.ahead = 0.0
    assert (guard.trusted(), guard.now()) == (False, machine.now())
    guard.heard(machine.now())
    machine.seconds += SETTLE
    assert (guard.trusted(), guard.now()) == (True, machine.now())


def test_a_clock_ahead_of_the_broker_holds_until_they_agree(machine: Machine) -> None:
    """Wrong from the beginning on: the earlier of the two times counts, and the broker is asked again."""
    machine.ahead = 2 * HOUR
    guard = ClockGuard(machine)
    true = machine.wall() - 2 * HOUR
    guard.heard(int(true * 1000))
    assert (guard.trusted(), guard.now(), guard.asks) == (False, int(true * 1000), False)
    machine.seconds += 10 * SETTLE
    assert (guard.trusted(), guard.asks) == (False, True)
    machine.ahead = 0.0
    assert guard.now() == machine.now()
    guard.heard(int(machine.wall() * 1000))
    machine.seconds += SETTLE
    assert (guard.trusted(), guard.now()) == (True, machine.now())


def test_a_clock_behind_the_broker_holds_but_stays(machine: Machine, guard: ClockGuard) -> None:
    """Nobody knows which is right; time that is too early fires nothing too early."""
    guard.heard(int((machine.wall() + HOUR) * 1000))
    assert (guard.trusted(), guard.now()) == (False, machine.now())
    machine.seconds += ASK_AGAIN + 1
    assert guard.asks
    guard.heard(int(machine.wall() * 1000))
    assert guard.trusted()


def test_compressed_time_is_no_jump(guard: ClockGuard) -> None:
    """Only the real clocks are compared; what the wall clock jumped is taken off as often as time is compressed."""
    machine = Machine(speed=3600.0)
    guard = ClockGuard(machine)
    guard.heard(None)
    machine.seconds += 10
    assert (guard.trusted(), guard.now()) == (True, machine.now())
    before = guard.now()
    machine.ahead += HOUR
    assert (guard.trusted(), guard.now()) == (False, before)


async def turn(house: House, shard: Shard, seconds: float = 0.3) -> None:
    serving = asyncio.create_task(shard.serve())
    await asyncio.sleep(seconds)
    serving.cancel()
    await asyncio.wait([serving])


async def test_no_deadline_fires_because_of_a_jump_that_was_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month that the clock was ahead is not fired when it is trusted again, nor by the next holder of the shard."""

    def append(writer: MemoryWriter, added: Any) -> Any:
        return writer._log.append(added)  # a topic that does not tell when

    monkeypatch.setattr(MemoryWriter, "_append", append)
    house = House(tmp_path)
    house.submit("R1")
    await house.run(house.done)
    until = len(house.events())
    machine = Machine()
    house.clock.wall, house.clock.monotonic = machine.wall, machine.monotonic  # type: ignore[method-assign]
    guard = ClockGuard(house.clock)
    async with house.log.reader([house.topics.commands], group=house.topics.group("engine")) as reader:
        for days, settled in ((30, 0.0), (-30, 0.0), (0, SETTLE)):
            machine.ahead += days * 24 * HOUR
            machine.seconds += settled
            house.clock.time += days * DAY
            shard = Shard(house.process, reader, 0, "memory", load_facts, genesis, guard)
            await shard.take_over()
            await turn(house, shard)
            await shard.close()
        assert guard.trusted()
    fired = [e for r in house.events()[until:] for e in r.events]
    assert not any(isinstance(e, events.ClockWarned | events.ClockOverdue | events.CaseEscalated) for e in fired)


async def test_a_shard_whose_deadlines_are_held_does_not_spin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due waits, and the loop with it."""
    house = House(tmp_path)
    house.submit("R1")
    await house.run(house.done)
    house.clock.time += 30 * DAY
    machine = Machine()
    guard = ClockGuard(machine)
    guard.heard(int((machine.wall() + HOUR) * 1000))
    polls = 0
    async with house.log.reader([house.topics.commands], group=house.topics.group("engine")) as reader:
        real = MemoryReader.getmany

        async def count(*of: Any, **how: Any) -> Any:
            nonlocal polls
            polls += 1
            return await real(*of, **how)

        monkeypatch.setattr(MemoryReader, "getmany", count)
        shard = Shard(house.process, reader, 0, "memory", load_facts, genesis, guard)
        await shard.take_over()
        await turn(house, shard, 1.0)
        await shard.close()

    assert polls < 20


@pytest.mark.parametrize("hours", [1, 24 * 30])
async def test_a_clock_that_is_wrong_at_take_over_dates_nothing_and_fires_nothing(tmp_path: Path, hours: int) -> None:
    """The broker's time is heard before the first command: nothing is dated ahead, and no deadline fires for it."""
    house = House(tmp_path)
    house.submit("R1")
    await house.run(house.done)
    fired = len(house.events())
    truth = time.time()
    house.clock.time = int(truth * 1000) + hours * HOUR * 1000
    house.clock.wall = lambda: truth + hours * HOUR  # type: ignore[method-assign]
    house.submit("R2")
    async with house.log.reader([house.topics.commands], group=house.topics.group("engine")) as reader:
        shard = Shard(house.process, reader, 0, "memory", load_facts, genesis)
        await shard.take_over()
        await turn(house, shard)
        await shard.close()

    (registered,) = house.events()[fired:]
    assert abs(registered.at - truth * 1000) < 60_000
    assert isinstance(registered.events[0], events.CaseRegistered)


async def test_a_shard_that_has_seen_later_times_waits_until_the_clock_reaches_them(tmp_path: Path) -> None:
    """Its last time was written by a machine whose clock ran ahead: its time stands still, and nothing fires early."""
    house = House(tmp_path)
    house.submit("R1")
    await house.run(house.done)
    seen = START + 40 * DAY
    ahead = msgspec.json.decode(house.state()[b"_shard"]) | {"now": seen}
    house.log.append([(TopicPartition(house.topics.state, 0), b"_shard", msgspec.json.encode(ahead), ())])
    house.submit("R2")
    async with house.log.reader([house.topics.commands], group=house.topics.group("engine")) as reader:
        shard = Shard(house.process, reader, 0, "memory", load_facts, genesis)
        await shard.take_over()
        await turn(house, shard)
        await shard.close()
    assert [r.at for r in house.events()] == [START, seen]

    house.clock.time = seen
    await house.run(lambda: len(house.events()) > 2)
    assert any(isinstance(e, events.ClockWarned) for r in house.events() for e in r.events)
