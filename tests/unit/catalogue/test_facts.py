"""What decisions ask: who acts where, by which rule, under which policy and calendar."""

import json

import msgspec
import pytest

from router.catalogue.facts import CatalogueFacts
from router.catalogue.load import from_files
from tests.unit.catalogue.shandong import shandong
from tests.unit.catalogue.small import edited, small, unchanged
from workflows.facts import ApplicantView, OneThingView, PlaceView, RequestView, Route, Target

NOW = 1_789_000_000_000


@pytest.fixture(scope="module")
def facts() -> CatalogueFacts:
    return from_files(small(), version=7).facts()


def test_an_office_is_a_function_at_or_above_the_place(facts: CatalogueFacts) -> None:
    """The centre of the city and of the province, not that of another city, nor a unit that does something else."""
    assert facts.holds("370100.hotline", "centre", "370102001002")
    assert facts.holds("370000.hotline", "centre", "370102")
    assert not facts.holds("370200.hotline", "centre", "370102")
    assert not facts.holds("370100.roads", "centre", "370102")
    assert facts.holds("370102.government", "leaders_office", "370102")
    assert not facts.holds("370102.government", "leaders_office", "370103")


def test_reasons_are_listed_by_action(facts: CatalogueFacts) -> None:
    """An action without a list takes free text; a catalogue of earlier days has no list at all."""
    assert {code: listed.basis for code, listed in facts.reasons("supervise").items()} == {"overdue": "某办法"}
    assert facts.reasons("return") == {}
    without = {name: content for name, content in small().items() if name != "lists/reasons.csv"}
    assert from_files(without).facts().reasons("supervise") == {}


def request(category: str = "", place: str = "370102", kind: str = "help", **more: object) -> RequestView:
    return RequestView(appeal_kind=kind, appeal_category=category or None, place=PlaceView(region=place), **more)  # type: ignore[arg-type]


def routed(facts: CatalogueFacts, channel: str, view: RequestView, at: int = NOW) -> Route:
    return facts.route(channel, view, at, msgspec.json.encode(view), at)


def resolved(
    facts: CatalogueFacts,
    function: str,
    region: str,
    role: str = "handle",
    level: str = "",
    matter: str = "",
    excluded: str = "",
) -> str | None:
    target = Target(function=function, role=role, level=level)  # type: ignore[arg-type]
    unit = facts.resolve(target, region, matter, frozenset(excluded.split()))
    return unit.id if unit else None


RESOLVED = [
    ("the nearest place first", ("roads", "370102"), "370102.roads"),
    ("an empty role rises to the city", ("parks", "370102"), "370100.roads"),
    ("and to the province", ("trade", "370200", "approve"), "370000.government"),
    ("nobody up to the province", ("village-help", "370200"), None),
    ("a unit of its own instead of the template's", ("licence", "370202", "approve"), "370202.roads"),
    ("elsewhere the template's", ("licence", "370102", "approve"), "370102.licence"),
    ("a functional zone has units of its own", ("roads", "370171"), "370171.government"),
    ("and its parent's for the rest", ("parks", "370171"), "370100.roads"),
    ("a village station", ("village-help", "370102001002"), "370102001002.station"),
    ("a village that is not listed is its street", ("village-help", "370102001999"), "370102001.government"),
    ("a street that is not listed is its county", ("roads", "370103009"), "370103.roads"),
    ("an abolished county is its successor", ("roads", "370181"), "370103.roads"),
    ("a village of an abolished county too", ("roads", "370181001001"), "370103.roads"),
    ("an unknown place has nobody", ("roads", "110101"), None),
    ("a level lifts", ("roads", "370102", "supervise", "city"), "370100.roads"),
    ("a level that is below the place leaves it there", ("roads", "370100", "supervise", "county"), "370100.roads"),
    ("a unit that holds the function for the matter", ("roads", "370102", "handle", "", "M2"), "370102.road-team"),
    ("and for what is below the matter", ("roads", "370102", "handle", "", "M21"), "370102.road-team"),
    ("but not for others", ("roads", "370102", "handle", "", "M1"), "370102.roads"),
    ("recusal: one level up", ("roads", "370102", "handle", "", "", "370102.roads"), "370100.roads"),
    ("recusal: nor a unit below the one complained about", ("roads", "370102", "handle", "", "", "370102.government"), "370100.roads"),
    ("recusal: the supervising role", ("roads", "370102", "handle", "", "", "370102.roads 370100.roads"), "370000.government"),
    ("recusal: of another unit changes nothing", ("roads", "370102", "handle", "", "", "370103.roads"), "370102.roads"),
    ("recusal: nobody is left", ("roads", "370102", "handle", "", "", "370000.government"), None),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "unit"), [row[1:] for row in RESOLVED], ids=[row[0] for row in RESOLVED])
def test_a_function_in_a_place_is_one_unit(facts: CatalogueFacts, arguments: tuple[str, ...], unit: str | None) -> None:
    """The nearest holder from the place upwards, never one that is excluded; asked twice it answers the same."""
    assert resolved(facts, *arguments) == unit
    assert resolved(facts, *arguments) == unit


def test_units_know_their_door_and_who_stands_above(facts: CatalogueFacts) -> None:
    """Endpoint by id, by name in the place, by place, else the desk; ancestors nearest first."""
    endpoints = {
        unit: facts.unit(unit).endpoint for unit in ("370100.water", "370100.police", "370103.roads", "370102.roads")
    }  # type: ignore[union-attr]
    assert endpoints == {
        "370100.water": "water",
        "370100.police": "police-110",
        "370103.roads": "county-2",
        "370102.roads": "desk",
    }
    team = facts.unit("370102.road-team")
    assert team and team.ancestors == ("370102.roads", "370102.government", "370100.government", "370000.government")
    above = facts.superior("370102.road-team")
    assert above and above.id == "370102.roads"
    assert [unit.id for unit in facts.children("370102.roads")] == ["370102.road-team"]
    assert (
        facts.superior("370000.government") is None and facts.unit("nobody") is None and facts.children("nobody") == ()
    )


def test_every_case_has_a_centre(facts: CatalogueFacts) -> None:
    """The nearest centre; without a place the channel's, without that the province's."""
    assert facts.centre("phone", "370102").id == "370100.hotline"
    assert facts.centre("phone", "370202").id == "370200.hotline"
    assert facts.centre("box", "").id == "370200.hotline"
    assert facts.centre("unknown", "999999").id == "370000.hotline"


def test_rules_name_targets_by_category_and_matter(facts: CatalogueFacts) -> None:
    """`@category` is what the nearest row of the branch names; where no row names any, a person decides."""
    route = routed(facts, "phone", request("C11"))
    assert (route.rule, route.outcome, route.targets) == (
        "category",
        "dispatch",
        (Target(function="roads", role="supervise"),),
    )
    assert routed(facts, "phone", request("C111")).targets == (Target(function="roads", role="handle"),)
    assert [(r.column, r.value, r.cell) for r in route.why] == [("category_under", "C11", "C1")]
    nobody = routed(facts, "phone", request("C3"))
    assert (nobody.rule, nobody.outcome) == ("category", "triage")
    assert nobody.why[-1].cell == "@category"
    by_matter = routed(facts, "phone", request(matter_code="M1"))
    assert by_matter.targets == (Target(function="trade", role="approve"),)
    assert routed(facts, "phone", request()).rule == "fallback"


def test_joint_handling_has_one_lead(facts: CatalogueFacts) -> None:
    route = routed(facts, "phone", request("C12", place="370171", urgency="urgent"))
    assert route.rule == "joint" and route.policy == "slow"
    assert [(target.function, target.level, target.part) for target in route.targets] == [
        ("roads", "city", "lead"),
        ("parks", "", "assist"),
    ]


ADDING = """
- id: watched
  number: 5
  name: 群体诉求抄送政府
  adds: true
  when: {applicant: [enterprise]}
  then:
    route: [{function: government, role: supervise, part: copy}, {function: "@matter", part: assist}]
    urgency: urgent
- id: hurried
  number: 1000
  name: 加急
  adds: true
  when: {origin: [superior]}
  then: {urgency: emergency}
"""


def adding() -> CatalogueFacts:
    files = small() | {
        "rules/95.yaml": ADDING.encode(),
        "answers/all.yaml": "- {id: hours, title: 时间, text: 周六开放, basis: 某办法, author: 张三}".encode(),
        "rules/05.yaml": b"- {id: ask, number: 6, name: q, when: {kind: [consult]}, then: {answer: hours, urgency: urgent}}",
    }
    return from_files(files).facts()


def test_rules_that_add_join_whatever_decided() -> None:
    """Their targets follow those of the deciding rule, by number; the highest urgency of all holds; each is named."""
    facts, enterprise = adding(), ApplicantView(kind="enterprise")
    route = routed(facts, "phone", request("C111", matter_code="M1", applicant=enterprise, origin="superior"))
    assert (route.rule, [target.function for target in route.targets]) == ("category", ["roads", "government", "trade"])
    assert [target.part for target in route.targets] == ["lead", "copy", "assist"] and route.urgency == "emergency"
    assert [(joined.rule, joined.number) for joined in route.joined] == [("watched", 5), ("hurried", 1000)]
    assert [(why.column, why.cell) for why in route.joined[0].why] == [("applicant", "enterprise")]
    alone = routed(facts, "phone", request("C111"))
    assert (alone.joined, alone.urgency, len(alone.targets)) == ((), "", 1)


def test_what_is_added_needs_somebody_to_be_added_to() -> None:
    """Where nobody is dispatched, only urgency is added; and an added target that no row names is not left out silently."""
    facts, enterprise = adding(), ApplicantView(kind="enterprise")
    nobody = routed(facts, "phone", request(applicant=enterprise))
    assert (nobody.outcome, nobody.targets, nobody.urgency) == ("triage", (), "urgent")
    assert [joined.rule for joined in nobody.joined] == ["watched"]
    unnamed = routed(facts, "phone", request("C111", applicant=enterprise))
    assert (unnamed.outcome, unnamed.why[-1].cell) == ("triage", "@matter")


def test_a_question_is_answered_with_the_entrys_words() -> None:
    route = routed(adding(), "phone", request(kind="consult"))
    assert (route.outcome, route.answer, route.text, route.urgency) == ("answer", "hours", "周六开放", "urgent")
    assert route.policy == "plain" and not route.targets


def test_a_refusal_is_only_proposed(facts: CatalogueFacts) -> None:
    route = routed(facts, "phone", request("C3", kind="complaint"))
    assert (route.outcome, route.ground, route.where_to_turn) == ("propose_refusal", "not_within_scope", "法院")


def test_a_one_thing_is_its_plan(facts: CatalogueFacts) -> None:
    """Stages with one matter and one blocking mark per target; the lead answers for the whole."""
    route = routed(facts, "phone", request(one_thing=OneThingView(package="birth")))
    assert route.outcome == "one_thing" and route.policy == "one-thing-birth"
    assert route.targets == (Target(function="licence", role="approve"),)
    assert [(stage.id, stage.matters, stage.blocking) for stage in route.stages] == [
        ("s1", ("M2",), (True,)),
        ("s2", ("", ""), (True, False)),
    ]


def test_whose_policy_holds(facts: CatalogueFacts) -> None:
    """The rule's, else the package's, else the channel's, else the catalogue's."""
    assert routed(facts, "box", request("C1")).policy == "slow"
    assert routed(facts, "phone", request("C1")).policy == "plain"
    assert facts.policy("slow").clocks[0].budget == "30d"


def test_a_rule_holds_only_in_its_time() -> None:
    """From the first to the last day, both included, in China time."""
    files = edited(
        "rules/90.yaml", "  name: 按事项\n", "  name: 按事项\n  valid_from: 2026-09-09\n  valid_to: 2026-09-10\n"
    )
    timed = from_files(files).facts()
    day = 86_400_000
    start = 1_788_883_200_000  # 2026-09-09T00:00+08:00
    rules = [
        routed(timed, "phone", request(matter_code="M1"), at).rule
        for at in (start - 1, start, start + 2 * day - 1, start + 2 * day)
    ]
    assert rules == ["fallback", "matter", "matter", "fallback"]


EMERGENCIES = [
    ("by category", request("C2"), True),
    ("by a word of the title", request(title="楼上着火了"), True),
    ("a word in a question is a question", request(kind="consult", title="着火后怎么理赔"), False),
    ("the channel says so", request(urgency="emergency", kind="consult"), True),
    ("urgent is no emergency", request(urgency="urgent", title="路灯不亮"), False),
    ("nothing of it", request("C1", title="路灯不亮"), False),
]


@pytest.mark.parametrize(("view", "is_one"), [row[1:] for row in EMERGENCIES], ids=[row[0] for row in EMERGENCIES])
def test_emergencies_are_known_before_any_rule(facts: CatalogueFacts, view: RequestView, is_one: bool) -> None:
    assert facts.emergency("phone", view) == (Target(function="police") if is_one else None)


def test_calendars_by_place_and_by_name(facts: CatalogueFacts) -> None:
    """The nearest layer of its own, else the default; a running clock finds its calendar by name."""
    office, yi = facts.calendar("370102"), facts.calendar("370202")
    assert office.id.startswith("office@") and yi.id.startswith("yi@")
    assert facts.calendar("999999") is office and facts.calendar_named(yi.id) is yi


def test_who_complains_may_be_part_of_a_condition() -> None:
    files = edited("rules/90.yaml", "when: {matter_under: [M]}", "when: {applicant: [enterprise]}")
    asked = from_files(files).facts()
    assert routed(asked, "phone", request(applicant=ApplicantView(kind="enterprise"))).rule == "matter"
    assert routed(asked, "phone", request()).rule == "fallback"


def test_rules_may_ask_for_more_than_decisions_look_at() -> None:
    """Text, tags and the form are read from the request as it was sent, the time is when it was received."""
    box = "{words_any: [漏水], tags: [急], time: [{from: '22:00', to: '06:00'}], form: {amount: {at_most: '9.5'}}}"
    asked = from_files(edited("rules/90.yaml", "{matter_under: [M]}", box)).facts()
    raw = {
        "appeal_kind": "help",
        "text": "楼上漏水",
        "tags": ["急"],
        "one_thing": {"package": "x", "form": {"amount": 9.5}},
    }
    night, view = 1_789_740_000_000, request(place="370102")  # 2026-09-18T22:00+08:00

    def ruled(received_at: int = night, **more: object) -> str:
        return asked.route("phone", view, NOW, json.dumps(raw | more).encode(), received_at).rule

    assert ruled() == "matter"
    others = {
        ruled(text="漏雨"),
        ruled(tags=[]),
        ruled(night - 1),
        ruled(one_thing={"package": "x", "form": {"amount": 9.51}}),
    }
    assert others == {"fallback"}


def test_regions(facts: CatalogueFacts) -> None:
    """Codes of 6, 9 and 12 digits; abolished ones are known and stand for their successor."""
    catalogue = unchanged()
    known = {
        code: catalogue.has_region(code)
        for code in ("370102", "370102001", "370102999", "370102001002", "370181", "37010", "999999", "")
    }
    assert [code for code, is_known in known.items() if is_known] == [
        "370102",
        "370102001",
        "370102999",
        "370102001002",
        "370181",
    ]
    assert catalogue.region_in_force("370181") == "370103"
    assert catalogue.region_in_force("370102999") == "370102"
    assert catalogue.region_in_force("999999") is None
    assert facts.version == 7


def test_who_supervises_is_the_supervising_office_of_the_place_and_never_the_unit_in_question() -> None:
    """督查 is asked by place, whatever the case is about; where it is itself in question, the office above."""
    facts = shandong().facts()
    own = facts.supervisor("371681")
    assert own is not None and own.id == "371681.supervision-office"
    above = facts.supervisor("371681", frozenset({own.id}))
    assert above is not None and above.id == "371600.supervision-office"
