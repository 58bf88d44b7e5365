"""Keywords of the catalogue that speak for a category, found in one pass."""

from collections.abc import Iterable, Mapping

from ahocorasick_rs import AhoCorasick

from router.proposals.text import fold

Keyword = tuple[str, str, float]
"""A word, the category it speaks for, and how loudly: a weight of 1 makes that category e times as likely."""


class Dictionary:
    """All keywords of one catalogue version."""

    def __init__(self, keywords: Iterable[Keyword]) -> None:
        self._keywords = list(keywords)
        self._automaton = AhoCorasick([fold(word) for word, _, _ in self._keywords])

    def evidence(self, text: str) -> Mapping[str, float]:
        """Category → the weights of its keywords that stand in the folded text, each counted once."""
        hits = self._automaton.find_matches_as_indexes(text, overlapping=True)
        found: dict[str, float] = {}
        for which in sorted({hit[0] for hit in hits}):
            _, category, weight = self._keywords[which]
            found[category] = found.get(category, 0.0) + weight
        return found
