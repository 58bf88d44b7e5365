"""
The return rate by rule and by unit, against counts made by hand from the cases themselves.

Row 29 of the comparison with other systems: none of them tells which rule dispatches wrongly.
"""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.operate.returns import Returns, telling
from tests.unit.workflows.small_world import Told, told
from workflows import events as ev

RULING = {"document": "裁〔2026〕3号", "reason": "市级养护"}


def _returned(t: Told, proposed: str = "") -> Told:
    return t.reply("handle", "return", reason="不属本局", proposed_unit=proposed or None)


def _kept() -> Told:
    return told().submit("alone").reply("handle", "reply", result="solved", text="已办")


def _rejected() -> Told:
    return _returned(told().submit("alone")).reply("decide_return", "reject_return")


def _accepted() -> Told:
    return _returned(told().submit("alone"), "370102.water").reply("decide_return", "accept_return")


def _ruled() -> Told:
    return _returned(_accepted()).reply("arbitrate", "rule", **RULING, targets=[{"unit": "370100.urban"}])


def _re_dispatched() -> Told:
    return told().submit("alone").order("370100.hotline", "re_dispatch", reason="x", targets=[{"unit": "370102.water"}])


def _below() -> Told:
    """Inside its own house nothing is counted."""
    t = told().submit("alone").reply("handle", "sub_dispatch", units=["370102001.town"])
    return t.reply("handle", "return", unit="370102001.town", reason="x").reply("decide_return", "accept_return")


LIVES = {
    "kept": (_kept, Counter(dispatched=1)),
    "rejected": (_rejected, Counter(dispatched=1, returned=1, rejected=1)),
    "accepted": (_accepted, Counter(dispatched=1, returned=1, accepted=1)),
    "ruled": (_ruled, Counter(dispatched=1, returned=1, accepted=1)),
    "re_dispatched": (_re_dispatched, Counter(dispatched=1, re_dispatched=1)),
    "below": (_below, Counter(dispatched=1)),
}
"""How a case may go, and what that is for the rule and the unit that had it first (the bureau)."""


@given(st.lists(st.sampled_from(sorted(LIVES)), max_size=6))
def test_each_leg_is_counted_once_for_what_became_of_it(lives: list[str]) -> None:
    found = Returns()
    for number, life in enumerate(lives):
        for record in LIVES[life][0]().records:
            assert telling(ev.encode(record)) in (record, None)
            found.take([ev.decode(ev.encode(record).replace(record.case.encode(), f"case-{number}".encode()))])
    wanted = sum((LIVES[life][1] for life in lives), Counter[str]())
    for table, name in ((found.rules, "r-alone"), (found.units, "370102.urban")):
        row = table.get(name)
        assert Counter({k: v for k, v in vars(row).items() if v} if row else {}) == wanted


def test_what_a_person_dispatched_belongs_to_no_rule() -> None:
    found = Returns()
    found.take(_ruled().records)
    assert vars(found.units["370102.water"]) == {
        "dispatched": 1, "returned": 1, "accepted": 0, "rejected": 0, "ruled": 1, "re_dispatched": 0,
    }  # fmt: skip
    assert found.rules[""].dispatched == 2
    assert found.rules["r-alone"].rate == 100.0


@pytest.mark.parametrize("first", [1, 2])
def test_what_was_dispatched_before_counts_nowhere(first: int) -> None:
    found = Returns()
    found.take(_rejected().records[first:])
    assert (found.rules, found.units) == ({}, {})


def test_nothing_is_kept_of_a_case_that_is_closed() -> None:
    found = Returns()
    found.take(_kept().reply("review", "pass").records)
    assert found._open == {}
