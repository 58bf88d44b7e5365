"""A version is in force everywhere or nowhere: readable before it is ordered, ordered before it is `active`."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import structlog
from aiokafka import TopicPartition

import router.catalogue.publish as publishing
from adapters.clock import Clock
from adapters.kafka.log import RecordRefused
from adapters.kafka.memory import MemoryLog
from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import STREAM, TopicsMissing
from router.catalogue.fetch import active_version, fetch_active, fetch_version
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.following import follow
from router.catalogue.load import from_files, from_stored, hash_of
from router.catalogue.pack import VersionUnusable, pack, unpack
from router.catalogue.publish import publish
from router.operate import audit
from router.operate.process import Process
from router.operate.settings import Settings
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small, unchanged
from workflows.commands import ActivateCatalogue

TOPICS = Topics("t.", 3)
OTHER = edited("matters.csv", "商贸许可", "商贸登记")


@pytest.fixture
async def broker() -> MemoryLog:
    log = MemoryLog()
    catalogue = unchanged()
    await log.create_topics(TOPICS.specs(catalogue.channels, catalogue.endpoints))
    return log


def keys(broker: MemoryLog) -> list[str]:
    return [record.key.decode() for record in broker.records[TopicPartition(TOPICS.catalog, 0)] if record.key]


def orders(broker: MemoryLog) -> list[list[ActivateCatalogue]]:
    partitions = (broker.records[TopicPartition(TOPICS.commands, p)] for p in range(3))
    return [[msgspec.json.decode(r.value or b"", type=ActivateCatalogue) for r in records] for records in partitions]


async def test_what_was_published_is_what_is_fetched(broker: MemoryLog) -> None:
    """By version and hash, with every row; every shard was ordered to use it, each order with an id of its own."""
    assert await active_version(broker, TOPICS.catalog) is None
    published = await publish(broker, TOPICS, small(), by="admin", reason="first", now=1_789_000_000_000)
    fetched = await fetch_version(broker, TOPICS.catalog, 1, published.hash)
    assert (fetched.version, fetched.hash, fetched.units) == (1, unchanged().hash, unchanged().units)
    assert await active_version(broker, TOPICS.catalog) == (1, published.hash)
    assert [[(order.version, order.hash) for order in partition] for partition in orders(broker)] == [
        [(1, published.hash)]
    ] * 3
    assert len({order.id for partition in orders(broker) for order in partition}) == 3


async def test_each_publication_is_an_act_in_the_audit(broker: MemoryLog) -> None:
    """Who, why and what, in one chain; what changed nothing is no act."""
    published = await publish(broker, TOPICS, small(), by="admin", reason="first", now=1_789_000_000_000)
    await publish(broker, TOPICS, small(), by="admin", reason="again")
    await publish(broker, TOPICS, OTHER, by="other", reason="second")
    acts = await audit.read(broker, TOPICS.audit, STREAM)
    assert [(a.seq, a.act, a.who, a.why, a.facts["version"]) for a in acts] == [
        (1, "publish", "admin", "first", 1),
        (2, "publish", "other", "second", 2),
    ]
    assert acts[0].facts["hash"] == published.hash


async def test_nothing_is_published_on_a_chain_that_was_changed(broker: MemoryLog) -> None:
    """Somebody has to find out first."""
    await publish(broker, TOPICS, small(), by="admin")
    entries = broker.records[TopicPartition(TOPICS.audit, 0)]
    entries[0] = replace(entries[0], value=(entries[0].value or b"").replace(b"admin", b"other"))
    with pytest.raises(audit.ChainBroken):
        await publish(broker, TOPICS, OTHER)
    assert (await active_version(broker, TOPICS.catalog) or (0,))[0] == 1


async def test_chunks_then_manifest_then_active(broker: MemoryLog) -> None:
    await publish(broker, TOPICS, small())
    assert [len(key) for key in keys(broker)[:-2]] == [64] * (len(keys(broker)) - 2)
    assert keys(broker)[-2:] == ["manifest/1", "active"]


async def test_the_same_again_is_no_new_version(broker: MemoryLog) -> None:
    first = await publish(broker, TOPICS, small())
    again = await publish(broker, TOPICS, small())
    assert (again.version, again.changed, first.changed) == (1, False, True)
    assert keys(broker).count("active") == 1


async def test_a_faulty_catalogue_changes_nothing(broker: MemoryLog) -> None:
    """It is refused with every fault, nothing is written, the old version stays."""
    first = await publish(broker, TOPICS, small())
    before = keys(broker)
    with pytest.raises(CatalogueFaulty):
        await publish(broker, TOPICS, edited("rules/90.yaml", "number: 999", "number: 910"))
    assert keys(broker) == before and await active_version(broker, TOPICS.catalog) == (1, first.hash)


async def test_a_publication_is_all_or_nothing(broker: MemoryLog) -> None:
    """Where a shard's partition does not take the order, nothing at all was written."""

    class Deaf(MemoryLog):
        def append(self, added: Any) -> Any:
            added = list(added)
            if any(tp.topic == TOPICS.commands for tp, *_ in added):
                raise RecordRefused("NotEnoughReplicas")
            return super().append(added)

    deaf = Deaf()
    deaf.names, deaf.records = broker.names, broker.records
    with pytest.raises(RecordRefused):
        await publish(deaf, TOPICS, small())
    assert keys(broker) == [] and await fetch_active(broker, TOPICS.catalog) is None
    assert (await publish(broker, TOPICS, small())).version == 1


async def test_of_two_publications_at_once_one_is_told(broker: MemoryLog) -> None:
    """Never two contents under one number: one goes through whole, the other is refused whole."""
    made = await asyncio.gather(
        publish(broker, TOPICS, small()), publish(broker, TOPICS, OTHER), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in made) == ["Published", "PublishedMeanwhile"]
    assert [len(partition) for partition in orders(broker)] == [1, 1, 1]


async def test_a_policy_that_open_cases_name_is_carried_on(broker: MemoryLog) -> None:
    """Taken out of the files, a policy still answers for the cases that run by it, in this version and the next."""
    row = "- {id: second, name: 二, source: 样例, grade: mem, clocks: [{kind: finish, of: case, budget: 2wd}]}\n"
    more = edited("policies/all.yaml", "- id: plain\n", row + "- id: plain\n")
    await publish(broker, TOPICS, more)
    for files in (small(), OTHER):
        await publish(broker, TOPICS, files)
        active = await fetch_active(broker, TOPICS.catalog)
        assert active is not None and active.facts().policy("second").id == "second"
    assert (await publish(broker, TOPICS, OTHER)).changed is False


async def test_topics_of_new_doors_must_exist_first(broker: MemoryLog) -> None:
    """The first message to a topic that is missing would stop delivery for everybody."""
    del broker.names[TOPICS.answers("phone")]
    with pytest.raises(TopicsMissing, match=r"answers\.phone"):
        await publish(broker, TOPICS, small())
    assert keys(broker) == []


async def test_a_version_is_verified(broker: MemoryLog) -> None:
    """Another hash, a version that is not there, or a damaged chunk is never used."""
    published = await publish(broker, TOPICS, small())
    for version, digest in ((1, "0" * 64), (2, published.hash)):
        with pytest.raises(VersionUnusable):
            await fetch_version(broker, TOPICS.catalog, version, digest)
    manifest, chunks = pack(unchanged(), 1)
    with pytest.raises(VersionUnusable):
        unpack(manifest, lambda name: chunks[name][:-1])
    with pytest.raises(VersionUnusable):
        unpack(manifest.model_copy(update={"hash": "0" * 64}), chunks.get)
    assert unpack(manifest, chunks.get).hash == published.hash


async def test_without_topics_it_says_so() -> None:
    with pytest.raises(TopicsMissing):
        await publish(MemoryLog(), TOPICS, small())


async def test_calendars_that_clocks_were_started_with_stay(broker: MemoryLog) -> None:
    """Over any number of versions, although the folder no longer has them."""
    names = []
    for day in ("2026-09-20", "2026-09-27", "2026-09-26"):
        await publish(broker, TOPICS, edited("calendars/days.yaml", "2026-09-20", day))
        active = await fetch_active(broker, TOPICS.catalog)
        assert active is not None
        names.append(active.facts().calendar("370102").id)
        assert [active.facts().calendar_named(name).id for name in names] == names
    assert len(set(names)) == 3


async def test_a_role_follows_what_is_active(broker: MemoryLog) -> None:
    """It waits for the first version, takes the next ones as they come, and stops when asked."""
    process = Process(role="test", settings=Settings(prefix="t.", shards=3), clock=Clock(), log=broker)
    waiting = asyncio.create_task(follow(process))
    await publish(broker, TOPICS, small())
    following = await asyncio.wait_for(waiting, 60)
    assert following.current.version == 1
    following.arrived.clear()
    await publish(broker, TOPICS, OTHER)
    await asyncio.wait_for(following.arrived.wait(), 60)
    assert following.current.version == 2 and following.current.matters["M1"].name == "商贸登记"
    process.stop.set()
    await asyncio.wait_for(following.stopped(), 60)


async def test_waiting_ends_when_the_process_stops(broker: MemoryLog) -> None:
    process = Process(role="test", settings=Settings(prefix="t.", shards=3), clock=Clock(), log=broker)
    process.stop.set()
    following = await asyncio.wait_for(follow(process), 60)
    with pytest.raises(VersionUnusable):
        _ = following.current
    await asyncio.wait_for(following.stopped(), 60)


EARLIER = [
    ("calendars/yi.yaml", '"14:00-18:00"]', '"14:00-18:00"], since: 06-01, until: 09-30', "no_hours"),
    (
        "calendars/yi.yaml", "place: 370200",
        "place: 370200\nyears: [{year: 2026, rest: [{first: 2026-07-01, last: 2026-09-05}]}]", "no_open_time",
    ),
    ("calendars/yi.yaml", "place: 370200", "place: 379999", "dangling"),
]  # fmt: skip
"""What a release before this one published, and this one finds wrong."""


@pytest.mark.parametrize(("file", "old", "new", "code"), EARLIER)
async def test_what_an_earlier_release_published_stays_readable_and_is_replaced(
    broker: MemoryLog, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, code: str
) -> None:
    """An engine would not start after the upgrade, and nobody could publish. Whoever publishes it anew is told."""
    files = edited(file, old, new)
    with monkeypatch.context() as earlier:
        earlier.setattr(publishing, "from_files", from_stored)
        first = await publish(broker, TOPICS, files, by="a", now=1)
    in_force = await fetch_active(broker, TOPICS.catalog)
    assert in_force is not None and in_force.hash == first.hash
    assert code in {finding.code for finding in in_force.findings}
    with pytest.raises(CatalogueFaulty) as refused:
        await publish(broker, TOPICS, files, by="a", now=2)
    assert code in {finding.code for finding in refused.value.findings}
    assert (await publish(broker, TOPICS, small(), by="a", now=3)).version == 2
    after = await fetch_active(broker, TOPICS.catalog)
    assert after is not None and set(in_force.calendars) <= set(after.calendars), "running clocks name them"


async def test_a_version_that_this_release_cannot_read_is_replaced_and_its_calendars_go_on(
    broker: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = edited("calendars/yi.yaml", "14:00-18:00", "13:00-18:00")
    files, made = own | {"rules/90.yaml": b"a later release may write this"}, from_files(own)

    def later(files: Mapping[str, bytes]) -> Catalogue:
        return replace(made, files=files, hash=hash_of(files))

    with monkeypatch.context() as other:
        other.setattr(publishing, "from_files", later)
        await publish(broker, TOPICS, files, by="a", now=1)
    with pytest.raises(CatalogueFaulty):
        await fetch_active(broker, TOPICS.catalog)
    with pytest.raises(CatalogueFaulty):
        await publish(broker, TOPICS, files, by="a", now=2)
    published = await publish(broker, TOPICS, small(), by="a", now=3)
    assert (published.version, published.changed, published.recounts) == (2, True, True)
    after = await fetch_active(broker, TOPICS.catalog)
    assert after is not None and set(made.calendars) <= set(after.calendars)
    assert not (await publish(broker, TOPICS, small(), by="a", now=4)).changed


BROKEN = [
    ("calendars/yi.yaml", b"hours: [", "yi"),
    ("calendars/yi.yaml", b"id: yi\nname: x\nparent: yi\n", "yi"),
    ("calendars/retained/yi@0.json", b"[{", ""),
]
"""Calendars of the version in force that this release cannot read, and the layer that is lost with each."""


@pytest.mark.parametrize(("file", "content", "lost"), BROKEN)
async def test_broken_calendars_keep_nobody_from_publishing_and_take_no_others_with_them(
    broker: MemoryLog, monkeypatch: pytest.MonkeyPatch, file: str, content: bytes, lost: str
) -> None:
    own = edited("calendars/days.yaml", "2026-09-20", "2026-09-27")
    files, made = own | {file: content}, from_files(own)
    with monkeypatch.context() as other:
        # what a publisher carries on is not taken from who publishes
        whole = replace(made, files=files, hash=hash_of(files))
        other.setattr(publishing, "from_files", lambda _: whole)
        await publish(broker, TOPICS, files, by="a", now=1)
    with pytest.raises(CatalogueFaulty):
        await fetch_active(broker, TOPICS.catalog)
    published = await publish(broker, TOPICS, small(), by="a", now=2)
    assert (published.version, published.changed, published.recounts) == (2, True, True)
    after = await fetch_active(broker, TOPICS.catalog)
    assert after is not None
    kept = {name for name in made.calendars if not lost or not name.startswith(f"{lost}@")}
    assert kept and kept <= set(after.calendars), "running clocks name them"


async def test_a_stored_version_with_faults_is_told_of_when_a_role_takes_it(
    broker: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, old, new, code = EARLIER[0]
    with monkeypatch.context() as earlier:
        earlier.setattr(publishing, "from_files", from_stored)
        await publish(broker, TOPICS, edited(file, old, new), by="a", now=1)
    process = Process(role="test", settings=Settings(prefix="t.", shards=3), clock=Clock(), log=broker)
    with structlog.testing.capture_logs() as told:
        following = await asyncio.wait_for(follow(process), 60)
        assert following.current.version == 1
        await publish(broker, TOPICS, small(), by="a", now=2)
        while following.current.version == 1:
            following.arrived.clear()
            await asyncio.wait_for(following.arrived.wait(), 60)
    process.stop.set()
    await asyncio.wait_for(following.stopped(), 60)
    faults = [line for line in told if line["event"] == "catalogue.faults"]
    assert [(line["version"], line["count"], line["code"], line["file"]) for line in faults] == [(1, 1, code, file)]


@pytest.mark.parametrize("lost", ["chunk", "damaged", "manifest"])
async def test_a_version_that_cannot_be_read_is_mended_with_its_own_files(broker: MemoryLog, lost: str) -> None:
    """Under its number, calendars and policies of earlier versions with it; no other files do, and nobody is ordered anew."""
    gone = edited("rules/90.yaml", "按事项", "事项")
    await publish(broker, TOPICS, OTHER, by="a", now=1)
    second = await publish(broker, TOPICS, gone, by="b", reason="why", now=2)
    partition = TopicPartition(TOPICS.catalog, 0)
    manifest = next(r for r in broker.records[partition] if r.key == b"manifest/2")
    chunk = msgspec.json.decode(manifest.value or b"")["chunks"][-1].encode()
    key, value = {"chunk": (chunk, None), "damaged": (chunk, b"x"), "manifest": (b"manifest/2", None)}[lost]
    broker.records[partition].append(replace(manifest, key=key, value=value, offset=len(broker.records[partition])))
    before = orders(broker)
    with pytest.raises(VersionUnusable):
        await fetch_active(broker, TOPICS.catalog)
    with pytest.raises(VersionUnusable):
        await publish(broker, TOPICS, small(), by="a", now=3)
    mended = await publish(broker, TOPICS, gone, by="a", reason="补写", now=3)
    assert (mended.version, mended.hash, mended.changed, mended.mended) == (2, second.hash, True, True)
    assert (await fetch_version(broker, TOPICS.catalog, 2, second.hash)).hash == second.hash
    assert orders(broker) == before
    assert not (await publish(broker, TOPICS, gone, by="a", now=4)).changed
    assert [entry.act for entry in await audit.read(broker, TOPICS.audit, STREAM)] == ["publish", "publish", "mend"]
    assert (await publish(broker, TOPICS, small(), by="a", now=5)).version == 3
