"""Invariant: the simulator says each thing once, however often it starts, and never what has lapsed."""

import asyncio
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid5

import msgspec
import pytest
from aiokafka import TopicPartition

from adapters.clock import Clock
from adapters.departments.phrases import EXTENSION_REASONS, RETURN_REASONS
from adapters.departments.simulated import behaviour
from adapters.kafka.memory import MemoryLog
from router.catalogue.catalogue import Catalogue
from router.catalogue.load import load
from router.catalogue.publish import publish
from router.operate.process import Process
from router.operate.settings import Settings
from router.simulator.desk import Desk
from router.simulator.role import Departments, run
from schemas.handling import ClockKind, ReplyAction, TaskKind
from schemas.registry import REPLY_REFUSED, TASK_ASSIGNED, TASK_SENT_BACK, TASK_WITHDRAWN
from schemas.request import Place, ServiceRequest
from schemas.task import Due, Reply, ReplyRefused, RuleApplied, Said, Task, TaskWithdrawn
from schemas.times import from_milliseconds, parse, to_text
from schemas.vocabulary import Part
from workflows.policies import Pause

CATALOG = Path(__file__).resolve().parents[2] / "catalog"
ASSIGNED = parse("2026-09-21T10:00:00+08:00") or 0
DAY = 86_400_000
FAR = ASSIGNED + 60 * DAY
SEED = "s"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(CATALOG)


@pytest.fixture
def departments(catalogue: Catalogue) -> Departments:
    return Departments(Desk(catalogue), SEED)


def task(number: int, unit: str = "371702.urban-management", **more: object) -> Task:
    name = str(uuid5(UUID(int=9), str(number)))
    said = {
        "case_id": name, "number": f"371702-260921-{number:07d}", "task_id": name, "kind": TaskKind.HANDLE, "unit": unit, "unit_name": "综合行政执法局",
        "title": "路灯不亮", "allowed": tuple(ReplyAction), "version": 1, "part": Part.LEAD,
    }  # fmt: skip
    return Task.model_validate(said | more)


def headers(kind: str, at: int = ASSIGNED) -> dict[str, str]:
    return {"ce_type": kind, "ce_time": to_text(at)}


def give(departments: Departments, asked: Task, kind: str = TASK_ASSIGNED) -> None:
    departments.take("desk", headers(kind), asked.model_dump_json().encode())


def said(departments: Departments, now: int = FAR) -> list[str]:
    return [wish.planned.reply.action.value for _, wish in departments.due(now)]


def prompt_task() -> Task:
    return next(t for t in map(task, range(500)) if behaviour(t, SEED) == "prompt")


def test_a_task_that_comes_twice_is_answered_once(departments: Departments) -> None:
    asked = prompt_task()
    give(departments, asked)
    give(departments, asked)
    assert said(departments) == ["sign", "reply"]
    assert said(departments) == []


def test_nothing_is_said_before_its_time(departments: Departments) -> None:
    give(departments, prompt_task())
    assert said(departments, ASSIGNED) == []
    assert said(departments, departments.next_at) == ["sign"]


def test_a_withdrawn_task_is_not_answered_even_if_it_comes_again(departments: Departments) -> None:
    asked = prompt_task()
    give(departments, asked)
    gone = TaskWithdrawn(case_id=asked.case_id, number=asked.number, task_id=asked.task_id, version=2)
    departments.take("desk", headers(TASK_WITHDRAWN), gone.model_dump_json().encode())
    give(departments, asked)
    assert said(departments) == []


def test_what_is_sent_back_is_answered_again(departments: Departments) -> None:
    asked = prompt_task()
    give(departments, asked)
    assert said(departments) == ["sign", "reply"]
    give(departments, asked.model_copy(update={"round": 1}), TASK_SENT_BACK)
    assert said(departments) == ["reply"]


def extending_task(due: int) -> Task:
    asked = (task(n, due=(Due(kind=ClockKind.FINISH, due=from_milliseconds(due)),)) for n in range(500))
    return next(t for t in asked if behaviour(t, SEED) == "extending")


def test_who_got_more_time_answers_before_the_new_due_and_says_nothing_again(departments: Departments) -> None:
    due, later = ASSIGNED + 3 * DAY, ASSIGNED + 8 * DAY
    asked = extending_task(due)
    give(departments, asked)
    before: list[str] = []
    while "ask_extension" not in before:
        before += said(departments, departments.next_at)
    assert "reply" not in before
    moved = asked.model_copy(update={"version": 2, "due": (Due(kind=ClockKind.FINISH, due=from_milliseconds(later)),)})
    give(departments, moved)
    give(departments, moved)
    assert said(departments, due) == []
    assert said(departments, later) == ["reply"]
    give(departments, asked)
    assert said(departments) == []


def test_who_got_no_more_time_answers_before_the_old_due(departments: Departments) -> None:
    due = ASSIGNED + 3 * DAY
    asked = extending_task(due)
    give(departments, asked)
    give(departments, asked.model_copy(update={"version": 2, "reason": "理由不充分"}))
    assert said(departments, due)[-1] == "reply"


def test_what_is_handed_in_again_waits_for_no_other_due(departments: Departments) -> None:
    due, later = ASSIGNED + 3 * DAY, ASSIGNED + 8 * DAY
    asked = extending_task(due)
    give(departments, asked)
    assert said(departments, due)[-1] == "reply"
    refused = ReplyRefused(
        case_id=asked.case_id, task_id=asked.task_id, action=ReplyAction.REPLY, code="children_open", text=Said(zh="", en="")
    )  # fmt: skip
    departments.take("desk", headers(REPLY_REFUSED), refused.model_dump_json().encode())
    give(departments, asked.model_copy(update={"due": (Due(kind=ClockKind.FINISH, due=from_milliseconds(later)),)}))
    assert said(departments) == ["reply"]


def test_reasons_are_those_of_the_lists(catalogue: Catalogue) -> None:
    facts = catalogue.facts()
    for action, reasons in (("return", RETURN_REASONS), ("ask_extension", EXTENSION_REASONS)):
        assert {code for code, _ in reasons} <= facts.reasons(action).keys()


def test_a_clock_stands_still_only_where_the_policy_of_the_rule_lets_it(catalogue: Catalogue) -> None:
    rule = next(rule for rule in catalogue.rules.values() if rule.then.policy)
    asked = task(1, rule=RuleApplied(id=rule.id, number=rule.number, catalogue=1))
    assert Desk(catalogue).pause(asked) == Desk(catalogue).pause(task(1)) == ""
    policy = catalogue.policies[rule.then.policy]
    paused = msgspec.structs.replace(policy, pauses=(Pause(reason="appraisal", at_most="5wd"),))
    desk = Desk(dataclasses.replace(catalogue, policies={**catalogue.policies, policy.id: paused}))
    assert desk.pause(asked) == "appraisal"
    assert desk.pause(task(1, rule=RuleApplied(id="gone", number=1, catalogue=1))) == ""


def test_a_result_that_came_too_early_is_handed_in_again_and_another_refusal_is_not(departments: Departments) -> None:
    asked = prompt_task()
    give(departments, asked)
    assert said(departments) == ["sign", "reply"]
    for code, expected in (("stages_open", ["reply"]), ("wrong_endpoint", [])):
        refused = ReplyRefused(
            case_id=asked.case_id, task_id=asked.task_id, action=ReplyAction.REPLY, code=code, text=Said(zh="", en="")
        )
        departments.take("desk", headers(REPLY_REFUSED), refused.model_dump_json().encode())
        assert said(departments) == expected


def test_a_clerk_knows_whose_business_it_is_by_category_and_by_words(catalogue: Catalogue) -> None:
    desk = Desk(catalogue)
    for title, category, bearer in (
        ("反映问题", "C020101", "water-supply"),
        ("工资没发", None, "labour-inspection"),
        ("……", None, ""),
    ):
        request = ServiceRequest(title=title, appeal_category=category, place=Place(region="371702"))
        unit = desk.bearer(task(1, title=title, request=request))
        assert unit is not None and unit.endswith(bearer)


def test_a_bureau_hands_down_only_to_units_of_its_own(catalogue: Catalogue) -> None:
    asked = task(
        1,
        "371702.human-resources",
        title="工资没发",
        request=ServiceRequest(title="工资没发", place=Place(region="371702")),
    )
    desk = Desk(catalogue)
    children = desk.children(asked)
    assert children and set(children) <= {unit.id for unit in desk.facts.children(asked.unit)}


async def test_a_simulator_that_starts_again_says_nothing_twice(catalogue: Catalogue) -> None:
    log = MemoryLog()
    settings = Settings(simulator_seed=SEED, prefix="t.")
    process = Process(role="simulator", settings=settings, clock=Clock(FAR, time.time()), log=log)
    topics = process.topics
    await log.create_topics(topics.specs(catalogue.channels, catalogue.endpoints))
    await publish(log, topics, catalogue.files)
    replies = log.records[TopicPartition(topics.replies("desk"), 0)]
    prompt = (t for t in map(task, range(500)) if behaviour(t, SEED) == "prompt")
    for started, asked in enumerate((next(prompt), next(prompt)), 1):
        await assign(log, topics.tasks("desk"), asked)
        await run_until(process, replies, 2 * started)
    assert [Reply.model_validate_json(r.value or b"").action for r in replies] == ["sign", "reply", "sign", "reply"]
    assert len({dict(record.headers)["ce_id"] for record in replies}) == 4


async def assign(log: MemoryLog, topic: str, asked: Task) -> None:
    async with log.writer() as writer:
        encoded = [(name, text.encode()) for name, text in headers(TASK_ASSIGNED).items()]
        writer.add(topic, 0, b"case", asked.model_dump_json().encode(), encoded)
        await writer.flush()


async def run_until(process: Process, replies: Sequence[object], enough: int) -> None:
    """Start the role, and stop it when there are enough replies."""
    process.stop.clear()
    role = asyncio.create_task(run(process))
    for _ in range(2000):
        if len(replies) >= enough:
            break
        await asyncio.sleep(0.01)
    process.stop.set()
    await role
