"""
Rows out of a workbook or a CSV file that came back from its editor.

The file is hostile until shown otherwise: sizes are looked at before anything is unpacked, formulas are refused and
never evaluated, and what a spreadsheet program has made of a text (a date, a number of 16 digits) is a fault.
"""

import csv
import io
import zipfile
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from xml.parsers import expat

import python_calamine

from router.catalogue.findings import At, Findings
from router.catalogue.sheet_writing import ROWS, SHEETS
from router.catalogue.sheets import FIELDS, KINDS, Sheet
from router.rules.cells import DIGITS

FILE, UNPACKED, ENTRIES = 64 << 20, 512 << 20, 2_000
"""Bytes of a file, of all that is packed into it, and how many entries."""
WIDE = 64
"""Columns that a sheet may have, ours and some of its editor's."""


class Grid(NamedTuple):
    """The cells of a sheet as they came, rows from 1; `base`: what the sheet says it is a copy of."""

    rows: list[tuple[int, list[Any]]]
    base: str = ""


def read_sheet(file: str, data: bytes, findings: Findings) -> tuple[Sheet | None, str]:
    """The sheet in a workbook or a CSV file, and of what it says it is a copy. None where it cannot be read at all."""
    whole = At(file)
    if len(data) > FILE:
        findings.add("file_too_big", whole, limit=FILE)
        return None, ""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        findings.add("sheet_format", whole)
        return None, ""
    grid = _workbook(file, data, findings) if data.startswith(b"PK") else _csv(file, data, findings)
    return (_sheet(file, grid.rows, findings), grid.base) if grid else (None, "")


def _sheet(file: str, rows: list[tuple[int, list[Any]]], findings: Findings) -> Sheet | None:
    header = _header(rows)
    if header is None:
        findings.add("sheet_header", At(file, 1, 1))
        return None
    columns: dict[str, int] = {}
    top, names = rows[header]
    faults = len(findings.all())
    for i, name in enumerate(map(_name, names), 1):
        if name and (name not in FIELDS or name in columns):
            findings.add("sheet_column", At(file, top, i), name=name)
        elif name:
            columns[name] = i
    missing = [field for field in FIELDS if field not in columns]
    if missing:
        findings.add("sheet_missing", At(file, top, 1), names=", ".join(missing))
    if len(findings.all()) > faults:
        return None
    fields = {i: field for field, i in columns.items()}
    below = ((row, _texts(file, row, cells, fields, findings)) for row, cells in rows[header + 1 :])
    return Sheet(file, columns, [(row, said) for row, said in below if said])


def _header(rows: list[tuple[int, list[Any]]]) -> int | None:
    """Which of the first rows names the fields; English labels name some of them too."""
    named = [set(map(_name, cells)).intersection(FIELDS) for _, cells in rows[:5]]
    best = max(range(len(named)), key=lambda i: len(named[i]), default=None)
    return best if best is not None and {"id", "number"} <= named[best] else None


def _name(cell: Any) -> str:
    return str(cell).strip()


def _texts(file: str, row: int, cells: list[Any], fields: Mapping[int, str], findings: Findings) -> dict[str, str]:
    said = {}
    for i, cell in enumerate(cells, 1):
        field = fields.get(i, "")
        text = _text(cell, KINDS.get(field, ""), At(file, row, i), findings)
        if text.strip() and not field:
            findings.add("cell_headless", At(file, row, i))
        elif text.strip():
            said[field] = text
    return said


def _text(cell: Any, kind: str, where: At, findings: Findings) -> str:
    """A cell as the text that was meant; where the program has lost it, a fault."""
    match cell:
        case str():
            return cell.replace("\r\n", "\n")
        case bool() if kind == "yes":
            return str(cell).lower()
        case int() | float() if not isinstance(cell, bool) and abs(cell) < DIGITS:
            return str(int(cell)) if cell == int(cell) else format(Decimal(repr(cell)), "f")
        case datetime() if kind == "day" and cell.time() == time():
            return cell.date().isoformat()
        case date() if kind == "day" and not isinstance(cell, datetime):
            return cell.isoformat()
        case date() | time() | timedelta():
            findings.add("cell_date", where, value=cell)
        case _:
            findings.add("cell_digits", where, value=cell)
    return ""


# -- Excel --------------------------------------------------------------------------------------------------


class _Scanned:
    """What calamine does not tell of a sheet: formulas, hidden rows, merged cells, and how far the cells go."""

    def __init__(self) -> None:
        self.formulas: list[tuple[int, int]] = []
        self.hidden: list[int] = []
        self.merged: list[str] = []
        self.rows = self.columns = 0
        self._row = self._column = 0

    def start(self, tag: str, said: Mapping[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "row":
                self._row, self._column = int(said.get("r", self._row + 1)), 0
                if said.get("hidden") in ("1", "true"):
                    self.hidden.append(self._row)
            case "c":
                row, self._column = _place(said["r"]) if "r" in said else (self._row, self._column + 1)
                self._row = row
            case "v" | "is" | "f" as inner:
                self.rows, self.columns = max(self.rows, self._row), max(self.columns, self._column)
                if inner == "f":
                    self.formulas.append((self._row, self._column))
            case "mergeCell":
                self.merged.append(said.get("ref", ""))


def _place(reference: str) -> tuple[int, int]:
    """`D17` as row and column."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return int(reference[len(letters) :]), column


def _parse(xml: Any, start: Any) -> None:
    """Read XML piece by piece. A document type (entities that grow, files that are read) is refused: ValueError."""

    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = refuse, start
    parser.ParseFile(xml)


def _workbook(file: str, data: bytes, findings: Findings) -> Grid | None:
    whole = At(file)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            entries = packed.infolist()
            if len(entries) > ENTRIES or sum(entry.file_size for entry in entries) > UNPACKED:
                findings.add("sheet_bomb", whole, limit=UNPACKED)
                return None
            if packed.testzip() is not None:  # every entry is as large as it says: what reads it next can rely on that
                raise zipfile.BadZipFile(file)
            where = _sheets(packed)
            name = next((name for name in where if name in (SHEETS["zh"][0], SHEETS["en"][0])), "")
            if not name:
                findings.add("sheet_wrong", whole, names="、".join(where) or "-")
                return None
            scanned = _Scanned()
            with packed.open(where[name]) as xml:
                _parse(xml, scanned.start)
        if not _sound(file, scanned, findings):
            return None
        return _cells(data, name, where)
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError, OSError):
        findings.add("sheet_format", whole)
    except (expat.ExpatError, python_calamine.CalamineError):
        findings.add("sheet_broken", whole)
    return None


def _sheets(packed: zipfile.ZipFile) -> dict[str, str]:
    """Name of each sheet → its entry."""
    names: dict[str, str] = {}
    targets: dict[str, str] = {}

    def sheet(tag: str, said: Mapping[str, str]) -> None:
        if tag.rpartition(":")[2] == "sheet":
            names[said["name"]] = next(value for key, value in said.items() if key.endswith(":id"))

    def target(tag: str, said: Mapping[str, str]) -> None:
        if tag.rpartition(":")[2] == "Relationship":
            targets[said["Id"]] = said["Target"]

    for entry, start in (("xl/workbook.xml", sheet), ("xl/_rels/workbook.xml.rels", target)):
        with packed.open(entry) as xml:
            _parse(xml, start)
    found = {name: targets[key] for name, key in names.items()}
    return {name: path.lstrip("/") if path.startswith("/") else f"xl/{path}" for name, path in found.items()}


def _sound(file: str, scanned: _Scanned, findings: Findings) -> bool:
    if scanned.rows > ROWS or scanned.columns > WIDE:
        findings.add("sheet_size", At(file), rows=ROWS, columns=WIDE)
        return False
    for row, column in scanned.formulas:
        findings.add("cell_formula", At(file, row, column))
    for reference in scanned.merged:
        findings.add("cell_merged", At(file, *_place(reference.partition(":")[0])), cells=reference)
    for row in scanned.hidden:
        findings.add("row_hidden", At(file, row, 1), row=row)
    return not (scanned.formulas or scanned.merged)


def _cells(data: bytes, name: str, where: Mapping[str, str]) -> Grid:
    book = python_calamine.load_workbook(io.BytesIO(data))
    lists = next((other for other in where if other in (SHEETS["zh"][1], SHEETS["en"][1])), "")
    base = book.get_sheet_by_name(lists).to_python(skip_empty_area=False, nrows=1) if lists else []
    cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    return Grid(list(enumerate(cells, 1)), _name(base[0][0]) if base and base[0] else "")


# -- CSV ----------------------------------------------------------------------------------------------------


def _csv(file: str, data: bytes, findings: Findings) -> Grid | None:
    text = _decoded(data)
    if text is None:
        findings.add("sheet_encoding", At(file))
        return None
    for separator in ",;\t":
        head = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            rows: list[tuple[int, list[Any]]] = [(i, cells) for i, cells in zip(range(1, 6), head, strict=False)]
        except csv.Error:
            continue
        if _header(rows) is not None:
            break
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = []
    try:
        for i, cells in enumerate(reader, 1):
            rows.append((i, [cell.removeprefix("'") for cell in cells]))
    except csv.Error as error:
        findings.add("csv_broken", At(file, len(rows) + 1, 1), problem=error)
        return None
    return Grid(rows)


def _decoded(data: bytes) -> str | None:
    """UTF-8, what Excel calls Unicode text, or what a Chinese Windows writes."""
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None
