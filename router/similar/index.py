"""
What requests of some weeks have in common: who came again, what looks alike, what many say of one place. Pure.

Nothing personal is kept. A person is the keyed hash of a phone or identity number, which nobody can turn round or guess
without the deployment's secret; a text is a sketch (router/similar/sketch.py). 举报 is not in here at all. Whoever does not show
his name is counted, but named to nobody and never put to anybody for a merger; nobody knows how many the anonymous are,
so that all of them together count as one person.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Reversible
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from itertools import islice
from typing import Any, Literal

import msgspec
from msgspec import Struct

from router.catalogue.rows import Similar
from router.similar.sketch import Likeness, Sketch, sketch
from workflows import events as ev
from workflows.commands import Other

SHOWN = 20
"""Other cases that a proposal names."""
COMPARED = 500
"""Requests of one matter and division, or of one person, that a new one is compared with: the newest."""
MOST = 200_000
"""Requests that are kept, whatever the window: about 2 KB each."""
NOBODY = b""
"""Stands for everybody who is not known."""

What = Literal["repeat", "alike", "group", "burst"]


class Found(Struct, frozen=True):
    """Something to say to `case`."""

    case: str
    what: What
    count: int
    others: tuple[Other, ...]
    score: float = 0.0


@dataclass(slots=True, eq=False)
class Entry:
    """
    A request as the index keeps it. `head`: the case that it is handled with. `rank`: when it was registered, and as which
    of its shard's day, as all that is decided together has one time.

    `origin`: the number under which its applicant came; a part that was split off has that of the case it was part of.
    """

    case: str
    number: str
    origin: str
    at: int
    rank: tuple[int, int]
    people: tuple[bytes, ...]
    region: str
    spot: bytes
    matter: str
    centre: str
    sketch: Sketch
    title: Sketch
    shown: bool
    """its applicant shows his name: others' dispatchers may learn of the case"""
    urgent: bool
    mergeable: bool
    closed: bool = False
    head: str = ""
    is_known: bool = False
    """it was taken over from another system: that many, or somebody again, say it is no news to anybody"""

    @property
    def other(self) -> Other:
        return Other(self.case, self.number)

    @property
    def is_part(self) -> bool:
        return self.origin != self.number


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
        case=record.case, number=came.number, origin=came.part_of or came.number, at=came.received_at,
        rank=(record.at, int(came.number.rsplit("-", 2)[1])),
        people=() if came.disclosure == "anonymous" else tuple(_people(asked.applicant, secret)),
        region=came.region, spot=blake2b(spot.encode(), key=secret, digest_size=8).digest() if spot else b"",
        matter=came.matter or came.category, centre=came.centre, sketch=sketch(asked.text), title=sketch(asked.title),
        shown=came.disclosure == "open",
        urgent=came.urgency == "emergency" or any(isinstance(e, ev.EmergencyRedirected) for e in record.events),
        mergeable=came.appeal_kind != "application",
        closed=any(isinstance(e, ev.CaseClosed) for e in record.events),
        is_known=any(isinstance(e, ev.CaseTakenOver) for e in record.events),
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


class _Looking:
    """What is looked for: a new request, ready to be compared with many."""

    def __init__(self, came: Entry, limits: Similar) -> None:
        self._came, self._text, self._title = came, Likeness(came.sketch), Likeness(came.title)
        self._here, self._elsewhere = (limits.alike_here,) * 2, (limits.alike, limits.alike_title)

    def is_here(self, other: Entry) -> bool:
        return bool(self._came.spot) and self._came.spot == other.spot

    def score(self, other: Entry) -> float:
        """How much they have in common where that is enough, else 0."""
        least = self._here if self.is_here(other) else self._elsewhere
        if not (self._text.may_reach(other.sketch, least[0]) or self._title.may_reach(other.title, least[1])):
            return 0.0
        text, title = self._text.to(other.sketch), self._title.to(other.title)
        return max(text, title) if text >= least[0] or title >= least[1] else 0.0


@dataclass
class Index:
    """
    The requests of the window, by who, and by what and where.

    Of two the one that was registered later hears of the other, in whichever order they are read: partitions overtake each
    other, and a replay in another order must not have both hear.
    """

    limits: Similar
    by_case: dict[str, Entry] = field(default_factory=dict)
    order: deque[Entry] = field(default_factory=deque)
    by_person: defaultdict[bytes, deque[Entry]] = field(default_factory=lambda: defaultdict(deque))
    by_matter: defaultdict[tuple[str, str], deque[Entry]] = field(default_factory=lambda: defaultdict(deque))
    urgent: defaultdict[tuple[str, bytes], deque[Entry]] = field(default_factory=lambda: defaultdict(deque))
    now: int = 0
    last: tuple[int, int] = (0, 0)
    """the highest rank that was read"""

    def take(self, record: ev.EventRecord, secret: bytes) -> list[Found]:
        """What a record adds, and what is to be said of it to its case, or to those it was overtaken by. Raises MsgspecError."""
        came = self._came(record, secret)
        if came is None:
            return []
        looking = _Looking(came, self.limits)
        found = list(self._found(came, looking))
        overtaken = came.rank < self.last
        self._keep(came)
        if overtaken:
            for other in self._ahead(came, looking):
                found += self._found(other, _Looking(other, self.limits))
        return found

    def remember(self, record: ev.EventRecord, secret: bytes) -> None:
        """Take a record of which all was said: it is compared with nothing. Raises MsgspecError."""
        came = self._came(record, secret)
        if came is not None:
            self._keep(came)

    def _came(self, record: ev.EventRecord, secret: bytes) -> Entry | None:
        """What is new and kept; what happens to one that is known is noted."""
        known = self.by_case.get(record.case)
        if known is None:
            return entry(record, secret)
        for event in record.events:
            self._follow(known, event)
        return None

    @staticmethod
    def _follow(known: Entry, event: Any) -> None:
        if isinstance(event, ev.CaseClosed):
            known.closed = True
        elif isinstance(event, ev.MergeConfirmed):
            known.head = event.head
        elif isinstance(event, ev.HeadLeft):
            known.head = ""

    def _found(self, came: Entry, looking: _Looking) -> Iterable[Found]:
        if came.closed or came.is_part:
            return
        since = came.at - self.limits.days * 86_400_000
        if not came.is_known and (again := self._again(came, since, looking)):
            yield Found(came.case, "repeat", len(again) + 1, _others(again) if came.shown else ())
        near = self._near(came, since, looking)
        if (alike := self._alike(came, near)) is not None:
            yield Found(came.case, "alike", 2, (alike[1].other,), round(alike[0], 2))
        if came.is_known:
            return
        if self.limits.group > 1 and (many := self._group(came, near)):
            yield Found(came.case, "group", len(many) + 1, _others(many) if came.shown else ())
        if came.urgent and (burst := self._burst(came)):
            yield Found(came.case, "burst", len(burst) + 1, _others(burst) if came.shown else ())

    def _ahead(self, came: Entry, looking: _Looking) -> list[Entry]:
        """The next few that came after it, have something in common with it, and were read before it."""
        later = {
            other.case: other for shelf in self._shelves(came) for other in _newest(shelf)
            if other.rank > came.rank and (
                looking.is_here(other) or looking.score(other) or not set(came.people).isdisjoint(other.people)
            )
        }  # fmt: skip
        return sorted(later.values(), key=lambda other: other.rank)[:SHOWN]

    def _again(self, came: Entry, since: int, looking: _Looking) -> list[Entry]:
        """The same person about the same matter, oldest first; one entry for each time that he came."""
        mine = {
            other.case: other for person in came.people for other in _newest(self.by_person.get(person, ()))
        }  # fmt: skip
        return _by_origin(
            other for other in mine.values()
            if _is_other(came, other, since) and ((other.matter == came.matter and came.matter) or looking.score(other))
        )  # fmt: skip

    def _near(self, came: Entry, since: int, looking: _Looking) -> list[tuple[Entry, float]]:
        """Of this matter in this division, newest first: what is alike, by how much, and what is about the same place."""
        return [
            (other, score) for other in _newest(self.by_matter.get((came.region, came.matter), ()))
            if _is_other(came, other, since) and ((score := looking.score(other)) or (came.matter and looking.is_here(other)))
        ]  # fmt: skip

    def _alike(self, came: Entry, near: list[tuple[Entry, float]]) -> tuple[float, Entry] | None:
        """The one that it is most alike and could be handled with: the head where that is merged already."""
        best: tuple[float, Entry] | None = None
        if not (came.shown and came.mergeable):
            return None
        for other, score in near:
            head = self.by_case.get(other.head) if other.head else other
            if head is None or head.closed or not (other.shown and other.mergeable and head.shown):
                continue
            if head.centre == came.centre and score > (best[0] if best else 0):
                best = score, head
        return best

    def _group(self, came: Entry, near: list[tuple[Entry, float]]) -> list[Entry]:
        """
        Others' about the same, one a person; said when there are so many, and each time they have doubled.

        Not where the same person came before: nobody was added, and it was said when he did.
        """
        mine, people, found = _who(came), set(_who(came)), list[Entry]()
        for other, _ in near:
            who = _who(other)
            if not mine.isdisjoint(who):
                return []
            if people.isdisjoint(who):
                people |= who
                found.append(other)
        return found[::-1] if _is_told(len(found) + 1, self.limits.group) else []

    def _burst(self, came: Entry) -> list[Entry]:
        """Within the hours before it came, or after that, where it was registered later than others: a paper slip."""
        within = self.limits.burst_hours * 3_600_000
        near = _by_origin(
            other for other in self.urgent.get((came.region, came.spot), ())
            if _is_other(came, other, came.at - within) and other.at <= came.at + within
        )  # fmt: skip
        return near if _is_told(len(near) + 1, self.limits.burst) else []

    # -- keeping ----------------------------------------------------------------------------------

    def _keep(self, came: Entry) -> None:
        self.by_case[came.case] = came
        self.order.append(came)
        for shelf in self._shelves(came):
            shelf.append(came)
        self.now, self.last = max(self.now, came.at), max(self.last, came.rank)
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


def _newest(shelf: Reversible[Entry]) -> Iterable[Entry]:
    """The newest first."""
    return islice(reversed(shelf), COMPARED)


def _is_other(came: Entry, other: Entry, since: int) -> bool:
    """Came before, within the time; and is not a part of its own."""
    return other.rank < came.rank and other.at >= since and other.origin != came.origin


def _who(one: Entry) -> frozenset[bytes]:
    return frozenset(one.people or (NOBODY,))


def _by_origin(found: Iterable[Entry]) -> list[Entry]:
    """Oldest first, and but one of what came as one request and was split."""
    return list({other.origin: other for other in sorted(found, key=lambda other: other.at)}.values())


def _others(found: Iterable[Entry]) -> tuple[Other, ...]:
    """Those that may be named, the newest at the end."""
    return tuple([other.other for other in found if other.shown][-SHOWN:])


def _is_told(count: int, first: int) -> bool:
    """At the first so many, and at each doubling: one notice for eighty callers would be too few, eighty too many."""
    return count >= first and count % first == 0 and (count // first).bit_count() == 1
