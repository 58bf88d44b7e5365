"""Each record from outside becomes one command or one refusal, with the code and the pointer that the sender needs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from router.intake.refuse import refusal
from router.intake.translate import Accepted, Known, Rejected, query_code, translate
from router.operate.topics import Topics
from schemas.answer import Receipt
from schemas.cloudevents import canonical, decode, digest
from schemas.ids import case_id, command_id, shard_of
from schemas.order import OrderAnswered
from schemas.registry import MODELS, ORDER_GIVEN, REPLY_SUBMITTED, REQUEST_SUBMITTED, REQUEST_WITHDRAWN
from schemas.task import ReplyRefused
from schemas.times import parse
from schemas.validation import read
from workflows import commands
from workflows.facts import RequestView
from workflows.proposals import Guess, Proposal

NOW = parse("2026-09-18T09:00:00+08:00") or 0
CASE = case_id("hotline_12345", "RX-1")
TASK = command_id(CASE, "task")
TOPICS = Topics("duokua.", 4)


@dataclass(frozen=True)
class Channel:
    id: str
    origin: str = "citizen"
    medium: str = ""
    default_kind: str = ""


@dataclass(frozen=True)
class Catalogue:
    """Three doors and two places."""

    channels: dict[str, Channel]
    endpoints: dict[str, object]

    def has_region(self, code: str) -> bool:
        return code in ("370000", "370102")


@dataclass(frozen=True)
class Record:
    value: bytes | None
    topic: str = "duokua.intake.hotline_12345"
    partition: int = 0
    offset: int = 7
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


CHANNELS = {c.id: c for c in (Channel("hotline_12345", "citizen", "phone", "help"), Channel("police_110", "110"))}
KNOWN = Known(directory=Catalogue(CHANNELS, {"desk": None}), prefix="duokua.", shards=4, secret=b"s")


def event(data: Any = None, **changed: Any) -> bytes:
    envelope = {"specversion": "1.0", "id": "RX-1", "source": "/channels/hotline_12345", "type": REQUEST_SUBMITTED}
    data = {"title": "路灯不亮"} if data is None else data
    return json.dumps({**envelope, "data": data, **changed}, ensure_ascii=False).encode()


def reply(**data: Any) -> bytes:
    whole = {"case_id": CASE, "task_id": TASK, "action": "sign", **data}
    return event(whole, id="D-1", source="/endpoints/desk", type=REPLY_SUBMITTED)


def command_of(value: bytes, **record: Any) -> Any:
    made = translate(Record(value, **record), KNOWN, NOW)
    assert isinstance(made, Accepted), made
    command = commands.decode(made.command)
    assert made.case == command.case
    assert made.partition == shard_of(command.case, 4)
    return command


def refused(value: bytes | None, **record: Any) -> Rejected:
    made = translate(Record(value, **record), KNOWN, NOW)
    assert isinstance(made, Rejected)
    return made


def test_a_request_becomes_a_submit() -> None:
    """Case and command id follow from the channel's id and the record's place; the digest is of what was sent."""
    command = command_of(event({"title": "路灯不亮", "appeal_kind": "complaint", "medium": "web", "origin": "media"}))
    assert isinstance(command, commands.Submit)
    assert command.case == CASE
    assert command.source == "duokua.intake.hotline_12345/0/7"
    assert command.id == command_id(CASE, command.source)
    assert (command.channel, command.ref) == ("hotline_12345", "RX-1")
    assert command.at == command.received_at == NOW
    assert command.digest == digest(bytes(command.request))
    assert command.query_code == query_code(b"s", CASE)
    assert command.query_code.isdigit()
    assert len(command.query_code) == 6


def test_a_query_code_needs_the_secret() -> None:
    """The same each time it is asked for; another for another case or secret, also one longer than a key may be."""
    asked = [query_code(secret, case) for secret in (b"s", b"s" * 65, b"s" * 66) for case in (CASE, case_id("c", "r"))]
    assert len(set(asked)) == 6
    assert query_code(b"s", CASE) == asked[0]


def test_the_channels_row_says_what_the_request_does_not() -> None:
    """Kind, medium and origin come from the channel; the digest stays that of the words sent."""
    command = command_of(event())
    request = json.loads(bytes(command.request))
    assert request == {"title": "路灯不亮", "appeal_kind": "help", "medium": "phone", "origin": "citizen"}
    assert command.digest == digest(canonical({"title": "路灯不亮"}))
    bare = command_of(event(source="/x"), topic="duokua.intake.police_110")
    assert json.loads(bytes(bare.request)) == {"title": "路灯不亮", "appeal_kind": "other", "origin": "110"}


def test_decisions_can_read_every_request() -> None:
    """What intake lets through always fits the view that the rules have of it."""
    full = {
        "title": "t", "appeal_category": None, "place": None, "received_region": None, "applicant": None, "one_thing": None,
        "direct_answer": {"text": "x"}, "matter_code": None, "subject_of_complaint": [{"kind": "person", "name": "x"}],
    }  # fmt: skip
    command = command_of(event(full))
    view = msgspec.json.decode(bytes(command.request), type=RequestView)
    assert view.appeal_kind == "help"


def test_the_same_request_has_the_same_digest_however_it_is_written() -> None:
    """Key order, mode and blanks change nothing; another word does."""
    data = {"title": "t", "place": {"region": "370102", "kind": "division"}}
    turned = {"place": {"kind": "division", "region": "370102"}, "title": "t"}
    how = [(f"ce_{k}", v.encode()) for k, v in json.loads(event()).items() if isinstance(v, str)]
    one = command_of(event(data)).digest
    assert command_of(event(turned)).digest == one
    assert command_of(json.dumps(turned, indent=3).encode(), headers=how).digest == one
    assert command_of(event({**data, "title": "u"})).digest != one


def test_a_time_of_receipt_is_kept() -> None:
    """What was written on paper during a power cut keeps its true time."""
    data = {"title": "t", "received_at": "2026-09-17T22:00:00+08:00", "backfilled": True}
    assert command_of(event(data)).received_at == parse("2026-09-17T22:00:00+08:00")


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("supplemented", {"text": "一共五盏"}, commands.Supplement),
        ("withdrawn", {}, commands.Withdraw),
        ("evaluated", {"grade": 5}, commands.Evaluate),
        ("urged", {"text": "请尽快"}, commands.Urge),
    ],
)
def test_follow_ups_go_to_the_case_of_their_subject(kind: str, data: Any, expected: type) -> None:
    """Supplement, withdrawal and evaluation name the request by subject and land on its shard."""
    command = command_of(event(data, id="RX-1-b", subject="RX-1", type=f"cn.duokua.request.{kind}.v1"))
    assert isinstance(command, expected)
    assert (command.case, command.ref) == (CASE, "RX-1")  # type: ignore[attr-defined]
    assert json.loads(bytes(command.body)) == data  # type: ignore[attr-defined]


def test_a_reply_goes_to_its_case_through_its_endpoint() -> None:
    """The endpoint is the topic's, never what the message says of itself."""
    command = command_of(reply(action="return", reason="不属于本单位职责"), topic="duokua.replies.desk")
    assert isinstance(command, commands.Reply)
    assert (command.case, command.task, command.endpoint, command.action) == (CASE, TASK, "desk", "return")


def order(**said: Any) -> bytes:
    data = {"case_id": CASE, "action": "urge", "unit": "370100.hotline", "officer": "SD-0417", **said}
    return event(data, type=ORDER_GIVEN)


def test_an_order_goes_to_its_case_through_its_endpoint() -> None:
    """Whether that door speaks for the unit is decided by the engine."""
    command = command_of(order(text="请尽快"), topic="duokua.replies.desk")
    assert isinstance(command, commands.Order)
    assert (command.case, command.endpoint, command.unit, command.action) == (CASE, "desk", "370100.hotline", "urge")
    assert json.loads(bytes(command.body))["text"] == "请尽快"


@pytest.mark.parametrize(
    ("said", "code", "pointer"),
    [
        ({"action": "shout"}, "bad_value", "/data/action"),
        ({"confirmed_by": "SD-0417"}, "same_officer", "/data/confirmed_by"),
        ({"officer": None}, "bad_value", "/data/officer"),
        ({"officer": "13812345678"}, "id_like_personal_data", "/data/officer"),
        ({"limit": "five days"}, "bad_value", "/data/limit"),
        ({"until": "tomorrow"}, "bad_time", "/data/until"),
        ({"unit": ""}, "bad_value", "/data/unit"),
        ({"ordr": 1}, "unknown_field", "/data/ordr"),
    ],
)
def test_a_faulty_order_is_answered_as_an_order(said: dict[str, Any], code: str, pointer: str) -> None:
    """With case, unit and action as far as they can be read."""
    record = Record(order(**said), topic="duokua.replies.desk")
    answer, _ = refusal(record, refused(record.value, topic=record.topic), TOPICS, NOW)
    answered = read(OrderAnswered, decode(answer.value, answer.headers).data)
    assert (answer.topic, answer.key) == ("duokua.tasks.desk", CASE.encode())
    assert (answered.code, answered.reason, answered.pointer) == ("refused", code, pointer)
    assert answered.action == (None if "action" in said else "urge")
    assert answered.unit == (None if "unit" in said else "370100.hotline")
    assert answered.text is not None
    assert answered.text.zh != answered.text.en


def test_extension_attributes_travel_on() -> None:
    """A trace is not cut at intake."""
    made = translate(Record(event(traceparent="00-1-2-01")), KNOWN, NOW)
    assert isinstance(made, Accepted)
    assert made.headers == [("ce_traceparent", b"00-1-2-01")]


@pytest.mark.parametrize(
    ("value", "code", "pointer"),
    [
        (None, "tombstone", ""),
        (b"", "not_json", ""),
        (b"hello", "not_json", ""),
        (b"\xff\xfe", "not_utf8", ""),
        (b'{"a":NaN}', "not_json", ""),
        (b"[" * 10_000, "too_deep", ""),
        (event({"title": "x" * 10_000_000}), "too_large", ""),
        (event().replace(b'"title"', b'"title":"a","title"'), "duplicate_key", "/data/title"),
        (event(specversion="0.3"), "wrong_specversion", "/specversion"),
        (event(type="cn.duokua.request.submitted.v2"), "unknown_type", "/type"),
        (event(type=REPLY_SUBMITTED), "unknown_type", "/type"),
        (event(source="/channels/nowhere"), "unknown_channel", "/source"),
        (event(source="/channels/police_110"), "wrong_channel", "/source"),
        (event(time="2026-09-18T09:05:00.001+08:00"), "time_ahead", "/time"),
        (event({"title": "t", "received_at": "2026-09-18T09:05:01+08:00"}), "time_ahead", "/data/received_at"),
        (event({"title": "t", "occurred_at": "2026-09-18T09:05:01+08:00"}), "time_ahead", "/data/occurred_at"),
        (event({"title": "t", "received_at": "2025-08-01T00:00:00+08:00"}), "too_old", "/data/received_at"),
        (event({"title": "t", "place": {"region": "110000"}}), "unknown_region", "/data/place/region"),
        (event({"title": "t", "received_region": "110000"}), "unknown_region", "/data/received_region"),
        (event({"title": "t", "colour": "red"}), "unknown_field", "/data/colour"),
        (event({}), "missing_field", "/data/title"),
        (event(id="13812345678"), "id_like_personal_data", "/id"),
        (event(id="370102199001011233"), "id_like_personal_data", "/id"),
        (event({"grade": 5}, type="cn.duokua.request.evaluated.v1"), "missing_field", "/subject"),
        (event(type=REQUEST_WITHDRAWN, subject="13812345678"), "id_like_personal_data", "/subject"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_refused_with_code_and_pointer(value: bytes | None, code: str, pointer: str) -> None:
    """One row for each bad input that was promised an answer."""
    made = refused(value)
    assert (made.fault.code, made.fault.pointer) == (code, pointer)
    assert made.fault.zh
    assert made.fault.en


def test_five_minutes_ahead_is_still_taken() -> None:
    """The limit itself is allowed: clocks differ."""
    assert command_of(event(time="2026-09-18T09:05:00+08:00"))


def test_a_door_that_the_catalogue_does_not_know_is_refused() -> None:
    """A topic of a channel or endpoint that a later catalogue dropped."""
    assert refused(event(source="/x"), topic="duokua.intake.gone").fault.code == "unknown_channel"
    assert refused(reply(), topic="duokua.replies.gone").fault.code == "unknown_endpoint"


def test_a_refusal_is_keyed_by_the_best_id() -> None:
    """The event's id, else the record's key, else its place; never an id that could be a person's."""
    place = "duokua.intake.hotline_12345-0-7"
    assert refused(event({})).ref == "RX-1"
    assert refused(b"{", key=b"K-1").ref == "K-1"
    assert refused(event(id="13812345678"), key=b"13812345678").ref == place
    assert refused(b"{").ref == place
    assert refused(b"{", key=b"\xff").ref == place


def test_the_answer_is_a_receipt_with_code_pointer_and_text() -> None:
    """On the channel's answer topic, in binary mode, readable by our own codec and model."""
    record = Record(event({"title": "t", "place": {"region": "110000"}}))
    answer, _ = refusal(record, refused(record.value), TOPICS, NOW)
    said = decode(answer.value, answer.headers)
    receipt = read(MODELS[said.type], said.data)
    assert isinstance(receipt, Receipt)
    assert (answer.topic, answer.key) == ("duokua.answers.hotline_12345", b"RX-1")
    assert (receipt.ref, receipt.code, receipt.reason) == ("RX-1", "rejected", "unknown_region")
    assert receipt.pointer == "/data/place/region"
    assert receipt.text is not None
    assert receipt.text.zh.startswith("目录中没有")
    assert said.time == NOW


def test_a_faulty_reply_is_answered_on_the_task_topic() -> None:
    """With the case and the task it was about, as far as they can be read."""
    record = Record(reply(action="reply", result="solved"), topic="duokua.replies.desk")
    answer, _ = refusal(record, refused(record.value, topic=record.topic), TOPICS, NOW)
    said = read(ReplyRefused, decode(answer.value, answer.headers).data)
    assert (answer.topic, answer.key) == ("duokua.tasks.desk", CASE.encode())
    assert (said.case_id, said.task_id, said.action) == (CASE, TASK, "reply")
    assert (said.code, said.pointer) == ("missing_field", "/data/text")
    blind, _ = refusal(Record(b"{", topic=record.topic), refused(b"{", topic=record.topic), TOPICS, NOW)
    assert blind.key == b"duokua.replies.desk-0-7"


def test_the_dead_letter_says_where_it_came_from_and_why() -> None:
    """First 4 KB, hash and size of the whole, stage, code, pointer, text, origin; under the original key."""
    record = Record(b"x" * 10_000, key=b"K-1", offset=12)
    _, dead = refusal(record, refused(record.value, key=b"K-1", offset=12), TOPICS, NOW)
    headers = {name: text.decode() for name, text in dead.headers}
    assert (dead.topic, dead.key, dead.value) == ("duokua.dead-letters.intake", b"K-1", b"x" * 4096)
    assert headers | {"x-text": ""} == {
        "x-stage": "intake",
        "x-reason": "not_json",
        "x-pointer": "",
        "x-text": "",
        "x-original-topic": "duokua.intake.hotline_12345",
        "x-original-partition": "0",
        "x-original-offset": "12",
        "x-original-sha256": digest(b"x" * 10_000),
        "x-original-size": "10000",
    }
    assert headers["x-text"]


def test_no_key_of_a_refusal_is_personal() -> None:
    """Neither the answer nor the dead letter is keyed by what looks like a phone number."""
    record = Record(event(id="13812345678"), key=b"13812345678")
    made = refused(record.value, key=record.key)
    assert all(b"138" not in message.key for message in refusal(record, made, TOPICS, NOW))


def test_doing_a_record_twice_writes_the_same() -> None:
    """Command, answer and dead letter are functions of the record: at-least-once is harmless."""
    assert translate(Record(event()), KNOWN, NOW) == translate(Record(event()), KNOWN, NOW)
    twice = [refusal(Record(b"{"), refused(b"{"), TOPICS, NOW) for _ in range(2)]
    assert twice[0] == twice[1]


# -- what a request is about that does not say so ------------------------------------------------------


GUESSED = Proposal(by="dictionary", version="1/a", threshold=0.5, top=(Guess("C01", 0.9),), category="C01", score=0.9)


def guessing(record: Record) -> tuple[Any, list[tuple[str, str]]]:
    """The command, and what was asked about."""
    asked: list[tuple[str, str]] = []

    def propose(title: str, text: str) -> Proposal:
        asked.append((title, text))
        return GUESSED

    made = translate(record, msgspec.structs.replace(KNOWN, propose=propose), NOW)
    assert isinstance(made, Accepted), made
    return commands.decode(made.command), asked


def test_only_a_request_that_leaves_it_to_its_words_is_guessed_at() -> None:
    """The proposal goes beside it; what the channel said, and its hash, are as they were."""
    bare = Record(event({"title": "路灯不亮", "text": "三天了"}))
    command, asked = guessing(bare)
    assert asked == [("路灯不亮", "三天了")]
    assert command.proposal == GUESSED
    plain = command_of(bare.value or b"")
    assert (plain.request, plain.digest, plain.proposal) == (command.request, command.digest, None)


@pytest.mark.parametrize(
    "said",
    [
        {"appeal_category": "C02"},
        {"matter_code": "G01"},
        {"one_thing": {"package": "newborn", "form": {}}},
        {"direct_answer": {"text": "周六开放"}},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_request_that_says_it_costs_nothing(said: dict[str, Any]) -> None:
    command, asked = guessing(Record(event({"title": "路灯不亮", **said})))
    assert (command.proposal, asked) == (None, [])
