"""The whole table of rights: each action by each office in each state gives the table's answer, and nothing else."""

import pytest
from msgspec import UNSET, Raw
from msgspec.structs import replace

from tests.unit.workflows.small_world import UNITS, told
from workflows.case import Case
from workflows.decision import Decision
from workflows.ordered import Ordered
from workflows.rights import RIGHTS, refused
from workflows.states import ANYTIME, APPEAL, ENDED

FULL = Ordered(
    officer="0001",
    confirmed_by="0002",
    reason="listed",
    text="x",
    document="政督〔2026〕1号",
    attachments=Raw(b'[{"name":"a","uri":"b"}]'),
)
WHO = {
    # unit → what it is to the case `street`, by hand
    "370100.hotline": {"centre"},
    "370000.hotline": {"centre", "arbiter"},
    "370102.hotline": {"county_centre"},
    "370100.watch": {"supervisor"},
    "370100.mayor": {"leaders_office"},
    "370102.urban": {"holder", "lead", "first_level"},
    "370102.water": {"holder", "first_level"},
    "370100.urban": {"superior"},
    "370000.urban": {"superior"},
    "370102.police": {"holder", "first_level"},
    "370102001.town": set(),
    "370102.bank": set(),
}


@pytest.fixture(scope="module")
def case() -> Case:
    return told().submit("street").held


@pytest.mark.parametrize("action", RIGHTS)
def test_the_whole_table(action: str, case: Case) -> None:
    """Who has none of the offices is not entitled, in whatever state; who has one is told what the state says."""
    t = told()
    for state in APPEAL:
        may = action in APPEAL[state] or (action in ANYTIME and state not in ENDED)
        for unit, offices in WHO.items():
            d = Decision(replace(case, state=state), "c", t.facts, t.now)
            expected = "not_entitled"
            if offices & set(RIGHTS[action].offices):
                expected = "" if may else "not_allowed"
            assert refused(d, UNITS[unit].endpoint, unit, action, FULL) == expected, (action, state, unit)


@pytest.mark.parametrize("action", RIGHTS)
def test_what_an_order_needs(action: str, case: Case) -> None:
    """Each need, left out alone, is named."""
    right, t = RIGHTS[action], told()
    unit = next(unit for unit, offices in WHO.items() if offices & set(right.offices))
    state = next(state for state in APPEAL if action in APPEAL[state] or (action in ANYTIME and state not in ENDED))
    d = Decision(replace(case, state=state), "c", t.facts, t.now)
    for lacking, code in (
        ({"officer": ""}, "incomplete"),
        ({"reason": ""}, "incomplete" if right.reason else ""),
        ({"text": ""}, "incomplete" if right.text else ""),
        ({"confirmed_by": ""}, "second_officer" if right.second else ""),
        ({"confirmed_by": "0001"}, "second_officer" if right.second else ""),
        ({"document": ""}, "document_needed" if right.document else ""),
        ({"attachments": UNSET}, "evidence_needed" if right.evidence else ""),
    ):
        assert refused(d, UNITS[unit].endpoint, unit, action, replace(FULL, **lacking)) == code, lacking
