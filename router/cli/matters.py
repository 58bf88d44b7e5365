"""
`duokua import matters FILE`: service matters from the province's matter system, with a diff on re-import.

The file is CSV with a header; columns of other names are mapped by `vocabularies/matter-columns.csv`. It is
taken as the full list: what it does not name is removed. Columns it does not have keep what our clerks
wrote (which function acts, which duty it rests on). Nothing is written without `--apply`, and nothing
that would make the catalogue faulty.
"""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from router.catalogue.catalogue import Catalogue
from router.catalogue.difference import compare_rows
from router.catalogue.findings import CatalogueFaulty, Finding, Findings
from router.catalogue.load import from_files, read_folder
from router.catalogue.reading import read_csv
from router.catalogue.rows import MatterRow
from router.catalogue.tables import Table
from router.cli.catalog import AsJson, Lang, print_differences, print_findings
from router.operate.settings import Settings

TARGET = "matters.csv"
FIELDS = MatterRow.__struct_fields__
TEXTS = {
    "zh": {"applied": "已写入 {path}", "empty": "文件中没有事项，未作比较", "refused": "这样改会使目录有误，不能写入"},
    "en": {"applied": "written to {path}", "empty": "the file names no matter; nothing was compared", "refused": "this would make the catalogue faulty and is not written"},
}  # fmt: skip


def matters(
    file: Annotated[
        Path,
        typer.Argument(help="事项清单（CSV）/ the list of matters (CSV)", exists=True, dir_okay=False, readable=True),
    ],
    folder: Annotated[Path | None, typer.Option("--catalog", help="目录所在文件夹 / the catalogue's folder")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="写入 matters.csv / write matters.csv")] = False,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """政务服务事项清单：与现有目录比较，--apply 写入 / service matters: the difference, and with --apply the new table."""
    settings = Settings()
    lang = lang or settings.lang
    texts, folder = TEXTS.get(lang, TEXTS["zh"]), folder or settings.catalog
    try:
        files = read_folder(folder)
        catalogue = from_files(files)
        rows, fields = read_foreign(file.name, file.read_bytes(), catalogue)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
    if not rows:
        _fail(texts["empty"])
    merged = merge(catalogue.matters, rows, fields)
    differences = tuple(compare_rows("matters", catalogue.matters, {row.code: row for row in merged}))
    faults = _faults({**files, TARGET: written(merged)})
    if as_json:
        typer.echo(
            json.dumps(msgspec.to_builtins({"differences": differences, "findings": faults}), ensure_ascii=False)
        )
    else:
        print_differences(differences, lang, as_json=False)
    if faults:
        if not as_json:
            print_findings(faults, lang, as_json=False)
        _fail(texts["refused"])
    if apply:
        (folder / TARGET).write_bytes(written(merged))
        print(texts["applied"].format(path=folder / TARGET), file=sys.stderr)


def _faults(files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    try:
        from_files(files)
    except CatalogueFaulty as faulty:
        return faulty.findings
    return ()


def read_foreign(name: str, data: bytes, catalogue: Catalogue) -> tuple[dict[str, MatterRow], tuple[str, ...]]:
    """The matters of a foreign file and which of our columns it has. Raises CatalogueFaulty with every fault of it."""
    findings = Findings()
    ours = catalogue.vocabularies.get("matter-columns", {})
    data, fields = _renamed(data, ours)
    table: Table[MatterRow] = Table()
    for spot, row in read_csv(name, data, MatterRow, findings):
        table.add(row.code, spot, row, findings)
    findings.refuse_errors()
    return table.rows, fields


def _renamed(data: bytes, names: Mapping[str, str]) -> tuple[bytes, tuple[str, ...]]:
    """The file with our column names in its header; columns that the vocabulary maps to nothing are left out."""
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig", "replace"), newline="")))
    if not lines:
        return data, ()
    header = [names.get(cell.strip(), cell.strip()) for cell in lines[0]]
    kept = [i for i, cell in enumerate(header) if cell]
    out = io.StringIO()
    # a line of another width is left as it is, so that it is found with its line number
    rows = [[row[i] for i in kept] if len(row) == len(header) else row for row in (header, *lines[1:])]
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode(), tuple(header[i] for i in kept)


def merge(before: Mapping[str, MatterRow], rows: Mapping[str, MatterRow], fields: Sequence[str]) -> list[MatterRow]:
    """The new table: what stays in its old order, then what is new; columns that the import lacks as they were."""
    order = [*(code for code in before if code in rows), *(code for code in rows if code not in before)]
    return [_merged(before.get(code), rows[code], fields) for code in order]


def _merged(before: MatterRow | None, row: MatterRow, fields: Sequence[str]) -> MatterRow:
    if before is None:
        return row
    return MatterRow(**{name: getattr(row if name in fields else before, name) for name in FIELDS})


def written(rows: Sequence[MatterRow]) -> bytes:
    """The table as it stands in the catalogue."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([_cell(getattr(row, name)) for name in FIELDS] for row in rows)
    return out.getvalue().encode()


def _cell(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ";".join(value)


def _fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(1)
