"""What is installed is what the lock files say, byte for byte; uv and pip read the same ones."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-jdk.lock", "deploy/requirements-run.lock", "bench/requirements-bench.lock")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


def requirements(lock: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Each requirement of a lock file with its hashes, by canonical name."""
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    rows = (line.partition(" --hash")[::2] for line in text.splitlines() if line and line.lstrip()[0] != "#")
    return {
        canonicalize_name(wanted.name): (wanted, HASH.findall(f"--hash{hashes}"))
        for wanted, hashes in ((Requirement(row), hashes) for row, hashes in rows)
    }


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [Requirement(text) for text in (*project["project"]["dependencies"], *project["dependency-groups"]["dev"])]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes(lock: str) -> None:
    """One exact version and at least one SHA-256 each; no index, no address, no editable among them."""
    text = (ROOT / lock).read_text("utf-8")
    loose = [
        name
        for name, (wanted, hashes) in requirements(lock).items()
        if not hashes or [one.operator for one in wanted.specifier] != ["=="]
    ]
    assert loose == []
    assert not re.search(r"://|^-(?!-hash)|^\s*--(?!hash)", text, re.MULTILINE)


def test_the_lock_holds_what_the_project_asks_for() -> None:
    """No dependency of pyproject.toml is missing from requirements.lock or pinned outside its bounds."""
    held = requirements("requirements.lock")
    astray = [
        str(wanted)
        for wanted in declared()
        if (name := canonicalize_name(wanted.name)) not in held
        or not wanted.specifier.contains(next(iter(held[name][0].specifier)).version, prereleases=True)
    ]
    assert astray == []


def test_what_runs_is_what_was_tested() -> None:
    """The image's lock holds nothing that the developers' lock does not hold in the same version and with the same hashes."""
    tested = {str(wanted): set(hashes) for wanted, hashes in requirements("requirements.lock").values()}
    runs = {str(wanted): set(hashes) for wanted, hashes in requirements("deploy/requirements-run.lock").values()}

    assert runs.items() <= tested.items()
    assert not {"pytest", "mypy", "hatchling"} & requirements("deploy/requirements-run.lock").keys()
