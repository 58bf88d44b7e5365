"""The rules read one by one, as a clerk would: slow, plain, and the oracle for the index."""

from collections.abc import Iterable, Iterator, Mapping

from router.rules.model import COLUMNS, MISSING, Box, Hours, Match, Range, Rule, View, Window, fold
from router.rules.validity import window
from workflows.facts import Reason

ABSENT = (MISSING,)


def lineage(parents: Mapping[str, str], value: str) -> tuple[str, ...]:
    """A value and everything above it, nearest first; `parents` has no circle."""
    chain = []
    while value:
        chain.append(value)
        value = parents.get(value, "")
    return tuple(chain)


def first(rules: Iterable[Rule], view: View, now: int) -> Match | None:
    """The same answer as `Index.first`."""
    holding = every([rule for rule in rules if not rule.adds], view, now)
    return Match(rule=holding[0], why=explain(holding[0], view)) if holding else None


def adding(rules: Iterable[Rule], view: View, now: int) -> tuple[Match, ...]:
    """The same answer as `Index.adding`."""
    holding = every([rule for rule in rules if rule.adds], view, now)
    return tuple(Match(rule=rule, why=explain(rule, view)) for rule in holding)


def every(rules: Iterable[Rule], view: View, now: int) -> tuple[Rule, ...]:
    """The same answer as `Index.every`."""
    return tuple(sorted((rule for rule in rules if holds(rule, view, now)), key=lambda rule: (rule.number, rule.id)))


def holds(rule: Rule, view: View, now: int) -> bool:
    """Whether the rule is in force, `when` holds, one of `any` (if there are some) and none of `unless`."""
    start, end = window(rule)
    return (
        start <= now < end
        and box_holds(rule.when, view)
        and (not rule.any_of or any(box_holds(box, view) for box in rule.any_of))
        and not any(box_holds(box, view) for box in rule.unless)
    )


def box_holds(box: Box, view: View) -> bool:
    """Whether every column that the box names holds."""
    return (
        all(not cell or set(cell) & set(held) for cell, held in zip(box.cells(), view.held, strict=True))
        and (not box.words_any or any(fold(word) in view.text for word in box.words_any))
        and all(fold(word) in view.text for word in box.words_all)
        and not any(fold(word) in view.text for word in box.words_none)
        and (not box.time or any(time_holds(cell, view) for cell in box.time))
        and all(form_holds(cell, view.form.get(field, ABSENT)) for field, cell in box.form.items())
    )


def time_holds(cell: Hours | Window, view: View) -> bool:
    """Whether the request was received then."""
    return cell.covers(view.at) if isinstance(cell, Window) else view.working == (cell == "working_hours")


def form_holds(cell: tuple[str, ...] | Range, held: tuple[str, ...]) -> bool:
    """Whether some value of a form's field is among the choices, or within the range."""
    return any(map(cell.covers, held)) if isinstance(cell, Range) else not set(cell).isdisjoint(held)


def explain(rule: Rule, view: View) -> tuple[Reason, ...]:
    """The reasons of a rule that is known to match `view`: `when`, then the first of `any` that holds."""
    boxes = [rule.when, *(box for box in rule.any_of if box_holds(box, view))][:2]
    return tuple(dict.fromkeys(reason for box in boxes for reason in _reasons(box, view)))


def _reasons(box: Box, view: View) -> Iterator[Reason]:
    for column, cell, held in zip(COLUMNS, box.cells(), view.held, strict=True):
        if cell:
            took = next(value for value in held if value in cell)
            yield Reason(column=column, value=took if column == "tags" else held[0], cell=took)
    if box.words_any:
        word = next(word for word in box.words_any if fold(word) in view.text)
        yield Reason(column="words_any", value="", cell=word)
    yield from (Reason(column="words_all", value="", cell=word) for word in box.words_all)
    yield from (Reason(column="words_none", value="", cell=word) for word in box.words_none)
    if box.time:
        yield Reason(column="time", value="", cell=next(str(cell) for cell in box.time if time_holds(cell, view)))
    for field, asked in box.form.items():  # what the form says is the applicant's: only the rule's own cell is told
        held = view.form.get(field, ABSENT)
        took = str(asked) if isinstance(asked, Range) else next(value for value in held if value in asked)
        yield Reason(column=f"form.{field}", value="", cell=took)
