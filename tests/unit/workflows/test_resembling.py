"""What looks alike, and what is split off a case."""

from msgspec import Raw, json
from msgspec.structs import replace

from schemas.ids import case_id
from schemas.registry import MODELS
from tests.unit.workflows.joined import CENTRE, HEAD, resembling, said
from tests.unit.workflows.small_world import NOW, POLICIES, SmallWorld, told
from workflows import commands as cmd
from workflows.handle import step
from workflows.policies import Policy, Repeat

# -- resemblance --------------------------------------------------------------------------------


def test_what_looks_alike_becomes_a_question_to_the_centre() -> None:
    t = resembling(told().submit("alone"), "alike")
    task = t.data("task.assigned")
    assert (task["kind"], task["alike"]) == ("decide_merge", {"case_id": HEAD.case, "number": HEAD.number})
    resembling(t, "alike", 2)
    assert sum(held.kind == "decide_merge" for held in t.held.tasks.values()) == 1
    no = resembling(told().submit("alone"), "alike").reply("decide_merge", "reject_merge")
    assert (no.held.state, no.held.star and no.held.star.proposed) == ("dispatched", "")
    yes = t.reply("decide_merge", "accept_merge")
    assert yes.held.star and yes.held.star.head == HEAD.case and said(yes)[0].case == HEAD.case
    assert not any(held.kind == "decide_merge" for held in t.held.tasks.values())


def test_too_late_to_merge_it_is_only_noted() -> None:
    t = told().submit("alone").reply("handle", "reply", result="solved", text="x")
    assert resembling(t, "alike").happened == ["ResemblanceFound"]
    t.reply("review", "pass")
    assert resembling(t, "repeat", 3).happened == []


class Pressed(SmallWorld):
    """A city that does something about people who come again."""

    def policy(self, policy: str) -> Policy:
        rungs = (Repeat(times=2, notify=True), Repeat(times=3, urgency="urgent", notify=True))
        return replace(POLICIES[policy], repeats=rungs)


def test_the_policy_says_what_the_nth_time_brings() -> None:
    """Two rungs: told from the second time, urgent from the third; urgency is never lowered."""
    for count, happened, urgency in (
        (1, ["ResemblanceFound"], "normal"),
        (2, ["ResemblanceFound"], "normal"),
        (5, ["ResemblanceFound", "UrgencyRaised"], "urgent"),
    ):
        t = told().submit("alone", urgency="normal")
        t.facts = Pressed()
        resembling(t, "repeat", count)
        assert (t.happened, t.held.urgency) == (happened, urgency)
        assert t.left == ["supervision case.resembles"] * (count > 1)


def test_many_at_one_place_are_told_to_supervision_by_number_alone() -> None:
    for what in ("group", "burst"):
        t = resembling(told().submit("alone"), what, 4)
        (message,) = t.last.messages
        MODELS[message.type].model_validate_json(bytes(message.data))
        notice = t.data("case.resembles")
        assert (notice["count"], notice["cases"]) == (4, [HEAD.number])


# -- splitting ----------------------------------------------------------------------------------


def test_a_part_that_is_split_off_becomes_a_case_of_its_own() -> None:
    """With the request's own moment, place and applicant, and without what the whole was said to be."""
    t = (
        told()
        .submit("alone", matter_code="m-1")
        .order(CENTRE, "split", parts=[{"title": "路面破损", "text": "坑", "category": "street"}, {"title": "噪声"}])
    )
    first, second = said(t)
    assert isinstance(first, cmd.Submit) and isinstance(second, cmd.Submit)
    assert (first.ref, second.ref, first.case) == ("w-1#1", "w-1#2", case_id("website", "w-1#1"))
    whole, part, rest = (json.decode(r, type=dict) for r in (t.request, first.request, second.request))
    assert part == {
        **{k: v for k, v in whole.items() if k != "matter_code"},
        "title": "路面破损",
        "text": "坑",
        "appeal_category": "street",
    }
    assert "appeal_category" not in rest and rest["place"] == whole["place"]
    assert t.held.state == "dispatched"
    made = step(None, replace(first, serial="0200043"), t.facts, t.now)
    assert made.case is not None and made.case.received_at == t.held.received_at
    assert made.record is not None and made.record.events[0].part_of == t.held.number  # type: ignore[union-attr]
    t.order(CENTRE, "split", parts=[{"title": "又一件"}])
    assert said(t)[0].ref == "w-1#3"  # type: ignore[union-attr]


def test_a_part_takes_the_next_number_where_the_channel_has_used_its_id() -> None:
    """The case that has that id stays what it is, hears nothing of it, and says so to the one that was split."""
    whole = (
        told().submit("alone").order(CENTRE, "split", parts=[{"title": "噪声", "text": "夜里", "category": "street"}])
    )
    (part,) = said(whole)
    own = {"title": "别的事", "appeal_kind": "help", "appeal_category": "alone", "place": {"region": "370102"}}
    theirs = cmd.Submit(
        id="own", case=part.case, at=NOW, channel="website", ref="w-1#1", request=Raw(json.encode(own)), digest="own",
        received_at=NOW, query_code="1", serial="0200043",
    )  # fmt: skip
    taken = step(None, theirs, whole.facts, NOW)
    made = step(taken.case, part, whole.facts, NOW)
    (message,) = made.messages
    refused = cmd.decode(message.data)
    assert isinstance(refused, cmd.PartRefused) and message.to == f"case:{whole.held.id}"
    assert made.case is not None and taken.case is not None and made.case.legs == taken.case.legs
    whole.take(refused)
    (again,) = said(whole)
    assert isinstance(again, cmd.Submit) and isinstance(part, cmd.Submit)
    assert (again.ref, again.case) == ("w-1#2", case_id("website", "w-1#2"))
    assert (again.request, again.part_of) == (part.request, part.part_of)
    begun = step(None, replace(again, serial="0200044"), whole.facts, NOW)
    assert begun.case is not None and begun.case.state == "dispatched"
    assert step(begun.case, again, whole.facts, NOW).record is None, "heard twice"
    later = step(begun.case, replace(again, id="after it was archived"), whole.facts, NOW)
    assert not [m for m in later.messages if m.to.startswith("case:")], "the part is there: no reason to make another"


def test_how_far_a_request_can_be_split() -> None:
    t = told().submit("alone").order(CENTRE, "split", parts=[{"title": "x"}] * 11)
    assert t.data("order.answered")["reason"] == "second_officer"
    t.order(CENTRE, "split", parts=[{"title": "x"}] * 11, confirmed_by="0002")
    assert t.held.star is not None and t.held.star.parts == 11
    t.order(CENTRE, "split", parts=[{"title": "x"}] * 40, confirmed_by="0002")
    assert t.data("order.answered")["reason"] == "too_many_parts"
    assert (
        told().submit("birth").order(CENTRE, "split", parts=[{"title": "x"}]).data("order.answered")["reason"]
        == "not_merged"
    )
