"""
The closed vocabularies of the contract: each word with its Chinese and its English label.

A word is what stands on the wire; the labels are what people read. Words are only ever added:
removing or renaming one would make stored messages unreadable (tests/unit/test_golden_schemas.py).
"""

from enum import StrEnum
from typing import Self

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Word(StrEnum):
    """A word on the wire with the labels `zh` and `en`; equal to its plain string."""

    zh: str
    en: str

    def __new__(cls, word: str, zh: str = "", en: str = "") -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.zh = zh
        member.en = en
        return member

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Put the labels beside the words, so that a form can be drawn from the JSON Schema alone."""
        schema = handler(core)
        handler.resolve_ref_schema(schema).update(
            {"x-labels": {word.value: {"zh": word.zh, "en": word.en} for word in cls}}
        )
        return schema


class AppealKind(Word):
    """诉求类型 kind of appeal (domain.md §3)."""

    CONSULT = "consult", "咨询", "consultation"
    HELP = "help", "求助", "help"
    COMPLAINT = "complaint", "投诉", "complaint"
    REPORT = "report", "举报", "report of wrongdoing"
    SUGGESTION = "suggestion", "建议", "suggestion"
    PRAISE = "praise", "表扬", "praise"
    OTHER = "other", "其他", "other"
    APPLICATION = "application", "申请办理", "application for a service"


class Medium(Word):
    """来电方式 how the appeal came in."""

    PHONE = "phone", "电话", "phone"
    WECHAT = "wechat", "微信", "WeChat"
    SMS = "sms", "短信", "text message"
    WEB = "web", "网站", "website"
    APP = "app", "移动应用", "app"
    LETTER = "letter", "信件", "letter"
    WEIBO = "weibo", "微博", "Weibo"
    WINDOW = "window", "窗口", "service window"
    VIDEO = "video", "视频", "video"
    TERMINAL = "terminal", "自助终端", "terminal"


class Origin(Word):
    """来源 who passed it on."""

    CITIZEN = "citizen", "群众", "citizen"
    POLICE_110 = "110", "110移交", "handed over by 110"
    SUPERIOR = "superior", "上级交办", "ordered from above"
    OTHER_CITY = "other_city", "外市转来", "from another city"
    PEOPLE_CN = "people.cn", "人民网", "people.cn"
    GRID = "grid", "网格", "grid worker"
    SENSOR = "sensor", "物联感知", "sensor"
    SUPERVISION = "supervision", "督查", "supervision"
    MEDIA = "media", "媒体", "media"


class Urgency(Word):
    """紧急程度 urgency."""

    NORMAL = "normal", "一般", "normal"
    URGENT = "urgent", "紧急", "urgent"
    EMERGENCY = "emergency", "突发", "emergency"


class PlaceKind(Word):
    """地点类型 kind of place."""

    DIVISION = "division", "行政区划", "administrative division"
    FUNCTIONAL_ZONE = "functional_zone", "功能区", "functional zone"
    SCENIC_AREA = "scenic_area", "景区", "scenic area"


class Precision(Word):
    """位置精度 how exact the coordinates are."""

    EXACT = "exact", "准确", "exact"
    BUILDING = "building", "楼栋", "building"
    STREET = "street", "道路", "street"
    AREA = "area", "区域", "area"


class ApplicantKind(Word):
    """诉求人类型 kind of applicant."""

    PERSON = "person", "个人", "person"
    ENTERPRISE = "enterprise", "企业", "enterprise"
    INDIVIDUAL_BUSINESS = "individual_business", "个体工商户", "individual business"
    COOPERATIVE = "cooperative", "农民专业合作社", "cooperative"
    SOCIAL_ORG = "social_org", "社会组织", "social organisation"
    PUBLIC_BODY = "public_body", "机关事业单位", "public body"
    FOREIGNER = "foreigner", "外国人", "foreigner"
    MINOR = "minor", "未成年人", "minor"
    ANONYMOUS = "anonymous", "匿名", "anonymous"


class IdKind(Word):
    """证件类型 kind of identity document."""

    ID_CARD = "id_card", "居民身份证", "identity card"
    USCC = "uscc", "统一社会信用代码", "unified social credit code"
    PASSPORT = "passport", "护照", "passport"
    PERMIT = "permit", "通行证", "travel permit"
    ENTERPRISE_CODE = "enterprise_code", "企业编码", "enterprise code"
    RESIDENT_CODE = "resident_code", "居民码", "resident code"


class Disclosure(Word):
    """身份公开 what the handling unit may see of the applicant."""

    OPEN = "open", "公开", "open"
    CONFIDENTIAL = "confidential", "保密", "confidential"
    ANONYMOUS = "anonymous", "匿名", "anonymous"


class SubjectKind(Word):
    """被反映对象类型 kind of the one complained about."""

    UNIT = "unit", "单位", "public unit"
    ENTERPRISE = "enterprise", "企业", "enterprise"
    PERSON = "person", "个人", "person"


class MaterialSource(Word):
    """材料来源 where a material comes from (one_things.md): shared data, an earlier leg, the applicant."""

    SHARED = "S", "数据共享", "shared data or licence"
    PREVIOUS = "P", "前序环节产生", "result of an earlier step"
    OWN = "O", "申请人提交", "the applicant's own"


class TaskKind(Word):
    """任务类型 what a person is asked to do."""

    HANDLE = "handle", "办理", "handle"
    REVIEW = "review", "审核", "review a reply"
    TRIAGE = "triage", "人工分派", "triage"
    DECIDE_RETURN = "decide_return", "退单裁量", "decide a return"
    ARBITRATE = "arbitrate", "裁定", "rule on who must act"
    DECIDE_EXTENSION = "decide_extension", "审批延期", "decide an extension"
    CONFIRM_REFUSAL = "confirm_refusal", "确认不予受理", "confirm a proposed refusal"
    CONFIRM_RECEIPT = "confirm_receipt", "确认接收", "confirm receipt of an emergency"
    ACKNOWLEDGE = "acknowledge", "升级告知，请确认已阅", "acknowledge an escalation"
    REPORT = "report", "报告办理情况（督办、批示）", "report to the office that ordered it"
    READ_REPORT = "read_report", "审阅报告", "read a report"
    DECIDE_MERGE = "decide_merge", "合并裁量", "decide whether two cases are handled as one"
    DECIDE_HANG = "decide_hang", "审批挂账", "decide whether it is put on the list of hard cases"
    REVIEW_PLAN = "review_plan", "复核挂账计划", "look at the plan of a hard case"
    CALL_BACK = "call_back", "回访", "call back"
    JUDGE_REVIEW = "judge_review", "评价申诉复核", "decide an appeal against a grade"
    END_PROCEDURE = "end_procedure", "报告法定程序结果", "say how the statutory procedure ended"


class Part(Word):
    """承办角色 the unit's part."""

    LEAD = "lead", "主办", "lead"
    ASSIST = "assist", "协办", "assist"
    COPY = "copy", "抄送", "copy"
    SUB = "sub", "转派", "sub-dispatched"


class ReplyAction(Word):
    """承办动作 what a unit may say about a task."""

    SIGN = "sign", "签收", "sign"
    RETURN = "return", "退单", "return"
    SUB_DISPATCH = "sub_dispatch", "转派", "dispatch further to own units"
    RECALL = "recall", "收回转派", "take back what was dispatched further"
    SEND_BACK_BELOW = "send_back_below", "退回下级重办", "send a reply from below back"
    REPLY = "reply", "提交办理结果", "submit the reply"
    ACCEPT_RETURN = "accept_return", "同意退单", "accept the return"
    REJECT_RETURN = "reject_return", "驳回退单", "reject the return"
    ARBITRATE = "arbitrate", "提请裁定", "take to arbitration"
    RULE = "rule", "裁定", "rule"
    PASS = "pass", "审核通过", "pass the review"
    SEND_BACK = "send_back", "退回重办", "send back"
    CONFIRM_REFUSAL = "confirm_refusal", "确认不予受理", "confirm the refusal"
    REJECT_REFUSAL = "reject_refusal", "不同意不予受理", "reject the refusal"
    DISPATCH = "dispatch", "派单", "dispatch"
    REDIRECT = "redirect", "转应急", "redirect to the emergency service"
    CONFIRM_RECEIPT = "confirm_receipt", "确认接收", "confirm receipt"
    NOTE = "note", "报告进展", "say what was done so far"
    ACKNOWLEDGE = "acknowledge", "已阅", "acknowledge"
    REPORT = "report", "报告办理情况", "report"
    ACCEPT_REPORT = "accept_report", "采纳报告", "accept the report"
    REJECT_REPORT = "reject_report", "退回报告", "ask for the report again"
    ASK_HANG = "ask_hang", "申请挂账", "ask to put it on the list of hard cases"
    GRANT_HANG = "grant_hang", "同意挂账", "put it on the list of hard cases"
    REFUSE_HANG = "refuse_hang", "不同意挂账", "do not put it on the list of hard cases"
    REVIEW_PLAN = "review_plan", "复核计划", "review the plan"
    ASK_EXTENSION = "ask_extension", "申请延期", "ask for an extension"
    GRANT_EXTENSION = "grant_extension", "同意延期", "grant the extension"
    REFUSE_EXTENSION = "refuse_extension", "不同意延期", "refuse the extension"
    PAUSE = "pause", "暂停计时", "let the clock stand still"
    GO_ON = "go_on", "恢复计时", "let the clock go on"
    ACCEPT_MERGE = "accept_merge", "同意合并", "merge the two"
    REJECT_MERGE = "reject_merge", "不合并", "keep them apart"
    CALL_BACK = "call_back", "回访完成", "called back"
    NOT_REACHED = "not_reached", "未接通", "nobody was reached"
    REDO = "redo", "重办", "have it done again"
    GRANT_APPEAL = "grant_appeal", "申诉成立", "grant the appeal"
    REFUSE_APPEAL = "refuse_appeal", "申诉不成立", "refuse the appeal"
    END_PROCEDURE = "end_procedure", "报告程序结果", "say how the procedure ended"


class OrderAction(Word):
    """指令动作 what an office may order without having been asked."""

    URGE = "urge", "催办", "urge"
    SUPERVISE = "supervise", "督办", "supervise"
    LIFT = "lift", "解除督办", "lift the supervision"
    INSTRUCT = "instruct", "批示", "instruct"
    RE_DISPATCH = "re_dispatch", "改派", "dispatch to another unit"
    REDIRECT = "redirect", "转应急", "redirect to the emergency service"
    RELEASE = "release", "销账", "release from the list of hard cases"
    CONCLUDE = "conclude", "终结", "conclude"
    MERGE = "merge", "合并", "merge"
    UNMERGE = "unmerge", "解除合并", "unmerge"
    SPLIT = "split", "拆分", "split"
    REVEAL = "reveal", "调阅身份", "reveal the identity"
    MARK_MALICIOUS = "mark_malicious", "认定恶意诉求", "mark as malicious"
    EX_OFFICIO = "ex_officio", "撤回后依职权继续", "go on ex officio after a withdrawal"
    REFUSE = "refuse", "不予受理", "refuse"
    REDO = "redo", "重办", "have it done again"
    APPEAL_REVIEW = "appeal_review", "对评价申诉", "appeal against a grade"


class OrderCode(Word):
    """指令结果 what became of an order."""

    ACCEPTED = "accepted", "已生效", "it took effect"
    REFUSED = "refused", "未生效", "it had no effect"
    HELD = "held", "已留存，等人工处理", "kept until a person has looked at it"


class ReplyResult(Word):
    """办理结果 what came of it."""

    SOLVED = "solved", "已解决", "solved"
    ANSWERED = "answered", "已解释答复", "answered"
    UNREASONABLE = "unreasonable", "诉求不合理（已解释）", "unreasonable, explained"
    TRANSFERRED = "transferred", "转入法定程序", "moved to a statutory procedure"
    REFERRED_OUTSIDE = "referred_outside", "转外部机构", "referred outside"


class CloseReason(Word):
    """办结方式 why a case ended (domain.md §2)."""

    SOLVED = "solved", "已解决", "solved"
    ANSWERED = "answered", "已答复", "answered"
    UNREASONABLE = "unreasonable", "诉求不合理（已解释）", "unreasonable, explained"
    TRANSFERRED = "transferred", "转入法定程序", "moved to a statutory procedure"
    CONCLUDED = "concluded", "终结", "concluded"
    WITHDRAWN = "withdrawn", "诉求人撤回", "withdrawn by the applicant"
    REFERRED_OUTSIDE = "referred_outside", "转外部机构", "referred outside"
    REFUSED = "refused", "不予受理", "refused"


class RefusalGround(Word):
    """不予受理理由 grounds on which an appeal may be refused."""

    NOT_WITHIN_SCOPE = "not_within_scope", "不属于受理范围", "outside the hotline's scope"
    IN_STATUTORY_PROCEDURE = (
        "in_statutory_procedure",
        "已进入诉讼、仲裁、复议、信访等法定途径",
        "already before a court, arbitration, reconsideration or petition body",
    )
    CONCLUDED_BEFORE = "concluded_before", "已终结且无新情况", "concluded before, nothing new"
    STATE_SECRET = "state_secret", "涉及国家秘密", "touches state secrets"
    PRIVATE_DISPUTE = "private_dispute", "民事纠纷，应通过司法途径解决", "a private dispute for the courts"
    UNLAWFUL_CONTENT = "unlawful_content", "违反法律法规或公序良俗", "against the law or public order"
    NOT_IDENTIFIABLE = "not_identifiable", "内容不清且无法核实", "unclear and not to be verified"
    OTHER_AUTHORITY = "other_authority", "属于其他专门机关职权", "for another authority"
    EMERGENCY_LINE = "emergency_line", "应拨打110、119、120等紧急热线", "for the emergency lines 110, 119, 120"
    IN_PROGRESS = "in_progress", "同一事项正在办理", "the same matter is being handled"
    OTHER = "other", "其他依法不予受理的情形", "another case in which the law has it refused"


GRADES = {
    5: ("非常满意", "very satisfied"),
    4: ("满意", "satisfied"),
    3: ("基本满意", "basically satisfied"),
    2: ("不满意", "dissatisfied"),
    1: ("非常不满意", "very dissatisfied"),
}
"""好差评: the five grades (国办发〔2019〕51号)."""


class ReceiptCode(Word):
    """回执代码 what became of a message."""

    ACCEPTED = "accepted", "已接收", "accepted"
    DUPLICATE = "duplicate", "重复提交", "duplicate"
    ID_REUSED = "id_reused", "编号重复使用", "id used again with another content"
    REJECTED = "rejected", "消息有误", "the message is at fault"
    REFUSED_COMMAND = "refused_command", "当前状态不允许", "not allowed in this state"
    HELD = (
        "held",
        "已收到，暂不能处理，等人工处理，请勿重发",
        "received, cannot be processed yet, a person will see to it: do not send it again",
    )


class CaseState(Word):
    """工单状态 what the channel is told of the state of a case."""

    REGISTERED = "registered", "已登记", "registered"
    REDIRECTED = "redirected", "已转应急", "redirected to the emergency service"
    IN_TRIAGE = "in_triage", "待人工分派", "waiting for triage"
    REFUSAL_PROPOSED = "refusal_proposed", "拟不予受理", "refusal proposed"
    ACCEPTED = "accepted", "已受理", "accepted"
    DISPATCHED = "dispatched", "已派单", "dispatched"
    SIGNED = "signed", "已签收", "signed"
    REFUSED = "refused", "不予受理", "refused"
    REPLIED = "replied", "已回复待审核", "replied"
    SENT_BACK = "sent_back", "退回重办", "sent back"
    ANSWERED_AT_ONCE = "answered_at_once", "直接答复", "answered at once"
    CLOSED = "closed", "已办结", "closed"
    WITHDRAWN = "withdrawn", "已撤回", "withdrawn"
    CALLED_BACK = "called_back", "回访中", "the applicant is being asked"
    REDO = "redo", "重办", "it is done again"
    DUE_MOVED = "due_moved", "办理时限变更", "the promised date has moved"
    MERGED = "merged", "已合并办理", "handled together with another case"
    HUNG = "hung", "挂账（另有计划日期）", "on the list of hard cases, with a plan date"
    RELEASED = "released", "已销账，继续办理", "released, being handled again"
    IN_PROCEDURE = "in_procedure", "已转入法定程序，另有期限", "in a statutory procedure, with its own date"


class ResemblanceKind(Word):
    """相似情形 what a case has in common with others."""

    REPEAT = "repeat", "同一人再次反映", "the same person again"
    ALIKE = "alike", "疑似同一事项", "perhaps the same thing"
    GROUP = "group", "多人反映同一事项", "several people about one thing"
    BURST = "burst", "同地紧急情况集中", "several emergencies at one place"


class ClockKind(Word):
    """时限类型 what a clock measures (workflows.policies)."""

    SIGN = "sign", "签收", "sign"
    CONTACT = "contact", "首次联系", "first contact"
    PROGRESS = "progress", "进展报告", "word of progress"
    FINISH = "finish", "办结", "finish"
    REVIEW = "review", "审核", "review"
    RETURN_DECISION = "return_decision", "退单审核", "decide a return"
    ARBITRATION = "arbitration", "裁定", "rule on who must act"
    TRIAGE = "triage", "人工分派", "triage"
    CONFIRM = "confirm", "确认", "confirm"
    REPORT = "report", "督办、批示报告", "report to the office that ordered it"
    HANG_DECISION = "hang_decision", "挂账审批", "decide about the list of hard cases"
    PLAN_REVIEW = "plan_review", "挂账计划复核", "review of the plan of a hard case"
    EXTENSION_DECISION = "extension_decision", "延期审批", "decide an extension"
    CALL_BACK = "call_back", "回访", "call back"
    JUDGE_REVIEW = "judge_review", "评价申诉复核", "decide an appeal against a grade"
    STATUTORY = "statutory", "法定程序", "statutory procedure"
    MERGE_DECISION = "merge_decision", "合并裁量", "decide a merger"
    MERGE = "merge", "等待主工单答复", "waiting for the head case"
    FOLLOW_UP = "follow_up", "催问法定程序结果", "asking how the statutory procedure ended"


class SupervisionStep(Word):
    """督办方式 what a supervisor is told or asked to do."""

    WARN = "warn", "预警", "warning before the due time"
    OVERDUE = "overdue", "超期", "overdue"
    URGE = "urge", "催办", "urge"
    SUPERVISE = "supervise", "督办", "supervise"
    NOTIFY = "notify", "通报", "notify"
    RAISE = "raise", "提级", "raise a level"
    REDISPATCH = "redispatch", "改派建议", "suggest another unit"


class OversightStep(Word):
    """督导事项 what an office has done about a case beside handling it."""

    SUPERVISE = "supervise", "督办", "supervision ordered"
    INSTRUCT = "instruct", "批示", "instruction passed on"
    REPORTED = "reported", "已报告", "the unit reported"
    REPORT_REJECTED = "report_rejected", "报告退回", "the report was sent back"
    REPORT_ACCEPTED = "report_accepted", "报告采纳，即解除", "the report was accepted, which lifts the order"
    LIFTED = "lifted", "解除", "lifted"
    ENDED = "ended", "随工单结束", "over with the case"
    HUNG = "hung", "挂账", "put on the list of hard cases"
    PLAN_MOVED = "plan_moved", "挂账计划改期", "the plan date of a hard case was moved"
    RELEASED = "released", "销账", "released from the list of hard cases"
    RE_DISPATCH = "re_dispatch", "改派", "dispatched to another unit"
    CONCLUDE = "conclude", "终结", "concluded"


class PersonalClass(Word):
    """个人信息类别 class of personal data (个人信息保护法; marked in the JSON Schema as x-personal)."""

    IDENTITY = "identity", "身份", "identity"
    CONTACT = "contact", "联系方式", "contact"
    LOCATION = "location", "位置", "location"
    CONTENT = "content", "诉求内容", "content that may name people"
    RECORDING = "recording", "录音影像", "recording"
    STATUS = "status", "特殊身份", "status such as minor or whistle-blower"
