"""`duokua rules backtest|shadow`: what other rules would have done with the requests of the last days, or do with those to come."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import msgspec
import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from router.bootstrap import run_role
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import load
from router.catalogue.named import ACTIVE, UnknownCatalogue, named
from router.catalogue.pack import VersionUnusable
from router.cli.catalog import AsJson, Lang, print_findings
from router.cli.rules_moves import TEXTS, told
from router.operate.audit import ChainBroken
from router.operate.history import History, NoEvents, Progressing, registered
from router.operate.settings import Settings
from router.operate.topics import DAY, Topics
from router.rules.backtest import Judge, Registered
from router.rules.comparison import Comparison, Report, report
from router.shadow.role import Shown, place

Draft = Annotated[
    str,
    typer.Argument(metavar="DRAFT", help="草稿名、版本号、active 或文件夹 / a draft, a version, active, or a folder"),
]
Against = Annotated[
    str,
    typer.Option("--against", help="与哪一个比，缺省为在用版本 / compared with which, by default the version in force"),
]
Days = Annotated[int, typer.Option("--days", min=1, help="最近多少天登记的诉求 / requests registered in the last days")]


def add_to(app: typer.Typer) -> None:
    """The commands, in the group `rules`."""
    app.command()(backtest)
    app.command()(shadow)


def backtest(
    draft: Draft, against: Against = ACTIVE, days: Days = 30, as_json: AsJson = False, lang: Lang = ""
) -> None:
    """
    用近日的诉求试算：哪些会改派、哪些时限会变、哪些规则从未起作用；不写任何东西。
    Decide the requests of the last days again, and tell what would change. Writes nothing.
    """
    settings = Settings()
    lang = lang or settings.lang
    texts = TEXTS.get(lang, TEXTS["zh"])
    try:
        before, after, made = asyncio.run(_backtest(settings, draft, against, days, texts["reading"]))
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
    except UnknownCatalogue as unknown:
        _fail(texts["no active" if str(unknown) == ACTIVE else "unknown"].format(name=unknown), 1)
    except (VersionUnusable, ChainBroken):
        _fail(texts["unusable"], 1)
    except NoEvents as missing:
        _fail(texts["no events"].format(name=missing), 3)
    except (KafkaError, OSError, TimeoutError):
        _fail(texts["unreachable"].format(where=settings.bootstrap), 3)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(made), ensure_ascii=False))
    else:
        for line in told(made, (after, before), lang):
            typer.echo(line)
    raise typer.Exit(0 if made.is_quiet else 1)


def shadow(
    draft: Annotated[
        str,
        typer.Argument(
            metavar="[DRAFT]",
            help="草稿名、版本号或文件夹，缺省取 DUOKUA_SHADOW / a draft, a version, or a folder; by default DUOKUA_SHADOW",
        ),
    ] = "",
    days: Annotated[
        int | None,
        typer.Option("--days", min=0, help="从几天前登记的诉求算起 / begin with the requests of so many days ago"),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="看运行中的影子到目前的结果 / what a running one has found so far")
    ] = False,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """
    草稿与在用规则并行：每件新诉求也按草稿算一遍，只计差异，不派任何单；直到 SIGTERM。
    A draft beside the rules in force: differences are counted, nothing is delivered. Runs until SIGTERM.
    """
    settings = Settings()
    texts = TEXTS.get(lang or settings.lang, TEXTS["zh"])
    if show:
        _show(settings, lang or settings.lang, as_json)
    named_by = {"shadow": draft or settings.shadow, "shadow_days": settings.shadow_days if days is None else days}
    if not named_by["shadow"]:
        _fail(texts["which"], 2)
    raise typer.Exit(run_role("shadow", settings.model_copy(update=named_by)))


def _show(settings: Settings, lang: str, as_json: bool) -> NoReturn:
    texts = TEXTS.get(lang, TEXTS["zh"])
    try:
        shown = msgspec.json.decode(place(settings.state_dir).read_bytes(), type=Shown)
    except FileNotFoundError:
        _fail(texts["no shadow"], 3)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(shown), ensure_ascii=False))
    else:
        typer.echo(texts["shadow"].format(draft=shown.draft, hash=shown.hash[:12]))
        for line in told(shown.report, (load(settings.catalog),), lang):
            typer.echo(line)
    raise typer.Exit(0 if shown.report.is_quiet else 1)


async def _backtest(
    settings: Settings, draft: str, against: str, days: int, label: str
) -> tuple[Catalogue, Catalogue, Report]:
    broker, topics = KafkaLog(settings.bootstrap), Topics(settings.prefix, settings.shards, settings.replication)
    until = Clock.from_text(settings.clock).now()
    after = await named(broker, topics, draft)
    before = await named(broker, topics, against)
    with _bar(label) as progress:
        made = await compared(
            History(broker, topics.events, until - days * DAY, until, registered), before, after, progress
        )
    return before, after, made


async def compared(history: History[Registered], before: Catalogue, after: Catalogue, progress: Progressing) -> Report:
    """Each request of the time decided by both."""
    made, one, other = Comparison(), Judge(before.facts()), Judge(after.facts())
    async for batch in history.batches(progress):
        for asked in batch:
            decided = one.outcome(asked)
            made.check(asked, before.version, decided)
            made.take(asked, decided, other.outcome(asked))
    return report(made, before.rules, after.rules, history.since, history.until, history.unreadable)


@contextmanager
def _bar(label: str) -> Iterator[Progressing]:
    """On a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(code)
