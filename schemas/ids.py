"""
Ids that follow from their cause, so that doing a thing twice names the same thing.

Nothing here is secret and nothing here is random: a restart, a replay and a second
worker derive the same ids. `shard_of` is the only place that decides where a case lives;
its answer must never change once records exist (docs/adr/0004).

The id of a command's message or task is the command's own, marked as version 8 (RFC 9562: a layout of one's own), the
last 24 bits being what it is and its number. So no two of one command are equal, 98 bits of a hash keep those of two
commands apart, and a log can be searched for all that one command brought about.
"""

from functools import lru_cache
from hashlib import sha1
from uuid import UUID

NAMESPACE = UUID("7f7b2a52-6a3e-5c1d-9b40-d0a1c0de0001")
_BEGUN = sha1(NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = {digit: f"{int(digit, 16) & 0x3 | 0x8:x}" for digit in "0123456789abcdef"}


def _uuid5(name: str) -> str:
    """`str(uuid.uuid5(NAMESPACE, name))`, many times as fast."""
    digest = _BEGUN.copy()
    digest.update(name.encode())
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def case_id(channel: str, ref: str) -> str:
    """The case that the channel's own id `ref` stands for."""
    return _uuid5(f"{channel}|{ref}")


def command_id(case: str, cause: str) -> str:
    """A command's id from what caused it: a record's `topic/partition/offset`, or another id."""
    return _uuid5(f"{case}|command|{cause}")


def event_id(cause: str, index: int) -> str:
    """The id of the `index`-th thing that came of a cause that is no command: a record that cannot be read, a state."""
    return _uuid5(f"{cause}|event|{index}")


def message_id(command: str, index: int) -> str:
    """The id of the `index`-th message that `command` brought about."""
    return f"{command[:14]}8{command[15:30]}{_place(0, index)}"


def task_id(command: str, index: int) -> str:
    """The id of the `index`-th task that `command` opened."""
    return f"{command[:14]}8{command[15:30]}{_place(1, index)}"


@lru_cache(maxsize=1024)
def _place(kind: int, index: int) -> str:
    return f"{kind}{index:05x}"


def shard_of(case: str, shards: int) -> int:
    """The partition of `case.commands`, `case.events`, `case.state` and `case.outbox` of a case."""
    return int(case[:8], 16) % shards
