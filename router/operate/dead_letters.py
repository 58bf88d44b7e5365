"""
The dead letters: what there is, what became of each, and how they are written again or given up.

A letter's id is its place, `<stage>/<partition>/<offset>`. What became of it stands in the stream `dead-letters` of
the audit topic; folded over the letters that gives each one its state. An act is one transaction: the records that are
written again, the release of the cases of which nothing is left, and the entry. The redrive's transactional id fences
a second one; it reads what there is after it has taken the id, so no two people ever do the same letter.

Order per case: letters of a parked case go in the order in which their commands first stood on the log, and none
before the ones in front of it. Commands keep their ids, so one that did take effect takes none a second time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import msgspec
from aiokafka import TopicPartition

from adapters.kafka.forgiving import Withheld
from adapters.kafka.log import Header
from router.delivery.fanout import fan_out
from router.operate import audit
from router.operate.letters import (
    DONE,
    RETRY_HEADERS,
    Act,
    Block,
    DeadLetter,
    Letter,
    Plan,
    Retry,
    State,
    newest,
    released,
    retry_headers,
)  # fmt: skip
from router.operate.topics import STAGES, Topics
from schemas.ids import command_id, shard_of
from workflows import commands, outgoing

STREAM = "dead-letters"
POLL_MS = 200
PAGE = 100
"""Letters of one transaction, and of one entry."""


@dataclass(frozen=True)
class Source:
    """A record as it stands on the log."""

    partition: TopicPartition
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


# -- reading ------------------------------------------------------------------------------------------


async def letters(broker: Any, topics: Topics) -> list[Letter]:
    """Every letter there is, in order, with what became of it. Raises ChainBroken."""
    found: list[Letter] = []
    for stage in STAGES:
        tp = TopicPartition(topics.dead_letters(stage), 0)
        found += [_letter(stage, record, topics) async for record in _whole(broker, tp)]
    done = _folded(await audit.read(broker, topics.audit, STREAM))
    return [replace(letter, state=done.get(letter.id, "open")) for letter in found]


async def _whole(broker: Any, tp: TopicPartition) -> AsyncIterator[Any]:
    async with broker.reader(partitions=[tp]) as reader:
        reader.seek(tp, (await reader.beginning_offsets([tp]))[tp])
        end = (await reader.end_offsets([tp]))[tp]
        while await reader.position(tp) < end:
            for record in (await reader.getmany(timeout_ms=POLL_MS)).get(tp, []):
                yield record


def _letter(stage: str, record: Any, topics: Topics) -> Letter:
    headers = tuple(record.headers)
    named = {name: value.decode("utf-8", "replace") for name, value in headers if name.startswith("x-")}
    said = DeadLetter(stage=stage, code=named.get("x-reason", ""), source="")
    if stage == "engine":
        # something that the engine did not write there must not hide the others
        with suppress(msgspec.MsgspecError):
            said = msgspec.json.decode(record.value or b"", type=DeadLetter)
    place = said.source or "/".join(named.get(f"x-original-{part}", "") for part in ("topic", "partition", "offset"))
    return Letter(
        id=f"{stage}/{record.partition}/{record.offset}",
        stage=stage,
        code=said.code,
        original=place.removeprefix(topics.prefix),
        written=record.timestamp,
        key=(record.key or b"").decode("utf-8", "replace"),
        headers=headers,
        said=said,
    )


def _folded(entries: Iterable[audit.Entry]) -> dict[str, State]:
    """What became of each letter: the last act counts."""
    return {letter: DONE[entry.act] for entry in entries for letter in entry.facts["letters"] if entry.act in DONE}


async def acts(broker: Any, topics: Topics, letter: str) -> list[dict[str, str]]:
    """What was done about a letter: when, what, who and why."""
    entries = await audit.read(broker, topics.audit, STREAM)
    return [
        {"at": entry.at, "act": entry.act, "who": entry.who, "why": entry.why}
        for entry in entries
        if letter in entry.facts["letters"]
    ]


async def original(broker: Any, topics: Topics, letter: Letter) -> Source | None:
    """The record that a letter stands for, whole; None where there is none, or no longer."""
    async with _originals(broker, topics, [letter]) as read:
        found: Source | None = await read(letter)
        return found


@asynccontextmanager
async def _originals(broker: Any, topics: Topics, of: Iterable[Letter]) -> AsyncIterator[Callable[[Letter], Any]]:
    """A way to read the originals of these letters, with one reader for all of them."""
    counts = await broker.topics()
    places = {tp for letter in of if (tp := _place(letter, topics)[0]) and tp.partition < counts.get(tp.topic, 0)}
    async with broker.reader(partitions=sorted(places) or [TopicPartition(topics.audit, 0)]) as reader:
        starts, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
        reader.pause(*places)

        async def read(letter: Letter) -> Source | None:
            tp, offset = _place(letter, topics)
            if tp is None or tp not in places or not starts[tp] <= offset < ends[tp]:
                return None
            reader.seek(tp, offset)
            reader.resume(tp)
            while await reader.position(tp) <= offset:
                for record in (await reader.getmany(tp, timeout_ms=POLL_MS, max_records=1)).get(tp, []):
                    reader.pause(tp)
                    return _same(record, letter) if record.offset == offset else None
            return None

        yield read


def _same(record: Any, letter: Letter) -> Source | None:
    """The record, unless it is not the one that the letter was written for, or one that nobody could read."""
    if isinstance(record.value, Withheld):
        return None
    if letter.stage == "intake":
        wanted = dict(letter.headers).get("x-original-sha256", b"").decode()
        if wanted != sha256(record.value or b"").hexdigest():
            return None
    return Source(TopicPartition(record.topic, record.partition), record.key, record.value, tuple(record.headers))


def _place(letter: Letter, topics: Topics) -> tuple[TopicPartition | None, int]:
    name, _, rest = letter.original.partition("/")
    partition, _, offset = rest.partition("/")
    if letter.is_deadline or not (partition.isdigit() and offset.isdigit()):
        return None, 0
    return TopicPartition(topics.prefix + name, int(partition)), int(offset)


# -- doing --------------------------------------------------------------------------------------------


@dataclass
class Done:
    """What an act came to, page by page. upto: where `case.commands` ends after it, by partition."""

    letters: list[str] = field(default_factory=list)
    blocked: dict[str, Block] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    upto: dict[TopicPartition, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """Who acts, why, and when (RFC 3339)."""

    who: str
    why: str
    at: str


class Redrive:
    """
    The one who acts, from `opened` until the block ends. A second one that begins takes the id away from the first,
    whose next page fails with Fenced: nothing of it holds.
    """

    def __init__(self, broker: Any, topics: Topics, transaction: Any, person: Person) -> None:
        self._broker, self._topics, self._person = broker, topics, person
        self._transaction = transaction
        self.every: list[Letter] = []

    async def look(self) -> list[Letter]:
        """What there is now."""
        self.every = await letters(self._broker, self._topics)
        return self.every

    async def do(self, planned: Plan, paced: Callable[[int], Any], size: int = PAGE) -> Done:
        """
        Page after page of `size` letters, each a transaction; `paced(count)` is awaited after each. Letters whose record is gone are left
        open, and with them those of their case that come after.
        """
        done, entries = Done(blocked=dict(planned.blocked)), await audit.read(self._broker, self._topics.audit, STREAM)
        last, stays = entries[-1] if entries else None, set[str]()
        async with _originals(self._broker, self._topics, planned.letters) as read:
            for page in _pages(planned.letters, size):
                last = await self._page(planned.act, page, read, done, last, stays)
                await paced(len(page))
        return done

    async def _page(
        self, act: Act, page: Sequence[Letter], read: Callable[[Letter], Any], done: Done, last: audit.Entry | None,
        stays: set[str],
    ) -> audit.Entry | None:  # fmt: skip
        """`stays`: cases of which a letter is left open, on this page or on one before."""
        acted: list[str] = []
        for letter in page:
            block = "behind_others" if letter.said.parked and letter.case in stays else None
            if act == "retry" and block is None:
                block = await self._again(letter, read)
            if block:
                done.blocked[letter.id] = block  # type: ignore[assignment]
                stays.add(letter.case)
            else:
                acted.append(letter.id)
        if not acted:
            return last
        self._release(
            act, {letter.case for letter in page if letter.id in acted and letter.case}, {*done.letters, *acted}, done
        )
        last = audit.entry(
            last, STREAM, at=self._person.at, who=self._person.who, act=act, why=self._person.why,
            facts={"letters": acted},
        )  # fmt: skip
        self._transaction.add(self._topics.audit, 0, STREAM.encode(), audit.encode(last))
        ends = await self._transaction.commit({})
        done.letters += acted
        done.upto |= {tp: end for tp, end in ends.items() if tp.topic == self._topics.commands}
        return last

    async def _again(self, letter: Letter, read: Callable[[Letter], Any]) -> Block | None:
        """Add to the transaction what is to be written again; or why it cannot be."""
        if letter.is_deadline:
            return None  # the release is what tries it again
        source: Source | None = await read(letter)
        if source is None:
            return "gone"
        if letter.stage == "delivery":
            return self._deliver(letter, source)
        if source.partition.topic == self._topics.commands:
            self._command(letter, source)
        else:
            headers = list(source.headers)
            self._transaction.add(source.partition.topic, source.partition.partition, source.key, source.value, headers)
        return None

    def _command(self, letter: Letter, source: Source) -> None:
        """The same command with the same id, marked; to the shard it belongs to, wherever it stood."""
        parked = [other for other in self.every if other.said.parked and other.case == letter.case]
        retry = Retry(letter.id, letter.said.root or letter.original, newest(parked).faults)
        headers = [*(h for h in source.headers if h[0] not in RETRY_HEADERS), *retry_headers(retry)]
        try:
            partition = shard_of(commands.decode(source.value or b"").case, self._topics.shards)
        except (msgspec.MsgspecError, ValueError):
            partition = source.partition.partition
        self._transaction.add(self._topics.commands, partition, source.key, source.value, headers)

    def _deliver(self, letter: Letter, source: Source) -> Block | None:
        """The one message of the outbox record that did not leave, as delivery would copy it."""
        wanted = dict(letter.headers).get("x-message-id", b"")
        for message in fan_out(outgoing.decode(source.value or b""), self._topics):
            if dict(message.headers).get("ce_id") == wanted:
                self._transaction.add(*message)
                return None
        return "no_original"

    def _release(self, act: Act, cases: set[str], acted: Collection[str], done: Done) -> None:
        """After the last letter of a case; of one that never was parked it only has its deadlines looked at again."""
        for case in sorted(cases):
            mine = [letter for letter in self.every if letter.case == case and letter.id in acted]
            count = released(self.every, acted, case)
            if count is None or not any(
                letter.said.parked or (act == "retry" and letter.is_deadline) for letter in mine
            ):
                continue
            cause = f"release/{_newest_id(self.every, case)}/{self._person.at}"
            order = commands.Release(id=command_id(case, cause), case=case, at=0, source=cause, letters=count)
            self._transaction.add(
                self._topics.commands, shard_of(case, self._topics.shards), case.encode(), commands.encode(order), []
            )
            done.released.append(case)


def _newest_id(every: Sequence[Letter], case: str) -> str:
    return max((letter for letter in every if letter.case == case), key=lambda letter: letter.offset).id


def _pages(chosen: Sequence[Letter], size: int) -> Iterator[Sequence[Letter]]:
    for start in range(0, len(chosen), size):
        yield chosen[start : start + size]


@asynccontextmanager
async def opened(broker: Any, topics: Topics, person: Person) -> AsyncIterator[Redrive]:
    """Become the one who acts. Raises Fenced where somebody else does meanwhile."""
    name = f"{topics.prefix}redrive"
    transaction = await broker.transactions(name, name)
    try:
        yield Redrive(broker, topics, transaction, person)
    finally:
        await broker.close(transaction)
    # the answer to a commit comes before its markers are everywhere; the next holder of the id waits for them
    await broker.close(await broker.transactions(name, name))


async def settle(
    broker: Any, topics: Topics, upto: Mapping[TopicPartition, int], pause: Callable[[], Awaitable[bool]]
) -> bool:
    """
    Wait until the engine has decided all before these ends of `case.commands` and delivery has brought what came of it.
    `pause` is awaited between two looks, and says whether there may be another.
    """
    if not await _passed(broker, topics.group("engine"), upto, pause):
        return False
    count = (await broker.topics()).get(topics.outbox, 0)
    outbox = [TopicPartition(topics.outbox, partition) for partition in range(count)]
    async with broker.reader(partitions=outbox) as reader:
        # the last offset may be the marker of a transaction, behind which nobody commits
        ends = {tp: end - 1 for tp, end in (await reader.end_offsets(outbox)).items()}
    return await _passed(broker, topics.group("delivery"), ends, pause)


async def _passed(
    broker: Any, group: str, ends: Mapping[TopicPartition, int], pause: Callable[[], Awaitable[bool]]
) -> bool:
    async with broker.reader(partitions=list(ends), group=group) as reader:
        while any([(await reader.committed(tp) or 0) < end for tp, end in ends.items()]):
            if not await pause():
                return False
    return True
