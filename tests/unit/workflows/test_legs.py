"""
Lead and assist, and the tree of legs: the lead answers for the whole, a unit for those it dispatched to, and none hides another.

Rows of the comparison with other systems: 25 the first receiver leads the others, whose parts are its own legs; 17 a
leg's failure is its own.
"""

import pytest

from tests.unit.workflows.calendar_2026 import show
from tests.unit.workflows.small_world import Told, refused, told
from workflows import events as ev

ANSWER = {"result": "solved", "text": "已办"}
TOWN, VILLAGE = "370102001.town", "370102001001.village"


def _deep() -> Told:
    """A bureau, its town, that town's village."""
    t = told().submit("deep").reply("handle", "sub_dispatch", unit="370102.urban", units=[TOWN])
    return t.reply("handle", "sub_dispatch", unit=TOWN, units=[VILLAGE])


# -- lead and assist ----------------------------------------------------------------------------


def test_the_lead_waits_for_as_many_assists_as_the_policy_says() -> None:
    """One of two; or it names those that have not answered, and the reviewer sees who has not."""
    t = told().submit("deep")
    assert refused(t.reply("handle", "reply", unit="370102.urban", **ANSWER)) == "assists_open"
    t.reply("handle", "reply", unit="370102.urban", **ANSWER, unanswered=["370102.water", "370102.health"])
    review = t.data("task.assigned")["reply_under_review"]
    assert review["unanswered"] == ["370102.water", "370102.health"]  # type: ignore[index]
    t = told().submit("deep").reply("handle", "reply", unit="370102.water", **ANSWER)
    assert t.data("task.assigned")["unit"] == "370102.urban"
    assert t.reply("handle", "reply", unit="370102.urban", **ANSWER).held.state == "replied"


def test_the_case_ends_with_the_leads_reply_and_an_open_assist_is_withdrawn() -> None:
    """The default: `lead`."""
    t = told().submit().reply("handle", "reply", unit="370102.urban", **ANSWER).reply("review", "pass")
    assert (t.held.state, t.held.legs["2"].state) == ("closed", "withdrawn")


def test_the_lateness_of_one_leg_does_not_hide_anothers() -> None:
    """Row 17: each leg has its own warnings; that the lead replied in time silences none of the assist's."""
    t = told().submit().reply("handle", "reply", unit="370102.urban", **ANSWER).wait_until("2026-09-25 09:00")
    overdue = {
        e.of for record in t.records for e in record.events if isinstance(e, ev.ClockOverdue) and e.of in ("1", "2")
    }
    assert overdue == {"2"}


# -- the tree -------------------------------------------------------------------------------------


def test_there_are_as_many_levels_as_the_policy_allows() -> None:
    """Each is done a reserve before the one above; the lowest cannot go further, and is not offered it."""
    t = _deep()
    dues = [show(t.held.clocks[f"finish/{leg}"].due) for leg in ("1", "1.1", "1.1.1")]
    assert dues == ["2026-09-23 17:00:00", "2026-09-22 17:00:00", "2026-09-21 17:00:00"]
    assert refused(t.reply("handle", "sub_dispatch", unit=VILLAGE, units=["x"])) == "second_level"
    assert "sub_dispatch" not in t.data("task.assigned")["allowed"]  # type: ignore[operator]


def test_replies_rise_level_by_level() -> None:
    t = _deep()
    assert refused(t.reply("handle", "reply", unit=TOWN, **ANSWER)) == "children_open"
    t.reply("handle", "reply", unit=VILLAGE, **ANSWER)
    assert (t.data("task.assigned")["unit"], t.data("task.assigned")["reason"]) == (TOWN, "reply_below")
    t.reply("handle", "reply", unit=TOWN, **ANSWER)
    assert t.data("task.assigned")["unit"] == "370102.urban"


@pytest.mark.parametrize(
    ("endpoint", "action", "code"),
    [
        ("town", "reply", ""),
        ("desk", "reply", ""),
        ("desk", "sign", ""),
        ("water", "reply", "wrong_endpoint"),
        ("centre", "reply", "wrong_endpoint"),
        ("town", "return", "wrong_action"),
        ("town", "sub_dispatch", "wrong_action"),
    ],
)
def test_a_unit_may_speak_for_those_below_it_and_for_no_others(endpoint: str, action: str, code: str) -> None:
    """To sign and to reply; the unit spoken for is told that its task is over, the event says who spoke."""
    t = _deep()
    task = t.held.legs["1.1.1"].task
    t.reply_to(task, endpoint, action, **ANSWER, reason="x", units=["x"])  # type: ignore[arg-type]
    if code:
        assert refused(t) == code
    elif action == "reply":
        replied = next(e for e in t.records[-1].events if isinstance(e, ev.LegReplied))
        assert (replied.leg, replied.by) == ("1.1.1", {"town": TOWN, "desk": "370102.urban"}[endpoint])
        assert t.left[0] == "tasks.village task.withdrawn"
        assert t.data("task.withdrawn")["reason"] == "answered_above"


def test_a_unit_below_cannot_speak_for_the_one_above() -> None:
    t = _deep()
    assert refused(t.reply_to(t.held.legs["1"].task, "town", "reply", **ANSWER)) == "wrong_endpoint"


def test_who_dispatched_further_may_take_it_back() -> None:
    """With all below it, and what was asked about it: no clock of theirs runs on, no task is left."""
    t = _deep().reply("handle", "return", unit=VILLAGE, reason="不在本村")
    assert "recall" in t.data("task.assigned")["allowed"] or t.data("task.assigned")["kind"] == "decide_return"  # type: ignore[operator]
    t.reply("handle", "recall", unit="370102.urban", units=[TOWN], reason="派错")
    assert t.happened.count("LegTakenBack") == 2
    assert {leg.state for leg in t.held.legs.values() if leg.parent} == {"withdrawn"}
    assert {task.unit for task in t.held.tasks.values()} == {"370102.urban", "370102.water", "370102.health"}
    of = {task.id for task in t.held.tasks.values()} | {leg.id for leg in t.held.legs.values() if leg.open} | {""}
    assert {clock.of for clock in t.held.clocks.values() if clock.running} <= of
    assert t.data("task.withdrawn")["reason"] == "taken_back"
    assert refused(t.reply("handle", "recall", unit="370102.urban", units=[TOWN])) == "not_below"
    t.reply("handle", "sub_dispatch", unit="370102.urban", units=["370102002.town"])
    assert t.held.legs["1.2"].unit == "370102002.town"


def test_who_dispatched_further_may_send_a_reply_back() -> None:
    """退回下级重办: the same task and due; the clock goes on as if it had not stopped, and the unit above waits again."""
    t = (
        told()
        .submit("alone")
        .reply("handle", "sub_dispatch", units=[TOWN])
        .reply("handle", "reply", unit=TOWN, **ANSWER)
    )
    leg, due = t.held.legs["1.1"], t.held.clocks["finish/1.1"].due
    assert "send_back_below" in t.data("task.assigned")["allowed"]  # type: ignore[operator]
    t.reply("handle", "send_back_below", unit="370102.urban", units=[TOWN], reason="没有照片")
    assert t.happened == ["LegSentBack", "ClockResumed"]
    again = t.data("task.sent_back")
    assert (again["task_id"], again["round"], again["reason"]) == (leg.task, 1, "没有照片")
    assert (t.held.clocks["finish/1.1"].due, t.held.clocks["finish/1.1"].running) == (due, True)
    assert refused(t.reply("handle", "reply", unit="370102.urban", **ANSWER)) == "children_open"
    t.reply("handle", "reply", unit=TOWN, **ANSWER).reply("handle", "reply", unit="370102.urban", **ANSWER)
    assert t.held.state == "replied"


def test_only_what_was_dispatched_by_oneself_can_be_taken_back_or_sent_back() -> None:
    t = _deep()
    assert refused(t.reply("handle", "recall", unit="370102.urban", units=[VILLAGE])) == "not_below"
    assert refused(t.reply("handle", "send_back_below", unit="370102.urban", units=[TOWN], reason="x")) == "not_below"
    assert refused(t.reply("handle", "recall", unit="370102.urban")) == "incomplete"
