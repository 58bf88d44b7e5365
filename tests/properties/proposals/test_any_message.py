"""Whatever a message says, what is proposed for it are probabilities."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.proposals.test_propose import proposer


@settings(max_examples=30)
@given(st.text(), st.text(), st.floats(0.01, 1))
def test_whatever_the_message(title: str, text: str, threshold: float) -> None:
    """Probabilities of the first level, best first, and a category only where it is likely enough."""
    said = proposer(threshold).propose(title, text)
    scores = [guess.score for guess in said.top]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] <= scores[0] <= 1
    assert sum(scores) == pytest.approx(1, abs=2e-3)  # three roots, three guesses
    assert (said.score >= round(threshold, 4)) if said.category else said.score == 0
    assert said == proposer(threshold).propose(title, text)
