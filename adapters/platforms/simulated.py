"""A simulated 人工智能中台: sure of a few words of the sample catalogue, silent about all else, and as slow as it is told to be."""

import asyncio
from collections.abc import Mapping, Sequence

WORDS: Mapping[str, str] = {
    "路灯": "C010703",
    "井盖": "C010702",
    "停水": "C020101",
    "欠薪": "C050102",
    "噪音": "C090106",
}

ENTRIES: Mapping[str, str] = {"大厅": "hall-hours"}
"""Of its knowledge base; where ours has no such entry nothing comes of it."""


class SimulatedPlatform:
    """`seconds`: how long it thinks. Whoever wires it into intake needs no more than `propose` and `find`."""

    name = "simulated-platform"
    version = "1"

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    async def propose(self, messages: Sequence[tuple[str, str]]) -> list[Mapping[str, float] | None]:
        """For each message the category of the first word it knows, or None."""
        await asyncio.sleep(self._seconds)
        return [_opinion(WORDS, title + text) for title, text in messages]

    async def find(self, questions: Sequence[tuple[str, str]]) -> list[Mapping[str, float] | None]:
        """For each question the entry of the first word it knows, or None."""
        await asyncio.sleep(self._seconds)
        return [_opinion(ENTRIES, title + text) for title, text in questions]

    async def close(self) -> None:
        """Nothing is held."""


def _opinion(words: Mapping[str, str], message: str) -> Mapping[str, float] | None:
    return next(({code: 0.9} for word, code in words.items() if word in message), None)
