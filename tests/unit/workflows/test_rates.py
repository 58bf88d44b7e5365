"""The rates of a small town, counted by hand."""

from msgspec import Raw
from msgspec.structs import replace

from tests.unit.workflows.small_world import Told, told
from tests.unit.workflows.test_feedback import ASKED, SIGNED, answered, closed
from workflows import commands as cmd
from workflows import events as ev
from workflows.events import EventRecord
from workflows.rates import Rates, Share, rates


def _of(*cases: Told) -> Rates:
    """As if each were a case of its own."""
    return rates(replace(record, case=f"case-{i}") for i, case in enumerate(cases) for record in case.records)


def test_nothing_has_no_rate() -> None:
    none: list[EventRecord] = []
    assert rates(none).satisfied.percent is None
    assert rates(none).answered == 0


def test_each_rate_has_its_numerator_and_denominator_and_what_is_left_out() -> None:
    content = answered().reply("call_back", "call_back", **ASKED)
    helpless = answered().reply("call_back", "call_back", contacted=False, solved=False, satisfied=False)
    unreached = answered().reply("call_back", "not_reached").reply("call_back", "not_reached")
    unreached.reply("call_back", "not_reached")
    late = told().submit("graded").wait_until("2026-10-20 09:00")
    late.reply("handle", "reply", result="solved", text="x").reply("review", "pass")
    graded, bad, silent = closed().evaluate(5), closed().evaluate(3), closed().wait_until("2026-09-27 09:00")
    appealed = closed().evaluate(3).order("370102.urban", "appeal_review", **SIGNED)
    appealed.reply("judge_review", "grant_appeal", reason="恶意", officer="0009", confirmed_by="0010")
    gone = told().submit("graded")
    still_open = told().submit("graded")
    gone.follow_up(cmd.Withdraw)
    made = _of(content, helpless, unreached, late, graded, bad, silent, appealed, gone, still_open)
    assert made == Rates(
        answered=8,
        in_time=Share(7, 8),
        contacted=Share(1, 2),
        solved=Share(1, 2),
        satisfied=Share(3, 4),
        called=3,
        unreached=1,
        silent=1,
        left_out=1,
        redone=0,
        bad=0,
    )
    assert made.satisfied.percent == 75


def test_what_the_applicant_says_himself_goes_before_what_he_said_on_the_phone() -> None:
    case = answered().reply("call_back", "call_back", contacted=True, solved=True, satisfied=False).evaluate(4)
    assert _of(case).satisfied == Share(1, 1)
    assert _of(case).solved == Share(1, 1)


def test_a_case_done_again_counts_with_its_last_answer_alone() -> None:
    case = closed().evaluate(2, "rude")
    assert (_of(case).answered, _of(case).redone) == (0, 1)
    case.reply("handle", "reply", result="solved", text="x").reply("review", "pass")
    case.reply("call_back", "call_back", **ASKED)
    made = _of(case)
    assert (made.answered, made.in_time, made.satisfied, made.bad, made.redone) == (1, Share(1, 1), Share(1, 1), 0, 1)


def test_a_bad_grade_that_was_asked_about_stays_one_case_and_its_time_as_it_was() -> None:
    case = closed().evaluate(2, "slow").wait_until("2026-10-20 09:00").reply("call_back", "call_back", **ASKED)
    made = _of(case)
    assert (made.answered, made.in_time, made.satisfied, made.bad) == (1, Share(1, 1), Share(0, 1), 1)


def test_a_refusal_that_was_objected_to_keeps_no_promise() -> None:
    """The refusal came in time and the answer late; that a call-back was drawn then does not open what was answered."""
    stopped = {"kind": "finish", "of": "", "consumed": 1}
    told_of = (
        ev.ClockStopped(**stopped, met=True), ev.CaseClosed(reason="refused"),
        ev.RefusalReviewAsked(task="1", unit="370100.watch", endpoint="watch", body=Raw(b"{}")),
        ev.LegReviewPassed(leg="1"), ev.CallBackAsked(task="2", unit="c", endpoint="c", leg="1", why="drawn"),
        ev.CalledBack(task="2", attempts=1), ev.ClockStopped(**stopped, met=False), ev.CaseClosed(reason="solved"),
    )  # fmt: skip
    made = rates(EventRecord(case="1", version=n, at=n, cause=str(n), events=(e,)) for n, e in enumerate(told_of, 1))
    assert made.in_time == Share(0, 1)
