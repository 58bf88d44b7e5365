"""改派: the centre gives a leg to another unit before there is a reply, and says why; a county's centre only within its county.

Row 16 of the comparison with other systems: nothing takes work from a unit without an event that says who did and why.
"""

import pytest

from tests.unit.workflows.small_world import Told, told
from workflows import events as ev

ANSWER = {"result": "solved", "text": "已办"}
WATER = [{"unit": "370102.water"}]


def _given(t: Told, unit: str = "370100.hotline", **said: object) -> str:
    """The code of the refusal, or empty."""
    t.order(unit, "re_dispatch", **{"reason": "wrong_function", "targets": WATER} | said)
    answer = t.data("order.answered")
    return str(answer.get("reason", ""))


def test_another_unit_gets_what_the_first_one_had() -> None:
    """With all below it; the reason is kept; no clock of the first one runs on, and the citizen's due has not moved."""
    t = told().submit("alone").reply("handle", "sub_dispatch", units=["370102001.town"])
    due = t.held.clocks["finish/"].due
    assert _given(t) == ""
    assert [name for name in t.happened if not name.startswith("Clock")] == [
        "OrderGiven", "LegTakenBack", "LegTakenBack", "LegDispatched",
    ]  # fmt: skip
    taken = [e for e in t.records[-1].events if isinstance(e, ev.LegTakenBack)]
    assert [(e.leg, e.action, e.reason) for e in taken] == [
        ("1.1", "re_dispatch", "wrong_function"), ("1", "re_dispatch", "wrong_function"),
    ]  # fmt: skip
    assert (t.held.state, t.held.lead and t.held.lead.unit) == ("dispatched", "370102.water")
    assert {clock.of for clock in t.held.clocks.values() if clock.running} == {"", "2"}
    assert t.held.clocks["finish/"].due == due
    assert set(t.left) == {
        "tasks.centre order.answered", "tasks.desk task.withdrawn", "tasks.town task.withdrawn", "tasks.water task.assigned",
        "answers.website case.status_changed", "supervision case.overseen",
    }  # fmt: skip
    assert t.reply("handle", "reply", **ANSWER).held.state == "replied"


def test_an_assist_that_leads_from_now_on_assists_no_more() -> None:
    t = told().submit()
    assert _given(t) == ""
    assert {leg.unit: leg.part for leg in t.held.legs.values() if leg.open and leg.part != "copy"} == {
        "370102.water": "lead"
    }


def test_a_return_that_waits_for_a_decision_is_overtaken() -> None:
    """The dispatcher gave it away: nothing is left to decide, but the return counts."""
    t = told().submit("alone").reply("handle", "return", reason="不属本局")
    assert _given(t) == ""
    assert [task.kind for task in t.held.tasks.values()] == ["handle"]
    t.reply("handle", "return", reason="不属本局")
    assert t.happened[-2:] == ["ArbitrationAsked", "ClockStarted"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"reason": ""}, "incomplete"),
        ({"targets": []}, "incomplete"),
        ({"targets": [{"unit": "370102.none"}]}, "unknown_unit"),
        ({"targets": [{"unit": "370102.urban"}]}, "same_unit"),
        ({"targets": [{"unit": "370102.water", "part": "assist"}]}, "one_lead"),
        ({"targets": [{"unit": "370102.police"}]}, "recused"),
        ({"leg": "9"}, "leg_not_open"),
    ],
)
def test_it_needs_a_reason_and_a_unit_that_can_have_it(said: dict[str, object], code: str) -> None:
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370102.police"}])
    before = t.held.legs
    assert _given(t, **said) == code
    assert t.held.legs == before


def test_a_countys_centre_dispatches_inside_its_county() -> None:
    t = told().submit("alone")
    assert _given(t, "370102.hotline", targets=[{"unit": "370100.urban"}]) == "out_of_county"
    assert _given(t, "370102.hotline") == ""
    assert _given(told().submit("alone"), "370102.water") == "not_entitled"


def test_what_has_a_reply_or_was_ruled_on_stays_where_it_is() -> None:
    t = told().submit("alone").reply("handle", "reply", **ANSWER)
    assert _given(t) == "not_allowed"
    t = (
        told()
        .submit("alone")
        .reply("handle", "return", reason="不属本局")
        .reply("decide_return", "arbitrate", reason="x")
    )
    assert _given(t) == "not_allowed"
    t.reply("arbitrate", "rule", document="裁〔2026〕3号", reason="x", targets=[{"unit": "370102.health"}])
    assert _given(t) == "ruled_case"


def test_who_was_ordered_to_report_still_does() -> None:
    """批示 and 督办 stand until they are lifted, whoever has the work."""
    t = told().submit("alone").order("370100.watch", "supervise", reason="listed", limit="2wd")
    assert _given(t) == ""
    (task,) = [task for task in t.held.tasks.values() if task.kind == "report"]
    assert any(clock.of == task.id and clock.running for clock in t.held.clocks.values())
