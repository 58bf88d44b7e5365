"""
The routing cases that clerks can read, over the real catalogue: what is asked, where it goes, and because of what.

A case that changes with the rules is changed with them, in tests/data/routing_cases.json.
"""

import json
from typing import Any

import pytest

from router.catalogue.catalogue import Catalogue
from router.operate.settings import CHECKOUT
from router.rules import naive
from router.rules.model import Match
from tests.unit.catalogue.shandong import shandong
from tests.unit.rules.routed import NOW, routed

CASES: list[dict[str, Any]] = json.loads((CHECKOUT / "tests/data/routing_cases.json").read_text())


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return shandong()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_request_goes_where_the_case_says(catalogue: Catalogue, case: dict[str, Any]) -> None:
    """Rule, outcome, policy and every unit, by number and place."""
    assert routed(catalogue, case["channel"], case["request"]) == case["routes_to"], case["because"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_plain_reading_of_the_rules_agrees(catalogue: Catalogue, case: dict[str, Any]) -> None:
    """The compiled index and the rules read one by one name the same rule for the same reasons."""
    view = catalogue.facts().view(case["channel"], json.dumps(case["request"]).encode(), NOW)
    expected = naive.first(catalogue.rules.values(), view, NOW)
    assert isinstance(expected, Match) and catalogue.index.first(view, NOW) == expected


def test_there_are_cases_of_every_outcome() -> None:
    """A table that showed only the easy ones would show little."""
    outcomes = {case["routes_to"].get("outcome", "emergency") for case in CASES}
    assert len(CASES) >= 25 and outcomes == {"dispatch", "one_thing", "propose_refusal", "triage", "emergency"}
    assert len({case["name"] for case in CASES}) == len(CASES) and all(case["because"] for case in CASES)
