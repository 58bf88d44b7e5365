"""What must hold of a case after each command, and of the command itself (test_any_case.py says something to it)."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant
from msgspec import json
from msgspec.structs import replace

from router.auditor.watch import AUDITED, Sweep, Watch, take
from schemas.ids import command_id
from schemas.registry import MODELS
from schemas.validation import read
from tests.unit.workflows.calendar_2026 import CHINA, HALL
from tests.unit.workflows.small_world import UNITS, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows import outbox
from workflows.attribution import attribute, happened
from workflows.bounds import is_paused
from workflows.case import Case, clock_key, decode, encode
from workflows.evolve import fold
from workflows.folds.stars import star
from workflows.handle import Step, rebase, step
from workflows.states import ENDED, OPEN_LEG, SPOKEN_FOR

ANNOUNCING = (
    ev.ClockStarted, ev.ClockPaused, ev.ClockWentOn, ev.ClockHeld, ev.ClockReleased, ev.ClockExtended, ev.ClockRebased,
    ev.ClockPromised,
)  # fmt: skip
"""Events that say all that their clock will bring about from here on."""
MOVING = ev.ClockWentOn | ev.ClockExtended | ev.ClockPromised
"""Events that move a due date."""
FIRING = ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated | ev.EscalationSkipped | ev.MarkPassed


def _place(of: Any) -> tuple[int, int]:
    """Which rung of a ladder, and which of its repetitions."""
    return getattr(of, "level", 0), getattr(of, "turn", 0)


class OneCase(RuleBasedStateMachine):
    """A case of the small world, and what has come of it so far."""

    told: Told
    watch: Watch | None

    def forget(self, now: int) -> None:
        """Before anything has come."""
        self.told = told(now)
        self.marks: Counter[tuple[str, str, int]] = Counter()
        self.fired: set[tuple[Any, ...]] = set()
        self.recounted: set[str] = set()
        self.seq: Counter[str] = Counter()
        self.watch, self.sweep = None, Sweep()
        self.ids: set[str] = set()

    # -- what must hold of each command -----------------------------------------------------------

    def check(self, command: cmd.AnyCommand) -> None:
        if self.told.case is not None:
            name = command_id(self.told.case.id, f"calendar {self.told.case.version}")
            self._check(cmd.Rebase(id=name, case=self.told.case.id, at=self.told.now), rebase)
        self._check(command, step)
        self._same_command_again(command)

    def _check(self, command: cmd.AnyCommand | cmd.Rebase, decide: Callable[..., Step]) -> None:
        before = self.told.case
        now = self.told.now
        made = decide(before, command, self.told.facts, now, lambda: self.request)
        again = decide(before and decode(encode(before)), command, self.told.facts, now, lambda: self.request)
        assert self._bytes(made.record, made.case, made.messages) == self._bytes(
            again.record, again.case, again.messages
        )
        self.told.case = made.case
        if made.record is None:
            assert made.case == before
            assert not made.messages
            return
        self.told.records.append(made.record)
        self._is_refused_or_allowed(before, command, made.record)
        self._marks(made.record)
        self._dues(before, made.record)
        self._messages(made.messages, made.record)
        audited = take(self.watch, made.record, 0, self.sweep, 60_000)
        self.watch, self.sweep = audited.watch, audited.sweep
        assert audited.findings == [], "the auditor accuses an honest history"

    @staticmethod
    def _bytes(record: ev.EventRecord | None, case: Case | None, messages: tuple[outbox.Message, ...]) -> bytes:
        out = outbox.OutboxRecord(case="", version=0, at=0, messages=messages)
        return b"".join(((record and ev.encode(record)) or b"", (case and encode(case)) or b"", outbox.encode(out)))

    def _is_refused_or_allowed(
        self, before: Case | None, command: cmd.AnyCommand | cmd.Rebase, record: ev.EventRecord
    ) -> None:
        refused = [e for e in record.events if isinstance(e, ev.CommandRefused)]
        if refused:
            assert len(record.events) == 1
            assert before is not None
            case = self.told.held
            assert replace(case, version=before.version, seen=before.seen, sent=before.sent) == before
        elif isinstance(command, cmd.Reply):
            assert before is not None
            task = before.tasks[command.task]
            assert command.endpoint in ({task.endpoint} | self._endpoints_above(before, task.leg))
            assert command.endpoint == task.endpoint or command.action in SPOKEN_FOR

    @staticmethod
    def _endpoints_above(case: Case, leg: str) -> set[str]:
        """Of the units that dispatched to this leg, themselves or through others."""
        above = leg.rpartition(".")[0]
        return {case.legs[above].endpoint} | OneCase._endpoints_above(case, above) if above else set()

    def _marks(self, record: ev.EventRecord) -> None:
        """Each mark of a clock is taken from what its start announced; none is taken twice or early."""
        running = {(c.kind, c.of) for c in self.told.held.clocks.values()}
        for event in record.events:
            if isinstance(event, ANNOUNCING):
                assert list(event.marks) == sorted(event.marks, key=lambda mark: mark.at)
                for old in [key for key in self.marks if key[:2] == (event.kind, event.of)]:
                    del self.marks[old]  # a clock that begins anew
                self.marks.update((event.kind, event.of, mark.at) for mark in event.marks)
                if isinstance(event, ev.ClockStarted):
                    self.fired = {mark for mark in self.fired if mark[:2] != (event.kind, event.of)}
                elif isinstance(event, ev.ClockRebased):
                    self._rebased(event)
            elif isinstance(event, FIRING):
                assert (event.kind, event.of) in running
                at = min(at for (kind, of, at), n in self.marks.items() if n and (kind, of) == (event.kind, event.of))
                assert at <= record.at
                self.marks[event.kind, event.of, at] -= 1
                self.fired.add((event.kind, event.of, type(event), *_place(event)))
            elif isinstance(event, ev.LegSigned) and event.deemed:
                assert ev.ClockStopped in map(type, record.events)

    def _dues(self, before: Case | None, record: ev.EventRecord) -> None:
        """A due date moves by an event that names both dates and says why, and by no other; a clock that is over stays."""
        dues = {key: clock.due for key, clock in before.clocks.items()} if before else {}
        for event in record.events:
            if isinstance(event, ev.ClockStarted):
                anew = event.kind == "progress" or (not event.of and self._begins_anew(record))
                assert anew or clock_key(event.kind, event.of) not in dues
                dues[clock_key(event.kind, event.of)] = event.due
            elif isinstance(event, ev.ClockRebased):
                assert dues[clock_key(event.kind, event.of)] == event.before
                assert event.reason
                dues[clock_key(event.kind, event.of)] = event.due
                was = before.clocks.get(clock_key(event.kind, event.of)) if before else None
                if was is not None and is_paused(was):
                    self.recounted.add(clock_key(event.kind, event.of))
            elif isinstance(event, MOVING):
                key = clock_key(event.kind, event.of)
                # what stood still while its calendar changed is due by the new days when it goes on, be it sooner
                assert dues[key] == event.before
                assert event.before <= event.due or key in self.recounted or isinstance(event, ev.ClockPromised)
                self.recounted.discard(key)
                assert isinstance(event, ev.ClockPromised) or event.why
                dues[clock_key(event.kind, event.of)] = event.due
        if self.told.held.clocks:
            assert {key: clock.due for key, clock in self.told.held.clocks.items()} == dues

    def _rebased(self, event: ev.ClockRebased) -> None:
        """It counts by what is in force now, and nothing that has fired is announced anew."""
        if event.calendar == event.calendar_before:
            assert event.due < event.before, "only a unit below may move without its days: within the one above"
        else:
            assert event.calendar in (self.told.facts.calendars, HALL.id)
        for mark in (*event.marks, *event.waiting):
            told = (ev.ClockOverdue,) if mark.what == "due" else (ev.CaseEscalated, ev.EscalationSkipped)
            if mark.what in ("due", "escalate"):
                assert not {(event.kind, event.of, kind, *_place(mark)) for kind in told} & self.fired

    @staticmethod
    def _begins_anew(record: ev.EventRecord) -> bool:
        """What is done again has a promise of its own."""
        return any(
            isinstance(event, ev.CallBackAsked | ev.RedoOrdered | ev.RefusalReviewAsked) for event in record.events
        )

    def _messages(self, messages: tuple[outbox.Message, ...], record: ev.EventRecord) -> None:
        assert record.sent == tuple(m.to for m in messages)
        for message in messages:
            self.seq[message.to] += 1
            assert message.seq == self.seq[message.to]
            assert message.id not in self.ids
            self.ids.add(message.id)
            if message.type in MODELS:
                read(MODELS[message.type], json.decode(message.data), "")

    def _same_command_again(self, command: cmd.AnyCommand) -> None:
        made = step(self.told.case, command, self.told.facts, self.told.now, lambda: self.request)
        assert (made.record, made.case, made.messages) == (None, self.told.case, ())

    # -- what must hold of the case ---------------------------------------------------------------

    @invariant()
    def versions_are_contiguous_and_a_replay_gives_the_same_bytes(self) -> None:
        records = self.told.records
        assert [record.version for record in records] == list(range(1, len(records) + 1))
        case = None
        for record in records:
            case = fold(case, ev.decode(ev.encode(record)))
        assert case is not None
        assert encode(case) == encode(self.told.held)
        assert case.version == len(records)

    @invariant()
    def every_working_millisecond_is_charged_to_exactly_one(self) -> None:
        ledger = attribute(happened(self.told.records), CHINA, self.told.now)
        assert ledger is not None
        assert sum(share.time for share in ledger.shares) == ledger.whole
        assert all(share.time >= 0 and share.late >= 0 for share in ledger.shares)
        assert {share.unit for share in ledger.shares} <= {*UNITS, self.told.records[0].events[0].centre}  # type: ignore[union-attr]
        citizens = [kept.late for kept in ledger.kept if not kept.of]
        if citizens and not self.told.held.disputes:
            assert sum(share.late for share in ledger.shares) >= citizens[0]

    @invariant()
    def a_clock_that_runs_is_of_the_citizens_an_open_leg_or_an_open_task(self) -> None:
        """Nobody is late with what nobody can do any more."""
        case = self.told.held
        acting = {leg.id for leg in case.legs.values() if leg.open}
        statutory = {clock.of for clock in case.clocks.values() if clock.kind == "statutory"}
        for clock in case.clocks.values():
            asking = {f"merge-{star(case).asked}"} if star(case).head and case.state != "merged" else set()
            assert not clock.running or clock.of in {"", *case.tasks, *statutory, *acting, *asking}

    @invariant()
    def who_must_act_has_a_task_and_in_the_end_nobody_has(self) -> None:
        case = self.told.held
        for leg in case.legs.values():
            assert (leg.task in case.tasks) == leg.open
            assert leg.open <= (leg.state in OPEN_LEG)
        if case.state in ENDED:
            assert {task.kind for task in case.tasks.values()} <= {"judge_review"}
            assert not any(leg.open for leg in case.legs.values())
        else:
            assert case.tasks or case.state == "merged", "an open case waits for somebody, or for its head"

    @invariant()
    def the_citizens_clock_runs_until_the_end(self) -> None:
        case = self.told.held
        if case.state == "in_procedure":
            assert not case.clocks["finish/"].running
            assert {clock.kind for clock in case.clocks.values() if clock.running} <= {
                "statutory",
                "follow_up",
                "report",
            }
            assert case.clocks["statutory/petition"].running
        elif case.rule and case.state not in ENDED:
            assert case.clocks["finish/"].running
        if case.state in ENDED:
            assert {clock.kind for clock in case.clocks.values()} <= {"judge_review"}

    @invariant()
    def nothing_due_is_forgotten(self) -> None:
        """After a deadline pass the next due lies ahead; before one it is what the clocks say."""
        case = self.told.held
        ahead = [mark.at for c in case.clocks.values() if c.running for mark in c.marks]
        silent = case.feedback.silent_at if case.feedback else 0
        ends = [at for at in (case.archive_at, case.forget_at, silent) if at]
        assert case.next_due == min([*ahead, *ends], default=0)

    @invariant()
    def the_auditor_waits_for_what_the_case_waits_for(self) -> None:
        """Two opinions of one history: what is still to fire of each running clock."""
        watched = self.watch.clocks if self.watch else {}
        ours = {
            key: sorted(m.at for m in c.marks if m.what in AUDITED)
            for key, c in self.told.held.clocks.items()
            if c.running
        }
        theirs = {key: sorted(m.at for m in c.marks) for key, c in watched.items() if c.running}
        assert theirs == ours

    @invariant()
    def at_most_one_leads_and_none_that_must_stand_aside(self) -> None:
        case = self.told.held
        leads = [leg for leg in case.legs.values() if leg.part == "lead" and leg.state not in ("returned", "withdrawn")]
        assert len([leg for leg in leads if leg.state != "review_passed"]) <= 1
        assert len(leads) <= 1 + (case.feedback.round if case.feedback else 0)
        for leg in case.legs.values():
            unit = UNITS[leg.unit]
            assert set(case.excluded).isdisjoint((unit.id, *unit.ancestors)) or leg.unit == case.centre

    @invariant()
    def whoever_waits_for_a_decision_has_somebody_who_decides(self) -> None:
        """A return and an arbitration are open tasks, of others than those who disagree."""
        case = self.told.held
        for leg in case.legs.values():
            kinds = [task.kind for task in case.tasks.values() if task.leg == leg.id and task.kind != "triage"]
            assert kinds.count("decide_return") == (leg.state == "return_asked")
            assert kinds.count("arbitrate") == (leg.state == "arbitration")
        for task in case.tasks.values():
            if task.kind == "arbitrate":
                assert case.disputes is not None
                parties = {case.legs[leg].unit for leg in case.disputes.asked} | set(case.excluded)
                assert parties.isdisjoint((task.unit, *UNITS[task.unit].ancestors))

    @invariant()
    def a_ruled_case_comes_back_no_more(self) -> None:
        """After a ruling no record has a return by a unit of the first level; each ruling has its document and a task it closed."""
        ruled, tasks = False, 0
        for event in (event for record in self.told.records for event in record.events):
            assert not (ruled and isinstance(event, ev.LegReturnAsked) and event.number)
            tasks += isinstance(event, ev.ArbitrationAsked) - isinstance(event, ev.CaseRuled)
            assert tasks >= 0
            if isinstance(event, ev.CaseRuled):
                ruled = True
                assert event.document
                assert event.reason

    @invariant()
    def one_grade_in_each_round_and_no_more_rounds_than_the_policy_gives(self) -> None:
        """Silence comes before a word, never after one; who had a part in it asks nobody, and judges no grade."""
        case, said, rounds, reached = self.told.held, Counter[int](), 0, True
        for event in (event for record in self.told.records for event in record.events):
            if isinstance(event, ev.CaseEvaluated):
                assert not said[event.round]
                assert event.round == rounds
                said[event.round] += not event.silent
            elif isinstance(event, ev.RedoOrdered):
                rounds += 1
                assert event.round == rounds
                redo = self.told.facts.policy(case.policy).redo if case.policy else None
                assert redo is None or rounds <= redo.times
            elif isinstance(event, ev.CallBackAsked):
                assert reached, "one call-back after the other"
                reached = False
            if isinstance(event, ev.CalledBack | ev.RedoOrdered | ev.CaseClosed):
                reached = True
        for task in case.tasks.values():
            if task.kind in ("call_back", "judge_review"):
                assert task.unit not in {leg.unit for leg in case.legs.values() if leg.state == "review_passed"}
                assert set(case.excluded).isdisjoint((task.unit, *UNITS[task.unit].ancestors))

    @invariant()
    def legs_are_a_tree_within_its_levels(self) -> None:
        """A leg stands below one of a unit above its own, no deeper than the policy allows; nobody works for one that is over."""
        case = self.told.held
        deepest = self.told.facts.policy(case.policy).levels if case.rule else 1
        for leg in case.legs.values():
            assert leg.parent == leg.id.rpartition(".")[0]
            assert leg.id.count(".") < deepest
            if leg.parent:
                above = case.legs[leg.parent]
                assert above.unit in UNITS[leg.unit].ancestors
                assert above.open or not leg.open

    @invariant()
    def inner_dues_leave_the_outer_unit_its_reserve(self) -> None:
        """Whatever has moved the outer one, and though it stands still; where that has no clock of its own, the citizen's."""
        clocks, case_legs, facts = self.told.held.clocks, self.told.held.legs, self.told.facts
        for leg in case_legs.values():
            outer = (clocks.get(f"finish/{leg.parent}") or clocks.get("finish/")) if leg.parent else None
            own = clocks.get(f"finish/{leg.id}")
            if outer is not None and own is not None and own.running:
                calendar = facts.calendar_of(case_legs[leg.parent].unit) or facts.calendar_named(outer.calendar)
                assert own.due <= calendar.subtract(outer.due, "1wd")
