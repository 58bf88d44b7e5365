"""`duokua rules export|import`: what a clerk does to a sheet, and what a spreadsheet program does to it."""

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from typer.testing import CliRunner, Result

from router.catalogue.load import from_files, load, read_folder
from router.catalogue.sheets import FIELDS, SHOWN
from router.cli.rules import app as rules
from tests.unit.catalogue.small import edited, small
from tests.unit.catalogue.test_commands import last_object, write

JOINT = 2
"""The row of the rule `joint` below the two of the header."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "catalog", small())
    monkeypatch.setenv("DUOKUA_CATALOG", str(tmp_path / "catalog"))
    return tmp_path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(rules, [str(argument) for argument in arguments])


def exported(folder: Path) -> list[list[str]]:
    """The sheet, its two rows of header first."""
    assert call("export", folder / "r.csv").exit_code == 0
    return list(csv.reader(io.StringIO((folder / "r.csv").read_text("utf-8-sig"), newline="")))


def put(sheet: list[list[str]], row: int, field: str, text: str) -> str:
    """Write into a cell of the `row`th rule; its address."""
    sheet[row + 2][FIELDS.index(field)] = text
    return f"{xlsxwriter.utility.xl_col_to_name(FIELDS.index(field))}{row + 3}"


def brought(folder: Path, sheet: list[list[Any]], *options: object, **how: Any) -> Result:
    """What the import says of the sheet as CSV."""
    out = io.StringIO()
    csv.writer(out, **how).writerows(sheet)
    (folder / "r.csv").write_text(out.getvalue(), "utf-8")
    return call("import", folder / "r.csv", *options)


def workbook(folder: Path, change: Callable[[Any, Any], object]) -> Path:
    """The exported sheet as another program would save it, with something changed."""
    path = folder / "r.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("规则")
    for row, cells in enumerate(exported(folder)):
        for column, text in enumerate(cells):
            sheet.write_string(row, column, text)
    change(book, sheet)
    book.close()
    return path


def column(field: str) -> int:
    return FIELDS.index(field)


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_untouched_sheet_changes_nothing(folder: Path, kind: str, lang: str) -> None:
    """Not one file, and it says so."""
    assert call("export", folder / f"r.{kind}", "--lang", lang).exit_code == 0
    said = call("import", folder / f"r.{kind}", "--out", folder / "out", "--json")
    assert said.exit_code == 0
    assert last_object(said) == {
        "findings": [], "differences": [], "remarks_lost": [], "stale": False, "written": str(folder / "out"),
    }  # fmt: skip
    assert read_folder(folder / "out") == small()


def test_edits_are_told_by_cell_and_written_into_a_copy(folder: Path) -> None:
    """A value, a value by its name, a new rule without an id, a box below it, a rule that goes; the catalogue stays."""
    sheet = exported(folder)
    name = put(sheet, JOINT, "name", "甲市大联合")
    category = put(sheet, JOINT, "category_under", "道路；公园\nC3")
    put(sheet, 1, "part", "删除")
    new = [""] * len(FIELDS)
    sheet += [new, [*new]]
    for field, text in (
        ("number", "40"),
        ("name", "夜里"),
        ("time", "周一至周五 22：00～6：00"),
        ("then.route", "主办 道路:监管@市级\n抄送 parks"),
    ):
        put(sheet, 6, field, text)
    put(sheet, 7, "part", "除非")
    put(sheet, 7, "words_any", "抢修、抢险")
    said = brought(folder, sheet, "--out", folder / "out")
    assert said.exit_code == 0, said.output
    assert said.stdout.splitlines()[:-1] == [
        "-: 删除\trefuse 不予受理 #20",
        f"{name}: joint\t名称：甲市联合 → 甲市大联合",
        f"{category}: joint\t诉求分类：+ C11 道路；+ C12 公园；+ C3 未定；− C1 城建",
        "A9: 新增\trule-40 夜里 #40",
    ]
    assert read_folder(folder / "catalog") == small()
    after = load(folder / "out").rules
    assert set(after) == {"package", "joint", "rule-40", "category", "matter", "fallback"}
    assert after["joint"].when.category_under == ("C11", "C12", "C3")
    assert [str(window) for window in after["rule-40"].when.time] == ["mon tue wed thu fri 22:00–06:00"]
    assert after["rule-40"].unless[0].words_any == ("抢修", "抢险")
    assert [(b.part, b.function, b.role, b.level) for b in after["rule-40"].then.route] == [
        ("lead", "roads", "supervise", "city"), ("copy", "parks", "", ""),
    ]  # fmt: skip


def test_all_faults_are_told_at_once_by_cell(folder: Path) -> None:
    """Those of the text of a cell and those of what it says, and nothing is written."""
    sheet = exported(folder)
    wrong = [
        (put(sheet, 0, "number", "十"), "cell_number"), (put(sheet, 1, "category_under", "C3 公园"), "cell_name"),
        (put(sheet, 1, "then.propose_refusal.basis", ""), "cell_needed"), (put(sheet, JOINT, "category_under", "路灯"), "dangling"),
        (put(sheet, JOINT, "time", "晚上"), "cell_time"), (put(sheet, JOINT, "form", "不清楚"), "cell_form"),
        (put(sheet, JOINT, "then.route", "主办 城管局\n城建"), "dangling"), (put(sheet, JOINT, "then.route", "主办 城管局\n城建"), "cell_bearer"),
        (put(sheet, 3, "part", "规则吗"), "cell_part"), (put(sheet, 4, "then.triage", "也许"), "cell_yes"), (put(sheet, 4, "valid_from", "明天"), "bad_date"),
    ]  # fmt: skip
    said = brought(folder, sheet, "--out", folder / "out", "--json")
    assert said.exit_code == 1 and not (folder / "out").exists()
    found = {(one["cell"], one["code"]) for one in last_object(said)["findings"]}  # type: ignore[attr-defined]
    assert set(wrong) <= found
    text = brought(folder, sheet).stdout
    assert f"{wrong[6][0]}: 错误 dangling: 职能“城管局”不存在" in text
    english = brought(folder, sheet, "--lang", "en").stdout
    assert f"{wrong[6][0]}: error dangling: there is no function '城管局'" in english


def test_the_columns_come_from_the_model(folder: Path) -> None:
    """Every one has a label in both languages, and the second row of the sheet names it."""
    sheet = exported(folder)
    assert sheet[1] == list(FIELDS) and set(FIELDS) == {"part", *SHOWN}
    assert all(sheet[0]) and len(set(sheet[0])) == len(sheet[0])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda sheet: sheet[1].__setitem__(3, "title"), "sheet_column"),
        (lambda sheet: [row.pop(5) for row in sheet], "sheet_missing"),
        (lambda sheet: [row.append("x") for row in sheet], "sheet_column"),
        (lambda sheet: [row.append("" if i < 2 else "x") for i, row in enumerate(sheet)], "cell_headless"),
        (lambda sheet: sheet.__delitem__(slice(0, 2)), "sheet_header"),
        (lambda sheet: sheet.append(sheet[4]), "cell_twice"),
        (lambda sheet: sheet[4].__setitem__(1, "除非"), "cell_of_rule"),
    ],
)
def test_a_sheet_of_another_shape(folder: Path, change: Callable[[Any], object], code: str) -> None:
    sheet = exported(folder)
    change(sheet)
    said = brought(folder, sheet, "--json")
    assert said.exit_code == 1
    assert code in {one["code"] for one in last_object(said)["findings"]}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("encoding", "delimiter", "end"),
    [("utf-8", ",", "\n"), ("utf-8-sig", ";", "\r\n"), ("gb18030", ",", "\r\n"), ("utf-16", "\t", "\r\n")],
)
def test_csv_as_programs_write_it(folder: Path, encoding: str, delimiter: str, end: str) -> None:
    """Columns in another order, blank rows, any of these encodings, separators and ends of lines: nothing differs."""
    sheet = [row[::-1] for row in exported(folder)]
    sheet.insert(4, [""] * len(FIELDS))
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(sheet)
    (folder / "r.csv").write_bytes(out.getvalue().encode(encoding))
    said = call("import", folder / "r.csv", "--json")
    assert said.exit_code == 0 and last_object(said)["differences"] == []


def test_nothing_in_csv_is_taken_for_a_formula(folder: Path) -> None:
    write(folder / "catalog", edited("rules/10.yaml", "name: 一件事", "name: '=HYPERLINK(1)'"))
    sheet = exported(folder)
    assert sheet[2][FIELDS.index("name")] == "'=HYPERLINK(1)"
    assert not [cell for row in sheet for cell in row if cell[:1] in ("=", "+", "-", "@")]
    assert "没有差异" in brought(folder, sheet).stdout


@pytest.mark.parametrize(
    "text",
    [
        "0731",
        "1e5",
        "1-2",
        "3/4",
        "TRUE",
        "１２",
        "12%",
        "¥5",
        "(3)",
        "8:30 PM",
        "3月5日",
        "Mar-5",
        "2026-01-05T10:00",
        ".5",
    ],
)
def test_nothing_in_csv_is_taken_for_a_number(folder: Path, text: str) -> None:
    """Or a date or a truth, which a spreadsheet program would put in its place: a `'` says that it is text."""
    write(folder / "catalog", edited("rules/10.yaml", "name: 一件事", f"name: '{text}'"))
    sheet = exported(folder)
    assert sheet[2][FIELDS.index("name")] == f"'{text}"
    assert "没有差异" in brought(folder, sheet).stdout


PLACES = {
    "number": (lambda book, sheet: sheet.write_number(2, column("number"), 10.0), None),
    "fraction": (lambda book, sheet: sheet.write_number(2, column("number"), 10.5), "cell_number"),
    "code": (lambda book, sheet: sheet.write_number(4, column("place_under"), 370100), None),
    "word": (lambda book, sheet: sheet.write_number(4, column("words_none"), 731), "cell_digits"),
    "tag": (lambda book, sheet: sheet.write_number(4, column("tags"), 731), "cell_digits"),
    "id": (lambda book, sheet: sheet.write_number(4, column("id"), 7), "cell_digits"),
    "name": (lambda book, sheet: sheet.write_number(4, column("name"), 110), "cell_digits"),
    "digits": (lambda book, sheet: sheet.write_number(4, column("tags"), 10**16), "cell_digits"),
    "truth": (lambda book, sheet: sheet.write_boolean(7, column("then.triage"), True), None),
    "date": (
        lambda book, sheet: sheet.write_datetime(
            4, column("tags"), datetime(2026, 3, 1), book.add_format({"num_format": "m-d"})  # noqa: DTZ001
        ),
        "cell_date",
    ),
    "formula": (lambda book, sheet: sheet.write_formula(4, column("name"), "=1+1", None, "甲市联合"), "cell_formula"),
    "merged": (lambda book, sheet: sheet.merge_range(4, 5, 5, 5, "C1"), "cell_merged"),
    "hidden": (lambda book, sheet: sheet.set_row(4, None, None, {"hidden": True}), "row_hidden"),
    "far": (lambda book, sheet: sheet.write_string(40, 16_383, "x"), "sheet_size"),
}  # fmt: skip


@pytest.mark.parametrize("what", PLACES)
def test_what_excel_makes_of_cells(folder: Path, what: str) -> None:
    """What means the same is taken, what is lost is a fault; formulas are refused, and nothing far out is read."""
    change, code = PLACES[what]
    said = last_object(call("import", workbook(folder, change), "--json"))
    codes = {one["code"] for one in said["findings"]}  # type: ignore[attr-defined]
    assert codes >= ({code} if code else set()) and (code or not codes)
    if code in (None, "row_hidden"):
        assert said["differences"] == []


def packed(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return out.getvalue()


DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook>&a;</workbook>'
FILES = {
    "ods": (packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}), "sheet_format"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "sheet_format"),
    "doctype": (packed({"xl/workbook.xml": DOCTYPE}), "sheet_format"),
    "liar": (
        packed({"xl/workbook.xml": bytes(9_999)}).replace((9_999).to_bytes(4, "little"), b"\1\0\0\0"),
        "sheet_format",
    ),
    "cut": (packed({"xl/workbook.xml": b"<workbook/>"})[:40], "sheet_format"),
    "neither": (b"\xff\x00\x81", "sheet_encoding"),
    "empty": (b"", "sheet_header"),
}


@pytest.mark.parametrize("what", FILES)
def test_files_that_are_no_sheet_of_ours(folder: Path, what: str) -> None:
    data, code = FILES[what]
    (folder / "r.xlsx").write_bytes(data)
    said = call("import", folder / "r.xlsx", "--json")
    assert said.exit_code == 1
    assert [one["code"] for one in last_object(said)["findings"]] == [code]  # type: ignore[attr-defined]


def test_a_bomb_is_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that says it is larger than what is read is refused by what it says; one that lies is in the test above."""
    monkeypatch.setattr("router.catalogue.sheet_reading.UNPACKED", 1 << 20)
    (folder / "r.xlsx").write_bytes(packed({"xl/workbook.xml": bytes(2 << 20)}))
    said = last_object(call("import", folder / "r.xlsx", "--json"))
    assert [one["code"] for one in said["findings"]] == ["sheet_bomb"]  # type: ignore[attr-defined]


def test_a_cell_too_long_for_a_sheet_is_not_cut_off(folder: Path) -> None:
    """Neither file is written."""
    words = ", ".join(f"词{i:063}" for i in range(600))
    write(folder / "catalog", edited("rules/90.yaml", "when: {matter_under: [M]}", f"when: {{words_any: [{words}]}}"))
    for kind in ("csv", "xlsx"):
        said = call("export", folder / f"r.{kind}")
        assert said.exit_code == 1 and "matter: words_any" in said.stderr
    assert [path.name for path in folder.iterdir()] == ["catalog"]


def test_a_sheet_of_older_rules_says_so(folder: Path) -> None:
    """A workbook remembers of what it is a copy: brought back over newer rules it would undo what came between."""
    assert call("export", folder / "r.xlsx").exit_code == 0
    write(folder / "catalog", edited("rules/90.yaml", "name: 按事项", "name: 事项"))
    said = call("import", folder / "r.xlsx")
    assert said.stdout.splitlines()[0].startswith("注意") and "名称：事项 → 按事项" in said.stdout


def test_remarks_are_kept_where_nothing_changed(folder: Path) -> None:
    """A rule that changed loses its own remarks, and is named; all other lines stay as they were."""
    text = small()["rules/90.yaml"].decode()
    remarked = text.replace("name: 按分类", "name: 按分类  # 甲").replace("- id: matter", "# 乙\n- id: matter  # 丙")
    write(folder / "catalog", {"rules/90.yaml": remarked.encode()})
    sheet = exported(folder)
    put(sheet, 3, "name", "分类")
    said = brought(folder, sheet, "--out", folder / "out")
    assert "不保留：category" in said.stdout
    after = (folder / "out/rules/90.yaml").read_text("utf-8")
    assert after.endswith(remarked[remarked.index("# 乙") :]) and "# 甲" not in after
    assert from_files(read_folder(folder / "out")).rules["category"].name == "分类"


def test_two_folders_differ_cell_by_cell(folder: Path) -> None:
    """What came, went, moved and changed, in either language; 1 if there is a difference."""
    after = small()
    for old, new in (
        ("number: 20\n", "number: 25\n"), ("category_under: [C1], place_under: [370100]", "category_under: [C11, C2], place_under: [370100]"),
        ("level: city}", "level: county}"), ("  name: 一件事\n", "  name: 一件事\n  unless: [{words_any: [作废]}]\n"),
    ):  # fmt: skip
        after["rules/10.yaml"] = after["rules/10.yaml"].replace(old.encode(), new.encode())
    after["rules/90.yaml"] = after["rules/90.yaml"].replace(b"id: matter", b"id: matters")
    write(folder / "after", after)
    said = call("diff", folder / "catalog", folder / "after")
    assert said.exit_code == 1
    assert said.stdout.splitlines() == [
        "变更\tpackage 一件事 #10",
        "\t除非 新增一组：含任一词：作废",
        "移动\trefuse 不予受理 #20 → #25",
        "变更\tjoint 甲市联合 #30",
        "\t诉求分类：+ C11 道路；+ C2 险情；− C1 城建",
        "\t派单：+ 主办 roads:supervise@county 道路；− 主办 roads:supervise@city 道路",
        "删除\tmatter 按事项 #910",
        "新增\tmatters 按事项 #910",
        "\t事项：M 事项",
        "\t派单：主办 @matter 事项所写的职能",
    ]
    english = call("diff", folder / "after", folder / "catalog", "--lang", "en").stdout
    assert "\tunless a box less: any of the words: 作废" in english and "moved\trefuse 不予受理 #25 → #20" in english
    found = last_object(call("diff", folder / "catalog", folder / "after", "--json"))["differences"]
    assert [(one["id"], one["change"]) for one in found][1] == ("refuse", "moved")  # type: ignore[attr-defined]
    same = call("diff", folder / "catalog", folder / "catalog")
    assert (same.exit_code, same.stdout) == (0, "没有差异\n")
