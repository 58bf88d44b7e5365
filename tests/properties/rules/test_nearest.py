"""What is said to keep a rule from holding does keep it from holding: without it the plain reading takes the rule."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.rules import naive
from router.rules.model import Box, Rule, Then, View
from router.rules.nearest import Cell, Reading, nearest, read
from tests.properties.rules.test_index_equals_naive import MORNING, NOWS, RULES, TREE, TREES, VIEWS

BUSY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SOUND = RULES.map(
    lambda rules: [replace(rule, unless=tuple(box for box in rule.unless if box != Box())) for rule in rules]
)
"""Without boxes that name nothing, which the loader refuses."""
PARENTS = dict.fromkeys(TREES, TREE)
NOWHERE: dict[str, dict[str, str]] = {}


def without(rule: Rule, fault: tuple[Cell, ...]) -> Rule:
    """The rule, less the condition that is blamed: a column of a box, a whole box of `unless`, or its validity."""
    cell = fault[0]
    if cell.part == "valid":
        return replace(rule, valid_from="", valid_to="")
    if cell.part == "when":
        return replace(rule, when=less(rule.when, cell.column))
    boxes = list(rule.any_of if cell.part == "any" else rule.unless)
    if cell.part == "unless":
        del boxes[cell.box - 1]
        return replace(rule, unless=tuple(boxes))
    boxes[cell.box - 1] = less(boxes[cell.box - 1], cell.column)
    return replace(rule, any_of=tuple(boxes))


def less(box: Box, column: str) -> Box:
    field = column.removeprefix("form.")
    if field != column:
        return replace(box, form={name: cell for name, cell in box.form.items() if name != field})
    return replace(box, **{column: ()})


def columns(box: Box) -> list[str]:
    """Written apart from the code under test: the columns that a box names."""
    named = [name for name, value in msgspec.to_builtins(box).items() if value and name != "form"]
    return named + [f"form.{field}" for field in box.form]


def one_less(rule: Rule) -> list[Rule]:
    """Every rule that has one condition less."""
    made = [replace(rule, valid_from="", valid_to="")]
    made += [replace(rule, when=less(rule.when, column)) for column in columns(rule.when)]
    made += [
        replace(rule, any_of=(*rule.any_of[:i], less(box, column), *rule.any_of[i + 1 :]))
        for i, box in enumerate(rule.any_of)
        for column in columns(box)
    ]
    return made + [replace(rule, unless=rule.unless[:i] + rule.unless[i + 1 :]) for i in range(len(rule.unless))]


@BUSY
@given(SOUND, st.lists(VIEWS, max_size=4), st.sampled_from(NOWS))
def test_a_rule_holds_if_nothing_is_blamed_and_else_without_what_is_blamed(
    rules: list[Rule], views: list[View], now: int
) -> None:
    for view in views:
        for rule in rules:
            reading = read(rule, view, now)
            assert reading.holds == naive.holds(rule, view, now)
            healed = rule
            for fault in sorted(reading.faults, key=lambda fault: -fault[0].box):  # boxes are deleted from behind
                assert not naive.holds(healed, view, now)
                healed = without(healed, fault)
            assert naive.holds(healed, view, now)


@BUSY
@given(SOUND, VIEWS, st.sampled_from(NOWS))
def test_the_nearest_misses_are_those_that_one_condition_keeps_from_holding(
    rules: list[Rule], view: View, now: int
) -> None:
    """No more and no fewer than dropping each condition in turn finds."""
    deciding = next(iter(naive.every(rules, view, now)), None)
    found = nearest(rules, view, now, deciding, PARENTS)
    missed = [
        rule
        for rule in rules
        if not naive.holds(rule, view, now) and any(naive.holds(other, view, now) for other in one_less(rule))
    ]
    assert sorted(r.rule.id for r in found) == sorted(rule.id for rule in missed)
    for reading in found:
        assert naive.holds(without(reading.rule, reading.faults[0]), view, now)


@BUSY
@given(SOUND, VIEWS, st.sampled_from(NOWS))
def test_a_reading_tells_nothing_of_text_tags_and_form_that_is_not_in_the_rule(
    rules: list[Rule], view: View, now: int
) -> None:
    for cell in (cell for rule in rules for cell in read(rule, view, now).cells):
        if cell.column.startswith(("words_", "form.")) or cell.column == "tags":
            assert all(held in cell.asked or held.startswith("(") for held in cell.held)


def ruled(number: int, **box: object) -> Rule:
    return Rule(id=f"r{number}", number=number, name="", when=Box(**box), then=Then(triage=True))  # type: ignore[arg-type]


def order(readings: list[Reading]) -> list[str]:
    return [reading.rule.id for reading in readings]


def test_what_would_have_decided_stands_first_then_what_holds_more_then_what_is_near() -> None:
    held = tuple(
        {"category_under": ("n7", "n3", "n1", "n0", "(present)"), "channel": ("a", "(present)")}.get(column, ("(missing)",))
        for column in (
            "one_thing", "matter_under", "category_under", "place_under", "channel", "kind", "origin", "applicant", "urgency",
            "medium", "disclosure", "place_level", "tags",
        )
    )  # fmt: skip
    rules = [
        ruled(1, category_under=("n2",)),  # far in the tree
        ruled(2, category_under=("n8",)),  # its sibling
        ruled(3, category_under=("n8",), channel=("a",)),  # holds in one more
        ruled(4, category_under=("n8",), channel=("b",)),  # fails twice
        ruled(5, category_under=("n7",)),  # decides
        ruled(6, category_under=("n8",), channel=("a",)),  # comes too late
    ]
    found = nearest(rules, View(held=held), MORNING, rules[4], PARENTS)
    assert order(found) == ["r3", "r2", "r1", "r6"]
    assert order(nearest(rules, View(held=held), MORNING, rules[4], NOWHERE)) == ["r3", "r1", "r2", "r6"]
