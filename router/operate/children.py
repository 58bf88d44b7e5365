"""
Roles as child processes: started, watched, started anew when one dies, ended in order.

Each child has its own free port for `/readyz` and its own log file. On Linux a child dies with its parent,
however that ended, so that nothing outlives a demo (a role may be killed at any point: nothing is lost).
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp

GRACE, LAST_GRACE = 25.0, 8.0
"""Seconds that a child has to end after SIGTERM: while its work counts, and when all is said."""
RESTARTS = 5
"""A role that keeps dying is not started for ever."""
PR_SET_PDEATHSIG = 1


class RoleFailed(Exception):
    """A role does not come up. The text names it and its log file."""


@dataclass
class Child:
    """One role process. `ends` is set when we asked it to stop."""

    role: str
    instance: str
    port: int
    log: Path
    process: asyncio.subprocess.Process
    starts: int = 1
    ends: bool = False

    @property
    def name(self) -> str:
        return self.role if self.instance == "1" else f"{self.role}-{self.instance}"

    @property
    def alive(self) -> bool:
        return self.process.returncode is None


@dataclass
class Children:
    """All role processes of one run. `told` is called with (event, child) for `started`, `died`, `restarted`, `gave_up`."""

    env: Mapping[str, str]
    logs: Path
    told: Callable[[str, Child], None]
    members: list[Child] = field(default_factory=list)
    _watchers: list["asyncio.Task[None]"] = field(default_factory=list)

    async def start(self, role: str, instance: str = "1") -> Child:
        """Start a role and watch it."""
        log = self.logs / f"{role}-{instance}.log"
        port = _free_port()
        child = Child(role, instance, port, log, await self._spawn(role, instance, port, log))
        self.members.append(child)
        self.told("started", child)
        self._watchers.append(asyncio.create_task(self._watch(child)))
        return child

    async def _spawn(self, role: str, instance: str, port: int, log: Path) -> asyncio.subprocess.Process:
        env = {**self.env, "DUOKUA_INSTANCE": instance, "DUOKUA_HTTP_PORT": str(port)}
        with log.open("ab") as file:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "router.cli.main", "run", role,
                env=env, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, preexec_fn=partial(_end_with, os.getpid()),
            )  # fmt: skip

    async def _watch(self, child: Child) -> None:
        """Start it anew whenever it ends unasked."""
        while True:
            await child.process.wait()
            if child.ends:
                return
            self.told("died", child)
            if child.starts > RESTARTS:
                self.told("gave_up", child)
                return
            child.starts += 1
            await asyncio.sleep(min(0.2 * child.starts, 2.0))
            child.process = await self._spawn(child.role, child.instance, child.port, child.log)
            self.told("restarted", child)

    def of(self, role: str) -> list[Child]:
        return [child for child in self.members if child.role == role]

    async def ready(self, roles: tuple[str, ...], within: float) -> None:
        """Wait until each of these says that it can serve. Raises RoleFailed."""
        wanted = [child for child in self.members if child.role in roles]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            try:
                async with asyncio.timeout(within):
                    await asyncio.gather(*(_until_ready(session, child) for child in wanted))
            except TimeoutError:
                late = [child for child in wanted if not await _is_ready(session, child)] or wanted
                raise RoleFailed("; ".join(f"{child.name}: {child.log}" for child in late)) from None

    async def stop(self, *roles: str, grace: float = GRACE) -> None:
        """SIGTERM, then SIGKILL after the grace; all roles where none is named."""
        leaving = [child for child in self.members if not roles or child.role in roles]
        for child in leaving:
            child.ends = True
            if child.alive:
                child.process.terminate()
        await asyncio.gather(*(_gone(child, grace) for child in leaving))

    async def close(self) -> None:
        """End everything and the watching too."""
        await self.stop(grace=LAST_GRACE)
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)


async def _gone(child: Child, grace: float) -> None:
    try:
        await asyncio.wait_for(child.process.wait(), grace)
    except TimeoutError:
        child.process.kill()
        await child.process.wait()


async def _until_ready(session: aiohttp.ClientSession, child: Child) -> None:
    while not await _is_ready(session, child):
        if child.starts > RESTARTS:
            raise RoleFailed(f"{child.name}: {child.log}")
        await asyncio.sleep(0.1)


async def _is_ready(session: aiohttp.ClientSession, child: Child) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{child.port}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with(parent: int) -> None:
    """In the child, before it becomes the role: ask the kernel for a SIGKILL when the parent dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
