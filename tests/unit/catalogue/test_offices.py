"""With the catalogue of Shandong: the offices that the table of rights names are there, and may do what it says."""

from msgspec import Raw, json

from schemas.ids import case_id, command_id
from tests.unit.catalogue.shandong import shandong
from tests.unit.workflows.calendar_2026 import ms
from workflows import commands as cmd
from workflows.handle import Step, step
from workflows.rights import RIGHTS

NOW = ms("2026-09-18 09:00")
CASE = case_id("hotline_12345", "o-1")
TWO = {"officer": "0001", "confirmed_by": "0002"}


def opened() -> Step:
    request = {
        "title": "路灯不亮", "appeal_kind": "help", "appeal_category": "C10", "place": {"region": "370102"},
        "applicant": {"kind": "person", "name": "张三", "disclosure": "confidential"},
    }  # fmt: skip
    body = json.encode(request)
    command = cmd.Submit(
        id=command_id(CASE, "1"), case=CASE, at=NOW, channel="hotline_12345", ref="o-1", request=Raw(body), digest="d",
        received_at=NOW, serial="1",
    )  # fmt: skip
    return step(None, command, shandong().facts(), NOW)


def answer(held: Step, unit: str, action: cmd.OrderAction, **said: object) -> str:
    """`accepted`, or why it was not."""
    facts = shandong().facts()
    known = facts.unit(unit)
    assert known is not None
    order = cmd.Order(
        id=command_id(CASE, f"{unit}/{action}"), case=CASE, at=NOW, endpoint=known.endpoint, unit=unit, action=action,
        body=Raw(json.encode(TWO | said)),
    )  # fmt: skip
    made = step(held.case, order, facts, NOW, lambda: b"{}")
    told = json.decode(made.messages[0].data)
    return str(told.get("reason") or told["code"])


def test_the_offices_of_the_place_and_above_may_order_and_no_others() -> None:
    held = opened()
    assert held.case is not None
    supervise = {"reason": "overdue", "limit": "3wd"}
    for unit in ("370102.supervision-office", "370100.supervision-office", "370000.supervision-office"):
        assert answer(held, unit, "supervise", **supervise) == "accepted", unit
    for unit in ("370103.supervision-office", "370200.supervision-office", "370102.hotline", "370102.finance"):
        assert answer(held, unit, "supervise", **supervise) == "not_entitled", unit
    assert answer(held, "370100.government", "instruct", post="分管副市长", text="抓紧") == "accepted"
    assert answer(held, "370100.hotline", "urge") == "accepted"
    assert answer(held, "370200.hotline", "urge") == "not_entitled"


def test_reasons_come_from_the_list_and_policies_say_what_is_allowed() -> None:
    held = opened()
    assert held.case is not None
    assert answer(held, "370100.supervision-office", "supervise", reason="whim") == "unknown_reason"
    lead = held.case.lead
    assert lead is not None
    assert answer(held, lead.unit, "reveal", reason="contact", fields=["name"]) == "accepted"
    marked = answer(held, held.case.centre, "mark_malicious", reason="false_report", document="济热线〔2026〕8号")
    assert marked == "not_by_policy"


def test_every_order_that_needs_a_reason_has_a_list() -> None:
    """And each list of the catalogue that is for an order is for one that there is."""
    facts = shandong().facts()
    assert [action for action, right in RIGHTS.items() if right.reason and not facts.reasons(action)] == []


def test_a_case_that_may_be_hung_can_be() -> None:
    """The policy of the provincial hotline has a clock for each task of it."""
    policy = shandong().policies["shandong-hotline"]
    assert policy.hangs == "stop"
    kinds = {clock.kind for clock in policy.clocks if clock.of == "task"}
    assert {"report", "hang_decision", "plan_review"} <= kinds
