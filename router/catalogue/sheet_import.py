"""
A sheet of rules taken into a catalogue: every fault by its cell, every difference by its cell, and the files it comes to.

The sheet is checked as a rule file would be, by the same checks, against the rest of the catalogue, of which nothing
but the rules ever changes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import Struct

from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty, Finding, Findings
from router.catalogue.load import from_files, from_tables
from router.catalogue.reading import Document, items
from router.catalogue.rule_difference import CellChange, RuleChange, Side, compare_rules
from router.catalogue.rule_files import rewritten
from router.catalogue.rules import ABSENCES
from router.catalogue.sheet_reading import read_sheet
from router.catalogue.sheet_writing import write_csv, write_workbook
from router.catalogue.sheets import BOXES, COLUMNS, GONE, PART, RULE, address, document_of, rows_of, vocabularies
from router.catalogue.tables import Files, Table, read_tables
from router.rules.cells import Vocabularies
from router.rules.model import STATES, Rule


class Difference(Struct, frozen=True, kw_only=True):
    """A cell of the sheet that differs from the rules it was laid over; without a cell what the sheet lacks."""

    cell: str
    rule: str
    change: RuleChange
    detail: CellChange | None = None


@dataclass(frozen=True)
class Taken:
    """
    What a sheet comes to. `catalogue` is None where there are errors; `findings` of the sheet carry a cell for a line.

    lost: rules of which remarks in the rule files are lost. base: what the sheet says it is a copy of, "" for CSV; stale:
    it is a copy of other rules than those it was laid over, so that what was changed meanwhile would be taken back.
    """

    catalogue: Catalogue | None
    findings: tuple[Finding, ...]
    differences: tuple[Difference, ...] = ()
    lost: tuple[str, ...] = ()
    base: str = ""
    stale: bool = False


def export(catalogue: Catalogue, path: Path, lang: str) -> int:
    """Write the rules as a workbook, or as CSV where the name says so; how many. Raises TooLong, and then writes nothing."""
    names = vocabularies(catalogue, lang)
    rules = sorted(catalogue.rules.values(), key=lambda rule: (rule.number, rule.id))
    rows = (row for rule in rules for row in rows_of(rule, names))
    part = path.with_name(f".part-{path.name}")
    try:
        if path.suffix.lower() == ".csv":
            write_csv(part, rows, lang)
        else:
            write_workbook(part, rows, choices(catalogue, names), lang, base_of(catalogue.rules))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return len(rules)


def base_of(rules: Mapping[str, Rule]) -> str:
    """By what a workbook is known as a copy of these rules."""
    return hashlib.sha256(msgspec.json.encode([rules[key] for key in sorted(rules)])).hexdigest()


def choices(catalogue: Catalogue, names: Vocabularies) -> dict[str, list[str]]:
    """What the cells of each column offer."""
    held = dict.fromkeys(
        (held.function, held.role) for unit in catalogue.units.values() for held in unit.functions if not held.matter
    )
    functions = names["function"]
    lead, copied = names["part"].names["lead"], catalogue.functions
    found = {PART: [RULE, *BOXES.values(), GONE]}
    for column in COLUMNS:
        if column.kind in ("code", "codes"):
            codes = names[column.vocabulary].names
            states = ABSENCES.get(column.field, ())
            found[column.field] = [
                names[column.vocabulary].shown(code) for code in codes if code not in STATES or code in states
            ]
        elif column.kind == "bearers":
            found[column.field] = [f"{lead} {functions.shown(row)}" for row in functions.names if row not in copied]
            found[column.field] += [
                f"{lead} {function}:{role} {functions.names.get(function, '')}" for function, role in sorted(held)
            ]
        elif column.kind == "times":
            found[column.field] = [names[column.vocabulary].shown(code) for code in names[column.vocabulary].names]
        elif column.kind == "yes":
            found[column.field] = ["是"]
    return found


def take(files: Files, name: str, data: bytes, lang: str) -> Taken:
    """The sheet laid over the catalogue in `files`. Raises CatalogueFaulty where that has errors of its own."""
    before = from_files(files)
    names = vocabularies(before, lang)
    findings = Findings()
    sheet, base = read_sheet(name, data, findings)
    if sheet is None:
        return Taken(None, findings.all())
    document = document_of(sheet, names, findings)
    rules: Table[Rule] = Table()
    for spot, rule in items(document, Rule, findings):
        rules.add(rule.id, spot, rule, findings)
    changed, lost = rewritten(files, before.rules, rules.rows)
    differences = _addressed(document, compare_rules(Side(before.rules, names, lang), Side(rules.rows, names, lang)))
    stale = bool(base) and base != base_of(before.rules)
    try:
        after = from_tables(changed, replace(read_tables(files, findings), rules=rules), findings)
    except CatalogueFaulty as faulty:
        return Taken(None, _ours(faulty.findings, name), differences, (), base, stale)
    return Taken(after, _ours(after.findings, name), differences, lost, base, stale)


def _ours(findings: Sequence[Finding], name: str) -> tuple[Finding, ...]:
    """What is said of the sheet, and errors wherever they are."""
    return tuple(found for found in findings if found.file == name or found.level == "error")


def _addressed(document: Document, changes: Sequence[RuleChange]) -> tuple[Difference, ...]:
    rows: Mapping[str, int] = {rule["id"]: i for i, rule in enumerate(document.value)}
    paths = {column.field: column.path for column in COLUMNS}
    found = []
    for change in changes:
        index = rows.get(change.id)
        if index is None or change.change == "added":
            cell_of_rule = "" if index is None else address(document.at(index))
            found.append(Difference(cell=cell_of_rule, rule=change.id, change=change))
            continue
        for cell in change.cells:
            box = (cell.part, cell.box - 1) if cell.part and cell.box else (cell.part,) if cell.part else ()
            inner = box + ((cell.field,) if cell.part and cell.field else paths.get(cell.field, ()))
            found.append(
                Difference(cell=address(document.at(index, *inner)), rule=change.id, change=change, detail=cell)
            )
    return tuple(found)
