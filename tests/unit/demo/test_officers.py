"""What simulated officers say is what the core takes: with a reason, a second person, a document where one is needed."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import json

from adapters.departments.simulated import plan
from schemas.registry import TASK_ASSIGNED
from schemas.task import Task
from tests.unit.workflows.small_world import Told, told

REPLY: dict[str, Any] = {"result": "solved", "text": "已修复", "contacted": True, "contact_method": "电话"}
HANG: dict[str, Any] = {"reason": "listed", "text": "列入计划", "until": "2027-03-31T17:00:00+08:00"}
REFUSE: dict[str, Any] = {"reason": "listed", "basis": "某条例第九条", "where_to_turn": "人民法院"}
TWO: dict[str, Any] = {"officer": "0001", "confirmed_by": "0002"}


class House:
    """Whatever it is, it is urban management's."""

    def children(self, task: Task) -> Sequence[str]:
        return ()

    def bearer(self, task: Task) -> str | None:
        return "370102.urban"

    def pause(self, task: Task) -> str:
        return "applicant"


def returned() -> Told:
    return told().submit("alone").reply("handle", "return", reason="不属本局职责")


def disputed() -> Told:
    return returned().reply("decide_return", "arbitrate", reason="有争议")


def supervised() -> Told:
    return told().submit("alone").order("370100.watch", "supervise", reason="listed")


def hung() -> Told:
    return told().submit("alone").reply("handle", "ask_hang", **HANG)


def graded() -> Told:
    t = told().submit("heard").reply("handle", "reply", **REPLY).reply("review", "pass")
    return t.reply("call_back", "call_back", contacted=True, solved=True, satisfied=True).evaluate(3)


def extended() -> Told:
    return told().submit("timed").reply("handle", "ask_extension", limit="5wd", reason="复杂")


def handed_over() -> Told:
    t = told().submit("alone").reply("handle", "reply", **REPLY | {"result": "transferred", "procedure": "petition"})
    return t.reply("review", "pass")


TASKS: dict[str, Callable[[], Told]] = {
    "review": lambda: told().submit("alone").reply("handle", "reply", **REPLY),
    "triage": lambda: told().submit("unclear"),
    "decide_return": returned,
    "arbitrate": disputed,
    "decide_extension": extended,
    "confirm_refusal": lambda: told().submit("unclear").order("370100.hotline", "refuse", **REFUSE),
    "confirm_receipt": lambda: told().submit(urgency="emergency"),
    "report": supervised,
    "read_report": lambda: supervised().reply("report", "report", text="已安排"),
    "decide_hang": hung,
    "review_plan": lambda: hung().reply("decide_hang", "grant_hang", **TWO),
    "call_back": lambda: told().submit("heard").reply("handle", "reply", **REPLY).reply("review", "pass"),
    "judge_review": lambda: graded().order("370102.urban", "appeal_review", confirmed_by="0002", text="见录音"),
    "end_procedure": handed_over,
}


@pytest.mark.parametrize("seed", ["1", "2", "3"])
@pytest.mark.parametrize("kind", TASKS)
def test_what_a_simulated_officer_says_takes_effect(kind: str, seed: str) -> None:
    t = TASKS[kind]()
    assigned = (json.decode(m.data) for m in t.said if m.type == TASK_ASSIGNED)
    asked = Task.model_validate(next(body for body in assigned if body["kind"] == kind))
    for planned in plan(asked, House(), seed):
        body = planned.reply.model_dump(mode="json", exclude_none=True, exclude={"case_id", "task_id", "action"})
        t.reply_to(asked.task_id, t.held.tasks[asked.task_id].endpoint, planned.reply.action.value, **body)  # type: ignore[arg-type]
        assert "CommandRefused" not in t.happened, t.data("reply.refused")
