"""
What a channel says to us: a request, and what may follow it (supplement, withdrawal, evaluation).

Field names and words are those of reference domain.md §3. Nearly everything is optional: a hotline
knows much, a street terminal little. What is not said is not guessed; `origin`, `medium` and
`appeal_kind` default to what the channel's row in the catalogue says.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, JsonValue, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from schemas.fields import Code, Flag, Line, Model, Name, Region, Text, UnitId, WrittenText, described, personal
from schemas.identity import is_uscc
from schemas.times import Instant
from schemas.vocabulary import (
    AppealKind,
    ApplicantKind,
    Disclosure,
    IdKind,
    MaterialSource,
    Medium,
    Origin,
    PlaceKind,
    Precision,
    SubjectKind,
    Urgency,
)

CALL_BACK = "call back and answer the applicant"
IDENTIFY = "tell who asks and who may be told"
LOCATE = "find the place and the unit that answers for it"
HANDLE = "handle the appeal"

Degrees = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Complete(Model):
    """A model whose fields depend on each other: what `also_needed` names must be there."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for field in self.also_needed(self.__dict__):
            raise PydanticCustomError("missing_field", "a field is required here", {"field": field})
        return self


class Place(Model):
    """地点 where it happened; dispatch goes by place, not by where the call came in."""

    region: Annotated[Region, described("区划代码（6、9或12位）", "division code, 6, 9 or 12 digits")]
    kind: Annotated[PlaceKind, described("地点类型", "kind of place")] = PlaceKind.DIVISION
    town9: Annotated[str | None, described("乡镇街道代码（9位）", "town code, 9 digits", pattern=r"^[0-9]{9}$")] = None
    community12: Annotated[
        str | None, described("村居代码（12位）", "village code, 12 digits", pattern=r"^[0-9]{12}$")
    ] = None
    grid: Annotated[Code | None, described("网格编号", "grid cell")] = None
    address: Annotated[Line | None, described("详细地址", "address"), personal("location", purpose=LOCATE)] = None
    building_code: Annotated[Code | None, described("房屋编码", "building code")] = None
    lon: Annotated[
        Degrees | None,
        described("经度（CGCS2000）", "longitude, CGCS2000", ge=-180, le=180),
        personal("location", purpose=LOCATE),
    ] = None
    lat: Annotated[
        Degrees | None,
        described("纬度（CGCS2000）", "latitude, CGCS2000", ge=-90, le=90),
        personal("location", purpose=LOCATE),
    ] = None
    precision: Annotated[Precision | None, described("位置精度", "how exact the coordinates are")] = None


class Agent(Model):
    """代办人 who files on behalf of the applicant."""

    name: Annotated[Name, described("姓名", "name"), personal("identity", purpose=IDENTIFY)]
    relation: Annotated[Line | None, described("与诉求人关系", "relation to the applicant")] = None
    authority: Annotated[Line | None, described("授权依据", "on what authority")] = None


class Party(Model):
    """诉求人信息 who asks; every field but the kind may stay empty."""

    kind: Annotated[ApplicantKind, described("诉求人类型", "kind of applicant")] = ApplicantKind.PERSON
    name: Annotated[Name | None, described("姓名或名称", "name"), personal("identity", purpose=IDENTIFY)] = None
    phone: Annotated[
        str | None,
        described("联系电话", "phone", pattern=r"^[0-9+() 转*#,;/-]{3,64}$"),
        personal("contact", purpose=CALL_BACK),
    ] = None
    id_kind: Annotated[IdKind | None, described("证件类型", "kind of identity document")] = None
    id_number: Annotated[
        str | None,
        described("证件号码", "number of the identity document", pattern=r"^\S{1,32}$"),
        personal("identity", purpose=IDENTIFY),
    ] = None
    disclosure: Annotated[
        Disclosure,
        described("身份公开方式", "what the unit may see of the applicant"),
        personal("status", purpose=IDENTIFY),
    ] = Disclosure.OPEN

    @model_validator(mode="after")
    def _number_fits_kind(self) -> Self:
        if self.id_number is not None and self.id_kind is IdKind.USCC and not is_uscc(self.id_number):
            raise PydanticCustomError(
                "bad_value",
                "no valid unified social credit code",
                {"field": "id_number", "zh": "不是有效的统一社会信用代码", "en": "no valid unified social credit code"},
            )
        return self


class Applicant(Party):
    """诉求人 the applicant, perhaps through an agent."""

    agent: Annotated[Agent | None, described("代办人", "agent")] = None


class SubjectOfComplaint(Complete):
    """被反映对象 the one complained about; such a unit never leads or reviews the case (recusal)."""

    kind: Annotated[SubjectKind, described("类型", "kind")]
    unit: Annotated[UnitId | None, described("单位编码", "unit id of the catalogue")] = None
    name: Annotated[Name | None, described("名称或姓名", "name"), personal("identity", purpose=HANDLE)] = None

    @classmethod
    def also_needed(cls, said: Mapping[str, Any]) -> Iterable[str]:
        if not said.get("unit") and not said.get("name"):
            yield "unit" if said.get("kind") == SubjectKind.UNIT else "name"


class Wants(Model):
    """诉求人要求 what the applicant asks of the handling."""

    reply: Annotated[Flag, described("要求答复", "wants a reply")] = True
    callback: Annotated[Flag, described("接受回访", "may be called back")] = True
    public: Annotated[Flag, described("同意公开", "may be made public")] = False


class RelatedCase(Model):
    """关联办件 the service case a review or 办不成事 is about."""

    number: Annotated[Name | None, described("办件编号", "number of the case")] = None
    window: Annotated[Name | None, described("窗口", "window")] = None
    officer: Annotated[Name | None, described("工作人员", "officer"), personal("identity", purpose=HANDLE)] = None


class Attachment(Model):
    """附件 a claim check: where the file lies and its hash, never the file itself."""

    name: Annotated[Name, described("文件名", "file name"), personal("content", purpose=HANDLE)]
    uri: Annotated[str, described("存放地址", "where it lies", pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S{1,1000}$")]
    media_type: Annotated[str | None, described("媒体类型", "media type", pattern=r"^[\w.+-]+/[\w.+-]+$")] = None
    size: Annotated[StrictInt | None, described("字节数", "bytes", ge=0, le=2**53)] = None
    sha256: Annotated[str | None, described("SHA-256", "SHA-256", pattern=r"^[0-9a-f]{64}$")] = None


class Material(Model):
    """材料 one of a one-thing's materials, each asked once."""

    id: Annotated[Code, described("材料编码", "material id of the package")]
    source: Annotated[MaterialSource, described("来源", "where it comes from")] = MaterialSource.OWN
    attachment: Annotated[Attachment | None, described("文件", "file")] = None
    licence: Annotated[Name | None, described("证照编号", "licence number"), personal("identity", purpose=HANDLE)] = (
        None
    )


def _storable(form: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse numbers that JSON cannot carry on unchanged: not finite, or beyond 64 bits."""
    rest: list[JsonValue] = [form]
    while rest:
        match rest.pop():
            case dict() as members:
                rest.extend(members.values())
            case list() as items:
                rest.extend(items)
            case float() as number if not isfinite(number):
                raise PydanticCustomError("bad_value", "a finite number is expected")
            case int() as number if not -(2**63) <= number < 2**64:
                raise PydanticCustomError("bad_value", "a number of at most 64 bits is expected")
    return form


class OneThing(Model):
    """高效办成一件事 an application to a package: one form, one set of materials."""

    package: Annotated[Code, described("事项包编码", "package id of the catalogue")]
    form: Annotated[
        dict[str, JsonValue],
        AfterValidator(_storable),
        described("一表申请", "the one form", max_length=200),
        personal("content", purpose=HANDLE),
    ] = Field(default_factory=dict)
    materials: Annotated[tuple[Material, ...], described("一套材料", "the one set of materials", max_length=100)] = ()


class DirectAnswer(Model):
    """直接答复 the call agent has answered; the case ends at once and is counted apart (直办)."""

    agent: Annotated[Name | None, described("话务员", "call agent"), personal("identity", purpose=HANDLE)] = None
    text: Annotated[WrittenText, described("答复内容", "the answer"), personal("content", purpose=HANDLE)]


class ServiceRequest(Complete):
    """诉求 a citizen's or an enterprise's appeal or application, as a channel took it down."""

    title: Annotated[Name, described("标题", "title"), personal("content", purpose=HANDLE)]
    text: Annotated[Text, described("诉求内容", "what it is about"), personal("content", purpose=HANDLE)] = ""
    appeal_kind: Annotated[AppealKind | None, described("诉求类型", "kind of appeal; none: the channel's")] = None
    medium: Annotated[Medium | None, described("来电方式", "how it came in; none: the channel's")] = None
    origin: Annotated[Origin | None, described("来源", "who passed it on; none: the channel's")] = None
    appeal_category: Annotated[Code | None, described("诉求分类代码", "appeal category")] = None
    category_system: Annotated[
        Code | None, described("分类体系，默认为本目录", "code system; none: the catalogue's")
    ] = None
    matter_code: Annotated[Code | None, described("政务服务事项编码", "service matter")] = None
    related_case: Annotated[RelatedCase | None, described("关联办件", "related service case")] = None
    place: Annotated[Place | None, described("地点", "place")] = None
    received_region: Annotated[Region | None, described("受理地区划代码", "where it was received")] = None
    applicant: Annotated[Applicant | None, described("诉求人", "applicant")] = None
    co_applicants: Annotated[tuple[Party, ...], described("共同诉求人", "co-applicants", max_length=200)] = ()
    subject_of_complaint: Annotated[
        tuple[SubjectOfComplaint, ...], described("被反映对象", "whom it complains about", max_length=20)
    ] = ()
    wants: Annotated[Wants | None, described("诉求人要求", "what the applicant wants")] = None
    recording_ref: Annotated[
        Line | None, described("录音编号", "reference of the recording"), personal("recording", purpose=HANDLE)
    ] = None
    urgency: Annotated[Urgency, described("紧急程度", "urgency")] = Urgency.NORMAL
    tags: Annotated[tuple[Code, ...], described("标签", "tags", max_length=30)] = ()
    attachments: Annotated[tuple[Attachment, ...], described("附件", "attachments", max_length=50)] = ()
    one_thing: Annotated[OneThing | None, described("一件事申请", "one-thing application")] = None
    occurred_at: Annotated[Instant | None, described("发生时间", "when it happened")] = None
    received_at: Annotated[
        Instant | None, described("收到时间（时限起点），缺省由接入时钟填写", "when it was received: the clock's start")
    ] = None
    backfilled: Annotated[Flag, described("事后补录，须填收到时间", "typed in later; needs received_at")] = False
    direct_answer: Annotated[DirectAnswer | None, described("直接答复", "answered at once")] = None

    @classmethod
    def also_needed(cls, said: Mapping[str, Any]) -> Iterable[str]:
        if said.get("backfilled") is True and not said.get("received_at"):
            yield "received_at"


class Supplement(Complete):
    """补充诉求 more from the applicant; never restarts a clock."""

    text: Annotated[Text, described("补充内容", "what is added"), personal("content", purpose=HANDLE)] = ""
    attachments: Annotated[tuple[Attachment, ...], described("附件", "attachments", max_length=50)] = ()

    @classmethod
    def also_needed(cls, said: Mapping[str, Any]) -> Iterable[str]:
        if not said.get("text") and not said.get("attachments"):
            yield "text"


class Withdrawal(Model):
    """撤回诉求 the applicant withdraws; not for reports of wrongdoing."""

    reason: Annotated[Line | None, described("撤回原因", "why"), personal("content", purpose=HANDLE)] = None


class Urging(Model):
    """催办 the applicant asks to hurry; it moves no due date and is counted apart from what offices urge."""

    text: Annotated[Text | None, described("催办内容", "in words"), personal("content", purpose=HANDLE)] = None


class Objection(Model):
    """对不予受理的异议 the applicant asks that a refusal be reviewed, once, by people who had no part in it."""

    text: Annotated[Text, described("异议理由", "why, in words"), personal("content", purpose=HANDLE)]


class Evaluation(Model):
    """评价 the applicant's grade, once per round: 5 very satisfied … 1 very dissatisfied (好差评五级)."""

    grade: Annotated[
        StrictInt,
        described(
            "评价等级：5 非常满意、4 满意、3 基本满意、2 不满意、1 非常不满意",
            "grade: 5 very satisfied, 4 satisfied, 3 basically, 2 dissatisfied, 1 very dissatisfied",
            ge=1,
            le=5,
        ),
    ]
    reasons: Annotated[
        tuple[Code, ...], described("评价原因代码（目录 lists/reasons.csv）", "codes of the closed list", max_length=20)
    ] = ()
    token: Annotated[
        str | None,
        described(
            "回执中的查询码，须由诉求人提供", "the query code of the receipt, as the applicant gives it", max_length=64
        ),
    ] = None
    text: Annotated[Text | None, described("评价说明", "in words"), personal("content", purpose=HANDLE)] = None
