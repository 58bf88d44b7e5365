"""
`python -m tests.simulation [--n N] [--from SEED] [--jobs J]`: that many runs, each from its seed. `--seed S`: one run told.

The last line is one JSON object. Exit code 1 where an invariant did not hold: the seed plays the same run again.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from rich.progress import track

from tests.simulation.story import Result, run, settle

CHUNK = 20


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    asked.add_argument("--n", type=int, default=200, help="how many runs")
    asked.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="the first seed")
    asked.add_argument("--seed", type=int, help="this run alone, and what happened in it")
    asked.add_argument("--jobs", type=int, default=2, help="processes")
    wanted = asked.parse_args()
    began = time.monotonic()
    if wanted.seed is not None:
        seeds = [wanted.seed]
        results: Iterable[Result] = [run(wanted.seed, keep=True)]
    else:
        seeds = list(range(wanted.first, wanted.first + wanted.n))
        results = _many(seeds, wanted.jobs)
    return _report(seeds, results, began)


def _many(seeds: list[int], jobs: int) -> Iterable[Result]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=settle) as pool:
        results = pool.map(run, seeds, chunksize=CHUNK)
        yield from track(results, "模拟 / simulation", len(seeds), disable=not sys.stderr.isatty(), transient=True)


def _report(seeds: list[int], results: Iterable[Result], began: float) -> int:
    counts: Counter[str] = Counter()
    failed = []
    for result in results:
        counts.update(result.counts)
        if result.tail:
            print(result.tail)
        if result.failed:
            failed.append({"seed": result.seed, "why": result.failed})
            print(f"seed {result.seed}: {result.failed}")
            print(f"再现 / again: python -m tests.simulation --seed {result.seed}")
    found = {"runs": len(seeds), "seeds": [seeds[0], seeds[-1]], **counts, "failed": failed}
    print(json.dumps(found | {"seconds": round(time.monotonic() - began, 1)}, ensure_ascii=False))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
