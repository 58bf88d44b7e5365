"""
Returns, arbitration and rulings: whoever disagrees does not decide, a ruling binds, and the citizen's clock never stops.

Rows of the comparison with other systems, what those lack and these promise: 26 the return as an object, 27 window,
count, arbiter and binding ruling, 28 the citizen's clock on a return.
"""

import pytest
from msgspec import UNSET, json

from tests.unit.workflows.calendar_2026 import ms
from tests.unit.workflows.small_world import Told, refused, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.evolve import evolve

ANSWER = {"result": "solved", "text": "已办"}
RULING = {"document": "裁〔2026〕3号", "reason": "市级养护"}


def _returned(t: Told, proposed: str = "", unit: str = "", **said: object) -> Told:
    t.reply("handle", "return", unit=unit, reason="不属本局职责", proposed_unit=proposed or None, **said)
    return t


def _in_arbitration(**request: object) -> Told:
    """Urban returned it to water, water returns it as well."""
    t = _returned(told().submit("alone", **request), "370102.water").reply("decide_return", "accept_return")
    return _returned(t, "370102.urban", unit="370102.water")


def test_who_decides_a_return_sees_what_the_unit_says() -> None:
    """Row 26: reason, words, duty basis, evidence, who is proposed, and the how-manieth return it is."""
    evidence = [{"name": "界线.pdf", "uri": "oss://a"}]
    t = _returned(told().submit("alone"), "370102.water", text="市级养护", basis="三定方案第三条", attachments=evidence)
    assert t.data("task.assigned")["return_asked"] == {
        "unit": "370102.urban", "unit_name": "区城管局", "reason": "不属本局职责", "text": "市级养护", "basis": "三定方案第三条",
        "attachments": evidence, "proposed_unit": "370102.water", "number": 1,
    }  # fmt: skip
    assert t.data("task.assigned")["allowed"] == ["accept_return", "reject_return", "arbitrate"]


def test_the_second_return_of_a_place_goes_to_arbitration() -> None:
    """Row 27. The body has a clock of its own; neither the citizen's (row 28) nor the unit's stops, and no dispatcher is asked."""
    t = _in_arbitration()
    assert t.happened == ["LegSigned", "ClockStopped", "LegReturnAsked", "ArbitrationAsked", "ClockStarted"]
    task = t.data("task.assigned")
    assert (task["kind"], task["unit"], task["allowed"]) == ("arbitrate", "370100.hotline", ["rule"])
    assert task["return_asked"]["number"] == 2  # type: ignore[index]
    clocks = t.held.clocks
    assert [clock.kind for clock in clocks.values() if clock.running and clock.of == task["task_id"]] == ["arbitration"]
    assert clocks["finish/"].running
    assert clocks["finish/2"].running
    assert [task.kind for task in t.held.tasks.values()] == ["handle", "arbitrate"]
    assert refused(t.reply("handle", "reply", **ANSWER)) == "not_allowed"


def test_returns_of_different_places_are_counted_apart() -> None:
    """The lead's and the assist's are each the first."""
    t = _returned(_returned(told().submit(), unit="370102.water"), unit="370102.urban")
    assert [task.kind for task in t.held.tasks.values()].count("decide_return") == 2
    assert t.held.disputes is not None
    assert [asked.number for asked in t.held.disputes.asked.values()] == [1, 1]


def test_a_ruling_binds() -> None:
    """Row 27: the ruled unit has a new leg, cannot return it, and its task does not offer that; the old one loses the task."""
    t = _in_arbitration()
    due = t.held.clocks["finish/"].due
    t.reply("arbitrate", "rule", **RULING, targets=[{"unit": "370100.urban"}], charged="370102.urban", officer="a")
    assert [name for name in t.happened if not name.startswith("Clock")] == [
        "CaseRuled",
        "LegReturned",
        "LegDispatched",
    ]
    ruled = next(e for e in t.records[-1].events if isinstance(e, ev.CaseRuled))
    assert (ruled.document, ruled.by, ruled.lead, ruled.charged) == (
        "裁〔2026〕3号", "370100.hotline", "370100.urban", "370102.urban",
    )  # fmt: skip
    assert (ruled.rule, ruled.category, ruled.place) == ("r-alone", "alone", "370102")
    assert (t.held.state, t.held.lead and t.held.lead.unit) == ("dispatched", "370100.urban")
    assert t.held.clocks["finish/"].due == due
    assert t.left[:2] == ["tasks.water task.withdrawn", "tasks.desk task.assigned"]
    assert "return" not in t.data("task.assigned")["allowed"]  # type: ignore[operator]
    assert refused(_returned(t)) == "ruled_case"
    assert t.reply("handle", "reply", **ANSWER).reply("review", "pass").held.state == "closed"


def test_a_ruling_may_leave_it_where_it_is() -> None:
    """Then its task goes on: it is told why, and by no other leg."""
    t = _in_arbitration().reply("arbitrate", "rule", **RULING, targets=[{"unit": "370102.water"}])
    assert t.happened == ["CaseRuled", "ClockStopped"]
    assert t.data("task.assigned")["reason"] == "市级养护"
    assert t.held.legs["2"].state == "ruled"
    assert t.reply("handle", "reply", **ANSWER).held.state == "replied"


def test_a_joint_meeting_names_assists_beside_the_lead() -> None:
    """联席会议. Who assists already is not given it twice, and who leads now does not assist as well."""
    t = _returned(told().submit(), unit="370102.urban").reply("decide_return", "arbitrate", reason="职责交叉")
    targets = [{"unit": "370102.water"}, {"unit": "370102.health", "part": "assist"}]
    t.reply("arbitrate", "rule", **RULING, targets=targets)
    acting = {leg.unit: leg.part for leg in t.held.legs.values() if leg.open and leg.part != "copy"}
    assert acting == {"370102.water": "lead", "370102.health": "assist"}


def test_where_nobody_is_named_the_first_receiver_leads() -> None:
    """首接负责."""
    t = _in_arbitration().reply("arbitrate", "rule", **RULING)
    assert t.held.lead is not None
    assert t.held.lead.unit == "370102.urban"
    ruled = next(e for e in t.records[-1].events if isinstance(e, ev.CaseRuled))
    assert ruled.first_receiver


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"document": ""}, "incomplete"),
        ({"reason": ""}, "incomplete"),
        ({"targets": [{"unit": "370102.none"}]}, "unknown_unit"),
        ({"targets": [{"unit": "370102.urban", "part": "assist"}]}, "one_lead"),
        ({"targets": [{"unit": "370102.police"}]}, "recused"),
        ({"charged": "370102.none"}, "unknown_unit"),
    ],
)
def test_a_ruling_is_whole(said: dict[str, object], code: str) -> None:
    t = _in_arbitration(subject_of_complaint=[{"kind": "unit", "unit": "370102.police"}])
    assert refused(t.reply("arbitrate", "rule", **RULING | {"targets": [{"unit": "370102.urban"}]} | said)) == code


def test_there_is_no_second_ruling() -> None:
    t = _in_arbitration()
    task = next(task for task in t.held.tasks.values() if task.kind == "arbitrate")
    t.reply("arbitrate", "rule", **RULING, targets=[{"unit": "370100.urban"}])
    before = t.held.legs
    assert refused(t.reply_to(task.id, task.endpoint, "rule", **RULING)) == "task_not_open"
    assert t.held.legs == before


def test_a_unit_may_dispute_that_its_return_was_rejected() -> None:
    t = _returned(told().submit("alone")).reply("decide_return", "reject_return", reason="属你局职责")
    assert "arbitrate" in t.data("task.assigned")["allowed"]  # type: ignore[operator]
    t.reply("handle", "arbitrate", reason="依据三定方案不属我局")
    assert t.happened == ["ArbitrationAsked", "ClockStarted"]
    asked = t.records[-1].events[0]
    assert isinstance(asked, ev.ArbitrationAsked)
    assert (asked.why, asked.unit) == ("unit", "370100.hotline")


def test_none_of_those_who_disagree_rules() -> None:
    """The centre is proposed: the province's rules. Both stand aside: nobody can, so the dispatcher decides as before."""
    t = _returned(told().submit("alone"), "370100.hotline").reply("decide_return", "arbitrate", reason="职责交叉")
    assert t.data("task.assigned")["unit"] == "370000.hotline"
    complained = [{"kind": "unit", "unit": "370000.hotline"}]
    t = _returned(told().submit("alone", subject_of_complaint=complained))
    assert refused(t.reply("decide_return", "arbitrate", reason="职责交叉")) == "no_arbiter"
    t.reply("decide_return", "accept_return").reply("triage", "dispatch", targets=[{"unit": "370102.water"}])
    assert _returned(t).happened[-2:] == ["LegReturnAsked", "ClockStarted"]


def test_an_undecided_arbitration_is_overdue_by_its_own_clock() -> None:
    t = _in_arbitration().wait_until("2026-09-22 09:00")
    overdue = [e for record in t.records for e in record.events if isinstance(e, ev.ClockOverdue)]
    assert ("arbitration", "370100.hotline") in {(e.kind, e.unit) for e in overdue}


def test_what_is_supervised_is_not_returned_without_leave() -> None:
    """Leave is that the office lifts its order; other legs may still be returned."""
    t = told().submit().order("370100.watch", "supervise", reason="listed", limit="2wd")
    assert refused(_returned(t, unit="370102.urban")) == "under_supervision"
    assert _returned(t, unit="370102.water").happened[-2:] == ["LegReturnAsked", "ClockStarted"]
    t.order("370100.watch", "lift")
    assert _returned(t, unit="370102.urban").happened[-2:] == ["LegReturnAsked", "ClockStarted"]


def test_returns_of_old_cases_are_read_as_they_were() -> None:
    """An event of an earlier release counts nothing: the state it folds to has not changed."""
    t = told().submit("alone")
    old = ev.LegReturnAsked(leg="1", task="x", endpoint="centre", reason="不属本局", unit="370100.hotline")
    assert (old.number, old.attachments) == (0, UNSET)
    signed = evolve(t.held, ev.LegSigned(leg="1"), ms("2026-09-18 10:00"))
    assert evolve(signed, old, ms("2026-09-18 10:00")).disputes is None


def test_what_is_undecided_no_unit_takes_past_the_dispatcher() -> None:
    """The dispatcher's clock measures a task that is there; the unit is not offered what it may not do."""
    t = _returned(told().submit("alone"))
    assert t.last.messages
    assert refused(t.reply("handle", "arbitrate", reason="绕过派单员")) == "not_allowed"
    task = next(task for task in t.held.tasks.values() if task.kind == "decide_return")
    assert t.held.clocks[f"return_decision/{task.id}"].running
    t.follow_up(cmd.Supplement, text="x")
    offered = [json.decode(m.data) for m in t.last.messages if m.type == "cn.duokua.task.assigned.v1"]
    assert [task["allowed"] for task in offered if task["kind"] == "handle"] == [[]]
    t.reply("decide_return", "arbitrate", reason="职责交叉")
    assert not t.held.clocks[f"return_decision/{task.id}"].running


def test_who_gets_a_returned_lead_does_not_assist_as_well() -> None:
    """Proposed by the unit that returned it, or named by a dispatcher."""
    proposed = _returned(told().submit(), "370102.water", unit="370102.urban").reply("decide_return", "accept_return")
    named = _returned(told().submit(), unit="370102.urban").reply("decide_return", "accept_return")
    named.reply("triage", "dispatch", targets=[{"unit": "370102.water"}])
    for t in (proposed, named):
        acting = [(leg.unit, leg.part) for leg in t.held.legs.values() if leg.open and leg.part != "copy"]
        assert acting == [("370102.water", "lead")]
        assert [task.unit for task in t.held.tasks.values()].count("370102.water") == 1


def test_what_a_returned_lead_asked_for_nobody_decides() -> None:
    """挂账 was asked for, and then the work was given to another unit: it may ask anew."""
    asked = {"reason": "listed", "text": "x", "until": "2027-03-31T17:00:00+08:00"}
    t = _returned(told().submit("alone").reply("handle", "ask_hang", **asked), "370102.water")
    t.reply("decide_return", "accept_return")
    assert [task.kind for task in t.held.tasks.values()] == ["handle"]
    assert {clock.of for clock in t.held.clocks.values() if clock.running} == {"", "2"}
    assert "HangAsked" in t.reply("handle", "ask_hang", **asked).happened
