"""CloudEvents 1.0 over Kafka: what is taken, what is refused, and that both modes mean the same."""

import json
from base64 import b64encode
from typing import Any

import pytest

from schemas.cloudevents import Event, binary_headers, canonical, decode, digest, named_channel, structured
from schemas.faults import InvalidMessage
from schemas.fields import MAX_BYTES
from schemas.registry import REQUEST_SUBMITTED, REQUEST_SUPPLEMENTED
from schemas.times import parse as instant

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "RX-1",
    "source": "/channels/hotline_12345",
    "type": REQUEST_SUBMITTED,
    "data": {"title": "路灯不亮"},
}
JSON = ("content-type", b"application/json")


def raw(**changed: Any) -> bytes:
    return json.dumps({**EVENT, **changed}, ensure_ascii=False).encode()


def headers(**changed: bytes) -> list[tuple[str, bytes]]:
    attributes = {k: v.encode() for k, v in EVENT.items() if k != "data"} | changed
    return [JSON, *((f"ce_{name}", text) for name, text in attributes.items())]


def faults(value: bytes | None, how: list[tuple[str, bytes]] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(InvalidMessage) as caught:
        decode(value, how or ())
    return [(fault.code, fault.pointer) for fault in caught.value.faults]


def test_structured_and_binary_mode_mean_the_same() -> None:
    """The same event in either mode decodes to equal events, extension attributes included."""
    extensions = {"traceparent": "00-1-2-01", "sequence": 7, "sampled": True}
    by_body = decode(raw(time="2026-09-18T09:00:00+08:00", subject="s", **extensions))
    by_header = decode(
        json.dumps(EVENT["data"]).encode(),
        headers(time=b"2026-09-18T01:00:00Z", subject=b"s", traceparent=b"00-1-2-01", sequence=b"7", sampled=b"true"),
    )
    assert by_body == by_header
    assert by_body.extensions == {"traceparent": "00-1-2-01", "sequence": "7", "sampled": "true"}


def test_the_content_type_says_structured() -> None:
    """`application/cloudevents+json` is structured mode even where ce_ headers stand beside it."""
    how = [("Content-Type", b"application/cloudevents+json; charset=UTF-8"), ("ce_id", b"other")]
    assert decode(raw(), how).id == "RX-1"


def test_headers_of_others_are_passed_over() -> None:
    """A null key, tracing headers and unknown ones do no harm."""
    assert decode(raw(), [("x-request-id", b"\xff"), ("baggage", b"a")]).id == "RX-1"


def test_data_base64_is_read() -> None:
    """Structured mode may carry its JSON as base64."""
    event = {k: v for k, v in EVENT.items() if k != "data"}
    encoded = b64encode(json.dumps(EVENT["data"]).encode()).decode()
    assert decode(json.dumps({**event, "data_base64": encoded}).encode()).data == EVENT["data"]
    assert faults(json.dumps({**event, "data_base64": "%%%"}).encode()) == [("bad_value", "/data_base64")]


def test_null_means_unset() -> None:
    """A null attribute is an absent one, as the JSON format says."""
    event = decode(raw(subject=None, time=None, comment=None))
    assert (event.subject, event.time, event.extensions) == ("", None, {})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"specversion": "0.3"}, [("wrong_specversion", "/specversion")]),
        ({"specversion": 1.0}, [("wrong_specversion", "/specversion")]),
        ({"specversion": None}, [("missing_field", "/specversion")]),
        ({"id": None}, [("missing_field", "/id")]),
        ({"id": 5}, [("bad_id", "/id")]),
        ({"id": "a b"}, [("bad_id", "/id")]),
        ({"id": "13812345678"}, [("id_like_personal_data", "/id")]),
        ({"subject": "13812345678"}, [("id_like_personal_data", "/subject")]),
        ({"type": REQUEST_SUPPLEMENTED}, [("missing_field", "/subject")]),
        ({"type": REQUEST_SUPPLEMENTED, "subject": "370102199001011233"}, [("id_like_personal_data", "/subject")]),
        ({"source": ""}, [("bad_value", "/source")]),
        ({"source": "a b"}, [("bad_value", "/source")]),
        ({"type": 5}, [("bad_value", "/type")]),
        ({"time": "2026-09-18T09:00:00"}, [("bad_time", "/time")]),
        ({"time": "2026-02-30T09:00:00Z"}, [("bad_time", "/time")]),
        ({"time": 1789693200}, [("bad_time", "/time")]),
        ({"datacontenttype": "text/xml"}, [("unsupported_content_type", "/datacontenttype")]),
        ({"traceParent": "x"}, [("unknown_field", "/traceParent")]),
        ({"trace_parent": "x"}, [("unknown_field", "/trace_parent")]),
        ({"ext": 1.5}, [("bad_value", "/ext")]),
        ({"ext": {"a": 1}}, [("bad_value", "/ext")]),
        (
            {"specversion": "2.0", "id": "", "time": "x"},
            [("wrong_specversion", "/specversion"), ("bad_id", "/id"), ("bad_time", "/time")],
        ),
    ],
)
def test_every_fault_of_the_envelope_is_named(changed: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """All faults at once, each with its code and pointer."""
    assert faults(raw(**changed)) == expected


@pytest.mark.parametrize(
    ("value", "how", "expected"),
    [
        (None, [], [("tombstone", "")]),
        (b"5", [], [("bad_value", "")]),
        (b"{}", [], [("missing_field", f"/{name}") for name in ("specversion", "id", "source", "type", "data")]),
        (b"{}", [("content-type", b"application/cloudevents+avro")], [("unsupported_content_type", "")]),
        (b"[]", [("content-type", b"application/cloudevents-batch+json")], [("unsupported_content_type", "")]),
        (b"", headers(), [("missing_field", "/data")]),
        (b"{", headers(), [("not_json", "/data")]),
        (rb'{"title":"\u0000"}', headers(), [("bad_value", "/data/title")]),
        (b'{"a":1,"a":2}', headers(), [("duplicate_key", "/data/a")]),
        (b"<a/>", [("content-type", b"text/xml"), *headers()[1:]], [("unsupported_content_type", "/datacontenttype")]),
        (b"{}", [*headers(), ("ce_id", b"2")], [("duplicate_key", "/id")]),
        (b"{}", headers(subject=b"\xff"), [("not_utf8", "/subject")]),
        (b"{}", [("ce_x", b"")] * 101, [("too_large", "")]),
        (b"{}", [("x", b"y" * 20_000)], [("too_large", "")]),
        (b'"' + b"x" * 10_000_000 + b'"', [], [("too_large", "")]),
        (b"[" + b"0," * 25_000 + b"0]", [], [("too_large", "")]),
    ],
)
def test_what_is_no_event_at_all_is_named(
    value: bytes | None, how: list[tuple[str, bytes]], expected: list[tuple[str, str]]
) -> None:
    """Tombstones, foreign formats, header bombs and giants have their codes."""
    assert faults(value, how) == expected


def test_a_record_at_the_limit_is_taken() -> None:
    """The limit is on the record: up to MAX_BYTES it is read."""
    padding = MAX_BYTES - len(raw(data={"title": ""}))
    assert len(decode(raw(data={"title": "x" * padding})).data["title"]) == padding
    assert faults(raw(data={"title": "x" * (padding + 1)})) == [("too_large", "")]


def test_the_id_is_kept_for_the_answer() -> None:
    """A fault elsewhere leaves the sender's id usable; an id that may not be a key is not given on."""
    for value, how in ((raw(time="x"), []), (b"{", headers()), (None, headers())):
        with pytest.raises(InvalidMessage) as caught:
            decode(value, how)
        assert caught.value.ref == "RX-1"
    with pytest.raises(InvalidMessage) as caught:
        decode(raw(id="13812345678"))
    assert caught.value.ref == ""


def test_what_is_written_is_read() -> None:
    """binary_headers and structured write what decode reads."""
    at = instant("2026-09-18T09:00:00.250+08:00")
    assert at is not None
    how = binary_headers(
        id="e1", type="t", time=at, subject="鲁1", partitionkey="c", sequence=3, extensions={"caseversion": "9"}
    )
    event = decode(b'{"a":1}', how)
    assert event == Event(
        id="e1",
        source="/duokua",
        type="t",
        data={"a": 1},
        subject="鲁1",
        time=at,
        extensions={"partitionkey": "c", "sequence": "3", "caseversion": "9"},
    )
    assert decode(structured(event)) == event


def test_a_source_may_name_its_channel() -> None:
    """`/channels/<id>` does; any other URI says nothing about it."""
    assert named_channel("/channels/grid") == "grid"
    assert named_channel("https://12345.example/") == ""


def test_canonical_json_is_pinned() -> None:
    """The hash by which a duplicate is told from a reused id never changes: sorted keys, no blanks, UTF-8."""
    assert canonical({"b": [1.5, None], "a": "路"}) == '{"a":"路","b":[1.5,null]}'.encode()
    assert digest(b"{}") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
