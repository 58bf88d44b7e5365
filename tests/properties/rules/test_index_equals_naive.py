"""The compiled index answers exactly as reading the rules one by one does, for any rules and any request."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from router.rules import naive
from router.rules.index import WIDEST, Index
from router.rules.model import (
    COLUMNS,
    DAYS,
    MISSING,
    PRESENT,
    STATES,
    Box,
    Range,
    Refusal,
    Rule,
    Then,
    View,
    Window,
    fold,
)

TREE = {f"n{i}": f"n{(i - 1) // 2}" if i else "" for i in range(15)}
TREES = {"matter_under", "category_under", "place_under"}
FLAT = ("a", "b", "c")
WORDS = ("井盖", "井", "盖", "ABC", "abc", "Ｂ", "straße", "无")
NUMBERS = tuple(map(Decimal, ("-1", "0", "0.1", "0.10", "3", "100000.01")))
VALIDITY = ("", "2026-09-17", "2026-09-18", "2026-09-19")
MORNING = 1_789_693_200_000  # 2026-09-18T09:00+08:00
NOWS = tuple(MORNING + day * 86_400_000 for day in (-2, -1, 0, 1, 2))
NOWHERE = View(held=((MISSING,),) * len(COLUMNS))


def values(column: str) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(TREE) if column in TREES else FLAT)


def few(of: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(of, min_size=1, max_size=most).map(tuple)


def maybe(of: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[tuple[str, ...]]:
    """Often nothing: a box that names every column would never hold."""
    return st.one_of(st.just(()), st.just(()), of)


STATE = st.sampled_from(sorted(STATES))
CLOCK = st.sampled_from(["00:00", "06:00", "08:30", "09:00", "22:00", "23:59"])
WINDOWS = (
    st.builds(
        Window, days=st.lists(st.sampled_from(DAYS), max_size=3).map(tuple), since=CLOCK, until=CLOCK | st.just("24:00")
    )
    .filter(lambda window: window.since != window.until)
    .map(lambda window: window)
)
RANGES = st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.integers(0, 2)).map(
    lambda row: Range(at_least=min(row[:2]) if row[2] else None, at_most=max(row[:2]) if row[2] < 2 else None)
)
TEXTS = ("a", "b", "true", "3", "0.1", "100000.01", "-1", "1e3", "٣")
CELLS = few(st.sampled_from(TEXTS) | STATE) | RANGES
BOXES = st.builds(
    Box,
    **{column: maybe(few(values(column) | STATE)) for column in COLUMNS},
    **{column: maybe(few(st.sampled_from(WORDS), 2)) for column in ("words_any", "words_all", "words_none")},
    time=maybe(few(st.sampled_from(["working_hours", "outside_working_hours"]) | WINDOWS, 2)),  # type: ignore[arg-type]
    form=st.just({}) | st.dictionaries(st.sampled_from(["x", "y"]), CELLS, max_size=2),
)
RULES = st.lists(
    st.tuples(
        st.integers(1, 20), BOXES, st.lists(BOXES, max_size=2), st.lists(BOXES, max_size=2),
        st.sampled_from(VALIDITY), st.sampled_from(VALIDITY), st.sampled_from([False, False, True]),
    ),
    max_size=12,
).map(
    lambda rows: [
        Rule(
            id=f"r{i}", number=number, name="", when=when, any_of=tuple(some), unless=tuple(none), then=Then(triage=True),
            valid_from=start, valid_to=end, adds=adds,
        )
        for i, (number, when, some, none, start, end, adds) in enumerate(rows)
    ]
)  # fmt: skip


def held(column: str) -> st.SearchStrategy[tuple[str, ...]]:
    if column == "tags":
        said = few(values(column), 3).map(lambda tags: (*tags, PRESENT))
    else:
        said = values(column).map(lambda v: (*(naive.lineage(TREE, v) if column in TREES else (v,)), PRESENT))
    return st.one_of(said, said, STATE.filter(lambda state: state != PRESENT).map(lambda state: (state,)))


VIEWS: st.SearchStrategy[View] = st.builds(
    View,
    held=st.tuples(*map(held, COLUMNS)),
    text=st.lists(st.sampled_from([*WORDS, " ", "\n", "x"]), max_size=6).map("".join).map(fold),
    at=st.integers(MORNING - 8 * 86_400_000, MORNING + 8 * 86_400_000),
    working=st.booleans(),
    form=st.dictionaries(
        st.sampled_from(["x", "y"]),
        few(st.sampled_from(TEXTS), 2).map(lambda t: (*t, PRESENT)) | STATE.map(lambda s: (s,)),
    ),
)


@given(RULES, st.lists(VIEWS, max_size=10), st.sampled_from(NOWS))
def test_the_index_matches_as_the_plain_reading_does(rules: list[Rule], views: list[View], now: int) -> None:
    """The same deciding rule and the same that add to it, for the same reasons, and the same set of all rules."""
    index = Index(rules)
    for view in views:
        assert index.first(view, now) == naive.first(rules, view, now)
        assert index.adding(view, now) == naive.adding(rules, view, now)
        assert index.every(view, now) == naive.every(rules, view, now)


@given(st.lists(BOXES, min_size=1, max_size=30), VIEWS)
def test_each_box_by_itself_is_read_alike(boxes: list[Box], view: View) -> None:
    """As `when`, as the only one of `any`, and as `unless`: each takes its own way through the index."""
    for box in boxes:
        asked = [
            Rule(id="when", number=1, name="", when=box, then=Then(triage=True)),
            Rule(id="any", number=2, name="", any_of=(box,), then=Then(triage=True)),
            Rule(id="unless", number=3, name="", unless=(box,), then=Then(triage=True)),
        ]
        assert Index(asked).every(view, MORNING) == naive.every(asked, view, MORNING)
        assert naive.holds(asked[0], view, MORNING) is naive.holds(asked[1], view, MORNING)
        assert naive.holds(asked[0], view, MORNING) is not naive.holds(asked[2], view, MORNING)


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
    when = Box(category_under=wide, place_under=wide, matter_under=wide, channel=(*FLAT, *many))
    rules = [Rule(id="wide", number=1, name="", when=when, then=Then(triage=True))]
    assert Index(rules).every(view, MORNING) == naive.every(rules, view, MORNING)


def test_no_rules_no_match() -> None:
    assert Index([]).first(NOWHERE, MORNING) is None and Index([]).every(NOWHERE, MORNING) == ()


def test_an_outcome_is_counted_once() -> None:
    """`outcomes` is what the loader holds a rule to: exactly one."""
    refusal = Refusal(ground="g", basis="b", where_to_turn="w")
    assert [then.outcomes() for then in (Then(), Then(triage=True), Then(one_thing="x", propose_refusal=refusal))] == [
        0,
        1,
        2,
    ]
