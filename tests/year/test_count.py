"""What is counted by SQL finds what it is there to find, and nothing in an honest history; all that can be said is said by somebody."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.departments import simulated
from tests.unit.workflows.calendar_2026 import CHINA, PUBLISHED
from tests.unit.workflows.small_world import Told, told
from tests.year.catalogue import closed_on
from tests.year.count import Counted, _check, hear, keep, opened, weigh
from tests.year.happened import EXCEPTED, missing, possible, sayable
from tests.year.hours import Hours
from tests.year.moves import MOVES
from tests.year.run import Found
from tests.year.town import AFTERWARDS
from workflows import events as ev
from workflows.events import EventRecord


def worked(at: int) -> int:
    return CHINA.consumed(0, at, "wd")


Planted = Callable[[list[EventRecord]], list[EventRecord]]


def full_case() -> Told:
    """Paused, extended, moved by a new calendar, warned of, overdue, up the ladder, closed, called back, done again, closed."""
    case = told().submit("heard").rebase(PUBLISHED).wait_until("2026-10-20 18:00")
    _answered(case).order("370100.watch", "redo", reason="listed").wait_until("2026-10-21 18:00")
    return _answered(case).reply("call_back", "call_back", contacted=True, solved=True, satisfied=True)


def _answered(case: Told) -> Told:
    return case.reply("handle", "reply", result="solved", text="已办").reply("review", "pass")


def timed_case() -> Told:
    case = told().submit("timed").wait_until("2026-09-18 10:00")
    case.reply("handle", "pause", reason="applicant").wait_until("2026-09-19 10:00")
    case.reply("handle", "go_on").reply("handle", "ask_extension", reason="complex", limit="5wd")
    return case.reply("decide_extension", "grant_extension").wait_until("2026-12-01 18:00")


def counted(case: Told, plant: Planted = list, passed: Callable[[int], int] = worked, deaf: bool = False) -> Counted:
    """deaf: the citizen was told nothing."""
    base, found, versions = opened(":memory:"), Counted(), {}
    for record in plant(case.records):
        keep(base, ev.encode(record))
        versions[record.cause[15:30]] = record.version
    for message in case.said:
        if message.to.startswith("answers.") and not deaf:
            hear(base, bytes(message.data), versions[message.id[15:30]])
    weigh(base, found, CHINA, case.now, passed)
    return found


def edited(name: str, which: int = 0, **fields: object) -> Planted:
    """An event of this name says something else; of due dates, so many milliseconds later."""

    def planted(records: list[EventRecord]) -> list[EventRecord]:
        at = [i for i, r in enumerate(records) if any(type(e).__name__ == name for e in r.events)][which]
        events = tuple(
            replace(e, **{field: getattr(e, field) + v if isinstance(v, int) else v for field, v in fields.items()})  # type: ignore[type-var]
            if type(e).__name__ == name
            else e
            for e in records[at].events
        )
        return [*records[:at], replace(records[at], events=events), *records[at + 1 :]]

    return planted


def twice(name: str) -> Planted:
    def planted(records: list[EventRecord]) -> list[EventRecord]:
        at = next(i for i, r in enumerate(records) if any(type(e).__name__ == name for e in r.events))
        again = tuple(e for e in records[at].events if type(e).__name__ == name)
        return [*records[:at], replace(records[at], events=records[at].events + again), *records[at + 1 :]]

    return planted


def sooner(records: list[EventRecord]) -> list[EventRecord]:
    first, *rest = records
    return [first, *(replace(record, at=record.at - 7_200_000) for record in rest)]


@pytest.mark.parametrize("tell", [full_case, timed_case])
def test_an_honest_history_is_in_order(tell: Callable[[], Told]) -> None:
    found = counted(tell())
    assert not found.wrong
    assert found.checked["dues"] >= 5
    assert found.checked["marks"] >= 2
    assert found.checked["told"] >= 4
    assert found.by_product == found.by_sql


def test_what_is_over_is_charged_once() -> None:
    found = counted(full_case())
    assert found.checked["ledger"] == 1
    assert found.done["RedoOrdered"] == 1


@pytest.mark.parametrize(
    ("tell", "plant", "wrong"),
    [
        (full_case, edited("ClockOverdue", due=1), "dues: moved in silence"),
        (timed_case, edited("ClockExtended", before=1), "dues: moved from another date"),
        (timed_case, edited("ClockWentOn", why=""), "dues: moved for no reason"),
        (full_case, twice("ClockStarted"), "dues: begun anew for no reason"),
        (full_case, twice("ClockOverdue"), "marks: fired twice"),
        (full_case, edited("CaseEscalated", level=7), "marks: never announced"),
        (full_case, sooner, "marks: before its time"),
        (timed_case, edited("ClockExtended", due=86_400_000), "told: another date than stands"),
    ],
)
def test_a_planted_fault_is_found(tell: Callable[[], Told], plant: Planted, wrong: str) -> None:
    found = counted(tell(), plant)
    assert wrong in {what for what, *_ in found.wrong}


def test_time_that_nobody_is_charged_with_is_found() -> None:
    """Office time is counted apart from the product: twice as much, and the whole is another."""
    found = counted(full_case(), passed=lambda at: 2 * worked(at))
    assert {what for what, *_ in found.wrong} == {"ledger: the whole is another"}


def test_a_citizen_who_is_not_told_is_found() -> None:
    assert {what for what, *_ in counted(timed_case(), deaf=True).wrong} == {"told: moved and nobody told"}


def test_office_time_is_that_of_the_notices() -> None:
    """Golden: National Day week is off, 10-10 is worked, the day that is closed is not."""
    hours = Hours(closed := closed_on(date(2026, 11, 6)))
    assert _days(hours, "2026-09-30", "2026-10-11") == 4
    assert _days(hours, closed.isoformat(), closed.isoformat()) == 0
    assert _days(Hours(None), closed.isoformat(), closed.isoformat()) == 1
    assert _days(hours, "2027-02-05", "2027-02-08") == 0


def _days(hours: Hours, first: str, last: str) -> float:
    at = [
        int(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1000) for text in (f"{first}T00:00", f"{last}T23:59")
    ]
    return (hours.passed(at[1]) - hours.passed(at[0])) / (7 * 3_600_000)


def test_what_never_occurs_is_named() -> None:
    everything = [*sayable(), *possible()]
    assert not missing(everything)
    assert missing(name for name in everything if name != "order conclude") == ["order conclude"]
    assert set(EXCEPTED) <= set(everything), "an exception for what there is not"


def test_somebody_says_whatever_can_be_said() -> None:
    """A new action needs a row in tests/year/moves.py, or words in adapters/departments."""
    said = {move.action for move in MOVES} | set(AFTERWARDS)
    departments = "".join(path.read_text("utf-8") for path in Path(simulated.__file__).parent.glob("*.py"))
    said |= {name.lower() for name in re.findall(r"ReplyAction\.([A-Z_]+)", departments)}
    wanted = {name.split()[1] for name in sayable() if name.startswith(("reply ", "order "))}
    assert wanted <= said


def test_a_whole_year_passes_only_where_each_check_has_looked_at_something() -> None:
    """A query that finds no rows any more, as an event has another name, would find nothing wrong either."""
    told = Counted(cases=1, checked=Counter(dues=1, marks=1))
    assert Found(counted=told, whole=True).passed
    told.checked["marks"] = 0
    assert not Found(counted=told, whole=True).passed
    empty = Counted()
    _check(opened(":memory:"), "marks", "CHINA", empty)
    assert empty.checked == {"marks": 0}
