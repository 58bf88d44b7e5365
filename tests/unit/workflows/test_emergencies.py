"""转应急 by an officer: whoever has the case in hand is let go, and the receipt has its minutes, in whatever state it is seen."""

import pytest

from tests.unit.workflows.calendar_2026 import show
from tests.unit.workflows.small_world import Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.attribution import attribute, happened
from workflows.proposals import Proposal

CENTRE, URBAN, POLICE = "370100.hotline", "370102.urban", "370102.police"
GUESSED = Proposal(by="x", version="1", threshold=0.5, category="emergency", score=0.9)


def _signed() -> Told:
    return told().submit("street").reply("handle", "sign", unit=URBAN)


def _replied() -> Told:
    return _signed().reply("handle", "reply", unit=URBAN, result="solved", text="x")


def _hung() -> Told:
    asked = {"reason": "listed", "text": "x", "until": "2027-03-31T17:00:00+08:00"}
    return (
        _signed()
        .reply("handle", "ask_hang", unit=URBAN, **asked)
        .reply("decide_hang", "grant_hang", officer="1", confirmed_by="2")
    )


OPEN = {
    "in_triage": lambda: told().submit("unclear"),
    "refusal_proposed": lambda: told().submit("refuse"),
    "dispatched": lambda: told().submit("street"),
    "signed": _signed,
    "sub_dispatched": lambda: _signed().reply("handle", "sub_dispatch", unit=URBAN, units=["370102001.town"]),
    "replied": _replied,
    "sent_back": lambda: _replied().reply("review", "send_back", reason="x"),
    "hung": _hung,
    "redirected": lambda: told().submit("alone", urgency="emergency"),
}


def test_a_dispatcher_who_is_asked_whether_it_burns_can_say_so() -> None:
    """A guess calls out nobody; the person who looks must be able to, in the same answer."""
    t = told().submit("", proposal=GUESSED)
    assert t.data("task.assigned")["reason"] == "proposed_emergency"
    assert {"dispatch", "redirect"} <= set(t.data("task.assigned")["allowed"])  # type: ignore[call-overload]
    t.reply("triage", "redirect", reason="listed")
    assert t.held.state == "redirected"
    assert [(task.kind, task.unit) for task in t.held.tasks.values()] == [("confirm_receipt", POLICE)]
    assert t.data("case.status_changed")["status"] == "redirected"


@pytest.mark.parametrize("state", OPEN)
def test_in_whatever_state_it_is_seen(state: str) -> None:
    """Nobody else keeps a task; who loses one is told why; ten minutes for the receipt, whatever the policy of the case."""
    t = OPEN[state]()
    assert t.held.state == state
    before = {task.id: task for task in t.held.tasks.values()}
    promised = t.held.clocks.get("finish/")
    t.order(CENTRE, "redirect", reason="listed")
    assert t.data("order.answered")["code"] == "accepted"
    assert (t.held.state, [task.kind for task in t.held.tasks.values()]) == ("redirected", ["confirm_receipt"])
    assert not any(leg.open for leg in t.held.legs.values())
    assert [m.type for m in t.last.messages].count("cn.duokua.task.withdrawn.v1") == len(before)
    assert not before or t.data("task.withdrawn")["reason"] == "redirected"
    (task,) = t.held.tasks
    assert show(t.held.clocks[f"confirm/{task}"].due) == "2026-09-18 09:10:00"
    citizens = t.held.clocks.get("finish/")
    assert (citizens and (citizens.due, citizens.running)) == (promised and (promised.due, True))
    t.reply("confirm_receipt", "confirm_receipt", receipt_no="JQ-1")
    assert (t.held.state, t.held.close_reason) == ("closed", "referred_outside")


def test_who_should_have_taken_it_and_does_not_exist_leaves_it_with_the_centre() -> None:
    t = _signed().order(CENTRE, "redirect", reason="gas")
    assert [task.unit for task in t.held.tasks.values()] == [CENTRE]


def test_what_is_no_emergency_of_the_list_is_refused() -> None:
    t = _signed()
    before = t.held
    t.order(CENTRE, "redirect", reason="boredom")
    assert t.data("order.answered")["reason"] == "unknown_reason"
    t.order(URBAN, "redirect", reason="listed")
    assert t.data("order.answered")["reason"] == "not_entitled"
    assert (t.held.state, t.held.tasks, t.held.clocks) == (before.state, before.tasks, before.clocks)


def test_who_is_merged_or_answered_is_not_redirected() -> None:
    t = told().submit("alone")
    head = "11111111-0000-5000-8000-000000000001"
    t.order(CENTRE, "merge", cases=[head]).take(cmd.JoinAnswered(**t.base(), head=head, asked=1))  # type: ignore[arg-type]
    t.order(CENTRE, "redirect", reason="listed")
    assert t.data("order.answered")["reason"] == "not_allowed"


def test_a_pause_and_an_undecided_extension_end_with_the_work() -> None:
    """The citizen's clock neither stands still nor waits for a decision that nobody will take."""
    t = told().submit("timed").wait_until("2026-09-21 10:00")
    t.reply("handle", "pause", unit=URBAN, reason="appraisal").order(CENTRE, "redirect", reason="listed")
    course = t.held.clocks["finish/"].course
    assert (course.pause, t.held.clocks["finish/"].running) == ("", True)
    t = told().submit("timed").wait_until("2026-09-21 10:00")
    t.reply("handle", "ask_extension", unit=URBAN, limit="5wd", reason="x")
    t.reply("handle", "reply", unit=URBAN, result="solved", text="x").order(CENTRE, "redirect", reason="listed")
    course = t.held.clocks["finish/"].course
    assert course is None or not course.held
    t.wait_until("2026-09-29 18:00")
    assert any(isinstance(e, ev.ClockOverdue) and not e.of for r in t.records for e in r.events)


def test_a_leader_who_waits_for_a_report_still_gets_it() -> None:
    t = (
        _signed()
        .order("370100.mayor", "instruct", text="x", post="分管副市长")
        .order(CENTRE, "redirect", reason="listed")
    )
    assert sorted(task.kind for task in t.held.tasks.values()) == ["confirm_receipt", "report"]
    t.reply("report", "report", text="已转警方")
    assert t.happened[0] == "ReportSubmitted"


def test_the_wrong_service_is_put_right() -> None:
    t = told().submit("alone", urgency="emergency").order(CENTRE, "redirect", reason="gas")
    assert [task.unit for task in t.held.tasks.values()] == [CENTRE]
    t.follow_up(cmd.Supplement, text="在三楼").reply("confirm_receipt", "confirm_receipt")
    assert t.held.close_reason == "referred_outside"


def test_the_time_is_the_receivers_from_then_on() -> None:
    t = (
        _signed()
        .wait_until("2026-09-18 10:00")
        .order(CENTRE, "redirect", reason="listed")
        .wait_until("2026-09-18 10:08")
    )
    t.reply("confirm_receipt", "confirm_receipt")
    made = attribute(happened(t.records), t.facts.china, t.now)
    assert made is not None
    had = [(share.unit, share.time // 60_000) for share in made.shares if share.time]
    assert had == [(URBAN, 60), (POLICE, 8)]
