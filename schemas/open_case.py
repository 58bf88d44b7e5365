"""
An open case of another system, as one line of the file from which it is taken over (`duokua import open-cases`).

What happened to it there is told in the words of replies and orders, each with its own time; docs/howto/take-over.md.
"""

from typing import Annotated

from pydantic import Field, JsonValue

from schemas.fields import Code, Model, Name, Ref, UnitId, described
from schemas.request import ServiceRequest
from schemas.times import Instant


class PastStep(Model):
    """办理经过中的一步 what somebody did to the case there."""

    at: Annotated[Instant, described("当时的时间", "when it was done")]
    action: Annotated[
        Code,
        described(
            "动作：答复、指令的动作，或诉求人的 supplement、urge、evaluate",
            "an action of a reply or an order; or supplement, urge, evaluate of the applicant",
        ),
    ]
    unit: Annotated[
        UnitId | None,
        described(
            "哪个单位做的；审批、裁量类为所涉的单位", "which unit did it; of a decision: or about whose part it is"
        ),
    ] = None
    said: Annotated[
        dict[str, JsonValue],
        described("该动作的其余字段，同答复、指令", "the other fields of that action, as in the reply or order"),
    ] = Field(default_factory=dict)


class OpenCase(Model):
    """在办工单 an open case of another system, with all that happened to it so far."""

    id: Annotated[Ref, described("渠道编号：渠道以后以此指称该工单", "by which its channel will name it from now on")]
    number: Annotated[Name, described("原系统的工单编号", "the number it had there")]
    channel: Annotated[Code | None, described("渠道，缺省为命令所给", "its channel; by default the command's")] = None
    request: Annotated[ServiceRequest, described("诉求，须填收到时间", "the request, with received_at")]
    due: Annotated[
        Instant | None, described("已向诉求人承诺的办结时间", "for when it was promised to the applicant")
    ] = None
    history: Annotated[
        tuple[PastStep, ...], described("办理经过，按时间先后", "what happened, in order", max_length=500)
    ] = ()
