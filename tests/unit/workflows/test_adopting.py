"""A case of another system is taken over: what holds of it, what is refused, and who is told."""

from typing import Any

import pytest
from msgspec import Raw, json
from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CHINA, ms, show
from tests.unit.workflows.small_world import COUNTY, POLICIES, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.attribution import attribute, happened
from workflows.workdays import HOUR

RECEIVED = ms("2026-09-14 10:00")
NOW = ms("2026-09-18 09:00")
URBAN, WATER = "370102.urban", "370102.water"


def past(at: str, action: str, unit: str = "", **said: object) -> cmd.Past:
    return cmd.Past(at=ms(f"2026-09-{at}"), action=action, unit=unit, body=Raw(json.encode(said)))


def adopted(
    *history: cmd.Past, now: int = NOW, category: str = "timed", body: dict[str, Any] | None = None, **more: Any
) -> Told:
    t = told(now)
    request = {"title": "路灯不亮", "appeal_kind": "help", "appeal_category": category, "place": {"region": COUNTY}}
    t.request = json.encode(request | (body or {}))
    return t.take(
        cmd.Adopt(
            **t.base(), channel="website", ref="w-1", request=Raw(t.request), digest="d1", received_at=RECEIVED,
            query_code="012345", serial="0200042", number="旧-1", by="张工", why="上线", history=history, **more,
        )
    )  # fmt: skip


def dispatched(at: str = "14 11:00", unit: str = URBAN) -> cmd.Past:
    return past(at, "dispatch", targets=[{"unit": unit}])


def _passed(t: Told) -> list[str]:
    return [f"{e.kind} {e.what}" for e in t.records[0].events if isinstance(e, ev.MarkPassed)]


def test_the_clocks_are_half_run_and_everything_has_its_own_time() -> None:
    t = adopted(dispatched(), past("14 14:00", "sign", URBAN))
    assert (t.held.state, t.held.number, t.held.former) == ("signed", "370100-260918-0200042-2", "旧-1")
    assert show(t.held.clocks["finish/"].due) == "2026-09-20 17:00:00"
    leg = t.held.legs["1"]
    assert (show(leg.dispatched_at), leg.state) == ("2026-09-14 11:00:00", "signed")
    assert "sign/1" in t.held.clocks
    record = t.records[0]
    assert [show(at)[8:16] for at, e in ev.timed(record) if isinstance(e, ev.LegDispatched | ev.LegSigned)] == [
        "14 11:00", "14 14:00",
    ]  # fmt: skip
    ledger = attribute(happened(t.records), CHINA, NOW)
    assert ledger is not None
    assert ledger.received == RECEIVED
    assert {share.unit for share in ledger.shares} == {"370100.hotline", URBAN}


def test_units_get_their_task_under_both_numbers_and_nobody_else_is_told() -> None:
    t = adopted(dispatched())
    assert t.left == ["tasks.desk task.assigned"]
    task = t.data("task.assigned")
    assert (task["reason"], task["number"], task["former_number"]) == ("taken_over", t.held.number, "旧-1")
    assert adopted(dispatched(), tasks=False).left == []
    assert adopted(dispatched(), tasks=False, receipt=True).left == ["answers.website receipt.issued"]
    t.reply("handle", "note", text="x").reply("handle", "reply", result="solved", text="已办")
    assert t.data("task.assigned")["former_number"] == "旧-1", "later tasks too"


def test_who_decides_is_told_what_about() -> None:
    """It is the first and only time that it is told here: the task's own reason, which the take-over does not hide."""
    plan = "2026-12-30T09:00:00+08:00"
    hang = adopted(
        dispatched(), past("17 09:00", "ask_hang", URBAN, reason="listed", text="缺资金", until=plan), category="alone"
    )
    assert hang.data("task.assigned")["reason"] == "listed: 缺资金"
    longer = adopted(dispatched(), past("17 09:00", "ask_extension", URBAN, reason="复杂", limit="3wd"))
    task = longer.data("task.assigned")
    assert (task["kind"], task["reason"], task["limit"]) == ("decide_extension", "复杂", "3wd")
    back = adopted(
        dispatched(),
        past("15 09:00", "reply", URBAN, result="solved", text="x"),
        past("15 10:00", "send_back", reason="材料不全"),
    )
    assert back.left == ["tasks.desk task.sent_back"]
    assert back.data("task.sent_back")["reason"] == "材料不全"


def test_what_is_long_past_is_no_flood_but_is_known_to_be_late() -> None:
    """No warning and no rung of a month ago; that the limit was missed is said once, at the time at which it was."""
    late = ms("2026-10-30 09:00")
    t = adopted(dispatched(), past("14 14:00", "sign", URBAN), now=late)
    events = t.records[0].events
    assert not any(isinstance(e, ev.ClockWarned | ev.CaseEscalated) for e in events)
    assert _passed(t) == ["finish warn", "finish warn", "finish escalate", "finish escalate", "finish escalate"]
    overdue = [(show(at)[:16], e.of) for at, e in ev.timed(t.records[0]) if isinstance(e, ev.ClockOverdue)]
    assert overdue == [("2026-09-18 17:00", "1"), ("2026-09-20 17:00", "")]
    assert {m.type for m in t.last.messages} == {"cn.duokua.task.assigned.v1"}
    assert t.held.next_due == 0


def test_a_pause_that_stood_when_it_was_taken_over_ends_here() -> None:
    t = adopted(dispatched(), past("15 10:00", "pause", URBAN, reason="appraisal"))
    due = t.held.clocks["finish/"].due
    t.wait_until("2026-09-18 15:00").reply("handle", "go_on", unit=URBAN)
    went_on = [e for e in t.last.record.events if isinstance(e, ev.ClockWentOn)] if t.last.record else []
    assert {e.took for e in went_on} == {CHINA.consumed(ms("2026-09-15 10:00"), ms("2026-09-18 15:00"), "wd")}
    assert t.held.clocks["finish/"].due > due


def test_the_old_systems_word_on_signing_holds() -> None:
    """Our limit deems it signed after four hours; there somebody signed two days later."""
    t = adopted(dispatched(), past("16 10:00", "sign", URBAN))
    signed = [(show(at)[8:16], e.deemed) for at, e in ev.timed(t.records[0]) if isinstance(e, ev.LegSigned)]
    assert signed == [("16 10:00", False)]
    silent = adopted(dispatched())
    assert [e.deemed for e in silent.records[0].events if isinstance(e, ev.LegSigned)] == [True]


@pytest.mark.parametrize(
    ("promised", "due"),
    [
        ("2026-09-24 12:00", "2026-09-24 17:00:00"),
        ("2026-09-25 12:00", "2026-09-25 23:59:59"),  # a holiday
        ("2026-09-17 23:59", "2026-09-17 17:00:00"),
    ],
)
def test_what_was_promised_holds(promised: str, due: str) -> None:
    """By an event that says from where to where; where days are counted, that day. Later, or over already."""
    t = adopted(dispatched(), due=ms(promised))
    (event,) = [e for e in t.records[0].events if isinstance(e, ev.ClockPromised)]
    assert (show(event.before), show(event.due)) == ("2026-09-20 17:00:00", due)
    assert show(t.held.clocks["finish/"].due) == due
    overdue = [e for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and not e.of]
    assert len(overdue) == (event.due < NOW)
    t.wait_until("2026-12-31 00:00")
    fired = [(show(r.at), e.due) for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and not e.of]
    assert len(fired) == 1
    if event.due > NOW:
        assert fired == [(due, event.due)], "exactly then"


def test_a_promise_that_is_sooner_leaves_who_dispatched_further_its_reserve() -> None:
    """Where no unit has a limit of its own, those below are bound by the citizen's."""
    below = past("17 16:00", "sub_dispatch", URBAN, units=["370102001.town"])
    for due, allowed in (("2026-09-30 17:00", "2026-09-15 10:00:00"), ("2026-09-14 17:00", "2026-09-11 17:00:00")):
        t = adopted(dispatched(), below, category="watched", due=ms(due))
        assert show(t.held.clocks["finish/1.1"].due) == allowed


def test_the_same_promise_moves_nothing() -> None:
    t = adopted(dispatched(), due=ms("2026-09-20 23:59"))
    assert "ClockPromised" not in t.happened
    assert t.held.clocks["finish/"].course is None


def test_a_promise_that_is_later_than_our_limit_is_not_late_before() -> None:
    """Ours had been over before the case came."""
    t = adopted(dispatched(), now=ms("2026-09-24 09:00"), due=ms("2026-09-28 17:00"))
    assert [e.of for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue)] == ["1"]
    t.wait_until("2026-09-28 17:00")
    assert [e.of for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue)] == ["1", ""]


@pytest.mark.parametrize("due", [0, ms("2026-09-20 17:00"), ms("2026-09-22 17:00")])
def test_whatever_was_promised_all_else_has_its_own_time(due: int) -> None:
    """A promise for another date, or for our own, moves nothing but the citizen's clock."""
    late = ms("2026-12-28 09:00")
    t = adopted(dispatched(), now=late, due=due)
    said = {e.of: (show(at)[:16], e.due) for at, e in ev.timed(t.records[0]) if isinstance(e, ev.ClockOverdue)}
    promised = due or ms("2026-09-20 17:00")
    assert said == {"1": ("2026-09-18 17:00", ms("2026-09-18 17:00")), "": (show(promised)[:16], promised)}
    signed = [show(at)[:16] for at, e in ev.timed(t.records[0]) if isinstance(e, ev.LegSigned)]
    assert signed == ["2026-09-14 16:30"]
    replied = past("15 09:00", "reply", URBAN, result="transferred", procedure="petition", text="x")
    t = adopted(dispatched(), replied, past("15 10:00", "pass"), now=late, due=due)
    (follow_up,) = (clock for clock in t.held.clocks.values() if clock.kind == "follow_up")
    assert show(follow_up.due) == "2026-11-23 17:00:00"


def test_a_promise_waits_for_the_pause_that_ended_by_itself() -> None:
    """Used up on the 21st: from then on the promise holds, and it was missed when it was."""
    paused = dispatched(), past("15 10:00", "pause", URBAN, reason="appraisal")
    t = adopted(*paused, now=ms("2026-10-30 09:00"), due=ms("2026-10-14 17:00"))
    moves = [e for e in t.records[0].events if isinstance(e, ev.ClockWentOn | ev.ClockPromised) and not e.of]
    assert [type(e).__name__ for e in moves] == ["ClockWentOn", "ClockPromised"]
    assert [show(at) for at, e in ev.timed(t.records[0]) if isinstance(e, ev.ClockOverdue) and not e.of] == [
        "2026-10-14 17:00:00"
    ]


def test_a_promise_holds_of_what_stands_still() -> None:
    """What was left until then is left when it goes on: on the 18th and not on the 15th."""
    promised = "2026-10-20 17:00"
    paused = past("15 10:00", "pause", URBAN, reason="appraisal")
    t = adopted(dispatched(), paused, due=ms(promised))
    t.reply("handle", "go_on", unit=URBAN)
    left = CHINA.consumed(ms("2026-09-15 10:00"), ms(promised), "wd")
    due = t.held.clocks["finish/"].due
    assert 0 <= CHINA.consumed(ms("2026-09-18 09:00"), due, "wd") - left < 8 * HOUR, "to the end of that day"
    t.wait_until("2026-12-31 00:00")
    marks = [
        (show(r.at), r.at < due) for r in t.records for e in r.events if isinstance(e, ev.ClockWarned) and not e.of
    ]
    late = [(r.at, e.due) for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and not e.of]
    assert late == [(due, due)]
    assert [before for _, before in marks] == [True], "warned anew, in time"


@pytest.mark.parametrize("decision", ["refuse_extension", "grant_extension"])
def test_a_promise_holds_while_an_extension_is_undecided(decision: str) -> None:
    asked = past("17 09:00", "ask_extension", URBAN, reason="r", limit="3wd")
    t = adopted(dispatched(), asked, now=ms("2026-09-24 09:00"), due=ms("2026-09-30 17:00"))
    t.reply("decide_extension", decision, reason="x")
    late = [e.due for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and not e.of]
    assert late == []
    if decision == "refuse_extension":
        assert show(t.held.clocks["finish/"].due) == "2026-09-30 17:00:00"
    t.wait_until("2026-12-31 00:00")
    late = [(r.at, e.due) for r in t.records for e in r.events if isinstance(e, ev.ClockOverdue) and not e.of]
    assert late == [(t.held.clocks["finish/"].due,) * 2]
    assert t.held.clocks["finish/"].due >= ms("2026-09-30 17:00")


CANNOT = [
    ([past("14 11:00", "reply", URBAN, result="solved", text="x")], {}, "task_not_open"),
    ([past("14 11:00", "dispatch", targets=[{"unit": "nowhere"}])], {}, "unknown_unit"),
    ([past("14 11:00", "dispatch", "nowhere", targets=[{"unit": URBAN}])], {}, "unknown_unit"),
    ([past("14 09:00", "dispatch", targets=[{"unit": URBAN}])], {}, "out_of_order"),
    ([past("19 09:00", "dispatch", targets=[{"unit": URBAN}])], {}, "not_past"),
    ([dispatched(), past("15 09:00", "pause", URBAN, reason="lunch")], {}, "pause_not_allowed"),
    (
        [
            dispatched(),
            past("15 09:00", "reply", URBAN, result="solved", text="x"),
            past("15 10:00", "pass"),
        ],
        {},
        "not_open",
    ),
    ([], {"one_thing": {"package": "birth"}}, "not_taken_over"),
    ([dispatched(), past("15 09:00", "merge", "370100.hotline", cases=["c"])], {}, "task_not_open"),
]


@pytest.mark.parametrize(
    ("history", "body", "code"), CANNOT, ids=[code + str(i) for i, (_, _, code) in enumerate(CANNOT)]
)
def test_a_history_that_no_case_can_have_opens_none_and_is_a_dead_letter(
    history: list[cmd.Past], body: dict[str, Any], code: str
) -> None:
    t = adopted(*history, body=body)
    assert (t.case, t.records) == (None, [])
    assert t.left == ["dead-letters.engine dead_letter.written"]
    letter = t.data("dead_letter.written")
    assert (letter["code"], letter["input"]) == (code, "website:w-1"), "by which its line is found"
    assert not any(m.to.startswith("answers.") for m in t.said), "the channel has sent nothing"


def test_the_same_again_changes_nothing() -> None:
    """The very command is known. A line that was mended, or is of another request, has no effect, and a dead letter says so."""
    t = adopted(dispatched())
    held, command = t.held, cmd.Adopt(
        **t.base(), channel="website", ref="w-1", request=Raw(t.request), digest="d1", received_at=RECEIVED,
        number="旧-1", by="张工", why="上线", due=ms("2026-09-30 17:00"),
    )  # fmt: skip
    t.take(replace(command, id=t.records[0].cause))
    assert (t.last.record, t.left) == (None, [])
    for digest, code in (("d1", "already_here"), ("d2", "id_reused")):
        t.take(replace(command, id=f"another-{digest}", digest=digest))
        assert t.last.record is None
        assert t.left == ["dead-letters.engine dead_letter.written"]
        assert t.data("dead_letter.written")["code"] == code
    assert t.held == held


def test_what_its_channel_has_sent_itself_is_not_taken_over() -> None:
    """Its clocks run already from when it came: the promise of the line would be lost in silence."""
    t = told(NOW).submit("timed")
    held = t.held
    t.take(
        cmd.Adopt(
            **t.base(), channel="website", ref="w-1", request=Raw(t.request), digest=held.digest, received_at=RECEIVED,
            number="旧-1", by="张工", why="上线", history=(dispatched(),),
        )
    )  # fmt: skip
    assert (t.held, t.last.record) == (held, None)
    assert t.data("dead_letter.written")["code"] == "already_here"


def test_an_emergency_of_last_week_calls_out_nobody() -> None:
    t = adopted(body={"urgency": "emergency"})
    assert t.held.state == "in_triage"
    assert t.left == ["tasks.centre task.assigned"]


def test_what_was_reopened_there_is_in_its_second_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, "graded", replace(POLICIES["graded"]))
    bad = cmd.Past(at=ms("2026-09-16 09:00"), action="evaluate", grade=1, body=Raw(json.encode({"reasons": ["rude"]})))
    t = adopted(
        dispatched(),
        past("15 09:00", "reply", URBAN, result="solved", text="x", contacted=True),
        past("15 10:00", "pass"),
        bad,
        category="graded",
    )
    assert t.held.feedback is not None
    assert t.held.feedback.round == 1
    assert t.held.state not in ("closed", "review_passed")


def test_a_late_signature_is_for_the_later_part_of_a_unit_that_has_two() -> None:
    """Its first part is deemed signed, as nobody signed it before the unit was named again."""
    again = past("15 10:00", "dispatch", targets=[{"unit": WATER}, {"unit": URBAN, "part": "assist"}])
    returned = past("14 12:00", "return", URBAN, reason="x")
    t = adopted(
        dispatched(), returned, past("14 13:00", "accept_return", URBAN), again, past("16 16:00", "sign", URBAN)
    )
    signed = [(e.leg, e.deemed) for e in t.records[0].events if isinstance(e, ev.LegSigned)]
    assert signed == [("1", False), ("2", True), ("3", False)]
