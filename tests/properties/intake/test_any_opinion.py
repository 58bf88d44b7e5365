"""Whatever a platform outside says, what leaves intake is a command that the engine reads."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.intake.platform import SecondOpinion
from router.proposals.propose import Proposer
from tests.unit.intake.test_platform import accepted, proposal, saying

NUMBERS = st.integers() | st.floats() | st.booleans() | st.sampled_from([10**400, 1.0009, "1", None])
OPINIONS = st.none() | st.text() | st.dictionaries(st.sampled_from(["C01", "C0107", "C02", "C99", 1, ""]), NUMBERS)


@settings(max_examples=60)
@given(st.lists(OPINIONS, min_size=1, max_size=3), st.text(), st.floats(0.01, 1))
def test_whatever_it_says_what_leaves_keeps_the_contract(said: list[Any], title: str, threshold: float) -> None:
    """A command that the engine reads back, every score from 0 to 1; nothing is raised."""
    became = [accepted(title) for _ in said]
    judge = Proposer({"C01": "", "C0107": "C01", "C02": ""}, [], None, threshold, "1/a")
    judged = asyncio.run(SecondOpinion(saying(said)).on(became, judge))
    for one in judged:
        made = proposal(one)
        assert made is not None
        assert all(0 <= score <= 1 for score in (made.score, *(guess.score for guess in made.top)))
