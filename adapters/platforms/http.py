"""
A 人工智能中台 over HTTP. What is said to it, and what it has to say (JSON both ways, POST):

`<address>/propose`: `{"messages": [{"title", "text"}, …]}` → `{"name", "version", "opinions": [{"<category>": 0.93, …} or null, …]}`
`<address>/find`: the same for questions, with entries of our knowledge base in place of categories.

One opinion a message, in the same order. Nothing else of a request leaves: no name, number, place or channel. Whoever
waits ends the question when it has waited enough (router/intake/outside.py); within that time it is asked once more where
it could not be reached or failed (5xx).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

LIMIT = aiohttp.ClientTimeout(total=5)
LONGEST = 1 << 20
"""Bytes of an answer."""


class Failed(Exception):
    """It answered with an error of its own; the status only, as its words may be anybody's."""


class Refused(Exception):
    """It does not take the question, or its answer is none. Asking again would not help."""


class _Answer(msgspec.Struct):
    name: str
    version: str
    opinions: list[dict[str, float] | None]


_answer = msgspec.json.Decoder(_Answer).decode


class HttpPlatform:
    """`address`: http(s)://…, without the last part. Made within a running loop; `close` it there."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._session = aiohttp.ClientSession(timeout=LIMIT)
        self.name, self.version = "platform", ""

    async def propose(self, messages: Sequence[tuple[str, str]]) -> list[Mapping[str, float] | None]:
        """Categories, and how likely each is, of each message. Raises Failed, Refused, aiohttp.ClientError."""
        return await self._ask("propose", messages)

    async def find(self, questions: Sequence[tuple[str, str]]) -> list[Mapping[str, float] | None]:
        """Entries of the knowledge base, and how well each fits, for each question. Raises as `propose` does."""
        return await self._ask("find", questions)

    async def close(self) -> None:
        await self._session.close()

    async def _ask(self, what: str, messages: Sequence[tuple[str, str]]) -> list[Mapping[str, float] | None]:
        body = msgspec.json.encode({"messages": [{"title": title, "text": text} for title, text in messages]})
        again = AsyncRetrying(
            retry=retry_if_exception_type((Failed, aiohttp.ClientConnectionError)), stop=stop_after_attempt(2),
            wait=wait_fixed(0.02), reraise=True,
        )  # fmt: skip
        async for attempt in again:
            with attempt:
                answer = await self._once(f"{self._address}/{what}", body)
                self.name, self.version = answer.name, answer.version
                return list(answer.opinions)
        raise AssertionError("the tries end with a result or an error")

    async def _once(self, address: str, body: bytes) -> _Answer:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(address, data=body, headers=headers, allow_redirects=False) as response:
            if response.status >= 500:
                raise Failed(response.status)
            if response.status != 200:
                raise Refused(response.status)
            said = await self._all(response)
        try:
            return _answer(said)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Refused("not the answer that was agreed") from None

    @staticmethod
    async def _all(response: Any) -> bytes:
        said = bytearray()
        async for piece in response.content.iter_chunked(1 << 16):
            said += piece
            if len(said) > LONGEST:
                raise Refused("too long")
        return bytes(said)
