"""Invariant: every intake offset stands in exactly one set, and what is lost or there twice is found and named."""

import dataclasses
from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.operate.ledger import Delivered, Gathered, balance
from workflows import events as ev
from workflows.outbox import Message, OutboxRecord

EMPTY = msgspec.Raw(b"{}")


def registered() -> ev.CaseRegistered:
    return ev.CaseRegistered(
        channel="hotline_12345", ref="r", number="1", query_code="000000", digest="", request=EMPTY, received_at=0, centre="c",
        centre_endpoint="desk", appeal_kind="help", region="370000", calendar="cn",
    )  # fmt: skip


def record(case: str, version: int, source: str, *events: ev.Event) -> ev.EventRecord:
    return ev.EventRecord(case=case, version=version, at=0, cause="", source=source, events=events)  # type: ignore[arg-type]


FATES = {
    "open": (registered(),),
    "finished": (registered(), ev.CaseClosed(reason="solved")),
    "duplicates": (ev.DuplicateReceived(),),
    "dead_letters": (ev.IdReused(digest=""),),
    "followups": (ev.CaseSupplemented(body=EMPTY),),
}


def log_of(fates: Iterable[str]) -> Gathered:
    """A log in which the n-th input has the n-th fate; `rejected` is an input that intake dead-lettered."""
    named = {f"intake.a/0/{n}": fate for n, fate in enumerate(fates)}
    records = [record(f"case {s}", 1, s, *FATES[fate]) for s, fate in named.items() if fate != "rejected"]
    dead = frozenset(s for s, fate in named.items() if fate in ("rejected", "dead_letters"))
    return Gathered(inputs={s: fate == "followups" for s, fate in named.items()}, records=records, dead=dead)


def test_what_the_engine_keeps_aside_is_a_dead_letter_until_it_has_its_effect() -> None:
    """An input that was written again and became a case is no double; a reply that is kept is not lost."""
    inputs, kept = (
        {"intake.a/0/0": False, "intake.a/0/1": False},
        frozenset({"intake.a/0/0", "intake.a/0/1", "replies.a/0/0"}),
    )
    again = [record("case", 1, "intake.a/0/1", registered())]
    ledger = balance(Gathered(inputs=inputs, replies=frozenset({"replies.a/0/0"}), kept=kept, records=again))
    assert (ledger.dead_letters, ledger.open) == ({"intake.a/0/0"}, {"intake.a/0/1"})
    assert ledger.balanced


@given(st.lists(st.sampled_from([*FATES, "rejected"])))
def test_each_input_stands_in_its_set_and_the_sum_is_what_was_submitted(fates: list[str]) -> None:
    ledger = balance(log_of(fates))
    numbers = ledger.numbers()
    assert ledger.balanced
    assert numbers["dead_letters"] == fates.count("dead_letters") + fates.count("rejected")
    assert [numbers[name] for name in ("open", "finished", "duplicates", "followups")] == [
        fates.count(name) for name in ("open", "finished", "duplicates", "followups")
    ]
    assert numbers["submitted"] == len(fates) - fates.count("followups")


@given(st.lists(st.sampled_from(["open", "finished", "duplicates", "followups"]), min_size=1), st.data())
def test_a_planted_loss_is_found(fates: list[str], data: st.DataObject) -> None:
    whole = log_of(fates)
    gone = data.draw(st.sampled_from(range(len(fates))))
    ledger = balance(dataclasses.replace(whole, records=[r for n, r in enumerate(whole.records) if n != gone]))
    assert not ledger.balanced
    assert len(ledger.lost) == 1 and f"intake.a/0/{gone}" in ledger.lost[0]


@given(st.lists(st.sampled_from([*FATES]), min_size=1), st.data())
def test_a_planted_double_is_found(fates: list[str], data: st.DataObject) -> None:
    whole = log_of(fates)
    twice = data.draw(st.sampled_from(whole.records))
    ledger = balance(dataclasses.replace(whole, records=[*whole.records, twice]))
    assert not ledger.balanced and ledger.double


def test_an_input_that_is_a_case_and_a_dead_letter_is_double() -> None:
    whole = log_of(["open"])
    assert "open and dead_letters" in balance(dataclasses.replace(whole, dead=frozenset(whole.inputs))).double[0]


def test_a_hole_in_the_history_of_a_case_is_a_loss() -> None:
    whole = log_of(["open"])
    later = record("case intake.a/0/0", 3, "", ev.CaseAccepted(by="rule"))
    assert balance(dataclasses.replace(whole, records=[*whole.records, later])).lost == (
        "case case intake.a/0/0: version 2 is missing",
    )


def test_a_reply_without_effect_is_a_loss_and_one_with_two_effects_is_double() -> None:
    replies = frozenset({"replies.desk/0/0", "replies.desk/0/1"})
    case = [
        record("c", 1, "", registered()),
        *(record("c", v, "replies.desk/0/1", ev.LegSigned(leg="1")) for v in (2, 3)),
    ]
    ledger = balance(Gathered(inputs={}, replies=replies, records=case))
    assert ledger.lost == ("reply replies.desk/0/0: no effect",)
    assert ledger.double == ("reply replies.desk/0/1: took effect 2 times",)


def test_a_message_that_never_left_is_a_loss_and_a_copy_of_it_is_not_double() -> None:
    messages = tuple(Message(to="tasks.desk", key="c", id=i, type="t", data=EMPTY) for i in ("m1", "m2"))
    outbox = [OutboxRecord(case="c", version=1, at=0, messages=messages)]
    copies = [Delivered("tasks.desk", "m1", "t1", "same")] * 2
    ledger = balance(Gathered(inputs={}, outbox=outbox, delivered=copies))
    assert ledger.lost == ("message m2: never left to tasks.desk",)
    assert not ledger.double


def test_one_message_with_two_contents_and_one_task_at_two_endpoints_are_double() -> None:
    copies = [
        Delivered("tasks.desk", "m1", "t1", "one"),
        Delivered("tasks.desk", "m1", "t1", "other"),
        Delivered("tasks.a", "m2", "t1", "x"),
    ]
    assert balance(Gathered(inputs={}, delivered=copies)).double == ("message m1: 2 contents", "task t1: on 2 topics")


def test_what_was_published_and_is_not_on_its_topic_is_a_loss() -> None:
    assert balance(Gathered(inputs={}, published=frozenset({"intake.a/0/0"}))).lost
