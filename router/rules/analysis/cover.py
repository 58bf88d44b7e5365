"""
Whether some requests are all taken by some rules: a request is tried, and what takes it is taken away, until none is left.

So only rules are looked at that matter, however many there are, and what is left over is a request that none takes.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from router.rules.analysis.space import VALID, Asked, Known, Piece, Space, Undecided
from router.rules.index import Index
from router.rules.model import Rule

STEPS = 128
"""So many rules are taken away from one question before it is left undecided."""


class Fault(Struct, frozen=True, kw_only=True):
    """
    What was found: the rules it is about, the one to mend first, and a request that shows it.

    about: what else there is to say of it, by name.
    """

    code: str
    rules: tuple[str, ...] = ()
    asked: Asked | None = None
    about: dict[str, str] = {}


class Cover:
    """A set of rules over the space of requests. Rules with bad dates or windows raise ValueError."""

    def __init__(self, known: Known, rules: Iterable[Rule], now: int) -> None:
        self.rules = sorted(rules, key=lambda rule: (rule.number, rule.id))
        self.space = Space(known, self.rules, now)
        self.index = Index(self.rules)
        self._regions: dict[str, list[Piece]] = {}
        self._widths: dict[str, tuple[int, int]] = {}

    def region(self, rule: Rule) -> list[Piece]:
        """Where a rule holds. Raises Undecided."""
        if rule.id not in self._regions:
            self._regions[rule.id] = self.space.region(rule)
        return self._regions[rule.id]

    def holding(self, asked: Asked) -> tuple[Rule, ...]:
        """All rules that hold for a request, by number."""
        return self.index.every(self.space.view(asked), asked.at)

    def sample(self, pieces: Iterable[Piece]) -> Asked | None:
        """A request of some piece."""
        return next((asked for piece in pieces if (asked := self.space.sample(piece))), None)

    def left(self, pieces: list[Piece], among: Callable[[Rule], bool]) -> tuple[Asked | None, list[Rule]]:
        """A request of the pieces that none of those rules takes (None: they take all), and which were looked at."""
        used: list[Rule] = []
        for _ in range(STEPS):
            asked = self._first(pieces)
            if asked is None:
                return None, used
            holding = self.holding(asked)
            self.space.spend(1 + len(holding))
            takers = [rule for rule in holding if among(rule)]
            if not takers:
                return asked, used
            used.append(min(takers, key=self._width))
            for piece in self.region(used[-1]):
                pieces = self.space.minus(pieces, piece)
        raise Undecided

    def free(self, rule: Rule, pieces: list[Piece]) -> Asked | None:
        """A request of the pieces, which lie where the rule holds, that no rule before it takes."""
        order = (rule.number, rule.id)
        before = (
            (lambda other: False) if rule.adds else lambda other: (other.number, other.id) < order and not other.adds
        )
        return self.left(list(pieces), before)[0]

    def _first(self, pieces: list[Piece]) -> Asked | None:
        """A request of the last piece that has one; those behind it are dropped."""
        while pieces:
            asked = self.space.sample(pieces[-1])
            if asked is not None:
                return asked
            pieces.pop()
        return None

    def _width(self, rule: Rule) -> tuple[int, int]:
        """The wider, the less: how many things a rule asks for, then how few of their values it takes."""
        if rule.id not in self._widths:
            boxes = rule.boxes()
            asked = sum(bool(getattr(box, name)) for box in boxes for name in box.__struct_fields__)
            values = sum(mask.bit_count() for piece in self.region(rule) for mask in piece.masks[:VALID])
            self._widths[rule.id] = asked, -values
        return self._widths[rule.id]
