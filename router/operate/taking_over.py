"""
Cases of another system are written to their shards: page by page, each a transaction with its entry in the audit topic.

A second one that begins takes the transactional id from the first, whose next page fails with Fenced: nothing of it holds.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from router.operate import audit
from router.operate.topics import Topics
from schemas.ids import shard_of
from workflows import commands

STREAM = "take-over"
PAGE = 100
"""Cases of one transaction, and of one entry."""


async def take_over(
    broker: Any, topics: Topics, adoptions: Iterable[commands.Adopt], *, at: str, who: str, why: str, file: str,
    rate: int, advance: Callable[[int], None],
) -> int:  # fmt: skip
    """
    Write them, `rate` a second at most; how many there were. `file`: its SHA-256. `advance` is told how many more are written.

    Raises Fenced, audit.ChainBroken.
    """
    name = f"{topics.prefix}take-over"
    transaction = await broker.transactions(name, name)
    began, written = time.monotonic(), 0
    try:
        entries = await audit.read(broker, topics.audit, STREAM)
        last = entries[-1] if entries else None
        for page in _pages(iter(adoptions), min(PAGE, rate)):
            for command in page:
                shard = shard_of(command.case, topics.shards)
                transaction.add(topics.commands, shard, command.case.encode(), commands.encode(command))
            facts = {"file": file, "cases": [command.case for command in page]}
            last = audit.entry(last, STREAM, at=at, who=who, act="take_over", why=why, facts=facts)
            transaction.add(topics.audit, 0, STREAM.encode(), audit.encode(last))
            await transaction.commit({})
            written += len(page)
            advance(len(page))
            await asyncio.sleep(max(0.0, began + written / rate - time.monotonic()))
    finally:
        await broker.close(transaction)
    # the answer to a commit comes before its markers are everywhere; the next holder of the id waits for them
    await broker.close(await broker.transactions(name, name))
    return written


def _pages(adoptions: Iterator[commands.Adopt], size: int) -> Iterator[list[commands.Adopt]]:
    while page := list(islice(adoptions, size)):
        yield page
