"""Surges: panes that are kept once give what counting every window anew would give."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from router.insights.surge import Cell, Rule, Sighting, Surge, from_json, to_json

RULE = Rule(size=4, hop=1, floor=3, factor=2.0, trailing=2)
TIMES = st.lists(st.integers(20, 60), max_size=80)


def sighting(at: int, offset: int, partition: int = 0) -> Sighting:
    return Sighting("0203", "371702", "website", at, partition, offset)


def announced(times: list[int], cell: Cell) -> list[Surge]:
    return [surge for offset, at in enumerate(times) if (surge := cell.count(sighting(at, offset), RULE))]


@given(TIMES)
def test_a_window_counts_what_happened_in_it(times: list[int]) -> None:
    """Each window that the rule looks at sums to the sightings that lie in it; what is older is forgotten."""
    cell = Cell.empty()
    announced(times, cell)
    newest = max(times, default=20)
    for end in range(newest + 1 - RULE.memory + RULE.panes, newest + 2):
        assert cell.window(end, RULE) == sum(end - RULE.size <= at < end for at in times if at > newest - RULE.memory)
    assert len(cell.panes) <= RULE.memory


@given(st.lists(st.integers(20, 60), max_size=60).map(sorted))
def test_a_surge_is_announced_when_a_naive_count_says_so(times: list[int]) -> None:
    """In order of time: an announcement holds against counting all windows from the whole history, and windows announced do not overlap."""
    surges = announced(times, Cell.empty())
    for surge in surges:
        assert surge.end - surge.start == RULE.size and surge.count >= RULE.floor
    assert all(a.end <= b.start for a, b in pairwise(surges))
    first = next((i for i, at in enumerate(times) if _naive(times[: i + 1], at)), None)
    assert (first is None) == (not surges)


def _naive(history: list[int], now: int) -> bool:
    counts = [
        sum(now + 1 - RULE.size * (i + 1) <= at < now + 1 - RULE.size * i for at in history)
        for i in range(RULE.trailing + 1)
    ]
    return counts[0] >= RULE.floor and counts[0] >= RULE.factor * sum(counts[1:]) / RULE.trailing


@given(TIMES, st.integers(0, 80), st.integers(0, 80))
def test_counting_any_stretch_again_changes_nothing(times: list[int], first: int, last: int) -> None:
    """A restarted worker reads some records again (at least once): a record counts once, whatever is repeated."""
    once, again = Cell.empty(), Cell.empty()
    announced(times, once)
    announced(times, again)
    for offset in range(min(first, len(times)), min(last, len(times))):
        assert again.count(sighting(times[offset], offset), RULE) is None
    assert again == once


@given(TIMES)
def test_a_cell_survives_its_changelog(times: list[int]) -> None:
    """What is restored is what was written."""
    cell = Cell.empty()
    announced(times, cell)
    assert from_json(to_json(cell)) == cell
    assert from_json(None) == Cell.empty()
