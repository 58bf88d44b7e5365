"""Jars come whole or not at all, and what has come is not asked for again. The mirror is a real HTTP server."""

import hashlib
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from adapters.kafka.embedded.faults import DiskFull, KafkaFault, MavenUnreachable, WrongHash
from adapters.kafka.embedded.jars import Jar, cache_folder, fetch, locked, missing
from adapters.kafka.embedded.node import free_port
from router.cli.kafka import app

CONTENT = bytes(range(256)) * 1024


def jar(name: str = "a", content: bytes = CONTENT) -> Jar:
    return Jar("org.example", name, "1.0", len(content), hashlib.sha256(content).hexdigest())


@dataclass
class Mirror:
    """What the server holds, how it fails, and what it was asked: (path, Range)."""

    address: str = ""
    holds: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def hold(self, *jars: Jar, content: bytes = CONTENT) -> None:
        self.holds |= {one.url(""): content for one in jars}


def handler(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            mirror.asked.append((self.path, wanted))
            if mirror.statuses:
                self.send_error(mirror.statuses.pop(0))
            elif self.path not in mirror.holds:
                self.send_error(404)
            else:
                self.give(mirror.holds[self.path], wanted)

        def give(self, content: bytes, wanted: str | None) -> None:
            begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and mirror.knows_ranges else 0
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            self.wfile.write(content[begin:][: mirror.cut_after.pop(0) if mirror.cut_after else None])

        def log_message(self, *args: object) -> None:
            pass

    return Handler


class Server(ThreadingHTTPServer):
    """A client that goes away in the middle, as one does after a fault, is no news."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    held = Mirror()
    with Server(("127.0.0.1", 0), handler(held)) as server:
        held.address = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield held
        server.shutdown()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "fetch.lock"}


def test_jars_are_brought_once(tmp_path: Path, mirror: Mirror) -> None:
    """Each jar is asked for once; the second time the mirror is not asked at all."""
    jars = (jar("a"), jar("b"), jar("c"))
    mirror.hold(*jars)
    came: list[int] = []

    paths = fetch(tmp_path, mirror.address, jars=jars, progress=came.append)
    fetch(tmp_path, mirror.address, jars=jars)

    assert [path.name for path in paths] == ["a-1.0.jar", "b-1.0.jar", "c-1.0.jar"]
    assert files(tmp_path) == {path.name: CONTENT for path in paths}
    assert sum(came) == 3 * len(CONTENT)
    assert len(mirror.asked) == 3


def test_what_broke_off_is_continued(tmp_path: Path, mirror: Mirror) -> None:
    """After a connection that ends early only the rest is asked for."""
    mirror.hold(jar())
    mirror.cut_after = [1000]

    fetch(tmp_path, mirror.address, jars=(jar(),))

    assert files(tmp_path) == {"a-1.0.jar": CONTENT}
    assert [wanted for _, wanted in mirror.asked] == [None, "bytes=1000-"]


def test_a_half_file_is_never_taken_for_a_jar(tmp_path: Path, mirror: Mirror) -> None:
    """What an earlier run left is continued, and stands under its name only when it is whole."""
    (tmp_path / "a-1.0.jar.part").write_bytes(CONTENT[:5000])
    assert missing(tmp_path, (jar(),)) == (jar(),)
    mirror.hold(jar())

    fetch(tmp_path, mirror.address, jars=(jar(),))

    assert files(tmp_path) == {"a-1.0.jar": CONTENT}
    assert mirror.asked == [(jar().url(""), "bytes=5000-")]


def test_a_mirror_that_knows_no_ranges_sends_all_of_it(tmp_path: Path, mirror: Mirror) -> None:
    """A 200 in answer to a Range is the whole file, not its rest."""
    (tmp_path / "a-1.0.jar.part").write_bytes(CONTENT[:5000])
    mirror.hold(jar())
    mirror.knows_ranges = False

    fetch(tmp_path, mirror.address, jars=(jar(),))

    assert files(tmp_path) == {"a-1.0.jar": CONTENT}


def test_a_wrong_half_is_thrown_away_once(tmp_path: Path, mirror: Mirror) -> None:
    """Where the rest does not fit to what was left, the jar is brought anew from its first byte."""
    (tmp_path / "a-1.0.jar.part").write_bytes(b"x" * 5000)
    mirror.hold(jar())

    fetch(tmp_path, mirror.address, jars=(jar(),))

    assert files(tmp_path) == {"a-1.0.jar": CONTENT}
    assert [wanted for _, wanted in mirror.asked] == ["bytes=5000-", None]


def test_a_wrong_hash_leaves_nothing(tmp_path: Path, mirror: Mirror) -> None:
    """A file that is not the locked one is refused, by name, and not kept."""
    mirror.hold(jar(), content=CONTENT[::-1])

    with pytest.raises(WrongHash, match=r"a-1\.0\.jar"):
        fetch(tmp_path, mirror.address, jars=(jar(),))

    assert files(tmp_path) == {}


def test_damage_is_found_when_asked_for(tmp_path: Path, mirror: Mirror) -> None:
    """`verify` reads what is there and brings anew what is not the locked file any more."""
    (tmp_path / "a-1.0.jar").write_bytes(CONTENT[::-1])
    mirror.hold(jar())

    fetch(tmp_path, mirror.address, jars=(jar(),), verify=True)

    assert files(tmp_path) == {"a-1.0.jar": CONTENT}


def test_a_busy_mirror_is_asked_again(tmp_path: Path, mirror: Mirror) -> None:
    """503 may pass."""
    mirror.hold(jar())
    mirror.statuses = [503]

    fetch(tmp_path, mirror.address, jars=(jar(),))

    assert len(mirror.asked) == 2


@pytest.mark.parametrize("status", [403, 404])
def test_a_mirror_that_says_no_is_not_asked_again(tmp_path: Path, mirror: Mirror, status: int) -> None:
    """403 and 404 are final, and told."""
    mirror.statuses = [status]

    with pytest.raises(MavenUnreachable, match=str(status)):
        fetch(tmp_path, mirror.address, jars=(jar(),))

    assert len(mirror.asked) == 1


def test_without_a_network_the_fault_says_what_to_do(tmp_path: Path) -> None:
    """Nobody listens: the fault names the address and the setting, in both languages."""
    address = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(MavenUnreachable) as caught:
        fetch(tmp_path, address, jars=(jar(),), tries=1)

    for lang, words in (("zh", "无法从"), ("en", "cannot be downloaded")):
        text = caught.value.text(lang)  # type: ignore[arg-type]
        assert words in text and address in text and "DUOKUA_MAVEN" in text
    assert caught.value.exit_code == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_named(tmp_path: Path, mirror: Mirror) -> None:
    """No room for the next byte is told as such, and not tried again."""
    mirror.hold(jar())
    (tmp_path / "a-1.0.jar.part").symlink_to("/dev/full")

    with pytest.raises(DiskFull, match=str(tmp_path)):
        fetch(tmp_path, mirror.address, jars=(jar(),))

    assert len(mirror.asked) == 1


def test_two_at_a_time_do_not_disturb_each_other(tmp_path: Path, mirror: Mirror) -> None:
    """Who comes second waits for the first and finds all there."""
    jars = (jar("a"), jar("b"))
    mirror.hold(*jars)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: fetch(tmp_path, mirror.address, jars=jars), range(2)))

    assert files(tmp_path) == {"a-1.0.jar": CONTENT, "b-1.0.jar": CONTENT}
    assert len(mirror.asked) == 2


@pytest.mark.parametrize(
    ("env", "platform", "folder"),
    [
        ({"HOME": "/home/li"}, "linux", "/home/li/.cache/duokua"),
        ({"HOME": "/home/li", "XDG_CACHE_HOME": "/big"}, "linux", "/big/duokua"),
        ({"HOME": "/Users/li"}, "darwin", "/Users/li/Library/Caches/duokua"),
        ({"HOME": "/Users/li", "XDG_CACHE_HOME": "/big"}, "darwin", "/big/duokua"),
        ({"HOME": "/c/li", "LOCALAPPDATA": "/c/li/AppData/Local"}, "win32", "/c/li/AppData/Local/duokua"),
    ],
)
def test_the_cache_lies_where_the_platform_keeps_it(env: dict[str, str], platform: str, folder: str) -> None:
    """XDG_CACHE_HOME wins everywhere; else each platform's own place."""
    assert cache_folder(env, platform) == Path(folder)


def test_the_lock_names_each_jar_once_with_its_hash() -> None:
    """Kafka 4.3.1 with all it needs to run and to write a log: 46 jars, each by version, size and SHA-256."""
    jars = locked()

    assert len(jars) == len({one.name for one in jars}) == 46
    assert all(len(bytes.fromhex(one.sha256)) == 32 and one.size > 0 for one in jars)
    assert {"kafka_2.13-4.3.1.jar", "kafka-clients-4.3.1.jar", "log4j-slf4j-impl-2.25.4.jar"} <= {j.name for j in jars}


@pytest.mark.parametrize(("statuses", "exit_code", "zh", "en"), [
    ([404] * 46, 3, "无法从", "cannot be downloaded"),
    ([], 1, "SHA-256 不对", "wrong SHA-256"),
])  # fmt: skip
def test_the_command_tells_the_fault(
    tmp_path: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    statuses: list[int],
    exit_code: int,
    zh: str,
    en: str,
) -> None:
    """`duokua kafka fetch` says in one sentence what is wrong, on stderr, and exits with its code."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("DUOKUA_MAVEN", mirror.address)
    mirror.holds = {one.url(""): b"not a jar".ljust(one.size) for one in locked()}
    for lang, words in (("zh", zh), ("en", en)):
        mirror.statuses = list(statuses)
        said = CliRunner().invoke(app, ["fetch", "--json", "--lang", lang])
        assert (said.exit_code, said.stdout) == (exit_code, "")
        assert words in said.stderr and "Traceback" not in said.stderr


def test_the_command_gives_one_object(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json stdout holds one JSON object and nothing else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = CliRunner().invoke(app, ["status", "--json", "--data", str(tmp_path)])

    assert said.exit_code == 3
    assert json.loads(said.stdout) == {"running": False, "answers": False, "data": str(tmp_path)}


def test_every_fault_says_it_in_both_languages() -> None:
    """No fault without its two texts and its exit code."""
    for kind in KafkaFault.__subclasses__():
        assert kind.zh and kind.en and kind.zh != kind.en
        assert kind.exit_code in (1, 3)
