"""`duokua rules train`: labelled messages make the model that proposes categories, and say how good it is."""

import asyncio
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka.log import KafkaLog
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import load
from router.cli.catalog import AsJson, Lang, print_findings
from router.operate.settings import Settings
from router.operate.topics import Topics
from router.proposals import samples as of
from workflows import events as ev

PAGE = 2000
MODEL = "proposals/model.json"

TEXTS: Mapping[str, tuple[str, str]] = {
    "bad_line": ("{file} 第 {line} 行读不出", "{file}: line {line} cannot be read"),
    "no_file": ("读不到文件：{file}", "cannot read the file: {file}"),
    "no_source": ("请给出样本文件，或 --from-log", "name files of samples, or --from-log"),
    "few": ("样本不足：至少要有两个分类各有 {few} 条", "too few samples: two categories with {few} each are needed"),
    "unreachable": ("连不上 Kafka，或事件主题不存在：{where}", "Kafka or the topic of events is not reachable: {where}"),
    "unknown": ("{count} 条样本的分类本目录没有，未用", "{count} samples of categories that this catalogue does not know were left out"),
    "written": ("{samples} 条样本，{classes} 个分类，写入 {file}（{size} 字节，SHA-256 {hash}）", "{samples} samples, {classes} categories, written to {file} ({size} bytes, SHA-256 {hash})"),
    "class": ("{code} {name}：{count}", "{code} {name}: {count}"),
    "way": ("{way}：首选正确 {accuracy:.1%}（±{spread:.1%}），前三含正确 {top3:.1%}", "{way}: right at first {accuracy:.1%} (±{spread:.1%}), right among three {top3:.1%}"),
    "at": ("  门槛 {threshold:.0%}：转人工 {triage:.1%}，其余正确 {right:.1%}", "  threshold {threshold:.0%}: {triage:.1%} to a person, of the rest {right:.1%} right"),
    "recall": ("  {code} {name}：找回 {recall:.1%}，精确 {precision:.1%}", "  {code} {name}: recall {recall:.1%}, precision {precision:.1%}"),
    "route": ("  {what}：{share:.1%}", "  {what}: {share:.1%}"),
    "routes": ("按规则（门槛 {threshold:.0%}）：", "by the rules (threshold {threshold:.0%}):"),
    "dictionary": ("词库", "dictionary"), "model": ("模型", "model"), "both": ("词库与模型", "both"),
}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """The command, in the group `rules`."""
    app.command()(train)


def train(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="样本，每行一个 JSON / samples, JSON Lines")
    ] = None,
    from_log: Annotated[
        bool, typer.Option("--from-log", help="用本系统里人工认定的分类 / what our own dispatchers decided")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=f"缺省 {MODEL} / by default {MODEL}")
    ] = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    evaluate: Annotated[
        int, typer.Option("--evaluate", min=0, metavar="N", help="只评估：N 次五折交叉验证 / only judge: N × 5 folds")
    ] = 0,
    folder: Annotated[Path | None, typer.Option("--catalog", help="目录所在文件夹 / the catalogue's folder")] = None,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """用已分类的诉求训练分类建议的模型 / train the model that proposes categories from labelled messages."""
    settings = Settings()
    say = _Said(lang or settings.lang)
    if not files and not from_log:
        say.fail("no_source", 2)
    try:
        catalogue = load(folder or settings.catalog)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang or settings.lang, as_json)
        raise typer.Exit(1) from None
    samples = [*_of_files(files or [], catalogue, say), *(_of_log(settings, say) if from_log else ())]
    if unknown := sum(sample.category not in catalogue.categories for sample in samples):
        say.note("unknown", count=unknown)
    if evaluate:
        _judge(samples, catalogue, evaluate, as_json, say)
    else:
        _write(samples, catalogue, out or (folder or settings.catalog) / MODEL, seed, as_json, say)


class _Said:
    """Texts in one language."""

    def __init__(self, lang: str) -> None:
        self._side = 1 if lang == "en" else 0

    def text(self, which: str, /, **values: object) -> str:
        return TEXTS[which][self._side].format(**values)

    def note(self, which: str, /, **values: object) -> None:
        print(self.text(which, **values), file=sys.stderr)

    def fail(self, name: str, code: int, **values: object) -> NoReturn:
        self.note(name, **values)
        raise typer.Exit(code)


# -- samples --------------------------------------------------------------------------------------


def _of_files(files: list[Path], catalogue: Catalogue, say: _Said) -> Iterator[of.Sample]:
    """A category that is no code of ours is looked up in the vocabularies of categories."""
    words = {
        word: code
        for name, pairs in catalogue.vocabularies.items()
        if name.endswith(("-classes", "-categories"))
        for word, code in pairs.items()
    }
    for file in files:
        try:
            with file.open(encoding="utf-8") as lines:
                yield from of.of_file(lines, words)
        except of.LineUnreadable as fault:
            say.fail("bad_line", 1, file=file, line=fault.line)
        except (OSError, UnicodeDecodeError):
            say.fail("no_file", 2, file=file)


def _of_log(settings: Settings, say: _Said) -> Iterator[of.Sample]:
    try:
        return asyncio.run(_decided(KafkaLog(settings.bootstrap), Topics(settings.prefix, settings.shards).events))
    except (KafkaError, OSError, TimeoutError, LookupError):
        say.fail("unreachable", 3, where=settings.bootstrap)


async def _decided(broker: Any, topic: str) -> Iterator[of.Sample]:
    """The samples of every case, from the first record to the end as it is now. Raises LookupError without the topic."""
    decided = of.Decided()
    partitions = [TopicPartition(topic, p) for p in range((await broker.topics())[topic])]
    async with broker.reader(partitions=partitions) as reader:
        ends = await reader.end_offsets(partitions)
        while [tp for tp in partitions if await reader.position(tp) < ends[tp]]:
            for records in (await reader.getmany(timeout_ms=200, max_records=PAGE)).values():
                for record in records:
                    decided.take(ev.decode(record.value))
    return decided.samples()


# -- what comes of them -----------------------------------------------------------------------------


def _write(samples: list[of.Sample], catalogue: Catalogue, out: Path, seed: int, as_json: bool, say: _Said) -> None:
    from router.proposals import evaluate, model, train

    parents = {code: row.parent for code, row in catalogue.categories.items()}
    try:
        made = train.train(samples, parents, evaluate.proposer(catalogue, parents, None), seed)
    except train.TooFewSamples:
        say.fail("few", 1, few=train.FEW)
    data = model.encode(made)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    if as_json:
        told = {"file": str(out), "sha256": digest, "size": len(data), "samples": made.samples}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for code, count in made.samples.items():
        typer.echo(say.text("class", code=code, name=catalogue.categories[code].name, count=count))
    total = sum(made.samples.values())
    typer.echo(
        say.text("written", samples=total, classes=len(made.classes), file=out, size=len(data), hash=digest[:12])
    )


def _judge(samples: list[of.Sample], catalogue: Catalogue, repeats: int, as_json: bool, say: _Said) -> None:
    from router.proposals import evaluate, train

    try:
        figures = evaluate.evaluate(samples, catalogue, repeats)
    except (train.TooFewSamples, ValueError):
        say.fail("few", 1, few=train.FEW)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(figures), ensure_ascii=False))
        return
    for way, found in figures["ways"].items():
        typer.echo(say.text("way", **found | {"way": say.text(way)}))
        for at in found["thresholds"]:
            typer.echo(say.text("at", **at))
    counts = Counter(figures["samples"])
    for code, found in figures["ways"]["both"]["classes"].items():
        name = f"{catalogue.categories[code].name} ({counts[code]})"
        typer.echo(say.text("recall", code=code, name=name, **found))
    typer.echo(say.text("routes", threshold=figures["threshold"]))
    for what, share in figures["routes"].items():
        typer.echo(say.text("route", what=what, share=share))
