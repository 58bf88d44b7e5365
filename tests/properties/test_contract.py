"""Whatever bytes come in, there is an answer; whatever way the same thing is said, it means the same."""

import json
from dataclasses import dataclass
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, from_structured_event, to_binary_event
from cloudevents.core.bindings.kafka import to_structured_event as to_structured
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from router.intake.refuse import refusal
from router.intake.translate import Accepted, Known, Rejected, translate
from router.operate.topics import Topics
from schemas.cloudevents import Event, binary_headers, canonical, decode, digest, structured
from schemas.faults import CODES, Fault, InvalidMessage
from schemas.identity import ref_fault
from schemas.ids import shard_of
from schemas.inspection import inspect
from schemas.registry import MODELS
from schemas.times import from_milliseconds, parse, to_text
from workflows import commands

NOW = parse("2026-09-18T09:00:00+08:00") or 0
TOPICS = Topics("duokua.", 4)
CASE = "7a43a3e1-7bd4-5f05-9fd2-3b3a0e8f9f10"


@dataclass(frozen=True)
class Channel:
    id: str = "grid"
    origin: str = "grid"
    medium: str = "app"
    default_kind: str = "report"


@dataclass(frozen=True)
class Catalogue:
    channels: dict[str, Channel]
    endpoints: dict[str, object]

    def has_region(self, code: str) -> bool:
        return code.startswith("37")


@dataclass(frozen=True)
class Record:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int = 0
    offset: int = 3


KNOWN = Known(directory=Catalogue({"grid": Channel()}, {"desk": None}), prefix="duokua.", shards=4, secret=b"s")

names = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
kinds = st.sampled_from(sorted(MODELS)) | names
SHAPED = sorted({name for model in MODELS.values() for name in model.model_fields})
shaped_data = st.dictionaries(
    st.sampled_from(SHAPED),
    json_values | st.sampled_from(["return", "reply", CASE, "370102", "2026-09-18T09:00:00Z", 5]),
    max_size=6,
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "specversion": st.sampled_from(["1.0", "0.3", 1.0, None]),
        "id": names | st.just("RX-1") | json_values,
        "source": st.just("/channels/grid") | json_values,
        "type": kinds | json_values,
        "subject": st.just("RX-1") | json_values,
        "time": st.just("2026-09-18T09:00:00+08:00") | json_values,
        "data": shaped_data | json_values,
        "data_base64": json_values,
        "datacontenttype": st.just("application/json") | json_values,
    },
)
VALID: dict[str, Any] = {
    "specversion": "1.0",
    "id": "RX-1",
    "source": "/channels/grid",
    "type": "cn.duokua.request.submitted.v1",
    "data": {"title": "t"},
}
mutants = envelopes.map(lambda changed: {**VALID, **changed}) | shaped_data.map(
    lambda data: {**VALID, "data": {"title": "t", **data}}
)
headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "content-type", "x"]) | names,
        st.binary(max_size=30)
        | kinds.map(str.encode)
        | st.sampled_from([b"1.0", b"application/json", b"/channels/grid"]),
    ),
    max_size=8,
).map(tuple)
bodies = (
    st.none()
    | st.binary(max_size=200)
    | json_values.map(lambda v: json.dumps(v).encode())
    | (envelopes | mutants).map(lambda v: json.dumps(v).encode())
    | envelopes.map(lambda v: json.dumps(v, ensure_ascii=False).encode(errors="surrogatepass"))
)
records = st.builds(
    Record,
    topic=st.sampled_from(["duokua.intake.grid", "duokua.intake.gone", "duokua.replies.desk", "duokua.replies.x"]),
    key=st.none() | st.binary(max_size=20) | names.map(str.encode),
    value=bodies,
    headers=headers,
)


@settings(max_examples=200, deadline=None)
@given(records)
def test_every_record_is_answered(record: Record) -> None:
    """Any bytes: a command that the engine can read, on its own shard, or a refusal with a known code that can be written."""
    made = translate(record, KNOWN, NOW)
    if isinstance(made, Accepted):
        command = commands.decode(made.command)
        assert command.case == made.case
        assert made.partition == shard_of(made.case, 4)
        return
    assert isinstance(made, Rejected)
    assert made.fault.code in CODES
    answer, dead = refusal(record, made, TOPICS, NOW)
    said = decode(answer.value, answer.headers)
    MODELS[said.type].model_validate(said.data)
    assert not ref_fault(answer.key.decode())
    assert not ref_fault(dead.key.decode())
    assert dead.value == (record.value or b"")[:4096]


@settings(max_examples=150, deadline=None)
@given(bodies)
def test_every_file_is_answered(raw: bytes | None) -> None:
    """`contract check` names faults for any bytes and never raises; what it passes, the codec passes."""
    found = inspect(raw or b"")
    if not found.faults:
        decode(raw)


@settings(max_examples=150)
@given(st.dictionaries(names, json_values.filter(lambda v: v == v), max_size=5), st.randoms())
def test_canonical_json_does_not_depend_on_key_order(data: dict[str, Any], random: Any) -> None:
    """The digest is the same in whatever order the members of any object were written."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            members = list(value.items())
            random.shuffle(members)
            return {name: shuffled(member) for name, member in members}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    try:
        expected = digest(canonical(data))
    except TypeError:
        return  # an integer beyond 64 bits, which validation refuses
    assert digest(canonical(shuffled(data))) == expected


printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
refs = printable.filter(lambda text: not ref_fault(text))
storable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(printable, inner, max_size=4),
    max_leaves=10,
)
extensions = st.dictionaries(
    st.from_regex(r"[a-z]{3,12}", fullmatch=True).filter(
        lambda n: (
            n not in {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}
        )
    ),
    printable,
    max_size=3,
)
moments = st.integers(0, 4_102_444_800_000)


@settings(max_examples=150, deadline=None)
@given(refs, refs, moments, st.dictionaries(printable, storable, max_size=4), extensions)
def test_the_cloudevents_library_agrees(
    ref: str, kind: str, at: int, data: dict[str, Any], further: dict[str, str]
) -> None:
    """What the reference library writes, in either mode, we read; what we write, it reads; with equal attributes."""
    attributes = {
        "id": ref,
        "source": "/channels/grid",
        "type": kind,
        "time": from_milliseconds(at),
        "datacontenttype": "application/json",
        **further,
    }
    theirs = CloudEvent(attributes, data)
    expected = Event(id=ref, source="/channels/grid", type=kind, time=at, data=data, extensions=further)

    binary = to_binary_event(theirs)
    assert decode(binary.value, list(binary.headers.items())) == expected
    whole = to_structured(theirs)
    assert decode(whole.value, list(whole.headers.items())) == expected
    assert decode(whole.value) == expected

    ours = binary_headers(id=ref, type=kind, time=at, source="/channels/grid", extensions=further)
    for read in (
        from_binary_event(KafkaMessage(dict(ours), None, canonical(data))),
        from_structured_event(
            KafkaMessage({"content-type": b"application/cloudevents+json"}, None, structured(expected))
        ),
    ):
        assert (read.get_id(), read.get_type(), read.get_source()) == (ref, kind, "/channels/grid")
        assert read.get_time() == from_milliseconds(at)
        assert read.get_data() == data
        assert {name: read.get_extension(name) for name in further} == further


@given(moments)
def test_times_survive_the_edge(at: int) -> None:
    """Milliseconds → RFC 3339 → milliseconds."""
    assert parse(to_text(at)) == at


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """No text makes the parser raise."""
    assert parse(text) is None or isinstance(parse(text), int)


@settings(deadline=None)
@given(envelopes)
def test_no_fault_quotes_the_message(envelope: dict[str, Any]) -> None:
    """A secret word planted as a value never stands in a fault's text or pointer."""
    secret = "张三丰13912345678"
    envelope = {**envelope, "id": secret, "data": {"title": [secret], "place": {"region": secret}, secret: secret}}
    raw = json.dumps(envelope).encode()
    for fault in (*_faults(raw), *inspect(raw).faults):
        assert secret not in fault.zh + fault.en + fault.pointer


def _faults(raw: bytes) -> tuple[Fault, ...]:
    try:
        decode(raw)
    except InvalidMessage as error:
        return error.faults
    return ()
