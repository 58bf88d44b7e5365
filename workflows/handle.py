"""
The one call the engine makes per command: dedupe, decide, fold, and say what leaves.
"""

from functools import partial

from msgspec import Raw, Struct

from workflows.adopting import CannotAdopt
from workflows.answers import lost, not_adopted, undecided
from workflows.case import Case, has_seen
from workflows.commands import OPENING, AnyCommand, GiveUp, Rebase
from workflows.decide import decision
from workflows.decision import Decision
from workflows.events import EventRecord
from workflows.evolve import settle
from workflows.facts import Facts
from workflows.outbox import Message
from workflows.outgoing import outgoing
from workflows.post import Ask


class Step(Struct, frozen=True, gc=False):
    """
    What one command brought about.

    record: for `case.events`; None where nothing happened. case: as it now stands; None where there is none, or none any more.
    messages: for `case.outbox`; there may be some without a record (a command to an unknown case).
    """

    record: EventRecord | None
    case: Case | None
    messages: tuple[Message, ...] = ()


def step(case: Case | None, command: AnyCommand, facts: Facts, now: int, request: Ask | None = None) -> Step:
    """
    Take one command at its place in the log.

    `request`: gives the body of the case's ServiceRequest, which is not part of `Case` (before Submit there is none:
    then it is the command's). It never changes, and is asked for only where a task carries it: among many cases
    looking it up is dear. The same inputs give the same bytes.
    """
    if case is None:
        if not isinstance(command, OPENING):
            return Step(None, None, lost(command))
        request = partial(Raw, command.request)
    elif has_seen(case, command.id):
        return Step(None, case)
    try:
        return _step(case, decision(case, command, facts, now), command, request)
    except CannotAdopt as error:
        return Step(None, case, not_adopted(command, error.code))


def rebase(case: Case, command: Rebase, facts: Facts, now: int, request: Ask | None = None) -> Step:
    """Have the clocks of a case count by the calendars in force; before anything else is decided about it (docs/adr/0022)."""
    return _step(case, decision(case, command, facts, now), command, request)


def give_up(case: Case | None, order: GiveUp, facts: Facts, now: int, request: Ask | None = None) -> Step:
    """
    Take what was kept aside as refused, in its own name: what has its id finds from now on that it was here.

    Where it took effect after all nothing is said, nor to a stub, which knows no more what it has seen. A case that is not
    there can remember nothing: should the request come once more, it opens the case and is told so, which harms nobody.
    """
    if case is None:
        return Step(None, None, undecided(order.of, "discarded"))
    if case.state == "archived" or has_seen(case, order.of.id):
        return Step(None, case)
    return _step(case, decision(case, order, facts, now), order.of, request)


def _step(case: Case | None, made: Decision, command: AnyCommand | Rebase, request: Ask | None) -> Step:
    """What was decided, as a record and messages."""
    if not made.events:
        return Step(None, case)
    messages = outgoing(case, made, command, request)
    record = EventRecord(
        case=made.case.id,
        version=(case.version if case else 0) + 1,
        at=made.now,
        cause=command.id,
        source=command.source,
        number=made.case.number,
        catalogue=made.facts.version,
        events=tuple(made.events),
        sent=tuple([message.to for message in messages]),
        times=made.times,
    )
    settled = settle(made.case, record)
    return Step(record, None if settled.is_forgotten else settled, messages)
