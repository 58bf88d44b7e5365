"""
Every command of README.md and docs/howto is run as it stands, and shows what the page shows.

One stack on the real broker, started by the commands of docs/howto/run.md; the other pages find it running, as a
reader does. What differs from a reader's terminal: where Kafka is, which ports are free, and where the home folder is.
`make` targets are not run: the demo and the tests are what they run, and tests/unit/test_docs.py looks that they exist.
"""

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.kafka.log import KafkaLog, TopicSpec
from tests.documents import HOWTO, README, README_ZH, ROOT, Step, as_pattern, steps

pytestmark = pytest.mark.kafka

LIMIT = 120.0
LOOK_LIMIT = 60.0
ADDRESS = "127.0.0.1:9092"
PORTS = ("9101", "9102", "9103", "9104", "9105", "9112")
is_role = re.compile(r"(?:[A-Z_]+=\S+ )*duokua run \w+").fullmatch
is_embedded = re.compile(r"duokua kafka \w+").fullmatch
is_look = re.compile(r"duokua case |curl ").match
"""What is asked again until it shows what the page shows: the read model follows a moment later."""
PAGES = ("channel", "department", "rules", "import", "operate", "dead-letters", "chaos", "simulate", "take-over")


class Terminal:
    """A reader's shell: what a command exports, the next one sees."""

    def __init__(self, folder: Path, env: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._folder, self._words = folder, words
        self._any_word = re.compile("|".join(map(re.escape, words)))
        self._state = folder / "exported"
        self._roles: list[subprocess.Popen[bytes]] = []
        self._run("true", dict(os.environ) | {"HOME": str(folder)} | env)

    def follow(self, page: Sequence[Step]) -> None:
        """Run the steps in order; roles stay in the background, ready before the next step."""
        waiting: list[str] = []
        for step in page:
            if is_role(step.command):
                waiting.append(self._start(step.command))
                continue
            while waiting:
                self._ready(waiting.pop())
            self._do(step)

    def end(self) -> None:
        """Roles leave as they are asked to, with exit code 0."""
        for role in self._roles:
            role.send_signal(signal.SIGTERM)
        assert {role.wait(LIMIT) for role in self._roles} <= {0}

    def _do(self, step: Step) -> None:
        wanted = None if step.shown is None else as_pattern(self._mine(step.shown))
        deadline = time.monotonic() + (LOOK_LIMIT if is_look(step.command) else 0)
        while True:
            done = self._run(self._mine(step.command))
            shown = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
            right = done.returncode == step.exit_code and (wanted is None or wanted.fullmatch(shown))
            if right or time.monotonic() > deadline:
                break
            time.sleep(0.3)
        assert right, f"{step.place}: {step.command}\nexit code {done.returncode}\n{shown}"

    def _run(self, script: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        before = "" if env else f". {shlex.quote(str(self._state))}\n"
        after = f"\n{{ code=$?; export -p > {shlex.quote(str(self._state))}; exit $code; }} 2>/dev/null"
        return subprocess.run(
            ["sh", "-c", before + script + after],
            cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False,
        )  # fmt: skip

    def _start(self, command: str) -> str:
        """A role in the background; returns its port."""
        settings, _, role = self._mine(command).rpartition("duokua run ")
        script = f". {shlex.quote(str(self._state))}\n{settings} exec duokua run {role}"
        with (self._folder / f"{role}.log").open("wb") as log:
            self._roles.append(subprocess.Popen(["sh", "-c", script], cwd=ROOT, stdout=log, stderr=log))
        return settings.partition("DUOKUA_HTTP_PORT=")[2].strip()

    @staticmethod
    def _ready(port: str) -> None:
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"the role on port {port} is not ready")

    def _mine(self, text: str) -> str:
        """The page's text with this machine's addresses."""
        return self._any_word.sub(lambda found: self._words[found[0]], text)


def free_ports(count: int) -> list[str]:
    """Ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a reader's terminal would have, in folders of its own; `.venv` stands for the interpreter of the tests."""
    path = os.pathsep.join((_tools(folder), os.environ.get("PATH", "")))
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return {"DUOKUA_STATE_DIR": str(folder / "var"), "XDG_CACHE_HOME": cache, "PATH": path} | more


def _tools(folder: Path) -> str:
    """A folder for PATH with `curl`, where the machine has none: the addresses are looked at, not the tool."""
    script = "import sys, urllib.request as u\ntry: print(u.urlopen(sys.argv[-1]).read().decode(), end='')\nexcept OSError: sys.exit(22)"
    tools = folder / "bin"
    tools.mkdir()
    if not any((Path(place) / "curl").exists() for place in os.environ.get("PATH", "").split(os.pathsep)):
        (tools / "curl").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}" "$@"\n')
        (tools / "curl").chmod(0o755)
    return str(tools)


def words(address: str) -> dict[str, str]:
    """What stands in the pages, and what stands for it here."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    return {ADDRESS: address, ".venv/bin/activate": f"{sys.prefix}/bin/activate", **ports}


@pytest.fixture(scope="module")
def terminal(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A stack as docs/howto/run.md starts it, and the terminal it was started from."""
    folder = tmp_path_factory.mktemp("docs")
    env = environment(folder, DUOKUA_BOOTSTRAP=kafka, DUOKUA_PREFIX=f"docs{uuid4().hex[:8]}.", DUOKUA_LOG_FORMAT="json")
    terminal = Terminal(folder, env, words(kafka) | {"duokua.intake.": f"{env['DUOKUA_PREFIX']}intake."})
    try:
        terminal.follow([step for step in steps(HOWTO / "run.md") if not is_embedded(step.command)])
        yield terminal
    finally:
        terminal.end()


def test_the_commands_of_each_page_do_what_it_says(terminal: Terminal) -> None:
    """Exit codes and output are those of the pages, read in their order."""
    for name in PAGES:
        terminal.follow(steps(HOWTO / f"{name}.md"))


def test_the_commands_of_the_readme_do_what_it_says(terminal: Terminal) -> None:
    """Both languages have the same commands (tests/unit/test_docs.py), so one of them is run."""
    terminal.follow([step for step in steps(README) if not step.command.startswith("make ")])


def test_the_embedded_broker_starts_and_stops_as_described(tmp_path: Path) -> None:
    """start, status, stop of docs/howto/run.md, on a free port."""
    (port,) = free_ports(1)
    own = {ADDRESS: f"127.0.0.1:{port}", "duokua kafka start": f"duokua kafka start --discard --port {port}"}
    activate = Step("", f". {sys.prefix}/bin/activate")
    terminal = Terminal(tmp_path, environment(tmp_path), own)
    try:
        terminal.follow([activate, *(step for step in steps(HOWTO / "run.md") if is_embedded(step.command))])
    finally:
        terminal.follow([Step("", "duokua kafka stop")])


def test_the_example_of_a_department_does_nothing_twice(kafka: str, tmp_path: Path) -> None:
    """A task that comes again, as it was or with a higher version, is answered once; one that is sent back, once more."""
    task = json.loads((ROOT / "examples/messages/cn.duokua.task.assigned.v1.full.json").read_text(encoding="utf-8"))
    first, again = task["data"], task["data"] | {"version": 2, "title": "补充后的标题"}
    other, back = first | {"task_id": "4fdc6c32-5670-53d2-8761-a3a1f633f3b9"}, first | {"round": 1, "version": 3}
    env = dict(os.environ) | {"DUOKUA_BOOTSTRAP": kafka, "DUOKUA_PREFIX": f"docs{uuid4().hex[:8]}."}
    asyncio.run(_write_tasks(kafka, env["DUOKUA_PREFIX"], [first, first, again, other, back]))
    command = [sys.executable, "examples/python/department.py", "desk", "--store", str(tmp_path / "db"), "--tasks", "3"]
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=LIMIT, check=True)
    said = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("已回复")]
    assert said == ["sign", "reply"] * 3


async def _write_tasks(bootstrap: str, prefix: str, tasks: Sequence[Mapping[str, object]]) -> None:
    log = KafkaLog(bootstrap)
    await log.create_topics([TopicSpec(f"{prefix}{name}.desk", 1) for name in ("tasks", "replies")])
    async with log.writer() as writer:
        for task in tasks:
            headers = [("ce_type", b"cn.duokua.task.assigned.v1")]
            writer.add(f"{prefix}tasks.desk", 0, None, json.dumps(task, ensure_ascii=False).encode(), headers)
        await writer.flush()


def test_no_page_is_forgotten() -> None:
    """Each page with a task is one of those that are run."""
    assert {page.stem for page in HOWTO.glob("*.md")} == {"run", *PAGES}
    assert README_ZH.exists()
