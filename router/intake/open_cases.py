"""
A line of a file of open cases becomes the command that takes the case over. Pure, as `translate` is for what channels send.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Raw

from router.intake.translate import AHEAD_MS, Known, completed, query_code
from schemas import times
from schemas.cloudevents import canonical, digest
from schemas.faults import Fault, InvalidMessage, fault
from schemas.fields import Model
from schemas.handling import OrderAction, ReplyAction
from schemas.identity import like_personal_data
from schemas.ids import case_id, command_id
from schemas.open_case import OpenCase, PastStep
from schemas.order import Order
from schemas.request import Evaluation, Supplement, Urging
from schemas.task import Reply
from schemas.validation import read, suggestion
from workflows.commands import Adopt, Past
from workflows.workdays import DAY

_OF_APPLICANT: Mapping[str, type[Model]] = {"supplement": Supplement, "urge": Urging, "evaluate": Evaluation}
_REPLIES = frozenset(word.value for word in ReplyAction)
_ORDERS = frozenset(word.value for word in OrderAction)
OLDEST = 946_656_000_000
"""2000-01-01 in Beijing. What is said to be older is an empty date of a table: of 1900, or of the year 1."""
FARTHEST = 100 * 366 * DAY
"""So far ahead nothing was promised: a date of 9999 stands for none."""
_ANY_CASE = "00000000-0000-5000-8000-000000000000"


class Given(NamedTuple):
    """What holds for a whole file: who takes it over and why, the channel of those that name none, who is told."""

    by: str
    why: str
    channel: str = ""
    tasks: bool = True
    receipts: bool = False


def adoption(data: Any, known: Known, given: Given, now: int) -> Adopt:
    """The command for one case. Raises InvalidMessage with every fault; pointers begin below `/data`."""
    told = read(OpenCase, data)
    name = told.channel or given.channel
    channel = known.directory.channels.get(name)
    faults = list(_faults(told, data, known, now))
    if channel is None:
        faults.append(fault("unknown_channel", "/data/channel", *suggestion(name, list(known.directory.channels))))
    if faults or channel is None or told.request.received_at is None:
        raise InvalidMessage(faults, told.id)
    case, body = case_id(name, told.id), canonical(data["request"])
    return Adopt(
        id=command_id(case, f"adopt|{digest(canonical(data))}"),
        case=case,
        at=now,
        channel=name,
        ref=told.id,
        request=Raw(completed(data["request"], body, channel)),
        digest=digest(body),
        received_at=times.milliseconds(told.request.received_at),
        number=told.number,
        by=given.by,
        why=given.why,
        history=tuple(_past(step, raw) for step, raw in zip(told.history, data.get("history") or (), strict=True)),
        due=times.milliseconds(told.due) if told.due else 0,
        query_code=query_code(known.secret, case),
        tasks=given.tasks,
        receipt=given.receipts,
    )


def _past(step: PastStep, raw: Mapping[str, Any]) -> Past:
    said = raw.get("said") or {}
    return Past(
        at=times.milliseconds(step.at), action=step.action, unit=step.unit or "", grade=int(said.get("grade", 0)),
        body=Raw(canonical(said)),
    )  # fmt: skip


def _faults(told: OpenCase, data: Mapping[str, Any], known: Known, now: int) -> Iterator[Fault]:
    request = told.request
    if like_personal_data(told.number):
        yield fault("id_like_personal_data", "/data/number")
    if request.received_at is None:
        yield fault("missing_field", "/data/request/received_at")
    elif times.milliseconds(request.received_at) < OLDEST:
        yield fault("too_old", "/data/request/received_at")
    if request.occurred_at is not None and times.milliseconds(request.occurred_at) > now + AHEAD_MS:
        yield fault("time_ahead", "/data/request/occurred_at")
    if told.due is not None and not OLDEST <= times.milliseconds(told.due) < now + FARTHEST:
        yield fault("bad_value", "/data/due")
    places = {
        "place/region": request.place.region if request.place else None,
        "received_region": request.received_region,
    }
    for where, region in places.items():
        if region is not None and not known.directory.has_region(region):
            yield fault("unknown_region", f"/data/request/{where}")
    for number, step in enumerate(data.get("history") or ()):
        yield from _said(told.history[number], step.get("said") or {}, f"/data/history/{number}")


def _said(step: PastStep, said: Mapping[str, Any], where: str) -> Iterator[Fault]:
    """What was said with a step, by the model of what it would have been."""
    named: dict[str, Any] = {"case_id": _ANY_CASE, "action": step.action}
    model: type[Model] | None = None
    if not step.unit and step.action in _OF_APPLICANT:
        model, named = _OF_APPLICANT[step.action], {}
    elif step.action in _REPLIES:
        model, named = Reply, named | {"task_id": _ANY_CASE}
    elif step.action in _ORDERS:
        model, named = Order, named | {"unit": step.unit}
    if model is None:
        words = sorted(_REPLIES | _ORDERS | set(_OF_APPLICANT))
        yield fault("bad_value", f"{where}/action", *suggestion(step.action, words))
        return
    try:
        read(model, {**said, **named})
    except InvalidMessage as error:
        for one in error.faults:
            yield one._replace(pointer=one.pointer.replace("/data", f"{where}/said", 1))
