"""
`duokua import open-cases FILE`: the open cases of another system, tried by default, taken over with `--write`.

Each line is decided here as its shard will decide it, so that what a try says is what comes. Exit codes: 0 every line can be
taken over (or was); 1 some cannot, or the log refused; 2 usage; 3 Kafka is not reachable.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import rich.progress
import typer
from rich.console import Console

from adapters.kafka.log import Fenced
from adapters.kafka.writing import MAX_RECORD_BYTES
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import FolderUnreadable, load
from router.catalogue.named import ACTIVE, UnknownCatalogue, named
from router.cli.acting import OTHERS, Stage, stage
from router.cli.catalog import print_findings
from router.intake.open_cases import Given, adoption
from router.intake.translate import Known
from router.operate.taking_over import take_over
from router.operate.topics import Topics
from schemas.faults import Fault, InvalidMessage, fault
from schemas.json_text import nul_fault, parse
from schemas.times import to_text
from workflows import events as ev
from workflows.adopting import CannotAdopt
from workflows.bounds import is_held, is_paused
from workflows.case import Case, Clock, clock_key
from workflows.commands import Adopt, encode
from workflows.decide import decision
from workflows.facts import Facts
from workflows.refusals import REFUSALS
from workflows.workdays import DAY

SHOWN = 20
"""Faults, dates that differ, and units, that people are shown without `--details`."""
TRIED = "0000001"
"""In the numbers of a try: the real ones are given out by the shards."""
LATE = ((0, "open"), (1, "1d"), (5, "5d"), (30, "30d"))
"""By how many days at most a case is late, and the name of that group; beyond the last: `more`."""

TEXTS = {
    "fault": ("第 {line} 行  {pointer}  [{code}] {text}", "line {line}  {pointer}  [{code}] {text}"),
    "advice": ("    → {advice}", "    → {advice}"),
    "differs": ("第 {line} 行  {number}：原系统承诺 {promised}，按本系统政策为 {ours}", "line {line}  {number}: promised for {promised}, by the policy here {ours}"),
    "more": ("…… 另有 {count} 条，加 --details 全部列出", "… {count} more; --details lists them all"),
    "totals": ("可接管 {sound} 件，{faulty} 行有误", "{sound} cases can be taken over, {faulty} lines cannot"),
    "state": ("状态  {name}  {count}", "state  {name}  {count}"),
    "unit": ("承办  {name}  {count}", "unit  {name}  {count}"),
    "late": ("超期  {name}  {count}", "late  {name}  {count}"),
    "dates": ("承诺时间与本系统不同：{count} 件（以承诺为准）", "promised for another date than ours: {count} (the promise holds)"),
    "try": ("这是试算，没有写入；--write 写入", "this was a try, nothing is written; --write does it"),
    "nothing": ("有错的行没有改好，一件也没有写入；只写没错的加 --sound-only", "there are lines at fault: nothing is written; --sound-only writes the others"),
    "written": ("已交给引擎 {count} 件；不能接管的会进死信（duokua dead-letters list --stage engine）", "{count} cases handed to the engine; what cannot be taken over becomes a dead letter (duokua dead-letters list --stage engine)"),
    "who": ("写入须写明 --actor 和 --reason", "--write needs --actor and --reason"),
    "meanwhile": ("同时有人在接管：看看现状再试", "somebody else is taking over: look again, then try again"),
    "no_version": ("尚未发布过目录：先 duokua catalog publish", "no catalogue was published yet: duokua catalog publish first"),
    "folder": ("目录读不出：{folder}", "the catalogue cannot be read: {folder}"),
    "late.open": ("未超期", "not late"), "late.1d": ("1 天以内", "up to 1 day"), "late.5d": ("2 至 5 天", "2 to 5 days"),
    "late.30d": ("6 至 30 天", "6 to 30 days"), "late.more": ("30 天以上", "more than 30 days"),
    "late.still": ("暂停、待批或已停计时", "paused, undecided or stopped"), "late.none": ("无时限", "no limit"),
}  # fmt: skip
LEAVE_OUT = (
    "原系统允许而这里的政策不允许的：去掉这一步，用 due 写明承诺的时间；或先改政策",
    "the old system allowed what the policy here does not: leave the step out and say the promise in `due`, or change the policy first",
)  # fmt: skip
ADVICE: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "pause_not_allowed", "pause_used_up", "pause_after_due", "extension_not_allowed", "extension_after_due",
            "extension_used_up", "extension_too_long", "return_not_allowed", "return_window_over", "not_by_policy",
        ),
        LEAVE_OUT,
    ),
    "unknown_unit": ("把原系统的单位对应到目录的单位编码", "map the unit to one of the catalogue"),
    "unknown_reason": ("把原因对应到目录清单 lists/reasons.csv", "map the reason to the list lists/reasons.csv"),
    "task_not_open": ("此时该单位没有这样的任务：检查前面的步骤和 unit", "no such task was open then: look at the steps before, and at `unit`"),
    "not_open": ("已办结的不接管，从文件中去掉", "closed cases stay where they are: leave the line out"),
    "out_of_order": ("按时间排序", "sort the steps by time"),
    "too_large": ("超过 6 MB：把往来文字缩短", "more than 6 MB: shorten what was said"),
    "twice": ("同一渠道编号只能有一行", "one line for each channel and id"),
}  # fmt: skip


@dataclass
class Report:
    """What a try came to. differing and faulty: lines, as they are told."""

    sound: int = 0
    faulty: int = 0
    states: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)
    differing: list[dict[str, Any]] = field(default_factory=list)

    def add(self, line: int, command: Adopt, case: Case, events: list[ev.AnyEvent], now: int) -> None:
        """One case that can be taken over."""
        self.sound += 1
        self.states[case.state] += 1
        self.units[case.lead.unit if case.lead else case.centre] += 1
        self.late[_lateness(case.clocks.get(clock_key("finish", "")), now)] += 1
        moved = next((event for event in events if isinstance(event, ev.ClockPromised)), None)
        if moved is not None:
            facts = {"promised": to_text(moved.due), "ours": to_text(moved.before)}
            self.differing.append({"line": line, "number": command.number, **facts})


def open_cases(
    file: Annotated[
        Path, typer.Argument(help="在办工单，每行一个 JSON 对象 / open cases, JSON Lines", exists=True, dir_okay=False)
    ],
    channel: Annotated[
        str, typer.Option("--channel", help="未写渠道的工单属于哪个渠道 / the channel of lines that name none")
    ] = "hotline_12345",
    write: Annotated[
        bool, typer.Option("--write", help="写入；缺省只试算 / do it; by default it is only tried")
    ] = False,
    sound_only: Annotated[
        bool, typer.Option("--sound-only", help="有错的行不写，其余照写 / leave out lines at fault, write the others")
    ] = False,
    tasks: Annotated[
        bool, typer.Option("--tasks/--no-tasks", help="把在办任务发给单位 / give units what they have in hand")
    ] = True,
    receipts: Annotated[
        bool, typer.Option("--receipts", help="把新编号告知渠道 / tell the channels the new numbers")
    ] = False,
    rate: Annotated[int, typer.Option("--rate", min=1, help="每秒最多几件 / cases a second at most")] = 500,
    details: Annotated[bool, typer.Option("--details", help="全部列出 / list everything")] = False,
    actor: Annotated[str, typer.Option("--actor", help="谁，入审计 / who, for the audit")] = "",
    reason: Annotated[str, typer.Option("--reason", help="为何，入审计 / why, for the audit")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="一个 JSON 对象 / one JSON object")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh | en")] = "",
) -> None:
    """接管原系统的在办工单（JSONL），缺省只试算 / take over open cases of another system (JSON Lines); tried by default."""
    at = stage(lang, as_json)
    if write and not (actor.strip() and reason.strip()):
        at.fail(at.choose(TEXTS["who"]), 2)
    given = Given(actor, reason, channel, tasks, receipts)
    if not write:
        report = _tried(at, file, _local(at), given)
        _tell(at, report, details)
        at.say(at.choose(TEXTS["try"]))
        at.result(_facts(report) | {"written": 0})
        raise typer.Exit(1 if report.faulty else 0)
    try:
        report, written = at.run(lambda broker, topics: _write(at, broker, topics, file, given, sound_only, rate))
    except Fenced:
        at.fail(at.choose(TEXTS["meanwhile"]), 1)
    except UnknownCatalogue:
        at.fail(at.choose(TEXTS["no_version"]), 1)
    _tell(at, report, details)
    at.say(at.choose(TEXTS["written"], count=written) if written or not report.faulty else at.choose(TEXTS["nothing"]))
    at.result(_facts(report) | {"written": written})
    raise typer.Exit(1 if report.faulty else 0)


async def _write(
    at: Stage, broker: Any, topics: Topics, file: Path, given: Given, sound_only: bool, rate: int
) -> tuple[Report, int]:
    """By the catalogue in force; first everything is tried."""
    counts = await broker.topics()
    missing = [name for name in (topics.commands, topics.audit) if name not in counts]
    if missing:
        at.fail(at.choose(OTHERS["no_topics"], names=", ".join(missing)), 3)
    # the log itself knows how many shards there are: a setting that is wrong here must send nothing astray
    topics = Topics(topics.prefix, counts[topics.commands], at.settings.replication)
    catalogue = await named(broker, topics, ACTIVE)
    report = _tried(at, file, catalogue, given)
    if not report.sound or (report.faulty and not sound_only):
        return report, 0
    at_fault = {told["line"] for told in report.faults}
    sound = (made for line, made in _adoptions(at, file, catalogue, given) if line not in at_fault)
    with _bar(file.name, report.sound) as advance:
        written = await take_over(
            broker, topics, (made for made in sound if isinstance(made, Adopt)), at=to_text(at.now), who=given.by,
            why=given.why, file=_sha256(file), rate=rate, advance=advance,
        )  # fmt: skip
    return report, written


def _local(at: Stage) -> Catalogue:
    try:
        return load(at.settings.catalog)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, at.lang, at.as_json)
        at.fail(at.choose(OTHERS["faulty"]), 1)
    except FolderUnreadable:
        at.fail(at.choose(TEXTS["folder"], folder=at.settings.catalog), 2)


# -- trying -------------------------------------------------------------------------------------


def _adoptions(
    at: Stage, file: Path, catalogue: Catalogue, given: Given, advance: Callable[[int], None] = lambda size: None
) -> Iterator[tuple[int, Adopt | InvalidMessage]]:
    """Each line of the file that is not blank, as a command or as what is wrong with it; `advance` is told how many bytes are read."""
    known = Known(
        directory=catalogue, prefix="", shards=1, secret=at.settings.secret.get_secret_value().encode()
    )  # fmt: skip
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            advance(len(line))
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not text.strip():
                continue
            try:
                data = parse(text)
                if found := nul_fault(text, data):
                    raise InvalidMessage([found])
                made: Adopt | InvalidMessage = adoption(data, known, given, at.now)
            except InvalidMessage as error:
                made = error
            yield number, made


def _tried(at: Stage, file: Path, catalogue: Catalogue, given: Given) -> Report:
    report, seen, facts = Report(), set[str](), catalogue.facts()
    with _bar(file.name, file.stat().st_size) as advance:
        for line, made in _adoptions(at, file, catalogue, given, advance):
            found = (
                made.faults if isinstance(made, InvalidMessage) else _decided(made, line, facts, at.now, report, seen)
            )
            if found:
                report.faulty += 1
                report.faults += [{"line": line, **_fault_facts(one)} for one in found]
    return report


def _decided(command: Adopt, line: int, facts: Facts, now: int, report: Report, seen: set[str]) -> tuple[Fault, ...]:
    """As the shard will decide it."""
    if command.case in seen:
        return (Fault("twice", "/id", "文件中有两行是同一工单", "two lines of the file are the same case"),)
    seen.add(command.case)
    if (
        len(encode(command)) > MAX_RECORD_BYTES // 2
    ):  # what happened, as the shard writes it down, is about as long again
        return (fault("too_large", ""),)
    try:
        made = decision(None, msgspec.structs.replace(command, serial=TRIED), facts, now)
    except CannotAdopt as error:
        where = f"/history/{error.step - 1}" if error.step else ""
        return (Fault(error.code, where, *REFUSALS[error.code]),)
    except msgspec.ValidationError:
        return (fault("bad_value", "/history"),)
    report.add(line, command, made.case, made.events, now)
    return ()


def _lateness(clock: Clock | None, now: int) -> str:
    """The group it is told in. What stands still, or waits for an extension, is not late for all that its due has passed."""
    if clock is None:
        return "none"
    if not clock.running or is_paused(clock) or is_held(clock):
        return "still"
    days = -((clock.due - now) // DAY) if clock.due < now else 0
    return next((name for most, name in LATE if days <= most), "more")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def _bar(name: str, total: int) -> Iterator[Any]:
    console = Console(stderr=True)
    with rich.progress.Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(name, total=total)
        yield lambda count: bar.advance(task, count)


# -- telling ------------------------------------------------------------------------------------


def _fault_facts(found: Fault) -> dict[str, Any]:
    facts = {"code": found.code, "pointer": found.pointer.removeprefix("/data"), "zh": found.zh, "en": found.en}
    advice = ADVICE.get(found.code)
    return facts | ({"advice_zh": advice[0], "advice_en": advice[1]} if advice else {})


def _tell(at: Stage, report: Report, details: bool) -> None:
    side = "en" if at.lang == "en" else "zh"
    for told in report.faults if details else report.faults[:SHOWN]:
        at.say(at.choose(TEXTS["fault"], text=told[side], **{k: told[k] for k in ("line", "pointer", "code")}))
        if f"advice_{side}" in told:
            at.say(at.choose(TEXTS["advice"], advice=told[f"advice_{side}"]))
    if len(report.faults) > SHOWN and not details:
        at.say(at.choose(TEXTS["more"], count=len(report.faults) - SHOWN))
    shown = report.differing if details else report.differing[:SHOWN]
    for told in shown:
        at.say(at.choose(TEXTS["differs"], **told))
    if len(report.differing) > len(shown):
        at.say(at.choose(TEXTS["more"], count=len(report.differing) - len(shown)))
    for state, count in report.states.most_common():
        at.say(at.choose(TEXTS["state"], name=state, count=count))
    for name in [name for _, name in LATE] + ["more", "still", "none"]:
        if report.late[name]:
            at.say(at.choose(TEXTS["late"], name=at.choose(TEXTS[f"late.{name}"]), count=report.late[name]))
    units = report.units.most_common(None if details else SHOWN)
    for unit, count in units:
        at.say(at.choose(TEXTS["unit"], name=unit, count=count))
    if len(report.units) > len(units):
        at.say(at.choose(TEXTS["more"], count=len(report.units) - len(units)))
    if report.differing:
        at.say(at.choose(TEXTS["dates"], count=len(report.differing)))
    at.say(at.choose(TEXTS["totals"], sound=report.sound, faulty=report.faulty))


def _facts(report: Report) -> dict[str, Any]:
    return {
        "sound": report.sound, "faulty": report.faulty, "faults": report.faults, "differing": report.differing,
        "states": dict(report.states), "units": dict(report.units), "late": dict(report.late),
    }  # fmt: skip
