"""
Where the acts on the catalogue are done, one at a time.

Whoever acts takes the publisher's transactional id, reads what there is now, and commits the act together with its
entry in the audit topic (stream `catalog`): no act without an entry, no entry without an act. Of two at once one is
fenced, and nothing of it holds.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from adapters.kafka.log import Fenced
from router.catalogue.latest import latest
from router.operate import audit
from router.operate.topics import Topics
from schemas.ids import command_id
from schemas.times import to_text
from workflows.commands import ActivateCatalogue

ACTIVE, WAITING = b"active", b"waiting"
SHARD = "_shard"
STREAM = "catalog"
DEPLOYMENT = "deployment"
"""The fact of a signed entry that says where it was signed: a signature counts nowhere else."""
LONGEST = 500
"""Characters of a reason or of a document's number: what a manifest holds (schemas/catalogue.py)."""


class Active(msgspec.Struct, frozen=True):
    """The value of the key `active`."""

    version: int
    hash: str


class Waiting(msgspec.Struct, frozen=True):
    """The value of the key `waiting`: a version that takes effect at `start` in place of the version `base`; by whom."""

    version: int
    hash: str
    base: int
    start: int
    by: str


class TopicsMissing(Exception):
    """
    These topics do not exist yet: create them first (`duokua topics apply`).

    Those of new channels and endpoints too: the first message to one that is missing would stop delivery for all.
    """


class PublishedMeanwhile(Exception):
    """Somebody else acted at the same moment: look at what is in force now, then try again."""


class NotAllowed(Exception):
    """An act that the rules of the life cycle forbid. `code` says why (router/cli/rules_life.py has the sentences)."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class Desk:
    """What there is on the log, and the transaction of the act. Made by `opened`."""

    def __init__(
        self, broker: Any, topics: Topics, partitions: Mapping[str, int], transaction: Any,
        kept: Mapping[bytes, bytes], entries: list[audit.Entry], deployment: str,
    ) -> None:  # fmt: skip
        self.broker, self.topics, self.partitions, self.kept = broker, topics, partitions, kept
        self.deployment = deployment
        self._transaction, self.entries = transaction, entries
        self.committed = False

    @property
    def active(self) -> Active | None:
        found = self.kept.get(ACTIVE)
        return msgspec.json.decode(found, type=Active) if found else None

    @property
    def waiting(self) -> Waiting | None:
        found = self.kept.get(WAITING)
        return msgspec.json.decode(found, type=Waiting) if found else None

    def put(self, topic: str, key: str | bytes, value: bytes | None) -> None:
        """Add to the act: a record of a topic with one partition; None removes the key."""
        self._transaction.add(topic, 0, key.encode() if isinstance(key, str) else key, value)

    def order(self, version: int, digest: str) -> None:
        """Add to the act: every shard decides by this version from here on, and all others follow `active`."""
        for partition in range(self.partitions[self.topics.commands]):
            cause = f"catalog/{version}/{digest}/{partition}"
            order = ActivateCatalogue(id=command_id(SHARD, cause), version=version, hash=digest)
            self._transaction.add(self.topics.commands, partition, SHARD.encode(), msgspec.json.encode(order))
        self.put(self.topics.catalog, ACTIVE, msgspec.json.encode(Active(version, digest)))

    def note(
        self, act: str, who: str, why: str, now: int, sign: Callable[[str], str] | None = None, **facts: Any
    ) -> None:
        """Add to the act: its entry in the audit; a signed one names the deployment. Raises NotAllowed("too_long")."""
        if sign:
            facts[DEPLOYMENT] = self.deployment
        refuse_long(why, *(fact for fact in facts.values() if isinstance(fact, str)))
        made = audit.entry(
            self.entries[-1] if self.entries else None, STREAM, at=to_text(now) if now else "", who=who, act=act,
            why=why, facts=facts, sign=sign,
        )  # fmt: skip
        self.entries.append(made)
        self.put(self.topics.audit, STREAM, audit.encode(made))

    async def commit(self) -> None:
        """Have the act hold, all or nothing. Raises PublishedMeanwhile."""
        try:
            await self._transaction.commit({})
        except Fenced as error:
            raise PublishedMeanwhile from error
        self.committed = True


def require(*needed: str, among: Mapping[str, int]) -> None:
    """Raises TopicsMissing."""
    missing = [name for name in needed if name not in among]
    if missing:
        raise TopicsMissing(", ".join(missing))


def refuse_long(*texts: str) -> None:
    """Raises NotAllowed."""
    if any(len(text) > LONGEST for text in texts):
        raise NotAllowed("too_long", most=LONGEST)


@asynccontextmanager
async def opened(broker: Any, topics: Topics) -> AsyncIterator[Desk]:
    """Become the one who acts. Raises TopicsMissing, audit.ChainBroken."""
    publisher = f"{topics.prefix}publisher"
    partitions = await broker.topics()
    require(topics.catalog, topics.drafts, topics.commands, topics.audit, among=partitions)
    transaction = await broker.transactions(publisher, publisher)
    committed = False
    try:
        # read after the id was taken: whoever acted before us is settled, whoever does now is fenced
        kept, entries = await latest(broker, topics.catalog), await audit.read(broker, topics.audit, STREAM)
        deployment = f"{topics.prefix}@{await broker.cluster_id()}"
        desk = Desk(broker, topics, partitions, transaction, kept, entries, deployment)
        yield desk
        committed = desk.committed
    finally:
        await broker.close(transaction)
    if committed:
        # the answer to a commit comes before its markers are everywhere; the next holder of the id waits for them
        await broker.close(await broker.transactions(publisher, publisher))
