"""
From a ruling (裁定) of who must act to a rule that says so: pure, a proposal that a person looks at and approves.

A rule names functions, not units, so the function that the ruled unit holds is looked for, and that the directory
gives this very unit for it. The rule goes directly before the one that decided, and changes who leads, nothing else.

A ruling comes out of a file, or is the event in the life of a returned case (workflows/arbitration.py), which says all of it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from router.catalogue.catalogue import Catalogue
from router.catalogue.dates import check_dates
from router.catalogue.findings import At, Findings
from router.catalogue.load import from_files
from router.catalogue.reading import Spot, items, read_yaml
from router.catalogue.rule_files import dumped
from router.rules.model import Bearer, Box, Rule, Then
from router.rules.validity import NEVER, window
from workflows.calendars import date_of, day_of
from workflows.events import CaseRuled
from workflows.facts import Target
from workflows.workdays import DAY

FILE = "rules/rulings.yaml"
"""Where proposed rules are added."""
_HALF_HOUR = 1_800_000
_WEEK = 7 * 48
"""Half hours."""


class Ruling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A binding decision in a dispute between units. document: its number (文号). date: of the ruling. unit: who leads from
    now on; function and role: as what, where the unit holds several; a function alone means whoever holds it in each
    place. place left out: the unit's own. rule: which one had decided; left out, it is found by asking the rules.
    """

    document: str
    ruled_by: str
    date: str
    reason: str
    unit: str = ""
    function: str = ""
    role: str = ""
    category: tuple[str, ...] = ()
    matter: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    rule: str = ""


class Proposed(Struct, frozen=True, kw_only=True):
    """
    The rule; the one that it goes before; those that it passes too, because no number was free in between; and those
    that still decide before it, with the channels in which they do; later: those that do not do so now, but at
    another hour of the week, or once some rule begins or ends.
    """

    rule: Rule
    before: Rule
    passed: tuple[str, ...]
    earlier: Mapping[str, tuple[str, ...]]
    later: Mapping[str, tuple[str, ...]]
    catalogue: Catalogue
    """the same with the rule in it"""


def read_ruling(name: str, data: bytes) -> tuple[Ruling, Spot]:
    """The one ruling in a YAML or JSON file, and where what stands. Raises CatalogueFaulty with every fault."""
    findings = Findings()
    document = read_yaml(name, data, findings)
    found = list(items(document, Ruling, findings)) if document else []
    if len(found) != 1 and not findings.all():
        findings.add("ruling_count", At(name, 1), count=len(found))
    findings.refuse_errors()
    spot, ruling = found[0]
    return ruling, spot


def from_event(event: CaseRuled, at: int, catalogue: Catalogue) -> Ruling:
    """The ruling on a case as it was given at `at`, for this catalogue: it names a rule only where that still stands."""
    by = catalogue.units.get(event.by)
    return Ruling(
        document=event.document,
        ruled_by=by.name if by else event.by,
        date=date_of(day_of(at) * DAY).isoformat(),
        reason=event.reason,
        unit=event.lead,
        function=event.function,
        category=(event.category,) if event.category else (),
        matter=(event.matter,) if event.matter else (),
        place=(event.place,) if event.place else (),
        rule=event.rule if event.rule in catalogue.rules else "",
    )


def propose(ruling: Ruling, spot: Spot, catalogue: Catalogue, now: int) -> Proposed:
    """
    The rule that follows from a ruling, among the rules as they are in force now. Raises CatalogueFaulty with every
    fault, of the ruling or of the rule.
    """
    findings = Findings()
    _check(ruling, spot, catalogue, findings)
    findings.refuse_errors()
    unit = catalogue.units.get(ruling.unit)
    if unit and not ruling.place:
        ruling = replace(ruling, place=(unit.place,))
    lead = _lead(ruling, spot, catalogue, findings)
    findings.refuse_errors()
    deciders = _deciders(ruling, catalogue, [(now, now)])
    before = catalogue.rules[
        ruling.rule or max(deciders, key=lambda rule: (len(deciders[rule]), catalogue.rules[rule].number))
    ]
    number, passed = _number(before, catalogue)
    if not number:
        findings.add("ruling_number", spot.at(), rule=before.id)
    findings.refuse_errors()
    rule = _rule(ruling, lead, before, number, catalogue)
    sooner = {other: rule for other, rule in catalogue.rules.items() if rule.number < number and not rule.adds}
    others = _deciders(ruling, catalogue, _moments(sooner.values(), catalogue, now))
    return Proposed(
        rule=rule,
        before=before,
        passed=passed,
        earlier={other: where for other, where in deciders.items() if other in sooner},
        later={other: where for other, where in others.items() if other in sooner and other not in deciders},
        catalogue=with_rule(catalogue.files, rule),
    )


def with_rule(files: Mapping[str, bytes], rule: Rule) -> Catalogue:
    """The catalogue with this rule more. Raises CatalogueFaulty."""
    held = files.get(FILE, b"")
    return from_files(
        dict(files) | {FILE: held + (b"\n" if held and not held.endswith(b"\n") else b"") + dumped(rule).encode()}
    )


def _check(ruling: Ruling, spot: Spot, catalogue: Catalogue, findings: Findings) -> None:
    check_dates(ruling.date, "", spot.at("date"), findings)
    if not ruling.date:
        findings.add("bad_date", spot.at("date"), value="")
    for field in ("document", "ruled_by", "reason"):
        if not getattr(ruling, field).strip():
            findings.add("ruling_blank", spot.at(field), field=field)
    if not (ruling.category or ruling.matter or ruling.keywords):
        findings.add("ruling_of_what", spot.at())
    if not (ruling.unit or ruling.function):
        findings.add("ruling_lead", spot.at())
    tables: dict[str, tuple[Mapping[str, Any], str, str]] = {
        "unit": (catalogue.units, "单位", "unit"), "function": (catalogue.functions, "职能", "function"),
        "category": (catalogue.categories, "诉求分类", "category"), "matter": (catalogue.matters, "事项", "matter"),
        "place": (catalogue.divisions, "区划", "division"), "rule": (catalogue.rules, "规则", "rule"),
    }  # fmt: skip
    for field, (table, kind, kind_en) in tables.items():
        named = getattr(ruling, field)
        for code in (named,) if isinstance(named, str) else named:
            if code and code not in table:
                findings.add("dangling", spot.at(field), kind=kind, kind_en=kind_en, id=code)


def _lead(ruling: Ruling, spot: Spot, catalogue: Catalogue, findings: Findings) -> Bearer:
    """As what the ruled unit leads: a function that it holds and for which the directory gives it, in each of the places."""
    unit = catalogue.units.get(ruling.unit)
    if unit is None:
        return Bearer(function=ruling.function, role=ruling.role)
    held = list(dict.fromkeys((one.function, one.role) for one in unit.functions))
    fitting = [
        (function, role) for function, role in held if ruling.function in ("", function) and ruling.role in ("", role)
    ]
    named = _named(ruling, catalogue)
    choice = fitting if len(fitting) == 1 else [pair for pair in fitting if pair in named] or _handled(fitting, ruling)
    if len(choice) != 1:
        listed = ", ".join(f"{function}:{role}" for function, role in (fitting or held)) or "-"
        findings.add("ruling_function", spot.at("unit"), unit=unit.id, held=listed)
        return Bearer(function="")
    function, role = choice[0]
    elsewhere: list[tuple[str, str]] = []
    for level in ("", catalogue.divisions[unit.place].level):
        bearer = Bearer(function=function, role=role, level=level)  # type: ignore[arg-type]
        elsewhere = list(_elsewhere(bearer, ruling, catalogue))
        if not elsewhere:
            return bearer
    place, found = elsewhere[0]
    findings.add(
        "ruling_elsewhere", spot.at("unit"), unit=unit.id, function=f"{function}:{role}", place=place, found=found
    )
    return Bearer(function="")


def _named(ruling: Ruling, catalogue: Catalogue) -> set[tuple[str, str] | None]:
    """The functions and roles that the rows of its categories and matters name."""
    facts = catalogue.facts()
    return {facts.routes.named_by("@category", code, "") for code in ruling.category} | {
        facts.routes.named_by("@matter", "", code) for code in ruling.matter
    }


def _handled(fitting: list[tuple[str, str]], ruling: Ruling) -> list[tuple[str, str]]:
    """Of one function in several roles the plain one."""
    return [pair for pair in fitting if pair[1] == "handle"] if ruling.function else fitting


def _elsewhere(bearer: Bearer, ruling: Ruling, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The places in which the directory gives another unit for it, and which."""
    target = msgspec.convert(msgspec.to_builtins(bearer), Target)
    for place, matter in product(ruling.place, ruling.matter or ("",)):
        found = catalogue.facts().resolve(target, place, matter)
        if found is None or found.id != ruling.unit:
            yield place, found.id if found else "-"


def _moments(rules: Iterable[Rule], catalogue: Catalogue, now: int) -> list[tuple[int, int]]:
    """
    When a request may be received and decided, to find which of these rules it meets: whenever one begins or ends, and
    if some ask for times, every half hour of the coming week. A rule that begins later is not asked for all its hours.
    """
    edges = sorted({edge for rule in rules for edge in window(rule) if now < edge < NEVER})
    halves = range(_WEEK) if catalogue.index.timed else ()
    return [(edge, edge) for edge in edges] + [(now + half * _HALF_HOUR, now) for half in halves]


def _deciders(ruling: Ruling, catalogue: Catalogue, moments: Collection[tuple[int, int]]) -> dict[str, tuple[str, ...]]:
    """Which rules decide such a request received and decided at these moments, with the channels in which they do."""
    facts = catalogue.facts()
    found: dict[str, list[str]] = {}
    codes = product(
        ruling.category or (None,), ruling.matter or (None,), ruling.place or (None,), ruling.keywords or ("",)
    )
    requests = [_request(*some) for some in codes]
    for channel, row in catalogue.channels.items():
        for told in requests:
            kind = {"appeal_kind": row.default_kind or "help", "origin": row.origin or "citizen", "medium": row.medium}
            raw = msgspec.json.encode({name: word for name, word in (kind | told).items() if word})
            for received_at, at in moments:
                match = catalogue.index.first(facts.view(channel, raw, received_at), at)
                if match and channel not in found.setdefault(match.rule.id, []):
                    found[match.rule.id].append(channel)
    return {rule: tuple(channels) for rule, channels in found.items()}


def _request(category: str | None, matter: str | None, place: str | None, word: str) -> dict[str, Any]:
    where = {"place": {"region": place}} if place else {}
    return {"title": word, "appeal_category": category, "matter_code": matter, "applicant": {"kind": "person"}} | where


def _number(before: Rule, catalogue: Catalogue) -> tuple[int, tuple[str, ...]]:
    """The highest free number before a rule, and the rules in between; 0 where none is free."""
    taken = {rule.number: rule.id for rule in catalogue.rules.values()}
    passed: list[str] = []
    for number in range(before.number - 1, 0, -1):
        if number not in taken:
            return number, tuple(passed)
        passed.append(taken[number])
    return 0, ()


def _rule(ruling: Ruling, lead: Bearer, before: Rule, number: int, catalogue: Catalogue) -> Rule:
    """Assists, copies, limits and urgency stay as the rule had them that decided."""
    beside = tuple(b for b in before.then.route if b.part != "lead" and b.function != lead.function)
    return Rule(
        id=_id(ruling, catalogue),
        number=number,
        name=f"裁定 {ruling.document}",
        when=Box(
            category_under=ruling.category,
            matter_under=ruling.matter,
            place_under=ruling.place,
            words_any=ruling.keywords,
        ),
        then=Then(route=(lead, *beside), policy=before.then.policy, urgency=before.then.urgency),
        basis=ruling.document,
        reason=f"{ruling.ruled_by} {ruling.date} 裁定：{ruling.reason}",
    )


def _id(ruling: Ruling, catalogue: Catalogue) -> str:
    name = f"ruling-{ruling.date}"
    names = (name, *(f"{name}-{n}" for n in range(2, len(catalogue.rules) + 3)))
    return next(one for one in names if one not in catalogue.rules)
