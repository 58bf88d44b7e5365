"""
Whatever is said to a case, in whatever order and at whatever time, these hold after each command:

versions are 1..n; folding the records from the beginning gives the very bytes of the live case; the same inputs
give the same bytes; a refused command changes nothing; a mark fires once and never early; the citizen's clock runs until
the case is closed; who must act has a task, and when the case is over nobody has; only open tasks take replies;
what leaves is numbered without gaps and fits the published models; no due date moves but by an event that says from where,
to where and why, and after a new calendar nothing that has fired is announced anew.
"""

from functools import partial
from typing import get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from msgspec import Raw, json

from schemas.ids import command_id
from schemas.times import to_text
from tests.properties.workflows.one_case import OneCase
from tests.properties.workflows.saying import ACTIONS, BODIES, ENTITLED, FULL, HANG, ORDERS, OTHER, UNIT, WHOLE, fits
from tests.unit.workflows.calendar_2026 import CALENDARS
from tests.unit.workflows.small_world import NOW, ROUTES, UNITS, SmallWorld
from workflows import commands as cmd
from workflows import events as ev
from workflows.calendars import Calendar
from workflows.folds.stars import star
from workflows.proposals import Proposal
from workflows.states import ENDED, TASK_ACTIONS
from workflows.workdays import DAY, HOUR


class AnyCase(OneCase):
    """Anything is said to it."""

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
        fitting = [a for a in TASK_ACTIONS[task.kind] if leg is None or task.kind != "handle" or fits(leg.state, a)]
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
