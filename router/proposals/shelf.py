"""
The entries of the knowledge base, and which of them a question asks for, by their characters and pairs of characters.

How well an entry fits is Dice's coefficient between the question and its title, or one of the ways in which it is asked
for, whichever is nearest: 1 says the same words, 0 has none in common. The title of a message counts as a question by
itself, as what follows it often says who asks and why.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from router.proposals.text import fold, grams, told
from router.rules.validity import is_on
from workflows.proposals import Found

NAME = "catalogue"
ASKED = 120
"""Characters of a message that can be a question."""


class Entry(Protocol):
    """A row of answers/."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def valid_from(self) -> str: ...
    @property
    def valid_to(self) -> str: ...
    @property
    def questions(self) -> tuple[str, ...]: ...


class Shelf:
    """The entries of one catalogue version. threshold: what fits less is not worth showing."""

    def __init__(self, entries: Iterable[Entry], version: str, threshold: float) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._version, self._threshold = version, threshold
        self._by_gram: dict[str, list[tuple[int, int]]] = {}
        self._sizes: list[tuple[str, int]] = []
        for entry in self._entries.values():
            for question in (entry.title, *entry.questions):
                counted = Counter(grams(fold(question)))
                for gram, times in counted.items():
                    self._by_gram.setdefault(gram, []).append((len(self._sizes), times))
                self._sizes.append((entry.id, counted.total()))

    def title(self, entry: str, now: int) -> str:
        """Of an entry that is in force; empty where there is none."""
        row = self._entries.get(entry)
        return row.title if row and is_on(row.valid_from, row.valid_to, now) else ""

    def find(self, title: str, text: str, now: int) -> Found | None:
        """The entry that fits best, if it fits well enough and is in force. Pure."""
        line, rest = told(title, text).split("\n")
        fits: dict[str, float] = {}
        for question in dict.fromkeys((line, (line + rest)[:ASKED])):
            asked = Counter(grams(question[:ASKED]))
            shared: Counter[int] = Counter()
            for gram, times in asked.items():
                for place, there in self._by_gram.get(gram, ()):
                    shared[place] += min(times, there)
            for place, common in shared.items():
                entry, size = self._sizes[place]
                fits[entry] = max(fits.get(entry, 0.0), 2 * common / (size + asked.total()))
        for entry, score in sorted(fits.items(), key=lambda pair: (-pair[1], pair[0])):
            if score < self._threshold:
                return None
            if named := self.title(entry, now):
                return Found(entry=entry, title=named, score=round(score, 4), by=NAME, version=self._version)
        return None
