"""Whom rules send to: functions without the duty, places where nobody holds it, and functions that no request gets to."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from router.rules.analysis.cover import Cover, Fault
from router.rules.analysis.space import CATEGORY, MATTER, PLACE, Piece, Undecided
from router.rules.model import Bearer, Rule

NAMING = {"@category": CATEGORY, "@matter": MATTER}
LEVELS = ("village", "town", "county", "city", "province")
WITHIN = frozenset(LEVELS[:3])
"""The places that something happens in; of a city or the province as a whole a person decides."""


class Directory(Struct, frozen=True, kw_only=True):
    """
    Who holds what, and what names it.

    named: by `@category` and `@matter` the function and role that a code names, itself or from above. holders: by
    function, role and matter (mostly none) the places with a holder. duties: by matter the functions that hold its duty.
    packages: by package the functions of its plan. outside: functions that get requests without a rule. units: by function.
    """

    named: Mapping[str, Mapping[str, tuple[str, str]]]
    holders: Mapping[tuple[str, str, str], frozenset[str]]
    duties: Mapping[str, frozenset[str]]
    packages: Mapping[str, frozenset[str]]
    outside: frozenset[str]
    units: Mapping[str, tuple[str, ...]]


class _Sent(NamedTuple):
    """What a bearer of a route comes to for some of the codes: those bits of the axis that names it, if one does."""

    function: str
    role: str
    axis: int = -1
    codes: int = 0


def targets(cover: Cover, directory: Directory, dead: Collection[str]) -> Iterator[Fault]:
    """Of rules that can decide; `dead` are those that cannot."""
    alive = [rule for rule in cover.rules if rule.id not in dead]
    places = _Places(cover, directory)
    for rule in alive:
        try:
            yield from _without_duty(cover, rule, directory)
            yield from _without_holder(cover, rule, directory, places)
        except Undecided:
            yield Fault(code="undecided", rules=(rule.id,), about={"question": "targets"})
    yield from _unreached(cover, alive, directory)


# -- the duty of a matter -------------------------------------------------------------------------------


def _without_duty(cover: Cover, rule: Rule, directory: Directory) -> Iterator[Fault]:
    """A rule for matters of which one is nobody's duty among those it sends to; told of once."""
    functions = {bearer.function for bearer in rule.then.route}
    if (
        not functions
        or "@matter" in functions
        or not (rule.when.matter_under or any(b.matter_under for b in rule.any_of))
    ):
        return
    axis = cover.space.axes[MATTER]
    strange = axis.bits(code for code, held in directory.duties.items() if held.isdisjoint(functions))
    asked = cover.free(rule, [piece for p in cover.region(rule) if (piece := _narrow(p, MATTER, strange))])
    if asked:
        yield Fault(code="no_duty", rules=(rule.id,), asked=asked, about={"value": asked.values[MATTER]})


# -- a holder in the place --------------------------------------------------------------------------------


class _Places:
    """From which places a function in a role is found, as bits of the axis of places."""

    def __init__(self, cover: Cover, directory: Directory) -> None:
        self._known, self._axis, self._directory = cover.space.known, cover.space.axes[PLACE], directory
        self.within = self._axis.bits(code for code, level in self._known.levels.items() if level in WITHIN)
        self._found: dict[tuple[str, str, str, str], int] = {}
        self.matters: dict[tuple[str, str], list[str]] = {}
        for function, role, matter in directory.holders:
            self.matters.setdefault((function, role), []).extend([matter] * bool(matter))

    def reach(self, function: str, role: str, matter: str, level: str) -> int:
        key = (function, role, matter, level)
        if key not in self._found:
            held = self._directory.holders.get(key[:3], frozenset())
            lowest = LEVELS.index(level) if level else 0
            levels = self._known.levels
            high = {code for code in held if LEVELS.index(levels.get(code, LEVELS[0])) >= lowest}
            self._found[key] = self._axis.bits(
                c for c, chain in self._known.chains.items() if not high.isdisjoint(chain)
            )
        return self._found[key]


def _without_holder(cover: Cover, rule: Rule, directory: Directory, places: _Places) -> Iterator[Fault]:
    """A place where the rule decides and from which nobody is found upwards; of each target once."""
    told = set()
    for bearer in rule.then.route:
        for sent in _sent(cover, rule, bearer, directory):
            duty = f"{sent.function}:{sent.role}"
            bare = places.within & ~places.reach(sent.function, sent.role, "", bearer.level)
            if duty in told or not bare:
                continue
            pieces = [piece for p in cover.region(rule) if (piece := _narrow(p, PLACE, bare))]
            if sent.axis >= 0:
                pieces = [piece for p in pieces if (piece := _narrow(p, sent.axis, sent.codes))]
            for matter in places.matters.get((sent.function, sent.role), ()):
                masks = list(cover.space.all)
                masks[PLACE] = places.reach(sent.function, sent.role, matter, bearer.level)
                masks[MATTER] = cover.space.axes[MATTER].mask((matter,))
                pieces = cover.space.minus(pieces, Piece(tuple(masks), {}))
            asked = cover.free(rule, pieces)
            if asked:
                told.add(duty)
                yield Fault(
                    code="nobody_there",
                    rules=(rule.id,),
                    asked=asked,
                    about={"value": asked.values[PLACE], "duty": duty, "level": bearer.level},
                )


def _sent(cover: Cover, rule: Rule, bearer: Bearer, directory: Directory) -> Iterator[_Sent]:
    if bearer.function not in NAMING:
        yield _Sent(bearer.function, bearer.role or "handle")
        return
    axis = NAMING[bearer.function]
    asked = 0
    for piece in cover.region(rule):
        asked |= piece.masks[axis]
    by_duty: dict[tuple[str, str], int] = {}
    for code, (function, role) in directory.named[bearer.function].items():
        bit = cover.space.axes[axis].bits((code,)) & asked
        if bit:
            by_duty[function, bearer.role or role] = by_duty.get((function, bearer.role or role), 0) | bit
    yield from (_Sent(function, role, axis, codes) for (function, role), codes in by_duty.items())


# -- functions that nothing gets to -------------------------------------------------------------------------


def _unreached(cover: Cover, alive: list[Rule], directory: Directory) -> Iterator[Fault]:
    reached = set(directory.outside)
    for rule in alive:
        reached |= {bearer.function for bearer in rule.then.route}
        reached |= directory.packages.get(rule.then.one_thing, frozenset())
    for function, units in directory.units.items():
        if function in reached:
            continue
        codes = [
            (at, code) for at, named in directory.named.items() for code, (what, _) in named.items() if what == function
        ]
        about = {"value": function, "unit": units[0], "count": str(len(units))}
        try:
            if any(_gets_there(cover, alive, at, code) for at, code in codes):
                continue
        except Undecided:
            yield Fault(code="undecided", about=about | {"question": "reach"})
            continue
        masks = list(cover.space.all)
        if codes:
            at, code = codes[0]
            masks[NAMING[at]] = cover.space.axes[NAMING[at]].bits((code,))
        asked = cover.sample([Piece(tuple(masks), {})])
        yield Fault(code="never_reached" if codes else "not_named", asked=asked, about=about)


def _gets_there(cover: Cover, alive: list[Rule], naming: str, code: str) -> bool:
    """Whether a rule that sends to what the code names decides some request with it."""
    axis = NAMING[naming]
    bit = cover.space.axes[axis].bits((code,))
    giving = (rule for rule in alive if any(bearer.function == naming for bearer in rule.then.route))
    return any(
        cover.free(rule, [piece for p in cover.region(rule) if (piece := _narrow(p, axis, bit))]) for rule in giving
    )


def _narrow(piece: Piece, axis: int, mask: int) -> Piece | None:
    inside = piece.masks[axis] & mask
    return Piece((*piece.masks[:axis], inside, *piece.masks[axis + 1 :]), piece.needs) if inside else None
