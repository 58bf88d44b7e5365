"""
`duokua contract check FILE` and `duokua contract export [DIR]`: what may be said to us, and what is wrong with a message.

Both need neither a broker nor a catalogue. Exit codes: 0 nothing wrong, 1 a message is at fault, 2 usage.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import typer

import schemas
from router.operate.settings import Settings
from schemas.catalogue import CatalogueManifest
from schemas.faults import InvalidMessage
from schemas.fields import Model
from schemas.inspection import Inspection, inspect
from schemas.json_text import parse
from schemas.open_case import OpenCase
from schemas.registry import MODELS
from schemas.validation import suggestion
from workflows.events import EventRecord

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="消息契约 / the message contract"
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
GOLDEN = Path(schemas.__file__).parent / "json"

TEXTS = {
    "zh": {
        "fault": "第 {line} 行  {pointer}  [{code}] {text}",
        "done": "共 {messages} 条消息，{faulty} 条有误",
        "type": "没有这种类型：{kind} {hint}",
        "whole": "（整条消息）",
        "written": "已写入 {count} 个模式文件，其中 {changed} 个有变化：{folder}",
    },
    "en": {
        "fault": "line {line}  {pointer}  [{code}] {text}",
        "done": "{messages} messages, {faulty} with faults",
        "type": "no such type: {kind} {hint}",
        "whole": "(the whole message)",
        "written": "{count} schemas written, {changed} of them changed: {folder}",
    },
}

Lang = Annotated[str, typer.Option("--lang", help="zh | en")]
AsJson = Annotated[bool, typer.Option("--json", help="一个 JSON 对象 / one JSON object")]


class Checked(NamedTuple):
    """A message of a file: the line it begins on, and what was found."""

    line: int
    found: Inspection


@app.command()
def check(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="JSON 或 JSONL 文件，- 为标准输入 / JSON or JSON Lines; - is stdin"),
    ],
    kind: Annotated[
        str, typer.Option("--type", help="消息类型；文件可只含 data / the type; the file may then hold bare data")
    ] = "",
    lang: Lang = "",
    as_json: AsJson = False,
) -> None:
    """检查消息，一次指出全部错误 / say everything that is wrong with a message, by JSON pointer."""
    said: Literal["zh", "en"] = "en" if (lang or Settings().lang) == "en" else "zh"
    full = _type(kind, said)
    checked = [Checked(line, inspect(raw, full)) for line, raw in messages(content_of(file), file.suffix)]
    faulty = sum(bool(message.found.faults) for message in checked)
    if as_json:
        typer.echo(json.dumps(_as_json(checked, faulty, said), ensure_ascii=False))
    else:
        _print(checked, faulty, said)
    raise typer.Exit(1 if faulty else 0)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="目录 / folder", file_okay=False)] = GOLDEN,
    lang: Lang = "",
) -> None:
    """导出全部 JSON Schema / write the JSON Schema of every type."""
    folder.mkdir(parents=True, exist_ok=True)
    files = golden()
    changed = [name for name, text in files.items() if not _holds(folder / name, text)]
    for name in changed:
        (folder / name).write_text(files[name], encoding="utf-8")
    texts = TEXTS["en" if (lang or Settings().lang) == "en" else "zh"]
    typer.echo(texts["written"].format(count=len(files), changed=len(changed), folder=folder))


def golden() -> dict[str, str]:
    """The JSON Schema of every published type, by file name: what `schemas/json/` has to hold."""
    made = {f"{kind}.json": _of_model(kind, model) for kind, model in MODELS.items()}
    made["catalog.manifest.json"] = _of_model("catalog.manifest", CatalogueManifest)
    made["open-case.json"] = _of_model("open-case", OpenCase)
    made["case.events.json"] = {"$schema": DIALECT, "$id": _urn("case.events"), **msgspec.json.schema(EventRecord)}
    return {name: json.dumps(schema, ensure_ascii=False, indent=1) + "\n" for name, schema in made.items()}


def _of_model(kind: str, model: type[Model]) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": _urn(kind), **model.model_json_schema()}


def _urn(kind: str) -> str:
    return f"urn:duokua:schema:{kind}"


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


# -- reading -------------------------------------------------------------------------------------------


def content_of(file: Path) -> bytes:
    """What the file holds, or for `-` stdin. One that cannot be read ends the command with exit code 2."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError:
        typer.echo(f"读不到文件 / cannot read the file: {file}", err=True)
        raise typer.Exit(2) from None


def messages(content: bytes, suffix: str = "") -> Iterator[tuple[int, bytes]]:
    """The messages of a file with the lines they begin on: one, or one a line (by suffix, or as the first line is whole)."""
    lines = [(number, line.strip()) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if suffix in (".jsonl", ".ndjson") or (len(lines) > 1 and _is_whole(lines[0][1])):
        yield from lines
    else:
        yield 1, content


def _is_whole(line: bytes) -> bool:
    try:
        parse(line)
    except InvalidMessage:
        return False
    return True


def _type(kind: str, lang: Literal["zh", "en"]) -> str:
    """The type in full; `request.submitted` is enough for `cn.duokua.request.submitted.v1`."""
    known = [name for name in MODELS if kind in (name, name.removeprefix("cn.duokua."), name[10:].rpartition(".")[0])]
    if kind and not known:
        hint = suggestion(kind, [name[10:].rpartition(".")[0] for name in MODELS])[0 if lang == "zh" else 1]
        typer.echo(TEXTS[lang]["type"].format(kind=kind, hint=hint).rstrip(), err=True)
        raise typer.Exit(2)
    return known[0] if kind else ""


# -- saying --------------------------------------------------------------------------------------------


def _print(checked: list[Checked], faulty: int, lang: Literal["zh", "en"]) -> None:
    texts = TEXTS[lang]
    for message in checked:
        for one in message.found.faults:
            where = one.pointer or texts["whole"]
            typer.echo(texts["fault"].format(line=message.line, pointer=where, code=one.code, text=one.text(lang)))
    typer.echo(texts["done"].format(messages=len(checked), faulty=faulty))


def _as_json(checked: list[Checked], faulty: int, lang: Literal["zh", "en"]) -> dict[str, Any]:
    faults = [
        {
            "line": message.line,
            "type": message.found.type,
            "code": one.code,
            "pointer": one.pointer,
            "text": one.text(lang),
        }
        for message in checked
        for one in message.found.faults
    ]
    return {"messages": len(checked), "faulty": faulty, "faults": faults}
