"""What a compiled set says of itself, so that nobody looks at a part of a request that no rule asks for."""

from decimal import Decimal

import pytest

from router.rules.index import PLAIN, Index
from router.rules.model import COLUMNS, Box, Range, Rule, Then, Window

PLAIN_SET = Box(category_under=("C1",), urgency=("urgent",))
ASKED = [
    (Box(words_none=("井盖",)), (True, False, frozenset())),
    (Box(time=(Window(days=("sat",)),)), (False, True, frozenset())),
    (Box(form={"area": Range(at_least=Decimal(1)), "kind": ("a",)}), (False, False, frozenset({"area", "kind"}))),
    (Box(tags=("群体",)), (False, False, frozenset())),
    (Box(medium=("web",)), (False, False, frozenset())),
    (Box(category_under=("(missing)",)), (False, False, frozenset())),
]


def rule(number: int, **more: object) -> Rule:
    return Rule(id=f"r{number}", number=number, name="", then=Then(triage=True), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("box", "asks"), ASKED)
@pytest.mark.parametrize("part", ["when", "any_of", "unless"])
def test_what_rules_ask_for_beyond_plain_values(box: Box, asks: tuple[bool, bool, frozenset[str]], part: str) -> None:
    """Wherever in the condition it stands, also of rules that only add."""
    condition = {part: box if part == "when" else (box,)}
    index = Index([rule(1, when=PLAIN_SET), rule(2, adds=True, **condition)])
    assert index.deep and (index.wordy, index.timed, index.fields) == asks


def test_what_rules_name_column_by_column() -> None:
    index = Index(
        [rule(1, when=PLAIN_SET), rule(2, any_of=(Box(category_under=("C2",)),), unless=(Box(kind=("help",)),))]
    )
    named = dict(zip(COLUMNS, index.named, strict=True))
    assert {column: set(values) for column, values in named.items() if values} == {
        "category_under": {"C1", "C2"}, "urgency": {"urgent"}, "kind": {"help"},
    }  # fmt: skip
    assert not index.deep and COLUMNS[PLAIN - 1] == "urgency"
    assert Index([]).named == (frozenset(),) * len(COLUMNS) and not Index([]).deep


def test_the_columns_are_the_first_fields_of_a_box() -> None:
    """Which is how its cells are taken."""
    assert Box.__struct_fields__[: len(COLUMNS)] == COLUMNS
