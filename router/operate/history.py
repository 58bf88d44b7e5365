"""
The requests of some time (or what else a reader picks), read again from `case.events`: everything that was ever registered is there, whatever became of it.

Of a record only what is needed is decoded, and records before the time asked for are not read: business time never runs
back within a partition, so the first record of a time is found by halving.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from aiokafka import TopicPartition
from msgspec import Raw, Struct

from router.rules.backtest import Registered
from workflows.proposals import Proposal

PAGE = 2000
NEAR = 2000
"""Offsets that are rather read than halved again."""
POLL_MS = 500
SILENT_SECONDS = 60.0
"""How long the log may bring nothing although there is more: then the broker is taken for gone."""
_SIGN = b'{"type":"CaseRegistered.v1"'
"""Stands in every record of a registration, as the engine writes them; inside a text quotes are escaped."""

Progressing = Callable[[int, int], None]
"""Told how many offsets are read, of how many."""


class NoEvents(Exception):
    """There is no topic of events: nothing ever ran here."""


class _Event(Struct, gc=False):
    type: str
    number: Any = None
    channel: str = ""
    ref: str = ""
    request: Raw = Raw(b"")
    received_at: int = 0
    rule: str = ""
    proposal: Proposal | None = None


class _Record(Struct, gc=False):
    case: str
    at: int
    events: tuple[_Event, ...]
    catalogue: int = 0


class _Dated(Struct, gc=False):
    at: int


_record = msgspec.json.Decoder(_Record).decode
_dated = msgspec.json.Decoder(_Dated).decode


def registered(value: bytes) -> Registered | None:
    """The request that a record of `case.events` registers, if it does. Raises MsgspecError."""
    if _SIGN not in value:
        return None
    record = _record(value)
    came = next((event for event in record.events if event.type == "CaseRegistered.v1"), None)
    if came is None:
        return None
    routed = next((event for event in record.events if event.type == "CaseRouted.v1"), None)
    return Registered(
        case=record.case, number=str(came.number), at=record.at, catalogue=record.catalogue,
        rule=routed.rule if routed else "", channel=came.channel, ref=came.ref, request=came.request,
        received_at=came.received_at, proposal=came.proposal,
    )  # fmt: skip


class Dated(Protocol):
    """What a reader picks out of a record; `at`: the record's time."""

    @property
    def at(self) -> int: ...


Picked = TypeVar("Picked", bound=Dated)


class History(Generic[Picked]):
    """Reads what `pick` makes of the records (None: nothing), from `since` until just before `until`.

    unreadable: records that this code cannot read; `pick` raises MsgspecError for them.
    """

    def __init__(self, broker: Any, topic: str, since: int, until: int, pick: Callable[[bytes], Picked | None]) -> None:
        self._broker, self._topic, self.since, self.until, self._pick = broker, topic, since, until, pick
        self.unreadable = 0

    async def batches(self, progress: Progressing = lambda done, total: None) -> AsyncIterator[list[Picked]]:
        """Once each, as it was committed, up to the end of the topic as it is now. Raises NoEvents, TimeoutError."""
        count = (await self._broker.topics()).get(self._topic, 0)
        if not count:
            raise NoEvents(self._topic)
        partitions = [TopicPartition(self._topic, p) for p in range(count)]
        async with self._broker.reader(partitions=partitions) as reader:
            ends = await reader.end_offsets(partitions)
            starts = {tp: await start(reader, tp, ends[tp], self.since) for tp in partitions}
            for tp, offset in starts.items():
                reader.seek(tp, offset)
            total = sum(ends[tp] - starts[tp] for tp in partitions)
            while (left := await _left(reader, ends)) > 0:
                progress(total - left, total)
                yield self._taken(await _more(reader, ends, left), ends)
            progress(total, total)

    def _taken(self, batch: Mapping[TopicPartition, list[Any]], ends: Mapping[TopicPartition, int]) -> list[Picked]:
        values = (r.value or b"" for tp, records in batch.items() for r in records if r.offset < ends[tp])
        found = (self._read(value) for value in values)
        return [one for one in found if one is not None and self.since <= one.at < self.until]

    def _read(self, value: bytes) -> Picked | None:
        try:
            return self._pick(value)
        except msgspec.MsgspecError:
            self.unreadable += 1
            return None


async def start(reader: Any, partition: TopicPartition, end: int, since: int) -> int:
    """An offset near before the first record of `since` or later, and never after it. Raises TimeoutError."""
    async with asyncio.timeout(SILENT_SECONDS):
        low: int = (await reader.beginning_offsets([partition]))[partition]
        while end - low > NEAR:
            middle = (low + end) // 2
            at = await _time(reader, partition, middle, end)
            low, end = (middle, end) if at is not None and at < since else (low, middle)
    return low


async def _time(reader: Any, partition: TopicPartition, offset: int, end: int) -> int | None:
    """The business time of the first readable record from `offset` on; None where none is left before `end`."""
    reader.seek(partition, offset)
    while await reader.position(partition) < end:
        for record in (await reader.getmany(partition, timeout_ms=POLL_MS, max_records=1)).get(partition, ()):
            try:
                return _dated(record.value or b"").at
            except msgspec.MsgspecError:
                pass
    return None


async def _more(reader: Any, ends: Mapping[TopicPartition, int], left: int) -> Mapping[TopicPartition, list[Any]]:
    """What comes next; nothing where only marks of transactions, or what was aborted, were passed."""
    async with asyncio.timeout(SILENT_SECONDS):
        while True:
            batch: Mapping[TopicPartition, list[Any]] = await reader.getmany(timeout_ms=POLL_MS, max_records=PAGE)
            if batch or await _left(reader, ends) < left:
                return batch


async def _left(reader: Any, ends: Mapping[TopicPartition, int]) -> int:
    places = {tp: int(await reader.position(tp)) for tp in ends}
    return sum(max(0, end - places[tp]) for tp, end in ends.items())
