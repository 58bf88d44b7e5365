"""
Files into rows, with the line of each: YAML without surprises, CSV with a fixed header.

YAML is read as its safest subset: no anchors, no tags, no duplicate keys, at most 1 MB and 40 levels,
and every plain scalar is text until its field says otherwise (so `370000` stays a code and `no` a word).
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, ClassVar, TypeVar

import msgspec
import yaml

from router.catalogue.findings import At, Findings

YAML_LIMIT = 1 << 20
CSV_LIMIT = 64 << 20
"""Bytes. People write YAML by hand; a province's list of matters comes out of a system."""
DEPTH = 40
Path = tuple[str | int, ...]
Row = TypeVar("Row", bound="msgspec.Struct")

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """SafeLoader that knows text, lists and mappings only."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class Document:
    """A YAML file: its `value`, and the line (and column, where it has one) at which each part of it stands."""

    def __init__(
        self, file: str, value: Any, lines: Mapping[Path, int], columns: Mapping[Path, int] | None = None
    ) -> None:
        self.file, self.value, self._lines, self._columns = file, value, lines, columns or {}

    def at(self, *path: str | int) -> At:
        """Where `path` stands, or the nearest thing around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return At(self.file, self._lines.get(path, 1), self._columns.get(path, 0))


class Spot:
    """Where a row stands, and the parts within it as far as they have lines of their own."""

    def __init__(self, at: At, document: Document | None = None, path: Path = ()) -> None:
        self._at, self._document, self._path = at, document, path

    def at(self, *inner: str | int) -> At:
        return self._document.at(*self._path, *inner) if self._document and inner else self._at


def read_yaml(file: str, data: bytes, findings: Findings) -> Document | None:
    """The document in `data`, or None with the reasons in `findings`."""
    text = _text(file, data, YAML_LIMIT, findings)
    if text is None:
        return None
    try:
        if _surprises(file, text, findings):
            return None
        node = yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "?"
        findings.add("yaml_broken", _place(file, mark) if mark else At(file, 1), problem=problem)
        return None
    marks: dict[Path, Any] = {}
    value = _plain(file, node, (), marks, findings) if node is not None else None
    lines = {path: mark.line + 1 for path, mark in marks.items()}
    return Document(file, value, lines, {path: mark.column + 1 for path, mark in marks.items()})


def _place(file: str, mark: Any) -> At:
    return At(file, mark.line + 1, mark.column + 1)


def _text(file: str, data: bytes, limit: int, findings: Findings) -> str | None:
    if len(data) > limit:
        findings.add("file_too_big", At(file), limit=limit)
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        findings.add("not_utf8", At(file, data[: error.start].count(b"\n") + 1))
        return None


def _surprises(file: str, text: str, findings: Findings) -> bool:
    """Anchors, aliases, tags and depth, from the event stream: before anything recursive touches the text."""
    depth, found = 0, False
    events: Iterator[Any] = yaml.parse(text, _Loader)
    for event in events:
        line = _place(file, event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            findings.add("yaml_anchor", line)
            found = True
        elif getattr(event, "tag", None):
            findings.add("yaml_tag", line, tag=event.tag)
            found = True
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            findings.add("yaml_deep", line, limit=DEPTH)
            return True
    return found


def _plain(file: str, node: yaml.Node, path: Path, marks: dict[Path, Any], findings: Findings) -> Any:
    marks[path] = node.start_mark
    if isinstance(node, yaml.SequenceNode):
        return [_plain(file, item, (*path, index), marks, findings) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_entries(file, node, path, marks, findings))
    return node.value


def _entries(
    file: str, node: yaml.MappingNode, path: Path, marks: dict[Path, Any], findings: Findings
) -> Iterator[tuple[str, Any]]:
    seen = set()
    for key, value in node.value:
        if key.value in seen:
            findings.add("duplicate_key", _place(file, key.start_mark), key=key.value)
        seen.add(key.value)
        if isinstance(value, yaml.ScalarNode) and value.value == "" and value.style is None:
            continue  # `key:` with nothing behind it says nothing: the field's default holds
        here = (*path, str(key.value))
        entry = _plain(file, value, here, marks, findings)
        marks[here] = key.start_mark
        yield str(key.value), entry


def convert(document: Document, value: Any, kind: type[Row], path: Path, findings: Findings) -> Row | None:
    """`value`, which stands at `path` of the document, as a `kind`; None with a finding for everything that is wrong with it."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        for problem, inner in _faults(deepcopy(value), kind):
            field = _FIELD.search(problem)
            missing = problem.startswith(_MISSING)
            around = (*path, *inner[:-1]) if field and not missing else (*path, *inner)
            code = "bad_value" if field is None else "missing_field" if missing else "unknown_field"
            said = field.group(1) if field else ""
            findings.add(code, document.at(*path, *inner), where=_shown(around), problem=problem, field=said)
        return None


_MISSING = "Object missing"
_FIELD = re.compile(r"^Object (?:contains unknown|missing required) field `(.*)`$")
FAULTS = 50
"""Of one row; an author mends these first."""


def _faults(rest: Any, kind: type[Row]) -> Iterator[tuple[str, Path]]:
    """
    What is wrong, and where: msgspec tells the first fault, so each that was told is taken out and it is asked again.

    What it misses last of an object is the object's, unless it was taken out here.
    """
    taken: set[Path] = set()
    here: dict[int, list[int]] = {}
    if isinstance(rest, dict):  # of the row itself all at once: its unknown fields are told after what it misses
        fields = {field.encode_name: field.required for field in msgspec.structs.fields(kind)}
        for name in [name for name, required in fields.items() if required and name not in rest]:
            taken.add((name,))
            yield f"Object missing required field `{name}`", ()
        for name in [name for name in rest if name not in fields]:
            del rest[name]
            yield f"Object contains unknown field `{name}`", (name,)
    for _ in range(FAULTS):
        try:
            msgspec.convert(rest, kind, strict=False)
            return
        except msgspec.ValidationError as error:
            problem, _, where = str(error).partition(" - at `")
        path = _path_of(where.rstrip("`"))
        field = _FIELD.search(problem)
        if field and not problem.startswith(_MISSING) and "[...]" not in where:
            path = (*path, field.group(1))
        told = _as_written(rest, path, here)
        if not (field and (*told, field.group(1)) in taken):
            yield problem, told
        taken.add(told)
        if not _take_out(rest, path, here):
            return


def _as_written(value: Any, path: Path, here: dict[int, list[int]]) -> Path:
    """The path in the file, where elements of lists had other numbers before some were taken out."""
    written: list[str | int] = []
    for part in path:
        if isinstance(value, list) and isinstance(part, int):
            written.append(here.setdefault(id(value), list(range(len(value))))[part])
            value = value[part]
        else:
            written.append(part)
            value = value.get(part) if isinstance(value, dict) else None
    return tuple(written)


def _take_out(value: Any, path: Path, here: dict[int, list[int]]) -> bool:
    """Whether there was something to take out."""
    for part in path[:-1]:
        value = value[part]
    if isinstance(value, dict) and path and path[-1] in value:
        del value[path[-1]]
        return True
    if isinstance(value, list) and path and isinstance(path[-1], int):
        del value[path[-1]], here[id(value)][path[-1]]
        return True
    return False


def _path_of(text: str) -> Path:
    """msgspec's `$.clocks[0].kind` as a path; `[...]` (some key) ends it."""
    parts: list[str | int] = []
    for piece in text.removeprefix("$").replace("[", ".[").split("."):
        if piece.startswith("["):
            if not piece[1:-1].isdigit():
                break
            parts.append(int(piece[1:-1]))
        elif piece:
            parts.append(piece)
    return tuple(parts)


def _shown(path: Path) -> str:
    return ".".join(str(part) for part in path) or "文件"


def items(document: Document, kind: type[Row], findings: Findings) -> Iterator[tuple[Spot, Row]]:
    """A document that is one `kind`, or a list of them."""
    value = document.value
    if value is None:
        return
    listed = isinstance(value, list)
    for index, item in enumerate(value if listed else [value]):
        path: Path = (index,) if listed else ()
        row = convert(document, item, kind, path, findings)
        if row is not None:
            yield Spot(document.at(*path), document, path), row


def read_csv(file: str, data: bytes, kind: type[Row], findings: Findings) -> Iterator[tuple[Spot, Row]]:
    """The rows of a CSV file whose header names the fields of `kind`; lists are written `a;b;c`."""
    records = _records(file, data, findings)
    _, header = next(records, (At(file, 1), []))
    if not _header_fits(file, header, kind, findings):
        return
    lists = {field.encode_name for field in msgspec.structs.fields(kind) if "tuple" in str(field.type)}
    for at, cells in records:
        values = {
            name: _split(cell) if name in lists else cell.strip()
            for name, cell in zip(header, cells, strict=True)
            if cell.strip()
        }
        try:
            yield Spot(at), msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError as error:
            problem, _, where = str(error).partition(" - at `")
            findings.add("bad_value", at, where=_shown(_path_of(where.rstrip("`"))), problem=problem)


def read_pairs(file: str, data: bytes, findings: Findings) -> Iterator[tuple[Spot, str, str]]:
    """The first two columns of a CSV file whose header is only there for its readers."""
    records = _records(file, data, findings)
    _, header = next(records, (At(file, 1), []))
    if len(header) < 2:
        findings.add("csv_width", At(file, 1), wanted=2, found=len(header))
        return
    yield from ((Spot(at), cells[0].strip(), cells[1].strip()) for at, cells in records)


def _records(file: str, data: bytes, findings: Findings) -> Iterator[tuple[At, list[str]]]:
    """The header, then every line that is as wide as it."""
    text = _text(file, data, CSV_LIMIT, findings)
    if text is None:
        return
    reader, wanted = csv.reader(io.StringIO(text, newline=""), strict=True), 0
    try:
        for cells in reader:
            at, wanted = At(file, reader.line_num), wanted or len(cells)
            if len(cells) == wanted:
                yield at, cells
            elif cells:
                findings.add("csv_width", at, wanted=wanted, found=len(cells))
    except csv.Error as error:
        findings.add("csv_broken", At(file, reader.line_num), problem=error)


def _header_fits(file: str, header: list[str], kind: type[Row], findings: Findings) -> bool:
    fields = msgspec.structs.fields(kind)
    missing = [field.encode_name for field in fields if field.required and field.encode_name not in header]
    unknown = [name for name in header if name not in {field.encode_name for field in fields}]
    twice = len(set(header)) != len(header)
    if missing or unknown or twice:
        findings.add("csv_header", At(file, 1), wanted=", ".join(missing) or "-", unknown=", ".join(unknown) or "-")
    return not (missing or unknown or twice)


def _split(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]
