"""How each fault of the schedule is done to a stage, and undone."""

import asyncio
import contextlib
import itertools
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from router.operate.table import ROCKS, Damaged, DiskRefuses
from router.operate.topics import DAY
from tests.chaos.cluster import Broker
from tests.chaos.crash import CRASHED
from tests.chaos.house import Member
from tests.chaos.schedule import Fault

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

FROZEN = 13.0
"""Seconds: longer than the session of a consumer (10 s)."""
CRASH_WITHIN = 45.0
MISBEHAVES = 8.0
DISK_FULL = 10.0
AGES = 6.0
"""Seconds that a copy of a store grows old."""
ALL = "all"
SMALL_DISK = "1g"
BALLAST = "ballast"
FORGOTTEN = DAY
"""Business milliseconds: what is due within them may be lost. A few seconds of a run."""
TINY = 64 << 10
"""Bytes that a file may have where no small disk could be mounted."""


async def do(stage: "Stage", fault: Fault) -> bool:
    """Do it to its end. False when it could not be brought about."""
    return await DONE[fault.kind](stage, fault.what)


async def _kill(stage: "Stage", role: str) -> bool:
    if role != ALL:
        _victim(stage, role).signal(signal.SIGKILL)
        return True
    for member in stage.house.members:
        if not (member.role == "engine" and member.instance in stage.spared):
            member.signal(signal.SIGKILL)
    return True


def _victim(stage: "Stage", role: str) -> Member:
    members = [m for m in stage.house.of(role) if m.alive and m.instance not in stage.spared] or stage.house.of(role)
    return stage.random.choice(members)


async def _zombie(stage: "Stage", role: str) -> bool:
    """It sleeps past its session, and wakes up believing that nothing has happened."""
    victim = _victim(stage, role)
    victim.signal(signal.SIGSTOP)
    await asyncio.sleep(FROZEN)
    victim.signal(signal.SIGCONT)
    return True


async def _crash(stage: "Stage", point: str) -> bool:
    """An engine that dies at this point: the present one leaves in order, its next incarnation carries the crash in it."""
    victim = _victim(stage, "engine")
    taking_over = "init" in point or "restoring" in point
    count = 1 if taking_over else stage.random.randint(1, 30)
    victim.next = ("-m", "tests.chaos.crash", "engine", point, str(count))
    seen = victim.codes.count(CRASHED)
    victim.held = "restoring" in point
    victim.signal(signal.SIGTERM)
    if victim.held:
        await _gone(victim)
        _empty(stage.stores / victim.instance)
        victim.held = False
    for _ in range(int(CRASH_WITHIN / 0.1)):
        await asyncio.sleep(0.1)
        if victim.codes.count(CRASHED) > seen:
            return True
    victim.next = ()
    victim.signal(signal.SIGKILL)  # it never came by
    return False


async def _broker_kill(stage: "Stage", _: str) -> bool:
    return await _kill_and_restart(stage, [stage.cluster.brokers[0]], stage.random.uniform(0.5, 4))


async def _leader_kill(stage: "Stage", _: str) -> bool:
    return await _kill_and_restart(stage, [await _leader(stage)], 9)


async def _follower_kill(stage: "Stage", _: str) -> bool:
    leader = await _leader(stage)
    return await _kill_and_restart(stage, [next(b for b in stage.cluster.brokers if b is not leader)], 6)


async def _two_brokers_kill(stage: "Stage", _: str) -> bool:
    """What is left may not acknowledge anything: producers wait."""
    return await _kill_and_restart(stage, stage.random.sample(stage.cluster.brokers, 2), 10)


async def _kill_and_restart(stage: "Stage", brokers: list[Broker], away: float) -> bool:
    for broker in brokers:
        await asyncio.to_thread(broker.kill)
    await asyncio.sleep(away)
    await asyncio.gather(*(asyncio.to_thread(stage.cluster.restart, broker) for broker in brokers))
    return True


async def _broker_frozen(stage: "Stage", _: str) -> bool:
    """It stands still for longer than all sessions last, as in a long pause of its collector."""
    broker = stage.random.choice(stage.cluster.brokers)
    assert broker.child is not None
    os.kill(broker.child.running.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN)
    finally:
        os.kill(broker.child.running.pid, signal.SIGCONT)
    return True


async def _leader(stage: "Stage") -> Broker:
    """Of the first shard's commands."""
    async with stage.log.admin() as admin:
        topic = (await admin.describe_topics([stage.topics.commands]))[0]
    number = next(p["leader"] for p in topic["partitions"] if p["partition"] == 0)
    return next(b for b in stage.cluster.brokers if b.seat.number == number)


async def _rebalance_storm(stage: "Stage", _: str) -> bool:
    """One engine more comes and goes: asked, or killed."""
    for turn in range(4):
        extra = await stage.house.start("engine", f"storm-{turn % 2}", stage.env)
        await asyncio.sleep(stage.random.uniform(2.5, 4.5))
        if stage.random.random() < 0.5:
            extra.leaving = True
            extra.signal(signal.SIGKILL)
        await stage.house.stop(extra)
    return True


def _proxied(mode: str, what: str) -> Callable[["Stage", str], Awaitable[bool]]:
    async def misbehave(stage: "Stage", _: str) -> bool:
        before = (await stage.proxy.order("pass")).get(what, 0)
        await stage.proxy.order(mode)
        await asyncio.sleep(MISBEHAVES)
        return (await stage.proxy.order("pass")).get(what, 0) > before

    return misbehave


async def _disk_full(stage: "Stage", _: str) -> bool:
    """The disk of one engine has no byte left for a while; where none could be mounted, no file may grow."""
    if stage.small_disk is not None:
        ballast = stage.small_disk / BALLAST
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
        await asyncio.sleep(DISK_FULL)
        ballast.unlink()
        return True
    victim = _victim(stage, "engine")
    limit = resource.prlimit(victim.lives[-1].pid, resource.RLIMIT_FSIZE)
    resource.prlimit(victim.lives[-1].pid, resource.RLIMIT_FSIZE, (TINY, limit[1]))
    pid = victim.lives[-1].pid
    await asyncio.sleep(DISK_FULL)
    if victim.lives[-1].pid == pid and victim.alive:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
    return True


async def _store_deleted(stage: "Stage", _: str) -> bool:
    victim = _victim(stage, "engine")
    await _down(victim)
    _empty(stage.stores / victim.instance)
    victim.held = False
    return True


async def _store_stale(stage: "Stage", _: str) -> bool:
    """A copy of its state from a while ago is put back, as out of a backup."""
    victim = _victim(stage, "engine")
    mine, copy = stage.stores / victim.instance, stage.folder / "copy"
    await _down(victim)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(mine, copy)
    victim.held = False
    await asyncio.sleep(AGES)
    await _down(victim)
    _empty(mine)
    shutil.copytree(copy, mine, dirs_exist_ok=True)
    victim.held = False
    return any(copy.iterdir())


async def _store_damaged(stage: "Stage", how: str) -> bool:
    """Bytes of one of its files are others now, or its end is missing."""
    victim = _victim(stage, "engine")
    await _down(victim)
    stage.damaged.add(victim.instance)
    files = sorted(
        f for f in (stage.stores / victim.instance).glob("shard-*/*") if f.is_file() and f.stat().st_size > 64
    )
    if files:
        file = stage.random.choice(files)
        size = file.stat().st_size
        with file.open("r+b") as opened:
            if how == "truncated":
                opened.truncate(stage.random.randrange(size))
            else:
                opened.seek(stage.random.randrange(size - 16))
                opened.write(stage.random.randbytes(16))
    victim.held = False
    return bool(files)


async def _deadlines_lost(stage: "Stage", _: str) -> bool:
    """Its index does not know any more of some of what comes due next: nothing is damaged, and nothing would ever fire."""
    victim = _victim(stage, "engine")
    await _down(victim)
    until, lost = b"d" + (stage.now() + FORGOTTEN).to_bytes(8), []
    for folder in sorted((stage.stores / victim.instance).glob("shard-*")):
        with contextlib.suppress(Damaged, DiskRefuses):  # an engine throws such a store away
            lost += _forget(folder, until)
    stage.forgotten.update(lost)
    victim.held = False
    return bool(lost)


def _forget(folder: Path, until: bytes) -> list[bytes]:
    table = ROCKS.open(folder)
    try:
        keys = list(itertools.takewhile(lambda key: key < until, table.keys_from(b"d")))[::3]
        table.write((key, None) for key in keys)
        table.flush()
    finally:
        table.close()
    return keys


async def _down(victim: Member) -> None:
    """Killed, and not started anew before it is let."""
    victim.held = True
    victim.signal(signal.SIGKILL)
    await _gone(victim)


async def _gone(member: Member) -> None:
    while member.alive:
        await asyncio.sleep(0.02)


def _empty(folder: Path) -> None:
    for what in folder.iterdir() if folder.exists() else ():
        shutil.rmtree(what) if what.is_dir() else what.unlink()


DONE: Mapping[str, Callable[["Stage", str], Awaitable[bool]]] = {
    "kill": _kill,
    "zombie": _zombie,
    "crash": _crash,
    "broker_kill": _broker_kill,
    "leader_kill": _leader_kill,
    "follower_kill": _follower_kill,
    "two_brokers_kill": _two_brokers_kill,
    "rebalance_storm": _rebalance_storm,
    "proxy_delay": _proxied("delay", "delayed"),
    "proxy_reset": _proxied("reset", "reset"),
    "proxy_half_open": _proxied("half_open", "half_open"),
    "commit_answer_lost": _proxied("swallow", "swallowed"),
    "broker_frozen": _broker_frozen,
    "disk_full": _disk_full,
    "store_deleted": _store_deleted,
    "store_stale": _store_stale,
    "store_damaged": _store_damaged,
    "deadlines_lost": _deadlines_lost,
}


def mount_small_disk(folder: Path) -> Path | None:
    """A small file system in memory, where we may mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return None
    order = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=700", "duokua-chaos", str(folder)]
    return folder if subprocess.run(order, capture_output=True, check=False).returncode == 0 else None


def unmount(folder: Path | None) -> None:
    if folder is not None:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
