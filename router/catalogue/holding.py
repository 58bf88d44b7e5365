"""Who holds which function where: what the checks ask of the directory."""

from collections.abc import Iterator, Mapping

from router.catalogue.catalogue import DirectoryUnit, Place
from router.catalogue.facts import holders
from router.catalogue.findings import At
from router.rules.naive import lineage


class Holding:
    """(function, role) → the places with a holder, and the places that have one below them."""

    def __init__(self, places: Mapping[str, Place], units: Mapping[str, DirectoryUnit]) -> None:
        self._units = units
        self._parents = {code: place.parent for code, place in places.items()}
        self._holders = holders(units)
        self._places: dict[tuple[str, str], set[str]] = {}
        for place, function, role, _ in self._holders:
            self._places.setdefault((function, role), set()).add(place)
        self._above = {
            key: {above for place in held for above in lineage(self._parents, place)}
            for key, held in self._places.items()
        }

    def anywhere(self, function: str, role: str) -> bool:
        """Whether any unit at all holds it."""
        return (function, role) in self._places

    def at(self, place: str, function: str, role: str) -> bool:
        """Whether a unit of this very place holds it."""
        return place in self._places.get((function, role), ())

    def reachable(self, place: str, function: str, role: str) -> bool:
        """Whether a unit holds it in the place, below it or above it."""
        key = (function, role)
        return place in self._above.get(key, ()) or any(
            above in self._places.get(key, ()) for above in lineage(self._parents, place)
        )

    def shared(self) -> Iterator[tuple[tuple[str, str, str], list[str], At]]:
        """Functions that several units of one place hold for every matter; the first is taken. Once per pair of rows."""
        seen = set()
        for (place, function, role, matter), ids in self._holders.items():
            rows = tuple(self._units[unit].at for unit in ids)
            if len(ids) > 1 and not matter and (rows, function, role) not in seen:
                seen.add((rows, function, role))
                # a row of its own goes before a template: it is the one to look at
                yield (place, function, role), ids, rows[0] if self._units[ids[0]].own else rows[1]
