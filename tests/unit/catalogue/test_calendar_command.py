"""`duokua calendar …`: answers, ledgers and what wrong arguments get."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from router.cli.calendar import app
from tests.unit.catalogue.small import small
from tests.unit.workflows.test_calendars import GOLDEN


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def answer(*arguments: str) -> dict[str, object]:
    said = call(*arguments, "--json")
    assert said.exit_code == 0, said.output
    return dict(json.loads(said.stdout.splitlines()[-1]))


@pytest.mark.parametrize(("received", "days", "due"), GOLDEN)
def test_golden_vectors_of_the_norms(received: str, days: int, due: str) -> None:
    """By the shipped national calendar, without any option."""
    found = answer("due", received, f"{days}wd")
    assert (found["due"], found["provisional"]) == (f"{due}T17:00:00+08:00", False)


@pytest.mark.parametrize(
    ("start", "limit", "due"),
    [
        ("2026-09-18T10:00", "24h", "2026-09-19T10:00:00+08:00"),
        ("2026-09-18T10:00+08:00", "30m", "2026-09-18T10:30:00+08:00"),
        ("2026-09-18T02:00:00Z", "30m", "2026-09-18T10:30:00+08:00"),
        ("2026-09-18 16:30", "2wh", "2026-09-20T09:30:00+08:00"),
        ("2026-09-18", "3d", "2026-09-21T23:59:59+08:00"),
    ],
)
def test_a_limit_says_by_its_unit_how_it_is_counted(start: str, limit: str, due: str) -> None:
    """Days from the next one to their end, all else from the receipt to the instant (民法典 art. 201, 203)."""
    assert answer("due", start, limit)["due"] == due


def test_rules_may_be_said() -> None:
    said = answer("due", "2026-09-18T20:00", "1wd", "--start", "next_working_instant", "--due-rule", "exact")
    assert said["due"] == "2026-09-20T17:00:00+08:00" and said["anchor"] == "2026-09-20T08:00:00+08:00"


def test_the_ledger_tells_each_day_in_both_languages() -> None:
    zh, en = call("due", "2026-09-30", "3wd"), call("explain", "2026-09-30", "3wd", "--lang", "en")
    assert "2026-10-01 周四      -  国庆节放假（全国工作日历）" in zh.stdout.splitlines()
    assert "2026-10-10 Sat      3  worked weekend (全国工作日历), 08:00-12:00 13:00-17:00" in en.stdout.splitlines()
    days = answer("explain", "2026-09-30", "3wd")["days"]
    assert isinstance(days, list) and len(days) == 11
    assert [day["total"] for day in days if day["counted"]] == [1, 2, 3]


def test_beyond_the_horizon_it_says_so() -> None:
    assert answer("due", "2026-12-30", "5wd")["provisional"] is True
    assert "暂定" in call("due", "2026-12-30", "5wd").stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("due", "yesterday", "5wd"), "不是时间"),
        (("due", "0001-01-01", "5wd"), "不是时间"),
        (("due", "2026-02-30", "5wd"), "不是时间"),
        (("due", "2026-02-13", "5w"), "不是时限"),
        (("due", "2026-02-13", "100000wd"), "不是时限"),
        (("due", "2026-02-13", "0wd"), "不是时限"),
        (("due", "2026-02-13", "5 wd"), "不是时限"),
        (("due", "2026-02-13", "5wd", "--calendar", "mars"), "没有日历"),
        (("due", "2026-02-13", "5wd", "--start", "soon"), "--start"),
        (("due", "2026-02-13"), "BUDGET"),
        (("show", "national", "1800"), "没有 1800 年"),
    ],
)
def test_wrong_arguments_are_told_and_end_with_2(arguments: tuple[str, ...], said: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2 and said in result.stderr and not result.stdout


def test_show_lists_them_and_tells_one(tmp_path: Path) -> None:
    """Layers, hours, days off and worked weekends; only the calendars of a folder are read, whatever else is in it."""
    files = small() | {"calendars/yi.yaml": small()["calendars/yi.yaml"] + YI, "rules/90.yaml": b"not: a rule"}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    folder = ("--catalog", str(tmp_path))
    listed = json.loads(call("show", "--json", *folder).stdout)["calendars"]
    assert [(row["id"], row["place"], row["published_until"]) for row in listed] == [
        ("office", "", "2026-12-31"), ("yi", "370200", "2026-12-31"),
    ]  # fmt: skip
    shown = call("show", "yi", "2026", *folder).stdout
    assert "01-01 至 12-31  08:00-12:00 14:00-18:00" in shown and "上班\t2026-09-20 周日\t调休" in shown
    assert "单日\t2026-09-19\t09:00-12:00\t赶集" in shown and "单日\t2026-09-21\t不办公\t停电" in shown
    assert json.loads(call("show", "yi", "2026", "--json", *folder).stdout)["working_days"] == 262


YI = b"""
days:
  - {day: 2026-09-19, open: ["09:00-12:00"], name: "\xe8\xb5\xb6\xe9\x9b\x86"}
  - {day: 2026-09-21, open: [], name: "\xe5\x81\x9c\xe7\x94\xb5"}
"""
