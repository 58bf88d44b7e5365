"""
Deciding: a case and a command give the events that follow, and nothing else happens.

No clock, no I/O, no randomness: the same case, command, facts and `now` give the same events. What is not
allowed becomes `CommandRefused` with a code, never an exception and never silence.
"""

from collections.abc import Callable, Mapping
from typing import Any

from workflows import commands as cmd
from workflows import endings, feedback, merging, resembling, splitting
from workflows import events as ev
from workflows.adopting import adopt
from workflows.case import KEPT_MS, SUPPLEMENTS, URGES, Case, is_flooded, unborn
from workflows.clocks import fire_marks
from workflows.decision import Decision
from workflows.facts import Facts
from workflows.legs import close
from workflows.orders import order
from workflows.pauses import applicant_said_more
from workflows.rebasing import rebase
from workflows.replies import reply
from workflows.states import APPEAL, verdict
from workflows.submit import submit
from workflows.urging import urged


def decide(
    case: Case | None, command: cmd.AnyCommand | cmd.Rebase | cmd.GiveUp, facts: Facts, now: int
) -> list[ev.AnyEvent]:
    """The events that `command` brings about; none for a deadline on nothing due. Of unknown cases it takes only Submit."""
    return decision(case, command, facts, now).events


def decision(case: Case | None, command: cmd.AnyCommand | cmd.Rebase | cmd.GiveUp, facts: Facts, now: int) -> Decision:
    """The same, with the case after the events."""
    name = command.of.id if type(command) is cmd.GiveUp else command.id
    made = Decision(case or unborn(command.case), name, facts, now)
    _DECIDE[type(command)](made, command)
    return made


def _submit(d: Decision, command: cmd.Submit) -> None:
    if d.case.version and is_flooded(d.case) and not command.parent:
        _refuse(d, command, "submit", "too_many_commands")
    else:
        submit(d, command)


def _reply(d: Decision, command: cmd.Reply) -> None:
    if code := reply(d, command):
        _refuse_reply(d, command, code)


def _order(d: Decision, command: cmd.Order) -> None:
    """However much its channel has sent: somebody must be able to end it."""
    if code := order(d, command):
        _refuse_order(d, command, code)


def _supplement(d: Decision, command: cmd.Supplement) -> None:
    """补充诉求: kept and passed on to who handles it; no clock starts anew."""
    if sum(map(len, d.case.supplements)) > SUPPLEMENTS:
        _refuse(d, command, "supplement", "too_many_supplements")
    elif d.case.state == "closed" and d.case.close_reason == "concluded":
        if _allowed(d, command, "attach"):
            d.emit(ev.SupplementAttached(body=command.body))
    elif _allowed(d, command, "supplement"):
        d.emit(ev.CaseSupplemented(body=command.body))
        applicant_said_more(d)


def _withdraw(d: Decision, command: cmd.Withdraw) -> None:
    """撤回, before decision. A report of wrongdoing goes on whatever its author wants now."""
    if d.case.appeal_kind == "report":
        _refuse(d, command, "withdraw", "report_stays")
    elif d.case.oversight is not None and d.case.oversight.ex_officio:
        if _allowed(d, command, "withdraw"):
            d.emit(ev.WithdrawalNoted(body=command.body))
    elif _allowed(d, command, "withdraw"):
        d.emit(ev.CaseWithdrawn(body=command.body))
        merging.leave(d, "withdrawn")
        close(d, "withdrawn")


def _evaluate(d: Decision, command: cmd.Evaluate) -> None:
    """评价, once in each round."""
    if d.case.state == "archived":
        _refuse(d, command, "evaluate", "archived_case")
    elif feedback.is_graded(d.case):
        _refuse(d, command, "evaluate", "already_evaluated")
    elif _allowed(d, command, "evaluate") and (code := feedback.evaluate(d, command)):
        _refuse(d, command, "evaluate", code)


def _urge(d: Decision, command: cmd.Urge) -> None:
    """催办 by the applicant: whoever has it in hand is told; no due date moves. Refused sooner than what says more."""
    if is_flooded(d.case, URGES):
        _refuse(d, command, "urge", "too_many_commands")
    elif _allowed(d, command, "urge"):
        urged(d, command)


def _ask_review(d: Decision, command: cmd.AskReview) -> None:
    """复核 of a refusal, once: by people who had no part in it."""
    if d.case.state == "archived":
        _refuse(d, command, "ask_review", "archived_case")
    elif _allowed(d, command, "ask_review") and (code := endings.objected(d, command.body)):
        _refuse(d, command, "ask_review", code)


def _reach_deadline(d: Decision, command: cmd.ReachDeadline) -> None:
    fire_marks(d, merging.FIRE)
    feedback.silence(d)
    if d.case.archive_at and d.case.archive_at <= d.now:
        feedback.lapse_appeal(d)
        d.emit(ev.CaseArchived(forget_at=d.now + KEPT_MS))
    elif d.case.forget_at and d.case.forget_at <= d.now:
        d.emit(ev.CaseForgotten())


def _rebase(d: Decision, command: cmd.Rebase) -> None:
    rebase(d)


def _adopt(d: Decision, command: cmd.Adopt) -> None:
    adopt(d, command, lambda d, said: _DECIDE[type(said)](d, said))


def _give_up(d: Decision, order: cmd.GiveUp) -> None:
    """Never judged; but of a request that is open already nobody may say that it took no effect."""
    of = order.of
    if isinstance(of, cmd.Reply):
        _refuse_reply(d, of, "discarded")
    elif isinstance(of, cmd.Order):
        _refuse_order(d, of, "discarded")
    elif isinstance(of, cmd.Submit) and of.digest == d.case.digest:
        d.emit(ev.DuplicateReceived())
    elif isinstance(of, cmd.Join):
        d.emit(ev.MemberRefused(member=of.member, asked=of.asked, code="discarded"))
    elif isinstance(of, cmd.HeadEnded):
        merging.head_discarded(d, of)
    elif not isinstance(of, cmd.ReachDeadline | cmd.Between):
        _refuse(d, of, type(of).__name__.lower(), "discarded")


_FromChannel = cmd.Submit | cmd.Supplement | cmd.Withdraw | cmd.Evaluate | cmd.Urge | cmd.AskReview


def _allowed(d: Decision, command: _FromChannel, action: str) -> bool:
    code = "too_many_commands" if is_flooded(d.case) else verdict(APPEAL, d.case.state, action)
    if code:
        _refuse(d, command, action, code)
    return not code


def _refuse(d: Decision, command: _FromChannel, action: str, code: str) -> None:
    d.emit(ev.CommandRefused(action=action, code=code, state=d.case.state, channel=command.channel))


def _refuse_reply(d: Decision, command: cmd.Reply, code: str) -> None:
    d.emit(
        ev.CommandRefused(
            action=command.action, code=code, state=d.case.state, endpoint=command.endpoint, task=command.task
        )
    )  # fmt: skip


def _refuse_order(d: Decision, command: cmd.Order, code: str) -> None:
    d.emit(
        ev.CommandRefused(
            action=command.action, code=code, state=d.case.state, endpoint=command.endpoint, unit=command.unit
        )
    )  # fmt: skip


_DECIDE: Mapping[type[cmd.Command], Callable[[Decision, Any], None]] = {
    cmd.Submit: _submit,
    cmd.Reply: _reply,
    cmd.Order: _order,
    cmd.Supplement: _supplement,
    cmd.Withdraw: _withdraw,
    cmd.Evaluate: _evaluate,
    cmd.Urge: _urge,
    cmd.AskReview: _ask_review,
    cmd.ReachDeadline: _reach_deadline,
    **merging.BETWEEN,
    **splitting.BETWEEN,
    cmd.Resemble: resembling.resemble,
    cmd.Rebase: _rebase,
    cmd.GiveUp: _give_up,
    cmd.Adopt: _adopt,
}
