"""
A case that is taken over from another system stands as if it had lived here: the same history, once lived and once described,
comes to the same legs, tasks, clocks, dues and attribution, and the same follows from it. Only nobody is told of what is past.
"""

from collections import Counter
from typing import Any, NamedTuple

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from msgspec import Raw, json
from msgspec.structs import asdict, replace

from router.auditor.watch import AUDITED, Sweep, take
from tests.properties.workflows.saying import FULL, fits
from tests.properties.workflows.test_any_case import AnyCase
from tests.unit.workflows.calendar_2026 import CHINA
from tests.unit.workflows.small_world import NOW, UNITS, SmallWorld, Told
from workflows import commands as cmd
from workflows import events as ev
from workflows.adopting import _is_meant
from workflows.attribution import attribute, happened
from workflows.case import Case
from workflows.evolve import fold
from workflows.facts import RequestView, Route
from workflows.states import ENDED, TASK_ACTIONS
from workflows.workdays import HOUR

SPENT = frozenset({"pass", "accept_merge", "reject_merge", "acknowledge", "not_reached", "call_back", "grant_appeal"})
"""What ends a case, or answers what only a case that lives here is asked."""


class Asking(SmallWorld):
    """The same city, where a dispatcher says who acts: as a history does."""

    def route(self, channel: str, request: RequestView, now: int, raw: Raw, received_at: int) -> Route:
        return replace(super().route(channel, request, now, raw, received_at), outcome="triage", targets=())


def _lives(category: str) -> Told:
    t = Told(facts=Asking(), now=NOW)
    return t.submit(category)


def _described(t: Told, history: list[cmd.Past], now: int, **more: Any) -> Told:
    """The same case, taken over at `now`."""
    registered = t.records[0].events[0]
    assert isinstance(registered, ev.CaseRegistered)
    new = Told(facts=t.facts, now=now, request=t.request)
    command = cmd.Adopt(
        **new.base(), channel="website", ref="w-1", request=registered.request, digest=registered.digest,
        received_at=registered.received_at, query_code="012345", serial="0200042", number="旧-1", by="张工", why="上线",
        history=tuple(history), **more,
    )  # fmt: skip
    return new.take(command)


def _next_step(draw: Any, t: Told) -> cmd.Past | None:
    """Something that somebody says to the case as it stands; taken, or None where it is refused."""
    case = t.held
    open_ = [task for task in case.tasks.values() if set(TASK_ACTIONS[task.kind]) - SPENT]
    if draw(st.integers(0, 9)) == 0 or not open_:
        return _applicant_or_office(draw, t)
    task = draw(st.sampled_from(open_))
    leg = case.legs.get(task.leg)
    actions = [a for a in TASK_ACTIONS[task.kind] if a not in SPENT]
    if task.kind == "handle" and leg is not None:
        actions = [a for a in actions if fits(leg.state, a) and a != "ask_hang"] or ["sign"]
    action = draw(st.sampled_from(actions))
    if action == "sign" and leg is not None and [held.unit for held in case.legs.values()].count(leg.unit) > 1:
        return None  # nor for which of its parts a unit signed
    unit = draw(st.sampled_from(sorted(UNITS)))
    below = sorted(child.id for child in t.facts.children(task.unit))
    targets = [{"unit": unit}] + [{"unit": "370102.water", "part": "assist"}] * draw(st.integers(0, 1))
    said = FULL | {
        "proposed_unit": unit, "targets": targets, "reason": draw(st.sampled_from(["appraisal", "applicant"])),
        "units": [draw(st.sampled_from(below))] if below else [], "limit": draw(st.sampled_from(["1wd", "3wd"])),
    }  # fmt: skip
    past = cmd.Past(
        at=t.now, action=action, unit=leg.unit if leg else task.unit, body=Raw(json.encode(said)),
    )  # fmt: skip
    if next((other for other in reversed(case.tasks.values()) if _is_meant(case, other, past)), None) is not task:
        return None  # a description cannot tell the two apart
    return past if _is_taken(t.reply_to(task.id, task.endpoint, action, **said)) else None


def _applicant_or_office(draw: Any, t: Told) -> cmd.Past | None:
    what = draw(st.sampled_from(["supplement", "urge", "supervise", "re_dispatch"]))
    if what in ("supplement", "urge"):
        kind = cmd.Supplement if what == "supplement" else cmd.Urge
        took = _is_taken(t.follow_up(kind, text="请快"))
        return cmd.Past(at=t.now, action=what, body=Raw(b'{"text":"\xe8\xaf\xb7\xe5\xbf\xab"}')) if took else None
    unit = "370100.watch" if what == "supervise" else "370100.hotline"
    said = {
        "officer": "0001", "reason": "listed", "targets": [{"unit": draw(st.sampled_from(sorted(UNITS)))}], "limit": "2wd",
    }  # fmt: skip
    if not _is_taken(t.order(unit, what, **said)):  # type: ignore[arg-type]
        return None
    return cmd.Past(at=t.now, action=what, unit=unit, body=Raw(json.encode(said)))


def _is_taken(t: Told) -> bool:
    record = t.last.record
    return record is not None and not isinstance(record.events[0], ev.CommandRefused)


class Lived(NamedTuple):
    """A case that lived here, and its description."""

    told: Told
    history: list[cmd.Past]

    def __repr__(self) -> str:
        return f"Lived({self.told.held.category}, {[(p.at, p.action, p.unit, bytes(p.body)) for p in self.history]}, {self.told.now})"


@st.composite
def histories(draw: Any) -> Lived:
    t, history = _lives(draw(st.sampled_from(["timed", "timed", "deep", "street"]))), []
    first = draw(st.sampled_from(["370102.urban", "370102.water", "370102.police"]))
    for _ in range(draw(st.integers(0, 14))):
        t.wait_until_ms(t.now + draw(st.sampled_from([0, 1, 5, 20, 60])) * HOUR)
        if not t.held.legs and any(task.kind == "triage" for task in t.held.tasks.values()) and draw(st.integers(0, 3)):
            said = {"targets": [{"unit": first}]}
            t.reply("triage", "dispatch", **said)
            history.append(cmd.Past(at=t.now, action="dispatch", body=Raw(json.encode(said))))
        elif past := _next_step(draw, t):
            history.append(past)
    t.wait_until_ms(t.now + draw(st.sampled_from([0, 3, 30, 200])) * HOUR)
    assume(t.held.state not in ENDED)  # only open cases are taken over
    return Lived(t, history)


def _tasks(case: Case) -> Counter[Any]:
    """Without their ids, and what an escalation asked."""
    told = (task for task in case.tasks.values() if task.kind != "acknowledge")
    return Counter((t.kind, t.unit, t.endpoint, t.leg, "" if t.kind == "triage" else t.reason, t.limit) for t in told)


def _clocks(case: Case) -> Counter[Any]:
    """Those of tasks by what the task is about."""
    return Counter(repr(replace(clock, of=_about(case, clock.of))) for clock in case.clocks.values())


def _about(case: Case, of: str) -> str:
    return of if of in case.legs else "task" if of else ""


def _legs(case: Case) -> list[dict[str, Any]]:
    return [{name: value for name, value in asdict(leg).items() if name != "task"} for leg in case.legs.values()]


def _follows(t: Told, hours: int) -> list[Any]:
    """What comes of it in the time ahead, nobody doing anything."""
    known = len(t.records)
    t.wait_until_ms(t.now + hours * HOUR)
    return sorted(
        (record.at, type(event).__name__, getattr(event, "kind", ""), _about(t.held, getattr(event, "of", "")))
        for record in t.records[known:]
        for event in record.events
    )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(lived_history=histories())
def test_a_case_that_is_taken_over_stands_as_if_it_had_lived_here(lived_history: Lived) -> None:
    lived, history = lived_history
    new = _described(lived, history, lived.now)
    record = new.last.record
    assert record is not None, new.last.messages
    a, b = lived.held, new.held
    assert (a.state, a.received_at, a.policy, a.centre, a.accepted_by) == (
        b.state, b.received_at, b.policy, b.centre, b.accepted_by,
    )  # fmt: skip
    assert _legs(a) == _legs(b)
    assert _tasks(a) == _tasks(b)
    assert _clocks(a) == _clocks(b)
    assert (a.disputes, a.supplements) == (b.disputes, b.supplements)
    assert attribute(happened(lived.records), CHINA, lived.now) == attribute(happened(new.records), CHINA, new.now)
    # one record of this very moment, whose events have their own times, in order
    assert record.at == lived.now
    assert list(record.times) == sorted(record.times)
    assert fold(None, ev.decode(ev.encode(record))) == b
    # the auditor waits for what is still to come
    audited = take(None, record, 0, Sweep(), 60_000)
    assert audited.findings == []
    ours = {key: sorted(m.at for m in c.marks if m.what in AUDITED) for key, c in b.clocks.items() if c.running}
    theirs = (
        {k: sorted(m.at for m in c.marks) for k, c in audited.watch.clocks.items() if c.running}
        if audited.watch
        else {}
    )
    assert theirs == ours
    assert all(at > new.now for marks in ours.values() for at in marks), "what is past does not fire any more"
    # each open task goes out once, and nothing else
    assert sorted(json.decode(m.data)["task_id"] for m in new.last.messages) == sorted(b.tasks)
    assert {m.type for m in new.last.messages} <= {"cn.duokua.task.assigned.v1", "cn.duokua.task.sent_back.v1"}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(lived_history=histories(), hours=st.sampled_from([1, 30, 300]))
def test_and_the_same_follows_from_it(lived_history: Lived, hours: int) -> None:
    """But for what an escalation of the time before has asked."""
    lived, history = lived_history
    new = _described(lived, history, lived.now)
    assert _follows(lived, hours) == _follows(new, hours)


class AdoptedCase(AnyCase):
    """Whatever is said to a case that was taken over: what holds of any case holds of it."""

    @initialize(  # type: ignore[misc]
        lived_history=histories(), due=st.none() | st.integers(1, 500), later=st.integers(0, 300)
    )
    def begin(self, lived_history: Lived, due: int | None, later: int) -> None:  # type: ignore[override]
        lived, history = lived_history
        self.forget(lived.now + later * HOUR)
        self.told.facts, self.request = lived.facts, lived.request
        registered = lived.records[0].events[0]
        assert isinstance(registered, ev.CaseRegistered)
        self.check(
            cmd.Adopt(
                **self.told.base(), channel="website", ref="w-1", request=registered.request, digest="d1",
                received_at=registered.received_at, serial="0200042", number="旧-1", by="张工", why="上线",
                history=tuple(history), due=0 if due is None else registered.received_at + due * HOUR,
            )
        )  # fmt: skip
        now, clocks = self.told.now, self.told.held.clocks.values() if self.told.case else ()
        assert all(m.at > now for clock in clocks if clock.running for m in clock.marks), "what is past fires no more"


AdoptedCase.TestCase.settings = settings(AnyCase.TestCase.settings, max_examples=80)
TestAdoptedCase = AdoptedCase.TestCase
