"""What happens to a case, told step by step: the events of each command, in order."""

import pytest
from stdnum.iso7064 import mod_11_10

from tests.unit.workflows.calendar_2026 import ms, show
from tests.unit.workflows.small_world import NOW, SmallWorld, Told, refused, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.facts import RequestView

ANSWER = {"result": "solved", "text": "已修复", "contacted": True}


# -- in -----------------------------------------------------------------------------------------


def test_a_rule_dispatches_and_the_lead_answers_for_all() -> None:
    """Registered, routed, accepted and dispatched in one step; sign, reply, review, closed with the lead's answer."""
    t = told().submit()
    assert t.happened == [
        "CaseRegistered", "CaseRouted", "ClockStarted", "CaseAccepted",
        "LegDispatched", "ClockStarted", "ClockStarted",
        "LegDispatched", "ClockStarted", "ClockStarted",
        "LegDispatched",
    ]  # fmt: skip
    assert [(leg.part, leg.unit) for leg in t.held.legs.values()] == [
        ("lead", "370102.urban"), ("assist", "370102.water"), ("copy", "370102.police"),
    ]  # fmt: skip
    assert t.reply("handle", "sign", unit="370102.urban").happened == ["LegSigned", "ClockStopped"]
    assert t.held.state == "signed"
    t.reply("handle", "reply", unit="370102.urban", **ANSWER)
    assert t.happened == ["LegReplied", "ClockStopped", "ClockStarted"]
    assert t.held.state == "replied"
    t.reply("review", "pass")
    assert t.happened[:3] == ["LegReviewPassed", "LegWithdrawn", "LegWithdrawn"]
    assert t.happened[-1] == "CaseClosed"
    assert (t.held.state, t.held.close_reason) == ("closed", "solved")
    assert t.data("case.outcome")["text"] == "已修复"
    assert not t.held.tasks
    assert not t.held.clocks


def test_the_call_agent_answers_at_once() -> None:
    """直办: no leg, no rule, closed."""
    t = told().submit(direct_answer={"text": "窗口周六上午开放"})
    assert t.happened == ["CaseRegistered", "CaseAnsweredAtOnce", "CaseClosed"]
    assert t.left == [
        "answers.website receipt.issued",
        "answers.website case.status_changed",
        "answers.website case.outcome",
    ]
    assert t.data("case.status_changed")["status"] == "answered_at_once"


def test_a_rule_answers_from_the_knowledge_base() -> None:
    """No leg and no clock: routed, answered with the entry's words, closed. Which entry of which version is kept."""
    t = told().submit("known")
    assert t.happened == ["CaseRegistered", "CaseRouted", "UrgencyRaised", "CaseAnsweredAtOnce", "CaseClosed"]
    routed, _, answered = t.records[-1].events[1:4]
    assert isinstance(routed, ev.CaseRouted) and (routed.rule, routed.catalogue) == ("r-known", 7)
    assert isinstance(answered, ev.CaseAnsweredAtOnce) and answered.answer == "saturday"
    assert t.data("case.outcome")["text"] == "窗口周六上午开放"
    assert (t.held.state, t.held.close_reason, t.held.clocks) == ("closed", "answered", {})


def test_rules_join_and_each_unit_acts_once_in_its_greatest_part() -> None:
    """One lead, then assists, then copies; the rules that took part are kept with the one that decided."""
    t = told().submit("joined")
    assert [(leg.part, leg.unit) for leg in t.held.legs.values()] == [
        ("lead", "370102.urban"), ("assist", "370102.water"), ("copy", "370102.police"),
    ]  # fmt: skip
    routed = t.records[-1].events[1]
    assert isinstance(routed, ev.CaseRouted) and [joined.rule for joined in routed.joined] == ["r-also"]


@pytest.mark.parametrize(("said", "becomes"), [("normal", "urgent"), ("urgent", "urgent")])
def test_a_rule_raises_the_urgency_and_units_are_told(said: str, becomes: str) -> None:
    """Raised once, by an event; what is that urgent already is left alone."""
    t = told().submit("joined", urgency=said)
    assert (t.held.urgency, t.happened.count("UrgencyRaised")) == (becomes, said != becomes)
    assert t.data("task.assigned")["urgency"] == becomes


def test_a_rule_never_lowers_the_urgency() -> None:
    """An emergency that nobody takes over stays one."""

    class Deaf(SmallWorld):
        def emergency(self, channel: str, request: RequestView) -> None:
            return None

    t = Told(facts=Deaf(), now=NOW).submit("joined", urgency="emergency")
    assert (t.held.urgency, t.happened.count("UrgencyRaised")) == ("emergency", 0)


def test_an_emergency_comes_before_any_rule() -> None:
    """Redirected at once though a rule would refuse it; its own ten minutes run; open until the receiver confirms."""
    t = told().submit("refuse", urgency="emergency")
    assert t.happened == ["CaseRegistered", "EmergencyRedirected", "ClockStarted"]
    assert t.held.state == "redirected"
    assert t.follow_up(cmd.Supplement, text="在三楼").happened == ["CaseSupplemented"]
    t.wait_until("2026-09-18 09:10")
    assert t.happened == ["ClockOverdue"]
    t.wait_until("2026-09-18 09:15")
    assert t.happened == ["CaseEscalated"]
    assert t.data("case.escalated")["unit"] == "370100.hotline"
    t.reply("confirm_receipt", "confirm_receipt", receipt_no="JQ-1")
    assert t.happened == ["RedirectConfirmed", "ClockStopped", "CaseClosed"]
    assert t.held.close_reason == "referred_outside"


def test_a_rule_only_proposes_a_refusal() -> None:
    """An officer confirms: refused with ground, basis and where to turn; nothing was refused before."""
    t = told().submit("refuse")
    assert t.held.state == "refusal_proposed"
    t.reply("confirm_refusal", "confirm_refusal")
    assert t.happened == ["CaseRefused", "ClockStopped", "ClockStopped", "CaseClosed"]
    outcome = t.data("case.outcome")
    assert (outcome["reason"], outcome["where_to_turn"], outcome["legal_basis"]) == (
        "refused",
        "人民法院",
        "某条例第九条",
    )
    assert t.data("case.status_changed")["status"] == "refused"


def test_an_officer_may_reject_the_proposal() -> None:
    t = told().submit("refuse").reply("confirm_refusal", "reject_refusal")
    assert t.happened == ["RefusalRejected", "TriageAsked", "ClockStarted", "ClockStopped"]
    t.reply("triage", "dispatch", targets=[{"unit": "370102.water", "part": "lead"}])
    assert t.happened[:3] == ["TriageEnded", "CaseAccepted", "LegDispatched"]
    assert t.held.state == "dispatched"


def test_a_function_that_nobody_holds_goes_to_a_dispatcher() -> None:
    t = told().submit("nobody")
    assert t.happened[-2:] == ["TriageAsked", "ClockStarted"]
    assert t.data("task.assigned")["reason"] == "no_unit: nobody"


def test_the_number_can_be_read_and_checked() -> None:
    """Division of the centre, business day, serial, ISO 7064 check digit."""
    t = told(ms("2026-09-30 23:59")).submit()
    assert t.held.number == "370100-260930-0200042-8"
    assert mod_11_10.is_valid(t.held.number.replace("-", ""))


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ([], "incomplete"),
        ([{"unit": "370102.urban", "part": "sub"}], "incomplete"),
        ([{"unit": "370102.none"}], "unknown_unit"),
        ([{"unit": "370102.urban", "part": "assist"}], "one_lead"),
        ([{"unit": "370102.urban"}, {"unit": "370102.police"}], "one_lead"),
        ([{"unit": "370102.police"}, {"unit": "370102.water", "part": "assist"}], "recused"),
    ],
)
def test_a_dispatcher_names_exactly_one_lead(targets: list[dict[str, str]], code: str) -> None:
    """And no unit that is unknown or must stand aside."""
    t = told().submit("unclear", subject_of_complaint=[{"kind": "unit", "unit": "370102.water"}])
    assert refused(t.reply("triage", "dispatch", targets=targets)) == code
    assert [task.kind for task in t.held.tasks.values()] == ["triage"]


# -- recusal ------------------------------------------------------------------------------------


def test_a_unit_complained_about_does_not_lead() -> None:
    """Nor does one below it: the role rises."""
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370102.urban"}])
    assert t.held.legs["1"].unit == "370100.urban"
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370100.urban"}])
    assert t.held.legs["1"].unit == "370000.urban"


def test_a_centre_complained_about_does_not_review() -> None:
    """The review goes to its superior, as everything that the centre would decide."""
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370100.hotline"}])
    assert t.held.centre == "370000.hotline"
    t.reply("handle", "reply", **ANSWER)
    assert t.data("task.assigned")["unit"] == "370000.hotline"


def test_a_unit_complained_about_is_not_proposed_or_dispatched_to() -> None:
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370102.water"}])
    t.reply("handle", "return", reason="不属本局", proposed_unit="370102.water").reply("decide_return", "accept_return")
    assert t.happened[-3:] == ["TriageAsked", "ClockStarted", "ClockStopped"]


# -- out: returns -------------------------------------------------------------------------------


def test_a_return_goes_to_the_unit_proposed() -> None:
    """The dispatcher agrees: a new leg, the old unit is told; the citizen's clock goes on with the same due."""
    t = told().submit("alone")
    due = t.held.clocks["finish/"].due
    t.reply("handle", "return", reason="不属本局职责", proposed_unit="370102.water")
    assert t.happened == ["LegSigned", "ClockStopped", "LegReturnAsked", "ClockStarted"]
    t.now = ms("2026-09-18 11:00")
    t.reply("decide_return", "accept_return")
    assert t.happened == [
        "LegReturned",
        "ClockStopped",
        "LegDispatched",
        "ClockStarted",
        "ClockStarted",
        "ClockStopped",
    ]
    assert t.left[:2] == ["tasks.desk task.withdrawn", "tasks.water task.assigned"]
    assert (t.held.legs["2"].unit, t.held.legs["2"].part, t.held.state) == ("370102.water", "lead", "dispatched")
    assert t.held.clocks["finish/"].due == due
    assert t.held.clocks["finish/"].running


def test_a_return_without_a_proposal_goes_to_a_dispatcher() -> None:
    t = told().submit("alone").reply("handle", "return", reason="不属本局").reply("decide_return", "accept_return")
    assert t.held.state == "in_triage"
    t.reply("triage", "dispatch", targets=[{"unit": "370102.water"}])
    assert t.happened[:2] == ["TriageEnded", "LegDispatched"]
    assert t.held.lead is not None
    assert t.held.lead.unit == "370102.water"


def test_a_rejected_return_leaves_the_time_with_the_unit() -> None:
    """The leg goes on with the due it had."""
    t = told().submit("alone").reply("handle", "return", reason="不属本局")
    due = t.held.clocks["finish/1"].due
    t.reply("decide_return", "reject_return", reason="属于你局职责")
    assert t.happened == ["LegReturnRejected", "ClockStopped"]
    assert t.held.clocks["finish/1"].due == due
    assert t.data("task.assigned")["reason"] == "属于你局职责"
    assert refused(t.reply("handle", "return", reason="再退")) == "not_allowed"
    assert t.reply("handle", "reply", **ANSWER).held.state == "replied"


@pytest.mark.parametrize(("at", "code"), [("2026-09-21 17:00", ""), ("2026-09-21 17:01", "return_window_over")])
def test_a_return_has_a_window(at: str, code: str) -> None:
    """Two working days, counted from the day after dispatch: Friday 18, worked Sunday 20, Monday 21."""
    t = told().submit("alone")
    t.wait_until(at).reply("handle", "return", reason="不属本局")
    assert (refused(t) if code else "") == code


def test_some_cases_cannot_be_returned() -> None:
    t = told().submit("ruled")
    assert "return" not in t.data("task.assigned")["allowed"]  # type: ignore[operator]
    assert refused(t.reply("handle", "return", reason="不属本局")) == "return_not_allowed"


def test_a_returned_assist_is_replaced_by_an_assist() -> None:
    """A dispatcher who says `lead` in a triage about one leg means that leg's place: there is one lead already."""
    t = (
        told()
        .submit()
        .reply("handle", "return", unit="370102.water", reason="不属本局")
        .reply("decide_return", "accept_return")
    )
    assert t.held.state == "dispatched"
    t.reply("triage", "dispatch", targets=[{"unit": "370102.health", "part": "lead"}])
    assert (t.held.legs["4"].unit, t.held.legs["4"].part) == ("370102.health", "assist")


# -- out: further down ----------------------------------------------------------------------------


def test_a_first_level_unit_dispatches_further() -> None:
    """Its own unit must be done a working day before it; it replies itself after that one did."""
    t = told().submit("alone").reply("handle", "sign")
    t.reply("handle", "sub_dispatch", units=["370102001.town", "370102002.town"])
    assert t.happened == ["LegDispatched", "ClockStarted", "ClockStarted"] * 2
    assert t.held.state == "sub_dispatched"
    assert show(t.held.clocks["finish/1"].due) == "2026-09-23 17:00:00"
    assert show(t.held.clocks["finish/1.1"].due) == "2026-09-22 17:00:00"
    task = t.data("task.assigned")
    assert (task["part"], task["parent_task"]) == ("sub", t.held.legs["1"].task)
    assert refused(t.reply("handle", "reply", unit="370102.urban", **ANSWER)) == "children_open"
    t.reply("handle", "reply", unit="370102001.town", result="solved", text="甲已办")
    assert t.left == ["tasks.desk task.assigned"]
    assert "reply" not in t.data("task.assigned")["allowed"]  # type: ignore[operator]
    t.reply("handle", "reply", unit="370102002.town", result="solved", text="乙已办")
    risen = t.data("task.assigned")
    assert risen["reply_under_review"]["text"] == "乙已办"  # type: ignore[index]
    assert "reply" in risen["allowed"]  # type: ignore[operator]
    assert t.reply("handle", "reply", unit="370102.urban", **ANSWER).held.state == "replied"


@pytest.mark.parametrize(
    ("units", "code"),
    [([], "incomplete"), (["370102.water"], "not_own_unit"), (["370102001.town", "x"], "not_own_unit")],
)
def test_only_own_units_can_be_named(units: list[str], code: str) -> None:
    assert refused(told().submit("alone").reply("handle", "sub_dispatch", units=units)) == code


def test_a_second_level_unit_cannot_dispatch_further_but_may_return() -> None:
    """Who dispatched decides: the first-level unit, which then may name another of its own."""
    t = told().submit("alone").reply("handle", "sub_dispatch", units=["370102001.town"])
    assert refused(t.reply("handle", "sub_dispatch", unit="370102001.town", units=["370102002.town"])) == "second_level"
    t.reply("handle", "return", unit="370102001.town", reason="不在辖区", proposed_unit="370102002.town")
    task = t.data("task.assigned")
    assert (task["kind"], task["unit"]) == ("decide_return", "370102.urban")
    t.reply("decide_return", "accept_return")
    assert (t.held.legs["1.2"].unit, t.held.legs["1.2"].part) == ("370102002.town", "sub")
    t.reply("handle", "return", unit="370102002.town", reason="不在辖区", proposed_unit="370102.water")
    t.reply("decide_return", "accept_return")
    assert t.happened == ["LegReturned", "ClockStopped", "ClockStopped"]
    assert t.reply("handle", "reply", unit="370102.urban", **ANSWER).held.state == "replied"


# -- out: review ----------------------------------------------------------------------------------


def test_a_reply_sent_back_keeps_its_due() -> None:
    """The same task again; the clock goes on as if it had not stopped, and is overdue at once where its due has passed."""
    t = told().submit("alone").reply("handle", "reply", **ANSWER)
    task, clock = t.held.legs["1"].task, t.held.clocks["finish/1"]
    assert not clock.running
    t.wait_until("2026-09-24 10:00").reply("review", "send_back", reason="未联系诉求人")
    assert t.happened == ["LegSentBack", "ClockResumed", "ClockStopped"]
    assert t.left == ["tasks.desk task.sent_back"]
    again = t.data("task.sent_back")
    assert (again["task_id"], again["round"], again["reason"], again["allowed"]) == (
        task,
        1,
        "未联系诉求人",
        ["sub_dispatch", "reply", "note", "ask_hang"],
    )
    assert t.held.clocks["finish/1"].due == clock.due
    assert t.held.next_due <= t.now
    t.wait_until("2026-09-24 10:01")
    fired = [name for record in t.records[-1:] for name in map(type, record.events)]
    assert fired == [ev.ClockWarned, ev.ClockOverdue, ev.CaseEscalated]
    t.reply("handle", "reply", **ANSWER).reply("review", "pass")
    assert t.held.state == "closed"


def test_a_review_sent_back_needs_a_reason() -> None:
    t = told().submit("alone").reply("handle", "reply", **ANSWER)
    assert refused(t.reply("review", "send_back")) == "incomplete"


# -- one-thing ------------------------------------------------------------------------------------


def test_the_stages_of_a_one_thing_follow_each_other() -> None:
    """Stage two opens when the blocking legs of stage one replied; the bank never blocks; what nobody holds falls to the lead."""
    t = told().submit("birth")
    assert [(leg.unit, leg.part, leg.stage, leg.matter) for leg in t.held.legs.values()] == [
        ("370102.health", "lead", "", ""),
        ("370102.police", "assist", "register", "m-1"),
        ("370102.bank", "assist", "register", "m-2"),
    ]
    assert refused(t.reply("handle", "reply", unit="370102.health", **ANSWER)) == "stages_open"
    t.reply("handle", "reply", unit="370102.police", **ANSWER)
    assert [name for name in t.happened if not name.startswith("Clock")] == [
        "LegSigned",
        "LegReplied",
        "StageOpened",
        "LegDispatched",
        "LegDispatched",
    ]
    assert [leg.unit for leg in t.held.legs.values()][3:] == ["370102.water", "370102.health"]
    t.reply("handle", "reply", unit="370102.water", **ANSWER)
    assert refused(t.reply("handle", "reply", unit="370102.health", **ANSWER)) == "stages_open"
    t.reply_to(t.held.legs["5"].task, "desk", "reply", **ANSWER)
    assert "reply" in t.data("task.assigned")["allowed"]  # type: ignore[operator]
    t.reply_to(t.held.legs["1"].task, "desk", "reply", **ANSWER).reply("review", "pass")
    assert t.held.state == "closed"
    assert t.held.legs["3"].state == "withdrawn"


def test_who_answers_for_a_one_thing_is_bound_by_the_whole() -> None:
    """The lead has no time limit of a single leg: it waits for the stages."""
    t = told().submit("birth")
    assert "finish/1" not in t.held.clocks
    assert {"finish/", "sign/1", "finish/2"} <= set(t.held.clocks)


def test_a_returned_stage_leg_blocks_until_somebody_else_replied() -> None:
    t = (
        told()
        .submit("birth")
        .reply("handle", "return", unit="370102.police", reason="不属本局")
        .reply("decide_return", "accept_return")
    )
    assert t.held.stage == "register"
    t.reply("triage", "dispatch", targets=[{"unit": "370102.urban"}])
    leg = t.held.legs["4"]
    assert (leg.part, leg.stage, leg.matter, leg.blocking) == ("assist", "register", "m-1", True)
    assert t.held.stage == "register"
    assert t.reply("handle", "reply", unit="370102.urban", **ANSWER).held.stage == "benefits"


# -- the applicant ----------------------------------------------------------------------------------


def test_a_supplement_restarts_no_clock_and_reaches_who_works() -> None:
    t = told().submit("alone")
    clocks = t.held.clocks
    t.follow_up(cmd.Supplement, text="又灭了一盏")
    assert t.happened == ["CaseSupplemented"]
    assert t.held.clocks == clocks
    assert t.data("task.assigned")["supplements"] == [{"text": "又灭了一盏"}]
    t.reply("handle", "return", reason="不属本局", proposed_unit="370102.water").reply("decide_return", "accept_return")
    assert t.data("task.assigned")["supplements"] == [{"text": "又灭了一盏"}]


def test_supplements_have_an_end() -> None:
    t = told().submit("alone").follow_up(cmd.Supplement, text="x" * 65_536)
    assert refused(t.follow_up(cmd.Supplement, text="y")) == "too_many_supplements"


def test_a_withdrawal_ends_everything_that_is_open() -> None:
    t = told().submit().follow_up(cmd.Withdraw, reason="已自行解决")
    assert t.happened[:4] == ["CaseWithdrawn", "LegWithdrawn", "LegWithdrawn", "LegWithdrawn"]
    assert sorted(left for left in t.left if "withdrawn" in left) == [
        "tasks.desk task.withdrawn", "tasks.police task.withdrawn", "tasks.water task.withdrawn",
    ]  # fmt: skip
    assert (t.held.state, t.held.close_reason, t.held.tasks) == ("closed", "withdrawn", {})


def test_a_withdrawal_takes_the_review_back() -> None:
    t = told().submit("alone").reply("handle", "reply", **ANSWER).follow_up(cmd.Withdraw)
    assert t.left[:2] == ["answers.website receipt.issued", "tasks.centre task.withdrawn"]
    assert t.held.legs["1"].state == "withdrawn"


def test_a_report_of_wrongdoing_cannot_be_withdrawn() -> None:
    t = told().submit("alone", appeal_kind="report").follow_up(cmd.Withdraw)
    assert refused(t) == "report_stays"
    assert t.data("receipt.issued")["reason"] == "report_stays"


def test_an_evaluation_counts_once_and_after_the_end() -> None:
    t = told().submit("alone")
    assert refused(t.evaluate(5)) == "not_allowed"
    t.reply("handle", "reply", **ANSWER).reply("review", "pass").evaluate(5)
    assert t.happened == ["CaseEvaluated"]
    assert refused(t.evaluate(1)) == "already_evaluated"
    assert t.held.grade == 5


def test_a_dispatcher_may_answer_what_no_unit_has_had() -> None:
    """直办: no leg, counted apart; a report of wrongdoing is looked into by somebody, and what came back is somebody's."""
    t = told().submit("unclear")
    t.reply("triage", "answer_at_once", text="窗口周六上午开放")
    assert t.data("reply.refused")["code"] == "incomplete"
    t.reply("triage", "answer_at_once", text="窗口周六上午开放", officer="0001")
    assert (t.held.state, t.held.close_reason, t.held.legs, t.held.tasks) == ("closed", "answered", {}, {})
    assert t.data("case.outcome")["text"] == "窗口周六上午开放"
    assert t.data("case.status_changed")["status"] == "answered_at_once"
    t = told().submit("unclear", appeal_kind="report").reply("triage", "answer_at_once", text="x", officer="0001")
    assert t.data("reply.refused")["code"] == "not_allowed"
    t = told().submit("alone").reply("handle", "return", reason="不属本局职责").reply("decide_return", "accept_return")
    t.reply("triage", "answer_at_once", text="x", officer="0001")
    assert t.data("reply.refused")["code"] == "not_allowed"
