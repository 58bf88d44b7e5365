"""
`duokua`: one command per task, one file per group of commands.

Groups are imported when they are asked for, so that `duokua kafka status` does not load Faust.
Exit codes: 0 ok, 1 findings, 2 usage, 3 something is not reachable.
"""

import importlib
import sys
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import FolderUnreadable

GROUPS = {
    "run": ("router.cli.run", "启动一个角色 / run a role"),
    "demo": ("router.cli.demo", "演示：真实 Kafka 上的一天 / a day on a real Kafka"),
    "kafka": ("router.cli.kafka", "内置 Kafka / the embedded Kafka"),
    "topics": ("router.cli.topics", "主题 / topics"),
    "contract": ("router.cli.contract", "消息契约 / the message contract"),
    "catalog": ("router.cli.catalog_publish", "基础数据目录 / the catalogue"),
    "keys": ("router.cli.keys", "密钥 / keys"),
    "rules": ("router.cli.rules", "路由规则 / routing rules"),
    "calendar": ("router.cli.calendar_moves", "工作日历 / the working calendar"),
    "case": ("router.cli.case", "工单 / cases"),
    "dead-letters": ("router.cli.dead_letters", "死信 / dead letters"),
    "import": ("router.cli.importing", "导入 / imports"),
}


class Lazy(TyperGroup):
    """Knows the names of all groups and loads one only when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(GROUPS)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in GROUPS:
            return None
        module = importlib.import_module(GROUPS[name][0])
        command = typer.main.get_command(getattr(module, "app", None) or _single(module, name))
        command.name = name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("命令 / Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in GROUPS.items()])


def _single(module: Any, name: str) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(getattr(module, name))
    return app


app = typer.Typer(
    cls=Lazy,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="多跨业务中台 Duokua",
)


@app.callback()
def _root() -> None:
    """多跨业务中台 Duokua：让诉求和"一件事"到达该办的单位，让结果回来。"""


def run() -> None:
    """Entry point of the console script. A setting or a catalogue that cannot be used is told in sentences."""
    try:
        app()
    except ValidationError as error:
        if error.title != "Settings":
            raise
        for fault in error.errors(include_input=False, include_url=False):
            name = "DUOKUA_" + "_".join(str(part) for part in fault["loc"]).upper() if fault["loc"] else ""
            typer.echo(f"设置有误 / bad setting: {name} {fault['msg']}", err=True)
        sys.exit(2)
    except FolderUnreadable as unreadable:
        typer.echo(f"读不出 / cannot be read: {unreadable}", err=True)
        sys.exit(2)
    except CatalogueFaulty as faulty:
        for finding in faulty.findings:
            typer.echo(f"{finding.file}:{finding.line} {finding.text_zh} / {finding.text_en}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
