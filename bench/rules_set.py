"""
Rule sets and requests that Duokua, event-ruler and zen-engine can all read, and the same set in the words of each.

A small set speaks for the whole province, category by category; what comes beyond the first EVERYWHERE rules
is for a place. Categories and places are drawn evenly from the whole trees of the catalogue, so broad cells are as rare
as broad codes. Nothing is asked that one of the three could not be asked: no keywords, no time windows, no states.
"""

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson

from bench.sample import CHANNELS, KINDS, SEED, Sample
from router.catalogue.catalogue import Catalogue
from router.rules.model import Bearer, Box, Range, Rule, Then

EVERYWHERE = 500
"""So many rules name no place: about one for each category."""
AREA = "floor_area"
"""The number of the form that the ranges are about, 0.00 to 999.99."""
PACKAGE = "enterprise-start"
VARIANTS = ("codes", "ranges", "dense")
"""codes: trees and words only. dense: so many more rules name no place that ever more of them hold at once.
ranges: four rules of ten ask for a number of the one-thing form as well."""
BROAD = {"dense": 0.06}
"""The share of all rules that name no place, where it is more than EVERYWHERE."""
OUTCOME = Then(route=(Bearer(function="@category"),))

Request = dict[str, Any]


class Trees:
    """Categories and places in force; how each code begins tells what it stands below, as a prefix needs it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.above = {code: row.parent for code, row in catalogue.categories.items()}
        self.categories = sorted(self.above)
        self.above |= {code: p.parent for code, p in catalogue.divisions.items() if not p.abolished}
        self.places = sorted(code for code in catalogue.divisions if code in self.above)
        self.inner = frozenset(self.above.values())
        self._below: dict[str, list[str]] = {}
        for code in self.above:
            for above in self.line(code):
                self._below.setdefault(above, []).append(code)

    @staticmethod
    def stem(code: str) -> str:
        """What all codes below begin with: of divisions the pairs of digits that are not 00, of categories the code."""
        if code.isdigit() and len(code) == 6:
            return code[:2] if code.endswith("0000") else code[:4] if code.endswith("00") else code
        return code

    def below(self, code: str) -> list[str]:
        """The code and all that stand below it."""
        return self._below[code]

    def line(self, code: str) -> list[str]:
        """The code and everything above it."""
        found = []
        while code:
            found.append(code)
            code = self.above.get(code, "")
        return found


def rules(trees: Trees, count: int, variant: str) -> list[Rule]:
    """As many rules; the last holds always."""
    pick = random.Random(f"{SEED} {variant} {count}")
    made = []
    for number in range(1, count):
        here = pick.random() >= max(EVERYWHERE, count * BROAD.get(variant, 0)) / count
        ranged = variant == "ranges" and pick.random() < 0.4
        low, wide = pick.randrange(90_000), pick.randrange(1000, 40_000)
        box = Box(
            category_under=_some(pick, trees.categories, 1.0),
            place_under=_some(pick, trees.places, 1.0 if here else 0.0),
            channel=_some(pick, sorted(CHANNELS), 0.3),
            kind=_some(pick, sorted(KINDS), 0.3),
            urgency=("urgent",) if pick.random() < 0.1 else (),
            form={AREA: Range(at_least=_area(low), at_most=_area(low + wide))} if ranged else {},
        )
        made.append(Rule(id=f"r{number}", number=number, name=f"第{number}条", when=box, then=OUTCOME))
    return [*made, Rule(id="rest", number=count, name="其余", then=Then(triage=True))]


def _some(pick: random.Random, of: Sequence[str], share: float) -> tuple[str, ...]:
    """One value, seldom two or three; in `share` of all calls."""
    if pick.random() >= share:
        return ()
    return tuple(sorted(pick.sample(of, pick.choices((1, 2, 3), (80, 15, 5))[0])))


def _area(hundredths: int) -> Decimal:
    return Decimal(hundredths) / 100


def requests(catalogue: Catalogue, trees: Trees, count: int, variant: str, now: int) -> list[Request]:
    """What a hotline sends (bench.sample), half of it from a town; peers get the channel as a field."""
    pick = random.Random(f"{SEED} {variant}")
    towns: dict[str, list[str]] = {}
    for code in trees.places:
        towns.setdefault(trees.above[code], []).append(code)
    made = []
    for one in Sample(catalogue, now).take(count):
        said: Request = {"channel": one.channel, **orjson.loads(one.value)["data"]}
        place = said["place"]
        if pick.random() < 0.5:
            place["region"] = pick.choice(towns.get(place["region"], [place["region"]]))
        if variant == "ranges":
            said["one_thing"] = {"package": PACKAGE, "form": {AREA: pick.randrange(100_000) / 100}}
        made.append(said)
    return made


# -- in the words of event-ruler -----------------------------------------------------------------------


def to_ruler(trees: Trees, rule: Rule, lines: bool) -> Request:
    """A pattern; `lines`: trees as values of an array with all that stands above, else as prefixes."""
    box, pattern = rule.when, {}
    if box.category_under:
        name = "category_line" if lines else "appeal_category"
        pattern[name] = _tree(trees, box.category_under, lines)
    if box.place_under and lines:
        pattern["place_line"] = _tree(trees, box.place_under, lines)
    elif box.place_under:
        pattern["place"] = {"region": _tree(trees, box.place_under, lines)}
    for column, name in PLAIN:
        if cell := getattr(box, column):
            pattern[name] = list(cell)
    for field, cell in box.form.items():
        numbers = [">=", float(cell.at_least), "<=", float(cell.at_most)]  # type: ignore[union-attr, arg-type]
        pattern["one_thing"] = {"form": {field: [{"numeric": numbers}]}}
    return pattern


PLAIN = (("channel", "channel"), ("kind", "appeal_kind"), ("urgency", "urgency"))
"""Column of a rule, field of a request."""


def _tree(trees: Trees, cell: Sequence[str], lines: bool) -> list[Any]:
    return [code if lines or code not in trees.inner else {"prefix": trees.stem(code)} for code in cell]


def with_lines(trees: Trees, request: Request) -> Request:
    """The same request, with what stands above its category and its place."""
    category, place = request["appeal_category"], request["place"]["region"]
    return request | {"category_line": trees.line(category), "place_line": trees.line(place)}


# -- in the words of zen-engine ------------------------------------------------------------------------


def to_zen(trees: Trees, made: Sequence[Rule], policy: str) -> Request:
    """A decision of one table. policy: first or collect."""
    columns = (
        ("appeal_category", "appeal_category"), ("region", "place.region"), *((name, name) for _, name in PLAIN),
        (AREA, f"one_thing.form.{AREA}"),
    )  # fmt: skip
    asked = {name for rule in made for name in _zen_row(trees, rule)}
    table = {
        "hitPolicy": policy,
        "inputs": [{"id": name, "name": name, "field": field} for name, field in columns if name in asked],
        "outputs": [{"id": "number", "name": "number", "field": "number"}],
        "rules": [
            {"_id": rule.id, "number": str(rule.number)} | dict.fromkeys(asked - {"number"}, "") | _zen_row(trees, rule)
            for rule in made
        ],
    }
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": table},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [{"id": f"{a}-{b}", "sourceId": a, "targetId": b} for a, b in (("in", "table"), ("table", "out"))]
    return {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges}


def _zen_row(trees: Trees, rule: Rule) -> dict[str, str]:
    box = rule.when
    row = {name: _words(getattr(box, column)) for column, name in PLAIN}
    for name, cell in (("appeal_category", box.category_under), ("region", box.place_under)):
        row[name] = _words(below for code in cell for below in trees.below(code))
    for field, limits in box.form.items():
        row[field] = f"[{limits.at_least}..{limits.at_most}]"  # type: ignore[union-attr]
    return {name: cell for name, cell in row.items() if cell}


def _words(values: Iterable[str]) -> str:
    """One of them. Trees are spelled out code by code: ten times quicker there than a test of how the code begins."""
    return ", ".join(f'"{value}"' for value in values)
