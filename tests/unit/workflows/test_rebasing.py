"""A calendar is published anew while clocks run: where their dues and marks go, who is told, and what stays."""

import pytest
from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CALENDARS, CHANGED, CHINA, HALL, OFFICE, PUBLISHED, YEAR, day, ms, show
from tests.unit.workflows.small_world import NOW, POLICIES, POLICY, Told, told
from workflows import events as ev
from workflows.calendars import Calendar
from workflows.case import Clock
from workflows.policies import Step

HANG = {"reason": "listed", "text": "列入计划", "until": "2027-03-31T17:00:00+08:00"}
TWO = {"officer": "0001", "confirmed_by": "0002"}


def clock(t: Told, key: str = "finish/") -> Clock:
    return t.held.clocks[key]


def due(t: Told, key: str = "finish/") -> str:
    return show(clock(t, key).due)[:16]


def rebased(t: Told) -> list[ev.ClockRebased]:
    return [event for record in t.records for event in record.events if isinstance(event, ev.ClockRebased)]


def test_each_clock_is_counted_anew_and_says_from_where_to_where() -> None:
    """09-20 is no longer worked, 09-22 and 09-23 are off: five working days from Friday 09-18 end on 09-30."""
    t = told().submit("street")
    assert due(t) == "2026-09-24 17:00"
    t.rebase(CHANGED)
    assert due(t) == "2026-09-30 17:00"
    event = next(e for e in rebased(t) if not e.of)
    assert (event.reason, event.calendar_before, event.calendar) == ("new_calendar", CHINA.id, CHANGED.id)
    assert (show(event.before)[:16], show(event.due)[:16]) == ("2026-09-24 17:00", "2026-09-30 17:00")
    assert {c.calendar for c in t.held.clocks.values() if c.running} == {CHANGED.id}
    assert [(m.what, show(m.at)[:16]) for m in clock(t).marks] == [
        ("warn", "2026-09-29 17:00"),
        ("due", "2026-09-30 17:00"),
        ("escalate", "2026-10-08 17:00"),
        ("escalate", "2026-10-10 17:00"),
    ]


def test_the_citizen_is_told_the_new_date_and_why_and_holders_get_their_tasks_again() -> None:
    t = told().submit("alone").rebase(CHANGED)
    said = t.data("case.status_changed")
    assert (said["promised_due"], said["promised_before"], said["reason"], said["status"]) == (
        "2026-09-30T17:00:00+08:00",
        "2026-09-24T17:00:00+08:00",
        "节假日安排公布或调整",
        "due_moved",
    )
    assert t.left == ["tasks.desk task.assigned", "answers.website case.status_changed"]
    task = t.data("task.assigned")
    assert task["reason"] == "due_moved"
    assert {entry["kind"]: entry["due"] for entry in task["due"]}["finish"] == "2026-09-29T17:00:00+08:00"  # type: ignore[index,union-attr]


def test_what_becomes_certain_without_moving_is_nobodys_news() -> None:
    """The notice for next year comes out in November: what was provisional is so no more."""
    t = told(ms("2026-12-25 10:00")).submit("alone")
    assert clock(t).provisional
    assert due(t) == "2027-01-01 17:00"
    t.rebase(PUBLISHED)
    assert not clock(t).provisional
    assert due(t) == "2027-01-04 17:00"
    early = told(ms("2026-11-20 10:00")).submit("alone").rebase(PUBLISHED)
    assert early.happened == ["ClockRebased"] * 3
    assert all(e.before == e.due for e in rebased(early))
    assert early.left == []


def test_what_has_fired_stays_fired() -> None:
    """Overdue under the old calendar; under the new one there is time left: nobody is told again when that is over."""
    t = told().submit("alone").wait_until("2026-09-24 18:00")
    assert [
        m.type.split(".")[3] for m in t.said if m.type == "cn.duokua.clock.overdue.v1" and b'"leg"' not in bytes(m.data)
    ] == ["overdue"]
    t.rebase(CHANGED)
    assert due(t) == "2026-09-30 17:00"
    assert [m.what for m in clock(t).marks] == ["escalate", "escalate"]
    t.wait_until("2026-10-15 18:00")
    fired = [
        (type(e).__name__, getattr(e, "level", 0))
        for r in t.records
        for e in r.events
        if getattr(e, "kind", "") == "finish" and not e.of
    ]  # type: ignore[union-attr]
    assert fired == [
        ("ClockStarted", 0), ("ClockWarned", 0), ("ClockOverdue", 0), ("ClockRebased", 0), ("CaseEscalated", 1), ("CaseEscalated", 2),
    ]  # fmt: skip


def test_a_mark_whose_new_time_is_past_fires_at_the_next_pass_and_not_before() -> None:
    t = told()
    t.facts = replace(t.facts, china=CHANGED)
    t.submit("alone").wait_until("2026-09-28 10:00")
    assert "ClockOverdue" not in [
        type(e).__name__ for r in t.records for e in r.events if getattr(e, "kind", "") == "finish"
    ]
    t.rebase(CHINA)
    assert t.happened == ["ClockRebased"] * 2
    assert t.held.next_due < t.now
    t.wait_until("2026-09-28 10:00")
    assert "ClockOverdue" in [type(e).__name__ for r in t.records for e in r.events]


def test_there_and_back_is_where_it_was() -> None:
    t = told().submit("street")
    before = t.held.clocks
    assert t.rebase(CHANGED).held.clocks != before
    assert t.rebase(CHINA).held.clocks == before


def test_a_version_that_says_the_same_days_moves_nothing() -> None:
    again = Calendar.build("cn-2026-reworded", hours=[OFFICE], years=[YEAR], horizon=day("12-31"))
    CALENDARS[again.id] = again
    t = told().submit("street").rebase(again)
    assert t.last.record is None
    assert clock(t).calendar == CHINA.id
    t.rebase(CHANGED)
    assert {e.calendar_before for e in rebased(t)} == {CHINA.id}


def test_an_edited_policy_lends_no_ladder_to_clocks_that_run() -> None:
    """What the clock was started with is asked of its marks: as far from the due as they were."""
    t = told().submit("alone")
    finish = replace(
        POLICY.clocks[0], budget="9wd", warn=(), ladder=(Step(level=7, after="1h", who="unit", what="urge"),)
    )
    POLICIES["city"] = replace(POLICY, clocks=(finish, *POLICY.clocks[1:]))
    try:
        t.rebase(CHANGED)
    finally:
        POLICIES["city"] = POLICY
    assert due(t) == "2026-09-30 17:00"
    assert [(m.what, m.level, show(m.at)[5:16]) for m in clock(t).marks] == [
        ("warn", 0, "09-29 17:00"), ("due", 0, "09-30 17:00"), ("escalate", 1, "10-04 17:00"), ("escalate", 2, "10-06 17:00"),
    ]  # fmt: skip


def test_a_unit_below_stays_within_the_one_above() -> None:
    t = told().submit("alone")
    t.reply("handle", "sign").reply("handle", "sub_dispatch", units=["370102001.town"])
    assert clock(t, "finish/1.1").due == CHINA.subtract(clock(t, "finish/1").due, "1wd")
    t.rebase(CHANGED)
    assert due(t, "finish/1") == "2026-09-29 17:00"
    assert clock(t, "finish/1.1").due == CHANGED.subtract(clock(t, "finish/1").due, "1wd")


@pytest.mark.parametrize("ends", ["plan", "release"])
def test_a_unit_below_follows_when_the_one_above_goes_on_sooner_than_it_stood(ends: str) -> None:
    """The calendar changed while the lead's clock stood still: what that makes of its due is known when it goes on."""
    t = told().submit("alone").reply("handle", "sign").rebase(CHANGED)
    t.reply("handle", "ask_hang", **HANG).reply("decide_hang", "grant_hang", **TWO)
    t.reply("handle", "sub_dispatch", units=["370102001.town"]).rebase(PUBLISHED)
    assert due(t, "finish/1") == "2026-09-29 17:00"
    if ends == "plan":
        t.reply("review_plan", "review_plan", **HANG | TWO | {"until": "2027-02-26T17:00:00+08:00"})
    else:
        t.order("370100.hotline", "release", reason="listed", confirmed_by="0002")
    assert (due(t, "finish/1"), due(t, "finish/1.1")) == ("2026-09-23 17:00", "2026-09-22 17:00")
    (event,) = [e for e in rebased(t) if e.reason == "outer_sooner"]
    assert (event.of, event.calendar, event.calendar_before) == ("1.1", PUBLISHED.id, PUBLISHED.id)
    assert "tasks.town task.assigned" in t.left, "the unit below is told"
    t.wait_until("2026-09-22 17:00")
    assert "ClockOverdue" in t.happened, "at the new due"


def test_a_unit_below_whose_clock_stands_still_is_due_in_time_too() -> None:
    """And goes on within the one above, however long it stood."""
    t = told()
    t.facts = replace(t.facts, china=CHANGED)
    t.submit("timed").reply("handle", "sub_dispatch", unit="370102.urban", units=["370102001.town"])
    t.reply("handle", "pause", unit="370102001.town", reason="appraisal").rebase(CHINA)
    assert (due(t, "finish/1"), due(t, "finish/1.1")) == ("2026-09-23 17:00", "2026-09-22 17:00")
    t.now = ms("2026-09-21 10:00")
    t.reply("handle", "go_on", unit="370102001.town")
    assert due(t, "finish/1.1") == "2026-09-22 17:00"
    assert [(m.what, show(m.at)[:16]) for m in clock(t, "finish/1.1").marks if m.what != "warn"] == [
        ("due", "2026-09-22 17:00"), ("escalate", "2026-09-22 17:00"),
    ]  # fmt: skip


def test_two_levels_below_follow() -> None:
    t = told().submit("deep").reply("handle", "sign", unit="370102.urban").rebase(CHANGED)
    t.reply("handle", "ask_hang", unit="370102.urban", **HANG).reply("decide_hang", "grant_hang", **TWO)
    t.reply("handle", "sub_dispatch", unit="370102.urban", units=["370102001.town"])
    t.reply("handle", "sub_dispatch", unit="370102001.town", units=["370102001001.village"]).rebase(CHINA)
    t.order("370100.hotline", "release", reason="listed", confirmed_by="0002")
    assert [due(t, f"finish/{leg}")[5:10] for leg in ("1", "1.1", "1.1.1")] == ["09-23", "09-22", "09-21"]


def test_what_is_sent_back_goes_on_by_the_calendar_of_that_day() -> None:
    """While the reply was under review nobody counted; the sweep leaves such a clock alone."""
    t = told().submit("alone").reply("handle", "sign").reply("handle", "reply", result="solved", text="已办")
    t.rebase(CHANGED)
    assert clock(t, "finish/1").calendar == CHINA.id
    t.reply("review", "send_back", reason="再办")
    assert t.happened == ["LegSentBack", "ClockResumed", "ClockRebased", "ClockStopped"]
    assert due(t, "finish/1") == "2026-09-29 17:00"
    assert t.data("task.sent_back")["round"] == 1


def test_nothing_to_count_nothing_to_say() -> None:
    t = told(NOW).submit("known")
    assert not t.held.clocks
    assert t.rebase(CHANGED).last.record is None


def test_a_clock_that_stood_with_a_returned_leg_is_taken_over_by_the_days_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It had stopped when the calendar was published anew: nobody re-based it then."""
    monkeypatch.setitem(POLICIES, "city", replace(POLICY, floor="1wd", return_within=""))
    t = told().submit("alone").reply("handle", "return", reason="not ours").reply("decide_return", "accept_return")
    assert t.held.clocks["finish/1"].calendar == CHINA.id
    t.rebase(CHANGED).reply("triage", "dispatch", targets=[{"unit": "370102.water"}])
    assert {c.calendar for c in t.held.clocks.values() if c.running} == {CHANGED.id}


def test_who_takes_a_clock_over_counts_it_by_his_own_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor too: nothing is left that a later look at an unchanged calendar would move."""
    for floor in ("1wd", "9wd"):
        monkeypatch.setitem(POLICIES, "timed", replace(POLICIES["timed"], floor=floor))
        t = (
            told()
            .submit("timed")
            .reply("handle", "return", unit="370102.urban", reason="x", proposed_unit="370102.police")
        )
        t.reply("decide_return", "accept_return")
        assert t.held.lead is not None
        assert clock(t, f"finish/{t.held.lead.id}").calendar == HALL.id
        assert t.rebase(CHINA).happened == []
