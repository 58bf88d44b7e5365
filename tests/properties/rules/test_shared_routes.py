"""Requests share their routes where no rule tells them apart; what was asked before makes no difference to an answer."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from router.catalogue.catalogue import Catalogue
from router.catalogue.facts import CatalogueFacts
from router.catalogue.load import from_files
from tests.unit.catalogue.small import small
from workflows.facts import ApplicantView, OneThingView, PlaceView, RequestView

NOW = 1_789_000_000_000
CHANNELS = ("phone", "box")


@cache
def catalogue() -> Catalogue:
    return from_files(small(), version=1)


requests = st.builds(
    RequestView,
    appeal_kind=st.sampled_from(["help", "complaint", "report", "suggestion"]),
    appeal_category=st.sampled_from([None, "C1", "C11", "C111", "C12", "C2", "C3"]),
    matter_code=st.sampled_from([None, "M1", "M2", "M21"]),
    place=st.none()
    | st.builds(PlaceView, region=st.sampled_from(["370102", "370103", "370171", "370181", "370202", "370102001"])),
    origin=st.sampled_from(["citizen", "enterprise"]),
    applicant=st.none() | st.builds(ApplicantView, kind=st.sampled_from(["person", "enterprise"])),
    urgency=st.sampled_from(["normal", "urgent", "emergency"]),
    one_thing=st.none() | st.builds(OneThingView, package=st.sampled_from(sorted(catalogue().one_things) or [""])),
)


@settings(max_examples=300)
@given(st.sampled_from(CHANNELS), requests, requests)
def test_a_route_is_the_same_whatever_was_asked_before(channel: str, one: RequestView, other: RequestView) -> None:
    """Between two requests that differ in all, those that differ in one thing are asked too."""
    shared = CatalogueFacts(catalogue())
    between = [replace(one, **{name: getattr(other, name)}) for name in one.__struct_fields__]
    for request in (one, *between, other):
        asked = channel, request, NOW, json.encode(request), NOW
        assert shared.route(*asked) == CatalogueFacts(catalogue()).route(*asked)


@settings(max_examples=300)
@given(st.sampled_from(CHANNELS), requests)
def test_where_rules_ask_for_plain_values_the_short_view_is_as_good_as_the_whole(
    channel: str, request: RequestView
) -> None:
    """What is looked at of the request as it was sent, and is dear, changes no answer of such rules."""
    facts, index = CatalogueFacts(catalogue()), catalogue().index
    assert not index.deep
    match = index.first(facts.view(channel, json.encode(request), NOW), NOW)
    assert match is not None
    route = facts.route(channel, request, NOW, json.encode(request), NOW)
    assert (route.rule, route.why[: len(match.why)]) == (match.rule.id, match.why)  # then who is missing


DEEP = """
- {id: said, number: 1, name: x, when: {words_any: [漏水, 水], words_none: [修好]}, any: [{tags: [急]}, {tags: ["(empty)"]}], then: {triage: true}}
- {id: night, number: 2, name: x, when: {time: [{from: "22:00", to: "06:00"}]}, unless: [{medium: [web]}], then: {route: [{function: "@category"}]}}
- {id: idle, number: 3, name: x, when: {time: [outside_working_hours], category_under: ["(null)"]}, then: {triage: true}}
- {id: whole, number: 4, name: x, when: {medium: ["(present)"], place_level: [county]}, then: {route: [{function: roads}]}}
- {id: asked, number: 5, name: x, when: {form: {area: {at_least: "5"}}}, then: {triage: true}}
- {id: also, number: 6, name: x, adds: true, when: {tags: [群体, 急], place_under: ["(present)"]}, then: {urgency: urgent}}
"""


@cache
def deep() -> Catalogue:
    return from_files(small() | {"rules/05.yaml": DEEP.encode()}, version=1)


said = st.fixed_dictionaries(
    {"appeal_kind": st.sampled_from(["help", "complaint"])},
    optional={
        "appeal_category": st.sampled_from([None, "C1", "C11", "C3"]), "matter_code": st.sampled_from(["M1", "M2"]),
        "text": st.sampled_from(["漏水", "水", "已修好，不漏水", ""]), "medium": st.sampled_from([None, "web", "phone", "(present)"]),
        "tags": st.lists(st.sampled_from(["急", "群体", "x"]), unique=True), "urgency": st.just("urgent"),
        "place": st.sampled_from([None, {"region": "370102"}, {"region": "370200"}, {"region": "370102001"}]),
        "one_thing": st.sampled_from([{"package": "x"}, {"package": "x", "form": {"area": 5}}, {"package": "x", "form": {"area": 4.9}}]),
    },
)  # fmt: skip


@settings(max_examples=100)
@given(st.sampled_from(CHANNELS), st.lists(st.tuples(said, st.integers(0, 7 * 24 * 60)), min_size=2, max_size=6))
def test_routes_are_shared_where_rules_look_deeper_too(channel: str, sent: list[tuple[dict[str, object], int]]) -> None:
    """Rules that ask for words, times, tags, states and the form: the same route as asked for the first time, with its reasons."""
    shared = CatalogueFacts(deep())
    assert deep().index.deep
    for one, _ in sent:
        for _, minute in sent:
            raw = json.encode(one)
            asked = channel, json.decode(raw, type=RequestView), NOW, raw, NOW + minute * 60_000
            assert shared.route(*asked) == CatalogueFacts(deep()).route(*asked)
