"""The routing rules of a catalogue against the rest of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.catalogue.catalogue import Place, successor
from router.catalogue.dates import check_dates
from router.catalogue.findings import At, Findings
from router.catalogue.holding import Holding
from router.catalogue.reading import Spot
from router.catalogue.rows import ROLES
from router.catalogue.tables import Tables
from router.catalogue.words import WORDS
from router.rules.model import COLUMNS, Rule, When


def check_rules(tables: Tables, places: Mapping[str, Place], holding: Holding, findings: Findings) -> None:
    """Outcomes, order, fallback, words, references, and whether a target holds the duty where the rule applies."""
    known = _known(tables, places)
    for _, spot, rule in tables.rules:
        _cells(rule, spot, known, places, findings)
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
        **{column: ("", column, WORDS[column]) for column in ("kind", "origin", "applicant", "urgency")},
    }


def _cells(
    rule: Rule, spot: Spot, known: Mapping[str, tuple[str, str, Any]], places: Mapping[str, Place], findings: Findings
) -> None:
    from_day, to_day = rule.valid_from, rule.valid_to
    check_dates(from_day, to_day, spot.at("valid_from" if from_day else "valid_to"), findings)
    for column, cell in zip(COLUMNS, rule.when.cells(), strict=True):
        zh, en, values = known[column]
        for i, value in enumerate(cell):
            at = spot.at("when", column, i)
            if value not in values and zh:
                findings.add("dangling", at, kind=zh, kind_en=en, id=value)
            elif value not in values:
                findings.add("bad_word", at, column=column, value=value)
            elif column == "place_under" and places[value].abolished:
                findings.add("expired_code", at, code=value, successor=successor(places, value) or "-")


def _outcome(rule: Rule, spot: Spot, tables: Tables, findings: Findings) -> None:
    then = rule.then
    if then.outcomes() != 1:
        findings.add("no_outcome", spot.at("then"))
    if then.route and sum(bearer.part == "lead" for bearer in then.route) != 1:
        findings.add("no_lead", spot.at("then", "route"))
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


def _holds_duty(rule: Rule, spot: Spot, tables: Tables, holding: Holding, findings: Findings) -> None:
    """A target nobody holds in the rule's place, below or above it, would send every case to triage."""
    root = tables.header.province if tables.header else ""
    for at, function, role in _targets(rule, spot, tables):
        if not holding.anywhere(function, role):
            findings.add("nobody_holds", at, function=function, role=role)
            continue
        for place in rule.when.place_under or (root,):
            if not holding.reachable(place, function, role):
                findings.add("target_without_duty", at, place=place, function=function, role=role)


def _targets(rule: Rule, spot: Spot, tables: Tables) -> Iterator[tuple[At, str, str]]:
    """What the rule's targets come to, `@category` and `@matter` read from the rows that the rule names itself."""
    for i, bearer in enumerate(rule.then.route):
        at = spot.at("then", "route", i)
        if not bearer.function.startswith("@"):
            yield at, bearer.function, bearer.role or "handle"
            continue
        rows: Mapping[str, Any] = tables.categories.rows if bearer.function == "@category" else tables.matters.rows
        for code in rule.when.category_under if bearer.function == "@category" else rule.when.matter_under:
            row = rows.get(code)
            if row and row.function:
                yield at, row.function, bearer.role or row.role or "handle"


def _order(tables: Tables, findings: Findings) -> None:
    numbers: dict[int, str] = {}
    fallbacks = [rule for _, _, rule in tables.rules if rule.when == When() and not (rule.valid_from or rule.valid_to)]
    last = min(fallbacks, key=lambda rule: rule.number, default=None)
    for key, spot, rule in tables.rules:
        if rule.number in numbers:
            findings.add("equal_numbers", spot.at("number"), number=rule.number, first=numbers[rule.number])
        numbers.setdefault(rule.number, key)
        if last and rule.number > last.number:
            findings.add("after_fallback", spot.at("number"), fallback=last.id)
    if last is None:
        findings.add("no_fallback", At("rules/"))
