"""A ruling becomes a rule by which the ruled unit leads: shown by what the engine then decides."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, json
from msgspec.structs import replace
from typer.testing import CliRunner

from router.catalogue.catalogue import Catalogue
from router.catalogue.explained import outcome_of
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files
from router.catalogue.ruling import Proposed, from_event, propose, read_ruling
from router.cli.rules import app
from tests.unit.catalogue.small import edited, small, unchanged
from tests.unit.rules.archive import disputed
from workflows.commands import Submit
from workflows.decide import decide
from workflows.events import CaseRuled
from workflows.facts import Facts

NOW = 1_789_693_200_000
SAID: dict[str, Any] = {"document": "裁〔2026〕3号", "ruled_by": "裁定组", "date": "2026-09-17", "reason": "移交市里"}


def ruled(catalogue: Catalogue, **said: Any) -> Proposed:
    return propose(*read_ruling("ruling.yaml", json.encode(SAID | said)), catalogue, NOW)


def codes(catalogue: Catalogue, **said: Any) -> list[str]:
    with pytest.raises(CatalogueFaulty) as faulty:
        ruled(catalogue, **said)
    return [finding.code for finding in faulty.value.findings if finding.level == "error"]


def led(catalogue: Catalogue, place: str, category: str = "", title: str = "x") -> tuple[str, list[str]]:
    """Which rule decides such a request by phone, and who leads."""
    body = {"title": title, "appeal_kind": "help", "place": {"region": place}, "appeal_category": category or None}
    command = Submit(
        id="00000000-0000-5000-8000-000000000001", case="00000000-0000-5000-8000-000000000002", at=NOW, channel="phone",
        ref="r", request=Raw(json.encode(body)), digest="", received_at=NOW, serial="1",
    )  # fmt: skip
    facts: Facts = catalogue.facts()
    made = outcome_of(decide(None, command, facts, NOW))
    return made.rule, [unit.unit for unit in made.units if unit.part == "lead"]


def test_the_ruled_unit_leads_where_another_did_and_nowhere_else() -> None:
    catalogue = unchanged()
    made = ruled(catalogue, unit="370100.roads", category=["C11"], place=["370102"], function="roads")
    rule = made.rule
    assert (rule.id, rule.number, rule.basis, made.before.id) == ("ruling-2026-09-17", 899, "裁〔2026〕3号", "category")
    assert rule.reason == "裁定组 2026-09-17 裁定：移交市里" and (made.passed, made.earlier) == ((), {})
    assert led(catalogue, "370102", "C11") == ("category", ["370102.roads"])
    assert led(made.catalogue, "370102", "C111") == (rule.id, ["370100.roads"])
    for place, category in (("370103", "C11"), ("370102", "C12")):
        assert led(made.catalogue, place, category) == led(catalogue, place, category)


def test_whoever_is_ruled_to_lead_leads_or_it_is_said_why_not() -> None:
    """Every unit of the catalogue, each function that it holds: as the engine decides it, in the unit's own place."""
    catalogue = unchanged()
    leads, refused = 0, set[str]()
    for unit in catalogue.units.values():
        for held in unit.functions:
            said = {"unit": unit.id, "function": held.function, "role": held.role, "keywords": ["围挡"]}
            try:
                made = ruled(catalogue, **said)
            except CatalogueFaulty as faulty:
                refused |= {finding.code for finding in faulty.findings if finding.level == "error"}
                continue
            leads += 1
            assert led(made.catalogue, unit.place, title="工地围挡倒了") == (made.rule.id, [unit.id])
    assert leads > 20 and refused <= {"ruling_elsewhere"}


def test_limits_and_helpers_of_the_rule_that_decided_stay() -> None:
    made = ruled(unchanged(), function="trade", role="approve", category=["C1"], place=["370100"], rule="joint")
    assert made.rule.number == 29 and made.rule.then.policy == "slow"
    assert [(b.function, b.part) for b in made.rule.then.route] == [("trade", "lead"), ("parks", "assist")]


def test_where_no_number_is_free_in_between_it_says_what_it_passes() -> None:
    catalogue = from_files(edited("rules/90.yaml", "number: 910", "number: 901"))
    made = ruled(catalogue, function="roads", matter=["M1"])
    assert (made.before.id, made.rule.number, made.passed) == ("matter", 899, ("category",))


def test_rules_that_decide_before_it_in_some_channels_are_told() -> None:
    mine = "- id: mine\n  number: 800\n  name: 信箱\n  when: {channel: [box]}\n  then: {triage: true}\n- id: category\n"
    made = ruled(from_files(edited("rules/90.yaml", "- id: category\n", mine)), function="parks", category=["C11"])
    assert made.earlier == {"mine": ("box",)} and made.before.id == "category"


@pytest.mark.parametrize(
    ("valid", "number", "later"),
    [
        ("valid_from: '2026-09-18'", 799, {}),  # decides since after the ruling
        ("valid_to: '2026-09-17'", 899, {}),  # decided when it was given, and is over
        ("valid_from: '2026-10-01'", 899, {"mine": ("phone", "box")}),
        ("valid_to: '2026-09-30'", 799, {}),
    ],
)
def test_the_rule_goes_before_the_one_that_decides_now(valid: str, number: int, later: dict[str, Any]) -> None:
    """Whatever decided on the day of the ruling; a rule that will decide before it from a later day on is told."""
    mine = f"- id: mine\n  number: 800\n  name: 新\n  {valid}\n  then: {{triage: true}}\n- id: category\n"
    catalogue = from_files(edited("rules/90.yaml", "- id: category\n", mine))
    made = ruled(catalogue, function="parks", category=["C11"])
    assert (made.rule.number, made.earlier, made.later) == (number, {}, later)
    if not later:
        assert led(made.catalogue, "370102", "C11") == (made.rule.id, ["370100.roads"])


@pytest.mark.parametrize("time", ["outside_working_hours", "{from: '22:30', to: '23:30'}", "{days: [sun]}"])
def test_a_rule_of_other_hours_that_decides_before_it_is_told(time: str) -> None:
    mine = (
        f"- id: mine\n  number: 800\n  name: 夜\n  when: {{time: [{time}]}}\n  then: {{triage: true}}\n- id: category\n"
    )
    catalogue = from_files(edited("rules/90.yaml", "- id: category\n", mine))
    made = ruled(catalogue, function="parks", category=["C11"], place=["370102"])
    assert (made.before.id, made.earlier, made.later) == ("category", {}, {"mine": ("phone", "box")})


def test_a_second_ruling_of_a_day_has_an_id_of_its_own() -> None:
    once = ruled(unchanged(), function="parks", category=["C11"])
    twice = ruled(once.catalogue, function="roads", category=["C111"])
    assert (twice.rule.id, twice.rule.number) == ("ruling-2026-09-17-2", 898)
    assert {"ruling-2026-09-17", "ruling-2026-09-17-2"} <= twice.catalogue.rules.keys()


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"category": ["C11"]}, ["ruling_lead"]),
        ({"unit": "370100.roads", "function": "roads"}, ["ruling_of_what"]),
        ({"unit": "370100.road", "category": ["C19"], "place": ["1"], "rule": "none"}, ["dangling"] * 4),
        ({"unit": "370100.roads", "category": ["C3"]}, ["ruling_function"]),
        ({"unit": "370102.licence", "function": "roads", "category": ["C11"]}, ["ruling_function"]),
        ({"unit": "370103.roads", "function": "roads", "category": ["C11"], "place": ["370102"]}, ["ruling_elsewhere"]),
        ({"function": "roads", "category": ["C11"], "date": "17.9."}, ["bad_date"]),
        ({"function": "roads", "category": ["C11"], "document": " ", "reason": ""}, ["ruling_blank"] * 2),
        ({"function": "roads", "category": ["C11"], "role": "boss"}, ["bad_role", "nobody_holds"]),
        ({"function": "roads", "keywords": [" "]}, ["bad_keyword"]),
        ({"function": "roads", "categories": ["C11"]}, ["unknown_field"]),
    ],
)
def test_a_ruling_at_fault_is_refused_with_every_fault(said: dict[str, Any], wanted: list[str]) -> None:
    assert codes(unchanged(), **said) == wanted


@pytest.mark.parametrize("data", [b"", b"[]", b"- 1", b"{", b"a: &b 1", b"\xff"])
def test_what_is_no_ruling_is_refused(data: bytes) -> None:
    with pytest.raises(CatalogueFaulty):
        read_ruling("ruling.yaml", data)


def test_the_command_writes_what_the_loader_takes(tmp_path: Path) -> None:
    """Without a draft: the rule on stdout, nothing written; faults with their line, exit code 1."""
    folder, file = tmp_path / "catalog", tmp_path / "ruling.yaml"
    for name, data in small().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    def call(*arguments: str, **said: Any) -> Any:
        file.write_bytes(json.encode(SAID | {"function": "parks", "category": ["C11"]} | said))
        return CliRunner().invoke(app, ["from-ruling", str(file), *arguments])

    said = call("--folder", str(folder), "--days", "0")
    assert said.exit_code == 0 and "拟定规则 899 ruling-2026-09-17，排在 900 category 按分类 之前" in said.stdout
    fragment = said.stdout[said.stdout.index("- id:") :].encode()
    assert "ruling-2026-09-17" in from_files(small() | {"rules/x.yaml": fragment}).rules
    assert json.decode(call("--folder", str(folder), "--days", "0", "--json").stdout)["rule"]["number"] == 899
    wrong = call("--folder", str(folder), "--days", "0", category=["C9"])
    assert wrong.exit_code == 1 and "ruling.yaml:1:97: 错误 dangling: 诉求分类“C9”不存在" in wrong.stdout
    assert call("--draft", "d").exit_code == 2 and call("--draft", "d", "--folder", str(folder)).exit_code == 2
    file.unlink()
    assert CliRunner().invoke(app, ["from-ruling", str(file), "--folder", str(folder)]).exit_code == 2


def test_a_ruling_on_a_case_is_all_that_a_rule_needs() -> None:
    """Told by the core over this catalogue: returned, rejected, disputed, ruled; the rule decides the next such request."""
    files = edited(
        "units/templates.csv", "centre,hotline:triage,province", "centre,hotline:triage;hotline:arbitrate,province"
    )
    catalogue = from_files(files)
    ruling = from_event(*ruling_on_a_case(catalogue), catalogue)
    assert (ruling.document, ruling.ruled_by, ruling.date, ruling.rule) == (
        "裁〔2026〕3号",
        "小省热线办",
        "2026-09-18",
        "category",
    )
    made = propose(*read_ruling("370100-x", json.encode(ruling)), catalogue, NOW)
    assert led(catalogue, "370102", "C111") == ("category", ["370102.roads"])
    assert led(made.catalogue, "370102", "C111") == (made.rule.id, ["370100.roads"])
    assert from_event(replace(ruling_on_a_case(catalogue)[0], rule="gone"), NOW, catalogue).rule == ""


def ruling_on_a_case(catalogue: Catalogue) -> tuple[CaseRuled, int]:
    told = disputed(catalogue)
    event = next(e for e in told.records[-1].events if isinstance(e, CaseRuled))
    return event, told.records[-1].at
