"""What clocks do and bring about."""

from msgspec import Struct

from workflows.events.event import Event


class Mark(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """
    Something a clock brings about at `at`.

    what: warn | due | deem_signed | escalate; of an escalation: `level`, `who` is told (the unit is resolved
    when it fires) and the `step`: urge | supervise | notify.
    """

    at: int
    what: str
    level: int = 0
    who: str = ""
    step: str = ""


class ClockStarted(Event, frozen=True):
    """A clock began to run. `of` is a leg id, a task id, or empty for the case's own; `<kind>/<of>` is unique and stays."""

    kind: str
    of: str
    policy: str
    calendar: str
    budget: str
    """as in a policy: `5wd`, `24h`, `30m`, ..."""
    anchor: int
    due: int
    provisional: bool = False
    start: str = ""
    """the policy's start rule that led to `anchor` (receipt | next_working_instant | next_day): why it is due then"""
    marks: tuple[Mark, ...] = ()


class ClockStopped(Event, frozen=True):
    """`consumed` is milliseconds of the clock's own counting (working time or natural) since its first anchor."""

    kind: str
    of: str
    consumed: int
    met: bool


class ClockResumed(Event, frozen=True):
    """It goes on as if it had not stopped: the same due, and the marks that have not fired yet."""

    kind: str
    of: str


class ClockWarned(Event, frozen=True):
    kind: str
    of: str
    due: int
    unit: str = ""
    endpoint: str = ""


class ClockOverdue(Event, frozen=True):
    kind: str
    of: str
    due: int
    unit: str = ""
    endpoint: str = ""


class CaseEscalated(Event, frozen=True):
    """升级: `unit` is told at `level` of the ladder because clock `kind`/`of` passed its due."""

    kind: str
    of: str
    level: int
    unit: str
    endpoint: str
    what: str


ClockEvent = (
    ClockStarted | ClockStopped | ClockResumed | ClockWarned | ClockOverdue | CaseEscalated
)  # fmt: skip
