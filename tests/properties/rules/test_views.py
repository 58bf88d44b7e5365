"""What a route looks at is enough: every rule holds for it as for the whole request, for the same reasons."""

import unicodedata
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.catalogue.catalogue import Catalogue
from router.catalogue.load import from_files
from router.rules.model import COLUMNS, MISSING, STATES, Box, Range, Rule, Then, Window, fold
from tests.unit.catalogue.small import small
from workflows.facts import RequestView

NOW, HOUR = 1_789_693_200_000, 3_600_000  # 2026-09-18T09:00+08:00
VALUES = {
    "one_thing": ("start", "other"),
    "matter_under": ("M1", "M2", "M21"),
    "category_under": ("C1", "C11", "C2"),
    "place_under": ("370000", "370102", "370181", "370103"),
    "channel": ("phone", "box"),
    "kind": ("help", "report"),
    "origin": ("citizen", "enterprise"),
    "applicant": ("person", "enterprise"),
    "urgency": ("normal", "urgent"),
    "medium": ("phone", "app"),
    "disclosure": ("open", "confidential"),
    "place_level": ("county", "city"),
    "tags": ("a", "b"),
}


@cache
def shipped() -> Catalogue:
    return from_files(small(), version=1)


def some(of: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(of), min_size=1, max_size=2).map(tuple)


WORDS = ("井", "灯，亮", "ＡＢ")
TIMES = ("working_hours", "outside_working_hours", Window(since="09:00", until="12:00"))
CELLS = (
    {name: some([*VALUES[name], *STATES]) for name in COLUMNS}
    | dict.fromkeys(("words_any", "words_all", "words_none"), some(WORDS))
    | {"time": some(TIMES), "form": st.sampled_from([{"x": Range(at_least=2)}, {"y": ("1",)}, {"x": (MISSING,)}])}  # type: ignore[arg-type, dict-item]
)
"""Few columns each: what is left out by mistake must not be hidden by another column that does not hold."""
boxes = st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=2, unique=True).flatmap(
    lambda names: st.builds(Box, **{name: CELLS[name] for name in names})
)
sometimes = st.fixed_dictionaries(
    {
        "appeal_kind": st.sampled_from(["help", "report"]),
        "title": st.sampled_from(["", "井盖", "灯,亮", "Ａb"]),
        "one_thing": st.sampled_from([None, {"package": "other", "form": {"x": 3.5, "y": "1", "unasked": [1]}}]),
    },
    optional={
        "text": st.sampled_from(["ab井", "灯，亮"]),
        "urgency": st.sampled_from(["normal", "urgent"]),
        "origin": st.just("enterprise"),
        "appeal_category": st.sampled_from([None, "C11", "C111", "unknown"]),
        "matter_code": st.sampled_from([None, "M21"]),
        "place": st.sampled_from([None, {"region": "370102"}, {"region": "370181"}, {"region": "990000"}]),
        "received_region": st.sampled_from([None, "370103"]),
        "applicant": st.sampled_from([None, {}, {"kind": "enterprise"}, {"disclosure": "confidential"}]),
        "medium": st.sampled_from([None, "app"]),
        "tags": st.sampled_from([[], ["a"], ["b", "(null)"]]),
    },
)


@settings(max_examples=400)
@given(
    st.lists(boxes, max_size=5),
    sometimes,
    st.sampled_from(["phone", "box"]),
    st.sampled_from([0, 4 * HOUR, 10 * HOUR, 80 * HOUR]),
)
def test_every_rule_holds_for_what_is_asked_as_for_the_whole(
    conditions: list[Box], request: dict[str, Any], channel: str, later: int
) -> None:
    made = {
        f"r{i}": Rule(id=f"r{i}", number=i, name="", when=box, unless=tuple(conditions[:i:3]), then=Then(triage=True))
        for i, box in enumerate(conditions)
    }
    raw = msgspec.json.encode(request)
    catalogue = replace(shipped(), rules=made)
    facts, index = catalogue.facts(), catalogue.index
    asked = facts.asked(channel, msgspec.json.decode(raw, type=RequestView), raw, NOW + later)
    whole = facts.view(channel, raw, NOW + later)
    assert index.every(asked, NOW) == index.every(whole, NOW)
    assert index.first(asked, NOW) == index.first(whole, NOW)


@given(st.text() | st.text("，；：！？（）、。,;:!?()Ａａß井ﬁ\u0301\u3099", max_size=20))
def test_a_folded_text_is_what_unicode_says(text: str) -> None:
    """Its short cut for Chinese punctuation changes nothing."""
    assert fold(text) == unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
