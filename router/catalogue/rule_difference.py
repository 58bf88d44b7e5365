"""What differs between two sets of rules, rule by rule and cell by cell, in words a clerk reads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from router.catalogue.sheets import COLUMNS, Column, value_of, written
from router.rules.cells import Vocabularies
from router.rules.model import Box, Rule

Rules = Mapping[str, Rule]


class CellChange(Struct, frozen=True, kw_only=True):
    """
    A cell that says something else. `part`: of the rule itself (`""`), or of a box of `any` or `unless`, counted from 1.

    field `""`: the box as a whole came or went. added, removed: of a cell with several values those that did; if neither
    names any, their order changed.
    """

    field: str
    part: Literal["", "any", "unless"] = ""
    box: int = 0
    before: str = ""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class RuleChange(Struct, frozen=True, kw_only=True):
    """A rule that came, went, or says something else; `moved`: only its number is another."""

    id: str
    name: str
    change: Literal["added", "removed", "moved", "changed"]
    number: int
    was: int = 0
    cells: tuple[CellChange, ...] = ()


class Side(NamedTuple):
    """A set of rules, and what its codes and columns are called."""

    rules: Rules
    names: Vocabularies
    lang: str = "zh"


def compare_rules(before: Side, after: Side) -> tuple[RuleChange, ...]:
    """Every difference, by the number that a rule has now (or had, if it went)."""
    found = []
    for rule_id in dict.fromkeys((*before.rules, *after.rules)):
        old, new = before.rules.get(rule_id), after.rules.get(rule_id)
        if old is None and new is not None:
            cells = tuple(_alone(new, after))
            found.append(RuleChange(id=new.id, name=new.name, change="added", number=new.number, cells=cells))
        elif new is None and old is not None:
            found.append(RuleChange(id=old.id, name=old.name, change="removed", number=old.number))
        elif old is not None and new is not None and old != new:
            cells = tuple(_cells(old, new, before, after))
            moved = [cell.field for cell in cells] == ["number"]
            found.append(
                RuleChange(
                    id=new.id, name=new.name, change="moved" if moved else "changed", number=new.number, was=old.number, cells=cells
                )
            )  # fmt: skip
    return tuple(sorted(found, key=lambda change: (change.number, change.id)))


def _alone(rule: Rule, side: Side) -> Iterator[CellChange]:
    """What a new rule says."""
    for column in COLUMNS:
        text = str(written(column, value_of(rule, column.path), side.names))
        if text and column.field not in ("id", "number", "name"):
            yield CellChange(field=column.field, after=text)
    for part, boxes in _parts(rule):
        for i, box in enumerate(boxes, 1):
            yield CellChange(field="", part=part, box=i, after=_said(box, side))


def _parts(rule: Rule) -> tuple[tuple[Literal["any", "unless"], tuple[Box, ...]], ...]:
    return ("any", rule.any_of), ("unless", rule.unless)


def _cells(old: Rule, new: Rule, was: Side, now: Side) -> Iterator[CellChange]:
    for column in COLUMNS:
        mine, other = value_of(old, column.path), value_of(new, column.path)
        if mine != other:
            yield _cell(column, str(written(column, mine, was.names)), str(written(column, other, now.names)))
    for (part, before), (_, after) in zip(_parts(old), _parts(new), strict=True):
        if before != after:
            yield from _boxes(part, before, after, was, now)


def _cell(column: Column, before: str, after: str, part: Literal["", "any", "unless"] = "", box: int = 0) -> CellChange:
    mine, other = before.split("\n"), after.split("\n")
    listed = column.kind in ("codes", "words", "times", "form", "bearers")
    return CellChange(
        field=column.field, part=part, box=box, before=before, after=after,
        added=tuple(line for line in other if line and line not in mine) if listed else (),
        removed=tuple(line for line in mine if line and line not in other) if listed else (),
    )  # fmt: skip


def _boxes(
    part: Literal["any", "unless"], before: Sequence[Box], after: Sequence[Box], was: Side, now: Side
) -> Iterator[CellChange]:
    """Boxes that stand on both sides are the same; of the others the first is taken for the first, and so on."""
    gone = list(before)
    come = []
    for i, box in enumerate(after, 1):
        if box in gone:
            gone.remove(box)
        else:
            come.append((i, box))
    for (i, box), old in zip(come, gone, strict=False):
        for column in COLUMNS:
            if column.of_box and getattr(old, column.field) != getattr(box, column.field):
                mine, other = (getattr(one, column.field) for one in (old, box))
                yield _cell(
                    column, str(written(column, mine, was.names)), str(written(column, other, now.names)), part, i
                )
    yield from (CellChange(field="", part=part, box=i, after=_said(box, now)) for i, box in come[len(gone) :])
    yield from (CellChange(field="", part=part, before=_said(box, was)) for box in gone[len(come) :])
    if not gone and not come:
        order = [after.index(box) + 1 for box in before]
        yield CellChange(
            field="", part=part, before="、".join(map(str, range(1, len(order) + 1))), after="、".join(map(str, order))
        )


def _said(box: Box, side: Side) -> str:
    """A box on one line."""
    said = (
        (column, str(written(column, getattr(box, column.field), side.names))) for column in COLUMNS if column.of_box
    )
    colon = ": " if side.lang == "en" else "："
    return "；".join(f"{column.label(side.lang)}{colon}{text}".replace("\n", "、") for column, text in said if text)
