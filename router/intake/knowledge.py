"""
The knowledge base as a port: which entry of the catalogue's answers is the answer to a question.

Whoever is asked names an entry of ours and how sure it is; the words are always those of the catalogue, with their basis
and author. It is asked for questions (咨询) in free words only, as router/intake/outside.py says. What it names travels
with the command: the case decides by its policy whether it is sent at once (workflows/submit.py).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from router.intake.outside import Message, Outside, checked, said, sensible, with_proposal
from router.intake.translate import Accepted, Rejected
from workflows.proposals import QUESTION, Found


class KnowledgeBase(Protocol):
    """Whoever finds answers. `find` gives for each question entries of ours with how well they fit, or None.

    It must not block the thread: nobody can be kept from waiting for that.
    """

    name: str
    version: str

    async def find(self, questions: Sequence[Message]) -> Sequence[Mapping[str, float] | None]: ...


class Entries(Protocol):
    """What there is to find: the entries of the catalogue in force."""

    def title(self, entry: str, now: int) -> str:
        """Of an entry that is in force; empty where there is none."""


class Knowledge:
    """Asks a knowledge base about whole batches, about one at a time."""

    def __init__(self, base: KnowledgeBase) -> None:
        self._base = base
        self._outside = Outside[list[Accepted]]("answer")

    async def on(self, became: Sequence[Accepted | Rejected], entries: Entries) -> list[Accepted | Rejected]:
        """The same, in the same order, with the entries that were found."""
        asked = {place: one for place, one in enumerate(became) if isinstance(one, Accepted) and _is_question(one)}
        heard = await self._outside.heard(lambda: self._heard(list(asked.values()), entries)) if asked else None
        changed = dict(zip(asked, heard, strict=True)) if heard else {}
        return [changed.get(place, one) for place, one in enumerate(became)]

    async def _heard(self, asked: Sequence[Accepted], entries: Entries) -> list[Accepted]:
        submits = [(one, submit) for one in asked if (submit := one.free)]
        answer: Any = await self._base.find([said(submit.request).message for _, submit in submits])
        by, version = self._base.name, self._base.version
        heard = []
        for (one, submit), likely in zip(submits, checked(answer, len(submits), by, version), strict=True):
            now = submit.at
            told = sensible(likely, partial(_is_there, entries, now))
            if told and submit.proposal:
                entry, score = min(told.items(), key=lambda pair: (-pair[1], pair[0]))
                found = Found(
                    entry=entry, title=entries.title(entry, now), score=round(score, 4), by=by, version=version
                )
                one = with_proposal(one, msgspec.structs.replace(submit.proposal, answer=found))
            heard.append(one)
        return heard


def _is_there(entries: Entries, now: int, entry: str) -> bool:
    return bool(entries.title(entry, now))


def _is_question(one: Accepted) -> bool:
    return one.free is not None and said(one.free.request).appeal_kind == QUESTION
