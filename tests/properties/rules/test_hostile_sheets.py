"""Workbooks that somebody made by hand to be read otherwise than they look, or to be more than memory holds."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from router.catalogue import sheet_reading
from tests.properties.rules.test_sheet_commands import call, column, packed
from tests.unit.catalogue.small import small
from tests.unit.catalogue.test_commands import last_object, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "catalog", small())
    monkeypatch.setenv("DUOKUA_CATALOG", str(tmp_path / "catalog"))
    return tmp_path


def tampered(folder: Path, change: Callable[[dict[str, bytes]], object]) -> list[str]:
    """What is found of our own workbook when its entries were changed."""
    assert call("export", folder / "r.xlsx").exit_code == 0
    with zipfile.ZipFile(folder / "r.xlsx") as file:
        entries = {name: file.read(name) for name in file.namelist()}
    change(entries)
    (folder / "r.xlsx").write_bytes(packed(entries))
    said = last_object(call("import", folder / "r.xlsx", "--json"))
    assert not said["differences"]
    return [f"{one['cell']} {one['code']}" for one in said["findings"]]  # type: ignore[attr-defined]


def instead(entries: dict[str, bytes], entry: str, old: str, new: str) -> None:
    assert old.encode() in entries[entry]
    entries[entry] = entries[entry].replace(old.encode(), new.encode(), 1)


RULES_XML, LISTS_XML, BOOK_XML = "xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml", "xl/workbook.xml"


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="900000"><c r="BA900000"><v>1</v></c></row>',
        '<row r="1048576"><c r="A1"/></row><row><c><v>1</v></c></row>',
    ],
)
@pytest.mark.parametrize("entry", [RULES_XML, LISTS_XML])
def test_no_sheet_that_is_read_is_larger_than_memory(folder: Path, entry: str, cells: str) -> None:
    """One value far out makes a reader reserve all cells up to it; the hidden sheet is no exception."""
    found = tampered(folder, lambda entries: instead(entries, entry, "</sheetData>", f"{cells}</sheetData>"))
    assert found == ["r.xlsx sheet_size"]


@pytest.mark.parametrize(("length", "cells"), [(1_000_000, 200), (32_000, 5_000)])
def test_one_text_in_many_cells_is_no_bomb(folder: Path, length: int, cells: int) -> None:
    """A few kilobytes packed; a reader would make the text anew for each cell that names it."""

    def change(entries: dict[str, bytes]) -> None:
        entries["xl/sharedStrings.xml"] = b"<sst><si><t>" + b"a" * length + b"</t></si></sst>"
        rows = "".join('<row><c t="s"><v>0</v></c></row>' for _ in range(cells))
        instead(entries, RULES_XML, "</sheetData>", f"{rows}</sheetData>")

    assert tampered(folder, change) == ["r.xlsx sheet_text"]


def test_texts_that_cells_name_are_counted_as_often_as_they_are_named() -> None:
    """In pieces as they come; a number that there is not names nothing."""
    scanned = sheet_reading._Scanned([3, 10])
    xml = (
        '<x><row><c t="s"><v>1</v></c><c t="s"><v>1</v></c><c t="s"><v>9</v></c><c t="s"><v>-1</v></c>'
        '<c><v>12</v></c><c t="inlineStr"><is><t>abcd</t></is></c><c t="s"><v>0</v></c></row></x>'
    )
    sheet_reading._parse(io.BytesIO(xml.encode()), scanned.start, scanned.said)
    scanned.start("end", {})
    assert scanned.text == 10 + 10 + 2 + 4 + 3


@pytest.mark.parametrize("value", ["<v>#N/A</v>", "<v>#VALUE!</v>", ""])
def test_an_error_is_not_a_blank_cell(folder: Path, value: str) -> None:
    """A condition that became an error would be gone, and the rule hold for more."""
    where = f"{xlsxwriter.utility.xl_col_to_name(column('category_under'))}5"

    def change(entries: dict[str, bytes]) -> None:
        sheet = entries[RULES_XML].decode()
        old = re.search(rf'<c r="{where}".*?(?:/>|</c>)', sheet)
        assert old
        instead(entries, RULES_XML, old[0], f'<c r="{where}" t="e">{value}</c>')

    assert tampered(folder, change) == [f"{where} cell_error"]


@pytest.mark.parametrize("name", ["规则", "Lists", "LISTS"])
def test_two_sheets_of_one_name_are_refused(folder: Path, name: str) -> None:
    """Which of them people see nobody can say. Letters large or small are the same to a spreadsheet program."""

    def change(entries: dict[str, bytes]) -> None:
        instead(entries, BOOK_XML, "词表", "lists")
        instead(entries, BOOK_XML, "</sheets>", f'<sheet name="{name}" sheetId="9" r:id="rId2"/></sheets>')

    assert tampered(folder, change) == ["r.xlsx sheet_twice"]


def test_another_workbook_in_the_same_file_is_not_read(folder: Path) -> None:
    """What was looked at is read, whatever the file says elsewhere of where its workbook or sheet is."""

    def change(entries: dict[str, bytes]) -> None:
        root = "_rels/.rels"
        entries["evil/workbook.xml"] = entries[BOOK_XML]
        entries["evil/_rels/workbook.xml.rels"] = entries["xl/_rels/workbook.xml.rels"]
        entries["evil/worksheets/sheet1.xml"] = entries[RULES_XML].replace("甲市联合".encode(), "偷换".encode())
        instead(entries, root, "xl/workbook.xml", "evil/workbook.xml")

    assert tampered(folder, change) == []


@pytest.mark.parametrize("spelt", ["XL/worksheets/Sheet1.xml", "xl\\worksheets\\sheet1.xml"])
def test_one_entry_twice_is_refused(folder: Path, spelt: str) -> None:
    found = tampered(folder, lambda entries: entries.update({spelt: entries[RULES_XML]}))
    assert found == ["r.xlsx sheet_format"]
