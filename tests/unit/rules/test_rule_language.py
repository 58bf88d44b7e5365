"""
The rule language by example (docs/rules.md): a condition, requests, and whether it holds for them.

Each is read twice: by the plain reading and by the compiled index, from the bytes of a request as a channel sends it.
"""

import json
from datetime import datetime
from typing import Any

import msgspec
import pytest

from router.catalogue.catalogue import Catalogue
from router.operate.settings import CHECKOUT
from router.rules import naive
from router.rules.index import Index
from router.rules.model import Box, Rule
from tests.unit.catalogue.shandong import shandong

TABLES: list[dict[str, Any]] = json.loads((CHECKOUT / "tests/data/rule_language.json").read_text())
CASES = [(table, case) for table in TABLES for case in table["cases"]]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return shandong()


@pytest.mark.parametrize(
    ("table", "case"), CASES, ids=[f"{table['about']}：{case['because']}" for table, case in CASES]
)
def test_a_condition_holds_for_what_the_example_says(catalogue: Catalogue, table: dict[str, Any], case: Any) -> None:
    rule = msgspec.convert(
        {"id": "r", "number": 1, "name": "", "then": {"triage": "true"}} | table["rule"], Rule, strict=False
    )
    received = int(datetime.fromisoformat(case.get("received", "2026-09-18T09:00:00+08:00")).timestamp() * 1000)
    request = {"appeal_kind": "help"} | case["request"]
    view = catalogue.facts().view(case.get("channel", "hotline_12345"), json.dumps(request).encode(), received)
    assert naive.holds(rule, view, received) is case["holds"], case["because"]
    assert Index([rule]).first(view, received) == naive.first([rule], view, received)


def test_every_column_has_examples_of_both_answers() -> None:
    """A column without an example that holds and one that does not is a column nobody knows."""
    shown: dict[str, set[bool]] = {column: set() for column in Box.__struct_fields__}
    for table, case in CASES:
        rule = table["rule"]
        for box in (rule.get("when", {}), *rule.get("any", ()), *rule.get("unless", ())):
            for column in box:
                shown[column].add(case["holds"])
    assert {column for column, answers in shown.items() if answers != {True, False}} == set()
    assert len(CASES) >= 100
