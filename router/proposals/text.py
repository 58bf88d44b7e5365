"""A message as proposals see it: short, of one width and case, without blanks, all digits alike."""

import re
import unicodedata
from itertools import pairwise

KEPT = 2_000
"""Characters of a message that are looked at: what it is about stands at its beginning."""
_digits = re.compile(r"\d+")


def told(title: str, text: str) -> str:
    """What is looked at, folded as keywords are; title and text are two lines. No number can be told from another."""
    return "\n".join(map(fold, (title[:KEPT], text[:KEPT])))


def fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _digits.sub("0", "".join(folded.split()))[:KEPT]


def grams(text: str) -> list[str]:
    """Its characters and pairs of characters, as often as they stand there; no pair across lines."""
    return [gram for line in text.split("\n") for gram in (*line, *map("".join, pairwise(line)))]
