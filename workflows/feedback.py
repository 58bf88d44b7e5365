"""
回访、评价、重办: whether the applicant was contacted, helped and content, what he says himself, and doing it again.

Who handled a case never judges it: the desk that calls back, decides on an appeal or orders it done again is the centre, and
where that one had a part in it or is complained about, the supervising office or whoever is above. What asks for none of this
in its policy closes as soon as the review has passed.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from workflows import events as ev
from workflows import merging
from workflows.case import Case, Leg, Task
from workflows.clocks import lapse, restart_case_clocks, start_task_clock, stop_clocks
from workflows.commands import Evaluate, Order
from workflows.decision import Decision
from workflows.facts import Unit
from workflows.folds.stars import shared
from workflows.legs import ask_triage, close, dispatch
from workflows.ordered import Handler, Ordered
from workflows.rights import unlisted
from workflows.said import ReplyHandler, ReplyView


def is_judged(d: Decision, unit: Unit) -> bool:
    """Whether it is about this unit: it had a part in the case, or is complained about."""
    return d.is_recused(unit) or unit.id in _handled(d.case)


def may_redo(d: Decision) -> bool:
    """Whether the policy lets it be done (once more)."""
    rules, case = d.policy.redo, d.case
    return rules is not None and (case.feedback.round if case.feedback else 0) < rules.times


# -- call-back ----------------------------------------------------------------------------------


def passed(d: Decision, leg: Leg) -> None:
    """The review has passed: the case closes, or the applicant is asked first."""
    why = _drawn(d)
    desk = _desk(d) if why else None
    if desk is None:
        close(d, leg.result, leg.text)
    else:
        _ask(d, desk, leg, why)


def _drawn(d: Decision) -> str:
    """By the id of the case alone, so that who is asked can be told again and picked by nobody."""
    rules, case = d.policy.callback, d.case
    if rules is None or not _can_be_called(d):
        return ""
    if case.feedback is not None and case.feedback.round:
        return "redone"
    digest = blake2b(case.id.encode(), digest_size=4, person=b"callback").digest()
    return "drawn" if int.from_bytes(digest) % 100 < rules.percent else ""


def _can_be_called(d: Decision) -> bool:
    """Not who gave no name, nor whose matter goes on elsewhere (转入法定程序)."""
    rules, case, answer = d.policy.callback, d.case, answered(d.case)
    if rules is None or answer is None or answer.result == "transferred":
        return False
    return case.disclosure != "anonymous" and case.appeal_kind not in rules.never


def _desk(d: Decision) -> Unit | None:
    """Who asks and decides; None where nobody is free of it."""
    handled = d.excluded | _handled(d.case)
    supervisor = d.facts.supervisor(d.case.region, handled)
    for unit in (d.centre(), supervisor, d.above(d.case.centre)):
        if unit is not None and not is_judged(d, unit):
            return unit
    return None


def _handled(case: Case) -> frozenset[str]:
    own = frozenset(leg.unit for leg in case.legs.values() if leg.part != "copy" and leg.state != "returned")
    heads = shared(case)
    return own | {heads.unit} if heads is not None else own


def answered(case: Case) -> Leg | None:
    """What its applicant was told: the answer of its head, where that ended it, else of who leads."""
    return shared(case) or case.lead


def _ask(d: Decision, desk: Unit, leg: Leg, why: str) -> None:
    lapse(d, leg.id)
    merging.leave(d, "called_back")
    closed, task = d.case.state == "closed", d.new_task()
    d.emit(ev.CallBackAsked(task=task, unit=desk.id, endpoint=desk.endpoint, leg=leg.id, why=why))
    if closed:
        restart_case_clocks(d)
    start_task_clock(d, task, "call_back")


def _called(d: Decision, task: Task, said: ReplyView) -> str:
    """Reached: 联系、解决、满意 asked apart, and the case is over."""
    if code := _told(d, task, said):
        return code
    _close(d, task)
    return ""


def _told(d: Decision, task: Task, said: ReplyView) -> str:
    if said.contacted is None or said.solved is None or said.satisfied is None:
        return "incomplete"
    attempts = (d.case.feedback.attempts if d.case.feedback else 0) + 1
    d.emit(
        ev.CalledBack(
            task=task.id, attempts=attempts, contacted=said.contacted, solved=said.solved, satisfied=said.satisfied,
            text=said.text or "",
        )
    )  # fmt: skip
    return ""


def _not_reached(d: Decision, task: Task, said: ReplyView) -> str:
    """An attempt; after the last one the case is over without an answer."""
    rules = d.policy.callback
    attempt = (d.case.feedback.attempts if d.case.feedback else 0) + 1
    if rules is not None and attempt < rules.attempts:
        d.emit(ev.CallBackTried(task=task.id, attempt=attempt))
    else:
        d.emit(ev.CalledBack(task=task.id, attempts=attempt, reached=False))
        _close(d, task)
    return ""


def _close(d: Decision, task: Task) -> None:
    leg = _asked_about(d, task)
    close(d, leg.result, leg.text)


def _asked_about(d: Decision, task: Task) -> Leg:
    leg = d.case.legs.get(task.leg) or shared(d.case)
    assert leg is not None
    return leg


# -- doing it again -----------------------------------------------------------------------------


def _redo(d: Decision, task: Task, said: ReplyView) -> str:
    """重办: not satisfied, and with reason."""
    if not may_redo(d):
        return "redo_used_up"
    if not said.reason:
        return "incomplete"
    if code := _told(d, task, said):
        return code
    _again(d, _asked_about(d, task), "call_back", said.reason)
    return ""


def _order_redo(d: Decision, command: Order, said: Ordered) -> str:
    """By the supervising office or the centre, while it is called back or, once closed, while it is kept."""
    lead, by = answered(d.case), d.facts.unit(command.unit)
    if by is None or is_judged(d, by):
        return "recused"
    if lead is None or lead.state != "review_passed" or d.case.close_reason not in ("", lead.result):
        return "not_allowed"
    if not may_redo(d):
        return "redo_used_up"
    _again(d, lead, "order", said.reason)
    return ""


def answerer(d: Decision, said: ReplyView) -> str:
    """The staff code that is kept of who answers as the lead: where the policy wants another one for 重办."""
    rules = d.policy.redo
    return said.officer or "" if rules is not None and rules.another else ""


def same_person(d: Decision, leg: Leg, said: ReplyView) -> str:
    """Why this officer may not answer what his unit does again (a code), or empty; a unit above is other people anyhow."""
    held = d.case.feedback
    if held is None or not held.round or leg.part != "lead" or d.policy.redo is None or not d.policy.redo.another:
        return ""
    if not any(other.unit == leg.unit and other.state == "review_passed" for other in d.case.legs.values()):
        return ""
    if not said.officer:
        return "officer_needed"
    before = {by.officer for by in held.answered if by.unit == leg.unit and by.round < held.round}
    return "same_person" if said.officer in before else ""


def _again(d: Decision, leg: Leg, why: str, reason: str = "", up: bool = False) -> None:
    """The unit itself, or the one above; both with the same clocks as whoever gets such a case anew."""
    rules, round_ = d.policy.redo, (d.case.feedback.round if d.case.feedback else 0) + 1
    assert rules is not None
    lapse_appeal(d)
    merging.leave(d, "redo")
    closed = d.case.state == "closed"
    for task in [task for task in d.case.tasks.values() if task.kind == "call_back"]:
        stop_clocks(d, task.id)
    d.emit(ev.RedoOrdered(leg=leg.id, round=round_, why=why, reason=reason))
    if closed or rules.citizens == "anew":
        restart_case_clocks(d)
    unit = _who(d, leg, up or rules.who == "up")
    if not leg.id and (d.facts.unit(unit.id) is None or d.is_recused(unit)):
        ask_triage(d, f"redo: {leg.unit}")
    else:
        dispatch(d, unit, "lead", function=leg.function, matter=leg.matter or d.case.matter)


def _who(d: Decision, leg: Leg, up: bool) -> Unit:
    """One level up, unless that is the centre, which would then review itself. Of a merged case: the unit of its head."""
    above = d.above(leg.unit) if up else None
    if above is not None and above.id != d.case.centre:
        return above
    return d.facts.unit(leg.unit) or Unit(id=leg.unit, name=leg.unit, endpoint=leg.endpoint, place="")


# -- the applicant's grade ----------------------------------------------------------------------


class _Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What others may see of an evaluation."""

    grade: int = 0
    reasons: tuple[str, ...] = ()
    text: str | None = None


_said = msgspec.json.Decoder(_Said).decode


def evaluate(d: Decision, command: Evaluate) -> str:
    """评价, once in each round and in time; a grade that came of silence gives way. A bad one is looked into."""
    held = d.case.feedback
    if held is not None and held.evaluate_until and held.evaluate_until < d.now:
        return "evaluation_over"
    said = replace(_said(command.body), grade=command.grade)
    reasons, rules = said.reasons, d.policy.evaluation if d.case.policy else None
    bad = rules is not None and command.grade <= rules.bad
    for reason in reasons:
        if code := unlisted(d, "evaluate", reason):
            return code
    d.emit(
        ev.CaseEvaluated(
            grade=command.grade,
            body=command.body,
            round=held.round if held is not None else 0,
            reasons=reasons,
            said=Raw(msgspec.json.encode(said)) if bad else UNSET,
        )
    )
    if d.case.policy:
        _look_into(d, command.grade, reasons)
    return ""


def _look_into(d: Decision, grade: int, reasons: tuple[str, ...]) -> None:
    """A bad grade of what a unit answered: done again at once for some reasons, else its author is called back."""
    rules, lead = d.policy.evaluation, answered(d.case)
    if rules is None or grade > rules.bad or lead is None or d.case.close_reason != lead.result:
        return
    pressing = [reason for reason in reasons if reason in rules.reopens]
    if pressing and may_redo(d):
        _again(d, lead, "evaluation", pressing[0], up=True)
    elif _can_be_called(d) and (desk := _desk(d)) is not None:
        _ask(d, desk, lead, "bad_review")


def is_graded(case: Case) -> bool:
    """Whether the applicant has said it in this round; silence is not a word of his."""
    return bool(case.grade) and not (case.feedback is not None and case.feedback.silent)


def silence(d: Decision) -> None:
    """The applicant has said nothing for as long as the policy waits."""
    held = d.case.feedback
    if held is not None and held.silent_at and held.silent_at <= d.now:
        d.emit(ev.CaseEvaluated(grade=held.silent_grade, round=held.round, silent=True))


# -- appeals against a grade ---------------------------------------------------------------------


def _appeal(d: Decision, command: Order, said: Ordered) -> str:
    """申诉: by the unit that was graded, with what shows it, and by two of its officers."""
    lead, held = d.case.lead, d.case.feedback
    if lead is None or not is_graded(d.case):
        return "not_evaluated"
    if held is not None and held.appealed:
        return "already_appealed"
    desk = _desk(d)
    if desk is None:
        return "no_arbiter"
    task = d.new_task()
    d.emit(
        ev.ReviewAppealed(
            task=task, unit=desk.id, endpoint=desk.endpoint, leg=lead.id, by=command.unit, text=said.text,
            officer=said.officer, confirmed_by=said.confirmed_by, attachments=said.attachments or Raw(b"[]"),
        )
    )  # fmt: skip
    start_task_clock(d, task, "judge_review")
    return ""


def _decide_appeal(d: Decision, task: Task, said: ReplyView, granted: bool) -> str:
    if not said.reason or not said.officer:
        return "incomplete"
    if granted and said.confirmed_by in (None, "", said.officer):
        return "second_officer"
    d.emit(
        ev.ReviewAppealDecided(
            task=task.id, round=d.case.feedback.round if d.case.feedback else 0, granted=granted, officer=said.officer,
            confirmed_by=said.confirmed_by or "", reason=said.reason,
        )
    )  # fmt: skip
    return ""


def _grant(d: Decision, task: Task, said: ReplyView) -> str:
    return _decide_appeal(d, task, said, True)


def _refuse(d: Decision, task: Task, said: ReplyView) -> str:
    return _decide_appeal(d, task, said, False)


def lapse_appeal(d: Decision) -> None:
    """Nobody has decided in time: the grade stands."""
    for task in [task for task in d.case.tasks.values() if task.kind == "judge_review"]:
        stop_clocks(d, task.id)
        round_ = d.case.feedback.round if d.case.feedback else 0
        d.emit(ev.ReviewAppealDecided(task=task.id, round=round_, lapsed=True))


REPLIES: Mapping[str, ReplyHandler] = {
    "call_back": _called,
    "not_reached": _not_reached,
    "redo": _redo,
    "grant_appeal": _grant,
    "refuse_appeal": _refuse,
}
ORDERS: Mapping[str, Handler] = {"redo": _order_redo, "appeal_review": _appeal}
