"""
Drafts: what a rule administrator changes, before it is anybody's rule.

A draft is a whole catalogue under a name, with the version that it was made from (`base`) and a number that grows with
each save (`revision`) and never begins anew, even where the draft was dropped or published and another has its name. Whoever saves says which revision he started from; where somebody else saved since, he is told
who and when, and nothing is overwritten. What its author did stands in the audit chain, signed; the files stand on the
topic `catalog.drafts`, under the hash that the chain names.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from router.catalogue.analyse import refuse_contradictions
from router.catalogue.desk import STREAM, NotAllowed, require
from router.catalogue.fetch import fetch_active
from router.catalogue.hand import Hand, by_hand
from router.catalogue.keys import Signer, is_draft_name
from router.catalogue.latest import latest
from router.catalogue.life import Head, lived
from router.catalogue.load import from_files, hash_of
from router.catalogue.pack import VersionUnusable, chunks_of, files_of
from router.catalogue.publish import refuse_outside, without_carried
from router.operate import audit
from router.operate.topics import Topics


@dataclass(frozen=True)
class Draft:
    """A draft with its files. `head.revision` 0: it is not saved yet, the files are those of the version in force."""

    head: Head
    files: Mapping[str, bytes]


async def begin(broker: Any, topics: Topics, name: str) -> Draft:
    """The draft of that name, else a new one with the files of the version in force. Raises NotAllowed("no_version")."""
    try:
        return await fetch(broker, topics, name)
    except NotAllowed:
        catalogue = await fetch_active(broker, topics.catalog)
        if catalogue is None:
            raise NotAllowed("no_version") from None
        files = without_carried(catalogue.files)
        return Draft(Head(name, 0, catalogue.version, hash_of(files), "", "", "", "", ()), files)


async def save(
    broker: Any, topics: Topics, name: str, files: Mapping[str, bytes], *, by: Signer, reason: str, base: int,
    revision: int, now: int, basis: str = "",
) -> Head:  # fmt: skip
    """
    Save a draft whose author started from version `base` and from `revision` of the draft, 0 for a new one.

    Raises CatalogueFaulty with every fault, NotAllowed (`edited`: by whom and when), PublishedMeanwhile, TopicsMissing, audit.ChainBroken;
    then nothing is saved. `basis`: the document behind it (文号).
    """
    if not is_draft_name(name):
        raise NotAllowed("bad_name", name=name)
    refuse_outside(files)
    mine = without_carried(files)
    await asyncio.to_thread(refuse_contradictions, from_files(mine), now)
    content, (_, chunks) = hash_of(mine), chunks_of(mine)

    async def do(hand: Hand) -> Head:
        there = hand.life.drafts.get(name)
        if there and there.revision != revision:
            raise NotAllowed("edited", name=name, who=there.by, at=there.at, revision=there.revision)
        if revision and not there:
            raise NotAllowed("no_draft", name=name)
        if base not in hand.life.versions and not (base == 0 and not hand.life.versions):
            raise NotAllowed("no_such_version", version=base)
        next_one = hand.life.revisions.get(name, 0) + 1
        hand.sign("save", reason, draft=name, revision=next_one, base=base, content=content, basis=basis)
        kept = await latest(broker, topics.drafts)
        for chunk, piece in chunks.items():
            if chunk.encode() not in kept:
                hand.desk.put(topics.drafts, chunk, piece)
        _put(hand, kept, name, tuple(chunks))
        return hand.life.drafts[name]

    return await by_hand(broker, topics, by, now, do)


async def drop(broker: Any, topics: Topics, name: str, *, by: Signer, reason: str, now: int) -> None:
    """Give a draft up. Raises NotAllowed and the others of `by_hand`."""

    async def do(hand: Hand) -> None:
        head = hand.life.drafts.get(name)
        if head is None:
            raise NotAllowed("no_draft", name=name)
        hand.sign("drop", reason, draft=name, revision=head.revision)
        await remove(hand, name)

    await by_hand(broker, topics, by, now, do)


async def remove(hand: Hand, name: str) -> None:
    """Add to the act: the draft's files are no longer kept. What it was stays in the audit."""
    _put(hand, await latest(hand.desk.broker, hand.desk.topics.drafts), name, ())


async def fetch(broker: Any, topics: Topics, name: str) -> Draft:
    """A draft as it was last saved. Raises NotAllowed("no_draft"), VersionUnusable, audit.ChainBroken."""
    before: Head | None = None
    while True:
        head = (await _heads(broker, topics)).get(name)
        if head is None:
            raise NotAllowed("no_draft", name=name)
        try:
            return Draft(head, await files(broker, topics, head))
        except VersionUnusable:
            if head == before:
                raise
            before = head  # saved anew between the two looks


async def files(broker: Any, topics: Topics, head: Head) -> dict[str, bytes]:
    """The files of a draft. Raises VersionUnusable unless they are the ones that the chain names."""
    kept = await latest(broker, topics.drafts)
    return files_of(_named(kept, head.name), lambda chunk: kept.get(chunk.encode()), head.content)


async def listed(broker: Any, topics: Topics) -> list[Head]:
    """Every draft, by name. Raises audit.ChainBroken."""
    return [head for _, head in sorted((await _heads(broker, topics)).items())]


async def _heads(broker: Any, topics: Topics) -> Mapping[str, Head]:
    require(topics.audit, topics.drafts, among=await broker.topics())
    return lived(await audit.read(broker, topics.audit, STREAM)).drafts


def _key(name: str) -> bytes:
    return f"draft/{name}".encode()


def _named(kept: Mapping[bytes, bytes], name: str) -> tuple[str, ...]:
    return msgspec.json.decode(kept.get(_key(name), b"[]"), type=tuple[str, ...])


def _put(hand: Hand, kept: Mapping[bytes, bytes], name: str, chunks: tuple[str, ...]) -> None:
    """Which chunks a draft has now. Those that nobody has any more are removed, so that the topic does not grow."""
    topic = hand.desk.topics.drafts
    hand.desk.put(topic, _key(name), msgspec.json.encode(chunks) if chunks else None)
    others = {key.removeprefix(b"draft/").decode() for key in kept if key.startswith(b"draft/")} - {name}
    needed = {chunk for other in others for chunk in _named(kept, other)} | set(chunks)
    for chunk in _named(kept, name):
        if chunk not in needed:
            hand.desk.put(topic, chunk, None)
