"""`duokua rules export|import`: the rules as an Excel workbook or CSV, and back into a copy of the catalogue."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from router.catalogue import drafts
from router.catalogue.findings import CatalogueFaulty, Finding
from router.catalogue.keys import Signer
from router.catalogue.life import Head
from router.catalogue.load import load, read_folder
from router.catalogue.sheet_import import Difference, Taken, export, take
from router.catalogue.sheet_writing import TooLong
from router.catalogue.sheets import address
from router.cli.acting import REFUSALS, Stage, stage
from router.cli.catalog import AsJson, Lang, print_findings
from router.cli.rules_changes import headline, told
from router.operate.settings import Settings

KINDS = (".xlsx", ".csv")
TEXTS = {
    "zh": {
        "error": "错误", "warning": "警告", "hint": "提示", "exported": "{count} 条规则已写入 {file}", "kind": "文件名应以 .xlsx 或 .csv 结尾：{file}",
        "too_long": "写不下：一格最多 32767 个字（{where}），请把规则拆开", "refused": "表有误，未导入", "written": "已写入 {place}", "unwritable": "不能写入 {place}",
        "looked": "未写入；用 --draft 存入草稿，或用 --out 写成新的目录", "draft_options": "--draft 须同时写明 --actor 和 --reason，不与 --out、--catalog 同用", "not_empty": "{place} 不是空文件夹", "lost": "这些规则改了，其中的 YAML 备注不保留：{rules}", "same": "没有差异",
        "stale": "注意：这张表导出之后规则又改过；下列差异也包括把那些改动撤回",
    },
    "en": {
        "error": "error", "warning": "warning", "hint": "hint", "exported": "{count} rules written to {file}", "kind": "a file's name ends in .xlsx or .csv: {file}",
        "too_long": "a cell holds at most 32767 characters ({where}): split the rule", "refused": "the sheet is faulty and was not imported", "written": "written to {place}", "unwritable": "{place} cannot be written",
        "looked": "nothing was written; --draft saves it in a draft, --out writes a new catalogue", "draft_options": "--draft needs --actor and --reason, and goes with neither --out nor --catalog", "not_empty": "{place} is not an empty folder", "lost": "remarks in the YAML of these rules are lost, because they changed: {rules}", "same": "no difference",
        "stale": "beware: the rules were changed after this sheet was exported; the differences below also take those changes back",
    },
}  # fmt: skip
DRAFT = ("草稿“{name}”第 {revision} 稿", "draft '{name}', revision {revision}")
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
    draft: Annotated[
        str, typer.Option("--draft", help="存入草稿；没有的自在用版本新建 / into a draft, made from what is in force")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="写成新的目录（空文件夹）/ write a new catalogue (an empty folder)")
    ] = None,
    folder: Of = None,
    actor: Annotated[str, typer.Option("--actor", help="谁，用本人的密钥签名 / who; signs with his own key")] = "",
    reason: Annotated[str, typer.Option("--reason", help="为什么，永久保存 / why; kept for ever")] = "",
    basis: Annotated[str, typer.Option("--basis", help="依据文号 / the document behind it")] = "",
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """表格读回：逐格列出差异和错误；现有目录不动 / a sheet back: differences and faults by cell; the catalogue stays."""
    at = stage(lang, as_json)
    if draft and (out or folder or not actor or not reason):
        _fail(_say(at.lang, "draft_options"), 2)
    if out and out.exists() and (not out.is_dir() or any(out.iterdir())):
        _fail(_say(at.lang, "not_empty", place=out), 2)
    by = at.signer(actor) if draft else None
    begun = at.run(lambda broker, topics: drafts.begin(broker, topics, draft)) if draft else None
    try:
        files = begun.files if begun else read_folder(folder or at.settings.catalog)
        taken = take(files, file.name, file.read_bytes(), at.lang)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, at.lang, as_json)
        raise typer.Exit(1) from None
    place = ""
    if taken.catalogue and out:
        place = _write(taken.catalogue.files, out)
    elif taken.catalogue and begun and by and taken.differences:
        if begun.head.revision and begun.head.by != actor and (taken.stale or not taken.base):
            _tell(taken, file.name, "", at.lang, as_json)
            head = begun.head
            edited = REFUSALS["edited"]
            at.fail(at.choose(edited, name=draft, who=head.by, at=head.at, revision=head.revision), 1)
        place = _save(at, begun.head, taken.catalogue.files, by, reason, basis)
    _tell(taken, file.name, place, at.lang, as_json)
    if not taken.catalogue:
        _fail(_say(at.lang, "refused"), 1)


def _write(files: Mapping[str, bytes], out: Path) -> str:
    for name, data in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    return str(out)


def _save(at: Stage, head: Head, files: Mapping[str, bytes], by: Signer, reason: str, basis: str) -> str:
    """Save the draft as the commands of drafts do: never over what somebody saved meanwhile."""
    saved = at.run(
        lambda broker, topics: drafts.save(
            broker, topics, head.name, files, by=by, reason=reason, basis=basis, base=head.base, revision=head.revision,
            now=at.now,
        )
    )  # fmt: skip
    return at.choose(DRAFT, name=head.name, revision=saved.revision)


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
    if place:
        typer.echo(_say(lang, "written", place=place))
    elif taken.catalogue and taken.differences:
        typer.echo(_say(lang, "looked"))


def _object(taken: Taken, name: str, place: str) -> dict[str, object]:
    findings = [
        msgspec.to_builtins(finding) | {"cell": _where(finding, name) if finding.file == name else ""}
        for finding in taken.findings
    ]
    return {
        "findings": findings, "differences": msgspec.to_builtins(taken.differences), "remarks_lost": taken.lost, "stale": taken.stale,
        "written": place,
    }  # fmt: skip


def _where(finding: Finding, name: str) -> str:
    if finding.file != name:
        return str(finding.at)
    return address(finding.at) if finding.line else name


def _line(difference: Difference, lang: str) -> str:
    if difference.detail is None:
        return f"{difference.cell or '-'}: {headline(difference.change, lang)}"
    return f"{difference.cell}: {difference.rule}\t{told(difference.detail, lang)}"


def _say(lang: str, text: str, **values: object) -> str:
    return TEXTS.get(lang, TEXTS["zh"])[text].format(**values)


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(code)
