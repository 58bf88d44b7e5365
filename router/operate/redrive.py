"""
How dead letters are written again or given up.

An act is one transaction: the records that are written again, the release of the cases of which nothing is left, and
the entry in the audit topic. The redrive's transactional id fences a second one; it reads what there is after it has
taken the id, so no two people ever do the same letter.

Order per case: letters of a parked case go in the order in which their commands first stood on the log, and none
before the ones in front of it. Commands keep their ids, so one that did take effect takes none a second time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import TopicPartition
from msgspec.structs import replace

from router.delivery.fanout import fan_out_what_can
from router.operate import audit
from router.operate.dead_letters import STREAM, Read, Source, letters, originals
from router.operate.letters import (
    RETRY_HEADERS,
    Act,
    Block,
    Letter,
    Plan,
    Retry,
    Wanted,
    is_pending_elsewhere,
    newest,
    plan,
    released,
    retry_headers,
)  # fmt: skip
from router.operate.topics import Topics
from schemas.ids import command_id, shard_of
from workflows import commands, outbox

NOTHING = msgspec.Raw(b"{}")
PAGE = 100
"""Letters of one transaction, and of one entry."""
SETTLE_SECONDS = 30.0
LOOK_SECONDS = 0.2
ROUNDS = 10
"""How often letters that came while a case was being released are done as well."""

Bar = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Shows how far so many letters are: what it opens is told how many more are done."""


@dataclass
class Done:
    """
    What an act came to, page by page. told: letters given up whose senders wait, and are answered, unless the command
    took effect after all: the shard knows; untold: those that are not, because the record that says who they are is gone. upto: where `case.commands` ends after it, by partition.
    """

    letters: list[str] = field(default_factory=list)
    blocked: dict[str, Block] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
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
        async with originals(self._broker, self._topics, planned.letters) as read:
            for page in _pages(planned.letters, size):
                last = await self._page(planned.act, page, read, done, last, stays)
                await paced(len(page))
        return done

    async def _page(
        self, act: Act, page: Sequence[Letter], read: Read, done: Done, last: audit.Entry | None,
        stays: set[str],
    ) -> audit.Entry | None:  # fmt: skip
        """`stays`: cases of which a letter is left open, on this page or on one before."""
        acted: list[str] = []
        for letter in page:
            block: Block | None = None
            if act == "discard":
                block = await self._tell(letter, read, done, acted) if letter.was_held else None
            elif letter.said.parked and letter.case in stays:
                block = "behind_others"
            else:
                block = await self._again(letter, read)
            if block:
                done.blocked[letter.id] = block
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

    async def _again(self, letter: Letter, read: Read) -> Block | None:
        """Add to the transaction what is to be written again; or why it cannot be."""
        if letter.is_deadline:
            return None  # the release is what tries it again
        source = await read(letter)
        if not isinstance(source, Source):
            return source
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

    async def _tell(self, letter: Letter, read: Read, done: Done, acted: Collection[str]) -> Block | None:
        """
        Have the shard answer the sender of what is given up, as it answered `held`; or note that it cannot. Nothing is
        said while a copy of the command may still take effect.
        """
        if is_pending_elsewhere(self.every, letter, {*done.letters, *acted}):
            return None
        source = await read(letter)
        if source == "not_yet":
            return source
        command = None
        with suppress(msgspec.MsgspecError):
            if isinstance(source, Source) and letter.said.action:
                command = commands.decode(source.value or b"")
        if not isinstance(command, commands.AnyCommand):
            done.untold.append(letter.id)
            return None
        cause = f"give_up/{letter.id}/{self._person.at}"
        order = commands.GiveUp(
            id=command_id(command.case, cause), case=command.case, at=0, source=letter.original, of=_unsaid(command)
        )
        self._order(order)
        done.told.append(letter.id)
        return None

    def _deliver(self, letter: Letter, source: Source) -> Block | None:
        """The one message of the outbox record that did not leave, as delivery would copy it."""
        wanted = dict(letter.headers).get("x-message-id", b"")
        for message in fan_out_what_can(outbox.decode(source.value or b""), self._topics)[0]:
            if dict(message.headers).get("ce_id") == wanted:
                self._transaction.add(message.topic, message.partition, message.key, message.value, message.headers)
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
            self._order(order)
            done.released.append(case)

    def _order(self, order: commands.GiveUp | commands.Release) -> None:
        """Add to the transaction what the shard of a case is asked to do."""
        self._transaction.add(
            self._topics.commands,
            shard_of(order.case, self._topics.shards),
            order.case.encode(),
            commands.encode(order),
        )


def _unsaid(command: commands.AnyCommand) -> commands.AnyCommand:
    """Without what its sender wrote."""
    if isinstance(command, commands.Submit):
        return replace(command, request=NOTHING)
    if isinstance(command, commands.Adopt):
        return replace(command, request=NOTHING, history=())
    return command if isinstance(command, commands.ReachDeadline | commands.Between) else replace(command, body=NOTHING)


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


# -- from first to last -------------------------------------------------------------------------------


@dataclass
class Outcome:
    """
    What came of it. failed: new letters that name one of those that were retried. came: letters for cases that were to
    be released and therefore were not. told, untold: as of Done. settled: whether all that is known yet.
    """

    done: list[str]
    blocked: dict[str, Block]
    released: list[str]
    failed: list[Letter]
    settled: bool
    came: list[Letter] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)


async def carry_out(
    broker: Any, topics: Topics, act: Act, wanted: Wanted, person: Person, rate: int, bar: Bar
) -> Outcome:
    """
    Do what is wanted, `rate` letters a second at most; then, where cases were to be released, what came for them
    meanwhile, until nothing more comes. Raises Unknown.
    """
    outcome = Outcome([], {}, [], [], True)
    async with opened(broker, topics, person) as acting:
        planned = plan(act, await acting.look(), wanted)
        for _ in range(ROUNDS):
            with bar(len(planned.letters)) as advance:
                done = await acting.do(planned, _paced(rate, advance), min(PAGE, rate))
            outcome.done += done.letters
            outcome.blocked |= done.blocked
            outcome.released += done.released
            outcome.told += done.told
            outcome.untold += done.untold
            if not done.upto:
                break
            outcome.settled = await settle(broker, topics, done.upto, _patient(SETTLE_SECONDS))
            before = {letter.id for letter in acting.every}
            new = [letter for letter in await acting.look() if letter.id not in before]
            outcome.failed += [letter for letter in new if letter.said.retry_of in outcome.done]
            stuck = {letter.case for letter in outcome.failed}
            still = {letter.case for letter in new if letter.said.parked}
            outcome.came = [letter for letter in new if letter.case in set(done.released) & still - stuck]
            outcome.released = [case for case in outcome.released if case not in still]
            if act == "discard" or not outcome.came:
                break
            late = outcome.came
            planned = plan("retry", acting.every, Wanted(ids=tuple(letter.id for letter in late)))
    return outcome


def _paced(rate: int, advance: Callable[[int], None]) -> Callable[[int], Awaitable[None]]:
    """After each page, as long a pause as `rate` letters a second ask for."""
    began, sent = time.monotonic(), 0

    async def paced(count: int) -> None:
        nonlocal sent
        sent += count
        advance(count)
        await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()))

    return paced


def _patient(seconds: float) -> Callable[[], Awaitable[bool]]:
    until = time.monotonic() + seconds

    async def pause() -> bool:
        await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() < until

    return pause
