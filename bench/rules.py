"""
Matching rules beside event-ruler (Java) and zen-engine (Rust), with the same rules and requests, in the same run.

    python -m bench.rules [--sizes N ...] [--variants NAME ...] [--requests N] [--repeats N]

What is timed: a request as bytes → JSON parse → all rules that hold, by order → the first is kept. Each contender is a
process of its own and gives the CPU of the thread that matches, so that a busy machine weighs little. All answer every request
before anything is timed, and must agree. Progress goes to stderr, tables and raw figures to bench/results/, and one
JSON object is the last line of stdout. Exit codes: 0 measured, 1 the contenders do not agree or one ended, 3 a peer cannot be had.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import orjson

from adapters.clock import Clock, to_text
from adapters.kafka.embedded import KafkaFault
from adapters.kafka.embedded.java import find_java, version_of
from bench import report, rules_set
from bench.hop import PEERS_PYTHON
from bench.peers import java
from bench.processes import CHECKOUT, Died, Others
from bench.rules_set import Trees
from router.catalogue.load import load

HERE = Path(__file__).parent
JVM = ("-Xms1g", "-Xmx5g", "-XX:+UseParallelGC")
SIZES = (100, 1000, 10_000, 100_000)
SLOW = 1000
"""The sets up to this size are asked by all of zen's calls; of larger ones it gets only FEW requests."""
FEW = 200
ZEN_CALLS = ("first", "batch", "async", "get_decision", "create_decision", "loader_in_python")
PATIENCE = 240.0
"""Seconds until an order is given up."""
WARM, IDLE, SETTLED = (10, 40), 5, 0.97
"""A JVM warms up in 10 to 40 turns: until IDLE of them in a row were not better than this share of the best before."""
CALLS = ("text", "tree")
"""How event-ruler is given a request: as a string, or as the tree that Jackson made of it."""
FORMS = ("prefix", "lines")
"""How event-ruler is given trees (rules_set.to_ruler); both are tried with both CALLS, the quickest counts."""


class Disagree(Exception):
    """Two contenders give different answers; the text says to which request."""


class Contender:
    """A process that obeys orders on stdin, one a line, and answers each with one line of JSON."""

    def __init__(self, name: str, command: Sequence[str | Path]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, *order: object) -> dict[str, Any]:
        """Raises Died when no answer comes."""
        assert self._process.stdin and self._process.stdout
        line = ""
        if self._process.poll() is None:
            self._process.stdin.write(" ".join(map(str, order)) + "\n")
            self._process.stdin.flush()
            watch = threading.Timer(PATIENCE, self._process.kill)
            watch.start()
            line = self._process.stdout.readline()
            watch.cancel()
        if not line:
            raise Died(f"{self.name}: no answer to {order[0]} in {PATIENCE:.0f} s, or it ended")
        found: dict[str, Any] = json.loads(line)
        return found


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Course:
    """One rule set, its requests, and the files in which each contender finds them."""

    def __init__(self, trees: Trees, variant: str, size: int, requests: list[rules_set.Request], folder: Path) -> None:
        self.variant, self.size, self.folder = variant, size, folder
        self.rules = rules_set.rules(trees, size, variant)
        self._write("rules.jsonl", map(msgspec.to_builtins, self.rules))
        self._write("requests.jsonl", iter(requests))
        self._write("lines.jsonl", (rules_set.with_lines(trees, request) for request in requests))
        self._write("few.jsonl", iter(requests if size <= SLOW else requests[:FEW]))
        for form in FORMS:
            patterns = ((r.number, rules_set.to_ruler(trees, r, form == "lines")) for r in self.rules[:-1])
            (folder / f"{form}.tsv").write_bytes(b"".join(b"%d\t%b\n" % (n, orjson.dumps(p)) for n, p in patterns))
        for policy in ("first", "collect"):
            (folder / f"{policy}.json").write_bytes(orjson.dumps(rules_set.to_zen(trees, self.rules, policy)))

    def _write(self, name: str, rows: Any) -> None:
        (self.folder / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def check(self, first: str, second: str, rest: bool) -> list[int]:
        """Raises Disagree; gives how many rules held for each request. rest: the second knows no rule that always holds."""
        here, there = (list(map(json.loads, (self.folder / name).read_text().splitlines())) for name in (first, second))
        for n, (mine, other) in enumerate(zip(here, there, strict=False)):
            if mine != other + [self.size] * rest:
                raise Disagree(f"{self.variant}, {self.size} rules, request {n}: {first} {mine}, {second} {other}")
        return [len(row) for row in here]


def measure(course: Course, ruler: Sequence[str], repeats: int) -> dict[str, Any]:
    """All figures of one rule set."""
    folder = course.folder
    with Contender("duokua", (sys.executable, "-m", "bench.rules_duokua")) as ours:
        found: dict[str, Any] = {"loading": {"duokua": ours.ask("load", folder / "rules.jsonl")}}
        ours.ask("read", folder / "requests.jsonl")
        ours.ask("answers", folder / "duokua.txt")
        ours.ask("turn", "every")
        with Contender("event-ruler", ruler) as first, Contender("event-ruler", ruler) as second:
            peer, call = _quickest(course, dict(zip(FORMS, (first, second), strict=True)), found)
            with Contender("zen-engine", (PEERS_PYTHON, HERE / "peers/rules_zen.py")) as zen:
                found["loading"]["zen"] = zen.ask("load", folder)
                zen.ask("read", folder / "few.jsonl")
                zen.ask("answers", folder / "zen.txt")
                held = course.check("duokua.txt", "zen.txt", rest=False)
                found["matches"] = round(statistics.mean(held), 2)
                turns = {
                    "duokua": lambda: ours.ask("turn", "every"),
                    "ruler": lambda: peer.ask("turn", call),
                    "zen": lambda: zen.ask("turn", "collect"),
                }
                found["rounds"] = [_round(turns, n) for n in range(repeats)]
                if course.size <= SLOW:
                    found["zen_calls"] = {one: round(zen.ask("turn", one)["us"], 1) for one in ZEN_CALLS}
        for what in ("first", "route"):
            ours.ask("turn", what)  # `route` fills its cache
            found[what] = min(ours.ask("turn", what)["us"] for _ in range(repeats))
    return found


def _round(turns: dict[str, Callable[[], dict[str, Any]]], n: int) -> dict[str, dict[str, Any]]:
    """One turn of each, in another order every time."""
    names = [*turns]
    return {name: turns[name]() for name in names[n % len(names) :] + names[: n % len(names)]}


def _quickest(course: Course, peers: dict[str, Contender], found: dict[str, Any]) -> tuple[Contender, str]:
    """Warm in each form and each way to parse; all must answer alike. The quickest goes on, the other's process ends."""
    tried: dict[tuple[str, str], float] = {}
    for form, peer in peers.items():
        try:
            loaded = peer.ask("load", course.folder / f"{form}.tsv")
        except Died as error:
            found.setdefault("left_out", []).append(f"trees as {form}: {error}")
            continue
        peer.ask("read", course.folder / ("lines.jsonl" if form == "lines" else "requests.jsonl"))
        peer.ask("answers", course.folder / f"{form}.txt")
        course.check("duokua.txt", f"{form}.txt", rest=True)
        found["loading"][f"ruler, {form}"] = loaded
        tried |= {(form, call): us for call, us in _warm(peer).items()}
    if not tried:
        raise Died("event-ruler loaded the rules in no form")
    form, call = min(tried, key=lambda one: tried[one])
    found["loading"]["ruler"] = found["loading"][f"ruler, {form}"]
    found["tried"] = {f"{form}, {call}": round(us, 1) for (form, call), us in tried.items()}
    found["form"] = f"{form}, {call}"
    for other in peers.keys() - {form}:
        peers[other].__exit__()
    return peers[form], call


def _warm(peer: Contender) -> dict[str, float]:
    """Turns of both ways to parse, by turns, until neither gets better any more: the best of each."""
    best, idle = dict.fromkeys(CALLS, float("inf")), 0
    for n in range(WARM[1]):
        now = {call: peer.ask("turn", call)["us"] for call in CALLS}
        idle = 0 if any(now[call] < best[call] * SETTLED for call in CALLS) else idle + 1
        best = {call: min(best[call], now[call]) for call in CALLS}
        if n >= WARM[0] and idle >= IDLE:
            break
    return best


# -- what came of it -----------------------------------------------------------------------------------


def ratios(found: dict[str, Any], key: str = "us", peer: str = "ruler") -> list[float]:
    """Duokua's time over a peer's, within each repeat: median, least, most."""
    each = [turn["duokua"][key] / turn[peer][key] for turn in found["rounds"]]
    return [round(x, 3) for x in (statistics.median(each), min(each), max(each))]


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The last line: ratios by size, and what loading takes."""
    said: dict[str, Any] = {}
    for variant, by_size in result["figures"].items():
        of = "" if variant == rules_set.VARIANTS[0] else f"_{variant}"
        said[f"ruler_ratio{of}"] = {size: ratios(found)[0] for size, found in by_size.items()}
        said[f"ruler_ratio_wall{of}"] = {size: ratios(found, "wall_us")[0] for size, found in by_size.items()}
        said[f"loading_s{of}"] = {
            size: round(found["loading"]["duokua"]["cpu_s"], 2) for size, found in by_size.items()
        }
    return said | {name: result["machine"][name] for name in ("commit", "cores", "used_by_others")}


def markdown(result: dict[str, Any]) -> str:
    """The tables of a run."""
    where = result["machine"]
    lines = [
        f"# Rules, {result['at']}, commit {where['commit']}",
        "",
        f"{where['cores']} cores ({where['cpu']}), {where['memory_gb']} GB, Python {where['python']}, Java {where['java']}. "
        f"{result['requests']} requests a turn, {result['repeats']} repeats. Others used {where['used_by_others']:.0%} of the machine.",
        "CPU of the matching thread, µs a request: JSON parsed, all rules that hold, by order, the first kept. Medians, in brackets least – most.",
    ]
    for variant, by_size in result["figures"].items():
        lines += [
            "",
            f"## {variant}",
            "",
            "| rules | hold | Duokua | event-ruler | zen-engine | Duokua / event-ruler | the same, wall time | first only | route, cached |",
            "|---|---|---|---|---|---|---|---|---|",
            *(_row(size, found) for size, found in by_size.items()),
            "",
            "| loading: CPU s (MB) | Duokua, of it the index | event-ruler | zen-engine |",
            "|---|---|---|---|",
            *(_loading(size, found["loading"]) for size, found in by_size.items()),
        ]
        calls = {size: found["zen_calls"] for size, found in by_size.items() if "zen_calls" in found}
        if calls:
            lines += ["", f"| zen's other calls | {' | '.join(ZEN_CALLS)} |", f"|---|{'---|' * len(ZEN_CALLS)}"]
            lines += [f"| {size} | {' | '.join(str(us[call]) for call in ZEN_CALLS)} |" for size, us in calls.items()]
        lines += ["", "event-ruler, the quickest of what was tried: "]
        lines += [f"- {size}: {found['form']}; tried {found['tried']}" for size, found in by_size.items()]
        lines += [f"- {size}: left out: {why}" for size, found in by_size.items() for why in found.get("left_out", ())]
    return "\n".join(lines) + "\n"


def _row(size: str, found: dict[str, Any]) -> str:
    cells = [_spread([turn[name]["us"] for turn in found["rounds"]]) for name in ("duokua", "ruler", "zen")]
    shares = ["{} ({} – {})".format(*ratios(found, key)) for key in ("us", "wall_us")]
    return (
        f"| {size} | {found['matches']} | {' | '.join(cells + shares)} | {found['first']:.1f} | {found['route']:.1f} |"
    )


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} – {max(values):.1f})"


def _loading(size: str, loading: dict[str, Any]) -> str:
    cells = [f"{loading[name]['cpu_s']:.2f} ({loading[name]['mb']:.0f})" for name in ("duokua", "ruler", "zen")]
    cells[0] = f"{loading['duokua']['cpu_s']:.2f}, {loading['duokua']['index_s']:.2f} ({loading['duokua']['mb']})"
    return f"| {size} | {' | '.join(cells)} |"


def run(options: argparse.Namespace, env: dict[str, str]) -> dict[str, Any]:
    others, catalogue, now = Others(), load(CHECKOUT / "catalog"), Clock().now()
    trees = Trees(catalogue)
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="duokua-rules-") as scratch:
        ruler = java.program(
            HERE / "rules_ruler/RulerPeer.java", HERE / "rules_ruler/jars.lock", Path(scratch), env, jvm=JVM
        )
        for variant in options.variants:
            requests = rules_set.requests(catalogue, trees, options.requests, variant, now)
            for size in options.sizes:
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    found = measure(Course(trees, variant, size, requests, Path(folder)), ruler, options.repeats)
                figures.setdefault(variant, {})[str(size)] = found
                say(f"{variant}, {size} rules: " + "{} × event-ruler ({} – {})".format(*ratios(found)))
    machine = report.machine("") | {"java": version_of(find_java(env)), "used_by_others": round(others.share(), 3)}
    return {
        "at": to_text(now // 1000 * 1000),
        "machine": machine,
        "requests": options.requests,
        "repeats": options.repeats,
        "figures": figures,
    }


def main(env: dict[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="default: %(default)s")
    parser.add_argument(
        "--variants", nargs="+", choices=rules_set.VARIANTS, default=rules_set.VARIANTS[:2], help="default: %(default)s"
    )
    parser.add_argument("--requests", type=int, default=3000, help="a turn (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    try:
        result = run(parser.parse_args(), env)
    except (Disagree, Died, java.DoesNotCompile) as error:
        say(f"{type(error).__name__}: {error}")
        return 1
    except (KafkaFault, FileNotFoundError) as error:
        say(f"a peer is missing (make bench-rules sets them up): {error}")
        return 3
    path = report.RESULTS / f"rules-{result['at'][:19].replace(':', '')}-{result['machine']['commit'].rstrip('+')}.md"
    path.write_text(markdown(result), "utf-8")
    path.with_suffix(".json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(path.read_text("utf-8"))
    print(json.dumps(summary(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main(dict(os.environ)))
