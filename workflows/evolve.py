"""
Folding: a case and an event give the case after it. Looks nothing up and decides nothing.

`evolve` of a released event version never changes, so a replay of `case.events` gives the state of
every case. A status moves only along the tables of workflows/states.py; a KeyError here means that
`decide` said something it may not say.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from workflows import events as ev
from workflows.case import Case, remembering, unborn
from workflows.folds import adopting as of_adopting
from workflows.folds import case as of_case
from workflows.folds import clocks as of_clocks
from workflows.folds import courses as of_courses
from workflows.folds import disputes as of_disputes
from workflows.folds import feedback as of_feedback
from workflows.folds import ladders as of_ladders
from workflows.folds import legs as of_legs
from workflows.folds import orders as of_orders
from workflows.folds import stars as of_stars


def evolve(case: Case, event: ev.AnyEvent, at: int) -> Case:
    """The case after `event`, which happened at `at`."""
    return FOLDS[type(event)](case, event, at)


def fold(case: Case | None, record: ev.EventRecord) -> Case | None:
    """The case after all that one command brought about; None where it is kept no longer."""
    moved = case or unborn(record.case)
    for at, event in ev.timed(record):
        moved = evolve(moved, event, at)
    settled = settle(moved, record)
    return None if settled.is_forgotten else settled


def settle(case: Case, record: ev.EventRecord) -> Case:
    """What the record itself says, beside its events: version, the command that caused it, what it sent."""
    sent = dict(case.sent)
    for destination in record.sent:
        sent[destination] = sent.get(destination, 0) + 1
    return replace(case, version=record.version, seen=remembering(case.seen, record.cause), sent=sent)


FOLDS: Mapping[type[ev.Event], Callable[[Case, Any, int], Case]] = {
    **of_case.FOLDS,
    **of_legs.FOLDS,
    **of_clocks.FOLDS,
    **of_orders.FOLDS,
    **of_disputes.FOLDS,
    **of_ladders.FOLDS,
    **of_courses.FOLDS,
    **of_stars.FOLDS,
    **of_feedback.FOLDS,
    **of_adopting.FOLDS,
}
