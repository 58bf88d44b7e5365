"""Whatever is asked, and whatever somebody outside answers, only entries of ours are shown, and how sure one is."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.intake.knowledge import Knowledge
from tests.unit.intake.test_knowledge import NOW, SHELF, Base, accepted, found_in


@given(st.text(max_size=50), st.text(max_size=200))
def test_a_score_is_from_the_threshold_to_one(title: str, text: str) -> None:
    found = SHELF.find(title, text, NOW)
    assert found is None or (0.5 <= found.score <= 1 and found.version == "7/abc")


SCORES = st.dictionaries(st.sampled_from(["card", "hall-hours", "old", "?"]), st.floats() | st.integers() | st.none())


@settings(max_examples=40)
@given(st.lists(st.none() | SCORES, max_size=3))
def test_whatever_it_says_what_leaves_names_an_entry_of_ours(said: list[Any]) -> None:
    judged = asyncio.run(Knowledge(Base(said)).on([accepted("大厅")] * len(said), SHELF))
    for one in judged:
        found = found_in(one)
        assert found is None or (found.entry in ("card", "hall-hours") and 0 <= found.score <= 1)
