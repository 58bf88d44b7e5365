"""
From a draft to a version, and back: approved by another person, published now or for a day, rolled back, reviewed.

Nothing takes effect by the word of one person alone without being told apart: an emergency, a rollback and a folder
that was published directly stand among the reviews until somebody else has looked at them.
"""

import asyncio
from typing import Any

from router.catalogue.catalogue import Catalogue
from router.catalogue.desk import STREAM, WAITING, Active, NotAllowed, require
from router.catalogue.drafts import files, remove
from router.catalogue.fetch import unpacked
from router.catalogue.hand import Hand, by_hand
from router.catalogue.keys import Signer
from router.catalogue.life import Head, Life, Version, lived
from router.catalogue.publish import Published, add_version, refuse_while_one_waits
from router.operate import audit
from router.operate.topics import Topics

SHOWN = 16
"""Of a hash, so many digits are shown and needed to say which content was looked at: nobody finds a second content for them."""


async def approve(
    broker: Any, topics: Topics, name: str, seen: str, *, by: Signer, reason: str, now: int
) -> Head:  # fmt: skip
    """
    Approve the content whose hash begins with `seen`, and no other. Any save after it makes that void.

    Raises NotAllowed: `own_work` by one of its authors, `other_content`, `old_base`; and the others of `by_hand`.
    """

    async def do(hand: Hand) -> Head:
        head = _head(hand, name)
        if len(seen) < SHOWN or not head.content.startswith(seen):
            raise NotAllowed("other_content", name=name, who=head.by, at=head.at, hash=head.content)
        if by.who in head.authors:
            raise NotAllowed("own_work", who=by.who)
        _require_base(hand, head)
        hand.sign("approve", reason, draft=name, revision=head.revision, content=head.content)
        return hand.life.drafts[name]

    return await by_hand(broker, topics, by, now, do)


async def publish_draft(
    broker: Any, topics: Topics, name: str, *, by: Signer, reason: str = "", now: int, start: int = 0,
    emergency: bool = False,
) -> Published:  # fmt: skip
    """
    Publish a draft: in force at once, or from the instant `start` on. The draft is then gone, its content is the version.

    emergency: without approval, with a reason, at once; what waits for its day is withdrawn. Raises NotAllowed
    (`not_approved`, `old_base`, `waits`, `same`, `not_ahead`, `no_reason`), CatalogueFaulty, and the others of `by_hand`.
    """

    async def do(hand: Hand) -> Published:
        head = _head(hand, name)
        _require_base(hand, head)
        if not emergency:
            refuse_while_one_waits(hand.desk)
            if not head.approved_by:
                raise NotAllowed("not_approved", name=name)
        elif not reason:
            raise NotAllowed("no_reason")
        if start and (start <= now or emergency):
            raise NotAllowed("not_ahead", start=start)
        published = await add_version(
            hand.desk, await files(broker, topics, head), by=by.who, reason=reason or head.why, now=now, start=start,
            draft=name, content=head.content, authors=head.authors, basis=head.basis or None,
            approved_by=head.approved_by or None, approved_at=head.approved_at or None,
        )  # fmt: skip
        if not published.changed:
            raise NotAllowed("same", version=published.version)
        hand.sign(
            "publish", reason or head.why, draft=name, revision=head.revision, content=head.content,
            version=published.version, hash=published.hash, start=start,
        )  # fmt: skip
        await remove(hand, name)
        return published

    return await by_hand(broker, topics, by, now, do)


async def rollback(broker: Any, topics: Topics, version: int, *, by: Signer, reason: str, now: int) -> Published:
    """
    Put the content of a version that was in force in force again, under a new number; what waits for its day is
    withdrawn. Raises NotAllowed (`no_such_version`, `same`, `no_reason`), CatalogueFaulty, VersionUnusable, and the
    others of `by_hand`.
    """

    async def do(hand: Hand) -> Published:
        old = hand.life.versions.get(version)
        if not reason:
            raise NotAllowed("no_reason")
        if old is None or old.state not in ("earlier", "in_force"):
            raise NotAllowed("no_such_version", version=version)
        catalogue: Catalogue = await asyncio.to_thread(unpacked, hand.desk.kept, Active(old.number, old.hash))
        published = await add_version(
            hand.desk, catalogue.files, by=by.who, reason=reason, now=now, rollback_of=version
        )  # fmt: skip
        if not published.changed:
            raise NotAllowed("same", version=published.version)
        hand.sign(
            "publish", reason, version=published.version, hash=published.hash, rollback_of=version
        )  # fmt: skip
        return published

    return await by_hand(broker, topics, by, now, do)


async def withdraw(broker: Any, topics: Topics, *, by: Signer, reason: str, now: int) -> int:
    """Have the version that waits for its day never take effect; which one. Raises NotAllowed("none_waits")."""

    async def do(hand: Hand) -> int:
        waiting = hand.desk.waiting
        if waiting is None:
            raise NotAllowed("none_waits")
        hand.desk.put(topics.catalog, WAITING, None)
        hand.sign("withdraw", reason, version=waiting.version)
        return waiting.version

    return await by_hand(broker, topics, by, now, do)


async def review(broker: Any, topics: Topics, version: int, *, by: Signer, reason: str, now: int) -> None:
    """Say that a version which took effect by one person's word was looked at. Raises NotAllowed."""

    async def do(hand: Hand) -> None:
        found = hand.life.versions.get(version)
        if found is None or not found.wants_review:
            raise NotAllowed("no_review", version=version)
        if by.who in found.hands:
            raise NotAllowed("own_work", who=by.who)
        hand.sign("review", reason, version=version, hash=found.hash)

    await by_hand(broker, topics, by, now, do)


async def history(broker: Any, topics: Topics) -> Life:
    """Everything that was done. Raises TopicsMissing, audit.ChainBroken."""
    require(topics.audit, among=await broker.topics())
    return lived(await audit.read(broker, topics.audit, STREAM))


def _head(hand: Hand, name: str) -> Head:
    if name not in hand.life.drafts:
        raise NotAllowed("no_draft", name=name)
    return hand.life.drafts[name]


def _require_base(hand: Hand, head: Head) -> None:
    """What came after the version that the author started from would be undone."""
    active = hand.desk.active.version if hand.desk.active else 0
    if head.base != active:
        newer: Version = hand.life.versions[active]
        raise NotAllowed("old_base", name=head.name, base=head.base, version=active, who=newer.by, at=newer.at)
