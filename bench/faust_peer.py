"""
The Faust pass-through: a Faust worker that copies records from one topic to another, and does nothing else.

    python -m bench.faust_peer worker -l error --without-web        settings from DUOKUA_*
"""

from typing import Any

import faust

from router.operate.settings import Settings


def make_app(settings: Settings) -> faust.App:
    """At-least-once, as one would run it: long buffers, the producer lingering a little."""
    app = faust.App(
        f"{settings.prefix}faust",
        broker=f"kafka://{settings.bootstrap}",
        store="memory://",
        datadir=str(settings.state_dir),
        topic_partitions=settings.shards,
        topic_disable_leader=True,
        key_serializer="raw",
        value_serializer="raw",
        stream_buffer_maxsize=16384,
        producer_linger=0.005,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    source, target = app.topic(f"{settings.prefix}faust.in"), app.topic(f"{settings.prefix}faust.out")

    async def copy(stream: Any) -> None:
        async for key, value in stream.items():
            await target.send(key=key, value=value)

    app.agent(source, name="copy")(copy)
    return app


if __name__ == "__main__":
    make_app(Settings()).main()
