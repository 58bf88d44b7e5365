"""From a draft to a version: by two people, on what is in force, for a day if need be, and back."""

from typing import Any

import pytest
from aiokafka import TopicPartition

from adapters.kafka.memory import MemoryLog
from router.catalogue import drafts, releases
from router.catalogue.desk import STREAM, Active, NotAllowed
from router.catalogue.hand import revoke
from router.catalogue.load import hash_of
from router.catalogue.publish import activate, active_version, fetch_active, publish, unpacked, without_carried
from router.operate import audit
from schemas.catalogue import CatalogueManifest
from tests.unit.catalogue.small import small
from tests.unit.catalogue.test_drafts import LI, NOON, ONE, OTHER, TOPICS, WANG, ZHANG, broker, save

__all__ = ["broker"]
DAY = 24 * 3600 * 1000


async def approve(log: MemoryLog, by: Any = LI, name: str = "lamps", seen: str = "") -> drafts.Head:
    seen = seen or (await drafts.fetch(log, TOPICS, name)).head.content[:12]
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
    for seen in ("0" * 12, head.content[:7]):
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
    await refused(broker, "waits", publish(broker, TOPICS, OTHER))
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
    assert (await publish(broker, TOPICS, OTHER)).version == 3


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
    await refused(broker, "drafts_only", publish(broker, TOPICS, OTHER, only_first=True))
