"""
The clock guard: deadlines are held while the wall clock cannot be trusted.

A mass of false escalations after a clock jump is the worst a hotline's clockwork can do, and it cannot
be taken back. So nothing fires after the wall clock moved against the monotonic one by more than LIMIT, until
it has gone straight for SETTLE seconds and the broker was heard since; and nothing while it differs by more than
LIMIT from the time that the broker gave to the last record. Meanwhile business time goes on without the jump: a shard's time never
runs back, so an instant too far ahead, taken over once, would be fired by for as long as it lies ahead.
Business time may be compressed: only the real clocks count.
"""

from adapters.clock import Clock

LIMIT = 30.0
SETTLE = 300.0
ASK_AGAIN = 10.0
"""Seconds after which a broker that disagreed is asked again."""


class ClockGuard:
    """Asked before each firing. One for all shards of a process: a take-over must not forget a jump."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # what the wall clock is ahead of the monotonic one: as is believed, and at the last step that was seen
        self._believed = self._seen = clock.wall() - clock.monotonic()
        self._held_until = 0.0
        self._differs = False
        self._heard_at: float | None = None

    def trusted(self) -> bool:
        """Whether deadlines may fire now."""
        self._look()
        return self._heard_at is not None and not self._differs and not self._held_until

    def now(self) -> int:
        """Business time; while the wall clock is not trusted, as if it had gone on as before."""
        jumped = self._look()
        return self._clock.now() - int(jumped * 1000 * self._clock.speed)

    def heard(self, appended_ms: int | None) -> None:
        """The broker's time of a record just written; None where its topic does not tell."""
        monotonic, wall = self._clock.monotonic(), self._clock.wall()
        self._heard_at = monotonic
        ahead = wall - appended_ms / 1000 if appended_ms else 0.0
        self._differs = abs(ahead) > LIMIT
        told = wall - ahead
        if appended_ms and monotonic + self._believed - told > LIMIT:
            # nobody knows which of the two is right; the earlier one fires nothing too early. What was believed counts,
            # not the wall clock: it may have been wrong from the start and have jumped before the broker was heard
            self._believed = told - monotonic

    @property
    def asks(self) -> bool:
        """Whether a transaction is worth while only to hear the broker's time."""
        if self._heard_at is None:
            return True
        return self._differs and self._clock.monotonic() - self._heard_at > ASK_AGAIN

    def _look(self) -> float:
        """Look at both clocks; seconds that the wall clock is ahead of the time to go by."""
        monotonic = self._clock.monotonic()
        offset = self._clock.wall() - monotonic
        if abs(offset - self._seen) > LIMIT:
            # what the broker said before tells nothing about the clock as it goes now: a shard without work would
            # believe it after SETTLE seconds and fire everything at once
            self._seen, self._held_until, self._heard_at = offset, monotonic + SETTLE, None
        if self._held_until and monotonic >= self._held_until and self._heard_at is not None:
            self._held_until = 0.0
            if not self._differs:
                self._believed = offset
        return offset - self._believed if self._held_until or self._differs else 0.0
