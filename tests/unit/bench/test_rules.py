"""The same rules in three languages: what a set is, what each translation says, and what counts as agreement."""

from pathlib import Path

import pytest

from bench.rules import Course, Disagree, ratios
from bench.rules_set import AREA, VARIANTS, Trees, rules, to_ruler, to_zen, with_lines
from router.rules.model import Box, Range, Rule, Then
from tests.unit.catalogue.small import unchanged

CATALOGUE = unchanged()
TREES = Trees(CATALOGUE)
LOCAL = Rule(
    id="r7",
    number=7,
    name="",
    when=Box(
        category_under=("C1",),
        place_under=("370100", "370202"),
        urgency=("urgent",),
        form={AREA: Range(at_least=3, at_most=9)},  # type: ignore[arg-type]
    ),
    then=Then(triage=True),
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_set_has_as_many_rules_as_asked_for_and_the_last_one_always_holds(variant: str) -> None:
    made = rules(TREES, 50, variant)
    assert [rule.number for rule in made] == list(range(1, 51))
    assert [rule.unconditional for rule in made] == [False] * 49 + [True]
    assert made == rules(TREES, 50, variant)


def test_event_ruler_gets_trees_as_prefixes_or_as_values_of_a_line() -> None:
    assert to_ruler(TREES, LOCAL, lines=False) == {
        "appeal_category": [{"prefix": "C1"}],
        "place": {"region": [{"prefix": "3701"}, "370202"]},
        "urgency": ["urgent"],
        "one_thing": {"form": {AREA: [{"numeric": [">=", 3.0, "<=", 9.0]}]}},
    }
    assert to_ruler(TREES, LOCAL, lines=True)["place_line"] == ["370100", "370202"]
    said = with_lines(TREES, {"appeal_category": "C111", "place": {"region": "370102"}})
    assert (said["category_line"], said["place_line"]) == (["C111", "C11", "C1"], ["370102", "370100", "370000"])


def test_zen_gets_a_table_with_every_code_spelled_out_and_only_columns_that_are_asked_for() -> None:
    table = to_zen(TREES, [LOCAL, Rule(id="rest", number=8, name="", then=Then(triage=True))], "collect")
    content = table["nodes"][1]["content"]
    assert {column["id"] for column in content["inputs"]} == {"appeal_category", "region", "urgency", AREA}
    row, rest = content["rules"]
    assert {"370100", "370102", "370103", "370202"} <= set(row["region"].replace('"', "").split(", "))
    assert (row[AREA], row["number"]) == ("[3..9]", "7")
    assert rest == {"_id": "rest", "number": "8", "appeal_category": "", "region": "", "urgency": "", AREA: ""}


def test_answers_that_differ_are_found_and_the_rule_that_always_holds_is_counted(tmp_path: Path) -> None:
    course = Course(TREES, "codes", 9, [], tmp_path)
    for name, rows in (
        ("a", "[3, 9]\n[9]\n"),
        ("without_rest", "[3]\n[]\n"),
        ("wrong", "[3]\n[4]\n"),
        ("few", "[3, 9]\n"),
    ):
        (tmp_path / name).write_text(rows)
    assert course.check("a", "without_rest", rest=True) == [2, 1]
    assert course.check("a", "few", rest=False) == [2, 1]
    with pytest.raises(Disagree, match="request 1"):
        course.check("a", "wrong", rest=True)


def test_ratios_are_taken_within_a_repeat() -> None:
    turns = [{"duokua": {"us": 10.0}, "ruler": {"us": 20.0}}, {"duokua": {"us": 30.0}, "ruler": {"us": 10.0}}]
    assert ratios({"rounds": turns}) == [1.75, 0.5, 3.0]
