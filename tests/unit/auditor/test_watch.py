"""The auditor's opinion of a history: none of an honest one, and each planted fault by its name."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from router.auditor.watch import Finding, Sweep, Watch, overdue, repair_id, take
from tests.unit.workflows.small_world import Told, told
from workflows import events as ev

GRACE = 60_000
FRESH = Sweep()
FIRING = (ev.ClockWarned, ev.ClockOverdue, ev.CaseEscalated, ev.EscalationSkipped)


def audit(records: Sequence[ev.EventRecord], sweep: Sweep = FRESH) -> tuple[list[Finding], Watch | None, int]:
    """All findings of one case's records, what is watched in the end, and how many marks fired."""
    watch, found, fired = None, list[Finding](), 0
    for record in records:
        taken = take(watch, record, 0, sweep, GRACE)
        watch, sweep = taken.watch, taken.sweep
        found += taken.findings
        fired += taken.fired
    return found, watch, fired


def lived(category: str = "watched", until: str = "2026-10-09 17:00") -> Told:
    return told().submit(category).wait_until(until)


def fired(record: ev.EventRecord) -> list[ev.AnyEvent]:
    return [event for event in record.events if isinstance(event, FIRING)]


def first_firing(records: Sequence[ev.EventRecord]) -> int:
    return next(i for i, record in enumerate(records) if fired(record))


@pytest.mark.parametrize("category", ["watched", "street", "call", "refuse", "unclear", "birth"])
def test_an_honest_history_is_not_accused(category: str) -> None:
    case = lived(category)
    found, watch, count = audit(case.records)
    assert found == []
    deemed = sum(isinstance(e, ev.LegSigned) and e.deemed for record in case.records for e in record.events)
    assert count == sum(len(fired(record)) for record in case.records) + deemed > 0
    assert watch is not None


def test_what_never_fired_is_missed_once_the_shard_fired_what_came_later() -> None:
    """The record is taken out of the history: a later mark of the same case gives it away."""
    records = lived().records
    at = first_firing(records)
    (event,) = fired(records[at])
    found, _, _ = audit([*records[:at], *records[at + 1 :]])
    assert [(f.kind, f.clock) for f in found] == [("missed", f"{event.kind}/{event.of}")]  # type: ignore[union-attr]


def test_what_fires_twice_is_doubled() -> None:
    records = lived().records
    at = first_firing(records)
    again = replace(records[at], version=records[at].version + 1, at=records[at].at + 1000)
    found, _, _ = audit([*records[: at + 1], again, *records[at + 1 :]])
    assert [f.kind for f in found] == ["doubled"]


def test_what_fires_before_its_time_is_early() -> None:
    records = lived().records
    at = first_firing(records)
    found, _, _ = audit([*records[:at], replace(records[at], at=records[at].at - 1), *records[at + 1 :]])
    assert [f.kind for f in found] == ["early"]


def test_a_late_mark_is_no_finding_while_the_shard_fires_nothing() -> None:
    """It was down, lagged, or its guard held: everything fires an hour late and in its order."""
    records = [replace(r, at=r.at + 3_600_000) if fired(r) else r for r in lived().records]
    assert audit(records)[0] == []


def test_a_late_mark_is_late_where_the_shard_had_fired_later_ones() -> None:
    """Another case's later mark fired in time, and this one five minutes after it."""
    records = lived().records
    at = first_firing(records)
    due = records[at].at
    slow = replace(records[at], at=due + 300_000)
    _, watch, _ = audit(records[:at])
    after = take(watch, slow, 0, Sweep(at=due + 1000, seen=due + 200_000), GRACE)
    assert [f.kind for f in after.findings] == ["late"]
    assert take(watch, slow, 0, Sweep(at=due + 1000, seen=due + 30_000), GRACE).findings == [], "within the grace"
    assert take(watch, slow, 0, Sweep(at=due - 1, seen=due + 200_000), GRACE).findings == [], (
        "it came to an earlier one"
    )


def test_what_was_past_when_it_was_announced_is_not_held_to_what_fired_before_that() -> None:
    """A unit below gets a clock whose time is over, in the transaction that fires what others had due since then."""
    records = lived().records
    _, watch, _ = audit(records[: first_firing(records)])
    assert watch is not None
    key, clock = next((key, clock) for key, clock in watch.clocks.items() if clock.running and clock.marks)
    since = clock.marks[-1].at + 3_600_000
    late = replace(watch, clocks={key: replace(clock, since=since)})
    case, now = records[0].case, since + 10 * GRACE
    assert overdue(late, case, now, Sweep(at=since - 1, seen=now), GRACE)[1] == []
    assert len(overdue(late, case, now, Sweep(at=since + 1, seen=now), GRACE)[1]) == len(clock.marks)


def test_what_else_brought_the_shard_to_a_case_proves_nothing_of_others() -> None:
    """
    After an outage it comes to the earliest of each case, which may be a merger to be asked for again; what of that case
    fires with it may be later than the marks of cases to which it has not come yet.
    """
    records = lived().records
    at = first_firing(records)
    _, watch, _ = audit(records[:at])
    record = records[at]
    assert take(watch, record, 0, FRESH, GRACE).sweep == Sweep(at=record.at, seen=record.at)
    asked_again = ev.MergeAskedAgain(kind="merge", of="merge-1")
    assert take(watch, replace(record, events=(asked_again, *record.events)), 0, FRESH, GRACE).sweep == FRESH
    silent = ev.CaseEvaluated(grade=3, silent=True)
    assert take(watch, replace(record, events=(*record.events, silent)), 0, FRESH, GRACE).sweep == FRESH


def test_what_the_shard_passed_over_is_told_once_and_is_known_when_it_is_repaired() -> None:
    records = lived().records
    at = first_firing(records)
    due, case = records[at].at, records[at].case
    _, watch, _ = audit(records[:at])
    assert watch is not None
    assert watch.due(GRACE) == due + GRACE
    sweep = Sweep(at=due + 1, seen=due + GRACE + 1)
    told_of, found = overdue(watch, case, due + GRACE + 2, sweep, GRACE)
    assert [f.kind for f in found] == ["missed"]
    assert overdue(told_of, case, due + GRACE + 3, sweep, GRACE)[1] == []
    repaired = replace(records[at], cause=repair_id(case, told_of.version), at=due + GRACE + 9)
    assert take(replace(told_of, asked=repaired.cause), repaired, 0, sweep, GRACE).findings == [], "told already"
    after = take(replace(watch, asked=repaired.cause), repaired, 0, Sweep(), GRACE)
    assert [(f.kind, f.repaired) for f in after.findings] == [("missed", True)]
    assert after.sweep == Sweep(), "a repair says nothing of how far the shard came by itself"


def test_the_end_of_a_case_hides_nothing() -> None:
    case = lived(until="2026-09-18 09:00").reply("handle", "reply", result="solved", text="已办")
    case.wait_until("2026-09-20 09:00").reply("review", "pass")
    found, watch, _ = audit(case.records)
    assert (found, watch) == ([], None)
    without = [r for r in case.records if not any(isinstance(e, FIRING) for e in r.events)]
    assert len(without) < len(case.records)
    kinds = {f.kind for f in audit(without, Sweep(at=case.now, seen=case.now - 1))[0]}
    assert kinds == {"missed"}


def test_a_clock_whose_marks_are_said_anew_is_not_held_to_the_old_ones() -> None:
    """As re-basing and extensions do: an event of the clock that carries marks."""
    records = lived(until="2026-09-18 09:00").records
    start = next(e for e in records[0].events if isinstance(e, ev.ClockStarted) and e.kind == "finish")

    class Moved(ev.Event, frozen=True):
        kind: str
        of: str
        marks: tuple[ev.Mark, ...]

    later = tuple(replace(mark, at=mark.at + 86_400_000) for mark in start.marks)
    moved = replace(records[0], version=2, at=records[0].at + 5, events=(Moved(kind="finish", of="", marks=later),))
    _, watch, _ = audit([*records, moved])
    assert watch is not None
    assert [m.at for m in watch.clocks["finish/"].marks] == [m.at for m in later]
