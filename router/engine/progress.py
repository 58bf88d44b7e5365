"""
Whether the shards of a process move. Only notes and compares; what follows is the watchdog's business.

A shard stands still in four ways, and none of them shows itself: its loop hangs; it fails, is taken over and
fails again, for ever; it turns, but its consumer brings nothing although records wait; or the group never
gives out its partitions again.
"""

import time
from collections.abc import Callable, Mapping

STALLED_SECONDS = 60.0
HEALTHY_SECONDS = 10.0
"""A shard that has failed is well again when it has moved for so long without failing."""
GROUP = -1
"""In place of a shard: the group itself."""


class Progress:
    """Notes of one process. Written by its loop, read by the watchdog's thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing: dict[int, float] = {}
        self._last_failed: dict[int, float] = {}
        self._behind: dict[int, tuple[int, float]] = {}
        self._unassigned_since: float | None = clock()

    @property
    def is_unassigned(self) -> bool:
        return self._unassigned_since is not None

    def unassigned(self) -> None:
        """A rebalance began."""
        self._unassigned_since = self._clock()
        self._failing, self._last_failed, self._behind = {}, {}, {}

    def assigned(self) -> None:
        """It ended, with or without shards for us."""
        self._unassigned_since = None

    def failed(self, shard: int) -> None:
        """Taking over or serving failed."""
        self._last_failed[shard] = now = self._clock()
        self._failing.setdefault(shard, now)

    def seen(self, shard: int, done: int, end: int) -> None:
        """A shard that serves has read up to `done`, and its commands end at `end`."""
        now = self._clock()
        if now - self._last_failed.get(shard, 0.0) > HEALTHY_SECONDS:
            self._failing.pop(shard, None)
        before, since = self._behind.get(shard, (done, now))
        if done >= end or done != before:
            since = now
        self._behind[shard] = (done, since)

    def stalled(self, moved: Mapping[int, float]) -> list[int]:
        """Shards that have not moved for too long; `moved` is when each last turned."""
        long_ago = self._clock() - STALLED_SECONDS
        still = {shard for shard, at in moved.items() if at < long_ago}
        still |= {shard for shard, since in list(self._failing.items()) if since < long_ago}
        still |= {shard for shard, (_, since) in list(self._behind.items()) if since < long_ago}
        if self._unassigned_since is not None and self._unassigned_since < long_ago:
            still.add(GROUP)
        return sorted(still)
