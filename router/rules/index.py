"""
Rules compiled to a tree of dictionaries, so that a match hardly costs more with more rules.

A node looks at one column: the values of the request (and what stands above them) lead to branches, and
`rest` holds the rules that do not ask for that column. Columns that nobody below asks for are left out.
Every node knows its lowest rule number, so that the search for the first match leaves early.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence

from ahocorasick_rs import AhoCorasick

from router.rules.model import (
    COLUMNS,
    INDEXED,
    STATES,
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

Found = Collection[str]
"""The keywords, folded, that stand in the text."""
Check = Callable[[View, Found], bool]


class _Entry:
    """A rule with what remains to be checked once the branches led to it. A rule has one for each box of `any`."""

    __slots__ = ("branches", "checks", "end", "number", "order", "rest", "rule", "start", "unless")

    def __init__(self, rule: Rule, box: Box) -> None:
        self.rule, self.number, self.order = rule, rule.number, (rule.number, rule.id)
        self.start, self.end = window(rule)
        when, more = rule.when.cells(), box.cells()
        cells = [mine or other for mine, other in zip(when, more, strict=True)]
        indexed = _indexed(cells)
        self.branches = tuple(cell if i in indexed else () for i, cell in enumerate(cells))
        both = [(i, other) for i, (mine, other) in enumerate(zip(when, more, strict=True)) if mine and other]
        left = [(i, cell) for i, cell in enumerate(cells) if cell and i not in indexed]
        self.rest = tuple((i, frozenset(cell)) for i, cell in left + both)
        self.checks = (*_checks(rule.when), *_checks(box))
        self.unless = tuple(map(_Condition, rule.unless))

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


class _Condition:
    """A box by itself."""

    __slots__ = ("cells", "checks")

    def __init__(self, box: Box) -> None:
        self.cells = tuple((i, frozenset(cell)) for i, cell in enumerate(box.cells()) if cell)
        self.checks = tuple(_checks(box))

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
    covered = bytearray(7 * 24 * 60)
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


def _indexed(cells: Sequence[tuple[str, ...]]) -> Container[int]:
    """The columns under which a rule is entered: the narrowest first, while the product stays small."""
    chosen, product = set(), 1
    for i in sorted(range(len(INDEXED)), key=lambda i: len(cells[i])):
        if cells[i] and product * len(cells[i]) <= WIDEST:
            chosen.add(i)
            product *= len(cells[i])
    return chosen


class _Words:
    """All keywords of a rule set, found in one pass over a text, however many there are."""

    def __init__(self, words: Iterable[str]) -> None:
        self._folded = sorted({fold(word) for word in words})
        self._automaton = AhoCorasick(self._folded)

    def found(self, text: str) -> frozenset[str]:
        hits = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return frozenset(self._folded[which] for which, _, _ in hits)


class _Node:
    """Either a leaf (`entries`, by number) or a column with branches."""

    __slots__ = ("branches", "column", "entries", "lowest", "rest")

    def __init__(self, entries: list[_Entry], column: int) -> None:
        self.lowest = min(entry.number for entry in entries)
        self.column = next((i for i in range(column, len(INDEXED)) if any(entry.branches[i] for entry in entries)), -1)
        self.entries: tuple[_Entry, ...] = ()
        self.branches: dict[str, _Node] = {}
        self.rest: _Node | None = None
        if self.column < 0:
            self.entries = tuple(sorted(entries, key=lambda entry: entry.order))
        else:
            self._divide(entries)

    def _divide(self, entries: list[_Entry]) -> None:
        by_value: dict[str, list[_Entry]] = {}
        rest = []
        for entry in entries:
            cell = entry.branches[self.column]
            for value in dict.fromkeys(cell):
                by_value.setdefault(value, []).append(entry)
            if not cell:
                rest.append(entry)
        self.branches = {value: _Node(some, self.column + 1) for value, some in by_value.items()}
        self.rest = _Node(rest, self.column + 1) if rest else None


class Index:
    """
    Immutable once built. Rules with bad dates or windows raise ValueError.

    named: by column, every value that some rule asks for; of what is not in it a match says nothing.
    deep: whether some rule asks for more than the plain values of the first PLAIN columns.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = tuple(rules)
        entries = [_Entry(rule, box) for rule in rules for box in rule.any_of or (Box(),)]
        boxes = [box for rule in rules for box in rule.boxes()]
        cells = [box.cells() for box in boxes]
        self.named = tuple(frozenset(value for row in cells for value in row[i]) for i in range(len(COLUMNS)))
        words = {word for box in boxes for word in box.words()}
        self._words = _Words(words) if words else None
        states = any(not STATES.isdisjoint(values) for values in self.named)
        self.deep = bool(words) or states or any(self.named[PLAIN:]) or any(box.time or box.form for box in boxes)
        self._decide = _tree([entry for entry in entries if not entry.rule.adds])
        self._add = _tree([entry for entry in entries if entry.rule.adds])
        edges = {edge for entry in entries for edge in (entry.start, entry.end)}
        self._edges = sorted(edges - {0, NEVER})

    def period(self, now: int) -> int:
        """Which stretch between two changes of validity `now` lies in: within one, equal views match equally."""
        return bisect_right(self._edges, now)

    def first(self, view: View, now: int) -> Match | None:
        """The deciding rule: the one with the lowest number that holds (of equal numbers the lower id)."""
        best = self._lowest(view, now)
        return Match(rule=best.rule, why=explain(best.rule, view)) if best else None

    def adding(self, view: View, now: int) -> tuple[Match, ...]:
        """The rules that hold and add to what another one decides, by number."""
        holding = self._every([self._add], view, now) if self._add else ()
        return tuple(Match(rule=rule, why=explain(rule, view)) for rule in holding)

    def every(self, view: View, now: int) -> tuple[Rule, ...]:
        """All rules that hold, by number, those that add among them."""
        return self._every([tree for tree in (self._decide, self._add) if tree], view, now)

    def _every(self, waiting: list["_Node"], view: View, now: int) -> tuple[Rule, ...]:
        found: dict[tuple[int, str], Rule] = {}
        words = self._found(view)
        while waiting:
            node = waiting.pop()
            found.update((entry.order, entry.rule) for entry in node.entries if entry.admits(view, words, now))
            _descend(node, view, waiting)
        return tuple(found[order] for order in sorted(found))

    def _found(self, view: View) -> Found:
        return self._words.found(view.text) if self._words and view.text else ()

    def _lowest(self, view: View, now: int) -> _Entry | None:
        best: _Entry | None = None
        words = self._found(view)
        waiting = [self._decide] if self._decide else []
        while waiting:
            node = waiting.pop()
            if best is not None and node.lowest > best.number:
                continue
            for entry in node.entries:
                if best is not None and entry.order >= best.order:
                    break
                if entry.admits(view, words, now):
                    best = entry
                    break
            _descend(node, view, waiting)
        return best


def _tree(entries: list[_Entry]) -> _Node | None:
    return _Node(entries, 0) if entries else None


def _descend(node: _Node, view: View, waiting: list[_Node]) -> None:
    if node.column < 0:
        return
    if node.rest is not None:
        waiting.append(node.rest)
    branches = node.branches
    for value in view.held[node.column]:
        child = branches.get(value)
        if child is not None:
            waiting.append(child)


__all__ = ["COLUMNS", "Index"]
