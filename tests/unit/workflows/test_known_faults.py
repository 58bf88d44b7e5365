"""Faults of other systems that concern clocks, by the number under which their users report them: none of them here."""

import pytest
from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CHINA, ms, show
from tests.unit.workflows.small_world import POLICIES, POLICY, TIMED, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.attribution import attribute, happened
from workflows.workdays import HOUR

URBAN = "370102.urban"


def _due(t: Told, clock: str) -> str:
    return show(t.held.clocks[clock].due)[5:16]


def _late(t: Told) -> list[str]:
    return [
        e.of
        for r in t.records
        for e in r.events
        if isinstance(e, ev.ClockOverdue) and (e.kind, e.of) != ("finish", "2")
    ]


def _paused() -> Told:
    return (
        told().submit("timed").wait_until("2026-09-21 10:00").reply("handle", "pause", unit=URBAN, reason="appraisal")
    )


@pytest.mark.parametrize("number", ["GLPI #6902", "GLPI #15605"])
def test_pending_time_is_not_lost_when_the_policy_changes(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the SLA was changed while a ticket waited, and the time that it had waited counted against it."""
    t = _paused()
    shorter = tuple(replace(clock, budget="1wd") if clock.kind == "finish" else clock for clock in TIMED.clocks)
    monkeypatch.setitem(POLICIES, "timed", replace(TIMED, clocks=shorter))
    t.wait_until("2026-09-23 10:00").reply("handle", "go_on", unit=URBAN)
    assert (_due(t, "finish/1"), _due(t, "finish/")) == ("09-28 17:00", "09-29 17:00")


def test_nothing_is_late_while_it_waits() -> None:
    """GLPI #24481, osTicket #3034: a ticket that waits for its requester was late; or could not wait at all."""
    t = _paused().wait_until("2026-09-29 09:59")
    assert not _late(t)


def test_a_warning_before_the_due_knows_the_calendar() -> None:
    """GLPI #15429: levels with a negative delay were reckoned without the calendar. One working day before Thu 10-08 is Wed 09-30."""
    t = told(ms("2026-09-24 09:00")).submit("alone").wait_until("2026-10-08 17:00")
    warned = [r.at for r in t.records for e in r.events if isinstance(e, ev.ClockWarned) and not e.of]
    assert _due(t, "finish/") == "10-09 17:00"
    assert [show(at)[5:16] for at in warned] == ["10-08 17:00"]
    earlier = told(ms("2026-09-23 09:00")).submit("alone").wait_until("2026-10-08 17:00")
    warned = [r.at for r in earlier.records for e in r.events if isinstance(e, ev.ClockWarned) and not e.of]
    assert (_due(earlier, "finish/"), [show(at)[5:16] for at in warned]) == ("10-08 17:00", ["09-30 17:00"])


def test_who_is_given_it_last_has_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """GLPI #1911: the time ran from the first assignment, and the second group had none left."""
    monkeypatch.setitem(POLICIES, "city", replace(POLICY, floor="1wd", return_within=""))
    t = told().submit("alone").wait_until("2026-09-23 16:00").reply("handle", "return", reason="x")
    t.reply("decide_return", "accept_return", proposed_unit="370102.water")
    assert _due(t, "finish/2") == "09-24 17:00"


def test_a_clock_does_not_begin_anew_when_somebody_joins() -> None:
    """GLPI #14423: the clock of a group began anew when a technician was added."""
    t = told().submit("alone").wait_until("2026-09-21 10:00")
    before = t.held.clocks["finish/1"]
    t.reply("handle", "sub_dispatch", units=["370102001.town"])
    assert t.held.clocks["finish/1"] == before


def test_what_comes_in_at_night_has_its_whole_time() -> None:
    """GLPI #687: a ticket opened outside of hours had a delay of nothing."""
    t = told(ms("2026-09-18 22:00")).submit("unclear")
    (triage,) = [clock for clock in t.held.clocks.values() if clock.kind == "triage"]
    assert CHINA.consumed(ms("2026-09-18 22:00"), triage.due, "wh") == 2 * HOUR


def test_an_edited_policy_moves_no_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zammad reckons all open tickets anew when an SLA is edited, Frappe too: the date that was promised moves in silence."""
    t = told().submit("timed")
    dues = {key: clock.due for key, clock in t.held.clocks.items()}
    monkeypatch.setitem(POLICIES, "timed", replace(TIMED, clocks=tuple(replace(c, budget="9wd") for c in TIMED.clocks)))
    t.follow_up(cmd.Supplement, text="x").wait_until("2026-09-18 10:00")
    assert {key: t.held.clocks[key].due for key in dues} == dues


def test_sent_back_it_goes_on_and_is_not_escalated_at_once() -> None:
    """Zammad: the pause is hidden, and a ticket that is opened anew may escalate at once."""
    t = told().submit("alone").wait_until("2026-09-21 10:00").reply("handle", "reply", result="solved", text="x")
    t.wait_until("2026-09-22 09:00").reply("review", "send_back", reason="x").wait_until("2026-09-22 10:00")
    assert not _late(t)
    assert (t.held.clocks["finish/1"].running, _due(t, "finish/1")) == (True, "09-23 17:00")


def test_the_lunch_break_is_nobodys_time() -> None:
    """Frappe #2212: office hours could not have a break. Four hours from Friday 09:00 end at 14:30."""
    assert _due(told().submit("alone"), "sign/1") == "09-18 14:30"


def test_what_the_applicant_adds_begins_nothing_anew() -> None:
    """osTicket #407: the clock began anew with every update."""
    t = told().submit("alone").wait_until("2026-09-21 10:00")
    before = t.held.clocks
    t.follow_up(cmd.Supplement, text="x")
    assert t.held.clocks == before


def test_how_late_it_was_is_exact_after_pause_and_extension() -> None:
    """iTop says of its overrun that it "can be wrong", as it keeps no history."""
    t = _paused().wait_until("2026-09-22 10:00").reply("handle", "go_on", unit=URBAN)
    t.reply("handle", "ask_extension", unit=URBAN, limit="2wd", reason="x").reply("decide_extension", "grant_extension")
    assert _due(t, "finish/1") == "09-29 17:00"
    t.wait_until("2026-10-08 10:30").reply("handle", "reply", unit=URBAN, result="solved", text="x")
    made = attribute(happened(t.records), CHINA, t.now)
    assert made is not None
    assert {kept.of: kept.late for kept in made.kept if kept.of in ("", "1")} == {"": int(1.5 * HOUR), "1": 8 * HOUR}
