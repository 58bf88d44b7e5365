"""The house of ADR 0001 stands: imports go down only, the pure parts are pure, the four names are ours."""

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.build import build_wheel

from router.bootstrap import ASIDE, ROLES
from router.operate.packages import PACKAGES, check_packages

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PURE = ("schemas", "workflows", "router/rules")
SHARED = {"catalogue", "cli", "operate", "proposals", "rules"}
#: Calls that read a clock, a die or the environment, by their last name, in modules that the contract does not forbid.
IMPURE = {"now", "utcnow", "today", "uuid1", "uuid4", "getenv"}
NAMELESS = {"utils", "util", "common", "core", "manager", "managers", "services", "helpers", "misc", "base"}


def ours() -> Iterator[Path]:
    return (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def contracts(kind: str) -> list[dict[str, list[str]]]:
    return [c for c in PROJECT["tool"]["importlinter"]["contracts"] if c["type"] == kind]


def test_the_import_contract_holds() -> None:
    """router > adapters | workflows > schemas; roles are strangers; what decides is pure; only insights knows Faust."""
    linter = Path(sys.executable).with_name("lint-imports")

    said = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stdout


def test_the_contract_knows_every_folder_of_the_router() -> None:
    """A new role cannot come in beside the contract: each folder of router/ is one of its roles or is shared by them."""
    folders = {path.name for path in (ROOT / "router").iterdir() if (path / "__init__.py").exists()}
    independent = {name.removeprefix("router.") for name in contracts("independence")[0]["modules"]}

    assert folders - SHARED == independent == {*ROLES, *ASIDE}


def test_the_pure_parts_read_no_clock_and_throw_no_die() -> None:
    """Time and chance come in as arguments (design D6)."""
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"
        for folder in PURE
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in IMPURE
    ]
    assert calls == []


def test_every_module_has_a_name_that_says_something() -> None:
    """No utils, common, core, manager: a folder or file is named after what it does."""
    assert [str(path) for path in ours() if NAMELESS & {path.stem, path.parent.name}] == []


def test_the_wheel_holds_the_four_packages_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly these four, with the files that lie among them (the list of Kafka's jars)."""
    monkeypatch.chdir(ROOT)
    names = zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path))).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)
    assert "adapters/kafka/embedded/jars.lock" in names


def test_our_packages_are_ours() -> None:
    """Here and now: one folder, no second owner."""
    assert check_packages() == ROOT


CHECK = "from router.operate.packages import check_packages; check_packages()"


def refusal(*path: Path) -> str:
    """What the guard says in a process that looks for packages on this path first."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    said = subprocess.run([sys.executable, "-c", CHECK], cwd="/", env=env, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    return said.stderr


def test_a_foreign_package_of_our_name_is_found(tmp_path: Path) -> None:
    """A wheel that brings `workflows` and wins is named with its place, before anything of it is used."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "__init__.py").touch()

    assert f"is taken from {tmp_path}" in refusal(tmp_path, ROOT)


def test_a_second_owner_of_our_name_is_found(tmp_path: Path) -> None:
    """A distribution that also claims `workflows` is named, even where ours still wins."""
    info = tmp_path / "llama_index_workflows-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: llama-index-workflows\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("workflows\n")

    assert "belongs to llama-index-workflows as well" in refusal(ROOT, tmp_path)


def test_nobody_pays_for_the_libraries_of_training() -> None:
    """Neither scikit-learn nor NumPy is imported by what reads a catalogue."""
    code = "import sys, router.catalogue.load, router.intake.role; print({'numpy', 'sklearn'} & sys.modules.keys())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"
