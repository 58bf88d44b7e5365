"""
Policies that are like others: `like` names a policy or a pattern, and the row says only what is different.

`pattern: NAME` in place of `id` is a row that is nobody's policy: what many have in common, said once. Name, source and
grade are never taken over: who copies a limit says where his own comes from. `clocks` as a list replaces all of them; as
a mapping it changes those it names, `leg finish: 9wd` (of whom, kind and, of a task, the reason) or `leg finish: {budget:
9wd, start: receipt}`, and `leg contact: none` leaves one out. All is resolved when the catalogue is read: what a case runs
by stands in full in its version of the catalogue, as if it had been written out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from router.catalogue.findings import At, Findings
from router.catalogue.reading import Document, Path, Spot, convert
from workflows.policies import Policy

OWN = ("id", "pattern", "like", "name", "source", "grade")
"""What a row says for itself alone."""
ORDER = ("case", "leg", "task")
"""Clocks of a case start in this order."""
NONE = "none"
DEEP = 10
"""Rows that are like each other in a row: whoever reads the last one should find the first."""


Origin = tuple[Document, Path]


class _Written(NamedTuple):
    """A row as it stands in a file."""

    document: Document
    path: Path
    value: dict[str, Any]


class _Whole(NamedTuple):
    """A row with all that it takes over; `origins`: where each field and each clock was written."""

    value: dict[str, Any]
    origins: Mapping[Path, Origin]
    sound: bool = True
    depth: int = 0


class _Clock(NamedTuple):
    """A clock, and where each of its fields was written."""

    value: dict[str, Any]
    origins: dict[str, Origin]

    @property
    def name(self) -> tuple[Any, Any, Any]:
        return self.value.get("of"), self.value.get("kind"), self.value.get("reason", "")


class _Resolved(Document):
    """Knows of each part of a row the place at which it was written, be it another row's."""

    def __init__(self, row: _Written, origins: Mapping[Path, Origin]) -> None:
        self.file, self._row, self._origins = row.document.file, row, origins

    def at(self, *path: str | int) -> At:
        inner = path[len(self._row.path) :]
        for depth in range(len(inner), 0, -1):
            if (origin := self._origins.get(inner[:depth])) is not None:
                document, written = origin
                return document.at(*written, *inner[depth:])
        return self._row.document.at(*self._row.path, *inner)


def read_policies(documents: Sequence[Document], findings: Findings) -> Iterator[tuple[Spot, Policy]]:
    """The policies of these files, each in full. Whoever is like a faulty one is passed over: that one is to be mended."""
    rows = [row for document in documents for row in _rows(document, findings)]
    named: dict[str, _Written] = {}
    for row in rows:
        first = named.setdefault(_name(row), row)
        if first is not row and ("pattern" in row.value or "pattern" in first.value):
            at = first.document.at(*first.path)
            findings.add("duplicate_id", row.document.at(*row.path), id=_name(row), first=f"{at.file}:{at.line}")
        if "pattern" in row.value and "id" in row.value:
            where = ".".join(map(str, row.path)) or "-"
            findings.add("unknown_field", row.document.at(*row.path, "id"), where=where, field="id", problem="")
    resolver = _Resolver(named, findings)
    for row in rows:
        whole = resolver.whole(row, ())
        document = _Resolved(row, whole.origins)
        if "pattern" in row.value:
            continue
        policy = convert(document, whole.value, Policy, row.path, findings) if whole.sound else None
        if policy is not None:
            yield Spot(document.at(*row.path), document, row.path), policy


def _rows(document: Document, findings: Findings) -> Iterator[_Written]:
    value = document.value
    listed = isinstance(value, list)
    for index, item in enumerate(value if listed else [value] if value is not None else []):
        path: Path = (index,) if listed else ()
        if isinstance(item, dict):
            yield _Written(document, path, item)
        else:
            convert(document, item, Policy, path, findings)


def _name(row: _Written) -> str:
    return str(row.value.get("pattern", row.value.get("id", "")))


class _Resolver:
    """Each row in full, once."""

    def __init__(self, named: Mapping[str, _Written], findings: Findings) -> None:
        self._named, self._findings = named, findings
        self._whole: dict[int, _Whole] = {}

    def whole(self, row: _Written, above: tuple[str, ...]) -> _Whole:
        if id(row.value) not in self._whole:
            self._whole[id(row.value)] = self._resolved(row, above)
        return self._whole[id(row.value)]

    def _resolved(self, row: _Written, above: tuple[str, ...]) -> _Whole:
        like, sound = self._like(row, above)
        value, origins = dict(like.value), dict(like.origins)
        for field in OWN:
            value.pop(field, None)
        for field, said in row.value.items():
            if field not in ("pattern", "like") and not (field == "clocks" and isinstance(said, dict)):
                value[field] = said
                origins = {path: origin for path, origin in origins.items() if path[0] != field}
                origins[(field,)] = (row.document, (*row.path, field))
        if sound and isinstance(row.value.get("clocks"), dict):
            sound = self._change(row, value, origins)
        whole = _Whole(value, origins, sound, like.depth + 1)
        return whole if not sound or "pattern" not in row.value else whole._replace(sound=self._is_sound(row, whole))

    def _like(self, row: _Written, above: tuple[str, ...]) -> tuple[_Whole, bool]:
        nothing = _Whole({}, {})
        if "like" not in row.value:
            return nothing, True
        like, at = str(row.value["like"]), row.document.at(*row.path, "like")
        chain = (*above, _name(row))
        if like in chain:
            self._findings.add("like_circle", at, id=like)
            return nothing, False
        if like not in self._named:
            self._findings.add("like_unknown", at, id=like)
            return nothing, False
        whole = self.whole(self._named[like], chain) if len(chain) < DEEP else nothing._replace(depth=DEEP)
        if whole.depth >= DEEP:
            self._findings.add("like_deep", at, limit=DEEP)
        return whole, whole.sound and whole.depth < DEEP

    def _change(self, row: _Written, value: dict[str, Any], origins: dict[Path, Origin]) -> bool:
        """The clocks that a row names, over those it takes over."""
        clocks = [
            _Clock(clock, _origins_of(clock, i, origins))
            for i, clock in enumerate(value.get("clocks", ()))
            if isinstance(clock, dict)
        ]
        for name, said in row.value["clocks"].items():
            path = (*row.path, "clocks", name)
            of, _, rest = name.partition(" ")
            kind, _, reason = rest.partition(" ")
            named = {"of": of, "kind": kind} | ({"reason": reason} if reason else {})
            at = next((i for i, clock in enumerate(clocks) if clock.name == (of, kind, reason)), None)
            if of not in ORDER or not kind or (at is None and said == NONE):
                self._findings.add("clock_unknown", row.document.at(*path), name=name)
                return False
            if said == NONE:
                del clocks[at or 0]
                continue
            changes = (said if isinstance(said, dict) else {"budget": said}) | named
            inner = {field: (row.document, (*path, field) if isinstance(said, dict) else path) for field in changes}
            if at is None:
                clocks.append(_Clock(changes, inner))
            else:
                clocks[at] = _Clock(clocks[at].value | changes, clocks[at].origins | inner)
        clocks.sort(key=lambda clock: ORDER.index(clock.name[0]) if clock.name[0] in ORDER else len(ORDER))
        value["clocks"] = [clock.value for clock in clocks]
        for old in [old for old in origins if old[0] == "clocks"]:
            del origins[old]
        origins[("clocks",)] = (row.document, (*row.path, "clocks"))
        for i, clock in enumerate(clocks):
            origins.update({("clocks", i, field): origin for field, origin in clock.origins.items()})
        return True

    def _is_sound(self, row: _Written, whole: _Whole) -> bool:
        filled = {"id": _name(row), "name": "-", "source": "-", "grade": "mem", "clocks": [], **whole.value}
        return convert(_Resolved(row, whole.origins), filled, Policy, row.path, self._findings) is not None


def _origins_of(clock: Mapping[str, Any], index: int, origins: Mapping[Path, Origin]) -> dict[str, Origin]:
    """Where each field of a clock that is taken over was written: on its own, or in a list."""
    document, path = origins[("clocks",)]
    return {field: origins.get(("clocks", index, field), (document, (*path, index, field))) for field in clock}
