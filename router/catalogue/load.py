"""From files to a catalogue, or to every reason why not."""

import gc
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from router.catalogue.calendars import Layers, calendars_of
from router.catalogue.catalogue import Catalogue
from router.catalogue.check import check
from router.catalogue.expand import circles, places_of, units_of
from router.catalogue.findings import At, CatalogueFaulty, Finding, Findings
from router.catalogue.rows import CategoryRow, MatterRow
from router.catalogue.tables import Files, Table, Tables, read_tables
from workflows.policies import Policy

Row = TypeVar("Row", bound=Struct)
BEARABLE = frozenset(
    {"after_fallback", "equal_numbers", "expired_code", "nobody_holds", "no_fallback", "target_without_duty"}
)
"""Errors that leave a catalogue whole enough to look at its rules further."""


class FolderUnreadable(Exception):
    """A file or folder of a catalogue is there and cannot be read: the name says which."""


def load(folder: Path, version: int = 0) -> Catalogue:
    """The catalogue in a folder. Raises CatalogueFaulty with every finding when it has errors."""
    return from_files(read_folder(folder), version)


def from_files(files: Files, version: int = 0) -> Catalogue:
    """The catalogue in these files (path below the folder → content). Raises CatalogueFaulty as `load` does."""
    findings = Findings()
    with _no_garbage():
        return from_tables(files, read_tables(files, findings), findings, version)


def from_stored(files: Files, version: int = 0) -> Catalogue:
    """
    The catalogue of a version that was published. Raises CatalogueFaulty where it cannot be read.

    The release that published it checked it. What a later release checks beyond that is among its findings and refuses
    nothing: a version in force must not become unreadable by an upgrade (docs/adr/0010).
    """
    findings = Findings()
    with _no_garbage():
        return from_tables(files, read_tables(files, findings), findings, version, checked=Findings())


def salvaged(files: Files) -> tuple[Mapping[str, Layers], Mapping[str, Policy]]:
    """The calendars and policies of a version that cannot be read as a whole: running clocks and cases name them."""
    findings = Findings()
    with _no_garbage():
        tables = read_tables(files, findings)
    return calendars_of(files, tables.header, tables.calendars, findings, findings).layers, _rows(tables.policies)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Almost all that is made while a catalogue is read stays: the collector would walk over it again and again, for half the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def from_tables(
    files: Files, tables: Tables, findings: Findings, version: int = 0, checked: Findings | None = None
) -> Catalogue:
    """
    The catalogue that these tables make; `files` is what is kept of it. Raises CatalogueFaulty as `load` does, but not for
    what is found in `checked`, where it is told apart from what could not be read.
    """
    catalogue = _made(files, tables, findings, version, checked)
    findings.refuse_errors()
    if catalogue is None:
        raise CatalogueFaulty(findings.all())
    return catalogue


def readable(files: Files) -> tuple[Catalogue | None, tuple[Finding, ...]]:
    """
    The catalogue and all that is wrong with it; none where more than BEARABLE is.

    Only for looking at it further (router/catalogue/analyse.py): one with an error must not be used.
    """
    findings = Findings()
    with _no_garbage():
        catalogue = _made(files, read_tables(files, findings), findings, version=0)
    return catalogue, findings.all()


def _made(
    files: Files, tables: Tables, findings: Findings, version: int, apart: Findings | None = None
) -> Catalogue | None:
    checked = findings if apart is None else apart
    _cut_circles(tables.categories, findings)
    _cut_circles(tables.matters, findings)
    places = places_of(tables, findings)
    units = units_of(tables, places, findings)
    calendars = calendars_of(files, tables.header, tables.calendars, findings, checked)
    check(tables, places, units, checked)
    if tables.header is None or findings.errors() - BEARABLE:
        return None
    return Catalogue(
        version=version, hash=hash_of(files), header=tables.header, divisions=MappingProxyType(places), units=MappingProxyType(units),
        functions=_rows(tables.functions), endpoints=_rows(tables.endpoints), channels=_rows(tables.channels),
        categories=_rows(tables.categories), keywords=_rows(tables.keywords), model=tables.model,
        matters=_rows(tables.matters), duties=_rows(tables.duties), systems=_rows(tables.systems),
        data_items=_rows(tables.data_items), procedures=_rows(tables.procedures), reasons=_rows(tables.reasons), rosters=_rows(tables.rosters), emergencies=_rows(tables.emergencies), answers=_rows(tables.answers), rules=_rows(tables.rules),
        policies=_rows(tables.policies), calendars=calendars.by_id, calendar_layers=calendars.layers,
        calendar_of_place=calendars.of_place, calendar_of_unit=calendars.of_unit, one_things=_rows(tables.one_things), vocabularies={name: {word: pair.code for word, pair in table.rows.items()} for name, table in tables.vocabularies.items()},
        files=MappingProxyType(dict(files)), rules_at={key: spot.at() for key, spot, _ in tables.rules},
        findings=findings.all() if apart is None else (*findings.all(), *apart.all()),
    )  # fmt: skip


def inspect(folder: Path) -> tuple[Finding, ...]:
    """Every finding of a catalogue, whether it is refused or not."""
    try:
        return load(folder).findings
    except CatalogueFaulty as faulty:
        return faulty.findings


def read_folder(folder: Path) -> dict[str, bytes]:
    """The catalogue's files below a folder. Raises CatalogueFaulty when there is no such folder, FolderUnreadable."""
    if not folder.is_dir():
        findings = Findings()
        findings.add("file_missing", At(str(folder)))
        raise CatalogueFaulty(findings.all())
    try:
        kept = (path for path in sorted(_below(folder)) if path.is_file() and path.suffix in (".csv", ".yaml", ".json"))
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}
    except OSError as error:
        raise FolderUnreadable(error.filename or str(folder)) from error


def _below(folder: Path) -> Iterator[Path]:
    """Every file. Raises OSError: a folder that is passed over in silence would be a catalogue without its rules."""

    def fail(error: OSError) -> None:
        raise error

    for place, _, names in os.walk(folder, onerror=fail):
        yield from (Path(place, name) for name in names)


def hash_of(files: Files) -> str:
    """SHA-256 over the names and contents of all files."""
    return hashlib.sha256(
        "".join(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files)).encode()
    ).hexdigest()


def _cut_circles(table: Table[CategoryRow] | Table[MatterRow], findings: Findings) -> None:
    rows: dict[str, Any] = table.rows
    for key in circles({key: (row.parent, spot.at()) for key, spot, row in table}, findings):
        rows[key] = replace(rows[key], parent="")


def _rows(table: Table[Row]) -> Mapping[str, Row]:
    return MappingProxyType(table.rows)
