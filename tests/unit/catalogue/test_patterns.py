"""Policies that are like others: read as if they had been written out, each fault at the line that was written."""

import json
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec import Raw
from typer.testing import CliRunner

from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files
from router.catalogue.policy_difference import compare_policies
from router.cli.catalog import app
from router.cli.policy_words import WORDS
from tests.unit.catalogue.small import edited, small
from workflows import events as ev
from workflows.commands import Submit
from workflows.decide import decide
from workflows.policies import ClockTemplate, Policy

POLICIES = "policies/all.yaml"
CITY = """
- pattern: usual
  reserve: 4wh
  clocks:
    - {kind: finish, of: case, budget: 5wd, start: next_day, due: end_of_day, warn: [{before: 1wd}]}
    - {kind: triage, of: task, budget: 4wh}
    - {kind: triage, of: task, reason: low_score, budget: 2wh}
- id: city
  like: usual
  name: 乙市
  source: 乙市办法
  grade: A
  clocks: {case finish: 8wd, leg sign: 1wd, task triage low_score: none, task triage: {budget: 1wh, start: next_working_instant}}
"""
WRITTEN = """
- id: city
  name: 乙市
  source: 乙市办法
  grade: A
  reserve: 4wh
  clocks:
    - {kind: finish, of: case, budget: 8wd, start: next_day, due: end_of_day, warn: [{before: 1wd}]}
    - {kind: sign, of: leg, budget: 1wd}
    - {kind: triage, of: task, budget: 1wh, start: next_working_instant}
"""


def with_city(text: str = CITY, **files: str) -> dict[str, bytes]:
    return small() | {"policies/city.yaml": text.encode()} | {name: data.encode() for name, data in files.items()}


def faults(files: dict[str, bytes]) -> list[tuple[str, str, int]]:
    try:
        from_files(files)
    except CatalogueFaulty as faulty:
        return [(found.code, found.file, found.line) for found in faulty.findings]
    return []


def test_a_policy_that_is_like_a_pattern_is_what_it_would_be_written_out() -> None:
    """The oracle is the same policy without `like`; the pattern itself is nobody's policy."""
    made, written = from_files(with_city()), from_files(with_city(WRITTEN))
    assert made.policies == written.policies
    assert "usual" not in made.policies


def test_order_of_files_and_rows_does_not_matter() -> None:
    pattern, city = CITY.split("- id: city")
    files = with_city("- id: city" + city) | {"policies/z.yaml": pattern.encode()}
    assert from_files(files).policies["city"] == from_files(with_city()).policies["city"]


def test_like_a_policy_takes_everything_but_who_says_so() -> None:
    more = CITY + "- {id: more, like: city, name: 丙, source: 丙市, grade: B}\n"
    made = from_files(with_city(more)).policies
    assert made["more"] == msgspec.structs.replace(made["city"], id="more", name="丙", source="丙市", grade="B")
    assert ("missing_field", "policies/city.yaml", 14) in faults(
        with_city(CITY + "- {id: more, like: city, name: 丙, grade: B}\n")
    )


def test_each_fault_stands_where_it_was_written() -> None:
    """In the pattern for all who are like it, once; in the row for what the row says."""
    assert faults(with_city(CITY.replace("like: usual", "like: unusual"))) == [
        ("like_unknown", "policies/city.yaml", 9)
    ]
    assert faults(with_city(CITY.replace("reserve: 4wh", "like: city"))) == [("like_circle", "policies/city.yaml", 9)]
    assert faults(
        with_city(CITY.replace("kind: triage, of: task, budget: 4wh", "kind: triage, of: task, budgets: 4wh"))
    )[0][1:] == ("policies/city.yaml", 6)
    assert faults(with_city(CITY.replace("before: 1wd", "before: 1 day"))) == [("bad_budget", "policies/city.yaml", 5)]
    assert faults(with_city(CITY.replace("case finish: 8wd", "case finish: 8 days"))) == [
        ("bad_budget", "policies/city.yaml", 13)
    ]
    for clock in ("unit finish: 1wd", "finish: 1wd", "leg contact: none"):
        assert faults(with_city(CITY.replace("leg sign: 1wd", clock))) == [("clock_unknown", "policies/city.yaml", 13)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_long_chain_is_a_fault_in_any_order(turned: bool) -> None:
    """Never an exception, however long it is."""
    rows = [f"- {{id: c{i}, like: c{i - 1}, name: n, source: s, grade: A}}\n" for i in range(1, 400)]
    first = "- {id: c0, name: n, source: s, grade: A, clocks: []}\n"
    text = first + "".join(rows[::-1] if turned else rows)
    assert {code for code, *_ in faults(with_city(text))} == {"like_deep"}
    assert faults(with_city(first + "".join(rows[:5][:: -1 if turned else 1]))) == []


def test_a_name_is_given_once() -> None:
    """To a policy or to a pattern; and a row is one or the other."""
    assert faults(with_city(CITY + "- {pattern: usual, clocks: []}\n")) == [("duplicate_id", "policies/city.yaml", 14)]
    assert faults(with_city(CITY + "- {pattern: city, clocks: []}\n")) == [("duplicate_id", "policies/city.yaml", 14)]
    assert faults(with_city(CITY.replace("reserve: 4wh", "id: usual"))) == [("unknown_field", "policies/city.yaml", 3)]


def test_what_is_published_is_read_again_as_it_was() -> None:
    """Policies that are carried on stand in full: they need no pattern any more."""
    city = from_files(with_city()).policies["city"]
    assert msgspec.json.decode(msgspec.json.encode(city), type=Policy) == city
    again = from_files(small() | {"policies/retained.yaml": msgspec.json.encode([city])})
    assert again.policies["city"] == city


def test_a_new_city_is_data_alone() -> None:
    """A policy of three lines and a channel that names it: a case runs by it, from the day after its receipt."""
    files = with_city() | {"channels.csv": edited("channels.csv", "suggestion,slow", "suggestion,city")["channels.csv"]}
    received = (
        1_781_485_200_000  # 2026-06-15 (Mon) 09:00 in Beijing; 06-19 is open here, the small catalogue has no holidays
    )
    request = {"title": "路灯不亮", "text": "路灯不亮", "appeal_kind": "help", "place": {"region": "370202"}}
    command = Submit(
        id="c", case="case", at=received, channel="box", ref="r-1", digest="d", received_at=received,
        serial="1", request=Raw(json.dumps(request).encode()),
    )  # fmt: skip
    events = tuple(decide(None, command, from_files(files).facts(), received))
    clocks = {(event.kind, event.of[:0]): event for event in events if isinstance(event, ev.ClockStarted)}
    finish = clocks["finish", ""]
    assert finish.policy == "city" and finish.budget == "8wd"
    assert finish.due == received - 9 * 3_600_000 + (10 * 24 + 18) * 3_600_000  # eight working days on, 06-25, at 18:00


def test_the_difference_says_which_limit_changes_for_whom(tmp_path: Path) -> None:
    """In both languages and as an object; running cases keep their dues, which is said."""
    before, after = edited(POLICIES, "budget: 30d", "budget: 20d"), small()
    for name, files in (("a", before), ("b", after)):
        for file, data in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_bytes(data)
    (change,) = compare_policies(from_files(before), from_files(after))
    assert (change.id, change.channels, change.default) == ("slow", ("box",), False)
    assert [(limit.clock, limit.field, limit.before, limit.after) for limit in change.limits] == [
        ("case finish", "budget", "20d", "30d")
    ]
    said = CliRunner().invoke(app, ["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--lang", "en"])
    assert said.exit_code == 1
    assert "case finish limit: 20 days → 30 days" in said.stdout and "channels box" in said.stdout
    zh = CliRunner().invoke(app, ["diff", str(tmp_path / "a"), str(tmp_path / "b")]).stdout
    assert "工单办结时限：20 个自然日 → 30 个自然日" in zh
    told = CliRunner().invoke(app, ["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]).stdout
    assert json.loads(told.splitlines()[-1])["policies"][0]["limits"][0]["after"] == "30d"
    assert CliRunner().invoke(app, ["diff", str(tmp_path / "a"), str(tmp_path / "a")]).exit_code == 0
    assert CliRunner().invoke(app, ["diff", str(tmp_path), str(tmp_path), "--against", str(tmp_path)]).exit_code == 2


def test_everything_a_policy_can_say_has_words() -> None:
    """A clock or field that is new gets its word here, or the difference would be told in code."""
    kinds = get_args(ClockTemplate.__annotations__["kind"])
    fields = (
        *Policy.__struct_fields__,
        *(name for name in ClockTemplate.__struct_fields__ if name not in ("kind", "of")),
    )
    assert {*kinds, *fields} - {*WORDS} == {"id", "clocks", "reason"}
