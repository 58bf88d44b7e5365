"""
What a channel gets from us on `answers.<channel>`: receipt, status, outcome, in order for each of its ids.
"""

from typing import Annotated

from pydantic import Field

from schemas.fields import CaseId, Code, Model, Text, described, personal
from schemas.handling import CaseState, CloseReason
from schemas.request import HANDLE
from schemas.task import Said
from schemas.times import Instant
from schemas.vocabulary import ReceiptCode


class Receipt(Model):
    """
    回执 what became of one message.

    For `rejected`, `reason` is the code of the fault (docs/contract.md lists them) and `pointer` its place;
    for `refused_command` it is why the case's state did not allow it. `held` is no refusal: the message is kept, and
    what became of it is told later.
    """

    ref: Annotated[
        str,
        Field(max_length=512),
        described("渠道编号，读不出时为主题-分区-偏移", "the channel's id, else topic-partition-offset"),
    ]
    code: Annotated[ReceiptCode, described("回执代码", "code")]
    reason: Annotated[Code | None, described("错误代码", "code of the fault")] = None
    case_id: Annotated[CaseId | None, described("工单内部编号", "case id")] = None
    number: Annotated[str | None, described("工单编号", "public case number")] = None
    query_code: Annotated[str | None, described("查询码（6位）", "query code, 6 digits", pattern=r"^[0-9]{6}$")] = None
    pointer: Annotated[str | None, Field(max_length=500), described("出错位置", "JSON pointer to the fault")] = None
    text: Annotated[Said | None, described("说明", "explanation")] = None
    promised_due: Annotated[Instant | None, described("承诺办结时间", "promised by")] = None


class CaseStatus(Model):
    """状态 the case has moved on."""

    ref: Annotated[str, described("渠道编号", "the channel's id")]
    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    status: Annotated[CaseState, described("状态", "state")]
    at: Annotated[Instant, described("时间", "when")]
    unit_name: Annotated[str | None, described("承办单位", "unit")] = None
    promised_due: Annotated[Instant | None, described("承诺办结时间", "promised by")] = None
    promised_before: Annotated[Instant | None, described("原承诺时间", "promised by, before it moved")] = None
    reason: Annotated[str | None, described("时限变更原因", "why the promised date moved")] = None
    text: Annotated[
        Text | None,
        described("承办单位的说明（转入法定程序时）", "what the unit says where it hands over"),
        personal("content", purpose=HANDLE),
    ] = None
    procedure: Annotated[Code | None, described("转入的法定程序", "statutory procedure it was handed over to")] = None
    procedure_name: Annotated[Said | None, described("其名称", "its name")] = None


class Outcome(Model):
    """办理结果 how it ended, for the applicant."""

    ref: Annotated[str, described("渠道编号", "the channel's id")]
    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    reason: Annotated[CloseReason, described("办结方式", "why it ended")]
    text: Annotated[Text | None, described("答复", "the answer"), personal("content", purpose=HANDLE)] = None
    at: Annotated[Instant, described("时间", "when")]
    where_to_turn: Annotated[str | None, described("可向何处反映", "where to turn instead")] = None
    legal_basis: Annotated[str | None, described("法律依据", "legal basis")] = None
    procedure: Annotated[Code | None, described("转入的法定程序", "statutory procedure it was handed over to")] = None
    procedure_name: Annotated[Said | None, described("其名称", "its name")] = None
    procedure_due: Annotated[Instant | None, described("该程序的法定期限", "until when it has to end")] = None
