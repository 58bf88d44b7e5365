"""A file of open cases: what is at fault in a line, where, and what to do; what the command says of a file it tries."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace
from typer.testing import CliRunner

from router.catalogue.load import from_files
from router.cli.main import app
from router.cli.open_cases import Report
from router.intake.open_cases import Given, adoption
from router.intake.translate import Known
from schemas.faults import InvalidMessage
from schemas.ids import case_id
from tests.unit.catalogue.small import small
from tests.unit.workflows.calendar_2026 import ms
from workflows import commands
from workflows.case import Case, Clock, Course, clock_key
from workflows.workdays import DAY

NOW = ms("2026-09-18 09:00")
ROADS = "370102.roads"
REQUEST = {
    "appeal_kind": "help", "appeal_category": "C111", "place": {"region": "370102"}, "title": "路面破损",
    "received_at": "2026-09-14T10:00:00+08:00",
}  # fmt: skip
DISPATCHED = {"at": "2026-09-14T11:00:00+08:00", "action": "dispatch", "said": {"targets": [{"unit": ROADS}]}}
KNOWN = Known(directory=from_files(small()), prefix="", shards=1, secret=b"x")
GIVEN = Given("张工", "上线", "phone")


def line(*history: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "old-1", "number": "JN1", "request": REQUEST, "history": list(history)} | more


def read(data: Any) -> commands.Adopt:
    return adoption(data, KNOWN, GIVEN, NOW)


def test_a_line_is_the_command_that_takes_it_over() -> None:
    made = read(line(DISPATCHED, due="2026-09-25T17:00:00+08:00"))
    assert (made.case, made.ref, made.number, made.due) == (
        case_id("phone", "old-1"), "old-1", "JN1", ms("2026-09-25 17:00"),
    )  # fmt: skip
    assert (made.received_at, made.history[0].at) == (ms("2026-09-14 10:00"), ms("2026-09-14 11:00"))
    assert json.decode(made.request)["origin"], "what the channel's row says is said for it"
    assert commands.decode(commands.encode(made)) == made
    assert len(made.query_code) == 6


def test_the_same_line_is_the_same_command_and_another_one_another() -> None:
    assert read(line(DISPATCHED)).id == read(line(DISPATCHED)).id
    assert read(line()).id != read(line(DISPATCHED)).id


FAULTY = [
    (line(request=REQUEST | {"received_at": None}), "missing_field", "/data/request/received_at"),
    (line(request=REQUEST | {"received_at": "1900-01-01T00:00:00+08:00"}), "too_old", "/data/request/received_at"),
    (line(request=REQUEST | {"received_at": "0001-01-01T00:00:00+08:00"}), "too_old", "/data/request/received_at"),
    (line(request=REQUEST | {"occurred_at": "2026-09-19T00:00:00+08:00"}), "time_ahead", "/data/request/occurred_at"),
    (line(due="1900-01-01T00:00:00+08:00"), "bad_value", "/data/due"),
    (line(due="0001-01-01T00:00:00+08:00"), "bad_value", "/data/due"),
    (line(due="9999-12-31T23:59:59+08:00"), "bad_value", "/data/due"),
    (line(request=REQUEST | {"place": {"region": "999999"}}), "unknown_region", "/data/request/place/region"),
    (line(channel="pigeon"), "unknown_channel", "/data/channel"),
    (line(id="a b"), "bad_value", "/data/id"),
    (line(id="13812345678"), "id_like_personal_data", "/data/id"),
    (line(number="13812345678"), "id_like_personal_data", "/data/number"),
    (line({"at": "yesterday", "action": "sign"}), "bad_time", "/data/history/0/at"),
    (line({**DISPATCHED, "action": "signn"}), "bad_value", "/data/history/0/action"),
    (line({**DISPATCHED, "said": {"target": []}}), "unknown_field", "/data/history/0/said/target"),
    (line({**DISPATCHED, "action": "evaluate", "said": {}}), "missing_field", "/data/history/0/said/grade"),
    (line({**DISPATCHED, "action": "supervise", "unit": ROADS, "said": {}}), "missing_field", "/data/history/0/said/officer"),
    (line(numbr="x"), "unknown_field", "/data/numbr"),
    ([], "bad_value", "/data"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code", "pointer"), FAULTY, ids=[pointer for _, _, pointer in FAULTY])
def test_what_is_at_fault_is_named_by_code_and_place(data: Any, code: str, pointer: str) -> None:
    with pytest.raises(InvalidMessage) as error:
        read(data)
    assert (code, pointer) in {(one.code, one.pointer) for one in error.value.faults}


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the command comes to for these lines, on the small catalogue."""
    folder = tmp_path / "catalog"
    for name, content in small().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    monkeypatch.setenv("DUOKUA_CATALOG", str(folder))
    monkeypatch.setenv("DUOKUA_BOOTSTRAP", "127.0.0.1:1")

    def run(*lines: Any, options: tuple[str, ...] = ()) -> Any:
        file = tmp_path / "open.jsonl"
        file.write_text("".join(x if isinstance(x, str) else json.encode(x).decode() + "\n" for x in lines))
        return CliRunner().invoke(app, ["import", "open-cases", str(file), "--channel", "phone", *options])

    return run


def test_a_try_says_how_each_case_will_stand_and_writes_nothing(tried: Any) -> None:
    other = line(DISPATCHED, id="old-2", due="2026-10-30T17:00:00+08:00")
    done = tried("\ufeff", line(DISPATCHED), "\n", other, options=("--json",))
    assert done.exit_code == 0, done.output
    told = json.decode(done.stdout.splitlines()[-1])
    assert (told["sound"], told["faulty"], told["written"], told["units"]) == (2, 0, 0, {ROADS: 2})
    (differing,) = told["differing"]
    assert (differing["line"], differing["promised"][:10]) == (3, "2026-10-30")
    said = tried(line(DISPATCHED), options=("--lang", "en"))
    assert "1 cases can be taken over, 0 lines cannot" in said.stdout


def test_each_fault_is_told_with_what_to_do(tried: Any) -> None:
    late = {"at": "2026-09-14T10:30:00+08:00", "action": "sign", "unit": ROADS}
    nowhere = {**DISPATCHED, "said": {"targets": [{"unit": "370102.nowhere"}]}}
    wrong = {**DISPATCHED, "said": {"targets": [{"unit": 7}]}}
    nul = line(id="5", request=REQUEST | {"title": "路灯\0不亮"})
    done = tried(
        line(DISPATCHED, late), line(nowhere, id="2"), line(id="3"), line(id="3"), "x\n", line(wrong, id="4"), nul,
        options=("--json",),
    )  # fmt: skip
    assert done.exit_code == 1
    told = json.decode(done.stdout.splitlines()[-1])
    assert [(one["line"], one["code"], one["pointer"]) for one in told["faults"]] == [
        (1, "out_of_order", "/history/1"), (2, "unknown_unit", "/history/0"), (4, "twice", "/id"), (5, "not_json", ""),
        (6, "bad_value", "/history/0/said/targets/0/unit"), (7, "bad_value", "/request/title"),
    ]  # fmt: skip
    assert all(one["advice_zh"] and one["advice_en"] for one in told["faults"][:3])
    for lang, text in (("zh", "按时间排序"), ("en", "sort the steps by time")):
        assert text in tried(line(DISPATCHED, late), options=("--lang", lang)).stdout


def test_a_case_too_large_for_the_log_is_found_by_the_try(tried: Any) -> None:
    """Else the write would end in the middle, each time at the same line."""
    note = {"at": "2026-09-14T12:00:00+08:00", "action": "note", "unit": ROADS, "said": {"text": "长" * 9_000}}
    done = tried(line(DISPATCHED, *[note] * 260), line(DISPATCHED, id="2"), options=("--json",))
    told = json.decode(done.stdout.splitlines()[-1])
    assert [(one["line"], one["code"]) for one in told["faults"]] == [(1, "too_large")]
    assert told["sound"] == 1


@pytest.mark.parametrize(
    ("changes", "group"),
    [
        ({}, "more"),
        ({"running": False}, "still"),
        ({"course": Course(pause="waits")}, "still"),
        ({"course": Course(held=True)}, "still"),
        ({"course": Course(extended=("1wd",))}, "more"),
    ],
)
def test_what_stands_still_is_not_told_as_late(changes: dict[str, Any], group: str) -> None:
    clock = Clock("finish", "", "c", "5wd", NOW - 90 * DAY, NOW - 80 * DAY, False, ())
    case = Case(id="c", clocks={clock_key("finish", ""): replace(clock, **changes)})
    report = Report()
    report.add(1, read(line()), case, [], NOW)
    assert report.late == {group: 1}


def test_writing_needs_a_name_a_reason_and_a_log(tried: Any) -> None:
    assert tried(line(), options=("--write",)).exit_code == 2
    assert tried(line(), options=("--write", "--actor", "张工", "--reason", "上线")).exit_code == 3


def test_a_file_of_something_else_does_not_flood_the_screen(tried: Any) -> None:
    """Twenty faults are shown, the others counted; `--details` shows them all."""
    lines = ["a,b\n"] * 25
    short, whole = tried(*lines, options=("--lang", "en")), tried(*lines, options=("--lang", "en", "--details"))
    assert (short.exit_code, whole.exit_code) == (1, 1)
    assert (short.stdout.count("["), whole.stdout.count("[")) == (20, 25)
    assert "… 5 more; --details lists them all" in short.stdout
    assert "0 cases can be taken over, 25 lines cannot" in short.stdout
