"""All files of a catalogue as tables by id, each row with its place in its file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec import Struct

from router.catalogue import reading, rows
from router.catalogue.findings import At, Findings
from router.catalogue.patterns import read_policies
from router.catalogue.reading import Spot
from router.proposals.model import ModelFile, ModelUnusable, read
from router.rules.model import Rule
from workflows.policies import Policy
from workflows.workdays import Layer

Row = TypeVar("Row", bound=Struct)
Files = Mapping[str, bytes]

RETAINED = "calendars/retained/"
"""Calendars of earlier versions that running clocks still name; the publisher carries them on."""


class Table(Generic[Row]):
    """Rows by id, in file order. A second row of the same id is a finding and is dropped."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.spots: dict[str, Spot] = {}

    def add(self, key: str, spot: Spot, row: Row, findings: Findings) -> None:
        if key in self.rows:
            first = self.spots[key].at()
            findings.add("duplicate_id", spot.at(), id=key, first=f"{first.file}:{first.line}")
            return
        self.rows[key], self.spots[key] = row, spot

    def __iter__(self) -> Iterator[tuple[str, Spot, Row]]:
        return ((key, self.spots[key], row) for key, row in self.rows.items())


class Pair(Struct, frozen=True):
    """Our code for a foreign word; empty: known, but nothing of ours."""

    code: str


@dataclass(frozen=True)
class Tables:
    """What the files say, before anything is checked or expanded."""

    header: rows.Header | None
    divisions: Table[rows.DivisionRow]
    towns: Table[rows.TownRow]
    villages: Table[rows.VillageRow]
    functions: Table[rows.FunctionRow]
    templates: Table[rows.TemplateRow]
    units: Table[rows.UnitRow]
    endpoints: Table[rows.EndpointRow]
    channels: Table[rows.ChannelRow]
    categories: Table[rows.CategoryRow]
    keywords: Table[rows.KeywordRow]
    model: ModelFile | None
    matters: Table[rows.MatterRow]
    duties: Table[rows.DutyRow]
    systems: Table[rows.SystemRow]
    data_items: Table[rows.DataItemRow]
    procedures: Table[rows.ProcedureRow]
    reasons: Table[rows.ReasonRow]
    rosters: Table[rows.RosterRow]
    emergencies: Table[rows.EmergencyRow]
    answers: Table[rows.AnswerRow]
    rules: Table[Rule]
    policies: Table[Policy]
    calendars: Table[Layer]
    one_things: Table[rows.OneThing]
    vocabularies: Mapping[str, Table[Pair]]


class _Reader:
    """Reads the files one table at a time and remembers which were asked for."""

    def __init__(self, files: Files, findings: Findings) -> None:
        self._files, self._findings = files, findings
        self.read: set[str] = set()

    def table(self, where: str, kind: type[Row], key: str, optional: bool = False) -> Table[Row]:
        """`where` is a file, or a folder ending in `/` of which every file belongs to the table.

        optional: catalogues of earlier days do without it."""
        table: Table[Row] = Table()
        for file in () if optional and where not in self._files else self._members(where):
            read = self._csv if file.endswith(".csv") else self._yaml
            for spot, row in read(file, kind):
                table.add(getattr(row, key), spot, row, self._findings)
        return table

    def policies(self) -> Table[Policy]:
        """All at once: one may be like another that stands in another file."""
        table: Table[Policy] = Table()
        files = self._members("policies/")
        read = (reading.read_yaml(file, self._files[file], self._findings) for file in files)
        documents = [document for document in read if document is not None]
        for spot, row in read_policies(documents, self._findings):
            table.add(row.id, spot, row, self._findings)
        return table

    def one(self, file: str, kind: type[Row]) -> Row | None:
        found = [row for file in self._members(file) for _, row in self._yaml(file, kind)]
        return found[0] if found else None

    def model(self, file: str) -> ModelFile | None:
        """What was trained to propose categories, where there is such a thing."""
        if file not in self._files:
            return None
        self.read.add(file)
        try:
            return read(self._files[file])
        except ModelUnusable as error:
            self._findings.add("bad_model", At(file), problem=error)
            return None

    def vocabularies(self) -> dict[str, Table[Pair]]:
        return {
            file.removeprefix("vocabularies/").removesuffix(".csv"): self._pairs(file)
            for file in self._members("vocabularies/")
        }

    def _members(self, where: str) -> list[str]:
        found = [file for file in sorted(self._files) if _within(file, where)]
        if not found and not where.endswith("/"):
            self._findings.add("file_missing", At(where))
        self.read.update(found)
        return found

    def _csv(self, file: str, kind: type[Row]) -> Iterator[tuple[Spot, Row]]:
        return reading.read_csv(file, self._files[file], kind, self._findings)

    def _yaml(self, file: str, kind: type[Row]) -> Iterator[tuple[Spot, Row]]:
        document = reading.read_yaml(file, self._files[file], self._findings)
        return reading.items(document, kind, self._findings) if document else iter(())

    def _pairs(self, file: str) -> Table[Pair]:
        table: Table[Pair] = Table()
        for spot, value, code in reading.read_pairs(file, self._files[file], self._findings):
            table.add(value, spot, Pair(code), self._findings)
        return table


def _within(file: str, where: str) -> bool:
    if not where.endswith("/"):
        return file == where
    return file.startswith(where) and not file.startswith(RETAINED) and file.endswith((".csv", ".yaml"))


def read_layers(files: Files, findings: Findings) -> tuple[rows.Header | None, Table[Layer]]:
    """What a catalogue says of calendars alone: who only asks for a due date need not read the rest."""
    reader = _Reader(files, findings)
    return reader.one("catalogue.yaml", rows.Header), reader.table("calendars/", Layer, "id")


def read_tables(files: Files, findings: Findings) -> Tables:
    """Every table of the catalogue; what cannot be read is in `findings`."""
    reader = _Reader(files, findings)
    t: Callable[..., Any] = reader.table
    tables = Tables(
        header=reader.one("catalogue.yaml", rows.Header),
        divisions=t("places/divisions.csv", rows.DivisionRow, "code"),
        towns=t("places/towns.csv", rows.TownRow, "code9"),
        villages=t("places/villages.csv", rows.VillageRow, "code12"),
        functions=t("units/functions.csv", rows.FunctionRow, "function"),
        templates=t("units/templates.csv", rows.TemplateRow, "template"),
        units=t("units/units.csv", rows.UnitRow, "id"),
        endpoints=t("endpoints.csv", rows.EndpointRow, "id"),
        channels=t("channels.csv", rows.ChannelRow, "id"),
        categories=t("categories.csv", rows.CategoryRow, "code"),
        keywords=t("proposals/keywords/", rows.KeywordRow, "keyword"),
        model=reader.model("proposals/model.json"),
        matters=t("matters.csv", rows.MatterRow, "code"),
        duties=t("lists/duties.csv", rows.DutyRow, "id"),
        systems=t("lists/systems.csv", rows.SystemRow, "id"),
        data_items=t("lists/data_items.csv", rows.DataItemRow, "id"),
        procedures=t("lists/procedures.csv", rows.ProcedureRow, "code", optional=True),
        reasons=t("lists/reasons.csv", rows.ReasonRow, "id", optional=True),
        rosters=t("rosters/", rows.RosterRow, "id"),
        emergencies=t("emergencies.yaml", rows.EmergencyRow, "id"),
        answers=t("answers/", rows.AnswerRow, "id"),
        rules=t("rules/", Rule, "id"),
        policies=reader.policies(),
        calendars=t("calendars/", Layer, "id"),
        one_things=t("one_things/", rows.OneThing, "id"),
        vocabularies=reader.vocabularies(),
    )
    for file in sorted(set(files) - reader.read):
        if not file.startswith(RETAINED):
            findings.add("file_unknown", At(file))
    return tables
