"""The rules read one by one, as a clerk would: slow, plain, and the oracle for the index."""

from collections.abc import Iterable, Mapping

from router.rules.model import COLUMNS, Match, Rule, View, explain
from router.rules.validity import window


def lineage(parents: Mapping[str, str], value: str) -> tuple[str, ...]:
    """A value and everything above it, nearest first; `parents` has no circle."""
    chain = []
    while value:
        chain.append(value)
        value = parents.get(value, "")
    return tuple(chain)


def first(rules: Iterable[Rule], view: View, now: int) -> Match | None:
    """The same answer as `Index.first`."""
    holding = every(rules, view, now)
    return Match(rule=holding[0], why=explain(holding[0], view)) if holding else None


def every(rules: Iterable[Rule], view: View, now: int) -> tuple[Rule, ...]:
    """The same answer as `Index.every`."""
    return tuple(sorted((rule for rule in rules if holds(rule, view, now)), key=lambda rule: (rule.number, rule.id)))


def holds(rule: Rule, view: View, now: int) -> bool:
    """Whether every column that the rule names holds, and the rule is in force."""
    start, end = window(rule)
    held = dict(zip(COLUMNS, view, strict=True))
    return start <= now < end and all(
        not cell or set(cell) & set(held[column]) for column, cell in zip(COLUMNS, rule.when.cells(), strict=True)
    )
