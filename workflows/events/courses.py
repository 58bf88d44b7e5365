"""
What moves a due date, and what is asked and decided about it.

An event that carries `marks` says all that its clock will bring about from here on: they take the place of those announced before.
"""

from workflows.events.clocks import Mark
from workflows.events.event import Event


class ClockPaused(Event, frozen=True):
    """It stands still for `reason`, a reason that its policy lists; the only mark is the end of what the policy allows."""

    kind: str
    of: str
    reason: str
    whole: int
    """what the clock was given in all, in milliseconds of its own counting"""
    consumed: int
    """what of that is used up"""
    marks: tuple[Mark, ...]


class ClockWentOn(Event, frozen=True):
    """A pause is over: what was left when it began is left at `since`. `took`: the pause, in milliseconds of the clock's own counting."""

    kind: str
    of: str
    since: int
    took: int
    before: int
    """the due before"""
    due: int
    why: str
    """asked | pause_used_up | supplemented | released | plan_moved (and it stands still again) | ended (the leg that paused it replied or ended)"""
    reason: str = ""
    """for which it stood still"""
    provisional: bool = False
    marks: tuple[Mark, ...] = ()


class ClockHeld(Event, frozen=True):
    """An extension was asked in time: until it is decided the clock is not late; its due waits, and all that follows it."""

    kind: str
    of: str
    marks: tuple[Mark, ...] = ()


class ClockReleased(Event, frozen=True):
    """No extension after all: all that waited comes due, late from the old due on."""

    kind: str
    of: str
    marks: tuple[Mark, ...] = ()


class ClockExtended(Event, frozen=True):
    """延期: `by` (as `5wd`) was laid to the end of the clock."""

    kind: str
    of: str
    by: str
    whole: int
    before: int
    due: int
    why: str
    provisional: bool = False
    marks: tuple[Mark, ...] = ()


class ExtensionAsked(Event, frozen=True):
    """申请延期: `unit` (task) decides, who may grant that much."""

    leg: str
    task: str
    unit: str
    endpoint: str
    limit: str
    reason: str
    text: str = ""


class ExtensionDecided(Event, frozen=True):
    """`limit` is what was granted; empty: refused, with the reason."""

    leg: str
    task: str
    limit: str = ""
    reason: str = ""


class ExtensionLapsed(Event, frozen=True):
    """Nobody need decide any more: the leg that asked has ended."""

    leg: str
    task: str


CourseEvent = (
    ClockPaused | ClockWentOn | ClockHeld | ClockReleased | ClockExtended
    | ExtensionAsked | ExtensionDecided | ExtensionLapsed
)  # fmt: skip
