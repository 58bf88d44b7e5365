"""The rules of a catalogue as a whole: what is found, on which line, shown by which request, and what is refused."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from router.catalogue.analyse import analyse, inspect_rules, refuse_contradictions
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty, Finding
from router.catalogue.load import from_files
from router.cli.rules import app
from router.rules import naive
from router.rules.analysis.space import AXES, TIME
from router.rules.model import Box, View
from tests.unit.catalogue.small import edited, small

NOW = 1_789_693_200_000  # 2026-09-18T09:00+08:00
RULES = "rules/90.yaml"
BEFORE = "- id: matter\n"


def planted(*rules: str) -> dict[str, bytes]:
    """The small catalogue with these rules before the one for matters, from line 6 of its file on."""
    return edited(RULES, BEFORE, "".join(f"- {rule}\n" for rule in rules) + BEFORE)


def found(files: dict[str, bytes]) -> tuple[Catalogue, list[Finding]]:
    catalogue, findings = inspect_rules(files, NOW)
    assert catalogue is not None
    return catalogue, [finding for finding in findings if finding.code != "not_named"]


def seen(catalogue: Catalogue, finding: Finding) -> tuple[View, int]:
    """The request of a finding as the rules see it."""
    assert finding.witness is not None
    at = int(datetime.fromisoformat(finding.witness.received).timestamp() * 1000)
    raw = json.dumps(finding.witness.request).encode()
    return catalogue.facts().view(finding.witness.channel, raw, at), at


PLANTED = [
    # what is planted, then the finding, its line, the rules it names, and which rule decides the request
    (["{id: a, number: 901, name: '', when: {category_under: [C3, C1]}, then: {route: [{function: '@category'}]}}"],
     "duplicate_rule", 6, ("a", "category"), "category"),
    (["{id: a, number: 901, name: '', when: {category_under: [C3, C1, C111]}, then: {triage: true}}"],
     "conflict", 6, ("a", "category"), "category"),
    (["{id: a, number: 901, name: '', when: {category_under: [C11], words_any: [井盖]}, then: {triage: true}}"],
     "shadowed", 6, ("a", "category"), "category"),
    (["{id: a, number: 901, name: '', when: {matter_under: [M1], tags: [x]}, then: {triage: true}}",
      "{id: b, number: 902, name: '', when: {matter_under: [M1]}, unless: [{tags: [x]}], then: {triage: true}}",
      "{id: c, number: 903, name: '', when: {matter_under: [M1]}, then: {triage: true}}"],
     "shadowed_by_union", 8, ("c", "a", "b"), "b"),
    (["{id: a, number: 901, name: '', when: {words_all: [井盖], words_none: [盖]}, then: {triage: true}}"],
     "never_holds", 6, ("a",), "fallback"),
    (["{id: a, number: 901, name: '', when: {kind: [praise]}, then: {triage: true}, valid_to: 2026-09-17}"],
     "rule_over", 6, ("a",), None),
    (["{id: a, number: 910, name: '', when: {kind: [praise]}, then: {triage: true}}"],
     "conflict_of_numbers", 7, ("matter", "a"), "a"),
    (["{id: a, number: 890, name: '', when: {matter_under: [M1], kind: [praise]}, then: {route: [{function: roads}]}}"],
     "no_duty", 6, ("a",), "a"),
    (["{id: a, number: 890, name: '', when: {place_under: [370202, 370102], kind: [praise]}, then: {route: [{function: trade}]}}"],
     "nobody_there", 6, ("a",), "a"),
    (["{id: a, number: 890, name: '', when: {place_under: [370181], kind: [praise]}, then: {triage: true}}"],
     "expired_code", 6, ("a",), "fallback"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "code", "line", "named", "decides"), PLANTED, ids=[row[1] for row in PLANTED])
def test_each_kind_of_fault_is_found_at_its_rule(
    rules: list[str], code: str, line: int, named: tuple[str, ...], decides: str | None
) -> None:
    catalogue, findings = found(planted(*rules))
    finding = next(one for one in findings if one.code == code)
    assert (finding.file, finding.line, finding.rules) == (RULES, line, named)
    if decides is None:
        assert finding.witness is None
        return
    view, at = seen(catalogue, finding)
    match = naive.first(catalogue.rules.values(), view, at)
    assert match is not None and finding.witness is not None
    assert match.rule.id == finding.witness.decides == decides


def test_a_gap_and_one_that_an_expiry_opens() -> None:
    """What only the fallback catches, told of at the row of the highest code that is concerned as a whole."""
    _, findings = found(edited(RULES, "when: {category_under: [C1, C3]}", "when: {category_under: [C1]}"))
    assert [(f.code, f.file, f.line) for f in findings] == [("gap", "categories.csv", 7)]
    catalogue, findings = found(edited(RULES, "when: {category_under: [C1, C3]}", "valid_to: 2026-12-31\n  when: {category_under: [C1, C3]}"))  # fmt: skip
    assert {(f.code, f.rules) for f in findings} == {("gap_by_expiry", ("category",))}
    view, at = seen(catalogue, findings[0])
    assert at >= datetime.fromisoformat("2027-01-01T00:00:00+08:00").timestamp() * 1000
    assert not naive.holds(catalogue.rules["category"], view, at)
    assert naive.holds(catalogue.rules["category"], view, NOW)


def test_who_is_never_sent_to() -> None:
    """A function that a category names, where the rules send that category elsewhere; one that nobody names."""
    files = edited("rules/90.yaml", '{route: [{function: "@category"}]}', "{route: [{function: roads}]}")
    files["rules/10.yaml"] = edited("rules/10.yaml", "      - {function: parks, part: assist}\n", "")["rules/10.yaml"]
    files["one_things/birth.yaml"] = edited("one_things/birth.yaml", "{function: parks}, ", "")["one_things/birth.yaml"]
    catalogue, findings = inspect_rules(files, NOW)
    said = {(f.code, f.line): f for f in findings}
    assert said.keys() == {("never_reached", 5), ("not_named", 3), ("not_named", 9)}
    assert said["never_reached", 5].witness is not None and catalogue is not None
    assert said["never_reached", 5].witness.request["appeal_category"] == "C12"


def test_the_small_catalogue_is_clean() -> None:
    assert found(small())[1] == []


def test_contradictions_are_refused_and_nothing_else() -> None:
    """A warning stops nobody; what contradicts itself or another rule is not put in force."""
    warned, conflict = PLANTED[2][0], PLANTED[1][0]
    refuse_contradictions(from_files(planted(*warned)), NOW)
    with pytest.raises(CatalogueFaulty) as refused:
        refuse_contradictions(from_files(planted(*conflict)), NOW)
    assert [finding.code for finding in refused.value.findings] == ["conflict"]


PASSING = [
    # in working hours, and from the Saturday on there are none left
    ["{id: a, number: 901, name: '', when: {kind: [praise], time: [working_hours]}, then: {triage: true},"
     " valid_from: 2026-09-07, valid_to: 2026-09-12}"],
    # one that takes over from another on a day to come
    ["{id: a, number: 901, name: '', when: {kind: [praise]}, then: {triage: true}, valid_from: 2026-10-01}",
     "{id: b, number: 902, name: '', when: {kind: [praise]}, then: {route: [{function: roads}]}}"],
]  # fmt: skip


@pytest.mark.parametrize("rules", PASSING, ids=["over", "taken over"])
def test_no_day_that_passes_makes_an_error(rules: list[str]) -> None:
    """A version that was fine when it was published keeps nobody from publishing the next."""
    catalogue, codes = from_files(planted(*rules)), []
    for day in ("2026-09-11", "2026-09-12", "2026-09-30", "2026-10-01", "2027-10-01"):
        now = int(datetime.fromisoformat(f"{day}T09:00+08:00").timestamp() * 1000)
        refuse_contradictions(catalogue, now)
        codes.append({f.code for f in analyse(catalogue, now) if f.rules and f.rules[0] in ("a", "b")})
    assert codes == ([set()] + [{"rule_over"}] * 4 if len(rules) == 1 else [set()] * 3 + [{"shadowed"}] * 2)


def test_what_is_too_dear_in_all_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind of question that did not come to its end, and errors are found all the same."""
    monkeypatch.setattr("router.rules.analysis.space.IN_ALL", 2)
    _, findings = found(planted(*PLANTED[1][0]))
    said = [finding for finding in findings if finding.code == "undecided"]
    assert [(finding.file, finding.rules) for finding in said] == [("rules/", ())] * 3
    assert {"conflict"} == {finding.code for finding in findings if finding.level == "error"}


def test_the_command_shows_each_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and line, the request in words, and JSON for programs; 1 on errors only."""
    monkeypatch.setenv("DUOKUA_CLOCK", f"2026-09-18T09:00:00+08:00,{time.time()},1")
    for name, data in planted(*PLANTED[2][0]).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    said = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert said.exit_code == 0
    assert "rules/90.yaml:6:3: 警告 shadowed: 被规则 category 完全遮盖" in said.stdout
    assert "  例如 渠道 phone 热线，诉求类型 consult，诉求分类 C11 道路，来电方式 phone，内容“井盖”" in said.stdout
    english = CliRunner().invoke(app, ["check", str(tmp_path), "--lang", "en"])
    assert "such as channel phone 热线, kind consult, category C11 道路" in english.stdout
    (tmp_path / RULES).write_bytes(planted(*PLANTED[1][0])[RULES])
    said = CliRunner().invoke(app, ["check", str(tmp_path), "--json"])
    findings = json.loads(said.stdout.splitlines()[-1])["findings"]
    assert said.exit_code == 1
    conflict = next(finding for finding in findings if finding["code"] == "conflict")
    assert conflict["rules"] == ["a", "category"] and conflict["witness"]["request"]["appeal_category"] == "C1"


def test_no_column_of_the_language_is_passed_over() -> None:
    """The analysis knows each column: one that is new needs a place in the space of requests first."""
    merged = {"disclosure", "place_level"}
    several = {"tags", "words_any", "words_all", "words_none", "time", "form"}
    assert set(Box.__struct_fields__) == {*AXES[:TIME], *merged, *several}
