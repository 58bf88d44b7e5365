"""What an order says, as decisions read it, and what a theme gives to take one."""

from collections.abc import Callable

from msgspec import UNSET, Raw, Struct, UnsetType

from workflows.commands import Order
from workflows.decision import Decision
from workflows.said import TargetView


class Part(Struct, frozen=True, kw_only=True):
    """What is split off a request: what it is about, in words and by category."""

    title: str
    text: str = ""
    category: str = ""


class Ordered(Struct, frozen=True, kw_only=True):
    """The part of an Order of the contract that decisions look at."""

    officer: str = ""
    confirmed_by: str = ""
    reason: str = ""
    text: str = ""
    document: str = ""
    basis: str = ""
    post: str = ""
    order: str = ""
    where_to_turn: str = ""
    leg: str = ""
    until: str = ""
    limit: str = ""
    units: tuple[str, ...] = ()
    targets: tuple[TargetView, ...] = ()
    cases: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    attachments: Raw | UnsetType = UNSET


Handler = Callable[[Decision, Order, Ordered], str]
"""Returns the code of a refusal before it lets anything happen, or lets it happen and returns an empty text."""
