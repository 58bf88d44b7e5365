"""
Columns that hold any number of values (tags, keywords, a field of the form): what must be among them and what must not.

Whether that can be is decided by making it: `fill` gives values that do, and there are none exactly when it gives None.
"""

from collections.abc import Iterable, Iterator
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from router.rules.model import EMPTY, MISSING, NULL, PRESENT, STATES, Range

TAGS, WORDS, FORM = "tags", "words", "form."
DIGITS = 1_000
"""Bounds are exact decimals, however close: what lies between two of them is not rounded to one of them."""
Value = str | Range
Held = tuple[str, ...]


class Wants(NamedTuple):
    """Of each of `some` at least one must be there, of `none` nothing."""

    some: tuple[tuple[Value, ...], ...] = ()
    none: frozenset[Value] = frozenset()

    @staticmethod
    def of(some: Iterable[Iterable[Value]] = (), none: Iterable[Value] = ()) -> "Wants":
        return Wants(tuple(dict.fromkeys(tuple(choices) for choices in some)), frozenset(none))

    def and_(self, other: "Wants") -> "Wants":
        return Wants(tuple(dict.fromkeys(self.some + other.some)), self.none | other.none)

    def parts(self) -> Iterator[tuple["Wants", "Wants"]]:
        """Each thing that is wanted, by itself, and its contrary."""
        for choices in self.some:
            yield Wants((choices,)), Wants(none=frozenset(choices))
        for value in sorted(self.none, key=str):
            yield Wants(none=frozenset((value,))), Wants(((value,),))


NOTHING = Wants()


@lru_cache(maxsize=1 << 16)
def fill(column: str, wants: Wants) -> Held | None:
    """Values that are as wanted (of a tag or a field as a view has them, else the words); None where none can be."""
    if column == WORDS:
        return _words(wants)
    for state in (MISSING, EMPTY) if column == TAGS else (MISSING, NULL, EMPTY):
        if state not in wants.none and all(state in choices for choices in wants.some):
            return (state,)
    return _values(wants)


def _words(wants: Wants) -> Held | None:
    """Words on lines of their own: then nothing stands in the text but they and what stands within them."""
    banned = [word for word in wants.none if isinstance(word, str)]
    found: list[str] = []
    for choices in wants.some:
        fit = (word for word in choices if isinstance(word, str) and not any(bad in word for bad in banned))
        word = next(fit, None)
        if word is None:
            return None
        found.append(word)
    return tuple(dict.fromkeys(found))


def _values(wants: Wants) -> Held | None:
    if PRESENT in wants.none:
        return None
    found: list[str] = []
    for choices in wants.some:
        value = "" if PRESENT in choices else next(_fitting(choices, wants.none), None)
        if value is None:
            return None
        found += [value] * bool(value)
    return (*dict.fromkeys(found or [_other(wants.none)]), PRESENT)


def _fitting(choices: tuple[Value, ...], none: frozenset[Value]) -> Iterator[str]:
    for choice in choices:
        if isinstance(choice, Range):
            yield from _numbers(choice, none)
        elif choice not in STATES and _allowed(choice, none):
            yield choice


def _allowed(text: str, none: frozenset[Value]) -> bool:
    return text not in none and not any(isinstance(bad, Range) and bad.covers(text) for bad in none)


def _numbers(wanted: Range, none: frozenset[Value]) -> Iterator[str]:
    """
    Numbers of a range that no other range takes: of a line cut at the bounds of all ranges it is enough to look at each
    bound, between two of them, and outside. A text that is not wanted is written with another zero.
    """
    bounds = sorted({bound for cell in (wanted, *none) if isinstance(cell, Range) for bound in _bounds(cell)})
    with localcontext(Context(prec=DIGITS)):
        between = [(low + high) / 2 for low, high in pairwise(bounds)]
        outside = [bounds[0] - 1, bounds[-1] + 1]
    for number in [*bounds, *between, *outside]:
        text = format(number, "f")
        if wanted.covers(text) and _allowed(text + "", none - {text}):
            while text in none:
                text += "0" if "." in text else ".0"
            yield text


def _bounds(cell: Range) -> tuple[Decimal, ...]:
    return tuple(bound for bound in (cell.at_least, cell.at_most) if bound is not None)


def _other(none: frozenset[Value]) -> str:
    """A value that nobody asks about."""
    text = "other"
    while text in none:
        text += "-"
    return text
