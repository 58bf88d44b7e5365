"""
Rules compiled to a tree of dictionaries, so that a match hardly costs more with more rules.

A node looks at one column: the values of the request (and what stands above them) lead to branches, and
`rest` holds the rules that do not ask for that column. Columns that nobody below asks for are left out.
Every node knows its lowest rule number, so that the search for the first match leaves early.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from itertools import chain
from math import prod

from ahocorasick_rs import AhoCorasick
from msgspec import Struct
from msgspec.structs import replace

from router.rules.model import (
    COLUMNS,
    INDEXED,
    PRESENT,
    STATES,
    WEEK,
    Box,
    Hours,
    Match,
    Range,
    Rule,
    View,
    Window,
    fold,
    minute_of_week,
)
from router.rules.naive import ABSENT, explain
from router.rules.validity import NEVER, window

WIDEST = 1024
"""A rule is entered under at most so many combinations of cell values; wider columns are checked at the leaf instead."""

PLAIN = COLUMNS.index("urgency") + 1
"""The columns up to here are part of what every decision looks at anyway (workflows.facts.RequestView)."""

DEPTH = len(INDEXED)
FEW = 1
"""So few entries are checked one by one rather than found through further branches."""

Found = Collection[str]
"""The keywords, folded, that stand in the text."""
Check = Callable[[View, Found], bool]


class _Entry(Struct, frozen=True, gc=False):
    """
    A rule with what remains to be checked once the branches led to it. A rule has one for each box of `any`.

    rank: the rule's place among all, in the order of numbers. branches: by INDEXED, the values under which it is entered.
    last: the last column that has any. plain: nothing remains. (No cycles here: nothing for the collector, also of nodes.)
    """

    rank: int
    branches: tuple[tuple[str, ...], ...]
    last: int
    rest: tuple[tuple[int, frozenset[str]], ...]
    start: int
    end: int
    checks: tuple[Check, ...]
    unless: tuple["_Condition", ...]
    plain: bool

    def admits(self, view: View, found: Found, now: int) -> bool:
        held = view.held
        for i, cell in self.rest:
            if cell.isdisjoint(held[i]):
                return False
        if not self.start <= now < self.end:
            return False
        for check in self.checks:
            if not check(view, found):
                return False
        return not self.unless or not any(condition.holds(view, found) for condition in self.unless)


def _entries(rank: int, rule: Rule, boxes: Sequence["_Read"]) -> Iterator[_Entry]:
    """`boxes`: those of the rule, in the order of Rule.boxes."""
    start, end = window(rule)
    when, unless = boxes[0], tuple(_Condition(box) for box in boxes[1 + len(rule.any_of) :])
    timeless = start == 0 and end == NEVER
    for box in boxes[1 : 1 + len(rule.any_of)] or (_NONE,):
        cells = when.cells if box is _NONE else tuple(map(_either, when.cells, box.cells))
        branches = _branches(cells)
        last = max((i for i, cell in enumerate(branches) if cell), default=-1)
        left = [(i, cell) for i, cell in enumerate(cells) if cell and not (i < DEPTH and branches[i])]
        if box is not _NONE:
            left += [
                (i, other) for i, (mine, other) in enumerate(zip(when.cells, box.cells, strict=True)) if mine and other
            ]
        rest, checks = tuple((i, frozenset(cell)) for i, cell in left), (*when.checks, *box.checks)
        plain = timeless and not (rest or checks or unless)
        yield _Entry(rank, branches, last, rest, start, end, checks, unless, plain)


def _either(mine: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return mine or other


def _branches(cells: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The cells under which a rule is entered: the narrowest first, while the product stays small."""
    first = cells[:DEPTH]
    if prod(len(cell) or 1 for cell in first) <= WIDEST:
        return first
    chosen, product = set(), 1
    for i in sorted(range(DEPTH), key=lambda i: len(first[i])):
        if first[i] and product * len(first[i]) <= WIDEST:
            chosen.add(i)
            product *= len(first[i])
    return tuple(cell if i in chosen else () for i, cell in enumerate(first))


class _Read(Struct, frozen=True, gc=False):
    """A box, taken apart once."""

    cells: tuple[tuple[str, ...], ...]
    checks: tuple[Check, ...] = ()


_NONE = _Read(Box().cells())


def _read(box: Box) -> _Read:
    return _Read(box.cells(), tuple(_checks(box)) if box.looks_further else ())


class _Condition:
    """A box by itself."""

    __slots__ = ("cells", "checks")

    def __init__(self, box: _Read) -> None:
        self.cells = tuple((i, frozenset(cell)) for i, cell in enumerate(box.cells) if cell)
        self.checks = box.checks

    def holds(self, view: View, found: Found) -> bool:
        held = view.held
        return not any(cell.isdisjoint(held[i]) for i, cell in self.cells) and all(
            check(view, found) for check in self.checks
        )


def _checks(box: Box) -> Iterator[Check]:
    """What the columns beyond COLUMNS ask for."""
    if box.words_any:
        some = frozenset(map(fold, box.words_any))
        yield lambda view, found: not some.isdisjoint(found)
    if box.words_all:
        every = frozenset(map(fold, box.words_all))
        yield lambda view, found: every.issubset(found)
    if box.words_none:
        none = frozenset(map(fold, box.words_none))
        yield lambda view, found: none.isdisjoint(found)
    if box.time:
        yield _timed(box.time)
    for field, cell in box.form.items():
        yield _ranged(field, cell) if isinstance(cell, Range) else _chosen(field, frozenset(cell))


def _timed(cells: Sequence[Hours | Window]) -> Check:
    hours = {cell == "working_hours" for cell in cells if not isinstance(cell, Window)}
    covered = bytearray(WEEK)
    for cell in cells:
        for start, length in cell.spans() if isinstance(cell, Window) else ():
            for minute in range(start, start + length):
                covered[minute % len(covered)] = 1
    table = bytes(covered)
    return lambda view, found: view.working in hours or table[minute_of_week(view.at)] == 1


def _ranged(field: str, cell: Range) -> Check:
    return lambda view, found: any(map(cell.covers, view.form.get(field, ABSENT)))


def _chosen(field: str, cell: frozenset[str]) -> Check:
    return lambda view, found: not cell.isdisjoint(view.form.get(field, ABSENT))


class _Words:
    """All keywords of a rule set, found in one pass over a text, however many there are."""

    def __init__(self, words: Iterable[str]) -> None:
        self._folded = sorted({fold(word) for word in words})
        self._automaton = AhoCorasick(self._folded)

    def found(self, text: str) -> frozenset[str]:
        hits = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return frozenset(self._folded[which] for which, _, _ in hits)


class _Node(Struct, frozen=True, gc=False):
    """
    A column with branches, and what does not ask for it.

    lowest: the lowest rank in it. entries: those that ask for no further column, by rank. rest: those that ask for a later one.
    """

    lowest: int
    entries: tuple[_Entry, ...]
    column: int = -1
    branches: dict[str, "_Node"] = {}
    rest: "_Node | None" = None


def _grow(entries: list[_Entry], column: int) -> _Node:
    """The tree of these entries, which come by rank."""
    more = [entry for entry in entries if entry.last >= column]
    if len(more) <= FEW:
        return _Node(entries[0].rank, tuple(_ended(entry, column) for entry in entries))
    while not any(entry.branches[column] for entry in more):
        column += 1
    by_value: dict[str, list[_Entry]] = {}
    rest = []
    for entry in more:
        cell = entry.branches[column]
        for value in cell if len(cell) < 2 else dict.fromkeys(cell):
            by_value.setdefault(value, []).append(entry)
        if not cell:
            rest.append(entry)
    return _Node(
        entries[0].rank,
        tuple(entry for entry in entries if entry.last < column) if len(more) < len(entries) else (),
        column,
        {value: _grow(some, column + 1) for value, some in by_value.items()},
        _grow(rest, column + 1) if rest else None,
    )


def _ended(entry: _Entry, column: int) -> _Entry:
    """The entry as it is looked at before its last branch: it checks itself what the branches from `column` on would have."""
    left = [(i, frozenset(cell)) for i, cell in enumerate(entry.branches) if i >= column and cell]
    return replace(entry, rest=(*left, *entry.rest), plain=False) if left else entry


class Index:
    """
    Immutable once built. Rules with bad dates or windows raise ValueError.

    named: by column, every value that some rule asks for; of what is not in it a match says nothing.
    fields: the fields of the form that some rule asks for. wordy, timed: whether some rule asks for keywords, for times.
    deep: whether some rule asks for more than the plain values of the first PLAIN columns.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = sorted(rules, key=lambda rule: (rule.number, rule.id))
        boxes = [rule.boxes() for rule in self._rules]
        read = [tuple(map(_read, of)) for of in boxes]
        entries = [entry for rank, rule in enumerate(self._rules) for entry in _entries(rank, rule, read[rank])]
        self.named = tuple(map(_values, zip(*(box.cells for of in read for box in of), strict=True))) or _NOTHING
        further = [box for of in boxes for box in of if box.looks_further]
        words = {word for box in further for word in box.words()}
        self._words = _Words(words) if words else None
        self.wordy, self.timed = bool(words), any(box.time for box in further)
        self.fields = frozenset(field for box in further for field in box.form)
        states = any(not STATES.isdisjoint(values) for values in self.named)
        self.deep = bool(further) or states or any(self.named[PLAIN:])
        self._telling = tuple(
            (i, v) for i, v in enumerate(self.named) if v and (i >= PLAIN or not STATES.isdisjoint(v))
        )
        self._moments = sorted(_edges(further))
        self._decide = _tree([entry for entry in entries if not self._rules[entry.rank].adds])
        self._add = _tree([entry for entry in entries if self._rules[entry.rank].adds])
        edges = {edge for entry in entries for edge in (entry.start, entry.end)}
        self._edges = sorted(edges - {0, NEVER})

    def period(self, now: int) -> int:
        """Which stretch between two changes of validity `now` lies in: within one, equal views match equally."""
        return bisect_right(self._edges, now)

    def beyond(self, view: View) -> Hashable | None:
        """
        What of a view, beside its plain values, can make a difference: within a period, views that are equal in both match
        equally and for the same reasons. None: a form is asked for, whose values are too many to be told apart.
        """
        if view.form:
            return None
        held = view.held
        cells = [
            held[i] if PRESENT in named else tuple([value for value in held[i] if value in named])
            for i, named in self._telling
        ]
        when = (view.working, bisect_right(self._moments, minute_of_week(view.at))) if self.timed else ()
        return (*cells, when, frozenset(self._found(view)))

    def first(self, view: View, now: int) -> Match | None:
        """The deciding rule: the one with the lowest number that holds (of equal numbers the lower id)."""
        rank = self._lowest(view, now)
        if rank < 0:
            return None
        rule = self._rules[rank]
        return Match(rule=rule, why=explain(rule, view))

    def adding(self, view: View, now: int) -> tuple[Match, ...]:
        """The rules that hold and add to what another one decides, by number."""
        holding = self._every([self._add], view, now) if self._add else ()
        return tuple(Match(rule=rule, why=explain(rule, view)) for rule in holding)

    def every(self, view: View, now: int) -> tuple[Rule, ...]:
        """All rules that hold, by number, those that add among them."""
        return self._every([tree for tree in (self._decide, self._add) if tree], view, now)

    def _every(self, waiting: list[_Node], view: View, now: int) -> tuple[Rule, ...]:
        held, words = view.held, self._found(view)
        found: set[int] = set()
        while waiting:
            node = waiting.pop()
            for entry in node.entries:
                if entry.plain or entry.admits(view, words, now):
                    found.add(entry.rank)
            if node.rest is not None:
                waiting.append(node.rest)
            branches = node.branches
            if branches:
                for value in held[node.column]:
                    if value in branches:
                        below = branches[value]
                        waiting.append(below)
        return tuple([self._rules[rank] for rank in sorted(found)])

    def _lowest(self, view: View, now: int) -> int:
        """The rank of the rule that decides; -1 for none."""
        held, words = view.held, self._found(view)
        best = len(self._rules)
        waiting = [self._decide] if self._decide else []
        while waiting:
            node = waiting.pop()
            if node.lowest >= best:
                continue
            for entry in node.entries:
                if entry.rank >= best:
                    break
                if entry.plain or entry.admits(view, words, now):
                    best = entry.rank
                    break
            if node.rest is not None:
                waiting.append(node.rest)
            branches = node.branches
            if branches:
                for value in held[node.column]:
                    if value in branches:
                        below = branches[value]
                        waiting.append(below)
        return best if best < len(self._rules) else -1

    def _found(self, view: View) -> Found:
        return self._words.found(view.text) if self._words and view.text else ()


_NOTHING: tuple[frozenset[str], ...] = (frozenset(),) * len(COLUMNS)


def _values(cells: Iterable[tuple[str, ...]]) -> frozenset[str]:
    return frozenset(chain.from_iterable(cells))


def _edges(boxes: Iterable[Box]) -> set[int]:
    """The minutes of the week at which some window begins or ends."""
    windows = [cell for box in boxes for cell in box.time if isinstance(cell, Window)]
    return {
        minute % WEEK for window in windows for start, length in window.spans() for minute in (start, start + length)
    }


def _tree(entries: list[_Entry]) -> _Node | None:
    return _grow(entries, 0) if entries else None


__all__ = ["COLUMNS", "Index"]
