"""Breadth: a few of the sets that `python -m tests.properties.rules.many` goes through by the thousand."""

import pytest

from router.rules.index import Index
from tests.properties.rules import many


def test_some_sets_are_matched_alike_and_much_happens_in_them() -> None:
    seen = sum((many.compare(f"1/{i}", 20) for i in range(10)), many.Counter())
    assert seen["decided"] > seen["requests"] / 2 and seen["held"] > seen["requests"] and seen["added"] > 50


def test_a_matcher_that_forgets_a_part_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rules that add, or blind for keywords, the two differ at once."""
    for part, broken in (("adding", lambda self, view, now: ()), ("_found", lambda self, view: ())):
        with monkeypatch.context() as patched:
            patched.setattr(Index, part, broken)
            with pytest.raises(AssertionError):
                many.compare("1/0", 50)
