"""
What a classifier thinks of a request that names neither category nor matter: data that comes in with the command.

The core computes none of it. It takes a category that is sure enough as if the channel had said so, but keeps it apart
from what the channel said, and never lets it do what only a person may: answer, refuse, or call out an emergency.
"""

from msgspec import Struct


class Guess(Struct, frozen=True, gc=False):
    """A category of the catalogue and how likely it is, from 0 to 1."""

    category: str
    score: float


class Found(Struct, frozen=True, kw_only=True, gc=False):
    """An entry of the knowledge base that may be the answer. by: who found it; version: in what; score: from 0 to 1."""

    entry: str
    title: str
    score: float
    by: str
    version: str


QUESTION = "consult"
"""The kind of appeal (咨询) for which answers are looked for: nothing else is ever answered by a program."""


class Proposal(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """
    by: who says so (`dictionary`, `model`, or the name of a platform); version: of what exactly, so that the same can be
    asked again. top: the likeliest categories, best first. category: the one to route by, which may stand above
    or below those of `top` in the tree; empty where nothing reaches `threshold`, and a person must look.
    answer: of a question, an entry that may be its answer.
    """

    by: str
    version: str
    threshold: float
    top: tuple[Guess, ...] = ()
    category: str = ""
    score: float = 0.0
    answer: Found | None = None
