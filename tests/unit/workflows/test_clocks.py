"""A mark fires once, in the order of time, never before its time, and not after its clock stopped."""

import pytest
from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CHINA, HALL, ms, show
from tests.unit.workflows.small_world import POLICIES, SmallWorld, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.calendars import Calendar
from workflows.clocks import start_statutory_clocks
from workflows.decision import Decision
from workflows.policies import ClockTemplate
from workflows.reckoning import consumed

CLOCK_NEWS = ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated | ev.LegSigned


def _news(t: Told) -> list[str]:
    return [
        f"{show(record.at)[5:16]} {type(event).__name__} {getattr(event, 'kind', '')}"
        for record in t.records
        for event in record.events
        if isinstance(event, CLOCK_NEWS)
    ]


def test_an_unsigned_task_is_deemed_signed() -> None:
    """Four office hours after dispatch; the case moves on as if it were signed, and the unit's time runs."""
    t = told().submit("alone").wait_until("2026-09-18 14:29")
    assert t.held.state == "dispatched"
    t.wait_until("2026-09-18 14:30")
    (deemed, stopped) = t.records[-1].events
    assert deemed == ev.LegSigned(leg="1", deemed=True)
    assert isinstance(stopped, ev.ClockStopped)
    assert (stopped.kind, stopped.consumed, stopped.met) == ("sign", 4 * 3_600_000, True)
    assert t.held.state == "signed"


def test_a_deadline_pass_before_the_time_brings_about_nothing() -> None:
    t = told().submit("alone")
    t.now = t.held.next_due - 1
    case = t.held
    t.take(cmd.ReachDeadline(id="d", case=case.id, at=t.now))
    assert (t.last.record, t.last.messages, t.held) == (None, (), case)


def test_everything_that_is_late_fires_in_order_in_one_pass() -> None:
    """After a standstill of weeks: each mark once, by time, and a deemed signature keeps the sign clock silent."""
    t = told().submit("alone")
    t.now = ms("2026-10-30 09:00")
    t.take(cmd.ReachDeadline(id="d", case=t.held.id, at=t.now))
    names = [(type(e).__name__, getattr(e, "of", "")) for e in t.records[-1].events]
    assert names == [
        ("LegSigned", ""),
        ("ClockStopped", "1"),
        ("ClockWarned", "1"),
        ("ClockWarned", ""),
        ("ClockOverdue", "1"),
        ("CaseEscalated", "1"),
        ("ClockOverdue", ""),
        ("CaseEscalated", ""),
        ("CaseEscalated", ""),
    ]
    assert t.held.next_due == 0


def test_a_backfilled_request_may_be_overdue_at_birth() -> None:
    """Written on paper two weeks ago: the citizen's clock counts from then and fires at once; the unit's counts from now."""
    t = told().submit("alone", received_at_ms=ms("2026-09-04 15:00"), backfilled=True)
    assert show(t.held.clocks["finish/"].due) == "2026-09-11 17:00:00"
    assert show(t.held.clocks["finish/1"].due) == "2026-09-23 17:00:00"
    t.wait_until("2026-09-18 09:00")
    assert _news(t) == [
        "09-18 09:00 ClockWarned finish",
        "09-18 09:00 ClockOverdue finish",
        "09-18 09:00 CaseEscalated finish",
        "09-18 09:00 CaseEscalated finish",
    ]


def test_a_slip_of_a_power_cut_counts_from_its_true_time() -> None:
    """The receipt promises a date by the time on the paper; what is past fires at the next pass, and never again."""
    now, paper = told().submit("alone"), told()
    paper.now = ms("2026-09-21 09:00")
    paper.submit("alone", received_at_ms=now.now, backfilled=True)
    assert paper.held.clocks["finish/"].due == now.held.clocks["finish/"].due
    promised = [t.data("receipt.issued")["promised_due"] for t in (now, paper)]
    assert promised[0] == promised[1] == "2026-09-24T17:00:00+08:00"
    late = told()
    late.now = ms("2026-10-30 09:00")
    late.submit("alone", received_at_ms=now.now, backfilled=True).wait_until("2026-10-30 09:00")
    fired = _news(late)
    assert fired == [
        f"10-30 09:00 {what} finish" for what in ("ClockWarned", "ClockOverdue", "CaseEscalated", "CaseEscalated")
    ]
    assert _news(late.reach_deadline()) == fired


def test_a_stopped_clock_is_silent() -> None:
    """After the reply the unit's clock fires no more, the citizen's does until the case is closed."""
    t = told().submit("alone").reply("handle", "reply", result="solved", text="x").wait_until("2026-09-24 17:00")
    assert [news.split(" ", 2)[2] for news in _news(t)] == [
        "LegSigned ", "ClockOverdue review", "ClockWarned finish", "ClockOverdue finish",
    ]  # fmt: skip
    t.reply("review", "pass")
    assert t.held.next_due == t.held.archive_at


def test_who_has_it_in_hand_is_told() -> None:
    """While the centre reviews, it is the centre's delay and not the unit's."""
    t = told().submit("alone").reply("handle", "reply", result="solved", text="x").wait_until("2026-09-24 17:00")
    event = t.records[-1].events[-1]
    assert isinstance(event, ev.ClockOverdue)
    assert (event.of, event.unit, event.endpoint) == ("", "370100.hotline", "centre")


def test_a_superior_that_must_stand_aside_is_passed_over() -> None:
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370000.urban"}])
    assert t.held.lead is None
    t = (
        told()
        .submit("unclear")
        .reply("triage", "dispatch", targets=[{"unit": "370102.water"}])
        .wait_until("2026-09-28 17:00")
    )
    assert t.data("case.escalated")["unit"] == "370100.urban"


def test_the_citizens_clock_runs_through_a_return() -> None:
    """Returned, in triage, dispatched anew: the same due, never stopped."""
    t = told().submit("alone").reply("handle", "return", reason="不属本局")
    t.wait_until("2026-09-21 10:00").reply("decide_return", "accept_return")
    assert t.held.clocks["finish/"].running
    t.wait_until("2026-09-21 12:00").reply("triage", "dispatch", targets=[{"unit": "370102.water"}])
    stopped = {(e.kind, e.of) for r in t.records for e in r.events if isinstance(e, ev.ClockStopped)}
    assert ("finish", "") not in stopped
    assert show(t.held.clocks["finish/2"].due) == "2026-09-28 17:00:00"


def test_the_first_contact_is_made_when_the_unit_says_so() -> None:
    """With its signature, or with its reply; a signature alone is no call."""
    called = told().submit("call").reply("handle", "sign", contacted=True)
    assert {c.kind for c in called.held.clocks.values() if not c.running} == {"sign", "contact"}
    t = told().submit("call").reply("handle", "sign")
    assert t.held.clocks["contact/1"].running
    t.reply("handle", "reply", result="solved", text="x")
    assert not t.held.clocks["contact/1"].running


def test_who_takes_a_returned_leg_over_has_the_rest_or_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four working days in all: returned on the second, two are left; returned on the last, one whole working day is."""
    monkeypatch.setitem(POLICIES, "city", replace(POLICIES["city"], floor="1wd", return_within=""))

    def taken_over(at: str) -> Told:
        t = told().submit("alone").wait_until(at).reply("handle", "return", reason="不属本局")
        return t.reply("decide_return", "accept_return", proposed_unit="370102.water")

    early = taken_over("2026-09-20 10:00").held.clocks
    assert show(early["finish/2"].due) == show(early["finish/1"].due) == "2026-09-23 17:00:00"
    assert [mark.what for mark in early["finish/2"].marks] == ["warn", "due", "escalate"]
    late = taken_over("2026-09-23 10:00").held.clocks
    assert show(late["finish/2"].due) == "2026-09-24 17:00:00"


def test_a_statutory_clock_runs_beside_the_hotlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit and the source of its own policy; it begins once."""
    limit = ClockTemplate(kind="statutory", of="case", budget="7wd", start="next_day", due="end_of_day")
    monkeypatch.setitem(POLICIES, "procedure", replace(POLICIES["city"], id="procedure", clocks=(limit,)))
    t = told().submit("alone")
    d = Decision(t.held, "c", t.facts, t.now)
    assert start_statutory_clocks(d, "procedure")
    assert not start_statutory_clocks(d, "procedure")
    assert not start_statutory_clocks(d, "city")
    clock = d.case.clocks["statutory/procedure"]
    assert (show(clock.due), clock.running) == ("2026-09-29 17:00:00", True)
    assert d.case.clocks["finish/"] == t.held.clocks["finish/"]
    (started,) = d.events
    assert isinstance(started, ev.ClockStarted)
    assert started.policy == "procedure"


class _Moved(SmallWorld):
    """The same city after an edit: the place works by other days and hours."""

    def calendar(self, region: str) -> Calendar:
        return HALL


def test_another_calendar_moves_no_due_that_stands() -> None:
    """peers 40: Signalen, Zammad and GLPI reckon old dues anew. A clock keeps its calendar by name; only what begins later has the new one."""
    t = told().submit("alone")
    before = dict(t.held.clocks)
    t.facts = _Moved()
    t.wait_until("2026-09-18 10:00").reply("handle", "sign")
    assert {key: (clock.calendar, clock.due) for key, clock in t.held.clocks.items()} == {
        key: (clock.calendar, clock.due) for key, clock in before.items()
    }
    t.reply("handle", "reply", result="solved", text="好")
    review = next(clock for clock in t.held.clocks.values() if clock.kind == "review")
    assert review.calendar == "hall-2026"
    used = {(e.kind, e.of): e.consumed for r in t.records for e in r.events if isinstance(e, ev.ClockStopped)}
    assert used["sign", "1"] == 3_600_000


def _both(*, lead: str, assist: str) -> Told:
    targets = [{"unit": lead}, {"unit": assist, "part": "assist"}]
    return told().submit("unclear").reply("triage", "dispatch", targets=targets)


def test_a_unit_with_its_own_calendar_works_by_it() -> None:
    """Its leg counts the Saturday that it works; the citizen's clock and everybody else's keep the calendar of the place."""
    t = _both(lead="370102.urban", assist="370102.police")
    legs = {leg.unit: leg.id for leg in t.held.legs.values()}
    own, place = (t.held.clocks[f"finish/{legs[unit]}"] for unit in ("370102.police", "370102.urban"))
    assert (own.calendar, show(own.due)) == ("hall-2026", "2026-09-22 18:00:00")
    assert (place.calendar, show(place.due)) == ("cn-2026", "2026-09-23 17:00:00")
    assert t.held.clocks["finish/"].calendar == "cn-2026"
    t.wait_until("2026-09-19 16:00").reply("handle", "reply", unit="370102.police", result="solved", text="好")
    (used,) = [
        event.consumed
        for record in t.records
        for event in record.events
        if isinstance(event, ev.ClockStopped) and (event.kind, event.of) == ("finish", own.of)
    ]
    assert used == 5.5 * 3_600_000


@pytest.mark.parametrize(
    ("unit", "last", "over"),
    [
        ("370102.police", "2026-09-20 18:00", "2026-09-20 18:01"),
        ("370102.urban", "2026-09-21 17:00", "2026-09-21 17:01"),
    ],
)
def test_the_window_to_return_is_that_of_the_unit(unit: str, last: str, over: str) -> None:
    """Two working days after dispatch, by the calendar of who would return it."""
    for at, refused in ((last, False), (over, True)):
        t = _both(lead="370102.urban", assist="370102.police").wait_until(at)
        t.reply("handle", "return", unit=unit, reason="not_duty")
        assert ("CommandRefused" in t.happened) == refused, at


def test_who_takes_a_clock_over_that_paused_and_was_extended_has_what_was_left_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the bare limit again, from which a pause of the new unit's, or a new calendar, would reckon another due."""
    monkeypatch.setitem(POLICIES, "timed", replace(POLICIES["timed"], return_within=""))
    t = told().submit("timed").wait_until("2026-09-21 10:00")
    t.reply("handle", "pause", unit="370102.urban", reason="appraisal").wait_until("2026-09-22 10:00")
    t.reply("handle", "go_on", unit="370102.urban")
    t.reply("handle", "ask_extension", unit="370102.urban", limit="5wd", reason="x")
    t.reply("decide_extension", "grant_extension")
    left = t.held.clocks["finish/1"]
    t.reply_to(t.held.legs["1"].task, "desk", "return", reason="不属本局职责", proposed_unit="370102.health")
    t.reply("decide_return", "accept_return")
    taken = t.held.clocks["finish/3"]
    assert (taken.due, taken.anchor) == (left.due, left.anchor)
    later = ms("2026-09-24 12:00")
    assert consumed(CHINA, taken, later) == consumed(CHINA, left, later)
    t.reply("handle", "pause", unit="370102.health", reason="appraisal").reply("handle", "go_on", unit="370102.health")
    assert t.held.clocks["finish/3"].due == left.due, "a pause of no length moves nothing"
