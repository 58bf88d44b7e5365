"""暂停计时: only for reasons that the policy lists, only so long, and not a minute of the unit's time is lost or won."""

from msgspec import json

from tests.unit.workflows.calendar_2026 import CHINA, ms, show
from tests.unit.workflows.small_world import Told, refused, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.workdays import HOUR

DAY_OF_WORK = int(6.5 * HOUR)


def _due(t: Told, clock: str) -> str:
    return show(t.held.clocks[clock].due)[5:16]


def _paused(at: str, reason: str = "appraisal") -> Told:
    return told().submit("timed").wait_until(at).reply("handle", "pause", unit="370102.urban", reason=reason)


def test_what_was_left_is_left_when_it_goes_on() -> None:
    """Two whole working days stood still: both dues lie two working days later, and the citizen is told."""
    t = _paused("2026-09-21 10:00").wait_until("2026-09-23 10:00")
    assert t.held.clocks["finish/1"].course.pause == "appraisal"  # type: ignore[union-attr]
    t.reply("handle", "go_on", unit="370102.urban")
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("09-28 17:00", "09-29 17:00")
    (first, _) = [e for e in t.records[-1].events if isinstance(e, ev.ClockWentOn)]
    assert (first.took, first.before, first.why) == (2 * DAY_OF_WORK, ms("2026-09-23 17:00"), "asked")
    assert t.data("case.status_changed")["promised_due"] == "2026-09-29T17:00:00+08:00"


def test_while_it_stands_still_nothing_fires() -> None:
    t = _paused("2026-09-21 10:00").wait_until("2026-09-26 10:00")
    news = [
        e for r in t.records for e in r.events if isinstance(e, ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated)
    ]
    assert {e.of for e in news} == {"2"}, "who assists did not pause"


def test_it_goes_on_by_itself_at_the_very_instant_that_the_policy_sets() -> None:
    """Five working days from Monday 10:00, however late the engine looks."""
    t = _paused("2026-09-21 10:00")
    t.now = ms("2026-10-12 15:00")
    t.take(cmd.ReachDeadline(id="d", case=t.held.id, at=t.now))
    on = [e for e in t.records[-1].events if isinstance(e, ev.ClockWentOn)]
    assert {show(e.since) for e in on} == {"2026-09-29 10:00:00"}
    assert {e.took for e in on} == {5 * DAY_OF_WORK}
    assert {e.why for e in on} == {"pause_used_up"}
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("10-08 17:00", "10-09 17:00")


def test_no_oftener_and_no_longer_than_the_policy_allows() -> None:
    """Twice, five working days together: after three of them two are left."""
    t = _paused("2026-09-20 09:00").wait_until("2026-09-23 09:00").reply("handle", "go_on", unit="370102.urban")
    t.reply("handle", "pause", unit="370102.urban", reason="appraisal")
    assert {show(c.marks[0].at) for c in t.held.clocks.values() if c.course and c.course.pause} == {
        "2026-09-24 17:00:00"
    }
    t.wait_until("2026-09-28 09:00")
    assert refused(t.reply("handle", "pause", unit="370102.urban", reason="appraisal")) == "pause_used_up"


def test_no_pause_unless_the_policy_says_so() -> None:
    assert refused(told().submit("alone").reply("handle", "pause", reason="appraisal")) == "pause_not_allowed"
    assert (
        refused(told().submit("timed").reply("handle", "pause", unit="370102.urban", reason="lunch"))
        == "pause_not_allowed"
    )
    late = told().submit("timed").wait_until("2026-09-23 18:00")
    assert refused(late.reply("handle", "pause", unit="370102.urban", reason="appraisal")) == "pause_after_due"
    assert refused(told().submit("timed").reply("handle", "go_on", unit="370102.urban")) == "clock_runs"
    assert (
        refused(_paused("2026-09-21 10:00").reply("handle", "pause", unit="370102.urban", reason="appraisal"))
        == "clock_paused"
    )
    asked = _paused("2026-09-21 10:00").reply("handle", "ask_extension", unit="370102.urban", limit="1wd", reason="x")
    assert refused(asked) == "clock_paused"


def test_who_waits_for_the_applicant_waits_no_longer_than_that() -> None:
    """Its own clock only; the citizen's runs on."""
    t = _paused("2026-09-21 10:00", "applicant").wait_until("2026-09-22 10:00")
    assert (t.held.clocks["finish/"].course, _due(t, "finish/")) == (None, "09-24 17:00")
    t.follow_up(cmd.Supplement, text="照片已补")
    assert t.happened == ["CaseSupplemented", "ClockWentOn"]
    assert _due(t, "finish/1") == "09-24 17:00"


def test_a_reply_ends_the_pause_and_a_return_does() -> None:
    """What it used up is exact; sent back, it goes on from there with the due it then had."""
    t = _paused("2026-09-21 10:00").wait_until("2026-09-22 10:00")
    t.reply("handle", "reply", unit="370102.urban", result="solved", text="x")
    stopped = next(e for e in t.records[-1].events if isinstance(e, ev.ClockStopped) and e.kind == "finish")
    assert stopped.consumed == CHINA.consumed(ms("2026-09-19 00:00"), ms("2026-09-21 10:00"), "wd")
    assert t.held.clocks["finish/"].running
    assert _due(t, "finish/") == "09-28 17:00"
    returned = _paused("2026-09-21 10:00").reply("handle", "return", unit="370102.urban", reason="x")
    returned.wait_until("2026-09-21 14:30").reply("decide_return", "accept_return")
    assert returned.happened[:3] == ["LegReturned", "ClockWentOn", "ClockWentOn"]


def test_whoever_has_the_task_sees_that_its_clock_stands_still() -> None:
    t = _paused("2026-09-21 10:00").follow_up(cmd.Supplement, text="还在等")
    told_again = [json.decode(m.data) for m in t.last.messages if m.type == "cn.duokua.task.assigned.v1"]
    assert [due["paused"] for due in told_again[0]["due"]] == [True]
    assert "go_on" in told_again[0]["allowed"]
    assert "pause" not in told_again[0]["allowed"]
