"""
What a request says, field by field, as the rules see it: values as text, and the states of what has none.

Missing, null and empty are three things (docs/rules.md); a value that reads like the name of a state is none, so that no
sender can pretend one.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw

from router.rules.model import EMPTY, MISSING, NULL, PRESENT, STATES, fold

LONGEST = 40
"""Digits of a number of the form that are compared; one that needs more is there, but has no value for a rule."""


def decoder(kind: Any = dict[str, Any]) -> Callable[[bytes | Raw], dict[str, Any]]:
    """Reads a request as it was sent, numbers with a point as exact decimals; of a TypedDict its fields alone."""
    return msgspec.json.Decoder(kind, float_hook=Decimal).decode


decode = decoder()


def held(said: Mapping[str, Any], field: str, default: str = "") -> tuple[str, ...]:
    """The values of a field and PRESENT, or the state of one without a value. `default`: what the contract puts there."""
    return _values(said[field]) if field in said else _values(default) if default else (MISSING,)


def part(said: Mapping[str, Any], field: str, inner: str, default: str = "") -> tuple[str, ...]:
    """The same for a field of an object; where there is no object, the object's state."""
    value = said.get(field)
    return held(value, inner, default) if isinstance(value, dict) else held(said, field)


def text(said: Mapping[str, Any]) -> str:
    """Title and text, folded, on lines of their own: no keyword is found across them."""
    return "\n".join(fold(value) for value in (said.get("title"), said.get("text")) if isinstance(value, str))


def form(said: Mapping[str, Any], asked: Collection[str] | None = None) -> dict[str, tuple[str, ...]]:
    """The one-thing form, field by field: all, or only those asked for."""
    thing = said.get("one_thing")
    fields = thing.get("form") if isinstance(thing, dict) else None
    if not isinstance(fields, dict):
        return {}
    return {name: _values(value) for name, value in fields.items() if asked is None or name in asked}


def _values(value: Any) -> tuple[str, ...]:
    if value is None:
        return (NULL,)
    if value in ("", [], {}):
        return (EMPTY,)
    texts = (_text(one) for one in (value if isinstance(value, list) else [value]))
    return (*(one for one in texts if one and one not in STATES), PRESENT)


def _text(value: Any) -> str:
    """Of a number its shortest plain decimal, of a truth `true` or `false`; objects and lists in lists have no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and abs(value.adjusted()) < LONGEST:
        whole = value == value.to_integral_value()
        return str(int(value)) if whole else format(value, "f").rstrip("0")
    return ""
