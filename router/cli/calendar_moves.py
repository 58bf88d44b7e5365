"""`duokua calendar moves`: which running due dates a version, draft or folder would move before it is published."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

import router.cli.calendar_import  # noqa: F401  # its commands belong to the same group
from router.catalogue.moves import SHOWN, NoState, Report, moves
from router.catalogue.named import ACTIVE, UnknownCatalogue, named
from router.cli.acting import Stage, stage
from router.cli.calendar import app
from router.cli.catalog import AsJson, Lang
from schemas.times import to_text

TEXTS = {
    "reading": ("读取工单状态", "reading cases"),
    "unknown": ("没有叫“{name}”的版本、草稿或文件夹，或还没有在用的版本", "no version, draft or folder is called {name}, or none is in force yet"),
    "no_state": ("这里还没有运行过", "nothing has run here yet"),
    "none": ("没有在走的时限会变动（{clocks} 个改按新日历计算，到期不变）", "no running due date would move ({clocks} would count by the new calendar, with the same due)"),
    "summary": ("{clocks} 个在走的时限改按新日历计算，其中 {moves} 个到期时间变动（{cases} 件工单）：", "{clocks} running clocks would count by the new calendar, {moves} of them with another due ({cases} cases):"),
    "group": ("{policy}\t{unit}\t{before} → {after}\t{count} 个", "{policy}\t{unit}\t{before} → {after}\t{count}"),
    "examples": ("例", "examples"),
    "example": ("  {number}\t{kind}\t{before} → {due}", "  {number}\t{kind}\t{before} → {due}"),
    "nothing": ("只看不改。发布后逐件改期，并告知诉求人和承办单位。", "nothing was changed. Once it is published each case is re-based, and citizens and units are told."),
}  # fmt: skip


@app.command("moves")
def show(
    which: Annotated[str, typer.Argument(metavar="WHICH", help="版本号、草稿名或文件夹 / a version's number, a draft or a folder")],
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:  # fmt: skip
    """发布前看哪些在走的到期时间会变，不改任何东西 / which running due dates would move, before anything moves."""
    at = stage(lang, as_json)

    async def look(broker: Any, topics: Any) -> Report:
        before, after = await named(broker, topics, ACTIVE), await named(broker, topics, which)
        with _bar(at.choose(TEXTS["reading"])) as progress:
            return await moves(broker, topics.state, before, after, progress)

    try:
        made = at.run(look)
    except UnknownCatalogue as unknown:
        at.fail(at.choose(TEXTS["unknown"], name=unknown), 2)
    except NoState:
        at.fail(at.choose(TEXTS["no_state"]), 2)
    _tell(at, made)
    at.result(_facts(made))


def _tell(at: Stage, made: Report) -> None:
    if not made.moves:
        at.say(at.choose(TEXTS["none"], clocks=made.clocks))
        return
    numbers = {move.number for move in made.moves}
    at.say(at.choose(TEXTS["summary"], clocks=made.clocks, moves=len(made.moves), cases=len(numbers)))
    for policy, unit, before, after, many in made.groups()[:SHOWN]:
        at.say(at.choose(TEXTS["group"], policy=policy, unit=unit, before=before, after=after, count=many))
    at.say(at.choose(TEXTS["examples"]))
    for move in made.examples():
        at.say(
            at.choose(
                TEXTS["example"], number=move.number, kind=move.kind, before=to_text(move.before), due=to_text(move.due)
            )
        )
    at.say(at.choose(TEXTS["nothing"]))


def _facts(made: Report) -> dict[str, object]:
    return {
        "cases": made.cases,
        "clocks": made.clocks,
        "moves": len(made.moves),
        "groups": [
            {"policy": policy, "unit": unit, "from": before, "to": after, "count": many}
            for policy, unit, before, after, many in made.groups()
        ],
        "examples": [
            {"number": m.number, "kind": m.kind, "unit": m.unit, "from": to_text(m.before), "to": to_text(m.due)}
            for m in made.examples()
        ],
    }


@contextmanager
def _bar(label: str) -> Iterator[Any]:
    """On a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
