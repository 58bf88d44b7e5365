"""延期: asked in time, not late until decided, granted or refused by who may, and the citizen is told."""

import pytest
from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CHINA, ms, show
from tests.unit.workflows.small_world import POLICIES, TIMED, Told, refused, told
from workflows import events as ev
from workflows.workdays import HOUR

LEADS = (("finish", "1"), ("finish", ""))
"""The clocks that the lead's extension moves."""
ASKED = {"limit": "5wd", "reason": "需要检测"}


def _due(t: Told, clock: str) -> str:
    return show(t.held.clocks[clock].due)[5:16]


def _asked(**said: object) -> Told:
    return told().submit("timed").reply("handle", "ask_extension", unit="370102.urban", **(ASKED | said))


def test_granted_both_clocks_move_and_the_citizen_is_told_the_new_date_and_why() -> None:
    t = _asked()
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("09-23 17:00", "09-24 17:00")
    t.reply("decide_extension", "grant_extension")
    assert t.happened == ["ExtensionDecided", "ClockExtended", "ClockExtended", "ClockStopped"]
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("10-08 17:00", "10-09 17:00")
    status = t.data("case.status_changed")
    assert (status["status"], status["reason"]) == ("due_moved", "需要检测")
    assert status["promised_before"] == "2026-09-24T17:00:00+08:00"
    assert status["promised_due"] == "2026-10-09T17:00:00+08:00"
    assert t.left == ["tasks.desk task.assigned", "answers.website case.status_changed"]
    task = t.data("task.assigned")
    assert task["reason"] == "extension_granted"
    assert {due["due"] for due in task["due"]} == {"2026-10-08T17:00:00+08:00"}


def test_less_may_be_granted_but_not_more() -> None:
    t = _asked()
    assert refused(t.reply("decide_extension", "grant_extension", limit="6wd")) == "extension_too_long"
    assert refused(t.reply("decide_extension", "grant_extension", limit="24h")) == "extension_too_long"
    t.reply("decide_extension", "grant_extension", limit="2wd")
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("09-28 17:00", "09-29 17:00")


def test_who_decides_follows_from_the_length() -> None:
    assert [task.unit for task in _asked().held.tasks.values() if task.kind == "decide_extension"] == ["370100.hotline"]
    longer = _asked(limit="6wd")
    (task,) = [task for task in longer.held.tasks.values() if task.kind == "decide_extension"]
    assert (task.unit, task.endpoint, task.limit) == ("370100.watch", "watch", "6wd")
    assert longer.data("task.assigned")["limit"] == "6wd"
    assert f"extension_decision/{task.id}" in longer.held.clocks


def test_undecided_when_due_is_not_late_until_it_is_decided() -> None:
    """Refused after the due, it is late from the due on, exactly, and everything that waited fires once."""
    t = _asked().wait_until("2026-09-29 10:00")
    fired = [e for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and (e.kind, e.of) in LEADS]
    assert not fired
    t.reply("decide_extension", "refuse_extension", reason="理由不足")
    assert t.happened == ["ExtensionDecided", "ClockReleased", "ClockReleased", "ClockStopped"]
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("09-23 17:00", "09-24 17:00")
    t.wait_until("2026-09-29 10:00")
    late = [e for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and (e.kind, e.of) in LEADS]
    assert [(e.of, show(e.due)[5:16]) for e in late] == [("1", "09-23 17:00"), ("", "09-24 17:00")]
    assert refused(t.reply("handle", "ask_extension", unit="370102.urban", **ASKED)) == "extension_after_due"


def test_granted_after_the_due_it_was_never_late() -> None:
    t = (
        _asked()
        .wait_until("2026-09-28 10:00")
        .reply("decide_extension", "grant_extension")
        .wait_until("2026-10-08 16:59")
    )
    assert not [e for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and (e.kind, e.of) in LEADS]
    t.wait_until("2026-10-08 17:00")
    assert [e.of for e in t.records[-1].events if isinstance(e, ev.ClockOverdue)] == ["1"]


def test_it_warns_of_the_new_date_too() -> None:
    t = _asked().wait_until("2026-09-24 10:00")
    before = [e for r in t.records for e in r.events if isinstance(e, ev.ClockWarned) and not e.of]
    assert [show(e.due)[5:16] for e in before] == ["09-24 17:00"]
    t.reply("decide_extension", "grant_extension").wait_until("2026-10-09 10:00")
    after = [e for r in t.records for e in r.events if isinstance(e, ev.ClockWarned) and not e.of]
    assert [show(e.due)[5:16] for e in after] == ["09-24 17:00", "10-09 17:00"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"limit": "11wd"}, "extension_too_long"),
        ({"limit": "24h"}, "extension_too_long"),
        ({"reason": None}, "incomplete"),
    ],
)
def test_what_the_policy_does_not_give(said: dict[str, object], code: str) -> None:
    assert refused(_asked(**said)) == code


def test_no_more_often_and_no_more_in_all_than_the_policy_says() -> None:
    """Also where the next lead asks: the citizen has waited for all of it."""
    t = _asked(limit="6wd").reply("decide_extension", "grant_extension")
    assert (
        refused(t.reply("handle", "ask_extension", unit="370102.urban", limit="5wd", reason="x"))
        == "extension_too_long"
    )
    t.reply("handle", "ask_extension", unit="370102.urban", limit="1wd", reason="x")
    assert refused(t.reply("handle", "ask_extension", unit="370102.urban", **ASKED)) == "extension_undecided"
    t.reply("decide_extension", "grant_extension")
    assert (
        refused(t.reply("handle", "ask_extension", unit="370102.urban", limit="1wd", reason="x")) == "extension_used_up"
    )
    assert refused(told().submit("alone").reply("handle", "ask_extension", **ASKED)) == "extension_not_allowed"


def test_who_assists_gets_no_more_than_the_citizen_has() -> None:
    t = told().submit("timed").reply("handle", "ask_extension", unit="370102.water", **ASKED)
    t.reply("decide_extension", "grant_extension")
    assert (_due(t, "finish/2"), _due(t, "finish/")) == ("09-24 17:00", "09-24 17:00")
    assert t.left == ["tasks.water task.assigned"]
    assert refused(t.reply("handle", "ask_extension", unit="370102.water", **ASKED)) == "extension_too_long"


def test_a_second_level_unit_asks_the_first_level_one() -> None:
    t = told().submit("timed").reply("handle", "sub_dispatch", unit="370102.urban", units=["370102001.town"])
    assert refused(t.reply("handle", "ask_extension", unit="370102001.town", **ASKED)) == "extension_too_long"
    t.reply("handle", "ask_extension", unit="370102.urban", **ASKED).reply("decide_extension", "grant_extension")
    t.reply("handle", "ask_extension", unit="370102001.town", **ASKED)
    (task,) = [task for task in t.held.tasks.values() if task.kind == "decide_extension"]
    assert task.unit == "370102.urban"
    t.reply("decide_extension", "grant_extension")
    assert _due(t, "finish/1.1") == "09-30 17:00"


def test_a_reply_leaves_it_to_be_decided() -> None:
    """Replied after the due, undecided: kept in time for now; the decision says whether it was."""
    t = _asked().wait_until("2026-09-24 09:00")
    t.reply("handle", "reply", unit="370102.urban", result="solved", text="x")
    (stopped,) = [e for e in t.records[-1].events if isinstance(e, ev.ClockStopped) and e.kind == "finish"]
    assert stopped.met
    t.reply("decide_extension", "grant_extension")
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("10-08 17:00", "10-09 17:00")
    assert not t.held.clocks["finish/1"].running


def test_with_the_leg_ends_what_it_asked_for() -> None:
    t = (
        _asked()
        .reply("handle", "return", unit="370102.urban", reason="不属本局")
        .reply("decide_return", "accept_return")
    )
    assert "ExtensionLapsed" in t.happened
    assert not [task for task in t.held.tasks.values() if task.kind == "decide_extension"]
    assert t.held.clocks["finish/"].course is not None
    t.wait_until("2026-09-24 17:00")
    assert [e.of for e in t.records[-1].events if isinstance(e, ev.ClockOverdue) and e.kind == "finish"] == [""]


def test_a_ladder_edited_since_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 50 of the comparison: an edit of the policy moves no rung of a clock that runs, nor does an extension bring it in."""
    t = _asked()
    before = t.held.clocks["finish/"].course
    assert before is not None
    edited = tuple(replace(clock, ladder=clock.ladder[:1]) for clock in TIMED.clocks)
    monkeypatch.setitem(POLICIES, "timed", replace(TIMED, clocks=edited))
    t.reply("decide_extension", "grant_extension")
    after = t.held.clocks["finish/"]
    rungs = [(mark.level, show(mark.at)[5:16]) for mark in after.marks if mark.what == "escalate"]
    assert rungs == [(1, "10-10 17:00"), (2, "10-13 17:00")]
    assert CHINA.consumed(ms("2026-09-24 17:00"), ms("2026-10-09 17:00"), "wd") == 5 * int(6.5 * HOUR)
