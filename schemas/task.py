"""
What passes between us and a unit: a task with its due times, and the unit's reply to it.

A reply echoes the case id and the task id it was given; it counts only if it comes through the
endpoint that holds the task. A refused reply is answered on the endpoint's own task topic.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.fields import CaseId, Code, Count, Flag, Line, Model, Name, Ref, TaskId, Text, UnitId, described, personal
from schemas.handling import ClockKind, OrderAction, ReplyAction, ReplyResult, TaskKind
from schemas.request import CALL_BACK, HANDLE, Attachment, Complete, ServiceRequest, Supplement
from schemas.times import Instant
from schemas.vocabulary import Part, Urgency


class Said(Model):
    """双语文字 a text in both languages."""

    zh: str
    en: str


class Due(Model):
    """时限 until when; provisional where the calendar of that year is not out yet."""

    kind: Annotated[ClockKind, described("时限类型", "which clock")]
    due: Annotated[Instant, described("到期时间", "due at")]
    provisional: Annotated[Flag, described("暂定（日历未公布）", "provisional: calendar not published")] = False
    paused: Annotated[Flag, described("暂停计时中", "stands still for now; due moves by as much")] = False


class Why(Model):
    """分派依据 one column of the rule that matched."""

    column: str
    value: str
    cell: str


class RuleApplied(Model):
    """所依规则 the rule that decided, of which version of the catalogue, and why it matched."""

    id: str
    number: Count
    catalogue: Count
    why: tuple[Why, ...] = ()


class ReplyUnderReview(Model):
    """待审核的办理结果 the reply that the reviewer is asked about."""

    result: Annotated[ReplyResult, described("办理结果", "result")]
    text: Annotated[Text, described("答复内容", "the answer"), personal("content", purpose=HANDLE)] = ""
    unit: Annotated[UnitId | None, described("承办单位", "by which unit")] = None
    unit_name: Annotated[str | None, described("承办单位名称", "its name")] = None
    contacted: Annotated[Flag | None, described("是否已联系诉求人", "whether the applicant was contacted")] = None
    basis: Annotated[str | None, described("依据", "legal basis")] = None
    attachments: Annotated[tuple[Attachment, ...], described("附件", "attachments")] = ()
    unanswered: Annotated[
        tuple[UnitId, ...], described("尚未答复的协办单位", "assisting units that have not answered")
    ] = ()


class ReturnAsked(Model):
    """退单申请 what a unit says against having the task, for who decides or rules."""

    unit: Annotated[UnitId, described("申请退单的单位", "by which unit")]
    unit_name: Annotated[str, described("单位名称", "its name")] = ""
    reason: Annotated[str, described("退单原因", "reason")] = ""
    text: Annotated[Text, described("说明", "in words"), personal("content", purpose=HANDLE)] = ""
    basis: Annotated[str, described("职责依据（三定）", "duty basis")] = ""
    attachments: Annotated[tuple[Attachment, ...], described("佐证材料", "evidence")] = ()
    proposed_unit: Annotated[UnitId | None, described("建议承办单位", "unit proposed instead")] = None
    number: Annotated[Count, described("本环节第几次退单", "the how-manieth return of this place in the case")] = 0


class Graded(Model):
    """诉求人的评价 the applicant's grade and why, for who looks into it."""

    grade: Annotated[Count, described("评价等级，1 至 5", "grade, from 1 to 5", le=5)]
    reasons: Annotated[tuple[Code, ...], described("评价原因代码", "codes of the closed list")] = ()
    text: Annotated[Text | None, described("评价说明", "in words"), personal("content", purpose=HANDLE)] = None


class Appeal(Model):
    """评价申诉 what a unit says against the applicant's grade, for who decides."""

    unit: Annotated[UnitId, described("申诉的单位", "by which unit")]
    unit_name: Annotated[str, described("单位名称", "its name")] = ""
    text: Annotated[Text, described("说明", "in words"), personal("content", purpose=HANDLE)] = ""
    attachments: Annotated[tuple[Attachment, ...], described("佐证材料", "evidence")] = ()


class Guess(Model):
    """推测 a category and how likely it is."""

    category: Annotated[Code, described("诉求分类代码", "appeal category")]
    score: Annotated[float, Field(ge=0, le=1), described("把握，0 至 1", "how likely, from 0 to 1")]


class Found(Model):
    """查到的答复 an entry of the knowledge base that may answer the question; nobody has sent it."""

    entry: Annotated[str, described("知识库条目编号", "entry of the knowledge base")]
    title: Annotated[str, described("条目标题", "its title")]
    score: Annotated[float, Field(ge=0, le=1), described("把握，0 至 1", "how well it fits, from 0 to 1")]
    by: Annotated[str, described("由谁查到", "found by whom")]
    version: Annotated[str, described("其版本", "its version")]


class Proposal(Model):
    """分类建议 what a classifier thinks of a request whose channel named no category; a proposal, never what was said."""

    by: Annotated[str, described("由谁建议", "by what: dictionary, model, or a platform")]
    version: Annotated[str, described("其版本", "its version")]
    threshold: Annotated[float, Field(ge=0, le=1), described("采用的门槛", "from which score on it is used")]
    top: Annotated[tuple[Guess, ...], described("最可能的分类", "the likeliest categories")] = ()
    category: Annotated[str, described("据以派单的分类，空为未达门槛", "routed by this; empty: below it")] = ""
    score: Annotated[float, Field(ge=0, le=1), described("其把握", "its score")] = 0.0
    answer: Annotated[Found | None, described("可能的答复（咨询）", "what may answer a question")] = None


class OrderStanding(Model):
    """指令 what an office ordered the unit to report on, and what it reported."""

    id: Annotated[Code, described("指令序号", "its number on the case")]
    action: Annotated[OrderAction, described("督办或批示", "supervise or instruct")]
    unit: Annotated[UnitId, described("发出指令的单位", "who ordered it")]
    unit_name: Annotated[str, described("其名称", "its name")]
    text: Annotated[Text, described("内容", "in words"), personal("content", purpose=HANDLE)] = ""
    document: Annotated[str, described("文号", "document number")] = ""
    post: Annotated[str, described("批示领导的职务", "post of the leader")] = ""
    report: Annotated[Text, described("报告内容", "what was reported"), personal("content", purpose=HANDLE)] = ""
    attachments: Annotated[tuple[Attachment, ...], described("报告附件", "attachments of the report")] = ()


class RefusalProposed(Model):
    """不予受理的理由 why a case is not to be taken, for who confirms or reviews that."""

    ground: Annotated[str, described("理由代码", "ground")]
    basis: Annotated[str, described("法律依据", "legal basis")] = ""
    where_to_turn: Annotated[str, described("可向何处反映", "where to turn instead")] = ""


class OtherCase(Model):
    """另一工单 another case."""

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]


class Task(Model):
    """
    任务 what a unit, or the centre, is asked to do; `round` counts from 0 and rises when sent back.

    The same task may come again with a higher version: it replaces what was known of it.
    """

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    task_id: Annotated[TaskId, described("任务编号", "task id")]
    kind: Annotated[TaskKind, described("任务类型", "kind of task")]
    part: Annotated[
        Part | Literal[""], described("承办角色，非承办任务为空", "the unit's part; empty: not a unit's")
    ] = ""
    unit: Annotated[UnitId, described("承办单位编码", "unit id")]
    unit_name: Annotated[str, described("承办单位名称", "name of the unit")]
    leg: Annotated[str, described("承办分支", "leg")] = ""
    title: Annotated[str, described("标题", "title"), personal("content", purpose=HANDLE)] = ""
    request: Annotated[ServiceRequest | None, described("诉求全文", "the whole request")] = None
    supplements: Annotated[tuple[Supplement, ...], described("补充诉求", "what the applicant has added since")] = ()
    reply_under_review: Annotated[ReplyUnderReview | None, described("待审核结果", "reply to review")] = None
    return_asked: Annotated[ReturnAsked | None, described("待裁量的退单申请", "the return to decide or rule on")] = None
    urgency: Annotated[
        Urgency, described("紧急程度（规则可能高于诉求所填）", "urgency; rules may have raised the request's")
    ] = Urgency.NORMAL
    rule: Annotated[RuleApplied | None, described("所依规则", "rule applied")] = None
    proposal: Annotated[Proposal | None, described("分类建议", "proposed category")] = None
    due: Annotated[tuple[Due, ...], described("时限", "due times")] = ()
    allowed: Annotated[tuple[ReplyAction, ...], described("可用动作", "actions that are allowed")] = ()
    parent_task: Annotated[TaskId | None, described("上级任务", "task of the unit that dispatched further")] = None
    round: Annotated[Count, described("轮次", "round")] = 0
    reason: Annotated[str | None, described("原因", "reason: of the return, the refusal, the sending back")] = None
    order: Annotated[OrderStanding | None, described("所依指令", "the order to report on")] = None
    limit: Annotated[str | None, described("申请的延期时长", "the extension asked for, such as 5wd")] = None
    version: Annotated[Count, described("工单版本", "version of the case")]
    alike: Annotated[OtherCase | None, described("疑似同一事项的工单", "the case to merge into, for decide_merge")] = (
        None
    )
    members: Annotated[
        tuple[str, ...],
        described("合并于此的工单编号：答复将发给每位诉求人", "merged into this one: all get its answer"),
    ] = ()
    evaluation: Annotated[
        Graded | None,
        described("诉求人的评价（回访、评价申诉复核）", "the applicant's grade, for call_back and judge_review"),
    ] = None
    appeal: Annotated[Appeal | None, described("对评价的申诉", "for judge_review: what the unit says against it")] = (
        None
    )
    former_number: Annotated[str, described("接管前的工单编号", "its number in the system it was taken over from")] = ""
    refusal: Annotated[
        RefusalProposed | None,
        described("拟定或已作出的不予受理", "for confirm_refusal: what was proposed, or is objected to"),
    ] = None


class TaskWithdrawn(Model):
    """任务撤回 nothing more is to be done about this task."""

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    task_id: Annotated[TaskId, described("任务编号", "task id")]
    reason: Annotated[str, described("原因", "why")] = ""
    at: Annotated[Instant | None, described("时间", "when")] = None
    version: Annotated[Count, described("工单版本", "version of the case")]


class Target(Model):
    """派单去向 to which unit, in which part."""

    unit: Annotated[UnitId, described("单位编码", "unit id")]
    part: Annotated[Part, described("承办角色", "part")] = Part.LEAD


ACCOUNT = "account for who decided what"

_NEEDED: Mapping[str, tuple[str, ...]] = {
    ReplyAction.REPLY: ("result", "text"),
    ReplyAction.RETURN: ("reason",),
    ReplyAction.SEND_BACK: ("reason",),
    ReplyAction.REPORT: ("text",),
    ReplyAction.ASK_HANG: ("reason", "text", "until"),
    ReplyAction.GRANT_HANG: ("officer", "confirmed_by"),
    ReplyAction.REFUSE_HANG: ("reason",),
    ReplyAction.REVIEW_PLAN: ("text",),
    ReplyAction.REJECT_REPORT: ("reason",),
    ReplyAction.SUB_DISPATCH: ("units",),
    ReplyAction.DISPATCH: ("targets",),
    ReplyAction.REDIRECT: ("reason",),
    ReplyAction.ANSWER_AT_ONCE: ("text", "officer"),
    ReplyAction.RECALL: ("units",),
    ReplyAction.SEND_BACK_BELOW: ("units", "reason"),
    ReplyAction.ARBITRATE: ("reason",),
    ReplyAction.RULE: ("document", "reason"),
    ReplyAction.NOTE: ("text",),
    ReplyAction.ASK_EXTENSION: ("limit", "reason"),
    ReplyAction.REFUSE_EXTENSION: ("reason",),
    ReplyAction.PAUSE: ("reason",),
    ReplyAction.REDO: ("reason",),
    ReplyAction.GRANT_APPEAL: ("reason", "officer", "confirmed_by"),
    ReplyAction.REFUSE_APPEAL: ("reason", "officer"),
}
"""What an action cannot do without."""


class Reply(Complete):
    """答复 what a unit says about one task."""

    case_id: Annotated[CaseId, described("工单内部编号，照抄任务", "case id, as in the task")]
    task_id: Annotated[TaskId, described("任务编号，照抄任务", "task id, as in the task")]
    action: Annotated[ReplyAction, described("动作", "action")]
    result: Annotated[ReplyResult | None, described("办理结果（提交办理结果时必填）", "result, for reply")] = None
    text: Annotated[Text | None, described("答复内容", "the answer"), personal("content", purpose=HANDLE)] = None
    contacted: Annotated[Flag | None, described("是否已联系诉求人", "whether the applicant was contacted")] = None
    solved: Annotated[Flag | None, described("诉求人：是否已解决（回访）", "solved, says the applicant: call_back")] = (
        None
    )
    satisfied: Annotated[
        Flag | None, described("诉求人：是否满意（回访）", "content, says the applicant: call_back")
    ] = None
    contacted_at: Annotated[Instant | None, described("联系时间", "when contacted")] = None
    contact_method: Annotated[
        Line | None, described("联系方式", "how contacted"), personal("contact", purpose=CALL_BACK)
    ] = None
    basis: Annotated[Line | None, described("依据", "legal basis")] = None
    attachments: Annotated[tuple[Attachment, ...], described("附件", "attachments", max_length=50)] = ()
    reason: Annotated[Line | None, described("原因（退单、退回重办必填）", "reason, for return and send_back")] = None
    proposed_unit: Annotated[UnitId | None, described("建议承办单位", "unit proposed instead")] = None
    units: Annotated[
        tuple[UnitId, ...],
        described(
            "转派、收回、退回的下级单位", "units below, for sub_dispatch, recall, send_back_below", max_length=50
        ),
    ] = ()
    targets: Annotated[tuple[Target, ...], described("派单去向", "targets, for dispatch and rule", max_length=50)] = ()
    receipt_no: Annotated[Name | None, described("接收回执号", "receipt number, for confirm_receipt")] = None
    category: Annotated[Code | None, described("派单员认定的诉求分类", "what it is about, for dispatch")] = None
    document: Annotated[Name | None, described("裁定文号", "document number, for rule")] = None
    charged: Annotated[UnitId | None, described("超时记入的单位", "unit that pays for the overrun, for rule")] = None
    unanswered: Annotated[
        tuple[UnitId, ...],
        described(
            "尚未答复的协办单位（主办写明）", "assisting units that have not answered, as the lead says", max_length=50
        ),
    ] = ()
    officer: Annotated[
        Ref | None, described("经办人工号", "staff code of the clerk"), personal("identity", purpose=ACCOUNT)
    ] = None
    confirmed_by: Annotated[
        Ref | None,
        described("确认的负责人工号", "staff code of the leader who confirmed"),
        personal("identity", purpose=ACCOUNT),
    ] = None
    limit: Annotated[
        str | None,
        Field(pattern=r"^[1-9][0-9]{0,3}(m|h|d|wh|wd)$"),
        described("延期时长（如 5wd）；同意时可少于申请", "for how long, such as 5wd; granted may be less than asked"),
    ] = None

    procedure: Annotated[
        Code | None,
        described("转入的法定程序（结果为转入法定程序时）", "statutory procedure, for the result transferred"),
    ] = None
    until: Annotated[Instant | None, described("计划解决日期（申请挂账）", "plan date, for ask_hang")] = None

    @classmethod
    def also_needed(cls, said: Mapping[str, Any]) -> Iterable[str]:
        action = said.get("action")
        needed = _NEEDED.get(action, ()) if isinstance(action, str) else ()
        return (field for field in needed if not said.get(field))


class ReplyRefused(Model):
    """答复被拒 a reply that did not take effect, and why; the fields it could be read from are echoed."""

    case_id: Annotated[CaseId | None, described("工单内部编号", "case id")] = None
    task_id: Annotated[TaskId | None, described("任务编号", "task id")] = None
    action: Annotated[ReplyAction | None, described("动作", "action")] = None
    code: Annotated[Code, described("代码", "code")]
    pointer: Annotated[str | None, Field(max_length=500), described("出错位置", "JSON pointer to the fault")] = None
    text: Annotated[Said, described("说明", "explanation")]
    state: Annotated[str | None, described("当前状态", "state the case was in")] = None
    source: Annotated[str | None, described("原消息位置（主题-分区-偏移）", "topic-partition-offset of the reply")] = (
        None
    )
