"""Invariant: what a simulated department says follows from the task and the seed alone, and is a reply of the contract."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.departments import shares
from adapters.departments.phrases import ANSWERS, EXTENSION_REASONS, RETURN_REASONS
from adapters.departments.shares import LENGTHS, OFFICERS, RESULTS, UNITS, Share
from adapters.departments.simulated import Planned, behaviour, plan, reply_id
from router.simulator.schedule import APART, due_of, schedule
from schemas.handling import ClockKind, ReplyAction, ReplyResult, TaskKind
from schemas.request import OneThing, ServiceRequest
from schemas.task import Due, Task
from schemas.times import from_milliseconds, parse
from schemas.vocabulary import Part
from workflows.calendars import Calendar
from workflows.workdays import Hours

CALENDAR = Calendar.build("office", hours=[Hours(open=("09:00-12:00", "13:00-17:00"))], horizon=date(2026, 12, 31))
ASSIGNED = parse("2026-09-21T10:00:00+08:00") or 0
DUE = parse("2026-09-24T17:00:00+08:00") or 0
EVERYTHING = tuple(ReplyAction)


class House:
    """A directory in which everybody has one unit below and something is somebody else's business."""

    def __init__(self, *children: str) -> None:
        self._children = children

    def children(self, task: Task) -> Sequence[str]:
        return self._children

    def bearer(self, task: Task) -> str | None:
        return "370902.sanitation"

    def pause(self, task: Task) -> str:
        return "appraisal"


OWN = House("370902.street-lights")


def task(
    number: int = 0, kind: TaskKind = TaskKind.HANDLE, allowed: Sequence[ReplyAction] = EVERYTHING, **more: object
) -> Task:
    name = str(uuid5(UUID(int=7), str(number)))
    said = {
        "case_id": name, "number": f"370902-260918-{number:07d}", "task_id": name, "kind": kind, "unit": "370902.urban-management",
        "unit_name": "泰山区综合行政执法局", "title": "路灯不亮", "allowed": tuple(allowed), "version": 1, "part": Part.LEAD,
        "due": (Due(kind=ClockKind.FINISH, due=from_milliseconds(DUE)),),
    }  # fmt: skip
    return Task.model_validate(said | more)


def actions(planned: Sequence[Planned]) -> list[ReplyAction]:
    return [p.reply.action for p in planned]


def taken(name: str, **more: object) -> Task:
    """A task that its unit takes in this way."""
    return next(t for t in (task(n, **more) for n in range(5000)) if behaviour(t, "s") == name)  # type: ignore[arg-type]


@given(st.integers(0, 10**6), st.text(max_size=8), st.sampled_from(TaskKind))
def test_the_same_task_and_seed_bring_the_same_replies(number: int, seed: str, kind: TaskKind) -> None:
    assert plan(task(number, kind), OWN, seed) == plan(task(number, kind), OWN, seed)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 3), st.sampled_from(TaskKind), st.sampled_from(Part))
def test_replies_name_the_task_and_come_in_order_never_before_it(
    number: int, round_: int, kind: TaskKind, part: Part
) -> None:
    asked = task(number, kind, round=round_, part=part)
    planned = list(schedule(plan(asked, OWN, "s"), DUE, ASSIGNED, CALENDAR))
    assert all(p.reply.task_id == asked.task_id and p.reply.case_id == asked.case_id for _, p in planned)
    times = [ASSIGNED - APART, *(at for at, _ in planned)]
    assert all(later - earlier >= APART for earlier, later in pairwise(times))
    ids = [reply_id(p.reply, round_) for _, p in planned]
    assert len(set(ids)) == len(ids)


def test_another_seed_is_another_day() -> None:
    assert any(plan(task(n), OWN, "a") != plan(task(n), OWN, "b") for n in range(20))


def tables() -> Iterator[Sequence[Share]]:
    yield from OFFICERS.values()
    yield from (table for table in vars(shares).values() if isinstance(table, tuple) and isinstance(table[0], Share))


def test_shares_are_percent() -> None:
    assert len(list(tables())) >= 10
    for table in tables():
        assert sum(share.percent for share in table) == 100, table
        assert len({share.name for share in table}) == len(table)


def test_behaviours_come_in_their_shares() -> None:
    seen = Counter(behaviour(task(n), "s") for n in range(1500))
    assert all(abs(seen[share.name] / 15 - share.percent) < 4 for share in UNITS)
    assert set(ANSWERS) == {share.name for share in RESULTS} == set(ReplyResult)


def test_what_each_behaviour_says() -> None:
    assert actions(plan(taken("prompt"), OWN, "s")) == ["sign", "reply"]
    assert without_notes(taken("slow")) == ["sign", "reply"]
    assert actions(plan(taken("returning"), OWN, "s")) == ["sign", "return", "reply"]
    assert without_notes(taken("sub_dispatching")) == ["sign", "sub_dispatch", "reply"]
    assert without_notes(taken("extending")) == ["sign", "ask_extension", "reply"]
    assert actions(plan(taken("pausing"), OWN, "s")) == ["sign", "pause", "go_on", "reply"]
    assert {tuple(actions(plan(task(n), OWN, "s"))) for n in range(500) if behaviour(task(n), "s") == "silent"} == {
        (),
        ("reply",),
    }


def without_notes(asked: Task) -> list[ReplyAction]:
    return [action for action in actions(plan(asked, OWN, "s")) if action != ReplyAction.NOTE]


def test_who_needs_longer_says_now_and_then_how_far_it_is() -> None:
    slow = [t for t in map(task, range(1500)) if behaviour(t, "s") == "slow"]
    noted = sum(ReplyAction.NOTE in actions(plan(t, OWN, "s")) for t in slow)
    assert 0.15 < noted / len(slow) < 0.45


def test_a_return_says_why_with_what_shows_it_and_whose_it_is() -> None:
    reply = plan(taken("returning"), OWN, "s")[1].reply
    assert reply.reason in dict(RETURN_REASONS) and reply.text and reply.basis and reply.attachments
    assert reply.proposed_unit == "370902.sanitation" and reply.officer != reply.confirmed_by
    mine = plan(taken("returning", unit="370902.sanitation"), OWN, "s")[1].reply
    assert mine.proposed_unit is None, "nobody proposes itself"


def test_an_extension_is_asked_for_while_there_is_time_and_a_listed_reason() -> None:
    asked = taken("extending")
    said = {p.reply.action: (at, p.reply) for at, p in schedule(plan(asked, OWN, "s"), DUE, ASSIGNED, CALENDAR)}
    at, reply = said[ReplyAction.ASK_EXTENSION]
    assert at < DUE and reply.limit in {share.name for share in LENGTHS} and reply.reason in dict(EXTENSION_REASONS)


def test_an_extension_is_granted_shortened_or_refused() -> None:
    said = [plan(task(n, TaskKind.DECIDE_EXTENSION, limit="5wd"), OWN, "s")[0].reply for n in range(400)]
    seen = Counter((reply.action.value, reply.limit) for reply in said)
    shares = {("grant_extension", None): 65, ("grant_extension", "2wd"): 20, ("refuse_extension", None): 15}
    assert seen.keys() == shares.keys() and all(abs(seen[what] / 4 - share) < 8 for what, share in shares.items())
    assert all(reply.reason for reply in said if reply.action == "refuse_extension")
    single = {plan(task(n, TaskKind.DECIDE_EXTENSION, limit="1wd"), OWN, "s")[0].reply.limit for n in range(50)}
    assert single == {None, "1wd"}


def test_nobody_does_what_the_task_does_not_allow_or_has_nobody_for() -> None:
    without = tuple(action for action in ReplyAction if action != ReplyAction.RETURN)
    assert ReplyAction.RETURN not in actions(plan(taken("returning", allowed=without), OWN, "s"))
    assert actions(plan(taken("sub_dispatching"), House(), "s")) == ["sign", "reply"]
    assert actions(plan(taken("sub_dispatching", part=Part.SUB), OWN, "s")) == ["sign", "reply"]
    assert actions(plan(taken("extending", part=Part.ASSIST), OWN, "s")) == ["sign", "reply"]
    for name, action in (("extending", ReplyAction.ASK_EXTENSION), ("pausing", ReplyAction.PAUSE)):
        others = tuple(a for a in ReplyAction if a != action)
        assert actions(plan(taken(name, allowed=others), OWN, "s")) == ["sign", "reply"]
    others = tuple(a for a in ReplyAction if a != ReplyAction.ARBITRATE)
    decided = {actions(plan(task(n, TaskKind.DECIDE_RETURN, others), OWN, "s"))[0] for n in range(200)}
    assert decided == {"accept_return", "reject_return"}
    assert actions(plan(task(part=Part.COPY), OWN, "s")) == ["sign"]


def test_slow_units_answer_around_the_due_and_silent_ones_after_it() -> None:
    for name, early in (("slow", DUE - 86_400_000), ("silent", DUE)):
        asked = next(t for t in map(task, range(5000)) if behaviour(t, "s") == name and plan(t, OWN, "s"))
        assert list(schedule(plan(asked, OWN, "s"), DUE, ASSIGNED, CALENDAR))[-1][0] > early


def test_what_was_sent_back_is_answered_again_and_then_passes() -> None:
    again = plan(task(1, round=1), OWN, "s")
    assert actions(again) == ["reply"] and (again[0].reply.text or "").startswith("补充核实")
    reviews = {actions(plan(task(n, TaskKind.REVIEW, round=1), OWN, "s"))[0] for n in range(200)}
    assert reviews == {"pass"}


def test_officers_decide_each_kind_of_task() -> None:
    expected = {
        TaskKind.REVIEW: {"pass", "send_back"},
        TaskKind.TRIAGE: {"dispatch"},
        TaskKind.DECIDE_RETURN: {"accept_return", "reject_return", "arbitrate"},
        TaskKind.DECIDE_EXTENSION: {"grant_extension", "refuse_extension"},
        TaskKind.CONFIRM_REFUSAL: {"confirm_refusal", "reject_refusal"},
        TaskKind.CONFIRM_RECEIPT: {"confirm_receipt"},
        TaskKind.ACKNOWLEDGE: {"acknowledge"},
    }
    found = {kind: {actions(plan(task(n, kind), OWN, "s"))[0] for n in range(200)} for kind in expected}
    assert found == expected


def test_legs_of_a_one_thing_are_done_within_the_day() -> None:
    thing = ServiceRequest(title="新生儿出生", one_thing=OneThing(package="newborn"))
    asked = taken("at_once", request=thing)
    assert actions(plan(asked, OWN, "s")) == ["sign", "reply"]
    assert [p.delay for p in plan(asked, OWN, "s")] == ["30m", "2wh"]


def test_an_officer_keeps_the_due_of_the_task_and_a_unit_that_of_the_work() -> None:
    """The plan of a hung case is reviewed each quarter; by the case's own due it would be at once, again and again."""
    quarter = parse("2026-12-20T17:00:00+08:00") or 0
    dues = (
        Due(kind=ClockKind.FINISH, due=from_milliseconds(DUE)),
        Due(kind=ClockKind.PLAN_REVIEW, due=from_milliseconds(quarter)),
    )
    assert due_of(task(kind=TaskKind.REVIEW_PLAN, due=dues), ASSIGNED, CALENDAR) == quarter
    assert due_of(task(kind=TaskKind.REVIEW_PLAN), ASSIGNED, CALENDAR) == DUE
    assert due_of(task(due=dues), ASSIGNED, CALENDAR) == DUE
