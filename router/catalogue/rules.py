"""The routing rules of a catalogue against the rest of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.catalogue.catalogue import Place, successor
from router.catalogue.dates import check_dates
from router.catalogue.findings import At, Findings
from router.catalogue.holding import Holding
from router.catalogue.reading import Spot
from router.catalogue.rows import LEVELS, ROLES
from router.catalogue.tables import Tables
from router.catalogue.words import WORDS
from router.rules.model import COLUMNS, EMPTY, MISSING, NULL, PRESENT, STATES, Box, Range, Rule, Then, Window, fold

KEYWORD = 64
"""Characters of a keyword."""
ABSENCES = {
    "one_thing": {MISSING, NULL, PRESENT},
    "matter_under": {MISSING, NULL, PRESENT},
    "category_under": {MISSING, NULL, PRESENT},
    "place_under": {MISSING, NULL, PRESENT},
    "place_level": {MISSING, NULL, PRESENT},
    "applicant": {MISSING, NULL},
    "disclosure": {MISSING, NULL},
    "medium": {MISSING, NULL, PRESENT},
    "tags": {MISSING, EMPTY, PRESENT},
}
"""Column → which states its field can be in: another would be a condition that never, or always, holds."""


def check_rules(tables: Tables, places: Mapping[str, Place], holding: Holding, findings: Findings) -> None:
    """Outcomes, order, fallback, words, references, and whether a target holds the duty where the rule applies."""
    known = _known(tables, places)
    _how_many(tables, findings)
    for _, spot, entry in tables.answers:
        check_dates(
            entry.valid_from, entry.valid_to, spot.at("valid_from" if entry.valid_from else "valid_to"), findings
        )
    for _, spot, rule in tables.rules:
        check_dates(rule.valid_from, rule.valid_to, spot.at("valid_from" if rule.valid_from else "valid_to"), findings)
        for path, box in _boxes(rule):
            _cells(box, spot, path, known, places, findings)
            _beyond_cells(box, spot, path, findings)
        _outcome(rule, spot, tables, findings)
        _holds_duty(rule, spot, tables, holding, findings)
    _order(tables, findings)


def _known(tables: Tables, places: Mapping[str, Place]) -> dict[str, tuple[str, str, Any]]:
    """Column → what its values must be one of."""
    return {
        "one_thing": ("一件事", "one-thing", tables.one_things.rows),
        "matter_under": ("事项", "matter", tables.matters.rows),
        "category_under": ("诉求分类", "category", tables.categories.rows),
        "place_under": ("区划", "place", places),
        "channel": ("渠道", "channel", tables.channels.rows),
        **{
            column: ("", column, WORDS[column])
            for column in ("kind", "origin", "applicant", "urgency", "medium", "disclosure")
        },
        "place_level": ("", "place_level", LEVELS),
    }


def _how_many(tables: Tables, findings: Findings) -> None:
    """What nobody can have written by hand is refused at the row that is too much."""
    if tables.header is None:
        return
    words, most_rules, most_words = 0, tables.header.max_rules, tables.header.max_keywords
    for i, (_, spot, rule) in enumerate(tables.rules):
        if i == most_rules:
            findings.add("too_many_rules", spot.at(), limit=most_rules)
        more = sum(len(box.words()) for box in rule.boxes())
        if words <= most_words < words + more:
            findings.add("too_many_words", spot.at(), limit=most_words)
        words += more


def _boxes(rule: Rule) -> Iterator[tuple[tuple[str | int, ...], Box]]:
    """Every box of the condition, and where it stands within the rule."""
    yield ("when",), rule.when
    yield from ((("any", i), box) for i, box in enumerate(rule.any_of))
    yield from ((("unless", i), box) for i, box in enumerate(rule.unless))


def _cells(
    box: Box, spot: Spot, path: tuple[str | int, ...], known: Mapping[str, tuple[str, str, Any]],
    places: Mapping[str, Place], findings: Findings,
) -> None:  # fmt: skip
    if path != ("when",) and box == Box():
        findings.add("empty_box", spot.at(*path), part=path[0])
    for column, cell in zip(COLUMNS, box.cells(), strict=True):
        zh, en, values = known.get(column, ("", column, None))
        for i, value in enumerate(cell):
            at = spot.at(*path, column, i)
            if value in STATES:
                if value not in ABSENCES.get(column, ()):
                    findings.add("bad_state", at, column=column, value=value)
            elif values is None:
                continue
            elif value not in values and zh:
                findings.add("dangling", at, kind=zh, kind_en=en, id=value)
            elif value not in values:
                findings.add("bad_word", at, column=column, value=value)
            elif column == "place_under" and places[value].abolished:
                findings.add("expired_code", at, code=value, successor=successor(places, value) or "-")


def _beyond_cells(box: Box, spot: Spot, path: tuple[str | int, ...], findings: Findings) -> None:
    """Keywords, time windows and the form."""
    for column in ("words_any", "words_all", "words_none"):
        for i, word in enumerate(getattr(box, column)):
            if word in STATES:
                findings.add("bad_state", spot.at(*path, column, i), column=column, value=word)
            elif not fold(word).strip() or len(word) > KEYWORD or "\n" in word:
                findings.add("bad_keyword", spot.at(*path, column, i), value=word[:KEYWORD], limit=KEYWORD)
    for i, cell in enumerate(box.time):
        if isinstance(cell, Window) and not _is_window(cell):
            findings.add("bad_window", spot.at(*path, "time", i), value=cell)
    for field, choice in box.form.items():
        if isinstance(choice, Range) and not _is_range(choice):
            findings.add("bad_range", spot.at(*path, "form", field), value=choice)
        elif choice == ():
            findings.add("empty_box", spot.at(*path, "form", field), part=f"form.{field}")


def _is_window(window: Window) -> bool:
    try:
        return bool(window.spans())
    except ValueError:
        return False


def _is_range(cell: Range) -> bool:
    bounds = [bound for bound in (cell.at_least, cell.at_most) if bound is not None]
    return bool(bounds) and all(bound.is_finite() for bound in bounds) and bounds[0] <= bounds[-1]


def _outcome(rule: Rule, spot: Spot, tables: Tables, findings: Findings) -> None:
    then = rule.then
    leads = sum(bearer.part == "lead" for bearer in then.route)
    if rule.adds:
        if then == Then() or leads or then != Then(route=then.route, urgency=then.urgency):
            findings.add("bad_addition", spot.at("then"))
    elif then.outcomes() != 1:
        findings.add("no_outcome", spot.at("then"))
    elif then.route and leads != 1:
        findings.add("no_lead", spot.at("then", "route"))
    if then.answer:
        _answers(rule, spot, tables, findings)
    if then.one_thing and then.one_thing not in tables.one_things.rows:
        findings.add("dangling", spot.at("then", "one_thing"), kind="一件事", kind_en="one-thing", id=then.one_thing)
    if then.policy and then.policy not in tables.policies.rows:
        findings.add("dangling", spot.at("then", "policy"), kind="时限政策", kind_en="policy", id=then.policy)
    if then.propose_refusal and then.propose_refusal.ground not in WORDS["ground"]:
        findings.add(
            "bad_word", spot.at("then", "propose_refusal", "ground"), column="ground", value=then.propose_refusal.ground
        )
    for i, bearer in enumerate(then.route):
        if bearer.role and bearer.role not in ROLES:
            findings.add("bad_role", spot.at("then", "route", i), role=bearer.role)
        if bearer.function not in ("@category", "@matter") and bearer.function not in tables.functions.rows:
            findings.add("dangling", spot.at("then", "route", i), kind="职能", kind_en="function", id=bearer.function)


def _answers(rule: Rule, spot: Spot, tables: Tables, findings: Findings) -> None:
    """Only a question is answered by a rule, and only while the entry is in force."""
    entry = tables.answers.rows.get(rule.then.answer)
    if entry is None:
        findings.add("dangling", spot.at("then", "answer"), kind="知识库答复", kind_en="answer", id=rule.then.answer)
        return
    if set(rule.when.kind) != {"consult"}:
        findings.add("answer_not_asked", spot.at("when" if rule.when.kind else "then"))
    begins = entry.valid_from <= rule.valid_from
    ends = not entry.valid_to or "" < rule.valid_to <= entry.valid_to
    if not (begins and ends):
        findings.add(
            "answer_dates",
            spot.at("then", "answer"),
            id=entry.id,
            start=entry.valid_from or "-",
            end=entry.valid_to or "-",
        )


def _holds_duty(rule: Rule, spot: Spot, tables: Tables, holding: Holding, findings: Findings) -> None:
    """A target nobody holds in the rule's place, below or above it, would send every case to triage."""
    root = tables.header.province if tables.header else ""
    for at, function, role in _targets(rule, spot, tables):
        if not holding.anywhere(function, role):
            findings.add("nobody_holds", at, function=function, role=role)
            continue
        for place in _where(rule) or (root,):
            if not holding.reachable(place, function, role):
                findings.add("target_without_duty", at, place=place, function=function, role=role)


def _where(rule: Rule) -> set[str]:
    """The places that the rule is for; none: all of them."""
    if not rule.when.place_under and not all(box.place_under for box in rule.any_of):
        return set()
    of = [rule.when] if rule.when.place_under else rule.any_of
    return {place for box in of for place in box.place_under} - STATES


def _targets(rule: Rule, spot: Spot, tables: Tables) -> Iterator[tuple[At, str, str]]:
    """What the rule's targets come to, `@category` and `@matter` read from the rows that the rule names itself."""
    for i, bearer in enumerate(rule.then.route):
        at = spot.at("then", "route", i)
        if not bearer.function.startswith("@"):
            yield at, bearer.function, bearer.role or "handle"
            continue
        rows: Mapping[str, Any] = tables.categories.rows if bearer.function == "@category" else tables.matters.rows
        column = "category_under" if bearer.function == "@category" else "matter_under"
        for code in dict.fromkeys(code for box in (rule.when, *rule.any_of) for code in getattr(box, column)):
            row = rows.get(code)
            if row and row.function:
                yield at, row.function, bearer.role or row.role or "handle"


def _order(tables: Tables, findings: Findings) -> None:
    numbers: dict[int, str] = {}
    fallbacks = [rule for _, _, rule in tables.rules if rule.unconditional and not rule.adds]
    last = min(fallbacks, key=lambda rule: rule.number, default=None)
    for key, spot, rule in tables.rules:
        if rule.number in numbers:
            findings.add("equal_numbers", spot.at("number"), number=rule.number, first=numbers[rule.number])
        numbers.setdefault(rule.number, key)
        if last and rule.number > last.number and not rule.adds:
            findings.add("after_fallback", spot.at("number"), fallback=last.id)
    if last is None:
        findings.add("no_fallback", At("rules/"))
