"""A comparison of two rule sets in words, for a clerk; names of units and functions from the catalogues."""

from collections.abc import Iterator, Sequence

from router.catalogue.catalogue import Catalogue
from router.cli.rules_words import LABELS
from router.rules.backtest import Outcome
from router.rules.comparison import Example, Fired, Move, Report
from schemas.times import to_text

TOP = 20
"""Lines of a list; `--json` has all of them."""

TEXTS = {
    "zh": {
        "reading": "重算", "unreachable": "连不上 Kafka：{where}", "no events": "没有事件主题 {name}：这里还没有运行过",
        "unknown": "没有叫“{name}”的草稿、版本或文件夹", "no active": "还没有在用的版本：先发布一次，或用 --against 指明与哪个文件夹比", "unusable": "这个版本或草稿无法读取，或审计记录被改动过",
        "empty": "此期间没有登记过诉求：{since} 至 {until}。这不说明规则没有问题。",
        "window": "{since} 至 {until} 登记的诉求 {requests} 件，结果有变化 {differing} 件（{share}）",
        "same": "每件诉求的去向、单位和时限都不变。", "other rule": "结果不变，只是由另一条规则决定：{count} 件",
        "not met": "改动过的规则，此期间没有一件诉求用到：以上结果不说明它们对不对。",
        "differences": "变化", "outcome": "去向", "function": "主办职能", "unit": "主办单位", "others": "协办、抄送单位",
        "clocks": "时限", "urgency": "紧急程度", "text": "告知内容", "comma": "，",
        "shares": "去向：改前 → 改后", "fallback": "落到兜底规则", "functions": "职能之间的变化", "units": "单位之间的变化", "limits": "时限政策的变化",
        "changed": "改动过的规则：改前、改后各用到几次", "silent": "改后从未用到的规则", "examples": "例", "more": "……另有 {count} 行（--json 全部列出）",
        "rule.added": "新增", "rule.changed": "变更", "rule.removed": "删除", "not in force": "（此期间不在有效期内）",
        "unlike": "注意：{unlike} 件重算的结果与当时记录的不同（共核对 {checked} 件）。请报告，这次试算不可信。",
        "unreadable": "注意：{count} 条记录读不出，没有算入。", "undecided": "注意：{count} 件按其中一套目录或两套都算不出，会怎样不知道。",
        "failed": "算不出", "emergency": "应急转办", "answered": "当场答复", "by": "规则",
        "which": "请指明草稿，或设 DUOKUA_SHADOW", "no shadow": "还没有影子在这台机器上运行过（按 DUOKUA_STATE_DIR 查找）", "shadow": "草稿 {draft}（{hash}）与在用规则并行",
    },
    "en": {
        "reading": "deciding again", "unreachable": "Kafka is not reachable: {where}", "no events": "there is no topic {name}: nothing has run here yet",
        "unknown": "there is no draft, version or folder called {name}", "no active": "no version is in force yet: publish one, or name a folder with --against", "unusable": "that version or draft cannot be read, or the audit entries were changed",
        "empty": "No requests were registered from {since} to {until}. That does not say that the rules are right.",
        "window": "registered from {since} to {until}: {requests} requests, of which {differing} would come out otherwise ({share})",
        "same": "No request changes its way, its units or its time limits.", "other rule": "the same result by another rule: {count}",
        "not met": "None of these requests met a rule that changed: this says nothing about those rules.",
        "differences": "changes", "outcome": "outcome", "function": "leading function", "unit": "leading unit", "others": "assisting or informed units",
        "clocks": "time limits", "urgency": "urgency", "text": "what is told", "comma": ", ",
        "shares": "outcomes: before → after", "fallback": "left to the fallback", "functions": "from function to function", "units": "from unit to unit", "limits": "from policy to policy",
        "changed": "rules that changed: used how often before and after", "silent": "rules never used afterwards", "examples": "examples", "more": "… and {count} more lines (--json has all)",
        "rule.added": "added", "rule.changed": "changed", "rule.removed": "removed", "not in force": " (not in force in this time)",
        "unlike": "Mind: {unlike} of {checked} requests were decided otherwise back then by this very version. Please report it; do not trust this run.",
        "unreadable": "Mind: {count} records cannot be read and are left out.", "undecided": "Mind: {count} requests cannot be decided by one of the two, or by both: what becomes of them is not known.",
        "failed": "cannot be decided", "emergency": "emergency", "answered": "answered at once", "by": "rule",
        "which": "name a draft, or set DUOKUA_SHADOW", "no shadow": "no shadow has run on this machine yet (looked for under DUOKUA_STATE_DIR)", "shadow": "draft {draft} ({hash}) beside the rules in force",
    },
}  # fmt: skip


def told(made: Report, catalogues: Sequence[Catalogue], lang: str) -> Iterator[str]:
    """Line by line, what matters most first; names from the first of the catalogues that has one."""
    return _Telling(catalogues, lang).lines(made)


class _Telling:
    def __init__(self, catalogues: Sequence[Catalogue], lang: str) -> None:
        self._catalogues = catalogues
        self._texts = LABELS.get(lang, LABELS["zh"]) | TEXTS.get(lang, TEXTS["zh"])

    def lines(self, made: Report) -> Iterator[str]:
        since, until = to_text(made.since)[:16], to_text(made.until)[:16]
        if made.unlike:
            yield self._say("unlike", unlike=made.unlike, checked=made.checked)
        if made.unreadable:
            yield self._say("unreadable", count=made.unreadable)
        if made.failed:
            yield self._say("undecided", count=made.failed)
        if not made.requests:
            yield self._say("empty", since=since, until=until)
            return
        share = f"{made.differing / made.requests:.1%}"
        yield self._say(
            "window", since=since, until=until, requests=made.requests, differing=made.differing, share=share
        )
        if not made.differing and not made.failed:
            yield self._say("same")
        if made.changed and not made.met:
            yield self._say("not met")
        if made.other_rule:
            yield self._say("other rule", count=made.other_rule)
        yield from self._under(
            "differences", [f"{self._say(name)}\t{count}" for name, count in made.differences.items()]
        )
        yield from self._under("shares", self._shares(made))
        for name, moves in (("functions", made.functions), ("units", made.units), ("limits", made.limits)):
            yield from self._under(name, [self._move(move) for move in moves])
        yield from self._under("changed", [self._fired(rule) for rule in made.changed])
        yield from self._under("silent", [self._fired(rule) for rule in made.silent])
        yield from self._under("examples", [self._example(example) for example in made.examples])

    def _say(self, text: str, **values: object) -> str:
        return self._texts[text].format(**values)

    def _under(self, heading: str, lines: Sequence[str]) -> Iterator[str]:
        if lines:
            yield f"\n{self._say(heading)}"
            yield from (f"  {line}" for line in lines[:TOP])
        if len(lines) > TOP:
            yield f"  {self._say('more', count=len(lines) - TOP)}"

    def _shares(self, made: Report) -> list[str]:
        rows = {self._say(kind): counts for kind, counts in made.outcomes.items()}
        rows[self._say("fallback")] = made.fallback
        return [
            f"{name}\t{b} → {a}\t{b / made.requests:.1%} → {a / made.requests:.1%}" for name, (b, a) in rows.items()
        ]

    def _move(self, move: Move) -> str:
        return f"{move.count}\t{self._name(move.before)} → {self._name(move.after)}"

    def _fired(self, rule: Fired) -> str:
        change = f"{self._say(f'rule.{rule.change}')}\t" if rule.change else ""
        late = "" if rule.in_force else self._say("not in force")
        return f"{change}{rule.number} {rule.id} {rule.name}\t{rule.before} → {rule.after}{late}"

    def _example(self, example: Example) -> str:
        differs = self._say("comma").join(self._say(name) for name in example.differs)
        return f"{example.number}\t{self._outcome(example.before)} → {self._outcome(example.after)}\t{differs}"

    def _outcome(self, outcome: Outcome) -> str:
        whom = [self._name(outcome.unit)] if outcome.unit else []
        rule = [f"{self._say('by')} {outcome.rules[0]}"] if outcome.rules else []
        return " ".join([self._say(outcome.kind), *whom, *rule, *([outcome.policy] if outcome.policy else [])])

    def _name(self, code: str) -> str:
        """Of a unit, function or policy its name; of what stands in brackets what it means."""
        if code.startswith("("):
            return self._say(code[1:-1])
        for catalogue in self._catalogues:
            row = catalogue.units.get(code) or catalogue.functions.get(code) or catalogue.policies.get(code)
            if row is not None:
                return row.name
        return code
