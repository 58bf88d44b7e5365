"""
The shape of what Duokua writes for a request: how many records, how large, whereto.

Read from a real run of the chain, so that the bare chain can be made to write the same.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from msgspec import Struct, json

from adapters.kafka.log import Header
from router.engine.store import PREFIX, REQUEST_SUFFIX, SHARD_KEY
from workflows import outbox


class Piece(Struct, frozen=True):
    """A message that leaves: destination, CloudEvents type, bytes of its data."""

    to: str
    type: str
    size: int


class OneCase(Struct):
    """What one request brought about: bytes of its event record and of its state, and the messages that left."""

    event: int = 0
    state: int = 0
    pieces: tuple[Piece, ...] = ()


class Shape(Struct):
    """Cases in the order in which they are imitated, and the headers of a message that leaves."""

    cases: list[OneCase]
    headers: list[tuple[str, str]]

    @classmethod
    def read(cls, path: Path) -> "Shape":
        return json.decode(path.read_bytes(), type=cls)

    def write(self, path: Path) -> None:
        path.write_bytes(json.encode(self))


class Learning:
    """Takes the records of `case.events`, `case.state`, `case.outbox` and tasks as they are read."""

    def __init__(self) -> None:
        self._cases: defaultdict[bytes, OneCase] = defaultdict(OneCase)
        self._headers: list[Header] = []

    def take(self, family: str, record: Any) -> None:
        """One record; `family` is its topic without prefix and member (`case.events`, `tasks`, ...)."""
        if family == "case.events":
            self._cases[record.key].event = len(record.value)
        elif family == "case.state" and record.key != SHARD_KEY and not record.key.endswith(REQUEST_SUFFIX):
            self._cases[record.key].state = len(record.value) - PREFIX.size
        elif family == "case.outbox":
            left = outbox.decode(record.value).messages
            self._cases[record.key].pieces = tuple(Piece(m.to, m.type, len(bytes(m.data))) for m in left)
        elif family == "tasks" and not self._headers:
            self._headers = list(record.headers)

    def shape(self) -> Shape:
        """What was learned of every case of which all three were seen."""
        whole = [c for _, c in sorted(self._cases.items()) if c.event and c.state and c.pieces]
        return Shape(whole, [(name, value.decode()) for name, value in self._headers])
