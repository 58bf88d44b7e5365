"""
`duokua calendar show|due|explain|import|verify`: which days are worked, and why a date is due when it is.

They read the calendars of the catalogue's folder alone and need no broker.
Exit codes: 0 ok; 1 findings; 2 usage: no such calendar, no such time, no such limit.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from router.catalogue.calendars import Calendars, Layers, read_calendars
from router.catalogue.load import read_folder
from router.cli.case_words import Words
from router.cli.catalog import AsJson, Lang
from router.cli.ledger_words import as_json as rows_json
from router.cli.ledger_words import lines
from router.operate.settings import Settings
from schemas.times import CHINA, milliseconds, to_text
from workflows.calendars import Budget, Calendar, Due, DueRule, StartRule, budget
from workflows.ledger import Row, ledger
from workflows.workdays import EPOCH, Layer, ordinal

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="工作日历 / the working calendar"
)

MOST = 9_999
"""Of any unit: 27 years of days."""
YEARS = range(1970, 2200)
NATIONAL = "national"

TEXTS: Mapping[str, tuple[str, str]] = {
    "no_calendar": ("没有日历“{id}”；有：{known}", "there is no calendar '{id}', only: {known}"),
    "no_hours": ("“{id}”只有日期，没有办公时间，不能单独使用", "'{id}' has days only and no office hours: it is no calendar by itself"),
    "bad_start": ("“{value}”不是时间（应如 2026-02-13、2026-02-13T10:30、2026-02-13T10:30+08:00）", "'{value}' is no time such as 2026-02-13, 2026-02-13T10:30, 2026-02-13T10:30+08:00"),
    "bad_budget": ("“{value}”不是时限（应如 30m、24h、2wh、3d、5wd，数字为 1 至 9999）", "'{value}' is no limit such as 30m, 24h, 2wh, 3d, 5wd (from 1 to 9999)"),
    "no_year": ("日历“{id}”没有 {year} 年", "calendar '{id}' has no year {year}"),
    "due": ("{due} 到期", "due {due}"),
    "provisional": ("（暂定：超出已公布的日历）", " (provisional: beyond the published calendar)"),
    "how": ("{budget}，自 {start}，{start_rule}，{due_rule}；日历 {id}（{name}）", "{budget} from {start}, {start_rule}, {due_rule}; calendar {id} ({name})"),
    "receipt": ("收到即起算", "counted from receipt"),
    "next_working_instant": ("下一工作时刻起算", "counted from the next working instant"),
    "next_day": ("次日起算", "the day of receipt is not counted"),
    "exact": ("到时即止", "due at the very instant"),
    "end_of_day": ("算到当日结束", "due at the end of that day"),
    "working_day": ("算到当日结束，最后一日是休假日的顺延到其后第一个工作日", "due at the end of that day, or of the first working day after it where it is a day off"),
    "layer": ("{id}\t{name}\t来源 {source}\t等级 {grade}", "{id}\t{name}\tsource {source}\tgrade {grade}"),
    "horizon": ("公布到 {last}，以后为暂定", "published until {last}, later dates are provisional"),
    "hours": ("{since} 至 {until}  {open}", "{since} to {until}  {open}"),
    "listed": ("{id}\t{name}\t{where}\t公布到 {last}", "{id}\t{name}\t{where}\tpublished until {last}"),
    "anywhere": ("不限地方", "no place of its own"),
    "year": ("{year} 年：{worked} 个工作日，来源 {source}", "{year}: {worked} working days, source {source}"),
    "rest": ("放假\t{first} 至 {last}\t{name}", "off\t{first} to {last}\t{name}"),
    "work": ("上班\t{first} {weekday}\t调休", "worked\t{first} {weekday}\tworked weekend"),
    "single": ("单日\t{first}\t{open}\t{name}", "one day\t{first}\t{open}\t{name}"),
    "closed": ("不办公", "closed"),
    "as usual": ("按平日办公", "usual hours"),
}  # fmt: skip

Start = Annotated[
    str, typer.Argument(metavar="START", help="从何时起，缺省为北京时间 / from when, Beijing time unless it says so")
]
Limit = Annotated[str, typer.Argument(metavar="BUDGET", help="时限 / the limit: 30m, 24h, 2wh, 3d, 5wd")]
Which = Annotated[str, typer.Option("--calendar", help="日历编号 / a calendar's id")]
StartOf = Annotated[
    Literal["receipt", "next_working_instant", "next_day"] | None,
    typer.Option("--start", help="起算；缺省：按日的次日起算，其余收到即起算 / by default days are counted from the next day, all else from receipt"),
]  # fmt: skip
DueOf = Annotated[
    Literal["exact", "end_of_day", "working_day"] | None,
    typer.Option("--due-rule", help="止算；缺省：按日的算到当日结束 / by default days end with the day, all else at the instant"),
]  # fmt: skip
Folder = Annotated[
    Path | None, typer.Option("--catalog", help="目录所在文件夹，缺省取设置 / the catalogue's folder, by default the setting's")
]  # fmt: skip


class Desk:
    """What every command here needs: the calendars of a folder, and a language to speak."""

    def __init__(self, lang: str, folder: Path | None) -> None:
        settings = Settings()
        lang = lang or settings.lang
        self.side = 1 if lang == "en" else 0
        self.folder = folder or settings.catalog
        self.words = Words(lang, self.folder)
        self.calendars: Calendars = read_calendars(read_folder(self.folder))

    def say(self, text: str, **values: object) -> str:
        return TEXTS[text][self.side].format(**values)

    def fail(self, text: str, **values: object) -> NoReturn:
        print(self.say(text, **values), file=sys.stderr)
        raise typer.Exit(2)

    def calendar(self, which: str) -> tuple[Calendar, Layers]:
        """By full name, or by the id of its last layer."""
        name = self.calendars.name_of(which)
        if name is None:
            known = ", ".join(layers[-1].id for layers in self.calendars.layers.values())
            self.fail("no_calendar", id=which, known=known)
        return self.calendars.by_id[name], self.calendars.layers[name]


@app.command()
def due(
    start: Start, limit: Limit, calendar: Which = NATIONAL, start_rule: StartOf = None, due_rule: DueOf = None,
    folder: Folder = None, as_json: AsJson = False, lang: Lang = "",
) -> None:  # fmt: skip
    """何时到期，逐日说明；--json 只给结果 / when it is due, day by day; with --json the answer alone."""
    _answer(Desk(lang, folder), start, limit, calendar, start_rule, due_rule, as_json, days=False)


@app.command()
def explain(
    start: Start, limit: Limit, calendar: Which = NATIONAL, start_rule: StartOf = None, due_rule: DueOf = None,
    folder: Folder = None, as_json: AsJson = False, lang: Lang = "",
) -> None:  # fmt: skip
    """为什么这时到期：逐日列出 / why it is due then: every day, with --json too."""
    _answer(Desk(lang, folder), start, limit, calendar, start_rule, due_rule, as_json, days=True)


def _answer(
    desk: Desk, start: str, limit: str, which: str, start_rule: StartRule | None, due_rule: DueRule | None,
    as_json: bool, *, days: bool,
) -> None:  # fmt: skip
    calendar, layers = desk.calendar(which)
    begun, parsed = _instant(desk, start), _budget(desk, limit)
    by_day = parsed.unit in ("d", "wd")
    rules: tuple[StartRule, DueRule] = (
        start_rule or ("next_day" if by_day else "receipt"), due_rule or ("end_of_day" if by_day else "exact"),
    )  # fmt: skip
    found = calendar.add(begun, limit, *rules)
    carried = rules[1] == "working_day" and not parsed.working
    ends = calendar.add(begun, limit, rules[0], "end_of_day").at if carried else 0
    rows = ledger(calendar, layers, parsed.unit, [(found.anchor, found.at)], begun, ends)
    if as_json:
        said = _due_json(calendar, begun, limit, rules, found)
        print(json.dumps(said | ({"days": rows_json(rows)} if days else {}), ensure_ascii=False))
        return
    _print(desk, layers, begun, limit, rules, found, rows)


def _due_json(
    calendar: Calendar, start: int, limit: str, rules: tuple[StartRule, DueRule], found: Due
) -> dict[str, Any]:
    return {
        "due": to_text(found.at), "provisional": found.provisional, "start": to_text(start), "budget": limit,
        "start_rule": rules[0], "due_rule": rules[1], "anchor": to_text(found.anchor), "calendar": calendar.id,
    }  # fmt: skip


def _print(
    desk: Desk, layers: Layers, start: int, limit: str, rules: tuple[StartRule, DueRule], found: Due, rows: tuple[Row, ...]
) -> None:  # fmt: skip
    provisional = desk.say("provisional") if found.provisional else ""
    print(desk.say("due", due=desk.words.moment(found.at)) + provisional)
    how = {"start_rule": desk.say(rules[0]), "due_rule": desk.say(rules[1])}
    print(
        desk.say("how", budget=desk.words.budget(limit), start=desk.words.moment(start), **how,
                 id=layers[-1].id, name=layers[-1].name)
    )  # fmt: skip
    for line in lines(rows, desk.side):
        print(line)


def _instant(desk: Desk, text: str) -> int:
    """`2026-02-13`, with a time of day, with an offset; of Beijing where it names none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        desk.fail("bad_start", value=text)
    if when.year not in YEARS:
        desk.fail("bad_start", value=text)
    return milliseconds(when if when.tzinfo else when.replace(tzinfo=CHINA))


def _budget(desk: Desk, text: str) -> Budget:
    try:
        parsed = budget(text)
    except ValueError:
        desk.fail("bad_budget", value=text)
    if not 1 <= parsed.count <= MOST:
        desk.fail("bad_budget", value=text)
    return parsed


# -- show -----------------------------------------------------------------------------------------


@app.command()
def show(
    calendar: Annotated[str, typer.Argument(metavar="[CALENDAR]", help="不写则列出全部 / all of them where none is named")] = "",
    year: Annotated[int, typer.Argument(metavar="[YEAR]", help="不写则取公布的最后一年 / by default the last published one")] = 0,
    folder: Folder = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:  # fmt: skip
    """有哪些日历；一个日历的各层、办公时间、放假和调休 / the calendars; the layers, hours, holidays and worked weekends of one."""
    desk = Desk(lang, folder)
    if not calendar:
        _list(desk, as_json)
        return
    found, layers = desk.calendar(calendar)
    year = year or date.fromordinal(EPOCH + found.horizon).year
    if year not in YEARS:
        desk.fail("no_year", id=calendar, year=year)
    if as_json:
        print(json.dumps(_shown(found, layers, year), ensure_ascii=False))
        return
    for line in _lines(desk, found, layers, year):
        print(line)


def _list(desk: Desk, as_json: bool) -> None:
    known = desk.calendars
    rows = [(known.by_id[name], layers[-1]) for name, layers in known.layers.items()]
    if as_json:
        listed = [
            {"calendar": c.id, "id": layer.id, "name": layer.name, "place": layer.place, "units": list(layer.units or ()), "published_until": _last(c)}
            for c, layer in rows
        ]  # fmt: skip
        print(json.dumps({"calendars": listed}, ensure_ascii=False))
        return
    for calendar, layer in rows:
        where = " ".join(filter(None, (layer.place, *(layer.units or ())))) or desk.say("anywhere")
        print(desk.say("listed", id=layer.id, name=layer.name, where=where, last=_last(calendar)))


def _last(calendar: Calendar) -> str:
    return date.fromordinal(EPOCH + calendar.horizon).isoformat()


def _worked(calendar: Calendar, year: int) -> int:
    days = range(ordinal(date(year, 1, 1)), ordinal(date(year + 1, 1, 1)))
    return sum(bool(calendar.rules.of(day)) for day in days)


def _shown(calendar: Calendar, layers: Layers, year: int) -> dict[str, Any]:
    days = range(ordinal(date(year, 1, 1)), ordinal(date(year + 1, 1, 1)))
    worked = [date.fromordinal(EPOCH + day).isoformat() for day in days if calendar.rules.of(day)]
    return {
        "calendar": calendar.id, "layers": [layer.id for layer in layers], "published_until": _last(calendar), "year": year,
        "working_days": len(worked), "worked": worked,
    }  # fmt: skip


def _lines(desk: Desk, calendar: Calendar, layers: Layers, year: int) -> Iterator[str]:
    for layer in layers:
        yield desk.say("layer", id=layer.id, name=layer.name, source=layer.source, grade=layer.grade)
    yield desk.say("horizon", last=_last(calendar))
    for season in next((layer.hours for layer in reversed(layers) if layer.hours), ()):
        yield desk.say("hours", since=season.since, until=season.until, open=" ".join(season.open))
    sources = [said.source for layer in layers for said in layer.years if said.year == year and said.source]
    yield desk.say("year", year=year, worked=_worked(calendar, year), source="；".join(sources) or "—")
    for layer in layers:
        yield from _said(desk, layer, year)


def _said(desk: Desk, layer: Layer, year: int) -> Iterator[str]:
    """What one layer says of a year."""
    for said in layer.years:
        if said.year == year:
            for span in said.rest:
                yield desk.say("rest", first=span.first, last=span.last or span.first, name=span.name)
            for day in said.work:
                yield desk.say("work", first=day, weekday=desk.words.weekday(day))
    for one in layer.days or ():
        if one.day.year == year:
            usual = desk.say("as usual" if one.open is None else "closed")
            yield desk.say("single", first=one.day, open=" ".join(one.open or ()) or usual, name=one.name)
