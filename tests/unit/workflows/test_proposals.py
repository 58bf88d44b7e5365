"""What a case makes of a proposed category: enough to route by, never what the channel said, and never more than that."""

import pytest
from msgspec import json
from msgspec.structs import replace

from tests.unit.workflows.small_world import POLICIES, ROUTES, Told, told
from workflows import events as ev
from workflows.evolve import fold
from workflows.proposals import Found, Guess, Proposal

TOP = (Guess("street", 0.8), Guess("alone", 0.1))


def proposed(category: str, score: float = 0.8) -> Proposal:
    return Proposal(by="model", version="7/abc", threshold=0.7, top=TOP, category=category, score=score)


def registered(t: Told) -> ev.CaseRegistered:
    event = t.records[0].events[0]
    assert isinstance(event, ev.CaseRegistered)
    return event


def routed(t: Told) -> ev.CaseRouted:
    return next(event for event in t.records[0].events if isinstance(event, ev.CaseRouted))


def clock_of(t: Told, kind: str) -> str:
    return next(clock.budget for clock in t.held.clocks.values() if clock.kind == kind)


def test_a_proposal_routes_and_is_kept_beside_what_the_channel_said() -> None:
    t = told().submit("", proposal=proposed("street"))
    assert routed(t).rule == ROUTES["street"].rule
    assert (registered(t).category, t.held.category) == ("", "")
    assert registered(t).proposal == t.held.proposal == proposed("street")
    assert json.decode(registered(t).request)["appeal_category"] == ""
    assert t.data("task.assigned")["proposal"] == {
        "by": "model", "version": "7/abc", "threshold": 0.7, "category": "street", "score": 0.8,
        "top": [{"category": "street", "score": 0.8}, {"category": "alone", "score": 0.1}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("category", "more"), [("alone", {}), ("", {"matter_code": "m-1"}), ("", {"one_thing": {"package": "x"}})]
)
def test_what_the_channel_said_stands(category: str, more: dict[str, object]) -> None:
    """Whatever is proposed beside it is not even kept."""
    with_it, without = (told().submit(category, proposal=p, **more) for p in (proposed("street"), None))
    assert with_it.records == without.records


def test_below_the_threshold_a_person_looks_within_a_time_of_its_own() -> None:
    t = told().submit("", proposal=proposed("", 0.0))
    assert t.happened[-2:] == ["TriageAsked", "ClockStarted"]
    assert (t.data("task.assigned")["reason"], clock_of(t, "triage")) == ("low_score", "1wh")
    assert told().submit("").data("task.assigned")["reason"] == "rule"
    assert clock_of(told().submit("unclear"), "triage") == "2wh"


def test_a_guess_calls_out_no_emergency() -> None:
    """A person must look; but what the request itself says of an emergency goes before any guess."""
    t = told().submit("", proposal=proposed("emergency"))
    assert t.held.state == "in_triage"
    assert t.data("task.assigned")["reason"] == "proposed_emergency"
    assert told().submit("", urgency="emergency", proposal=proposed("street")).held.state == "redirected"


@pytest.mark.parametrize("unguessed", ["street", "birth", "refuse", "known", "unclear", "nobody"])
def test_a_proposed_emergency_asks_a_dispatcher_whatever_the_rules_would_do(
    unguessed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a rule without a category dispatches, starts, refuses or answers, the warning is not lost: a person is asked."""
    monkeypatch.setitem(ROUTES, "", ROUTES[unguessed])
    assert told().submit("").held.state != "in_triage" or unguessed in {"unclear", "nobody"}
    t = told().submit("", proposal=proposed("emergency"))
    assert (t.held.state, t.held.legs, t.held.refusal) == ("in_triage", {}, None)
    assert t.data("task.assigned")["reason"] == "proposed_emergency"
    assert (routed(t).rule, routed(t).outcome, routed(t).stages) == (ROUTES[unguessed].rule, "triage", ())
    assert t.held.urgency == (ROUTES[unguessed].urgency or "normal")


def test_a_guess_answers_nobody() -> None:
    """Where the channel names the category the rule answers; where it is guessed a person is shown the answer's name."""
    category = next(name for name, route in ROUTES.items() if route.outcome == "answer")
    assert told().submit(category).held.close_reason == "answered"
    t = told().submit("", proposal=proposed(category))
    assert t.held.state == "in_triage"
    assert t.data("task.assigned")["reason"] == f"proposed_answer: {ROUTES[category].answer}"
    assert not t.held.close_reason


def test_a_guess_refuses_nobody() -> None:
    assert told().submit("", proposal=proposed("refuse")).held.state == "refusal_proposed"


def test_an_answer_at_once_needs_no_guess() -> None:
    t = told().submit("", proposal=proposed("street"), direct_answer={"text": "周六开放"})
    assert t.held.close_reason == "answered"


def test_what_the_dispatcher_says_it_is_about_is_kept() -> None:
    t = told().submit("", proposal=proposed(""))
    t.reply("triage", "dispatch", targets=[{"unit": "370102.water"}], category="street")
    (ended,) = (event for event in t.records[-1].events if isinstance(event, ev.TriageEnded))
    assert ended.category == "street"
    assert registered(t).category == t.held.category == ""


def test_a_category_that_there_is_not_is_no_sample() -> None:
    """Refused with a code, state unchanged: what a model learns from is a category of the catalogue or nothing."""
    t = told().submit("", proposal=proposed(""))
    held = t.held
    t.reply("triage", "dispatch", targets=[{"unit": "370102.water"}], category="C99")
    assert t.happened == ["CommandRefused"]
    assert t.data("reply.refused")["code"] == "unknown_category"
    assert (t.held.state, t.held.legs, t.held.tasks) == (held.state, held.legs, held.tasks)


def found(entry: str = "saturday", score: float = 0.9) -> Found:
    return Found(entry=entry, title="窗口时间", score=score, by="catalogue", version="7/abc")


def asking(answer: Found | None, category: str = "", **more: object) -> Told:
    said = {"appeal_kind": "consult"} | more
    return told().submit("", proposal=replace(proposed(category), answer=answer), **said)


def let_answer(monkeypatch: pytest.MonkeyPatch, enough: float) -> None:
    monkeypatch.setitem(POLICIES, "city", replace(POLICIES["city"], answers_from=enough))


def test_what_may_answer_a_question_is_shown_to_who_dispatches_it() -> None:
    """As long as no policy lets it answer by itself."""
    t = asking(found(score=1.0))
    assert t.held.state == "in_triage"
    shown = t.data("task.assigned")["proposal"]["answer"]  # type: ignore[index]
    assert shown == {"entry": "saturday", "title": "窗口时间", "score": 1.0, "by": "catalogue", "version": "7/abc"}


def test_a_policy_may_let_it_answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    let_answer(monkeypatch, 0.9)
    t = asking(found())
    assert (t.held.close_reason, routed(t).outcome, t.data("case.outcome")["text"]) == (
        "answered",
        "answer",
        "窗口周六上午开放",
    )
    (answered,) = (event for event in t.records[0].events if isinstance(event, ev.CaseAnsweredAtOnce))
    assert answered.answer == "saturday"
    assert fold(None, ev.decode(ev.encode(t.records[0]))) == t.case


@pytest.mark.parametrize(
    ("answer", "category", "more"),
    [
        (found(score=0.89), "", {}), (found("gone"), "", {}), (None, "", {}), (found(), "", {"appeal_kind": "complaint"}),
        (found(), "", {"appeal_kind": "help"}), (found(), "emergency", {}), (found(), "known", {}),
        (found(), "", {"subject_of_complaint": [{"kind": "unit", "unit": "370102.water"}]}),
    ],
)  # fmt: skip
def test_but_nothing_else_is_answered(
    answer: Found | None, category: str, more: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too unsure, not in force, no question, about somebody, or with a hint of an emergency: a person looks."""
    let_answer(monkeypatch, 0.9)
    t = asking(answer, category, **more)
    assert (t.held.state, t.held.close_reason) == ("in_triage", "")


@pytest.mark.parametrize("category", ["street", "birth", "refuse"])
def test_what_the_rules_send_to_somebody_stays_there(category: str, monkeypatch: pytest.MonkeyPatch) -> None:
    let_answer(monkeypatch, 0.1)
    assert routed(asking(found(), category)) == routed(asking(None, category))
