"""Rules that never decide, or that do not agree: two with one number, two with one condition, one behind others."""

from collections.abc import Collection, Iterator
from itertools import combinations, islice, product

from msgspec.structs import replace

from router.rules.analysis.cover import Cover, Fault
from router.rules.analysis.space import SEARCH, Piece, Undecided
from router.rules.model import Box, Rule
from router.rules.validity import window

NAMED = 8
"""So many of the rules in front are told of."""
LIKE, PAIR = 32, 64
"""Of so many rules with one number each two are compared, and so many pieces of what both ask for are looked into."""


def plain(cover: Cover) -> Iterator[Fault]:
    """
    What can be told of each rule by itself, or of those with its very condition or number: all that is an error.

    Linear in the rules, and no error that the passing of days alone brings: nothing is held against a rule that held
    once, nor two conditions against each other that were not written for the same days.
    """
    twins: dict[object, Rule] = {}
    for rule in cover.rules:
        asked, out = cover.space.condition(rule)
        try:
            yield from _plain(cover, rule, asked, out, twins)
        except Undecided:
            yield Fault(code="undecided", rules=(rule.id,), asked=cover.sample(asked))
    yield from _numbers(cover)


def shadows(cover: Cover, known: Collection[str]) -> Iterator[Fault]:
    """Rules that those before them leave nothing to; the `known` are not looked at again. Raises Spent."""
    for rule in cover.rules:
        if rule.adds or rule.id in known:
            continue
        try:
            pieces = cover.region(rule)
            order = (rule.number, rule.id)
            free, used = cover.left(
                list(pieces),
                lambda other: (other.number, other.id) < order and not other.adds,  # noqa: B023 called at once
            )
            if free is None:
                yield _behind(cover, rule, pieces, _needed(cover, pieces, used))
        except Undecided:
            asked, _ = cover.space.condition(rule)
            yield Fault(code="undecided", rules=(rule.id,), asked=cover.sample(asked))


def _plain(
    cover: Cover, rule: Rule, asked: list[Piece], out: list[Piece], twins: dict[object, Rule]
) -> Iterator[Fault]:
    found = cover.space.find(asked, out)
    if found is None:
        if window(rule)[1] <= cover.space.now or cover.space.find(asked, out, stretches=[window(rule)]):
            yield Fault(code="rule_over", rules=(rule.id,))
        else:
            yield _never(cover, rule)
        return
    days = rule.valid_from, rule.valid_to
    twin = twins.setdefault((_meaning(asked, out), days, rule.adds, rule.then if rule.adds else None), rule)
    if twin is not rule:
        code = "duplicate_rule" if rule.then == twin.then else "conflict"
        yield Fault(code=code, rules=(rule.id, twin.id), asked=found)


def _never(cover: Cover, rule: Rule) -> Fault:
    """Shown by a request that has all it asks for, column by column, but what contradicts that."""
    box, asked = Box(), cover.sample([cover.space.everything])
    for column in Box.__struct_fields__:
        more = replace(box, **{column: getattr(rule.when, column)})
        piece = cover.space.piece(more)
        found = cover.space.sample(piece) if piece else None
        if found:
            box, asked = more, found
    return Fault(code="never_holds", rules=(rule.id,), asked=asked)


def _behind(cover: Cover, rule: Rule, pieces: list[Piece], others: list[Rule]) -> Fault:
    asked = cover.sample(pieces)
    if len(others) == 1 and others[0].then == rule.then and _within(cover, others[0], rule):
        return Fault(code="duplicate_rule", rules=(rule.id, others[0].id), asked=asked)
    code = "shadowed" if len(others) == 1 else "shadowed_by_union"
    return Fault(code=code, rules=(rule.id, *(other.id for other in others[:NAMED])), asked=asked)


def _within(cover: Cover, one: Rule, other: Rule) -> bool:
    """Whether all that one rule holds for is the other's too."""
    return cover.left(list(cover.region(one)), lambda rule: rule is other)[0] is None


def _needed(cover: Cover, pieces: list[Piece], used: list[Rule]) -> list[Rule]:
    """Of the rules that together take everything those without which they would not."""
    kept = list(used)
    for rule in used if 1 < len(used) <= NAMED else ():
        fewer = {other.id for other in kept if other is not rule}
        try:
            if cover.left(list(pieces), lambda other: other.id in fewer)[0] is None:  # noqa: B023 called at once
                kept.remove(rule)
        except Undecided:
            continue
    return sorted(kept, key=lambda rule: (rule.number, rule.id))


def _numbers(cover: Cover) -> Iterator[Fault]:
    """Of two rules with one number that hold for one request nobody can tell which comes first; told of once a number."""
    same: dict[int, list[Rule]] = {}
    for rule in cover.rules:
        if not rule.adds:
            same.setdefault(rule.number, []).append(rule)
    for rules in same.values():
        if fault := _met(cover, rules):
            yield fault


def _met(cover: Cover, rules: list[Rule]) -> Fault | None:
    """The first two that meet; undecided where the first ones do not and the rest is not looked at."""
    unknown = (rules[LIKE].id, rules[0].id) if len(rules) > LIKE else None
    of = {rule.id: cover.space.condition(rule) for rule in rules[:LIKE]} if len(rules) > 1 else {}
    for one, other in combinations(rules[:LIKE], 2):
        (first, first_out), (second, second_out) = of[one.id], of[other.id]
        both = [met for a, b in islice(product(first, second), SEARCH) if (met := cover.space.meet(a, b))]
        try:
            asked = cover.space.find(both, [*first_out, *second_out], PAIR)
        except Undecided:
            unknown = unknown or (other.id, one.id)
            continue
        if asked:
            return Fault(code="conflict_of_numbers", rules=(other.id, one.id), asked=asked)
        if len(first) * len(second) > SEARCH:
            unknown = unknown or (other.id, one.id)
    return Fault(code="undecided", rules=unknown) if unknown else None


def _meaning(asked: list[Piece], out: list[Piece]) -> object:
    """The same for conditions that say the same, in whatever order and words."""
    return frozenset(map(_piece, asked)), frozenset(map(_piece, out))


def _piece(piece: Piece) -> object:
    needs = ((name, frozenset(map(frozenset, wants.some)), wants.none) for name, wants in piece.needs.items())
    return piece.masks, frozenset(needs)
