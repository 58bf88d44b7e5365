"""What decides reads no clock, throws no dice and waits for nobody: its imports and calls say so."""

import ast
from pathlib import Path
from uuid import uuid5

import pytest

import workflows
from schemas import ids

MODULES = sorted(Path(workflows.__path__[0]).glob("*.py"))
FORBIDDEN = {"asyncio", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}
LOOKS = {"now", "today", "utcnow", "uuid1", "uuid4", "open", "getenv", "time"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_neither_imports_nor_asks_for_the_world(module: Path) -> None:
    """Only drawing.py, which writes a page, knows a stream."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    imported = {alias.name.partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {(n.module or "").partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    called = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    called |= {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not imported & FORBIDDEN
    assert not called & LOOKS
    assert "sys" not in imported or module.stem == "drawing"


def test_ids_are_version_5_uuids() -> None:
    """The fast way gives what the standard library gives."""
    for n in range(500):
        assert ids.event_id("c", n) == str(uuid5(ids.NAMESPACE, f"c|event|{n}"))
