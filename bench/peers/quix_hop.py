"""
The engine's hop in Quix Streams, reduced (task.py): its state on RocksDB with a changelog, one task out, exactly-once.

    .venv-bench/bin/python -m bench.peers.quix_hop        settings from DUOKUA_*

Runs in the environment of the peers, so it imports nothing of Duokua. A store of its own for each kind of key is not
to be had for one stream: case and due time are two keys of the same state, which is prefixed by the record's key.
"""

import os

from quixstreams import Application, State

from bench.peers.task import DUE, task


def make_app() -> Application:
    """Throughput first: few commits for many records, long batches and queues in the client library."""
    return Application(
        broker_address=os.environ["DUOKUA_BOOTSTRAP"],
        consumer_group=os.environ["DUOKUA_PREFIX"] + "quix",
        state_dir=os.path.join(os.environ["DUOKUA_STATE_DIR"], "quix-" + os.environ["DUOKUA_INSTANCE"]),
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=4000,
        commit_interval=0.2,
        consumer_extra_config={"queued.min.messages": 20_000, "fetch.wait.max.ms": 50, "check.crcs": False},
        producer_extra_config={"linger.ms": 20, "batch.size": 1 << 20, "batch.num.messages": 10_000},
        loglevel="ERROR",
    )


def decide(command: bytes, state: State) -> bytes | None:
    if state.get_bytes("case") is not None:
        return None
    made = task(command)
    state.set_bytes("case", made)
    state.set_bytes("due", DUE)
    return made


def main() -> None:
    app, prefix = make_app(), os.environ["DUOKUA_PREFIX"]
    source = app.topic(prefix + "in", key_deserializer="bytes", value_deserializer="bytes")
    target = app.topic(prefix + "out", key_serializer="bytes", value_serializer="bytes")
    stream = app.dataframe(source).apply(decide, stateful=True)
    stream.filter(lambda made: made is not None).to_topic(target)
    app.run()


if __name__ == "__main__":
    main()
