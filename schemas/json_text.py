"""
Strict JSON: bytes to plain data, or the one fault that says where and why not.

jiter says what is wrong in words; they are matched here and nowhere else (tests/unit/test_json_text.py
holds every kind), and are never passed on, as they may quote the message.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jiter

from schemas.faults import Fault, InvalidMessage, fault
from schemas.validation import pointer

_BOM = b"\xef\xbb\xbf"
_ESCAPE, _NUL = b"\\", b"\\u0000"
_position = re.compile(r"line ([0-9]+) column ([0-9]+)").search


def parse(raw: bytes, at: str = "") -> Any:
    """Plain data from JSON text (a leading byte order mark is taken); pointers of faults begin with `at`."""
    if raw.startswith(_BOM):
        raw = raw[3:]
    try:
        return jiter.from_json(raw, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys")
    except ValueError as error:
        raise InvalidMessage([_fault(raw, str(error), at)]) from None


def nul_fault(raw: bytes, data: object, at: str = "") -> Fault | None:
    """The fault of `data`, read from `raw`, that holds U+0000: databases cannot keep it."""
    # most texts escape nothing, and one byte is looked for at a tenth of the cost
    if _ESCAPE not in raw or _NUL not in raw or (where := next(_nul_in(data), None)) is None:
        return None
    return fault("bad_value", pointer(where, at), "不得含空字符", "the character U+0000 cannot be kept")


def _fault(raw: bytes, message: str, at: str) -> Fault:
    if "recursion limit" in message:
        return fault("too_deep", at)
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return fault("not_utf8", at, f"第 {error.start + 1} 字节", f"byte {error.start + 1}")
    if "duplicate key" in message:
        return fault("duplicate_key", pointer(_duplicate(raw), at))
    if "surrogate" in message or "hex escape" in message:
        return fault("not_utf8", at, "孤立的代理字符", "a lone surrogate is no character")
    found = _position(message)
    line, column = found.groups() if found else ("1", "1")
    return fault("not_json", at, f"第 {line} 行第 {column} 列", f"line {line} column {column}")


class _Twice(NamedTuple):
    """Stands for an object that holds a key twice, or holds such an object: the way to that key."""

    path: tuple[str | int, ...]


def _duplicate(raw: bytes) -> tuple[str | int, ...]:
    """The way to the first key that stands twice, by a second, slower parse."""
    try:
        found = _twice_in(json.loads(raw, object_pairs_hook=_members, parse_int=str, parse_float=str))
    except (ValueError, RecursionError):
        return ()
    return found.path if found else ()


def _members(pairs: list[tuple[str, Any]]) -> object:
    seen = set()
    for name, member in pairs:
        if name in seen:
            return _Twice((name,))
        seen.add(name)
        if found := _twice_in(member):
            return _Twice((name, *found.path))
    return None


def _twice_in(member: object) -> _Twice | None:
    if isinstance(member, _Twice):
        return member
    if isinstance(member, list):
        for index, item in enumerate(member):
            if found := _twice_in(item):
                return _Twice((index, *found.path))
    return None


def _nul_in(data: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The ways to each text or name that holds U+0000; data from jiter is nested 200 deep at most."""
    if isinstance(data, str) and "\0" in data:
        yield path
    elif isinstance(data, dict):
        for name, member in data.items():
            yield from _nul_in(name, path)
            yield from _nul_in(member, (*path, name))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _nul_in(item, (*path, index))
