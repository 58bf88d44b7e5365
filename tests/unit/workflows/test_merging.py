"""Merging, one story each; any order of what cases say to each other is tests/properties'."""

from functools import partial

from msgspec import json
from msgspec.structs import replace

from schemas.ids import command_id
from tests.unit.workflows.calendar_2026 import CHANGED
from tests.unit.workflows.joined import CENTRE, HEAD, answer, ended, joining, merging, resembling, said
from tests.unit.workflows.small_world import NOW, Told, told
from workflows import commands as cmd
from workflows.folds.stars import star
from workflows.handle import give_up, step


def test_a_member_waits_for_its_head_and_ends_with_its_answer() -> None:
    """Its units are told, its citizen keeps the clock and gets an outcome of its own."""
    t = merging()
    due = t.held.clocks["finish/"].due
    (ask,) = said(t)
    assert isinstance(ask, cmd.Join) and (ask.case, ask.member, ask.centre) == (HEAD.case, t.held.id, CENTRE)
    answer(t)
    assert t.held.state == "merged" and not t.held.tasks and not any(leg.open for leg in t.held.legs.values())
    withdrawn = [json.decode(m.data)["reason"] for m in t.last.messages if m.type.endswith("task.withdrawn.v1")]
    assert withdrawn == ["merged"] * 3
    assert t.data("case.status_changed")["status"] == "merged"
    ended(t)
    assert (t.held.state, t.data("case.outcome")["text"]) == ("closed", "已修好")
    assert t.records[-1].events[-1].reason == "solved"  # type: ignore[union-attr]
    assert due == t.records[0].events[2].due  # type: ignore[union-attr]


def test_without_an_answer_it_asks_again_and_gives_up_after_a_day() -> None:
    """The same request each time; then a dispatcher has it. An answer that comes after that is told so."""
    t = merging("alone")
    asked = []
    for _ in range(8):
        t.wait_until("2026-09-19 09:00")
    for record in t.records:
        asked += [e for e in record.events if type(e).__name__ == "MergeAskedAgain"]
    assert len(asked) == 5
    assert t.data("task.assigned")["reason"] == "merge_refused: no_answer"
    answer(t)
    (leave,) = said(t)
    assert isinstance(leave, cmd.Leave) and leave.case == HEAD.case
    assert t.held.state == "signed" and t.held.lead


def test_after_an_outage_it_asks_once_or_gives_up_and_always_to_somebody() -> None:
    """All marks that are past come in one pass; what it says then must have somewhere to go."""
    t = merging("alone")
    t.now += 9 * 3_600_000
    t.reach_deadline()
    (join,) = said(t)
    assert isinstance(join, cmd.Join) and (join.case, join.asked) == (HEAD.case, 1)
    assert [name for name in t.happened if name.startswith("Merge")] == ["MergeAskedAgain"] * 5
    t = merging("alone")
    t.now += 25 * 3_600_000
    t.reach_deadline()
    assert "MergeRefused" in t.happened and said(t) == []


def test_a_refused_merge_costs_nobody_his_work_and_may_be_asked_again() -> None:
    """The unit has what it had, with the same due; a dispatcher is told why not."""
    t = told().submit("alone").reply("handle", "sign")
    before = t.held
    answer(t.order(CENTRE, "merge", cases=[HEAD.case]), "head_full")
    assert (t.held.state, t.held.legs) == (before.state, before.legs)
    assert {name: t.held.clocks[name] for name in before.clocks} == before.clocks
    task = t.data("task.assigned")
    assert (task["kind"], task["reason"]) == ("decide_merge", "merge_refused: head_full")
    assert task["alike"] == {"case_id": HEAD.case, "number": HEAD.number}
    answer(t)  # an answer to a request that is over
    assert isinstance(said(t)[0], cmd.Leave)
    t.reply("decide_merge", "accept_merge", officer="0001", confirmed_by="0002")
    assert said(t)[0].asked == 2  # type: ignore[union-attr]
    answer(t, asked=1)  # and an old one while the next waits
    assert t.held.state == "signed" and isinstance(said(t)[0], cmd.Leave)
    assert answer(t, asked=2).held.state == "merged"


def test_while_the_head_has_not_answered_the_unit_works_and_its_reply_ends_the_asking() -> None:
    """The reply stands, whether the head is late to say no or yes."""
    for code in ("", "head_full"):
        t = merging("alone").order(CENTRE, "merge", cases=[HEAD.case])
        assert t.data("order.answered")["reason"] == "merge_asked"
        t.reply("handle", "sign").reply("handle", "reply", result="solved", text="已修好")
        assert [type(command) for command in said(t)] == [cmd.Leave]
        answer(t, code)
        assert [type(command) for command in said(t)] == ([] if code else [cmd.Leave])
        assert t.held.state == "replied"
        t.reply("review", "pass")
        assert (t.held.state, t.data("case.outcome")["text"]) == ("closed", "已修好")


def test_what_cannot_be_merged_any_more_when_the_head_agrees_is_not() -> None:
    """Hung in between, or with an approval open: the head is told that it has no such member."""
    for confirmed in (False, True):
        t = merging("alone")
        plan = {"reason": "listed", "text": "x", "until": "2026-10-31T17:00:00+08:00"}
        t.reply("handle", "ask_hang", **plan)
        if confirmed:
            t.reply("decide_hang", "grant_hang", officer="0001", confirmed_by="0002")
        answer(t)
        assert [type(command) for command in said(t)] == [cmd.Leave] and not star(t.held).head
        assert t.held.state == ("hung" if confirmed else "signed")
        assert ("decide_merge" in [task.kind for task in t.held.tasks.values()]) is not confirmed
    t = merging("unclear").order(CENTRE, "refuse", reason="listed", basis="x", where_to_turn="y")
    assert [type(command) for command in said(t)] == [cmd.Leave] and t.held.state == "refusal_proposed"
    t = merging("unclear").reply("triage", "answer_at_once", text="见公告", officer="0001")
    assert [type(command) for command in said(t)] == [cmd.Leave] and t.held.state == "closed"
    t = merging("alone").order(CENTRE, "redirect", reason="gas")
    assert [type(command) for command in said(t)] == [cmd.Leave] and t.held.state == "redirected"


def test_the_end_of_the_head_may_be_heard_before_its_answer() -> None:
    t = ended(merging())
    assert t.held.state == "closed"
    answer(t)
    assert t.happened == []


def test_the_heads_withdrawal_is_no_answer_to_its_members() -> None:
    t = ended(answer(merging()), "withdrawn")
    assert (t.held.state, t.held.star and t.held.star.head) == ("in_triage", "")
    assert t.data("task.assigned")["reason"] == "head_ended: withdrawn"
    assert t.held.clocks["finish/"].running


def test_who_leaves_or_withdraws_tells_the_head() -> None:
    t = answer(merging()).order(CENTRE, "unmerge", text="不是一回事")
    assert [type(command) for command in said(t)] == [cmd.Leave]
    assert t.held.state == "in_triage"
    for before in (merging(), answer(merging())):
        before.follow_up(cmd.Withdraw)
        assert [type(command) for command in said(before)] == [cmd.Leave]
        assert before.held.state == "closed"


def test_what_the_applicant_of_a_member_says_reaches_those_who_handle_its_head() -> None:
    """Before it was taken: when it is. Said of a request that is over it is nothing."""
    t = merging("alone").follow_up(cmd.Supplement, text="电线落地")
    assert said(t) == []
    (early,) = said(answer(t))
    t.follow_up(cmd.Supplement, text="冒火花")
    (later,) = said(t)
    t.follow_up(cmd.Supplement, text="长" * 9_001)
    assert [len(text) for text in said(t)[0].texts] == [9_000, 1]  # type: ignore[union-attr]
    t.follow_up(cmd.Urge, text="快")
    (urge,) = said(t)
    assert [(c.case, c.what, c.texts) for c in (early, later, urge)] == [  # type: ignore[union-attr]
        (HEAD.case, "supplemented", ("电线落地",)), (HEAD.case, "supplemented", ("冒火花",)), (HEAD.case, "urged", ()),
    ]  # fmt: skip

    head = told().submit("alone").take(joining())
    base = {"case": head.held.id, "at": head.now, "member": joining().member}
    head.take(cmd.MemberSaid(id=command_id("x", "1"), asked=1, what="supplemented", texts=("冒火花",), **base))  # type: ignore[arg-type]
    task = head.data("task.assigned")
    assert (task["reason"], task["supplements"]) == ("member_supplemented: n-2", [{"text": "n-2: 冒火花"}])
    head.take(cmd.MemberSaid(id=command_id("x", "2"), asked=1, what="urged", **base))  # type: ignore[arg-type]
    assert head.data("task.assigned")["reason"] == "member_urged: n-2"
    head.take(cmd.MemberSaid(id=command_id("x", "3"), asked=2, what="urged", **base))  # type: ignore[arg-type]
    assert head.happened == []


def test_members_of_a_head_that_was_transferred_are_told_where_and_until_when() -> None:
    begun = cmd.Begun("petition", "信访", "petition", "60d", NOW + 60 * 86_400_000)
    t = answer(merging())
    base = {"id": command_id(HEAD.case, "end"), "case": t.held.id, "at": t.now}
    t.take(cmd.HeadEnded(**base, head=HEAD.case, number="n", asked=1, reason="transferred", result="x", begun=begun))  # type: ignore[arg-type]
    outcome = t.data("case.outcome")
    assert (outcome["procedure"], outcome["procedure_name"]) == ("petition", {"zh": "信访", "en": "petition"})
    assert outcome["procedure_due"]


def test_a_head_tells_its_members_where_it_was_transferred_to() -> None:
    t = told().submit("alone").take(joining())
    t.reply("handle", "reply", result="transferred", text="x", procedure="petition").reply("review", "pass")
    (end,) = said(t)
    assert isinstance(end, cmd.HeadEnded) and end.begun is not None
    assert end.begun.procedure == t.data("case.outcome")["procedure"] == "petition"


def test_a_member_whose_heads_end_was_given_up_goes_to_a_dispatcher() -> None:
    """One that only asks has lost nothing by it: its unit goes on, and a dispatcher knows."""
    for t, state, reasons in (
        (answer(merging("alone")), "in_triage", ["head_ended: discarded"]),
        (merging("alone"), "dispatched", ["", "merge_refused: discarded"]),
    ):
        end = cmd.HeadEnded(
            id=command_id(HEAD.case, "end"), case=t.held.id, at=t.now, head=HEAD.case, number="n", asked=1, reason="solved"
        )  # fmt: skip
        order = cmd.GiveUp(id=command_id(HEAD.case, "up"), case=t.held.id, at=t.now, of=end)
        made = give_up(t.held, order, t.facts, t.now, partial(bytes, t.request))
        assert made.case is not None and made.case.state == state
        assert [task.reason for task in made.case.tasks.values()] == reasons
        (assigned,) = [json.decode(m.data) for m in made.messages if m.to.startswith("tasks.")]
        assert assigned["request"] and assigned["title"]


def test_what_a_leader_asks_of_a_member_outlasts_the_end_of_its_head() -> None:
    """批示 on a member: the citizen's answer comes after the leader's, as in any case."""
    t = answer(merging("alone")).order("370100.mayor", "instruct", text="速办", post="市长")
    ended(t)
    assert t.held.state == "in_triage" and t.data("task.assigned")["reason"] == "head_ended: solved"
    assert [task.kind for task in t.held.tasks.values()] == ["report", "triage"]
    assert t.held.oversight is not None and t.held.oversight.standing


def test_no_officer_is_his_own_second() -> None:
    t = told().submit("alone").order(CENTRE, "merge", cases=[HEAD.case], officer="0001", confirmed_by="0001")
    assert not said(t)[0].second  # type: ignore[union-attr]
    t = told().submit("alone").order(CENTRE, "merge", cases=[HEAD.case], officer="0001", confirmed_by="0002")
    assert said(t)[0].second  # type: ignore[union-attr]
    parts = [{"title": "x"}] * 11
    t = told().submit("alone").order(CENTRE, "split", parts=parts, officer="0001", confirmed_by="0001")
    assert t.data("order.answered")["reason"] == "second_officer"
    t = resembling(told().submit("alone"), "alike")
    t.reply("decide_merge", "accept_merge", officer="0001", confirmed_by="0002")
    assert said(t)[0].second  # type: ignore[union-attr]


def test_an_extension_that_nobody_has_decided_lapses_when_a_case_is_merged() -> None:
    t = told().submit("timed")
    t.reply("handle", "ask_extension", unit="370102.urban", reason="x", limit="1wd")
    assert any(clock.course and clock.course.held for clock in t.held.clocks.values()), t.happened
    answer(t.order(CENTRE, "merge", cases=[HEAD.case]))
    assert "ExtensionLapsed" in t.happened
    assert not any(clock.course and clock.course.held for clock in t.held.clocks.values())


def test_two_that_ask_each_other_are_both_refused() -> None:
    t = merging()
    t.take(joining(member=HEAD.case))
    (no,) = said(t)
    assert isinstance(no, cmd.JoinAnswered) and no.code == "crossing"
    t.take(joining(ref="w-3"))
    assert said(t)[0].code == "head_is_member"  # type: ignore[union-attr]


def test_a_head_takes_tells_its_unit_and_ends_all() -> None:
    t = told().submit("alone").take(joining())
    assert t.left == ["tasks.desk task.assigned", f"case:{joining().member} case.join_answered"]
    assert (t.data("task.assigned")["members"], t.data("task.assigned")["reason"]) == (["n-2"], "members")
    t.take(replace(joining(), id=command_id("x", "again")))  # the same request, asked again: no more for the unit
    assert t.left == [f"case:{joining().member} case.join_answered"]
    t.order(CENTRE, "merge", cases=[HEAD.case])
    assert t.data("order.answered")["reason"] == "has_members"
    t.reply("handle", "reply", result="solved", text="已修好").reply("review", "pass")
    (end,) = said(t)
    assert isinstance(end, cmd.HeadEnded) and (end.case, end.reason, end.result) == (
        joining().member,
        "solved",
        "已修好",
    )


def answered_with_its_head(category: str, unit: str = "370102.urban") -> Told:
    t = answer(told().submit(category).order(CENTRE, "merge", cases=[HEAD.case]))
    base = {"id": command_id(HEAD.case, "end"), "case": t.held.id, "at": t.now}
    return t.take(
        cmd.HeadEnded(**base, head=HEAD.case, number="n", asked=1, reason="solved", result="已修好", unit=unit)  # type: ignore[arg-type]
    )


def test_a_bad_grade_of_a_merged_case_is_looked_into_and_may_be_done_again_by_the_heads_unit() -> None:
    """It has no leg of its own: the desk is shown the head's answer; the citizen gets another promise."""
    t = answered_with_its_head("heard").evaluate(1)
    assert t.held.state == "called_back" and not star(t.held).head
    assert [type(command) for command in said(t)] == [cmd.Leave]
    task = t.data("task.assigned")
    assert (task["kind"], task["reply_under_review"]["text"]) == ("call_back", "已修好")  # type: ignore[index]
    t.reply("call_back", "redo", contacted=True, solved=False, satisfied=False, reason="listed")
    (leg,) = [leg for leg in t.held.legs.values() if leg.open]
    assert (t.held.state, leg.unit, leg.part) == ("dispatched", "370102.urban", "lead")
    assert t.held.clocks["finish/"].running
    t.reply("handle", "reply", result="solved", text="换了灯").reply("review", "pass")
    t.reply("call_back", "call_back", contacted=True, solved=True, satisfied=True)
    assert (t.held.state, t.data("case.outcome")["text"]) == ("closed", "换了灯")


def test_a_called_back_member_that_is_content_ends_as_it_did() -> None:
    t = answered_with_its_head("heard").evaluate(1)
    t.reply("call_back", "call_back", contacted=True, solved=True, satisfied=True)
    assert (t.held.state, t.held.close_reason, t.data("case.outcome")["text"]) == ("closed", "solved", "已修好")


def test_a_member_is_done_again_by_order_and_by_a_dispatcher_where_the_unit_is_gone() -> None:
    t = answered_with_its_head("heard").order("370100.watch", "redo", reason="listed")
    assert t.held.state == "dispatched" and t.held.lead and t.held.lead.unit == "370102.urban"
    t = answered_with_its_head("heard", unit="370102.gone").order("370100.watch", "redo", reason="listed")
    assert (t.held.state, [task.kind for task in t.held.tasks.values()]) == ("in_triage", ["triage"])
    t = answered_with_its_head("graded").evaluate(1, "rude")
    assert t.held.state == "dispatched" and t.held.lead and t.held.lead.unit == "370100.urban", "a level up, at once"
    assert answered_with_its_head("heard").evaluate(5).held.state == "closed"


def test_who_left_is_told_nothing_and_an_old_leave_is_no_leave() -> None:
    t = told().submit("alone").take(joining(asked=2))
    base = {"case": t.held.id, "at": t.now, "member": joining().member}
    t.take(cmd.Leave(id=command_id("x", "1"), asked=1, **base))  # type: ignore[arg-type]
    assert star(t.held).members
    t.take(cmd.Leave(id=command_id("x", "2"), asked=2, **base))  # type: ignore[arg-type]
    assert not star(t.held).members and t.data("task.assigned").get("members") is None
    t.reply("handle", "reply", result="solved", text="已修好").reply("review", "pass")
    assert said(t) == []


def test_whom_a_head_does_not_take() -> None:
    """By kind, centre, state, number, and where who is complained about would handle it."""
    for code, join in {
        "report_stays_alone": joining(appeal_kind="report"),
        "not_merged": joining(appeal_kind="application"),
        "other_centre": joining(centre="371700.hotline"),
        "recused": joining(excluded=("370100.urban",)),
    }.items():
        t = told().submit("alone").take(join)
        assert said(t)[0].code == code  # type: ignore[union-attr]
        assert t.held.star is None
    t = told().submit("alone").reply("handle", "reply", result="solved", text="x").take(joining())
    assert said(t)[0].code == "not_allowed"  # type: ignore[union-attr]
    t = told().submit("birth").take(joining())
    assert said(t)[0].code == "not_merged"  # type: ignore[union-attr]


def test_who_is_complained_about_in_a_member_decides_nothing_about_the_head() -> None:
    """Who is asked for an extension, or reads a report, must not be meant in a case that the head answers for."""
    t = told().submit("timed").reply("handle", "ask_extension", unit="370102.urban", reason="x", limit="10wd")
    (approver,) = {task.unit for task in t.held.tasks.values() if task.kind == "decide_extension"}
    assert approver == "370100.watch"
    assert said(t.take(joining(excluded=(approver,))))[0].code == "recused"  # type: ignore[union-attr]
    t.reply("decide_extension", "grant_extension")
    assert not said(t.take(joining(asked=2, excluded=(approver,))))[0].code  # type: ignore[union-attr]
    t = told().submit("unclear").take(joining(excluded=(CENTRE,)))
    assert said(t)[0].code == "recused"  # type: ignore[union-attr]
    t = told().submit("unclear").take(joining(excluded=("370000.hotline",)))
    assert not said(t)[0].code, "those above it are not the centre"  # type: ignore[union-attr]


def test_who_is_complained_about_in_a_member_handles_the_head_no_more() -> None:
    t = told().submit("alone").take(joining(excluded=("370102.water",)))
    assert t.held.excluded == ("370102.water",)


def test_beyond_what_one_officer_may_merge_a_second_confirms() -> None:
    t = told().submit("alone")
    for n in range(10):
        t.take(joining(ref=f"m-{n}"))
        assert not said(t)[0].code  # type: ignore[union-attr]
    t.take(joining(ref="m-10"))
    assert said(t)[0].code == "second_officer"  # type: ignore[union-attr]
    t.take(joining(ref="m-10", asked=2, second=True))
    assert not said(t)[0].code and len(star(t.held).members) == 11  # type: ignore[union-attr]


def test_what_may_not_be_merged_is_refused_before_anything_happens() -> None:
    for code, t in {
        "report_stays_alone": told().submit("alone", appeal_kind="report"),
        "not_merged": told().submit("birth"),
    }.items():
        before = t.held
        t.order(CENTRE, "merge", cases=[HEAD.case])
        assert t.data("order.answered")["reason"] == code
        assert (t.held.legs, t.held.tasks, t.held.clocks) == (before.legs, before.tasks, before.clocks)
    t = told().submit("alone")
    assert t.order(CENTRE, "merge", cases=[t.held.id]).data("order.answered")["reason"] == "own_head"
    assert t.order(CENTRE, "merge").data("order.answered")["reason"] == "one_head"
    assert t.order("370102.urban", "merge", cases=[HEAD.case]).data("order.answered")["reason"] == "not_entitled"


def test_a_head_that_is_not_there_or_given_up_answers_too() -> None:
    join = joining()
    (message,) = step(None, join, told().facts, NOW).messages
    no = cmd.decode(message.data)
    assert isinstance(no, cmd.JoinAnswered) and (no.case, no.code) == (join.member, "unknown_case")


def test_a_request_that_was_given_up_does_not_undo_the_next_one() -> None:
    """Heard late: the member has asked anew since, and was taken."""
    t = told().submit("alone").take(joining(asked=2)).take(joining(asked=1))
    assert t.happened == [] and star(t.held).members[joining().member].asked == 2


def test_another_calendar_does_not_move_when_a_case_asks_again() -> None:
    """It waits for a message and not for office hours."""
    t = merging("alone")
    before = t.held.clocks["merge/merge-1"]
    t.now += 60_001
    t.reach_deadline().rebase(CHANGED)
    after = t.held.clocks["merge/merge-1"]
    assert after.marks == before.marks[1:]
    assert (after.due, after.anchor) == (before.due, before.anchor)
