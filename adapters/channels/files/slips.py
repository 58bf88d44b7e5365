"""
Slips written on paper while nothing else worked: CSV with the columns of `COLUMNS`, codes and words already ours.

`received_at` is what the slip says, in Beijing time where it names no offset; a day without an hour is refused, because the
citizen's clock starts then. Day and number of the slip are the request's id: a file that is sent twice files
nothing twice.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from adapters.channels.files.foreign import Foreign, LineFault

BEIJING = timezone(timedelta(hours=8))
NEEDED = ("number", "received_at", "title", "text")
COLUMNS = (*NEEDED, "kind", "category", "region", "address", "name", "phone")
FIELDS = {"kind": "appeal_kind", "category": "appeal_category"}


def read_slips(lines: Iterable[str]) -> Iterator[Foreign | LineFault]:
    """Each slip as a request or as the fault that keeps it from being one; the next one is read all the same."""
    table = csv.DictReader(lines, restval="", restkey="")
    try:
        header = table.fieldnames or ()
        if missing := [name for name in NEEDED if name not in header]:
            yield LineFault(1, "missing_column", ", ".join(missing))
        elif unknown := [name for name in header if name not in COLUMNS]:
            yield LineFault(1, "unknown_column", ", ".join(unknown))
        else:
            for row in table:
                yield _slip_or_fault(table.line_num, row)
    except csv.Error:
        yield LineFault(table.line_num + 1, "not_csv")


def _slip_or_fault(number: int, row: Mapping[str, str]) -> Foreign | LineFault:
    try:
        return _slip(number, row)
    except LineFault as fault:
        return fault


def _slip(number: int, row: Mapping[str, str]) -> Foreign:
    if "" in row:
        raise LineFault(number, "not_csv")
    said = {name: value.strip() for name, value in row.items() if value.strip()}
    for name in NEEDED:
        if name not in said:
            raise LineFault(number, "missing_field", name)
    received = _moment(number, said["received_at"])
    data: dict[str, Any] = {ours: said[name] for name, ours in FIELDS.items() if name in said}
    data |= {"received_at": received.isoformat(), "backfilled": True}
    if applicant := {name: said[name] for name in ("name", "phone") if name in said}:
        data["applicant"] = applicant
    place: dict[str, Any] = {name: said[name] for name in ("region", "address") if name in said}
    return Foreign(
        number,
        f"slip-{received:%Y%m%d}-{said['number']}",
        received,
        said["title"],
        said["text"],
        place=place,
        data=data,
    )


def _moment(number: int, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise LineFault(number, "bad_time", "received_at") from error
    if ":" not in text:
        raise LineFault(number, "bad_time", "received_at")
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)
