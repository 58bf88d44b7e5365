"""
A machine: clocks of its own that go wrong, a disk that forgets, and at most one engine process at a time.

True time is the loop's. A machine's wall clock may be ahead of it or behind, jump and drift; the monotonic one only
starts elsewhere. What a process wrote to its disk is there after its death, unless the disk was told to lose the end of
it, to come back as an old copy, or to break.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.clock import Clock
from router.operate.table import Damaged, TableInUse
from tests.simulation.loop import LIFE, Life, VirtualLoop

Changes = list[tuple[bytes, bytes | None]]


@dataclass
class Machine:
    """`ahead` is what its wall clock is ahead of true time; `drift` is added to it each second since `drifts_from`."""

    name: str
    loop: VirtualLoop
    epoch: float
    ahead: float = 0.0
    drift: float = 0.0
    drifts_from: float = 0.0
    life: Life | None = None

    def wall_ahead(self) -> float:
        return self.ahead + self.drift * (self.loop.time() - self.drifts_from)

    def set_right(self) -> None:
        self.ahead = self.drift = 0.0

    @property
    def engine(self) -> Any:
        """Of the process that runs here, or ran here last."""
        return self.life.engine if self.life is not None else None

    @property
    def alive(self) -> bool:
        return self.life is not None and not self.life.dead


class MachineClock(Clock):
    """The business clock of a process on this machine: the real one, uncompressed."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine

    def now(self) -> int:
        return int(self.wall() * 1000)

    def wall(self) -> float:  # type: ignore[override]
        return self._machine.epoch + self._machine.loop.time() + self._machine.wall_ahead()

    def monotonic(self) -> float:  # type: ignore[override]
        return self._machine.loop.time() + 5000.0


@dataclass
class Folder:
    """
    A table's batches as they were written, and when; the table is what they make. Those from `flushed` on are in memory
    only and die with their holder.
    """

    batches: list[tuple[float, Changes]] = field(default_factory=list)
    flushed: int = 0
    holder: Life | None = None
    broken: bool = False

    def die(self, luck: float) -> None:
        """What was not flushed is gone, but for what reached the disk by itself (by `luck`, from none of it to all)."""
        self.flushed += int((len(self.batches) - self.flushed + 1) * luck)
        del self.batches[self.flushed :]


class SimulatedTable:
    """A table as long as its holder lives; writes of the dead reach nothing."""

    def __init__(self, folder: Folder, holder: Life | None, loop: VirtualLoop) -> None:
        self._folder, self._holder, self._loop = folder, holder, loop
        self._data: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        for _, changes in folder.batches:
            self._take(changes)

    def get(self, key: bytes) -> bytes | None:
        return self._data.get(key)

    def get_all(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._data.get(key) for key in keys]

    def keys_from(self, key: bytes) -> Iterator[bytes]:
        yield from self._keys[bisect_left(self._keys, key) :]

    def items_from(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        for found in self.keys_from(key):
            yield found, self._data[found]

    def write(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        if self._holder is not None and self._holder.dead:
            return
        assert self._folder.holder is self._holder, "a table was written after it was closed"
        batch = list(changes)
        self._folder.batches.append((self._loop.time(), batch))
        self._take(batch)

    def flush(self) -> None:
        if self._holder is None or not self._holder.dead:
            self._folder.flushed = len(self._folder.batches)

    def _take(self, changes: Changes) -> None:
        for key, value in changes:
            if value is None:
                if self._data.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
            else:
                if key not in self._data:
                    insort(self._keys, key)
                self._data[key] = value

    def close(self) -> None:
        if self._folder.holder is self._holder and not (self._holder and self._holder.dead):
            self.flush()
            self._folder.holder = None

    def contents(self) -> dict[bytes, bytes]:
        return dict(self._data)


class SmallFiles:
    """router.engine.quarantine.Files; the dead write nothing."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, name: str) -> bytes | None:
        return self._files.get(name)

    def write(self, name: str, data: bytes, *, sync: bool) -> None:
        life = LIFE.get()
        if life is None or not life.dead:
            self._files[name] = data

    def remove(self, name: str) -> None:
        life = LIFE.get()
        if life is None or not life.dead:
            self._files.pop(name, None)


class SimulatedDisk:
    """Every machine's disk: tables by folder, and the seams through which they are harmed."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.folders: dict[str, Folder] = {}
        self.files: dict[str, dict[str, bytes]] = {}

    def exists(self, folder: Path) -> bool:
        return str(folder) in self.folders

    def open(self, folder: Path) -> SimulatedTable:
        found = self.folders.setdefault(str(folder), Folder())
        if found.holder is not None and not found.holder.dead:
            raise TableInUse
        if found.broken:
            raise Damaged("the table")
        if found.holder is not None:
            found.die(self._loop.luck())
        found.holder = LIFE.get()
        return SimulatedTable(found, found.holder, self._loop)

    def remove(self, folder: Path) -> None:
        life = LIFE.get()
        if life is None or not life.dead:
            self.folders.pop(str(folder), None)

    def free(self, folder: Path) -> int:
        return 1 << 40

    def small_files(self, folder: Path) -> SmallFiles:
        return SmallFiles(self.files.setdefault(str(folder), {}))

    # -- harm, while nobody has it open --

    def of(self, machine: str) -> list[str]:
        return [name for name in self.folders if f"/{machine}/" in name]

    def lose(self, name: str, batches: int) -> None:
        """The last writes never reached the disk."""
        folder = self.folders[name]
        del folder.batches[max(0, len(folder.batches) - batches) :]
        folder.flushed = min(folder.flushed, len(folder.batches))

    def turn_back(self, name: str, until: float) -> None:
        """Somebody restored a backup."""
        folder = self.folders[name]
        folder.batches = [batch for batch in folder.batches if batch[0] <= until]
        folder.flushed = min(folder.flushed, len(folder.batches))
