"""What comes too late, twice, out of order or from the wrong side is refused by its code, to its sender, and changes nothing."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.unit.workflows.small_world import Told, told
from workflows import commands as cmd
from workflows import events as ev

URBAN, CENTRE = "370102.urban", "370100.hotline"
ANSWER = {"result": "solved", "text": "x"}
RULING = {"document": "裁〔2026〕3号", "reason": "x", "targets": [{"unit": "370102.water"}]}


def _task(t: Told, kind: str, unit: str = "") -> tuple[str, str]:
    return next((k.id, k.endpoint) for k in t.held.tasks.values() if k.kind == kind and unit in ("", k.unit))


def _disputed(t: Told) -> Told:
    t.submit("alone").reply("handle", "return", reason="x").reply("decide_return", "reject_return", reason="x")
    return t.reply("handle", "arbitrate", reason="x")


def a_second_ruling(t: Told) -> Callable[[], Told]:
    _disputed(t)
    task = _task(t, "arbitrate")
    t.reply("arbitrate", "rule", **RULING)
    return lambda: t.reply_to(*task, "rule", **RULING | {"document": "裁〔2026〕4号"})


def a_ruling_by_who_does_not_rule(t: Told) -> Callable[[], Told]:
    _disputed(t)
    return lambda: t.reply_to(_task(t, "arbitrate")[0], "water", "rule", **RULING)


def an_extension_after_the_due(t: Told) -> Callable[[], Told]:
    t.submit("timed").wait_until("2026-10-10 09:00")
    return lambda: t.reply("handle", "ask_extension", unit=URBAN, limit="5wd", reason="x")


def a_second_extension_while_one_is_undecided(t: Told) -> Callable[[], Told]:
    t.submit("timed").reply("handle", "ask_extension", unit=URBAN, limit="2wd", reason="x")
    return lambda: t.reply("handle", "ask_extension", unit=URBAN, limit="2wd", reason="x")


def a_reply_after_the_end(t: Told) -> Callable[[], Told]:
    task = _task(t.submit("alone"), "handle")
    t.follow_up(cmd.Withdraw)
    return lambda: t.reply_to(*task, "reply", **ANSWER)


def a_signature_after_the_reply(t: Told) -> Callable[[], Told]:
    task = _task(t.submit("alone"), "handle")
    t.reply("handle", "reply", **ANSWER)
    return lambda: t.reply_to(*task, "sign")


def a_signature_after_the_clock_has_signed(t: Told) -> Callable[[], Told]:
    t.submit("alone").wait_until("2026-09-20 09:00")
    return lambda: t.reply("handle", "sign")


def a_reply_by_who_gave_it_up(t: Told) -> Callable[[], Told]:
    task = _task(t.submit("alone"), "handle")
    t.order(CENTRE, "re_dispatch", reason="x", targets=[{"unit": "370102.water"}])
    return lambda: t.reply_to(*task, "reply", **ANSWER)


def a_reply_by_who_does_not_hold_the_leg(t: Told) -> Callable[[], Told]:
    t.submit("alone")
    return lambda: t.reply_to(_task(t, "handle")[0], "water", "reply", **ANSWER)


def a_review_before_the_reply(t: Told) -> Callable[[], Told]:
    t.submit("alone")
    return lambda: t.reply_to(*_task(t, "handle"), "pass")


def an_answer_to_a_task_that_never_was(t: Told) -> Callable[[], Told]:
    t.submit("alone")
    return lambda: t.reply_to("11111111-0000-5000-8000-000000000009", "desk", "sign")


def a_grade_before_the_end(t: Told) -> Callable[[], Told]:
    t.submit("alone")
    return lambda: t.evaluate(1)


def a_withdrawal_after_the_end(t: Told) -> Callable[[], Told]:
    t.submit("alone").reply("handle", "reply", **ANSWER).reply("review", "pass")
    return lambda: t.follow_up(cmd.Withdraw)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (a_second_ruling, "task_not_open"),
        (a_ruling_by_who_does_not_rule, "wrong_endpoint"),
        (an_extension_after_the_due, "extension_after_due"),
        (a_second_extension_while_one_is_undecided, "extension_undecided"),
        (a_reply_after_the_end, "task_not_open"),
        (a_signature_after_the_reply, "task_not_open"),
        (a_signature_after_the_clock_has_signed, "already_signed"),
        (a_reply_by_who_gave_it_up, "task_not_open"),
        (a_reply_by_who_does_not_hold_the_leg, "wrong_endpoint"),
        (a_review_before_the_reply, "wrong_action"),
        (an_answer_to_a_task_that_never_was, "task_not_open"),
        (a_grade_before_the_end, "not_allowed"),
        (a_withdrawal_after_the_end, "not_allowed"),
    ],
)
def test_it_is_refused_by_its_code_and_changes_nothing(make: Callable[[Told], Callable[[], Told]], code: str) -> None:
    t = told()
    say = make(t)
    before = t.held
    say()
    (refused,) = t.last.record.events  # type: ignore[union-attr]
    assert isinstance(refused, ev.CommandRefused)
    assert refused.code == code
    (answer,) = t.last.messages
    said = t.data("reply.refused" if refused.endpoint else "receipt.issued")
    assert code in (said["code"], said.get("reason"))
    assert {"zh", "en"} <= set(said["text"])  # type: ignore[call-overload]
    assert answer.to == (f"tasks.{refused.endpoint}" if refused.endpoint else "answers.website")
    assert replace(t.held, version=before.version, seen=before.seen, sent=before.sent) == before
