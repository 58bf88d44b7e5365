"""
What an office says about a case without having been asked (催办, 督办, 批示 …), and the answer to it.

An order is given in the name of a unit, through the endpoint that speaks for it. Who may give which, and what it
needs, is a table (workflows/rights.py); whoever gives one is answered, whether it took effect or not.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from schemas.fields import CaseId, Code, Line, Model, Name, Ref, Text, UnitId, described, personal
from schemas.handling import OrderAction, OrderCode
from schemas.request import HANDLE, Applicant, Attachment, Complete
from schemas.task import Said, Target
from schemas.times import Instant

ACCOUNT = "account for who decided what"

_NEEDED: Mapping[str, tuple[str, ...]] = {
    OrderAction.SUPERVISE: ("reason",),
    OrderAction.INSTRUCT: ("post", "text"),
    OrderAction.RE_DISPATCH: ("reason", "targets"),
    OrderAction.REDIRECT: ("reason",),
    OrderAction.REFUSE: ("reason", "basis", "where_to_turn"),
    OrderAction.RELEASE: ("reason", "confirmed_by"),
    OrderAction.CONCLUDE: ("reason", "text", "confirmed_by", "attachments"),
    OrderAction.EX_OFFICIO: ("basis",),
    OrderAction.MARK_MALICIOUS: ("reason", "document", "confirmed_by"),
    OrderAction.REVEAL: ("reason", "fields"),
    OrderAction.MERGE: ("cases",),
    OrderAction.UNMERGE: ("text",),
    OrderAction.SPLIT: ("parts",),
    OrderAction.REDO: ("reason",),
    OrderAction.APPEAL_REVIEW: ("text", "confirmed_by"),
    OrderAction.ASK_REVIEW: ("text",),
}
"""What an action cannot do without, whoever gives it."""


class Part(Model):
    """拆分部分 what becomes a case of its own."""

    title: Annotated[Line, described("标题", "title"), personal("content", purpose=HANDLE)]
    text: Annotated[
        Text | None,
        described("内容，空为原诉求全文", "what it says; empty: the whole text"),
        personal("content", purpose=HANDLE),
    ] = None
    category: Annotated[
        Code | None, described("诉求分类代码，空由规则判定", "its category; empty: the rules decide")
    ] = None


class Order(Complete):
    """指令 what an officer orders in the name of a unit."""

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    action: Annotated[OrderAction, described("动作", "action")]
    unit: Annotated[UnitId, described("发出指令的单位编码", "in the name of which unit")]
    officer: Annotated[Ref, described("经办人工号", "staff code of the officer"), personal("identity", purpose=ACCOUNT)]
    confirmed_by: Annotated[
        Ref | None,
        described("复核人工号，不得与经办人相同", "staff code of a second officer, another one"),
        personal("identity", purpose=ACCOUNT),
    ] = None
    reason: Annotated[Code | None, described("原因代码（目录 lists/reasons.csv）", "code of the closed list")] = None
    text: Annotated[Text | None, described("说明", "in words"), personal("content", purpose=HANDLE)] = None
    document: Annotated[Name | None, described("文号", "document number")] = None
    basis: Annotated[Line | None, described("依据", "legal basis")] = None
    post: Annotated[Name | None, described("批示领导的职务（不写姓名）", "post of the leader; no name")] = None
    order: Annotated[Code | None, described("所解除的指令序号，空为本单位的全部", "which order; all where empty")] = (
        None
    )
    where_to_turn: Annotated[Line | None, described("可向何处反映", "where to turn instead")] = None
    leg: Annotated[str | None, Field(max_length=16), described("承办分支", "about which leg")] = None
    until: Annotated[Instant | None, described("截止时间", "until when")] = None
    limit: Annotated[
        str | None,
        Field(pattern=r"^[1-9][0-9]{0,3}(m|h|wh|d|wd)$"),
        described("时限，如 5wd、24h", "limit such as 5wd, 24h"),
    ] = None
    units: Annotated[tuple[UnitId, ...], described("有关单位", "units", max_length=50)] = ()
    targets: Annotated[tuple[Target, ...], described("派单去向", "targets", max_length=50)] = ()
    cases: Annotated[tuple[CaseId, ...], described("有关工单", "other cases", max_length=200)] = ()
    fields: Annotated[tuple[Code, ...], described("要求公开的字段", "fields to be shown", max_length=20)] = ()
    parts: Annotated[tuple[Part, ...], described("拆分部分", "parts, for split", max_length=50)] = ()
    attachments: Annotated[tuple[Attachment, ...], described("附件", "attachments", max_length=50)] = ()

    @field_validator("confirmed_by")
    @classmethod
    def _is_another(cls, confirmed_by: str | None, info: ValidationInfo) -> str | None:
        if confirmed_by is not None and confirmed_by == info.data.get("officer"):
            raise PydanticCustomError("same_officer", "a second officer is another one")
        return confirmed_by

    @classmethod
    def also_needed(cls, said: Mapping[str, Any]) -> Iterable[str]:
        action = said.get("action")
        needed = _NEEDED.get(action, ()) if isinstance(action, str) else ()
        return (field for field in needed if not said.get(field))


class OrderAnswered(Model):
    """指令答复 what became of an order; the fields it could be read from are echoed."""

    case_id: Annotated[CaseId | None, described("工单内部编号", "case id")] = None
    action: Annotated[OrderAction | None, described("动作", "action")] = None
    unit: Annotated[UnitId | None, described("发出指令的单位编码", "in the name of which unit")] = None
    code: Annotated[OrderCode, described("结果", "what became of it")]
    reason: Annotated[Code | None, described("未生效的原因代码", "why it had no effect")] = None
    pointer: Annotated[str | None, Field(max_length=500), described("出错位置", "JSON pointer to the fault")] = None
    text: Annotated[Said | None, described("说明", "explanation")] = None
    state: Annotated[str | None, described("工单状态", "state of the case")] = None
    source: Annotated[str | None, described("原消息位置（主题-分区-偏移）", "topic-partition-offset of the order")] = (
        None
    )


class IdentityShown(Model):
    """诉求人身份 the fields of the applicant that a unit asked to see, for this officer; sent once."""

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    unit: Annotated[UnitId, described("调阅单位", "unit that asked")]
    officer: Annotated[Ref, described("调阅人工号", "staff code of who asked"), personal("identity", purpose=ACCOUNT)]
    applicant: Annotated[Applicant, described("所调阅的字段", "the fields asked for")]
