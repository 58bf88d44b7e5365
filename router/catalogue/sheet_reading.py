"""
Rows out of a workbook or a CSV file that came back from its editor.

The file is hostile until shown otherwise: sizes are looked at before anything is unpacked, formulas are refused and
never evaluated, and what a spreadsheet program has made of a text (a date, a number, an error) is a fault. Of a
workbook a bare copy is made, of the sheets that are wanted and nothing else: what was looked at is what is read.
"""

import csv
import io
import shutil
import zipfile
import zlib
from array import array
from collections.abc import Mapping, Sequence
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
CELLS = 1 << 24
"""Cells that a sheet may span: who reads it makes room for the blank ones too."""
TEXT = 1 << 27
"""Characters of all cells together: a text that many cells name is made anew for each of them."""
SHARED = "xl/sharedStrings.xml"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


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
        case int() | float() if not isinstance(cell, bool) and abs(cell) < DIGITS and kind not in ("text", "words"):
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
    """
    What calamine does not tell of a sheet: formulas, errors, hidden rows, merged cells, how far the cells go and how much
    they say. shared: the lengths of the texts that cells name by their number.
    """

    def __init__(self, shared: Sequence[int]) -> None:
        self.text = 0
        self._shared, self._named = shared, False
        self._number = ""
        self.formulas: list[tuple[int, int]] = []
        self.errors: list[tuple[int, int]] = []
        self.hidden: list[int] = []
        self.merged: list[str] = []
        self.rows = self.columns = 0
        self._row = self._column = 0
        self._is_shared = False
        self._at = (0, 0)

    def said(self, text: str) -> None:
        """Characters between tags: of a cell, or the number of a shared text, which may come in pieces."""
        if self._named:
            self._number += text
        else:
            self.text += len(text)

    def _name(self, *, next_is: bool) -> None:
        """A number is whole when the next tag begins."""
        if self._number.isdecimal() and int(self._number) < len(self._shared):
            self.text += self._shared[int(self._number)]
        self._number, self._named = "", next_is

    def start(self, tag: str, said: Mapping[str, str]) -> None:
        if self._named:
            self._name(next_is=False)
        match tag.rpartition(":")[2]:
            case "row":
                self._row, self._column = int(said.get("r", self._row + 1)), 0
                if said.get("hidden") in ("1", "true"):
                    self.hidden.append(self._row)
            case "c":
                # a cell may name another row than it stands in: the next without a name is in the row again
                self._at = _place(said["r"]) if "r" in said else (self._row, self._column + 1)
                self._column = self._at[1]
                self._is_shared = said.get("t") == "s"
                if said.get("t") == "e":
                    self.errors.append(self._at)
            case "v" | "is" | "f" as inner:
                self._named = inner == "v" and self._is_shared
                self.rows, self.columns = max(self.rows, self._at[0]), max(self.columns, self._at[1])
                if inner == "f":
                    self.formulas.append(self._at)
            case "mergeCell":
                self.merged.append(said.get("ref", ""))


def _place(reference: str) -> tuple[int, int]:
    """`D17` as row and column."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return int(reference[len(letters) :]), column


def _lengths(packed: zipfile.ZipFile) -> Sequence[int]:
    """How long each shared text is; one more than CELLS of them are looked at."""
    found = array("L")

    def start(tag: str, _: object) -> None:
        if tag.rpartition(":")[2] == "si" and len(found) <= CELLS:
            found.append(0)

    def said(text: str) -> None:
        if found:
            found[-1] += len(text)

    if SHARED in packed.namelist():
        with packed.open(SHARED) as xml:
            _parse(xml, start, said)
    return found


def _parse(xml: Any, start: Any, said: Any = None) -> None:
    """Read XML piece by piece. A document type (entities that grow, files that are read) is refused: ValueError.

    As UTF-8, whatever it says: calamine reads it so.
    """

    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate("UTF-8")
    parser.StartDoctypeDeclHandler, parser.StartElementHandler, parser.CharacterDataHandler = refuse, start, said
    parser.ParseFile(xml)


def _workbook(file: str, data: bytes, findings: Findings) -> Grid | None:
    whole = At(file)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            entries = packed.infolist()
            if len(entries) > ENTRIES or sum(entry.file_size for entry in entries) > UNPACKED:
                findings.add("sheet_bomb", whole, limit=UNPACKED)
                return None
            book = _book(packed)
            names = [name for name, _ in book.sheets]
            if len({name.casefold() for name in names}) < len(names):
                findings.add("sheet_twice", whole, names="、".join(names))
                return None
            called = zip(*SHEETS.values(), strict=True)
            wanted = [[sheet for sheet in book.sheets if sheet[0] in (zh, en)][:1] for zh, en in called]
            if not wanted[0]:
                findings.add("sheet_wrong", whole, names="、".join(names) or "-")
                return None
            bare = _bare(book, [entry for found in wanted for _, entry in found], packed)
        return _cells(bare, len(wanted[1]) > 0, file, findings)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError, OSError):
        findings.add("sheet_format", whole)
    except (expat.ExpatError, python_calamine.CalamineError):
        findings.add("sheet_broken", whole)
    return None


class _Book(NamedTuple):
    """The sheets of a workbook, each with its entry; `entries`: the entries as they are spelt, by their small letters."""

    sheets: list[tuple[str, str]]
    entries: Mapping[str, str]
    since_1904: bool


def _book(packed: zipfile.ZipFile) -> _Book:
    names: list[tuple[str, str]] = []
    targets: dict[str, str] = {}
    dates: list[str] = []
    entries = {_spelt(name): name for name in packed.namelist()}
    if len(entries) < len(packed.namelist()):
        raise zipfile.BadZipFile("an entry twice")

    def sheet(tag: str, said: Mapping[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "sheet":
                names.append((said["name"], next(value for key, value in said.items() if key.endswith(":id"))))
            case "workbookPr":
                dates.append(said.get("date1904", ""))

    def target(tag: str, said: Mapping[str, str]) -> None:
        if tag.rpartition(":")[2] == "Relationship":
            targets[said["Id"]] = said["Target"]

    for entry, start in (("xl/workbook.xml", sheet), ("xl/_rels/workbook.xml.rels", target)):
        with packed.open(entry) as xml:
            _parse(xml, start)
    paths = [(name, targets[key]) for name, key in names]
    where = [(name, path.lstrip("/") if path.startswith("/") else f"xl/{path}") for name, path in paths]
    return _Book(where, entries, any(said in ("1", "true") for said in dates))


def _spelt(entry: str) -> str:
    """Entries that differ in no more than this are one entry to some programs."""
    return entry.replace("\\", "/").lower()


def _bare(book: _Book, sheets: list[str], packed: zipfile.ZipFile) -> io.BytesIO:
    """A workbook of these sheets, called 0, 1, …, and what their cells refer to. Raises where an entry is not as it says."""
    bare = io.BytesIO()
    numbers = range(len(sheets))
    with zipfile.ZipFile(bare, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as into:
        into.writestr("_rels/.rels", _links([("officeDocument", "xl/workbook.xml")]))
        into.writestr("xl/_rels/workbook.xml.rels", _links([("worksheet", f"worksheets/{i}.xml") for i in numbers]))
        listed = "".join(f'<sheet name="{i}" sheetId="{i + 1}" r:id="{i}"/>' for i in numbers)
        dates = f'<workbookPr date1904="{int(book.since_1904)}"/>'
        into.writestr("xl/workbook.xml", f'<workbook xmlns:r="{LINKS}">{dates}<sheets>{listed}</sheets></workbook>')
        copied = {f"xl/worksheets/{i}.xml": book.entries[_spelt(sheet)] for i, sheet in enumerate(sheets)}
        for name in ("xl/styles.xml", SHARED):
            if _spelt(name) in book.entries:
                copied[name] = book.entries[_spelt(name)]
        for name, entry in copied.items():
            with packed.open(entry) as old, into.open(name, "w") as new:
                shutil.copyfileobj(old, new)
    return bare


def _links(targets: list[tuple[str, str]]) -> str:
    found = (
        f'<Relationship Id="{i}" Type="{LINKS}/{kind}" Target="{path}"/>' for i, (kind, path) in enumerate(targets)
    )
    return f"<Relationships>{''.join(found)}</Relationships>"


def _fits(scanned: _Scanned) -> bool:
    return scanned.rows <= ROWS and scanned.columns <= WIDE and scanned.rows * scanned.columns <= CELLS


def _sound(file: str, scanned: _Scanned, findings: Findings) -> bool:
    for row, column in scanned.formulas:
        findings.add("cell_formula", At(file, row, column))
    for row, column in scanned.errors:
        findings.add("cell_error", At(file, row, column))
    for reference in scanned.merged:
        findings.add("cell_merged", At(file, *_place(reference.partition(":")[0])), cells=reference)
    for row in scanned.hidden:
        findings.add("row_hidden", At(file, row, 1), row=row)
    return not (scanned.formulas or scanned.errors or scanned.merged)


def _cells(bare: io.BytesIO, listed: bool, file: str, findings: Findings) -> Grid | None:
    """The cells of the first sheet, once it and the lists, if there are any, were looked at."""
    scans = []
    with zipfile.ZipFile(bare) as packed:
        shared = _lengths(packed)
        for i in range(1 + listed):
            scans.append(_Scanned(shared))
            with packed.open(f"xl/worksheets/{i}.xml") as xml:
                _parse(xml, scans[i].start, scans[i].said)
    if not all(map(_fits, scans)):
        findings.add("sheet_size", At(file), rows=min(ROWS, CELLS // WIDE), columns=WIDE)
        return None
    if len(shared) > CELLS or sum(scanned.text for scanned in scans) > TEXT:
        findings.add("sheet_text", At(file), limit=TEXT)
        return None
    if not _sound(file, scans[0], findings):
        return None
    bare.seek(0)
    book = python_calamine.load_workbook(bare)
    base = book.get_sheet_by_name("1").to_python(skip_empty_area=False, nrows=1) if listed else []
    cells = book.get_sheet_by_name("0").to_python(skip_empty_area=False)
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
