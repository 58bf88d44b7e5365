"""
All requests there can be, as a space; what a box of a rule holds for, as a piece of it.

Columns with finitely many values are bits of an integer: an atom for each value that a request can have, and for each
state. A place and its level are one such axis, and so are kind and disclosure of an applicant: they go together. Tags,
keywords and fields of the form hold any number of values; of them a piece says which there must be and which there must
not. Pieces are intersected and subtracted exactly, and whether a piece holds any request at all is known exactly too:
`sample` builds one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import NamedTuple

from msgspec import Struct

from router.rules.analysis.hours import Hours
from router.rules.analysis.wants import FORM, NOTHING, TAGS, WORDS, Wants, fill
from router.rules.model import COLUMNS, EMPTY, MISSING, NULL, PRESENT, STATES, Box, Rule, View, fold
from router.rules.naive import lineage
from router.rules.validity import NEVER, window
from workflows.calendars import OFFSET, Calendar, day_of
from workflows.workdays import DAY

AXES = (
    "one_thing", "matter_under", "category_under", "place_under", "channel", "kind", "origin", "applicant", "urgency",
    "medium", "time", "valid",
)  # fmt: skip
THING, MATTER, CATEGORY, PLACE, CHANNEL, KIND, ORIGIN, APPLICANT, URGENCY, MEDIUM, TIME, VALID = range(len(AXES))
UNKNOWN = "unknown-code"
"""A code that no table has: intake looks up places only."""
PIECES = 4_000
"""Where a subtraction comes to more pieces than these, the question is left undecided."""
SEARCH = 256
"""So many pieces are looked into for one request of a rule; a limit of its own for each, whatever the others cost."""
IN_ALL = 150_000
"""So many pieces and rules are looked at for one kind of question over all rules."""


class Undecided(Exception):
    """The space fell into more pieces than are looked at."""


class Spent(Exception):
    """All questions of one kind together came to more than is looked at."""


class Known(Struct, frozen=True, kw_only=True):
    """
    What requests can hold: trees as parents by code, places in force with all above them, closed lists.

    media: the channels whose requests always have a medium. calendars: by place, that of the catalogue under `""`.
    alarming: the categories whose requests are emergencies and come before no rule.
    """

    one_things: tuple[str, ...]
    matters: Mapping[str, str]
    categories: Mapping[str, str]
    chains: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, str]
    channels: tuple[str, ...]
    media: frozenset[str]
    words: Mapping[str, tuple[str, ...]]
    calendars: Mapping[str, Calendar]
    alarming: frozenset[str] = frozenset()


class Piece(NamedTuple):
    """A product of sets: by AXES the atoms, and of the columns of many values what must be and must not be among them."""

    masks: tuple[int, ...]
    needs: dict[str, Wants]


class Asked(Struct, frozen=True, kw_only=True):
    """A request as a point of the space: by AXES (but time and valid) its value or state, and when it was received."""

    values: tuple[str, ...]
    disclosure: str
    tags: tuple[str, ...]
    words: tuple[str, ...]
    form: Mapping[str, tuple[str, ...]]
    at: int


class Axis:
    """The atoms of a column, and for each word that a cell may hold the atoms that it takes."""

    def __init__(self, atoms: Sequence[str], parents: Mapping[str, str] | None = None) -> None:
        self.atoms = tuple(atoms)
        self.all = (1 << len(self.atoms)) - 1
        self.of: dict[str, int] = {}
        self._positions = {atom: i for i, atom in enumerate(self.atoms)}
        for i, atom in enumerate(self.atoms):
            for above in lineage(parents, atom) if parents else (atom,):
                self.of[above] = self.of.get(above, 0) | 1 << i
        self.absent = self.of.get(MISSING, 0) | self.of.get(NULL, 0)
        self.of[PRESENT] = self.all & ~self.absent

    def bits(self, values: Iterable[str]) -> int:
        """Those very values, without what is below them."""
        found = 0
        for value in values:
            found |= 1 << self._positions[value]
        return found

    def mask(self, cell: Iterable[str]) -> int:
        found = 0
        for value in cell:
            found |= self.of.get(value, 0)
        return found


class Space:
    """The requests that a catalogue knows, from the day of `now` on. `rules`: whose windows and dates divide the time."""

    def __init__(self, known: Known, rules: Iterable[Rule], now: int) -> None:
        self.known, self.now, self._allowed = known, day_of(now) * DAY - OFFSET, IN_ALL
        rules = tuple(rules)
        self._chains = known.chains
        words = known.words
        place = Axis((MISSING, NULL, *known.chains))
        for i, atom in enumerate(place.atoms):
            for above in known.chains.get(atom, ())[1:]:
                place.of[above] = place.of.get(above, 0) | 1 << i
        self._levels = Axis(place.atoms)
        self._levels.of = {MISSING: place.of[MISSING], NULL: place.of[NULL], PRESENT: place.of[PRESENT]}
        for code in known.chains:
            level = known.levels[code]
            self._levels.of[level] = self._levels.of.get(level, 0) | place.bits((code,))
        self._people = [(MISSING, MISSING), (NULL, NULL), *product(words["applicant"], words["disclosure"])]
        self.axes = {
            THING: Axis((MISSING, NULL, *known.one_things, UNKNOWN)),
            MATTER: Axis((MISSING, NULL, *known.matters, UNKNOWN), known.matters),
            CATEGORY: Axis((MISSING, NULL, *known.categories, UNKNOWN), known.categories),
            PLACE: place,
            CHANNEL: Axis(known.channels),
            KIND: Axis(words["kind"]),
            ORIGIN: Axis(words["origin"]),
            URGENCY: Axis(words["urgency"]),
            MEDIUM: Axis((MISSING, NULL, *words["medium"])),
        }
        self._defaulted = self.axes[CHANNEL].mask(known.media)
        self._hours = Hours(rules, known.calendars, known.chains)
        self._edges = _edges(rules, self.now)
        self.all = tuple(self._full(axis) for axis in range(len(AXES)))
        self.everything = Piece(self.all, {})
        self._plain = tuple(word for word in ("示例", "·", "。", "～", "一", "Q") if word)
        self._keywords = {fold(word) for rule in rules for box in rule.boxes() for word in box.words()}

    def _full(self, axis: int) -> int:
        if axis == APPLICANT:
            return (1 << len(self._people)) - 1
        if axis == TIME:
            return self._hours.all
        return (1 << len(self._edges)) - 1 if axis == VALID else self.axes[axis].all

    # -- from rules to pieces ----------------------------------------------------------------------

    def piece(self, box: Box) -> Piece | None:
        """What a box holds for, at any time of validity; None where nothing can."""
        masks = list(self.all)
        for axis, ours in self.axes.items():
            if cell := getattr(box, AXES[axis]):
                masks[axis] = ours.mask(cell)
        if box.place_level:
            masks[PLACE] &= self._levels.mask(box.place_level)
        if box.applicant or box.disclosure:
            masks[APPLICANT] = self._person(box)
        if box.time:
            masks[TIME] = self._hours.mask(box.time)
        if not all(masks):
            return None
        needs = self.both({}, _needs(box))
        return None if needs is None else Piece(tuple(masks), needs)

    def _person(self, box: Box) -> int:
        found = 0
        for i, (kind, disclosure) in enumerate(self._people):
            if _takes(box.applicant, kind) and _takes(box.disclosure, disclosure):
                found |= 1 << i
        return found

    def condition(self, rule: Rule) -> tuple[list[Piece], list[Piece]]:
        """What a rule asks for and what it takes out of that, as pieces within its validity (empty where it is over)."""
        valid = self._valid(rule)
        when = self.piece(rule.when) if valid else None
        if when is None:
            return [], []
        when = Piece((*when.masks[:VALID], valid), when.needs)
        boxes = [self.piece(box) for box in rule.any_of or (Box(),)]
        asked = [met for box in boxes if box and (met := self.meet(when, box))]
        out = [piece for box in rule.unless if (piece := self.piece(box))]
        return asked, [piece for piece in out if any(self.meet(piece, one) for one in asked)]

    def region(self, rule: Rule) -> list[Piece]:
        """Where a rule holds, as pieces. Raises Undecided where there are too many."""
        asked, out = self.condition(rule)
        for piece in out:
            asked = self.minus(asked, piece)
        return asked

    def _valid(self, rule: Rule) -> int:
        start, end = window(rule)
        found = 0
        for i, (since, until) in enumerate(self._edges):
            if start <= since and until <= end:
                found |= 1 << i
        return found

    # -- algebra -----------------------------------------------------------------------------------

    def meet(self, one: Piece, other: Piece) -> Piece | None:
        """What is in both."""
        masks = tuple(a & b for a, b in zip(one.masks, other.masks, strict=True))
        if not all(masks):
            return None
        needs = self.both(one.needs, other.needs)
        return None if needs is None else Piece(masks, needs)

    def minus(self, pieces: Iterable[Piece], out: Piece) -> list[Piece]:
        """What of some pieces is not in `out`. Raises Undecided."""
        left: list[Piece] = []
        for piece in pieces:
            left += self._less(piece, out)
            if len(left) > PIECES:
                raise Undecided
        self.spend(len(left))
        return left

    def allow(self) -> None:
        """Begin another kind of question, with all that is allowed for one."""
        self._allowed = IN_ALL

    def spend(self, count: int) -> None:
        """So many more were looked at. Raises Spent."""
        self._allowed -= count
        if self._allowed < 0:
            raise Spent

    def find(
        self, asked: Sequence[Piece], out: Sequence[Piece], most: int = SEARCH,
        stretches: Sequence[tuple[int, int]] | None = None,
    ) -> Asked | None:  # fmt: skip
        """
        A request of what is asked for and not taken out, without making all the pieces of that; None where there is none.

        stretches: when it is received, instead of from `now` on. Raises Undecided after `most` pieces, whatever the day.
        """
        open_pieces = [(piece, 0) for piece in reversed(asked)]
        for _ in range(most):
            if not open_pieces:
                return None
            piece, passed = open_pieces.pop()
            while passed < len(out) and self.meet(piece, out[passed]) is None:
                passed += 1
            if passed < len(out):
                open_pieces += [(rest, passed + 1) for rest in self._less(piece, out[passed])]
            elif found := self.sample(piece, stretches):
                return found
        if open_pieces:
            raise Undecided
        return None

    def _less(self, piece: Piece, out: Piece) -> Iterator[Piece]:
        """Axis by axis: what lies outside there; then what remains is looked at further. The parts do not overlap."""
        masks = list(piece.masks)
        if self.meet(piece, out) is None:
            yield piece
            return
        for axis, taken in enumerate(out.masks):
            rest = masks[axis] & ~taken
            if rest:
                yield Piece((*masks[:axis], rest, *masks[axis + 1 :]), piece.needs)
                masks[axis] &= taken
        inside, needs = tuple(masks), piece.needs
        for name, wants in out.needs.items():
            for wanted, contrary in wants.parts():
                if (without := self.both(needs, {name: contrary})) is not None:
                    yield Piece(inside, without)
                needs = self.both(needs, {name: wanted}) or needs  # it can be: the pieces meet

    def both(self, one: Mapping[str, Wants], other: Mapping[str, Wants]) -> dict[str, Wants] | None:
        """Both needs at once; None where no request has them."""
        if not other:
            return dict(one)
        joined = dict(one)
        for name, wants in other.items():
            joined[name] = joined.get(name, NOTHING).and_(wants)
            if fill(name, joined[name]) is None:
                return None
        return joined

    # -- from pieces to requests -------------------------------------------------------------------

    def sample(self, piece: Piece, stretches: Iterable[tuple[int, int]] | None = None) -> Asked | None:
        """A request of the piece; None where no request can be in it. stretches: as for `find`."""
        masks = list(piece.masks)
        filled = {name: held for name, wants in piece.needs.items() if (held := fill(name, wants)) is not None}
        form = {name.removeprefix(FORM): held for name, held in filled.items() if name.startswith(FORM)}
        form = {field: held for field, held in form.items() if held != (MISSING,)}
        if form:
            masks[THING] &= self.axes[THING].of[PRESENT]
        if not all(masks) or not self._with_medium(masks):
            return None
        if stretches is None:
            stretches = self._stretches(masks[VALID])
        when = self._hours.find(masks[PLACE], masks[TIME], stretches)
        if when is None:
            return None
        place, at = when
        values = ["" if axis not in self.axes else self.axes[axis].atoms[_lowest(masks[axis])] for axis in range(TIME)]
        values[PLACE] = self.axes[PLACE].atoms[place]
        values[APPLICANT], disclosure = self._people[_lowest(masks[APPLICANT])]
        return Asked(
            values=tuple(values), disclosure=disclosure, tags=filled.get(TAGS, (MISSING,)),
            words=tuple(word for word in filled.get(WORDS, ()) if word), form=form, at=at,
        )  # fmt: skip

    def _with_medium(self, masks: list[int]) -> bool:
        """A request without a medium has its channel's, if that has one."""
        axis = self.axes[MEDIUM]
        plain = masks[CHANNEL] & ~self._defaulted
        if plain and masks[MEDIUM] & axis.absent:
            masks[CHANNEL], masks[MEDIUM] = plain, masks[MEDIUM] & axis.absent
            return True
        masks[MEDIUM] &= ~axis.absent
        return masks[MEDIUM] > 0

    def _stretches(self, mask: int) -> Iterator[tuple[int, int]]:
        return (stretch for i, stretch in enumerate(self._edges) if mask >> i & 1)

    def view(self, asked: Asked) -> View:
        """What rules see of it, as `CatalogueFacts.view` would say."""
        values = dict(zip(AXES, asked.values, strict=False))
        place = asked.values[PLACE]
        chain = self._chains.get(place, ())
        values |= {"disclosure": asked.disclosure}
        trees = {"matter_under": self.known.matters, "category_under": self.known.categories}
        held = []
        for column in COLUMNS:
            if column == "tags":
                held.append(asked.tags)
            elif column == "place_level":
                held.append((self.known.levels[place], PRESENT) if chain else (place,))
            elif column == "place_under" and chain:
                held.append((*chain, PRESENT))
            elif values[column] in STATES:
                held.append((values[column],))
            else:
                held.append((*lineage(trees.get(column, {}), values[column]), PRESENT))
        return View(
            held=tuple(held), text=self.text(asked), at=asked.at, working=self._hours.is_open(place, asked.at),
            form=asked.form,
        )  # fmt: skip

    def text(self, asked: Asked) -> str:
        """Its title and its words, each on a line of its own: across lines no keyword is found."""
        return "\n".join((fold(self.title), *asked.words))

    @property
    def title(self) -> str:
        """A title in which no rule finds a keyword."""
        return next(word for word in self._plain if not any(key in fold(word) for key in self._keywords))


def _takes(cell: tuple[str, ...], value: str) -> bool:
    return not cell or value in cell or (PRESENT in cell and value not in (MISSING, NULL))


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _edges(rules: Iterable[Rule], now: int) -> list[tuple[int, int]]:
    """The stretches from `now` on within which no rule begins or ends."""
    edges = sorted({now, NEVER, *(edge for rule in rules for edge in window(rule) if now < edge < NEVER)})
    return list(pairwise(edges))


def _needs(box: Box) -> dict[str, Wants]:
    """What a box asks of the columns of many values."""
    needs = {}
    if box.tags:
        needs[TAGS] = Wants.of(some=[box.tags])
    if box.words_any or box.words_all or box.words_none:
        some = [box.words_any] if box.words_any else []
        each = [tuple(map(fold, words)) for words in (*some, *((word,) for word in box.words_all))]
        needs[WORDS] = Wants.of(some=each, none=map(fold, box.words_none))
    for field, cell in box.form.items():
        needs[FORM + field] = Wants.of(some=[cell if isinstance(cell, tuple) else (cell,)])
    return needs


__all__ = ["AXES", "EMPTY", "Asked", "Known", "Piece", "Space", "Spent", "Undecided"]
