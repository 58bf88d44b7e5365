"""A year's notice comes in by three kinds of files; nothing is written that would not say what was meant."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from router.catalogue.calendars import read_calendars
from router.catalogue.load import read_folder
from router.cli.calendar_import import app
from router.operate.settings import CHECKOUT

NOTICE = {
    "year": 2027,
    "papers": ["https://example.org/2027"],
    "days": [
        {"name": "元旦", "date": "2026-12-31", "isOffDay": True},
        {"name": "元旦", "date": "2027-01-01", "isOffDay": True},
        {"name": "元旦", "date": "2027-01-02", "isOffDay": True},
        {"name": "春节", "date": "2027-02-05", "isOffDay": True},
        {"name": "春节", "date": "2027-02-20", "isOffDay": False},
    ],
}
CSV = "date,kind,name\n2027-02-20,work,\n2027-01-02,放假,元旦\n2027-01-01,off,元旦\n2027-02-05,off,春节\n"
YAML = """
year: 2027
rest: [{first: 2027-01-01, last: 2027-01-02, name: 元旦}, {first: 2027-02-05, name: 春节}]
work: [2027-02-20]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped calendars, to be written to."""
    shutil.copytree(CHECKOUT / "catalog" / "calendars", tmp_path / "calendars")
    shutil.copy(CHECKOUT / "catalog" / "catalogue.yaml", tmp_path)
    return tmp_path


def call(folder: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--catalog", str(folder)])


def notice(folder: Path, name: str, text: str) -> Path:
    file = folder.parent / f"{folder.name}-{name}"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_days_that_change_are_shown_and_nothing_is_written(folder: Path) -> None:
    before = read_folder(folder)
    said = json.loads(call(folder, "import", notice(folder, "a.json", json.dumps(NOTICE)), "--json").stdout)
    assert [(day["date"], day["works"], day["name"]) for day in said["changes"]] == [
        ("2026-12-31", False, "元旦"), ("2027-01-01", False, "元旦"), ("2027-02-05", False, "春节"), ("2027-02-20", True, ""),
    ]  # fmt: skip
    assert (said["years"], said["published_until"], said["written"]) == ([2027], "2027-12-31", None)
    assert read_folder(folder) == before


@pytest.mark.parametrize(("name", "text"), [("a.json", json.dumps(NOTICE)), ("a.csv", CSV), ("a.yaml", YAML)])
def test_each_format_says_the_same(folder: Path, name: str, text: str) -> None:
    """Written into the layer's file beside what stood there, remarks included; a second import changes nothing."""
    file = notice(folder, name, text)
    before = (folder / "calendars/national.yaml").read_text(encoding="utf-8")
    assert call(folder, "import", file, "--source", "国办发明电〔2026〕7号", "--write").exit_code == 0
    after = (folder / "calendars/national.yaml").read_text(encoding="utf-8")
    kept = [line for line in before.splitlines() if not line.startswith("horizon") and "2025〕7号" not in line]
    assert set(kept) <= set(after.splitlines())
    calendars = read_calendars(read_folder(folder))
    layer = calendars.layers[calendars.name_of("national") or ""][-1]
    year = layer.years[-1]
    assert (year.year, str(layer.horizon)) == (2027, "2027-12-31")
    assert [(str(span.first), span.name) for span in year.rest] == [("2027-01-01", "元旦"), ("2027-02-05", "春节")]
    assert list(map(str, year.work)) == ["2027-02-20"] and year.source
    again = call(folder, "import", file, "--source", "国办发明电〔2026〕7号", "--json")
    assert json.loads(again.stdout)["changes"] == []


def test_a_year_of_a_city_that_had_none(folder: Path) -> None:
    file = notice(folder, "city.csv", "date,kind,name\n2026-05-20,off,建市纪念\n")
    assert call(folder, "import", file, "--layer", "heze", "--write").exit_code == 0
    calendars = read_calendars(read_folder(folder))
    assert [year.year for year in calendars.layers[calendars.name_of("heze") or ""][-1].years] == [2026]


def test_a_file_of_many_layers_is_left_to_its_author(folder: Path) -> None:
    """It is not known where the year would go: told, and untouched."""
    path = folder / "calendars/more.yaml"
    path.write_text("- {id: one, parent: national}\n- {id: two, parent: national}\n", encoding="utf-8")
    said = call(folder, "import", notice(folder, "a.csv", CSV), "--layer", "one", "--write")
    assert said.exit_code == 1 and "手工" in said.stderr
    assert path.read_text(encoding="utf-8").startswith("- {id: one")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.json", "[", "bad_value"),
        ("a.json", '{"year": 2027, "days": [{"date": "2027-13-01", "isOffDay": true}]}', "bad_value"),
        ("a.json", '{"year": 2027, "days": []}', "no_notice"),
        ("a.csv", "date,kind,name\n2027-01-01,maybe,\n", "bad_value"),
        ("a.csv", "date,kind,name\n2027-01-01,off,\n2027-01-01,work,\n", "bad_value"),
        ("a.csv", "date,kind,name\n2029-01-01,off,\n", "year_missing"),
        ("a.json", '{"year": 2027, "days": [{"date": "2027-01-01", "isOffDay": true}, {"date": "2031-01-01", "isOffDay": true}]}', "year_missing"),
        ("a.yaml", "year: 2027\nrest: [{first: 2026-01-01}]\n", "bad_value"),
        ("a.yaml", "year: 2027\nholidays: []\n", "unknown_field"),
        ("a.yaml", "", "no_notice"),
        ("a.csv", "date,kind,name\n9999-01-01,off,\n", "bad_value"),
        ("a.csv", "date,kind,name\n0001-01-01,off,\n", "bad_value"),
        ("a.yaml", "year: 9999\n", "bad_value"),
        ("a.yaml", "- " * 60 + "x\n", "yaml_deep"),
        ("a.json", '{"year": 2027, "days": [{"date": "2027-01-01", "isOffDay": "yes"}]}', "bad_value"),
        ("a.yaml", "year: 2027\nrest: [{first: 2027-01-01, last: 2027-03-31}]\n", "no_open_time"),
    ],
)  # fmt: skip
def test_a_faulty_notice_is_told_and_not_written(folder: Path, name: str, text: str, code: str) -> None:
    before = read_folder(folder)
    said = call(folder, "import", notice(folder, name, text), "--write", "--json")
    assert said.exit_code == 1 and code in {found["code"] for found in json.loads(said.stdout)["findings"]}
    assert read_folder(folder) == before


def test_an_unknown_layer_is_a_wrong_argument(folder: Path) -> None:
    said = call(folder, "import", notice(folder, "a.csv", CSV), "--layer", "mars")
    assert said.exit_code == 2 and "mars" in said.stderr


def test_the_shipped_layers_have_nothing_doubtful(folder: Path) -> None:
    """Seven years, each day as chinesecalendar has it."""
    said = call(folder, "verify", "--on", "2026-09-18", "--json")
    assert said.exit_code == 0, said.stdout
    assert json.loads(said.stdout) == {
        "findings": [], "error": 0, "warning": 0, "hint": 0, "compared": 2557, "differ": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        (
            "{first: 2026-02-15, last",
            "{first: 2026-02-20, last: 2026-02-21}\n      - {first: 2026-02-15, last",
            "days_twice",
            83,
        ),
        ("work: [2026-01-04", "work: [2026-01-05, 2026-01-04", "work_anyway", 83),
        ("work: [2026-01-04", "work: [2026-01-10", "day_differs", 4),
        ("horizon: 2026-12-31", "horizon: 2027-12-31", "days_unpublished", 8),
        ("  - year: 2024\n", "  - year: 2019\n", "bad_value", 4),
    ],
)
def test_what_is_doubtful_is_told_with_its_line(folder: Path, old: str, new: str, code: str, line: int) -> None:
    path = folder / "calendars/national.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    said = call(folder, "verify", "--on", "2026-09-18", "--json")
    found = {(finding["code"], finding["line"]) for finding in json.loads(said.stdout)["findings"]}
    assert said.exit_code == 1 and (code, line) in found


def test_a_horizon_that_comes_near_is_told(folder: Path) -> None:
    """From the middle of November on, when the next notice is out."""
    assert call(folder, "verify", "--on", "2026-11-16").exit_code == 0
    said = call(folder, "verify", "--on", "2026-11-17", "--lang", "en")
    assert said.exit_code == 1 and "published until 2026-12-31 only" in said.stdout
