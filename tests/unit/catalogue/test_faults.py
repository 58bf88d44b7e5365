"""A faulty catalogue is refused as a whole, with every fault at its file and line, in both languages."""

import json
import string
from pathlib import Path

import pytest

from router.catalogue.findings import TEXTS, CatalogueFaulty, Finding
from router.catalogue.load import from_files, inspect, load
from router.operate.settings import CHECKOUT
from tests.unit.catalogue.small import edited, small, unchanged


def findings_of(files: dict[str, bytes]) -> tuple[Finding, ...]:
    try:
        return from_files(files).findings
    except CatalogueFaulty as faulty:
        return faulty.findings


RULES = "rules/90.yaml"
DIVISIONS = "places/divisions.csv"
TEMPLATES = "units/templates.csv"
UNITS = "units/units.csv"
POLICIES = "policies/all.yaml"

FAULTS = [
    # file, what stood there, what stands there now, the finding and its line
    ("endpoints.csv", "desk,desk,办理台,", "desk2,desk,办理台,", "no_door", TEMPLATES, 2),
    ("endpoints.csv", "370103.*", "*.police", "two_doors", "endpoints.csv", 5),
    ("channels.csv", "370200,citizen,letter", "370299,citizen,letter", "dangling", "channels.csv", 3),
    ("channels.csv", "370200,citizen,letter", "370181,citizen,letter", "expired_code", "channels.csv", 3),
    ("channels.csv", "suggestion,slow", "suggestion,slower", "dangling", "channels.csv", 3),
    ("channels.csv", "citizen,letter", "citizens,letter", "bad_word", "channels.csv", 3),
    ("categories.csv", "C111,路面,C11", "C111,路面,C19", "dangling", "categories.csv", 4),
    ("categories.csv", "C1,城建,,roads", "C1,城建,C111,roads", "cycle", "categories.csv", 2),
    ("categories.csv", "C12,公园,C1,parks,handle", "C12,公园,C1,parks,lead", "bad_role", "categories.csv", 5),
    ("categories.csv", "C12,公园,C1,parks,handle", "C12,公园,C1,parks,approve", "nobody_holds", "categories.csv", 5),
    ("categories.csv", "C12,公园", "C11,公园", "duplicate_id", "categories.csv", 5),
    ("matters.csv", "d1,20wd,5wd", "d9,20wd,5wd", "dangling", "matters.csv", 3),
    ("matters.csv", "d1,20wd,5wd", "d1,20 days,5wd", "bad_budget", "matters.csv", 3),
    ("matters.csv", "d1,20wd,5wd", "d1,5wd,20wd", "limit_order", "matters.csv", 3),
    ("matters.csv", "s1,i1", "s9,i1", "dangling", "matters.csv", 3),
    ("matters.csv", "s1,i1", "s1,i9", "dangling", "matters.csv", 3),
    ("matters.csv", "trade,approve", "roads,approve", "duty_elsewhere", "matters.csv", 3),
    ("lists/procedures.csv", "law", "lore", "dangling", "lists/procedures.csv", 2),
    ("lists/procedures.csv", "law", "plain", "no_statutory_clock", "lists/procedures.csv", 2),
    ("lists/reasons.csv", "supervise,overdue", "superwise,overdue", "bad_word", "lists/reasons.csv", 2),
    ("lists/reasons.csv", "超期,overdue", ",overdue", "bad_value", "lists/reasons.csv", 2),
    ("lists/data_items.csv", "trade,s1", "trade,s9", "dangling", "lists/data_items.csv", 2),
    ("units/functions.csv", "village-help,便民", "village-aid,便民", "dangling", TEMPLATES, 13),
    ("units/functions.csv", "village-help,便民,政务\n", "village-help,便民,政务\nnew,新,政务\n", "function_unheld", "units/functions.csv", 10),
    (TEMPLATES, "village-help,town.government", "village-help,town.gov", "dangling", TEMPLATES, 14),
    (TEMPLATES, "roads:handle@M2", "roads:handle@M9", "dangling", TEMPLATES, 10),
    (TEMPLATES, "village-help,town.government", "village-help:help,town.government", "bad_role", TEMPLATES, 14),
    (TEMPLATES, "hotline:triage,province.government", "hotline:review,province.government", "no_centre", "catalogue.yaml", 1),
    (UNITS, "370100,370100.government,trade", "370181,370100.government,trade", "expired_code", UNITS, 4),
    (UNITS, "370100,370100.government,trade", "370999,370100.government,trade", "dangling", UNITS, 4),
    (UNITS, "370100,370100.government,trade", "370100,370100.gov,trade", "dangling", UNITS, 4),
    (UNITS, "trade,water", "trade,sea", "dangling", UNITS, 4),
    (UNITS, "370100,370100.government,trade", "370100,370100.government,police", "two_holders", UNITS, 4),
    (DIVISIONS, "2020-01-01,370103", "2020-01-01,", "no_successor", DIVISIONS, 7),
    (DIVISIONS, "2020-01-01,370103", "2020-01-01,370199", "dangling", DIVISIONS, 7),
    (DIVISIONS, "2020-01-01,370103", "2020-13-01,370103", "bad_date", DIVISIONS, 7),
    (DIVISIONS, ",2020-01-01,370103", "2021-01-01,2020-01-01,370103", "dates_reversed", DIVISIONS, 7),
    (DIVISIONS, "甲市,city,370000", "甲市,city,370102", "cycle", DIVISIONS, 3),
    (DIVISIONS, "甲一区,county", "甲一区,prefecture", "bad_value", DIVISIONS, 4),
    (DIVISIONS, "甲一区,county,", "甲一区,county,,", "csv_width", DIVISIONS, 4),
    (DIVISIONS, "successors", "heirs", "csv_header", DIVISIONS, 1),
    ("catalogue.yaml", "370000", "370100", "no_root", "catalogue.yaml", 1),
    ("catalogue.yaml", "default_policy: plain", "default_policy: none", "no_policy_default", "catalogue.yaml", 1),
    ("catalogue.yaml", "default_calendar: office", "default_calendar: none", "dangling", "catalogue.yaml", 1),
    ("emergencies.yaml", "{id: other, receiver_function: police}", "{id: other, receiver_function: navy}", "dangling", "emergencies.yaml", 2),
    (RULES, "number: 999", "number: 910", "equal_numbers", RULES, 12),
    (RULES, "number: 999", "number: 905", "after_fallback", RULES, 7),
    (RULES, "then: {triage: true}", "when: {kind: [help]}\n  then: {triage: true}", "no_fallback", "rules/", 0),
    (RULES, "then: {triage: true}", "then: {}", "no_outcome", RULES, 14),
    (RULES, "then: {triage: true}", "then: {triage: true, one_thing: birth}", "no_outcome", RULES, 14),
    (RULES, "[C1, C3]", "[C1, C9]", "dangling", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{channel: [fax]}", "dangling", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{applicant: [robot]}", "bad_word", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{category: [C1]}", "unknown_field", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{tags: [\"(none)\", \"(null)\"]}", "bad_state", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{channel: [\"(missing)\"]}", "bad_state", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{words_any: [\"(missing)\"]}", "bad_state", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{category_under: [\"(empty)\"]}", "bad_state", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{medium: [fax]}", "bad_word", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{disclosure: [secret]}", "bad_word", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{place_level: [county, district]}", "bad_word", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{words_none: [\" \"]}", "bad_keyword", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{words_all: [" + "长" * 65 + "]}", "bad_keyword", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{time: [lunch]}", "bad_value", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{time: [{days: [monday]}]}", "bad_value", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{time: [{from: \"25:00\"}]}", "bad_window", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{time: [{from: \"8:00\"}]}", "bad_window", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{time: [{from: \"08:00\", to: \"08:00\"}]}", "bad_window", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{form: {x: {at_least: \"2\", at_most: \"1\"}}}", "bad_range", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{form: {x: {at_least: \"NaN\"}}}", "bad_range", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{form: {x: {}}}", "bad_range", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{form: {x: {at_least: many}}}", "bad_value", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{form: {x: {more_than: \"1\"}}}", "unknown_field", RULES, 4),
    (RULES, "{category_under: [C1, C3]}", "{form: {x: []}}", "empty_box", RULES, 4),
    (RULES, "when: {category_under: [C1, C3]}", "any: [{}]", "empty_box", RULES, 4),
    (RULES, "when: {category_under: [C1, C3]}", "unless: [{channel: [phone]}, {matter_under: [M9]}]", "dangling", RULES, 4),
    (RULES, "when: {category_under: [C1, C3]}", "any: [{place_under: [370181]}]", "expired_code", RULES, 4),
    (RULES, "when: {category_under: [C1, C3]}", "any: [{any: [{kind: [help]}]}]", "unknown_field", RULES, 4),
    (RULES, "then: {triage: true}", "unless: [{kind: [help]}]\n  then: {triage: true}", "no_fallback", "rules/", 0),
    (RULES, "then: {triage: true}", "then: {triage: true, urgency: normal}", "bad_value", RULES, 14),
    (RULES, "then: {triage: true}", "then: {triage: true, urgency: urgent}", "ok", "", 0),
    (RULES, "  then: {triage: true}", "  adds: true\n  then: {urgency: urgent}", "no_fallback", "rules/", 0),
    (RULES, "then: {route: [{function: \"@matter\"}]}", "adds: true\n  then: {route: [{function: \"@matter\"}]}", "bad_addition", RULES, 11),
    (RULES, "then: {route: [{function: \"@matter\"}]}", "adds: true\n  then: {}", "bad_addition", RULES, 11),
    (RULES, "then: {route: [{function: \"@matter\"}]}", "adds: true\n  then: {urgency: urgent, policy: slow}", "bad_addition", RULES, 11),
    (RULES, "then: {route: [{function: \"@matter\"}]}", "adds: true\n  then: {route: [{function: \"@matter\", part: copy}]}", "ok", "", 0),
    (RULES, "then: {route: [{function: \"@matter\"}]}", "then: {answer: hours}", "dangling", RULES, 10),
    ("rules/10.yaml", "[370100]", "[370181]", "expired_code", "rules/10.yaml", 15),
    ("rules/10.yaml", "[370100]", "[370202]", "ok", "", 0),
    ("rules/10.yaml", "{function: parks, part: assist}", "{function: parks}", "no_lead", "rules/10.yaml", 17),
    ("rules/10.yaml", "{function: parks, part: assist}", "{function: parks, role: triage, part: assist}", "nobody_holds", "rules/10.yaml", 19),
    ("rules/10.yaml", "{function: roads, role: supervise, level: city}", "{function: trade}", "ok", "", 0),
    ("rules/10.yaml", "policy: slow", "policy: slower", "dangling", "rules/10.yaml", 20),
    ("rules/10.yaml", "{one_thing: birth}", "{one_thing: death}", "dangling", "rules/10.yaml", 5),
    ("rules/10.yaml", "not_within_scope", "no_reason", "bad_word", "rules/10.yaml", 11),
    (POLICIES, "budget: 30d, warn", "budget: 30d, due: working_day, warn", "bad_word", POLICIES, 12),
    (POLICIES, "budget: 30d", "budget: 30x", "bad_budget", POLICIES, 12),
    (POLICIES, "before: 1wd", "before: 1w", "bad_budget", POLICIES, 12),
    (POLICIES, "id: slow", "id: slow\n  merge_alone: 0", "bad_weight", POLICIES, 8),
    (POLICIES, "id: slow", "id: slow\n  repeats: [{times: 1, notify: true}]", "bad_repeats", POLICIES, 8),
    (POLICIES, "id: slow", "id: slow\n  repeats: [{times: 3, notify: true}, {times: 3, urgency: urgent}]", "bad_repeats", POLICIES, 8),
    (POLICIES, "id: slow", "id: slow\n  repeats: [{times: 3}]", "bad_repeats", POLICIES, 8),
    ("catalogue.yaml", "default_calendar: office", "default_calendar: office\nsimilar: {alike: 0}", "bad_weight", "catalogue.yaml", 1),
    ("catalogue.yaml", "default_calendar: office", "default_calendar: office\nsimilar: {days: 400}", "bad_weight", "catalogue.yaml", 1),
    (POLICIES, "who: superior", "who: everybody", "bad_value", POLICIES, 12),
    (POLICIES, "who: superior", "who: role", "rung_role", POLICIES, 12),
    (POLICIES, "who: superior", "who: role, role: nothing:handle", "dangling", POLICIES, 12),
    (POLICIES, "who: superior", "who: role, role: roads:rule", "bad_role", POLICIES, 12),
    (POLICIES, "what: urge", "what: urge, every: 1wd", "rung_times", POLICIES, 12),
    (POLICIES, "what: urge", "what: urge, every: 1wd, times: 21", "rung_times", POLICIES, 12),
    (POLICIES, "what: urge", "what: urge, every: 1 day, times: 2", "bad_budget", POLICIES, 12),
    (POLICIES, "what: urge", "what: urge, until: [acknowledged]", "rung_unasked", POLICIES, 12),
    (POLICIES, "what: urge", "what: redispatch", "rung_who", POLICIES, 12),
    (POLICIES, "what: urge", 'what: urge, quiet: "22:00-22:00"', "bad_hours", POLICIES, 12),
    (POLICIES, "before: 1wd", "before: 1wd, quiet: night", "bad_hours", POLICIES, 12),
    ("calendars/yi.yaml", "parent: office", "parent: offices", "dangling", "calendars/yi.yaml", 2),
    ("calendars/yi.yaml", "14:00-18:00", "11:00-18:00", "bad_value", "calendars/yi.yaml", 1),
    ("calendars/days.yaml", "2026-09-20", "2025-09-20", "bad_value", "calendars/office.yaml", 1),
    ("calendars/yi.yaml", "place: 370200", "place: 370299", "dangling", "calendars/yi.yaml", 1),
    ("calendars/yi.yaml", "place: 370200", "units: [370202.roads, 370202.road]", "dangling", "calendars/yi.yaml", 1),
    ("calendars/yi.yaml", "place: 370200", "days: [{day: 2026-09-19}, {day: 2026-09-19, open: []}]", "bad_value", "calendars/yi.yaml", 1),
    ("calendars/yi.yaml", "place: 370200", "years: [{year: 2026, rest: [{first: 2026-01-01, last: 2026-12-31}]}]", "no_open_time", "calendars/yi.yaml", 1),
    ("calendars/yi.yaml", "place: 370200", "weekend: [1, 2, 3, 4, 5, 6, 7]", "no_open_time", "calendars/yi.yaml", 1),
    ("calendars/yi.yaml", '"14:00-18:00"]', '"14:00-18:00"], since: 06-01, until: 09-30', "no_hours", "calendars/yi.yaml", 1),
    ("one_things/birth.yaml", "matter: M2", "matter: M9", "dangling", "one_things/birth.yaml", 7),
    ("one_things/birth.yaml", "{function: parks}", "{function: parks, role: review}", "nobody_holds", "one_things/birth.yaml", 10),
    ("one_things/birth.yaml", "limit: 5wd", "limit: soon", "bad_budget", "one_things/birth.yaml", 1),
    ("vocabularies/kinds.csv", "HELP,help\n", "HELP,rescue\n", "bad_word", "vocabularies/kinds.csv", 2),
    ("vocabularies/kinds.csv", "HELP,help\n", "HELP,help\nHELP,consult\n", "duplicate_id", "vocabularies/kinds.csv", 3),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "code", "at", "line"), FAULTS, ids=lambda value: str(value)[:24])
def test_each_fault_is_found_where_it_stands(file: str, old: str, new: str, code: str, at: str, line: int) -> None:
    """One change, one kind of finding, at the file and line to be mended ("ok": a change that is no fault)."""
    found = findings_of(edited(file, old, new))
    if code == "ok":
        assert not [finding for finding in found if finding.level == "error"]
        return
    assert (code, at, line) in [(finding.code, finding.file, finding.line) for finding in found]


def test_what_nobody_writes_by_hand_is_refused_at_the_row_that_is_too_much() -> None:
    """More rules or keywords than are compiled in seconds: one finding each, together with all the others."""
    files = edited(RULES, "{category_under: [C1, C3]}", "{channel: [fax], words_any: [一, 二], words_none: [三, 四]}")
    files["catalogue.yaml"] += b"max_rules: 4\nmax_keywords: 3\n"
    found = {(finding.code, finding.file, finding.line) for finding in findings_of(files)}
    assert {("too_many_words", RULES, 1), ("too_many_rules", RULES, 6), ("dangling", RULES, 4)} <= found


ENTRY = {"id": "hours", "title": "时间", "text": "周六开放", "basis": "某办法", "author": "张三"}
ANSWERED = [
    ({}, "kind: [consult]", "", "ok", "", 0),
    ({}, "kind: [consult, complaint]", "", "answer_not_asked", "rules/05.yaml", 1),
    ({}, "channel: [phone]", "", "answer_not_asked", "rules/05.yaml", 2),
    ({"valid_from": "2026-01-01"}, "kind: [consult]", "", "answer_dates", "rules/05.yaml", 2),
    ({"valid_to": "2026-01-01"}, "kind: [consult]", "", "answer_dates", "rules/05.yaml", 2),
    ({"valid_to": "2026-01-01"}, "kind: [consult]", "valid_to: 2026-01-02", "answer_dates", "rules/05.yaml", 2),
    ({"valid_to": "2026-01-01"}, "kind: [consult]", "valid_to: 2026-01-01", "ok", "", 0),
    ({"text": ""}, "kind: [consult]", "", "bad_value", "answers/all.yaml", 1),
    ({"valid_to": "soon"}, "kind: [consult]", "", "bad_date", "answers/all.yaml", 1),
]


@pytest.mark.parametrize(("entry", "when", "valid", "code", "at", "line"), ANSWERED)
def test_an_answer_is_for_questions_and_while_it_is_in_force(
    entry: dict[str, str], when: str, valid: str, code: str, at: str, line: int
) -> None:
    """A rule can close a case with the knowledge base only where nobody asks for anything to be done."""
    rule = f"- {{id: ask, number: 5, name: 问, when: {{{when}}}, {valid or 'basis: x'},\n   then: {{answer: hours}}}}"
    files = {
        "answers/all.yaml": json.dumps([ENTRY | entry], ensure_ascii=False).encode(),
        "rules/05.yaml": rule.encode(),
    }
    found = findings_of(small() | files)
    if code == "ok":
        assert found == ()
    else:
        assert (code, at, line) in [(finding.code, finding.file, finding.line) for finding in found]


def test_everything_that_is_wrong_with_a_rule_comes_at_once_with_its_line_and_column() -> None:
    """Also after a fault within the same list, and what is missing after what is too much; a code that only seems missing is not told."""
    files = small() | {
        "rules/05.yaml": b"""
- id: odd
  number: five
  when: {category: [C1], kind: [help], time: [{days: [mon, moonday, sun, sonday]}, noon]}
  any: [{}, {chanel: [phone]}]
  then: {route: [{function: roads, rle: handle}, {role: handle}, {function: parks, part: leader}]}
  weight: "1"
"""
    }
    found = [(f.code, f.line, f.column, f.text_en) for f in findings_of(files) if f.file == "rules/05.yaml"]
    assert found == [
        ("missing_field", 2, 3, "0: the field 'name' is missing"),
        ("bad_value", 3, 3, "0.number: Expected `int`, got `str`"),
        ("unknown_field", 4, 10, "0.when: unknown field 'category'"),
        ("bad_value", 4, 60, "0.when.time.0.days.1: Invalid enum value 'moonday'"),
        ("bad_value", 4, 74, "0.when.time.0.days.3: Invalid enum value 'sonday'"),
        ("bad_value", 4, 84, "0.when.time.1: Invalid enum value 'noon'"),
        ("unknown_field", 5, 14, "0.any.1: unknown field 'chanel'"),
        ("unknown_field", 6, 36, "0.then.route.0: unknown field 'rle'"),
        ("missing_field", 6, 50, "0.then.route.1: the field 'function' is missing"),
        ("bad_value", 6, 84, "0.then.route.2.part: Invalid enum value 'leader'"),
        ("unknown_field", 7, 3, "0: unknown field 'weight'"),
    ]


def test_very_much_is_refused_by_its_size_before_it_is_read() -> None:
    """50 MB of YAML, whatever stands in it."""
    found = findings_of(small() | {"rules/05.yaml": b"[" * (50 << 20)})
    assert [(f.code, f.file) for f in found if f.level == "error"] == [("file_too_big", "rules/05.yaml")]


def test_a_target_that_holds_no_duty_in_the_rules_place() -> None:
    """A rule for a place may only name functions that a unit holds there, below it or above it."""
    files = edited("rules/10.yaml", "[370100]", "[370200]")
    assert not [f for f in findings_of(files) if f.level == "error"]
    files["rules/10.yaml"] = files["rules/10.yaml"].replace(
        b"{function: parks, part: assist}", b"{function: trade, part: assist}"
    )
    found = [f for f in findings_of(files) if f.code == "target_without_duty"]
    assert [(f.file, f.line) for f in found] == [("rules/10.yaml", 19)] and "370200" in found[0].text_en


def test_all_faults_come_at_once() -> None:
    """An author sees everything that is wrong, not the first thing."""
    files = edited(RULES, "number: 999", "number: 910")
    files["matters.csv"] = edited("matters.csv", "d1,20wd", "d9,20wd")["matters.csv"]
    files["channels.csv"] = edited("channels.csv", "suggestion,slow", "suggestion,slower")["channels.csv"]
    files["policies/all.yaml"] += b"- {id: plain, name: x, source: y, grade: mem, clocks: []}\n"
    codes = {(finding.file, finding.code) for finding in findings_of(files)}
    assert codes >= {
        (RULES, "equal_numbers"),
        ("matters.csv", "dangling"),
        ("channels.csv", "dangling"),
        (POLICIES, "duplicate_id"),
    }


def test_the_small_catalogue_has_no_fault() -> None:
    """Otherwise the tests above would show nothing."""
    assert unchanged().findings == ()


@pytest.mark.parametrize("file", sorted(small()))
def test_a_missing_file_is_a_finding_and_no_crash(file: str) -> None:
    """Folders may be empty; a table that is not there is said to be missing, or what needed it is."""
    files = small()
    del files[file]
    found = findings_of(files)
    harmless = file in (
        "vocabularies/kinds.csv",
        "calendars/yi.yaml",
        "rules/10.yaml",
        "lists/reasons.csv",
        "lists/procedures.csv",
    )
    assert harmless != any(finding.level == "error" for finding in found)


YAML_FAULTS = [
    (b"a: &x 1\nb: *x\n", "yaml_anchor", 1),
    (b"a: [1, 2\nb: 3\n", "yaml_broken", 2),
    (b"a: !!python/object/apply:os.system ['true']\n", "yaml_tag", 1),
    (b"[" * 10_000, "yaml_deep", 1),
    (b"- id: a\n  id: b\n", "duplicate_key", 2),
    (b"- id: \xff\n", "not_utf8", 1),
    (b"# " + b"x" * (1 << 20) + b"\n", "file_too_big", 0),
    (b"just words\n", "bad_value", 1),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code", "line"), YAML_FAULTS, ids=[code for _, code, _ in YAML_FAULTS])
def test_yaml_has_no_surprises(data: bytes, code: str, line: int) -> None:
    """Anchors, tags, depth, size, duplicate keys and broken text are findings, not crashes and not code."""
    found = findings_of(small() | {"policies/odd.yaml": data})
    assert (code, line) in [(finding.code, finding.line) for finding in found if finding.file == "policies/odd.yaml"]


def test_plain_words_of_yaml_stay_words() -> None:
    """A code is not a number, `no` is not false, an empty value is the field's default."""
    files = edited("one_things/birth.yaml", "name: 出生", "name: no\nsource:")
    package = from_files(files).one_things["birth"]
    assert package.name == "no" and package.source == ""
    assert unchanged().header.province == "370000"


def test_every_finding_has_both_languages() -> None:
    """Each text can be filled in from the same values in Chinese and English."""
    for code, (level, zh, en) in TEXTS.items():
        names = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in (zh, en)]
        languages = {name.removesuffix("_en") for name in names[0]}, {name.removesuffix("_en") for name in names[1]}
        assert level in ("error", "warning", "hint") and languages[0] == languages[1], code


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A missing folder is a finding like any other."""
    assert [finding.code for finding in inspect(tmp_path / "none")] == ["file_missing"]
    with pytest.raises(CatalogueFaulty):
        load(tmp_path)


def test_every_finding_stands_in_the_documentation() -> None:
    """docs/catalogue.md lists each code with its level and both texts."""
    page = (CHECKOUT / "docs/catalogue.md").read_text()
    for code, (level, zh, en) in TEXTS.items():
        row = f"| `{code}` | {level} | {zh} | {en} |".replace("{", "‹").replace("}", "›")
        assert row in page, row
