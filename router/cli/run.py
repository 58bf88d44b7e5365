"""`duokua run ROLE`."""

import os
import signal
import subprocess
import sys

import typer

from router.bootstrap import ASIDE, ROLES, run_role
from router.operate.settings import Settings

CHOICES = (*ROLES, *ASIDE, "all")


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
    settings = Settings()
    raise typer.Exit(_all(settings) if role == "all" else run_role(role, settings))


def _all(settings: Settings) -> int:
    """Each role as a child process; the first that ends takes the others with it. A port that is set is the first one's."""
    # in production real departments answer
    roles = [role for role in ROLES if role != "simulator" or settings.environment != "production"]
    children = []
    for at, role in enumerate(roles):
        port = settings.http_port + at if settings.http_port else 0
        children.append(
            subprocess.Popen(
                [sys.executable, "-m", "router.cli.main", "run", role], env=os.environ | {"DUOKUA_HTTP_PORT": str(port)}
            )
        )
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
