"""
The rules of a catalogue looked at as a whole (router/rules/analysis): findings with file and line, each with a request
that shows it, as a channel would send it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from router.catalogue.catalogue import Catalogue, successor
from router.catalogue.facts import CENTRE, SUPERVISION
from router.catalogue.findings import At, CatalogueFaulty, Finding, Witness, worded
from router.catalogue.load import readable
from router.catalogue.tables import Files
from router.catalogue.words import WORDS
from router.rules import naive
from router.rules.analysis.cover import Cover, Fault
from router.rules.analysis.dead import plain, shadows
from router.rules.analysis.gaps import gaps
from router.rules.analysis.space import AXES, CHANNEL, PLACE, Asked, Known, Spent
from router.rules.analysis.targets import Directory, targets
from router.rules.model import COLUMNS, EMPTY, MISSING, NULL, PRESENT, STATES, Rule, View
from schemas.times import to_text
from workflows.facts import RequestView, Target

RETIRED = "expired_code"
"""Found by the checks of the rows too, cell by cell; here with the rule and a request."""
NEVER_DECIDE = {"conflict", "duplicate_rule", "never_holds", "rule_over", "shadowed", "shadowed_by_union"}
TABLES = {
    "category_under": ("categories", "categories.csv", "诉求分类", "category"),
    "matter_under": ("matters", "matters.csv", "事项", "matter"),
    "one_thing": ("one_things", "one_things/", "一件事", "one-thing"),
}
REST = {
    "shadows": ("其余规则是否会被用到", "whether the other rules are ever used"),
    "gaps": ("其余代码是否有空档", "whether the other codes have gaps"),
    "sent": ("其余规则派往的职能", "whom the other rules send to"),
}
"""Kinds of questions that came to their limit as a whole, in words."""
STRUCTURAL = {"review", "arbitrate", "triage"}
"""Roles that the life of a case gives something to do, whatever the rules say."""


def inspect_rules(files: Files, now: int) -> tuple[Catalogue | None, tuple[Finding, ...]]:
    """Every finding of a catalogue's files, and those of its rules as a whole where it is sound enough to look further."""
    catalogue, findings = readable(files)
    if catalogue is None:
        return None, findings
    found = analyse(catalogue, now)
    retired = [finding for finding in found if finding.code == RETIRED]
    plain = (_with_witness(finding, retired) for finding in findings)
    return catalogue, _sorted((*plain, *(finding for finding in found if finding.code != RETIRED)))


def analyse(catalogue: Catalogue, now: int) -> tuple[Finding, ...]:
    """What is wrong with the rules as a whole, from the day of `now` on, by file and line."""
    analysis = _Analysis(catalogue, now)
    return _sorted(map(analysis.finding, analysis.faults()))


def refuse_contradictions(catalogue: Catalogue, now: int) -> None:
    """
    Raise CatalogueFaulty, with what the loader found too, where rules contradict themselves or each other.

    Only that: what is a warning is no reason to refuse, and what is dear is not looked at. What it does not refuse today
    it refuses on no later day.
    """
    analysis = _Analysis(catalogue, now)
    found = [analysis.finding(fault) for fault in plain(analysis.cover)]
    if any(finding.level == "error" for finding in found):
        raise CatalogueFaulty(_sorted((*catalogue.findings, *found)))


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda found: (found.file, found.line, found.code, found.rules)))


def _with_witness(finding: Finding, retired: Iterable[Finding]) -> Finding:
    """A cell that names an abolished place has been found with its line; here is the rule, and the request."""
    fit = [
        found for found in retired
        if finding.code == found.code and finding.file == found.file and finding.text_en == found.text_en and found.line <= finding.line
    ]  # fmt: skip
    nearest = max(fit, key=lambda found: found.line, default=None)
    return replace(finding, rules=nearest.rules, witness=nearest.witness) if nearest else finding


class _Analysis:
    def __init__(self, catalogue: Catalogue, now: int) -> None:
        self.catalogue, self.facts = catalogue, catalogue.facts()
        self.cover = Cover(known(catalogue), catalogue.rules.values(), now)

    def faults(self) -> Iterator[Fault]:
        alone = list(plain(self.cover))
        yield from alone
        lost = {fault.rules[0] for fault in alone if fault.code in NEVER_DECIDE}
        unknown = {fault.rules[0] for fault in alone if fault.code == "undecided" and len(fault.rules) == 1}
        for fault in self._within_limits("shadows", shadows(self.cover, lost | unknown)):
            lost |= {fault.rules[0]} if fault.code in NEVER_DECIDE else set()
            yield fault
        yield from self._within_limits("gaps", gaps(self.cover))
        yield from self._within_limits("sent", targets(self.cover, directory(self.catalogue), lost))
        yield from self._retired()

    def _within_limits(self, question: str, faults: Iterable[Fault]) -> Iterator[Fault]:
        """The faults; where they are too dear to find in all, one that says so of the rest."""
        self.cover.space.allow()
        try:
            yield from faults
        except Spent:
            yield Fault(code="undecided", about={"question": question})

    def _retired(self) -> Iterator[Fault]:
        """Cells that name an abolished place hold for no request: one that names it is of its successor."""
        places = self.catalogue.divisions
        for rule in self.catalogue.rules.values():
            for code in dict.fromkeys(code for box in rule.boxes() for code in box.place_under):
                if code in places and places[code].abolished:
                    about = {"code": code, "successor": successor(places, code) or "-"}
                    yield Fault(code=RETIRED, rules=(rule.id,), asked=self._in(code), about=about)

    def _in(self, code: str) -> Asked | None:
        asked = self.cover.sample([self.cover.space.everything])
        return asked and replace(asked, values=(*asked.values[:PLACE], code, *asked.values[PLACE + 1 :]))

    # -- in words, and proved ------------------------------------------------------------------------

    def finding(self, fault: Fault) -> Finding:
        """The finding; one that its request does not show is a fault of ours, and is said to be undecided."""
        witness = self._witness(fault) if fault.asked else None
        if witness is None and fault.asked:
            fault = Fault(code="undecided", rules=fault.rules, about=fault.about)
        return replace(worded(fault.code, self._at(fault), **self._values(fault)), rules=fault.rules, witness=witness)

    def _witness(self, fault: Fault) -> Witness | None:
        """The request, if it shows what it is to show."""
        asked = fault.asked
        if asked is None:
            return None
        request, channel = request_of(asked, self.cover.space.title), asked.values[CHANNEL]
        raw = msgspec.json.encode(request)
        view = self.facts.view(channel, raw, asked.at)
        match = self.catalogue.index.first(view, asked.at)
        if not self._shows(fault, view, asked, match.rule if match else None, raw):
            return None
        return Witness(
            channel=channel, received=to_text(asked.at), request=request, decides=match.rule.id if match else ""
        )

    def _shows(self, fault: Fault, view: View, asked: Asked, decides: Rule | None, raw: bytes) -> bool:
        """By the plain reading, not by what the analysis thinks."""
        rules = [self.catalogue.rules[rule] for rule in fault.rules]
        holding = [naive.holds(rule, view, asked.at) for rule in rules]
        match fault.code:
            case "conflict" | "duplicate_rule" | "conflict_of_numbers":
                return all(holding)
            case "shadowed" | "shadowed_by_union":
                return holding[0] and any(holding[1:]) and decides != rules[0]
            case "never_holds":
                return not holding[0]
            case "expired_code":  # RETIRED
                return fault.about["code"] not in view.held[COLUMNS.index("place_under")]
            case "gap" | "gap_by_expiry":
                return not any(holding) and (decides is None or decides.unconditional)
            case "no_duty":
                return decides == rules[0]
            case "nobody_there":
                function, _, role = fault.about["duty"].partition(":")
                target = Target(function=function, role=role, level=fault.about["level"])  # type: ignore[arg-type]
                return (
                    decides == rules[0]
                    and self.facts.resolve(target, asked.values[PLACE], _code(asked, "matter_under")) is None
                )
            case "never_reached" | "not_named":
                read = msgspec.json.decode(raw, type=RequestView)
                route = self.facts.route(asked.values[CHANNEL], read, asked.at, raw, asked.at)
                return fault.about["value"] not in {target.function for target in route.targets}
        return True

    def _at(self, fault: Fault) -> At:
        if fault.rules:
            return self.catalogue.rules_at[fault.rules[0]]
        if fault.about.get("question") in REST:
            return At("rules/", 0)
        if "column" in fault.about:
            file = TABLES[fault.about["column"]][1]
            return self._line(file, fault.about["value"])
        return self._line("units/functions.csv", fault.about["value"])

    def _line(self, file: str, code: str) -> At:
        """The row of a table that begins with this code."""
        text = self.catalogue.files.get(file, b"").decode("utf-8-sig", "replace")
        lines = (i for i, line in enumerate(text.splitlines(), 1) if line.partition(",")[0].strip() == code)
        return At(file, next(lines, 0))

    def _values(self, fault: Fault) -> dict[str, str]:
        """What stands in the texts of a finding."""
        about = dict(fault.about)
        others = fault.rules if fault.code == "gap_by_expiry" else fault.rules[1:]
        zh, en = "规则是否会被用到", "whether the rule is ever used"
        if "column" in about:
            table, _, kind_zh, kind_en = TABLES[about["column"]]
            value = about["value"]
            name = getattr(getattr(self.catalogue, table)[value], "name", "")
            below = about.get("reach") == "below"
            zh, en = (
                f"{kind_zh} {value} {name}{'及其下级' * below}",
                f"{kind_en} {value} {name}{' and what is below it' * below}",
            )
        elif about.get("question") == "reach":
            zh, en = f"职能 {about['value']} 能否收到诉求", f"whether function {about['value']} gets any request"
        elif about.get("question") in REST:
            zh, en = REST[about["question"]]
        elif about.get("question") == "targets":
            zh, en = "规则派往的职能", "whom the rule sends to"
        return about | {"others": ", ".join(others), "what": zh, "what_en": en}


# -- what the analysis needs of a catalogue ------------------------------------------------------------


def known(catalogue: Catalogue) -> Known:
    """What requests can hold."""
    places = [place for place in catalogue.divisions.values() if not place.abolished]
    facts = catalogue.facts()
    return Known(
        one_things=tuple(catalogue.one_things),
        matters={code: row.parent for code, row in catalogue.matters.items()},
        categories={code: row.parent for code, row in catalogue.categories.items()},
        chains={place.code: facts.region_chain(place.code) for place in places},
        levels={place.code: place.level for place in places},
        channels=tuple(catalogue.channels),
        media=frozenset(code for code, row in catalogue.channels.items() if row.medium),
        words=WORDS,
        calendars={place: catalogue.calendars[name] for place, name in catalogue.calendar_of_place.items()},
        alarming=frozenset(code for code in catalogue.categories if facts.emergency("", _of_category(code))),
    )


def _of_category(code: str) -> RequestView:
    return RequestView(appeal_kind="help", appeal_category=code)


def directory(catalogue: Catalogue) -> Directory:
    """Who holds what, and what names it."""
    facts = catalogue.facts()
    named: dict[str, dict[str, tuple[str, str]]] = {"@category": {}, "@matter": {}}
    for code in catalogue.categories:
        if found := facts.routes.named_by("@category", code, ""):
            named["@category"][code] = found
    for code in catalogue.matters:
        if found := facts.routes.named_by("@matter", "", code):
            named["@matter"][code] = found
    holders: dict[tuple[str, str, str], set[str]] = {}
    units: dict[str, dict[str, None]] = {}
    duties = {code: {function} for code, (function, _) in named["@matter"].items()}
    outside = {CENTRE[0], SUPERVISION.function, *(row.receiver_function for row in catalogue.emergencies.values())}
    outside |= {row.emergency for row in catalogue.categories.values() if row.emergency}
    for unit in catalogue.units.values():
        for held in unit.functions:
            holders.setdefault((held.function, held.role, held.matter), set()).add(unit.place)
            units.setdefault(held.function, {})[unit.id] = None
            if held.matter in duties:
                duties[held.matter].add(held.function)
            outside |= {held.function} if held.role in STRUCTURAL else set()
    return Directory(
        named=named,
        holders={key: frozenset(places) for key, places in holders.items()},
        duties={code: frozenset(functions) for code, functions in duties.items()},
        packages={
            package.id: frozenset(
                {package.lead.function, *(leg.function for stage in package.stages for leg in stage.legs)}
            )
            for package in catalogue.one_things.values()
        },
        outside=frozenset(outside),
        units={function: tuple(ids) for function, ids in units.items()},
    )


def request_of(asked: Asked, title: str) -> dict[str, Any]:
    """The point as a request that a channel could send: what need not be said is left out."""
    values = dict(zip(AXES, asked.values, strict=False))
    request: dict[str, Any] = {"title": title}
    if asked.words:
        request["text"] = "\n".join(asked.words)
    plain = {"appeal_kind": "kind", "appeal_category": "category_under", "matter_code": "matter_under", "origin": "origin", "urgency": "urgency", "medium": "medium"}  # fmt: skip
    for field, axis in plain.items():
        _put(request, field, values[axis])
    _put(request, "place", values["place_under"], {"region": values["place_under"]})
    _put(request, "applicant", values["applicant"], {"kind": values["applicant"], "disclosure": asked.disclosure})
    form = {name: _json(held) for name, held in asked.form.items()}
    package = {"package": values["one_thing"]} | ({"form": form} if form else {})
    _put(request, "one_thing", values["one_thing"], package)
    if asked.tags != (MISSING,):
        request["tags"] = [tag for tag in asked.tags if tag not in STATES]
    usual = {"origin": "citizen", "urgency": "normal"}
    return {field: value for field, value in request.items() if usual.get(field) != value}


def _put(request: dict[str, Any], field: str, value: str, said: object = None) -> None:
    """A field with its value; null where it is, and nothing where it is missing."""
    if value != MISSING:
        request[field] = None if value == NULL else said or value


def _json(held: tuple[str, ...]) -> object:
    """The field of a form that has these values."""
    texts = [text for text in held if text != PRESENT]
    if texts in ([NULL], [EMPTY]):
        return None if texts == [NULL] else ""
    return texts[0] if len(texts) == 1 else texts


def _code(asked: Asked, axis: str) -> str:
    value = dict(zip(AXES, asked.values, strict=False))[axis]
    return "" if value in STATES else value
