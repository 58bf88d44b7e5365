"""The shipped catalogue: free of findings, large enough, and everything it sends somewhere arrives everywhere."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from msgspec import json

from router.catalogue.catalogue import Catalogue
from router.catalogue.rows import CategoryRow, MatterRow
from tests.unit.catalogue.shandong import shandong
from workflows.facts import OneThingView, PlaceView, RequestView, Target

NOW = 1_789_700_000_000
"""2026-09-18, when the demo begins."""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return shandong()


def leaves(rows: dict[str, str]) -> set[str]:
    return set(rows) - set(rows.values())


def regions(catalogue: Catalogue) -> Iterator[str]:
    levels = ("province", "city", "county")
    yield from (code for code, place in catalogue.divisions.items() if place.level in levels and not place.abolished)


def asked(region: str, category: str | None = None, **more: object) -> RequestView:
    said: dict[str, object] = {"appeal_kind": "help", "appeal_category": category, "place": PlaceView(region=region)}
    return RequestView(**{**said, **more})  # type: ignore[arg-type]


def test_it_has_no_findings(catalogue: Catalogue) -> None:
    """Neither errors, which would refuse it, nor warnings."""
    assert [f"{found.file}:{found.line} {found.text_en}" for found in catalogue.findings if found.level != "hint"] == []


def test_it_is_as_large_as_promised(catalogue: Catalogue) -> None:
    """At least 200 categories in nine fields, 120 matters, 60 rules, 45 functions in nine fields, 15 channels, three one-things."""
    categories = {code: row.parent for code, row in catalogue.categories.items()}
    assert len(leaves(categories)) >= 200 and sum(not parent for parent in categories.values()) >= 9
    assert len(leaves({code: row.parent for code, row in catalogue.matters.items()})) >= 120
    assert len(catalogue.rules) >= 60 and len(catalogue.one_things) >= 3 and len(catalogue.channels) == 15
    fields = {row.field for row in catalogue.functions.values()}
    assert len(catalogue.functions) >= 45 and len(fields) >= 9
    assert len(catalogue.units) > 5000 and len(catalogue.endpoints) <= 12


def test_every_category_and_matter_reaches_a_unit_everywhere(catalogue: Catalogue) -> None:
    """Whatever a row names is held in or above every division and zone of the province."""
    rows: list[CategoryRow | MatterRow] = [*catalogue.categories.values(), *catalogue.matters.values()]
    named = {(row.function, row.role or "handle") for row in rows if row.function}
    named |= {(row.emergency, "handle") for row in catalogue.categories.values() if row.emergency}
    facts = catalogue.facts()
    lost = {
        (function, role, region)
        for function, role in named
        for region in regions(catalogue)
        if facts.resolve(Target(function=function, role=role), region) is None  # type: ignore[arg-type]
    }
    assert lost == set()


def test_every_leaf_is_dispatched_or_proposed_for_refusal(catalogue: Catalogue) -> None:
    """A hotline request with a category never needs triage, wherever it is."""
    leaf = leaves({code: row.parent for code, row in catalogue.categories.items()})
    for code in leaf:
        request = asked("371702", code)
        route = catalogue.facts().route("hotline_12345", request, NOW, json.encode(request), NOW)
        assert route.outcome in ("dispatch", "propose_refusal"), code


def test_every_unit_but_the_root_has_a_superior_and_a_door(catalogue: Catalogue) -> None:
    """Escalation ends at the government of the province; only central bodies stand beside it."""
    orphans = {unit.id for unit in catalogue.units.values() if not unit.parent}
    assert orphans == {"370000.government", "370000.customs"}
    assert all(unit.endpoint for unit in catalogue.units.values())


def test_one_approval_bureau_holds_what_ten_bureaus_hold_elsewhere(catalogue: Catalogue) -> None:
    """In 莘县 the ten approvals lead to one unit, in the neighbouring county to ten."""
    ten = (
        "planning", "forestry", "ethnic-religious", "drug", "emergency-management", "housing-security", "sports", "veterans",
        "fire-rescue", "meteorology", "medical-insurance",
    )  # fmt: skip

    def holders(region: str) -> set[str]:
        found = (catalogue.facts().resolve(Target(function=function, role="approve"), region) for function in ten)
        return {unit.id.partition(".")[2] for unit in found if unit}

    assert holders("371522") == {"administrative-approval"}
    assert len(holders("371521")) == 10


def test_an_empty_role_rises_a_level(catalogue: Catalogue) -> None:
    """历下区 has no farming bureau of its own: the city's acts."""
    unit = catalogue.facts().resolve(Target(function="agriculture", role="handle"), "370102")
    assert unit and unit.id == "370100.agriculture"


def test_an_abolished_code_means_its_successor(catalogue: Catalogue) -> None:
    """A request that still names 章丘市 or the old code of 济南高新区 reaches the units of today."""
    facts = catalogue.facts()
    for old, new in (("370181", "370114"), ("370171", "370176"), ("371202", "370116")):
        unit = facts.resolve(Target(function="government", role="handle"), old)
        assert unit and unit.id == f"{new}.government"


def test_each_one_thing_runs_its_plan_with_one_unit_per_leg(catalogue: Catalogue) -> None:
    """The package decides before any other rule, and every leg of every stage reaches a unit in every county."""
    facts = catalogue.facts()
    for package in catalogue.one_things:
        request = asked("371702", one_thing=OneThingView(package=package))
        route = facts.route("one_thing_desk", request, NOW, json.encode(request), NOW)
        assert route.outcome == "one_thing" and len(route.stages) >= 2
        for stage in route.stages:
            for target, matter in zip(stage.targets, stage.matters, strict=True):
                assert all(facts.resolve(target, region, matter) for region in regions(catalogue))


def test_rules_have_a_reason_and_numbers_with_gaps(catalogue: Catalogue) -> None:
    """An author says why, and another rule can be put between any two."""
    numbers = sorted(rule.number for rule in catalogue.rules.values())
    assert all(after - before >= 10 for before, after in pairwise(numbers))
    assert all(rule.reason and rule.basis for rule in catalogue.rules.values())


def test_vocabularies_map_to_codes_that_exist(catalogue: Catalogue) -> None:
    """Every class or complaint type that is mapped leads to a category of ours."""
    for name in ("appeals-classes", "nyc311-complaints"):
        mapped = set(catalogue.vocabularies[name].values()) - {""}
        assert mapped and mapped <= set(catalogue.categories)
