"""An act by the hand of a person: signed, and judged by what was done before it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from router.catalogue.desk import WAITING, Desk, NotAllowed, PublishedMeanwhile, opened
from router.catalogue.keys import Signer
from router.catalogue.life import Life, add, lived
from router.operate.topics import Topics

TRIES = 6
T = TypeVar("T")


class Hand:
    """A person at the desk. `life`: what was done before. Made by `by_hand`."""

    def __init__(self, desk: Desk, life: Life, signer: Signer, now: int) -> None:
        self.desk, self.life, self.signer, self.now = desk, life, signer, now
        self.who = signer.who

    @property
    def holds_key(self) -> bool:
        """Whether the key is the one that is known for this person."""
        return self.life.holds(self.who, self.signer.public)

    def sign(self, act: str, why: str, **facts: Any) -> None:
        """
        Add to the act: its entry, signed; `life` is from then on with it. Raises audit.ChainBroken: what a reader would
        refuse would be a chain that nobody can mend.
        """
        self.desk.note(act, self.who, why, self.now, self.signer.sign, **facts)
        add(self.life, self.desk.entries[-1])


async def by_hand(
    broker: Any,
    topics: Topics,
    signer: Signer,
    now: int,
    do: Callable[[Hand], Awaitable[T]],
    *,
    known: bool = True,
    here: bool = True,
) -> T:
    """
    Let a person do something and commit it; `do` adds to the act. Anew where somebody else was there at the same moment, so that what he did is
    known and the second one is told who it was. Raises NotAllowed, PublishedMeanwhile where that goes on and on,
    TopicsMissing, audit.ChainBroken; then nothing of it holds.

    known: the signer's key must hold. here: what was signed must have been signed in this deployment. now: business time
    of the act.
    """
    tries = AsyncRetrying(
        retry=retry_if_exception_type(PublishedMeanwhile), stop=stop_after_attempt(TRIES),
        wait=wait_random_exponential(0.2, max=2), reraise=True,
    )  # fmt: skip
    async for attempt in tries:
        with attempt:
            async with opened(broker, topics) as desk:
                hand = Hand(desk, lived(desk.entries), signer, now)
                if here and hand.life.deployment not in ("", desk.deployment):
                    raise NotAllowed("elsewhere", there=hand.life.deployment, here=desk.deployment)
                if known and not hand.holds_key:
                    raise NotAllowed("no_key", who=signer.who)
                done = await do(hand)
                await desk.commit()
                return done
    raise AssertionError("the tries end with a result or an error")


async def register(broker: Any, topics: Topics, who: str, public: str, *, by: Signer, now: int) -> None:
    """
    Make a public key known as that of a person. The very first one is its own voucher; from then on somebody whose key
    holds vouches. Raises NotAllowed and the others of `by_hand`.
    """

    async def do(hand: Hand) -> None:
        if hand.life.key_of(who):
            raise NotAllowed("key_taken", who=who)
        if hand.life.was_known(public):
            raise NotAllowed("key_used")
        first = not hand.life.keys
        if first and (who, public) != (by.who, by.public):
            raise NotAllowed("first_key", who=by.who)
        if not first and not hand.holds_key:
            raise NotAllowed("no_voucher", who=by.who)
        hand.sign("key", "", of=who, key=public)

    await by_hand(broker, topics, by, now, do, known=False)


async def adopt(broker: Any, topics: Topics, *, by: Signer, reason: str, now: int) -> str:
    """
    Say that the deployment has moved to this cluster and prefix: from here on people sign here. Where it was before.
    Raises NotAllowed (`at_home`) and the others of `by_hand`.
    """

    async def do(hand: Hand) -> str:
        if hand.life.deployment in ("", hand.desk.deployment):
            raise NotAllowed("at_home")
        before = hand.life.deployment
        hand.sign("adopt", reason, **{"from": before})
        return before

    return await by_hand(broker, topics, by, now, do, here=False)


async def revoke(broker: Any, topics: Topics, who: str, *, by: Signer, reason: str, now: int) -> int:
    """
    Have a key hold no longer; what was signed with it stays. What it approved is approved no more: a version that waits
    for its day by that approval is withdrawn in the same act; which one, else 0. Raises NotAllowed and the others of
    `by_hand`.
    """

    async def do(hand: Hand) -> int:
        if hand.life.key_of(who) is None:
            raise NotAllowed("no_key", who=who)
        if sum(not key.revoked for key in hand.life.keys) == 1:
            raise NotAllowed("last_key", who=who)
        before = hand.desk.waiting
        hand.sign("revoke", reason, of=who)
        if before is None or hand.life.waiting:
            return 0
        hand.desk.put(topics.catalog, WAITING, None)
        return before.version

    return await by_hand(broker, topics, by, now, do)
