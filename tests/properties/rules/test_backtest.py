"""The back-test's figures are those of reading the rules one by one; what is remembered changes no decision."""

from collections import Counter
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from router.catalogue.catalogue import Catalogue
from router.catalogue.load import from_files
from router.rules import naive
from router.rules.backtest import Judge, Registered
from router.rules.comparison import Comparison, report
from tests.unit.catalogue.small import edited, small
from tests.unit.rules.archive import DAY, NINE, asked
from workflows.facts import Target

EDITS = (
    ("rules/90.yaml", '{function: "@category"}', "{function: parks}"),
    ("rules/90.yaml", "[C1, C3]", "[C11]"),
    ("rules/90.yaml", "name: 按分类\n", "name: 按分类\n  valid_from: '2026-09-19'\n"),
    ("rules/90.yaml", "name: 按分类\n", "name: 按分类\n  unless: [{words_any: [井盖]}]\n"),
    ("rules/90.yaml", "when: {matter_under: [M]}", "when: {time: [outside_working_hours]}"),
    ("rules/10.yaml", "number: 30", "number: 950"),
    ("units/functions.csv", "parks,公园,城建", "parks,园林,城建"),
    ("categories.csv", "C111,路面,C11,roads", "C111,路面,C11,parks"),
    ("policies/all.yaml", "budget: 5wd", "budget: 6wd"),
)


@cache
def catalogue(which: int) -> Catalogue:
    return from_files(edited(*EDITS[which]) if which < len(EDITS) else small(), version=1)


WHICH = st.integers(0, len(EDITS))
SAID = st.fixed_dictionaries(
    {
        "appeal_kind": st.sampled_from(["help", "complaint", "consult"]),
        "urgency": st.sampled_from(["normal", "urgent"]),
    },
    optional={
        "appeal_category": st.sampled_from(["C1", "C11", "C111", "C12", "C3"]),
        "matter_code": st.sampled_from(["M1", "M2", "M21"]),
        "place": st.sampled_from(["370102", "370103", "370181", "370202", "370102001"]).map(
            lambda code: {"region": code}
        ),
        "title": st.sampled_from(["井盖", "路灯"]),
        "subject_of_complaint": st.just([{"kind": "unit", "unit": "370102.roads"}]),
    },
)
HISTORY = st.lists(
    st.tuples(st.sampled_from(["phone", "box"]), st.integers(0, 3 * DAY), st.integers(0, 15 * 3_600_000), SAID), max_size=25
).map(
    lambda rows: [
        asked(str(n), NINE + later, channel, NINE + later - before, **said) for n, (channel, later, before, said) in enumerate(rows)
    ]
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(WHICH, WHICH, HISTORY)
def test_the_figures_are_those_of_reading_rule_by_rule(one: int, other: int, history: list[Registered]) -> None:
    """From which function and unit to which, which rule how often, how many to the fallback and to a dispatcher."""
    before, after = catalogue(one), catalogue(other)
    made, judges = Comparison(), (Judge(before.facts()), Judge(after.facts()))
    for request in history:
        made.take(request, *(judge.outcome(request) for judge in judges))
    told = report(made, before.rules, after.rules, NINE, NINE + 4 * DAY)
    plain = [(by_hand(before, request), by_hand(after, request)) for request in history]

    functions = Counter((b["function"], a["function"]) for b, a in plain if b["function"] != a["function"])
    units = Counter((b["unit"], a["unit"]) for b, a in plain if b["unit"] != a["unit"])
    assert {(move.before, move.after): move.count for move in told.functions} == functions
    assert {(move.before, move.after): move.count for move in told.units} == units
    sides = [Counter(pair[side]["rule"] for pair in plain) for side in (0, 1)]
    silent = {rule for rule in after.rules if not sides[1][rule]}
    assert {rule.id for rule in told.silent} == silent
    assert all((rule.before, rule.after) == (sides[0][rule.id], sides[1][rule.id]) for rule in told.changed)
    assert told.fallback == (sides[0]["fallback"], sides[1]["fallback"])
    triage = tuple(sum(pair[side]["unit"] == "(triage)" for pair in plain) for side in (0, 1))
    assert told.outcomes.get("triage", (0, 0)) == triage
    assert (
        told.requests == len(history) == sum(map(sum, zip(*told.outcomes.values(), strict=True))) // 2
        if history
        else True
    )
    assert {example.number for example in told.examples} <= {request.number for request in history}


@settings(max_examples=120, deadline=None)
@given(WHICH, HISTORY)
def test_what_is_remembered_changes_no_decision(which: int, history: list[Registered]) -> None:
    """A judge that has decided others before says what a new one says."""
    judge = Judge(catalogue(which).facts())
    for request in [*history, *history]:
        assert judge.outcome(request) == Judge(catalogue(which).facts()).outcome(request)


def by_hand(catalogue: Catalogue, request: Registered) -> dict[str, str]:
    """
    The rule, the function and the unit, by the text of the rules (docs/rules.md) and not by what the engine does. No
    request here is an emergency or was answered.
    """

    said: dict[str, Any] = json.decode(request.request)
    facts = catalogue.facts()
    match = naive.first(
        catalogue.rules.values(), facts.view(request.channel, request.request, request.received_at), request.at
    )
    assert match is not None
    rule, then = match.rule, match.rule.then
    triage = {"rule": rule.id, "function": "(triage)", "unit": "(triage)"}
    if then.propose_refusal:
        return triage | {"function": "(propose_refusal)", "unit": "(propose_refusal)"}
    if then.triage:
        return triage
    excluded = frozenset(s["unit"] for s in said.get("subject_of_complaint", ()))
    centre = facts.unit(facts.centre(request.channel, said.get("place", {}).get("region", "")).id)
    place = said.get("place", {}).get("region") or (centre.place if centre else "")
    found = []
    for bearer in then.route:
        function, role = bearer.function, bearer.role
        if function in ("@category", "@matter"):
            row = named(catalogue, said.get("appeal_category" if function == "@category" else "matter_code"), function)
            if row is None:
                return triage
            function, role = row[0], role or row[1]
        target = Target(function=function, role=role or "handle", level=bearer.level)  # type: ignore[arg-type]
        unit = facts.resolve(target, place, said.get("matter_code", ""), excluded)
        if unit is None:
            return triage
        found.append((bearer.part, function, unit.id))
    lead = next(one for one in found if one[0] == "lead")
    return {"rule": rule.id, "function": lead[1], "unit": lead[2]}


def named(catalogue: Catalogue, code: str | None, column: str) -> tuple[str, str] | None:
    """The function and role of the nearest row, upwards, that names one."""
    rows: Any = catalogue.categories if column == "@category" else catalogue.matters
    while code and code in rows:
        if rows[code].function:
            return rows[code].function, rows[code].role or "handle"
        code = rows[code].parent
    return None
