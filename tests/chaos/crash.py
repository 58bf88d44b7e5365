"""
A role that kills itself at a place in its code: `python -m tests.chaos.crash ROLE POINT N`.

The N-th time it comes by the point it ends as by SIGKILL: `os._exit`, nothing is flushed, nobody is told. The points are
put around the calls of libraries and around the log's and the store's own; nothing in the product knows of them.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.sender import EndTxnHandler

from adapters.kafka.log import KafkaLog, Transactions
from router.bootstrap import run_role
from router.engine.ledger import Ledger
from router.engine.store import Store
from router.operate.settings import Settings

CRASHED = 66
"""The exit code by which the supervisor knows that it happened."""

Wrap = Callable[[Callable[[], None]], None]


def _before(owner: Any, name: str) -> Wrap:
    """Come by when `owner.name` is called, before it does anything."""

    def put(pass_by: Callable[[], None]) -> None:
        was = getattr(owner, name)

        @wraps(was)
        def called(*given: Any, **named: Any) -> Any:
            if _counts(given[0]):
                pass_by()
            return was(*given, **named)

        setattr(owner, name, called)

    return put


def _after(owner: Any, name: str) -> Wrap:
    """Come by when it has returned."""

    def put(pass_by: Callable[[], None]) -> None:
        was = getattr(owner, name)

        if asyncio.iscoroutinefunction(was):

            @wraps(was)
            async def called(*given: Any, **named: Any) -> Any:
                answer = await was(*given, **named)
                if _counts(given[0]):
                    pass_by()
                return answer
        else:

            @wraps(was)
            def called(*given: Any, **named: Any) -> Any:
                answer = was(*given, **named)
                if _counts(given[0]):
                    pass_by()
                return answer

        setattr(owner, name, called)

    return put


def _counts(self: Any) -> bool:
    """Of producers only those with a transactional id; all else."""
    if not isinstance(self, AIOKafkaProducer):
        return True
    return self._txn_manager is not None and bool(self._txn_manager.transactional_id)


def _sent(pass_by: Callable[[], None]) -> None:
    """EndTxn is on its way, and its answer will find nobody."""
    was = EndTxnHandler.create_request

    @wraps(was)
    def called(self: Any) -> Any:
        asyncio.get_running_loop().call_later(0.003, pass_by)
        return was(self)

    EndTxnHandler.create_request = called


def _while_restoring(pass_by: Callable[[], None]) -> None:
    """The store has taken a page of the changelog, and not the last."""
    restore, apply = Ledger._restore, Store.apply
    restoring: set[int] = set()

    async def noted(self: Any, store: Store) -> Any:
        restoring.add(id(store))
        try:
            return await restore(self, store)
        finally:
            restoring.discard(id(store))

    def called(self: Store, *given: Any, **named: Any) -> Any:
        answer = apply(self, *given, **named)
        if id(self) in restoring:
            pass_by()
        return answer

    Ledger._restore = noted  # type: ignore[method-assign]
    Store.apply = called  # type: ignore[method-assign]


POINTS: dict[str, Wrap] = {
    "before_send": _before(AIOKafkaProducer, "send_batch"),
    "after_sends": _before(AIOKafkaProducer, "send_offsets_to_transaction"),
    "after_offsets": _after(AIOKafkaProducer, "send_offsets_to_transaction"),
    "before_end_txn": _before(EndTxnHandler, "create_request"),
    "end_txn_sent": _sent,
    "committed_not_stored": _after(Transactions, "commit"),
    "stored": _after(Store, "apply"),
    "while_restoring": _while_restoring,
    "before_init_producer": _before(KafkaLog, "transactions"),
    "after_init_producer": _after(KafkaLog, "transactions"),
}


def main(role: str, point: str, count: int) -> int:
    passed = 0

    def pass_by() -> None:
        nonlocal passed
        passed += 1
        if passed >= count:
            os._exit(CRASHED)

    POINTS[point](pass_by)
    return run_role(role, Settings())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
