"""
The compiled index beside the plain reading on very many rule sets: what test_index_equals_naive looks for in depth, in breadth.

    python -m tests.properties.rules.many --sets 1000 --requests 100 --seed 1

Ends with 1 and the seed of the set at the first difference. Sets are of 1 to 100 rules over all columns; requests lean
towards what the rules of their set ask for, so that many rules hold.
"""

import argparse
import random
import sys
from collections import Counter

from router.rules import naive
from router.rules.index import Index
from router.rules.model import COLUMNS, DAYS, EMPTY, MISSING, NULL, PRESENT, Box, Range, Rule, Then, View, Window, fold
from tests.properties.rules.test_index_equals_naive import FLAT, MORNING, NUMBERS, TEXTS, TREE, TREES, VALIDITY, WORDS

HOURS = ("00:00", "06:00", "09:00", "12:30", "22:00")
DAY = 86_400_000
STATES = (MISSING, NULL, EMPTY, PRESENT)


def box(pick: random.Random, columns: float) -> Box:
    """One that names about so many columns."""
    share = columns / len(Box.__struct_fields__)
    asked: dict[str, object] = {
        column: _few(pick, (*(TREE if column in TREES else FLAT), *STATES))
        for column in COLUMNS
        if pick.random() < share
    }
    asked |= {
        column: _few(pick, WORDS, 2) for column in ("words_any", "words_all", "words_none") if pick.random() < share
    }
    if pick.random() < share:
        since, until = pick.sample(HOURS, 2)
        window = Window(days=_few(pick, DAYS), since=since, until=until)
        asked["time"] = (pick.choice(["working_hours", "outside_working_hours", window]),)
    if pick.random() < share:
        low, high = sorted(pick.sample(NUMBERS, 2))
        asked["form"] = {pick.choice("xy"): pick.choice([Range(at_least=low, at_most=high), _few(pick, TEXTS)])}
    return Box(**asked)  # type: ignore[arg-type]


def rule(pick: random.Random, i: int) -> Rule:
    """Numbers collide now and then, which a loader refuses and a matcher must bear."""
    some = tuple(box(pick, 2) for _ in range(pick.choice([0, 0, 0, 1, 2])))
    none = tuple(box(pick, 2) for _ in range(pick.choice([0, 0, 1])))
    return Rule(
        id=f"r{i}", number=pick.randrange(200), name="", when=box(pick, pick.choice([0, 1, 2, 4])), any_of=some, unless=none,
        then=Then(triage=True), adds=pick.random() < 0.3,
        valid_from=pick.choice(VALIDITY) if pick.random() < 0.2 else "", valid_to=pick.choice(VALIDITY) if pick.random() < 0.2 else "",
    )  # fmt: skip


def view(pick: random.Random) -> View:
    """A request as rules see it."""
    return View(
        held=tuple(_held(pick, column) for column in COLUMNS),
        text=fold("".join(pick.choices([*WORDS, " ", "\n"], k=pick.randrange(6)))),
        at=MORNING + pick.randrange(-7 * DAY, 7 * DAY),
        working=pick.random() < 0.5,
        form={field: (*_few(pick, TEXTS, 2), PRESENT) for field in "xy" if pick.random() < 0.6},
    )


def _held(pick: random.Random, column: str) -> tuple[str, ...]:
    if pick.random() < 0.2:
        return (pick.choice(STATES[:3]),)
    if column == "tags":
        return (*_few(pick, FLAT), PRESENT)
    return (*(naive.lineage(TREE, pick.choice(list(TREE))) if column in TREES else (pick.choice(FLAT),)), PRESENT)


def _few(pick: random.Random, of: tuple[str, ...], most: int = 3) -> tuple[str, ...]:
    return tuple(pick.sample(of, pick.randint(1, most)))


def compare(seed: str, requests: int) -> Counter[str]:
    """One set; AssertionError where the two differ. Counts what happened, so that nobody takes an empty run for a good one."""
    pick = random.Random(seed)
    rules = [rule(pick, i) for i in range(pick.randint(1, 100))]
    index, seen = Index(rules), Counter(rules=len(rules))
    for _ in range(requests):
        one, now = view(pick), MORNING + pick.randint(-2, 2) * DAY
        first, adding, every = naive.first(rules, one, now), naive.adding(rules, one, now), naive.every(rules, one, now)
        assert (index.first(one, now), index.adding(one, now), index.every(one, now)) == (first, adding, every), seed
        seen.update(requests=1, decided=first is not None, added=len(adding), held=len(every))
    return seen


def main() -> int:
    asked = argparse.ArgumentParser()
    for name, default in (("sets", 1000), ("requests", 100), ("seed", 1)):
        asked.add_argument(f"--{name}", type=int, default=default)
    said = asked.parse_args()
    seen: Counter[str] = Counter()
    for i in range(said.sets):
        try:
            seen += compare(f"{said.seed}/{i}", said.requests)
        except AssertionError as error:
            sys.stderr.write(f"differs: compare({str(error).splitlines()[0]!r}, {said.requests})\n")
            return 1
    sys.stdout.write(" ".join(f"{name}={count}" for name, count in seen.items()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
