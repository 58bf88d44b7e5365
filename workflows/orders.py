"""
What an office orders without having been asked. First the right to it (workflows/rights.py), then the theme's handler.

A theme keeps its handlers in a module of its own, in a table `ORDERS`; here the tables are put together.
"""

from collections.abc import Mapping

import msgspec

from workflows import (
    emergencies,
    endings,
    feedback,
    hanging,
    identity,
    merging,
    oversight,
    redispatch,
    rights,
    splitting,
    urging,
)
from workflows import events as ev
from workflows.commands import Order
from workflows.decision import Decision
from workflows.ordered import Handler, Ordered

ORDERS: Mapping[str, Handler] = {
    **urging.ORDERS,
    **oversight.ORDERS,
    **redispatch.ORDERS,
    **emergencies.ORDERS,
    **endings.ORDERS,
    **identity.ORDERS,
    **merging.ORDERS,
    **splitting.ORDERS,
    **hanging.ORDERS,
    **feedback.ORDERS,
}
"""By action; `rights.RIGHTS` has a row for each."""

_view = msgspec.json.Decoder(Ordered).decode


def order(d: Decision, command: Order) -> str:
    """An order counts if its unit speaks through this endpoint and has the right, and the tables allow it."""
    said = _view(command.body)
    code = rights.refused(d, command.endpoint, command.unit, command.action, said)
    if not code:
        code = ORDERS[command.action](d, command, said)
    if not code:
        # who ordered it stands before what came of it; folding it changes nothing, so its place is free
        d.events.insert(
            0,
            ev.OrderGiven(
                action=command.action, unit=command.unit, endpoint=command.endpoint, officer=said.officer,
                confirmed_by=said.confirmed_by, reason=said.reason, text=said.text, document=said.document,
                basis=said.basis,
            ),
        )  # fmt: skip
    return code
