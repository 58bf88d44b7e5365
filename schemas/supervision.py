"""What supervisors get on `supervision`: warnings before a due time, overdue clocks, escalations, what offices ordered."""

from typing import Annotated

from schemas.fields import CaseId, Code, Count, Model, Name, described
from schemas.handling import ClockKind, OversightStep, ResemblanceKind, SupervisionStep
from schemas.times import Instant
from schemas.vocabulary import Urgency


class Supervision(Model):
    """督办信息 a clock of a case is about to pass its due time, or has, and who is told."""

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    kind: Annotated[ClockKind, described("时限类型", "which clock")]
    leg: Annotated[str, described("承办分支，空为工单本身", "leg; empty: the case's own")] = ""
    unit: Annotated[str, described("单位编码", "unit id")] = ""
    unit_name: Annotated[str, described("单位名称", "its name")] = ""
    level: Annotated[Count, described("升级层级，0 为预警", "level of the ladder, 0 for a warning")] = 0
    what: Annotated[SupervisionStep, described("督办方式", "what is done")]
    turn: Annotated[Count, described("第几次，0 为只有一次", "the how manieth time, 0 where it is said once only")] = 0
    post: Annotated[str, described("值班岗位，空为单位本身", "post on duty that is told; empty: the unit itself")] = ""
    due: Annotated[Instant, described("到期时间", "due at")]
    at: Annotated[Instant, described("时间", "when")]
    version: Annotated[Count, described("工单版本", "version of the case")]


class Resemblance(Model):
    """相似提示 a case that comes again, or one of many: numbers only, nobody's name and nobody's words."""

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    what: Annotated[ResemblanceKind, described("情形", "what they have in common")]
    count: Annotated[Count, described("第几次，或共几件", "which time it is, or how many there are")]
    cases: Annotated[tuple[str, ...], described("其他工单编号", "numbers of the others")] = ()
    region: Annotated[str, described("区划代码", "division code")]
    category: Annotated[str, described("诉求分类代码", "appeal category")] = ""
    urgency: Annotated[Urgency, described("紧急程度", "urgency")] = Urgency.NORMAL
    at: Annotated[Instant, described("时间", "when")]
    version: Annotated[Count, described("工单版本", "version of the case")]


class Overseen(Model):
    """督导事项 what an office ordered or decided about a case, and what came of it: no officer, and nobody's words."""

    case_id: Annotated[CaseId, described("工单内部编号", "case id")]
    number: Annotated[str, described("工单编号", "public case number")]
    what: Annotated[OversightStep, described("事项", "what was done")]
    by: Annotated[str, described("作出单位编码", "in the name of which unit")]
    by_name: Annotated[str, described("其名称", "its name")]
    order: Annotated[str, described("督办、批示的序号", "number of the order on the case")] = ""
    unit: Annotated[str, described("所涉单位编码", "whom it concerns")] = ""
    unit_name: Annotated[str, described("其名称", "its name")] = ""
    leg: Annotated[str, described("承办分支", "about which leg")] = ""
    reason: Annotated[Code | None, described("原因代码（目录 lists/reasons.csv）", "code of the closed list")] = None
    document: Annotated[Name | None, described("文号", "document number")] = None
    post: Annotated[Name | None, described("批示领导的职务", "post of the leader")] = None
    due: Annotated[Instant | None, described("报告期限或计划日期", "report due, or plan date")] = None
    round: Annotated[Count, described("第几次退回", "how often the report was sent back")] = 0
    at: Annotated[Instant, described("时间", "when")]
    version: Annotated[Count, described("工单版本", "version of the case")]
