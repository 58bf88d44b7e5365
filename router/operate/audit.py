"""
The topic `audit`: what people did, each act an entry of a hash chain.

An entry names the one before it in its stream by hash, so that nobody can change, drop or slip in one without every
later hash changing. One writer a stream: whoever writes holds the stream's transactional id, reads the chain, and
commits the entry together with the act itself, so that there is no act without an entry and no entry without an act.
A chain shows that something was changed, not that its end was cut off or all of it made anew: keep the newest hash
elsewhere too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from msgspec import MsgspecError, Struct, json
from msgspec.structs import asdict, replace

from schemas.cloudevents import canonical, digest

POLL_MS = 200
SIGNATURE = "signature"
FIRST = ""
"""The hash before the first entry."""


class Entry(Struct, frozen=True, kw_only=True):
    """
    One act. seq: 1, 2, 3 … in its stream. at: when, RFC 3339. who, act, why: as the person gave them; no data of
    citizens. facts: what it was about. prev: the hash of the entry before. hash: of all the others, SHA-256.
    """

    stream: str
    seq: int
    at: str
    who: str
    act: str
    why: str
    facts: Mapping[str, Any]
    prev: str
    hash: str = ""


class ChainBroken(Exception):
    """An entry of the audit topic is not what was written, or one is missing: somebody changed it."""


def entry(
    before: Entry | None, stream: str, *, at: str, who: str, act: str, why: str, facts: Mapping[str, Any],
    sign: Callable[[str], str] | None = None,
) -> Entry:  # fmt: skip
    """
    The next entry of a stream; `before` is its newest. `sign`: signs what stands in it, its place in the chain included.
    """
    seq, prev = (before.seq + 1, before.hash) if before else (1, FIRST)
    made = Entry(stream=stream, seq=seq, at=at, who=who, act=act, why=why, facts=facts, prev=prev)
    if sign:
        made = replace(made, facts={**facts, SIGNATURE: sign(_hash(made))})
    return replace(made, hash=_hash(made))


def signed(made: Entry) -> tuple[str, str]:
    """The text that was signed, and the signature; empty where there is none."""
    facts = dict(made.facts)
    signature = str(facts.pop(SIGNATURE, ""))
    return _hash(replace(made, facts=facts)), signature


def _hash(made: Entry) -> str:
    fields = asdict(made)
    del fields["hash"]
    return digest(canonical(fields))


def encode(made: Entry) -> bytes:
    """The record's value."""
    return canonical(asdict(made))


def check(entries: Sequence[Entry]) -> None:
    """Whether this is a whole stream from its first entry on. Raises ChainBroken."""
    before: Entry | None = None
    for found in entries:
        seq, prev = (before.seq + 1, before.hash) if before else (1, FIRST)
        if (found.seq, found.prev) != (seq, prev) or found.hash != _hash(found):
            raise ChainBroken(f"{found.stream} {seq}")
        before = found


async def read(broker: Any, topic: str, stream: str) -> list[Entry]:
    """
    The entries of a stream, checked. Raises ChainBroken.

    Waits for transactions that are open (the broker ends those whose writer died): what is committed behind one of
    another stream cannot be read before, and an entry that is overlooked would be written a second time.
    """
    tp, found = TopicPartition(topic, 0), list[Entry]()
    async with broker.reader(partitions=[tp], committed=False) as reader:
        end = (await reader.end_offsets([tp]))[tp]
    async with broker.reader(partitions=[tp]) as reader:
        while await reader.position(tp) < end:
            for record in (await reader.getmany(timeout_ms=POLL_MS)).get(tp, []):
                if record.key == stream.encode():
                    found.append(_decoded(record.value, stream, len(found) + 1))
    check(found)
    return found


def _decoded(value: bytes | None, stream: str, seq: int) -> Entry:
    try:
        return json.decode(value or b"", type=Entry)
    except MsgspecError:
        raise ChainBroken(f"{stream} {seq}") from None
