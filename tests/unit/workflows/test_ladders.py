"""Ladders: who is told, how often, when not, and what becomes of it. Faults of other systems are named by their number."""

import pytest
from msgspec.structs import replace

from tests.unit.workflows import small_world
from tests.unit.workflows.calendar_2026 import CHINA, ms, show
from tests.unit.workflows.small_world import POLICIES, POLICY, SmallWorld, Told, told
from workflows import events as ev
from workflows.facts import Duty
from workflows.policies import ClockTemplate, EarlyWarning, Policy, Step
from workflows.reckoning import Run, reckon
from workflows.rungs import last_waking, waking

FRIDAY = ms("2026-09-18 09:00")


def _told(monkeypatch: pytest.MonkeyPatch, *clocks: ClockTemplate, now: int = FRIDAY) -> Told:
    policy: Policy = replace(POLICY, clocks=clocks)
    monkeypatch.setitem(POLICIES, "city", policy)
    return small_world.told(now)


def _rungs(*steps: Step, **more: object) -> tuple[ClockTemplate, ...]:
    """A case's clock that is due on Sunday the 20th, a day that is worked, at 17:00; and these rungs."""
    fields = {"kind": "finish", "of": "case", "budget": "1wd", "start": "next_day", "due": "end_of_day"} | more
    return (ClockTemplate(ladder=steps, **fields),)  # type: ignore[arg-type]


def _fired(told: Told) -> list[str]:
    """Every rung that was said or skipped, with its instant."""
    found = []
    for record in told.records:
        for e in record.events:
            if isinstance(e, ev.CaseEscalated):
                found.append(f"{show(record.at)[5:16]} {e.level} {e.what} {e.unit}")
            elif isinstance(e, ev.EscalationSkipped):
                found.append(f"{show(record.at)[5:16]} {e.level} - {e.why}")
    return found


def test_it_is_said_again_and_no_oftener(monkeypatch: pytest.MonkeyPatch) -> None:
    """peers 49: other systems know one action for a ladder, or none that is repeated."""
    step = Step(level=1, after="0m", who="superior", what="urge", every="1wd", times=3)
    told = _told(monkeypatch, *_rungs(step)).submit("alone").wait_until("2026-10-20 09:00")
    assert _fired(told) == [
        "09-20 17:00 1 urge 370100.urban", "09-21 17:00 1 urge 370100.urban", "09-22 17:00 1 urge 370100.urban",
    ]  # fmt: skip


def test_who_is_told_may_say_so_and_is_told_again_when_nothing_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """peers 53: an acknowledgement stops a ladder, and must not stop it for ever (only Grafana OnCall has both)."""
    step = Step(
        level=1,
        after="0m",
        who="superior",
        what="urge",
        every="2wh",
        times=9,
        until=("acknowledged",),
        acknowledge="1wd",
    )
    told = _told(monkeypatch, *_rungs(step)).submit("alone").wait_until("2026-09-21 09:00")
    assert len(_fired(told)) == 1
    assert told.left == ["tasks.desk task.assigned", "supervision clock.overdue", "supervision case.escalated"]
    told.wait_until("2026-09-21 11:30")
    assert told.left == ["tasks.desk task.assigned", "supervision case.escalated"], "told again under the same task"
    assert len([t for t in told.held.tasks.values() if t.kind == "acknowledge"]) == 1
    told.reply("acknowledge", "acknowledge")
    assert told.happened == ["EscalationAcknowledged"]
    assert told.records[-1].events[0].until == CHINA.add(told.now, "1wd").at  # type: ignore[union-attr]
    told.wait_until("2026-09-30 17:00")
    said = [line[12:] for line in _fired(told)]
    assert said[:2] == ["1 urge 370100.urban"] * 2
    assert "1 - acknowledged" in said
    assert said[-1] == "1 urge 370100.urban"
    first_again = next(i for i, line in enumerate(said) if i > 2 and line == said[0])
    assert all("acknowledged" in line for line in said[2:first_again])


def test_a_word_that_needs_no_renewal_holds_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Step(level=1, after="0m", who="superior", what="raise")
    then = Step(level=2, after="1wd", who="supervisor", what="supervise", until=("acknowledged",), acknowledge="1h")
    told = _told(monkeypatch, *_rungs(first, then)).submit("alone").wait_until("2026-09-20 18:00")
    assert told.held.ladder is not None and told.held.ladder.answers == "370100.urban"
    assert told.held.urgency == "urgent"
    told.reply("acknowledge", "acknowledge").wait_until("2026-10-20 09:00")
    assert _fired(told)[-1] == "09-21 17:00 2 - acknowledged"


@pytest.mark.parametrize(("quiet", "until"), [("20:00-08:00", "09-19 08:00"), ("closed", "09-20 08:30")])
def test_nobody_is_woken_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch, quiet: str, until: str) -> None:
    """
    peers 44: Zammad #4432, OnCall #558 and #4752 send at night. peers 51: OnCall #1206 held a level outside its hours and
    never went on.
    """
    (clock,) = _rungs(Step(level=1, after="5h", who="superior", what="urge", quiet=quiet), kind="finish", budget="8h", start="receipt", due="exact")  # fmt: skip
    told = _told(monkeypatch, clock).submit("alone").wait_until("2026-09-28 09:00")
    opening = show(CHINA.add(ms("2026-09-18 22:00"), "0wh", "next_working_instant").at)[5:16]
    assert _fired(told) == [f"{until if quiet != 'closed' else opening} 1 urge 370100.urban"]


def test_urgent_cases_wake_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """peers 44: an urgent bypass."""
    step = Step(level=1, after="5h", who="superior", what="urge", quiet="20:00-08:00")
    (clock,) = _rungs(step, budget="8h", start="receipt", due="exact")
    told = _told(monkeypatch, clock).submit("alone", urgency="urgent").wait_until("2026-09-28 09:00")
    assert _fired(told) == ["09-18 22:00 1 urge 370100.urban"]


def test_repetitions_that_wait_for_one_morning_are_one() -> None:
    step = Step(level=1, after="0m", who="unit", what="urge", every="1h", times=5, quiet="17:00-08:00")
    made = reckon(CHINA, _rungs(step)[0], Run(FRIDAY, "1wd"))
    assert [show(m.at)[5:16] for m in made.marks if m.what == "escalate"] == ["09-21 08:00"]


def test_a_warning_is_said_before_the_quiet_hours_and_not_after_the_due() -> None:
    """peers 43: GLPI #15429 and others warn late or not at all; a warning after its due is none."""
    early = EarlyWarning(before="2h", quiet="20:00-08:00")
    clock = ClockTemplate(kind="finish", of="case", budget="24h", start="receipt", warn=(early,))
    made = reckon(CHINA, clock, Run(ms("2026-09-18 07:00"), "24h"))
    assert [show(m.at)[5:16] for m in made.marks] == ["09-18 20:00", "09-19 07:00"]
    assert made.marks[0].what == "warn"


@pytest.mark.parametrize("quiet", ["20:00-08:00", "00:00-06:00", "12:00-14:00", "closed"])
@pytest.mark.parametrize("minute", range(0, 3 * 24 * 60, 97))
def test_waking_hours(quiet: str, minute: int) -> None:
    at = ms("2026-09-18 00:00") + minute * 60_000
    later, before = waking(CHINA, quiet, at), last_waking(CHINA, quiet, at)
    assert before <= at <= later
    assert waking(CHINA, quiet, later) == later
    assert later > at or before == at


def test_who_has_not_signed_within_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """An absence rule: counted from the start, over with the signature; the deemed signing stays where it is."""
    within = Step(level=1, after="1wh", since="start", who="unit", what="urge")
    sign = ClockTemplate(
        kind="sign", of="leg", budget="4wh", start="next_working_instant", on_due="deem_signed", ladder=(within,)
    )
    late = _told(monkeypatch, sign).submit("alone").wait_until("2026-09-18 17:00")
    assert _fired(late) == ["09-18 10:00 1 urge 370102.urban"]
    assert late.held.legs["1"].state == "signed"
    prompt = _told(monkeypatch, sign).submit("alone").reply("handle", "sign").wait_until("2026-09-18 17:00")
    assert _fired(prompt) == []


def test_who_has_not_called_the_applicant(monkeypatch: pytest.MonkeyPatch) -> None:
    """No contact within two hours: over with the call, whether it is told with the signature or with a note."""
    rule = Step(level=1, after="2wh", since="start", who="superior", what="notify")
    contact = ClockTemplate(kind="contact", of="leg", budget="1wd", ladder=(rule,))
    told = _told(monkeypatch, contact).submit("alone").reply("handle", "note", text="已电话联系", contacted=True)
    assert told.happened == ["LegSigned", "ClockStopped", "LegNoted"]
    assert told.held.legs["1"].contacted
    assert _fired(told.wait_until("2026-09-25 09:00")) == []
    silent = _told(monkeypatch, contact).submit("alone").wait_until("2026-09-18 12:00")
    assert _fired(silent) == ["09-18 11:00 1 notify 370100.urban"]


def test_who_says_nothing_of_what_he_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """No word of progress for two working days: each word begins the wait anew, and the reply ends it."""
    rung = Step(level=1, after="0m", who="superior", what="urge")
    told = _told(monkeypatch, ClockTemplate(kind="progress", of="leg", budget="2wd", ladder=(rung,))).submit("alone")
    told.wait_until("2026-09-20 10:00").reply("handle", "note", text="已勘查")
    assert told.happened == ["LegSigned", "LegNoted", "ClockStopped", "ClockStarted"]
    assert _fired(told.wait_until("2026-09-22 09:59")) == []
    assert _fired(told.wait_until("2026-09-22 10:00")) == ["09-22 10:00 1 urge 370100.urban"]
    told.reply("handle", "note", text="")
    assert told.happened == ["CommandRefused"]
    told.reply("handle", "reply", result="solved", text="已办")
    assert not told.held.clocks["progress/1"].running


def test_the_leader_on_duty_is_told_and_his_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """peers 54: a roster with stand-ins; the post is asked for when the rung fires, and the desk where nobody is on duty."""
    step = Step(level=1, after="0m", who="superior", what="urge", duty=True, every="1wd", times=2)
    told = _told(monkeypatch, *_rungs(step, budget="2wd")).submit("alone").wait_until("2026-10-20 09:00")
    posts = [(e.post, e.endpoint) for r in told.records for e in r.events if isinstance(e, ev.CaseEscalated)]
    assert posts == [("带班副局长", "desk"), ("副局长（代）", "watch")]
    monkeypatch.setattr(SmallWorld, "on_duty", lambda self, unit, at: None)
    alone = _told(monkeypatch, *_rungs(step)).submit("alone").wait_until("2026-09-20 18:00")
    assert [(e.post, e.endpoint) for r in alone.records for e in r.events if isinstance(e, ev.CaseEscalated)] == [
        ("", "desk")
    ]


def test_what_has_been_done_by_then_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The case's own clock runs on while the reply is under review: nobody is urged to reply who has."""
    replied = Step(level=1, after="0m", who="superior", what="urge", until=("replied",))
    signed = Step(level=2, after="1h", who="superior", what="urge", until=("signed",))
    always = Step(level=3, after="2h", who="supervisor", what="notify")
    told = _told(monkeypatch, *_rungs(replied, signed, always)).submit("alone")
    told.reply("handle", "reply", result="solved", text="已办").wait_until("2026-09-21 09:00")
    assert [line[12:] for line in _fired(told)] == ["1 - replied", "2 - signed", "3 notify 370100.watch"]


def test_a_function_may_be_told_and_the_centre_where_nobody_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Step(level=1, after="0m", who="role", role="water:handle", what="notify")
    nobody = Step(level=2, after="0m", who="role", role="nothing", what="notify")
    told = _told(monkeypatch, *_rungs(held, nobody)).submit("alone").wait_until("2026-09-21 09:00")
    assert [line[12:] for line in _fired(told)] == ["1 notify 370102.water", "2 notify 370100.hotline"]


def test_the_centre_is_asked_whether_another_unit_should_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(level=1, after="0m", who="centre", what="redispatch")
    told = _told(monkeypatch, *_rungs(step)).submit("alone").wait_until("2026-09-21 09:00")
    (asked,) = [task for task in told.held.tasks.values() if task.kind == "acknowledge"]
    assert (asked.unit, asked.endpoint, asked.reason) == ("370100.hotline", "centre", "redispatch")
    told.reply("handle", "reply", result="solved", text="已办").reply("review", "pass")
    assert not told.held.tasks


def test_an_edit_of_the_ladder_moves_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """peers 50: the ladder is on the case; GLPI and others read it anew, so an edit skips or repeats a level."""
    step = Step(level=1, after="0m", who="superior", what="urge", every="1wd", times=2)
    told = _told(monkeypatch, *_rungs(step)).submit("alone").wait_until("2026-09-20 18:00")
    monkeypatch.setitem(POLICIES, "city", replace(POLICY, clocks=()))
    assert len(_fired(told.wait_until("2026-10-20 09:00"))) == 2


def test_a_foreign_word_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(level=1, after="0m", who="superior", what="urge", acknowledge="1wd")
    told = _told(monkeypatch, *_rungs(step)).submit("alone").wait_until("2026-09-21 09:00")
    (asked,) = [task for task in told.held.tasks.values() if task.kind == "acknowledge"]
    told.reply_to(asked.id, "elsewhere", "acknowledge")
    assert told.data("reply.refused")["code"] == "wrong_endpoint"
    told.reply_to(asked.id, asked.endpoint, "pass")
    assert told.data("reply.refused")["code"] == "wrong_action"
    told.reply("acknowledge", "acknowledge").reply_to(asked.id, asked.endpoint, "acknowledge")
    assert told.data("reply.refused")["code"] == "task_not_open"


def test_nobody_on_the_roster_is_a_person() -> None:
    assert set(Duty.__struct_fields__) == {"post", "endpoint"}


def test_who_is_told_again_has_a_task_even_if_the_first_one_went_with_its_case() -> None:
    """A case that was closed and is done again asks anew: a task that is gone can be answered by nobody."""
    t = told().submit("watched").wait_until("2026-09-22 18:00")
    before = t.held.tasks
    t.case = replace(t.held, tasks={i: task for i, task in before.items() if task.kind != "acknowledge"})
    assert t.held.tasks != before
    t.wait_until("2026-09-23 18:00")
    asking = {task.id for task in t.held.tasks.values() if task.kind == "acknowledge"}
    assert asking
    assert t.held.ladder is not None
    assert set(t.held.ladder.asked) == asking
