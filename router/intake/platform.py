"""
A second opinion on what a request is about, from outside (人工智能中台). It may be slow, wrong, or not there.

A batch waits for it LIMIT seconds at most, and after FAILURES in a row it is not asked for REST seconds. What it says
takes the place of our own proposal only where every part of it makes sense; else ours stands. No request waits longer, none is lost.
"""

import asyncio
from collections.abc import Mapping, Sequence
from math import isfinite
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

Message = tuple[str, str]
"""Title and text"""


class Platform(Protocol):
    """Whoever proposes. `propose` gives for each message categories of ours with how likely they are, or None."""

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
    """Asks a platform about whole batches."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._failed, self._rests_until = 0, 0.0

    async def on(self, became: Sequence[Accepted | Rejected], judge: Judge) -> list[Accepted | Rejected]:
        """The same, in the same order, with what the platform said where it said something usable."""
        free = [(place, one.free) for place, one in enumerate(became) if isinstance(one, Accepted) and one.free]
        said = await self._asked([submit for _, submit in free]) if free else None
        judged = list(became)
        if said is not None:
            for (place, submit), likely in zip(free, said, strict=True):
                one = judged[place]
                if isinstance(one, Accepted) and _makes_sense(likely, judge):
                    changed = msgspec.structs.replace(submit, proposal=self._proposal(likely, judge))
                    judged[place] = msgspec.structs.replace(one, command=commands.encode(changed))
        return judged

    def _proposal(self, likely: Mapping[str, float], judge: Judge) -> Proposal:
        top = sorted(likely.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]
        return judge.judged(self._platform.name, self._platform.version, top, likely)

    async def _asked(self, free: Sequence[commands.Submit]) -> Sequence[Any] | None:
        """An answer for each, or None where there is none in time."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until:
            return None
        told = [_said(submit.request) for submit in free]
        asking = asyncio.ensure_future(self._platform.propose([(s.title[:SHOWN], s.text[:SHOWN]) for s in told]))
        await asyncio.wait({asking}, timeout=LIMIT)
        reason = "late" if not asking.done() else "failed" if asking.cancelled() or asking.exception() else ""
        asking.cancel()  # not awaited: it may not listen
        answer = None if reason else asking.result()
        if answer is not None and (not isinstance(answer, list | tuple) or len(answer) != len(free)):
            reason, answer = "garbage", None
        self._note(reason, loop.time())
        return answer

    def _note(self, reason: str, now: float) -> None:
        self._failed = self._failed + 1 if reason else 0
        if reason:
            log.warning("platform.gave_nothing", platform=self._platform.name, reason=reason)
        if self._failed >= FAILURES:
            self._failed, self._rests_until = 0, now + REST


def _makes_sense(likely: Any, judge: Judge) -> bool:
    """A few categories that we know, each with a likelihood, together no more than certain."""
    if not isinstance(likely, dict) or not 0 < len(likely) <= GUESSES:
        return False
    numbers = [value for value in likely.values() if isinstance(value, float | int) and isfinite(value) and value >= 0]
    known = all(isinstance(code, str) and judge.knows(code) for code in likely)
    return known and len(numbers) == len(likely) and sum(numbers) <= 1.001
