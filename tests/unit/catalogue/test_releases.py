"""From a draft to a version: by two people, on what is in force, for a day if need be, and back."""

import threading
from typing import Any

import pytest
from aiokafka import TopicPartition

from adapters.kafka.memory import MemoryLog
from router.catalogue import drafts, releases
from router.catalogue import publish as publishing
from router.catalogue.activate import activate
from router.catalogue.desk import STREAM, WAITING, Active, NotAllowed, TopicsMissing
from router.catalogue.fetch import active_version, fetch_active, unpacked
from router.catalogue.hand import register, revoke
from router.catalogue.keys import Signer
from router.catalogue.load import hash_of
from router.catalogue.publish import publish, without_carried
from router.operate import audit
from schemas.catalogue import CatalogueManifest
from tests.unit.catalogue.small import small, unchanged
from tests.unit.catalogue.test_drafts import LI, NOON, ONE, OTHER, TOPICS, WANG, ZHANG, broker, save

__all__ = ["broker"]
DAY = 24 * 3600 * 1000


async def approve(log: MemoryLog, by: Any = LI, name: str = "lamps", seen: str = "") -> drafts.Head:
    seen = seen or (await drafts.fetch(log, TOPICS, name)).head.content[:16]
    return await releases.approve(log, TOPICS, name, seen, by=by, reason="看过", now=NOON + 1)


async def put_out(log: MemoryLog, name: str = "lamps", **how: Any) -> Any:
    return await releases.publish_draft(log, TOPICS, name, by=ZHANG, now=NOON + 2, **how)


async def in_force(log: MemoryLog) -> int:
    return (await active_version(log, TOPICS.catalog) or (0,))[0]


def orders(log: MemoryLog) -> list[int]:
    return [len(log.records[TopicPartition(TOPICS.commands, p)]) for p in range(2)]


async def refused(log: MemoryLog, code: str, doing: Any) -> NotAllowed:
    """That it is refused for this reason, and that nothing was written."""
    before = {tp: len(records) for tp, records in log.records.items()}
    with pytest.raises(NotAllowed) as told:
        await doing
    assert told.value.code == code
    assert {tp: len(records) for tp, records in log.records.items() if records} == {
        t: n for t, n in before.items() if n
    }
    return told.value


async def test_what_two_people_agreed_on_is_what_is_in_force(broker: MemoryLog) -> None:
    """The content that was approved, with author, approver, reason and document in the manifest; the draft is gone."""
    head = await save(broker)
    await approve(broker)
    published = await put_out(broker)
    active = await fetch_active(broker, TOPICS.catalog)
    assert active is not None and active.version == published.version == 2
    assert hash_of(without_carried(active.files)) == head.content
    records = broker.records[TopicPartition(TOPICS.catalog, 0)]
    manifest = CatalogueManifest.model_validate_json(next(r.value or b"" for r in records if r.key == b"manifest/2"))
    assert (manifest.authors, manifest.approved_by, manifest.published_by) == (("zhang.wei",), "li.na", "zhang.wei")
    assert (manifest.note, manifest.basis, manifest.content) == ("路灯", "某发〔2026〕1号", head.content)
    assert await drafts.listed(broker, TOPICS) == []
    version = (await releases.history(broker, TOPICS)).versions[2]
    assert (version.approved_by, version.state, version.wants_review) == ("li.na", "in_force", False)


async def test_nobody_approves_what_he_wrote(broker: MemoryLog) -> None:
    """Nor one who wrote any revision of it, nor somebody whose key is not known."""
    await save(broker)
    await refused(broker, "own_work", approve(broker, ZHANG))
    await save(broker, OTHER, by=LI, revision=1)
    for by, code in ((ZHANG, "own_work"), (LI, "own_work"), (WANG, "no_key")):
        await refused(broker, code, approve(broker, by))
    await refused(broker, "not_approved", put_out(broker))


async def test_an_approval_is_of_one_content(broker: MemoryLog) -> None:
    """Not of another than was looked at, and not of what was saved afterwards."""
    head = await save(broker)
    for seen in ("0" * 16, head.content[:15]):
        await refused(broker, "other_content", approve(broker, seen=seen))
    await approve(broker)
    await save(broker, OTHER, revision=1)
    await refused(broker, "not_approved", put_out(broker))
    await refused(broker, "other_content", approve(broker, seen=head.content))


async def test_an_approval_falls_with_the_key_it_was_given_with(broker: MemoryLog) -> None:
    await save(broker)
    await approve(broker)
    await revoke(broker, TOPICS, "li.na", by=ZHANG, reason="被盗", now=NOON)
    await refused(broker, "not_approved", put_out(broker))


async def test_what_waits_by_the_word_of_a_key_that_is_revoked_never_takes_effect(broker: MemoryLog) -> None:
    """It is withdrawn in the same act. What waits by somebody else's word goes on waiting."""
    wang = Signer.fresh("wang")
    await register(broker, TOPICS, wang.who, wang.public, by=ZHANG, now=NOON)
    await save(broker)
    await approve(broker)
    await put_out(broker, start=NOON + DAY)
    assert await revoke(broker, TOPICS, "wang", by=ZHANG, reason="离岗", now=NOON) == 0
    assert await revoke(broker, TOPICS, "li.na", by=ZHANG, reason="被盗", now=NOON) == 2
    before = orders(broker)
    assert not await activate(broker, TOPICS, NOON + DAY)
    assert orders(broker) == before and await in_force(broker) == 1
    version = (await releases.history(broker, TOPICS)).versions[2]
    assert (version.state, version.approved_by) == ("withdrawn", "")


async def test_what_cannot_take_effect_can_be_withdrawn(broker: MemoryLog) -> None:
    """The engines that try do so without becoming the one who acts, so that they fence nobody."""
    await save(broker)
    await approve(broker)
    await put_out(broker, start=NOON + DAY)
    broker.names.pop(next(name for name in broker.names if "intake" in name))
    taken: list[str] = []
    transactions = broker.transactions

    async def watched(*name: str) -> Any:
        taken.append(name[0])
        return await transactions(*name)

    broker.transactions = watched  # type: ignore[method-assign, assignment]
    for now in (NOON, NOON + DAY):
        if now == NOON:
            assert not await activate(broker, TOPICS, now)
        else:
            with pytest.raises(TopicsMissing):
                await activate(broker, TOPICS, now)
    assert taken == []
    assert await releases.withdraw(broker, TOPICS, by=LI, reason="缺主题", now=NOON + DAY) == 2


async def test_what_waits_without_the_chain_does_not_take_effect(broker: MemoryLog) -> None:
    """Whoever can write to the topic can say that something waits."""
    await save(broker)
    await approve(broker)
    await put_out(broker, start=NOON + DAY)
    tp = TopicPartition(TOPICS.catalog, 0)
    waiting = next(r for r in reversed(broker.records[tp]) if r.key == WAITING)
    await releases.withdraw(broker, TOPICS, by=LI, reason="", now=NOON)
    broker.append([(tp, WAITING, waiting.value, ())])
    with pytest.raises(audit.ChainBroken):
        await activate(broker, TOPICS, NOON + DAY)
    assert await in_force(broker) == 1


async def test_what_came_in_between_is_not_undone(broker: MemoryLog) -> None:
    """A draft on an old version is refused, with who published the newer one."""
    await save(broker)
    await save(broker, OTHER, name="second", by=LI)
    await approve(broker)
    await approve(broker, ZHANG, "second")
    await put_out(broker)
    told = await refused(broker, "old_base", put_out(broker, "second"))
    assert (told.facts["who"], told.facts["version"], told.facts["base"]) == ("zhang.wei", 2, 1)
    await refused(broker, "old_base", approve(broker, ZHANG, "second"))


async def test_a_version_waits_for_its_day(broker: MemoryLog) -> None:
    """Stored at once, in force not before its time and only once, however often it is looked at."""
    await save(broker)
    await approve(broker)
    before = orders(broker)
    assert (await put_out(broker, start=NOON + DAY)).version == 2
    assert await in_force(broker) == 1 and orders(broker) == before
    for now in (NOON, NOON + DAY - 1):
        assert not await activate(broker, TOPICS, now)
    assert await activate(broker, TOPICS, NOON + DAY)
    assert not await activate(broker, TOPICS, NOON + DAY)
    assert await in_force(broker) == 2 and orders(broker) == [count + 1 for count in before]
    life = await releases.history(broker, TOPICS)
    assert [life.versions[n].state for n in (1, 2)] == ["earlier", "in_force"]


async def test_while_one_waits_nothing_comes_in_between(broker: MemoryLog) -> None:
    """It would be undone on the day. An emergency, or a rollback, withdraws what waits."""
    await save(broker)
    await approve(broker)
    await put_out(broker, start=NOON + DAY)
    await save(broker, OTHER, name="second")
    await refused(broker, "waits", put_out(broker, "second"))
    await refused(broker, "no_reason", put_out(broker, "second", emergency=True))
    assert (await put_out(broker, "second", emergency=True, reason="险情")).version == 3
    assert not await activate(broker, TOPICS, NOON + DAY)
    life = await releases.history(broker, TOPICS)
    assert [life.versions[n].state for n in (1, 2, 3)] == ["earlier", "withdrawn", "in_force"]


async def test_what_waits_can_be_withdrawn(broker: MemoryLog) -> None:
    await refused(broker, "none_waits", releases.withdraw(broker, TOPICS, by=LI, reason="", now=NOON))
    await save(broker)
    await approve(broker)
    for start in (NOON, NOON + 2):
        await refused(broker, "not_ahead", put_out(broker, start=start))
    await put_out(broker, start=NOON + DAY)
    assert await releases.withdraw(broker, TOPICS, by=LI, reason="改期", now=NOON) == 2
    assert not await activate(broker, TOPICS, NOON + DAY)
    assert await in_force(broker) == 1
    await save(broker, OTHER, name="second")
    assert (await put_out(broker, "second", emergency=True, reason="险情")).version == 3


async def test_one_person_alone_is_looked_at_later_by_another(broker: MemoryLog) -> None:
    """An emergency, a rollback and a folder: all stand among the reviews until somebody else has looked at them."""
    await save(broker)
    await put_out(broker, emergency=True, reason="险情")
    await releases.rollback(broker, TOPICS, 1, by=LI, reason="无效", now=NOON)

    async def open_() -> list[int]:
        return [v.number for v in (await releases.history(broker, TOPICS)).versions.values() if v.wants_review]

    async def review(version: int, by: Any) -> None:
        await releases.review(broker, TOPICS, version, by=by, reason="看过", now=NOON)

    assert await open_() == [1, 2, 3]
    await refused(broker, "own_work", review(2, ZHANG))
    await refused(broker, "own_work", review(3, LI))
    await review(2, LI)
    await review(3, ZHANG)
    await refused(broker, "no_review", review(3, ZHANG))
    assert await open_() == [1]


async def test_an_old_version_comes_back_under_a_new_number(broker: MemoryLog) -> None:
    await save(broker)
    await approve(broker)
    await put_out(broker)
    for version, code in ((3, "no_such_version"), (2, "same")):
        await refused(broker, code, releases.rollback(broker, TOPICS, version, by=LI, reason="误派", now=NOON))
    await refused(broker, "no_reason", releases.rollback(broker, TOPICS, 1, by=LI, reason="", now=NOON))
    back = await releases.rollback(broker, TOPICS, 1, by=LI, reason="误派", now=NOON)
    active = await fetch_active(broker, TOPICS.catalog)
    assert active is not None and (back.version, active.version) == (3, 3)
    assert without_carried(active.files) == small()
    kept = {r.key: r.value for r in broker.records[TopicPartition(TOPICS.catalog, 0)] if r.key and r.value}
    assert (
        without_carried(unpacked(kept, Active(2, (await releases.history(broker, TOPICS)).versions[2].hash)).files)
        == ONE
    )


async def test_every_act_stands_in_one_chain(broker: MemoryLog) -> None:
    await save(broker)
    await approve(broker)
    await put_out(broker, start=NOON + DAY)
    await activate(broker, TOPICS, NOON + DAY)
    acts = await audit.read(broker, TOPICS.audit, STREAM)
    assert [(a.act, a.who) for a in acts] == [
        ("publish", "setup"), ("key", "zhang.wei"), ("key", "zhang.wei"), ("save", "zhang.wei"), ("approve", "li.na"),
        ("publish", "zhang.wei"), ("activate", "engine"),
    ]  # fmt: skip


async def test_once_there_is_a_version_production_takes_no_folder(broker: MemoryLog) -> None:
    """Nor does anybody where a key is known, whatever he says of the environment and whoever signs."""
    await refused(broker, "drafts_only", publish(broker, TOPICS, OTHER, only_first=True))
    await refused(broker, "drafts_only", publish(broker, TOPICS, OTHER, by="zhang.wei", signer=ZHANG))
    log = MemoryLog()
    await log.create_topics(TOPICS.specs(unchanged().channels, unchanged().endpoints))
    await publish(log, TOPICS, small(), only_first=True)
    await refused(log, "drafts_only", publish(log, TOPICS, OTHER, only_first=True))
    assert (await publish(log, TOPICS, OTHER)).version == 2


async def test_a_folder_is_published_in_nobody_elses_name() -> None:
    """The first version, once there is a key, is signed like every other act."""
    log = MemoryLog()
    await log.create_topics(TOPICS.specs(unchanged().channels, unchanged().endpoints))
    await register(log, TOPICS, ZHANG.who, ZHANG.public, by=ZHANG, now=NOON)
    for by, signer in (("", None), ("zhang.wei", None), ("li.na", ZHANG), ("zhang.wei", Signer.fresh("zhang.wei"))):
        await refused(log, "no_key", publish(log, TOPICS, small(), by=by, signer=signer, now=NOON))
    await publish(log, TOPICS, small(), by="zhang.wei", signer=ZHANG, now=NOON)
    assert (await releases.history(log, TOPICS)).versions[1].by == "zhang.wei"


async def test_who_acts_is_heard_of_while_a_version_is_checked(
    broker: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading and checking are work for a thread: on the loop nothing else would go on, the connection's heartbeat included."""
    await save(broker)
    await approve(broker)
    loop, seen = threading.get_ident(), list[bool]()
    check = publishing.from_files

    def watched(files: Any, version: int = 0) -> Any:
        seen.append(threading.get_ident() == loop)
        return check(files, version)

    monkeypatch.setattr(publishing, "from_files", watched)
    await put_out(broker)
    assert seen and not any(seen)
