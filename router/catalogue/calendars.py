"""
The calendars of a catalogue: layers merged per place or unit, each under a name that never means anything else.

The name is `<layer>@<8 hex digits>` of what was merged. A running clock keeps the name; so that a later
version can still answer for it, the publisher carries the layers of every calendar it ever published
in `calendars/retained/`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import msgspec

from router.catalogue.expand import circles
from router.catalogue.findings import At, Findings
from router.catalogue.rows import Header
from router.catalogue.tables import RETAINED, Files, Table, read_layers
from workflows.calendars import Calendar, looked_at
from workflows.workdays import Layer, published, rules_of

Layers = tuple[Layer, ...]
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(tuple[Layer, ...]).decode


@dataclass(frozen=True)
class Calendars:
    """By name; the layers each was merged from; which holds in a place (`""`: where no place has its own), for a unit."""

    by_id: Mapping[str, Calendar]
    layers: Mapping[str, Layers]
    of_place: Mapping[str, str]
    of_unit: Mapping[str, str]

    def name_of(self, calendar: str) -> str | None:
        """The full name of a calendar that is given by it or by the id of its last layer."""
        if calendar in self.by_id:
            return calendar
        return next((name for name, layers in self.layers.items() if layers[-1].id == calendar), None)


def read_calendars(files: Files) -> Calendars:
    """The calendars of a catalogue's files. CatalogueFaulty where one of them is wrong, whatever else may be."""
    findings = Findings()
    calendars = calendars_of(files, *read_layers(files, findings), findings, findings)
    findings.refuse_errors()
    return calendars


def calendars_of(
    files: Files, header: Header | None, table: Table[Layer], findings: Findings, checked: Findings
) -> Calendars:
    """Every layer of the folder as a calendar, and the retained ones. `checked` takes the faults that leave a calendar usable."""
    by_id: dict[str, Calendar] = {}
    layers: dict[str, Layers] = {}
    of_place: dict[str, str] = {}
    of_unit: dict[str, str] = {}
    for layer, merged in _stacks(table, findings).items():
        name = named(merged)
        at = table.spots[layer].at()
        calendar = _merge(name, merged, at, findings, checked)
        if calendar is not None:
            by_id[name], layers[name] = calendar, merged
            if header and layer == header.default_calendar:
                of_place[""] = name
            if place := table.rows[layer].place:
                _claim(of_place, place, name, at, findings)
            for unit in table.rows[layer].units or ():
                _claim(of_unit, unit, name, at, findings)
    for file in sorted(file for file in files if file.startswith(RETAINED)):
        _retained(file, files[file], by_id, layers, findings)
    return Calendars(by_id, layers, of_place, of_unit)


def named(layers: Layers) -> str:
    """`<last layer>@<hash of all>`"""
    return f"{layers[-1].id}@{hashlib.sha256(_encode(layers)).hexdigest()[:8]}"


def retained(layers: Layers) -> bytes:
    """How the publisher carries a calendar on."""
    return _encode(layers)


def _stacks(table: Table[Layer], findings: Findings) -> dict[str, Layers]:
    """Each layer with all it is laid over, the most general first. A circle or a missing parent is a finding."""
    loose = circles({key: (row.parent, spot.at()) for key, spot, row in table}, findings)
    stacks = {}
    for key, spot, row in table:
        stack = [row]
        while stack[0].parent and stack[0].id not in loose:
            above = table.rows.get(stack[0].parent)
            if above is None:
                findings.add("dangling", spot.at("parent"), kind="日历层", kind_en="calendar", id=stack[0].parent)
                break
            stack.insert(0, above)
        stacks[key] = tuple(stack)
    return stacks


@lru_cache(maxsize=256)
def _tabled(name: str, layers: Layers) -> Calendar:
    """The same layers are the same calendar in every version: its day tables are made once per process."""
    return Calendar.merge(name, layers)


def _merge(name: str, layers: Layers, at: At, findings: Findings, checked: Findings) -> Calendar | None:
    if not any(layer.hours for layer in layers):
        return None  # a layer of days only: it is there to be laid under others
    said = False
    try:
        said = _never_open(layers, at, checked)
        return _tabled(name, layers)
    except ValueError as error:
        if not said or checked is not findings:
            findings.add("bad_value", at, where=layers[-1].id, problem=error)
        return None


@lru_cache(maxsize=256)
def _gaps(layers: Layers) -> tuple[tuple[date, date] | None, tuple[date, date] | None]:
    """The part of every year without hours, and the stretch of days without open time, up to a year beyond the horizon."""
    rules, (first, horizon) = rules_of(layers), published(layers)
    return rules.without_hours(), rules.closed(*looked_at(first, horizon + 366))


def _never_open(layers: Layers, at: At, findings: Findings) -> bool:
    without, closed = _gaps(layers)
    if without:
        findings.add("no_hours", at, id=layers[-1].id, first=f"{without[0]:%m-%d}", last=f"{without[1]:%m-%d}")
    elif closed:
        findings.add("no_open_time", at, id=layers[-1].id, first=closed[0], last=closed[1])
    return bool(without or closed)


def _claim(owned: dict[str, str], who: str, name: str, at: At, findings: Findings) -> None:
    """A place or unit has one calendar of its own."""
    if who in owned:
        findings.add("duplicate_id", at, id=who, first=owned[who])
    owned.setdefault(who, name)


def _retained(
    file: str, data: bytes, by_id: dict[str, Calendar], layers: dict[str, Layers], findings: Findings
) -> None:
    try:
        merged = _decode(data)
        name = named(merged)
        by_id.setdefault(name, _tabled(name, merged))
        layers.setdefault(name, merged)
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        findings.add("bad_value", At(file), where=file, problem=type(error).__name__)
