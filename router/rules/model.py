"""
A routing rule: typed columns in `when`, one outcome in `then` (design D9).

Within a column any value may hold, all columns must hold, an absent column holds always.
`*_under` columns and `place_under` follow a tree: a value takes everything below it.
"""

from typing import Literal

from msgspec import Struct

from workflows.facts import Reason

COLUMNS = (
    "one_thing",
    "matter_under",
    "category_under",
    "place_under",
    "channel",
    "kind",
    "origin",
    "applicant",
    "urgency",
)
"""In the order in which an index looks at them: what tells most rules apart stands first."""

INDEXED = COLUMNS[:5]
"""The columns with many values; the rest have a handful and are checked one by one at the leaf."""

View = tuple[tuple[str, ...], ...]
"""What a request holds, column by column as in COLUMNS: its value and, for trees, everything above it; nearest first."""


class When(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The condition. Field names are COLUMNS."""

    one_thing: tuple[str, ...] = ()
    matter_under: tuple[str, ...] = ()
    category_under: tuple[str, ...] = ()
    place_under: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    applicant: tuple[str, ...] = ()
    urgency: tuple[str, ...] = ()

    def cells(self) -> tuple[tuple[str, ...], ...]:
        return tuple(getattr(self, column) for column in COLUMNS)


class Bearer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to act: a function in a role, not a unit. `@category` and `@matter` mean what the request's row names."""

    function: str
    role: str = ""
    level: Literal["", "village", "town", "county", "city", "province"] = ""
    part: Literal["lead", "assist", "copy"] = "lead"


class Refusal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule may only propose it; a person confirms."""

    ground: str
    basis: str
    where_to_turn: str


class Then(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of the first four. `policy` overrides the channel's and the catalogue's."""

    route: tuple[Bearer, ...] = ()
    one_thing: str = ""
    propose_refusal: Refusal | None = None
    triage: bool = False
    policy: str = ""

    def outcomes(self) -> int:
        return bool(self.route) + bool(self.one_thing) + (self.propose_refusal is not None) + self.triage


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row. The lowest `number` that matches decides. Valid from the start of `valid_from` to the end of `valid_to`."""

    id: str
    number: int
    name: str
    then: Then
    when: When = When()
    basis: str = ""
    reason: str = ""
    valid_from: str = ""
    valid_to: str = ""


class Match(Struct, frozen=True, kw_only=True):
    """A rule that holds, and why: per column what the request held and which cell took it."""

    rule: Rule
    why: tuple[Reason, ...]


def explain(rule: Rule, view: View) -> tuple[Reason, ...]:
    """The reasons of a rule that is known to match `view`."""
    return tuple(
        Reason(column=column, value=held[0], cell=next(value for value in held if value in cell))
        for column, cell, held in zip(COLUMNS, rule.when.cells(), view, strict=True)
        if cell
    )
