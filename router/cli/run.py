"""`duokua run ROLE`."""

import os
import signal
import subprocess
import sys

import typer
from pydantic import ValidationError

from router.bootstrap import ROLES, run_role
from router.operate.settings import Settings

CHOICES = (*ROLES, "all")


def _known(role: str) -> str:
    if role not in CHOICES:
        raise typer.BadParameter(f"没有这个角色 / no such role; 可选 / one of: {', '.join(CHOICES)}")
    return role


def run(
    role: str = typer.Argument(
        metavar="|".join(CHOICES), help="角色；all 逐个启动 / the role; all starts each one", callback=_known
    ),
) -> None:
    """启动一个角色，直到收到 SIGTERM / run a role until SIGTERM."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = "DUOKUA_" + "_".join(str(part) for part in fault["loc"]).upper() if fault["loc"] else ""
            typer.echo(f"设置有误 / bad setting: {name} {fault['msg']}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(_all() if role == "all" else run_role(role, settings))


def _all() -> int:
    """Each role as a child process; the first that ends takes the others with it."""
    children = [subprocess.Popen([sys.executable, "-m", "router.cli.main", "run", role]) for role in ROLES]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        ended = os.waitstatus_to_exitcode(os.wait()[1])
    except KeyboardInterrupt:
        ended = 0
    for child in children:
        child.terminate()
    for child in children:
        child.wait()
    return ended
