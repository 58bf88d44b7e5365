"""
What a bench found: medians with the least and the most of the repeats, as an object and as Markdown.

    python -m bench.report [result.json]        prints the table for docs/performance.md from a result, the newest without a name
"""

import argparse
import json
import operator
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.hop import Hop
from bench.latency import Latency
from bench.processes import CHECKOUT
from bench.throughput import Throughput

ELSEWHERE = (
    "Not in this bench: many open cases, restore and floods of deadlines (`python -m bench.scale`); matching and "
    "loading rules beside event-ruler (`python -m bench.rules`)."
)
RESULTS = CHECKOUT / "bench/results"
#: Share of the machine that others may use before figures in wall time are called doubtful.
QUIET = 0.05


@dataclass(frozen=True)
class Target:
    """What a figure must reach first and then; None: nothing was set. least: it must be at least that much."""

    least: bool
    first: float | None
    then: float | None
    text: str

    def met(self, value: float) -> list[bool | None]:
        holds: Callable[[float, float], bool] = operator.ge if self.least else operator.le
        return [None if limit is None else holds(value, limit) for limit in (self.first, self.then)]

    def limits(self) -> list[str]:
        return [
            "" if limit is None else f"{'≥' if self.least else '≤'} {number(limit)}"
            for limit in (self.first, self.then)
        ]


#: The figures to reach, for 2 cores with broker and generator on them.
TARGETS = {
    "requests_per_s": Target(True, 3000, 8000, "requests/s end to end"),
    "ours_over_bare_chain": Target(True, 0.4, 0.75, "the same against the bare chain"),
    "ours_over_faust": Target(
        True, 2, 4, "the whole against Faust that passes records through, in the quicker of two widths"
    ),
    "ours_over_kafka_streams_hop": Target(True, 0.7, 1.3, "the engine's hop against Kafka Streams' reduced job"),
    "p50_ms_50": Target(False, 80, 40, "submit → task visible at 50/s, p50 ms"),
    "p99_ms_50": Target(False, None, 120, "the same, p99 ms"),
    "p50_ms_1000": Target(False, 200, 100, "submit → task visible at 1 000/s, p50 ms"),
    "p99_ms_1000": Target(False, 500, 300, "the same, p99 ms"),
}
NAMES = {"duokua": "ours", "bare": "bare", "copy": "aiokafka_copy", "streams": "kafka_streams", "quix": "quix", "faust": "faust"}  # fmt: skip


def machine(kafka: str) -> dict[str, Any]:
    """Where this ran."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu,
        "memory_gb": round(memory / 2**20, 1),
        "python": platform.python_version(),
        "kafka": kafka,
        "commit": _git("rev-parse", "--short=12", "HEAD") + ("+" if _git("status", "--porcelain") else ""),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout.strip()


# -- figures: name → [median, least, most] over the repeats; ratios are taken within a repeat ----------


def chain_figures(rounds: Sequence[Mapping[str, Throughput]]) -> dict[str, list[float]]:
    """The whole chain, and what it is held against. Of one and two workers of Faust the quicker counts."""
    names = ("duokua", "bare", "faust-1", "faust-2")
    per_second = {name: [r[name].per_second for r in rounds if name in r] for name in names}
    whole = {name: [r[name].whole for r in rounds if name in r] for name in ("duokua", "bare")}
    faust = max(("faust-1", "faust-2"), key=lambda name: statistics.median(per_second[name] or [0]))
    return _spread(
        {
            "requests_per_s": per_second["duokua"],
            "requests_per_s_whole": whole["duokua"],
            "bare_chain_per_s": per_second["bare"],
            "bare_chain_per_s_whole": whole["bare"],
            "faust_1_worker_per_s": per_second["faust-1"],
            "faust_2_workers_per_s": per_second["faust-2"],
            "ours_over_bare_chain": _ratios(rounds, "bare", lambda t: t.per_second),
            "ours_over_bare_chain_whole": _ratios(rounds, "bare", lambda t: t.whole),
            "ours_over_bare_chain_by_cpu": _ratios(rounds, "bare", lambda t: 1 / sum(t.cpu_us.values())),
            "ours_over_faust": _ratios(rounds, faust, lambda t: t.per_second),
            "ours_over_faust_by_cpu": _ratios(rounds, faust, lambda t: 1 / sum(t.cpu_us.values())),
            "ours_over_faust_1_worker": _ratios(rounds, "faust-1", lambda t: t.per_second),
        }
    )


def hop_figures(rounds: Sequence[Mapping[str, Hop]]) -> dict[str, list[float]]:
    """The engine's hop, and its peers."""
    figures = {f"{NAMES[n]}_hop_per_s": [r[n].per_second for r in rounds if n in r] for n in NAMES}
    for peer in (n for n in NAMES if n != "duokua"):
        figures[f"ours_over_{NAMES[peer]}_hop"] = _ratios(rounds, peer, lambda h: h.per_second)
        figures[f"ours_over_{NAMES[peer]}_hop_by_cpu"] = _ratios(rounds, peer, lambda h: 1 / sum(h.cpu_us.values()))
    return _spread(figures)


def latency_figures(turns: Iterable[Sequence[Latency]]) -> dict[str, list[float]]:
    """From submit to task, by pace."""
    figures: dict[str, list[float]] = {}
    for one in (one for turn in turns for one in turn):
        for name in ("p50", "p90", "p99"):
            figures.setdefault(f"{name}_ms_{one.rate}", []).append(getattr(one, name))
        figures.setdefault(f"generator_late_ms_{one.rate}", []).append(one.late)
    return _spread(figures)


def _ratios(rounds: Sequence[Mapping[str, Any]], peer: str, speed: Callable[[Any], float]) -> list[float]:
    return [speed(r["duokua"]) / speed(r[peer]) for r in rounds if "duokua" in r and peer in r]


def _spread(figures: Mapping[str, list[float]]) -> dict[str, list[float]]:
    return {n: [_rounded(x) for x in (statistics.median(v), min(v), max(v))] for n, v in figures.items() if v}


def _rounded(value: float) -> float:
    return round(value) if value >= 1000 else round(value, 2)


def cpu(rounds: Sequence[Mapping[str, Throughput | Hop]]) -> dict[str, dict[str, int]]:
    """Contender → process → median microseconds of CPU a request."""
    found = {
        name: [r[name].cpu_us for r in rounds if name in r] for name in dict.fromkeys(n for r in rounds for n in r)
    }
    return {n: {p: round(statistics.median(turn[p] for turn in turns)) for p in turns[0]} for n, turns in found.items()}


def hops(turns: Iterable[Sequence[Latency]]) -> dict[str, dict[str, float]]:
    """Pace → stretch of the way → median milliseconds."""
    by_rate = {f"{found[0].rate}/s": found for found in zip(*turns, strict=True)}
    return {
        rate: {hop: round(statistics.median(one.hops[hop] for one in found), 1) for hop in found[0].hops}
        for rate, found in by_rate.items()
    }


def met(figures: Mapping[str, list[float]]) -> dict[str, list[bool | None]]:
    """Figure → whether it is reached: first, then. None where there is nothing to reach."""
    return {name: target.met(figures[name][0]) for name, target in TARGETS.items() if name in figures}


# -- for people --------------------------------------------------------------------------------------


def markdown(result: Mapping[str, Any]) -> str:
    """All tables of a run."""
    lines = [
        f"# Bench, {result['at']}, commit {result['machine']['commit']}",
        "",
        *about(result),
        ELSEWHERE,
        "",
        "| figure | measured | first | met | then | met |",
        "|---|---|---|---|---|---|",
        *(_row(name, name, figure) for name, figure in result["figures"].items()),
        *(f"| {name} | left out: {why.splitlines()[0]} | | | | |" for name, why in result["left_out"].items()),
        "",
        *_table("CPU, µs a request, whole chain", result["cpu_us"]),
        *_table("CPU, µs a request, the engine's hop", result["hop_cpu_us"]),
        *_table(
            "how wide it ran (processes; threads of Kafka Streams): requests/s when tried", result["tried"], sums=False
        ),
        *_table("bytes written a request", result["bytes"]),
        *_table("ms from the station before, median", result["hops_ms"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def about(result: Mapping[str, Any]) -> list[str]:
    """Where and how a run was."""
    where = result["machine"]
    return [
        f"{where['cores']} cores ({where['cpu']}), {where['memory_gb']} GB, Python {where['python']}, Kafka {where['kafka']}, "
        f"{number(result['requests'])} requests a turn, {result['repeats']} repeats. Broker, generator and all processes on "
        "this machine. Medians, in brackets least – most.",
        f"Others used {where['used_by_others']:.0%} of the machine meanwhile"
        + (": too much for figures in wall time to mean much." if where["used_by_others"] > QUIET else "."),
    ]


def table(result: Mapping[str, Any]) -> str:
    """The rows that have something to reach, as docs/performance.md shows them."""
    rows = [_row(t.text, name, result["figures"][name]) for name, t in TARGETS.items() if name in result["figures"]]
    head = ["| figure | measured | first | met | then | met |", "|---|---|---|---|---|---|"]
    return "\n".join([f"Commit {result['machine']['commit']}. " + " ".join(about(result)), "", *head, *rows])


def _row(text: str, name: str, figure: Sequence[float]) -> str:
    measured = f"{number(figure[0])} ({number(figure[1])} – {number(figure[2])})"
    if name not in TARGETS:
        return f"| {text} | {measured} | | | | |"
    said = [{True: "yes", False: "**no**", None: ""}[holds] for holds in TARGETS[name].met(figure[0])]
    (first, then), (is_first, is_then) = TARGETS[name].limits(), said
    return f"| {text} | {measured} | {first} | {is_first} | {then} | {is_then} |"


def _table(title: str, rows: Mapping[str, Mapping[str, float]], *, sums: bool = True) -> list[str]:
    """Nothing where there are no rows."""
    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    lines = [f"| {title} | {' | '.join(columns)} |{' sum |' if sums else ''}", f"|---|{'---|' * (len(columns) + sums)}"]
    for name, row in rows.items():
        total = f" {round(sum(row.values()), 1)} |" if sums else ""
        lines.append(f"| {name} | {' | '.join(str(row.get(c, '')) for c in columns)} |{total}")
    return [*lines, ""] if rows else []


def number(value: float) -> str:
    return f"{value:,}".replace(",", " ")


def _newest() -> Path:
    """The newest result of a whole run."""
    whole = [path for path in sorted(RESULTS.glob("*.json")) if '"requests_per_s"' in path.read_text("utf-8")]
    return whole[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.report", description="The table of a result of `python -m bench`."
    )
    parser.add_argument(
        "result", nargs="?", type=argparse.FileType(encoding="utf-8"), help="default: the newest whole run"
    )
    chosen = parser.parse_args().result or _newest().open(encoding="utf-8")
    with chosen:
        print(table(json.load(chosen)))
