"""
A second opinion on what a request is about, from outside (人工智能中台), asked as router/intake/outside.py says.

What it says takes the place of our own proposal only where every part of it makes sense; else ours stands.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from router.intake.outside import Message, Outside, checked, said, sensible, with_proposal
from router.intake.translate import Accepted, Rejected
from workflows.proposals import Proposal

TOP = 3


class Platform(Protocol):
    """Whoever proposes. `propose` gives for each message categories of ours with how likely they are, or None.

    It must not block the thread: nobody can be kept from waiting for that.
    """

    name: str
    version: str

    async def propose(self, messages: Sequence[Message]) -> Sequence[Mapping[str, float] | None]: ...


class Judge(Protocol):
    """Makes a proposal of likelihoods, by the threshold and the tree of the catalogue."""

    def knows(self, category: str) -> bool: ...

    def judged(
        self, by: str, version: str, top: Sequence[tuple[str, float]], likely: Mapping[str, float]
    ) -> Proposal: ...


class SecondOpinion:
    """Asks a platform about whole batches, about one at a time."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._outside = Outside[list[Accepted]]("category")

    async def on(self, became: Sequence[Accepted | Rejected], judge: Judge) -> list[Accepted | Rejected]:
        """The same, in the same order, with what the platform said where it said something usable."""
        free = {place: one for place, one in enumerate(became) if isinstance(one, Accepted) and one.free}
        heard = await self._outside.heard(lambda: self._heard(list(free.values()), judge)) if free else None
        changed = dict(zip(free, heard, strict=True)) if heard else {}
        return [changed.get(place, one) for place, one in enumerate(became)]

    async def _heard(self, free: Sequence[Accepted], judge: Judge) -> list[Accepted]:
        """Asks, and looks at every part of the answer, in a task of its own: whatever that raises ends there."""
        submits = [(one, submit) for one in free if (submit := one.free)]
        answer: Any = await self._platform.propose([said(submit.request).message for _, submit in submits])
        by, version = self._platform.name, self._platform.version
        heard = []
        for (one, submit), likely in zip(submits, checked(answer, len(submits), by, version), strict=True):
            told = sensible(likely, judge.knows)
            if told and sum(told.values()) <= 1.001:
                top = sorted(told.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]
                proposal = judge.judged(by, version, top, told)
                found = submit.proposal.answer if submit.proposal else None
                one = with_proposal(one, msgspec.structs.replace(proposal, answer=found) if found else proposal)
            heard.append(one)
        return heard
