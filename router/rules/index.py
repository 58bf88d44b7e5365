"""
Rules compiled to a tree of dictionaries, so that a match hardly costs more with more rules.

A node looks at one column: the values of the request (and what stands above them) lead to branches, and
`rest` holds the rules that do not ask for that column. Columns that nobody below asks for are left out.
Every node knows its lowest rule number, so that the search for the first match leaves early.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from router.rules.model import COLUMNS, INDEXED, Match, Rule, View, explain
from router.rules.validity import NEVER, window

WIDEST = 1024
"""A rule is entered under at most so many combinations of cell values; wider columns are checked at the leaf instead."""


class _Entry:
    """A rule with what remains to be checked once the branches led to it."""

    __slots__ = ("branches", "end", "number", "order", "rest", "rule", "start")

    def __init__(self, rule: Rule) -> None:
        self.rule, self.number, self.order = rule, rule.number, (rule.number, rule.id)
        self.start, self.end = window(rule)
        cells = rule.when.cells()
        indexed = _indexed(cells)
        self.branches = tuple(cell if i in indexed else () for i, cell in enumerate(cells))
        self.rest = tuple((i, frozenset(cell)) for i, cell in enumerate(cells) if cell and i not in indexed)

    def admits(self, view: View, now: int) -> bool:
        return self.start <= now < self.end and not any(cell.isdisjoint(view[i]) for i, cell in self.rest)


def _indexed(cells: Sequence[tuple[str, ...]]) -> frozenset[int]:
    """The columns under which a rule is entered: the narrowest first, while the product stays small."""
    chosen, product = set(), 1
    for i in sorted(range(len(INDEXED)), key=lambda i: len(cells[i])):
        if cells[i] and product * len(cells[i]) <= WIDEST:
            chosen.add(i)
            product *= len(cells[i])
    return frozenset(chosen)


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
    Immutable once built. Rules with bad dates raise ValueError.

    named: by column, every value that some rule asks for; of what is not in it a match says nothing.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        entries = [_Entry(rule) for rule in rules]
        cells = [entry.rule.when.cells() for entry in entries]
        self.named = tuple(frozenset(value for row in cells for value in row[i]) for i in range(len(COLUMNS)))
        self._root = _Node(entries, 0) if entries else None
        edges = {edge for entry in entries for edge in (entry.start, entry.end)}
        self._edges = sorted(edges - {0, NEVER})

    def period(self, now: int) -> int:
        """Which stretch between two changes of validity `now` lies in: within one, equal views match equally."""
        return bisect_right(self._edges, now)

    def first(self, view: View, now: int) -> Match | None:
        """The rule with the lowest number that holds (of equal numbers the lower id)."""
        best = self._lowest(view, now)
        return Match(rule=best.rule, why=explain(best.rule, view)) if best else None

    def every(self, view: View, now: int) -> tuple[Rule, ...]:
        """All rules that hold, by number."""
        found: dict[str, _Entry] = {}
        waiting = [self._root] if self._root else []
        while waiting:
            node = waiting.pop()
            found.update((entry.rule.id, entry) for entry in node.entries if entry.admits(view, now))
            _descend(node, view, waiting)
        return tuple(entry.rule for entry in sorted(found.values(), key=lambda entry: entry.order))

    def _lowest(self, view: View, now: int) -> _Entry | None:
        best: _Entry | None = None
        waiting = [self._root] if self._root else []
        while waiting:
            node = waiting.pop()
            if best is not None and node.lowest > best.number:
                continue
            for entry in node.entries:
                if best is not None and entry.order >= best.order:
                    break
                if entry.admits(view, now):
                    best = entry
                    break
            _descend(node, view, waiting)
        return best


def _descend(node: _Node, view: View, waiting: list[_Node]) -> None:
    if node.column < 0:
        return
    if node.rest is not None:
        waiting.append(node.rest)
    branches = node.branches
    for value in view[node.column]:
        child = branches.get(value)
        if child is not None:
            waiting.append(child)


__all__ = ["COLUMNS", "Index"]
