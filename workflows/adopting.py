"""
A case of another system is taken over (接管): what happened to it there is told again, by the decisions that are made here.

Each step of its history is the command that it would have been, decided at the time at which it happened. So the case stands
as if it had lived here: its clocks are half run, its pauses and extensions are theirs, and whose hands the time went through is
known. The events of the one record carry their true times (`EventRecord.times`).

What is not told again is what would be news to nobody: a warning or a rung of a ladder that was due before the take-over passes in
silence (`MarkPassed`). That a limit was missed is said, once, at the time at which it was.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas.ids import command_id
from workflows import clocks
from workflows import commands as cmd
from workflows import events as ev
from workflows.bounds import FINISH, is_awake, template_of
from workflows.calendars import OFFSET, budget, day_of
from workflows.case import Case, Clock, Course, Leg, Pending, Task, clock_key
from workflows.decision import Decision
from workflows.facts import RequestView
from workflows.rebasing import keep_within
from workflows.reckoning import announced, by_the_day, moved
from workflows.rights import RIGHTS
from workflows.states import ENDED, TASK_ACTIONS
from workflows.submit import take_in
from workflows.workdays import DAY

TAKEN_OVER = "taken_over"
"""Why a dispatcher is asked who acts, until the history says whom the case was given to."""
Say = Callable[[Decision, cmd.AnyCommand], None]
"""Decides a command."""

_FROM_CHANNEL: Mapping[str, type[cmd.Supplement] | type[cmd.Urge] | type[cmd.Evaluate]] = {
    "supplement": cmd.Supplement,
    "urge": cmd.Urge,
    "evaluate": cmd.Evaluate,
}
ALONE = frozenset({"merge", "unmerge", "split"})
"""Orders that concern other cases too: they are given again once those are here."""


class CannotAdopt(Exception):
    """The history is not one that a case can have here. code: of workflows/refusals.py. step: from 1 on, 0 for the case as such."""

    def __init__(self, code: str, step: int = 0) -> None:
        super().__init__(code, step)
        self.code, self.step = code, step


def adopt(d: Decision, command: cmd.Adopt, say: Say) -> None:
    """The case as its history makes it. Raises CannotAdopt, of one that is here already too: what the line says else would be lost."""
    if d.case.version:
        raise CannotAdopt("already_here" if d.case.digest == command.digest else "id_reused")
    now, life, view = d.now, _Life(d), _view(command.request)
    if view.one_thing is not None or view.direct_answer is not None:
        raise CannotAdopt("not_taken_over")
    if command.received_at > now:
        raise CannotAdopt("not_past")
    if command.due and command.due <= command.received_at:
        raise CannotAdopt("promised_before_receipt")
    life.at(command.received_at, lambda: take_in(d, _submitted(command), view, now, TAKEN_OVER))
    for number, past in enumerate(command.history, 1):
        if not d.now <= past.at <= now:
            raise CannotAdopt("not_past" if past.at > now else "out_of_order", number)
        while _passes(life, past.at, command.history[number - 1 :], bool(command.due)):
            pass
        said = _command(d, command, past, number)
        life.at(past.at, lambda said=said: say(d, said))  # type: ignore[misc]
        if isinstance(refused := life.events[-1], ev.CommandRefused):
            raise CannotAdopt(refused.code, number)
    if d.case.state in ENDED:
        raise CannotAdopt("not_open", len(command.history))
    promised = not command.due or _promise(life, command.due)
    while _passes(life, now, (), not promised):
        promised = promised or _promise(life, command.due)
    if not promised:
        _promise(life, command.due, still=True)
    life.at(now, lambda: d.emit(_taken_over(command)))
    d.events, d.times = life.events, tuple(life.times)


def _submitted(command: cmd.Adopt) -> cmd.Submit:
    """The request as it came in elsewhere."""
    return cmd.Submit(
        id=command.id, case=command.case, at=command.at, channel=command.channel, ref=command.ref,
        request=command.request, digest=command.digest, received_at=command.received_at,
        query_code=command.query_code, serial=command.serial,
    )  # fmt: skip


def _taken_over(command: cmd.Adopt) -> ev.CaseTakenOver:
    return ev.CaseTakenOver(number=command.number, by=command.by, why=command.why, promised=command.due)


class _Life:
    """What was told so far, each event with its time."""

    def __init__(self, d: Decision) -> None:
        self.d = d
        self.events: list[ev.AnyEvent] = []
        self.times: list[int] = []

    def at(self, now: int, happens: Callable[[], None]) -> None:
        """Let something happen at that time."""
        d = self.d
        d.now, d.events = now, []
        happens()
        self.events += d.events
        self.times += [now] * len(d.events)


_view = msgspec.json.Decoder(RequestView).decode


# -- what was done ------------------------------------------------------------------------------


def _command(d: Decision, command: cmd.Adopt, past: cmd.Past, number: int) -> cmd.AnyCommand:
    """What was said then, as the command that it would have been. Raises CannotAdopt."""
    base: dict[str, Any] = {
        "id": command_id(command.case, f"{command.id}/{number}"),
        "case": command.case,
        "at": past.at,
    }
    unit = d.facts.unit(past.unit) if past.unit else None
    if past.unit and unit is None:
        raise CannotAdopt("unknown_unit", number)
    if unit is None and past.action in _FROM_CHANNEL:
        more: dict[str, Any] = {"grade": past.grade} if past.action == "evaluate" else {}
        return _FROM_CHANNEL[past.action](**base, channel=command.channel, ref=command.ref, body=past.body, **more)
    task = next((task for task in reversed(d.case.tasks.values()) if _is_meant(d.case, task, past)), None)
    if task is not None:
        return cmd.Reply(**base, endpoint=task.endpoint, task=task.id, action=past.action, body=past.body)  # type: ignore[arg-type]
    if unit is None or past.action not in RIGHTS or past.action in ALONE:
        raise CannotAdopt("task_not_open", number)
    return cmd.Order(**base, endpoint=unit.endpoint, unit=unit.id, action=past.action, body=past.body)  # type: ignore[arg-type]


def _is_meant(case: Case, task: Task, past: cmd.Past) -> bool:
    """Whether the task takes this, of the unit that has it or whose leg it is about."""
    leg = case.legs.get(task.leg)
    return past.action in TASK_ACTIONS[task.kind] and past.unit in ("", task.unit, leg.unit if leg else "")


# -- what came due meanwhile --------------------------------------------------------------------


def _passes(life: _Life, until: int, to_come: tuple[cmd.Past, ...], promised: bool) -> bool:
    """
    What was due first until then: the states and dates that follow are as they were, nobody is told. False where nothing was.

    promised: the citizen was told another date, from which follows when his clock is due, and all that comes of that.
    """
    d = life.d
    if (found := _earliest(d.case, until, clock_key(FINISH, "") if promised else "")) is None:
        return False
    clock, mark = found
    passes = _PASSES.get(mark.what, _passed)
    if mark.what == "deem_signed" and _signs(d.case, d.case.legs[clock.of], to_come):
        passes = _passed
    life.at(max(d.now, mark.at), lambda: passes(d, clock, mark))
    return True


def _earliest(case: Case, until: int, but: str) -> tuple[Clock, Pending] | None:
    """The first mark until then, but for those of a clock that end no pause."""
    first = [
        (clock, clock.marks[0])
        for key, clock in case.clocks.items()
        if clock.running
        and clock.marks
        and clock.marks[0].at <= until
        and (key != but or clock.marks[0].what == "go_on")
    ]
    return min(first, key=lambda found: found[1].at, default=None)


def _signs(case: Case, leg: Leg, to_come: tuple[cmd.Past, ...]) -> bool:
    """
    Somebody did sign, though later than is allowed here. Of a unit that has two parts, or is named anew before it signs, the
    signature is for the later one.
    """
    newest = [held.id for held in case.legs.values() if held.unit == leg.unit and held.state == "dispatched"][-1]
    for past in to_come if newest == leg.id else ():
        if past.unit == leg.unit and past.action == "sign":
            return True
        if f'"{leg.unit}"'.encode() in bytes(past.body):
            return False
    return False


def _passed(d: Decision, clock: Clock, mark: Pending) -> None:
    turn = mark.rung.turn if mark.rung else 0
    d.emit(ev.MarkPassed(kind=clock.kind, of=clock.of, what=mark.what, level=mark.level, turn=turn))


_PASSES: Mapping[str, clocks.Fire] = {what: clocks.FIRE[what] for what in ("due", "deem_signed", "go_on")}


# -- what was promised --------------------------------------------------------------------------


def _promise(life: _Life, due: int, still: bool = False) -> bool:
    """
    The citizen's clock is due when he was told, from the last step on: what has come of it since follows from there. Where days
    are counted it is that day. False where it stands still, as it may have gone on by itself since then; with `still` it has
    not, and that was the date when it stopped: when it goes on it has what was left until then.
    """
    d = life.d
    clock = d.case.clocks.get(clock_key(FINISH, ""))
    course = (clock.course if clock else None) or Course()
    if clock is None or not clock.running or (course.pause and not still):
        return False
    calendar, template = d.facts.calendar_named(clock.calendar), template_of(d, clock)
    if template is not None and by_the_day(template, clock.budget):
        due = calendar.after(day_of(due) * DAY - OFFSET + 1, 0, clock.budget, True).at
    if due == clock.due:
        return True
    since = max(clock.anchor, course.paused_at) if course.pause else course.since or clock.anchor
    whole = max(1, course.consumed + max(0, calendar.consumed(since, due, budget(clock.budget).unit)))
    runs = replace(course, whole=whole, since=since if course.pause else course.since)
    made = moved(calendar, template, clock, runs, due, is_awake(d), d.now)
    marks = tuple([replace(m, at=max(m.at, due)) if m.what != "warn" else m for m in made.marks])
    says = marks
    if course.pause:
        says = tuple(map(announced, clock.marks))
    elif course.held:
        says = tuple([mark for mark in marks if mark.at < due])
    event = ev.ClockPromised(
        kind=clock.kind, of=clock.of, before=clock.due, due=due, whole=whole, provisional=made.provisional, marks=says,
        waiting=marks if course.pause else marks[len(says) :],
    )  # fmt: skip
    life.at(d.now, lambda: _bind(d, event))
    return True


def _bind(d: Decision, event: ev.ClockPromised) -> None:
    before = d.case.clocks
    d.emit(event)
    keep_within(d, before)
