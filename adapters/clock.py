"""
Time is a port: every role asks a `Clock`, nothing below the shell reads a wall clock.

The business clock may be compressed (`DUOKUA_CLOCK=<virtual start>,<real epoch>,<speed>`), so that
a demo shows working days in seconds; a role that is started anew continues the same time. In place of
the epoch `@<file>` may stand: time rests at its start until that file exists and holds the epoch, so that
all processes of a demo can come up, however long that takes, before its first day begins.
The real clocks beneath (`wall`, `monotonic`) stay visible for the engine's guard against jumps.
"""

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

BEIJING = timezone(timedelta(hours=8))


class Clock:
    """The business clock in milliseconds since 1970-01-01T00:00Z. Without arguments: the real time."""

    def __init__(self, start: int = 0, epoch: float = 0.0, speed: float = 1.0, awaited: Path | None = None) -> None:
        self._start, self._epoch, self.speed, self._awaited = start, epoch, speed, awaited

    @classmethod
    def from_text(cls, text: str) -> "Clock":
        """From a setting: empty, or `<RFC 3339 start>,<real epoch in seconds>,<speed>`. Raises ValueError."""
        if not text:
            return cls()
        parts = text.split(",")
        if len(parts) != 3:
            raise ValueError("a clock is <RFC 3339 start>,<real epoch seconds or @file>,<speed>")
        start = datetime.fromisoformat(parts[0])
        if start.tzinfo is None:
            raise ValueError("the clock's start needs an offset, such as +08:00")
        awaited = Path(parts[1][1:]) if parts[1].startswith("@") else None
        epoch, speed = 0.0 if awaited else float(parts[1]), float(parts[2])
        if speed <= 0:
            raise ValueError("the clock's speed must be more than 0")
        return cls(int(start.timestamp() * 1000), epoch, speed, awaited)

    def now(self) -> int:
        if not self._start:
            return int(time.time() * 1000)
        if self._awaited and not self._has_begun(self._awaited):
            return self._start
        return self._start + int((time.time() - self._epoch) * 1000 * self.speed)

    def _has_begun(self, awaited: Path) -> bool:
        try:
            self._epoch = float(awaited.read_text())
        except (FileNotFoundError, ValueError):
            return False
        self._awaited = None
        return True

    def real_seconds(self, milliseconds: int) -> float:
        """How long a stretch of business time takes on the wall."""
        return milliseconds / 1000 / self.speed

    @staticmethod
    def wall() -> float:
        """The machine's clock, seconds since the epoch."""
        return time.time()

    @staticmethod
    def monotonic() -> float:
        return time.monotonic()


def to_text(milliseconds: int) -> str:
    """RFC 3339 in Beijing time, as every edge shows it."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(BEIJING)
    return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds")
