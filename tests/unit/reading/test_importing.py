"""Imports: each line of a foreign file becomes an event of the contract, or is named as a fault; nothing is guessed."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.cli.importing import app
from schemas.request import ServiceRequest

LETTER = {
    "id": "71", "user": "U7", "title": "路灯不亮", "time": "2020-03-01T08:05:09", "content": "东门外的路灯坏了三天。", "category": "城乡建设",
    "reply": "已修复。", "likes": 3,
}  # fmt: skip
HEADER = "Unique Key,Created Date,Closed Date,Complaint Type,Descriptor,Location Type,Incident Zip,City,Borough,Open Data Channel Type,Latitude,Longitude"
ROW = "900001,03/08/2020 01:59:59 AM,,Noise - Made Up,Loud Owl,Park,10000,NEW YORK,MANHATTAN,PHONE,40.5,-73.5"


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "catalog" / "vocabularies"
    folder.mkdir(parents=True)
    (folder / "appeals-classes.csv").write_text("foreign,category\n城乡建设,02\n环境保护,\n", encoding="utf-8")
    (folder / "nyc311-complaints.csv").write_text('foreign,category\n"Noise - Made Up",0401\n', encoding="utf-8")
    (folder / "nyc311-media.csv").write_text("foreign,medium\nPHONE,phone\n", encoding="utf-8")
    monkeypatch.setenv("DUOKUA_CATALOG", str(tmp_path / "catalog"))
    return folder


def ran(command: str, file: Path, *more: str) -> tuple[int, list[dict[str, Any]], str]:
    result = CliRunner().invoke(app, [command, str(file), *more])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def letters(folder: Path, *rows: Any) -> Path:
    file = folder / "letters.jsonl"
    file.write_text(
        "".join((r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)) + "\n" for r in rows), encoding="utf-8"
    )
    return file


def table(folder: Path, *rows: str) -> Path:
    file = folder / "table.csv"
    file.write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    return file


def test_a_letter_becomes_an_event_in_the_time_of_its_source(catalog: Path) -> None:
    """Id with a prefix, channel in the source, local time as +08:00 both on the envelope and as the time of occurrence."""
    code, (event,), _ = ran("appeals", letters(catalog, LETTER))
    assert code == 0
    assert (event["specversion"], event["id"], event["source"]) == ("1.0", "appeals-71", "/channels/website")
    assert event["type"] == "cn.duokua.request.submitted.v1"
    assert event["time"] == event["data"]["occurred_at"] == "2020-03-01T08:05:09+08:00"
    assert "received_at" not in event["data"]
    request = ServiceRequest.model_validate(event["data"])
    assert (request.appeal_category, request.title, request.place and request.place.region) == (
        "02",
        "路灯不亮",
        "370000",
    )


def test_a_foreign_row_becomes_an_event_in_the_time_of_new_york(catalog: Path) -> None:
    """The zone's own offset, on both sides of the spring change; coordinates and words only where they are given."""
    rows = (ROW, "900002,03/08/2020 03:00:00 AM,,Noise - Made Up,,,,,,UNKNOWN,,")
    code, (winter, summer), _ = ran("nyc311", table(catalog, *rows))
    assert code == 0
    assert (winter["id"], winter["source"], winter["time"]) == (
        "nyc311-900001",
        "/channels/nyc311",
        "2020-03-08T01:59:59-05:00",
    )
    assert summer["time"] == "2020-03-08T03:00:00-04:00"
    request = ServiceRequest.model_validate(winter["data"])
    assert (request.appeal_category, request.medium, request.title) == ("0401", "phone", "Noise - Made Up: Loud Owl")
    assert request.place and (request.place.lon, request.place.lat) == (-73.5, 40.5)
    assert summer["data"]["place"] == {"region": "370000"} and "medium" not in summer["data"]


@pytest.mark.parametrize("category", ["天外来信", "环境保护", None])
def test_an_unmapped_class_is_left_to_triage_and_counted(catalog: Path, category: str | None) -> None:
    """A word that no table translates: no category, the province's root, a count on stderr, exit code 0."""
    code, (event,), said = ran("appeals", letters(catalog, LETTER | {"category": category}), "--lang", "en")
    assert code == 0 and "appeal_category" not in event["data"] and event["data"]["place"]["region"] == "370000"
    assert (
        "class without a mapping, left to triage: 1" in said
        and "region without a mapping, given to the province: 1" in said
    )


def test_places_are_translated_where_the_catalogue_has_a_table(catalog: Path) -> None:
    """A region that the catalogue maps is the request's place."""
    (catalog / "nyc311-places.csv").write_text("foreign,region\nMANHATTAN,370102\n", encoding="utf-8")
    _, (event,), said = ran("nyc311", table(catalog, ROW))
    assert event["data"]["place"]["region"] == "370102" and "地区未映射" not in said


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("{", "not_json"),
        ("[1]", "not_an_object"),
        (LETTER | {"time": "yesterday"}, "bad_time time"),
        (LETTER | {"content": ""}, "missing_field content"),
        ({k: v for k, v in LETTER.items() if k != "id"}, "missing_field id"),
        (LETTER | {"id": "13800001111"}, "id_like_personal_data id"),
        (LETTER | {"id": "a b"}, "bad_id id"),
        (LETTER | {"content": "长" * 10_001}, "string_too_long text"),
        (LETTER | {"title": "长" * 201}, "string_too_long title"),
        ('{"id":"1","time":"2020-03-01T08:05:09","content":"\\ud800"}', "string_unicode title"),
        ("[" * 100_000, "not_json"),
    ],
)
def test_a_line_at_fault_is_named_without_its_content_and_delays_no_other(catalog: Path, row: Any, code: str) -> None:
    """Exit code 1, the line's number and a code on stderr; the lines around it are events all the same."""
    exit_code, events, said = ran("appeals", letters(catalog, LETTER, row, LETTER | {"id": "72"}), "--lang", "en")
    assert exit_code == 1 and [e["id"] for e in events] == ["appeals-71", "appeals-72"]
    assert f"line 2: {code}" in said and "13800001111" not in said


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("900001,2020-03-08,,Noise,,,,,,,,", "bad_time Created Date"),
        ("900001,03/08/2020 01:59:59 AM,,,,,,,,,,", "missing_field Complaint Type"),
        ("900001,03/08/2020 01:59:59 AM,,Noise,,,,,,,north,west", "bad_number Longitude, Latitude"),
        ("900001,03/08/2020 01:59:59 AM,,Noise,,,,,,,nan,nan", "finite_number place/lon"),
        ("900001", "missing_field Created Date"),
    ],
)
def test_a_row_at_fault_is_named(catalog: Path, row: str, code: str) -> None:
    """As with letters."""
    exit_code, events, said = ran("nyc311", table(catalog, row, ROW), "--lang", "en")
    assert (exit_code, len(events)) == (1, 1) and f"line 2: {code}" in said


def test_another_table_is_refused(catalog: Path) -> None:
    """A CSV without the columns that make a request: named, exit code 1, no event."""
    file = catalog / "other.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    exit_code, events, said = ran("nyc311", file)
    assert (exit_code, events) == (1, []) and "缺列 Unique Key, Created Date, Complaint Type" in said


def test_a_file_in_another_encoding_is_refused(catalog: Path) -> None:
    """Not UTF-8: exit code 2 and a sentence, no traceback."""
    file = catalog / "gbk.jsonl"
    file.write_bytes(json.dumps(LETTER, ensure_ascii=False).encode("gbk"))
    exit_code, _, said = ran("appeals", file)
    assert exit_code == 2 and "UTF-8" in said


def test_blank_lines_and_a_byte_order_mark_are_no_lines(catalog: Path) -> None:
    """What editors leave behind is passed over."""
    file = catalog / "bom.jsonl"
    file.write_text(f"\ufeff{json.dumps(LETTER)}\r\n\r\n", encoding="utf-8")
    assert ran("appeals", file)[0] == 0


SLIPS = "number,received_at,title,text,kind,region,name,phone"


def slips(folder: Path, *rows: str, header: str = SLIPS) -> Path:
    file = folder / "slips.csv"
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return file


def test_a_paper_slip_keeps_its_true_time(catalog: Path) -> None:
    """The clock's start is what the paper says, in Beijing time; day and number are the id, so twice is once."""
    code, (event, abroad), _ = ran(
        "slips",
        slips(
            catalog, "0001,2026-09-18 09:40,路灯不亮,三天,help,370102,王某,0531", "0001,2026-09-19T01:00Z,停水,停水,,,,"
        ),
        "--channel",
        "window",
    )
    assert code == 0
    assert (event["id"], event["source"]) == ("slip-20260918-0001", "/channels/window")
    request = ServiceRequest.model_validate(event["data"])
    assert event["data"]["received_at"] == "2026-09-18T09:40:00+08:00" and request.backfilled
    assert event["data"]["applicant"] == {"name": "王某", "phone": "0531"}
    assert abroad["id"] != event["id"] and abroad["data"]["place"] == {"region": "370000"}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("0001,2026-09-18,路灯,x,,,,", "bad_time received_at"),  # a day alone: nobody may guess the hour
        ("0001,yesterday,路灯,x,,,,", "bad_time received_at"),
        ("0001,,路灯,x,,,,", "missing_field received_at"),
        ("0001,2026-09-18 09:40,路灯,x,,,,,more", "not_csv"),
        ("0001,2026-09-18 09:40,路灯,x,nonsense,,,", "appeal_kind"),
    ],
)
def test_a_slip_that_cannot_be_read_is_named_and_the_next_one_is_read(catalog: Path, row: str, fault: str) -> None:
    code, events, said = ran("slips", slips(catalog, row, "0002,2026-09-18 09:41,停水,x,,,,"), "--lang", "en")
    assert (code, len(events)) == (1, 1)
    assert "line 2: " in said and fault in said


def test_a_column_of_slips_that_nobody_knows_is_a_fault(catalog: Path) -> None:
    """Or what was written in it would be lost in silence."""
    code, events, said = ran(
        "slips", slips(catalog, "1,2", header="number,received_at,title,text,remark"), "--lang", "en"
    )
    assert (code, events) == (1, []) and "unknown_column remark" in said
