"""
What one record of the log may hold, and as many records as what leaves a case needs.
"""

from collections.abc import Iterable, Iterator

from workflows.case import Case, encode
from workflows.outbox import Message

RECORD_BYTES = 12 << 20
"""What one record may hold: the topics take 13 MB."""
MANY = 8
"""Messages, or legs, beyond which it is worth while to measure: one is below 1 MB, a leg's reply below 256 KB."""


class CaseTooLarge(Exception):
    """A case that the log could not hold any more."""


def check(case: Case | None) -> None:
    """Raises CaseTooLarge."""
    if case is not None and len(case.legs) > MANY and len(encode(case)) > RECORD_BYTES:
        raise CaseTooLarge


def pages(messages: tuple[Message, ...]) -> Iterable[tuple[Message, ...]]:
    """One record's each, or as few as can hold them: a large request may go to fifty units at once."""
    if not messages:
        return ()
    return (messages,) if len(messages) <= MANY else _many(messages)


def _many(messages: tuple[Message, ...]) -> Iterator[tuple[Message, ...]]:
    page: list[Message] = []
    size = 0
    for message in messages:
        size += memoryview(message.data).nbytes
        if page and size > RECORD_BYTES // 2:
            yield tuple(page)
            page, size = [], memoryview(message.data).nbytes
        page.append(message)
    yield tuple(page)
