"""
`duokua calendar import FILE` and `duokua calendar verify`: a year's notice into a layer, and what is doubtful in all of them.

An import writes nothing without `--write`, and nothing that would make the calendars faulty.
"""

import json
import os
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from router.catalogue.calendar_check import compare
from router.catalogue.calendar_check import verify as look
from router.catalogue.calendars import read_calendars
from router.catalogue.findings import CatalogueFaulty, Findings
from router.catalogue.load import read_folder
from router.catalogue.notices import Change, changes, merged, read_notice, written
from router.catalogue.tables import Table, read_layers
from router.cli.calendar import NATIONAL, Folder, app
from router.cli.case_words import Words
from router.cli.catalog import AsJson, Lang, print_findings
from router.operate.settings import Settings
from schemas.times import CHINA
from workflows.workdays import Layer, rules_of

TEXTS = {
    "no_layer": ("没有日历层“{id}”；有：{known}", "there is no layer '{id}', only: {known}"),
    "works": ("改为上班", "becomes worked"),
    "off": ("改为休息", "becomes free"),
    "summary": ("{years} 年：{count} 天有变；公布到 {last}", "{years}: {count} days change; published until {last}"),
    "written": ("已写入 {path}", "written to {path}"),
    "not_written": ("未写入；加 --write 写入", "not written; --write writes it"),
    "by_hand": ("{path} 的写法特殊，请照上面的变化手工修改", "{path} is written in a way of its own: change it by hand as shown"),
    "compared": ("与 chinesecalendar 逐日核对 {count} 天，不同 {differ} 天", "{count} days compared with chinesecalendar, {differ} differ"),
    "alone": ("没有安装 chinesecalendar，未逐日核对", "chinesecalendar is not installed: no day was compared"),
}  # fmt: skip


def _layers(folder: Path) -> tuple[dict[str, bytes], Table[Layer]]:
    files, findings = read_folder(folder), Findings()
    _, table = read_layers(files, findings)
    findings.refuse_errors()
    return files, table


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="一年的安排：holiday-cn 的 JSON、CSV（date,kind,name）或 YAML / a year's notice", exists=True, dir_okay=False, readable=True)],
    layer: Annotated[str, typer.Option("--layer", help="写进哪一层 / into which layer")] = NATIONAL,
    source: Annotated[str, typer.Option("--source", help="文号，文件里没有时用 / the notice's number, where the file has none")] = "",
    write: Annotated[bool, typer.Option("--write", help="写入日历层的文件 / write the layer's file")] = False,
    folder: Folder = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:  # fmt: skip
    """导入一年的放假安排：先列出变化，--write 写入 / a year's notice: what would change, and with --write the layer."""
    settings = Settings()
    lang, folder = lang or settings.lang, folder or settings.catalog
    side, path = int(lang == "en"), folder
    try:
        files, table = _layers(folder)
        if layer not in table.rows:
            _fail(TEXTS["no_layer"][side].format(id=layer, known=", ".join(table.rows)), 2)
        before, at = table.rows[layer], table.spots[layer].at()
        path = folder / at.file
        notice = read_notice(file.name, file.read_bytes(), source)
        after = merged(before, notice, at)
        found = changes(rules_of([before]), rules_of([after]), notice)
        text = written(files[at.file].decode(), at.file, before, after)
        if text is not None:
            read_calendars({**files, at.file: text.encode()})
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
    if write and text is not None:
        _replace(path, text)
    done = path.as_posix() if write and text is not None else None
    last = after.horizon or (after.years[-1].year if after.years else None)
    years = [year.year for year in notice.years]
    if as_json:
        days = [{"date": str(change.day), "works": change.works, "name": change.name} for change in found]
        print(json.dumps({"layer": layer, "years": years, "changes": days, "published_until": str(last), "written": done}, ensure_ascii=False))  # fmt: skip
    else:
        _tell(found, years, str(last), Words(lang, folder), side)
    if write and text is None:
        _fail(TEXTS["by_hand"][side].format(path=path), 1)
    print(TEXTS["written" if done else "not_written"][side].format(path=path), file=sys.stderr)


def _tell(found: list[Change], years: list[int], last: str, words: Words, side: int) -> None:
    for change in found:
        print(
            f"{change.day} {words.weekday(change.day)}\t{TEXTS['works' if change.works else 'off'][side]}\t{change.name}".rstrip()
        )
    print(TEXTS["summary"][side].format(years=", ".join(map(str, years)), count=len(found), last=last))


def _replace(path: Path, text: str) -> None:
    """At once or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(code)


@app.command()
def verify(
    on: Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="以哪天为今天 / the day that counts as today")] = None,
    folder: Folder = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:  # fmt: skip
    """核对各层日历：重复、缺年、来源、公布到何时、与 chinesecalendar 是否一致 / what is doubtful in the layers."""
    settings = Settings()
    lang, folder = lang or settings.lang, folder or settings.catalog
    today = on.date() if on else datetime.now(CHINA).date()
    findings = Findings()
    compared: tuple[int, list[date]] | None = None
    try:
        files, table = _layers(folder)
        read_calendars(files)
        look(table, today, findings)
        compared = _compared(table, findings)
        found = findings.all()
    except CatalogueFaulty as faulty:
        found = faulty.findings
    if as_json:
        count, differ = compared or (0, [])
        levels = {level: sum(finding.level == level for finding in found) for level in ("error", "warning", "hint")}
        print(json.dumps({"findings": msgspec.to_builtins(found), **levels, "compared": count, "differ": list(map(str, differ))}, ensure_ascii=False))  # fmt: skip
    else:
        print_findings(found, lang, as_json=False)
        said = TEXTS["compared"] if compared else TEXTS["alone"]
        print(said[int(lang == "en")].format(count=(compared or (0, []))[0], differ=len((compared or (0, []))[1])))
    raise typer.Exit(1 if any(finding.level != "hint" for finding in found) else 0)


def _compared(table: Table[Layer], findings: Findings) -> tuple[int, list[date]] | None:
    """The national layer day by day, where somebody installed the library (it is only one of ours for development)."""
    national = table.rows.get(NATIONAL)
    try:
        from chinese_calendar import is_workday
    except ImportError:
        return None
    return compare([national], is_workday, table.spots[NATIONAL].at(), findings) if national else None
