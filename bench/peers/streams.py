"""Kafka Streams as a peer: the command that runs it."""

import os
from collections.abc import Mapping
from pathlib import Path

from adapters.kafka.embedded.jars import fetch, jar_folder, mirror_of
from bench.peers import java

HERE = Path(__file__).parent
JVM = ("-Xms512m", "-Xmx1g", "-XX:+ExitOnOutOfMemoryError")


def program(folder: Path, env: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Made ready in `folder`; raises as `java.program` does."""
    brokers = fetch(jar_folder(env), mirror_of(env))
    return java.program(HERE / "KafkaStreamsHop.java", HERE / "jars.lock", folder, env, jvm=JVM, beside=brokers)
