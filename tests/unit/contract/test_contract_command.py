"""`duokua contract check|export`: everything that is wrong, at once, in the reader's language, with exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.cli.contract import app, golden

MESSAGES = sorted((Path(__file__).parents[3] / "examples" / "messages").glob("*.json"))
GOOD = {
    "specversion": "1.0",
    "id": "a1",
    "source": "/x",
    "type": "cn.duokua.request.submitted.v1",
    "data": {"title": "t"},
}


def check(*arguments: str, stdin: bytes | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments], input=stdin)
    return result.exit_code, result.stdout


def lines(*messages: Any) -> bytes:
    return b"\n".join(m if isinstance(m, bytes) else json.dumps(m, ensure_ascii=False).encode() for m in messages)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_example_is_valid(path: Path) -> None:
    """The examples that a channel copies from have no fault."""
    code, said = check(str(path))
    assert (code, said) == (0, "共 1 条消息，0 条有误\n")


def test_all_faults_of_all_lines_are_said_by_pointer() -> None:
    """JSON Lines: each fault with its line, code, pointer and text; exit code 1."""
    faulty = {**GOOD, "id": "13812345678", "data": {"titel": "t", "urgency": "urgnt"}}
    code, said = check("-", "--json", stdin=lines(GOOD, faulty, b"nope"))
    report = json.loads(said.splitlines()[-1])
    assert code == 1
    assert (report["messages"], report["faulty"]) == (3, 2)
    assert {(f["line"], f["code"], f["pointer"]) for f in report["faults"]} == {
        (2, "id_like_personal_data", "/id"),
        (2, "missing_field", "/data/title"),
        (2, "unknown_field", "/data/titel"),
        (2, "bad_value", "/data/urgency"),
        (3, "not_json", ""),
    }
    assert len(said.splitlines()) == 1


def test_the_language_is_chosen() -> None:
    """Chinese unless English is asked for."""
    raw = lines({**GOOD, "data": {}})
    assert "缺少必填字段" in check("-", stdin=raw)[1]
    assert "a required field is missing" in check("-", "--lang", "en", stdin=raw)[1]


def test_an_unknown_type_gets_the_nearest() -> None:
    """A mistyped type of an event, or of --type, is answered with the one that was probably meant."""
    code, said = check("-", stdin=lines({**GOOD, "type": "cn.duokua.request.submited.v1"}))
    assert code == 1
    assert "cn.duokua.request.submitted.v1" in said
    result = CliRunner().invoke(app, ["check", "-", "--type", "reply.submited"], input=b"{}")
    assert result.exit_code == 2
    assert "reply.submitted" in result.stderr


def test_bare_data_is_checked_as_the_type_given() -> None:
    """With --type the file may hold data without an envelope; an event must then be of that type."""
    data = {"case_id": "x", "action": "return"}
    code, said = check("-", "--type", "reply.submitted", "--json", stdin=lines(data))
    assert code == 1
    assert [f["pointer"] for f in json.loads(said)["faults"]] == ["/case_id", "/task_id", "/reason"]
    assert check("-", "--type", "request.submitted", stdin=lines(GOOD))[0] == 0
    assert check("-", "--type", "reply.submitted", stdin=lines(GOOD))[0] == 1


def test_a_document_may_be_written_over_many_lines() -> None:
    """A pretty-printed event is one message, whatever its line breaks."""
    assert check("-", stdin=json.dumps(GOOD, indent=2).encode())[1] == "共 1 条消息，0 条有误\n"


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[" * 100_000, b"null", b"[]", b'"x"', b"{}"])
def test_any_file_is_answered(raw: bytes) -> None:
    """Whatever is in the file: a fault and exit code 1, never a traceback."""
    assert check("-", stdin=raw)[0] == 1
    assert check("-", "--type", "request.submitted", stdin=raw)[0] == 1


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """Exit code 2."""
    assert check(str(tmp_path / "none.json"))[0] == 2


def test_export_writes_every_schema(tmp_path: Path) -> None:
    """One file per published type, each a JSON Schema of its own."""
    result = CliRunner().invoke(app, ["export", str(tmp_path / "new")])
    assert result.exit_code == 0
    assert {p.name: p.read_text(encoding="utf-8") for p in (tmp_path / "new").iterdir()} == golden()
