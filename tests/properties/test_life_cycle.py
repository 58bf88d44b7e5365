"""Whatever people do with drafts and versions, in whatever order: what is in force was agreed on, or is told apart."""

import asyncio
from typing import Any

import msgspec
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.kafka.memory import MemoryLog
from router.catalogue import drafts, releases
from router.catalogue.activate import activate
from router.catalogue.desk import ACTIVE, WAITING, Active, NotAllowed, Waiting
from router.catalogue.fetch import unpacked
from router.catalogue.hand import register, revoke
from router.catalogue.keys import Signer
from router.catalogue.load import hash_of
from router.catalogue.publish import publish, without_carried
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small, unchanged
from workflows.commands import ActivateCatalogue

TOPICS = Topics("t.", 2)
PEOPLE = [Signer.fresh(name) for name in ("zhang", "li", "wang")]
CONTENTS = [small(), *(edited("rules/90.yaml", "按事项", f"事项{n}") for n in range(3))]
STEP = 1_000

who, name = st.integers(0, 2), st.sampled_from(["a", "b"])
ACTS = st.one_of(
    st.tuples(st.just("save"), who, name, st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("approve"), who, name, st.booleans()),
    st.tuples(st.just("publish"), who, name, st.sampled_from([0, 0, 3]), st.booleans()),
    st.tuples(st.just("rollback"), who, st.integers(1, 4)),
    st.tuples(st.just("withdraw"), who),
    st.tuples(st.just("review"), who, st.integers(1, 5)),
    st.tuples(st.just("revoke"), who, who),
    st.tuples(st.just("folder"), st.integers(0, 3)),
    st.tuples(st.just("drop"), who, name),
    st.tuples(st.just("time")),
)
WAYS = st.one_of(
    ACTS.map(lambda act: [act]),
    # what people mostly do; by chance alone it seldom comes about
    st.builds(
        lambda author, other, of, content, start: [
            ("save", author, of, content, 0), ("approve", other, of, True), ("publish", author, of, start, False), ("time",)
        ],
        who, who, name, st.integers(0, 3), st.sampled_from([0, 3]),
    ),
    st.builds(
        lambda author, other, content: [
            ("save", author, "a", content, 0), ("save", other, "b", 3 - content, 0), ("approve", other, "a", True),
            ("approve", author, "b", True), ("publish", author, "a", 0, False), ("publish", other, "b", 0, False),
        ],
        who, who, st.integers(0, 3),
    ),
    st.builds(lambda count: [("time",)] * count, st.integers(1, 4)),
)  # fmt: skip


class World:
    """A log, the time, and what the people themselves remember: who saved what, who approved which content."""

    def __init__(self) -> None:
        self.log, self.now = MemoryLog(), STEP
        self.saved: dict[str, list[tuple[str, str]]] = {}
        self.agreed: dict[str, set[str]] = {}
        self.starts: dict[int, int] = {}
        self.by_one: set[int] = {1}
        self.word_of: dict[int, set[str]] = {}
        self.void: set[int] = set()

    async def begin(self) -> None:
        catalogue = unchanged()
        await self.log.create_topics(TOPICS.specs(catalogue.channels, catalogue.endpoints))
        await publish(self.log, TOPICS, small(), by="setup", now=self.now)
        for person in PEOPLE:
            await register(self.log, TOPICS, person.who, person.public, by=PEOPLE[0], now=self.now)

    async def do(self, kind: str, *how: Any) -> None:
        self.now += STEP
        broker = self.log
        if kind == "time":
            await self._day_comes()
            return
        if kind == "folder":
            await publish(broker, TOPICS, CONTENTS[how[0]], by="setup", now=self.now)
            raise AssertionError("there are keys: a folder is refused")
        by = PEOPLE[how[0]]
        said: dict[str, Any] = {"by": by, "reason": "r", "now": self.now}
        if kind == "save":
            begun = await drafts.begin(broker, TOPICS, how[1])
            behind = max(0, begun.head.revision - how[3] // 2)
            files = CONTENTS[how[2]]
            base, fresh = begun.head.base, behind == begun.head.revision
            await drafts.save(broker, TOPICS, how[1], files, **said, base=base, revision=behind)
            assert fresh
            self.saved.setdefault(how[1], []).append((by.who, hash_of(files)))
            self.agreed[how[1]] = set()
        elif kind == "approve":
            content = (await drafts.fetch(broker, TOPICS, how[1])).head.content
            await releases.approve(broker, TOPICS, how[1], content if how[2] else "0" * 64, **said)
            assert how[2] and by.who not in {author for author, _ in self.saved[how[1]]}
            self.agreed[how[1]] = {by.who}
        elif kind == "publish":
            start = self.now + how[2] * STEP if how[2] else 0
            base = (await drafts.begin(broker, TOPICS, how[1])).head.base
            before = msgspec.json.decode(self._kept()[ACTIVE], type=Active).version
            made = await releases.publish_draft(broker, TOPICS, how[1], **said, start=start, emergency=how[3])
            assert how[3] or self.agreed[how[1]]
            assert base == before
            self.starts[made.version] = start
            self.word_of[made.version] = set(self.agreed[how[1]])
            self.by_one |= set() if self.agreed[how[1]] else {made.version}
            files = without_carried(unpacked(self._kept(), Active(made.version, made.hash)).files)
            assert hash_of(files) == self.saved.pop(how[1])[-1][1]
        elif kind == "rollback":
            self.by_one.add((await releases.rollback(broker, TOPICS, how[1], **said)).version)
        elif kind == "withdraw":
            await releases.withdraw(broker, TOPICS, **said)
        elif kind == "review":
            await releases.review(broker, TOPICS, how[1], **said)
            self.by_one.discard(how[1])
        elif kind == "revoke":
            await revoke(broker, TOPICS, PEOPLE[how[1]].who, **said)
            for people in self.agreed.values():
                people.discard(PEOPLE[how[1]].who)
            ordered = {order.version for order in self.orders(0)}
            for version in self.word_of.keys() - ordered:
                if PEOPLE[how[1]].who in self.word_of[version]:
                    self.void.add(version)
        elif kind == "drop":
            await drafts.drop(broker, TOPICS, how[1], **said)
            self.saved.pop(how[1])

    async def _day_comes(self) -> None:
        """What waits takes effect at its instant: not a millisecond before, and not later."""
        found = self._kept().get(WAITING)
        start = msgspec.json.decode(found, type=Waiting).start if found else 0
        before = self.written()
        assert not (start and await activate(self.log, TOPICS, start - 1))
        assert self.written() == before
        assert await activate(self.log, TOPICS, self.now) == (bool(start) and self.now >= start)

    def _kept(self) -> dict[bytes, bytes]:
        records = self.log.records[TopicPartition(TOPICS.catalog, 0)]
        return {key: value for key, value in {r.key: r.value for r in records}.items() if key and value}

    def orders(self, partition: int) -> list[ActivateCatalogue]:
        records = self.log.records[TopicPartition(TOPICS.commands, partition)]
        return [msgspec.json.decode(r.value or b"", type=ActivateCatalogue) for r in records]

    async def check(self) -> None:
        life = await releases.history(self.log, TOPICS)
        active = msgspec.json.decode(self._kept()[ACTIVE], type=Active)
        assert life.in_force is not None and (life.in_force.number, life.in_force.hash) == (active.version, active.hash)
        ordered = [[order.version for order in self.orders(partition)] for partition in range(2)]
        assert not self.void & set(ordered[0])
        assert ordered[0] == ordered[1] and ordered[0][-1] == active.version
        assert ordered[0] == sorted(set(ordered[0]))
        assert all(self.starts.get(version, 0) <= self.now for version in ordered[0])
        waiting = [version.number for version in life.versions.values() if version.state == "waiting"]
        found = self._kept().get(WAITING)
        assert waiting == ([msgspec.json.decode(found, type=Waiting).version] if found else [])
        open_ = {version.number for version in life.versions.values() if version.wants_review}
        assert open_ == self.by_one
        assert {head.name: head.by for head in life.drafts.values()} == {d: s[-1][0] for d, s in self.saved.items()}

    def written(self) -> int:
        return sum(map(len, self.log.records.values()))


async def _lived(acts: list[tuple[Any, ...]]) -> None:
    world = World()
    await world.begin()
    for act in acts:
        before = world.written()
        try:
            await world.do(*act)
        except NotAllowed:
            assert world.written() == before
        await world.check()


@settings(max_examples=30, deadline=None)
@given(st.lists(WAYS, min_size=3, max_size=10))
def test_what_is_in_force_was_agreed_on_or_is_told_apart(ways: list[list[tuple[Any, ...]]]) -> None:
    """
    One order per version, everywhere, none before its day; the content that was approved, by nobody who wrote it; what
    one person did alone is named; what is refused writes nothing.
    """
    asyncio.run(_lived([act for way in ways for act in way]))
