"""
The desk at which one command is decided: what is known, and what has been said so far.

Each event that is emitted is folded at once, so that the next question is asked of the case as it
then stands. What is decided depends on the case, the command, the facts and `now` alone.
"""

from collections.abc import Sequence

from schemas.ids import task_id
from workflows import events as ev
from workflows.calendars import Calendar
from workflows.case import Case
from workflows.evolve import FOLDS
from workflows.facts import Facts, Unit
from workflows.folds.clocks import Started, with_clocks, without_clocks
from workflows.policies import Policy


class Decision:
    """
    One command being decided. `events` is what it brings about, `case` the case after them.

    title: of the request, where this very command brought it. times: of the events, where they are not all of now.
    """

    __slots__ = ("_calendar", "_command", "_policy", "_tasks", "case", "events", "facts", "now", "times", "title")

    def __init__(self, case: Case, command: str, facts: Facts, now: int) -> None:
        self.case = case
        self.facts = facts
        self.now = now
        self.title: str | None = None
        self.times: tuple[int, ...] = ()
        self.events: list[ev.AnyEvent] = []
        self._command = command
        self._tasks = 0
        self._policy: Policy | None = None
        self._calendar: Calendar | None = None

    def emit(self, event: ev.AnyEvent) -> None:
        """It has happened."""
        self.events.append(event)
        self.case = FOLDS[type(event)](self.case, event, self.now)

    def start(self, clocks: Started) -> None:
        """These clocks have begun: as if each of their events were emitted."""
        self.events += clocks.events
        self.case = with_clocks(self.case, clocks)

    def stop(self, clocks: Sequence[ev.ClockStopped]) -> None:
        """These clocks stop together: as if each of the events were emitted."""
        self.events += clocks
        self.case = without_clocks(self.case, clocks)

    def new_task(self) -> str:
        """The id of another task that this command opens."""
        self._tasks += 1
        return task_id(self._command, self._tasks - 1)

    @property
    def policy(self) -> Policy:
        """The policy that the case was routed with."""
        if self._policy is None:
            self._policy = self.facts.policy(self.case.policy)
        return self._policy

    @property
    def calendar(self) -> Calendar:
        """The calendar in force where the case is, for clocks that start now."""
        if self._calendar is None:
            self._calendar = self.facts.calendar(self.case.region)
        return self._calendar

    def calendar_of(self, unit: str) -> Calendar:
        """The calendar that a unit works by: its own, else that of the place of the case."""
        return self.facts.calendar_of(unit) or self.calendar

    @property
    def excluded(self) -> frozenset[str]:
        """Units complained about."""
        return frozenset(self.case.excluded)

    def is_recused(self, unit: Unit) -> bool:
        """Whether the unit, or one above it, is complained about."""
        return not self.excluded.isdisjoint((unit.id, *unit.ancestors))

    def centre(self) -> Unit:
        """The unit that owns the case, as it was at registration."""
        known = self.facts.unit(self.case.centre)
        return known or Unit(id=self.case.centre, name=self.case.centre, endpoint=self.case.centre_endpoint, place="")

    def above(self, unit: str) -> Unit:
        """The next unit above that need not stand aside; the centre where there is none."""
        superior = self.facts.superior(unit)
        while superior is not None and self.is_recused(superior):
            superior = self.facts.superior(superior.id)
        return superior or self.centre()
