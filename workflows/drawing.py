"""
docs/states.md, drawn from the tables: `python -m workflows.drawing > docs/states.md`. A test fails when it is stale.
"""

import sys
from collections.abc import Iterator, Mapping

from workflows.refusals import REFUSALS
from workflows.rights import RIGHTS, Right
from workflows.states import ANYTIME, LATER, TABLES, TASK_ACTIONS, Table

TITLES: Mapping[str, tuple[str, str]] = {
    "appeal": ("诉求（工单）", "appeal (case)"),
    "leg": ("承办分支", "leg: one unit's part"),
    "approval": ("一件事中的许可办理", "approval within a one-thing"),
}

STATES: Mapping[str, tuple[str, str]] = {
    "registered": ("已登记", "registered"),
    "answered_at_once": ("直接答复", "answered at once"),
    "redirected": ("已转应急，待确认", "redirected, awaiting confirmation"),
    "refusal_proposed": ("拟不予受理", "refusal proposed"),
    "refused": ("不予受理 / 不予许可", "refused"),
    "in_triage": ("待人工分派", "waiting for a dispatcher"),
    "accepted": ("已受理", "accepted"),
    "dispatched": ("已派单", "dispatched"),
    "signed": ("已签收（含到时视为签收）", "signed, really or deemed"),
    "sub_dispatched": ("已转派", "dispatched further"),
    "replied": ("已提交办理结果", "replied"),
    "sent_back": ("退回重办", "sent back"),
    "review_passed": ("审核通过", "review passed"),
    "called_back": ("已回访", "called back"),
    "redo": ("重办", "to be done again"),
    "concluded": ("已终结", "concluded"),
    "in_procedure": ("法定程序办理中", "in a statutory procedure"),
    "hung": ("挂账", "hung"),
    "merged": ("已合并", "merged"),
    "withdrawn": ("已撤回", "withdrawn"),
    "closed": ("已办结", "closed"),
    "archived": ("已归档", "archived"),
    "forgotten": ("已注销", "dropped"),
    "return_asked": ("申请退单", "return asked"),
    "returned": ("已退单", "returned"),
    "return_rejected": ("退单被驳回", "return rejected"),
    "arbitration": ("待裁定", "in arbitration"),
    "ruled": ("已裁定", "ruled"),
    "received": ("收件", "received"),
    "pre_checked": ("已预审", "pre-checked"),
    "deemed_accepted": ("视为受理", "deemed accepted"),
    "materials_asked": ("已告知补正", "materials asked"),
    "not_accepted": ("不予受理", "not accepted"),
    "examining": ("审查中", "examining"),
    "excluded_procedure": ("不计时程序（公示、检测、听证等）", "procedure not counted"),
    "granted": ("准予", "granted"),
    "granted_on_promise": ("告知承诺准予", "granted on a promise"),
    "certificate_made": ("已制证", "certificate made"),
    "delivered": ("已送达", "delivered"),
    "regulator_notified": ("已推送监管", "regulator notified"),
}

ACTIONS: Mapping[str, tuple[str, str, str, str]] = {
    "answer_at_once": ("直接答复", "answer at once", "话务员、派单员", "call agent, dispatcher"),
    "redirect": ("转应急", "redirect an emergency", "受理环节；中心", "intake, before any rule; the centre"),
    "confirm_receipt": ("确认接收", "confirm receipt", "应急单位", "the emergency's receiver"),
    "propose_refusal": ("拟不予受理", "propose a refusal", "规则", "a rule"),
    "attach": ("终结后附卷", "attach to a concluded case", "诉求人", "applicant"),
    "confirm_refusal": ("确认不予受理", "confirm the refusal", "受理人员", "intake officer"),
    "reject_refusal": ("不同意不予受理", "reject the refusal", "受理人员", "intake officer"),
    "ask_triage": ("转人工分派", "hand to a dispatcher", "规则、退单", "a rule, a return"),
    "accept": ("受理", "accept", "规则、派单员", "a rule, a dispatcher"),
    "dispatch": ("派单", "dispatch", "规则、派单员", "a rule, a dispatcher"),
    "re_dispatch": (
        "改派",
        "dispatch to another",
        "派单员；县中心限本县",
        "dispatcher; a county's centre within its county",
    ),
    "sign": ("签收", "sign", "单位经办人", "unit clerk"),
    "deem_signed": ("视为签收", "deem signed", "时钟", "the clock"),
    "sub_dispatch": ("转派", "dispatch further", "一级单位", "first-level unit"),
    "ask_return": ("申请退单", "ask to return", "单位负责人", "unit leader"),
    "accept_return": ("同意退单", "accept the return", "派单员", "dispatcher"),
    "reject_return": ("驳回退单", "reject the return", "派单员", "dispatcher"),
    "arbitrate": (
        "提请裁定",
        "take to arbitration",
        "派单员；退单被驳回的单位",
        "dispatcher; a unit whose return was rejected",
    ),
    "rule": ("裁定", "rule", "裁定机构", "arbitration body"),
    "recall": ("收回转派", "take back", "转派单位", "the unit that dispatched further"),
    "send_back_below": ("退回下级重办", "send a reply from below back", "转派单位", "the unit that dispatched further"),
    "reply": ("提交办理结果", "submit the reply", "承办单位", "the unit"),
    "note": ("报告进展", "say what was done so far", "承办单位", "the unit"),
    "pass": ("审核通过", "pass the review", "审核人员", "reviewer"),
    "send_back": ("退回重办", "send back", "审核人员", "reviewer"),
    "call_back": ("回访", "call back", "回访人员", "call-back desk"),
    "redo": ("重办", "do again", "回访、督查", "call-back desk, supervisor"),
    "appeal_review": ("对评价申诉", "appeal against a grade", "被评价单位", "the unit that was graded"),
    "ask_review": (
        "申请复核不予受理",
        "ask for a review of the refusal",
        "诉求人；代其申请的中心、督查",
        "applicant; an office for him",
    ),
    "conclude": ("终结", "conclude", "中心负责人", "head of the centre"),
    "begin_procedure": ("转入法定程序", "hand over to a statutory procedure", "主办单位，经审核", "the lead, reviewed"),
    "end_procedure": ("报告程序结果", "say how the procedure ended", "主办单位", "the lead"),
    "ask_hang": ("申请挂账", "ask to hang it", "主办单位", "the lead"),
    "hang": ("挂账", "hang", "市县批准", "county or city approves"),
    "release": ("销账", "release", "市县批准", "county or city approves"),
    "ask_extension": ("申请延期", "ask for an extension", "单位负责人", "unit leader"),
    "pause": ("暂停计时", "let the clock stand still", "承办单位", "the unit"),
    "go_on": ("恢复计时", "let the clock go on", "承办单位；时钟", "the unit, the clock"),
    "decide_extension": ("审批延期", "decide the extension", "派单员或上级", "dispatcher or above"),
    "merge": ("合并", "merge", "派单员", "dispatcher"),
    "confirm_merge": ("确认合并", "confirm the merger", "主工单", "the head case"),
    "take_member": ("并入", "take another case in", "另一工单", "another case"),
    "unmerge": ("解除合并", "unmerge", "派单员", "dispatcher"),
    "split": ("拆分", "split", "派单员", "dispatcher"),
    "supplement": ("补充诉求", "supplement", "诉求人", "applicant"),
    "withdraw": ("撤回", "withdraw", "诉求人；随工单结束", "applicant; with the end of the case"),
    "evaluate": ("评价", "evaluate", "诉求人", "applicant"),
    "close": ("办结", "close", "系统", "the system"),
    "archive": ("归档", "archive", "时钟", "the clock"),
    "forget": ("注销", "drop", "时钟", "the clock"),
    "pre_check": ("预审", "pre-check", "窗口", "window"),
    "deem_accepted": ("视为受理", "deem accepted", "时钟", "the clock"),
    "ask_materials": ("一次性告知补正", "ask for materials, once", "审批部门", "the department"),
    "supply_materials": ("补正", "supply materials", "申请人", "applicant"),
    "lapse": ("逾期未补正", "lapse", "时钟", "the clock"),
    "not_accept": ("不予受理", "not accept", "审批部门", "the department"),
    "examine": ("审查", "examine", "审批部门", "the department"),
    "begin_excluded": ("进入不计时程序", "begin a procedure not counted", "审批部门", "the department"),
    "end_excluded": ("结束不计时程序", "end it", "审批部门", "the department"),
    "grant": ("准予", "grant", "审批部门", "the department"),
    "grant_on_promise": ("告知承诺准予", "grant on a promise", "审批部门", "the department"),
    "break_promise": ("未履行承诺", "promise not kept", "监管部门", "the regulator"),
    "refuse": (
        "不予受理、不予许可（告知救济途径）",
        "refuse, with notice of remedies",
        "受理人员、审批部门",
        "intake officer, the department",
    ),
    "make_certificate": ("制证", "make the certificate", "审批部门", "the department"),
    "deliver": ("送达", "deliver", "窗口", "window"),
    "notify_regulator": ("审管联动推送", "notify the regulator", "审批部门", "the department"),
}

KINDS: Mapping[str, tuple[str, str]] = {
    "handle": ("办理", "handle"),
    "review": ("审核", "review"),
    "decide_return": ("退单裁量", "decide a return"),
    "arbitrate": ("裁定", "arbitrate"),
    "decide_extension": ("审批延期", "decide an extension"),
    "triage": ("人工分派", "triage"),
    "confirm_refusal": ("确认不予受理", "confirm a refusal"),
    "confirm_receipt": ("确认接收", "confirm receipt"),
    "acknowledge": ("升级告知", "acknowledge an escalation"),
    "report": ("报告办理情况（督办、批示）", "report to the office that ordered it"),
    "read_report": ("审阅报告", "read a report"),
    "decide_merge": ("合并裁量", "decide a merger"),
    "decide_hang": ("审批挂账", "decide about the list of hard cases"),
    "review_plan": ("复核挂账计划", "review the plan of a hard case"),
    "call_back": ("回访", "call back"),
    "judge_review": ("评价申诉复核", "decide an appeal against a grade"),
    "end_procedure": ("报告法定程序结果", "say how the statutory procedure ended"),
}


OFFICES: Mapping[str, tuple[str, str]] = {
    "holder": ("承办单位", "holder of an open leg"),
    "lead": ("主办单位", "lead"),
    "first_level": ("一级承办单位", "first-level unit"),
    "superior": ("承办单位的上级", "above a holder"),
    "centre": ("中心（热线办）及上级中心", "centre, or a centre above"),
    "county_centre": ("其下属、工单所在地的中心", "the centre of the place below it"),
    "supervisor": ("督查", "supervisor"),
    "leaders_office": ("领导办公室", "leader's office"),
    "arbiter": ("裁定机构", "arbitration body"),
}

ORDERED: Mapping[str, tuple[str, str]] = {
    "urge": ("催办", "urge"),
    "supervise": ("督办", "supervise"),
    "lift": ("解除督办、批示", "lift"),
    "instruct": ("批示", "instruct"),
    "re_dispatch": ("改派", "dispatch to another unit"),
    "redirect": ("转应急", "redirect an emergency"),
    "refuse": ("不予受理", "refuse"),
    "conclude": ("终结", "conclude"),
    "ex_officio": ("撤回后依职权继续", "go on ex officio after a withdrawal"),
    "mark_malicious": ("认定恶意诉求", "mark as malicious"),
    "reveal": ("调阅身份", "reveal the identity"),
    "merge": ("合并", "merge"),
    "unmerge": ("解除合并", "unmerge"),
    "split": ("拆分", "split"),
    "release": ("销账", "release from the list of hard cases"),
    "redo": ("重办", "have it done again"),
    "appeal_review": ("对评价申诉", "appeal against a grade"),
    "ask_review": ("代诉求人申请复核不予受理", "ask for a review of the refusal, for the applicant"),
}


def page() -> str:
    """The whole of docs/states.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# 状态 / States",
        "",
        "本页由 `workflows/states.py` 的表生成，请勿手改：`python -m workflows.drawing > docs/states.md`。",
        "表中没有的动作一律拒绝（`not_allowed`）；标“后续”的动作尚未开通（`not_available`）。",
        "",
        "Drawn from the tables of `workflows/states.py`; do not edit: `python -m workflows.drawing > docs/states.md`.",
        "What a table does not name is refused (`not_allowed`); an action marked 后续/later is not available yet"
        " (`not_available`).",
    )
    for name, table in TABLES.items():
        yield from _section(name, table)
    yield from _tasks()
    yield from _rights()
    yield from _refusals()


def _section(name: str, table: Table) -> Iterator[str]:
    zh, en = TITLES[name]
    yield from ("", f"## {zh} / {en}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(table))}")
    for state, moves in table.items():
        for action, to in moves.items():
            if to != state:
                yield f"    {state} --> {to}: {ACTIONS[action][0]} {action}"
        if not moves:
            yield f"    {state} --> [*]"
    yield from ("```", "", "| 状态 state | 动作 action | 谁 who | 到 to |", "|---|---|---|---|")
    for state, moves in table.items():
        for action, to in moves.items():
            yield _row(name, state, action, to)
        if not moves:
            yield f"| {_state(state)} | – | | |"


def _row(name: str, state: str, action: str, to: str) -> str:
    zh, en, who_zh, who_en = ACTIONS[action]
    later = "（后续 later）" if name == "approval" or action in LATER else ""
    return f"| {_state(state)} | {zh} {en} `{action}`{later} | {who_zh} {who_en} | {_state(to)} |"


def _state(state: str) -> str:
    zh, en = STATES[state]
    return f"{zh} {en} `{state}`"


def _tasks() -> Iterator[str]:
    yield from ("", "## 任务 / Tasks", "", "| 任务 task | 可答 may be answered |", "|---|---|")
    for kind, actions in TASK_ACTIONS.items():
        yield f"| {KINDS[kind][0]} {KINDS[kind][1]} `{kind}` | {' · '.join(f'`{action}`' for action in actions)} |"


def _rights() -> Iterator[str]:
    yield from (
        "",
        "## 指令与权限 / Orders and rights",
        "",
        "谁可以发出哪种指令（`workflows/rights.py`）；标 * 的在工单未办结的任何状态均可。被反映单位及其下属单位一律回避（工单所属中心仅在自身被反映时回避）。",
        "",
        "Who may order what; those marked * in every state of a case that has not ended. Who is complained about, or"
        " stands below, may order nothing; the centre that owns the case only if it is meant itself.",
        "",
        "| 指令 order | 谁 who | 须有 needs |",
        "|---|---|---|",
    )
    for action, right in RIGHTS.items():
        who = "、".join(f"{OFFICES[office][0]} {OFFICES[office][1]}" for office in right.offices)
        star = " *" if action in ANYTIME else ""
        yield f"| {ORDERED[action][0]} {ORDERED[action][1]} `{action}`{star} | {who} | {_needs(right)} |"


def _needs(right: Right) -> str:
    words = {
        "reason": "原因代码 reason of the list",
        "second": "另一人复核 second officer",
        "document": "文号 document number",
        "text": "说明 text",
        "evidence": "佐证材料 evidence",
    }
    return "、".join(word for name, word in words.items() if getattr(right, name))


def _refusals() -> Iterator[str]:
    yield from ("", "## 拒绝代码 / Codes of refusal", "", "| code | 说明 | meaning |", "|---|---|---|")
    for code, (zh, en) in REFUSALS.items():
        yield f"| `{code}` | {zh} | {en} |"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(page())
