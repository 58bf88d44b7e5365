"""The catalogue of the year: the one of the checkout, with policies that allow every action, and a notice that comes in the middle."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
import yaml

from router.operate.settings import CHECKOUT

NOTICE = CHECKOUT / "examples" / "calendars" / "made-up-2027.csv"
LAYER = Path("calendars/shandong.yaml")
POLICIES = Path("policies/shandong.yaml")


def of_the_year(folder: Path) -> None:
    """Write the catalogue into `folder`."""
    shutil.copytree(CHECKOUT / "catalog", folder)
    rows = yaml.safe_load((folder / POLICIES).read_text("utf-8"))
    for row in yaml.safe_load((Path(__file__).parent / "policies.yaml").read_text("utf-8")):
        _lay_over(next(held for held in rows if held.get("id") == row["id"]), row)
    (folder / POLICIES).write_text(yaml.safe_dump(rows, allow_unicode=True, sort_keys=False), "utf-8")


def _lay_over(held: dict[str, Any], row: Mapping[str, Any]) -> None:
    held |= row | {"clocks": held.get("clocks", {}) | row.get("clocks", {})}


def closed_on(after: date) -> date:
    """The working day, some days later, on which offices will be closed as nobody had foreseen."""
    return next(day for n in range(5, 40) if chinese_calendar.is_workday(day := after + timedelta(days=n)))


def with_the_notice(folder: Path, closed: date) -> None:
    """The year to come is published, as an administrator does it, and a single day on which offices are closed."""
    env = os.environ | {"DUOKUA_CATALOG": str(folder)}
    command = [
        sys.executable,
        "-c",
        "from router.cli.main import run; run()",
        "calendar",
        "import",
        str(NOTICE),
        "--write",
    ]
    subprocess.run(command, check=True, env=env, cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    with (folder / LAYER).open("a", encoding="utf-8") as layer:
        layer.write(f"days:\n  - {{day: {closed}, open: [], name: 台风停工}}\n")
