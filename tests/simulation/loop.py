"""
An event loop in virtual time, in which processes live, stand still and die.

Time moves only when nothing is ready, and then at once to the next timer. Which of the ready handles runs next is
drawn from the seed. A handle belongs to the life (one run of a process) in whose context it was made: the handles of a
stopped life wait, those of a dead one never run again, so that no `finally` of it reaches the world. What belongs to
nobody is the world itself: the network, the broker, the people.
"""

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

MOST_STEPS = 200_000
"""A run that turns longer without an end never comes to rest."""

LIFE: "ContextVar[Life | None]" = ContextVar("life", default=None)


class Livelock(Exception):
    """The run turns and turns."""


class Standstill(Exception):
    """Nothing is ready and no timer runs, but the run has not ended."""


class Handle:
    """asyncio's handles, both kinds, without what nobody asks them here: there are thousands in a run."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context", "_when")

    def __init__(
        self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context | None, when: float
    ) -> None:
        self._callback, self._args, self._when = callback, args, when
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def cancelled(self) -> bool:
        return self._cancelled

    def when(self) -> float:
        return self._when


class Life:
    """One run of a process, from its start to its death. `steps` counts how often something of it ran."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.context = Context()
        self.context.run(LIFE.set, self)
        self.dead = self.stopped = self.over = False
        self.steps = 0
        self._plans: list[tuple[int, Callable[[], None]]] = []
        self._waiting: list[Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.engine: Any = None

    def at_step(self, steps_from_now: int, act: Callable[[], None]) -> None:
        """Have `act` (a crash, a stop) happen before its so manieth next step."""
        self._plans.append((self.steps + steps_from_now, act))

    def may_run(self, handle: Handle) -> bool:
        """Whether this handle runs now; else it is kept."""
        if self.over:
            return True
        while self._plans and not (self.dead or self.stopped):
            due = [plan for plan in self._plans if plan[0] <= self.steps]
            if not due:
                break
            self._plans.remove(due[0])
            due[0][1]()
        if self.dead or self.stopped:
            self._waiting.append(handle)
            return False
        self.steps += 1
        return True

    def release(self, ready: list[Handle]) -> None:
        """What waited while it stood still can run."""
        ready += self._waiting
        self._waiting = []


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random, self._now, self.steps = random, 0.0, 0
        self._ready: list[Handle] = []
        self._scheduled: list[tuple[float, int, Handle]] = []
        self._timers = 0
        self.set_task_factory(_born)
        self.set_exception_handler(lambda *_: None)

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, context, 0.0)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        timer = Handle(callback, args, context, when)
        self._timers += 1
        heapq.heappush(self._scheduled, (when, self._timers, timer))
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def in_world(self, delay: float, call: Callable[..., Any], *args: Any) -> None:
        """Later, and whatever becomes of the process that asks for it: what is on the wire arrives."""
        when = self._now + delay
        self._timers += 1
        heapq.heappush(self._scheduled, (when, self._timers, Handle(call, args, _WORLD, when)))

    def start_in(self, life: Life, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        return self.create_task(work, context=life.context)

    def go_on(self, life: Life) -> None:
        life.stopped = False
        life.release(self._ready)

    def luck(self) -> float:
        """From 0 to 1, by the seed."""
        return self._random.random()

    def died(self, lives: list[Life]) -> list[BaseException]:
        """What tasks ended with that nobody awaited: a task of an engine must not die."""
        ended = [task for life in lives if not life.dead for task in life.tasks if task.done() and not task.cancelled()]
        return [error for task in ended if (error := task.exception()) is not None]

    def bury(self, lives: list[Life]) -> None:
        """After a run: let every task that is left end, its life being over and the world out of its reach."""
        for life in lives:
            life.dead = life.over = True
            life.release(self._ready)
        self.steps = 0
        for _ in range(50):
            left = [task for life in lives for task in life.tasks if not task.done()]
            left += [task for task in asyncio.all_tasks(self) if not task.done() and task not in left]
            if not left:
                return
            for task in left:
                task.cancel()
            with contextlib.suppress(Standstill):
                self.run_until_complete(asyncio.sleep(20))
        raise Livelock(f"tasks do not end: {left}")

    def _run_once(self) -> None:
        """One handle after the other until somebody wants the loop to stop."""
        ready, draw = self._ready, self._random.random
        while not self._stopping:
            if not ready:
                self._move_on()
            if len(ready) > 1:
                at = int(draw() * len(ready))
                ready[at], ready[-1] = ready[-1], ready[at]
            handle = ready.pop()
            if handle._cancelled:
                continue
            context = handle._context
            life = None if context is _WORLD else context.get(LIFE)
            if life is None or life.may_run(handle):
                self.steps += 1
                context.run(handle._callback, *handle._args)
                if self.steps > MOST_STEPS:
                    self.steps = 0
                    raise Livelock(f"{MOST_STEPS} steps")

    def _move_on(self) -> None:
        """To the next timer."""
        scheduled, ready = self._scheduled, self._ready
        while not ready:
            if not scheduled:
                raise Standstill
            when, _, timer = heapq.heappop(scheduled)
            if not timer._cancelled:
                self._now = max(self._now, when)
                ready.append(timer)
        while scheduled and scheduled[0][0] <= self._now:
            ready.append(heapq.heappop(scheduled)[2])


_WORLD = Context()


def _born(loop: asyncio.AbstractEventLoop, work: Any, **how: Any) -> "asyncio.Task[Any]":
    context = how.get("context")
    life = LIFE.get() if context is None else context.get(LIFE)
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **how)
    if life is not None:
        life.tasks.append(task)
    return task
