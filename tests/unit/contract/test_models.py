"""The models of the contract: strict, immutable, silent about values, and honest about personal data."""

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.faults import InvalidMessage
from schemas.fields import personal_pointers
from schemas.registry import MODELS
from schemas.request import Evaluation, ServiceRequest, Supplement
from schemas.task import Reply, Task
from schemas.validation import read

CASE = "7a43a3e1-7bd4-5f05-9fd2-3b3a0e8f9f10"


def faults(model: Any, data: object) -> set[tuple[str, str]]:
    with pytest.raises(InvalidMessage) as caught:
        read(model, data)
    return {(fault.code, fault.pointer) for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("changed", "code", "pointer"),
    [
        ({"titel": "x"}, "unknown_field", "/data/titel"),
        ({"applicant": {"naem": "x"}}, "unknown_field", "/data/applicant/naem"),
        ({"title": None}, "bad_value", "/data/title"),
        ({"title": ""}, "bad_value", "/data/title"),
        ({"title": "x" * 201}, "bad_value", "/data/title"),
        ({"text": "x" * 10_001}, "bad_value", "/data/text"),
        ({"text": 5}, "bad_value", "/data/text"),
        ({"appeal_kind": "halp"}, "bad_value", "/data/appeal_kind"),
        ({"urgency": None}, "bad_value", "/data/urgency"),
        ({"backfilled": "yes"}, "bad_value", "/data/backfilled"),
        ({"backfilled": 1}, "bad_value", "/data/backfilled"),
        ({"backfilled": True}, "missing_field", "/data/received_at"),
        ({"received_at": "2026-09-18"}, "bad_time", "/data/received_at"),
        ({"received_at": "2026-09-18T09:00:00"}, "bad_time", "/data/received_at"),
        ({"received_at": 1789693200}, "bad_time", "/data/received_at"),
        ({"received_at": "1789693200"}, "bad_time", "/data/received_at"),
        ({"occurred_at": "2026-13-01T00:00:00Z"}, "bad_time", "/data/occurred_at"),
        ({"place": {}}, "missing_field", "/data/place/region"),
        ({"place": {"region": "37010"}}, "bad_value", "/data/place/region"),
        ({"place": {"region": 370102}}, "bad_value", "/data/place/region"),
        ({"place": {"region": "370102", "lon": 181}}, "bad_value", "/data/place/lon"),
        ({"place": {"region": "370102", "lon": float("inf")}}, "bad_value", "/data/place/lon"),
        ({"place": {"region": "370102", "lat": "36.6"}}, "bad_value", "/data/place/lat"),
        (
            {"applicant": {"id_kind": "uscc", "id_number": "91110000600037341M"}},
            "bad_value",
            "/data/applicant/id_number",
        ),
        ({"subject_of_complaint": [{"kind": "unit"}]}, "missing_field", "/data/subject_of_complaint/0/unit"),
        ({"subject_of_complaint": [{"kind": "person"}]}, "missing_field", "/data/subject_of_complaint/0/name"),
        ({"subject_of_complaint": {"kind": "unit"}}, "bad_value", "/data/subject_of_complaint"),
        ({"tags": ["a", "b c"]}, "bad_value", "/data/tags/1"),
        ({"tags": ["a"] * 31}, "bad_value", "/data/tags"),
        ({"attachments": [{"name": "a", "uri": "no uri"}]}, "bad_value", "/data/attachments/0/uri"),
        ({"one_thing": {"package": "newborn", "form": {"a": [float("nan")]}}}, "bad_value", "/data/one_thing/form"),
        ({"one_thing": {"package": "newborn", "form": {"a": 2**64}}}, "bad_value", "/data/one_thing/form"),
        ({"direct_answer": {"text": ""}}, "bad_value", "/data/direct_answer/text"),
    ],
)
def test_each_fault_of_a_request_has_its_code_and_pointer(changed: dict[str, Any], code: str, pointer: str) -> None:
    """Nothing is coerced and nothing is guessed: what does not fit is named."""
    assert faults(ServiceRequest, {"title": "路灯", **changed}) == {(code, pointer)}


@pytest.mark.parametrize("data", [None, 5, "x", [], {}])
def test_data_must_be_a_request(data: object) -> None:
    """Data that is no object, or an empty one, is refused."""
    assert faults(ServiceRequest, data) in ({("bad_value", "/data")}, {("missing_field", "/data/title")})


def test_all_faults_come_at_once() -> None:
    """Also what fields need of each other, even where another field is at fault (一次告知)."""
    assert faults(Reply, {"case_id": "x", "task_id": CASE, "action": "return", "note": 1}) == {
        ("bad_value", "/data/case_id"),
        ("unknown_field", "/data/note"),
        ("missing_field", "/data/reason"),
    }


@pytest.mark.parametrize(
    ("action", "needed"),
    [
        ("reply", {"result", "text"}),
        ("return", {"reason"}),
        ("send_back", {"reason"}),
        ("sub_dispatch", {"units"}),
        ("dispatch", {"targets"}),
    ],
)
def test_an_action_needs_its_fields(action: str, needed: set[str]) -> None:
    """A reply without a result, a return without a reason … are refused at the edge."""
    data = {"case_id": CASE, "task_id": CASE, "action": action}
    assert faults(Reply, data) == {("missing_field", f"/data/{name}") for name in needed}


def test_near_names_are_suggested() -> None:
    """A mistyped field or word gets the nearest one that exists, in both languages."""
    with pytest.raises(InvalidMessage) as caught:
        read(ServiceRequest, {"title": "x", "aplicant": {}, "urgency": "emergancy"})
    texts = {fault.pointer: (fault.zh, fault.en) for fault in caught.value.faults}
    assert "applicant" in texts["/data/aplicant"][0]
    assert "did you mean emergency" in texts["/data/urgency"][1]


def test_no_error_shows_a_value() -> None:
    """Neither our faults nor pydantic's own text holds what a citizen wrote, or a name that could be a number."""
    secret = "13812345678"
    data = {"title": {"x": secret}, secret: 1, "urgency": secret, "applicant": {"phone": ["张三"], secret: 2}}
    with pytest.raises(InvalidMessage) as caught:
        read(ServiceRequest, data)
    said = "".join(fault.zh + fault.en + fault.pointer for fault in caught.value.faults) + str(caught.value)
    assert secret not in said
    assert "张三" not in said
    with pytest.raises(ValidationError) as raw:
        ServiceRequest.model_validate({"title": {"x": secret}})
    assert secret not in str(raw.value)


def test_models_are_immutable_throughout() -> None:
    """Frozen, and sequences are tuples."""
    request = ServiceRequest.model_validate({"title": "x", "tags": ["a"]})
    assert request.tags == ("a",)
    with pytest.raises(ValidationError):
        request.title = "y"  # type: ignore[misc]


def test_times_are_aware_and_leave_as_beijing_time() -> None:
    """An aware time is taken from code too; a naive one never is."""
    request = ServiceRequest.model_validate({"title": "x", "received_at": "2026-09-18T01:00:00Z"})
    assert '"received_at":"2026-09-18T09:00:00+08:00"' in request.model_dump_json(exclude_unset=True)
    assert request.received_at is not None
    assert ServiceRequest(title="x", received_at=request.received_at) == request
    assert faults(ServiceRequest, {"title": "x", "received_at": datetime(2026, 9, 18)}) == {  # noqa: DTZ001
        ("bad_time", "/data/received_at")
    }


def test_a_grade_is_a_whole_number_from_one_to_five() -> None:
    """No 0, no 6, no "5", no 4.5, no true."""
    for grade in (0, 6, "5", 4.5, True):
        assert faults(Evaluation, {"grade": grade}) == {("bad_value", "/data/grade")}


def test_a_supplement_says_something() -> None:
    """Neither text nor attachment is no supplement."""
    assert faults(Supplement, {}) == {("missing_field", "/data/text")}


def test_personal_fields_are_marked_with_class_and_purpose() -> None:
    """The schema says where personal data stands, at any depth, of which class and for what."""
    marks = {mark.pointer: mark for mark in personal_pointers(ServiceRequest)}
    assert marks["/applicant/phone"].kind == "contact"
    assert marks["/applicant/agent/name"].kind == "identity"
    assert marks["/co_applicants/*/id_number"].kind == "identity"
    assert marks["/place/address"].kind == "location"
    assert marks["/text"].kind == "content"
    assert all(mark.purpose for mark in marks.values())
    assert "/request/applicant/phone" in {mark.pointer for mark in personal_pointers(Task)}


def test_fields_that_decisions_look_at_are_not_personal() -> None:
    """Rules may see kind, category, place code, urgency …: none of them is marked (privacy by schema)."""
    seen = [
        "/appeal_kind",
        "/appeal_category",
        "/matter_code",
        "/place/region",
        "/urgency",
        "/origin",
        "/applicant/kind",
    ]
    assert not {mark.pointer for mark in personal_pointers(ServiceRequest)} & set(seen)


def test_every_published_field_is_described_in_both_languages() -> None:
    """What a channel or a unit fills in is explained in Chinese and English."""
    for model in {MODELS[kind] for kind in MODELS}:
        for name, field in model.model_fields.items():
            assert " / " in (field.description or ""), f"{model.__name__}.{name}"
