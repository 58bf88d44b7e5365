"""
`duokua rules from-ruling FILE|--case CASE`: a binding ruling becomes a rule of a draft, with the cases that it would have caught.

Exit codes: 0 proposed (and saved, with --draft); 1 the ruling or the rule is at fault, or the draft was refused; 2 usage
or no key file; 3 Kafka is not reachable.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from aiokafka import TopicPartition

from router.catalogue import drafts
from router.catalogue.catalogue import Catalogue
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import from_files, load
from router.catalogue.rule_files import dumped
from router.catalogue.ruling import Proposed, from_event, propose, read_ruling
from router.cli.acting import Actor, Stage, stage
from router.cli.case import file_of
from router.cli.catalog import AsJson, Lang, print_findings
from router.cli.contract import content_of
from router.cli.rules_explain import record_at
from router.operate.history import History, NoEvents, registered
from router.operate.topics import DAY, Topics
from router.rules.backtest import Judge, Registered
from workflows.events import CaseRuled

SHOWN = 20
"""Cases that are named."""

TEXTS = {
    "rule": ("拟定规则 {number} {id}，排在 {before} 之前", "proposed rule {number} {id}, before {before}"),
    "passed": ("因中间没有空号，也排在这些规则之前：{rules}", "no number is free in between, so it also goes before: {rules}"),
    "earlier": ("规则 {rule} 仍先于它决定，渠道：{channels}", "rule {rule} still decides before it, by the channels {channels}"),
    "later": ("规则 {rule} 在别的时间（时段或有效期）仍先于它决定，渠道：{channels}", "at other times (hours, or days of validity) rule {rule} still decides before it, by the channels {channels}"),
    "caught": ("近 {days} 天登记 {seen} 件，其中 {caught} 件会由它决定", "of {seen} requests of the last {days} days it would have decided {caught}"),
    "from": ("  {count} 件原派 {unit}", "  {count} that went to {unit}"),
    "cases": ("  工单 {cases}", "  cases {cases}"),
    "nobody": ("（未派单位）", "(no unit)"),
    "empty": ("近 {days} 天没有登记过诉求，不知道会影响哪些工单", "no request was registered in the last {days} days: which cases it would change is not known"),
    "unread": ("有 {count} 条记录读不出", "{count} records could not be read"),
    "no_events": ("没有事件主题 {name}：用 --days 0 不回看", "there is no topic of events {name}: --days 0 looks at none"),
    "unsaved": ("未写入；加 --draft 存入草稿，或把下面的规则写进目录", "nothing was written; --draft saves it in a draft, or put this into the catalogue"),
    "saved": ("已存入草稿“{name}”第 {revision} 稿：由别人批准后发布", "saved in the draft '{name}', revision {revision}: somebody else approves it before it is published"),
    "who": ("存入草稿须写明是谁：--actor", "who saves the draft? say --actor"),
    "which": ("裁定取自文件还是工单？FILE 与 --case 用且只用一个", "a ruling from a file or from a case? say FILE or --case, not both"),
    "no_ruling": ("工单 {case} 没有裁定", "case {case} has no ruling"),
    "gone": ("工单 {case} 的裁定已不在日志上", "the ruling on case {case} is not on the log any more"),
    "one": ("--draft 与 --folder 只能用一个", "either --draft or --folder"),
}  # fmt: skip


@dataclass
class Caught:
    """Of the requests of the last days those that the new rule decides. units: who led them, and how often."""

    seen: int = 0
    caught: int = 0
    units: Counter[str] = field(default_factory=Counter)
    cases: list[str] = field(default_factory=list)
    unreadable: int = 0

    def take(self, asked: Iterable[Registered], rule: str, before: Judge, after: Judge) -> None:
        """Requests as they were registered."""
        for one in asked:
            self.seen += 1
            if rule in after.outcome(one).rules[:1]:
                self.caught += 1
                self.units[before.outcome(one).unit] += 1
                self.cases += [one.number] * (len(self.cases) < SHOWN)


def add_to(app: typer.Typer) -> None:
    """The command, in the group `rules`."""
    app.command("from-ruling")(from_ruling)


def from_ruling(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="裁定：YAML 或 JSON，- 为标准输入 / the ruling; - is stdin")
    ] = None,
    case: Annotated[str, typer.Option("--case", help="取自这个工单的裁定 / the ruling given on this case")] = "",
    draft: Annotated[str, typer.Option("--draft", help="存入这个草稿 / save it in this draft")] = "",
    actor: Actor = "",
    folder: Annotated[Path | None, typer.Option("--folder", help="目录所在文件夹 / the catalogue's folder")] = None,
    days: Annotated[int, typer.Option("--days", min=0, help="回看多少天的诉求，0 不回看 / days to look back")] = 30,
    as_json: AsJson = False,
    lang: Lang = "",
) -> None:
    """把争议裁定拟成一条规则，列出它会改派的工单 / a rule from a ruling, with the cases that it would have caught."""
    at = stage(lang, as_json)
    if draft and folder:
        at.fail(at.choose(TEXTS["one"]), 2)
    if draft and not actor:
        at.fail(at.choose(TEXTS["who"]), 2)
    if bool(case) == bool(file):
        at.fail(at.choose(TEXTS["which"]), 2)
    signer = at.signer(actor) if draft else None
    ruled = _ruled(at, case) if case else None
    begun = at.run(lambda broker, topics: drafts.begin(broker, topics, draft)) if draft else None
    try:
        catalogue = from_files(begun.files) if begun else load(folder or at.settings.catalog)
        name = file.name if file else case
        data = msgspec.json.encode(from_event(*ruled, catalogue)) if ruled else content_of(file or Path())
        ruling, spot = read_ruling(name, data)
        made = propose(ruling, spot, catalogue, at.now)
    except CatalogueFaulty as faulty:
        print_findings(faulty.findings, at.lang, as_json)
        raise typer.Exit(1) from None
    caught = at.run(lambda broker, topics: _caught(broker, topics, at, days, catalogue, made)) if days else None
    head = None
    if begun and signer:
        saved = begun.head
        head = at.run(
            lambda broker, topics: drafts.save(
                broker, topics, draft, made.catalogue.files, by=signer, reason=made.rule.reason, base=saved.base,
                revision=saved.revision, now=at.now, basis=ruling.document,
            )
        )  # fmt: skip
    _tell(at, made, caught, days, catalogue)
    if head:
        at.say(at.choose(TEXTS["saved"], name=draft, revision=head.revision))
    else:
        at.say(at.choose(TEXTS["unsaved"]) + "\n" + dumped(made.rule).rstrip())
    at.result(_object(made, caught) | {"draft": asdict(head) if head else None})


def _ruled(at: Stage, case: str) -> tuple[CaseRuled, int]:
    """The last ruling on the case, and when it was given."""
    file = file_of(at.settings, case)
    steps = [step for step in file.timeline if step.type == "CaseRuled.v1"]
    if not steps:
        at.fail(at.choose(TEXTS["no_ruling"], case=case), 1)
    place = TopicPartition(at.topics.events, steps[-1].partition)
    record = at.run(lambda broker, topics: record_at(broker, place, steps[-1].offset))
    if record is None or record.case != file.case.case_id:
        at.fail(at.choose(TEXTS["gone"], case=case), 1)
    return next(event for event in record.events if isinstance(event, CaseRuled)), record.at


async def _caught(broker: Any, topics: Topics, at: Stage, days: int, catalogue: Catalogue, made: Proposed) -> Caught:
    history, found = History(broker, topics.events, at.now - days * DAY, at.now, registered), Caught()
    before, after = Judge(catalogue.facts()), Judge(made.catalogue.facts())
    try:
        async for batch in history.batches():
            found.take(batch, made.rule.id, before, after)
    except NoEvents as missing:
        at.fail(at.choose(TEXTS["no_events"], name=missing), 3)
    found.unreadable = history.unreadable
    return found


def _tell(at: Stage, made: Proposed, caught: Caught | None, days: int, catalogue: Catalogue) -> None:
    rule, before = made.rule, made.before
    at.say(
        at.choose(TEXTS["rule"], number=rule.number, id=rule.id, before=f"{before.number} {before.id} {before.name}")
    )
    if made.passed:
        at.say(at.choose(TEXTS["passed"], rules=", ".join(made.passed)))
    for when, others in (("earlier", made.earlier), ("later", made.later)):
        for other, channels in others.items():
            at.say(at.choose(TEXTS[when], rule=other, channels=", ".join(channels)))
    if caught is None:
        return
    at.say(at.choose(TEXTS["caught" if caught.seen else "empty"], days=days, seen=caught.seen, caught=caught.caught))
    for unit, count in caught.units.most_common():
        known = catalogue.units.get(unit)
        at.say(at.choose(TEXTS["from"], count=count, unit=known.name if known else unit or at.choose(TEXTS["nobody"])))
    if caught.cases:
        at.say(at.choose(TEXTS["cases"], cases=", ".join(caught.cases)))
    if caught.unreadable:
        at.say(at.choose(TEXTS["unread"], count=caught.unreadable))


def _object(made: Proposed, caught: Caught | None) -> dict[str, Any]:
    return {
        "rule": msgspec.to_builtins(made.rule), "before": made.before.id, "passed": made.passed, "earlier": made.earlier,
        "later": made.later, "caught": vars(caught) if caught else None,
    }  # fmt: skip
