"""What is said of a case that another system had before (接管)."""

from workflows.events.clocks import Mark
from workflows.events.event import Event


class MarkPassed(Event, frozen=True):
    """What a clock would have brought about came due while another system had the case: nobody is told of it here."""

    kind: str
    of: str
    what: str
    """warn | deem_signed | escalate"""
    level: int = 0
    turn: int = 0


class ClockPromised(Event, frozen=True):
    """The citizen was promised another date by the system that had the case before: that one holds."""

    kind: str
    of: str
    before: int
    """the due before"""
    due: int
    whole: int
    """what the clock is given in all by that, in milliseconds of its own counting"""
    provisional: bool = False
    marks: tuple[Mark, ...] = ()
    waiting: tuple[Mark, ...] = ()
    """those that come to nothing while it stands still or an extension is undecided"""


class CaseTakenOver(Event, frozen=True):
    """接管: from here on the case is handled here. All that its record says before happened elsewhere, at the times it says."""

    number: str
    """by which it was known there"""
    by: str
    """who took it over, and why"""
    why: str
    promised: int = 0
    """the date it was promised for there, where the file says one; 0 for none"""


AdoptingEvent = MarkPassed | ClockPromised | CaseTakenOver
