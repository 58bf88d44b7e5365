"""What leaves: to whom, numbered how, and what it keeps to itself."""

from unittest.mock import Mock

from msgspec import Raw, json

from schemas.registry import MODELS
from tests.unit.workflows.calendar_2026 import ms
from tests.unit.workflows.small_world import told
from workflows import commands as cmd
from workflows.answers import undecided
from workflows.handle import step

NAMED = {
    "applicant": {"kind": "person", "name": "张三", "phone": "13800000000", "disclosure": "confidential"},
    "co_applicants": [{"kind": "person", "name": "李四"}],
    "recording_ref": "rec-1",
}


def test_who_asks_for_confidence_is_not_named_to_the_unit() -> None:
    """The handling unit sees the kind of applicant only; the centre, which must call back, sees the whole."""
    t = told().submit("alone", **NAMED)
    request = t.data("task.assigned")["request"]
    assert request["applicant"] == {"kind": "person", "disclosure": "confidential"}  # type: ignore[index]
    said = b"".join(bytes(m.data) for m in t.said).decode()
    assert not [name for name in ("张三", "李四", "13800000000", "rec-1") if name in said]
    t.reply("handle", "reply", result="solved", text="已办")
    assert t.data("task.assigned")["request"]["applicant"]["name"] == "张三"  # type: ignore[index]


def test_a_unit_that_decides_a_return_from_below_is_not_told_the_name_either() -> None:
    """Only the centre, which must call back, and who takes an emergency see more than who handles it."""
    t = told().submit("alone", **NAMED).reply("handle", "sub_dispatch", units=["370102001.town"])
    t.reply("handle", "return", unit="370102001.town", reason="不属本街道")
    assert t.data("task.assigned")["kind"] == "decide_return"
    assert "张三" not in b"".join(bytes(m.data) for m in t.said if m.to != "tasks.centre").decode()


def test_who_is_told_that_his_message_waits_is_told_so_by_the_contract() -> None:
    """A receipt or a refused reply of the published models, in both languages, under an id that no other answer has."""
    t = told().submit()
    task = next(iter(t.held.tasks.values()))
    common = {**t.base(), "source": "replies.desk/0/7"}
    asked = (
        cmd.Supplement(**common, channel="hotline_12345", ref="w-1", body=Raw(b"{}")),  # type: ignore[arg-type]
        cmd.Reply(**common, endpoint="desk", task=task.id, action="sign", body=Raw(b"{}")),  # type: ignore[arg-type]
    )
    for command, to, words in zip(
        asked, ("answers.hotline_12345", "tasks.desk"), (("held", "rejected"), ("held", "case_too_large")), strict=True
    ):
        for code, word in zip(("held", "case_too_large"), words, strict=True):
            (message,) = undecided(command, code)
            body = MODELS[message.type].model_validate_json(bytes(message.data))
            assert (message.to, body.code, body.text is not None) == (to, word, True)  # type: ignore[attr-defined]
            assert message.id not in {m.id for m in t.said}
    assert undecided(cmd.ReachDeadline(**t.base()), "held") == ()  # type: ignore[arg-type]


def test_an_open_request_is_passed_on_as_it_came() -> None:
    """Byte for byte."""
    t = told().submit("alone")
    assert t.request in bytes(t.said[1].data)


def test_the_request_is_asked_for_only_where_a_task_carries_it() -> None:
    """Among many cases looking it up is dear: a signature needs none; what rises to a review asks once."""
    t = told().submit("alone")
    handle = next(task for task in t.held.tasks.values() if task.kind == "handle")
    for action, wanted in (("sign", 0), ("reply", 1)):
        body = {"case_id": t.held.id, "task_id": handle.id, "action": action, "result": "solved", "text": "已办"}
        command = cmd.Reply(**t.base(), endpoint=handle.endpoint, task=handle.id, action=action, body=Raw(json.encode(body)))  # type: ignore[arg-type]  # fmt: skip
        ask = Mock(return_value=t.request)
        made = step(t.held, command, t.facts, t.now, ask)
        assert (ask.call_count, made.record is not None) == (wanted, True)
        assert made == step(t.held, command, t.facts, t.now, lambda: t.request)
        t.case = made.case


def test_messages_are_numbered_per_destination_and_named_by_their_cause() -> None:
    t = told().submit().follow_up(cmd.Supplement, text="x").follow_up(cmd.Withdraw)
    for to in {m.to for m in t.said}:
        assert [m.seq for m in t.said if m.to == to] == list(range(1, 1 + sum(m.to == to for m in t.said)))
    assert len({m.id for m in t.said}) == len(t.said)
    assert t.held.sent == {to: sum(m.to == to for m in t.said) for to in {m.to for m in t.said}}


def test_keys_are_the_case_or_the_channels_own_id() -> None:
    """A receiver finds what belongs together in one partition, in order."""
    t = told().submit().wait_until("2026-10-20 09:00")
    assert {(m.to.partition(".")[0], m.key == t.held.id, m.key == "w-1") for m in t.said} == {
        ("tasks", True, False),
        ("answers", False, True),
        ("supervision", True, False),
    }


def test_a_task_names_one_due_per_kind_and_the_units_own_first() -> None:
    """The citizen's finish is not what binds a unit that has a finish of its own."""
    t = told().submit("alone")
    assert t.data("task.assigned")["due"] == [
        {"kind": "finish", "due": "2026-09-23T17:00:00+08:00"},
        {"kind": "sign", "due": "2026-09-18T14:30:00+08:00"},
    ]
    assert t.data("receipt.issued")["promised_due"] == "2026-09-24T17:00:00+08:00"


def test_a_proposed_refusal_is_not_told_to_the_applicant() -> None:
    """It is nobody's decision yet."""
    t = told().submit("refuse")
    assert t.left == ["answers.website receipt.issued", "tasks.centre task.assigned"]


def test_a_reply_is_reviewed_with_what_it_said() -> None:
    files = [{"name": "现场.jpg", "uri": "oss://a/1.jpg"}]
    t = told().submit("alone").reply("handle", "reply", result="solved", text="已办", basis="某规定", attachments=files)
    task = t.data("task.assigned")
    assert task["kind"] == "review"
    assert task["reply_under_review"] == {
        "result": "solved",
        "text": "已办",
        "unit": "370102.urban",
        "unit_name": "区城管局",
        "contacted": False,
        "basis": "某规定",
        "attachments": files,
    }


def test_supervisors_are_told_who_and_what() -> None:
    t = told(ms("2026-09-18 09:00")).submit("alone").wait_until("2026-09-30 17:00")
    told_ = [json.decode(m.data, type=dict[str, object]) for m in t.said if m.to == "supervision"]
    assert [
        (m["kind"], m.get("leg", ""), m.get("level", 0), m["what"], m["unit"], str(m["at"])[5:16]) for m in told_
    ] == [
        ("finish", "1", 0, "warn", "370102.urban", "09-23T10:18"),
        ("finish", "", 0, "warn", "370102.urban", "09-23T17:00"),
        ("finish", "1", 0, "overdue", "370102.urban", "09-23T17:00"),
        ("finish", "1", 1, "urge", "370102.urban", "09-23T17:00"),
        ("finish", "", 0, "overdue", "370102.urban", "09-24T17:00"),
        ("finish", "", 1, "urge", "370100.urban", "09-28T17:00"),
        ("finish", "", 2, "supervise", "370100.watch", "09-30T17:00"),
    ]
