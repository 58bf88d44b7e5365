"""
What only the fallback catches, of requests that say what they are about: a category, a matter or a package.

Who names none of them has nothing that a rule could go by; a person reads it, and that is no gap.
"""

from collections.abc import Iterator, Mapping

from router.rules.analysis.cover import Cover, Fault
from router.rules.analysis.space import AXES, CATEGORY, MATTER, THING, VALID, Asked, Piece, Undecided
from router.rules.model import Rule
from router.rules.naive import holds
from router.rules.validity import window


def gaps(cover: Cover) -> Iterator[Fault]:
    """Code by code, today and later; where all that is below a code has a gap too, it is told of once."""
    known = cover.space.known
    yield from _of(cover, CATEGORY, known.categories)
    yield from _of(cover, MATTER, known.matters)
    yield from _of(cover, THING, dict.fromkeys(known.one_things, ""))


def _of(cover: Cover, axis: int, parents: Mapping[str, str]) -> Iterator[Fault]:
    found: dict[str, Fault] = {}
    for code in parents:
        fault = None if axis == CATEGORY and code in cover.space.known.alarming else _gap(cover, axis, code)
        if fault:
            found[code] = fault
    children: dict[str, list[str]] = {}
    for code, parent in parents.items():
        children.setdefault(parent, []).append(code)
    whole: dict[str, str] = {}
    for code in sorted(parents, key=lambda code: -_depth(parents, code)):
        if code in found and all(whole.get(below) == found[code].code for below in children.get(code, ())):
            whole[code] = found[code].code
    for code, fault in found.items():
        if whole.get(code) and whole.get(parents[code]) == whole[code]:
            continue
        below = "below" if whole.get(code) and children.get(code) else "alone"
        yield Fault(code=fault.code, rules=fault.rules, asked=fault.asked, about=fault.about | {"reach": below})


def _gap(cover: Cover, axis: int, code: str) -> Fault | None:
    about = {"column": AXES[axis], "value": code}
    space = cover.space
    masks = list(space.all)
    for other in {CATEGORY: (), MATTER: (CATEGORY,), THING: (CATEGORY, MATTER)}[axis]:
        masks[other] = space.axes[other].absent
    masks[axis] = space.axes[axis].bits((code,))
    try:
        for valid in (1, masks[VALID] & ~1):
            asked, _ = cover.left(
                [Piece((*masks[:VALID], valid), {})], lambda rule: not rule.unconditional and not rule.adds
            )
            if asked:
                ended = _ended(cover, asked) if valid != 1 else ()
                return Fault(code="gap_by_expiry" if ended else "gap", rules=ended, asked=asked, about=about)
    except Undecided:
        return Fault(code="undecided", asked=cover.sample([Piece(tuple(masks), {})]), about=about)
    return None


def _ended(cover: Cover, asked: Asked) -> tuple[str, ...]:
    """The rules that would take it, had they not ended."""
    view = cover.space.view(asked)

    def ended(rule: Rule) -> bool:
        end = window(rule)[1]
        return end <= asked.at and holds(rule, view, end - 1)

    return tuple(rule.id for rule in cover.rules if rule.valid_to and ended(rule))


def _depth(parents: Mapping[str, str], code: str) -> int:
    depth = 0
    while code := parents.get(code, ""):
        depth += 1
    return depth
