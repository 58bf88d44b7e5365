"""docs/clocks.md: its commands are run and give what it shows; its golden dates are those of the norms."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from router.cli.calendar_import import app
from tests.documents import ROOT, Step, as_pattern, steps
from tests.unit.workflows.test_calendars import GOLDEN

PAGE = ROOT / "docs" / "clocks.md"


@pytest.mark.parametrize("step", steps(PAGE), ids=lambda step: step.command)
def test_a_command_of_the_page_shows_what_stands_there(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code and output."""
    monkeypatch.chdir(ROOT)
    program, group, *arguments = shlex.split(step.command)
    assert (program, group) == ("duokua", "calendar")
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == step.exit_code
    assert as_pattern(step.shown or "").fullmatch(done.output), done.output


def test_its_golden_dates_are_those_of_the_norms() -> None:
    rows = re.findall(r"^\| (\S+) \| `(\d+)wd` \| (\S+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(received, int(days), due) for received, days, due in rows] == GOLDEN
