"""`duokua rules export|import`: the rules as an Excel workbook or CSV, and back into a copy of the catalogue."""

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from router.catalogue.findings import CatalogueFaulty, Finding
from router.catalogue.load import load, read_folder
from router.catalogue.sheet_import import Difference, Taken, export, take
from router.catalogue.sheet_writing import TooLong
from router.catalogue.sheets import address
from router.cli.catalog import AsJson, Lang, print_findings
from router.cli.rules_changes import headline, told
from router.operate.settings import Settings

KINDS = (".xlsx", ".csv")
TEXTS = {
    "zh": {
        "error": "错误", "warning": "警告", "hint": "提示", "exported": "{count} 条规则已写入 {file}", "kind": "文件名应以 .xlsx 或 .csv 结尾：{file}",
        "too_long": "写不下：一格最多 32767 个字（{where}），请把规则拆开", "refused": "表有误，未导入", "written": "已写入 {place}", "unwritable": "不能写入 {place}",
        "looked": "未写入；用 --out 写成新的目录", "not_empty": "{place} 不是空文件夹", "lost": "这些规则改了，其中的 YAML 备注不保留：{rules}", "same": "没有差异",
        "stale": "注意：这张表导出之后规则又改过；下列差异也包括把那些改动撤回",
    },
    "en": {
        "error": "error", "warning": "warning", "hint": "hint", "exported": "{count} rules written to {file}", "kind": "a file's name ends in .xlsx or .csv: {file}",
        "too_long": "a cell holds at most 32767 characters ({where}): split the rule", "refused": "the sheet is faulty and was not imported", "written": "written to {place}", "unwritable": "{place} cannot be written",
        "looked": "nothing was written; --out writes a new catalogue", "not_empty": "{place} is not an empty folder", "lost": "remarks in the YAML of these rules are lost, because they changed: {rules}", "same": "no difference",
        "stale": "beware: the rules were changed after this sheet was exported; the differences below also take those changes back",
    },
}  # fmt: skip
Of = Annotated[Path | None, typer.Option("--catalog", help="目录所在文件夹 / the catalogue's folder")]


def add_to(app: typer.Typer) -> None:
    """The commands of sheets, as those of the rules."""
    app.command("export")(export_)
    app.command("import")(import_)


def export_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="FILE.xlsx | FILE.csv", dir_okay=False)],
    folder: Of = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """规则写成表格，编号锁定、代码带名称和下拉列表 / the rules as a sheet: ids locked, codes with names and lists."""
    settings = Settings()
    lang = lang or settings.lang
    if file.suffix.lower() not in KINDS:
        _fail(_say(lang, "kind", file=file), 2)
    try:
        count = export(load(folder or settings.catalog), file, lang)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
    except TooLong as where:
        _fail(_say(lang, "too_long", where=where), 1)
    except OSError:
        _fail(_say(lang, "unwritable", place=file), 2)
    typer.echo(
        json.dumps({"rules": count, "file": str(file)}) if as_json else _say(lang, "exported", count=count, file=file)
    )


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True)],
    out: Annotated[
        Path | None, typer.Option("--out", help="写成新的目录（空文件夹）/ write a new catalogue (an empty folder)")
    ] = None,
    folder: Of = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """表格读回：逐格列出差异和错误；现有目录不动 / a sheet back: differences and faults by cell; the catalogue stays."""
    settings = Settings()
    lang = lang or settings.lang
    if out and out.exists() and (not out.is_dir() or any(out.iterdir())):
        _fail(_say(lang, "not_empty", place=out), 2)
    try:
        taken = take(read_folder(folder or settings.catalog), file.name, file.read_bytes(), lang)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
    if taken.catalogue and out:
        for name, data in taken.catalogue.files.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(data)
    _tell(taken, file.name, str(out or ""), lang, as_json)
    if not taken.catalogue:
        _fail(_say(lang, "refused"), 1)


def _tell(taken: Taken, name: str, place: str, lang: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_object(taken, name, place), ensure_ascii=False))
        return
    for finding in taken.findings:
        text = finding.text_en if lang == "en" else finding.text_zh
        typer.echo(f"{_where(finding, name)}: {_say(lang, finding.level)} {finding.code}: {text}")
    if taken.stale and taken.differences:
        typer.echo(_say(lang, "stale"))
    for difference in taken.differences:
        typer.echo(_line(difference, lang))
    if not taken.differences and taken.catalogue:
        typer.echo(_say(lang, "same"))
    if taken.lost:
        typer.echo(_say(lang, "lost", rules="、".join(taken.lost)))
    if taken.catalogue:
        typer.echo(_say(lang, "written", place=place) if place else _say(lang, "looked"))


def _object(taken: Taken, name: str, place: str) -> dict[str, object]:
    findings = [
        msgspec.to_builtins(finding) | {"cell": _where(finding, name) if finding.file == name else ""}
        for finding in taken.findings
    ]
    for finding in findings:
        finding["line"] = 0 if finding["cell"] else finding["line"]
    return {
        "findings": findings, "differences": msgspec.to_builtins(taken.differences), "remarks_lost": taken.lost, "stale": taken.stale,
        "written": place if taken.catalogue else "",
    }  # fmt: skip


def _where(finding: Finding, name: str) -> str:
    if finding.file != name:
        return f"{finding.file}:{finding.line}"
    return address(finding.line) if finding.line else name


def _line(difference: Difference, lang: str) -> str:
    if difference.detail is None:
        return f"{difference.cell or '-'}: {headline(difference.change, lang)}"
    return f"{difference.cell}: {difference.rule}\t{told(difference.detail, lang)}"


def _say(lang: str, text: str, **values: object) -> str:
    return TEXTS.get(lang, TEXTS["zh"])[text].format(**values)


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(code)
