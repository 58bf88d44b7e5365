"""
What is left behind of a process that dies hard while it decides: killed by the kernel, a fault in native code, a
hang that the watchdog ended. No `except` sees it, so the next one must find it on disk.

Two files beside the shard's store. The *trace* lies there while the shard is served and goes away with every orderly
end; it is all that normal running costs. Whoever finds one takes the commands and deadlines that may have been in
hand one by one, each under a *mark* that is on disk before it is decided and goes away right after, before anything
is sent: a process that is killed from outside while it commits leaves no mark. A mark that is found again is a death
at that very record. After CRASHES of them it is not decided any more but parked with its case, and the shard goes on.

Marks are the instance's own, so with n instances a record may cost n times as many deaths; and the state folder must
outlive the process, or nothing is remembered.
"""

import os
from pathlib import Path
from typing import Protocol

from msgspec import MsgspecError, json

CRASHES = 3
"""Deaths at a record after which it is not decided any more."""


class Files(Protocol):
    """Small files by name. What `write` was given is there after a crash as a whole or not at all."""

    def read(self, name: str) -> bytes | None: ...
    def write(self, name: str, data: bytes, *, sync: bool) -> None: ...
    def remove(self, name: str) -> None: ...


class Folder:
    """The machine's own disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes, *, sync: bool) -> None:
        """`sync`: it must survive the machine too."""
        self._folder.mkdir(parents=True, exist_ok=True)
        new = self._folder / f"{name}.new"
        with new.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        new.replace(self._folder / name)
        if sync:
            place = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(place)  # the name as well
            finally:
                os.close(place)

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


class Quarantine:
    """
    Trace and marks of one shard. `commands`, `deadlines` and `cases` (of the sweep) say how many are still to be taken
    one by one.

    A mark is named by the place of the command, by case and due time of the deadline, or by the case alone.
    """

    def __init__(self, files: Files, name: str) -> None:
        self._files, self._trace, self._list = files, f"{name}.serving", f"{name}.marks"
        self._deaths: dict[str, int] = {}
        self._parked: list[str] = []
        self._begun = False
        self.commands = self.deadlines = self.cases = 0

    def begin(self, commands: int, deadlines: int, cases: int = 0) -> bool:
        """
        The shard is served from now on. Whether the last to do so died hard; then take this many one by one.
        """
        self._deaths = self._read()
        died = self._files.read(self._trace) is not None or bool(self._deaths)
        self._files.write(self._trace, b"", sync=False)
        self._begun = True
        self.commands, self.deadlines, self.cases = (commands, deadlines, cases) if died else (0, 0, 0)
        return died

    def _read(self) -> dict[str, int]:
        try:
            return json.decode(self._files.read(self._list) or b"{}", type=dict[str, int])
        except MsgspecError:
            return {}

    def mark(self, what: str) -> int:
        """How often the process died at this before. When this returns, dying now will be known."""
        deaths = self._deaths.get(what, 0)
        self._keep(what, deaths + 1, sync=True)
        return deaths

    def survived(self, what: str, deaths: int = 0) -> None:
        """It was decided. `deaths` are remembered until `committed`, for what is parked and not done with before that."""
        if deaths:
            self._parked.append(what)
        self._keep(what, deaths, sync=False)

    def _keep(self, what: str, deaths: int, *, sync: bool) -> None:
        if deaths:
            self._deaths[what] = deaths
        else:
            self._deaths.pop(what, None)
        if self._deaths:
            self._files.write(self._list, json.encode(self._deaths), sync=sync)
        else:
            self._files.remove(self._list)

    def committed(self) -> None:
        """
        What was parked is done with. What else is marked has not been met yet; once all has been taken it never will be: another
        instance has dealt with it.
        """
        if not self._deaths:
            return
        is_over = self.commands <= 0 and self.deadlines <= 0 and self.cases <= 0
        for what in list(self._deaths) if is_over else self._parked:
            self._keep(what, 0, sync=False)
        self._parked = []

    def end(self) -> None:
        """An orderly end. The trace stays where not all has been taken that the last death left behind."""
        if self._begun and not self.commands and not self.deadlines and self.cases <= 0:
            self._files.remove(self._trace)
        self._begun = False
