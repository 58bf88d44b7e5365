"""
The catalogue as a whole: what points at what, who holds what, which limits make sense.

Everything is checked, whatever was found before, so that an author sees every fault at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from router.catalogue.catalogue import DirectoryUnit, Place, successor
from router.catalogue.dates import check_dates, check_hours, check_limits, longer
from router.catalogue.facts import CENTRE
from router.catalogue.findings import At, Findings
from router.catalogue.holding import Holding
from router.catalogue.policy_check import check_policy
from router.catalogue.reading import Spot
from router.catalogue.rows import ROLES, MatterRow, Similar
from router.catalogue.rules import check_rules
from router.catalogue.tables import Table, Tables
from router.catalogue.words import WORDS
from router.proposals.text import fold

Known = Mapping[str, Any]
KEYWORD = 64
"""Characters of a word that speaks for a category"""
LOUDEST = 10


def check(tables: Tables, places: Mapping[str, Place], units: Mapping[str, DirectoryUnit], findings: Findings) -> None:
    """Add everything that is wrong to `findings`."""
    _Check(tables, places, units, findings).all()


class _Check:
    def __init__(
        self, tables: Tables, places: Mapping[str, Place], units: Mapping[str, DirectoryUnit], findings: Findings
    ) -> None:
        self.tables, self.places, self.units, self.findings = tables, places, units, findings
        self.holding = Holding(places, units)

    def all(self) -> None:
        self._references()
        self._words()
        self._vocabularies()
        self._places()
        self._doors()
        self._header()
        self._duties()
        self._held()
        self._proposals()
        self._rosters()
        for _, spot, policy in self.tables.policies:
            check_policy(policy, spot, self.tables.functions.rows, self.findings)
        check_rules(self.tables, self.places, self.holding, self.findings)

    # -- what points at what -----------------------------------------------------------------------

    def _references(self) -> None:
        t = self.tables
        known: dict[str, tuple[str, str, Known]] = {
            "place": ("区划", "place", self.places), "unit": ("单位", "unit", self.units), "function": ("职能", "function", t.functions.rows),
            "template": ("单位模板", "template", t.templates.rows), "endpoint": ("端点", "endpoint", t.endpoints.rows),
            "category": ("诉求分类", "category", t.categories.rows), "matter": ("事项", "matter", t.matters.rows),
            "duty": ("职责", "duty", t.duties.rows), "system": ("系统", "system", t.systems.rows),
            "data_item": ("数据项", "data item", t.data_items.rows), "policy": ("时限政策", "policy", t.policies.rows),
        }  # fmt: skip
        for table, column, target in REFERENCES:
            zh, en, rows = known[target]
            for spot, value in _values(getattr(t, table), column):
                if value not in rows:
                    self.findings.add("dangling", spot.at(), kind=zh, kind_en=en, id=value)
        self._unit_references(known)
        self._one_things(known)

    def _unit_references(self, known: Mapping[str, tuple[str, str, Known]]) -> None:
        seen = set()
        for unit in self.units.values():
            wanted = [("function", held.function) for held in unit.functions] + [
                ("matter", held.matter) for held in unit.functions if held.matter
            ]
            wanted += (
                [("place", unit.place)]
                + [("unit", unit.parent)] * bool(unit.parent)
                + [("endpoint", unit.endpoint)] * bool(unit.endpoint)
            )
            for target, value in wanted:
                if value not in known[target][2] and (unit.at, value) not in seen:
                    seen.add((unit.at, value))
                    self.findings.add("dangling", unit.at, kind=known[target][0], kind_en=known[target][1], id=value)
            self._in_force(unit.place, unit.at)

    def _one_things(self, known: Mapping[str, tuple[str, str, Known]]) -> None:
        for _, spot, package in self.tables.one_things:
            for i, stage in enumerate(package.stages):
                for j, leg in enumerate(stage.legs):
                    at = spot.at("stages", i, "legs", j)
                    for target, value in (("function", leg.function), ("matter", leg.matter)):
                        if value and value not in known[target][2]:
                            self.findings.add("dangling", at, kind=known[target][0], kind_en=known[target][1], id=value)
                    self._role(leg.role, at)
            check_limits(spot.at(), self.findings, package.limit, *(stage.limit for stage in package.stages))

    # -- words of closed lists -----------------------------------------------------------------------

    def _words(self) -> None:
        for table, column, words in CLOSED:
            for spot, value in _values(getattr(self.tables, table), column):
                if value not in WORDS[words]:
                    self.findings.add("bad_word", spot.at(), column=column, value=value)
        for table in ("categories", "matters", "emergencies"):
            for spot, value in _values(getattr(self.tables, table), "role"):
                self._role(value, spot.at())

    def _vocabularies(self) -> None:
        """What a vocabulary's words are mapped to is told by the end of its name; others are not checked."""
        known: dict[str, Known | tuple[str, ...]] = {
            "places": self.places, "media": WORDS["medium"], "kinds": WORDS["kind"], "columns": MatterRow.__struct_fields__,
            **dict.fromkeys(("classes", "complaints", "categories"), self.tables.categories.rows),
        }  # fmt: skip
        for name, table in self.tables.vocabularies.items():
            end = name.rpartition("-")[2]
            for spot, code in _values(table, "code"):
                if end in known and code not in known[end]:
                    self.findings.add("bad_word", spot.at(), column=end, value=code)

    def _role(self, role: str, at: At) -> None:
        if role not in ROLES:
            self.findings.add("bad_role", at, role=role)

    # -- places and doors ------------------------------------------------------------------------------

    def _places(self) -> None:
        for code, spot, row in self.tables.divisions:
            check_dates(row.valid_from, row.valid_to, spot.at(), self.findings)
            if row.valid_to and not self._successor(code):
                self.findings.add("no_successor", spot.at(), code=code)
            if row.parent and not row.valid_to:
                self._in_force(row.parent, spot.at())
        for _, spot, channel in self.tables.channels:
            self._in_force(channel.owner_region, spot.at())

    def _in_force(self, code: str, at: At) -> None:
        place = self.places.get(code)
        if place and place.abolished:
            self.findings.add("expired_code", at, code=code, successor=self._successor(code) or "-")

    def _successor(self, code: str) -> str:
        return successor(self.places, code)

    def _doors(self) -> None:
        reported = set()
        for unit in self.units.values():
            if not unit.endpoint and unit.at not in reported:
                reported.add(unit.at)
                self.findings.add("no_door", unit.at, unit=unit.id)

    def _header(self) -> None:
        header, at = self.tables.header, At("catalogue.yaml", 1)
        if header is None:
            return
        root = self.places.get(header.province)
        if root is None or root.level != "province":
            self.findings.add("no_root", at, code=header.province)
        for policy in {header.default_policy, header.emergency_policy} - self.tables.policies.rows.keys():
            self.findings.add("no_policy_default", at, id=policy)
        if header.default_calendar not in self.tables.calendars.rows:
            self.findings.add("dangling", at, kind="日历层", kind_en="calendar", id=header.default_calendar)
        if not self.holding.at(header.province, *CENTRE):
            self.findings.add("no_centre", at)

        self._similar(header.similar, at)

    def _similar(self, similar: Similar, at: At) -> None:
        """Below these nothing is compared, or everything is alike."""
        for share in (similar.alike, similar.alike_title, similar.alike_here):
            if not 0 < share <= 1:
                self.findings.add("bad_weight", at, value=share, most=1)
        for count, most in (
            (similar.days, 366),
            (similar.group, 10_000),
            (similar.burst, 10_000),
            (similar.burst_hours, 720),
        ):
            if not 1 <= count <= most:
                self.findings.add("bad_weight", at, value=count, most=most)

    # -- proposals -------------------------------------------------------------------------------------

    def _proposals(self) -> None:
        seen: dict[str, str] = {"": "", "0": ""}  # all digits are alike
        for word, spot, row in self.tables.keywords:
            folded = fold(word)
            if folded in seen or len(word) > KEYWORD:
                self.findings.add("bad_spoken", spot.at(), word=word, first=seen.get(folded, ""), limit=KEYWORD)
            seen.setdefault(folded, word)
            if not 0 < row.weight <= LOUDEST:
                self.findings.add("bad_weight", spot.at(), value=row.weight, most=LOUDEST)
        header, model = self.tables.header, self.tables.model
        if header is not None and not 0 < header.proposal_threshold <= 1:
            self.findings.add("bad_weight", At("catalogue.yaml", 1), value=header.proposal_threshold, most=1)
        if header is not None and not 0 < header.answer_threshold <= 1:
            self.findings.add("bad_weight", At("catalogue.yaml", 1), value=header.answer_threshold, most=1)
        for code in model.classes if model else ():
            if code not in self.tables.categories.rows:
                self.findings.add("dangling", At("proposals/model.json"), kind="诉求分类", kind_en="category", id=code)

    # -- who is on duty --------------------------------------------------------------------

    def _rosters(self) -> None:
        for _, spot, row in self.tables.rosters:
            check_dates(row.since, row.until, spot.at(), self.findings)
            check_hours(row.hours, spot.at(), self.findings, "hours")
            for day in row.days:
                if not 1 <= day <= 7:
                    self.findings.add("bad_word", spot.at(), column="days", value=day)

    # -- who holds what --------------------------------------------------------------------------------

    def _duties(self) -> None:
        for _, spot, procedure in self.tables.procedures:
            policy = self.tables.policies.rows.get(procedure.policy)
            if policy and not any(clock.kind == "statutory" for clock in policy.clocks):
                self.findings.add("no_statutory_clock", spot.at(), policy=policy.id)
        for _, spot, matter in self.tables.matters:
            check_limits(spot.at(), self.findings, matter.legal_limit, matter.promised_limit)
            duty = self.tables.duties.rows.get(matter.duty)
            if duty and matter.function and duty.function != matter.function:
                self.findings.add(
                    "duty_elsewhere", spot.at(), duty=matter.duty, found=duty.function, function=matter.function
                )
            if longer(matter.promised_limit, matter.legal_limit):
                self.findings.add("limit_order", spot.at(), promised=matter.promised_limit, legal=matter.legal_limit)

    def _held(self) -> None:
        for at, function, role in _named(self.tables):
            if function in self.tables.functions.rows and role in ROLES and not self.holding.anywhere(function, role):
                self.findings.add("nobody_holds", at, function=function, role=role)
        held = {held.function for unit in self.units.values() for held in unit.functions}
        for function, spot, _ in self.tables.functions:
            if function not in held:
                self.findings.add("function_unheld", spot.at(), function=function)
        for (place, function, role), ids, at in self.holding.shared():
            self.findings.add("two_holders", at, place=place, count=len(ids), function=function, role=role, unit=ids[0])


REFERENCES = (
    ("divisions", "parent", "place"), ("divisions", "successors", "place"), ("towns", "parent", "place"), ("villages", "parent", "place"),
    ("templates", "parent_template", "template"),
    ("channels", "owner_region", "place"), ("channels", "policy", "policy"),
    ("keywords", "category", "category"),
    ("categories", "parent", "category"), ("categories", "function", "function"), ("categories", "emergency", "function"),
    ("matters", "parent", "matter"), ("matters", "function", "function"), ("matters", "duty", "duty"),
    ("matters", "systems", "system"), ("matters", "data_items", "data_item"),
    ("duties", "function", "function"), ("systems", "owner_function", "function"),
    ("data_items", "owner_function", "function"), ("data_items", "system", "system"),
    ("emergencies", "receiver_function", "function"), ("emergencies", "categories", "category"),
    ("one_things", "policy", "policy"), ("procedures", "policy", "policy"),
    ("calendars", "place", "place"), ("calendars", "units", "unit"),
    ("rosters", "unit", "unit"), ("rosters", "endpoint", "endpoint"),
)  # fmt: skip
"""Table, column, and what its values must name."""

CLOSED = (
    ("channels", "origin", "origin"),
    ("channels", "medium", "medium"),
    ("channels", "default_kind", "kind"),
    ("channels", "evaluates", "yes_no"),
    ("reasons", "action", "reasoned"),
)


def _values(table: Table[Any], column: str) -> Iterator[tuple[Spot, str]]:
    for _, spot, row in table:
        value = getattr(row, column)
        for one in (value,) if isinstance(value, str) else value or ():
            if one:
                yield spot, one


def _named(tables: Tables) -> Iterator[tuple[At, str, str]]:
    """Every (function, role) that a row sends something to."""
    trees: Iterable[Table[Any]] = (tables.categories, tables.matters)
    for table in trees:
        yield from ((spot.at(), row.function, row.role or "handle") for _, spot, row in table if row.function)
    yield from ((spot.at(), row.emergency, "handle") for _, spot, row in tables.categories if row.emergency)
    yield from ((spot.at(), row.receiver_function, row.role) for _, spot, row in tables.emergencies)
    for _, spot, package in tables.one_things:
        yield spot.at("lead"), package.lead.function, package.lead.role
        for i, stage in enumerate(package.stages):
            yield from ((spot.at("stages", i, "legs", j), leg.function, leg.role) for j, leg in enumerate(stage.legs))
