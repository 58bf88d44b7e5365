"""Any rules, written as a sheet and read back, are the same rules: all columns of the model, both kinds of file."""

import tempfile
import typing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from router.catalogue import reading
from router.catalogue.findings import Findings
from router.catalogue.rows import ROLES
from router.catalogue.rule_difference import Side, compare_rules
from router.catalogue.rule_files import rewritten
from router.catalogue.sheet_import import choices
from router.catalogue.sheet_reading import read_sheet
from router.catalogue.sheet_writing import write_csv, write_workbook
from router.catalogue.sheets import document_of, rows_of, vocabularies
from router.catalogue.tables import read_tables
from router.rules.model import DAYS, STATES, Bearer, Box, Range, Rule, Window
from tests.unit.catalogue.small import small, unchanged

SMALL = unchanged()
NAMES = {lang: vocabularies(SMALL, lang) for lang in ("zh", "en")}
CODES = sorted({code for vocabulary in NAMES["zh"].values() for code in vocabulary.names})
CALLED = sorted({name for vocabulary in NAMES["zh"].values() for name in vocabulary.codes})
ODD = (
    "=1+1", "+86", "-1", "@SUM(A1)", "'x", '"q"', '"q" x', '"', "a;b", "a；b", "a、b,c", " x ", "0371", "1e3", "2026-01-05", "TRUE", "_x0041_", "\x01", "a\nb",
    "\r\n", "≥ 3", "主办", "(missing) x", "（未填）", "a:b", "x@y", "＝1", "\u2028", "\ufeff", "\xa0", "周一", "22:00-06:00", "#", "~", "null", "a: b", "\U0001f600",
)  # fmt: skip


def one_of(values: typing.Sequence[str]) -> st.SearchStrategy[str]:
    return st.integers(0, len(values) - 1).map(lambda i: values[i])


TEXTS = one_of(ODD) | one_of(CALLED) | st.text(st.characters(codec="utf-8"), max_size=8)
LISTED = TEXTS | one_of(CODES)
CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=2) | st.sampled_from(
    [Decimal(0), Decimal("0.10"), Decimal("-12.50"), Decimal(10) ** 39]
)
RANGES = st.tuples(NUMBERS, NUMBERS, st.integers(0, 2)).map(
    lambda row: Range(at_least=row[0] if row[2] else None, at_most=row[1] if row[2] < 2 else None)
)
OURS = {
    Window: st.builds(Window, days=st.lists(st.sampled_from(DAYS), max_size=5).map(tuple), since=CLOCK, until=CLOCK),
    Range: RANGES,
}


def of(kind: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Values of a type of the model; a type that is new to it is an error here, until it is thought of."""
    if kind in OURS:
        return OURS[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return struct(kind)
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return st.just(()) | st.lists(of(inside[0]), min_size=1, max_size=2).map(tuple)
    if origin is dict:
        some = st.lists(of(str), min_size=1, max_size=3).map(tuple) | RANGES
        return st.just({}) | st.dictionaries(TEXTS, some, max_size=2)
    if origin is typing.Literal:
        return st.sampled_from(inside)
    if inside:
        return st.one_of(*map(of, inside))
    return {str: LISTED, bool: st.booleans(), int: st.integers(-(10**18), 10**18), type(None): st.none()}[kind]


@st.composite
def struct(draw: st.DrawFn, kind: typing.Any) -> typing.Any:
    return kind(**{field.name: draw(field_of(kind, field)) for field in msgspec.structs.fields(kind)})


def field_of(kind: type, field: typing.Any) -> st.SearchStrategy[typing.Any]:
    """As the type says, but a role is one that there is; of a box often nothing."""
    if (kind, field.name) == (Bearer, "role"):
        return st.sampled_from(["", *ROLES])
    values = of(field.type)
    return st.just(()) | values if kind is Box and field.name != "form" else values


RULES = st.lists(of(Rule), max_size=2, unique_by=lambda rule: rule.id).map(lambda rules: {r.id: r for r in rules})
MANY = settings(
    suppress_health_check=list(HealthCheck),
    deadline=None,
    max_examples=12,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
"""A set of rules is large: what fails is shown as it was found, not made smaller for minutes."""


def through(rules: dict[str, Rule], kind: str, lang: str) -> tuple[dict[str, Rule], list[str]]:
    """The rules that come back, and what was found wrong."""
    rows = [row for rule in rules.values() for row in rows_of(rule, NAMES[lang])]
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rules.{kind}"
        if kind == "csv":
            write_csv(path, rows, lang)
        else:
            write_workbook(path, rows, choices(SMALL, NAMES[lang]), lang, "")
        sheet, _ = read_sheet(path.name, path.read_bytes(), findings)
    assert sheet is not None
    document = document_of(sheet, NAMES["zh" if lang == "en" else "en"], findings)
    back = {rule.id: rule for _, rule in reading.items(document, Rule, findings)}
    return back, [finding.code for finding in findings.all()]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@MANY
@given(RULES, st.sampled_from(["zh", "en"]))
def test_what_is_written_is_read(kind: str, rules: dict[str, Rule], lang: str) -> None:
    """Without a fault, whatever the language of the sheet and of who reads it."""
    assert through(rules, kind, lang) == (rules, [])


@MANY
@given(RULES, RULES)
def test_rule_files_hold_the_rules_they_were_given(before: dict[str, Rule], after: dict[str, Rule]) -> None:
    """From nothing, then over other rules, of which some stay: what the files say is what was put in."""
    files, _ = rewritten(small() | {"rules/10.yaml": b"", "rules/90.yaml": b"# remarks\n"}, {}, before)
    both = dict(list(before.items())[:1]) | after
    again, _ = rewritten(files, before, both)
    for there, wanted in ((files, before), (again, both)):
        findings = Findings()
        assert read_tables(there, findings).rules.rows == wanted
        assert [finding for finding in findings.all() if finding.level == "error"] == []
        assert {name: data for name, data in there.items() if "rules/" not in name} == {
            name: data for name, data in small().items() if "rules/" not in name
        }


@MANY
@given(RULES, RULES)
def test_two_sets_differ_where_they_differ(before: dict[str, Rule], after: dict[str, Rule]) -> None:
    """A rule is told of if and only if it is not the same on both sides; a changed one with the cells that changed."""
    names = NAMES["zh"]
    found = compare_rules(Side(before, names), Side(after, names))
    wanted = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert {change.id for change in found} == wanted and len(found) == len(wanted)
    assert all(change.cells for change in found if change.change in ("moved", "changed"))


def test_every_state_and_part_has_a_name() -> None:
    """What a clerk picks from a list is never a bare word of ours."""
    assert set(NAMES["zh"]["state"].names) == STATES
    assert all(NAMES["zh"]["part"].names[part] != part for part in ("lead", "assist", "copy"))
    assert set(Bearer.__struct_fields__) == {"function", "role", "level", "part"}, (
        "cells.py writes and reads these four"
    )
