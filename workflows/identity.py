"""
调阅身份: who handles a case may learn who asked for confidence, field by field, for a reason, on the record.

Reports of wrongdoing, and what a policy protects (纪检), stay hidden from everybody outside the centre. What is shown is
sent once, to the endpoint that asked; no event and no task holds it.
"""

from collections.abc import Mapping

from workflows import events as ev
from workflows.commands import Order
from workflows.decision import Decision
from workflows.ordered import Handler, Ordered

FIELDS = ("name", "phone", "id_kind", "id_number")
"""What may be asked for, of the applicant."""


def _reveal(d: Decision, command: Order, said: Ordered) -> str:
    if not any(leg.open and leg.unit == command.unit and leg.part != "copy" for leg in d.case.legs.values()):
        return "not_entitled"
    if not said.fields or not set(said.fields) <= set(FIELDS):
        return "incomplete"
    if d.case.disclosure == "open":
        return "nothing_hidden"
    if d.case.appeal_kind == "report" or not d.policy.reveals:
        return "identity_protected"
    fields = tuple([field for field in FIELDS if field in said.fields])
    d.emit(ev.IdentityRevealed(unit=command.unit, endpoint=command.endpoint, officer=said.officer, fields=fields))
    return ""


ORDERS: Mapping[str, Handler] = {"reveal": _reveal}
