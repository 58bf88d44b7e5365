"""
The clock guard: deadlines are held while the wall clock cannot be trusted.

A mass of false escalations after a clock jump is the worst a hotline's clockwork can do, and it cannot
be taken back. So when the wall clock moves against the monotonic one by more than LIMIT, nothing fires
until it has gone straight for SETTLE seconds. Business time may be compressed: only the real clocks count.
"""

from adapters.clock import Clock

LIMIT = 30.0
SETTLE = 300.0


class ClockGuard:
    """Asked before each firing. Holds no timer of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.wall() - clock.monotonic()
        self._held_until = 0.0

    def trusted(self) -> bool:
        """Whether deadlines may fire now."""
        monotonic = self._clock.monotonic()
        offset = self._clock.wall() - monotonic
        if abs(offset - self._offset) > LIMIT:
            self._offset, self._held_until = offset, monotonic + SETTLE
        return monotonic >= self._held_until
