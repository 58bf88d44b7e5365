"""What a bench says follows from what it measured: nothing is met by absence, nothing counts that is not complete."""

from collections import Counter

import pytest

from bench.cluster import Put
from bench.hop import Hop, complete
from bench.report import TARGETS, chain_figures, hop_figures, markdown, met
from bench.stage import Wrong
from bench.throughput import Throughput


def hop(contender: str, per_second: float, cpu_us: int) -> Hop:
    return Hop(contender, 1, 1000, per_second, {"itself": cpu_us, "broker": 0})


def result(**changes: object) -> dict[str, object]:
    machine = {
        "commit": "abc",
        "cores": 2,
        "cpu": "",
        "memory_gb": 8,
        "python": "3.11",
        "kafka": "4",
        "used_by_others": 0,
    }
    tables: dict[str, object] = {name: {} for name in ("figures", "left_out", "tried", "cpu_us", "hop_cpu_us", "bytes", "hops_ms")}  # fmt: skip
    return {"at": "now", "machine": machine, "requests": 1000, "repeats": 2, **tables, **changes}


@pytest.mark.parametrize("name", TARGETS)
def test_a_figure_at_its_limit_is_met_and_beyond_it_is_not(name: str) -> None:
    target = TARGETS[name]
    for n, limit in enumerate((target.first, target.then)):
        if limit is not None:
            worse = limit * (0.99 if target.least else 1.01)
            assert target.met(limit)[n] is True
            assert target.met(worse)[n] is False


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_reached_then_was_reached_first(name: str) -> None:
    target = TARGETS[name]
    if target.first is not None and target.then is not None:
        assert target.met(target.then) == [True, True]


def test_what_was_not_measured_is_not_met() -> None:
    assert met({}) == {}
    assert "ours_over_kafka_streams_hop" not in hop_figures([{"duokua": hop("duokua", 10, 5)}])


def test_ratios_are_taken_within_a_repeat_and_only_where_both_ran() -> None:
    rounds = [
        {"duokua": hop("duokua", 100, 10), "streams": hop("streams", 50, 40)},
        {"duokua": hop("duokua", 900, 10)},
        {"duokua": hop("duokua", 300, 10), "streams": hop("streams", 100, 60)},
    ]
    figures = hop_figures(rounds)
    assert figures["ours_over_kafka_streams_hop"] == [2.5, 2.0, 3.0]
    assert figures["ours_over_kafka_streams_hop_by_cpu"] == [5.0, 4.0, 6.0]


@pytest.mark.parametrize(("one", "two"), [(100, 200), (200, 100)])
def test_the_whole_is_held_against_the_quicker_faust(one: float, two: float) -> None:
    speeds = {"duokua": 400, "bare": 800, "faust-1": one, "faust-2": two}
    turns = {name: Throughput(name, 1000, speed, speed, {"all": 100}) for name, speed in speeds.items()}
    assert chain_figures([turns])["ours_over_faust"][0] == 2.0


def test_a_peer_without_figure_has_a_row_with_the_reason() -> None:
    page = markdown(result(left_out={"quix, engine's hop": "no environment\nsecond line"}))
    assert "| quix, engine's hop | left out: no environment |" in page


def test_a_figure_that_misses_its_target_says_no() -> None:
    page = markdown(result(figures={"ours_over_faust": [3.0, 1.0, 3.5]}))
    assert "| ours_over_faust | 3.0 (1.0 – 3.5) | ≥ 2 | yes | ≥ 4 | **no** |" in page


@pytest.mark.parametrize("came", [["a"], ["a", "b", "b"], ["a", "c"], ["a", "b", "c"], []])
def test_no_turn_counts_whose_output_is_not_each_command_once(came: list[str]) -> None:
    commands = [Put(0, b"a", b""), Put(1, b"b", b"")]
    whole = Counter([b"a", b"b"])
    complete("peer", [whole], commands)
    with pytest.raises(Wrong, match="peer"):
        complete("peer", [whole, Counter(key.encode() for key in came)], commands)
