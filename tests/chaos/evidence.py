"""What the verdict is about: every topic read to its end (read_committed), the offsets of the groups, the engines' stores."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import TopicPartition

from adapters.kafka.log import KafkaLog
from router.engine.store import REQUEST_SUFFIX, SHARD_KEY, body_of, due_of
from router.operate.table import ROCKS
from router.operate.topics import Topics
from tests.chaos.audit import Audit, Input, Left, Sent, differences, digest, replayed_hash, stored_hash
from workflows import events, outbox

PAGE = 5000
STEPS = (("intake", ("intake.", "replies.")), ("engine", ("case.commands",)), ("delivery", ("case.outbox",)))
"""Consumer groups in the direction of the flow, and how the names of what they read begin."""
SIMILAR = ("similar", ("case.events",))
"""Beside the flow: it reads what happened and tells cases of each other."""


def read_ledger(path: Path, audit: Audit) -> tuple[int, int]:
    """The load's ledger into the audit; how many records were acknowledged, and how many of them are requests."""
    kinds: dict[int, str] = {}
    acked: set[int] = set()
    for line in path.read_text("utf-8").splitlines():
        try:
            what, *fields = json.loads(line)
        except ValueError:
            continue  # torn off by the end of the process
        if what == "sent":
            number, kind, channel, ref = fields
            kinds[number] = kind
            audit.sent(number, Sent(kind, channel, ref))
        elif what == "acked":
            numbers = range(fields[0], fields[1] + 1)
            acked.update(numbers)
            audit.acked(numbers)
    return len(acked), sum(kinds[number] == "new" for number in acked)


@dataclass
class Evidence:
    """All topics of a deployment, read once."""

    log: KafkaLog
    topics: Topics
    audit: Audit
    state: dict[int, list[tuple[int, bytes, bytes | None]]] = field(default_factory=lambda: defaultdict(list))
    """case.state: (offset, key, value) by partition"""
    partitions: list[TopicPartition] = field(default_factory=list)

    async def look(self) -> None:
        """Which partitions there are."""
        counts = await self.log.topics()
        mine = {name: n for name, n in counts.items() if name.startswith(self.topics.prefix)}
        self.partitions = [TopicPartition(name, p) for name, n in mine.items() for p in range(n)]

    async def read(self) -> None:
        """Everything, from the first record to the end as it is now."""
        # what was asked of cases first, so that of each event it is known who asked for it
        asked = [tp for tp in self.partitions if tp.topic == self.topics.commands]
        await self._read(asked)
        await self._read([tp for tp in self.partitions if tp not in asked and tp.topic != self.topics.catalog])

    async def _read(self, wanted: list[TopicPartition]) -> None:
        async with self.log.reader(partitions=wanted) as reader:
            ends = await reader.end_offsets(wanted)
            while [tp for tp in wanted if await reader.position(tp) < ends[tp]]:
                for tp, records in (await reader.getmany(timeout_ms=200, max_records=PAGE)).items():
                    for record in records:
                        self._take(tp, record)

    def _take(self, tp: TopicPartition, record: Any) -> None:
        name = self.topics.short(tp.topic)
        source = f"{tp.topic}/{tp.partition}/{record.offset}"
        headers = {key: value.decode("utf-8", "replace") for key, value in record.headers}
        if name == "case.commands":
            if _is_case(record.key):
                self.audit.command(record.value)
        elif name == "case.events":
            self.audit.event(events.decode(record.value))
        elif name == "case.outbox":
            self.audit.queued(outbox.decode(record.value))
        elif name == "case.state":
            self.state[tp.partition].append((record.offset, record.key, record.value))
        elif name.startswith("intake."):
            self.audit.input(Input(source, int(headers.get("load", -1)), digest(record.value)))
        elif name.startswith("replies."):
            self.audit.reply(source)
        elif name.startswith("dead-letters."):
            self.audit.dead(
                "/".join(headers.get(f"x-original-{part}", "") for part in ("topic", "partition", "offset"))
            )
        if "ce_id" in headers and not name.startswith(("intake.", "replies.")):
            self.audit.left(_left(name, headers, record))

    # -- offsets -----------------------------------------------------------------------------------

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        async with self.log.admin() as admin:
            found = await admin.list_consumer_group_offsets(self.topics.group(group))
        return {tp: at.offset for tp, at in found.items() if at.offset >= 0}

    async def lag(self, group: str, names: Iterable[str], but: Callable[[Any], bool] = lambda record: False) -> int:
        """
        Records that the group has not committed, `but` for such: read, because offsets count the markers of transactions too.
        """
        done = await self.committed(group)
        wanted = [tp for tp in self.partitions if self.topics.short(tp.topic).startswith(tuple(names))]
        async with self.log.reader(partitions=wanted) as reader:
            ends, begins = await reader.end_offsets(wanted), await reader.beginning_offsets(wanted)
            count = 0
            behind = [tp for tp in wanted if done.get(tp, begins[tp]) < ends[tp]]
            for tp in wanted:
                reader.seek(tp, min(done.get(tp, begins[tp]), ends[tp]))
            while [tp for tp in behind if await reader.position(tp) < ends[tp]]:
                found = await reader.getmany(timeout_ms=100, max_records=PAGE)
                count += sum(not but(record) for records in found.values() for record in records)
        return count

    async def offsets_differ(self) -> list[str]:
        """I7: what the engines' group has committed against what each shard's own record says."""
        done = await self.committed("engine")
        wrong = []
        for partition in range(self.topics.shards):
            said = json.loads(self.shard_records()[partition] or b"{}").get("input", 0)
            committed = done.get(TopicPartition(self.topics.commands, partition))
            if committed != said:
                wrong.append(f"shard {partition}: committed {committed}, its state says {said}")
        return wrong

    def shard_records(self) -> list[bytes | None]:
        return [dict_at(self.state[p]).get(SHARD_KEY) for p in range(self.topics.shards)]

    # -- state -------------------------------------------------------------------------------------

    def state_differs(
        self, stores: Path, damaged: Collection[str] = (), forgotten: Collection[bytes] = ()
    ) -> tuple[list[str], int]:
        """
        I4: replay of the events = last values of the changelog = each engine's store, at the offset that it reflects.

        Returns what differs, and how many stores were compared. Of each shard at least one must be at the end. `forgotten`:
        entries of due indexes that may be missing, as we took them out.
        """
        wrong: list[str] = []
        compared = 0
        for partition in range(self.topics.shards):
            changelog = self.state[partition]
            mine = {name: case for name, case in self.audit.cases.items() if self._shard(name) == partition}
            last = {key: body_of(value) for key, value in dict_at(changelog).items() if _is_case(key)}
            if replayed_hash(mine) != stored_hash(last):
                wrong += list(differences(mine, last, f"case.state/{partition}"))
            complete = False
            for folder in sorted(stores.glob(f"*/shard-{partition}")):
                try:
                    at, found = _store_differs(folder, changelog, forgotten)
                except Exception as error:
                    # damage is found by who reads it: nobody has since
                    if folder.parent.name not in damaged:
                        wrong.append(f"{folder.parent.name}/{folder.name}: cannot be read ({error!r})")
                    complete = complete or folder.parent.name in damaged
                    continue
                wrong += [f"{folder.parent.name}/{folder.name}: {text}" for text in found]
                # who takes a shard over while all leave may commit its record, and be gone before the store has it
                complete = complete or all(key == SHARD_KEY for offset, key, _ in reversed(changelog) if offset >= at)
                compared += 1
            if changelog and not complete:
                wrong.append(f"shard {partition}: no store reflects the end of the changelog")
        return wrong, compared

    def _shard(self, case: str) -> int:
        return int(case[:8], 16) % self.topics.shards


def _left(name: str, headers: Mapping[str, str], record: Any) -> Left:
    task = ""
    if name.startswith("tasks.") and headers.get("ce_type", "").startswith("cn.duokua.task."):
        task = _task(record.value).task_id
    number = headers.get("ce_sequence", "") or "0"
    version = headers.get("ce_caseversion", "") or "0"
    key = headers.get("ce_partitionkey", "")
    return Left(name, headers["ce_id"], key, int(number), int(version), task, digest(record.value))


class _TaskId(msgspec.Struct):
    task_id: str = ""


_task = msgspec.json.Decoder(_TaskId).decode


def _is_case(key: bytes) -> bool:
    return not key.startswith(b"_") and b"/" not in key


def dict_at(changelog: Iterable[tuple[int, bytes, bytes | None]], end: int | None = None) -> dict[bytes, bytes]:
    """The last value of each key before the offset `end`; what was deleted is not there."""
    held: dict[bytes, bytes] = {}
    for offset, key, value in changelog:
        if end is not None and offset >= end:
            break
        if value is None:
            held.pop(key, None)
        else:
            held[key] = value
    return held


def _store_differs(
    folder: Path, changelog: list[tuple[int, bytes, bytes | None]], forgotten: Collection[bytes]
) -> tuple[int, list[str]]:
    """The offset that a store reflects, and where it is not what the changelog says it was there."""
    table = ROCKS.open(folder)
    try:
        meta = json.loads(table.get(b"mmeta") or b"null")
        if meta is None:
            return 0, []
        held = {key: table.get(key) for key in _keys(table)}
    finally:
        table.close()
    expected = dict_at(changelog, meta["changelog"])
    return meta["changelog"], list(compare(held, expected, forgotten))


def _keys(table: Any) -> Iterator[bytes]:
    yield from table.keys_from(b"")


def compare(
    held: Mapping[bytes, bytes | None], expected: Mapping[bytes, bytes], forgotten: Collection[bytes] = ()
) -> Iterator[str]:
    """A store's keys against the values of the changelog: states, requests, the shard's record, the due index."""
    wanted: dict[bytes, bytes] = {}
    for key, value in expected.items():
        if key == SHARD_KEY:
            wanted[b"mshard"] = value
        elif key.endswith(REQUEST_SUFFIX):
            wanted[b"r" + key[: -len(REQUEST_SUFFIX)]] = value
        elif _is_case(key):
            wanted[b"c" + key] = value
            if due := due_of(value):
                wanted[b"d" + due.to_bytes(8) + key] = b""
    kept = {key: value for key, value in held.items() if key[:1] in b"crd" or key == b"mshard"}
    for key in sorted(kept.keys() | wanted.keys()):
        if kept.get(key) != wanted.get(key) and not (key in forgotten and key not in kept):
            what = "missing" if key not in kept else "not in the changelog" if key not in wanted else "differs"
            yield f"{key[:60]!r} {what}"
