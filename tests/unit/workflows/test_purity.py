"""What decides reads no clock, throws no dice and waits for nobody: its imports and calls say so."""

import ast
from pathlib import Path
from uuid import RFC_4122, UUID, uuid5

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


def test_messages_and_tasks_of_a_command_bear_its_id_and_never_each_others() -> None:
    commands = [ids.command_id(ids.case_id("website", "w-1"), f"commands/0/{n}") for n in range(50)]
    made = [make(command, n) for command in commands for make in (ids.message_id, ids.task_id) for n in range(300)]
    assert len({*made, *commands}) == len(made) + len(commands)
    for made_id, command in zip(made, [command for command in commands for _ in range(600)], strict=True):
        parsed = UUID(made_id)
        assert (parsed.version, parsed.variant, str(parsed)) == (8, RFC_4122, made_id)
        assert made_id[:14] == command[:14]
    assert UUID(ids.task_id(commands[0], 0xFFFFF))
