"""
The directory as decisions ask it: workflows.facts.Facts over one catalogue version.

On the engine's hot path: what repeats (chains, views, routes, resolutions) is kept in dictionaries
that are emptied when they grow too large. All answers are functions of the version and the arguments.
"""

import hashlib
from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Raw, json

from router.catalogue.alarm import Alarm
from router.catalogue.rosters import Rosters
from router.catalogue.routes import Routes
from router.catalogue.rows import LEVELS
from router.catalogue.views import Views
from router.rules.index import PLAIN
from router.rules.model import COLUMNS, Match, Rule, View
from router.rules.naive import lineage
from router.rules.validity import is_on
from workflows.calendars import Calendar
from workflows.facts import (
    Duty,
    Listed,
    Office,
    Procedure,
    RequestView,
    Route,
    Target,
    Unit,
)
from workflows.policies import Policy

if TYPE_CHECKING:
    from router.catalogue.catalogue import Catalogue, DirectoryUnit

CENTRE = ("hotline", "triage")
OFFICES: Mapping[str, tuple[str, str]] = {
    "centre": CENTRE,
    "supervisor": ("supervision-office", "supervise"),
    "leaders_office": ("government", "supervise"),
    "arbiter": ("hotline", "arbitrate"),
}
"""The function and role that make a unit an office of its place (workflows/rights.py)."""
NONE: Mapping[str, Listed] = {}
SUPERVISION = Target(function="supervision-office", role="supervise")
"""Who holds this function in this role is the centre (热线办) of its place."""
ARBITRATION = Target(function="hotline", role="arbitrate")
CACHE = 50_000
"""Answers kept of each kind of question: 1 KB each at most. There are as many questions as places, functions and categories meet."""
PLACE, KIND = COLUMNS.index("place_under"), COLUMNS.index("kind")

Value = TypeVar("Value")


class CatalogueFacts:
    """Implements workflows.facts.Facts for one Catalogue. Not for several threads."""

    def __init__(self, catalogue: "Catalogue") -> None:
        self._catalogue = catalogue
        self.version = catalogue.version
        self.emergency_policy = catalogue.header.emergency_policy
        self._parents = {code: place.parent for code, place in catalogue.divisions.items()}
        self._matter_parents = {code: row.parent for code, row in catalogue.matters.items()}
        self._category_parents = {code: row.parent for code, row in catalogue.categories.items()}
        self._units = dict(_units(catalogue))
        self._holders = {key: tuple(self._units[unit] for unit in ids) for key, ids in holders(catalogue.units).items()}
        below: dict[str, list[Unit]] = {}
        for unit in catalogue.units.values():
            below.setdefault(unit.parent, []).append(self._units[unit.id])
        self._children = {parent: tuple(units) for parent, units in below.items()}
        self._procedures = {
            code: Procedure(name_zh=row.name_zh, name_en=row.name_en, policy=row.policy, basis=row.basis)
            for code, row in catalogue.procedures.items()
        }
        self._reasons: dict[str, dict[str, Listed]] = {}
        for row in catalogue.reasons.values():
            listed = Listed(name_zh=row.name_zh, name_en=row.name_en, basis=row.basis)
            self._reasons.setdefault(row.action, {})[row.code] = listed
        self._reasons["redirect"] = {
            row.id: Listed(name_zh=row.name or row.id, name_en=row.name_en or row.id)
            for row in catalogue.emergencies.values()
        }
        self._rosters = Rosters(catalogue.rosters.values())
        self._alarm = Alarm(catalogue, self._category_parents)
        self._index = catalogue.index
        self._named = self._index.named[KIND:PLAIN]
        self._views = Views(
            self._index, {code: place.level for code, place in catalogue.divisions.items()},
            self._matter_chain, self._category_chain, self.region_chain, self.calendar,
        )  # fmt: skip
        self.routes = Routes(catalogue, self._matter_chain, self._category_chain)
        self._routes: dict[Any, Route] = {}
        self._resolved: dict[Any, Unit | None] = {}
        self._centres: dict[tuple[str, str], Unit] = {}
        self._calendars: dict[str, Calendar] = {}
        self._calendar_of_unit = catalogue.calendar_of_unit
        self._telling_places: dict[str, str] = {}
        self._region_chains: dict[str, tuple[str, ...]] = {}
        self._matter_chains: dict[str, tuple[str, ...]] = {}
        self._category_chains: dict[str, tuple[str, ...]] = {}

    # -- what decisions ask ------------------------------------------------------------------------

    def emergency(self, channel: str, request: RequestView) -> Target | None:
        """Who takes it before any rule: by the category, by a word of the title, or because the channel says so."""
        return self._alarm.receiver(request)

    def emergencies(self) -> Mapping[str, Target]:
        """By the id of a row of emergencies.yaml."""
        return self._alarm.by_code

    def route(self, channel: str, request: RequestView, now: int, raw: bytes | Raw, received_at: int) -> Route:
        """The first rule by number, and those that add to it; the loader makes sure that one always holds."""
        key: tuple[Hashable, ...] = (channel, self._index.period(now), self._telling(request))
        view = None
        if self._index.deep:
            view = self.asked(channel, request, raw, received_at)
            beyond = self._index.beyond(view)
            if beyond is None:
                return self._routed(view, now, channel, request)
            key = (*key, beyond)
        route = self._routes.get(key)
        if route is None:
            view = view or self.asked(channel, request, raw, received_at)
            route = _keep(self._routes, key, self._routed(view, now, channel, request))
        return route

    def by(self, rule: Rule, adding: tuple[Rule, ...], channel: str, request: RequestView) -> Route:
        """What this rule would do with a request, and those that add to it, whether they hold or not."""
        added = tuple(Match(rule=more, why=()) for more in adding)
        return self.routes.of(Match(rule=rule, why=()), added, channel, request)

    def _routed(self, view: View, now: int, channel: str, request: RequestView) -> Route:
        match = self._index.first(view, now)
        if match is None:
            raise LookupError("no rule matches: the catalogue has no fallback")
        return self.routes.of(match, self._index.adding(view, now), channel, request)

    def _telling(self, request: RequestView) -> tuple[str, ...]:
        """
        What of a request can make a difference to its route: what some rule asks for, and category and matter, which name
        functions. Most places stand in no rule, so requests from everywhere share their routes.
        """
        kind, category, matter, region, origin, applicant, urgency, thing = _asked(request)
        kinds, origins, applicants, urgencies = self._named
        place = self._telling_places.get(region)
        if place is None:
            place = _keep(self._telling_places, region, region if self._is_named(region) else "")
        return (
            category, matter, place, thing, kind if kind in kinds else "", origin if origin in origins else "",
            applicant if applicant in applicants else "", urgency if urgency in urgencies else "",
        )  # fmt: skip

    def _is_named(self, region: str) -> bool:
        """Whether some rule asks for the place or for one above it."""
        return not self._index.named[PLACE].isdisjoint(self.region_chain(region))

    def view(self, channel: str, raw: bytes | Raw, received_at: int) -> View:
        """What rules can see of a request as it was sent, whether some rule of this catalogue asks for it or not."""
        return self._views.whole(channel, raw, received_at)

    def asked(self, channel: str, request: RequestView, raw: bytes | Raw, received_at: int) -> View:
        """What a route looks at: as much of `view` as the rules of this catalogue ask for."""
        return self._views.asked(channel, request, raw, received_at)

    def resolve(
        self, target: Target, region: str, matter: str = "", excluded: frozenset[str] = frozenset()
    ) -> Unit | None:
        """The nearest holder from the place upwards; with recusal one level up, then the supervising role."""
        key = (target, region, matter, excluded)
        try:
            return self._resolved[key]
        except KeyError:
            return _keep(self._resolved, key, self._resolve(target, region, matter, excluded))

    def unit(self, unit: str) -> Unit | None:
        return self._units.get(unit)

    def superior(self, unit: str) -> Unit | None:
        known = self._units.get(unit)
        return self._units.get(known.ancestors[0]) if known and known.ancestors else None

    def children(self, unit: str) -> tuple[Unit, ...]:
        return self._children.get(unit, ())

    def centre(self, channel: str, region: str) -> Unit:
        """The nearest centre at or above the place; for an unknown place, at or above the channel's own region."""
        known = self._centres.get((channel, region))
        return known or _keep(self._centres, (channel, region), self._centre(channel, region))

    def _centre(self, channel: str, region: str) -> Unit:
        row = self._catalogue.channels.get(channel)
        home = row.owner_region if row and row.owner_region else self._catalogue.header.province
        for place in (*self.region_chain(region), *self.region_chain(home)):
            for unit in self._holders.get((place, *CENTRE, ""), ()):
                return unit
        raise LookupError("no centre: the loader refuses such a catalogue")

    def supervisor(self, region: str, excluded: frozenset[str] = frozenset()) -> Unit | None:
        return self.resolve(SUPERVISION, region, excluded=excluded)

    def holds(self, unit: str, office: Office, region: str) -> bool:
        function, role = OFFICES[office]
        held = (self._holders.get((place, function, role, ""), ()) for place in self.region_chain(region))
        return any(unit == holder.id for holders in held for holder in holders)

    def procedures(self) -> Mapping[str, Procedure]:
        return self._procedures

    def reasons(self, action: str) -> Mapping[str, Listed]:
        return self._reasons.get(action, NONE)

    def has_category(self, code: str) -> bool:
        return code in self._catalogue.categories

    def answer(self, entry: str, now: int) -> str:
        row = self._catalogue.answers.get(entry)
        return row.text if row and is_on(row.valid_from, row.valid_to, now) else ""

    def arbiter(self, region: str, excluded: frozenset[str] = frozenset()) -> Unit | None:
        return self.resolve(ARBITRATION, region, excluded=excluded)

    def on_duty(self, unit: str, at: int) -> Duty | None:
        return self._rosters.on_duty(unit, at)

    def policy(self, policy: str) -> Policy:
        return self._catalogue.policies[policy]

    def calendar(self, region: str) -> Calendar:
        """The layers of the nearest place that has its own, else the catalogue's default."""
        known = self._calendars.get(region)
        return known or _keep(self._calendars, region, self._calendar(region))

    def _calendar(self, region: str) -> Calendar:
        of_place = self._catalogue.calendar_of_place
        nearest = next((place for place in self.region_chain(region) if place in of_place), "")
        return self._catalogue.calendars[of_place[nearest]]

    def calendar_of(self, unit: str) -> Calendar | None:
        own = self._calendar_of_unit.get(unit)
        return self._catalogue.calendars[own] if own else None

    @cached_property
    def calendars(self) -> str:
        """The default, and where and for whom another one holds; a new town that keeps the default changes nothing."""
        usual = self._catalogue.calendar_of_place[""]
        held = {code: self.calendar(code).id for code in self._catalogue.divisions}
        unusual = sorted((code, name) for code, name in held.items() if name != usual)
        own = sorted(self._calendar_of_unit.items())
        return hashlib.sha256(json.encode([usual, unusual, own])).hexdigest()[:16]

    def calendar_named(self, calendar: str) -> Calendar:
        return self._catalogue.calendars[calendar]

    # -- chains ------------------------------------------------------------------------------------

    def region_chain(self, code: str) -> tuple[str, ...]:
        """The place in force and everything above it, nearest first; an abolished code stands for its successor."""
        known = self._region_chains.get(code)
        if known is None:
            known = _keep(self._region_chains, code, tuple(_in_force(self._catalogue, self._parents, code)))
        return known

    def _matter_chain(self, code: str) -> tuple[str, ...]:
        known = self._matter_chains.get(code)
        return _keep(self._matter_chains, code, lineage(self._matter_parents, code)) if known is None else known

    def _category_chain(self, code: str) -> tuple[str, ...]:
        known = self._category_chains.get(code)
        return _keep(self._category_chains, code, lineage(self._category_parents, code)) if known is None else known

    # -- the directory -----------------------------------------------------------------------------

    def _resolve(self, target: Target, region: str, matter: str, excluded: frozenset[str]) -> Unit | None:
        places = self._from_level(self.region_chain(region), target.level)
        found = self._nearest(target.function, target.role, places, matter, excluded)
        if found is None and excluded and target.role != "supervise":
            found = self._nearest(target.function, "supervise", places, matter, excluded)
        return found

    def _from_level(self, places: tuple[str, ...], level: str) -> tuple[str, ...]:
        """The places from `level` upwards; a place that is above the level already stays where it is."""
        if not level:
            return places
        lowest = LEVELS.index(level)
        divisions = self._catalogue.divisions
        return tuple(code for code in places if LEVELS.index(divisions[code].level) >= lowest)

    def _nearest(
        self, function: str, role: str, places: tuple[str, ...], matter: str, excluded: frozenset[str]
    ) -> Unit | None:
        for place in places:
            for held in (*self._matter_chain(matter), ""):
                for unit in self._holders.get((place, function, role, held), ()):
                    if not excluded or excluded.isdisjoint((unit.id, *unit.ancestors)):
                        return unit
        return None


# -- made once per version ------------------------------------------------------------------------------


def _units(catalogue: "Catalogue") -> Iterator[tuple[str, Unit]]:
    parents = {unit.id: unit.parent for unit in catalogue.units.values()}
    for unit in catalogue.units.values():
        above = lineage(parents, unit.id)[1:]
        yield unit.id, Unit(id=unit.id, name=unit.name, endpoint=unit.endpoint, place=unit.place, ancestors=above)


def holders(units: Mapping[str, "DirectoryUnit"]) -> dict[tuple[str, str, str, str], list[str]]:
    """(place, function, role, matter) → the units that hold it: rows of their own first, then in file order."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for unit in sorted(units.values(), key=lambda unit: not unit.own):
        for held in unit.functions:
            found.setdefault((unit.place, held.function, held.role, held.matter), []).append(unit.id)
    return found


def _in_force(catalogue: "Catalogue", parents: dict[str, str], code: str) -> Iterator[str]:
    """Up the tree of places; wherever an abolished one stands, its successor goes on instead."""
    here = catalogue.region_in_force(code)
    while here:
        yield here
        above = parents.get(here, "")
        here = catalogue.region_in_force(above) if above else None


def _asked(request: RequestView) -> tuple[str, str, str, str, str, str, str, str]:
    """All of a request that a rule can ask for, beside the channel: equal answers are routed equally."""
    place, applicant, thing = request.place, request.applicant, request.one_thing
    return (
        request.appeal_kind, request.appeal_category or "", request.matter_code or "",
        (place.region if place else request.received_region) or "", request.origin, applicant.kind if applicant else "",
        request.urgency, thing.package if thing else "",
    )  # fmt: skip


def _keep(cache: dict[Any, Value], key: Any, value: Value) -> Value:
    if len(cache) >= CACHE:
        cache.clear()
    cache[key] = value
    return value
