"""What the analysis says of generated rules is so, by the plain reading: each finding, and each rule it says nothing of."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.rules import naive
from router.rules.analysis.cover import STEPS, Cover, Fault
from router.rules.analysis.dead import plain, shadows
from router.rules.analysis.gaps import gaps
from router.rules.analysis.space import Known, Piece, Space, Spent
from router.rules.model import COLUMNS, EMPTY, MISSING, NULL, PRESENT, Box, Range, Rule, Then, View, Window, fold
from workflows.calendars import Calendar
from workflows.workdays import Hours, Year

MORNING = 1_789_693_200_000  # 2026-09-18T09:00+08:00, a Friday
DAY = 86_400_000
CATEGORIES = {"C1": "", "C11": "C1", "C111": "C11", "C12": "C1", "C2": ""}
MATTERS = {"M1": "", "M11": "M1"}
PLACES = {"370000": "", "370100": "370000", "370102": "370100", "370200": "370000"}
LEVELS = {"370000": "province", "370100": "city", "370102": "county", "370200": "city"}
WORDS = {
    "kind": ("help", "consult"), "origin": ("citizen", "110"), "urgency": ("normal", "urgent"), "medium": ("phone", "web"),
    "applicant": ("person", "minor"), "disclosure": ("open", "secret"),
}  # fmt: skip
OFFICE = Calendar.build(
    "office", hours=[Hours(open=("09:00-12:00", "13:00-17:00"))], years=[Year(year=2026, work=(date(2026, 9, 20),))],
    horizon=date(2026, 12, 31),
)  # fmt: skip
EARLY = Calendar.build(
    "early", hours=[Hours(open=("07:30-15:00",))], years=[Year(year=2026)], horizon=date(2026, 12, 31)
)
KNOWN = Known(
    one_things=("birth", "start"), matters=MATTERS, categories=CATEGORIES,
    chains={place: naive.lineage(PLACES, place) for place in PLACES}, levels=LEVELS, channels=("phone", "box"),
    media=frozenset({"phone"}), words=WORDS, calendars={"": OFFICE, "370100": EARLY},
)  # fmt: skip
VALUES = {
    "one_thing": [*KNOWN.one_things, MISSING, PRESENT], "matter_under": [*MATTERS, MISSING, NULL, PRESENT],
    "category_under": [*CATEGORIES, MISSING, PRESENT], "place_under": [*PLACES, MISSING, NULL, PRESENT],
    "channel": KNOWN.channels, "kind": WORDS["kind"], "origin": WORDS["origin"],
    "applicant": [*WORDS["applicant"], MISSING, NULL], "urgency": WORDS["urgency"],
    "medium": [*WORDS["medium"], MISSING, PRESENT], "disclosure": [*WORDS["disclosure"], MISSING],
    "place_level": ["county", "city", PRESENT, MISSING], "tags": ["a", "b", "c", MISSING, EMPTY, PRESENT],
}  # fmt: skip
TEXT = ("井盖", "井", "盖", "ABC", "abc", "井盖丢了")
CHOICES = ("a", "3", "3.0", "10", MISSING, NULL, EMPTY, PRESENT)
RANGES = [
    Range(at_least=low, at_most=high)
    for low, high in product((None, 0, 3), (3, 10, None))
    if (low, high) != (None, None)
]
CLOCKS = ("00:00", "07:00", "08:00", "12:00", "17:00", "22:00")


def few(of: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(of, min_size=1, max_size=most, unique=True).map(tuple)


WINDOWS = st.builds(
    Window, days=st.lists(st.sampled_from(["mon", "fri", "sat", "sun"]), max_size=2, unique=True).map(tuple),
    since=st.sampled_from(CLOCKS), until=st.sampled_from(CLOCKS),
).filter(lambda window: window.since != window.until)  # fmt: skip
CELLS = {column: few(st.sampled_from(values)) for column, values in VALUES.items()} | {
    **{column: few(st.sampled_from(TEXT), 2) for column in ("words_any", "words_all", "words_none")},
    "time": few(st.sampled_from(["working_hours", "outside_working_hours"]) | WINDOWS, 2),  # type: ignore[arg-type]
    "form": st.dictionaries(
        st.sampled_from(["x", "y"]), few(st.sampled_from(CHOICES)) | st.sampled_from(RANGES), min_size=1, max_size=2
    ),
}


@st.composite
def boxes(draw: st.DrawFn, most: int = 2) -> Box:
    """A box that names few columns: one that names many meets no other."""
    columns = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=most, unique=True))
    return Box(**{column: draw(CELLS[column]) for column in columns})


DATES = ("", "", "", "2026-09-17", "2026-09-18", "2026-09-20", "2026-12-31")
RULES = st.lists(
    st.tuples(
        st.integers(1, 9), st.just(Box()) | boxes(), st.lists(boxes(), max_size=2), st.lists(boxes(), max_size=1),
        st.sampled_from(DATES), st.sampled_from(DATES), st.booleans(),
    ),
    min_size=1, max_size=6,
).map(
    lambda rows: [
        Rule(
            id=f"r{i}", number=number, name="", when=when, any_of=tuple(some), unless=tuple(none),
            then=Then(triage=True) if triage else Then(one_thing="birth"), valid_from=start, valid_to=end,
        )
        for i, (number, when, some, none, start, end, triage) in enumerate(rows)
    ]
)  # fmt: skip


@st.composite
def views(draw: st.DrawFn) -> View:
    """A request as it can be, made without the analysis: what goes together is made together."""
    place = draw(st.sampled_from([*PLACES, MISSING, NULL]))
    package = draw(st.sampled_from([*KNOWN.one_things, "none-such", MISSING, NULL]))
    person = draw(
        st.sampled_from([(MISSING, MISSING), (NULL, NULL), *product(WORDS["applicant"], WORDS["disclosure"])])
    )
    channel = draw(st.sampled_from(KNOWN.channels))
    media = [*WORDS["medium"], *((MISSING, NULL) if channel == "box" else ())]

    def of(values: list[str], parents: dict[str, str] | None = None) -> tuple[str, ...]:
        value = draw(st.sampled_from(values))
        return (value,) if value in (MISSING, NULL) else (*naive.lineage(parents or {}, value), PRESENT)

    one = {
        "one_thing": (package,) if package in (MISSING, NULL) else (package, PRESENT),
        "matter_under": of([*MATTERS, "none-such", MISSING, NULL], MATTERS),
        "category_under": of([*CATEGORIES, "none-such", MISSING, NULL], CATEGORIES),
        "place_under": (place,) if place in (MISSING, NULL) else (*naive.lineage(PLACES, place), PRESENT),
        "place_level": (place,) if place in (MISSING, NULL) else (LEVELS[place], PRESENT),
        "channel": (channel, PRESENT), "kind": of(list(WORDS["kind"])), "origin": of(list(WORDS["origin"])),
        "urgency": of(list(WORDS["urgency"])), "medium": of(media),
        "applicant": (person[0],) if person[0] in (MISSING, NULL) else (person[0], PRESENT),
        "disclosure": (person[1],) if person[1] in (MISSING, NULL) else (person[1], PRESENT),
        "tags": draw(st.sampled_from([(MISSING,), (EMPTY,)]) | few(st.sampled_from("abcd")).map(lambda t: (*t, PRESENT))),
    }  # fmt: skip
    texts = few(st.sampled_from(["a", "3", "3.0", "10", "-1", "99", "x"])).map(lambda t: (*t, PRESENT))
    fields = st.dictionaries(st.sampled_from(["x", "y"]), texts | st.sampled_from([(NULL,), (EMPTY,)]))
    at = draw(
        st.integers(0, 120).map(lambda day: MORNING + (day - day % 2) * DAY) | st.integers(MORNING, MORNING + 9 * DAY)
    )
    calendar = EARLY if place in ("370100", "370102") else OFFICE
    return View(
        held=tuple(one[column] for column in COLUMNS), at=at, working=calendar.consumed(at, at + 1, "wh") > 0,
        text=fold("".join(draw(st.lists(st.sampled_from([*TEXT, "\n", "x"]), max_size=4)))),
        form={} if package in (MISSING, NULL) else draw(fields),
    )  # fmt: skip


FALLBACK = Rule(id="fallback", number=99, name="", then=Then(triage=True))
ONCE = {"conflict", "duplicate_rule", "never_holds", "rule_over", "shadowed", "shadowed_by_union"}


def dead(cover: Cover) -> list[Fault]:
    alone = list(plain(cover))
    return alone + list(shadows(cover, {fault.rules[0] for fault in alone if fault.code in ONCE}))


def first(rules: list[Rule], view: View) -> str:
    match = naive.first(rules, view, view.at)
    return match.rule.id if match else ""


@settings(max_examples=60, deadline=None)
@given(RULES, st.lists(views(), min_size=5, max_size=20))
def test_a_rule_is_dead_exactly_where_it_is_said_to_be(rules: list[Rule], asked: list[View]) -> None:
    """Of the dead no request is decided; of the others one is shown that they decide."""
    cover = Cover(KNOWN, rules, MORNING)
    faults = dead(cover)
    lost = {fault.rules[0] for fault in faults if fault.code in ONCE}
    open_questions = {rule for fault in faults if fault.code == "undecided" for rule in fault.rules}
    assert lost.isdisjoint(first(rules, view) for view in asked)
    for rule in rules:
        if rule.id not in lost | open_questions:
            free = cover.free(rule, cover.region(rule))
            assert free is not None
            assert first(rules, cover.space.view(free)) == rule.id


@settings(max_examples=60, deadline=None)
@given(RULES)
def test_each_finding_is_shown_by_its_request(rules: list[Rule]) -> None:
    by_id = {rule.id: rule for rule in rules}
    cover = Cover(KNOWN, rules, MORNING)
    for fault in dead(cover):
        if fault.asked is None:
            assert fault.code in ("rule_over", "undecided")
            continue
        view = cover.space.view(fault.asked)
        holding = [naive.holds(by_id[rule], view, view.at) for rule in fault.rules]
        assert SHOWN[fault.code](holding), fault
        if fault.code in ONCE:
            assert first(rules, view) != fault.rules[0]


SHOWN = {
    "conflict": all, "duplicate_rule": all, "conflict_of_numbers": all, "shadowed": all, "undecided": lambda holding: True,
    "shadowed_by_union": lambda holding: holding[0] and any(holding[1:]), "never_holds": lambda holding: not holding[0],
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(RULES, st.lists(views(), min_size=5, max_size=20))
def test_a_gap_is_there_exactly_where_it_is_said_to_be(rules: list[Rule], asked: list[View]) -> None:
    """A code of which nothing is said has no request that only the fallback takes; each gap is shown by one."""
    rules = [*rules, FALLBACK]
    plain = {rule.id for rule in rules if rule.unconditional}
    cover = Cover(KNOWN, rules, MORNING)
    faults = list(gaps(cover))
    for fault in faults:
        assert fault.asked is not None
        view = cover.space.view(fault.asked)
        assert {rule.id for rule in naive.every(rules, view, view.at)} <= plain
        assert not fault.rules or all(by.valid_to for by in rules if by.id in fault.rules)
    for view in asked:
        code = view.held[COLUMNS.index("category_under")][0]
        if code in CATEGORIES and {rule.id for rule in naive.every(rules, view, view.at)} <= plain:
            assert any(_told(fault, code) for fault in faults), code


def _told(fault: Fault, code: str) -> bool:
    above = naive.lineage(CATEGORIES, code) if fault.about.get("reach") == "below" else (code,)
    return fault.about["column"] == "category_under" and fault.about["value"] in above


@settings(max_examples=100, deadline=None)
@given(RULES, st.lists(st.integers(1, 1500), min_size=1, max_size=3))
def test_what_is_no_error_when_it_is_written_is_none_later(rules: list[Rule], days: list[int]) -> None:
    """Else a version that was fine would keep every later one from being published."""

    def wrong(now: int) -> set[tuple[str, tuple[str, ...]]]:
        return {(fault.code, fault.rules) for fault in plain(Cover(KNOWN, rules, now)) if fault.code in ERRORS}

    before = wrong(MORNING)
    if not before:
        assert not any(wrong(MORNING + day * DAY) for day in {1, 2, 3, *days})


ERRORS = {"conflict", "conflict_of_numbers", "never_holds"}


def test_a_question_that_is_too_large_is_left_undecided() -> None:
    """Never in silence: so many rules that only together take everything, and each has to be looked at."""
    one = [
        Rule(
            id=f"r{i}",
            number=i,
            name="",
            then=Then(triage=True),
            when=Box(form={"x": Range(at_least=i, at_most=i + 1)}),
        )
        for i in range(STEPS + 1)
    ]
    last = Rule(
        id="last",
        number=STEPS + 2,
        name="",
        then=Then(triage=True),
        when=Box(form={"x": Range(at_least=0, at_most=STEPS + 1)}),
    )
    faults = dead(Cover(KNOWN, [*one, last], MORNING))
    assert [(fault.code, fault.rules) for fault in faults] == [("undecided", ("last",))]


def tangled(count: int) -> list[Rule]:
    """Rules whose words, tags and exceptions overlap in every way, each with one behind it that asks for all of them."""
    triage, package = Then(triage=True), Then(one_thing="birth")
    rules = [
        Rule(
            id=f"r{i}", number=i, name="", then=triage if i % 2 else package,
            when=Box(words_any=tuple(f"词{j:03}" for j in range(i % 37, i % 37 + 6)), tags=(f"t{i % 11}", f"t{i % 7}")),
            unless=(Box(words_any=(f"词{i % 50:03}", f"x{i}")), Box(channel=("phone",), tags=("群体",))),
        )
        for i in range(count)
    ]  # fmt: skip
    return [*rules, Rule(id="all", number=count, name="", then=triage, when=Box(tags=("t1",)))]


def work(rules: list[Rule], monkeypatch: pytest.MonkeyPatch, ask: Callable[[Cover], object]) -> int:
    """How often two pieces are compared."""
    done, meet = 0, Space.meet

    def counted(self: Space, one: Piece, other: Piece) -> Piece | None:
        nonlocal done
        done += 1
        return meet(self, one, other)

    cover = Cover(KNOWN, rules, MORNING)
    with monkeypatch.context() as patch:
        patch.setattr(Space, "meet", counted)
        ask(cover)
    return done


def test_looking_for_errors_grows_with_the_rules_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands before every save and every version: no set of rules may hold it up."""
    few, many = (work(tangled(count), monkeypatch, lambda cover: list(plain(cover))) for count in (40, 320))
    assert many <= 9 * few
    same = [structs.replace(rule, number=7) for rule in tangled(320)]
    assert work(same, monkeypatch, lambda cover: list(plain(cover))) < 100 * len(same)


def test_of_one_number_one_thing_is_told() -> None:
    """Not each pair: of a thousand rules with one number that would be half a million."""
    same = [
        Rule(id=f"r{i:04}", number=7, name="", then=Then(triage=True), when=Box(tags=(f"t{i}",))) for i in range(99)
    ]
    assert [(f.code, len(f.rules)) for f in plain(Cover(KNOWN, same, MORNING))] == [("conflict_of_numbers", 2)]
    apart = [structs.replace(rule, when=Box(form={"x": Range(at_least=i, at_most=i)}), unless=(Box(form={"x": (PRESENT,)}),)) for i, rule in enumerate(same)]  # fmt: skip
    assert {fault.code for fault in plain(Cover(KNOWN, apart, MORNING))} == {"never_holds", "undecided"}


def test_all_questions_together_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the rules are tangled; who asks is told that it stopped."""
    monkeypatch.setattr("router.rules.analysis.space.IN_ALL", 3_000)

    def ask(cover: Cover) -> None:
        with pytest.raises(Spent):
            list(shadows(cover, ()))

    assert work(tangled(40), monkeypatch, ask) < 20 * 3_000


def test_numbers_that_lie_close_are_told_apart() -> None:
    """However many digits that takes: between the bounds there are numbers that no exception takes."""
    near = "1." + "0" * 60 + "4"

    def between(low: str, high: str) -> Box:
        return Box(form={"x": Range(at_least=Decimal(low), at_most=Decimal(high))})

    rule = Rule(id="r", number=1, name="", then=Then(triage=True), when=between("1", near), unless=(between("0", "1"), between(near, "2")))  # fmt: skip
    assert list(plain(Cover(KNOWN, [rule], MORNING))) == []
