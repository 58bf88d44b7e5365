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


class SimulatedPlatform:
    """`seconds`: how long it thinks. Whoever wires it into intake needs no more than `propose`."""

    name = "simulated-platform"
    version = "1"

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    async def propose(self, messages: Sequence[tuple[str, str]]) -> list[Mapping[str, float] | None]:
        """For each message the category of the first word it knows, or None."""
        await asyncio.sleep(self._seconds)
        return [self._opinion(title + text) for title, text in messages]

    def _opinion(self, message: str) -> Mapping[str, float] | None:
        return next(({code: 0.9} for word, code in WORDS.items() if word in message), None)
