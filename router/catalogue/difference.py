"""What differs between two catalogues, row by row."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from router.catalogue.catalogue import Catalogue

COMPARED = (
    "divisions", "units", "functions", "endpoints", "channels", "categories", "matters", "duties", "systems", "data_items",
    "procedures", "reasons", "emergencies", "rules", "policies", "calendars", "one_things", "vocabularies",
)  # fmt: skip
PLACING = {"at", "own"}
"""Fields that say where a row stood in its file, not what it says."""


class Difference(Struct, frozen=True, kw_only=True):
    """One row that was added, removed or changed; `fields` are those that changed."""

    table: str
    id: str
    change: Literal["added", "changed", "removed"]
    fields: tuple[str, ...] = ()


def compare(before: Catalogue, after: Catalogue) -> tuple[Difference, ...]:
    """Every difference, table by table."""
    return tuple(
        found for table in COMPARED for found in compare_rows(table, getattr(before, table), getattr(after, table))
    )


def compare_rows(
    table: str, before: Mapping[str, Any], after: Mapping[str, Any], fields: Iterable[str] | None = None
) -> Iterator[Difference]:
    """The differences of one table; of `fields` only where given."""
    only = None if fields is None else frozenset(fields)
    for key in (*before, *(key for key in after if key not in before)):
        if key not in after:
            yield Difference(table=table, id=key, change="removed")
        elif key not in before:
            yield Difference(table=table, id=key, change="added")
        else:
            changed = tuple(name for name in _changed(before[key], after[key]) if only is None or name in only)
            if changed:
                yield Difference(table=table, id=key, change="changed", fields=changed)


def _changed(before: Any, after: Any) -> Iterator[str]:
    if not isinstance(before, Struct):
        yield from ("value",) if before != after else ()
        return
    for field in before.__struct_fields__:
        if field not in PLACING and getattr(before, field) != getattr(after, field):
            yield field
