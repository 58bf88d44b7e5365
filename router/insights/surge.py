"""
Surges: a category × place × channel that is suddenly reported much more often than before. Pure.

Windows hop: they are `size` long and a new one begins every `hop`. What a hop counts is kept once
(a pane), and a window is the sum of its panes: one small value per cell instead of one per window,
cut off by business time. Faust's own windowed tables cannot do this part: they forget by the
wall clock, and what they forget stays in their changelog (docs/adr/0014).
"""

from typing import Any

from msgspec import Struct

HOUR = 3_600_000

Pane = int
"""Which hop since the epoch."""


class Rule(Struct, frozen=True):
    """
    A window of `size` ms is a surge when it counts at least `floor` and at least `factor` times
    the mean of the `trailing` windows before it. `size` is a multiple of `hop`.
    """

    size: int = 24 * HOUR
    hop: int = HOUR
    floor: int = 10
    factor: float = 3.0
    trailing: int = 7

    @property
    def panes(self) -> int:
        """Hops in a window."""
        return self.size // self.hop

    @property
    def memory(self) -> int:
        """Hops that the last window and those before it need."""
        return self.panes * (self.trailing + 1)


class Sighting(Struct, frozen=True):
    """A case was registered. `partition` and `offset` are its record's in `case.events`: the same one counts once."""

    category: str
    place: str
    channel: str
    at: int
    partition: int
    offset: int

    @property
    def key(self) -> str:
        return f"{self.category}|{self.place}|{self.channel}"


class Surge(Struct, frozen=True):
    """A window that is a surge: from `start` to `end` (ms), what it counts, and the mean before it."""

    key: str
    start: int
    end: int
    count: int
    baseline: float


class Cell(Struct):
    """What is remembered of one key. `told` is the end of the window announced last; `seen` the last offset per partition."""

    panes: dict[Pane, int]
    seen: dict[int, int]
    told: int = 0

    @classmethod
    def empty(cls) -> "Cell":
        return cls({}, {})

    def count(self, sighting: Sighting, rule: Rule) -> Surge | None:
        """Count a sighting; the surge it brings about, if it is one that was not announced yet."""
        if self.seen.get(sighting.partition, -1) >= sighting.offset:
            return None
        self.seen[sighting.partition] = sighting.offset
        pane = sighting.at // rule.hop
        newest = max([*self.panes, pane])
        if pane > newest - rule.memory:
            self.panes[pane] = self.panes.get(pane, 0) + 1
        self.panes = {p: n for p, n in self.panes.items() if p > newest - rule.memory}
        return self._announce(sighting.key, newest, rule)

    def _announce(self, key: str, newest: Pane, rule: Rule) -> Surge | None:
        """The window that ends with the newest hop, if it is a surge and does not overlap one that was announced."""
        end = newest + 1
        count = self.window(end, rule)
        baseline = sum(self.window(end - i * rule.panes, rule) for i in range(1, rule.trailing + 1)) / rule.trailing
        start = (end - rule.panes) * rule.hop
        if count < rule.floor or count < rule.factor * baseline or start < self.told:
            return None
        self.told = end * rule.hop
        return Surge(key, start, end * rule.hop, count, baseline)

    def window(self, end: Pane, rule: Rule) -> int:
        """What the window that ends before hop `end` counts."""
        return sum(self.panes.get(p, 0) for p in range(end - rule.panes, end))


def to_json(cell: Cell) -> dict[str, Any]:
    """As it stands in the table's changelog (JSON: keys are texts)."""
    return {
        "panes": {str(p): n for p, n in cell.panes.items()},
        "seen": {str(p): o for p, o in cell.seen.items()},
        "told": cell.told,
    }


def from_json(value: dict[str, Any] | None) -> Cell:
    if value is None:
        return Cell.empty()
    return Cell(
        {int(p): n for p, n in value["panes"].items()}, {int(p): o for p, o in value["seen"].items()}, value["told"]
    )
