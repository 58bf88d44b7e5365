"""The floor between batches: none for a loop that rests or is behind, bounded for all others."""

from hypothesis import given
from hypothesis import strategies as st

from router.operate.floor import Floor

FULL, LONGEST = 400, 0.08

seconds = st.floats(0, 10, allow_nan=False)


@given(st.lists(st.tuples(seconds, seconds, st.integers(0, FULL)), max_size=50))
def test_no_rest_is_longer_than_the_floor_and_a_full_batch_has_none(batches: list[tuple[float, float, int]]) -> None:
    floor = Floor(LONGEST, FULL)
    for worked, waited, records in batches:
        rest = floor.rest(worked, waited, records)
        assert 0 <= rest <= LONGEST
        assert 0 <= floor.busy <= 1
        assert not rest or records < FULL


def test_who_rests_answers_at_once() -> None:
    """A request now and then, each of which takes a tenth of the time that passes between two."""
    floor = Floor(LONGEST, FULL)
    assert not any(floor.rest(0.010, 0.100, 1) for _ in range(100))


def test_under_load_a_batch_fills_until_transactions_take_a_modest_share() -> None:
    """Records come all the time: the next is there as soon as the loop looks."""
    floor, took, rests = Floor(LONGEST, FULL), 0.010, [0.0]
    for _ in range(100):
        rests.append(floor.rest(took, rests[-1], 5))
    assert 2 * took < took + rests[-1] < LONGEST
