"""
Every message of the contract by its CloudEvents type: the model of its `data` and who says it to whom.

A type's last part is its version. A version that has been released stays; what breaks readers gets
the next number and stands beside it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from schemas.answer import CaseStatus, Outcome, Receipt
from schemas.fields import Model
from schemas.order import IdentityShown, Order, OrderAnswered
from schemas.request import Evaluation, Objection, ServiceRequest, Supplement, Urging, Withdrawal
from schemas.supervision import Overseen, Resemblance, Supervision
from schemas.task import Reply, ReplyRefused, Task, TaskWithdrawn

REQUEST_SUBMITTED = "cn.duokua.request.submitted.v1"
REQUEST_SUPPLEMENTED = "cn.duokua.request.supplemented.v1"
REQUEST_WITHDRAWN = "cn.duokua.request.withdrawn.v1"
REQUEST_EVALUATED = "cn.duokua.request.evaluated.v1"
REQUEST_URGED = "cn.duokua.request.urged.v1"
REQUEST_OBJECTED = "cn.duokua.request.objected.v1"
REPLY_SUBMITTED = "cn.duokua.reply.submitted.v1"
ORDER_GIVEN = "cn.duokua.order.given.v1"
TASK_ASSIGNED = "cn.duokua.task.assigned.v1"
TASK_SENT_BACK = "cn.duokua.task.sent_back.v1"
TASK_WITHDRAWN = "cn.duokua.task.withdrawn.v1"
REPLY_REFUSED = "cn.duokua.reply.refused.v1"
IDENTITY_REVEALED = "cn.duokua.identity.revealed.v1"
ORDER_ANSWERED = "cn.duokua.order.answered.v1"
RECEIPT_ISSUED = "cn.duokua.receipt.issued.v1"
STATUS_CHANGED = "cn.duokua.case.status_changed.v1"
CASE_OUTCOME = "cn.duokua.case.outcome.v1"
CLOCK_WARNED = "cn.duokua.clock.warned.v1"
CLOCK_OVERDUE = "cn.duokua.clock.overdue.v1"
CASE_ESCALATED = "cn.duokua.case.escalated.v1"
CASE_RESEMBLES = "cn.duokua.case.resembles.v1"
CASE_OVERSEEN = "cn.duokua.case.overseen.v1"

FROM_CHANNELS: Mapping[str, type[Model]] = MappingProxyType(
    {
        REQUEST_SUBMITTED: ServiceRequest,
        REQUEST_SUPPLEMENTED: Supplement,
        REQUEST_WITHDRAWN: Withdrawal,
        REQUEST_EVALUATED: Evaluation,
        REQUEST_URGED: Urging,
        REQUEST_OBJECTED: Objection,
    }
)
"""Taken on `intake.<channel>`."""

FROM_UNITS: Mapping[str, type[Model]] = MappingProxyType({REPLY_SUBMITTED: Reply, ORDER_GIVEN: Order})
"""Taken on `replies.<endpoint>`."""

TO_UNITS: Mapping[str, type[Model]] = MappingProxyType(
    {
        TASK_ASSIGNED: Task,
        TASK_SENT_BACK: Task,
        TASK_WITHDRAWN: TaskWithdrawn,
        REPLY_REFUSED: ReplyRefused,
        ORDER_ANSWERED: OrderAnswered,
        IDENTITY_REVEALED: IdentityShown,
    }
)
"""Written on `tasks.<endpoint>`."""

TO_CHANNELS: Mapping[str, type[Model]] = MappingProxyType(
    {RECEIPT_ISSUED: Receipt, STATUS_CHANGED: CaseStatus, CASE_OUTCOME: Outcome}
)
"""Written on `answers.<channel>`."""

TO_SUPERVISORS: Mapping[str, type[Model]] = MappingProxyType(
    {
        CLOCK_WARNED: Supervision,
        CLOCK_OVERDUE: Supervision,
        CASE_ESCALATED: Supervision,
        CASE_RESEMBLES: Resemblance,
        CASE_OVERSEEN: Overseen,
    }
)
"""Written on `supervision`."""

FOLLOW_UPS = frozenset({REQUEST_SUPPLEMENTED, REQUEST_WITHDRAWN, REQUEST_EVALUATED, REQUEST_URGED, REQUEST_OBJECTED})
"""Their CloudEvents `subject` is the channel's id of the request they belong to."""

MODELS: Mapping[str, type[Model]] = MappingProxyType(
    {**FROM_CHANNELS, **FROM_UNITS, **TO_UNITS, **TO_CHANNELS, **TO_SUPERVISORS}
)
"""All of them."""
