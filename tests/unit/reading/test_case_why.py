"""`duokua case show --why`: the days of each clock, by the calendar it was started with, pauses left out."""

import json
import shutil
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from typer.testing import CliRunner

from adapters.readmodel import ReadModel
from router.catalogue.calendars import read_calendars
from router.catalogue.load import read_folder
from router.cli.case import app
from router.operate.settings import CHECKOUT
from router.projector.role import Projection
from tests.unit.reading.made_up import EVENTS, TOPICS, read, record, registered
from tests.unit.workflows.calendar_2026 import ms
from workflows import events as ev


@pytest.fixture(params=["shandong", "gone@00000000"])
def calendar(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A read model of one case whose clock stood still for a day; its calendar is in the catalogue or not."""
    known = read_calendars(read_folder(CHECKOUT / "catalog"))
    name = known.name_of(request.param) or str(request.param)
    clock = {"kind": "finish", "of": ""}
    started = ev.ClockStarted(
        **clock, policy="p", calendar=name, budget="3wd", start="next_day", anchor=ms("2026-09-19 00:00"), due=ms("2026-09-22 17:00")
    )  # fmt: skip
    paused = ev.ClockPaused(**clock, reason="r", whole=0, consumed=0, marks=())
    on = ev.ClockWentOn(
        **clock, since=ms("2026-09-22 09:00"), took=0, before=started.due, due=ms("2026-09-23 17:00"), why="asked"
    )
    told = [
        record("case-1", 1, registered("case-1", "370000-1"), started),
        record("case-1", 2, paused, at=ms("2026-09-21 09:00")),
        record("case-1", 3, on, at=ms("2026-09-22 09:00")),
    ]
    model = ReadModel(f"sqlite:///{tmp_path / 'readmodel.db'}")
    model.prepare("log-1")
    projection = Projection(model, TOPICS)
    projection.resume()
    projection.write({TopicPartition(EVENTS, 0): read(told)})
    model.close()
    monkeypatch.setenv("DUOKUA_STATE_DIR", str(tmp_path))
    shutil.copytree(CHECKOUT / "catalog" / "calendars", tmp_path / "catalog" / "calendars")
    shutil.copy(CHECKOUT / "catalog" / "catalogue.yaml", tmp_path / "catalog")
    monkeypatch.setenv("DUOKUA_CATALOG", str(tmp_path / "catalog"))
    return name


def test_every_day_of_a_clock_is_told(calendar: str) -> None:
    """Receipt, rest day, worked Sunday, the day it stood still, and what is left after it; without it no day is shown."""
    shown = CliRunner().invoke(app, ["show", "370000-1", "--why"])
    clock = json.loads(CliRunner().invoke(app, ["show", "370000-1", "--why", "--json"]).stdout)["clocks"][0]
    if calendar.startswith("gone"):
        assert clock["days"] is None and f"本机目录中没有日历 {calendar}" in shown.stdout
        return
    assert [(day["date"][8:], day["why"], day["total"]) for day in clock["days"]] == [
        ("18", "receipt", 0), ("19", "weekend", 0), ("20", "work", 1), ("21", "usual", 1), ("22", "usual", 2), ("23", "usual", 3),
    ]  # fmt: skip
    lines = shown.stdout.splitlines()
    assert "2026-09-20 周日      1  调休上班（全国工作日历），09:00-12:00 13:00-17:00" in lines
    assert "2026-09-21 周一      -  工作日" in lines
    assert "days" not in json.loads(CliRunner().invoke(app, ["show", "370000-1", "--json"]).stdout)["clocks"][0]
