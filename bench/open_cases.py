"""
Made-up open cases for the bench of scale: as many as wanted, each as large as a real one.

A few hundred are decided by the real core on the catalogue (routed, clocks armed, task given out); each of the many is a
copy of one of them under an id of its own. Nothing but the id differs, and the id is always as long.
"""

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from bench.sample import SEED, Sample
from router.catalogue.catalogue import Catalogue
from router.engine.store import REQUEST_SUFFIX, state_value
from router.intake.translate import Accepted, Known, translate
from schemas.ids import command_id, shard_of
from workflows import commands
from workflows.case import encode
from workflows.handle import step

DAY = 24 * 3600 * 1000
PREFIX = "bench."


class Template(Struct):
    """What the copies of one case share. `endpoint` and `task`: of the unit that has not signed yet."""

    case: bytes
    due: int
    state: bytes
    request: bytes
    endpoint: str
    task: str


class Copy(Struct):
    """One of the many, as `case.state` has it."""

    case: bytes
    shard: int
    of: Template
    state: bytes

    @property
    def records(self) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        return (self.case, self.state), (self.case + REQUEST_SUFFIX, self.of.request)

    def sign(self, now: int) -> bytes:
        """The unit's next move, as a command."""
        case = self.case.decode()
        source = f"replies.{self.of.endpoint}/0/{case}"
        return commands.encode(
            commands.Reply(
                id=command_id(case, source), case=case, at=now, source=source, endpoint=self.of.endpoint,
                task=self.of.task, action="sign", body=Raw(b"{}"),
            )
        )  # fmt: skip


def requests(catalogue: Catalogue, now: int, count: int, shards: int, seed: int = SEED) -> list[Accepted]:
    """Requests as intake hands them to the engine."""
    known = Known(directory=catalogue, prefix=PREFIX, shards=shards, secret=b"bench")
    records: list[Any] = [
        SimpleNamespace(
            topic=f"{PREFIX}intake.{r.channel}", partition=0, offset=n, key=r.ref.encode(), value=r.value, headers=[]
        )
        for n, r in enumerate(Sample(catalogue, now, seed).take(count))
    ]
    found = [translate(record, known, now) for record in records]
    return [one for one in found if isinstance(one, Accepted)]


def templates(catalogue: Catalogue, now: int, count: int, seed: int) -> list[Template]:
    """Cases that were registered at `now`."""
    facts = catalogue.facts()
    made = []
    for n, one in enumerate(requests(catalogue, now, count, 1, seed)):
        command = commands.decode(one.command)
        assert isinstance(command, commands.Submit)
        case = step(None, replace(command, serial=f"00{n:05d}"), facts, now).case
        assert case is not None
        task = next((t for t in case.tasks.values() if t.kind == "handle"), None)
        if task is not None:
            body = encode(case)
            made.append(Template(case.id.encode(), case.next_due, body, bytes(command.request), task.endpoint, task.id))
    return made


def spread(catalogue: Catalogue, begin: int, days: int = 20, a_day: int = 25) -> list[Template]:
    """Cases that were registered over the days after `begin`: their dues are spread, and all lie after it."""
    return [t for day in range(days) for t in templates(catalogue, begin + day * DAY, a_day, SEED + day)]


def at_once(catalogue: Catalogue, now: int) -> tuple[int, list[Template]]:
    """Cases that are due at the same instant, and that instant."""
    made = templates(catalogue, now, 400, SEED + 99)
    due = Counter(t.due for t in made).most_common(1)[0][0]
    return due, [t for t in made if t.due == due]


def copies(kinds: list[Template], count: int, shards: int, name: str = "open") -> Iterator[Copy]:
    """`count` copies. The same name gives the same ids."""
    for n in range(count):
        of = kinds[n % len(kinds)]
        d = blake2b(f"{name} {n}".encode(), digest_size=16).hexdigest()
        case = f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}"
        key = case.encode()
        yield Copy(key, shard_of(case, shards), of, state_value(of.due, of.state.replace(of.case, key)))
