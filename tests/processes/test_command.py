"""A setting or a catalogue that cannot be used is told in sentences, by every command, with the exit code for it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("setting", "value", "command", "code", "says"),
    [
        ("DUOKUA_SHARDS", "x", ("topics", "list"), 2, "DUOKUA_SHARDS"),
        ("DUOKUA_CATALOG", "/nowhere", ("topics", "list"), 1, "/nowhere"),
        ("DUOKUA_LANG", "zh", ("run", "nobody"), 2, "intake, engine"),
    ],
)
def test_what_cannot_be_used_is_told(setting: str, value: str, command: tuple[str, ...], code: int, says: str) -> None:
    """No traceback, the name of what is wrong, exit 2 for usage and 1 for a faulty catalogue."""
    ran = subprocess.run(
        [sys.executable, "-m", "router.cli.main", *command],
        env=os.environ | {setting: value, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (code, "")
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
