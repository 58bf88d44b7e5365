"""
Kafka's jars: which ones (jars.lock), where they lie, how they come.

A jar appears under its name only after its SHA-256 was right, by an atomic rename; what has come so far
lies beside it as `.part` and is continued by the next try. Nothing is asked of the network when all are there.
"""

import fcntl
import hashlib
import http.client
import os
import shutil
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_exponential_jitter

from adapters.kafka.embedded.faults import DiskFull, KafkaFault, MavenUnreachable, WrongHash

KAFKA_VERSION = "4.3.1"
MAVEN = "https://repo1.maven.org/maven2"
LOCK = Path(__file__).with_name("jars.lock")
PARALLEL = 4
CHUNK = 1 << 16
#: Seconds without a byte before a try is given up.
SILENCE = 30
#: Tries and seconds that one jar may take in all.
TRIES, PATIENCE = 5, 300
PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Jar:
    """One row of the lock file; `size` in bytes."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def url(self, mirror: str) -> str:
        return f"{mirror.rstrip('/')}/{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"


def locked(text: str | None = None) -> tuple[Jar, ...]:
    """The jars of the lock file."""
    lines = (LOCK.read_text("utf-8") if text is None else text).splitlines()
    return tuple(_row(line) for line in lines if line and not line.startswith("#"))


def _row(line: str) -> Jar:
    coordinates, size, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, int(size), sha256)


def cache_folder(env: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Where this platform keeps what can be fetched again: XDG_CACHE_HOME wins everywhere."""
    home = Path(env.get("HOME") or Path.home())
    by_platform = {"darwin": home / "Library/Caches", "win32": Path(env.get("LOCALAPPDATA") or home / "AppData/Local")}
    given = env.get("XDG_CACHE_HOME")
    return (Path(given) if given else by_platform.get(platform, home / ".cache")) / "duokua"


def jar_folder(env: Mapping[str, str]) -> Path:
    return cache_folder(env) / f"kafka-{KAFKA_VERSION}"


def mirror_of(env: Mapping[str, str]) -> str:
    """Where the jars come from: DUOKUA_MAVEN, else the public Maven Central."""
    return env.get("DUOKUA_MAVEN") or MAVEN


def missing(folder: Path, jars: tuple[Jar, ...]) -> tuple[Jar, ...]:
    """Those that are not there in full size."""
    return tuple(jar for jar in jars if _size(folder / jar.name) != jar.size)


def fetch(
    folder: Path,
    mirror: str = MAVEN,
    *,
    jars: tuple[Jar, ...] | None = None,
    progress: Progress = lambda _: None,
    tries: int = TRIES,
    verify: bool = False,
) -> tuple[Path, ...]:
    """
    Brings the jars into `folder` and gives their paths, in the order of the lock file.

    `progress` is called with the bytes that came, also for what was there already. With `verify` jars that are
    there are read and checked again. Raises MavenUnreachable, WrongHash, DiskFull.
    """
    wanted = locked() if jars is None else jars
    if verify:
        _drop_damaged(folder, wanted)
    if absent := missing(folder, wanted):
        with _alone(folder):
            _fetch_all(folder, mirror, missing(folder, absent), progress, tries)
    progress(sum(jar.size for jar in wanted if jar not in absent))
    return tuple(folder / jar.name for jar in wanted)


def _drop_damaged(folder: Path, jars: tuple[Jar, ...]) -> None:
    for path, jar in ((folder / jar.name, jar) for jar in jars):
        if path.exists() and _digest(path) != jar.sha256:
            path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two processes that fetch into the same folder take turns."""
    with _room(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "fetch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _room(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DiskFull.ERRNOS:
            raise DiskFull(where=where) from error
        raise


def _fetch_all(folder: Path, mirror: str, jars: tuple[Jar, ...], progress: Progress, tries: int) -> None:
    if shutil.disk_usage(folder).free < sum(jar.size for jar in jars):
        raise DiskFull(where=folder)
    given_up = threading.Event()
    with ThreadPoolExecutor(PARALLEL) as pool:
        downloads = (_Download(jar, folder, mirror, progress, given_up) for jar in jars)
        tasks = [pool.submit(download.run, tries) for download in downloads]
        try:
            for task in as_completed(tasks):
                task.result()
        except BaseException:
            given_up.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Incomplete(Exception):
    """The connection ended before the last byte."""


def _passing(error: BaseException) -> bool:
    """Whether another try may help."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in PASSING_STATUS
    if isinstance(error, OSError) and error.errno in DiskFull.ERRNOS:
        return False
    return isinstance(error, OSError | http.client.HTTPException | _Incomplete)


@dataclass(frozen=True)
class _Download:
    """One jar on its way."""

    jar: Jar
    folder: Path
    mirror: str
    progress: Progress
    given_up: threading.Event

    @property
    def part(self) -> Path:
        return self.folder / f"{self.jar.name}.part"

    def run(self, tries: int) -> None:
        resumed = bool(_size(self.part))
        try:
            self._bring(tries)
        except WrongHash:
            # What an earlier run left may have been the wrong half: once more, from the first byte.
            if not resumed:
                raise
            self._bring(tries)

    def _bring(self, tries: int) -> None:
        retrying = Retrying(
            retry=retry_if_exception(_passing),
            stop=stop_after_attempt(tries) | stop_after_delay(PATIENCE),
            wait=wait_exponential_jitter(multiplier=0.3, max=10, jitter=0.3),
            reraise=True,
        )
        try:
            with _room(self.folder):
                retrying(self._continue)
        except KafkaFault:
            raise
        except (OSError, http.client.HTTPException, _Incomplete) as error:
            raise MavenUnreachable(url=self.jar.url(self.mirror), why=_why(error)) from error
        self._take()

    def _continue(self) -> None:
        have = _size(self.part)
        if have >= self.jar.size:
            return
        request = urllib.request.Request(self.jar.url(self.mirror), headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(request, timeout=SILENCE) as answer:
                self._store(answer, "ab" if answer.status == http.HTTPStatus.PARTIAL_CONTENT else "wb")
        except urllib.error.HTTPError as error:
            error.close()
            raise
        if _size(self.part) < self.jar.size:
            raise _Incomplete("the connection ended early")

    def _store(self, answer: http.client.HTTPResponse, mode: str) -> None:
        with self.part.open(mode) as part:
            while chunk := answer.read(CHUNK):
                if self.given_up.is_set():
                    raise CancelledError
                part.write(chunk)
                self.progress(len(chunk))

    def _take(self) -> None:
        found = _digest(self.part)
        if found != self.jar.sha256:
            self.part.unlink()
            raise WrongHash(name=self.jar.name, expected=self.jar.sha256, found=found)
        os.replace(self.part, self.folder / self.jar.name)


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return str(error)
    return str(getattr(error, "reason", None) or error)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
