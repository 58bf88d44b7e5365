"""What a bench found: medians with the least and the most of the repeats, as an object and as Markdown."""

import os
import platform
import statistics
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.latency import Latency
from bench.processes import CHECKOUT
from bench.throughput import Throughput

#: figure → (what it must reach first, what then); design figures for 2 cores with broker and generator on them.
TARGETS = {
    "requests_per_s": ("≥ 3 000", "≥ 8 000"),
    "ours_over_bare_chain": ("≥ 0.4", "≥ 0.75"),
    "ours_over_faust": ("≥ 2", "≥ 4"),
    "p50_ms_50": ("≤ 80", "≤ 40"),
    "p99_ms_50": ("", "≤ 120"),
    "p50_ms_1000": ("≤ 200", "≤ 100"),
    "p99_ms_1000": ("≤ 500", "≤ 300"),
}
#: Share of the machine that others may use before figures in wall time are called doubtful.
QUIET = 0.05


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


def summary(rounds: list[dict[str, Throughput]], latencies: list[list[Latency]]) -> dict[str, Any]:
    """Every figure as [median, least, most] over the repeats; ratios are taken within a repeat."""
    figures: dict[str, list[float]] = {
        "requests_per_s": [r["duokua"].per_second for r in rounds],
        "requests_per_s_whole": [r["duokua"].whole for r in rounds],
        "bare_chain_per_s": [r["bare"].per_second for r in rounds],
        "bare_chain_per_s_whole": [r["bare"].whole for r in rounds],
        "faust_per_s": [r["faust"].per_second for r in rounds],
        "ours_over_bare_chain": [r["duokua"].per_second / r["bare"].per_second for r in rounds],
        "ours_over_bare_chain_whole": [r["duokua"].whole / r["bare"].whole for r in rounds],
        "ours_over_faust": [r["duokua"].per_second / r["faust"].per_second for r in rounds],
    }
    for name, contender in (("ours", "duokua"), ("bare_chain", "bare"), ("faust", "faust")):
        figures[f"cpu_us_{name}"] = [sum(r[contender].cpu_us.values()) for r in rounds]
    for found in latencies:
        for one in found:
            for name in ("p50", "p90", "p99"):
                figures.setdefault(f"{name}_ms_{one.rate}", []).append(getattr(one, name))
            figures.setdefault(f"generator_late_ms_{one.rate}", []).append(one.late)
    return {name: [_rounded(x) for x in (statistics.median(v), min(v), max(v))] for name, v in figures.items()}


def _rounded(value: float) -> float:
    return round(value) if value >= 1000 else round(value, 2)


def cpu(rounds: list[dict[str, Throughput]]) -> dict[str, dict[str, int]]:
    """Contender → process → median microseconds of CPU a request."""
    return {
        name: {p: round(statistics.median(r[name].cpu_us[p] for r in rounds)) for p in rounds[0][name].cpu_us}
        for name in rounds[0]
    }


def hops(latencies: list[list[Latency]]) -> dict[str, dict[str, float]]:
    """Pace → stretch of the way → median milliseconds."""
    by_rate = {f"{found[0].rate}/s": found for found in zip(*latencies, strict=True)}
    return {
        rate: {hop: round(statistics.median(one.hops[hop] for one in found), 1) for hop in found[0].hops}
        for rate, found in by_rate.items()
    }


def markdown(result: dict[str, Any]) -> str:
    """The tables, for people."""
    where = result["machine"]
    lines = [
        f"# Bench, {result['at']}, commit {where['commit']}",
        "",
        f"{where['cores']} cores ({where['cpu']}), {where['memory_gb']} GB, Python {where['python']}, Kafka {where['kafka']}, "
        f"{result['requests']} requests a turn, {result['repeats']} repeats. Broker, generator and all processes on this "
        "machine. Medians, in brackets least – most.",
        f"Others used {where['used_by_others']:.0%} of the machine meanwhile"
        + (": too much for figures in wall time to mean much." if where["used_by_others"] > QUIET else "."),
        "",
        "| figure | measured | first | then |",
        "|---|---|---|---|",
        *(
            f"| {name} | {_number(m)} ({_number(low)} – {_number(high)}) | {' | '.join(TARGETS.get(name, ('', '')))} |"
            for name, (m, low, high) in result["figures"].items()
        ),
        "",
        *_table("CPU, µs a request", result["cpu_us"]),
        "",
        *_table("bytes written a request", result["bytes"]),
        "",
        *_table("ms from the station before, median", result["hops_ms"]),
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    return [
        f"| {title} | {' | '.join(columns)} | sum |",
        f"|---|{'---|' * (len(columns) + 1)}",
        *(
            f"| {name} | {' | '.join(str(row.get(c, '')) for c in columns)} | {round(sum(row.values()), 1)} |"
            for name, row in rows.items()
        ),
    ]


def _number(value: float) -> str:
    return f"{value:,}".replace(",", " ")
