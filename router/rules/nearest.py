"""
Why a rule does not hold, cell by cell, and which rules nearly would (docs/rules.md): asked on demand, never while routing.

Of the applicant's own words nothing is told but what the rule's cell says itself: of the text the keywords that were
found in it, of tags and form fields the choices that took them, else only whether there was a value.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import fields, replace

from router.rules import naive
from router.rules.model import COLUMNS, DAYS, STATES, Box, Range, Rule, View, fold, minute_of_week
from router.rules.validity import BEIJING, window

Part = Literal["valid", "when", "any", "unless"]


class Cell(Struct, frozen=True, kw_only=True):
    """
    One column of one box: what it asks for, what the request held, and whether it holds.

    box: which of `any` or `unless`, from 1; 0 where there is but one. In a box of `unless` it had better not hold.
    """

    part: Part
    box: int
    column: str
    asked: tuple[str, ...]
    held: tuple[str, ...]
    holds: bool


class Reading(Struct, frozen=True, kw_only=True):
    """
    A rule read against a request.

    faults: the least that would have to be otherwise for it to hold, one entry a condition: a cell that should hold
    (where no box of `any` does, those of the box that lacks least), or all cells of a box of `unless`, of which one
    should not.
    """

    rule: Rule
    cells: tuple[Cell, ...]
    faults: tuple[tuple[Cell, ...], ...]

    @property
    def holds(self) -> bool:
        return not self.faults


def read(rule: Rule, view: View, now: int) -> Reading:
    """Every cell of the rule. `now` is the moment at which its validity is judged."""
    valid = tuple(_validity(rule, now))
    when = tuple(_cells(rule.when, "when", 0, view))
    some = [tuple(_cells(box, "any", i, view)) for i, box in enumerate(rule.any_of, 1)]
    none = [tuple(_cells(box, "unless", i, view)) for i, box in enumerate(rule.unless, 1)]
    lacking = [(cell,) for cell in (*valid, *when, *min(map(_failing, some), key=len, default=())) if not cell.holds]
    kept_out = [box for box in none if not _failing(box)]
    cells = (*valid, *when, *(cell for box in (*some, *none) for cell in box))
    return Reading(rule=rule, cells=cells, faults=(*lacking, *kept_out))


def nearest(
    rules: Iterable[Rule], view: View, now: int, decided: Rule | None, trees: Mapping[str, Mapping[str, str]]
) -> list[Reading]:
    """
    The rules that fail by one condition alone, those first that say most: that would have decided instead of
    `decided`, or added to it; that hold in more other cells; that ask for a code near the request's (`trees`: by column, code →
    parent); whose lead is that of `decided`; by number.
    """
    found = (read(rule, view, now) for rule in rules)
    return sorted((r for r in found if len(r.faults) == 1), key=lambda r: _rank(r, view, decided, trees))


def _rank(
    reading: Reading, view: View, decided: Rule | None, trees: Mapping[str, Mapping[str, str]]
) -> tuple[bool, int, int, bool, int, str]:
    rule = reading.rule
    order = (rule.number, rule.id)
    instead = rule.adds or decided is None or order < (decided.number, decided.id)
    holding = sum(cell.holds for cell in reading.cells if cell.part in ("when", "any"))
    near = max((_shared(cell, view, trees) for cell in reading.faults[0]), default=0)
    related = decided is not None and lead(rule) != "" and lead(rule) == lead(decided)
    return (not instead, -holding, -near, not related, *order)


def lead(rule: Rule) -> str:
    """The function that leads, if the rule dispatches."""
    return next((bearer.function for bearer in rule.then.route if bearer.part == "lead"), "")


def _shared(cell: Cell, view: View, trees: Mapping[str, Mapping[str, str]]) -> int:
    """How many of the codes above what the request held also stand above what the cell asks for."""
    if cell.column not in trees:
        return 0
    held = set(view.held[COLUMNS.index(cell.column)]) - STATES
    return max(len(held.intersection(naive.lineage(trees[cell.column], code))) for code in cell.asked)


def _failing(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    return tuple(cell for cell in cells if not cell.holds)


def _validity(rule: Rule, now: int) -> Iterator[Cell]:
    if rule.valid_from or rule.valid_to:
        start, end = window(rule)
        asked, today = f"{rule.valid_from}–{rule.valid_to}", datetime.fromtimestamp(now / 1000, BEIJING).date()
        yield Cell(part="valid", box=0, column="valid", asked=(asked,), held=(str(today),), holds=start <= now < end)


def _cells(box: Box, part: Part, which: int, view: View) -> Iterator[Cell]:
    """Each column that the box names; of the form, each field."""
    for column, alone in alone_in(box):
        field = column.removeprefix("form.")
        if field != column:
            cell = box.form[field]
            asked: tuple[str, ...] = (str(cell),) if isinstance(cell, Range) else cell
        else:
            asked = tuple(map(str, getattr(box, column)))
        holds = naive.box_holds(alone, view)
        yield Cell(part=part, box=which, column=column, asked=asked, held=_held(column, asked, view), holds=holds)


def alone_in(box: Box) -> Iterator[tuple[str, Box]]:
    """The columns that a box names, each as a box that names nothing else."""
    for column in (field.name for field in fields(Box)):
        asked = getattr(box, column)
        if column == "form":
            yield from ((f"form.{field}", replace(Box(), form={field: cell})) for field, cell in asked.items())
        elif asked:
            yield column, replace(Box(), **{column: asked})


def _held(column: str, asked: tuple[str, ...], view: View) -> tuple[str, ...]:
    if column.startswith("words_"):
        return tuple(word for word in asked if fold(word) in view.text)
    if column == "time":
        minute = minute_of_week(view.at)
        clock = f"{DAYS[minute // 1440]} {minute // 60 % 24:02}:{minute % 60:02}"
        return (clock, "working_hours" if view.working else "outside_working_hours")
    if column.startswith("form."):
        return _own(view.form.get(column.removeprefix("form."), naive.ABSENT), asked)
    held = view.held[COLUMNS.index(column)]
    return _own(held, asked) if column == "tags" else held[:1]


def _own(held: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The values that the cell names itself, else the state of the field."""
    return tuple(value for value in held if value in asked) or held[-1:]
