"""One function gives the due and the marks of a clock, however it came to where it is."""

from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CHINA, ms, show
from workflows import events as ev
from workflows.case import Clock, Course, Pending
from workflows.policies import ClockTemplate, EarlyWarning, Step
from workflows.reckoning import Run, consumed, reckon, run_of, unfired
from workflows.workdays import HOUR

FIVE = ClockTemplate(
    kind="finish", of="case", budget="5wd", start="next_day", due="end_of_day",
    warn=(EarlyWarning(before="1wd"), EarlyWarning(percent=50)),
    ladder=(Step(level=1, after="1wd", who="superior", what="urge"),),
)  # fmt: skip
EXACT = ClockTemplate(kind="finish", of="leg", budget="8wh", start="next_working_instant")
FRIDAY = ms("2026-09-18 09:00")


def _due(template: ClockTemplate, run: Run) -> str:
    return show(reckon(CHINA, template, run).due)[5:16]


def test_an_extension_is_laid_to_the_end() -> None:
    """Five working days, and ten more: the fifteenth. What it was given for a first time is not counted anew."""
    assert _due(FIVE, Run(FRIDAY, "5wd")) == "09-24 17:00"
    assert _due(FIVE, Run(FRIDAY, "5wd", ("10wd",))) == _due(FIVE, Run(FRIDAY, "15wd")) == "10-15 17:00"
    assert _due(FIVE, Run(FRIDAY, "5wd", ("3wd", "7wd"))) == "10-15 17:00"
    assert _due(EXACT, Run(FRIDAY, "8wh", ("2wh",))) == _due(EXACT, Run(FRIDAY, "10wh"))


def test_a_pause_takes_nothing_from_the_whole() -> None:
    """Stood still from Monday noon to Wednesday noon, by hours: what was left then is what is left now."""
    paused, on = ms("2026-09-21 12:00"), ms("2026-09-23 12:00")
    run = Run(ms("2026-09-21 09:00"), "8wh", (), 3 * HOUR, on)
    made = reckon(CHINA, EXACT, run)
    assert CHINA.consumed(ms("2026-09-21 09:00"), paused, "wh") == 3 * HOUR
    assert CHINA.consumed(on, made.due, "wh") == 5 * HOUR
    assert show(made.due)[5:16] == "09-24 10:30"


def test_many_pauses_gain_no_more_than_one() -> None:
    """Rounded to the end of a day once, from the whole: a unit that pauses for a minute each day wins no days by it."""
    anchor = reckon(CHINA, FIVE, Run(FRIDAY, "5wd")).anchor
    used, since = 0, anchor
    for day in ("09-20", "09-21", "09-22", "09-23"):
        stop = ms(f"2026-{day} 10:00")
        used += CHINA.consumed(since, stop, "wd")
        since = stop + 60_000
    assert _due(FIVE, Run(FRIDAY, "5wd", (), used, since)) == "09-28 17:00"
    whole = CHINA.consumed(anchor, ms("2026-09-24 17:00"), "wd")
    assert CHINA.consumed(since, ms("2026-09-28 17:00"), "wd") + used - whole == 6.5 * HOUR - 4 * 60_000


def test_a_unit_below_is_due_when_the_one_above_needs_it() -> None:
    latest = ms("2026-09-22 17:00")
    assert _due(FIVE, Run(FRIDAY, "5wd", latest=latest)) == "09-22 17:00"
    assert _due(FIVE, Run(FRIDAY, "5wd", ("5wd",), latest=latest)) == "09-22 17:00"


def test_a_clock_that_runs_is_reckoned_to_where_it_stands() -> None:
    """From what a case keeps of it; so nothing moves that nothing moved."""
    for template in (FIVE, EXACT, replace(EXACT, start="receipt", budget="24h")):
        made = reckon(CHINA, template, Run(ms("2026-09-19 18:30"), template.budget))
        pending = tuple(Pending(m.at, m.what, m.level, m.who, m.step) for m in made.marks)
        clock = Clock(template.kind, "", "cn", template.budget, made.anchor, made.due, made.provisional, pending)
        assert reckon(CHINA, template, run_of(clock, template)) == made
        assert unfired(made.marks, pending) == made.marks


def test_a_mark_that_fired_does_not_fire_anew() -> None:
    marks = reckon(CHINA, FIVE, Run(FRIDAY, "5wd")).marks
    assert [mark.what for mark in marks] == ["warn", "warn", "due", "escalate"]
    later = reckon(CHINA, FIVE, Run(FRIDAY, "5wd", ("5wd",))).marks
    waiting = tuple(Pending(m.at, m.what, m.level, m.who, m.step) for m in marks[1:])
    assert unfired(later, waiting) == later[1:]
    assert unfired(later, ()) == ()
    assert all(isinstance(mark, ev.Mark) for mark in later)


def test_what_was_used_up_leaves_pauses_out() -> None:
    anchor, now = ms("2026-09-21 09:00"), ms("2026-09-23 10:00")
    clock = Clock("finish", "1", "cn", "8wh", anchor, 0, False, ())
    assert consumed(CHINA, clock, now) == 14 * HOUR
    assert consumed(CHINA, replace(clock, course=Course(consumed=3 * HOUR, pause="x")), now) == 3 * HOUR
    on = Course(consumed=3 * HOUR, since=ms("2026-09-23 09:00"))
    assert consumed(CHINA, replace(clock, course=on), now) == 4 * HOUR
