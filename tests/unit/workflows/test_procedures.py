"""转入法定程序: the hotline's part ends, the case waits for the procedure, and the citizen learns both."""

from datetime import date, timedelta

from msgspec.structs import replace

from tests.unit.workflows.calendar_2026 import CHINA, PUBLISHED, ms, show
from tests.unit.workflows.small_world import NOW, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.attribution import attribute, happened
from workflows.evolve import FOLDS
from workflows.particulars import Member, Star

SAID = {"result": "transferred", "text": "已转信访"}


def handed_over(category: str = "alone", now: int = NOW) -> Told:
    t = told(now).submit(category)
    return t.reply("handle", "reply", procedure="petition", **SAID).reply("review", "pass")


def test_a_hand_over_names_a_procedure_of_the_list() -> None:
    t = told().submit("alone")
    for said in ({}, {"procedure": "court"}):
        t.reply("handle", "reply", **SAID, **said)
        assert t.data("reply.refused")["code"] == "unknown_procedure"
    t.reply("handle", "reply", procedure="petition", **SAID)
    t.reply("review", "send_back", reason="可以办").reply("handle", "reply", result="solved", text="已办")
    assert "procedure" not in t.reply("review", "pass").data("case.outcome")


def test_the_citizen_learns_which_and_until_when_and_is_not_told_that_it_is_over() -> None:
    """The hotline's clock has stopped, met; the day is the procedure's, counted from the day after."""
    t = handed_over()
    status = t.data("case.status_changed")
    due = date(2026, 9, 18) + timedelta(days=60)
    assert (status["status"], status["procedure"], status["text"]) == ("in_procedure", "petition", "已转信访")
    assert status["promised_due"] == f"{due}T23:59:59+08:00"
    assert "case.outcome" not in "".join(message.type for message in t.said)
    assert t.held.state == "in_procedure"
    assert [key for key, clock in t.held.clocks.items() if clock.running] == ["statutory/petition"]
    stopped = [
        e for r in t.records for e in r.events if isinstance(e, ev.ClockStopped) and (e.kind, e.of) == ("finish", "")
    ]
    assert [clock.met for clock in stopped] == [True]


def test_the_unit_is_asked_again_when_it_is_due_and_its_answer_ends_the_case() -> None:
    t = handed_over()
    task = t.data("task.assigned")
    assert (task["kind"], task["allowed"]) == ("end_procedure", ["end_procedure"])
    assert [due["kind"] for due in task["due"]] == ["statutory"]  # type: ignore[attr-defined]
    t.wait_until("2026-11-18 09:00")
    asked = t.data("task.assigned")
    assert (asked["task_id"], asked["reason"]) == (task["task_id"], "procedure_due")
    assert {key for key, clock in t.held.clocks.items() if clock.running} == {
        "statutory/petition",
        "follow_up/petition",
    }
    t.wait_until("2026-11-27 09:00")
    assert t.data("clock.overdue")["kind"] == "follow_up"
    assert t.data("clock.overdue")["unit"] == "370102.urban"
    t.reply("end_procedure", "end_procedure")
    assert t.data("reply.refused")["code"] == "incomplete"
    outcome = t.reply("end_procedure", "end_procedure", text="信访已答复").data("case.outcome")
    assert (outcome["reason"], outcome["text"], outcome["procedure"]) == ("transferred", "信访已答复", "petition")
    assert (t.held.state, t.held.tasks, t.held.clocks) == ("closed", {}, {})


def test_the_date_by_law_moves_with_the_notice_and_the_citizen_is_told() -> None:
    """Sixty days from 11-02 end on the first of January: a working day as far as anybody knows, a holiday by the notice."""
    t = handed_over(now=ms("2026-11-02 09:00"))
    clock = t.held.clocks["statutory/petition"]
    assert (show(clock.due), clock.provisional) == ("2027-01-01 23:59:59", True)
    t.rebase(PUBLISHED)
    assert (show(t.held.clocks["statutory/petition"].due)) == "2027-01-04 23:59:59"
    said = t.data("case.status_changed")
    assert (said["status"], said["promised_due"]) == ("due_moved", "2027-01-04T23:59:59+08:00")
    assert (said["promised_before"], said["reason"]) == ("2027-01-01T23:59:59+08:00", "节假日安排公布或调整")


def test_it_may_end_early_and_nobody_is_asked_then() -> None:
    t = handed_over().reply("end_procedure", "end_procedure", text="信访已答复")
    assert t.held.state == "closed"
    assert t.wait_until("2026-11-18 09:00").held.state in ("closed", "archived")


def test_the_time_of_the_procedure_is_charged_to_nobody_here() -> None:
    t = handed_over()
    at = t.now
    t.wait_until("2026-11-18 09:00")
    ledger = attribute(happened(t.records), CHINA, t.now)
    assert ledger is not None
    assert ledger.until == at


def test_assists_are_let_go_and_the_applicant_may_still_withdraw() -> None:
    t = handed_over("street")
    assert not any(leg.open for leg in t.held.legs.values())
    assert [task.kind for task in t.held.tasks.values()] == ["end_procedure"]
    t.follow_up(cmd.Withdraw)
    assert (t.held.state, t.held.close_reason) == ("closed", "withdrawn")


def test_a_head_is_closed_at_once_so_that_its_members_are_answered() -> None:
    t = told().submit("alone").reply("handle", "reply", procedure="petition", **SAID)
    member = "11111111-0000-5000-8000-000000000001"
    t.case = replace(t.held, star=Star(members={member: Member("n", 1)}))
    outcome = t.reply("review", "pass").data("case.outcome")
    assert (t.held.state, outcome["procedure"]) == ("closed", "petition")
    assert "procedure_due" in outcome


def test_a_hand_over_of_an_older_version_stays_as_it_was() -> None:
    """Records that were written before the case waited for the end: the case was closed at once."""
    t = handed_over()
    begun = next(e for r in t.records for e in r.events if isinstance(e, ev.ProcedureBegun))
    old = replace(begun, task="", endpoint="")
    reviewed = told().submit("alone").held
    assert FOLDS[ev.ProcedureBegun](reviewed, old, 0) == reviewed
