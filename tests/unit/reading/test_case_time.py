"""`duokua case show`: who had the case for how long, told from the read model, is what the events themselves tell."""

from pathlib import Path

import pytest

from adapters.readmodel import CaseFile, CaseRow, StepRow
from router.cli.case import _held, _kept
from router.cli.case_time import as_json, ledger_of
from router.cli.case_words import Words
from router.projector.kept import detail
from tests.unit.workflows.calendar_2026 import CHINA
from tests.unit.workflows.small_world import Told, told
from workflows.attribution import attribute, happened
from workflows.calendars import Calendar


def _told() -> Told:
    t = told().submit("timed").wait_until("2026-09-20 09:00").reply("handle", "return", unit="370102.urban", reason="x")
    t.wait_until("2026-09-20 12:00").reply("decide_return", "reject_return")
    t.reply("handle", "ask_extension", unit="370102.urban", limit="1wd", reason="x")
    t.reply("decide_extension", "grant_extension").wait_until("2026-09-29 09:00")
    t.reply("handle", "reply", unit="370102.urban", result="solved", text="x").wait_until("2026-09-29 10:30")
    return t.reply("review", "pass")


def _file(t: Told) -> CaseFile:
    steps = [
        StepRow(0, r.version, i, "c", r.version, r.at, f"{type(e).__name__}.v1", 1, detail(e))
        for r in t.records
        for i, e in enumerate(r.events)
    ]
    return CaseFile(CaseRow(case_id="c", centre="370100.hotline"), steps, [], [], [], {})


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, Calendar] = {CHINA.id: CHINA}
    monkeypatch.setattr(Words, "calendar", lambda self, name: known.get(name))


@pytest.mark.usefixtures("counted")
def test_what_is_kept_tells_the_same_as_the_events() -> None:
    t = _told()
    made = ledger_of(_file(t), Words("zh", Path("none")), t.now)
    assert made is not None
    assert made[0] == attribute(happened(t.records), CHINA, t.now)
    assert as_json(made[0])["shares"][0] == {"unit": "370102.urban", "time": 45.5 * 3_600_000, "late": 0}


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize(
    ("lang", "said"), [("zh", "45 小时 30 分（7.0 个工作日）"), ("en", "45 h 30 min (7.0 working days)")]
)
def test_it_is_said_in_both_languages(lang: str, said: str) -> None:
    words = Words(lang, Path("none"))
    held = _held(_file(_told()), words)
    assert [next(iter(column.cells)) for column in held.columns][:2] == ["370102.urban", said]
    assert _kept(_file(_told()), words).row_count == 3


def test_without_the_calendar_nothing_is_said() -> None:
    assert ledger_of(_file(_told()), Words("zh", Path("none")), 0) is None
