"""`duokua kafka fetch|java|start|stop|status|run`: the embedded broker from the command line."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from adapters.kafka.embedded import EmbeddedKafka, KafkaFault, Running, running
from adapters.kafka.embedded import stop as stop_broker
from adapters.kafka.embedded.faults import Lang
from adapters.kafka.embedded.jars import fetch, jar_folder, locked, mirror_of, missing
from adapters.kafka.embedded.java import find_java, version_of
from adapters.kafka.embedded.node import answers
from router.operate.settings import Settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="内置 Kafka / the embedded Kafka"
)

Data = Annotated[
    Path | None,
    typer.Option("--data", help="数据目录，缺省为状态目录下的 kafka / data folder; default kafka in DUOKUA_STATE_DIR"),
]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="端口，0 表示任选空闲端口 / port; 0 takes a free one")
]
Discard = Annotated[
    bool, typer.Option("--discard/--keep", help="停止时丢弃或保留数据 / throw the data away at the end, or keep it")
]
AsJson = Annotated[bool, typer.Option("--json", help="一个 JSON 对象 / one JSON object")]
Language = Annotated[str, typer.Option("--lang", help="zh | en")]

TEXTS = {
    "fetched": ("Kafka 的 {count} 个 jar 已就绪：{folder}", "Kafka's {count} jars are ready: {folder}"),
    "fetching": ("下载 Kafka", "Fetching Kafka"),
    "java": ("Java {version}：{java}", "Java {version}: {java}"),
    "started": (
        "Kafka 已启动：{bootstrap}（进程 {pid}，日志 {log}）\n  export DUOKUA_BOOTSTRAP={bootstrap}",
        "Kafka runs: {bootstrap} (pid {pid}, log {log})\n  export DUOKUA_BOOTSTRAP={bootstrap}",
    ),
    "until": ("按 Ctrl-C 停止。", "Ctrl-C stops it."),
    "stopped": ("Kafka 已停止：{bootstrap}", "Kafka has stopped: {bootstrap}"),
    "none": ("没有在 {data} 上运行的 Kafka。", "No Kafka runs on {data}."),
    "silent": ("Kafka 进程 {pid} 在运行，但 {bootstrap} 没有应答；日志：{log}", "Kafka (pid {pid}) runs but does not answer at {bootstrap}; log: {log}"),
    "ended": ("Kafka 自行退出了；日志：{log}", "Kafka ended by itself; log: {log}"),
}  # fmt: skip


class Voice:
    """Says things in one language; with `as_json`, to people on stderr and to programs on stdout."""

    def __init__(self, lang: str, as_json: bool = False) -> None:
        self.lang: Lang = "en" if (lang or Settings().lang) == "en" else "zh"
        self.as_json = as_json

    def text(self, name: str, **facts: object) -> str:
        return TEXTS[name][self.lang == "en"].format(**facts)

    def say(self, name: str, **facts: object) -> None:
        typer.echo(self.text(name, **facts), err=self.as_json)

    def result(self, facts: dict[str, object]) -> None:
        if self.as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False))

    @contextmanager
    def faults_told(self) -> Iterator[None]:
        """A fault of the broker is told in one sentence and gives its exit code."""
        try:
            yield
        except KafkaFault as fault:
            typer.echo(fault.text(self.lang), err=True)
            raise typer.Exit(fault.exit_code) from None

    def bring(self, verify: bool = False) -> int:
        """Fetches what is missing, with a bar on a terminal."""
        folder, mirror, jars = jar_folder(os.environ), mirror_of(os.environ), locked()
        if not missing(folder, jars):
            return len(fetch(folder, mirror, verify=verify))
        with _bar(self.text("fetching"), sum(jar.size for jar in jars)) as progress:
            return len(fetch(folder, mirror, progress=progress, verify=verify))


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)


@app.command(name="fetch")
def fetch_(as_json: AsJson = False, lang: Language = "") -> None:
    """下载并核对 Kafka 的 jar / bring Kafka's jars and check each one."""
    voice = Voice(lang, as_json)
    with voice.faults_told():
        count = voice.bring(verify=True)
    voice.say("fetched", count=count, folder=jar_folder(os.environ))
    voice.result({"folder": str(jar_folder(os.environ)), "jars": count})


@app.command()
def java(as_json: AsJson = False, lang: Language = "") -> None:
    """用哪个 Java 运行 Kafka / which Java runs the broker."""
    voice = Voice(lang, as_json)
    with voice.faults_told():
        found = find_java(os.environ)
    voice.say("java", java=found, version=version_of(found))
    voice.result({"java": str(found), "version": version_of(found)})


@app.command()
def start(
    data: Data = None, port: Port = 9092, discard: Discard = False, as_json: AsJson = False, lang: Language = ""
) -> None:
    """在后台启动，直到 stop / start in the background, until `stop`."""
    voice = Voice(lang, as_json)
    with voice.faults_told():
        voice.bring()
        found = EmbeddedKafka(_data(data), port, discard=discard, detached=True).start().running
    voice.say("started", **asdict(found))
    voice.result(asdict(found))


@app.command()
def run(
    data: Data = None, port: Port = 9092, discard: Discard = False, as_json: AsJson = False, lang: Language = ""
) -> None:
    """在前台运行，直到 Ctrl-C 或 SIGTERM / run in the foreground until Ctrl-C or SIGTERM."""
    voice = Voice(lang, as_json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with voice.faults_told():
            voice.bring()
            with EmbeddedKafka(_data(data), port, discard=discard) as broker:
                _stay(voice, broker)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _stay(voice: Voice, broker: EmbeddedKafka) -> None:
    voice.say("started", **asdict(broker.running))
    voice.say("until")
    voice.result(asdict(broker.running))
    broker.wait()
    voice.say("ended", log=broker.log)
    raise typer.Exit(3)


@app.command()
def stop(data: Data = None, as_json: AsJson = False, lang: Language = "") -> None:
    """停止后台的 Kafka；没有在运行也算成功 / stop the one in the background; none running is fine."""
    voice = Voice(lang, as_json)
    found = stop_broker(_data(data))
    voice.say("stopped", **asdict(found)) if found else voice.say("none", data=_data(data))
    voice.result({"stopped": found is not None})


@app.command()
def status(data: Data = None, as_json: AsJson = False, lang: Language = "") -> None:
    """是否在运行、是否应答；不应答则退出码为 3 / whether it runs and answers; exit code 3 if not."""
    voice = Voice(lang, as_json)
    found = running(_data(data))
    ready = found is not None and answers(found.bootstrap)
    voice.say(_state(found, ready), data=_data(data), **_known(found))
    voice.result({"running": found is not None, "answers": ready, "data": str(_data(data))} | _known(found))
    raise typer.Exit(0 if ready else 3)


def _state(found: Running | None, ready: bool) -> str:
    return "none" if found is None else "started" if ready else "silent"


def _known(found: Running | None) -> dict[str, object]:
    return {name: value for name, value in asdict(found).items() if name != "data"} if found else {}


def _data(given: Path | None) -> Path:
    return (given or Settings().state_dir / "kafka").resolve()
