"""What two rule sets make of the same requests, counted and told."""

from functools import cache

import pytest
from msgspec import Raw
from msgspec.structs import replace

from router.catalogue.catalogue import Catalogue
from router.catalogue.load import from_files
from router.cli.rules_moves import TEXTS, told
from router.operate.history import registered
from router.rules import comparison
from router.rules.backtest import DIFFERENCES, Judge, Outcome, Registered, differing, outcome_of
from router.rules.comparison import Comparison, Move, Report, report
from tests.unit.catalogue.small import edited, small
from tests.unit.rules.archive import DAY, NINE, archived, asked
from workflows import events as ev

ROADS = {"appeal_category": "C11", "place": {"region": "370102"}}


@cache
def active() -> Catalogue:
    return from_files(small(), version=1)


def draft(old: str, new: str, file: str = "rules/90.yaml") -> Catalogue:
    return from_files(edited(file, old, new))


def compared(before: Catalogue, after: Catalogue, *requests: Registered) -> Report:
    made, one, other = Comparison(), Judge(before.facts()), Judge(after.facts())
    for request in requests:
        made.take(request, one.outcome(request), other.outcome(request))
    return report(made, before.rules, after.rules, NINE - DAY, NINE + DAY)


def test_what_is_decided_again_is_what_the_engine_recorded() -> None:
    """For each kind of end, and although a judge remembers: the events in the log come to the same."""
    judge = Judge(active().facts())
    ends = {
        "dispatch": ROADS, "triage": {"appeal_category": "C3"}, "emergency": {"appeal_category": "C2"},
        "one_thing": {"one_thing": {"package": "birth"}, "place": {"region": "370102"}},
        "propose_refusal": {"appeal_category": "C3", "appeal_kind": "complaint"},
        "answered": {"direct_answer": {"text": "好"}},
    }  # fmt: skip
    for kind, request in ends.items():
        record = archived(active(), kind, **request)
        again = registered(ev.encode(record))
        assert again is not None and (again.number, again.catalogue) == (record.number, 1)
        for _ in range(2):
            assert judge.outcome(again) == outcome_of(record.events)
        assert judge.outcome(again).kind == kind
        assert (again.rule,) == (judge.outcome(again).rules or ("",))


def test_an_end_is_told_in_full() -> None:
    record = archived(active(), "joint", urgency="urgent", **ROADS)
    assert outcome_of(record.events) == Outcome(
        kind="dispatch", rules=("joint",), unit="370100.roads", function="roads", policy="slow",
        calendar=active().facts().calendar("370102").id, urgency="urgent", clocks=("finish 30d",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"kind": "triage"}, "outcome"), ({"function": "x"}, "function"), ({"unit": "x"}, "unit"), ({"others": ("x",)}, "others"),
        ({"policy": "x"}, "clocks"), ({"clocks": ("x",)}, "clocks"), ({"calendar": "x"}, "clocks"), ({"urgency": "x"}, "urgency"), ({"text": "x"}, "text"),
    ],
)  # fmt: skip
def test_each_thing_that_matters_is_a_difference(change: dict[str, str], differs: str) -> None:
    """And another rule alone is none."""
    one = {"kind": "dispatch", "rules": ("r",), "unit": "u"}
    assert differing(Outcome(**one), Outcome(**one | change)) == (differs,)  # type: ignore[arg-type]
    assert differing(Outcome(**one), Outcome(**one | {"rules": ("s",)})) == ()  # type: ignore[arg-type]
    assert differs in DIFFERENCES


def test_moves_are_counted_and_shown() -> None:
    """Two of three requests go to the parks; the third, of another category, stays; the sum is right."""
    after = draft('{function: "@category"}', "{function: parks}")
    requests = [asked("1", **ROADS), asked("2", NINE + 1, **ROADS), asked("3", **ROADS | {"appeal_category": "C12"})]
    made = compared(active(), after, *requests)
    assert (made.requests, made.differing, made.met) == (3, 2, 3)
    assert made.functions == (Move(before="roads", after="parks", count=2),)
    assert made.units == (Move(before="370102.roads", after="370100.roads", count=2),)
    assert made.outcomes == {"dispatch": (3, 3)} and made.fallback == (0, 0)
    assert [(e.number, e.differs) for e in made.examples] == [
        ("n-2", ("function", "unit")),
        ("n-1", ("function", "unit")),
    ]
    assert [(rule.id, rule.change, rule.before, rule.after) for rule in made.changed] == [("category", "changed", 3, 3)]
    assert [rule.id for rule in made.silent] == ["package", "refuse", "joint", "matter", "fallback"]
    assert not made.is_quiet


def test_limits_change_without_the_policys_name() -> None:
    """A draft that only gives a policy less time changes clocks, and is told so."""
    made = compared(active(), draft("budget: 5wd", "budget: 3wd", "policies/all.yaml"), asked(**ROADS))
    assert made.differences == {"clocks": 1} and made.limits == (Move(before="plain", after="plain", count=1),)


def test_rules_are_in_force_at_the_moment_of_the_decision() -> None:
    """A rule that begins tomorrow takes the requests of tomorrow, whenever they were received, and not today's."""
    after = draft("name: 按分类\n", "name: 按分类\n  valid_from: '2026-09-19'\n")
    made = compared(active(), after, asked("1", **ROADS), asked("2", NINE + DAY, received_at=NINE, **ROADS))
    assert made.outcomes["triage"] == (0, 1) and made.fallback == (0, 1)
    late = report(Comparison(), active().rules, after.rules, NINE - DAY, NINE)
    assert [rule.in_force for rule in late.changed] == [False]


def test_another_rule_with_the_same_result_is_no_difference() -> None:
    after = draft("- id: category\n", "- id: category-new\n")
    made = compared(active(), after, asked(**ROADS))
    assert (made.differing, made.other_rule, made.met) == (0, 1, 1)
    assert {(rule.id, rule.change) for rule in made.changed} == {("category", "removed"), ("category-new", "added")}
    assert made.is_quiet


def test_a_request_that_a_draft_cannot_decide_is_found() -> None:
    """One that would stop the engine is a finding and does not stop the back-test; nothing of the error's text is kept."""

    class Broken:
        def emergency(self, *_: object) -> None:
            raise KeyError("13800001111")

    broken = Judge(Broken()).outcome(asked(**ROADS))  # type: ignore[arg-type]
    assert broken == Outcome(kind="failed", text="KeyError")


def test_the_order_of_requests_makes_no_difference() -> None:
    """Partitions are read as they come."""
    after = draft('{function: "@category"}', "{function: parks}")
    requests = [asked(str(n), NINE + n % 7, appeal_category=c, place={"region": p}) for n, (c, p) in enumerate([("C11", "370102"), ("C111", "370103"), ("C12", "370202")] * 9)]  # fmt: skip
    assert compared(active(), after, *requests) == compared(active(), after, *reversed(requests))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many different decisions units are no longer told apart; every count stays right."""
    monkeypatch.setattr(comparison, "PAIRS", 3)
    made = Comparison()
    for n in range(50):
        before = Outcome(kind="dispatch", rules=("r",), unit=f"u{n}", function="f")
        made.take(asked(str(n), NINE + n), before, Outcome(kind="dispatch", rules=("r",), unit="v", function="f"))
    told = report(made, {}, {}, 0, 1)
    assert len(made.pairs) == 4 and list(map(len, made.examples.values())) == [20]
    assert [example.number for example in told.examples] == [f"n-{n}" for n in range(49, 29, -1)]
    assert (told.requests, told.differing, told.differences) == (50, 50, {"unit": 50})


def test_an_empty_window_is_not_called_fine() -> None:
    made = compared(active(), active())
    assert not made.is_quiet
    for lang, text in (("zh", "此期间没有登记过诉求"), ("en", "No requests were registered")):
        (line,) = told(made, (active(),), lang)
        assert text in line


def test_a_changed_rule_that_nothing_met_is_not_called_fine() -> None:
    """There were requests, none changed, but none of them says anything about the rule."""
    after = draft("joint\n  number: 30", "joint\n  number: 31", "rules/10.yaml")
    lines = list(told(compared(active(), after, asked(**ROADS)), (active(),), "zh"))
    assert "每件诉求的去向、单位和时限都不变。" in lines and TEXTS["zh"]["not met"] in lines
    assert not compared(active(), after, asked(**ROADS)).is_quiet
    assert compared(active(), active(), asked(**ROADS)).is_quiet  # no rule changed, so none had to be met


def test_requests_that_neither_can_decide_are_not_called_fine() -> None:
    """What both fail on is the same in both, and says nothing: it is counted, told first, and no reason for exit code 0."""
    broken = replace(asked("2", **ROADS), request=Raw(b'{"title":5}'))
    made = compared(active(), active(), asked("1", **ROADS), broken)
    assert (made.requests, made.failed, made.differing, made.is_quiet) == (2, 1, 0, False)
    for lang, first in (("zh", "注意：1 件"), ("en", "Mind: 1 requests")):
        lines = list(told(made, (active(),), lang))
        assert lines[0].startswith(first) and TEXTS[lang]["same"] not in lines


def test_the_telling_names_what_a_clerk_knows() -> None:
    """Names of units and functions, examples by case number; nothing of the request."""
    after = draft('{function: "@category"}', "{function: parks}")
    made = compared(active(), after, asked("1", title="张三 13800001111", **ROADS))
    lines = "\n".join(told(made, (after, active()), "zh"))
    assert "1\t道路 → 公园" in lines and "1\t甲一区道路局 → 甲市道路局" in lines
    assert (
        "n-1\t派单 甲一区道路局 规则 category plain → 派单 甲市道路局 规则 category plain\t主办职能，主办单位" in lines
    )
    assert "13800001111" not in lines
    english = "\n".join(told(made, (after, active()), "en"))
    assert "leading function\t1" in english and "rules never used afterwards" in english


def test_both_languages_say_everything() -> None:
    assert TEXTS["zh"].keys() == TEXTS["en"].keys()
    assert set(DIFFERENCES) <= TEXTS["zh"].keys()


def test_rules_that_add_are_told_with_what_they_add() -> None:
    """An assist, more urgency and an answer of the knowledge base are differences, and the rules that added were used."""
    files = small() | {
        "answers/all.yaml": "- {id: hours, title: 时间, text: 周六开放, basis: 某办法, author: 张三}".encode(),
        "rules/05.yaml": b"- {id: ask, number: 6, name: q, when: {kind: [consult]}, then: {answer: hours}}",
        "rules/06.yaml": b"- {id: more, number: 7, name: m, adds: true, when: {category_under: [C1]},"
        b" then: {route: [{function: licence, role: approve, part: assist}], urgency: urgent}}",
    }
    after = from_files(files)
    made = compared(active(), after, asked("1", **ROADS), asked("2", appeal_kind="consult", **ROADS))
    by_case = {example.number: (example.differs, example.after) for example in made.examples}
    assert by_case["n-1"][0] == ("others", "urgency") and by_case["n-1"][1].others == ("assist 370102.licence",)
    assert by_case["n-2"][1].kind == "answer" and by_case["n-2"][1].text == "周六开放"
    assert {rule.id: rule.after for rule in made.changed} == {"ask": 1, "more": 2}  # also to an answer: its urgency
