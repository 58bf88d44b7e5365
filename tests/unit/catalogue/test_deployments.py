"""What is signed in one deployment counts in no other, a copy of its topics included; a move is said by a person."""

import copy
from dataclasses import replace

import msgspec
import pytest
from aiokafka import TopicPartition

from adapters.kafka.memory import MemoryLog
from router.catalogue import drafts
from router.catalogue.desk import DEPLOYMENT, STREAM, NotAllowed
from router.catalogue.hand import adopt
from router.catalogue.life import lived
from router.catalogue.releases import history
from router.operate import audit
from tests.unit.catalogue.test_drafts import LI, NOON, OTHER, TOPICS, ZHANG, broker, save

__all__ = ["broker"]
TRAIL = TopicPartition(TOPICS.audit, 0)


class Elsewhere(MemoryLog):
    """Another cluster to which the topics were mirrored."""

    async def cluster_id(self) -> str:
        return "elsewhere"


def mirrored(log: MemoryLog) -> Elsewhere:
    made = Elsewhere()
    made.__dict__.update(copy.copy(log).__dict__)
    made.records = copy.deepcopy(log.records)
    return made


def entries_of(log: MemoryLog) -> list[audit.Entry]:
    return [msgspec.json.decode(record.value or b"", type=audit.Entry) for record in log.records[TRAIL]]


async def test_every_signature_says_where_it_was_given(broker: MemoryLog) -> None:
    await save(broker)
    signed = [entry for entry in entries_of(broker) if audit.signed(entry)[1]]
    assert {entry.facts[DEPLOYMENT] for entry in signed} == {f"{TOPICS.prefix}@memory"}
    assert (await history(broker, TOPICS)).unbound == 0


async def test_in_a_copy_nothing_is_done_before_somebody_says_that_it_has_moved(broker: MemoryLog) -> None:
    """What was signed there can be looked at; what is signed here afterwards fits the original no more, and the other way."""
    await save(broker)
    other = mirrored(broker)
    assert [head.name for head in await drafts.listed(other, TOPICS)] == ["lamps"]
    with pytest.raises(NotAllowed, match="elsewhere"):
        await save(other, OTHER, by=LI, revision=1)
    with pytest.raises(NotAllowed, match="at_home"):
        await adopt(broker, TOPICS, by=ZHANG, reason="r", now=NOON)
    assert await adopt(other, TOPICS, by=ZHANG, reason="新集群", now=NOON) == f"{TOPICS.prefix}@memory"
    await save(other, OTHER, by=LI, revision=1)
    assert (await history(other, TOPICS)).deployment == f"{TOPICS.prefix}@elsewhere"


async def test_an_entry_of_the_original_is_refused_in_a_copy_that_went_on(broker: MemoryLog) -> None:
    """Even where its place in the chain would fit: whoever carries it over is found out."""
    other = mirrored(broker)
    await adopt(other, TOPICS, by=ZHANG, reason="新集群", now=NOON)
    chain = entries_of(other)
    strayed = audit.entry(
        chain[-1], STREAM, at="", who="zhang.wei", act="drop", why="", sign=ZHANG.sign,
        facts={"draft": "lamps", "revision": 1, DEPLOYMENT: f"{TOPICS.prefix}@memory"},
    )  # fmt: skip
    with pytest.raises(audit.ChainBroken):
        lived([*chain, strayed])


async def test_older_signatures_stay_and_are_counted(broker: MemoryLog) -> None:
    """They name no deployment; after the first that does, one that does not is refused."""
    chain: list[audit.Entry] = []
    for entry in entries_of(broker):  # as an older release wrote them
        facts = {name: fact for name, fact in entry.facts.items() if name not in (DEPLOYMENT, audit.SIGNATURE)}
        sign = ZHANG.sign if entry.act == "key" else None
        chain.append(
            audit.entry(
                chain[-1] if chain else None,
                STREAM,
                at=entry.at,
                who=entry.who,
                act=entry.act,
                why=entry.why,
                facts=facts,
                sign=sign,
            )
        )
    life = lived(chain)
    assert (len(life.keys), life.unbound, life.deployment) == (2, 2, "")
    old = mirrored(broker)
    old.records[TRAIL] = [
        replace(record, value=audit.encode(entry)) for record, entry in zip(broker.records[TRAIL], chain, strict=True)
    ]
    await save(old)
    life = await history(old, TOPICS)
    assert (life.unbound, life.deployment) == (2, f"{TOPICS.prefix}@elsewhere")
    facts = {"draft": "lamps", "revision": 1}
    late = audit.entry(entries_of(old)[-1], STREAM, at="", who="li.na", act="drop", why="", facts=facts, sign=LI.sign)
    with pytest.raises(audit.ChainBroken):
        lived([*entries_of(old), late])
