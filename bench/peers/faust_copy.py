"""
The Faust pass-through: a Faust worker that copies records from one topic to another, and does nothing else.

    python -m bench.peers.faust_copy worker -l error --without-web        settings from DUOKUA_*
"""

from typing import Any

import faust

from router.operate.settings import Settings


def tuned(settings: Settings, store: str) -> faust.App:
    """
    At-least-once, as one would run it for throughput: long buffers, large fetches and batches, a producer that lingers.

    Tried besides and no better by CPU: uvloop, `take` and `noack`, lz4, shorter and longer buffers; worse: a threaded
    producer, `forward`. Its C extensions are in use, from its own wheel.
    """
    return faust.App(
        f"{settings.prefix}faust",
        broker=f"kafka://{settings.bootstrap}",
        store=store,
        datadir=str(settings.state_dir),
        topic_partitions=settings.shards,
        topic_disable_leader=True,
        key_serializer="raw",
        value_serializer="raw",
        stream_buffer_maxsize=16384,
        broker_check_crcs=False,
        broker_max_poll_records=4000,
        consumer_max_fetch_size=8 << 20,
        producer_linger=0.02,
        producer_max_batch_size=256 << 10,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )


def make_app(settings: Settings) -> faust.App:
    """From `in` to `out`."""
    app = tuned(settings, "memory://")
    source, target = app.topic(f"{settings.prefix}in"), app.topic(f"{settings.prefix}out")

    async def copy(stream: Any) -> None:
        async for key, value in stream.items():
            target.send_soon(key=key, value=value)

    app.agent(source, name="copy")(copy)
    return app


if __name__ == "__main__":
    make_app(Settings()).main()
