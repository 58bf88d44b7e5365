"""
`duokua rules returns`: how often what rules dispatch comes back, by rule and by unit.

Exit codes: 0; 1 with `--above`, where a rule or unit is above it; 3 Kafka is not reachable, or nothing ever ran.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import load
from router.cli.acting import Stage, stage
from router.cli.catalog import AsJson, Lang
from router.operate.history import History, NoEvents
from router.operate.returns import Returns, Row, telling
from router.operate.topics import DAY, Topics

TEXTS = {
    "head": ("近 {days} 天派出的主办、协办任务：每百件退单或改派多少", "lead and assist tasks dispatched in the last {days} days: how many of a hundred were returned or given to another"),
    "rules": ("规则", "rule"),
    "units": ("单位", "unit"),
    "row": ("  {rate:5.1f}%  {name}：派出 {dispatched}，退单 {returned}（同意 {accepted}、驳回 {rejected}、裁定 {ruled}），改派 {re_dispatched}", "  {rate:5.1f}%  {name}: dispatched {dispatched}, returned {returned} (accepted {accepted}, rejected {rejected}, ruled {ruled}), given to another {re_dispatched}"),
    "person": ("（人工分派、改派）", "(by a person)"),
    "none": ("没有派出过", "nothing was dispatched"),
    "unread": ("有 {count} 条记录读不出", "{count} records could not be read"),
    "no_events": ("没有事件主题 {name}：还没有运行过", "there is no topic of events {name}: nothing ever ran"),
    "silent": ("日志没有回应", "the log does not answer"),
}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """The command, in the group `rules`."""
    app.command()(returns)


def returns(
    days: Annotated[int, typer.Option("--days", min=1, help="最近多少天派出的 / dispatched in the last days")] = 30,
    above: Annotated[
        float | None,
        typer.Option("--above", min=0, max=100, help="只列超过百分之几的，有则退出码 1 / only what is above so many %"),
    ] = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """各规则、各单位的退单率和改派率 / how often work is returned or given to another, by rule and by unit."""
    at = stage(lang, as_json)
    found, unreadable = at.run(lambda broker, topics: _read(broker, topics, at, days))
    tables = {"rules": _sorted(found.rules, above), "units": _sorted(found.units, above)}
    at.say(at.choose(TEXTS["head"], days=days))
    for kind, table in tables.items():
        _tell(at, kind, table)
    if unreadable:
        at.say(at.choose(TEXTS["unread"], count=unreadable))
    at.result(
        {"days": days, "unreadable": unreadable}
        | {
            kind: {name: asdict(row) | {"rate": row.rate} for name, row in table.items()}
            for kind, table in tables.items()
        }
    )
    raise typer.Exit(1 if above is not None and any(tables.values()) else 0)


async def _read(broker: Any, topics: Topics, at: Stage, days: int) -> tuple[Returns, int]:
    history, found = History(broker, topics.events, at.now - days * DAY, at.now, telling), Returns()
    try:
        async for batch in history.batches():
            found.take(batch)
    except NoEvents as missing:
        at.fail(at.choose(TEXTS["no_events"], name=missing), 3)
    except TimeoutError:
        at.fail(at.choose(TEXTS["silent"]), 3)
    return found, history.unreadable


def _sorted(rows: Mapping[str, Row], above: float | None) -> dict[str, Row]:
    """The worst first."""
    wanted = {name: row for name, row in rows.items() if above is None or row.rate > above}
    return dict(sorted(wanted.items(), key=lambda item: (-item[1].rate, -item[1].dispatched, item[0])))


def _tell(at: Stage, kind: str, table: Mapping[str, Row]) -> None:
    at.say(at.choose(TEXTS[kind]))
    names = _names(at, kind)
    for code, row in table.items():
        name = f"{code} {names.get(code, '')}".rstrip() if code else at.choose(TEXTS["person"])
        at.say(at.choose(TEXTS["row"], name=name, rate=row.rate, **asdict(row)))
    if not table:
        at.say("  " + at.choose(TEXTS["none"]))


def _names(at: Stage, kind: str) -> Mapping[str, str]:
    """From the catalogue on this machine; where there is no sound one, codes are shown as they are."""
    try:
        catalogue: Catalogue = load(at.settings.catalog)
    except CatalogueFaulty:
        return {}
    table: Mapping[str, Any] = catalogue.rules if kind == "rules" else catalogue.units
    return {code: row.name for code, row in table.items()}
