"""A peer in Java: its jars, its compiled program, the command that runs it."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.kafka.embedded.jars import cache_folder, fetch, locked, mirror_of
from adapters.kafka.embedded.java import find_java

COMPILER = "ecj"


class DoesNotCompile(Exception):
    """The peer's source and its jars do not fit; the text is the compiler's."""


def program(
    source: Path,
    lock: Path,
    folder: Path,
    env: Mapping[str, str],
    *,
    jvm: Sequence[str] = (),
    beside: Sequence[Path] = (),
) -> tuple[str, ...]:
    """
    Fetch what is missing of the jars in `lock`, compile `source` into `folder`; returns the command without the program's
    own arguments. `beside`: jars that are there already. A compiler is among the jars, so that a JRE is enough.

    Raises the faults of the embedded broker (no Java, no jars) and DoesNotCompile.
    """
    java, jars, ours = find_java(env), locked(lock.read_text("utf-8")), cache_folder(env) / "bench-peers"
    paths = dict(zip(jars, fetch(ours, mirror_of(env), jars=jars), strict=True))
    compiler = next(path for jar, path in paths.items() if jar.artifact == COMPILER)
    path = os.pathsep.join(map(str, (*beside, *(path for path in paths.values() if path != compiler))))
    made = subprocess.run(
        [java, "-jar", compiler, "-17", "-nowarn", "-proc:none", "-cp", path, "-d", folder, source],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise DoesNotCompile(made.stdout + made.stderr)
    return (str(java), *jvm, "-cp", os.pathsep.join((str(folder), path)), source.stem)
