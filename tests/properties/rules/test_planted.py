"""
Ten thousand rules over the codes of the shipped catalogue: a clean set has no finding, and of twenty defects of each
kind every one is found, at its rule, with a request that shows it by the plain reading.
"""

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice, product

import pytest

from router.catalogue.analyse import analyse
from router.catalogue.catalogue import Catalogue, DirectoryUnit, Held
from router.catalogue.findings import Finding
from router.catalogue.rows import FunctionRow
from router.rules import naive
from router.rules.model import Bearer, Box, Rule, Then, Window
from tests.unit.catalogue.shandong import shandong

ROWS, EACH = 10_000, 20
NOW = 1_789_693_200_000  # 2026-09-18T09:00+08:00
CATEGORY = Then(route=(Bearer(function="@category"),))
TRIAGE = Then(triage=True)
BEHIND, LAST = 500_000, 1_000_000
"""Numbers from which on stands what is planted behind the rows, and the shipped rules."""
EXTRA = (
    Box(channel=("wechat", "website")), Box(words_any=("夜间", "凌晨")), Box(time=("outside_working_hours",)),
    Box(tags=("群体",)), Box(kind=("report",)), Box(urgency=("urgent",)), Box(applicant=("minor",)),
    Box(time=(Window(days=("sat", "sun"), since="08:00", until="20:00"),)), Box(words_all=("井盖", "丢失")), Box(medium=("letter",)),
)  # fmt: skip


def rule(name: str, number: int, when: Box, then: Then = CATEGORY, **more: object) -> Rule:
    return Rule(id=name, number=number, name=name, when=when, then=then, **more)  # type: ignore[arg-type]


class Stock:
    """Pairs of a category without lower ones and a county, each given out once."""

    def __init__(self, catalogue: Catalogue) -> None:
        above = {row.parent for row in catalogue.categories.values()}
        leaves = [code for code in catalogue.categories if code not in above and not code.startswith("C15")]
        counties = [p.code for p in catalogue.divisions.values() if p.level == "county" and not p.abolished]
        self._pairs = iter(product(counties, leaves))

    def when(self) -> Box:
        county, leaf = next(self._pairs)
        return Box(category_under=(leaf,), place_under=(county,))


def rows(stock: Stock, count: int) -> Iterator[Rule]:
    """Pairs of rules: one that asks for more, and the one behind it."""
    for i in range(count // 2):
        when, extra = stock.when(), EXTRA[i % len(EXTRA)]
        named = {field: getattr(extra, field) for field in extra.__struct_fields__ if getattr(extra, field)}
        wider = {"category_under": when.category_under, "place_under": when.place_under}
        yield rule(f"a{i}", 20 * i, Box(**wider, **named), Then(route=(Bearer(function="urban-management"),)))
        yield rule(f"b{i}", 20 * i + 10, when, CATEGORY if i % 7 else TRIAGE)


def shipped(catalogue: Catalogue) -> list[Rule]:
    """The shipped rules behind all others, and one that sends to the only function that they leave out."""
    coordination = rule("coordination", LAST - 1, Box(tags=("一件事",)), Then(route=(Bearer(function="one-thing"),)))
    return [coordination, *(dataclass_of(r, number=LAST + r.number) for r in catalogue.rules.values())]


def dataclass_of(one: Rule, **changed: object) -> Rule:
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return Rule(**fields | changed)


def analysed(catalogue: Catalogue, rules: list[Rule]) -> tuple[Catalogue, tuple[Finding, ...]]:
    by_id = {one.id: one for one in rules}
    assert len(by_id) == len(rules)
    at = dict.fromkeys(by_id, catalogue.rules_at["fallback"])
    made = dataclasses.replace(catalogue, rules=by_id, rules_at=at)
    return made, analyse(made, NOW)


def test_a_clean_set_has_no_finding() -> None:
    catalogue = shandong()
    _, findings = analysed(catalogue, [*rows(Stock(catalogue), ROWS), *shipped(catalogue)])
    assert findings == ()


class Planted:
    """The rules with the defects, the catalogue that they need, and what is to be found: code and rule (or value)."""

    def __init__(self) -> None:
        self.catalogue, self.expected = shandong(), set[tuple[str, str]]()
        self.stock = Stock(self.catalogue)
        self.rules = [*rows(self.stock, ROWS - 12 * EACH), *shipped(self.catalogue)]
        self.number = BEHIND
        for i in range(EACH):
            self._pairs(i)
            self._behind(i)
            self._alone(i)
        self._gaps()
        self._nobody_there()
        self._unnamed()
        self._no_duty()

    def add(self, code: str, name: str, when: Box, then: Then = CATEGORY, number: int = 0, **more: object) -> None:
        """A rule; `code`: what is to be said of it."""
        self.number += 1
        self.rules.append(rule(name, number or self.number, when, then, **more))
        self.expected |= {(code, name)} if code else set()

    def _pairs(self, i: int) -> None:
        self.add("duplicate_rule", f"duplicate{i}", self.rules[2 * i * 7 + 1].when, self.rules[2 * i * 7 + 1].then)
        when = self.stock.when()
        self.add("", f"said{i}", when)
        self.add("conflict", f"conflict{i}", when, TRIAGE)
        when = self.stock.when()
        self.add(
            "", f"one{i}", Box(category_under=when.category_under, kind=("help",)), TRIAGE, number=BEHIND + 100_000 + i
        )
        self.add("conflict_of_numbers", f"two{i}", Box(category_under=when.category_under, channel=("phone", "grid")), TRIAGE, number=BEHIND + 100_000 + i)  # fmt: skip

    def _behind(self, i: int) -> None:
        when = self.stock.when()
        self.add("", f"wide{i}", when)
        self.add("shadowed", f"narrow{i}", Box(category_under=when.category_under, place_under=when.place_under, kind=("report",)), TRIAGE)  # fmt: skip
        when = self.stock.when()
        named = {"category_under": when.category_under, "place_under": when.place_under}
        self.add("", f"with{i}", Box(**named, words_any=("噪音", "施工")))
        self.add("", f"some{i}", Box(**named, time=("working_hours",), words_none=("施工",)), TRIAGE)
        self.add("", f"rest{i}", Box(**named, time=("outside_working_hours",)), TRIAGE)
        self.add("shadowed_by_union", f"all{i}", when)

    def _alone(self, i: int) -> None:
        when = self.stock.when()
        named = {"category_under": when.category_under, "place_under": when.place_under}
        odd = ({"place_level": ("city",)}, {"words_all": ("井盖",), "words_none": ("盖",)})[i % 2]
        self.add("never_holds", f"odd{i}", Box(**named, **odd))
        self.add("rule_over", f"over{i}", self.stock.when(), valid_to="2020-01-01")
        retired = [place.code for place in self.catalogue.divisions.values() if place.abolished]
        county = when.place_under[0]
        self.add("expired_code", f"retired{i}", Box(category_under=self.stock.when().category_under, channel=("grid",), urgency=("urgent",), place_under=(county, retired[i % len(retired)])))  # fmt: skip

    def _gaps(self) -> None:
        """Codes that the rule of their field leaves out, at once or when another rule has ended."""
        taken = {code for one in self.rules for code in one.when.category_under if one.number > LAST}
        free = [
            code for code in self.catalogue.categories if len(code) == 7 and code not in taken and code[:3] != "C15"
        ]
        calls = {code for row in self.catalogue.emergencies.values() for code in row.categories}
        free = [code for code in free if code not in calls and not self.catalogue.categories[code].emergency]
        left_out = [code for code in free if code[:5] not in taken][: 2 * EACH]
        for i, one in enumerate(self.rules):
            if one.id.startswith("field-"):
                out = tuple(
                    Box(category_under=(code,)) for code in left_out if code.startswith(one.when.category_under[0])
                )
                self.rules[i] = dataclass_of(one, unless=out)
        self.expected |= {("gap", code) for code in left_out[:EACH]}
        for code in left_out[EACH:]:
            self.add("gap_by_expiry", f"until-{code}", Box(category_under=(code,)), valid_to="2026-12-31")

    def _new(self, function: str, place: str) -> None:
        unit = DirectoryUnit(
            id=f"{place}.{function}", name=function, kind="department", place=place, functions=(Held(function),)
        )
        self.catalogue = dataclasses.replace(
            self.catalogue,
            functions={**self.catalogue.functions, function: FunctionRow(function=function, name=function)},
            units={**self.catalogue.units, unit.id: unit},
        )

    def _nobody_there(self) -> None:
        for i in range(EACH):
            self._new(f"local{i}", "371702")
            free = self.stock.when()
            when = Box(category_under=free.category_under, tags=("试点",), place_under=("371702", *free.place_under))
            self.add("nobody_there", f"there{i}", when, Then(route=(Bearer(function=f"local{i}"),)))

    def _unnamed(self) -> None:
        for i in range(EACH):
            self._new(f"idle{i}", "371702")
            self.expected.add(("not_named", f"idle{i}"))

    def _no_duty(self) -> None:
        matters = (code for code, row in self.catalogue.matters.items() if row.function not in ("", "sports"))
        for i, code in enumerate(islice(matters, EACH)):
            self.add(
                "no_duty",
                f"duty{i}",
                Box(matter_under=(code,), tags=("试点",)),
                Then(route=(Bearer(function="sports"),)),
            )


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


@pytest.fixture(scope="module")
def found(planted: Planted) -> tuple[Catalogue, tuple[Finding, ...]]:
    return analysed(planted.catalogue, planted.rules)


def test_each_planted_defect_is_found_and_nothing_else(
    planted: Planted, found: tuple[Catalogue, tuple[Finding, ...]]
) -> None:
    said = {(f.code, f.rules[0] if f.rules else _value(f)) for f in found[1]}
    assert len(planted.rules) >= ROWS and len(planted.expected) == 13 * EACH
    assert said == planted.expected


def _value(finding: Finding) -> str:
    """The code or function that a finding without a rule is about."""
    return next(word.strip(":,") for word in finding.text_en.split() if word[0] in "CGF" or word.startswith("idle"))


def test_each_request_shows_its_defect(found: tuple[Catalogue, tuple[Finding, ...]]) -> None:
    """Read as a channel sent it: who decides it by the plain reading of all rules, for some of each kind."""
    catalogue, findings = found
    rules, seen = tuple(catalogue.rules.values()), dict[str, int]()
    for finding in findings:
        if finding.witness is None:
            assert finding.code == "rule_over"
            continue
        raw = json.dumps(finding.witness.request).encode()
        at = int(datetime.fromisoformat(finding.witness.received).timestamp() * 1000)
        view = catalogue.facts().view(finding.witness.channel, raw, at)
        holding = [naive.holds(catalogue.rules[one], view, at) for one in finding.rules]
        assert HOLD[finding.code](holding), finding
        seen[finding.code] = seen.get(finding.code, 0) + 1
        if seen[finding.code] <= 2:
            match = naive.first(rules, view, at)
            assert match is not None and match.rule.id == finding.witness.decides
            assert (finding.witness.decides in finding.rules[:1]) is (finding.code in ("no_duty", "nobody_there"))
            assert finding.code not in ("gap", "gap_by_expiry") or finding.witness.decides == "fallback"


HOLD = {
    "duplicate_rule": all, "conflict": all, "conflict_of_numbers": all, "shadowed": all, "no_duty": all, "nobody_there": all,
    "shadowed_by_union": lambda holding: holding[0] and any(holding[1:]), "never_holds": lambda holding: not any(holding),
    "gap": lambda holding: not holding, "gap_by_expiry": lambda holding: holding and not any(holding),
    "not_named": lambda holding: not holding, "expired_code": lambda holding: not any(holding),
}  # fmt: skip
