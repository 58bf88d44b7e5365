"""
Cases that are handled as one (合并): a star. A head is handled and answers; its members wait for it and answer with it.

No case is both: what asks to be a member takes none meanwhile, so two that ask each other are both refused, and what
has members does not ask. A member keeps its receipt, its clock and its own outcome. Until the head has answered nothing else
changes: whoever works on the case goes on, and what they reply in between stands, and ends the asking. It asks again by a
clock of its own until it is answered, and both sides may hear things twice, late or in another order: what does not fit the
number of the request (`asked`) any more is told so, and nothing else happens.
"""

from collections.abc import Callable, Mapping
from typing import Any

from workflows import events as ev
from workflows.case import SUPPLEMENTS, Case, Clock, Pending, Task, is_flooded
from workflows.clocks import lapse, start_task_clock, stop_clocks
from workflows.commands import Begun, Command, HeadEnded, Join, JoinAnswered, Leave, MemberSaid, Order
from workflows.decision import Decision
from workflows.folds.moves import ORDERED
from workflows.folds.stars import star
from workflows.legs import ask_triage, close
from workflows.ordered import Handler, Ordered
from workflows.oversight import report_first
from workflows.said import ReplyView
from workflows.states import APPEAL, ENDED, verdict
from workflows.workdays import HOUR, MINUTE

MEMBERS = 200
"""Of one head: what it tells them leaves in one record."""

ASK_AGAIN = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 8 * HOUR)
GIVE_UP = 24 * HOUR
"""How long after the first request it is asked again, and when nobody is expected to answer any more. An answer takes
less than a second as a rule; what stands in its way is a case that is parked, or an engine that is down."""

SHARED = frozenset({"solved", "answered", "unreasonable", "transferred", "referred_outside"})
"""Ends of a head that answer its members too. Another's withdrawal, or refusal, is no answer to anybody else."""

_ENDING = frozenset({"handle", "triage", "decide_return", "decide_merge", "arbitrate", "decide_extension"})
_STAYING = frozenset({"acknowledge"})
_ORDERED = _STAYING | frozenset(ORDERED)
"""Tasks that end when a case is merged, and that stay. Whoever has another one open (a report, an approval) must have done it
before a head is asked; a report that is ordered after that stays as well."""


# -- the member ---------------------------------------------------------------------------------


def _merge(d: Decision, command: Order, said: Ordered) -> str:
    """合并 into the one case that is named."""
    return ask(d, said.cases[0], said.confirmed_by not in ("", said.officer)) if len(said.cases) == 1 else "one_head"


def ask(d: Decision, head: str, second: bool) -> str:
    """Ask `head` to take this case; or why it may not be asked."""
    held = star(d.case)
    if head == d.case.id:
        return "own_head"
    if code := _not_of_a_kind(d.case, d.case.appeal_kind):
        return code
    if held.head:
        return "merge_asked"
    if held.members:
        return "has_members"
    if code := _unfit(d, _STAYING):
        return code
    ended = tuple(task.id for task in d.case.tasks.values() if task.kind == "decide_merge")
    for task in ended:
        stop_clocks(d, task)
    d.emit(ev.MergeAsked(head=head, asked=held.asked + 1, second=second, ended=ended))
    _start_asking(d)
    return ""


def _unfit(d: Decision, staying: frozenset[str]) -> str:
    """Why it may not be handled elsewhere as it stands now."""
    if any(task.kind not in _ENDING | staying for task in d.case.tasks.values()):
        return "tasks_open"
    return verdict(APPEAL, d.case.state, "confirm_merge")


def _not_of_a_kind(case: Case, other: str) -> str:
    """举报 is nobody else's to see; an application is decided for each applicant by itself."""
    if "report" in (case.appeal_kind, other):
        return "report_stays_alone"
    return "not_merged" if case.plan or "application" in (case.appeal_kind, other) else ""


def _start_asking(d: Decision) -> None:
    """By its marks it asks again: no calendar and no policy says how long a message takes."""
    marks = [ev.Mark(at=d.now + after, what="ask_again") for after in ASK_AGAIN]
    due = d.now + GIVE_UP
    d.emit(
        ev.ClockStarted(
            kind="merge", of=_asking(d), policy=d.case.policy, calendar=d.calendar.id, budget="24h", anchor=d.now, due=due,
            start="receipt", marks=(*marks, ev.Mark(at=due, what="give_up")),
        )
    )  # fmt: skip


def _asking(d: Decision) -> str:
    """What the clock of the request is of: a name of its own, as a case may ask again and again."""
    return f"merge-{star(d.case).asked}"


def _ask_again(d: Decision, clock: Clock, mark: Pending) -> None:
    """After an outage several marks are past at once: the last one asks, and none where it has given up by now."""
    held = star(d.case)
    last = clock.marks[1].at > d.now
    d.emit(ev.MergeAskedAgain(kind=clock.kind, of=clock.of, head=held.head if last else "", asked=held.asked))


def _give_up(d: Decision, clock: Clock, mark: Pending) -> None:
    _not_taken(d, "no_answer")


FIRE: Mapping[str, Callable[[Decision, Clock, Pending], None]] = {"ask_again": _ask_again, "give_up": _give_up}
"""What the marks of its clock bring about."""


def _answered(d: Decision, command: JoinAnswered) -> None:
    """The head has spoken. To what is not asked any more it is told that it has no such member."""
    held = star(d.case)
    bound = (held.head, held.asked) == (command.head, command.asked)
    if bound and _is_asking(d.case):
        if code := command.code or _unfit(d, _ORDERED):
            _not_taken(d, code, command.number)
        else:
            _taken(d, command.head, command.number)
            return
    if not command.code and (star(d.case).head, held.asked) != (command.head, command.asked):
        d.emit(ev.MergeForgone(head=command.head, asked=command.asked))


def _is_asking(case: Case) -> bool:
    return bool(star(case).head) and case.state not in ENDED | {"merged"}


def _taken(d: Decision, head: str, number: str) -> None:
    """Nobody handles it by itself any more."""
    for task in [task for task in d.case.tasks.values() if task.kind == "decide_extension"]:
        lapse(d, task.leg)
    legs = [leg.id for leg in d.case.legs.values() if leg.open]
    for leg in legs:
        d.emit(ev.LegWithdrawn(leg=leg))
    ended = tuple(task.id for task in d.case.tasks.values() if task.kind in _ENDING)
    for of in (*legs, *ended, _asking(d)):
        stop_clocks(d, of)
    d.emit(ev.MergeConfirmed(head=head, number=number, ended=ended))


def _not_taken(d: Decision, code: str, number: str = "") -> None:
    """Whoever has it in hand goes on. Where it could still be merged a dispatcher is told why not, and asked once more."""
    head = star(d.case).head
    stop_clocks(d, _asking(d))
    d.emit(ev.MergeRefused(head=head, code=code))
    if not verdict(APPEAL, d.case.state, "merge"):
        propose(d, head, number, f"merge_refused: {code}")


def propose(d: Decision, head: str, number: str, reason: str = "") -> None:
    """Ask a dispatcher whether it is to be handled with `head`."""
    task = d.new_task()
    d.emit(
        ev.MergeProposed(task=task, endpoint=d.case.centre_endpoint, head=head, number=number or head, reason=reason)
    )
    start_task_clock(d, task, "decide_merge")


def _unmerge(d: Decision, command: Order, said: Ordered) -> str:
    """解除合并: it is handled by itself from here on, by whom a dispatcher says."""
    leave(d, "unmerged")
    ask_triage(d, "unmerged")
    return ""


def leave(d: Decision, why: str) -> None:
    """Leave the head, if there is one."""
    held = d.case.star
    if held is not None and held.head:
        stop_clocks(d, _asking(d))
        d.emit(ev.HeadLeft(head=held.head, asked=held.asked, why=why))


def _head_ended(d: Decision, command: HeadEnded) -> None:
    """
    One handling, an outcome for each. What ended the head alone leaves the member to a dispatcher; so does a leader who waits
    for a report on the member itself (批示), which must not lapse unanswered.
    """
    held = star(d.case)
    if (held.head, held.asked) != (command.head, command.asked):
        return
    if _is_asking(d.case):  # its answer to the request comes later than its end
        if code := _unfit(d, _ORDERED) if command.reason in SHARED else command.reason:
            _not_taken(d, code, command.number)
        else:
            _taken(d, command.head, command.number)
    if d.case.state != "merged":
        return
    if command.reason in SHARED and not report_first(d.case):
        if command.begun is not None:
            _begun(d, command.begun)
        if command.unit:
            d.emit(ev.HeadAnswered(head=command.head, unit=command.unit, reason=command.reason, text=command.result))
        close(d, command.reason, command.result)
    else:
        leave(d, f"head_{command.reason}")
        ask_triage(d, f"head_ended: {command.reason}")


def _begun(d: Decision, by: Begun) -> None:
    """转入法定程序 with the head: this citizen too is told which, and until when."""
    d.emit(
        ev.ProcedureBegun(
            leg="", unit="", procedure=by.procedure, name_zh=by.name_zh, name_en=by.name_en, limit=by.limit, due=by.due,
            provisional=by.provisional,
        )
    )  # fmt: skip


def head_discarded(d: Decision, command: HeadEnded) -> None:
    """Its head has ended, and what it said of that was given up: a dispatcher has it, as nobody else answers it."""
    held = star(d.case)
    if (held.head, held.asked) != (command.head, command.asked):
        return
    if _is_asking(d.case):
        _not_taken(d, "discarded", command.number)
    elif d.case.state == "merged":
        leave(d, "head_discarded")
        ask_triage(d, "head_ended: discarded")


# -- the head -----------------------------------------------------------------------------------


def _join(d: Decision, command: Join) -> None:
    """Somebody asks to be handled with this case."""
    held = star(d.case).members.get(command.member)
    if held is not None and held.asked > command.asked:
        return  # the member has given this request up and asked anew
    again = held is not None and held.asked == command.asked and d.case.state not in ENDED
    code = "" if again else _why_not(d, command)
    if code:
        d.emit(ev.MemberRefused(member=command.member, asked=command.asked, code=code))
    else:
        d.emit(
            ev.MemberTaken(
                member=command.member, number=command.number, asked=command.asked, excluded=command.excluded, again=again
            )
        )  # fmt: skip


def _why_not(d: Decision, command: Join) -> str:
    case, held = d.case, star(d.case)
    if held.head:
        return "crossing" if held.head == command.member else "head_is_member"
    if is_flooded(case):
        return "too_many_commands"
    if code := verdict(APPEAL, case.state, "take_member") or _not_of_a_kind(case, command.appeal_kind):
        return code
    if command.centre != case.centre:
        return "other_centre"
    if _in_the_hands_of(d, frozenset(command.excluded)):
        return "recused"
    if len(held.members) >= MEMBERS:
        return "head_full"
    return "second_officer" if len(held.members) >= d.policy.merge_alone and not command.second else ""


def _in_the_hands_of(d: Decision, complained_about: frozenset[str]) -> bool:
    """
    Whether one of these, or a unit below it, handles this case, or decides something about it by now (an extension, a return,
    a report). The centre that owns it stands aside only where it is meant itself (workflows/rights.py).
    """
    if not complained_about:
        return False
    acting = {leg.unit for leg in d.case.legs.values() if leg.open}
    acting |= {task.unit for task in d.case.tasks.values() if task.kind not in _STAYING} - {d.case.centre}
    units = [unit for name in sorted(acting) if (unit := d.facts.unit(name)) is not None]
    return d.case.centre in complained_about or any(
        not complained_about.isdisjoint((unit.id, *unit.ancestors)) for unit in units
    )  # fmt: skip


def _leave(d: Decision, command: Leave) -> None:
    held = star(d.case).members.get(command.member)
    if held is not None and held.asked <= command.asked:
        d.emit(ev.MemberLeft(member=command.member))


def _member_said(d: Decision, command: MemberSaid) -> None:
    """What members add takes at most half of the room, so that its own applicant can always say more."""
    held = star(d.case).members.get(command.member)
    if held is None or held.asked != command.asked or d.case.state in ENDED:
        return
    room = sum(map(len, d.case.supplements)) <= SUPPLEMENTS // 2
    texts = command.texts if room else ()
    d.emit(ev.MemberSpoke(member=command.member, number=held.number, what=command.what, texts=texts))


# -- the dispatcher who is asked ----------------------------------------------------------------


def _accept_merge(d: Decision, task: Task, said: ReplyView) -> str:
    return verdict(APPEAL, d.case.state, "merge") or ask(
        d, star(d.case).proposed, said.confirmed_by not in (None, "", said.officer)
    )


def _reject_merge(d: Decision, task: Task, said: ReplyView) -> str:
    d.emit(ev.MergeRejected(head=star(d.case).proposed))
    return ""


ORDERS: Mapping[str, Handler] = {"merge": _merge, "unmerge": _unmerge}
DECIDE: Mapping[str, Callable[[Decision, Task, ReplyView], str]] = {
    "accept_merge": _accept_merge,
    "reject_merge": _reject_merge,
}
BETWEEN: Mapping[type[Command], Callable[[Decision, Any], None]] = {
    Join: _join,
    JoinAnswered: _answered,
    Leave: _leave,
    HeadEnded: _head_ended,
    MemberSaid: _member_said,
}
"""What cases say to each other."""
