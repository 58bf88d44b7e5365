"""What supervisors get on `supervision`: warnings before a due time, overdue clocks, escalations."""

from typing import Annotated

from schemas.fields import CaseId, Count, Model, described
from schemas.times import Instant
from schemas.vocabulary import ClockKind, ResemblanceKind, SupervisionStep, Urgency


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
