"""
Texts as sketches: the smallest hashes of their pairs of characters, from which no word can be had back (Broder 1997: the
share two sketches have in common estimates that of the texts). Pure.

A new text is held against some hundreds, of which few are anything like it. So a sketch carries a bitmap of its hashes:
how many bits two have in common is an upper bound, told in a tenth of a microsecond, and most pairs end there.
"""

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from zlib import crc32

from router.proposals.text import fold

KEPT = 64
"""Hashes of a sketch: the estimate is off by some 0.06 (one standard deviation) where half is in common."""
SHORT = 10
"""Pairs of characters below which a text, or a title, says too little to be compared."""
BITS = 512
"""Of the bitmap: wide enough that 64 hashes of two strange texts seldom meet, and 100 bytes in memory."""


@dataclass(slots=True, eq=False, frozen=True)
class Sketch:
    """`hashes`: ascending, none of a short text. `bits`: those that they set."""

    hashes: "array[int]"
    bits: int


def sketch(text: str) -> Sketch:
    """Of a text as it is, or of a title."""
    folded = fold(text)
    pairs = {folded[at : at + 2] for at in range(len(folded) - 1)}
    hashes = array("I", nsmallest(KEPT, {crc32(pair.encode()) for pair in pairs}) if len(pairs) >= SHORT else ())
    bits = 0
    for one in hashes:
        bits |= 1 << one % BITS
    return Sketch(hashes, bits)


class Likeness:
    """A text that others are compared with: what it takes is made once."""

    def __init__(self, one: Sketch) -> None:
        self._ranks = {hashed: rank for rank, hashed in enumerate(one.hashes, 1)}
        self._bits = one.bits
        self._doubled = len(one.hashes) - one.bits.bit_count()

    def may_reach(self, other: Sketch, least: float) -> bool:
        """False only where `to(other)` is less than `least`, or nothing."""
        in_common = (self._bits & other.bits).bit_count() + self._doubled
        return in_common >= _needed(len(self._ranks), len(other.hashes), least)

    def to(self, other: Sketch) -> float:
        """
        The share of pairs that both texts have, estimated; 0 where either is too short.

        Counted is what both have of the smallest KEPT of all that either has. Those in common ascend, so that the rank of
        each among all follows from its ranks in the two, and the last that counts is found by halving.
        """
        ranks, theirs = self._ranks, other.hashes
        if not ranks or not theirs:
            return 0.0
        both = [*filter(ranks.__contains__, theirs)]
        among = len(ranks) + len(theirs) - len(both)
        if among <= KEPT:
            return len(both) / among
        count = bisect_right(range(len(both)), KEPT, key=lambda n: ranks[both[n]] + bisect_left(theirs, both[n]) - n)
        return count / KEPT


@lru_cache(maxsize=2**15)
def _needed(mine: int, theirs: int, least: float) -> int:
    """How many hashes two sketches of these lengths must have in common; more than there are where either has none."""
    if not mine or not theirs:
        return KEPT + 1
    return next((n for n in range(KEPT + 1) if n / min(KEPT, mine + theirs - n) >= least), KEPT + 1)
