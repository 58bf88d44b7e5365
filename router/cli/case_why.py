"""Why the clocks of a case are due when they are: their days, told from the read model and this machine's calendars."""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from adapters.readmodel import CaseFile, ClockRow
from router.catalogue.calendars import Calendars, read_calendars
from router.catalogue.findings import CatalogueFaulty
from router.catalogue.load import read_folder
from workflows.calendars import budget
from workflows.ledger import Row, ledger


class Reasons:
    """Ledgers of a case's clocks, by the very calendars that they were started with."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog

    @cached_property
    def _calendars(self) -> Calendars | None:
        try:
            return read_calendars(read_folder(self._catalog))
        except CatalogueFaulty:
            return None

    def days(self, clock: ClockRow, file: CaseFile) -> tuple[Row, ...] | None:
        """Its days, pauses left out; None where the catalogue on this machine does not have its calendar."""
        known = self._calendars
        if known is None or clock.calendar not in known.by_id:
            return None
        received = clock.anchor - 1 if clock.start == "next_day" else clock.anchor
        calendar, layers = known.by_id[clock.calendar], known.layers[clock.calendar]
        limit = budget(clock.budget)
        by_law = clock.kind == "statutory" and limit.unit == "d"
        ends = calendar.add(clock.anchor, clock.budget, "receipt", "end_of_day").at if by_law else 0
        return ledger(calendar, layers, limit.unit, list(_runs(clock, file)), received, ends)


def _runs(clock: ClockRow, file: CaseFile) -> Iterator[tuple[int, int]]:
    """From when until when it ran, or will: from its anchor to its due but for the pauses."""
    begun: int | None = clock.anchor
    for step in file.timeline:
        name = step.type.partition(".")[0]
        if name not in ("ClockPaused", "ClockWentOn"):
            continue
        detail = json.loads(step.detail)
        if (detail["kind"], detail.get("of", "")) != (clock.kind, clock.of):
            continue
        if name == "ClockPaused" and begun is not None:
            yield begun, max(begun, step.at)
            begun = None
        elif name == "ClockWentOn" and begun is None:
            begun = detail["since"]
    if begun is not None:
        yield begun, max(begun, clock.due)
