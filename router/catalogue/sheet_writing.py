"""
Rows of rules as a file that a clerk opens: an Excel workbook, or CSV.

In a workbook ids are locked, cells offer the codes of the catalogue with their names, and all is text, so that no code
loses its zeros and no word becomes a formula; in CSV an apostrophe says the same.
"""

import csv
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from router.catalogue.sheets import COLUMNS, FIELDS, KINDS, PART

LABEL_OF_PART = ("行别", "row")
SHEETS = {"zh": ("规则", "词表"), "en": ("Rules", "Lists")}
LONGEST = 32_767
"""Characters that a cell of a workbook can hold; CSV is held to the same, so that either can become the other."""
ROWS = 1_000_000
ACTIVE = "=+-@＝＋－＠'\t\r\n"
"""What makes a spreadsheet program take a text of a CSV file for something else; `'` before it says that it is text."""
_SAID = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*+|[ap]m?|[年月日时分秒上下午]"
_NUMBERLIKE = re.compile(rf"(?=.*\d)(?:[\d\s.,:/+\-–—_%()$¥£€et]|z\b|{_SAID})++|true|false", re.IGNORECASE)
"""A text that would come back as a number, a date, a time or a truth (`0731`, `1e5`, `3/4`); rather too many than too few."""
WIDTHS = {PART: 8, **{column.field: column.width for column in COLUMNS}}
LINE, HIGHEST = 16.0, 405.0
"""Points of a line of text, and of the highest row that there can be."""
GROUPS = {"when": "DDEBF7", "then": "E2EFDA"}
STYLES: Mapping[str, Mapping[str, object]] = {
    "cell": {"locked": False}, "number": {"locked": False, "num_format": "0"}, "box": {"locked": False, "bg_color": "#FFF9E5"},
    "id": {"font_color": "#7F7F7F", "bg_color": "#F2F2F2"},
}  # fmt: skip
HELP = {
    "codes": ("每行一个代码，名称可省\none code a line"), "words": ("每行一个词\none word a line"),
    "times": ("每行一个：工作时间、周一至周五 22:00-06:00\nworking_hours, mon-fri 22:00-06:00"),
    "form": ("每行一个字段：\nentity: company; partnership\ncapital: ≥ 0.3 ≤ 1000000"),
    "bearers": ("每行一个：主办/协办/抄送 职能:角色@级别\n主办 urban-management:handle@county"),
    "yes": ("是，或留空\nyes, or nothing"),
}  # fmt: skip

Rows = Iterable[Mapping[str, str | int]]


class TooLong(Exception):
    """A cell or a sheet is longer than a spreadsheet can hold; says which."""


def labels(lang: str) -> list[str]:
    """The first row: what people call the columns, by FIELDS."""
    named = {column.field: column.label(lang) for column in COLUMNS}
    return [named.get(field, LABEL_OF_PART[lang == "en"]) for field in FIELDS]


def write_csv(path: Path, rows: Rows, lang: str) -> None:
    """UTF-8 with a mark, so that a spreadsheet program takes it for that."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([labels(lang), FIELDS])
        for row in rows:
            writer.writerow([_inert(_fitting(row, field), KINDS[field]) for field in FIELDS])


def _inert(value: str | int, kind: str) -> str | int:
    """A text as it has to stand in CSV. A day may become a date: it comes back as the same day."""
    if not value or isinstance(value, int):
        return value
    taken = kind != "day" and _NUMBERLIKE.fullmatch(unicodedata.normalize("NFKC", value))
    return f"'{value}" if taken or value[0] in ACTIVE else value


def _fitting(row: Mapping[str, str | int], field: str) -> str | int:
    value = row.get(field, "")
    if isinstance(value, str) and len(value) > LONGEST:
        raise TooLong(f"{row.get('id')}: {field}: {len(value)} > {LONGEST}")
    return value


def write_workbook(path: Path, rows: Rows, lists: Mapping[str, Sequence[str]], lang: str, base: str) -> None:
    """Row by row, so that memory does not grow. `lists`: by field what a cell offers; `base`: of what it is a copy."""
    look = {"num_format": "@", "text_wrap": True, "valign": "top"}
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_urls": False})
    styles = {name: book.add_format({**look, **more}) for name, more in STYLES.items()}
    sheet, hidden = (book.add_worksheet(name) for name in SHEETS.get(lang, SHEETS["zh"]))
    try:
        _head(book, sheet, styles, lang)
        last = _body(sheet, rows, styles)
        _listed(hidden, lists, base)
        _offer(sheet, lists, hidden.get_name(), last + 1_000)
        sheet.autofilter(1, 0, max(last, 2), len(FIELDS) - 1)
        allowed = ("insert_rows", "delete_rows", "format_cells", "format_columns", "format_rows", "sort", "autofilter")
        sheet.protect("", dict.fromkeys(allowed, True))
    finally:
        book.close()


def _height(row: Mapping[str, str | int]) -> float | None:
    """High enough for the cell that needs most lines; not every program sees to it. One line is left to the program."""
    lines = max((_lines(str(value), WIDTHS[field]) for field, value in row.items()), default=1)
    return min(LINE * lines, HIGHEST) if lines > 1 else None


def _lines(text: str, width: int) -> int:
    if len(text) * 2 < width and "\n" not in text:
        return 1
    wide = (sum(2 if ord(c) > 0x2E7F else 1 for c in line) for line in text.split("\n"))
    return sum(max(1, math.ceil(cells / (width - 1))) for cells in wide)


def _listed(hidden: Any, lists: Mapping[str, Sequence[str]], base: str) -> None:
    """What the drop-down lists offer, a column each."""
    for column, field in enumerate(lists):
        hidden.write_string(0, column, base if column == 0 else field)
    for row in range(max(map(len, lists.values()), default=0)):
        for column, values in enumerate(lists.values()):
            if row < len(values):
                hidden.write_string(row + 1, column, values[row])
    hidden.hide()


def _head(book: Any, sheet: Any, styles: Mapping[str, Any], lang: str) -> None:
    groups = {PART: "", **{column.field: column.path[0] for column in COLUMNS}}
    for i, (field, label) in enumerate(zip(FIELDS, labels(lang), strict=True)):
        sheet.set_column(i, i, WIDTHS[field], styles["number" if KINDS[field] == "number" else "cell"])
        look = {"bg_color": f"#{GROUPS.get(groups[field], 'EDEDED')}", "valign": "top", "text_wrap": True, "border": 1}
        sheet.write_string(0, i, label, book.add_format({"bold": True, **look}))
    for i, field in enumerate(FIELDS):
        sheet.write_string(1, i, field, book.add_format({"font_color": "#7F7F7F", "font_size": 8, "border": 1}))
    sheet.freeze_panes(2, 4)
    sheet.repeat_rows(0, 1)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)


def _body(sheet: Any, rows: Rows, styles: Mapping[str, Any]) -> int:
    """Writes the rows; the number of the last."""
    last = 1
    for last, row in enumerate(rows, 2):
        if last >= ROWS:
            raise TooLong(f"{last} rows")
        sheet.set_row(last, _height(row))
        for i, field in enumerate(FIELDS):
            value = _fitting(row, field)
            if isinstance(value, int):
                sheet.write_number(last, i, value, styles["number"])
            elif value:
                kind = "id" if field == "id" else "cell" if "number" in row else "box"
                sheet.write_string(last, i, value, styles[kind])
    return last


def _offer(sheet: Any, lists: Mapping[str, Sequence[str]], hidden: str, last: int) -> None:
    """Drop-down lists; where a cell may hold several values the list is only an offer."""
    where = {field: i for i, field in enumerate(lists)}
    for i, field in enumerate(FIELDS):
        rule: dict[str, Any] = {"validate": "any", "ignore_blank": True}
        values = lists.get(field)
        if values:
            letter = xl_col_to_name(where[field], True)
            rule |= {"validate": "list", "source": f"='{hidden}'!{letter}$2:{letter}${len(values) + 1}"}
            rule["error_type" if field == PART else "show_error"] = "stop" if field == PART else False
        if KINDS[field] in HELP:
            rule["input_message"] = HELP[KINDS[field]]
        if len(rule) > 2:
            sheet.data_validation(2, i, last, i, rule)
