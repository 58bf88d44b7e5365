"""Faults of other systems that concern who is told and whose clock it is, by the number under which their users report them."""

from datetime import date

import pytest
from msgspec.structs import replace

from schemas.ids import command_id
from tests.unit.workflows.calendar_2026 import CHINA, HALL, OFFICE, YEAR, ms, show
from tests.unit.workflows.small_world import POLICIES, POLICY, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.calendars import Calendar
from workflows.policies import ClockTemplate, Step
from workflows.workdays import Layer, OneOff

URBAN, CENTRE = "370102.urban", "370100.hotline"
HEAD = "11111111-0000-5000-8000-000000000001"
ANSWER = {"result": "solved", "text": "x"}
LATE = ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated


def _fired(t: Told, of: str, since: str = "2026-01-01 00:00") -> list[str]:
    """What was said of a clock of this leg (or of the citizen's), and when."""
    return [
        f"{show(r.at)[5:16]} {type(e).__name__} {getattr(e, 'level', 0)} {e.unit}"
        for r in t.records
        for e in r.events
        if isinstance(e, LATE) and e.of == of and r.at >= ms(since)
    ]


def _with(monkeypatch: pytest.MonkeyPatch, *ladder: Step, **more: object) -> None:
    """The city's policy with this ladder, of a clock that is due on Sunday 09-20, a worked day, at 17:00."""
    clock = {"kind": "finish", "of": "case", "budget": "1wd", "start": "next_day", "due": "end_of_day"} | more
    monkeypatch.setitem(POLICIES, "city", replace(POLICY, clocks=(ClockTemplate(ladder=ladder, **clock),)))  # type: ignore[arg-type]


def test_who_gave_it_up_is_late_with_nothing() -> None:
    """Zammad #5624: after a transfer the time of the old group stayed on the ticket."""
    t = told().submit("alone").wait_until("2026-09-18 11:00")
    t.order(CENTRE, "re_dispatch", reason="x", targets=[{"unit": "370102.water"}]).wait_until("2026-10-20 09:00")
    assert _fired(t, "1", "2026-09-18 11:00") == []
    assert any("ClockOverdue" in line for line in _fired(t, "2"))
    assert not t.held.clocks["finish/1"].running


def test_a_policy_that_is_gone_escalates_nothing_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zammad #4353: a deactivated SLA left its tickets escalated. What was promised is kept to, and over with the case."""
    t = told().submit("alone").wait_until("2026-09-28 17:00")
    monkeypatch.setitem(POLICIES, "city", replace(POLICY, clocks=()))
    t.reply("handle", "reply", **ANSWER).reply("review", "pass")
    assert (t.held.state, t.held.clocks) == ("closed", {})
    closed = len(t.records)
    t.wait_until("2026-10-20 09:00")
    assert not [e for r in t.records[closed:] for e in r.events if isinstance(e, LATE)]


def test_each_clock_is_late_by_itself() -> None:
    """Zammad #5177: the update time overruled the first response. Neither the signature nor the finish hides the first contact."""
    t = told().submit("call")
    t.wait_until("2026-09-18 10:00").reply("handle", "sign").wait_until("2026-09-18 17:00")
    assert _fired(t, "1") == [f"09-18 11:00 ClockOverdue 0 {URBAN}"]
    assert t.held.clocks["finish/1"].running and t.held.clocks["finish/"].running


def test_who_has_answered_is_not_escalated() -> None:
    """Zammad #3140: it escalated though the agent had answered."""
    t = told().submit("alone").wait_until("2026-09-18 15:00").reply("handle", "reply", **ANSWER)
    t.wait_until("2026-09-24 09:00")
    assert _fired(t, "1", "2026-09-18 15:00") == []


def test_what_was_merged_is_its_units_no_more() -> None:
    """Zammad #904: a merged ticket still escalated. The citizen keeps his clock, the units none."""
    t = told().submit("alone").order(CENTRE, "merge", cases=[HEAD])
    base = {"id": command_id(HEAD, "yes"), "case": t.held.id, "at": t.now}
    t.take(cmd.JoinAnswered(**base, head=HEAD, number="n", asked=1, code=""))  # type: ignore[arg-type]
    assert t.held.state == "merged"
    t.wait_until("2026-10-20 09:00")
    assert _fired(t, "1") == []
    assert _fired(t, "") != []


def test_three_levels_are_three_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zammad #2532: three levels to different people needed workarounds. OnCall #1931: the wait between them was ignored."""
    _with(
        monkeypatch,
        Step(level=1, after="0m", who="unit", what="urge"),
        Step(level=2, after="1wd", who="superior", what="urge"),
        Step(level=3, after="3wd", who="supervisor", what="supervise"),
    )
    t = told().submit("alone").wait_until("2026-10-20 09:00")
    assert [line for line in _fired(t, "") if "Escalated" in line] == [
        f"09-20 17:00 CaseEscalated 1 {URBAN}",
        "09-21 17:00 CaseEscalated 2 370100.urban",
        "09-23 17:00 CaseEscalated 3 370100.watch",
    ]


def test_every_level_fires_though_nobody_looked_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """GLPI #5319: only the first level ever fired, and a patch did not make up for those that were missed."""
    _with(monkeypatch, *(Step(level=n, after=f"{n}wd", who="superior", what="urge") for n in (1, 2, 3)))
    t = told().submit("alone")
    t.now = ms("2026-10-20 09:00")
    t.reach_deadline()
    assert [line.split()[2:4] for line in _fired(t, "")] == [
        ["ClockOverdue", "0"],
        *(["CaseEscalated", n] for n in "123"),
    ]
    t.reach_deadline()
    assert t.happened == []


def test_a_ladder_of_the_signature_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """GLPI #4170: the levels of the time to own never ran."""
    _with(
        monkeypatch, Step(level=1, after="1wh", since="start", who="superior", what="urge"),
        kind="sign", of="leg", budget="4wh", start="receipt", due="exact", on_due="deem_signed",
    )  # fmt: skip
    t = told().submit("alone").wait_until("2026-09-18 16:00")
    assert _fired(t, "1") == ["09-18 10:00 CaseEscalated 1 370100.urban"]


@pytest.mark.parametrize("number", ["osTicket #1168", "osTicket #2131", "osTicket #4166", "osTicket #4969"])
def test_office_hours_count_and_nothing_else(number: str) -> None:
    """Asked for five years running. Friday 16:00 and four hours: one before the weekend, three on the Sunday that is worked."""
    assert show(CHINA.add(ms("2026-09-18 16:00"), "4wh").at) == "2026-09-20 12:00:00"


def test_breaks_and_single_dates_are_known() -> None:
    """osTicket PR#4807 had no lunch break and no dates, Frappe #1528 no break, Frappe PR#2495 no business holidays."""
    closed = OneOff(day=date(2026, 9, 21), open=(), name="停电检修")
    place = Calendar.merge(
        "place",
        [Layer(id="n", hours=(OFFICE,), years=(YEAR,), horizon=date(2026, 12, 31)), Layer(id="p", days=(closed,))],
    )
    assert show(place.add(ms("2026-09-20 11:00"), "2wh").at) == "2026-09-20 14:30:00"
    assert show(place.add(ms("2026-09-20 16:00"), "2wh").at) == "2026-09-22 10:00:00"
    assert show(place.add(ms("2026-09-30 16:00"), "2wh").at) == "2026-10-08 10:00:00"


def test_the_clock_counts_by_the_hours_of_who_has_it() -> None:
    """osTicket-1.7#606: the SLA should follow the department."""
    t = told().submit("alone").wait_until("2026-09-18 11:00")
    t.order(CENTRE, "re_dispatch", reason="x", targets=[{"unit": "370102.police"}])
    assert (t.held.clocks["finish/1"].calendar, t.held.clocks["finish/2"].calendar) == (CHINA.id, HALL.id)
    assert t.held.clocks["finish/"].calendar == CHINA.id


def test_at_night_the_citizen_learns_the_date_at_once() -> None:
    """Frappe #2561: tell the customer that it is out of hours."""
    t = told(ms("2026-09-18 22:00")).submit("alone")
    assert t.data("receipt.issued")["promised_due"] == "2026-09-24T17:00:00+08:00"


def test_where_nobody_is_on_duty_the_desk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """OnCall #4846: a chain should wait for somebody on duty. Here it need not: the desk has it, and no leader is named."""
    _with(monkeypatch, Step(level=1, after="0m", who="supervisor", what="supervise", duty=True))
    t = told().submit("alone").wait_until("2026-09-20 17:00")
    assert t.data("case.escalated")["unit"] == "370100.watch"
    assert "post" not in t.data("case.escalated")


def test_quiet_hours_are_those_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """OnCall #5512: hours were read as UTC. Due at 22:00 in China, 14:00 UTC: said at 08:00 in China."""
    quiet = Step(level=1, after="0m", who="superior", what="urge", quiet="20:00-08:00")
    _with(monkeypatch, quiet, budget="13h", start="receipt", due="exact")
    t = told().submit("alone").wait_until("2026-09-21 09:00")
    assert _fired(t, "")[1:] == ["09-19 08:00 CaseEscalated 1 370100.urban"]
