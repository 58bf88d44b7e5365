"""Rules that never decide, or that do not agree: two with one number, two with one condition, one behind others."""

from collections.abc import Iterator
from itertools import combinations

from msgspec.structs import replace

from router.rules.analysis.cover import Cover, Fault
from router.rules.analysis.space import Piece, Undecided
from router.rules.model import Box, Rule
from router.rules.validity import window

NAMED = 8
"""So many of the rules in front are told of."""


def dead(cover: Cover) -> Iterator[Fault]:
    """Duplicates, conflicts, what is shadowed, and what holds for no request."""
    twins: dict[object, Rule] = {}
    for rule in cover.rules:
        try:
            yield from _fate(cover, rule, twins)
        except Undecided:
            asked, _ = cover.space.condition(rule)
            yield Fault(code="undecided", rules=(rule.id,), asked=cover.sample(asked))
    yield from _numbers(cover)


def _fate(cover: Cover, rule: Rule, twins: dict[object, Rule]) -> Iterator[Fault]:
    pieces = cover.region(rule)
    asked = cover.sample(pieces)
    if asked is None:
        yield _never(cover, rule)
        return
    meaning = _meaning(*cover.space.condition(rule)), rule.adds, rule.then if rule.adds else None
    twin = twins.setdefault(meaning, rule)
    if twin is not rule:
        yield _alike(rule, twin, cover, pieces)
        return
    if rule.adds:
        return
    order = (rule.number, rule.id)
    free, used = cover.left(list(pieces), lambda other: (other.number, other.id) < order and not other.adds)
    if free is None:
        yield _behind(cover, rule, pieces, _needed(cover, pieces, used))


def _never(cover: Cover, rule: Rule) -> Fault:
    """Shown by a request that has all it asks for, column by column, but what contradicts that."""
    if window(rule)[1] <= cover.space.now:
        return Fault(code="rule_over", rules=(rule.id,))
    box, asked = Box(), cover.sample([cover.space.everything])
    for column in Box.__struct_fields__:
        more = replace(box, **{column: getattr(rule.when, column)})
        piece = cover.space.piece(more)
        found = cover.space.sample(piece) if piece else None
        if found:
            box, asked = more, found
    return Fault(code="never_holds", rules=(rule.id,), asked=asked)


def _alike(rule: Rule, twin: Rule, cover: Cover, pieces: list[Piece]) -> Fault:
    code = "duplicate_rule" if rule.then == twin.then else "conflict"
    return Fault(code=code, rules=(rule.id, twin.id), asked=cover.sample(pieces))


def _behind(cover: Cover, rule: Rule, pieces: list[Piece], others: list[Rule]) -> Fault:
    if len(others) == 1 and cover.left(list(cover.region(others[0])), lambda other: other is rule)[0] is None:
        return _alike(rule, others[0], cover, pieces)
    code = "shadowed" if len(others) == 1 else "shadowed_by_union"
    asked = cover.sample(pieces)
    return Fault(code=code, rules=(rule.id, *(other.id for other in others[:NAMED])), asked=asked)


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
    """Of two rules with one number that hold for one request nobody can tell which comes first."""
    same: dict[int, list[Rule]] = {}
    for rule in cover.rules:
        same.setdefault(rule.number, []).append(rule)
    for rules in same.values():
        for one, other in combinations((rule for rule in rules if not rule.adds), 2):
            try:
                met = [both for a in cover.region(one) for b in cover.region(other) if (both := cover.space.meet(a, b))]
            except Undecided:
                yield Fault(code="undecided", rules=(other.id, one.id))
                continue
            asked = cover.sample(met)
            if asked:
                yield Fault(code="conflict_of_numbers", rules=(other.id, one.id), asked=asked)


def _meaning(asked: list[Piece], out: list[Piece]) -> object:
    """The same for conditions that say the same, in whatever order and words."""
    return frozenset(map(_piece, asked)), frozenset(map(_piece, out))


def _piece(piece: Piece) -> object:
    needs = ((name, frozenset(map(frozenset, wants.some)), wants.none) for name, wants in piece.needs.items())
    return piece.masks, frozenset(needs)
