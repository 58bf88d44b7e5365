"""
Somebody outside who is asked for an opinion. It may be slow, wrong, or not there.

A batch waits for it LIMIT seconds at most, and after FAILURES in a row it is not asked for REST seconds. No request waits
longer, none is lost, and nothing that it raises is seen by anybody else.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from router.intake.translate import Accepted
from router.operate import metrics
from workflows import commands
from workflows.proposals import Proposal

log = structlog.get_logger()

LIMIT = 0.3
FAILURES = 3
REST = 60.0
SHOWN = 2_000
"""Characters of a text that are shown to it"""
GUESSES = 10
"""Opinions on one message; more are none."""
NAME = 100
"""Characters of its name and version"""

Message = tuple[str, str]
"""Title and text"""
T = TypeVar("T")


class Garbage(Exception):
    """An answer of another shape than the question."""


class Said(msgspec.Struct):
    """Of a request what it is told, and what kind it is."""

    title: str = ""
    text: str = ""
    appeal_kind: str = ""

    @property
    def message(self) -> Message:
        return self.title[:SHOWN], self.text[:SHOWN]


said = msgspec.json.Decoder(Said).decode


class Outside(Generic[T]):
    """Asks one question at a time. what: by which name the asking is counted."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._asking: asyncio.Task[T] | None = None
        self._failed, self._rests_until = 0, 0.0

    async def heard(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """What `ask` comes to; None where it says nothing in time, or fails."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until:
            metrics.OPINIONS.labels(self._what, "resting").inc()
            return None
        if self._asking is not None and not self._asking.done():  # it did not listen: that once is enough
            self._note("late", loop.time())
            return None
        self._asking = asking = asyncio.create_task(ask())
        asking.add_done_callback(_seen)
        try:
            await asyncio.wait({asking}, timeout=LIMIT)
        finally:
            asking.cancel()  # not awaited: it may not listen
        error = asking.exception() if asking.done() and not asking.cancelled() else None
        reason = "late" if not asking.done() else "failed" if asking.cancelled() or error else ""
        self._note(reason, loop.time(), error)
        return None if reason else asking.result()

    def _note(self, reason: str, now: float, error: BaseException | None = None) -> None:
        metrics.OPINIONS.labels(self._what, reason or "heard").inc()
        self._failed = self._failed + 1 if reason else 0
        if reason:
            log.warning("outside.gave_nothing", asked=self._what, reason=reason, error=error)
        if self._failed >= FAILURES:
            self._failed, self._rests_until = 0, now + REST


def _seen(asked: asyncio.Task[Any]) -> None:
    """What it raised is looked at, or asyncio would print it, with whatever of a citizen's words stands in it."""
    if not asked.cancelled():
        asked.exception()


def sensible(likely: Any, knows: Callable[[str], bool]) -> dict[str, float]:
    """A few names that we know, each with a likelihood from 0 to 1; or nothing."""
    if not isinstance(likely, dict) or len(likely) > GUESSES:
        return {}
    if not all(
        isinstance(name, str) and knows(name) and isinstance(value, float | int) and 0 <= value <= 1
        for name, value in likely.items()
    ):
        return {}
    return {name: float(value) for name, value in likely.items()}


def checked(answer: Any, questions: int, by: str, version: str) -> Any:
    """The answer, if it is one to so many questions, of somebody with a short name. Raises Garbage."""
    if not isinstance(answer, list | tuple) or len(answer) != questions or len(by + version) > NAME:
        raise Garbage
    return answer


def with_proposal(one: Accepted, proposal: Proposal) -> Accepted:
    """The same with another proposal in its command."""
    assert one.free is not None
    changed = msgspec.structs.replace(one.free, proposal=proposal)
    return msgspec.structs.replace(one, command=commands.encode(changed), free=changed)
