"""挂账: asked on a ground of the list, approved by two, reviewed each quarter, released; what was left of the time goes on."""

from msgspec import json
from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import ms
from tests.unit.workflows.small_world import Told, told
from workflows import commands as cmd

ASKED = {"reason": "listed", "text": "需列入明年管网改造计划", "until": "2027-03-31T17:00:00+08:00"}
TWO = {"officer": "0001", "confirmed_by": "0002"}


def asked() -> Told:
    return told().submit("alone").reply("handle", "ask_hang", **ASKED)


def hung() -> Told:
    return asked().reply("decide_hang", "grant_hang", **TWO)


def test_two_officers_approve_and_the_citizen_is_told_the_plan_date() -> None:
    t = asked()
    for one in ({}, {"officer": "0001"}, {"officer": "0001", "confirmed_by": "0001"}):
        t.reply("decide_hang", "grant_hang", **one)
        assert t.data("reply.refused")["code"] == "second_officer"
    t.reply("decide_hang", "grant_hang", **TWO)
    assert t.held.state == "hung"
    status = t.data("case.status_changed")
    assert (status["status"], status["promised_due"]) == ("hung", "2027-03-31T17:00:00+08:00")
    assert sorted(task.kind for task in t.held.tasks.values()) == ["handle", "review_plan"]


def test_while_it_is_hung_no_time_is_lost_and_none_gained() -> None:
    """Released after two months, the due lies as many working hours ahead as it did."""
    t = hung()
    calendar = t.facts.calendar("")
    running = {key: t.held.clocks[key] for key in ("finish/", "finish/1")}
    left = {key: calendar.consumed(max(t.now, c.anchor), c.due, "wd") for key, c in running.items()}
    t.wait_until("2026-11-18 09:00")
    assert not [e for r in t.records for e in r.events if type(e).__name__ == "ClockOverdue"]
    t.order("370100.hotline", "release", reason="listed", **TWO)
    told_ = [json.decode(m.data)["status"] for m in t.last.messages if m.type.endswith("status_changed.v1")]
    assert told_ == ["released", "due_moved"]
    for key, rest in left.items():
        assert calendar.consumed(t.now, t.held.clocks[key].due, "wd") == rest
    t.reply("handle", "reply", result="solved", text="已办").reply("review", "pass")
    assert t.held.state == "closed"


def test_work_goes_on_meanwhile_but_an_answer_needs_the_release() -> None:
    t = hung()
    for action, said in (("reply", {"result": "solved", "text": "已办"}), ("return", {"reason": "不属本局"})):
        t.reply("handle", action, **said)
        assert t.data("reply.refused")["code"] == "hung"
    t.reply("handle", "sub_dispatch", units=["370102001.town"])
    assert (t.held.state, t.held.legs["1"].state) == ("hung", "sub_dispatched")
    t.follow_up(cmd.Supplement, text="x").follow_up(cmd.Withdraw)
    assert t.held.state == "closed"


def test_the_plan_is_looked_at_each_quarter() -> None:
    t = hung()
    first = next(task for task in t.held.tasks.values() if task.kind == "review_plan")
    t.wait_until("2026-12-16 09:00").reply("review_plan", "review_plan", text="按计划推进")
    second = next(task for task in t.held.tasks.values() if task.kind == "review_plan")
    assert first.id != second.id
    assert t.held.clocks[f"plan_review/{second.id}"].due > ms("2027-03-01 09:00")
    assert not t.held.clocks[f"plan_review/{first.id}"].running


def test_at_the_plan_date_time_runs_again() -> None:
    """Nobody released it, and the plan did not hold: it comes overdue."""
    t = hung().wait_until("2027-04-20 09:00")
    assert t.held.state == "hung"
    assert {"ClockWentOn", "ClockOverdue"} <= {type(e).__name__ for r in t.records for e in r.events}


def test_it_may_be_refused_and_some_may_not_ask() -> None:
    t = asked().reply("handle", "ask_hang", **ASKED)
    assert t.data("reply.refused")["code"] == "hang_undecided"
    t.reply("decide_hang", "refuse_hang", reason="有条件解决")
    assert (t.held.state, t.data("task.assigned")["reason"]) == ("signed", "有条件解决")
    for category, said, code in (
        ("alone", ASKED | {"until": "2026-09-01T17:00:00+08:00"}, "plan_date_past"),
        ("alone", ASKED | {"reason": "whim"}, "unknown_reason"),
        ("alone", ASKED | {"text": None}, "incomplete"),
        ("ruled", ASKED, "hang_not_allowed"),
    ):
        t = told().submit(category).reply("handle", "ask_hang", **said)
        assert t.data("reply.refused")["code"] == code


def test_what_was_returned_meanwhile_is_not_hung() -> None:
    t = asked().reply("handle", "return", reason="不属本局职责")
    t.reply("decide_hang", "grant_hang", **TWO)
    assert t.data("reply.refused")["code"] == "not_allowed"


def test_a_plan_is_for_years_that_somebody_will_see() -> None:
    """Five years where the policy says nothing: what is farther is refused when it is asked for, and when it is granted."""
    for until, code in (("9999-12-31T17:00:00+08:00", "plan_date_too_far"), ("2031-09-01T17:00:00+08:00", None)):
        t = told().submit("alone").reply("handle", "ask_hang", **ASKED | {"until": until})
        assert (t.data("reply.refused")["code"] if code else None) == code
        assert ("HangAsked" in t.happened) == (code is None)
    t = asked()
    assert t.held.oversight is not None
    t.case = replace(t.held, oversight=replace(t.held.oversight, plan=ms("2101-01-01 00:00")))
    t.reply("decide_hang", "grant_hang", **TWO)
    assert t.data("reply.refused")["code"] == "plan_date_too_far"


LATER = {"text": "招标推迟", "until": "2027-09-30T17:00:00+08:00", "reason": "招标推迟", **TWO}


def left(t: Told) -> dict[str, int]:
    """What each finish clock still has, in working time."""
    clocks = {key: clock for key, clock in t.held.clocks.items() if key in ("finish/", "finish/1")}
    whole = {key: (clock.course.whole, clock.course.consumed) for key, clock in clocks.items() if clock.course}
    return {key: given - used for key, (given, used) in whole.items()}


def test_the_plan_date_moves_by_a_review_of_two_officers_and_no_time_is_lost_or_gained() -> None:
    t = hung()
    before = left(t)
    t.wait_until("2026-12-16 09:00").reply("review_plan", "review_plan", **LATER)
    assert t.happened[:5] == ["PlanReviewed", "ClockWentOn", "ClockWentOn", "ClockPaused", "ClockPaused"]
    status = t.data("case.status_changed")
    assert (status["status"], status["promised_due"], status["promised_before"], status["reason"]) == (
        "hung", LATER["until"], ASKED["until"], "招标推迟",
    )  # fmt: skip
    assert "due_moved" not in [json.decode(m.data).get("status") for m in t.last.messages]
    assert (t.data("task.assigned")["kind"], t.data("task.assigned")["reason"]) == ("handle", "plan_moved")
    assert t.data("case.overseen")["what"] == "plan_moved"
    assert (left(t), t.held.state) == (before, "hung")
    stops = [mark.at for key in ("finish/", "finish/1") for mark in t.held.clocks[key].marks]
    assert stops == [ms("2027-09-30 17:00")] * 2
    t.wait_until("2027-04-20 09:00")
    assert not [e for r in t.records for e in r.events if type(e).__name__ == "ClockOverdue" and e.kind == "finish"]
    calendar = t.facts.calendar("")
    t.order("370100.hotline", "release", reason="listed", **TWO)
    rest = calendar.consumed(t.now, t.held.clocks["finish/"].due, "wd")
    assert rest == before["finish/"]
    assert t.data("case.status_changed")["reason"] == "已销账，恢复计时"


def test_a_plan_that_had_run_out_stands_still_again_where_the_clock_is_not_late() -> None:
    t = hung().wait_until("2027-04-01 10:00")
    assert t.held.clocks["finish/"].course is not None and not t.held.clocks["finish/"].course.pause
    used = t.facts.calendar("").consumed(ms("2027-03-31 17:00"), t.now, "wd")
    before = left(t)
    t.reply("review_plan", "review_plan", **LATER)
    assert {key: rest - used for key, rest in before.items()} == left(t), "what ran in between is gone"
    assert all(t.held.clocks[key].course.pause for key in ("finish/", "finish/1"))  # type: ignore[union-attr]


def test_the_plan_date_moves_for_a_reason_by_two_to_a_day_that_somebody_will_see() -> None:
    for said, code in (
        ({"confirmed_by": None}, "second_officer"),
        ({"confirmed_by": "0001"}, "second_officer"),
        ({"officer": None}, "second_officer"),
        ({"reason": None}, "incomplete"),
        ({"text": None}, "incomplete"),
        ({"until": "2026-09-01T17:00:00+08:00"}, "plan_date_past"),
        ({"until": "9999-12-31T17:00:00+08:00"}, "plan_date_too_far"),
    ):
        t = hung().reply("review_plan", "review_plan", **LATER | said)
        assert t.data("reply.refused")["code"] == code
        assert t.held.oversight is not None and t.held.oversight.plan == ms("2027-03-31 17:00")
    t = hung().reply("review_plan", "review_plan", text="按计划推进", until=ASKED["until"])
    assert "ClockWentOn" not in t.happened, "the same date is no other one"
