"""How fast memory grows: a robust slope for each incarnation of a process, and their spread for each role."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

POINTS = 120
"""Samples that a slope is computed of; more are thinned out."""
SETTLE, SHARE = 60.0, 0.4
"""Of the beginning so many seconds, or this share of a life, are not looked at: a process fills its caches and buffers."""
LONG = 90.0
"""An incarnation must have lived so long after that."""

Samples = Sequence[tuple[float, float]]


def rss_mb(pid: int) -> float | None:
    """Resident memory; None when the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None


def slope(samples: Samples) -> float | None:
    """MB an hour by Theil and Sen, the median of the slopes between all pairs; None for too short a life."""
    steady = _steady(samples)
    if not steady or steady[-1][0] - steady[0][0] < LONG:
        return None
    thinned = steady[:: max(1, len(steady) // POINTS)]
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in combinations(thinned, 2) if t > s]
    return statistics.median(slopes) * 3600 if slopes else None


def _steady(samples: Samples) -> Samples:
    begin, end = (samples[0][0], samples[-1][0]) if samples else (0.0, 0.0)
    return [(at, mb) for at, mb in samples if at - begin >= max(SETTLE, SHARE * (end - begin))]


def by_role(incarnations: Mapping[str, Sequence[Samples]]) -> dict[str, dict[str, float]]:
    """For each role: the median slope of its incarnations, the least and the greatest, how many there were."""
    said = {}
    for role, lives in incarnations.items():
        slopes = [s for life in lives if (s := slope(life)) is not None]
        if slopes:
            longest = max(lives, key=lambda life: life[-1][0] - life[0][0] if life else 0)
            said[role] = {
                "mb_per_hour": round(statistics.median(slopes), 1),
                "least": round(min(slopes), 1),
                "greatest": round(max(slopes), 1),
                "of": len(slopes),
                "longest": round(slope(longest) or 0.0, 1),
                "mb_settled": round(_steady(longest)[0][1], 1),
                "mb_at_end": round(longest[-1][1], 1),
            }
    return said
