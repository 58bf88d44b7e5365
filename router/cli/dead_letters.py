"""
`duokua dead-letters list|show|retry|discard`: what could not be processed, and what to do with it.

Exit codes: 0 ok; 1 something could not be done, or failed again; 2 usage; 3 Kafka or its topics are not reachable.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adapters.clock import to_text
from adapters.kafka.log import Fenced, KafkaLog, OutcomeUnknown, RecordRefused
from router.operate.audit import ChainBroken
from router.operate.dead_letters import Source, acts, letters, original
from router.operate.letters import DONE, Act, Block, Letter, Plan, Unknown, Wanted, plan
from router.operate.redrive import SETTLE_SECONDS, Outcome, Person, carry_out
from router.operate.settings import Settings
from router.operate.topics import STAGES, Topics
from schemas import faults
from workflows.refusals import REFUSALS

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="死信：没能处理的记录 / dead letters"
)

BODY_BYTES = 4096

TEXTS = {
    "zh": {
        "unreachable": "连不上 Kafka：{where}", "no_topics": "主题尚未创建，请先运行 duokua topics apply：{names}", "broken": "审计记录被改动过（{where}）：先查清楚",
        "refused": "Kafka 没有收下（{topic}：{why}），这一批没有处理；too_large 是主题的上限还太小", "unsure": "提交已发出、没有回音，不知道是否生效：看看现状再试",
        "meanwhile": "同时有人在处理死信：看看现状再试", "none": "没有死信", "count": "{count} 条",
        "state.open": "待处理", "state.retried": "已重试", "state.discarded": "已放弃",
        "unknown": "没有这条死信，或它不合所给的条件：{id}", "what": "指定编号，或至少一个条件：--stage、--code、--case", "since": "写成 30m、2h、7d，或 2026-09-18T09:00+08:00",
        "both": "--yes 和 --dry-run 只能选一个", "plan.retry": "将重试", "plan.discard": "将放弃", "dry": "共 {count} 条，尚未执行；加 --yes 执行", "done.retry": "已重试 {count} 条", "done.discard": "已放弃 {count} 条",
        "tells": "收到过 held 的发送方将得到 discarded 的答复，除非它其实已经生效，或另有一份还待处理", "told": "其中 {count} 条已交引擎答复发送方 discarded，除非它其实已经生效", "untold": "{id}：原记录读不到，其发送方得不到通知，请另行告知",
        "released": "已解除停放的工单：{count}", "again": "又失败了：{id}（{code}），原为 {of}", "came": "其间又来的", "waiting": "已写入；引擎 {seconds} 秒内没有处理完，稍后再看 list",
        "block.closed": "已处理过", "block.gone": "原记录已过保留期，不在日志里了，或从未解包", "block.not_yet": "原记录前面有未结束的事务，暂时读不到：稍后再试", "block.behind_others": "同一工单还有更早的死信，先处理它们（--case）", "block.no_original": "原记录里找不到这条消息",
        "id": "编号", "stage": "环节", "code": "原因", "state": "状态", "written": "写入", "original": "原记录", "case": "工单", "action": "动作", "input": "来自", "parked": "停放第几条", "retry_of": "重试自", "copies": "又写了一次，同一条", "key": "键", "headers": "消息头", "acts": "处理", "body": "原记录内容（前 4 KB）",
    },
    "en": {
        "unreachable": "Kafka is not reachable: {where}", "no_topics": "the topics do not exist yet, run duokua topics apply first: {names}", "broken": "the audit entries were changed ({where}): find out first",
        "refused": "Kafka did not take it ({topic}: {why}), nothing of this page is done; for too_large the limit of the topic is still too small", "unsure": "sent, but no answer came: whether it holds is not known; look again, then try again",
        "meanwhile": "somebody else is at the dead letters: look again, then try again", "none": "no dead letters", "count": "{count} letters",
        "state.open": "open", "state.retried": "retried", "state.discarded": "discarded",
        "unknown": "no such dead letter, or none that fits what else was asked for: {id}", "what": "name letters, or at least one of --stage, --code, --case", "since": "write 30m, 2h, 7d or 2026-09-18T09:00+08:00",
        "both": "either --yes or --dry-run", "plan.retry": "would retry", "plan.discard": "would discard", "dry": "{count} letters, nothing done yet; --yes does it", "done.retry": "{count} letters retried", "done.discard": "{count} letters discarded",
        "tells": "senders who were told held will be answered discarded, unless it took effect after all or a copy still waits", "told": "for {count} of them the engine answers discarded to the senders, who were told held, unless it took effect after all", "untold": "{id}: its original cannot be read, so its sender is not told: tell him yourself",
        "released": "cases released: {count}", "again": "failed again: {id} ({code}), was {of}", "came": "came meanwhile", "waiting": "written; the engine was not through within {seconds} s, look at list later",
        "block.closed": "done already", "block.gone": "the original record is past its retention and no longer on the log, or was never unpacked", "block.not_yet": "the original record stands behind a transaction that is open, and cannot be read yet: try again later", "block.behind_others": "the same case has earlier letters: they come first (--case)", "block.no_original": "the original record does not hold this message",
        "id": "id", "stage": "stage", "code": "reason", "state": "state", "written": "written", "original": "original", "case": "case", "action": "action", "input": "came from", "parked": "n-th of its parking", "retry_of": "retry of", "copies": "written again, the same one", "key": "key", "headers": "headers", "acts": "acts", "body": "original record (first 4 KB)",
    },
}  # fmt: skip
CODES = {
    "engine_fault": ("我方程序错误", "a defect of ours"),
    "engine_crashed": ("使引擎崩溃三次", "crashed the engine three times"),
    "case_parked": ("同一工单之前的命令未能处理", "an earlier command of its case could not be decided"),
    "case_too_large": ("工单内容过多", "the case holds too much"),
    "unreadable_command": ("读不懂的命令", "a command that cannot be read"),
    "wrong_shard": ("写到了别的分片", "written to another's shard"),
    "unknown_case": ("没有这个工单", "no such case"),
    "no_address": ("消息没有去处", "the message has nowhere to go"),
    "id_reused": ("编号重复使用", "the id was used for something else"),
}
_ago = re.compile(r"(\d+)([mhd])").fullmatch
_MINUTES = {"m": 1, "h": 60, "d": 1440}
T = TypeVar("T")

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="死信编号 / letters, such as engine/0/15")]
OfStage = Annotated[str, typer.Option("--stage", help=" | ".join(STAGES))]
OfCode = Annotated[str, typer.Option("--code", help="原因 / reason")]
OfCase = Annotated[str, typer.Option("--case", help="工单内部编号 / case id")]
Since = Annotated[str, typer.Option("--since", help="30m | 2h | 7d | 2026-09-18T09:00+08:00")]
AsJson = Annotated[bool, typer.Option("--json", help="一个 JSON 对象 / one JSON object")]
Lang = Annotated[str, typer.Option("--lang", help="zh | en")]
Yes = Annotated[bool, typer.Option("--yes", help="执行；缺省只说将做什么 / do it; by default only the plan is shown")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="只说将做什么 / only show the plan")]
Rate = Annotated[int, typer.Option("--rate", min=1, help="每秒最多几条 / letters a second at most")]
Actor = Annotated[str, typer.Option("--actor", help="谁，入审计 / who, for the audit")]
Reason = Annotated[str, typer.Option("--reason", help="为何，入审计 / why, for the audit")]


@dataclass(frozen=True)
class Voice:
    """Says things in one language; with `as_json` one object is all that stands on stdout."""

    lang: str
    as_json: bool

    def text(self, name: str, **facts: object) -> str:
        return TEXTS[self.lang][name].format(**facts)

    def say(self, text: str) -> None:
        if not self.as_json:
            typer.echo(text)

    def result(self, facts: dict[str, Any]) -> None:
        if self.as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False))

    def code(self, code: str) -> str:
        told = CODES.get(code) or faults.CODES.get(code) or REFUSALS.get(code)
        return f"{code} {told[self.lang == 'en']}" if told else code


def _voice(lang: str, as_json: bool) -> Voice:
    return Voice("en" if (lang or Settings().lang) == "en" else "zh", as_json)


@app.command("list")
def list_(
    stage: OfStage = "",
    code: OfCode = "",
    case: OfCase = "",
    since: Since = "",
    every: Annotated[bool, typer.Option("--all", help="也列已处理的 / those that were dealt with too")] = False,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """有哪些死信 / what there is."""
    voice = _voice(lang, as_json)
    wanted = _wanted(voice, (), stage, code, case, since)

    found = [x for x in _run(voice, letters) if wanted.takes(x) and (every or x.state == "open")]
    for letter in found:
        voice.say(_line(voice, letter))
    voice.say(voice.text("count", count=len(found)) if found else voice.text("none"))
    voice.result({"letters": [_facts(letter) for letter in found]})


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    body: Annotated[
        bool, typer.Option("--body", help="原记录前 4 KB，可能含个人信息 / its first 4 KB; may hold personal data")
    ] = False,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """一条死信：原因、原记录在哪、处理过没有 / one letter: why, where its original is, what was done."""
    voice = _voice(lang, as_json)

    async def look(broker: Any, topics: Topics) -> tuple[Letter, Source | Block | None, list[dict[str, Any]]]:
        letter = next((x for x in await letters(broker, topics) if letter_id in x.names), None)
        if letter is None:
            raise Unknown(letter_id)
        source = await original(broker, topics, letter) if body else None
        return letter, source, await acts(broker, topics, letter)

    letter, source, done = _run(voice, look)
    facts = _facts(letter) | {"headers": _headers(letter), "acts": done}
    if body:
        facts["body"] = (
            (source.value or b"")[:BODY_BYTES].decode("utf-8", "replace") if isinstance(source, Source) else None
        )
    _tell(voice, facts)
    if isinstance(source, str):
        voice.say(voice.text(f"block.{source}"))
    voice.result(facts)
    raise typer.Exit(1 if isinstance(source, str) else 0)


@app.command()
def retry(
    ids: Ids = None, stage: OfStage = "", code: OfCode = "", case: OfCase = "", since: Since = "",
    yes: Yes = False, dry_run: DryRun = False, rate: Rate = 50,
    actor: Actor = ..., reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False, lang: Lang = "",
) -> None:  # fmt: skip
    """再处理一次，同一工单按原来的先后 / have them processed again, those of a case in their order."""
    _act("retry", _voice(lang, as_json), (ids or [], stage, code, case, since), yes, dry_run, rate, actor, reason)


@app.command()
def discard(
    ids: Ids = None, stage: OfStage = "", code: OfCode = "", case: OfCase = "", since: Since = "",
    yes: Yes = False, dry_run: DryRun = False, rate: Rate = 50,
    actor: Actor = ..., reason: Reason = ...,  # type: ignore[assignment]
    as_json: AsJson = False, lang: Lang = "",
) -> None:  # fmt: skip
    """放弃，不再处理；记录和审计都留着 / give them up; the letters and the audit stay."""
    _act("discard", _voice(lang, as_json), (ids or [], stage, code, case, since), yes, dry_run, rate, actor, reason)


# -- doing ------------------------------------------------------------------------------------------------


def _act(
    act: Act, voice: Voice, asked: tuple[list[str], str, str, str, str],
    yes: bool, dry_run: bool, rate: int, actor: str, reason: str,
) -> None:  # fmt: skip
    ids, stage, code, case, since = asked
    if yes and dry_run:
        raise typer.BadParameter(voice.text("both"))
    if not (ids or stage or code or case):
        raise typer.BadParameter(voice.text("what"))
    for name, value in (("--actor", actor), ("--reason", reason)):
        if not value.strip():
            raise typer.BadParameter(f"{name} ?")
    wanted = _wanted(voice, tuple(ids), stage, code, case, since)

    async def look(broker: Any, topics: Topics) -> Plan:
        return plan(act, await letters(broker, topics), wanted)

    async def do(broker: Any, topics: Topics) -> Outcome:
        person = Person(actor, reason, to_text(int(time.time() * 1000)))
        return await carry_out(broker, topics, act, wanted, person, rate, partial(_bar, voice, act))

    if not yes:
        planned = _run(voice, look)
        for letter in planned.letters:
            voice.say(f"{voice.text(f'plan.{act}')}  {_line(voice, letter)}")
        _tell_blocked(voice, dict(planned.blocked))
        if act == "discard" and any(letter.was_held for letter in planned.letters):
            voice.say(voice.text("tells"))
        voice.say(voice.text("dry", count=len(planned.letters)))
        voice.result({"plan": [letter.id for letter in planned.letters], "blocked": dict(planned.blocked)})
        raise typer.Exit(1 if planned.blocked else 0)
    outcome = _run(voice, do)
    _tell_blocked(voice, outcome.blocked)
    for letter in outcome.failed:
        voice.say(voice.text("again", id=letter.id, code=letter.code, of=letter.said.retry_of))
    for letter in outcome.came:
        voice.say(f"{voice.text('came')}  {_line(voice, letter)}")
    for name in outcome.untold:
        voice.say(voice.text("untold", id=name))
    voice.say(voice.text(f"done.{act}", count=len(outcome.done)))
    if outcome.told:
        voice.say(voice.text("told", count=len(outcome.told)))
    if outcome.released:
        voice.say(voice.text("released", count=len(outcome.released)))
    if not outcome.settled:
        voice.say(voice.text("waiting", seconds=int(SETTLE_SECONDS)))
    voice.result(
        {
            DONE[act]: outcome.done,
            "released": outcome.released,
            "blocked": outcome.blocked,
            "failed": [letter.id for letter in outcome.failed],
            "came": [letter.id for letter in outcome.came],
            "told": outcome.told,
            "untold": outcome.untold,
            "settled": outcome.settled,
        }
    )
    raise typer.Exit(1 if outcome.blocked or outcome.failed or outcome.came else 0)


@contextmanager
def _bar(voice: Voice, act: str, total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(voice.text(f"plan.{act}"), total=total)
        yield lambda count: bar.advance(task, count)


def _run(voice: Voice, job: Callable[[Any, Topics], Coroutine[Any, Any, T]]) -> T:
    """With the broker and its topics; what goes wrong is told in one sentence with its exit code."""
    settings = Settings()

    async def run() -> T:
        broker = KafkaLog(settings.bootstrap)
        topics = Topics(settings.prefix, settings.shards, settings.replication)
        counts = await broker.topics()
        needed = [topics.audit, topics.commands, topics.outbox, *map(topics.dead_letters, STAGES)]
        if missing := [name for name in needed if name not in counts]:
            _fail(voice.text("no_topics", names=", ".join(missing)), 3)
        # the log itself knows how many shards there are: a setting that is wrong here must send nothing astray
        return await job(broker, Topics(settings.prefix, counts[topics.commands], settings.replication))

    try:
        return asyncio.run(run())
    except Unknown as unknown:
        _fail(voice.text("unknown", id=unknown), 1)
    except Fenced:
        _fail(voice.text("meanwhile"), 1)
    except ChainBroken as broken:
        _fail(voice.text("broken", where=broken), 1)
    except RecordRefused as refused:
        _fail(voice.text("refused", topic=refused.topic, why=refused), 1)
    except OutcomeUnknown:
        _fail(voice.text("unsure"), 1)
    except (KafkaError, OSError, TimeoutError):
        _fail(voice.text("unreachable", where=settings.bootstrap), 3)


# -- saying -----------------------------------------------------------------------------------------------


def _wanted(voice: Voice, ids: tuple[str, ...], stage: str, code: str, case: str, since: str) -> Wanted:
    if stage and stage not in STAGES:
        raise typer.BadParameter(f"--stage: {' | '.join(STAGES)}")
    return Wanted(ids, stage, code, case, _instant(voice, since) if since else 0)


def _instant(voice: Voice, text: str) -> int:
    """Milliseconds of `2h` ago, or of a time with its offset."""
    if ago := _ago(text):
        return int((time.time() - int(ago[1]) * _MINUTES[ago[2]] * 60) * 1000)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise typer.BadParameter(f"--since: {voice.text('since')}")
    return int(at.timestamp() * 1000)


def _line(voice: Voice, letter: Letter) -> str:
    parts = (letter.id, to_text(letter.written), voice.text(f"state.{letter.state}"), voice.code(letter.code))
    return "  ".join((*parts, letter.case or "-", letter.original or letter.said.input))


def _facts(letter: Letter) -> dict[str, Any]:
    said = letter.said
    facts = {
        "id": letter.id, "stage": letter.stage, "code": letter.code, "state": letter.state,
        "written": to_text(letter.written), "original": letter.original, "key": letter.key,
        "case": said.case, "action": said.action, "input": said.input, "parked": said.parked, "retry_of": said.retry_of,
        "copies": ", ".join(letter.copies),
    }  # fmt: skip
    return {name: value for name, value in facts.items() if value}


def _headers(letter: Letter) -> dict[str, str]:
    return {name: value.decode("utf-8", "replace") for name, value in letter.headers}


def _tell(voice: Voice, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if name == "headers":
            voice.say(voice.text(name))
            for header, text in value.items():
                voice.say(f"  {header}: {text}")
        elif name == "acts":
            for act in value:
                voice.say(f"{voice.text(name)}  {act['at']}  {act['act']}  {act['who']}  {act['why']}")
        elif name == "body":
            voice.say(voice.text(name) if value is None else f"{voice.text(name)}\n{value}")
        else:
            shown = {"state": f"state.{value}"}.get(name)
            said = voice.code(value) if name == "code" else voice.text(shown) if shown else value
            voice.say(f"{voice.text(name)}  {said}")


def _tell_blocked(voice: Voice, blocked: dict[str, Any]) -> None:
    for name, why in blocked.items():
        voice.say(f"{name}  {voice.text(f'block.{why}')}")


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    raise typer.Exit(code)
