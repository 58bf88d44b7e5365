"""What has no effect: a reply that does not fit, a command that came before, a case that is not there, or is there no more."""

from msgspec.structs import replace

from tests.unit.workflows.small_world import NOW, refused, told
from workflows import commands as cmd
from workflows import events as ev
from workflows.case import KEPT_MS
from workflows.evolve import fold

ANSWER = {"result": "solved", "text": "已修复", "contacted": True}


def test_a_reply_must_come_from_who_has_the_task() -> None:
    """Task, endpoint and action must fit, or the sender gets a code."""
    t = told().submit("alone")
    task = t.held.legs["1"].task
    assert refused(t.reply_to("0" * 8, "desk", "sign")) == "task_not_open"
    assert refused(t.reply_to(task, "water", "sign")) == "wrong_endpoint"
    assert refused(t.reply_to(task, "desk", "pass")) == "wrong_action"
    assert refused(t.reply_to(task, "desk", "reply", result="solved")) == "incomplete"
    assert t.reply_to(task, "desk", "sign").happened == ["LegSigned", "ClockStopped"]
    assert refused(t.reply_to(task, "desk", "sign")) == "already_signed"
    t.reply_to(task, "desk", "reply", **ANSWER)
    assert refused(t.reply_to(task, "desk", "reply", **ANSWER)) == "task_not_open"


def test_a_copy_is_signed_and_that_is_all() -> None:
    t = told().submit()
    assert refused(t.reply("handle", "reply", unit="370102.police", **ANSWER)) == "wrong_action"
    t.reply("handle", "sign", unit="370102.police")
    assert "370102.police" not in {task.unit for task in t.held.tasks.values()}


def test_acting_on_a_task_signs_it_first() -> None:
    """Nobody gains by not signing, and nobody is refused for it."""
    t = told().submit("alone").reply("handle", "reply", **ANSWER)
    assert t.happened == ["LegSigned", "ClockStopped", "LegReplied", "ClockStopped", "ClockStarted"]


def test_the_same_request_again_is_a_duplicate_and_another_body_is_named() -> None:
    t = told().submit()
    first = t.held
    assert t.submit().happened == ["DuplicateReceived"]
    assert t.data("receipt.issued")["number"] == first.number
    assert t.submit(again="另一件事").happened == ["IdReused"]
    assert t.left == ["answers.website receipt.issued", "dead-letters.engine dead_letter.written"]
    assert "number" not in t.data("receipt.issued")
    assert t.held.legs == first.legs


def test_the_same_command_takes_effect_once() -> None:
    """A command read twice brings about nothing the second time."""
    t = told().submit()
    command = cmd.Supplement(
        id="s-1", case=t.held.id, at=t.now, channel="website", ref="w-1", body=cmd.Raw(b'{"text":"x"}')
    )
    assert t.take(command).happened == ["CaseSupplemented"]
    case = t.held
    t.take(command)
    assert (t.last.record, t.last.messages, t.held) == (None, (), case)


def test_a_command_for_an_unknown_case_makes_no_state() -> None:
    """Its sender gets an answer, the operators a dead letter; a stale deadline is nothing."""
    t = told()
    base = {"id": "c-1", "case": "28900871-dc89-5eb3-b095-d7267943a7a0", "at": NOW, "source": "duokua.replies.desk/0/3"}
    body = cmd.Raw(b"{}")
    t.take(cmd.Reply(**base, endpoint="desk", task="28900871-dc89-5eb3-b095-d7267943a7a1", action="sign", body=body))
    assert (t.last.record, t.last.case) == (None, None)
    assert t.left == ["tasks.desk reply.refused", "dead-letters.engine dead_letter.written"]
    assert t.data("reply.refused")["source"] == "duokua.replies.desk-0-3"
    assert t.data("dead_letter.written")["code"] == "unknown_case"
    t.take(cmd.Withdraw(**base, channel="website", ref="w-9", body=body))
    assert t.left == ["answers.website receipt.issued", "dead-letters.engine dead_letter.written"]
    t.take(cmd.ReachDeadline(id="d", case=base["case"], at=NOW))  # type: ignore[arg-type]
    assert (t.last.record, t.last.messages) == (None, ())


def test_the_answer_to_an_unknown_case_is_not_taken_for_a_later_one() -> None:
    """A command that overtook its Submit and comes again after it: whoever keeps the ids he has seen must not drop the second answer."""
    t = told()
    command = cmd.Supplement(
        id="s-1",
        case="28900871-dc89-5eb3-b095-d7267943a7a0",
        at=NOW,
        channel="website",
        ref="w-1",
        body=cmd.Raw(b'{"text":"x"}'),
    )
    t.take(command)
    answered = {m.id for m in t.last.messages}
    t.take(command)
    assert answered == {m.id for m in t.last.messages}
    t.submit("alone").take(command)
    assert t.happened == ["CaseSupplemented"]
    assert len(answered) == 2 and answered.isdisjoint(m.id for m in t.last.messages)


def test_a_flooded_case_takes_no_more_from_its_channel() -> None:
    """Beyond what it can remember; its units still can answer."""
    t = told().submit("alone")
    for _ in range(1_999):
        t.submit("alone")
    assert refused(t.submit("alone")) == "too_many_commands"
    assert refused(t.follow_up(cmd.Supplement, text="x")) == "too_many_commands"
    assert t.reply("handle", "sign").happened == ["LegSigned", "ClockStopped"]
    assert len(t.held.seen) == 16_000


def test_an_archived_case_leaves_a_stub_that_is_recognised() -> None:
    """After the re-open window: version, digest, when it ended; the same request again is still a duplicate."""
    t = told().submit("alone", direct_answer={"text": "x"}).wait_until("2026-11-01 09:00")
    assert t.happened == ["CaseArchived"]
    assert (t.held.state, t.held.version, t.held.closed_at) == ("archived", 2, NOW)
    assert t.held.next_due == t.records[-1].at + KEPT_MS
    assert refused(t.evaluate(5)) == "archived_case"
    assert t.submit("alone", direct_answer={"text": "x"}).happened == ["DuplicateReceived"]


def test_a_stub_is_dropped_after_the_horizon_and_its_id_begins_anew() -> None:
    """Not a moment before; then nothing is left, follow-ups are to an unknown case, and the id opens a new one."""
    t = told().submit("alone", direct_answer={"text": "x"}).wait_until("2026-11-01 09:00")
    archived = t.records[-1].at
    t.now = archived + KEPT_MS - 1
    t.take(cmd.ReachDeadline(id="early", case=t.held.id, at=t.now))
    assert (t.happened, t.held.state) == ([], "archived")
    t.now += 1
    t.take(cmd.ReachDeadline(id="due", case=t.held.id, at=t.now))
    assert (t.happened, t.case, t.left) == (["CaseForgotten"], None, [])
    assert t.evaluate(5).left[-1].startswith("dead-letters.engine")
    t.submit("alone", direct_answer={"text": "x"})
    assert (t.held.version, t.happened[0]) == (1, "CaseRegistered")


def test_a_stub_of_an_earlier_release_stays() -> None:
    """An archiving without a time to forget folds as it always did."""
    t = told().submit("alone", direct_answer={"text": "x"})
    archived = replace(t.records[-1], version=2, events=(ev.CaseArchived(),))
    held = fold(t.held, archived)
    assert held is not None
    assert (held.state, held.next_due) == ("archived", 0)
