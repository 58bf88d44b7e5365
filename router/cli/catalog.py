"""`duokua catalog check|diff`: the reference data as a whole. Publishing is in catalog_publish.py."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from aiokafka.errors import KafkaError

from adapters.kafka.log import KafkaLog
from router.catalogue.catalogue import Catalogue
from router.catalogue.difference import Difference, compare
from router.catalogue.fetch import fetch_active
from router.catalogue.findings import CatalogueFaulty, Finding
from router.catalogue.load import inspect, load
from router.catalogue.pack import VersionUnusable
from router.catalogue.policy_difference import compare_policies
from router.cli.policy_words import policy_lines
from router.operate.settings import Settings
from router.operate.topics import Topics

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="基础数据目录 / the catalogue"
)

Folder = Annotated[
    Path | None, typer.Argument(help="目录所在文件夹，缺省取设置 / the catalogue's folder, by default the setting's")
]
AsJson = Annotated[bool, typer.Option("--json", help="最后一行为一个 JSON 对象 / one JSON object as the last line")]
Lang = Annotated[str, typer.Option("--lang", help="zh | en")]

TEXTS = {
    "zh": {
        "error": "错误", "warning": "警告", "hint": "提示", "summary": "错误 {error}，警告 {warning}，提示 {hint}",
        "unreachable": "连不上 Kafka：{where}", "none": "尚未发布过",
        "unusable": "在用的版本无法读取", "added": "新增", "changed": "变更", "removed": "删除", "same": "没有差异", "two": "与哪个比较只写一次",
    },
    "en": {
        "error": "error", "warning": "warning", "hint": "hint", "summary": "{error} errors, {warning} warnings, {hint} hints",
        "unreachable": "Kafka is not reachable: {where}", "none": "nothing was published yet",
        "unusable": "the version in force cannot be read", "added": "added", "changed": "changed", "removed": "removed", "same": "no difference", "two": "name once what to compare with",
    },
}  # fmt: skip


@app.command()
def check(folder: Folder = None, as_json: AsJson = False, lang: Lang = "") -> None:
    """检查整个目录，逐条给出文件和行号；有错误时退出码为 1 / check the whole; exit code 1 on errors."""
    settings = Settings()
    findings = inspect(folder or settings.catalog)
    print_findings(findings, lang or settings.lang, as_json)
    raise typer.Exit(1 if any(finding.level == "error" for finding in findings) else 0)


@app.command()
def diff(
    folder: Folder = None,
    after: Annotated[
        Path | None,
        typer.Argument(metavar="B", help="另一文件夹：由前者到它 / another folder: from the first to this one"),
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="与另一文件夹比较 / compare with another folder")
    ] = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """
    与在用版本（或两个文件夹之间）哪些行不同，时限改了什么、影响谁；有差异时退出码为 1
    / rows that differ from the version in force, or between two folders; what time limits change for whom; exit code 1 if any.
    """
    settings = Settings()
    lang = lang or settings.lang
    if after and against:
        _fail(_say(lang, "two"), 2)
    if after:
        folder, against = after, folder
    try:
        now = load(folder or settings.catalog)
        before = load(against) if against else asyncio.run(_in_force(settings))
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
    except (KafkaError, OSError):
        _fail(_say(lang, "unreachable", where=settings.bootstrap), 3)
    except VersionUnusable:
        _fail(_say(lang, "unusable"), 1)
    if before is None:
        _fail(_say(lang, "none"), 1)
    differences, policies = compare(before, now), compare_policies(before, now)
    if as_json:
        said = {"differences": msgspec.to_builtins(differences), "policies": msgspec.to_builtins(policies)}
        typer.echo(json.dumps(said, ensure_ascii=False))
    else:
        print_differences(differences, lang, as_json)
        for line in (line for change in policies for line in policy_lines(change, lang)):
            typer.echo(line)
    raise typer.Exit(1 if differences else 0)


async def _in_force(settings: Settings) -> Catalogue | None:
    topics, broker = Topics(settings.prefix, settings.shards, settings.replication), KafkaLog(settings.bootstrap)
    if topics.catalog not in await broker.topics():
        return None
    return await fetch_active(broker, topics.catalog)


def print_findings(
    findings: Sequence[Finding], lang: str, as_json: bool, shown: Callable[[Finding], str] = lambda finding: ""
) -> None:
    """One line per finding, `file:line:column` first, and below it how it is `shown`; with `as_json` one object."""
    levels = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning", "hint")}
    if as_json:
        typer.echo(json.dumps({"findings": msgspec.to_builtins(findings), **levels}, ensure_ascii=False))
        return
    for finding in findings:
        text = finding.text_en if lang == "en" else finding.text_zh
        typer.echo(f"{finding.at}: {_say(lang, finding.level)} {finding.code}: {text}")
        if below := shown(finding):
            typer.echo(f"  {below}")
    typer.echo(_say(lang, "summary", **levels))


def print_differences(differences: Sequence[Difference], lang: str, as_json: bool) -> None:
    """One line per row that differs; with `as_json` one object."""
    if as_json:
        typer.echo(json.dumps({"differences": msgspec.to_builtins(differences)}, ensure_ascii=False))
        return
    for found in differences:
        fields = f" ({', '.join(found.fields)})" if found.fields else ""
        typer.echo(f"{_say(lang, found.change)}\t{found.table}\t{found.id}{fields}")
    if not differences:
        typer.echo(_say(lang, "same"))


def _say(lang: str, text: str, **values: object) -> str:
    return TEXTS.get(lang, TEXTS["zh"])[text].format(**values)


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(code)
