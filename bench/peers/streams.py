"""Kafka Streams as a peer: its jars, its compiled program, the command that runs it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from adapters.kafka.embedded.jars import Jar, cache_folder, fetch, jar_folder, locked, mirror_of
from adapters.kafka.embedded.java import find_java

HERE = Path(__file__).parent
SOURCE = HERE / "KafkaStreamsHop.java"
JVM = ("-Xms512m", "-Xmx1g", "-XX:+ExitOnOutOfMemoryError")


class DoesNotCompile(Exception):
    """The peer's source and its jars do not fit; the text is the compiler's."""


def program(folder: Path, env: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """
    Fetch what is missing, compile into `folder`; returns the command without the program's own arguments.

    Raises the faults of the embedded broker (no Java, no jars) and DoesNotCompile.
    """
    java, jars = find_java(env), locked((HERE / "jars.lock").read_text("utf-8"))
    ours = cache_folder(env) / "bench-peers"
    fetch(ours, mirror_of(env), jars=jars)
    brokers = fetch(jar_folder(env), mirror_of(env))
    path = os.pathsep.join(map(str, (*brokers, *(ours / jar.name for jar in jars if not _compiles(jar)))))
    compiler = ours / next(jar for jar in jars if _compiles(jar)).name
    made = subprocess.run(
        [java, "-jar", compiler, "-17", "-nowarn", "-proc:none", "-cp", path, "-d", folder, SOURCE],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise DoesNotCompile(made.stdout + made.stderr)
    return (str(java), *JVM, "-cp", os.pathsep.join((str(folder), path)), SOURCE.stem)


def _compiles(jar: Jar) -> bool:
    return jar.artifact == "ecj"
