"""A draft is nobody's rule yet: saved, changed and dropped by people who sign, and never over somebody else's work."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from adapters.kafka.memory import MemoryLog
from router.catalogue import drafts
from router.catalogue.desk import STREAM, NotAllowed, opened
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.hand import register, revoke
from router.catalogue.keys import Signer
from router.catalogue.load import hash_of
from router.catalogue.pack import VersionUnusable, chunks_of, files_of
from router.catalogue.publish import publish
from router.catalogue.releases import publish_draft
from router.operate import audit
from router.operate.topics import Topics
from tests.unit.catalogue.small import edited, small, unchanged

TOPICS = Topics("t.", 2)
NOON = 1_790_000_000_000
ONE, OTHER = edited("rules/90.yaml", "按事项", "事项"), edited("rules/90.yaml", "按分类", "分类")
ZHANG, LI, WANG = Signer.fresh("zhang.wei"), Signer.fresh("li.na"), Signer.fresh("王运维")


@pytest.fixture
async def broker() -> MemoryLog:
    """A version in force, and two people whose keys hold."""
    log, catalogue = MemoryLog(), unchanged()
    await log.create_topics(TOPICS.specs(catalogue.channels, catalogue.endpoints))
    await publish(log, TOPICS, small(), by="setup")
    for person in (ZHANG, LI):
        await register(log, TOPICS, person.who, person.public, by=ZHANG, now=NOON)
    return log


async def save(
    broker: MemoryLog, files: dict[str, bytes] = ONE, by: Signer = ZHANG, base: int = 1, revision: int = 0,
    name: str = "lamps",
) -> drafts.Head:  # fmt: skip
    return await drafts.save(
        broker, TOPICS, name, files, by=by, reason="路灯", base=base, revision=revision, now=NOON, basis="某发〔2026〕1号"
    )  # fmt: skip


async def test_what_was_saved_is_what_is_fetched(broker: MemoryLog) -> None:
    begun = await drafts.begin(broker, TOPICS, "lamps")
    assert (begun.head.revision, begun.head.base, begun.files) == (0, 1, small())
    head = await save(broker)
    fetched = await drafts.fetch(broker, TOPICS, "lamps")
    assert (fetched.files, fetched.head) == (ONE, head)
    assert (head.by, head.revision, head.base, head.why, head.basis) == ("zhang.wei", 1, 1, "路灯", "某发〔2026〕1号")
    assert await drafts.listed(broker, TOPICS) == [head]
    assert (await drafts.begin(broker, TOPICS, "lamps")).head == head


async def test_nothing_is_saved_over_the_work_of_somebody_else(broker: MemoryLog) -> None:
    """Who starts from an older revision is told whose the newer one is; what is there stays."""
    await save(broker)
    await save(broker, OTHER, by=LI, revision=1)
    for revision in (0, 1):
        with pytest.raises(NotAllowed) as refused:
            await save(broker, revision=revision)
        assert (refused.value.code, refused.value.facts["who"], refused.value.facts["revision"]) == (
            "edited",
            "li.na",
            2,
        )
    fetched = await drafts.fetch(broker, TOPICS, "lamps")
    assert fetched.files == OTHER and fetched.head.authors == ("zhang.wei", "li.na")


async def test_of_two_who_save_at_once_one_is_told_of_the_other(broker: MemoryLog) -> None:
    made = await asyncio.gather(save(broker), save(broker, OTHER, by=LI), return_exceptions=True)
    (refused,) = [one for one in made if isinstance(one, NotAllowed)]
    (saved,) = [one for one in made if isinstance(one, drafts.Head)]
    assert (refused.code, refused.facts["who"]) == ("edited", saved.by)


async def test_a_faulty_draft_is_not_saved(broker: MemoryLog) -> None:
    """With every fault, like a publication."""
    with pytest.raises(CatalogueFaulty):
        await save(broker, edited("rules/90.yaml", "number: 999", "number: 910"))
    assert await drafts.listed(broker, TOPICS) == []


@pytest.mark.parametrize("name", ["", "a/b", ".x", "a b", "x" * 65, "7", "active"])
async def test_a_name_is_a_name(broker: MemoryLog, name: str) -> None:
    with pytest.raises(NotAllowed):
        await save(broker, name=name)


async def test_a_base_is_a_version(broker: MemoryLog) -> None:
    for base in (0, 2):
        with pytest.raises(NotAllowed) as refused:
            await save(broker, base=base)
        assert refused.value.code == "no_such_version"


async def test_whose_key_is_not_known_does_nothing(broker: MemoryLog) -> None:
    """Nor who uses another's name, nor whose key was revoked."""
    await revoke(broker, TOPICS, "li.na", by=ZHANG, reason="离岗", now=NOON)
    for by in (WANG, Signer.fresh("zhang.wei"), LI):
        with pytest.raises(NotAllowed) as refused:
            await save(broker, by=by)
        assert refused.value.code == "no_key"


async def test_what_is_dropped_is_gone_from_the_topic_and_stays_in_the_audit(broker: MemoryLog) -> None:
    """So the topic holds the newest revision of each draft and no more."""
    await save(broker)
    await save(broker, OTHER, revision=1)
    await save(broker, OTHER, name="second")
    await drafts.drop(broker, TOPICS, "lamps", by=LI, reason="不要了", now=NOON)
    assert (await drafts.fetch(broker, TOPICS, "second")).files == OTHER
    with pytest.raises(NotAllowed):
        await drafts.fetch(broker, TOPICS, "lamps")
    last = {r.key: r.value for r in broker.records[TopicPartition(TOPICS.drafts, 0)]}
    assert sum(value is not None for value in last.values()) == 2  # the draft `second` and its chunk
    acts = await audit.read(broker, TOPICS.audit, STREAM)
    assert [(act.act, act.who) for act in acts][-4:] == [
        ("save", "zhang.wei"), ("save", "zhang.wei"), ("save", "zhang.wei"), ("drop", "li.na"),
    ]  # fmt: skip


async def test_an_old_folder_fits_no_new_draft_of_the_same_name(broker: MemoryLog) -> None:
    """A number is never given twice: neither after a draft was dropped nor after it was published."""
    await save(broker)
    await drafts.drop(broker, TOPICS, "lamps", by=LI, reason="不要了", now=NOON)
    assert (await save(broker, OTHER, by=LI)).revision == 2
    with pytest.raises(NotAllowed) as refused:
        await save(broker, revision=1)
    assert (refused.value.code, refused.value.facts["who"]) == ("edited", "li.na")
    assert (await drafts.fetch(broker, TOPICS, "lamps")).files == OTHER
    await publish_draft(broker, TOPICS, "lamps", by=LI, reason="险情", now=NOON, emergency=True)
    assert (await save(broker, base=2)).revision == 3


OUTSIDE = [
    "../evil.yaml",
    "/etc/evil.yaml",
    "rules/../../evil.yaml",
    "rules//evil.yaml",
    "c:evil.yaml",
    "..\\evil.yaml",
    "a\nb.yaml",
]


@pytest.mark.parametrize("name", OUTSIDE)
async def test_no_draft_writes_a_file_elsewhere(broker: MemoryLog, name: str) -> None:
    """It is not saved, and one that was made by other means is not unpacked."""
    with pytest.raises(NotAllowed) as refused:
        await save(broker, {**ONE, name: b"x: 1"})
    assert refused.value.code == "bad_file"
    files = {**ONE, name: b"x: 1"}
    _, chunks = chunks_of(files)
    with pytest.raises(VersionUnusable):
        files_of(chunks, chunks.get, hash_of(files))


async def test_what_is_too_long_to_be_published_is_not_saved(broker: MemoryLog) -> None:
    for said in ({"reason": "长" * 501}, {"reason": "r", "basis": "长" * 501}):
        with pytest.raises(NotAllowed) as refused:
            await drafts.save(broker, TOPICS, "lamps", ONE, by=ZHANG, base=1, revision=0, now=NOON, **said)
        assert refused.value.code == "too_long"
    longest = "长" * 500
    await drafts.save(
        broker, TOPICS, "lamps", ONE, by=ZHANG, base=1, revision=0, now=NOON, reason=longest, basis=longest
    )  # fmt: skip
    with pytest.raises(NotAllowed) as refused:
        await publish_draft(broker, TOPICS, "lamps", by=ZHANG, reason=longest + "长", now=NOON, emergency=True)
    assert refused.value.code == "too_long"
    await publish_draft(broker, TOPICS, "lamps", by=ZHANG, reason=longest, now=NOON, emergency=True)


async def test_files_that_the_chain_does_not_name_are_not_handed_out(broker: MemoryLog) -> None:
    """Whoever can write to the topic can put other files there, but nobody takes them for the draft."""
    await save(broker)
    await save(broker, OTHER, name="second")
    records = broker.records[TopicPartition(TOPICS.drafts, 0)]
    other = next(r for r in records if r.key == b"draft/second")
    broker.append([(TopicPartition(TOPICS.drafts, 0), b"draft/lamps", other.value, ())])
    with pytest.raises(VersionUnusable):
        await drafts.fetch(broker, TOPICS, "lamps")


# -- keys ----------------------------------------------------------------------------------------------


async def test_the_first_key_vouches_for_itself_and_no_other_does(broker: MemoryLog) -> None:
    for by in (WANG, Signer.fresh("li.na")):
        with pytest.raises(NotAllowed):
            await register(broker, TOPICS, WANG.who, WANG.public, by=by, now=NOON)
    await register(broker, TOPICS, WANG.who, WANG.public, by=LI, now=NOON)
    assert (await save(broker, by=WANG)).by == WANG.who


async def test_a_person_has_one_key_and_somebody_has_one(broker: MemoryLog) -> None:
    for who, by, code in (("li.na", LI, "key_taken"), ("li.na", ZHANG, "key_taken")):
        with pytest.raises(NotAllowed) as refused:
            await register(broker, TOPICS, who, WANG.public, by=by, now=NOON)
        assert refused.value.code == code
    await revoke(broker, TOPICS, "zhang.wei", by=LI, reason="遗失", now=NOON)
    with pytest.raises(NotAllowed) as refused:
        await revoke(broker, TOPICS, "li.na", by=LI, reason="", now=NOON)
    assert refused.value.code == "last_key"


async def test_no_key_is_known_twice(broker: MemoryLog) -> None:
    """Neither as that of a second person, nor once more after it was revoked."""
    with pytest.raises(NotAllowed) as refused:
        await register(broker, TOPICS, "ghost", ZHANG.public, by=ZHANG, now=NOON)
    assert refused.value.code == "key_used"
    await revoke(broker, TOPICS, "li.na", by=ZHANG, reason="被盗", now=NOON)
    with pytest.raises(NotAllowed) as refused:
        await register(broker, TOPICS, "li.na", LI.public, by=ZHANG, now=NOON)
    assert refused.value.code == "key_used"
    anew = Signer.fresh("li.na")
    await register(broker, TOPICS, "li.na", anew.public, by=ZHANG, now=NOON)
    assert (await save(broker, by=anew)).by == "li.na"


@pytest.mark.parametrize(
    ("act", "by", "facts"),
    [
        ("approve", ZHANG, {}), ("approve", LI, {"revision": 2}), ("approve", LI, {"content": "0" * 64}),
        ("approve", LI, {"draft": "none"}), ("approve", LI, {"draft": ["lamps"]}), ("drop", LI, {"revision": 9}),
        ("save", ZHANG, {"revision": 1, "base": 1, "basis": ""}), ("save", ZHANG, {"revision": 2, "base": 7, "basis": ""}),
        ("save", ZHANG, {"revision": 2, "base": 1, "basis": 5}), ("save", ZHANG, {"revision": 2, "base": 1}),
        ("save", ZHANG, {"revision": 1, "base": 1, "basis": "", "draft": "a/b"}),
        ("key", ZHANG, {"of": "ghost", "key": ZHANG.public}), ("key", ZHANG, {"of": "li.na", "key": WANG.public}),
        ("key", ZHANG, {"of": "ghost", "key": 5}), ("revoke", ZHANG, {"of": "ghost"}),
        ("publish", ZHANG, {"version": 2, "hash": "0" * 64, "draft": "none"}),
        ("publish", ZHANG, {"version": 2, "hash": "0" * 64, "start": NOON + 1}),
        ("publish", ZHANG, {"version": 1, "hash": "0" * 64}), ("publish", LI, {"version": 2, "hash": "0" * 64, "rollback_of": 9}),
        ("review", LI, {"version": 9, "hash": ""}), ("review", LI, {"version": 1, "hash": "0" * 64}),
        ("withdraw", LI, {"version": 1}), ("withdraw", LI, {}), ("activate", LI, {"version": 1, "hash": ""}), ("lend", LI, {}),
    ],
)  # fmt: skip
async def test_what_the_tools_refuse_breaks_the_chain(
    broker: MemoryLog, act: str, by: Signer, facts: dict[str, Any]
) -> None:
    """Rightly signed, but made past the tools: a reader says which entry it is, and nobody acts on it."""
    head = await save(broker)
    said = {"draft": "lamps", "revision": 1, "content": head.content} | facts
    if {"of", "version"} & facts.keys():
        said = facts
    async with opened(broker, TOPICS) as desk:
        desk.note(act, by.who, "r", NOON, by.sign, **said)
        await desk.commit()
    entries = await audit.read(broker, TOPICS.audit, STREAM)
    with pytest.raises(audit.ChainBroken, match=f"{STREAM} {len(entries)}"):
        await drafts.listed(broker, TOPICS)


async def test_an_entry_that_nobody_signed_counts_for_nothing(broker: MemoryLog) -> None:
    """Who can write to the audit topic can make the chain anew, with every hash, but not the signatures."""
    await save(broker)
    tp = TopicPartition(TOPICS.audit, 0)
    last = msgspec.json.decode(broker.records[tp][-1].value or b"", type=audit.Entry)
    before = msgspec.json.decode(broker.records[tp][-2].value or b"", type=audit.Entry)
    for who, facts in (("li.na", last.facts), ("zhang.wei", {**last.facts, "content": "0" * 64}), ("zhang.wei", {})):
        forged = audit.entry(before, STREAM, at=last.at, who=who, act="save", why=last.why, facts=facts)
        broker.records[tp][-1] = replace(broker.records[tp][-1], value=audit.encode(forged))
        assert await audit.read(broker, TOPICS.audit, STREAM)  # the chain itself is whole
        with pytest.raises(audit.ChainBroken):
            await drafts.listed(broker, TOPICS)
