"""Places and units in full: three lists become one tree of places, templates become the units of every place."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from router.catalogue.catalogue import DirectoryUnit, Held, Place
from router.catalogue.findings import At, Findings
from router.catalogue.reading import Spot
from router.catalogue.rows import ROLES, EndpointRow, TemplateRow, UnitRow
from router.catalogue.tables import Table, Tables

DEFAULT_DOOR = "desk"


def places_of(tables: Tables, findings: Findings) -> dict[str, Place]:
    """Divisions, towns and villages as one tree; what stands in a circle of parents is cut loose."""
    table: Table[Place] = Table()
    for place, spot in _all_places(tables):
        table.add(place.code, spot, place, findings)
    loose = circles({code: (row.parent, row.at) for code, row in table.rows.items()}, findings)
    return {code: replace(place, parent="") if code in loose else place for code, place in table.rows.items()}


def _all_places(tables: Tables) -> Iterator[tuple[Place, Spot]]:
    for code, spot, division in tables.divisions:
        yield (
            Place(
                code=code, name=division.name, level=division.level, kind=division.kind, parent=division.parent,
                abolished=division.valid_to, successors=division.successors, at=spot.at(),
            ),
            spot,
        )  # fmt: skip
    for code, spot, town in tables.towns:
        yield Place(code=code, name=town.name, level="town", kind=town.kind, parent=town.parent, at=spot.at()), spot
    for code, spot, village in tables.villages:
        yield (
            Place(code=code, name=village.name, level="village", kind="village", parent=village.parent, at=spot.at()),
            spot,
        )


def circles(parents: Mapping[str, tuple[str, At]], findings: Findings) -> set[str]:
    """The ids at which circles of parents are to be cut, one finding per circle."""
    settled: set[str] = set()
    cut: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        here = start
        while here in parents and here not in settled and here not in path:
            path[here] = None
            here = parents[here][0]
        if here in path:
            ring = list(path)[list(path).index(here) :]
            findings.add("cycle", parents[here][1], path=" → ".join((*ring, here)))
            cut.add(here)
        settled.update(path)
    return cut


def held(texts: tuple[str, ...], at: At, findings: Findings) -> tuple[Held, ...]:
    """`function`, `function:role` or `function:role@matter`, as the tables write what a unit holds."""
    found = []
    for text in texts:
        duty, _, matter = text.partition("@")
        function, _, role = duty.partition(":")
        if (role or "handle") not in ROLES:
            findings.add("bad_role", at, role=role)
            continue
        found.append(Held(function, role or "handle", matter))
    return tuple(found)


class _Expansion:
    def __init__(self, tables: Tables, places: Mapping[str, Place], findings: Findings) -> None:
        self._tables, self._places, self._findings = tables, places, findings
        self.units: dict[str, DirectoryUnit] = {}

    def templates(self) -> None:
        at_level: dict[str, list[Place]] = {}
        for place in self._places.values():
            if not place.abolished:
                at_level.setdefault("functional_zone" if place.kind == "functional_zone" else place.level, []).append(
                    place
                )
        for _, spot, row in self._tables.templates:
            functions = held(row.functions, spot.at(), self._findings)
            for place in at_level.get(row.level, ()):
                self._add(row, place, functions, spot.at())
        self._set_parents()

    def _add(self, row: TemplateRow, place: Place, functions: tuple[Held, ...], at: At) -> None:
        unit = f"{place.code}.{row.short}"
        if unit in self.units:
            self._findings.add(
                "duplicate_id", at, id=unit, first=f"{self.units[unit].at.file}:{self.units[unit].at.line}"
            )
            return
        name = row.name_pattern.replace("{place}", place.name)
        # the parent is set when all units are there; until then it names the template
        self.units[unit] = DirectoryUnit(
            id=unit, name=name, kind=row.kind, place=place.code, parent=row.parent_template, functions=functions, at=at
        )

    def _set_parents(self) -> None:
        templates = self._tables.templates.rows
        for unit in list(self.units.values()):
            template = templates.get(unit.parent)
            parent = self._above(unit, template) if template else ""
            if template and not parent:
                self._findings.add("parent_not_found", unit.at, unit=unit.id, template=template.template)
            self.units[unit.id] = replace(unit, parent=parent)

    def _above(self, unit: DirectoryUnit, template: TemplateRow) -> str:
        """The nearest unit called like the parent template's: in the same place between templates of one level, else above."""
        same = self._level(self._places[unit.place]) == template.level
        place = unit.place if same else self._places[unit.place].parent
        while place in self._places:
            wanted = f"{place}.{template.short}"
            if wanted in self.units and wanted != unit.id:
                return wanted
            place = self._places[place].parent
        return ""

    @staticmethod
    def _level(place: Place) -> str:
        return "functional_zone" if place.kind == "functional_zone" else place.level

    def rows(self) -> None:
        for unit, spot, row in self._tables.units:
            functions = held(row.functions, spot.at(), self._findings)
            base = self.units.get(unit) or DirectoryUnit(
                id=unit, name="", kind="department", place=unit.partition(".")[0]
            )
            self.units[unit] = replace(_overridden(base, row), functions=functions, own=True, at=spot.at())

    def cut_circles(self) -> None:
        for unit in circles({unit.id: (unit.parent, unit.at) for unit in self.units.values()}, self._findings):
            self.units[unit] = replace(self.units[unit], parent="")


def _overridden(base: DirectoryUnit, row: UnitRow) -> DirectoryUnit:
    """What the row leaves empty stays as the template made it."""
    said = {"name": row.name, "kind": row.kind, "place": row.place, "parent": row.parent, "endpoint": row.endpoint}
    return replace(base, **{field: value for field, value in said.items() if value})


def units_of(tables: Tables, places: Mapping[str, Place], findings: Findings) -> dict[str, DirectoryUnit]:
    """Every unit of the province with its parent and its door."""
    expansion = _Expansion(tables, places, findings)
    expansion.templates()
    expansion.rows()
    expansion.cut_circles()
    doors = _doors(tables.endpoints, findings)
    return {unit.id: replace(unit, endpoint=_door(unit, doors)) for unit in expansion.units.values()}


def _doors(endpoints: Table[EndpointRow], findings: Findings) -> dict[str, str]:
    """Unit id or pattern → endpoint."""
    doors: dict[str, str] = {}
    for endpoint, spot, row in endpoints:
        for pattern in row.units:
            if pattern in doors:
                findings.add("two_doors", spot.at(), pattern=pattern, first=doors[pattern])
            doors.setdefault(pattern, endpoint)
    if DEFAULT_DOOR in endpoints.rows:
        doors.setdefault("*", DEFAULT_DOOR)
    return doors


def _door(unit: DirectoryUnit, doors: Mapping[str, str]) -> str:
    """Its own, else by id, by what it is called in its place, by its place, else the default."""
    short = unit.id.partition(".")[2]
    wanted = (unit.id, f"*.{short}", f"{unit.place}.*", "*")
    return unit.endpoint or next((doors[pattern] for pattern in wanted if pattern in doors), "")
