"""`duokua rules try`: what is told of a request that nobody sent, and what a wrong argument gets."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw
from typer.testing import CliRunner, Result

from router.catalogue.explained import explained
from router.catalogue.load import from_files
from router.cli.rules import app
from router.cli.rules_explain import submitted
from tests.unit.catalogue.small import edited, small
from workflows.commands import Submit
from workflows.decide import decide
from workflows.events import EventRecord
from workflows.proposals import Proposal

AT = "2026-09-18T09:00:00+08:00"
NOW = 1_789_693_200_000
EVENT = {
    "specversion": "1.0", "id": "W-1", "source": "/channels/phone", "type": "cn.duokua.request.submitted.v1",
    "data": {
        "title": "路面塌陷", "text": "王五家门前，电话13900001234，抢修队没来", "appeal_kind": "help", "appeal_category": "C111",
        "place": {"region": "370102"}, "urgency": "normal", "tags": ["急", "王五"],
        "applicant": {"kind": "person", "name": "王五", "phone": "13900001234"},
    },
}  # fmt: skip
SECRET = ("王五", "13900001234", "门前", "塌陷")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one rule more: of roads with a word, but not where they are mended already."""
    more = """
- id: mended
  number: 890
  name: 抢修
  when: {category_under: [C1], words_any: [电话], tags: [急]}
  any: [{place_under: [370202], form: {x: [a]}}, {channel: [phone]}]
  unless: [{words_any: [抢修队, 施工]}, {time: [outside_working_hours]}]
  then: {route: [{function: parks}]}
- id: category
"""
    files = edited("rules/90.yaml", "- id: category\n", more.lstrip("\n"))
    made = tmp_path_factory.mktemp("catalog")
    for name, data in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(data)
    return made


@pytest.fixture
def ask(folder: Path, tmp_path: Path) -> Any:
    def call(request: object, *arguments: str, at: str = AT) -> Result:
        file = tmp_path / "request.json"
        file.write_text(json.dumps(request, ensure_ascii=False))
        return CliRunner().invoke(app, ["try", str(file), "--folder", str(folder), "--at", at, *arguments])

    return call


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_which_rule_decides_what_it_does_and_what_nearly_took_it(ask: Any) -> None:
    said = told(ask(EVENT, "--json"))
    made = said["decided"]
    assert (made["rule"], made["outcome"], made["policy"]) == ("category", "dispatch", "plain")
    assert [(unit["unit"], unit["part"]) for unit in made["units"]] == [("370102.roads", "lead")]
    assert [(clock["kind"], clock["due"]) for clock in made["clocks"]] == [
        ("finish", "2026-09-23T17:00:00+08:00")
    ]  # the 20th is a worked Sunday
    assert [cell["held"] for cell in said["rule"]["cells"]] == [["C111"]]
    assert [other["id"] for other in said["runners_up"]] == ["fallback"]
    assert said["runners_up"][0]["would"]["triage"] == "rule"
    near = {other["id"]: other for other in said["misses"]}
    assert list(near) == ["mended", "joint", "package", "matter"] and said["missed"] == 4
    (kept_out,) = near["mended"]["faults"]
    assert [(cell["part"], cell["box"], cell["held"]) for cell in kept_out] == [("unless", 1, ["抢修队"])]
    assert near["mended"]["would"]["units"][0]["unit"] == "370100.roads"  # the county has nobody for parks
    assert near["joint"]["faults"][0][0] == {
        "part": "when", "box": 0, "column": "urgency", "asked": ["urgent"], "held": ["normal"], "holds": False,
    }  # fmt: skip


def test_a_clerk_reads_it_in_chinese_and_in_english(ask: Any) -> None:
    zh, en = ask(EVENT, "--rule", "mended").stdout, ask(EVENT, "--rule", "mended", "--lang", "en").stdout
    assert "决定  900 category 按分类 → 派单\n      主办 甲一区道路局（roads 道路）\n" in zh
    assert "✓ 诉求分类：C111 路面，要求 C1 城建, C3 未定" in zh
    assert "✗ 除非第 1 组成立：含任一词：抢修队，要求 抢修队, 施工" in zh
    assert "✗ 紧急程度：一般，要求 紧急" in zh and "✓ 标签：急，要求 急" in zh
    assert "✗ 任一组之第 1 组 表单 x：未填，要求 a" in zh
    assert "2026-09-18 周五 09:00 收到（工作时间）" in zh
    assert "✗ box 1 of unless holds: any of the words: 抢修队, asks for 抢修队, 施工" in en
    assert "decided  900 category 按分类 → dispatch" in en and "finish due 2026-09-23 Wed 17:00" in en


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--all",), ("--all", "--json"), ("--lang", "en")])
def test_nothing_that_the_applicant_wrote_is_told(ask: Any, arguments: tuple[str, ...]) -> None:
    said = ask(EVENT, *arguments).output
    assert "category" in said and [word for word in SECRET if word in said] == []


def test_a_rule_that_only_adds_is_told_beside_the_one_that_decides(folder: Path, ask: Any, tmp_path: Path) -> None:
    """Where it holds it is no runner-up but took part; where it nearly does, what it would have added is told."""
    rule = """
- id: mind
  number: 5
  name: 关注
  adds: true
  when: {category_under: [C1], urgency: [%s]}
  then: {route: [{function: parks, part: copy}], urgency: urgent}
"""
    for urgency in ("normal", "emergency"):
        (folder / "rules/05.yaml").write_text(rule % urgency)
        said = told(ask(EVENT, "--json", "--limit", "9"))
        made = said["decided"] if urgency == "normal" else next(m for m in said["misses"] if m["id"] == "mind")["would"]
        assert made["rule"] == "category" and [more["rule"] for more in made["joined"]] == ["mind"]
        assert [(u["unit"], u["part"]) for u in made["units"]] == [("370102.roads", "lead"), ("370100.roads", "copy")]
        assert [other["id"] for other in said["runners_up"]] == ["fallback"]
        assert ("补充：5 mind 关注" in ask(EVENT).stdout) == (urgency == "normal")
    (folder / "rules/05.yaml").unlink()


def test_the_moment_of_receipt_moves_windows_and_due_dates(ask: Any) -> None:
    night = told(ask(EVENT, "--json", "--all", at="2026-09-19T02:00:00+08:00"))
    (mended,) = (other for other in night["asked"] if other["id"] == "mended")
    times = [(cell["held"], cell["holds"]) for cell in mended["cells"] if cell["column"] == "time"]
    assert times == [(["sat 02:00", "outside_working_hours"], True)]
    assert [other["id"] for other in night["asked"]][:3] == ["package", "refuse", "joint"]
    assert night["decided"]["clocks"][0]["due"] == "2026-09-24T17:00:00+08:00"


def test_what_goes_before_the_rules_is_told_with_what_they_would_have_done(ask: Any) -> None:
    fire = {**EVENT, "data": {**EVENT["data"], "appeal_category": "C2"}}  # type: ignore[dict-item]
    said = told(ask(fire, "--json"))
    assert said["decided"]["before"] == "emergency" and said["decided"]["units"][0]["unit"] == "370100.police"
    assert said["rule"] is None and [other["id"] for other in said["runners_up"]] == ["fallback"]
    assert "紧急情况，先于规则转 甲市110" in ask(fire).stdout
    answered = {**EVENT, "data": {**EVENT["data"], "direct_answer": {"text": "好"}}}  # type: ignore[dict-item]
    assert told(ask(answered, "--json"))["runners_up"][0]["would"]["outcome"] == "dispatch"


def test_bare_data_needs_a_channel_and_standard_input_is_a_file(folder: Path) -> None:
    def piped(*arguments: str) -> Result:
        command = ["try", "-", "--folder", str(folder), "--at", AT, *arguments]
        return CliRunner().invoke(app, command, input=json.dumps(EVENT["data"]))

    assert told(piped("--channel", "box", "--json"))["request"]["channel"] == "box"
    assert (piped().exit_code, piped("--channel", "fax").exit_code) == (2, 2)
    assert "phone, box" in piped().output


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"place": {"region": "999999"}}, "/data/place/region", "unknown_region"),
        ({"urgency": "soon", "titel": "x"}, "/data/urgency", "bad_value"),
    ],
)
def test_a_request_at_fault_is_told_as_its_channel_would_be(
    ask: Any, change: dict[str, object], pointer: str, code: str
) -> None:
    faulty = {**EVENT, "data": {**EVENT["data"], **change}}  # type: ignore[dict-item]
    said = ask(faulty)
    assert said.exit_code == 1 and f"{pointer}  [{code}]" in said.stdout
    faults = json.loads(ask(faulty, "--json").stdout)["faults"]
    assert (pointer, code) in [(fault["pointer"], fault["code"]) for fault in faults]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "yesterday"), "--at 应如"),
        (("--rule", "nothing"), "没有规则 nothing"),
        (("--channel", "fax"), "--channel"),
        (("--limit", "-1"), "--limit"),
    ],
)
def test_a_wrong_argument_is_usage(ask: Any, arguments: tuple[str, ...], said: str) -> None:
    result = ask(EVENT, *arguments)
    assert result.exit_code == 2 and said in result.output


def test_a_file_holds_one_request_that_can_be_read(folder: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.jsonl"
    two.write_text(json.dumps(EVENT) + "\n" + json.dumps(EVENT))
    for file, code in ((two, 2), (tmp_path / "none.json", 2), (tmp_path, 2)):
        assert CliRunner().invoke(app, ["try", str(file), "--folder", str(folder)]).exit_code == code
    (tmp_path / "broken.json").write_text("{")
    broken = CliRunner().invoke(app, ["try", str(tmp_path / "broken.json"), "--folder", str(folder)])
    assert broken.exit_code == 1 and "[" in broken.stdout
    assert CliRunner().invoke(app, ["try", str(two), "--folder", str(tmp_path / "nowhere")]).exit_code == 1


def test_a_case_without_a_read_model_is_not_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOKUA_STATE_DIR", str(tmp_path))
    assert CliRunner().invoke(app, ["explain", "1"]).exit_code == 3


def test_what_a_case_recorded_is_decided_again_alike() -> None:
    """From the record alone, proposal included, comes the command that was decided."""
    catalogue = from_files(small(), version=3)
    body = Raw(json.dumps({"title": "x", "appeal_kind": "help", "place": {"region": "370102"}}).encode())
    command = Submit(
        id="00000000-0000-5000-8000-000000000001", case="00000000-0000-5000-8000-000000000002", at=NOW, source="t/0/1",
        channel="phone", ref="W-1", request=body, digest="d", received_at=NOW, query_code="1", serial="12",
        proposal=Proposal(by="model", version="1", threshold=0.5, category="C111"),
    )  # fmt: skip
    events = decide(None, command, catalogue.facts(), NOW)
    record = EventRecord(case=command.case, version=1, at=NOW, cause=command.id, source="t/0/1", events=tuple(events))
    again = submitted(record)
    assert decide(None, again, catalogue.facts(), NOW)[1:] == events[1:]  # but for the number, which a shard gives
    said = explained(catalogue, again, NOW, most=3)
    assert said.decided.rule == "category" and said.deciding is not None and said.deciding.holds
    assert said.request["category_under"] == "C111"
