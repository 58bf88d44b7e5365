"""
The closed vocabularies of the contract: each word with its Chinese and its English label. Those of what becomes of a
case are in schemas/handling.py.

A word is what stands on the wire; the labels are what people read. Words are only ever added:
removing or renaming one would make stored messages unreadable (tests/unit/contract/test_golden_schemas.py).
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


class Part(Word):
    """承办角色 the unit's part."""

    LEAD = "lead", "主办", "lead"
    ASSIST = "assist", "协办", "assist"
    COPY = "copy", "抄送", "copy"
    SUB = "sub", "转派", "sub-dispatched"


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


class PersonalClass(Word):
    """个人信息类别 class of personal data (个人信息保护法; marked in the JSON Schema as x-personal)."""

    IDENTITY = "identity", "身份", "identity"
    CONTACT = "contact", "联系方式", "contact"
    LOCATION = "location", "位置", "location"
    CONTENT = "content", "诉求内容", "content that may name people"
    RECORDING = "recording", "录音影像", "recording"
    STATUS = "status", "特殊身份", "status such as minor or whistle-blower"
