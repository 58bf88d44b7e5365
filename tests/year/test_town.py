"""The people of the year say what the contract takes, the same for the same seed."""

import json
import random
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from adapters.clock import BEIJING
from router.catalogue.catalogue import Catalogue
from router.catalogue.load import load
from schemas.registry import FROM_CHANNELS, MODELS, REQUEST_SUBMITTED, TASK_ASSIGNED
from tests.year.catalogue import of_the_year
from tests.year.moves import MOVES
from tests.year.offices import Offices
from tests.year.town import Known, Said, Town, instants

FIRST = datetime(2026, 1, 1, tzinfo=BEIJING)
REGION, UNIT, SUPERVISOR = "370902", "370902.urban-management", "370900.supervision-office"
CASE = "7e148213-6566-563f-8266-620934d0f800"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("year") / "catalog"
    of_the_year(folder)
    return load(folder)


def said(catalogue: Catalogue, seed: int) -> list[Said]:
    return list(Town(catalogue, int(FIRST.timestamp() * 1000), seed).says(instants(FIRST, 30, 400, seed)))


def test_the_town_speaks_by_the_contract_and_by_its_seed(catalogue: Catalogue) -> None:
    row = said(catalogue, 3)
    assert row == said(catalogue, 3)
    assert row != said(catalogue, 4)
    assert row == sorted(row, key=lambda one: one.at)
    kinds = Counter[str]()
    for one in row:
        event = json.loads(one.value)
        FROM_CHANNELS[event["type"]].model_validate(event["data"])
        kinds[event["type"]] += 1
    assert 390 <= kinds[REQUEST_SUBMITTED] <= 420
    assert len(kinds) >= 4


def given(kind: str, part: str = "", number: int = 0, **more: object) -> dict[str, Any]:
    name = f"00000000-0000-8000-8000-{number:012d}"
    return {
        "case_id": CASE, "task_id": name, "kind": kind, "part": part, "unit": UNIT, "leg": "1",
        "request": {"place": {"region": REGION}, "applicant": {"phone": "13800000000"}}, **more,
    }  # fmt: skip


def test_everybody_in_the_table_speaks_by_the_contract(catalogue: Catalogue) -> None:
    """Each row once, of a case that another one was heard of before; all units that order exist."""
    facts, at = catalogue.facts(), int(FIRST.timestamp() * 1000)
    offices = Offices(facts, {CASE: Known("hotline_12345", "r-1", REGION)}, 1)
    other = given("handle", "lead", 1) | {"case_id": CASE.replace("7e", "8e")}
    lead = given("handle", "lead", 2)
    for task in (other, lead):
        list(offices.hear("desk", {"ce_type": TASK_ASSIGNED}, json.dumps(task).encode(), at))
    for number, move in enumerate(MOVES):
        task = lead | {"endpoint": "desk", "parent_task": lead["task_id"], "order": {"unit": SUPERVISOR}}
        said = offices._said(move, task, at, random.Random(number), number)
        assert said is not None, move
        event = json.loads(said.value)
        MODELS[event["type"]].model_validate(event["data"])
        assert facts.unit(event["data"].get("unit", SUPERVISOR)) is not None, move
