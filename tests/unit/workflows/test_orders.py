"""Orders of officers: who may give which, what they need, and that whoever gives one is answered."""

from msgspec import Raw, json
from msgspec.structs import replace

from schemas.registry import MODELS
from tests.unit.workflows.small_world import UNITS, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.answers import undecided
from workflows.case import SEEN, URGES
from workflows.handle import give_up, step
from workflows.orders import ORDERS
from workflows.rights import RIGHTS

EVIDENCE = [{"name": "两次办理情况.pdf", "uri": "oss://a"}]


def test_every_right_has_a_handler_and_every_handler_a_right() -> None:
    assert set(RIGHTS) == set(ORDERS)


def test_the_centre_urges_and_who_has_it_in_hand_is_told() -> None:
    """The task again with the reason `urged`; no due date moves; counted apart from what the citizen urges."""
    t = told().submit("alone")
    dues = {key: clock.due for key, clock in t.held.clocks.items()}
    t.order("370100.hotline", "urge", text="三天了，请尽快")
    assert t.happened == ["OrderGiven", "CaseUrged"]
    assert t.left == ["tasks.centre order.answered", "tasks.desk task.assigned"]
    assert t.data("task.assigned")["reason"] == "urged"
    assert t.data("order.answered")["code"] == "accepted"
    assert {key: clock.due for key, clock in t.held.clocks.items()} == dues
    assert t.held.oversight is not None
    assert (t.held.oversight.urged, t.held.oversight.urged_by_citizen) == (1, 0)


def test_only_one_leg_may_be_meant() -> None:
    t = told().submit("street").order("370100.watch", "urge", leg="2")
    assert t.left == ["tasks.watch order.answered", "tasks.water task.assigned"]
    t.order("370100.watch", "urge", leg="9")
    assert t.data("order.answered")["reason"] == "leg_not_open"


def test_who_has_no_right_is_told_so_and_nothing_changes() -> None:
    """A unit without the office, one that the endpoint does not speak for, one that does not exist, an ended case."""
    t = told().submit("alone")
    before = t.held
    for unit, endpoint, code in (
        ("370102.bank", "", "not_entitled"),
        ("370100.hotline", "desk", "wrong_unit"),
        ("370100.nobody", "desk", "unknown_unit"),
    ):
        t.order(unit, "urge", endpoint=endpoint)
        assert t.happened == ["CommandRefused"]
        said = t.data("order.answered")
        assert (said["code"], said["reason"], said["unit"]) == ("refused", code, unit)
        assert (t.held.legs, t.held.tasks, t.held.oversight) == (before.legs, before.tasks, None)
    t.follow_up(cmd.Withdraw).order("370100.hotline", "urge")
    assert t.data("order.answered")["reason"] == "not_allowed"


def test_who_is_complained_about_orders_nothing() -> None:
    t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": "370100.urban"}])
    t.order("370100.urban", "urge")
    assert t.data("order.answered")["reason"] == "recused"


def test_a_superior_urges_those_below() -> None:
    t = told().submit("alone").order("370100.urban", "urge")
    assert t.data("order.answered")["code"] == "accepted"


def test_an_order_to_no_case_or_one_kept_aside_is_answered_too() -> None:
    t = told().submit("alone")
    body = Raw(json.encode({"officer": "0001"}))
    common = {**t.base(), "source": "replies.centre/0/7"}
    order = cmd.Order(**common, endpoint="centre", unit="370100.hotline", action="urge", body=body)  # type: ignore[arg-type]
    answer, dead = step(None, order, t.facts, t.now).messages
    assert json.decode(answer.data)["reason"] == "unknown_case"
    assert dead.to == "dead-letters.engine"
    for code, outcome in (("held", "held"), ("case_too_large", "refused")):
        (message,) = undecided(order, code)
        said = MODELS[message.type].model_validate_json(bytes(message.data))
        assert (message.to, said.code, said.reason) == ("tasks.centre", outcome, code)  # type: ignore[attr-defined]
    given_up = give_up(t.held, cmd.GiveUp(**common, of=order), t.facts, t.now)  # type: ignore[arg-type]
    assert json.decode(given_up.messages[0].data)["reason"] == "discarded"


def test_every_unit_of_the_small_world_is_answered() -> None:
    """Whoever orders: taken or refused, never silence."""
    for unit in UNITS:
        t = told().submit("street").order(unit, "urge")
        assert t.left[0].endswith("order.answered")


# -- 催办 by the applicant ------------------------------------------------------------------------


def test_the_applicant_urges_and_is_counted_apart() -> None:
    t = told().submit("alone").follow_up(cmd.Urge, text="等了三天").order("370100.hotline", "urge")
    assert t.held.oversight is not None
    assert (t.held.oversight.urged, t.held.oversight.urged_by_citizen) == (1, 1)
    t.follow_up(cmd.Urge)
    assert t.left == ["answers.website receipt.issued", "tasks.desk task.assigned"]
    t.follow_up(cmd.Withdraw).follow_up(cmd.Urge)
    assert t.data("receipt.issued")["reason"] == "not_allowed"


# -- 督办, 批示 -------------------------------------------------------------------------------------

SUPERVISED = {"reason": "listed", "text": "请报送办理情况", "document": "政督〔2026〕1号"}


def test_supervision_has_its_own_due_and_moves_none() -> None:
    """A task to report beside the work; by the policy's limit or the order's own."""
    t = told().submit("alone")
    dues = {key: clock.due for key, clock in t.held.clocks.items()}
    t.order("370100.watch", "supervise", **SUPERVISED)
    assert t.happened == ["OrderGiven", "ReportOrdered", "ClockStarted"]
    task = t.data("task.assigned")
    assert (task["kind"], task["unit"], task["allowed"]) == ("report", "370102.urban", ["report"])
    assert task["order"]["document"] == "政督〔2026〕1号"  # type: ignore[index]
    assert [due["kind"] for due in task["due"]] == ["finish", "report"]  # type: ignore[union-attr,attr-defined]
    assert dues.items() <= {key: clock.due for key, clock in t.held.clocks.items()}.items()
    t.order("370100.watch", "supervise", **SUPERVISED, limit="1wd")
    first, second = (c for c in t.held.clocks.values() if c.kind == "report")
    assert second.due < first.due


def test_a_report_is_read_first_by_the_office_that_ordered_it() -> None:
    t = told().submit("alone").order("370100.watch", "supervise", **SUPERVISED)
    t.reply("report", "report", text="已到现场")
    assert t.left == ["tasks.watch task.assigned", "supervision case.overseen"]
    assert t.data("task.assigned")["order"]["report"] == "已到现场"  # type: ignore[index]
    t.reply("read_report", "reject_report", reason="不具体")
    assert t.left == ["tasks.desk task.assigned", "supervision case.overseen"]
    assert (
        t.data("task.assigned")["reason"],
        next(c.running for c in t.held.clocks.values() if c.kind == "report"),
    ) == (
        "不具体",
        True,
    )
    t.reply("report", "report", text="明日修复").reply("read_report", "accept_report")
    assert t.happened == ["OrderLifted"]
    assert t.held.oversight is not None
    assert t.held.oversight.standing == ()
    assert not any(clock.running for clock in t.held.clocks.values() if clock.kind == "report")


def test_several_stand_at_once_and_each_office_lifts_its_own() -> None:
    t = told().submit("alone").order("370100.watch", "supervise", **SUPERVISED)
    t.order("370100.mayor", "instruct", post="分管副市长", text="抓紧")
    t.order("370100.mayor", "lift", order="1")
    assert t.data("order.answered")["reason"] == "no_such_order"
    t.order("370100.mayor", "lift")
    assert t.held.oversight is not None
    assert [order.action for order in t.held.oversight.standing] == ["supervise"]
    assert sum(task.kind == "report" for task in t.held.tasks.values()) == 1


def test_what_is_supervised_cannot_be_returned() -> None:
    """Until it is lifted (督办件不得擅自退单)."""
    t = told().submit("alone").order("370100.watch", "supervise", **SUPERVISED)
    t.reply("handle", "return", reason="不属本局职责")
    assert t.data("reply.refused")["code"] == "under_supervision"
    t.order("370100.watch", "lift").reply("handle", "return", reason="不属本局职责")
    assert "LegReturnAsked" in t.happened


def test_the_leader_is_answered_before_the_citizen() -> None:
    t = told().submit("alone").order("370100.mayor", "instruct", post="分管副市长", text="抓紧")
    t.reply("handle", "reply", result="solved", text="已办").reply("review", "pass")
    assert t.data("reply.refused")["code"] == "report_first"
    t.reply("report", "report", text="已办").reply("review", "pass")
    assert t.held.state == "closed"
    assert "OrderLifted" in t.happened


def test_a_report_goes_on_the_ladder_of_its_own() -> None:
    t = (
        told()
        .submit("alone")
        .order("370100.watch", "supervise", **SUPERVISED, limit="1wd")
        .wait_until("2026-09-21 17:00")
    )
    assert ("report", "370102.urban") in {
        (event.kind, event.unit)
        for record in t.records
        for event in record.events
        if isinstance(event, ev.ClockOverdue)
    }


def test_an_order_that_lacks_what_it_needs_is_refused() -> None:
    t = told().submit("alone")
    for said, code in (
        ({}, "incomplete"),
        ({"reason": "whim"}, "unknown_reason"),
        ({"reason": "listed", "leg": "7"}, "leg_not_open"),
    ):
        t.order("370100.watch", "supervise", **said)
        assert t.data("order.answered")["reason"] == code
    for _ in range(20):
        t.order("370100.watch", "supervise", reason="listed")
    t.order("370100.watch", "supervise", reason="listed")
    assert t.data("order.answered")["reason"] == "too_many_orders"


def test_who_asks_for_confidence_is_not_named_in_a_report_either() -> None:
    applicant = {"kind": "person", "name": "张三", "disclosure": "confidential"}
    t = told().submit("alone", applicant=applicant).order("370100.watch", "supervise", **SUPERVISED)
    t.reply("report", "report", text="已到现场")
    assert "张三" not in b"".join(bytes(m.data) for m in t.said if m.to != "tasks.centre").decode()


# -- not taken, concluded, going on, malicious ------------------------------------------------------

REFUSED = {"reason": "listed", "basis": "某条例第九条", "where_to_turn": "人民法院"}


def test_an_officer_may_refuse_and_another_one_confirms() -> None:
    """Legal basis and where to turn are named to the applicant; one officer alone refuses nothing."""
    t = told().submit("unclear").order("370100.hotline", "refuse", **REFUSED)
    assert t.held.state == "refusal_proposed"
    assert [task.kind for task in t.held.tasks.values()] == ["confirm_refusal"]
    for officer in ({}, {"officer": "0001"}):
        t.reply("confirm_refusal", "confirm_refusal", **officer)
        assert t.data("reply.refused")["code"] == "second_officer"
    t.reply("confirm_refusal", "confirm_refusal", officer="0002")
    outcome = t.data("case.outcome")
    assert (outcome["reason"], outcome["legal_basis"], outcome["where_to_turn"]) == (
        "refused",
        "某条例第九条",
        "人民法院",
    )


def test_a_refusal_that_is_not_confirmed_goes_back_to_triage() -> None:
    t = told().submit("unclear").order("370100.hotline", "refuse", **REFUSED)
    t.reply("confirm_refusal", "reject_refusal", officer="0002")
    assert (t.held.state, t.held.refusal) == ("in_triage", None)


def test_what_was_dispatched_is_not_refused_any_more() -> None:
    t = told().submit("alone").order("370100.hotline", "refuse", **REFUSED)
    assert t.data("order.answered")["reason"] == "not_allowed"
    t.reply("handle", "return", reason="不属本局职责").reply("decide_return", "accept_return")
    t.order("370100.hotline", "refuse", **REFUSED)
    assert (t.held.state, t.data("order.answered")["reason"]) == ("in_triage", "not_allowed")


def test_what_is_concluded_stays_so_and_more_is_filed() -> None:
    """终结 is for what was done again: a case in another state cannot be concluded."""
    said = {"reason": "listed", "text": "已两次办理，无新情况", "confirmed_by": "0002", "attachments": EVIDENCE}
    t = told().submit("alone").order("370100.hotline", "conclude", **said)
    assert t.data("order.answered")["reason"] == "not_allowed"
    t.case = replace(t.held, state="redo")
    for none in ({}, {"attachments": []}):
        t.order("370100.hotline", "conclude", **{k: v for k, v in said.items() if k != "attachments"} | none)
        assert (t.held.state, t.data("order.answered")["reason"]) == ("redo", "evidence_needed")
    t.order("370100.hotline", "conclude", **said)
    assert (t.held.state, t.held.close_reason) == ("closed", "concluded")
    (event,) = [e for e in t.last.record.events if isinstance(e, ev.CaseConcluded)] if t.last.record else []
    assert (event.evidence, json.decode(bytes(event.attachments or b""))) == (1, EVIDENCE)
    t.follow_up(cmd.Supplement, text="还是不满意")
    assert t.left == ["answers.website receipt.issued"]
    assert t.happened == ["SupplementAttached"]


def test_what_can_be_done_again_is_done_again_before_it_is_concluded() -> None:
    """终结 takes the applicant's last word from him: not while the policy still has it done again once."""
    said = {"reason": "listed", "text": "已办理，无新情况", "confirmed_by": "0002", "attachments": EVIDENCE}
    answer = {"result": "solved", "text": "x"}
    t = told().submit("heard").reply("handle", "reply", **answer).reply("review", "pass")
    before = t.held
    t.order("370100.hotline", "conclude", **said)
    assert t.data("order.answered")["reason"] == "redo_first"
    assert (t.held.state, t.held.tasks) == ("called_back", before.tasks)
    t.reply("call_back", "redo", contacted=True, solved=False, satisfied=False, reason="listed")
    t.reply("handle", "reply", **answer).reply("review", "pass").order("370100.hotline", "conclude", **said)
    assert (t.held.state, t.held.close_reason) == ("closed", "concluded")


def test_the_unit_may_go_on_ex_officio() -> None:
    """Where the policy allows it: the withdrawal is on the record and ends nothing."""
    t = told().submit("alone").order("370102.urban", "ex_officio", basis="安全隐患须继续处置")
    t.follow_up(cmd.Withdraw)
    assert (t.happened, t.held.state) == (["WithdrawalNoted"], "dispatched")
    assert t.data("task.assigned")["reason"] == "withdrawal_noted"
    t = told().submit("ruled").order("370102.urban", "ex_officio", basis="x")
    assert t.data("order.answered")["reason"] == "not_by_policy"
    assert t.follow_up(cmd.Withdraw).held.state == "closed"


def test_malicious_only_by_policy_and_with_no_more_effect_than_it_says() -> None:
    said = {"reason": "listed", "document": "济热线〔2026〕8号", "confirmed_by": "0002"}
    t = told().submit("alone").order("370100.hotline", "mark_malicious", **said)
    t.follow_up(cmd.Supplement, text="x")
    assert t.left == ["answers.website receipt.issued"]
    t.follow_up(cmd.Urge)
    assert t.left == ["answers.website receipt.issued"]
    assert t.reply("handle", "reply", result="solved", text="已办").reply("review", "pass").held.state == "closed"
    t = told().submit("ruled").order("370100.hotline", "mark_malicious", **said)
    assert t.data("order.answered")["reason"] == "not_by_policy"


# -- 调阅身份 ----------------------------------------------------------------------------------------

CONFIDENTIAL = {"kind": "person", "name": "张三", "phone": "13800000000", "disclosure": "confidential"}
ASKED = {"reason": "listed", "fields": ["phone"]}


def test_who_holds_the_case_may_see_a_field_once_and_on_the_record() -> None:
    t = told().submit("alone", applicant=CONFIDENTIAL).order("370102.urban", "reveal", **ASKED)
    assert t.left == ["tasks.desk order.answered", "tasks.desk identity.revealed"]
    assert t.data("identity.revealed")["applicant"] == {
        "kind": "person", "disclosure": "confidential", "phone": "13800000000",
    }  # fmt: skip
    assert t.held.oversight is not None
    assert t.held.oversight.revealed == 1
    assert t.last.record is not None
    assert b"13800000000" not in ev.encode(t.last.record)


def test_a_report_and_what_a_policy_protects_stay_hidden() -> None:
    """举报 and 纪检: nobody outside the centre; and nothing is asked for where nothing is hidden."""
    for more, category, code in (
        ({"applicant": CONFIDENTIAL, "appeal_kind": "report"}, "alone", "identity_protected"),
        ({"applicant": CONFIDENTIAL}, "ruled", "identity_protected"),
        ({}, "alone", "nothing_hidden"),
    ):
        t = told().submit(category, **more).order("370102.urban", "reveal", **ASKED)
        assert t.data("order.answered")["reason"] == code
        assert "identity.revealed" not in str(t.left)
    t = (
        told()
        .submit("alone", applicant=CONFIDENTIAL)
        .order("370102.urban", "reveal", reason="listed", fields=["shoe_size"])
    )
    assert t.data("order.answered")["reason"] == "incomplete"
    t = told().submit("street", applicant=CONFIDENTIAL).order("370102.police", "reveal", **ASKED)
    assert t.data("order.answered")["reason"] == "not_entitled", "a copy handles nothing"


def test_a_dispatcher_answers_nobody_before_the_leader() -> None:
    t = told().submit("unclear").order("370100.mayor", "instruct", text="速办", post="市长")
    t.reply("triage", "answer_at_once", text="见公告", officer="0001")
    assert t.data("reply.refused")["code"] == "report_first"
    t.reply("report", "report", text="已办").reply("triage", "answer_at_once", text="见公告", officer="0001")
    assert t.held.close_reason == "answered"


def test_an_order_to_report_outlives_a_refusal_to_take_the_case() -> None:
    """Its task stays with its clock, through proposal and rejection, until the report or the end."""
    t = told().submit("unclear").order("370100.mayor", "instruct", text="速办", post="市长")
    (report,) = [task.id for task in t.held.tasks.values() if task.kind == "report"]
    t.order("370100.hotline", "refuse", reason="listed", basis="x", where_to_turn="y")
    assert sorted(task.kind for task in t.held.tasks.values()) == ["confirm_refusal", "report"]
    t.reply("confirm_refusal", "reject_refusal").reply("triage", "dispatch", targets=[{"unit": "370102.urban"}])
    t.reply("handle", "reply", result="solved", text="x").reply("review", "pass")
    assert t.data("reply.refused")["code"] == "report_first"
    assert t.held.clocks[f"report/{report}"].running
    t.reply("report", "report", text="已办").reply("read_report", "accept_report").reply("review", "pass")
    assert t.held.state == "closed"


def test_however_much_a_channel_sends_an_officer_can_end_the_case() -> None:
    """The applicant's urging is refused first: more that he says still has room."""
    t = told().submit("alone")
    full = replace(t.held, seen=b"x" * 8 * URGES)
    t.case = full
    assert t.follow_up(cmd.Urge, text="快").happened == ["CommandRefused"]
    assert t.follow_up(cmd.Supplement, text="x").happened[0] == "CaseSupplemented"
    t.case = replace(full, seen=b"x" * 8 * SEEN)
    assert t.follow_up(cmd.Withdraw).happened == ["CommandRefused"]
    assert t.order("370100.hotline", "urge").happened == ["OrderGiven", "CaseUrged"]


def test_who_owns_a_case_is_not_bound_by_a_complaint_about_those_above() -> None:
    for about, code in (("370000.hotline", None), ("370100.hotline", "recused")):
        t = told().submit("alone", subject_of_complaint=[{"kind": "unit", "unit": about}])
        if t.held.centre != "370100.hotline":
            t.case = replace(t.held, centre="370100.hotline")
        t.order("370100.hotline", "urge")
        assert t.data("order.answered").get("reason") == code
