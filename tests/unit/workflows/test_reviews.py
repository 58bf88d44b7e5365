"""复核: whoever was refused may object once; others than those who have refused it decide, and then it is taken, or ends."""

from typing import Any

import pytest
from msgspec import Raw, json

from tests.unit.workflows.calendar_2026 import ms
from tests.unit.workflows.small_world import Told, told
from workflows import commands as cmd

REFUSED: dict[str, Any] = {"reason": "listed", "basis": "某条例第九条", "where_to_turn": "人民法院"}


def refused(**more: Any) -> Told:
    """Proposed by 0001, confirmed by 0002."""
    t = told().submit("unclear", **more).order("370100.hotline", "refuse", **REFUSED)
    return t.reply("confirm_refusal", "confirm_refusal", officer="0002")


def objected(t: Told, text: str = "我的事归市里管") -> Told:
    return t.take(cmd.AskReview(**t.base(), channel="website", ref="w-1", body=Raw(json.encode({"text": text}))))  # type: ignore[arg-type]


def test_the_applicant_objects_and_the_supervising_office_decides() -> None:
    """Not the centre, which has refused it; with what he says, and a new promise."""
    t = refused()
    assert t.held.state == "closed"
    t.now = ms("2026-09-25 10:00")
    objected(t)
    assert t.left == [
        "answers.website receipt.issued", "tasks.watch task.assigned", "answers.website case.status_changed",
    ]  # fmt: skip
    task, status = t.data("task.assigned"), t.data("case.status_changed")
    assert (task["kind"], task["unit"], task["reason"]) == ("confirm_refusal", "370100.watch", "review_asked")
    assert task["supplements"] == [{"text": "我的事归市里管"}]
    assert task["refusal"] == {"ground": "listed", "basis": "某条例第九条", "where_to_turn": "人民法院"}
    assert (status["status"], str(status["promised_due"])[:10]) == ("under_review", "2026-10-09")
    assert t.held.clocks["finish/"].running and t.held.archive_at == 0


def test_who_confirms_a_refusal_is_told_on_what_ground_whoever_proposed_it() -> None:
    for t in (told().submit("refuse"), told().submit("unclear").order("370100.hotline", "refuse", **REFUSED)):
        proposed = t.held.refusal
        assert proposed is not None
        assert t.data("task.assigned")["refusal"] == {
            "ground": proposed.ground, "basis": "某条例第九条", "where_to_turn": "人民法院",
        }  # fmt: skip


def test_it_is_upheld_with_words_for_the_applicant_by_somebody_new() -> None:
    t = objected(refused())
    for officer in (None, "0001", "0002"):
        t.reply("confirm_refusal", "confirm_refusal", officer=officer, text="维持")
        assert t.data("reply.refused")["code"] == "second_officer"
        t.reply("confirm_refusal", "reject_refusal", officer=officer)
        assert t.data("reply.refused")["code"] == "second_officer"
    t.reply("confirm_refusal", "confirm_refusal", officer="0003")
    assert t.data("reply.refused")["code"] == "incomplete"
    t.reply("confirm_refusal", "confirm_refusal", officer="0003", text="经复核，仍属人民法院职权")
    outcome = t.data("case.outcome")
    assert (t.held.state, outcome["reason"], outcome["text"], outcome["where_to_turn"]) == (
        "closed", "refused", "经复核，仍属人民法院职权", "人民法院",
    )  # fmt: skip
    objected(t)
    assert t.data("receipt.issued")["reason"] == "already_reviewed"


def test_it_is_overturned_and_goes_on_and_nobody_refuses_it_again() -> None:
    t = objected(refused()).reply("confirm_refusal", "reject_refusal", officer="0003")
    assert [task.kind for task in t.held.tasks.values()] == ["triage"]
    t.order("370100.hotline", "refuse", **REFUSED)
    assert t.data("order.answered")["reason"] == "already_reviewed"
    t.reply("triage", "dispatch", targets=[{"unit": "370102.urban"}]).reply(
        "handle", "reply", result="solved", text="已办"
    )
    assert t.reply("review", "pass").held.close_reason == "solved"


def test_what_a_rule_proposed_may_be_objected_to_as_well() -> None:
    t = told().submit("refuse").reply("confirm_refusal", "confirm_refusal", officer="0002")
    objected(t).reply("confirm_refusal", "confirm_refusal", officer="0002", text="维持")
    assert t.data("reply.refused")["code"] == "second_officer"


def test_an_office_asks_for_somebody_who_came_or_called() -> None:
    t = refused()
    for unit, code in (("370102.urban", "not_entitled"), ("370100.hotline", "")):
        t.order(unit, "ask_review", text="当面申请复核")
        assert t.data("order.answered").get("reason", "") == code
    assert t.held.state == "refusal_proposed"
    assert t.data("task.assigned")["supplements"] == [{"text": "当面申请复核"}]


@pytest.mark.parametrize(
    ("complained", "unit"), [("370100.watch", "370000.hotline"), ("370000.hotline", "370100.watch")]
)
def test_who_is_complained_about_reviews_nothing(complained: str, unit: str) -> None:
    t = objected(refused(subject_of_complaint=[{"kind": "unit", "unit": complained}]))
    assert [task.unit for task in t.held.tasks.values()] == [unit]


def test_what_ended_otherwise_or_is_archived_is_not_reviewed() -> None:
    t = told().submit("alone")
    assert objected(t).data("receipt.issued")["reason"] == "not_allowed"
    t.reply("handle", "reply", result="solved", text="已办").reply("review", "pass")
    assert objected(t).data("receipt.issued")["reason"] == "not_refused"
    t = refused().wait_until("2026-12-01 09:00")
    assert objected(t).data("receipt.issued")["reason"] == "archived_case"


def test_who_has_objected_may_still_withdraw() -> None:
    t = objected(refused()).follow_up(cmd.Withdraw)
    assert (t.held.state, t.held.close_reason) == ("closed", "withdrawn")
