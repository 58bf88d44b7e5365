"""The read model: replaying any stretch of the log any number of times gives the same tables."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.reading.made_up import EVENTS, read, whole_life
from tests.unit.reading.test_read_model import SLOT, dump, opened


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 25), st.integers(0, 25), st.integers(1, 7))
def test_projecting_any_suffix_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, once: int, twice: int, size: int
) -> None:
    """Invariant: after the log's end is reached, replaying any suffix any number of times leaves the same tables."""
    log = read([r for pair in zip(whole_life(), whole_life("case-2", "370000-2", "r-2"), strict=True) for r in pair])
    model, projection = opened(tmp_path_factory.mktemp("readmodel"))
    projection.write({SLOT: log})
    before = dump(model)
    for first in (once, twice):
        model.rewind((EVENTS, 0), first)
        projection.resume()
        for start in range(first, len(log), size):
            projection.write({SLOT: log[start : start + size]})
        assert dump(model) == before
    model.close()
