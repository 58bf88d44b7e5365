"""Called back, graded, done again, silent, appealed: what the applicant says once the unit has answered."""

import pytest
from msgspec import UNSET, Raw, json
from msgspec.structs import replace

from tests.unit.workflows.small_world import HEARD, NOW, POLICIES, SmallWorld, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.case import Case, Leg
from workflows.decision import Decision
from workflows.evolve import FOLDS
from workflows.feedback import _drawn
from workflows.policies import CallBack

ASKED = {"contacted": True, "solved": True, "satisfied": True}
BAD = {"contacted": True, "solved": False, "satisfied": False, "reason": "listed"}
SIGNED = {"officer": "0001", "confirmed_by": "0002", "text": "见录音"}


def answered(category: str = "heard", **more: object) -> Told:
    """A case whose answer has passed the review."""
    case = told().submit(category, **more).reply("handle", "reply", result="solved", text="已修复")
    return case.reply("review", "pass")


def closed(category: str = "graded") -> Told:
    case = answered(category)
    assert case.held.state == "closed"
    return case


def last(case: Told, kind: type) -> object:
    return next(e for record in reversed(case.records) for e in record.events if isinstance(e, kind))


def code(case: Told) -> str:
    refused = last(case, ev.CommandRefused)
    assert case.happened == ["CommandRefused"]
    assert isinstance(refused, ev.CommandRefused)
    return refused.code


# -- call-back ----------------------------------------------------------------------------------


def test_a_passed_review_brings_a_task_to_the_desk_and_the_outcome_waits_for_it() -> None:
    case = answered()
    assert case.held.state == "called_back"
    task = case.data("task.assigned")
    assert (task["kind"], task["unit"], task["reason"]) == ("call_back", "370100.hotline", "drawn")
    assert task["reply_under_review"]["text"] == "已修复"  # type: ignore[index]
    assert [due["kind"] for due in task["due"]] == ["finish", "call_back"]  # type: ignore[union-attr, index]
    assert case.data("case.status_changed")["status"] == "called_back"
    assert not [m for m in case.said if m.type.endswith("outcome.v1")]
    case.reply("call_back", "call_back", **ASKED)
    assert case.held.state == "closed"
    assert case.data("case.outcome")["reason"] == "solved"


def test_three_attempts_reach_nobody_and_the_case_closes_without_an_answer() -> None:
    case = answered()
    case.reply("call_back", "not_reached").reply("call_back", "not_reached")
    assert case.happened == ["CallBackTried"]
    assert case.held.clocks[f"call_back/{next(iter(case.held.tasks))}"].running
    case.reply("call_back", "not_reached")
    said = last(case, ev.CalledBack)
    assert isinstance(said, ev.CalledBack)
    assert (said.attempts, said.reached, case.held.state) == (3, False, "closed")


@pytest.mark.parametrize(
    "more",
    [{"appeal_kind": "praise"}, {"applicant": {"kind": "person", "disclosure": "anonymous"}}],
    ids=["praise", "anonymous"],
)
def test_whom_nobody_calls_back(more: dict[str, object]) -> None:
    case = answered(**more)
    assert case.held.state == "closed"
    assert case.happened == ["LegReviewPassed", *["ClockStopped"] * 2, "CaseClosed"]


def test_who_handled_it_or_is_complained_about_does_not_call_back() -> None:
    centre = "370100.hotline"
    complained = answered(subject_of_complaint=[{"kind": "unit", "unit": centre}])
    assert complained.data("task.assigned")["unit"] == "370000.hotline"
    case = told().submit("heard").order(centre, "re_dispatch", reason="x", targets=[{"unit": centre}])
    case.reply("handle", "reply", result="solved", text="已修复").reply("review", "pass")
    assert case.data("task.assigned")["unit"] == "370100.watch"
    case.reply("call_back", "call_back", **ASKED).order(centre, "redo", reason="listed")
    assert code(case) == "recused"


def test_the_three_answers_are_asked_apart_and_all_are_needed() -> None:
    case = answered().reply("call_back", "call_back", contacted=True, solved=True)
    assert code(case) == "incomplete"


def test_a_share_is_drawn_by_the_id_alone() -> None:
    share = sum(_drawn_of(f"case-{i}", 20) for i in range(2000)) / 2000
    assert 0.17 < share < 0.23
    assert all(_drawn_of(f"case-{i}", 100) for i in range(50))
    assert not any(_drawn_of(f"case-{i}", 0) for i in range(50))


def _case(name: str) -> Case:
    lead = Leg("1", "t", "370102.urban", "desk", "lead", NOW, state="review_passed", result="solved")
    return Case(id=name, policy="share", appeal_kind="help", legs={"1": lead})


def _drawn_of(case: str, percent: int) -> bool:
    POLICIES["share"] = replace(HEARD, id="share", callback=CallBack(percent=percent))
    try:
        return bool(_drawn(Decision(_case(case), "x", SmallWorld(), NOW)))
    finally:
        del POLICIES["share"]


# -- doing it again -----------------------------------------------------------------------------


def test_not_content_with_reason_it_is_done_again_by_the_unit_and_called_back_once_more() -> None:
    case = answered()
    due = case.held.clocks["finish/"].due
    case.reply("call_back", "redo", **BAD)
    assert case.held.state == "dispatched"
    assert case.held.lead is not None
    assert (case.held.lead.unit, case.held.lead.id) == ("370102.urban", "2")
    assert case.held.clocks["finish/2"].running
    assert (case.held.clocks["finish/"].due, case.held.clocks["finish/"].running) == (due, True)
    assert case.data("case.status_changed")["status"] == "dispatched"
    case.reply("handle", "reply", result="solved", text="换了灯泡").reply("review", "pass")
    assert case.data("task.assigned")["reason"] == "redone"
    assert "redo" in case.data("task.assigned")["allowed"]  # type: ignore[operator]
    case.reply("call_back", "redo", **BAD)
    case.reply("handle", "reply", result="solved", text="换了线路").reply("review", "pass")
    assert "redo" not in case.data("task.assigned")["allowed"]  # type: ignore[operator]
    case.reply("call_back", "redo", **BAD)
    assert code(case) == "redo_used_up"
    case.reply("call_back", "call_back", **ASKED)
    assert case.held.state == "closed"


def test_a_closed_case_is_ordered_done_again_with_a_new_promise() -> None:
    case = closed()
    case.wait_until("2026-09-28 10:00")
    case.order("370100.watch", "redo", reason="listed")
    assert case.held.state == "dispatched"
    assert case.held.lead is not None
    assert case.held.lead.unit == "370100.urban"
    assert (case.held.closed_at, case.held.archive_at) == (0, 0)
    assert case.held.clocks["finish/"].due > case.now
    told_ = case.data("case.status_changed")
    assert (told_["status"], bool(told_["promised_due"])) == ("dispatched", True)
    case.reply("handle", "reply", result="solved", text="好了").reply("review", "pass")
    case.reply("call_back", "call_back", **ASKED)
    case.order("370100.watch", "redo", reason="listed")
    assert code(case) == "redo_used_up"


def test_the_graded_unit_may_not_order_it_done_again_and_an_archived_case_stays_shut() -> None:
    case = closed()
    case.order("370102.urban", "redo", reason="listed")
    assert code(case) == "not_entitled"
    case.wait_until("2026-12-01 10:00")
    assert case.held.state == "archived"
    case.evaluate(1)
    assert code(case) == "archived_case"


# -- grades -------------------------------------------------------------------------------------


def test_one_grade_in_each_round() -> None:
    case = closed("graded").evaluate(5).evaluate(4)
    assert code(case) == "already_evaluated"
    assert case.held.grade == 5


def test_a_grade_comes_in_time_or_not_at_all() -> None:
    case = closed()
    case.wait_until("2026-10-16 08:00").evaluate(4)
    assert case.held.grade == 4
    late = closed()
    late.wait_until("2026-10-16 20:00").evaluate(4)
    assert code(late) == "evaluation_over"


def test_reasons_are_of_the_list() -> None:
    assert code(closed().evaluate(2, "weather")) == "unknown_reason"


def test_a_bad_grade_is_called_back_and_the_citizen_is_promised_anew() -> None:
    case = closed().evaluate(2, "slow")
    assert case.held.state == "called_back"
    assert case.data("task.assigned")["reason"] == "bad_review"
    assert case.held.clocks["finish/"].running
    case.reply("call_back", "call_back", **ASKED)
    assert case.held.state == "closed"
    case.evaluate(5)
    assert code(case) == "already_evaluated"


def test_some_reasons_have_it_done_again_at_once_a_level_up_and_graded_anew() -> None:
    case = answered("heard").reply("call_back", "call_back", **ASKED)
    case.evaluate(1, "rude")
    assert case.held.state == "dispatched"
    assert case.held.lead is not None
    assert (case.held.lead.unit, case.held.grade) == ("370100.urban", 0)
    case.reply("handle", "reply", result="solved", text="已道歉").reply("review", "pass")
    case.reply("call_back", "call_back", **ASKED).evaluate(5)
    grades = [(e.round, e.grade) for r in case.records for e in r.events if isinstance(e, ev.CaseEvaluated)]
    assert grades == [(0, 1), (1, 5)]


def test_silence_is_a_grade_apart_and_gives_way_to_a_word() -> None:
    case = closed().wait_until("2026-09-26 12:00")
    assert (case.held.grade, case.held.feedback and case.held.feedback.silent) == (3, True)
    assert not case.last.messages
    case.evaluate(5)
    assert (case.held.grade, case.held.feedback and case.held.feedback.silent) == (5, False)


def test_who_has_spoken_is_not_silent() -> None:
    case = closed().evaluate(4).wait_until("2026-10-17 12:00")
    assert [e.silent for r in case.records for e in r.events if isinstance(e, ev.CaseEvaluated)] == [False]


# -- appeals ------------------------------------------------------------------------------------


def test_an_appeal_needs_two_officers_of_the_unit_and_two_of_the_desk() -> None:
    case = closed().evaluate(3)
    case.order("370102.urban", "appeal_review", text="见录音")
    assert code(case) == "second_officer"
    case.order("370102.urban", "appeal_review", **SIGNED)
    assert case.happened == ["OrderGiven", "ReviewAppealed", "ClockStarted"]
    case.reply("judge_review", "grant_appeal", reason="恶意", officer="0009")
    assert code(case) == "second_officer"
    case.reply("judge_review", "grant_appeal", reason="恶意", officer="0009", confirmed_by="0010")
    assert case.held.feedback is not None
    assert case.held.feedback.left_out
    assert not case.held.tasks
    case.order("370102.urban", "appeal_review", **SIGNED)
    assert code(case) == "already_appealed"


def test_who_looks_into_a_grade_sees_it_and_what_is_said_against_it() -> None:
    """Nobody can tell a malicious grade from a fair one by a number: the applicant's words, and the unit's with its evidence."""
    case = closed()
    body = json.encode({"grade": 1, "reasons": ["slow"], "text": "三周没人来", "token": "012345"})
    case.take(cmd.Evaluate(**case.base(), channel="website", ref="w-1", grade=1, body=Raw(body)))
    evaluation = {"grade": 1, "reasons": ["slow"], "text": "三周没人来"}
    assert case.data("task.assigned")["kind"] == "call_back"
    assert case.data("task.assigned")["evaluation"] == evaluation
    case.reply("call_back", "call_back", **ASKED)
    shown = [{"name": "录音.mp3", "uri": "oss://a"}]
    case.order("370102.urban", "appeal_review", **SIGNED, attachments=shown)
    task = case.data("task.assigned")
    assert (task["kind"], task["evaluation"]) == ("judge_review", evaluation)
    assert task["appeal"] == {"unit": "370102.urban", "unit_name": "区城管局", "text": "见录音", "attachments": shown}
    assert not any("三周没人来" in bytes(m.data).decode() for m in case.said if m.to != "tasks.centre")
    case.reply("judge_review", "refuse_appeal", reason="属实", officer="0009")
    assert case.held.feedback is not None and case.held.feedback.appeal is None


def test_a_round_begins_without_the_grade_of_the_one_before() -> None:
    case = closed().evaluate(1, "rude")
    assert case.held.state == "dispatched"
    assert case.held.feedback is not None and not case.held.feedback.said


def test_an_appeal_of_an_older_version_stays_as_it_was() -> None:
    """What it said was not kept then: folding its event gives what it gave."""
    case = closed().evaluate(3).order("370102.urban", "appeal_review", **SIGNED)
    e = last(case, ev.ReviewAppealed)
    assert isinstance(e, ev.ReviewAppealed)
    old = replace(e, attachments=UNSET)
    assert FOLDS[ev.ReviewAppealed](closed().held, old, NOW).feedback.appeal is None  # type: ignore[union-attr]


def test_nobody_appeals_against_silence_and_nobody_but_the_graded_unit() -> None:
    case = closed()
    case.order("370102.urban", "appeal_review", **SIGNED)
    assert code(case) == "not_evaluated"
    case.evaluate(3).order("370102.water", "appeal_review", **SIGNED)
    assert code(case) == "not_entitled"


def test_what_came_due_and_the_archive_in_one_pass_are_both_told() -> None:
    """After an outage: an archived case has forgotten its clocks."""
    case = closed().evaluate(3)
    case.now = case.held.archive_at - 1
    case.order("370102.urban", "appeal_review", **SIGNED)
    due = case.held.clocks["judge_review/" + next(iter(case.held.tasks))].due
    case.now = due + 1
    case.reach_deadline()
    assert case.held.state == "archived" and "ClockOverdue" in case.happened
    told = case.data("clock.overdue")
    assert (told["kind"], told["leg"]) == ("judge_review", "1")


def test_an_appeal_that_nobody_decides_lapses_with_the_archive() -> None:
    case = closed().evaluate(3).order("370102.urban", "appeal_review", **SIGNED)
    case.wait_until("2026-12-01 10:00")
    said = last(case, ev.ReviewAppealDecided)
    assert isinstance(said, ev.ReviewAppealDecided)
    assert said.lapsed
    assert not said.granted
    assert case.held.state == "archived"


# -- another person ------------------------------------------------------------------------------


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does it again is another person."""
    redo = HEARD.redo
    assert redo is not None
    monkeypatch.setitem(POLICIES, "heard", replace(HEARD, redo=replace(redo, another=True)))


def again(first: str | None) -> Told:
    """Answered by `first`, and to be done again by the same unit."""
    case = told().submit("heard").reply("handle", "reply", result="solved", text="已修复", officer=first)
    return case.reply("review", "pass").reply("call_back", "redo", **BAD)


@pytest.mark.usefixtures("strict")
def test_who_has_answered_does_not_do_it_again() -> None:
    case = again("0001")
    case.reply("handle", "reply", result="solved", text="x")
    assert code(case) == "officer_needed"
    case.reply("handle", "reply", result="solved", text="x", officer="0001")
    assert code(case) == "same_person"
    case.reply("handle", "reply", result="solved", text="x", officer="0002")
    assert case.held.state == "replied"
    case.reply("review", "send_back", reason="不具体").reply(
        "handle", "reply", result="solved", text="x", officer="0002"
    )
    assert case.held.state == "replied", "in his own round he may go on"
    case.reply("review", "pass").reply("call_back", "redo", **BAD)
    for officer in ("0001", "0002"):
        case.reply("handle", "reply", result="solved", text="x", officer=officer)
        assert code(case) == "same_person"


@pytest.mark.usefixtures("strict")
def test_another_unit_is_other_people_whatever_their_codes() -> None:
    case = told().submit("heard").reply("handle", "reply", result="solved", text="已修复", officer="0001")
    case.reply("review", "pass").reply("call_back", "call_back", **ASKED).evaluate(1, "rude")
    assert case.held.lead is not None and case.held.lead.unit == "370100.urban"
    assert case.reply("handle", "reply", result="solved", text="x").held.state == "replied"


def test_where_the_policy_does_not_ask_for_it_nobody_is_asked_and_no_code_is_kept() -> None:
    case = again("0001").reply("handle", "reply", result="solved", text="x", officer="0001")
    assert case.held.state == "replied"
    assert case.held.feedback is not None and case.held.feedback.answered == ()
    assert not [e for r in case.records for e in r.events if isinstance(e, ev.LegReplied) and e.officer]
