"""The processes of a run and who looks after them: what ends is started anew, as systemd or a container platform would."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from router.operate.children import _end_with
from router.operate.settings import CHECKOUT
from tests.chaos.rss import rss_mb

PAUSE, LONGER = 0.3, 2.0
"""Seconds before a process is started anew; longer when it had hardly begun."""
GRACE = 30.0
LOOK = 2.0


@dataclass
class Life:
    """One incarnation of a process."""

    pid: int
    began: float
    samples: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Member:
    """One role process through all its incarnations. `command`: what each runs; `next`: what the next one runs instead, once."""

    role: str
    instance: str
    env: Mapping[str, str]
    log: Path
    command: Sequence[str]
    next: Sequence[str] = ()
    held: bool = False
    leaving: bool = False
    process: asyncio.subprocess.Process | None = None
    lives: list[Life] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    watcher: "asyncio.Task[None] | None" = None

    @property
    def name(self) -> str:
        return f"{self.role}-{self.instance}"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


class House:
    """All role processes of a run. They die with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.members: list[Member] = []
        self.exits: Counter[str] = Counter()
        self._sampler: asyncio.Task[None] | None = None

    def of(self, role: str) -> list[Member]:
        return [m for m in self.members if m.role == role and not m.leaving]

    def all_of(self, role: str) -> list[Member]:
        return [m for m in self.members if m.role == role]

    async def start(self, role: str, instance: str, env: Mapping[str, str], command: Sequence[str] = ()) -> Member:
        """The role as operators start it, or by a command of its own."""
        command = command or ("-m", "router.cli.main", "run", role)
        member = Member(role, instance, env, self._folder / f"{role}-{instance}.log", command)
        self.members.append(member)
        await self._spawn(member)
        member.watcher = asyncio.create_task(self._watch(member))
        self._sampler = self._sampler or asyncio.create_task(self._sample())
        return member

    async def _spawn(self, member: Member) -> None:
        command, member.next = member.next or member.command, ()
        env = {**os.environ, **member.env, "DUOKUA_INSTANCE": member.instance, "DUOKUA_HTTP_PORT": "0"}
        with member.log.open("ab") as out:
            member.process = await asyncio.create_subprocess_exec(
                sys.executable, *command, env=env, cwd=CHECKOUT, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, preexec_fn=partial(_end_with, os.getpid()),
            )  # fmt: skip
        member.lives.append(Life(member.process.pid, time.monotonic()))

    async def _watch(self, member: Member) -> None:
        while True:
            assert member.process is not None
            code = await member.process.wait()
            member.codes.append(code)
            self.exits[f"{member.role}:{code}"] += 1
            if member.leaving:
                return
            young = time.monotonic() - member.lives[-1].began < LONGER
            await asyncio.sleep(LONGER if young else PAUSE)
            while member.held:
                await asyncio.sleep(0.05)
            if member.leaving:
                return
            await self._spawn(member)
            if member.leaving:
                member.signal(signal.SIGTERM)

    async def stop(self, *members: Member) -> float:
        """SIGTERM, SIGKILL to who does not go; the seconds it took."""
        began = time.monotonic()
        for member in members:
            member.leaving = True
            member.signal(signal.SIGCONT)
            member.signal(signal.SIGTERM)
        for member in members:
            if member.alive and member.process is not None:
                try:
                    await asyncio.wait_for(member.process.wait(), GRACE)
                except TimeoutError:
                    self.exits[f"{member.role}:did not leave"] += 1
                    member.signal(signal.SIGKILL)
                    await member.process.wait()
        return time.monotonic() - began

    async def close(self) -> None:
        """End all that is left, at once."""
        for member in self.members:
            member.leaving = True
            member.signal(signal.SIGKILL)
        tasks = [m.watcher for m in self.members if m.watcher] + ([self._sampler] if self._sampler else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            for member in self.members:
                if member.alive and (mb := rss_mb(member.lives[-1].pid)) is not None:
                    member.lives[-1].samples.append((time.monotonic(), mb))
