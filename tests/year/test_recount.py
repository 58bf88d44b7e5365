"""The recount of the year finds what it is there to find, and nothing in an honest history."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.unit.workflows.small_world import Told, told
from tests.year.recount import Recount
from workflows import events as ev
from workflows.events import EventRecord
from workflows.workdays import HOUR

GRACE = HOUR


def late_case() -> Told:
    """A case that nobody touches: it is warned of, overdue, and goes up the ladder."""
    return told().submit("alone").wait_until("2026-10-12 18:00")


def counted(records: list[EventRecord], now: int) -> Recount:
    recount = Recount(GRACE)
    for record in records:
        recount.take(record)
    recount.end(now)
    return recount


def without(name: str) -> Callable[[list[EventRecord]], list[EventRecord]]:
    """The first event of this name did not happen."""

    def planted(records: list[EventRecord]) -> list[EventRecord]:
        at = next(i for i, r in enumerate(records) if any(type(e).__name__ == name for e in r.events))
        kept = tuple(e for e in records[at].events if type(e).__name__ != name)
        return [*records[:at], replace(records[at], events=kept), *records[at + 1 :]]

    return planted


def twice(records: list[EventRecord]) -> list[EventRecord]:
    at = next(i for i, r in enumerate(records) if any(isinstance(e, ev.ClockOverdue) for e in r.events))
    overdue = tuple(e for e in records[at].events if isinstance(e, ev.ClockOverdue))
    return [*records[: at + 1], replace(records[at], events=overdue), *records[at + 1 :]]


def sooner(hours: int) -> Callable[[list[EventRecord]], list[EventRecord]]:
    """Whatever fires does so that many hours before (or, negative, after) its time."""

    def planted(records: list[EventRecord]) -> list[EventRecord]:
        first, *rest = records
        return [first, *(replace(record, at=record.at - hours * HOUR) for record in rest)]

    return planted


def test_an_honest_history_is_in_order() -> None:
    case = late_case()
    recount = counted(case.records, case.now)
    assert not recount.wrong
    assert recount.counts["marks: warn"] >= 1
    assert recount.counts["marks: due"] >= 2
    assert recount.counts["marks: escalate"] >= 2


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (without("ClockWarned"), "missed"),
        (without("CaseEscalated"), "missed"),
        (twice, "doubled"),
        (sooner(2), "early"),
        (sooner(-2), "late"),
    ],
)
def test_a_planted_fault_is_found(plant: Callable[[list[EventRecord]], list[EventRecord]], what: str) -> None:
    case = late_case()
    recount = counted(plant(case.records), case.now)
    assert recount.counts[what]


def test_an_extension_of_what_was_answered_meanwhile_starts_nothing() -> None:
    """Decided after the unit has replied it moves the due, should the reply be sent back; until then nothing comes due."""
    case = told().submit("timed").wait_until("2026-09-18 10:00")
    case.reply("handle", "ask_extension", reason="complex", limit="5wd")
    case.reply("handle", "reply", result="transferred", procedure="petition", text="已转信访")
    case.reply("decide_extension", "grant_extension").reply("review", "pass").wait_until("2026-10-30 18:00")
    assert not counted(case.records, case.now).wrong


def test_one_that_was_sent_back_after_that_comes_due() -> None:
    case = told().submit("timed").wait_until("2026-09-18 10:00")
    case.reply("handle", "ask_extension", reason="complex", limit="5wd").reply(
        "handle", "reply", result="solved", text="x"
    )
    case.reply("decide_extension", "grant_extension").reply("review", "send_back", reason="不实")
    case.wait_until("2026-10-30 18:00")
    recount = counted(case.records, case.now)
    assert not recount.wrong
    assert recount.counts["marks: due"] >= 2
