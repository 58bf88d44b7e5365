"""What supervisors read of offices: who ordered what of whom, until when, and how it ended; nobody's name, nobody's words."""

from typing import Any

from msgspec import json

from schemas.registry import CASE_OVERSEEN, MODELS
from tests.unit.workflows.calendar_2026 import ms
from tests.unit.workflows.small_world import Told, told

SUPERVISED: dict[str, Any] = {"reason": "listed", "text": "督查员王五要求", "document": "政督〔2026〕1号"}
HANG: dict[str, Any] = {"reason": "listed", "text": "列入张三家门口的计划", "until": "2027-03-31T17:00:00+08:00"}
TWO: dict[str, Any] = {"officer": "0001", "confirmed_by": "0002"}
EVIDENCE = [{"name": "a.pdf", "uri": "oss://a"}]
NAMED: dict[str, Any] = {"applicant": {"kind": "person", "name": "张三", "phone": "13800000000"}}


def overseen(t: Told) -> list[dict[str, Any]]:
    """All that supervisors were told of this case, by the contract."""
    said = [m for m in t.said if m.type == CASE_OVERSEEN]
    assert all(m.to == "supervision" for m in said)
    for message in said:
        MODELS[message.type].model_validate_json(bytes(message.data))
    return [json.decode(message.data) for message in said]


def told_of(t: Told) -> list[str]:
    return [said["what"] for said in overseen(t)]


def test_a_supervision_is_told_from_the_order_to_its_end() -> None:
    t = told().submit("alone", **NAMED).order("370100.watch", "supervise", **SUPERVISED)
    first = overseen(t)[0]
    assert (first["what"], first["by"], first["unit"], first["leg"], first["order"]) == (
        "supervise", "370100.watch", "370102.urban", "1", "1",
    )  # fmt: skip
    assert (first["reason"], first["document"], first["due"]) == (
        "listed",
        "政督〔2026〕1号",
        "2026-09-21T17:00:00+08:00",
    )
    t.reply("report", "report", text="张三已联系").reply("read_report", "reject_report", reason="不具体")
    t.reply("report", "report", text="已修复").reply("read_report", "accept_report")
    assert told_of(t) == ["supervise", "reported", "report_rejected", "reported", "report_accepted"]
    assert [said.get("round", 0) for said in overseen(t)] == [0, 0, 1, 1, 1]
    assert overseen(t)[2]["due"] == first["due"], "asking again gives no more time"


def test_a_late_report_is_an_overdue_clock() -> None:
    t = (
        told()
        .submit("alone")
        .order("370100.watch", "supervise", **SUPERVISED, limit="1wd")
        .wait_until("2026-09-24 09:00")
    )
    late = [json.decode(m.data) for m in t.said if m.type.endswith("clock.overdue.v1")]
    assert {"kind": "report", "leg": "1", "unit": "370102.urban"}.items() <= next(
        said for said in late if said["kind"] == "report"
    ).items()


def test_each_office_and_the_end_of_the_case_lift() -> None:
    t = told().submit("alone").order("370100.watch", "supervise", **SUPERVISED)
    t.order("370100.mayor", "instruct", post="分管副市长", text="请张三所在街道").order("370100.watch", "lift")
    assert told_of(t) == ["supervise", "instruct", "lifted"]
    assert overseen(t)[1]["post"] == "分管副市长"
    t.reply("report", "report", text="已办").reply("handle", "reply", result="solved", text="已修复").reply(
        "review", "pass"
    )
    assert t.held.state == "closed"
    assert told_of(t)[3:] == ["reported", "ended"]
    assert overseen(t)[-1]["by"] == "370100.mayor"


def test_a_hard_case_is_told_with_its_plan_and_its_release() -> None:
    t = told().submit("alone").reply("handle", "ask_hang", **HANG)
    assert told_of(t) == []
    t.reply("decide_hang", "grant_hang", **TWO)
    assert {"what": "hung", "by": "370100.hotline", "unit": "370102.urban", "reason": "listed"}.items() <= overseen(t)[
        0
    ].items()
    assert overseen(t)[0]["due"] == "2027-03-31T17:00:00+08:00"
    t.now = ms("2026-12-01 10:00")
    t.order("370100.hotline", "release", reason="listed", confirmed_by="0002")
    assert told_of(t) == ["hung", "released"]


def test_another_unit_and_a_conclusion_are_told() -> None:
    t = told().submit("alone").order("370100.hotline", "re_dispatch", reason="x", targets=[{"unit": "370102.water"}])
    assert {"what": "re_dispatch", "by": "370100.hotline", "unit": "370102.water", "leg": "2"}.items() <= overseen(t)[
        0
    ].items()
    t = told().submit("heard").reply("handle", "reply", result="solved", text="已办").reply("review", "pass")
    t.reply("call_back", "redo", contacted=True, solved=False, satisfied=False, reason="listed")
    t.reply("handle", "reply", result="solved", text="已办").reply("review", "pass")
    t.order("370100.hotline", "conclude", reason="listed", text="无新情况", confirmed_by="0002", attachments=EVIDENCE)
    assert [(said["what"], said["unit"], said["reason"]) for said in overseen(t)] == [
        ("conclude", "370102.urban", "listed")
    ]


def test_an_officers_redirection_is_told_and_no_other() -> None:
    """Who has to take it, by the list; as an order, or by the dispatcher who is asked who acts."""
    expected = {"what": "redirect", "unit": "370102.police", "reason": "listed"}
    t = told().submit("alone").order("370102.hotline", "redirect", reason="listed", text="张三家着火")
    assert (expected | {"by": "370102.hotline"}).items() <= overseen(t)[0].items()
    t = told().submit("nobody").reply("triage", "redirect", reason="listed")
    assert (expected | {"by": "370100.hotline"}).items() <= overseen(t)[0].items()
    t = told().submit("alone", urgency="emergency")
    assert (t.held.state, overseen(t)) == ("redirected", [])


def test_nobodys_name_and_nobodys_words_are_in_it() -> None:
    """Not even those of whoever ordered, reported or asked: supervision is read by many."""
    t = told().submit("alone", **NAMED).order("370100.watch", "supervise", **SUPERVISED, officer="0007")
    t.reply("report", "report", text="张三已联系").reply("read_report", "reject_report", reason="张三说没有")
    t.reply("report", "report", text="张三已联系").reply("read_report", "accept_report")
    t.reply("handle", "ask_hang", **HANG).reply("decide_hang", "grant_hang", **TWO)
    said = b"".join(bytes(m.data) for m in t.said if m.to == "supervision").decode()
    assert not [word for word in ("张三", "王五", "13800000000", '"0001"', '"0002"', '"0007"') if word in said]
