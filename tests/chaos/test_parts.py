"""What a run relies on beside the audit: the schedule, the proxy's eye for frames, the broker's segments, the slopes."""

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.crash import POINTS
from tests.chaos.faults import DONE
from tests.chaos.load import Maker
from tests.chaos.proxy import Frames
from tests.chaos.rss import by_role, slope
from tests.chaos.schedule import KINDS, LAST, SECONDS, kinds, plan
from tests.chaos.segments import HEADER, Written, batches, breaches

# -- the schedule --------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.sampled_from([1, 3]))
def test_every_kind_of_fault_comes_up_in_five_minutes(seed: int, brokers: int) -> None:
    made = plan(seed, 300, brokers)
    assert made == plan(seed, 300, brokers)
    assert len({fault.kind for fault in made}) >= len(kinds(brokers)) - 1
    for one, other in itertools.pairwise(made):
        assert one.at + SECONDS[one.kind] <= other.at
    assert made[-1].at + SECONDS[made[-1].kind] <= 300 - LAST + 0.1


def test_whatever_is_planned_can_be_done() -> None:
    table = kinds(1) | kinds(3)
    assert table.keys() == DONE.keys() == SECONDS.keys()
    assert set(KINDS["crash"]) == POINTS.keys()


# -- the proxy -----------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=12), st.lists(st.integers(1, 30), max_size=60))
def test_frames_are_found_however_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    """Each frame once, with its first bytes, at the place where it begins."""
    frames = [len(body).to_bytes(4) + body for body in (b"\0\x1a\0\1" + body for body in bodies)]
    stream, starts = b"".join(frames), [sum(map(len, frames[:n])) for n in range(len(frames))]
    eye, found, at = Frames(8), [], 0
    for size in [*cuts, len(stream)]:
        piece = stream[at : at + size]
        found += [(at + offset, head) for offset, head in eye.feed(piece)]
        at += len(piece)
    assert found == [(start, stream[start : start + 8]) for start in starts]


# -- the segments --------------------------------------------------------------------------------------


def written(offset: int, producer: int, epoch: int, marker: bool = False, transactional: bool = True) -> Written:
    return Written(offset, producer, epoch, marker, transactional)


def test_who_takes_over_with_a_higher_epoch_is_right() -> None:
    log = [written(0, 7, 0), written(2, 7, 0, True), written(3, 7, 1), written(4, 7, 2, True), written(5, 7, 3)]
    assert not list(breaches(log))


@pytest.mark.parametrize(
    "last",
    [written(9, 7, 0), written(9, 7, 1, True), written(9, 7, 5, transactional=False)],
    ids=["a zombie's batch", "a zombie's marker", "outside a transaction"],
)
def test_what_a_fenced_producer_wrote_is_found(last: Written) -> None:
    assert len(list(breaches([written(0, 7, 0), written(1, 7, 2), last]))) == 1


def test_a_producer_that_was_replaced_and_writes_again_is_found() -> None:
    assert list(breaches([written(0, 7, 0), written(1, 8, 0), written(2, 7, 1)]))


def test_batches_are_read_from_files_in_their_order_and_a_torn_one_is_left_out(tmp_path: Path) -> None:
    def batch(base: int, attributes: int, epoch: int, body: bytes) -> bytes:
        length = HEADER.size - 12 + len(body)
        return HEADER.pack(base, length, 0, 2, 0, attributes, 0, 0, 0, 7, epoch, 0, 1) + body

    first = batch(0, 0x10, 1, b"x" * 50) + batch(5, 0x30, 1, b"y")
    (tmp_path / "00000000000000000000.log").write_bytes(first)
    (tmp_path / "00000000000000000006.log").write_bytes(batch(6, 0x10, 2, b"z" * 9) + b"\0" * 20)
    assert list(batches(tmp_path)) == [written(0, 7, 1), written(5, 7, 1, True), written(6, 7, 2)]


# -- the slopes ----------------------------------------------------------------------------------------


def test_a_slope_is_found_under_noise_and_after_the_start(tmp_path: Path) -> None:
    draw = random.Random(1)
    life = [(float(t), 80 + 40 * min(t, 50) / 50 + 12 * t / 3600 + draw.uniform(-2, 2)) for t in range(0, 1200, 2)]
    life[200] = (400.0, 900.0)
    measured = slope(life)
    assert measured is not None and 9 < measured < 15
    assert slope(life[:60]) is None
    said = by_role({"engine": [life, life[:60]], "intake": [life[:60]]})
    assert said.keys() == {"engine"} and said["engine"]["of"] == 1


# -- the load ------------------------------------------------------------------------------------------


class _Sample:
    """Requests that only need names."""

    def __init__(self) -> None:
        self.made = 0

    def take(self, count: int) -> list[object]:
        from bench.sample import Request

        self.made += count
        return [Request("grid", f"r-{self.made}", b'{"data": {"title": "t"}}')]


def test_the_same_seed_sends_the_same_and_every_kind() -> None:
    rows = [[made for made, _ in zip(Maker(_Sample(), 5), range(2000), strict=False)] for _ in range(2)]  # type: ignore[arg-type]
    assert rows[0] == rows[1]
    assert {made.kind for made in rows[0]} == {
        "new", "duplicate", "reused", "bad", "supplemented", "withdrawn", "evaluated", "orphan",
    }  # fmt: skip
    assert [made.number for made in rows[0]] == list(range(1, 2001))
