"""What changes in time limits, in words: for whom, which limit, from what to what."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.catalogue.policy_difference import Limit, PolicyChange
from router.cli.case_texts import UNITS

TEXTS: Mapping[str, tuple[str, str]] = {
    "added": ("时限政策 {id}（{name}）新增", "time limits {id} ({name}) are new"),
    "removed": ("时限政策 {id}（{name}）不再提供", "time limits {id} ({name}) are gone"),
    "changed": ("时限政策 {id}（{name}）有变", "time limits {id} ({name}) change"),
    "for": ("适用：{who}", "for: {who}"),
    "nobody": ("目前没有渠道、规则或一件事用它", "no channel, rule or package uses it at present"),
    "default": ("未另行规定的一切诉求", "everything that nothing else is said of"),
    "emergency": ("紧急转办", "emergencies"),
    "channels": ("渠道 {ids}", "channels {ids}"),
    "one_things": ("一件事 {ids}", "packages {ids}"),
    "rules": ("规则 {ids}", "rules {ids}"),
    "limit": ("{what}：{before} → {after}", "{what}: {before} → {after}"),
    "stands": ("已有工单的到期时间不变", "the dues of running cases stand"),
    "none": ("无", "none"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "step": ("第 {level} 级 {since} {after} {who} {what}", "level {level}, {after} after the {since}: {what} {who}"),
    "due": ("到期后", "due"),
    "start": ("起算后", "start"),
    "warn_before": ("到期前 {limit}", "{limit} before"),
    "warn_percent": ("用去 {percent}%", "at {percent} %"),
    "comma": ("，", ", "),
    "semicolon": ("；", "; "),
    "more": ("（{said}）", " ({said})"),
    "is": ("的", ", "),
}
WORDS: Mapping[str, tuple[str, str]] = {
    "case": ("工单", "case"), "leg": ("承办", "unit"), "task": ("任务", "task"),
    "finish": ("办结", "finish"), "sign": ("签收", "sign"), "contact": ("联系诉求人", "contact"), "progress": ("进展", "progress"),
    "review": ("审核", "review"), "return_decision": ("退单裁量", "decision on a return"), "arbitration": ("裁定", "arbitration"),
    "triage": ("人工分派", "triage"), "confirm": ("确认", "confirmation"), "report": ("报告", "report"),
    "hang_decision": ("挂账审批", "decision on hanging"), "plan_review": ("挂账复核", "review of the plan"), "follow_up": ("催问程序结果", "asking how a procedure ended"),
    "extension_decision": ("延期审批", "decision on an extension"), "statutory": ("法定程序", "statutory procedure"),
    "merge_decision": ("合并裁量", "decision on a merger"),
    "low_score": ("（把握不足）", "(low score)"), "proposed_emergency": ("（疑似紧急）", "(proposed emergency)"),
    "budget": ("时限", "limit"), "start": ("起算", "counted from"), "due": ("止算", "due"), "on_due": ("到期", "when due"),
    "warn": ("预警", "warnings"), "ladder": ("升级", "ladder"), "receipt": ("收到即起算", "receipt"),
    "next_working_instant": ("下一工作时刻", "next working instant"), "next_day": ("次日", "next day"), "exact": ("到点", "to the minute"),
    "end_of_day": ("当日下班", "end of the day"), "working_day": ("遇休假日顺延", "carried over days off"), "overdue": ("超期", "overdue"), "deem_signed": ("视为签收", "deemed signed"),
    "unit": ("承办单位", "unit"), "superior": ("上级单位", "superior"), "centre": ("中心", "centre"), "supervisor": ("督查部门", "supervisor"),
    "role": ("职能角色", "role"), "urge": ("催办", "urge"), "supervise": ("督办", "supervise"), "notify": ("告知", "notify"),
    "raise": ("提级", "raise"), "redispatch": ("建议改派", "suggest re-dispatch"),
    "name": ("名称", "name"), "source": ("出处", "source"), "grade": ("可信程度", "grade"), "returns": ("可否退单", "returns allowed"),
    "return_within": ("退单窗口", "window for returns"), "reserve": ("留给审核", "reserve for review"),
    "reopen_window": ("重开窗口", "window for re-opening"), "merge_alone": ("一人可合并件数", "merged by one officer"),
    "repeats": ("重复反映", "repeats"), "answers_from": ("知识库直接答复的把握", "score for answers"),
    "arbitrate_after": ("第几次退单提请裁定", "return that goes to arbitration"), "levels": ("转派级数", "levels"), "join": ("等待协办", "waits for assists"),
    "pauses": ("暂停", "pauses"), "floor": ("接办至少", "floor"), "extensions": ("延期", "extensions"), "hangs": ("挂账", "hanging"),
    "hangs_within": ("挂账计划不超过", "plan of hanging within"),
    "ex_officio": ("撤回后可依职权继续", "goes on ex officio"), "malicious": ("恶意诉求", "malicious requests"), "reveals": ("可调阅身份", "identity may be shown"),
    "quiet": ("免打扰", "quiet"), "closed": ("办公时间外", "outside office hours"), "duty": ("值班领导", "leader on duty"), "every": ("每隔", "every"),
    "until": ("止于", "until"), "acknowledge": ("已阅期限", "to acknowledge within"), "acknowledged": ("已阅", "acknowledged"),
    "signed": ("已签收", "signed"), "replied": ("已回复", "replied"),
    "call_back": ("回访", "call-back"), "judge_review": ("差评申诉裁量", "decision on a grade"), "callback": ("回访", "call-back"),
    "evaluation": ("评价", "evaluation"), "redo": ("重办", "redo"), "another": ("另一人", "another person"), "within": ("期限", "within"), "percent": ("比例%", "percent"),
    "at_most": ("至多", "at most"), "times": ("次数", "times"), "approvers": ("审批", "approvers"), "up_to": ("至", "up to"), "moves": ("影响", "moves"),
}  # fmt: skip

STEP = frozenset({"level", "after", "since", "who", "what"})
"""What every rung says."""


def policy_lines(change: PolicyChange, lang: str) -> Iterator[str]:
    """The headline, for whom, and one line for each thing that is said otherwise."""
    say = _Words(lang)
    yield say.text(change.change, id=change.id, name=change.name)
    yield "  " + say.text("for", who=_users(change, say))
    if change.change != "removed":
        for limit in change.limits:
            if change.change == "changed" or (limit.clock and limit.field == "budget"):
                yield "  " + say.limit(limit)
    if change.change == "changed":
        yield "  " + say.text("stands")


def _users(change: PolicyChange, say: "_Words") -> str:
    said = [say.text(word) for word in ("default", "emergency") if getattr(change, word)]
    named = [(word, getattr(change, word)) for word in ("channels", "one_things", "rules")]
    said += [say.text(word, ids=say.text("comma").join(ids)) for word, ids in named if ids]
    return say.text("semicolon").join(said) or say.text("nobody")


class _Words:
    def __init__(self, lang: str) -> None:
        self._side = 1 if lang == "en" else 0

    def text(self, text: str, **values: object) -> str:
        return TEXTS[text][self._side].format(**values)

    def limit(self, limit: Limit) -> str:
        clock = ("" if self._side == 0 else " ").join(self.word(part) for part in limit.clock.split())
        whole = limit.clock and limit.field == "budget"
        field = self.word(limit.field)
        what = (
            field
            if not clock
            else f"{clock}{'' if self._side == 0 else ' '}{field}"
            if whole
            else f"{clock}{self.text('is')}{field}"
        )
        return self.text(
            "limit",
            what=what,
            before=self._value(limit.field, limit.before),
            after=self._value(limit.field, limit.after),
        )

    def word(self, word: str) -> str:
        return WORDS[word][self._side] if word in WORDS else word

    def _value(self, field: str, value: Any) -> str:
        if isinstance(value, bool):
            return self.text("yes" if value else "no")
        if value in ("", None, [], ()):
            return self.text("none")
        if field == "ladder":
            return self.text("semicolon").join(self._step(step) for step in value)
        if field == "warn":
            return self.text("comma").join(self._warning(warning) for warning in value)
        return self._plain(value)

    def _step(self, step: Mapping[str, Any]) -> str:
        named = {"who": self.word(step["who"]), "what": self.word(step["what"]), "since": self.text(step["since"])}
        said = self.text("step", level=step["level"], after=self._budget(step["after"]), **named)
        return said + self._more({name: value for name, value in step.items() if name not in STEP})

    def _warning(self, warning: Mapping[str, Any]) -> str:
        if warning["before"]:
            said = self.text("warn_before", limit=self._budget(warning["before"]))
        else:
            said = self.text("warn_percent", percent=warning["percent"])
        return said + self._more({"quiet": warning["quiet"]})

    def _more(self, fields: Mapping[str, Any]) -> str:
        """What most rungs and warnings leave as it is; `times` once is nothing to say."""
        said = self._plain({name: value for name, value in fields.items() if value and (name, value) != ("times", 1)})
        return self.text("more", said=said) if said else ""

    def _plain(self, value: Any) -> str:
        if isinstance(value, Mapping):
            return self.text("comma").join(
                f"{self.word(name)} {self._plain(said)}".removesuffix(" True") for name, said in value.items() if said
            )
        if isinstance(value, Sequence) and not isinstance(value, str):
            return self.text("semicolon").join(self._plain(said) for said in value)
        return self._budget(value) if isinstance(value, str) else str(value)

    def _budget(self, said: str) -> str:
        for suffix, texts in UNITS.items():
            if said.endswith(suffix) and said.removesuffix(suffix).isdigit():
                return texts[self._side].format(n=said.removesuffix(suffix))
        return self.word(said)
