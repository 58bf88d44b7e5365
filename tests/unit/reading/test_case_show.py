"""`duokua case`: what a person reads of a case, from the read model alone."""

import json
import string
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from typer.testing import CliRunner, Result

from adapters.readmodel import CaseFile, CaseRow, ReadModel, StepRow
from router.cli.case import app
from router.cli.case_texts import HEADINGS, SENTENCES, WORDS
from router.cli.case_words import Words
from router.projector.kept import KEPT, detail
from router.projector.role import Projection
from tests.unit.reading.made_up import (
    EVENTS,
    OUTBOX,
    SECRET,
    TOPICS,
    handed_out,
    read,
    read_outbox,
    record,
    registered,
    whole_life,
)
from workflows.events import decode

EXAMPLES = Path(__file__).parents[3] / "examples/events/case.events.jsonl"


@pytest.fixture
def projected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A read model of two cases; no broker, and a catalogue that is not there."""
    model = ReadModel(f"sqlite:///{tmp_path / 'readmodel.db'}")
    model.prepare("log-1")
    projection = Projection(model, TOPICS)
    projection.resume()
    other = [record("case-2", 1, registered("case-2", "370000-2", channel="wechat", ref="w:7"))]
    projection.write(
        {TopicPartition(EVENTS, 0): read(whole_life() + other), TopicPartition(OUTBOX, 0): read_outbox(handed_out())}
    )
    projection.note_delivered({0: 1})
    model.close()
    monkeypatch.setenv("DUOKUA_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("DUOKUA_CATALOG", str(tmp_path / "none"))
    return tmp_path


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_case_reads_from_registration_to_its_end(projected: Path) -> None:
    """State, rule with number, version and why, units, due with policy, budget, start rule and calendar, deliveries."""
    shown = ran("show", "370000-1").stdout
    for said in (
        "370000-1  已办结（已解决）", "收到  2026-09-18 周五 09:00", "water  #40  @1  → 派单", "category 0203 ∈ 02；含词 积水",
        "牡丹区水务局  主办  审核通过（退回重办 1 次）", "└ 西城街道", "5 个工作日，次日起算，自 2026-09-18 周五 09:00 起，日历 cn，方案 sd-hotline，暂定",
        "原 2026-09-19 周六 11:00 到期，现 2026-09-20 周日 11:00 到期（暂定，节假日安排公布或调整）", "牡丹区城管局 申请退单，建议改派 371702.water", "预警：办结 将于 2026-09-20 周日 11:00 到期", "第 1 级升级（催办）", "退回重办（第 1 次",
        "tasks.desk #1       task.assigned.v1   已送达", "tasks.desk #2       task.assigned.v1   待送达",
    ):  # fmt: skip
        assert said in shown
    assert shown.index("登记：求助") < shown.index("办结：已解决")


def test_english_is_complete(projected: Path) -> None:
    """With --lang en no Chinese stands in the output but what the catalogue and the rules say themselves."""
    shown = ran("show", "370000-1", "--lang", "en").stdout
    own = shown.replace("牡丹区城管局", "").replace("牡丹区水务局", "").replace("西城街道", "").replace("积水", "")
    assert "dispatched further by" in shown and own.isascii() is False  # the tree's line and the dash are not ASCII
    assert not [c for c in own if "\u4e00" <= c <= "\u9fff" or c in "，；：（）"]


@pytest.mark.parametrize("name", ["370000-2", "case-2", "wechat:w:7"])
def test_a_case_has_three_names(projected: Path, name: str) -> None:
    """Public number, case id, and the channel's own id after the channel."""
    assert "wechat" in ran("show", name).stdout


def test_json_is_one_object_and_nothing_else(projected: Path) -> None:
    """Times as RFC 3339 with +08:00, those to come as null; each event with its sentence."""
    result = ran("show", "case-1", "--json")
    shown: dict[str, Any] = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1 and set(shown) == {
        "case",
        "legs",
        "clocks",
        "timeline",
        "deliveries",
        "time",
    }
    assert shown["case"]["closed_at"] == "2026-09-18T22:00:00+08:00" and shown["legs"][2]["signed_at"] is None
    assert [d["delivered"] for d in shown["deliveries"]] == [True, True, False]
    assert shown["timeline"][0]["text"].startswith("登记")


def test_nothing_that_people_wrote_is_shown(projected: Path) -> None:
    """Neither for people nor for machines."""
    for arguments in (("show", "case-1"), ("show", "case-1", "--json"), ("list",)):
        assert not any(secret in ran(*arguments).output for secret in SECRET.split())


def test_an_unknown_case_is_a_finding(projected: Path) -> None:
    """Exit code 1 and a sentence in both languages on stderr; a colon alone is no channel."""
    for name in ("370000-9", "wechat:nobody", ":"):
        result = ran("show", name)
        assert result.exit_code == 1 and "no such case" in result.stderr and result.stdout == ""


def test_without_a_read_model_nothing_is_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, said in a sentence; looking leaves no file behind."""
    monkeypatch.setenv("DUOKUA_STATE_DIR", str(tmp_path / "state"))
    for arguments in (("show", "1"), ("list",)):
        result = ran(*arguments)
        assert result.exit_code == 3 and "projector" in result.stderr
    assert not (tmp_path / "state").exists()


def test_the_list_is_filtered_and_bounded(projected: Path) -> None:
    """--state and --limit do what they say; --json gives the rows."""
    assert [c["number"] for c in json.loads(ran("list", "--json").stdout)["cases"]] == ["370000-2", "370000-1"]
    assert [c["number"] for c in json.loads(ran("list", "--json", "--state", "closed").stdout)["cases"]] == ["370000-1"]
    assert len(json.loads(ran("list", "--json", "--limit", "1").stdout)["cases"]) == 1
    assert "370000-1" in ran("list").stdout


def test_each_event_has_its_sentence_in_both_languages() -> None:
    """No event falls through to its type name, and no sentence asks for what the read model does not keep."""
    assert {name.partition("+")[0] for name in SENTENCES} == set(KEPT)
    for name, (zh, en) in SENTENCES.items():
        event, _, variant = name.partition("+")
        kept = {*KEPT[event]}
        asked = [{f for _, f, _, _ in string.Formatter().parse(text) if f} for text in (zh, en)]
        assert asked[0] == asked[1] <= kept and (not variant or variant in kept), name
    assert all(len(pair) == 2 and all(pair) for texts in (HEADINGS, WORDS) for pair in texts.values())


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_event_can_be_told(lang: str, tmp_path: Path) -> None:
    """Whatever the values of its fields are like: those of the examples, which hold each event."""
    words, told = Words(lang, tmp_path), set()
    file = CaseFile(CaseRow("c", number="1", centre="centre"), [], [], [], [], {})
    for line in EXAMPLES.read_bytes().splitlines():
        happened = decode(line)
        for n, event in enumerate(happened.events):
            name = type(event).__name__
            step = StepRow(0, 0, n, happened.case, happened.version, happened.at, f"{name}.v1", 1, detail(event))
            assert words.sentence(step, file) != step.type
            told.add(name)
    assert told == set(KEPT)


def test_fields_of_the_form_and_states_are_in_words(tmp_path: Path) -> None:
    """Why a rule held, as the case keeps it: no column and no state is shown as it is spelt inside."""
    why = [
        {"column": "form.entity", "value": "", "cell": "(present)"},
        {"column": "matter_under", "value": "(missing)", "cell": "(missing)"},
        {"column": "time", "value": "", "cell": "outside_working_hours"},
    ]
    chinese, english = (Words(lang, tmp_path).reasons(why) for lang in ("zh", "en"))
    assert chinese == "因为 表单 entity 有值；事项 未填；收到时间 非工作时间"
    assert english == "because form entity given; matter not given; received outside working hours"
