"""
What rules see of a request (router.rules.model.View), made from it as it was sent.

A catalogue's rules ask for little of what a request says, and only that is looked at on the way to a route: a value that
RequestView has is taken from there, and of the request itself no field is decoded that no rule asks for.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from msgspec import Raw

from router.catalogue import said
from router.rules.index import PLAIN, Index
from router.rules.model import COLUMNS, PRESENT, STATES, View
from workflows.calendars import Calendar
from workflows.facts import RequestView

Chain = Callable[[str], tuple[str, ...]]
"""A code with everything above it, nearest first; of an unknown code nothing."""
Told = Mapping[str, Any]
CHANNEL = COLUMNS.index("channel")
BEYOND: tuple[tuple[str, ...], ...] = ((),) * (len(COLUMNS) - PLAIN)
FIELDS = {
    "one_thing": ("one_thing",),
    "matter_under": ("matter_code",),
    "category_under": ("appeal_category",),
    "place_under": ("place", "received_region"),
    "kind": ("appeal_kind",),
    "origin": ("origin",),
    "applicant": ("applicant",),
    "urgency": ("urgency",),
    "medium": ("medium",),
    "disclosure": ("applicant",),
    "place_level": ("place", "received_region"),
    "tags": ("tags",),
}
"""Column → the fields of a request that it is read from; the channel is the topic's."""


class Views:
    """Of one catalogue version. The chains and the calendar of a place are asked of the directory."""

    def __init__(
        self, index: Index, levels: Mapping[str, str], matters: Chain, categories: Chain, regions: Chain,
        calendar: Callable[[str], Calendar],
    ) -> None:  # fmt: skip
        self._levels, self._calendar = levels, calendar
        self._matters, self._categories, self._regions = matters, categories, regions
        self._index = index
        self._reads: dict[int, Callable[[Told], tuple[str, ...]]] = {
            COLUMNS.index(column): read
            for column, read in {
                "one_thing": lambda told: said.part(told, "one_thing", "package"),
                "matter_under": lambda told: _above(said.held(told, "matter_code"), matters),
                "category_under": lambda told: _above(said.held(told, "appeal_category"), categories),
                "place_under": lambda told: _above(_place(told), regions),
                "kind": lambda told: said.held(told, "appeal_kind"),
                "origin": lambda told: said.held(told, "origin", "citizen"),
                "applicant": lambda told: said.part(told, "applicant", "kind", "person"),
                "urgency": lambda told: said.held(told, "urgency", "normal"),
                "medium": lambda told: said.held(told, "medium"),
                "disclosure": lambda told: said.part(told, "applicant", "disclosure", "open"),
                "place_level": self._level,
                "tags": lambda told: said.held(told, "tags"),
            }.items()
        }
        asked = [i for i, values in enumerate(index.named) if values and (i >= PLAIN or not STATES.isdisjoint(values))]
        self._asked = tuple((i, self._reads[i]) for i in asked if i != CHANNEL)
        fields = {field for i, _ in self._asked for field in FIELDS[COLUMNS[i]]}
        fields |= {"title", "text"} if index.wordy else set()
        fields |= {"one_thing"} if index.fields else set()
        self._decode = said.decoder(TypedDict("Asked", dict.fromkeys(fields, Any), total=False))  # type: ignore[operator]

    def whole(self, channel: str, raw: bytes | Raw, received_at: int) -> View:
        """All of it, whatever the rules ask for: column by column, trees with all that stands above."""
        told = said.decode(raw)
        return View(
            held=tuple(self._reads[i](told) if i != CHANNEL else (channel,) for i in range(len(COLUMNS))),
            text=said.text(told),
            at=received_at,
            working=self._is_working(_place(told)[0], received_at),
            form=said.form(told),
        )

    def asked(self, channel: str, request: RequestView, raw: bytes | Raw, received_at: int) -> View:
        """What some rule asks for: every rule of the catalogue holds as it does for the whole."""
        place, applicant, thing = request.place, request.applicant, request.one_thing
        region = (place.region if place else request.received_region) or ""
        held = (
            _one(thing.package if thing else ""), self._matters(request.matter_code or ""),
            self._categories(request.appeal_category or ""), self._regions(region), _one(channel), _one(request.appeal_kind),
            _one(request.origin), _one(applicant.kind if applicant else ""), _one(request.urgency), *BEYOND,
        )  # fmt: skip
        index = self._index
        if not index.deep:
            return View(held=held)
        told = self._decode(raw)
        if self._asked:
            columns = list(held)
            for i, read in self._asked:
                columns[i] = read(told)
            held = tuple(columns)
        return View(
            held=held,
            text=said.text(told) if index.wordy else "",
            at=received_at,
            working=index.timed and self._is_working(region, received_at),
            form=said.form(told, index.fields),
        )

    def _is_working(self, region: str, at: int) -> bool:
        return self._calendar(region).consumed(at, at + 1, "wh") > 0

    def _level(self, told: Told) -> tuple[str, ...]:
        place = _place(told)
        chain = self._regions(place[0])
        return (self._levels[chain[0]], PRESENT) if chain else place[-1:]


def _place(told: Told) -> tuple[str, ...]:
    """The place, else the region that received it."""
    place = said.part(told, "place", "region")
    return said.held(told, "received_region") if place[-1] != PRESENT and told.get("received_region") else place


def _one(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def _above(held: tuple[str, ...], chain: Chain) -> tuple[str, ...]:
    """A code of a tree with everything above it; the code alone is kept where the tree does not know it."""
    return (*(chain(held[0]) or held[:1]), PRESENT) if len(held) > 1 else held
