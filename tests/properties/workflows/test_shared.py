"""What is worked out once and shared by many cases is what each case alone would get, and no other catalogue's."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stdnum.iso7064 import mod_11_10

from tests.unit.workflows.calendar_2026 import CHINA, OFFICE
from tests.unit.workflows.small_world import NOW, POLICIES, POLICY, SmallWorld, Told
from workflows import events as ev
from workflows.calendars import Calendar
from workflows.clocks import start_case_clocks, start_leg_clocks
from workflows.decision import Decision
from workflows.evolve import evolve, fold
from workflows.policies import Policy
from workflows.submit import case_number
from workflows.workdays import DAY, HOUR

OTHER_YEAR = Calendar.build("cn-2026", hours=[OFFICE], weekend=[5, 6, 7], horizon=date(2026, 12, 31), years=[])
"""The same id as CHINA, as another version of a catalogue would have it."""
STRICTER = replace(POLICY, clocks=tuple(replace(clock, budget="1wd") for clock in POLICY.clocks))


class Edited(SmallWorld):
    """The small world with other limits, or other holidays, under the same ids."""

    stricter: Policy = POLICY
    holidays: Calendar = CHINA

    def policy(self, policy: str) -> Policy:
        return self.stricter if policy == "city" else POLICIES[policy]

    def calendar(self, region: str) -> Calendar:
        return self.holidays


def _dues(facts: SmallWorld, now: int = NOW) -> dict[str, int]:
    return {key: clock.due for key, clock in Told(facts=facts, now=now).submit("street").held.clocks.items()}


def test_an_edit_under_the_same_id_holds_for_the_next_case_and_only_for_it() -> None:
    """Two versions of a catalogue are in one process while it changes; they take turns here at one instant."""
    before = _dues(SmallWorld())
    assert _dues(Edited(stricter=STRICTER)) != before
    assert _dues(Edited(holidays=OTHER_YEAR)) != before
    assert _dues(SmallWorld()) == before == _dues(Edited(stricter=replace(POLICY)))


@pytest.mark.parametrize("wait", [1, HOUR, 3 * DAY])
def test_a_later_case_has_its_own_times(wait: int) -> None:
    """Sign runs from the instant, the citizen's clock from the day."""
    first, later = _dues(SmallWorld()), _dues(SmallWorld(), NOW + wait)
    assert later["sign/1"] > first["sign/1"]
    assert (later["finish/"] > first["finish/"]) == (wait == 3 * DAY)


@given(st.integers(0, 60 * DAY), st.sampled_from(sorted(POLICIES)), st.booleans())
def test_clocks_that_begin_together_fold_to_what_each_event_says(later: int, policy: str, legs: bool) -> None:
    """The shared fold against the fold event by event."""
    told = Told(facts=SmallWorld(), now=NOW + later).submit("alone")
    d = Decision(replace(told.held, policy=policy, clocks={}), "c", told.facts, told.now)
    start_case_clocks(d)
    if legs:
        start_leg_clocks(d, "1")
    one_by_one = replace(told.held, policy=policy, clocks={})
    for event in d.events:
        one_by_one = evolve(one_by_one, event, told.now)
    assert d.case == one_by_one
    assert [event.kind for event in d.events if isinstance(event, ev.ClockStarted)] == [
        clock.kind for of in ("case", "leg")[: 1 + legs] for clock in POLICIES[policy].clocks if clock.of == of
    ]


def test_what_cases_share_is_not_changed_by_one_of_them() -> None:
    """One case goes through its clocks; another of the same instant still has all of its own."""
    first, second = (Told(facts=SmallWorld(), now=NOW).submit("alone") for _ in range(2))
    as_begun = dict(second.held.clocks)
    first.reply("handle", "sign").wait_until("2026-10-20 09:00")
    assert first.held.clocks != as_begun
    assert second.held.clocks == as_begun
    assert fold(None, second.records[0]) == second.held


@given(st.text("0123456789", min_size=2, max_size=12), st.integers(0, 400 * DAY), st.text("0123456789", max_size=9))
def test_the_check_digit_is_that_of_the_standard(place: str, later: int, serial: str) -> None:
    number = case_number(place, NOW + later, serial).replace("-", "")
    assert mod_11_10.is_valid(number)
    assert number[6:12] == case_number("37", NOW + later, "")[7:13]
    assert number[12:-1] == f"{serial:0>7}"
