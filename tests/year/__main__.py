"""`python -m tests.year`: a year of a city on the real engine, in compressed time, and its recount."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from adapters.kafka.embedded.faults import KafkaFault
from tests.year.run import Found, Wanted, run

SHOWN = 40


def main() -> int:
    wanted = _asked()
    began = time.monotonic()
    try:
        found = asyncio.run(run(wanted, _note))
    except KeyboardInterrupt:
        return 130
    except KafkaFault as fault:
        _note(f"Kafka 没能启动 / Kafka does not start: {fault}")
        return 3
    _show(found)
    if found.passed:
        shutil.rmtree(wanted.folder, ignore_errors=True)
    else:
        _note(f"运行目录保留 / the run's folder stays: {wanted.folder}")
    print(json.dumps(_result(found, wanted, time.monotonic() - began), ensure_ascii=False))
    return 0 if found.passed else 1


def _asked() -> Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.year", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="诉求件数 / requests")
    parser.add_argument("--days", type=int, default=365, help="天数 / days of calls")
    parser.add_argument("--minutes", type=float, default=30.0, help="这些天用几分钟 / minutes that they take")
    parser.add_argument("--after", type=int, default=60, help="其后再走几天 / days after the last call")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="在这里建运行目录 / where the run's folder is made")
    asked = parser.parse_args()
    if asked.cases < 1 or asked.days < 1 or asked.minutes <= 0:
        parser.error("--cases >= 1, --days >= 1, --minutes > 0")
    folder = Path(tempfile.mkdtemp(prefix="duokua-year-", dir=asked.folder))
    return Wanted(asked.cases, asked.days, asked.minutes, asked.seed, folder, asked.after)


def _show(found: Found) -> None:
    told = found.counted
    for name, count in sorted(told.done.items()):
        _note(f"{count:>9}  {name}" + (f"  ({told.refused[name]} refused)" if told.refused[name] else ""))
    for name, count in sorted(told.checked.items()):
        _note(f"{count:>9}  {name}.sql")
    for breach in told.wrong[:SHOWN]:
        _note(f"!! {breach}")
    for name in told.missing:
        _note(f"-- never / 没有发生: {name}")


def _result(found: Found, wanted: Wanted, took: float) -> dict[str, object]:
    told = found.counted
    return {
        "seed": wanted.seed,
        "sent": found.sent,
        "cases": told.cases,
        "open": told.open,
        **{what: told.counts[what] for what in ("missed", "doubled", "early", "late")},
        "fired": sum(n for name, n in told.counts.items() if name.startswith("marks: ")),
        "latest": str(timedelta(milliseconds=told.latest)),
        "checked": dict(told.checked),
        "wrong": len(told.wrong),
        "kinds": sum(bool(n) for n in told.done.values()),
        "missing": told.missing,
        "behind": found.behind,
        "rates": told.by_product,
        "rates_by_sql": told.by_sql,
        "exits": dict(found.exits),
        "minutes": round(took / 60, 1),
        "pass": found.passed,
    }


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
