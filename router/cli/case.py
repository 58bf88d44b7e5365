"""
`duokua case show NUMBER | CASE_ID | CHANNEL:REF` and `duokua case list`: from the read model alone.

They need no broker and work after everything has stopped. Exit codes: 0 shown, 1 no such case,
3 there is no read model (nobody has projected anything yet).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.readmodel import CaseFile, CaseRow, ClockRow, ReadModel, ReadModelMissing
from router.cli.case_time import as_json, ledger_of, length
from router.cli.case_why import Reasons
from router.cli.case_words import NOTHING, Words
from router.cli.ledger_words import as_json as rows_json
from router.cli.ledger_words import lines
from router.operate.settings import Settings
from schemas.times import to_text

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="工单 / cases")

AsJson = Annotated[bool, typer.Option("--json", help="一个 JSON 对象 / one JSON object")]
Lang = Annotated[str, typer.Option("--lang", help="zh | en")]
WIDE = 260
"""Columns where no terminal says how wide it is."""


@app.command()
def show(
    case: Annotated[
        str,
        typer.Argument(
            metavar="CASE", help="工单编号、内部编号，或 渠道:渠道编号 / public number, case id, or CHANNEL:REF"
        ),
    ],
    why: Annotated[
        bool, typer.Option("--why", help="逐日说明各时限为什么这时到期 / why each clock is due then, day by day")
    ] = False,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """一个工单的来龙去脉 / what happened to a case and why."""
    settings = Settings()
    words = Words(lang or settings.lang, settings.catalog)
    file = file_of(settings, case)
    reasons = Reasons(settings.catalog) if why else None
    if as_json:
        typer.echo(json.dumps(_as_json(file, words, reasons), ensure_ascii=False))
    else:
        _print(file, words, reasons)


def moments(case: str, types: Sequence[str], lang: str = "") -> Iterator[str]:
    """The sentences of these types of events in the timeline of a case, each with its time."""
    settings = Settings()
    words = Words(lang or settings.lang, settings.catalog)
    file = file_of(settings, case)
    for step in file.timeline:
        if step.type.partition(".")[0] in types:
            yield f"{words.moment(step.at)}  {words.sentence(step, file)}"


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="只看此状态 / only this state")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """最近收到的工单 / the cases received last."""
    settings = Settings()
    words = Words(lang or settings.lang, settings.catalog)
    rows = _opened(settings).latest(state, limit)
    if as_json:
        typer.echo(json.dumps({"cases": [_case_json(row) for row in rows]}, ensure_ascii=False))
        return
    table = _table(words, "number", "state", "kind", "channel", "place", "received", "rule")
    for row in rows:
        state_of = words.label("case_state", row.state)
        kind, place = words.label("appeal_kind", row.kind), words.region(row.region)
        _row(
            table,
            row.number,
            state_of,
            kind,
            words.channel(row.channel),
            place,
            words.moment(row.received_at),
            row.rule or NOTHING,
        )
    _console().print(table)


def _opened(settings: Settings) -> ReadModel:
    try:
        return ReadModel.existing(settings.readmodel_url())
    except ReadModelMissing as missing:
        typer.echo(f"还没有读模型，先运行 projector / no read model yet, run the projector first: {missing}", err=True)
        raise typer.Exit(3) from None


def file_of(settings: Settings, name: str) -> CaseFile:
    """What is known of the case that `name` means. None, or more than one, ends the command with exit code 1."""
    model = _opened(settings)
    found = _found(model, name)
    if not found:
        typer.echo(f"没有这个工单 / no such case: {name}", err=True)
        raise typer.Exit(1)
    if len(found) > 1:
        typer.echo("不止一个 / more than one: " + ", ".join(row.case_id for row in found), err=True)
        raise typer.Exit(1)
    return model.file(found[0])


def _found(model: ReadModel, name: str) -> list[CaseRow]:
    channel, colon, ref = name.partition(":")
    return model.find(name) or (model.find_ref(channel, ref) if colon else [])


# -- for machines ---------------------------------------------------------------------------------


def _as_json(file: CaseFile, words: Words, reasons: Reasons | None) -> dict[str, Any]:
    steps = [
        {
            "at": to_text(s.at),
            "version": s.version,
            "type": s.type,
            "text": words.sentence(s, file),
            "detail": json.loads(s.detail),
        }
        for s in file.timeline
    ]
    deliveries = [
        {
            "at": to_text(d.at),
            "to": d.destination,
            "type": d.type,
            "id": d.id,
            "seq": d.seq,
            "delivered": d.offset < file.delivered.get(d.partition, 0),
        }
        for d in file.deliveries
    ]
    return {
        "case": _case_json(file.case),
        "legs": [_timed(asdict(leg), "dispatched_at", "signed_at", "replied_at") for leg in file.legs],
        "clocks": [_clock_json(clock, file, reasons) for clock in file.clocks],
        "timeline": steps,
        "deliveries": deliveries,
        "time": as_json(told[0]) if (told := ledger_of(file, words, _now(file))) else None,
    }


def _now(file: CaseFile) -> int:
    """The time of the last thing that is known of the case, which may be simulated time."""
    return max((step.at for step in file.timeline), default=0)


def _clock_json(clock: ClockRow, file: CaseFile, reasons: Reasons | None) -> dict[str, Any]:
    row = _timed(asdict(clock), "anchor", "due", "warned_at", "overdue_at")
    if reasons is None:
        return row
    days = reasons.days(clock, file)
    return row | {"days": None if days is None else rows_json(days)}


def _case_json(row: CaseRow) -> dict[str, Any]:
    return _timed(asdict(row), "received_at", "updated_at", "closed_at")


def _timed(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Times as RFC 3339; those that have not come yet as null."""
    return row | {name: to_text(row[name]) if row[name] else None for name in names}


# -- for people -----------------------------------------------------------------------------------


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def _print(file: CaseFile, words: Words, reasons: Reasons | None) -> None:
    console = _console()
    for name, text in _head(file, words):
        console.print(f"[bold]{escape(words.heading(name))}[/bold]  {escape(text)}", soft_wrap=True)
    for name, table in (
        ("units", _legs(file, words)),
        ("clocks", _clocks(file, words)),
        ("held", _held(file, words)),
        ("kept", _kept(file, words)),
        ("timeline", _timeline(file, words)),
        ("deliveries", _sent(file, words)),
    ):
        if table.row_count:
            console.print(f"\n[bold]{escape(words.heading(name))}[/bold]")
            console.print(table)
        if name == "clocks" and reasons is not None:
            for line in _why(file, words, reasons):
                console.print(escape(line), soft_wrap=True)


def _head(file: CaseFile, words: Words) -> list[tuple[str, str]]:
    case = file.case
    state = words.label("case_state", case.state)
    closed = words.aside(words.label("close_reason", case.close_reason)) if case.close_reason else ""
    return [
        ("case", f"{case.number}  {state}{closed}  {case.case_id}"),
        ("channel", f"{words.channel(case.channel)}  {words.heading('ref')} {case.ref}"),
        ("received", words.moment(case.received_at)),
        (
            "what",
            f"{words.label('appeal_kind', case.kind)}  {words.category(case.category)}  {words.matter(case.matter) if case.matter else ''}".rstrip(),
        ),
        ("place", words.region(case.region)),
        *_rule(file, words),
    ]


def _rule(file: CaseFile, words: Words) -> list[tuple[str, str]]:
    routed = next((json.loads(step.detail) for step in file.timeline if step.type == "CaseRouted.v1"), None)
    if routed is None:
        return [("rule", words.word("no rule"))]
    version = f"#{routed.get('number', 0)}  @{routed.get('catalogue', 0)}"
    return [
        ("rule", f"{words.rule(routed['rule'])}  {version}  → {words.word(routed['outcome'])}"),
        ("why", words.reasons(routed.get("why", ())).partition(" ")[2]),
        ("policy", routed.get("policy") or NOTHING),
    ]


def _table(words: Words, *headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in headings:
        table.add_column(words.heading(name), no_wrap=name in ("at", "number"), overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(escape(cell) for cell in cells))


def _legs(file: CaseFile, words: Words) -> Table:
    table = _table(words, "unit", "part", "state", "dispatched", "signed", "replied")
    for leg in file.legs:
        state = words.label("case_state", leg.state) + (
            words.aside(words.word("round", round=leg.round)) if leg.round else ""
        )
        times = (words.moment(at) for at in (leg.dispatched_at, leg.signed_at, leg.replied_at))
        unit = ("└ " if leg.parent else "") + (leg.unit_name or leg.unit)
        _row(table, unit, words.label("part", leg.part), state, *times)
    return table


def _clocks(file: CaseFile, words: Words) -> Table:
    table = _table(words, "clock", "unit", "due", "state", "because")
    for clock in file.clocks:
        unit = words.holder(clock.of, file) if clock.of else words.word("the case")
        state = words.word(clock.state) + (words.aside(words.word("level", level=clock.level)) if clock.level else "")
        kind, due = words.label("kind", clock.kind), words.moment(clock.due)
        _row(table, kind, unit, due, state, words.clock_reason(clock))
    return table


def _held(file: CaseFile, words: Words) -> Table:
    """Which unit lost the three days: the working time from receipt to close, each part of it in one hand."""
    table = _table(words, "unit", "time", "late")
    if told := ledger_of(file, words, _now(file)):
        ledger, calendar = told
        for share in ledger.shares:
            late = length(words, calendar, share.late) if share.late else NOTHING
            _row(table, words.unit(share.unit), length(words, calendar, share.time), late)
        if len(ledger.shares) > 1:
            _row(table, words.word("in all"), length(words, calendar, ledger.whole), "")
    return table


def _kept(file: CaseFile, words: Words) -> Table:
    table = _table(words, "unit", "promised", "actual", "late")
    if told := ledger_of(file, words, _now(file)):
        ledger, calendar = told
        for kept in ledger.kept:
            unit = words.holder(kept.of, file) if kept.of else words.word("the case")
            late = length(words, calendar, kept.late) if kept.late else NOTHING
            _row(table, unit, words.moment(kept.promised), words.moment(kept.actual), late)
    return table


def _why(file: CaseFile, words: Words, reasons: Reasons) -> Iterator[str]:
    """The days of each clock, so that anybody can count them again."""
    for clock in file.clocks:
        unit = words.holder(clock.of, file) if clock.of else words.word("the case")
        yield f"\n{words.label('kind', clock.kind)}  {unit}  {words.moment(clock.due)}"
        days = reasons.days(clock, file)
        yield from lines(days, words.side) if days else [words.word("no calendar", calendar=clock.calendar)]


def _timeline(file: CaseFile, words: Words) -> Table:
    table = _table(words, "at", "event")
    last = 0
    for step in file.timeline:
        _row(table, words.moment(step.at) if step.version != last else "", words.sentence(step, file))
        last = step.version
    return table


def _sent(file: CaseFile, words: Words) -> Table:
    table = _table(words, "at", "to", "type", "state", "id")
    for d in file.deliveries:
        state = words.word("delivered" if d.offset < file.delivered.get(d.partition, 0) else "handed")
        _row(table, words.moment(d.at), f"{d.destination} #{d.seq}", d.type.removeprefix("cn.duokua."), state, d.id)
    return table
