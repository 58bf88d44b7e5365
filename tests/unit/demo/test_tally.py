"""Invariant: the tally follows the events alone: a case stands in one state, and an ended one stays ended."""

import msgspec
from rich.console import Console

from router.operate.demo_view import TEXTS, View
from router.operate.gather import Gathering
from router.operate.ledger import Gathered, balance
from router.operate.tally import Tally
from router.operate.topics import Topics
from schemas.handling import CaseState
from workflows import events as ev

BODY = msgspec.Raw(b"{}")


def registered(channel: str) -> ev.CaseRegistered:
    return ev.CaseRegistered(
        channel=channel, ref="r", number="n", query_code="", digest="", request=BODY, received_at=0, centre="c", centre_endpoint="desk",
        appeal_kind="help", region="370902", calendar="cn",
    )  # fmt: skip


def leg(parent: str = "") -> ev.LegDispatched:
    return ev.LegDispatched(leg="1", task="t", unit="u", unit_name="单位", endpoint="desk", part="lead", parent=parent)


def tally_of(*stories: tuple[ev.AnyEvent, ...]) -> Tally:
    tally = Tally()
    for number, story in enumerate(stories):
        for version, event in enumerate(story, 1):
            record = ev.EventRecord(
                case=f"c{number}", version=version, at=0, cause="", number=f"N{number}", events=(event,)
            )
            tally.take([record])
    return tally


STORIES = (
    (registered("grid"),),
    (
        registered("grid"),
        leg(),
        ev.LegReturnAsked(leg="1", task="t2", endpoint="desk", reason=""),
        ev.LegReturned(leg="1"),
    ),
    (registered("wechat"), ev.CaseClosed(reason="answered"), ev.CaseEvaluated(grade=5)),
    (registered("wechat"), ev.CaseWithdrawn(body=BODY), ev.CaseClosed(reason="withdrawn")),
    (
        registered("grid"),
        leg(),
        leg(parent="1"),
        ev.LegSentBack(leg="1", reason="", round=1),
        ev.CaseClosed(reason="solved"),
    ),
)


def test_each_case_stands_in_one_state() -> None:
    tally = tally_of(*STORIES)
    assert tally.by_channel() == {
        "grid": {CaseState.REGISTERED: 1, CaseState.DISPATCHED: 1, CaseState.CLOSED: 1},
        "wechat": {CaseState.CLOSED: 1, CaseState.WITHDRAWN: 1},
    }
    assert tally.open == 2 and tally.events == 16


def test_the_outcomes_of_a_channel_are_the_reasons_of_closing() -> None:
    assert tally_of(*STORIES).outcomes() == {"grid": {"solved": 1}, "wechat": {"answered": 1, "withdrawn": 1}}


def test_a_channel_is_unanswered_until_one_of_its_cases_is_closed() -> None:
    assert tally_of(*STORIES).unanswered == set()
    assert tally_of(*STORIES[:2], *STORIES[2:4]).unanswered == {"grid"}


def test_the_case_that_shows_something_best_is_one_to_which_it_happened() -> None:
    tally = tally_of(*STORIES)
    closed = tally.with_most_of(ev.LegSentBack, ev.CaseClosed)
    assert closed is not None and closed.number == "N4"
    assert tally.with_most_of(ev.MergeProposed, ev.CaseClosed) is None


def test_the_most_telling_case_is_the_one_with_most_to_see() -> None:
    telling = tally_of(*STORIES).most_telling()
    assert telling is not None and telling.number == "N4"
    assert Tally().most_telling() is None


def test_the_view_draws_in_both_languages_and_names_every_count_of_the_ledger() -> None:
    tally = tally_of(*STORIES)
    gathering = Gathering(Topics("t.", 2), ["grid", "wechat"], ["desk"])
    ledger = balance(Gathered(inputs={"t.intake.grid/0/0": False}))
    for lang, word in (("zh", "账本"), ("en", "ledger")):
        view = View(lang, {"grid": "网格", "wechat": "微信"}, gathering, tally)
        console = Console(width=200, record=True)
        with console.capture() as captured:
            console.print(view.live(0, 3, 5, 1.0, []))
            console.print(view.line(0, 3, 5, 1.0))
            console.print(view.closing(ledger))
        assert word in captured.get()
        assert set(ledger.numbers()) <= set(TEXTS)
