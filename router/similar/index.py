"""
What requests of some weeks have in common: who came again, what looks alike, what many say of one place. Pure.

Nothing personal is kept. A person is the keyed hash of a phone or identity number, which nobody can turn round or guess
without the deployment's secret; a text is a sketch, the smallest hashes of its pairs of characters, from which no word can
be had back (Broder 1997: the share two sketches have in common estimates that of the texts). 举报 is not in here at all, and
whoever does not show his name is compared with nobody by his text.
"""

from array import array
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from heapq import nsmallest
from itertools import islice
from typing import Any, Literal
from zlib import crc32

import msgspec
from msgspec import Struct

from router.catalogue.rows import Similar
from router.proposals.text import fold
from workflows import events as ev
from workflows.commands import Other

KEPT = 64
"""Hashes of a sketch: the estimate is off by some 0.06 (one standard deviation) where half is in common."""
SHORT = 10
"""Pairs of characters below which a text, or a title, says too little to be compared."""
SHOWN = 20
"""Other cases that a proposal names."""
COMPARED = 500
"""Requests of one matter and division that a new one is compared with: the newest."""
MOST = 200_000
"""Requests that are kept, whatever the window: about 1 KB each."""

What = Literal["repeat", "alike", "group", "burst"]


class Found(Struct, frozen=True):
    """Something to say to a case."""

    what: What
    count: int
    others: tuple[Other, ...]
    score: float = 0.0


@dataclass(slots=True, eq=False)
class Entry:
    """A request as the index keeps it. `head`: the case that it is handled with."""

    case: str
    number: str
    at: int
    people: tuple[bytes, ...]
    region: str
    spot: bytes
    matter: str
    centre: str
    sketch: "array[int]"
    title: "array[int]"
    shown: bool
    """its applicant shows his name: others' dispatchers may learn of the case"""
    urgent: bool
    mergeable: bool
    closed: bool = False
    head: str = ""

    @property
    def other(self) -> Other:
        return Other(self.case, self.number)


class _Party(Struct, frozen=True):
    phone: str | None = None
    id_number: str | None = None
    disclosure: str = "open"


class _Place(Struct, frozen=True):
    grid: str | None = None
    address: str | None = None
    building_code: str | None = None


class _Asked(Struct, frozen=True):
    title: str = ""
    text: str = ""
    applicant: _Party | None = None
    place: _Place | None = None


_asked = msgspec.json.Decoder(_Asked).decode


def key(secret: bytes) -> bytes:
    """The key of people's hashes: of this use alone, from the deployment's secret."""
    return sha256(b"similar|" + secret).digest()


def entry(record: ev.EventRecord, secret: bytes) -> Entry | None:
    """What is kept of a registration; None where nothing is. `secret`: from `key`. Raises MsgspecError."""
    came = next((e for e in record.events if isinstance(e, ev.CaseRegistered)), None)
    if came is None or came.appeal_kind == "report":
        return None
    asked = _asked(came.request)
    spot = _spot(asked.place)
    return Entry(
        case=record.case, number=came.number, at=came.received_at,
        people=() if came.disclosure == "anonymous" else tuple(_people(asked.applicant, secret)),
        region=came.region, spot=blake2b(spot.encode(), key=secret, digest_size=8).digest() if spot else b"",
        matter=came.matter or came.category, centre=came.centre, sketch=sketch(asked.text), title=sketch(asked.title),
        shown=came.disclosure == "open",
        urgent=came.urgency == "emergency" or any(isinstance(e, ev.EmergencyRedirected) for e in record.events),
        mergeable=came.appeal_kind != "application",
        closed=any(isinstance(e, ev.CaseClosed) for e in record.events),
    )  # fmt: skip


def _people(party: _Party | None, secret: bytes) -> Iterable[bytes]:
    if party is None:
        return
    phone = "".join(filter(str.isdigit, party.phone or "")).removeprefix("0086")
    if len(phone) == 13 and phone.startswith("86"):
        phone = phone[2:]
    if len(phone) >= 7:
        yield blake2b(f"phone|{phone}".encode(), key=secret, digest_size=16).digest()
    if party.id_number:
        yield blake2b(f"id|{party.id_number.upper()}".encode(), key=secret, digest_size=16).digest()


def _spot(place: _Place | None) -> str:
    if place is None:
        return ""
    return place.building_code or (fold_place(place.address) if place.address else "") or place.grid or ""


def fold_place(address: str) -> str:
    """One width and case, no blanks and no punctuation: digits stay, as they tell one house from another."""
    return "".join(filter(str.isalnum, address.casefold()))


def sketch(text: str) -> "array[int]":
    """The smallest hashes of its pairs of characters, ascending; of a short text none."""
    folded = fold(text)
    pairs = {folded[at : at + 2] for at in range(len(folded) - 1)}
    return array("I", nsmallest(KEPT, {crc32(pair.encode()) for pair in pairs}) if len(pairs) >= SHORT else ())


def likeness(one: "array[int]", other: "array[int]") -> float:
    """The share of pairs that both texts have, estimated; 0 where either is too short."""
    if not one or not other:
        return 0.0
    mine, theirs = set(one), set(other)
    smallest = nsmallest(KEPT, mine | theirs)
    return sum(pair in mine and pair in theirs for pair in smallest) / len(smallest)


@dataclass
class Index:
    """The requests of the window, by who, and by what and where. The same requests in the same order say the same."""

    limits: Similar
    by_case: dict[str, Entry] = field(default_factory=dict)
    order: deque[Entry] = field(default_factory=deque)
    by_person: defaultdict[bytes, deque[Entry]] = field(default_factory=lambda: defaultdict(deque))
    by_matter: defaultdict[tuple[str, str], deque[Entry]] = field(default_factory=lambda: defaultdict(deque))
    urgent: defaultdict[tuple[str, bytes], deque[Entry]] = field(default_factory=lambda: defaultdict(deque))
    now: int = 0

    def take(self, record: ev.EventRecord, secret: bytes) -> list[Found]:
        """What a record adds, and what is to be said of it to its case. Raises MsgspecError."""
        known = self.by_case.get(record.case)
        if known is not None:
            for event in record.events:
                self._follow(known, event)
            return []
        came = entry(record, secret)
        if came is None:
            return []
        found = [] if came.closed else list(self._found(came))
        self._keep(came)
        return found

    @staticmethod
    def _follow(known: Entry, event: Any) -> None:
        if isinstance(event, ev.CaseClosed):
            known.closed = True
        elif isinstance(event, ev.MergeConfirmed):
            known.head = event.head
        elif isinstance(event, ev.HeadLeft):
            known.head = ""

    def _found(self, came: Entry) -> Iterable[Found]:
        since = came.at - self.limits.days * 86_400_000
        if again := self._again(came, since):
            yield Found("repeat", len(again) + 1, _others(again) if came.shown else ())
        if (alike := self._alike(came, since)) is not None:
            yield Found("alike", 2, (alike[1].other,), round(alike[0], 2))
        if self.limits.group > 1 and (many := self._group(came, since)):
            yield Found("group", len(many) + 1, _others(many) if came.shown else ())
        if came.urgent and (near := self._burst(came)):
            yield Found("burst", len(near) + 1, _others(near) if came.shown else ())

    def _again(self, came: Entry, since: int) -> list[Entry]:
        """The same person about the same matter, oldest first."""
        mine = {other.case: other for person in came.people for other in self.by_person.get(person, ())}
        return [
            other for other in mine.values()
            if other.at >= since and ((other.matter == came.matter and came.matter) or self._is_alike(came, other))
        ]  # fmt: skip

    def _is_alike(self, one: Entry, other: Entry) -> float:
        """How much they have in common where that is enough, else 0."""
        here = bool(one.spot) and one.spot == other.spot
        text, title = likeness(one.sketch, other.sketch), likeness(one.title, other.title)
        least = (self.limits.alike_here,) * 2 if here else (self.limits.alike, self.limits.alike_title)
        return max(text, title) if text >= least[0] or title >= least[1] else 0.0

    def _alike(self, came: Entry, since: int) -> tuple[float, Entry] | None:
        """The one that it is most alike and could be handled with: the head where that is merged already."""
        best: tuple[float, Entry] | None = None
        if not (came.shown and came.mergeable):
            return None
        for other in self._newest(came):
            head = self.by_case.get(other.head) if other.head else other
            if head is None or head.closed or other.at < since or not (other.shown and other.mergeable and head.shown):
                continue
            if head.centre == came.centre and (score := self._is_alike(came, other)) > (best[0] if best else 0):
                best = score, head
        return best

    def _group(self, came: Entry, since: int) -> list[Entry]:
        """Others' about the same, one a person; said when there are so many, and each time they have doubled."""
        people, found = set(came.people), []
        for other in self._newest(came):
            if other.at >= since and people.isdisjoint(other.people) and self._is_same_thing(came, other):
                people.update(other.people)
                found.append(other)
        return found[::-1] if _is_told(len(found) + 1, self.limits.group) else []

    def _newest(self, came: Entry) -> Iterable[Entry]:
        """About this matter in this division, the newest first."""
        return islice(reversed(self.by_matter.get((came.region, came.matter), ())), COMPARED)

    def _is_same_thing(self, came: Entry, other: Entry) -> bool:
        here = bool(came.spot) and came.spot == other.spot and bool(came.matter)
        return here or self._is_alike(came, other) > 0

    def _burst(self, came: Entry) -> list[Entry]:
        since = came.at - self.limits.burst_hours * 3_600_000
        near = [other for other in self.urgent.get((came.region, came.spot), ()) if other.at >= since]
        return near if _is_told(len(near) + 1, self.limits.burst) else []

    # -- keeping ----------------------------------------------------------------------------------

    def _keep(self, came: Entry) -> None:
        self.by_case[came.case] = came
        self.order.append(came)
        for shelf in self._shelves(came):
            shelf.append(came)
        self.now = max(self.now, came.at)
        while self.order and (
            len(self.order) > MOST or self.order[0].at < self.now - self.limits.days * 86_400_000
        ):  # fmt: skip
            self._drop(self.order.popleft())

    def _drop(self, gone: Entry) -> None:
        """The oldest of all is the oldest on each of its shelves."""
        if self.by_case.get(gone.case) is gone:
            del self.by_case[gone.case]
        for shelf in self._shelves(gone):
            shelf.popleft()
        for shelves, name in self._names(gone):
            if not shelves[name]:
                del shelves[name]

    def _shelves(self, one: Entry) -> list[deque[Entry]]:
        return [shelves[name] for shelves, name in self._names(one)]

    def _names(self, one: Entry) -> list[tuple[Any, Any]]:
        names: list[tuple[Any, Any]] = [(self.by_person, person) for person in one.people]
        names.append((self.by_matter, (one.region, one.matter)))
        return [*names, (self.urgent, (one.region, one.spot))] if one.urgent else names


def _others(found: Iterable[Entry]) -> tuple[Other, ...]:
    """Those that may be named, the newest at the end."""
    return tuple([other.other for other in found if other.shown][-SHOWN:])


def _is_told(count: int, first: int) -> bool:
    """At the first so many, and at each doubling: one notice for eighty callers would be too few, eighty too many."""
    return count >= first and count % first == 0 and (count // first).bit_count() == 1
