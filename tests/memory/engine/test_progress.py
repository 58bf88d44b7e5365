"""A shard that stands still is seen, in whichever of its four ways; one that works is never taken for one."""

import pytest

from router.engine.progress import GROUP, HEALTHY_SECONDS, STALLED_SECONDS, Progress

LOOK = 5.0


class Notes(Progress):
    """Progress on a clock in the test's hand."""

    def __init__(self) -> None:
        self.at = 1000.0
        super().__init__(lambda: self.at)


@pytest.fixture
def notes() -> Notes:
    notes = Notes()
    notes.assigned()
    return notes


def test_a_loop_that_hangs(notes: Notes) -> None:
    """It last turned long ago."""
    assert notes.stalled({0: notes.at - STALLED_SECONDS - 1, 1: notes.at}) == [0]


def test_a_shard_that_fails_for_ever(notes: Notes) -> None:
    """Each take-over succeeds and each batch fails: every shard object is young, and still nothing moves."""
    for _ in range(int(STALLED_SECONDS / LOOK) + 1):
        notes.failed(2)
        notes.seen(2, 5, 5)
        notes.at += LOOK
    assert notes.stalled({2: notes.at}) == [2]


def test_a_shard_that_failed_and_is_well_again(notes: Notes) -> None:
    """A failure long ago is not a stall today."""
    notes.failed(2)
    notes.at += HEALTHY_SECONDS + 1
    notes.seen(2, 5, 5)
    notes.at += STALLED_SECONDS
    notes.failed(2)
    assert notes.stalled({2: notes.at}) == []


def test_a_consumer_that_brings_nothing(notes: Notes) -> None:
    """Records wait and the position stays; an idle shard and a slow one are none of it."""
    for step in range(int(STALLED_SECONDS / LOOK) + 2):
        notes.seen(0, 5, 9)
        notes.seen(1, 5, 5)
        notes.seen(2, step, 10_000)
        notes.at += LOOK
    assert notes.stalled(dict.fromkeys((0, 1, 2), notes.at)) == [0]


def test_a_group_that_gives_out_nothing(notes: Notes) -> None:
    """A rebalance that does not end leaves no shard that could be seen to stand still."""
    notes.unassigned()
    assert notes.is_unassigned
    notes.at += STALLED_SECONDS + 1
    assert notes.stalled({}) == [GROUP]
    notes.assigned()
    assert notes.stalled({}) == []
