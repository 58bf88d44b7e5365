"""
Service requests of New York City's 311 line, as NYC Open Data publishes them: CSV with a header.

Times are local to New York without an offset (`05/01/2022 12:00:17 AM`); of an hour that comes twice
in autumn the first is meant. Many cells are blank. Coordinates are WGS 84, which CGCS2000 equals within centimetres.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.channels.files.foreign import Foreign, LineFault

NEW_YORK = ZoneInfo("America/New_York")
NEEDED = ("Unique Key", "Created Date", "Complaint Type")
TOLD = ("Complaint Type", "Descriptor", "Location Type", "Agency Name", "Community Board")
"""Columns that say in words what it is about."""
ADDRESS = ("Incident Address", "City", "Borough", "Incident Zip")


def read_nyc311(lines: Iterable[str]) -> Iterator[Foreign | LineFault]:
    """Each row as a request or as the fault that keeps it from being one; the next row is read all the same."""
    table = csv.DictReader(lines, restval="")
    try:
        missing = [name for name in NEEDED if name not in (table.fieldnames or ())]
        if missing:
            yield LineFault(1, "missing_column", ", ".join(missing))
            return
        for row in table:
            yield _request_or_fault(table.line_num, row)
    except csv.Error:
        yield LineFault(table.line_num + 1, "not_csv")


def _request_or_fault(number: int, row: Mapping[str, str]) -> Foreign | LineFault:
    try:
        return _request(number, row)
    except LineFault as fault:
        return fault


def _request(number: int, row: Mapping[str, str]) -> Foreign:
    for name in NEEDED:
        if not row[name].strip():
            raise LineFault(number, "missing_field", name)
    return Foreign(
        line=number,
        ref=f"nyc311-{row['Unique Key'].strip()}",
        happened=_moment(number, row["Created Date"].strip()),
        title=": ".join(_cells(row, ("Complaint Type", "Descriptor"))),
        text="\n".join(f"{name}: {row[name].strip()}" for name in TOLD if row.get(name, "").strip()),
        words={
            "category": row["Complaint Type"],
            "place": row.get("Borough", ""),
            "medium": row.get("Open Data Channel Type", ""),
        },
        place=_place(number, row),
    )


def _cells(row: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [row[name].strip() for name in names if row.get(name, "").strip()]


def _place(number: int, row: Mapping[str, str]) -> dict[str, Any]:
    place: dict[str, Any] = {"address": ", ".join(_cells(row, ADDRESS))}
    degrees = _cells(row, ("Longitude", "Latitude"))
    if len(degrees) == 2:
        try:
            place |= {"lon": float(degrees[0]), "lat": float(degrees[1])}
        except ValueError as error:
            raise LineFault(number, "bad_number", "Longitude, Latitude") from error
    return {name: value for name, value in place.items() if value != ""}


def _moment(number: int, text: str) -> datetime:
    try:
        return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=NEW_YORK)
    except ValueError as error:
        raise LineFault(number, "bad_time", "Created Date") from error
