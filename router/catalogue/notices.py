"""
A year's notice from a file, what it would change in a layer, and the layer's file with the year in it.

Read are JSON as NateScarlet/holiday-cn publishes it, CSV (`date,kind,name`; kind: off, work, 放假, 上班 …) and our own
YAML (a year as in `catalog/calendars/`, a list of them, or a layer). What is written is read again and must say what
was meant, so that no file is spoilt by the way it was written before.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Literal, NamedTuple

import msgspec
import yaml
from msgspec import Struct
from msgspec.structs import replace

from router.catalogue.findings import At, Findings
from router.catalogue.reading import Row, items, read_csv, read_yaml
from workflows.workdays import EPOCH, Layer, Rest, Rules, Year, ordinal, rules_of

Days = Sequence[tuple[date, bool, str]]
"""Single days: which, whether it is off (else worked), its name."""

LIMIT = 1_000_000
"""Bytes: a notice has some dozens of days."""
YEARS = range(1970, 2200)
"""Others are a slip of the hand, and some of them no calendar can go on from."""
KINDS = {"off": True, "rest": True, "休": True, "放假": True, "work": False, "班": False, "上班": False}


class Day(Struct, frozen=True):
    """One day of a notice."""

    date: date
    kind: Literal["off", "rest", "休", "放假", "work", "班", "上班"]
    name: str = ""


class _ForeignDay(Struct, frozen=True, rename="camel"):
    date: date
    is_off_day: bool
    name: str = ""


class _Foreign(Struct, frozen=True):
    year: int
    days: tuple[_ForeignDay, ...]
    papers: tuple[str, ...] = ()


class Notice(NamedTuple):
    """`years` as a whole; `beside`: days of other years that a notice names too (New Year's Eve), to be added to theirs."""

    years: tuple[Year, ...]
    beside: tuple[Year, ...] = ()


class Change(NamedTuple):
    """A day that would be worked where it was not, or the other way round."""

    day: date
    works: bool
    name: str


# -- reading --------------------------------------------------------------------------------------


def read_notice(file: str, data: bytes, source: str) -> Notice:
    """The years that a file speaks of, in order. CatalogueFaulty with every fault of it. `source` stands in for a missing one."""
    findings = Findings()
    if len(data) > LIMIT:
        findings.add("file_too_big", At(file), limit=LIMIT)
        findings.refuse_errors()
    found: tuple[Year, ...] = ()
    beside: tuple[Year, ...] = ()
    if file.endswith(".json"):
        found, beside = _of_json(file, data, findings)
    elif file.endswith(".csv"):
        found = years_of(((row.date, KINDS[row.kind], row.name) for _, row in read_csv(file, data, Day, findings)), "")
    else:
        found = _of_yaml(file, data, findings)
    findings.refuse_errors()
    years = tuple(replace(year, source=year.source or source) for year in sorted(found, key=lambda year: year.year))
    try:
        rules_of([Layer(id=file, years=(*years, *beside))])
    except ValueError as error:
        findings.add("bad_value", At(file), where=file, problem=error)
    for year in (*years, *beside):
        if year.year not in YEARS:
            findings.add("bad_value", At(file), where=file, problem=year.year)
    if not years or len({year.year for year in years}) < len(years):
        findings.add("no_notice", At(file))
    findings.refuse_errors()
    return Notice(years, beside)


def _of_json(file: str, data: bytes, findings: Findings) -> Notice:
    try:
        said = msgspec.json.decode(data, type=_Foreign)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        findings.add("bad_value", At(file), where=file, problem=error)
        return Notice(())
    years = years_of(((day.date, day.is_off_day, day.name) for day in said.days), " ".join(said.papers))
    its_own = tuple(year for year in years if year.year == said.year)
    return Notice(its_own, tuple(year for year in years if year.year != said.year))


def _of_yaml(file: str, data: bytes, findings: Findings) -> tuple[Year, ...]:
    document = read_yaml(file, data, findings)
    if document is None or document.value is None:
        return ()
    first = document.value[0] if isinstance(document.value, list) and document.value else document.value
    if isinstance(first, dict) and "years" in first:
        return tuple(year for _, layer in items(document, Layer, findings) for year in layer.years)
    return tuple(year for _, year in items(document, Year, findings))


def years_of(days: Iterable[tuple[date, bool, str]], source: str) -> tuple[Year, ...]:
    """Single days, off or worked, as years: neighbours with one name are one holiday."""
    ordered = sorted(set(days))
    return tuple(
        _year(year, list(of_year), source) for year, of_year in groupby(ordered, key=lambda said: said[0].year)
    )


def _year(year: int, days: Days, source: str) -> Year:
    off = [(day, name) for day, is_off, name in days if is_off]
    spans = groupby(enumerate(off), key=lambda at: (ordinal(at[1][0]) - at[0], at[1][1]))
    rest = [(name, [day for _, (day, _) in run]) for (_, name), run in spans]
    return Year(
        year=year,
        source=source,
        rest=tuple(Rest(first=run[0], last=run[-1] if len(run) > 1 else None, name=name) for name, run in rest),
        work=tuple(day for day, is_off, _ in days if not is_off),
    )


# -- what it would change -------------------------------------------------------------------------


def merged(layer: Layer, notice: Notice, at: At) -> Layer:
    """
    The layer with the notice's years in the place of its own; its horizon moves on with a year that follows it.

    CatalogueFaulty where a year would be missing in between, or a single day has no year to stand in.
    """
    years = {year.year: year for year in (*layer.years, *notice.years)}
    findings = Findings()
    for year in notice.beside:
        if year.year in years:
            years[year.year] = _with(years[year.year], year)
        else:
            findings.add("year_missing", at, id=layer.id, year=year.year)
    ordered = tuple(years[year] for year in sorted(years))
    for missing in sorted(set(range(min(years), max(years))) - set(years)):
        findings.add("year_missing", at, id=layer.id, year=missing)
    findings.refuse_errors()
    horizon = layer.horizon
    while (
        horizon and any(year.year == horizon.year + 1 for year in ordered) and (horizon.month, horizon.day) == (12, 31)
    ):
        horizon = date(horizon.year + 1, 12, 31)
    return replace(layer, years=ordered, horizon=horizon)


def _with(year: Year, more: Year) -> Year:
    """With the days of `more` that it does not have."""
    off, work = _off(year), set(year.work)
    rest = tuple(span for span in more.rest if not off >= _off(Year(year=year.year, rest=(span,))))
    return replace(year, rest=(*year.rest, *rest), work=(*year.work, *(day for day in more.work if day not in work)))


def _off(year: Year) -> set[date]:
    return {span.first + timedelta(n) for span in year.rest for n in range(_length(span))}


def changes(before: Rules, after: Rules, notice: Notice) -> list[Change]:
    """The days that become worked or free, in order."""
    years = (*notice.years, *notice.beside)
    names = {span.first + timedelta(n): span.name for year in years for span in year.rest for n in range(_length(span))}
    found = []
    for year in sorted({year.year for year in years}):
        for day in range(ordinal(date(year, 1, 1)), ordinal(date(year + 1, 1, 1))):
            if (works := bool(after.of(day))) != bool(before.of(day)):
                when = date.fromordinal(EPOCH + day)
                found.append(Change(when, works, names.get(when, "")))
    return found


def _length(span: Rest) -> int:
    return ((span.last or span.first) - span.first) // timedelta(1) + 1


# -- writing --------------------------------------------------------------------------------------


def written(text: str, file: str, before: Layer, after: Layer) -> str | None:
    """The file with the years of `after`; None where it is written in a way that only its author can edit."""
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    parts = {key.value: value for key, value in root.value}
    edits = [edit for year in after.years if year not in before.years for edit in _put(text, parts.get("years"), year)]
    if after.horizon != before.horizon:
        node = parts["horizon"]
        edits.append((node.start_mark.index, node.end_mark.index, str(after.horizon)))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text if _says(file, text, after) else None


def _put(text: str, years: yaml.Node | None, year: Year) -> list[tuple[int, int, str]]:
    """Where the block of a year goes: over its old one, else before the next year's or at the end of the list."""
    if years is None:
        end = len(text)
        return [(end, end, ("" if text.endswith("\n") else "\n") + "years:\n" + _block(year, "  "))]
    if not isinstance(years, yaml.SequenceNode) or years.flow_style or not years.value:
        return []
    starts = [_line(text, node.start_mark.index) for node in years.value]
    ends = [*starts[1:], _end(text, years.value[-1])]
    indent = " " * years.start_mark.column
    for node, start, end in zip(years.value, starts, ends, strict=True):
        known = int({key.value: value.value for key, value in node.value}["year"])
        if known == year.year:
            return [(start, end, _block(year, indent))]
        if known > year.year:
            return [(start, start, _block(year, indent))]
    return [(ends[-1], ends[-1], _block(year, indent))]


def _line(text: str, index: int) -> int:
    """Where the line begins."""
    return text.rfind("\n", 0, index) + 1


def _end(text: str, node: yaml.Node) -> int:
    """Behind the last line of a block: its end mark stands before whatever comes next, remarks included."""
    last = max((leaf.end_mark.index for leaf in _leaves(node)), default=node.start_mark.index)
    end = text.find("\n", last)
    return len(text) if end < 0 else end + 1


def _leaves(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False):
        return [node]
    inner = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    return [leaf for part in inner for leaf in _leaves(part)]


def _block(year: Year, indent: str) -> str:
    lines = [f"- year: {year.year}"]
    lines += [f"  source: {_text(year.source)}"] * bool(year.source)
    lines += ["  rest:"] * bool(year.rest) + [f"    - {_span(span)}" for span in year.rest]
    lines += [f"  work: [{', '.join(map(str, year.work))}]"] * bool(year.work)
    return "".join(f"{indent}{line}\n" for line in lines)


def _span(span: Rest) -> str:
    last = f", last: {span.last}" if span.last else ""
    name = f", name: {_text(span.name)}" if span.name else ""
    return f"{{first: {span.first}{last}{name}}}"


def _text(text: str) -> str:
    """Chinese words stand as they are, all else in quotes."""
    return text if re.fullmatch(r"[一-鿿]+", text) else json.dumps(text, ensure_ascii=False)


def _says(file: str, text: str, wanted: Layer) -> bool:
    findings = Findings()
    document = read_yaml(file, text.encode(), findings)
    found: list[Row] = [row for _, row in items(document, Layer, findings)] if document else []  # type: ignore[valid-type]
    return found == [wanted]
