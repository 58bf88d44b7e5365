"""What clocks do and bring about."""

from msgspec import Struct

from workflows.events.event import Event


class Mark(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """
    Something a clock brings about at `at`.

    what: warn | due | deem_signed | escalate; of an escalation: `level`, `who` is told (the unit is resolved
    when it fires) and the `step`: urge | supervise | notify | raise | redispatch. `turn` and what follows it: of a rung
    that says more than that (workflows.policies.Step), its number among its repetitions from 1 on.
    """

    at: int
    what: str
    level: int = 0
    who: str = ""
    step: str = ""
    turn: int = 0
    role: str = ""
    duty: bool = False
    until: tuple[str, ...] = ()
    acknowledge: str = ""


class ClockStarted(Event, frozen=True):
    """
    A clock began to run. `of` is a leg id, a task id, or empty for the case's own; `<kind>/<of>` is unique and stays.

    Of one that runs on for another unit and has paused or been extended: what it was given in all (`whole`) and had used up
    (`consumed`) before `since`, in milliseconds of its own counting, and the lengths granted.
    """

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
    whole: int = 0
    consumed: int = 0
    since: int = 0
    extended: tuple[str, ...] = ()


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


class ClockRebased(Event, frozen=True):
    """
    The calendar that a clock counts by was published anew: from here on it counts by `calendar`.

    reason: new_calendar | outer_sooner (the calendar stays; the one above is due sooner, and this one leaves it its reserve). before, due: when it was due and is now, equal where the change does not touch it. marks: all that
    is still to come, instead of what was announced before. waiting: what comes to nothing until an extension is decided. Of
    a clock that stands still the due is reckoned when it goes on; till when it may stand still is reckoned now.
    """

    kind: str
    of: str
    reason: str
    calendar: str
    calendar_before: str
    before: int
    due: int
    provisional: bool = False
    marks: tuple[Mark, ...] = ()
    waiting: tuple[Mark, ...] = ()


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
    """
    升级: `unit` is told at `level` of the ladder because clock `kind`/`of` passed its due.

    turn: the how manieth time, of a rung that says so. post: of the leader on duty, where he is told. task: opened for
    whoever is told to acknowledge it; again: that one is open already.
    """

    kind: str
    of: str
    level: int
    unit: str
    endpoint: str
    what: str
    turn: int = 0
    post: str = ""
    task: str = ""
    again: str = ""


class EscalationSkipped(Event, frozen=True):
    """A rung that was due and needless: `why` is what its ladder named (acknowledged | signed | replied). Nobody is told."""

    kind: str
    of: str
    level: int
    why: str
    turn: int = 0


class EscalationAcknowledged(Event, frozen=True):
    """Who was told has seen it (已阅). `until`: when it is as if he had not, should nothing come of it; 0 for never."""

    kind: str
    of: str
    level: int
    task: str
    until: int = 0


ClockEvent = (
    ClockStarted | ClockStopped | ClockResumed | ClockRebased | ClockWarned | ClockOverdue | CaseEscalated
    | EscalationSkipped | EscalationAcknowledged
)  # fmt: skip
