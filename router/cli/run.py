"""`duokua run ROLE`."""

import os
import signal
import subprocess
import sys
from enum import StrEnum

import typer
from pydantic import ValidationError

from router.bootstrap import ROLES, run_role
from router.operate.settings import Settings

Role = StrEnum("Role", [(r, r) for r in (*ROLES, "all")])


def run(role: Role = typer.Argument(help="角色 / the role to run; `all` starts each as a process of its own")) -> None:
    """启动一个角色，直到收到 SIGTERM / run a role until SIGTERM."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = "DUOKUA_" + "_".join(str(part) for part in fault["loc"]).upper() if fault["loc"] else ""
            typer.echo(f"设置有误 / bad setting: {name} {fault['msg']}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(_all() if role.value == "all" else run_role(role.value, settings))


def _all() -> int:
    """Each role as a child process; the first that ends takes the others with it."""
    children = [subprocess.Popen([sys.executable, "-m", "router.cli.main", "run", role]) for role in ROLES]
    signal.signal(signal.SIGTERM, lambda *_: [c.terminate() for c in children])
    try:
        pid, status = os.wait()
    except KeyboardInterrupt:
        status = 0
    for child in children:
        child.terminate()
    for child in children:
        child.wait()
    return os.waitstatus_to_exitcode(status)
