"""
`duokua demo`: a day's requests, and the working days after it, on a real Kafka, in about a minute.

Progress goes to stderr (a live view on a terminal), the result to stdout; with `--json` stdout holds one JSON
object and nothing else. Exit codes: 0 the ledger balances, 1 it does not, 2 usage, 3 Kafka is not to be had.
"""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from sys import stderr
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live

from adapters.channels.simulated import Sample, read_lines, read_samples
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import load
from router.cli import case
from router.cli.kafka import Voice
from router.operate.children import RoleFailed
from router.operate.demo import SPEED, Found, Plan, Show, readmodel_url, run
from router.operate.demo_view import View
from router.operate.settings import CHECKOUT, Settings
from workflows import events as ev

SAMPLES = CHECKOUT / "examples" / "requests"
WRONG_SHOWN = 30
LINE_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""

TEXTS: Mapping[str, tuple[str, str]] = {
    "broker": ("真实的 Apache Kafka 已启动：{bootstrap}（进程 {pid}）", "a real Apache Kafka runs: {bootstrap} (pid {pid})"),
    "cluster": ("使用已有集群 {bootstrap}，主题前缀 {prefix}", "using the cluster {bootstrap}, topic prefix {prefix}"),
    "catalogue": ("目录已发布：{rules} 条规则，{units} 个单位", "catalogue published: {rules} rules, {units} units"),
    "started": ("启动 {name}（进程 {pid}）", "started {name} (pid {pid})"),
    "died": ("{name} 退出了（代码 {code}），重新启动", "{name} ended (code {code}): starting it again"),
    "restarted": ("{name} 已重启（进程 {pid}）", "{name} runs again (pid {pid})"),
    "gave_up": ("{name} 反复退出，不再重启；日志 {log}", "{name} keeps ending, given up; log {log}"),
    "ready": ("各进程就绪，开始发布", "all processes are ready, publishing begins"),
    "killed": ("按要求强杀 {name}（进程 {pid}，SIGKILL）", "killed {name} as asked (pid {pid}, SIGKILL)"),
    "resting": ("时间到：各进程按流向依次停下，然后对账", "time is up: the roles stop in the direction of the flow, then the books are balanced"),
    "balanced": ("账平：每条输入都有去处，无丢失、无重复生效。", "The ledger balances: each input has its place, nothing lost, nothing double."),
    "unbalanced": ("账不平！", "The ledger does NOT balance!"),
    "story": ("其中一个工单的经过：", "The story of one case:"),
    "merger": ("建议合并的工单：", "A merger that was proposed:"),
    "escalation": ("逐级升级的工单：", "An escalation, level by level:"),
    "call_back": ("回访的工单：", "A call-back:"),
    "next": ("接着试试：", "Try next:"),
    "logs": ("各进程日志：{logs}", "logs of the processes: {logs}"),
    "kept": ("数据保留在 {folder}", "the data are kept in {folder}"),
    "failed": ("进程没有就绪：{what}", "a process did not get ready: {what}"),
    "unreachable": ("连不上 Kafka：{bootstrap}", "Kafka is not reachable: {bootstrap}"),
    "empty": ("文件里没有任何一行：{file}", "the file holds no line: {file}"),
    "faulty": ("目录有误，先运行 duokua catalog check", "the catalogue is faulty: run duokua catalog check"),
    "interrupted": ("已中断，全部进程已结束", "interrupted; all processes have ended"),
}  # fmt: skip


MOMENTS: Mapping[str, tuple[type[ev.Event], ...]] = {
    "merger": (ev.MergeProposed, ev.MergeConfirmed, ev.MergeRejected, ev.MergeRefused),
    "escalation": (ev.CaseEscalated, ev.ClockOverdue),
    "call_back": (ev.CalledBack, ev.CallBackTried, ev.RedoOrdered),
}
"""What is shown of one case each, beside the story: the first kind must have happened to it."""


def demo(
    input_: Annotated[
        Path | None,
        typer.Option("--input", help="以此文件的 CloudEvents 代替样例 / CloudEvents of this file in place of the samples", exists=True, dir_okay=False, readable=True),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="一个 JSON 对象 / one JSON object")] = False,
    speed: Annotated[float, typer.Option(min=1_000, max=100_000, help="时间压缩倍数 / how fast time runs")] = SPEED,
    seed: Annotated[str, typer.Option(help="模拟单位的种子 / seed of the simulated departments")] = "duokua",
    keep: Annotated[bool, typer.Option("--keep", help="保留数据和主题 / leave data and topics in place")] = False,
    kill_engine: Annotated[bool, typer.Option("--kill-engine", help="中途强杀一个引擎 / SIGKILL an engine in the middle")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh | en")] = "",
) -> None:  # fmt: skip
    """演示：真实 Kafka 上的一天 / a day on a real Kafka."""
    # the library's own warnings about topics that were made a moment ago say nothing to a spectator
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    settings = _settings()
    screen = Screen(lang or settings.lang)
    bootstrap = os.environ.get("DUOKUA_BOOTSTRAP", "")
    with screen.faults_told(bootstrap):
        catalogue = load(settings.catalog)
        plan = Plan(
            samples=_samples(screen, input_, list(catalogue.channels)), settings=settings, bootstrap=bootstrap,
            speed=speed, seed=seed, keep=keep, kill_engine=kill_engine,
        )  # fmt: skip
        screen.names = {c.id: c.name_en if screen.english else c.name_zh for c in catalogue.channels.values()}
        if not bootstrap:
            Voice(screen.lang, as_json=True).bring()
        found = screen.watch(plan)
    screen.close(found, plan, as_json)
    raise typer.Exit(0 if found.ledger.balanced else 1)


class Screen:
    """What the spectator sees, in one language."""

    def __init__(self, lang: str) -> None:
        self.lang = "en" if lang == "en" else "zh"
        self.english = self.lang == "en"
        self.names: Mapping[str, str] = {}
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._view: View | None = None
        self._drawn = 0.0

    def say(self, name: str, /, **facts: object) -> None:
        self._console.print(TEXTS[name][self.english].format(**facts), markup=False, soft_wrap=True)

    @contextmanager
    def faults_told(self, bootstrap: str) -> Iterator[None]:
        """What can go wrong on the way is told in a sentence and gives its exit code."""
        try:
            with Voice(self.lang, as_json=True).faults_told():
                yield
        except RoleFailed as failed:
            self.say("failed", what=failed)
            raise typer.Exit(3) from None
        except KafkaError:
            self.say("unreachable", bootstrap=bootstrap)
            raise typer.Exit(3) from None
        except CatalogueFaulty:
            self.say("faulty")
            raise typer.Exit(1) from None
        except (KeyboardInterrupt, asyncio.CancelledError):
            self.say("interrupted")
            raise typer.Exit(130) from None

    def watch(self, plan: Plan) -> Found:
        """Run it, with the live view while it runs on a terminal."""
        show = Show(said=lambda name, facts: self.say(name, **facts), drawn=self._draw)
        if not self._console.is_terminal:
            return asyncio.run(_cancelled_by_sigterm(plan, show))
        with Live(console=self._console, refresh_per_second=4, transient=True) as self._live:
            return asyncio.run(_cancelled_by_sigterm(plan, show))

    def _draw(self, show: Show) -> None:
        if show.gathering is None:
            return
        self._view = self._view or View(self.lang, self.names, show.gathering, show.tally)
        now = show.clock.now()
        if self._live:
            self._live.update(self._view.live(now, show.published, show.total, show.rate, show.children))
        elif show.clock.monotonic() - self._drawn >= LINE_EVERY:
            self._drawn = show.clock.monotonic()
            self._console.print(
                self._view.line(now, show.published, show.total, show.rate), markup=False, soft_wrap=True
            )

    def close(self, found: Found, plan: Plan, as_json: bool) -> None:
        """Ledger, one story, what to try next; in JSON the ledger alone."""
        with redirect_stdout(stderr) if as_json else _as_it_is():
            self._report(found, plan)
        if as_json:
            typer.echo(json.dumps(_numbers(found)))

    def _report(self, found: Found, plan: Plan) -> None:
        console = Console(highlight=False)
        console = console if console.is_terminal else Console(highlight=False, width=case.WIDE)
        if self._view:
            console.print(self._view.closing(found.ledger))
        for wrong in (*found.ledger.lost, *found.ledger.double)[:WRONG_SHOWN]:
            console.print(f"! {wrong}", markup=False)
        console.print(TEXTS["balanced" if found.ledger.balanced else "unbalanced"][self.english])
        if telling := found.tally.most_telling():
            console.print(f"\n{TEXTS['story'][self.english]}")
            self._tell(telling.number, plan.settings)
            self._tell_moments(console, found)
            console.print(f"\n{TEXTS['next'][self.english]}  duokua case show {telling.number}  ·  duokua case list")
        console.print(TEXTS["logs"][self.english].format(logs=found.logs), markup=False, soft_wrap=True)
        if plan.keep:
            console.print(TEXTS["kept"][self.english].format(folder=found.logs.parent), markup=False, soft_wrap=True)

    def _tell_moments(self, console: Console, found: Found) -> None:
        for name, kinds in MOMENTS.items():
            if note := found.tally.with_most_of(*kinds):
                console.print(f"\n{TEXTS[name][self.english]}  {note.number}", markup=False)
                with suppress(typer.Exit):  # not in the read model yet
                    for line in case.moments(note.number, [kind.__name__ for kind in kinds], self.lang):
                        console.print(line, markup=False, soft_wrap=True)

    def _tell(self, number: str, settings: Settings) -> None:
        """As `duokua case show` tells it, from the read model of this run."""
        os.environ["DUOKUA_READMODEL"] = readmodel_url(settings)
        try:
            case.show(number, lang=self.lang)
        except typer.Exit:
            return


async def _cancelled_by_sigterm(plan: Plan, show: Show) -> Found:
    """SIGTERM ends it as Ctrl-C does: children and broker first."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await run(plan, show)


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        names = ", ".join("DUOKUA_" + "_".join(map(str, fault["loc"])).upper() for fault in error.errors())
        typer.echo(f"设置有误 / bad setting: {names}", err=True)
        raise typer.Exit(2) from None


def _samples(screen: Screen, file: Path | None, channels: list[str]) -> list[Sample]:
    if file is None:
        return read_samples(SAMPLES)
    samples = read_lines(file, channels)
    if not samples:
        screen.say("empty", file=file)
        raise typer.Exit(2)
    return samples


def _numbers(found: Found) -> dict[str, int]:
    outcomes = found.tally.outcomes()
    more = {"published": found.published, "restarts": found.restarts, "channels_with_outcome": len(outcomes)}
    return found.ledger.numbers() | more


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield
