"""The compiled index answers exactly as reading the rules one by one does, for any rules and any request."""

from hypothesis import given
from hypothesis import strategies as st

from router.rules import naive
from router.rules.index import WIDEST, Index
from router.rules.model import COLUMNS, Refusal, Rule, Then, View, When

TREE = {f"n{i}": f"n{(i - 1) // 2}" if i else "" for i in range(15)}
TREES = {"matter_under", "category_under", "place_under"}
FLAT = ("a", "b", "c")
DAYS = ("", "2026-09-17", "2026-09-18", "2026-09-19")
MORNING = 1_789_693_200_000  # 2026-09-18T09:00+08:00
NOWS = tuple(MORNING + day * 86_400_000 for day in (-2, -1, 0, 1, 2))


def values(column: str) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(TREE) if column in TREES else FLAT)


def cells(column: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.one_of(st.just(()), st.lists(values(column), min_size=1, max_size=4).map(tuple))


WHENS = st.builds(When, **{column: cells(column) for column in COLUMNS})
RULES = st.lists(st.tuples(st.integers(1, 20), WHENS, st.sampled_from(DAYS), st.sampled_from(DAYS)), max_size=25).map(
    lambda rows: [
        Rule(id=f"r{i}", number=number, name="", when=when, then=Then(triage=True), valid_from=start, valid_to=end)
        for i, (number, when, start, end) in enumerate(rows)
    ]
)
VIEWS: st.SearchStrategy[View] = st.tuples(
    *(
        st.one_of(
            st.just(()), values(column).map(lambda v, tree=column in TREES: naive.lineage(TREE, v) if tree else (v,))
        )  # type: ignore[misc]
        for column in COLUMNS
    )
)


@given(RULES, st.lists(VIEWS, max_size=10), st.sampled_from(NOWS))
def test_the_index_matches_as_the_plain_reading_does(rules: list[Rule], views: list[View], now: int) -> None:
    """The same first rule, for the same reasons, and the same set of all rules."""
    index = Index(rules)
    for view in views:
        assert index.first(view, now) == naive.first(rules, view, now)
        assert index.every(view, now) == naive.every(rules, view, now)


@given(RULES, VIEWS, st.sampled_from(NOWS), st.sampled_from(NOWS))
def test_within_a_period_nothing_changes(rules: list[Rule], view: View, now: int, later: int) -> None:
    """What is remembered for one moment of a period holds at every other."""
    index = Index(rules)
    if index.period(now) == index.period(later):
        assert index.first(view, now) == index.first(view, later)


@given(st.integers(1, 3), VIEWS)
def test_a_rule_of_very_many_combinations_is_the_same_rule(spread: int, view: View) -> None:
    """Wider than the index enters it (WIDEST combinations), it is checked at the leaf instead."""
    wide = tuple(sorted(TREE)) * spread
    many = tuple(f"x{i}" for i in range(WIDEST))
    when = When(category_under=wide, place_under=wide, matter_under=wide, channel=(*FLAT, *many))
    rules = [Rule(id="wide", number=1, name="", when=when, then=Then(triage=True))]
    assert Index(rules).every(view, MORNING) == naive.every(rules, view, MORNING)


def test_no_rules_no_match() -> None:
    empty: View = ((),) * len(COLUMNS)
    assert Index([]).first(empty, MORNING) is None and Index([]).every(empty, MORNING) == ()


def test_an_outcome_is_counted_once() -> None:
    """`outcomes` is what the loader holds a rule to: exactly one."""
    refusal = Refusal(ground="g", basis="b", where_to_turn="w")
    assert [then.outcomes() for then in (Then(), Then(triage=True), Then(one_thing="x", propose_refusal=refusal))] == [
        0,
        1,
        2,
    ]
