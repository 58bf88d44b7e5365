"""
`duokua rules explain CASE` and `duokua rules try FILE`: why a request went where it went, and why not elsewhere.

`try` takes the way of a live request: what intake makes of it, what the engine decides, by the catalogue in the folder.
`explain` does the same with what a case recorded, by the version it names. Exit codes: 0 told; 1 the request is at fault,
there is no such case, or it would be decided otherwise now; 2 usage; 3 Kafka or the read model is not there.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec
import typer
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from adapters.clock import Clock
from adapters.kafka.log import KafkaLog
from adapters.readmodel import CaseFile
from router.catalogue.catalogue import Catalogue
from router.catalogue.explained import Outcome, explained, outcome_of
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import load
from router.catalogue.named import UnknownCatalogue, named
from router.catalogue.pack import VersionUnusable
from router.cli.case import file_of
from router.cli.catalog import AsJson, Lang, print_findings
from router.cli.contract import content_of, messages
from router.cli.explain_words import Teller
from router.intake.translate import Known, Rejected, translate
from router.operate.settings import Settings
from router.operate.topics import Topics
from schemas import times
from schemas.cloudevents import Event, Header, channel_source, decode, named_channel, structured
from schemas.faults import Fault
from schemas.inspection import inspect
from schemas.json_text import parse
from schemas.registry import REQUEST_SUBMITTED
from workflows import commands, events
from workflows.commands import Submit
from workflows.events import CaseRegistered, EventRecord

READ_MS = 500

Limit = Annotated[int, typer.Option("--limit", min=0, max=1000, help="差一条的规则最多列几条 / misses shown at most")]
Only = Annotated[str, typer.Option("--rule", metavar="ID", help="为什么不是这条规则 / why not this rule")]
Whole = Annotated[bool, typer.Option("--all", help="逐条规则逐格 / every rule, cell by cell")]


@dataclass(frozen=True)
class Tried:
    """A record of an intake topic that nobody wrote."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: tuple[Header, ...] = ()
    partition: int = 0
    offset: int = 0


def add_to(app: typer.Typer) -> None:
    """The two commands, in the group `rules`."""
    app.command("explain")(explain)
    app.command("try")(try_)


def try_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="一条诉求：CloudEvent 或只有 data，- 为标准输入 / one request; - is stdin"),
    ],
    folder: Annotated[Path | None, typer.Option("--folder", help="目录所在文件夹 / the catalogue's folder")] = None,
    channel: Annotated[str, typer.Option("--channel", help="从哪个渠道来 / the channel it comes by")] = "",
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="收到时刻 / when it was received, RFC 3339")] = "",
    rule: Only = "",
    every: Whole = False,
    limit: Limit = 5,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """一条诉求会怎么派、为什么，哪些规则只差一条 / where one request would go and why, and what nearly took it."""
    settings = Settings()
    lang = "en" if (lang or settings.lang) == "en" else "zh"
    moment = _moment(at, lang) if at else 0
    try:
        catalogue = load(folder or settings.catalog)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        raise typer.Exit(1) from None
    now = moment or Clock.from_text(settings.clock).now()
    command = _command(file, catalogue, channel, moment, now, lang, as_json)
    teller = Teller(lang, catalogue)
    wanted = _wanted(catalogue, rule, every, teller)
    told = explained(catalogue, command, now, most=limit, asked=wanted)
    if as_json:
        typer.echo(json.dumps(teller.as_json(told), ensure_ascii=False))
    else:
        teller.tell(told)


def explain(
    case: Annotated[
        str,
        typer.Argument(
            metavar="CASE", help="工单编号、内部编号，或 渠道:渠道编号 / public number, case id, or CHANNEL:REF"
        ),
    ],
    rule: Only = "",
    every: Whole = False,
    limit: Limit = 5,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """一个工单当时为什么这样派，按当时的目录版本重算一遍 / why a case went where it went, decided once more."""
    settings = Settings()
    lang = "en" if (lang or settings.lang) == "en" else "zh"
    file = file_of(settings, case)
    try:
        record, catalogue = asyncio.run(_recorded(settings, file))
    except (KafkaError, OSError):
        _fail(lang, f"连不上 Kafka：{settings.bootstrap}", f"Kafka is not reachable: {settings.bootstrap}", 3)
    except (VersionUnusable, UnknownCatalogue) as unusable:
        _fail(lang, f"当时的目录版本读不出来：{unusable}", f"the version of that time cannot be read: {unusable}", 1)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, lang, as_json)
        _fail(lang, "当时的目录版本现在的程序读不了", "this program cannot read the version of that time", 1)
    teller = Teller(lang, catalogue)
    if record is None:
        _fail(lang, "工单的登记事件已不在日志上", "the event that registered the case is not on the log any more", 1)
    was, wanted = outcome_of(record.events), _wanted(catalogue, rule, every, teller)
    told = explained(catalogue, submitted(record), record.at, most=limit, asked=wanted)
    differing = [name for name in Outcome.__struct_fields__ if getattr(was, name) != getattr(told.decided, name)]
    if as_json:
        said = {"case": record.case, "number": record.number, "recorded": teller.outcome_json(was)}
        typer.echo(json.dumps(said | {"differing": differing} | teller.as_json(told), ensure_ascii=False))
    else:
        teller.tell(told, number=record.number, was=was if differing else None, differing=differing)
    raise typer.Exit(1 if differing else 0)


def _wanted(catalogue: Catalogue, rule: str, every: bool, teller: Teller) -> list[Any]:
    if every:
        return sorted(catalogue.rules.values(), key=lambda one: one.number)
    if rule and rule not in catalogue.rules:
        typer.echo(teller.labels["unknown"].format(id=rule), err=True)
        raise typer.Exit(2)
    return [catalogue.rules[rule]] if rule else []


# -- a request in a file -----------------------------------------------------------------------------


def _command(file: Path, catalogue: Catalogue, channel: str, moment: int, now: int, lang: str, as_json: bool) -> Submit:
    """The command that intake would make of the request. Faults are told as `contract check` does; exit code 1."""
    found = list(messages(content_of(file), file.suffix))
    if len(found) != 1:
        _fail(
            lang, f"一次只试一条诉求，文件里有 {len(found)} 条", f"one request at a time; the file has {len(found)}", 2
        )
    raw = found[0][1]
    faults = inspect(raw, REQUEST_SUBMITTED).faults
    if faults:
        _refuse(faults, lang, as_json)
    event = _event(raw)
    channel = channel or named_channel(event.source)
    if channel not in catalogue.channels:
        known = ", ".join(catalogue.channels)
        _fail(
            lang, f"从哪个渠道来？用 --channel 指明，可用：{known}", f"which channel? say it with --channel: {known}", 2
        )
    if moment:
        data = event.data | {"received_at": times.to_text(moment)}
        event = msgspec.structs.replace(event, data=data, time=None)
    if not event.source:
        event = msgspec.structs.replace(event, source=channel_source(channel))
    guess = catalogue.proposer.propose if catalogue.proposer else None
    known_to_intake = Known(directory=catalogue, prefix="", shards=1, secret=b"", propose=guess)
    made = translate(Tried(f"intake.{channel}", structured(event)), known_to_intake, now)
    if isinstance(made, Rejected):
        _refuse((made.fault,), lang, as_json)
    command = commands.decode(made.command)
    assert isinstance(command, Submit)  # the only type that `inspect` was told to let pass
    return command


def _event(raw: bytes) -> Event:
    """An event in structured mode, or bare data as one of a channel that is yet to be named."""
    data = parse(raw)
    if isinstance(data, dict) and "specversion" in data:
        return decode(raw)
    return Event(id="try", source="", type=REQUEST_SUBMITTED, data=data)


def _refuse(faults: tuple[Fault, ...], lang: str, as_json: bool) -> NoReturn:
    """Every fault with its pointer, then exit code 1."""
    if as_json:
        told = [{"code": one.code, "pointer": one.pointer, "text": one.text(lang)} for one in faults]
        typer.echo(json.dumps({"faults": told}, ensure_ascii=False))
    else:
        for one in faults:
            typer.echo(f"{one.pointer or '/'}  [{one.code}] {one.text(lang)}")
    raise typer.Exit(1)


def _moment(text: str, lang: str) -> int:
    at = times.parse(text)
    if at is None:
        wanted = "2026-09-18T22:30:00+08:00"
        _fail(lang, f"--at 应如 {wanted}", f"--at should be a time such as {wanted}", 2)
    return at


# -- a case on the log -------------------------------------------------------------------------------


async def _recorded(settings: Settings, file: CaseFile) -> tuple[EventRecord | None, Catalogue]:
    """The record that registered the case, and the catalogue that it names."""
    topics = Topics(settings.prefix, settings.shards, settings.replication)
    step = [step for step in file.timeline if step.type == "CaseRegistered.v1"][-1]
    broker = KafkaLog(settings.bootstrap)
    record = await record_at(broker, TopicPartition(topics.events, step.partition), step.offset)
    catalogue = await named(broker, topics, str(step.catalogue))
    return (record if record and record.case == file.case.case_id else None), catalogue


async def record_at(broker: Any, partition: TopicPartition, offset: int) -> EventRecord | None:
    """What stands there; None where the log does not reach so far (back)."""
    async with broker.reader(partitions=[partition]) as reader:
        first = (await reader.beginning_offsets([partition]))[partition]
        end = (await reader.end_offsets([partition]))[partition]
        if not first <= offset < end:
            return None
        reader.seek(partition, offset)
        while await reader.position(partition) <= offset:
            for found in (await reader.getmany(timeout_ms=READ_MS, max_records=1)).get(partition, []):
                return events.decode(found.value) if found.offset == offset else None
    return None


def submitted(record: EventRecord) -> Submit:
    """The command that the record answered, as far as a decision looks at it."""
    registered = next(event for event in record.events if isinstance(event, CaseRegistered))
    return Submit(
        id=record.cause, case=record.case, at=record.at, source=record.source, channel=registered.channel,
        ref=registered.ref, request=registered.request, digest=registered.digest, received_at=registered.received_at,
        query_code=registered.query_code, proposal=registered.proposal,
    )  # fmt: skip


def _fail(lang: str, zh: str, en: str, code: Literal[1, 2, 3]) -> NoReturn:
    typer.echo(en if lang == "en" else zh, err=True)
    raise typer.Exit(code)
