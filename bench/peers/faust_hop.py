"""
The engine's hop in Faust, reduced (task.py): two tables on RocksDB with changelogs, one task out, at-least-once.

    python -m bench.peers.faust_hop worker -l error --without-web        settings from DUOKUA_*
"""

from typing import Any

import faust

from bench.peers.faust_copy import tuned
from bench.peers.task import DUE, task
from router.operate.settings import Settings


def make_app(settings: Settings) -> faust.App:
    """The tuning of the pass-through; Faust ties tables to partitions by the key of the record."""
    app = tuned(settings, "rocksdb://")
    cases, timers = (_table(app, name, settings.shards) for name in ("cases", "timers"))
    source, target = app.topic(f"{settings.prefix}in"), app.topic(f"{settings.prefix}out")

    async def decide(stream: Any) -> None:
        async for key, value in stream.items():
            if cases.get(key) is None:
                made = task(value)
                cases[key] = made
                timers[DUE + key] = key
                target.send_soon(key=key, value=made)

    app.agent(source, name="decide")(decide)
    return app


def _table(app: faust.App, name: str, partitions: int) -> Any:
    return app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions, options={"driver": "rocksdict"})


if __name__ == "__main__":
    make_app(Settings()).main()
