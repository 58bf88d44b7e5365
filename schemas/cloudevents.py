"""
CloudEvents 1.0 over Kafka: structured and binary mode in, binary mode (and structured text) out.

A codec of our own on the hot path, checked in the tests against the `cloudevents` library (docs/adr/0011).
JSON is read by jiter: it refuses duplicate keys, lone surrogates, NaN and nesting beyond 200, and
no parser that recurses in Python stands on the way.
"""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
import orjson
from msgspec import UNSET

from schemas import times
from schemas.faults import Fault, InvalidMessage, fault
from schemas.fields import MAX_BYTES
from schemas.identity import like_personal_data, ref_fault
from schemas.json_text import nul_fault, parse
from schemas.registry import FOLLOW_UPS, FROM_CHANNELS
from schemas.validation import pointer

Header = tuple[str, bytes]

SOURCE = "/duokua"
STRUCTURED = "application/cloudevents+json"
JSON = "application/json"
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024
MAX_VALUES = 20_000
"""Commas in a record: they bound what the validation of a hostile message can cost."""

_DEFINED = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"})
_extension_name = re.compile(r"[a-z0-9]{1,64}").fullmatch
_json_type = re.compile(r"application/([\w.-]+\+)?json *(; *charset *= *\"?utf-8\"? *)?", re.IGNORECASE).fullmatch
_uri_reference = re.compile(r"[!-~\u0080-\U0010ffff]{1,512}").fullmatch


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent. `time` is milliseconds since the epoch; `data` is plain JSON data, not yet validated."""

    id: str
    source: str
    type: str
    data: Any
    subject: str = ""
    time: int | None = None
    dataschema: str = ""
    extensions: Mapping[str, str] = {}
    """All attributes that CloudEvents does not define, as their canonical strings."""


def decode(value: bytes | None, headers: Sequence[Header] = ()) -> Event:
    """The event in a record; raises InvalidMessage with every fault of the envelope."""
    attributes, data = unpack(value, headers)
    faults = envelope_faults(attributes, data)
    if faults:
        raise InvalidMessage(faults, usable_ref(attributes))
    time = attributes.get("time")
    return Event(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        data=data,
        subject=attributes.get("subject") or "",
        time=None if time is None else times.parse(time),
        dataschema=attributes.get("dataschema") or "",
        extensions={name: _as_text(attributes[name]) for name in _extensions(attributes)},
    )


# -- reading -----------------------------------------------------------------------------------


def unpack(value: bytes | None, headers: Sequence[Header] = ()) -> tuple[dict[str, Any], Any]:
    """
    Attributes and data of a record in either mode; the attributes are not yet checked, absent data is UNSET.

    A content type `application/cloudevents+json`, or no `ce_` header, means structured mode.
    """
    named = _named(headers) if headers else {}
    content_type = named.pop("content-type", "")
    attributes: dict[str, Any] = {name[3:]: text for name, text in named.items()}
    binary = bool(attributes) and not content_type.startswith("application/cloudevents")
    try:
        if value is None:
            raise InvalidMessage([fault("tombstone")])
        if len(value) > MAX_BYTES or (len(value) > MAX_VALUES and value.count(b",") > MAX_VALUES):
            raise InvalidMessage([fault("too_large")])
        return _binary(value, attributes, content_type) if binary else _structured(value, content_type)
    except InvalidMessage as error:
        raise InvalidMessage(error.faults, error.ref or usable_ref(attributes)) from None


def _binary(value: bytes, attributes: dict[str, Any], content_type: str) -> tuple[dict[str, Any], Any]:
    if content_type:
        attributes["datacontenttype"] = content_type
        _require_json(content_type)
    if not value:
        return attributes, UNSET
    data = parse(value, "/data")
    if found := nul_fault(value, data, "/data"):
        raise InvalidMessage([found])
    return attributes, data


def _structured(value: bytes, content_type: str) -> tuple[dict[str, Any], Any]:
    if content_type.startswith("application/cloudevents") and content_type.partition(";")[0].strip() != STRUCTURED:
        raise InvalidMessage([fault("unsupported_content_type")])
    event = parse(value)
    if not isinstance(event, dict):
        raise InvalidMessage([fault("bad_value", "", "应为对象", "an object is expected")])
    if found := nul_fault(value, event):
        raise InvalidMessage([found], usable_ref(event))
    data = event.pop("data", UNSET)
    if data is UNSET and isinstance(event.get("data_base64"), str):
        data = _from_base64(event.pop("data_base64"), event)
    return event, data


def _from_base64(encoded: str, attributes: Mapping[str, Any]) -> Any:
    try:
        _require_json(attributes.get("datacontenttype") or STRUCTURED)
        return parse(b64decode(encoded, validate=True), "/data")
    except InvalidMessage as error:
        raise InvalidMessage(error.faults, usable_ref(attributes)) from None
    except ValueError:
        raise InvalidMessage([fault("bad_value", "/data_base64")], usable_ref(attributes)) from None


def _named(headers: Sequence[Header]) -> dict[str, str]:
    """The headers that CloudEvents defines, by lower-case name."""
    if len(headers) > MAX_HEADERS or sum(len(name) + len(text or b"") for name, text in headers) > MAX_HEADER_BYTES:
        raise InvalidMessage([fault("too_large", "", "消息头过多", "too many headers")])
    named: dict[str, str] = {}
    for raw_name, raw in headers:
        name = raw_name.lower()
        if not name.startswith("ce_") and name != "content-type":
            continue
        where = pointer([name.removeprefix("ce_")])
        if name in named:
            raise InvalidMessage([fault("duplicate_key", where)])
        try:
            named[name] = (raw or b"").decode()
        except UnicodeDecodeError:
            raise InvalidMessage([fault("not_utf8", where)]) from None
    if "content-type" in named:
        named["content-type"] = named["content-type"].lower()
    return named


def _require_json(content_type: object) -> None:
    if not isinstance(content_type, str) or _json_type(content_type) is None:
        raise InvalidMessage([fault("unsupported_content_type", "/datacontenttype")])


def usable_ref(attributes: Mapping[str, Any]) -> str:
    """The event's id, if it may be used as a key; else empty."""
    ref = attributes.get("id")
    return ref if isinstance(ref, str) and not ref_fault(ref) else ""


# -- checking the envelope -----------------------------------------------------------------------


def envelope_faults(attributes: Mapping[str, Any], data: Any = None) -> list[Fault]:
    """Everything that is wrong with the attributes, the version first."""
    faults: list[Fault] = []
    if attributes.get("specversion") != "1.0":
        absent = attributes.get("specversion") is None
        faults.append(fault("missing_field" if absent else "wrong_specversion", "/specversion"))
    for name, check in _CHECKS.items():
        text = attributes.get(name)
        code = check(text) if text is not None else _IF_ABSENT.get(name, "")
        if code:
            faults.append(fault(code, "/" + name))
    if code := _subject_fault(attributes.get("subject"), attributes.get("type")):
        faults.append(fault(code, "/subject"))
    faults.extend(_extension_faults(attributes))
    if data is UNSET:
        faults.append(fault("missing_field", "/data"))
    return faults


def _id_fault(ref: object) -> str:
    return ref_fault(ref) if isinstance(ref, str) else "bad_id"


def _uri_fault(uri: object) -> str:
    return "" if isinstance(uri, str) and _uri_reference(uri) else "bad_value"


def _type_fault(kind: object) -> str:
    return "" if isinstance(kind, str) and 0 < len(kind) <= 128 else "bad_value"


def _time_fault(text: object) -> str:
    return "" if isinstance(text, str) and times.parse(text) is not None else "bad_time"


def _content_type_fault(text: object) -> str:
    return "" if text == JSON or (isinstance(text, str) and _json_type(text)) else "unsupported_content_type"


_IF_ABSENT = dict.fromkeys(("id", "source", "type"), "missing_field")
_CHECKS = {
    "id": _id_fault,
    "source": _uri_fault,
    "type": _type_fault,
    "time": _time_fault,
    "datacontenttype": _content_type_fault,
    "dataschema": _uri_fault,
}


def _subject_fault(subject: object, kind: object) -> str:
    """A follow-up's subject is the channel's id of its request; no subject from a channel is a person's number."""
    kind = kind if isinstance(kind, str) else ""
    if subject is None:
        return "missing_field" if kind in FOLLOW_UPS else ""
    if not isinstance(subject, str) or len(subject) > 512:
        return "bad_value"
    if kind in FOLLOW_UPS:
        return ref_fault(subject)
    return "id_like_personal_data" if kind in FROM_CHANNELS and like_personal_data(subject) else ""


def _extensions(attributes: Mapping[str, Any]) -> Sequence[str]:
    if attributes.keys() <= _DEFINED:
        return ()
    return [name for name in attributes if name not in _DEFINED and attributes[name] is not None]


def _extension_faults(attributes: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name in _extensions(attributes):
        if _extension_name(name) is None:
            faults.append(fault("unknown_field", pointer([name])))
        elif not isinstance(attributes[name], str | bool | int):
            faults.append(fault("bad_value", pointer([name])))
    return faults


def _as_text(value: str | bool | int) -> str:
    """CloudEvents' canonical string of an attribute, so that both modes give the same event."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- writing -----------------------------------------------------------------------------------

_FIXED: tuple[Header, ...] = (("content-type", b"application/json"), ("ce_specversion", b"1.0"))


def binary_headers(
    *,
    id: str,  # noqa: A002 - CloudEvents names it so
    type: str,  # noqa: A002
    time: int,
    source: str = SOURCE,
    subject: str = "",
    partitionkey: str = "",
    sequence: int | None = None,
    extensions: Mapping[str, str] | None = None,
) -> list[Header]:
    """The headers of an event in binary mode; `time` in milliseconds, on the business clock."""
    headers = [*_FIXED, ("ce_id", id.encode()), ("ce_source", source.encode()), ("ce_type", type.encode())]
    headers.append(("ce_time", times.to_text(time).encode()))
    if subject:
        headers.append(("ce_subject", subject.encode()))
    if partitionkey:
        headers.append(("ce_partitionkey", partitionkey.encode()))
    if sequence is not None:
        headers.append(("ce_sequence", str(sequence).encode()))
    headers.extend((f"ce_{name}", text.encode()) for name, text in (extensions or {}).items())
    return headers


def structured(event: Event) -> bytes:
    """The event as one JSON object on one line, as it stands in a JSONL file or a record of structured mode."""
    optional = {
        "subject": event.subject or None,
        "time": None if event.time is None else times.to_text(event.time),
        "dataschema": event.dataschema or None,
    }
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": event.type,
            **{name: text for name, text in optional.items() if text is not None},
            "datacontenttype": "application/json",
            **event.extensions,
            "data": event.data,
        }
    )


# -- the channel and the hash ----------------------------------------------------------------------

_CHANNELS = "/channels/"


def channel_source(channel: str) -> str:
    """The `source` by which an event names its channel."""
    return _CHANNELS + channel


def named_channel(source: str) -> str:
    """The channel that a `source` names, or "" where it is some other URI: then the topic alone says it."""
    return source.removeprefix(_CHANNELS) if source.startswith(_CHANNELS) else ""


def canonical(data: object) -> bytes:
    """JSON with sorted keys and no blanks: the same for the same data, in whatever order it was written."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def digest(canonical_json: bytes) -> str:
    """SHA-256, hexadecimal."""
    return sha256(canonical_json).hexdigest()
