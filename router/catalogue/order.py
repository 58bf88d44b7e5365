"""Which of two rules goes first: where that is the other way round in another set of rules, and some request meets both."""

from collections.abc import Iterator
from itertools import islice, product

from msgspec import Struct

from router.catalogue.analyse import known
from router.catalogue.catalogue import Catalogue
from router.rules.analysis.cover import Cover
from router.rules.analysis.space import SEARCH, Undecided
from router.rules.model import Rule

PAIRS = 20_000
"""Pairs of rules that are looked at for a change of their order; beyond them it is said that there are more."""
PIECES = 64
"""Of what two rules both ask for, so many pieces are looked into."""


class Turned(Struct, frozen=True, kw_only=True):
    """`first` decides before `second`, and did not; `sure`: whether a request that meets both is known."""

    first: str
    second: str
    sure: bool = True


class Order(Struct, frozen=True, kw_only=True):
    """The pairs that turned. more: whether some were not looked at."""

    turned: tuple[Turned, ...]
    more: bool = False


def turned(before: Catalogue, after: Catalogue, now: int) -> Order:
    """Rules of both sets, with other outcomes, of which the one that was behind now goes first. By the latter's numbers."""
    pairs = list(islice(_pairs(before, after), PAIRS + 1))
    if not pairs:
        return Order(turned=())
    cover = Cover(known(after), after.rules.values(), now)
    found = tuple(pair for first, second in pairs[:PAIRS] if (pair := _met(cover, first, second)))
    return Order(turned=found, more=len(pairs) > PAIRS)


def _pairs(before: Catalogue, after: Catalogue) -> Iterator[tuple[Rule, Rule]]:
    """Only rules that got another number can have passed one."""
    both = sorted(
        (rule for rule in after.rules.values() if rule.id in before.rules and not rule.adds),
        key=lambda rule: rule.number,
    )
    moved = {rule.id for rule in both if before.rules[rule.id].number != rule.number}
    for second in both:
        was = before.rules[second.id].number
        for first in both if second.id in moved else (rule for rule in both if rule.id in moved):
            if first.number >= second.number:
                break
            if before.rules[first.id].number > was and first.then != second.then:
                yield first, second


def _met(cover: Cover, first: Rule, second: Rule) -> Turned | None:
    (ones, one_out), (others, other_out) = map(cover.space.condition, (first, second))
    both = [met for a, b in islice(product(ones, others), SEARCH) if (met := cover.space.meet(a, b))]
    unsure = Turned(first=first.id, second=second.id, sure=False)
    try:
        if cover.space.find(both, [*one_out, *other_out], PIECES):
            return Turned(first=first.id, second=second.id)
    except Undecided:
        return unsure
    return unsure if len(ones) * len(others) > SEARCH else None
