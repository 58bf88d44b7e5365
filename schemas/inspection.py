"""
All that is wrong with a message, at once: for the sender who mends it (`duokua contract check`).

Intake answers the first fault only; the faults and their texts are the same. What needs the catalogue
or the clock (a region, a time ahead) is not known here.
"""

from typing import Any, NamedTuple

from pydantic import ValidationError

from schemas.cloudevents import envelope_faults, unpack
from schemas.faults import Fault, InvalidMessage, fault
from schemas.json_text import parse
from schemas.registry import MODELS
from schemas.validation import faults, suggestion


class Inspection(NamedTuple):
    """What a message says it is, and its faults."""

    type: str
    faults: tuple[Fault, ...]


def inspect(raw: bytes, kind: str = "") -> Inspection:
    """
    The faults of an event in structured mode, or, where `kind` is given, of the bare data of that type.

    `kind` does not stop a whole event from being taken as one: then it must be of that type.
    """
    try:
        return _inspected(raw, kind)
    except InvalidMessage as error:
        return Inspection(kind, error.faults)


def _inspected(raw: bytes, kind: str) -> Inspection:
    if kind and "specversion" not in _members(raw):
        return Inspection(kind, tuple(_data_faults(kind, parse(raw), "")))
    attributes, data = unpack(raw)
    found = envelope_faults(attributes, data)
    said = attributes.get("type")
    if not isinstance(said, str):
        return Inspection(kind, tuple(found))
    if said not in MODELS or (kind and said != kind):
        return Inspection(said, (*found, fault("unknown_type", "/type", *suggestion(said, [kind] if kind else MODELS))))
    return Inspection(said, (*found, *_data_faults(said, data, "/data")))


def _members(raw: bytes) -> Any:
    data = parse(raw)
    return data if isinstance(data, dict) else ()


def _data_faults(kind: str, data: object, base: str) -> list[Fault]:
    try:
        MODELS[kind].model_validate(data)
    except ValidationError as error:
        return faults(error, MODELS[kind], data, base)
    return []
