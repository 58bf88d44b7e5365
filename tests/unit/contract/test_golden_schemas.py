"""
Golden schemas: what was published stays readable.

`schemas/json/` is what the code says today, and every stored example of a message, the fullest and the
barest, fits both the schema and today's models. So a field that becomes required, or disappears, fails here.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from pydantic import create_model

from router.cli.contract import GOLDEN, golden
from schemas.cloudevents import decode
from schemas.faults import InvalidMessage
from schemas.fields import Model
from schemas.registry import MODELS
from schemas.request import ServiceRequest
from schemas.validation import read
from workflows import events

EXAMPLES = Path(__file__).parents[3] / "examples"
MESSAGES = sorted((EXAMPLES / "messages").glob("*.json"))
EVENTS = EXAMPLES / "events" / "case.events.jsonl"
REFRESH = "run `duokua contract export` and read the difference: is it one that old readers and writers survive?"


NOW = golden()


@cache
def validator(name: str) -> Any:
    """The stored schema, ready to validate."""
    return jsonschema.Draft202012Validator(json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", sorted(NOW))
def test_the_stored_schema_is_current(name: str) -> None:
    """The file in the repository is what the code says."""
    stored = GOLDEN / name
    assert stored.is_file(), REFRESH
    assert json.loads(stored.read_text(encoding="utf-8")) == json.loads(NOW[name]), REFRESH


def test_no_stored_schema_was_dropped() -> None:
    """A published type stays."""
    assert {path.name for path in GOLDEN.glob("*.json")} == set(NOW)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_stored_message_can_still_be_read(path: Path) -> None:
    """It decodes, fits the golden schema, and is read by today's model."""
    event = decode(path.read_bytes())
    assert path.name.startswith(event.type)
    validator(event.type).validate(event.data)
    read(MODELS[event.type], event.data)


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_the_examples_show_every_field_and_no_more_than_needed(kind: str) -> None:
    """The full example holds every field of the type, the minimal one only what is required."""
    full, minimal = (_data(kind, form) for form in ("full", "minimal"))
    fields = MODELS[kind].model_fields
    assert set(full) == set(fields)
    required = {name for name, field in fields.items() if field.is_required()}
    needed = set(MODELS[kind].also_needed(dict.fromkeys(required, "x")))
    assert required <= set(minimal)
    assert len(minimal) <= len(required | needed) + (kind.endswith("sent_back.v1"))


def test_a_field_that_becomes_required_fails() -> None:
    """The guard itself: the barest stored message is no longer read by a model that asks for more."""
    stricter = create_model("Stricter", __base__=ServiceRequest, new=(str, ...))
    with pytest.raises(InvalidMessage):
        read(stricter, _data("cn.duokua.request.submitted.v1", "minimal"))


@pytest.mark.parametrize("name", sorted(ServiceRequest.model_fields))
def test_a_field_that_disappears_fails(name: str) -> None:
    """The guard itself: the fullest stored message is no longer read by a model that knows less."""
    fields: dict[str, Any] = {
        kept: (field.annotation, field) for kept, field in ServiceRequest.model_fields.items() if kept != name
    }
    poorer = create_model("Poorer", __base__=Model, **fields)
    with pytest.raises(InvalidMessage):
        read(poorer, _data("cn.duokua.request.submitted.v1", "full"))


def stored_events() -> list[bytes]:
    return [line for line in EVENTS.read_bytes().splitlines() if line]


@pytest.mark.parametrize("line", stored_events(), ids=lambda line: json.loads(line)["events"][0]["type"])
def test_every_stored_case_event_can_still_be_read(line: bytes) -> None:
    """Nothing of it is lost: read and written again it is the same, and it fits the golden schema."""
    record = events.decode(line)
    assert json.loads(events.encode(record)) == json.loads(line)
    validator("case.events").validate(json.loads(line))


def test_every_case_event_is_stored_whole_and_bare() -> None:
    """Each event type stands in the examples twice: with all its fields, and with only those it needs."""
    stored = [event for line in stored_events() for event in json.loads(line)["events"]]
    for kind in events.AnyEvent.__args__:
        mine = [set(event) - {"type"} for event in stored if event["type"] == f"{kind.__name__}.v1"]
        fields = set(kind.__struct_fields__)
        required = {field.name for field in msgspec.structs.fields(kind) if field.required}
        assert fields in mine, f"{kind.__name__}: no example with all of {sorted(fields)}"
        assert required in mine, f"{kind.__name__}: no example with only {sorted(required)}"


def _data(kind: str, form: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EXAMPLES / "messages" / f"{kind}.{form}.json").read_text(encoding="utf-8"))
    data: dict[str, Any] = event["data"]
    return data
