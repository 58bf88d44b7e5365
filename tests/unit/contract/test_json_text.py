"""Strict JSON: each kind of unreadable text has its own code and place, and none of them is quoted."""

import json
from typing import Any

import pytest

from schemas.faults import InvalidMessage
from schemas.json_text import nul_fault, parse


def refused(raw: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidMessage) as caught:
        parse(raw)
    return caught.value.code, caught.value.pointer


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        (b"", "not_json", ""),
        (b"nope", "not_json", ""),
        (b'{"a":1', "not_json", ""),
        (b'{"a":1} {}', "not_json", ""),
        (b"{'a':1}", "not_json", ""),
        (b'{"a":NaN}', "not_json", ""),
        (b'{"a":-Infinity}', "not_json", ""),
        (b'{"a":"\x01"}', "not_json", ""),
        (b"9" * 5000, "not_json", ""),
        (b"\xff\xfe{\x00}\x00", "not_utf8", ""),
        ('{"a":"路灯"}'.encode("gb18030"), "not_utf8", ""),
        (rb'{"a":"\ud800"}', "not_utf8", ""),
        (rb'{"a":"\udc00\ud800"}', "not_utf8", ""),
        (b"[" * 10_000, "too_deep", ""),
        (b"[" * 10_000 + b"]" * 10_000, "too_deep", ""),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too_deep", ""),
        (b'{"a":1,"a":1}', "duplicate_key", "/a"),
        (b'{"a":{"b":[0,[{"c":1,"c":2}]]}}', "duplicate_key", "/a/b/1/0/c"),
        (b'[{"x":1},{"y":1,"y":1}]', "duplicate_key", "/1/y"),
    ],
)
def test_unreadable_text_has_a_code_and_a_place(raw: bytes, code: str, pointer: str) -> None:
    """Whatever cannot be read once and for all is refused, with the code that docs/contract.md lists."""
    assert refused(raw) == (code, pointer)


def test_a_name_that_could_be_personal_stands_in_no_pointer() -> None:
    """The pointer stops at what holds an odd name."""
    assert refused(b'{"a":{"13812345678":1,"13812345678":2}}') == ("duplicate_key", "/a")
    assert refused('{"张三":1,"张三":2}'.encode()) == ("duplicate_key", "")


def test_no_text_of_a_fault_quotes_the_message() -> None:
    """jiter's own words name the key; ours do not."""
    with pytest.raises(InvalidMessage) as caught:
        parse('{"秘密":1,"秘密":2}'.encode())
    assert "秘密" not in caught.value.text_zh + caught.value.text_en + str(caught.value)


@pytest.mark.parametrize("data", [None, True, 0, -1.5, "", "路灯😀", [], {}, {"a": [1, {"b": None}]}])
def test_json_is_read_as_json(data: Any) -> None:
    """What the standard library writes is read back the same, with or without a byte order mark."""
    raw = json.dumps(data, ensure_ascii=False).encode()
    assert parse(raw) == data
    assert parse(b"\xef\xbb\xbf" + raw) == data


def test_u0000_is_found_wherever_it_stands() -> None:
    """Databases cannot keep U+0000; a backslash before u0000 is only text."""
    raw = rb'{"a":[1,{"b":"x\u0000"}]}'
    found = nul_fault(raw, parse(raw), "/data")
    assert found is not None
    assert (found.code, found.pointer) == ("bad_value", "/data/a/1/b")
    harmless = rb'{"a":"\\u0000"}'
    assert nul_fault(harmless, parse(harmless)) is None
