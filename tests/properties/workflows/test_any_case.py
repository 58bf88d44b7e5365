"""
Whatever is said to a case, in whatever order and at whatever time, these hold after each command:

versions are 1..n; folding the records from the beginning gives the very bytes of the live case; the same inputs
give the same bytes; a refused command changes nothing; a mark fires once and never early; the citizen's clock runs until
the case is closed; who must act has a task, and when the case is over nobody has; only open tasks take replies;
what leaves is numbered without gaps and fits the published models; no due date moves but by an event that says from where,
to where and why, and after a new calendar nothing that has fired is announced anew.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Raw, json
from msgspec.structs import replace

from router.auditor.watch import AUDITED, Sweep, Watch, take
from schemas.ids import command_id
from schemas.registry import MODELS
from schemas.times import to_text
from schemas.validation import read
from tests.unit.workflows.calendar_2026 import CALENDARS, CHINA, HALL
from tests.unit.workflows.small_world import NOW, ROUTES, UNITS, SmallWorld, Told, told
from workflows import commands as cmd
from workflows import events as ev
from workflows import outbox
from workflows.attribution import attribute, happened
from workflows.bounds import is_paused
from workflows.calendars import Calendar
from workflows.case import Case, clock_key, decode, encode
from workflows.evolve import fold
from workflows.folds.stars import star
from workflows.handle import Step, rebase, step
from workflows.proposals import Proposal
from workflows.states import ENDED, LEG, LEG_ACTION, OPEN_LEG, SPOKEN_FOR, TASK_ACTIONS
from workflows.workdays import DAY, HOUR

ACTIONS = sorted({action for actions in TASK_ACTIONS.values() for action in actions})
UNIT = st.sampled_from([*UNITS, "370102.none"])
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "result": st.sampled_from(["solved", "answered", "transferred"]),
        "text": st.just("已办"),
        "reason": st.sampled_from(["不属本局职责", "appraisal", "applicant", "listed"]),
        "proposed_unit": UNIT,
        "units": st.lists(
            UNIT | st.sampled_from(["370102001.town", "370102002.town", "370102001001.village"]), max_size=2
        ),
        "targets": st.lists(
            st.fixed_dictionaries({"unit": UNIT, "part": st.sampled_from(["lead", "assist", "copy"])}), max_size=3
        ),
        "contacted": st.booleans(),
        "category": st.sampled_from(["street", "unheard-of"]),
        "document": st.just("裁〔2026〕3号"),
        "charged": UNIT,
        "basis": st.just("三定方案"),
        "unanswered": st.lists(UNIT, max_size=3),
        "attachments": st.just([{"name": "a.jpg", "uri": "oss://a"}]),
        "limit": st.sampled_from(["1wd", "5wd", "10wd", "11wd", "24h"]),
        "until": st.sampled_from(["2026-09-20T09:00:00+08:00", "2027-03-31T17:00:00+08:00"]),
        "procedure": st.sampled_from(["petition", "unheard-of"]),
        "solved": st.booleans(),
        "satisfied": st.booleans(),
        "officer": st.just("0001"),
        "confirmed_by": st.sampled_from(["0001", "0002"]),
    },
)
OTHER = "11111111-0000-5000-8000-000000000001"
"""Another case: what it says to this one is drawn, whether it fits or not."""
ORDERS = st.fixed_dictionaries(
    {"officer": st.just("0001")},
    optional={
        "post": st.just("分管副市长"),
        "limit": st.sampled_from(["1wd", "24h"]),
        "order": st.sampled_from(["1", "2"]),
        "basis": st.just("某条例第九条"),
        "where_to_turn": st.just("人民法院"),
        "fields": st.lists(st.sampled_from(["name", "phone", "shoe_size"]), max_size=2),
        "confirmed_by": st.sampled_from(["0001", "0002"]),
        "reason": st.sampled_from(["listed", "unlisted"]),
        "text": st.just("请尽快"),
        "document": st.just("政督〔2026〕1号"),
        "leg": st.sampled_from(["1", "2", "1.1", "9"]),
        "targets": st.lists(
            st.fixed_dictionaries({"unit": UNIT, "part": st.sampled_from(["lead", "lead", "assist"])}), max_size=2
        ),
        "cases": st.just([OTHER]),
        "parts": st.just([{"title": "路面破损", "category": "alone"}]),
    },
)
ENTITLED = {
    "supervise": "370100.watch", "lift": "370100.watch", "instruct": "370100.mayor", "reveal": "370102.urban",
    "ex_officio": "370102.urban",
}  # fmt: skip
"""Who may give an order; all others the centre may."""
WHOLE = {
    "officer": "0001", "confirmed_by": "0002", "reason": "listed", "text": "x", "document": "政督〔2026〕1号", "post": "分管副市长",
    "basis": "某条例第九条", "where_to_turn": "人民法院", "fields": ["name"],
    "attachments": [{"name": "a.jpg", "uri": "oss://a"}],
}  # fmt: skip
HANG = {
    "reason": "listed",
    "text": "列入计划",
    "until": "2027-03-31T17:00:00+08:00",
    "officer": "0001",
    "confirmed_by": "0002",
}
FULL = {
    "result": "solved", "text": "已办", "reason": "不属本局职责", "document": "裁〔2026〕3号",
    "limit": "5wd", "contacted": True, "solved": False, "satisfied": False, "officer": "0001", "confirmed_by": "0002",
    "unanswered": ["370102.water", "370102.health"],
}  # fmt: skip


def _fits(state: str, action: str) -> bool:
    """Whether a unit may say it with its leg in this state, signing first where it must."""
    state = "signed" if state == "dispatched" and action != "sign" else state
    return LEG_ACTION.get(action, action) in LEG[state]


ANNOUNCING = (
    ev.ClockStarted, ev.ClockPaused, ev.ClockWentOn, ev.ClockHeld, ev.ClockReleased, ev.ClockExtended, ev.ClockRebased,
    ev.ClockPromised,
)  # fmt: skip
"""Events that say all that their clock will bring about from here on."""
MOVING = ev.ClockWentOn | ev.ClockExtended | ev.ClockPromised
FIRING = ev.ClockWarned | ev.ClockOverdue | ev.CaseEscalated | ev.EscalationSkipped | ev.MarkPassed
"""Events that move a due date."""


def _place(of: Any) -> tuple[int, int]:
    """Which rung of a ladder, and which of its repetitions."""
    return getattr(of, "level", 0), getattr(of, "turn", 0)


class AnyCase(RuleBasedStateMachine):
    """One case of the small world."""

    told: Told
    watch: Watch | None

    @initialize(
        category=st.sampled_from(
            [*ROUTES, "street", "alone", "deep", "timed", "timed", "heard", "heard", "graded", "birth", ""]
        ),
        urgency=st.sampled_from([*["normal"] * 5, *[""] * 4, "emergency"]),
        kind=st.sampled_from(["help", "complaint", "report"]),
        late=st.sampled_from([0, 0, 3 * DAY, 30 * DAY]),
        complained=st.none() | UNIT,
        disclosure=st.sampled_from(["open", "anonymous"]),
        proposed=st.none() | st.sampled_from([*ROUTES, "", "emergency", "unheard-of"]),
    )
    def begin(
        self,
        category: str,
        urgency: str,
        kind: str,
        late: int,
        complained: str | None,
        disclosure: str,
        proposed: str | None,
    ) -> None:
        self.forget(NOW)
        self.proposal = None if proposed is None else Proposal(by="x", version="1", threshold=0.5, category=proposed)
        self.check(self._submission(category, urgency, kind, late, complained, disclosure))
        registered = self.told.records[0].events[0]
        assert isinstance(registered, ev.CaseRegistered)
        assert registered.category == category
        assert bytes(registered.request) == self.request
        assert registered.proposal is (None if category else self.proposal)

    def forget(self, now: int) -> None:
        """Before anything has come."""
        self.told = told(now)
        self.marks: Counter[tuple[str, str, int]] = Counter()
        self.fired: set[tuple[Any, ...]] = set()
        self.recounted: set[str] = set()
        self.seq: Counter[str] = Counter()
        self.watch, self.sweep = None, Sweep()
        self.ids: set[str] = set()

    def _submission(
        self, category: str, urgency: str, kind: str, late: int, complained: str | None, disclosure: str
    ) -> cmd.Submit:
        subjects = [{"kind": "unit", "unit": complained}] if complained else []
        body = {
            "title": "路灯不亮", "appeal_kind": kind, "appeal_category": category or None,
            "place": {"region": "370102"}, "subject_of_complaint": subjects,
            "applicant": {"kind": "person", "name": "张三", "disclosure": disclosure},
        }  # fmt: skip
        self.request = json.encode(body | ({"urgency": urgency} if urgency else {}))
        return cmd.Submit(
            **self.told.base(), channel="website", ref="w-1", request=Raw(self.request), digest="d1",
            received_at=NOW - late, query_code="012345", serial="0200042", proposal=self.proposal,
        )  # fmt: skip

    # -- what may come ----------------------------------------------------------------------------

    @rule(hours=st.integers(1, 200))
    def time_passes(self, hours: int) -> None:
        self.told.now += hours * HOUR

    @rule(china=st.sampled_from(list(CALENDARS.values())))
    def a_calendar_is_published(self, china: Calendar) -> None:
        """Each case learns of it before anything else is decided about it."""
        self.told.facts = SmallWorld(version=self.told.facts.version + 1, china=china)

    @rule()
    def a_deadline_pass(self) -> None:
        case = self.told.held
        self.check(cmd.ReachDeadline(id=command_id(case.id, f"due {case.version}"), case=case.id, at=self.told.now))

    @precondition(lambda self: self.told.held.tasks)
    @rule(data=st.data(), body=BODIES, whole=st.booleans(), at_home=st.sampled_from([True, True, True, False]))
    def a_reply_to_an_open_task(self, data: st.DataObject, body: dict[str, object], whole: bool, at_home: bool) -> None:
        """Mostly from the endpoint that has it, with an action that its kind takes."""
        task = data.draw(st.sampled_from(list(self.told.held.tasks.values())))
        action = data.draw(st.sampled_from(TASK_ACTIONS[task.kind] if at_home else ACTIONS))
        said = json.encode((FULL | body) if whole else body)
        endpoint = task.endpoint if at_home else "elsewhere"
        self.check(cmd.Reply(**self.told.base(), endpoint=endpoint, task=task.id, action=action, body=Raw(said)))

    @precondition(lambda self: self.told.held.tasks)
    @rule(data=st.data(), unit=UNIT, from_above=st.booleans())
    def what_somebody_would_say(self, data: st.DataObject, unit: str, from_above: bool) -> None:
        """To an open task, of what it takes, and of those units that can be meant: so that the deeper states are reached."""
        case = self.told.held
        task = data.draw(st.sampled_from(list(case.tasks.values())))
        leg = case.legs.get(task.leg)
        fitting = [a for a in TASK_ACTIONS[task.kind] if leg is None or task.kind != "handle" or _fits(leg.state, a)]
        said: dict[str, object] = FULL | {"proposed_unit": unit, "targets": [{"unit": unit}]}
        if task.kind in ("call_back", "triage"):
            said |= {"reason": "listed"}
        if leg is not None and task.kind == "handle":
            below = {child.unit for child in case.legs.values() if child.parent == leg.id} | {
                child.id for child in self.told.facts.children(leg.unit)
            }
            said |= {"units": [data.draw(st.sampled_from(sorted(below)))] if below else []}
        endpoint = task.endpoint
        if from_above and leg is not None and leg.parent:
            endpoint = case.legs[leg.parent].endpoint
        action = data.draw(st.sampled_from(fitting or ["sign"]))
        self.check(
            cmd.Reply(**self.told.base(), endpoint=endpoint, task=task.id, action=action, body=Raw(json.encode(said)))
        )

    @precondition(lambda self: self.told.held.legs)
    @rule(data=st.data(), action=st.sampled_from(ACTIONS))
    def a_reply_to_any_task_of_a_leg(self, data: st.DataObject, action: cmd.ReplyAction) -> None:
        leg = data.draw(st.sampled_from(list(self.told.held.legs.values())))
        self.check(
            cmd.Reply(
                **self.told.base(), endpoint=leg.endpoint, task=leg.task, action=action, body=Raw(json.encode(FULL))
            )
        )

    @rule(unit=UNIT, action=st.sampled_from(get_args(cmd.OrderAction)), said=ORDERS, at_home=st.booleans())
    def an_order(self, unit: str, action: cmd.OrderAction, said: dict[str, object], at_home: bool) -> None:
        """By any unit, mostly without the right to it; at home through the door that speaks for it."""
        endpoint = UNITS[unit].endpoint if at_home and unit in UNITS else "elsewhere"
        body = Raw(json.encode(said))
        self.check(cmd.Order(**self.told.base(), endpoint=endpoint, unit=unit, action=action, body=body))

    @rule(
        action=st.sampled_from(
            [
                "supervise",
                "instruct",
                "lift",
                "release",
                "reveal",
                "ex_officio",
                "refuse",
                "urge",
                "redirect",
                "conclude",
            ]
        )
    )
    def an_order_by_who_may(self, action: cmd.OrderAction) -> None:
        """Whole, and by an office that has the right: what is refused, the state refuses."""
        unit = ENTITLED.get(action, "370100.hotline")
        body = Raw(json.encode(WHOLE))
        self.check(cmd.Order(**self.told.base(), endpoint=UNITS[unit].endpoint, unit=unit, action=action, body=body))

    @precondition(lambda self: self.told.held.lead is not None and self.told.held.lead.open)
    @rule(granted=st.booleans())
    def the_lead_asks_to_hang(self, granted: bool) -> None:
        """And the centre decides at once, or later."""
        lead = self.told.held.lead
        assert lead is not None
        said = Raw(json.encode(HANG))
        self.check(cmd.Reply(**self.told.base(), endpoint=lead.endpoint, task=lead.task, action="ask_hang", body=said))
        asked = next((task for task in self.told.held.tasks.values() if task.kind == "decide_hang"), None)
        if granted and asked is not None:
            self.check(
                cmd.Reply(**self.told.base(), endpoint=asked.endpoint, task=asked.id, action="grant_hang", body=said)
            )

    @precondition(lambda self: any(task.kind == "confirm_refusal" for task in self.told.held.tasks.values()))
    @rule(officer=st.sampled_from(["0002", "0003", "0004"]), objects=st.booleans())
    def it_is_refused(self, officer: str, objects: bool) -> None:
        """And its author does not agree, perhaps."""
        task = next(task for task in self.told.held.tasks.values() if task.kind == "confirm_refusal")
        said = Raw(json.encode({"officer": officer, "text": "依据已告知"}))
        self.check(
            cmd.Reply(**self.told.base(), endpoint=task.endpoint, task=task.id, action="confirm_refusal", body=said)
        )
        if objects:
            body = Raw(b'{"text":"x"}')
            self.check(cmd.AskReview(**self.told.base(), channel="website", ref="w-1", body=body))

    @precondition(lambda self: any(task.kind == "review_plan" for task in self.told.held.tasks.values()))
    @rule(days=st.integers(-30, 400), confirmed=st.sampled_from(["0001", "0002", "0002"]))
    def the_plan_is_moved(self, days: int, confirmed: str) -> None:
        review = next(task for task in self.told.held.tasks.values() if task.kind == "review_plan")
        until = to_text(self.told.now + days * DAY)
        said = Raw(json.encode(HANG | {"until": until, "confirmed_by": confirmed}))
        self.check(
            cmd.Reply(**self.told.base(), endpoint=review.endpoint, task=review.id, action="review_plan", body=said)
        )

    @precondition(
        lambda self: (
            any(task.kind == "review" for task in self.told.held.tasks.values())
            or (self.told.held.lead is not None and self.told.held.lead.open)
        )
    )
    @rule()
    def the_lead_hands_over(self) -> None:
        """And the reviewer passes it, if the state lets them."""
        lead = self.told.held.lead
        said = Raw(json.encode(FULL | {"result": "transferred", "procedure": "petition"}))
        if lead is not None and lead.open:
            self.check(cmd.Reply(**self.told.base(), endpoint=lead.endpoint, task=lead.task, action="reply", body=said))
        review = next((task for task in self.told.held.tasks.values() if task.kind == "review"), None)
        if review is not None:
            self.check(
                cmd.Reply(**self.told.base(), endpoint=review.endpoint, task=review.id, action="pass", body=said)
            )

    @rule(digest=st.sampled_from(["d1", "d2"]))
    def the_request_again(self, digest: str) -> None:
        self.check(
            cmd.Submit(
                **self.told.base(),
                channel="website",
                ref="w-1",
                request=Raw(self.request),
                digest=digest,
                received_at=NOW,
            )
        )

    @precondition(lambda self: self.told.held.state not in ENDED)
    @rule(
        data=st.data(), asked=st.sampled_from([1, 1, 2]), code=st.sampled_from(["", "", "head_full"]),
        reason=st.sampled_from(["solved", "withdrawn"]), what=st.sampled_from(["repeat", "alike", "group", "burst"]),
    )  # fmt: skip
    def another_case_says(self, data: st.DataObject, asked: int, code: str, reason: str, what: str) -> None:
        """Nobody outside hears of it, unless something comes of it for him."""
        base: dict[str, object] = self.told.base()
        said = (
            cmd.Join(**base, member=OTHER, number="n", asked=asked, centre=self.told.held.centre, appeal_kind="help"),
            cmd.JoinAnswered(**base, head=OTHER, number="n", asked=asked, code=code),
            cmd.Leave(**base, member=OTHER, asked=asked),
            cmd.HeadEnded(**base, head=OTHER, number="n", asked=asked, reason=reason, result="已办"),
            cmd.Resemble(**base, what=what, count=asked, cases=(cmd.Other(OTHER, "n"),)),
        )
        command = data.draw(st.sampled_from(said))
        self.check(command)

    @precondition(lambda self: self.told.held.state not in ENDED)
    @rule(
        answered=st.sampled_from(["", "", "head_full", None]),
        after=st.sampled_from(["", "solved", "solved", "withdrawn", "unmerge"]),
        unit=st.sampled_from(["", "370102.urban", "370102.gone"]),
    )
    def it_is_merged(self, answered: str | None, after: str, unit: str) -> None:
        """The head answers at once or another time; what then becomes of it."""
        said = WHOLE | {"cases": [OTHER]}
        order = partial(cmd.Order, endpoint="centre", unit="370100.hotline", body=Raw(json.encode(said)))
        self.check(order(**self.told.base(), action="merge"))
        asked = star(self.told.held).asked
        if answered is not None:
            self.check(
                cmd.JoinAnswered(**self.told.base(), head=OTHER, number="n", asked=asked, code=answered)
            )  # fmt: skip
        if after == "unmerge":
            self.check(order(**self.told.base(), action="unmerge"))
        elif after:
            self.check(
                cmd.HeadEnded(**self.told.base(), head=OTHER, number="n", asked=asked, reason=after, result="已办", unit=unit)
            )  # fmt: skip

    @rule(kind=st.sampled_from([cmd.Supplement, cmd.Urge, cmd.Withdraw, cmd.Evaluate, cmd.AskReview]))
    def the_applicant_says_more(self, kind: type[cmd.Supplement] | type[cmd.Withdraw] | type[cmd.Evaluate]) -> None:
        base = {**self.told.base(), "channel": "website", "ref": "w-1", "body": Raw(b'{"text":"x"}')}
        self.check(cmd.Evaluate(**base, grade=4) if kind is cmd.Evaluate else kind(**base))

    @precondition(lambda self: self.told.held.state == "closed")
    @rule(grade=st.integers(1, 5), reasons=st.sampled_from([[], ["rude"], ["slow"], ["unheard-of"]]))
    def the_applicant_grades_it(self, grade: int, reasons: list[str]) -> None:
        base = {**self.told.base(), "channel": "website", "ref": "w-1"}
        self.check(cmd.Evaluate(**base, grade=grade, body=Raw(json.encode({"grade": grade, "reasons": reasons}))))

    @precondition(lambda self: self.told.held.state in ("closed", "called_back"))
    @rule(
        unit=st.sampled_from(["370100.watch", "370102.urban", "370100.urban", "370100.hotline"]), appeal=st.booleans()
    )
    def somebody_wants_it_done_again_or_the_grade_gone(self, unit: str, appeal: bool) -> None:
        said = {"officer": "0001", "confirmed_by": "0002", "reason": "listed", "text": "见录音"}
        self.check(
            cmd.Order(
                **self.told.base(), endpoint=UNITS[unit].endpoint, unit=unit, action="appeal_review" if appeal else "redo",
                body=Raw(json.encode(said)),
            )
        )  # fmt: skip

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
        return {case.legs[above].endpoint} | AnyCase._endpoints_above(case, above) if above else set()

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


class AnsweredCase(AnyCase):
    """The same, from the answer on: few sequences of single steps get past the review."""

    @initialize(
        category=st.sampled_from(["heard", "graded"]),
        kind=st.sampled_from(["help", "complaint"]),
        complained=st.none() | UNIT,
        disclosure=st.sampled_from(["open", "open", "open", "anonymous"]),
    )
    def begin(self, category: str, kind: str, complained: str | None, disclosure: str) -> None:  # type: ignore[override]
        AnyCase.begin.__wrapped__(self, category, "normal", kind, 0, complained, disclosure, None)  # type: ignore[attr-defined]
        self.the_answer_passes()

    @rule()
    def the_answer_passes(self) -> None:
        """From wherever its lead stands, if it can."""
        for kind, action in (("handle", "reply"), ("review", "pass")):
            lead = self.told.held.lead
            tasks = [t for t in self.told.held.tasks.values() if lead and t.kind == kind and t.leg == lead.id]
            for task in tasks:
                said = Raw(json.encode(FULL))
                self.check(
                    cmd.Reply(**self.told.base(), endpoint=task.endpoint, task=task.id, action=action, body=said)
                )  # type: ignore[arg-type]


AnyCase.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
AnsweredCase.TestCase.settings = settings(AnyCase.TestCase.settings, max_examples=100)
TestAnyCase = AnyCase.TestCase
TestAnsweredCase = AnsweredCase.TestCase
