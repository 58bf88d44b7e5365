"""`duokua catalog …`, `rules …`, `import matters`: exit codes, what is printed, what is written."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from router.cli.catalog_publish import app as catalog
from router.cli.importing import app as importing
from router.cli.rules import app as rules
from tests.unit.catalogue.small import edited, small


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, small())
    monkeypatch.setenv("DUOKUA_CATALOG", str(tmp_path))
    return tmp_path


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def call(app: object, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])  # type: ignore[arg-type]


def last_object(result: Result) -> dict[str, object]:
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_check_gives_file_and_line(folder: Path) -> None:
    """0 without errors, 1 with; each finding as file:line; the same in JSON and in English."""
    assert call(catalog, "check").exit_code == 0
    write(folder, edited("channels.csv", "suggestion,slow", "suggestion,slower"))
    said = call(catalog, "check")
    assert said.exit_code == 1 and "channels.csv:3: 错误 dangling: 时限政策“slower”不存在" in said.stdout
    english = call(catalog, "check", folder, "--lang", "en")
    assert "channels.csv:3: error dangling: there is no policy 'slower'" in english.stdout
    found = last_object(call(catalog, "check", "--json"))
    assert found["error"] == 1
    assert [finding["line"] for finding in found["findings"]] == [3]  # type: ignore[attr-defined]


def test_diff_of_two_folders(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Rows added, changed (with the fields) and removed; exit code 1 when there is a difference."""
    other = tmp_path_factory.mktemp("other")
    write(other, edited("rules/90.yaml", "name: 按事项", "name: 事项"))
    assert call(catalog, "diff", "--against", folder).exit_code == 0
    said = call(catalog, "diff", other, "--against", folder, "--json")
    assert said.exit_code == 1
    assert last_object(said)["differences"] == [
        {"table": "rules", "id": "matter", "change": "changed", "fields": ["name"]}
    ]


def test_publish_says_when_there_is_no_broker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3: something is not reachable."""
    monkeypatch.setenv("DUOKUA_BOOTSTRAP", "127.0.0.1:1")
    assert call(catalog, "publish", "--reason", "x", "--actor", "y").exit_code == 3


def test_rules_are_listed_by_number(folder: Path) -> None:
    lines = call(rules, "list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["10", "20", "30", "900", "910", "999"]
    assert last_object(call(rules, "list", "--json"))["rules"][0]["id"] == "package"  # type: ignore[index]


def test_a_rule_is_shown_with_the_names_of_its_codes(folder: Path) -> None:
    said = call(rules, "show", "joint").stdout
    assert "诉求分类: C1 城建" in said and "lead: roads 道路 supervise city" in said and "时限政策: slow" in said
    assert "不予受理" in call(rules, "show", "refuse").stdout
    assert call(rules, "show", "nothing").exit_code == 1
    assert last_object(call(rules, "show", "matter", "--json"))["number"] == 910


def test_every_kind_of_column_is_shown_in_words(folder: Path) -> None:
    condition = """
  when: {tags: ["(missing)", 急], words_none: [装修], time: [working_hours, {days: [sat], from: "22:00", to: "06:00"}]}
  any: [{form: {amount: {at_least: "0.5"}, kind: [a, b]}}, {place_level: [county], category_under: [C1]}]
  unless: [{words_any: [抢修]}]
"""
    write(folder, edited("rules/90.yaml", "\n  when: {category_under: [C1, C3]}\n", condition))
    assert call(rules, "show", "category").stdout.splitlines()[1:-1] == [
        "条件:",
        "  标签: 未填, 急",
        "  不含词: 装修",
        "  收到时间: 工作时间, sat 22:00–06:00",
        "且至少一组成立:",
        "  - 表单 amount: ≥ 0.5; 表单 kind: a, b",
        "  - 诉求分类: C1 城建; 区划级别: county",
        "除非（任一组成立）:",
        "  - 含任一词: 抢修",
        "结果: 派单",
    ]
    assert last_object(call(rules, "show", "category", "--json"))["any"][0]["form"]["amount"] == {  # type: ignore[index]
        "at_least": "0.5",
        "at_most": None,
    }


def test_a_faulty_catalogue_has_no_rules_to_show(folder: Path) -> None:
    write(folder, edited("rules/90.yaml", "number: 999", "number: 910"))
    said = call(rules, "list")
    assert said.exit_code == 1 and "equal_numbers" in said.stdout


FOREIGN = (
    "序号,事项编码,事项名称,上级编码\n1,M,事项,\n2,M1,商贸许可证,M\n3,M2,养路,M\n4,M21,冬季养路,M2\n5,M3,新事项,M\n"
)


def mapped(folder: Path) -> None:
    (folder / "vocabularies/matter-columns.csv").write_text(
        "foreign,field\n序号,\n事项编码,code\n事项名称,name\n上级编码,parent\n"
    )


def test_matters_are_compared_before_they_are_written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The difference first; with --apply the table, in which columns that the import lacks stay; then no difference."""
    mapped(folder)
    file = tmp_path_factory.mktemp("import") / "matters.csv"
    file.write_text(FOREIGN)
    before = (folder / "matters.csv").read_bytes()
    said = call(importing, "matters", file)
    assert said.exit_code == 0 and (folder / "matters.csv").read_bytes() == before
    assert said.stdout.splitlines() == ["变更\tmatters\tM1 (name)", "新增\tmatters\tM3"]
    assert call(importing, "matters", file, "--apply").exit_code == 0
    rows = {row["code"]: row for row in csv.DictReader((folder / "matters.csv").read_text().splitlines())}
    assert (rows["M1"]["name"], rows["M1"]["function"], rows["M1"]["promised_limit"]) == ("商贸许可证", "trade", "5wd")
    assert list(rows) == ["M", "M1", "M2", "M21", "M3"]
    assert call(importing, "matters", file, "--json").stdout.strip() == '{"differences": [], "findings": []}'


def test_an_import_that_breaks_the_catalogue_is_not_written(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A removed matter that a one-thing still names: the difference and the fault are shown, exit code 1."""
    mapped(folder)
    file = tmp_path_factory.mktemp("import") / "matters.csv"
    file.write_text("\n".join(line for line in FOREIGN.splitlines() if "M2" not in line) + "\n")
    before = (folder / "matters.csv").read_bytes()
    said = call(importing, "matters", file, "--apply")
    assert said.exit_code == 1 and "删除\tmatters\tM2" in said.stdout and "one_things/birth.yaml:7" in said.stdout
    assert (folder / "matters.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "code"), [("甲,乙\n1,2\n", "csv_header"), ("事项编码,事项名称\nM1\n", "csv_width"), ("", "")]
)
def test_a_file_that_is_no_list_of_matters(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, text: str, code: str
) -> None:
    mapped(folder)
    file = tmp_path_factory.mktemp("import") / "matters.csv"
    file.write_text(text)
    said = call(importing, "matters", file)
    assert said.exit_code == 1 and code in said.stdout
