"""
`duokua import appeals|nyc311|slips FILE`: files of other systems as CloudEvents, one a line, on stdout.

All else goes to stderr. Exit code 0 when each line became an event, 1 when one did not (the others are
written all the same), 2 when the file cannot be read.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, TextIO

import rich.progress
import typer
from rich.console import Console

from adapters.channels.files import (
    Foreign,
    LineFault,
    Vocabularies,
    read_appeals,
    read_nyc311,
    read_slips,
    read_vocabulary,
    to_event,
)
from router.cli.matters import matters
from router.cli.open_cases import open_cases
from router.operate.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="导入 / imports")
app.command()(matters)
app.command()(open_cases)

File = Annotated[
    Path, typer.Argument(help="要导入的文件 / the file to import", exists=True, dir_okay=False, readable=True)
]
Reader = Callable[[Iterable[str]], Iterator[Foreign | LineFault]]
Lang = Annotated[str, typer.Option("--lang", help="zh | en")]

ROOT = "370000"
"""The province's root: takes what has no place of ours."""

TEXTS = {
    "zh": {
        "done": "{events} 行成为事件，{faults} 行有误",
        "category": "分类未映射，转人工分派：{count}",
        "place": "地区未映射，归全省：{count}",
        "medium": "来电方式未映射，按渠道缺省：{count}",
        "fault": "第 {line} 行：{code} {field}",
    },
    "en": {
        "done": "{events} lines became events, {faults} did not",
        "category": "class without a mapping, left to triage: {count}",
        "place": "region without a mapping, given to the province: {count}",
        "medium": "medium without a mapping, the channel's default holds: {count}",
        "fault": "line {line}: {code} {field}",
    },
}
CODES = {
    "not_json": "不是 JSON", "not_an_object": "不是 JSON 对象", "missing_field": "缺字段", "bad_time": "时间无法识别", "missing_column": "缺列", "unknown_column": "不认识的列",
    "not_csv": "不是 CSV", "bad_number": "数字无法识别", "bad_id": "编号不可用", "id_like_personal_data": "编号形似手机号或身份证号", "string_too_long": "文字超长",
}  # fmt: skip


@app.command()
def appeals(file: File, lang: Lang = "") -> None:
    """网上信件（JSONL）转为事件 / letters of a message board (JSON Lines)."""
    _import(file, read_appeals, "website", {"category": "appeals-classes", "place": "appeals-places"}, lang)


@app.command()
def nyc311(file: File, lang: Lang = "") -> None:
    """纽约 311 工单（CSV）转为事件 / service requests of NYC 311 (CSV)."""
    vocabularies = {"category": "nyc311-complaints", "place": "nyc311-places", "medium": "nyc311-media"}
    _import(file, read_nyc311, "nyc311", vocabularies, lang)


@app.command()
def slips(
    file: File,
    channel: Annotated[
        str, typer.Option("--channel", help="由哪个渠道报送 / the channel they are sent by")
    ] = "hotline_12345",
    lang: Lang = "",
) -> None:
    """停电时写在纸上的工单（CSV），按纸上的时间补录 / slips of a power cut (CSV), with the time that is on the paper."""
    _import(file, read_slips, channel, {}, lang)


def _import(file: Path, read: Reader, channel: str, names: dict[str, str], lang: str) -> None:
    settings = Settings()
    folder = settings.catalog / "vocabularies"
    vocabularies = {kind: read_vocabulary(folder / f"{name}.csv") for kind, name in names.items()}
    texts = TEXTS.get(lang or settings.lang, TEXTS["zh"])
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with _lines(file, console) as lines:
            counts = _write(
                read(lines),
                channel,
                vocabularies,
                lambda fault: console.print(_said(fault, texts, lang or settings.lang)),
            )
    except UnicodeDecodeError:
        console.print(f"不是 UTF-8 / not UTF-8: {file.name}")
        raise typer.Exit(2) from None
    for name in ("category", "place", "medium"):
        if counts[name]:
            console.print(texts[name].format(count=counts[name]))
    console.print(texts["done"].format(events=counts["events"], faults=counts["faults"]))
    raise typer.Exit(1 if counts["faults"] else 0)


def _lines(file: Path, console: Console) -> AbstractContextManager[TextIO]:
    """The file as text, with a progress bar where a person is looking."""
    return rich.progress.open(
        file,
        "r",
        encoding="utf-8-sig",
        newline="",
        description=file.name,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _write(
    found: Iterator[Foreign | LineFault], channel: str, vocabularies: Vocabularies, report: Callable[[LineFault], None]
) -> Counter[str]:
    """Each line to stdout as an event, or to `report` as a fault; counts events, faults and what no table knew."""
    counts: Counter[str] = Counter()
    for line in found:
        try:
            event, unmapped = to_event(_sound(line), channel, ROOT, vocabularies)
        except LineFault as fault:
            counts["faults"] += 1
            report(fault)
        else:
            counts["events"] += 1
            counts.update(unmapped)
            typer.echo(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
    return counts


def _sound(line: Foreign | LineFault) -> Foreign:
    if isinstance(line, LineFault):
        raise line
    return line


def _said(fault: LineFault, texts: dict[str, str], lang: str) -> str:
    code = CODES.get(fault.code, fault.code) if lang == "zh" else fault.code
    return texts["fault"].format(line=fault.line, code=code, field=fault.field)
