"""
A second opinion on what a request is about, from outside (人工智能中台). It may be slow, wrong, or not there.

A batch waits for it LIMIT seconds at most, and after FAILURES in a row it is not asked for REST seconds. What it says
takes the place of our own proposal only where every part of it makes sense; else ours stands. No request waits longer,
none is lost, and nothing that it raises is seen by anybody else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from router.intake.translate import Accepted, Rejected
from workflows import commands
from workflows.proposals import Proposal

log = structlog.get_logger()

LIMIT = 0.3
FAILURES = 3
REST = 60.0
SHOWN = 2_000
"""Characters of a text that are shown to it"""
GUESSES = 10
TOP = 3
NAME = 100
"""Characters of its name and version"""

Message = tuple[str, str]
"""Title and text"""


class Platform(Protocol):
    """Whoever proposes. `propose` gives for each message categories of ours with how likely they are, or None.

    It must not block the thread: nobody can be kept from waiting for that.
    """

    name: str
    version: str

    async def propose(self, messages: Sequence[Message]) -> Sequence[Mapping[str, float] | None]: ...


class Judge(Protocol):
    """Makes a proposal of likelihoods, by the threshold and the tree of the catalogue."""

    def knows(self, category: str) -> bool: ...

    def judged(
        self, by: str, version: str, top: Sequence[tuple[str, float]], likely: Mapping[str, float]
    ) -> Proposal: ...


class _Said(msgspec.Struct):
    title: str = ""
    text: str = ""


_said = msgspec.json.Decoder(_Said).decode


class SecondOpinion:
    """Asks a platform about whole batches, about one at a time."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._asking: asyncio.Task[list[Accepted]] | None = None
        self._failed, self._rests_until = 0, 0.0

    async def on(self, became: Sequence[Accepted | Rejected], judge: Judge) -> list[Accepted | Rejected]:
        """The same, in the same order, with what the platform said where it said something usable."""
        free = {place: one for place, one in enumerate(became) if isinstance(one, Accepted) and one.free}
        heard = dict(zip(free, await self._in_time(list(free.values()), judge), strict=True)) if free else {}
        return [heard.get(place, one) for place, one in enumerate(became)]

    async def _in_time(self, free: Sequence[Accepted], judge: Judge) -> Sequence[Accepted]:
        """The same with what it said; as they are, where it says nothing in time or nothing usable."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until:
            return free
        if self._asking is not None and not self._asking.done():  # it did not listen: that once is enough
            self._note("late", loop.time())
            return free
        self._asking = asking = asyncio.create_task(self._heard(free, judge))
        asking.add_done_callback(_seen)
        try:
            await asyncio.wait({asking}, timeout=LIMIT)
        finally:
            asking.cancel()  # not awaited: it may not listen
        error = asking.exception() if asking.done() and not asking.cancelled() else None
        reason = "late" if not asking.done() else "failed" if asking.cancelled() or error else ""
        self._note(reason, loop.time(), error)
        return free if reason else asking.result()

    async def _heard(self, free: Sequence[Accepted], judge: Judge) -> list[Accepted]:
        """Asks, and looks at every part of the answer, in a task of its own: whatever that raises ends there."""
        submits = [(one, submit) for one in free if (submit := one.free)]
        told = [_said(submit.request) for _, submit in submits]
        answer: Any = await self._platform.propose([(s.title[:SHOWN], s.text[:SHOWN]) for s in told])
        by, version = self._platform.name, self._platform.version
        if not isinstance(answer, list | tuple) or len(answer) != len(submits) or len(by + version) > NAME:
            raise Garbage
        heard = []
        for (one, submit), likely in zip(submits, answer, strict=True):
            if said := _sensible(likely, judge):
                top = sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]
                changed = msgspec.structs.replace(submit, proposal=judge.judged(by, version, top, said))
                one = msgspec.structs.replace(one, command=commands.encode(changed))
            heard.append(one)
        return heard

    def _note(self, reason: str, now: float, error: BaseException | None = None) -> None:
        self._failed = self._failed + 1 if reason else 0
        if reason:
            log.warning("platform.gave_nothing", reason=reason, error=error)
        if self._failed >= FAILURES:
            self._failed, self._rests_until = 0, now + REST


class Garbage(Exception):
    """An answer of another shape than the question."""


def _seen(asked: asyncio.Task[Any]) -> None:
    """What it raised is looked at, or asyncio would print it, with whatever of a citizen's words stands in it."""
    if not asked.cancelled():
        asked.exception()


def _sensible(likely: Any, judge: Judge) -> dict[str, float]:
    """A few categories that we know, each with a likelihood, together no more than certain; or nothing."""
    if not isinstance(likely, dict) or len(likely) > GUESSES:
        return {}
    if not all(
        isinstance(code, str) and judge.knows(code) and isinstance(value, float | int) and 0 <= value <= 1
        for code, value in likely.items()
    ):
        return {}
    said = {code: float(value) for code, value in likely.items()}
    return said if sum(said.values()) <= 1.001 else {}
