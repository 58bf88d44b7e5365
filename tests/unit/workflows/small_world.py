"""
A city small enough to be seen at a glance: facts for tests, implemented in a page.

370000 the province, 370100 the city with its centre, 370102 a county with an urban-management bureau
(two towns below it, in one of them a village), a water bureau, and the police. Rules go by the request's category:
`street` urban management leads and water assists; `refuse` a rule proposes a refusal; `unclear` triage;
`nobody` a function that nobody holds; `deep` three levels of units, and a lead that waits for one of two assists; `joined` two rules name units, some of them twice; `known` the knowledge base
answers; a one-thing `birth` with two stages.
"""

from msgspec import Raw, Struct, json
from msgspec.structs import replace

from schemas.ids import case_id, command_id
from tests.unit.workflows.calendar_2026 import CALENDARS, CHINA, HALL, ms
from workflows import commands as cmd
from workflows import events as ev
from workflows.calendars import Calendar
from workflows.case import Case
from workflows.events import EventRecord
from workflows.facts import Duty, Joined, Listed, Office, Procedure, Reason, RequestView, Route, Stage, Target, Unit
from workflows.handle import Step, rebase, step
from workflows.outbox import Message
from workflows.policies import (
    Approver,
    CallBack,
    ClockTemplate,
    EarlyWarning,
    Evaluation,
    Extensions,
    Pause,
    Policy,
    Redo,
)
from workflows.policies import Step as Rung
from workflows.proposals import Proposal

NOW = ms("2026-09-18 09:00")

PROVINCE, CITY, COUNTY = "370000", "370100", "370102"


def _unit(unit: str, name: str, *above: str, endpoint: str = "desk") -> Unit:
    return Unit(id=unit, name=name, endpoint=endpoint, place=unit.partition(".")[0], ancestors=above)


UNITS = {
    unit.id: unit
    for unit in (
        _unit("370000.hotline", "省热线办"),
        _unit("370000.urban", "省住建厅"),
        _unit("370100.hotline", "市热线办", "370000.hotline", endpoint="centre"),
        _unit("370100.urban", "市城管局", "370000.urban"),
        _unit("370100.watch", "市督查室", endpoint="watch"),
        _unit("370100.mayor", "市政府办公室", endpoint="mayor"),
        _unit("370102.hotline", "区热线中心", "370100.hotline", endpoint="county"),
        _unit("370102.urban", "区城管局", "370100.urban", "370000.urban"),
        _unit("370102.water", "区水务局", "370100.urban", endpoint="water"),
        _unit("370102.police", "区公安分局", endpoint="police"),
        _unit("370102.health", "区卫健局"),
        _unit("370102.bank", "某银行"),
        _unit("370102001.town", "甲街道办", "370102.urban", "370100.urban", "370000.urban", endpoint="town"),
        _unit(
            "370102001001.village",
            "甲村",
            "370102001.town",
            "370102.urban",
            "370100.urban",
            "370000.urban",
            endpoint="village",
        ),
        _unit("370102002.town", "乙街道办", "370102.urban", "370100.urban", "370000.urban", endpoint="town"),
    )
}
OWN_CALENDAR = ("370102.police", "370102002.town")
"""Units that keep other hours than their place."""
CHILDREN = {unit: tuple(u for u in UNITS.values() if u.ancestors[:1] == (unit,)) for unit in UNITS}
HOLDERS = {
    ("urban", "handle"): ("370102.urban", "370100.urban", "370000.urban"),
    ("water", "handle"): ("370102.water", "370100.urban"),
    ("police", "handle"): ("370102.police",),
    ("health", "handle"): ("370102.health",),
    ("bank", "handle"): ("370102.bank",),
    ("urban", "supervise"): ("370100.watch",),
    ("hotline", "arbitrate"): ("370100.hotline", "370000.hotline"),
}

PROCEDURES = {"petition": Procedure(name_zh="信访", name_en="petition", policy="petition", basis="信访工作条例")}
OFFICES = {
    "centre": ("370102.hotline", "370100.hotline", "370000.hotline"),
    "supervisor": ("370100.watch",),
    "leaders_office": ("370100.mayor",),
    "arbiter": ("370000.hotline",),
}
LISTED = {"listed": Listed(name_zh="清单内", name_en="listed", basis="某办法")}
REASONS: dict[str, dict[str, Listed]] = dict.fromkeys(
    ("supervise", "refuse", "conclude", "mark_malicious", "reveal", "ask_hang", "release", "redo"), LISTED
) | {"evaluate": {"rude": Listed(name_zh="态度差", name_en="rude"), "slow": Listed(name_zh="太慢", name_en="slow")}}

POLICY = Policy(
    id="city",
    name="测试",
    source="test",
    grade="C",
    malicious="quiet",
    hangs="stop",
    ex_officio=True,
    clocks=(
        ClockTemplate(
            kind="finish",
            of="case",
            budget="5wd",
            start="next_day",
            due="end_of_day",
            warn=(EarlyWarning(before="1wd"),),
            ladder=(
                Rung(level=1, after="1wd", who="superior", what="urge"),
                Rung(level=2, after="3wd", who="supervisor", what="supervise"),
            ),
        ),
        ClockTemplate(kind="sign", of="leg", budget="4wh", start="next_working_instant", on_due="deem_signed"),
        ClockTemplate(
            kind="finish",
            of="leg",
            budget="4wd",
            start="next_day",
            warn=(EarlyWarning(percent=80),),
            ladder=(Rung(level=1, after="0m", who="unit", what="urge"),),
        ),
        ClockTemplate(kind="review", of="task", budget="1wd"),
        ClockTemplate(kind="return_decision", of="task", budget="4wh"),
        ClockTemplate(kind="arbitration", of="task", budget="1wd", warn=(EarlyWarning(percent=50),)),
        ClockTemplate(kind="report", of="task", budget="3wd"),
        ClockTemplate(kind="hang_decision", of="task", budget="1wd"),
        ClockTemplate(kind="plan_review", of="task", budget="90d", warn=(EarlyWarning(before="3wd"),)),
        ClockTemplate(kind="triage", of="task", budget="2wh"),
        ClockTemplate(kind="triage", of="task", budget="1wh", reason="low_score"),
        ClockTemplate(
            kind="confirm", of="task", budget="30m", ladder=(Rung(level=1, after="0m", who="centre", what="notify"),)
        ),
    ),
)

BIRTH = (
    Stage(
        id="register",
        name="登记",
        targets=(Target(function="police"), Target(function="bank")),
        matters=("m-1", "m-2"),
        blocking=(True, False),
    ),
    Stage(id="benefits", name="待遇", targets=(Target(function="water"), Target(function="nobody"))),
)

ROUTES = {
    "street": Route(
        rule="r-street",
        number=10,
        outcome="dispatch",
        policy="city",
        why=(Reason(column="category", value="street", cell="street"),),
        targets=(
            Target(function="urban"),
            Target(function="water", part="assist"),
            Target(function="police", part="copy"),
        ),
    ),
    "alone": Route(rule="r-alone", number=11, outcome="dispatch", policy="city", targets=(Target(function="urban"),)),
    "nobody": Route(
        rule="r-nobody", number=20, outcome="dispatch", policy="city", targets=(Target(function="nobody"),)
    ),
    "refuse": Route(
        rule="r-refuse",
        number=30,
        outcome="propose_refusal",
        policy="city",
        ground="other_authority",
        basis="某条例第九条",
        where_to_turn="人民法院",
    ),
    "ruled": Route(rule="r-ruled", number=40, outcome="dispatch", policy="ruled", targets=(Target(function="urban"),)),
    "call": Route(rule="r-call", number=45, outcome="dispatch", policy="called", targets=(Target(function="urban"),)),
    "deep": Route(
        rule="r-deep",
        number=46,
        outcome="dispatch",
        policy="deep",
        targets=(
            Target(function="urban"),
            Target(function="water", part="assist"),
            Target(function="health", part="assist"),
        ),
    ),
    "watched": Route(
        rule="r-watched", number=47, outcome="dispatch", policy="watched", targets=(Target(function="urban"),)
    ),
    "timed": Route(
        rule="r-timed",
        number=46,
        outcome="dispatch",
        policy="timed",
        targets=(Target(function="urban"), Target(function="water", part="assist")),
    ),
    "heard": Route(rule="r-heard", number=48, outcome="dispatch", policy="heard", targets=(Target(function="urban"),)),
    "graded": Route(
        rule="r-graded", number=49, outcome="dispatch", policy="graded", targets=(Target(function="urban"),)
    ),
    "birth": Route(
        rule="r-birth",
        number=50,
        outcome="one_thing",
        policy="city",
        targets=(Target(function="health"),),
        stages=BIRTH,
    ),
    "joined": Route(
        rule="r-joined",
        number=60,
        outcome="dispatch",
        policy="city",
        urgency="urgent",
        targets=(
            Target(function="water", part="copy"),
            Target(function="urban"),
            Target(function="police", part="copy"),
            Target(function="water", part="assist"),
            Target(function="urban", part="assist"),
        ),
        joined=(Joined(rule="r-also", number=70, why=(Reason(column="tags", value="群体", cell="群体"),)),),
    ),
    "known": Route(
        rule="r-known",
        number=80,
        outcome="answer",
        policy="city",
        answer="saturday",
        text="窗口周六上午开放",
        urgency="urgent",
    ),
    "unclear": Route(rule="r-last", number=999, outcome="triage", policy="city"),
}
CALLED = ClockTemplate(kind="contact", of="leg", budget="2wh")
WATCHED = (
    ClockTemplate(
        kind="finish",
        of="case",
        budget="2wd",
        warn=(EarlyWarning(before="2h", quiet="20:00-08:00"),),
        ladder=(
            Rung(level=1, after="0m", who="superior", what="urge", duty=True, every="1wd", times=3,
                 until=("acknowledged", "replied"), acknowledge="1wd", quiet="closed"),
            Rung(level=2, after="1wd", who="supervisor", what="raise", quiet="20:00-08:00"),
            Rung(level=3, after="2wd", who="centre", what="redispatch", until=("signed",)),
        ),
    ),
    ClockTemplate(kind="progress", of="leg", budget="1wd", ladder=(Rung(level=1, after="0m", who="unit", what="urge"),)),
    ClockTemplate(kind="sign", of="leg", budget="4wh", on_due="deem_signed",
                  ladder=(Rung(level=1, after="1wh", since="start", who="role", role="water", what="notify"),)),
    ClockTemplate(kind="review", of="task", budget="1wd"),
)  # fmt: skip
URGENT = ClockTemplate(
    kind="confirm", of="task", budget="10m", ladder=(Rung(level=1, after="5m", who="centre", what="urge"),)
)
TIMED = replace(
    POLICY,
    id="timed",
    floor="1wd",
    clocks=(*POLICY.clocks, ClockTemplate(kind="extension_decision", of="task", budget="4wh")),
    pauses=(
        Pause(reason="appraisal", at_most="5wd", times=2, moves=("leg", "case")),
        Pause(reason="applicant", at_most="2wd", waits_for="applicant"),
    ),
    extensions=Extensions(
        at_most="10wd",
        times=2,
        approvers=(Approver(up_to="5wd", who="centre"), Approver(up_to="10wd", who="supervisor")),
    ),
)
HEARD = replace(
    POLICY,
    id="heard",
    clocks=(
        *POLICY.clocks,
        ClockTemplate(kind="call_back", of="task", budget="4wh"),
        ClockTemplate(kind="judge_review", of="task", budget="3wd"),
    ),
    callback=CallBack(percent=100),
    evaluation=Evaluation(within="28d", reopens=("rude",), silent_after="7d", silent_grade=3),
    redo=Redo(times=2),
)
PETITION = (
    ClockTemplate(kind="statutory", of="case", budget="60d", start="next_day", due="working_day",
                  warn=(EarlyWarning(before="10d"),), ladder=(Rung(level=1, after="0m", who="centre", what="notify"),)),
    ClockTemplate(kind="follow_up", of="case", budget="5wd", start="next_day", due="end_of_day",
                  ladder=(Rung(level=1, after="0m", who="unit", what="urge"),)),
)  # fmt: skip
POLICIES = {
    "heard": HEARD,
    "graded": replace(HEARD, id="graded", callback=CallBack(percent=0), redo=Redo(times=1, who="up", citizens="anew")),
    "city": POLICY,
    "timed": TIMED,
    "ruled": replace(POLICY, id="ruled", returns=False, malicious="", ex_officio=False, reveals=False, hangs=""),
    "called": replace(POLICY, id="called", clocks=(*POLICY.clocks, CALLED)),
    "deep": replace(POLICY, id="deep", levels=3, join="1", return_within="", arbitrate_after=1),
    "watched": replace(POLICY, id="watched", clocks=WATCHED),
    "urgent": replace(POLICY, id="urgent", clocks=(URGENT,)),
    "petition": replace(POLICY, id="petition", clocks=PETITION),
}


class SmallWorld(Struct):
    """workflows.facts.Facts over the tables above."""

    version: int = 7
    emergency_policy: str = "urgent"
    china: Calendar = CHINA

    @property
    def calendars(self) -> str:
        return self.china.id

    def emergency(self, channel: str, request: RequestView) -> Target | None:
        return Target(function="police") if "emergency" in (request.urgency, request.appeal_category) else None

    def emergencies(self) -> dict[str, Target]:
        return {"listed": Target(function="police"), "gas": Target(function="nobody")}

    def route(self, channel: str, request: RequestView, now: int, raw: Raw, received_at: int) -> Route:
        return ROUTES.get(request.appeal_category or "", ROUTES["unclear"])

    def resolve(
        self, target: Target, region: str, matter: str = "", excluded: frozenset[str] = frozenset()
    ) -> Unit | None:
        for unit in map(UNITS.__getitem__, HOLDERS.get((target.function, target.role), ())):
            if excluded.isdisjoint((unit.id, *unit.ancestors)):
                return unit
        return None

    def unit(self, unit: str) -> Unit | None:
        return UNITS.get(unit)

    def superior(self, unit: str) -> Unit | None:
        known = UNITS.get(unit)
        return UNITS[known.ancestors[0]] if known and known.ancestors else None

    def children(self, unit: str) -> tuple[Unit, ...]:
        return CHILDREN.get(unit, ())

    def centre(self, channel: str, region: str) -> Unit:
        return UNITS["370100.hotline"]

    def supervisor(self, region: str, excluded: frozenset[str] = frozenset()) -> Unit | None:
        return None if "370100.watch" in excluded else UNITS["370100.watch"]

    def holds(self, unit: str, office: Office, region: str) -> bool:
        return unit in OFFICES[office] and region.startswith(UNITS[unit].place.rstrip("0"))

    def procedures(self) -> dict[str, Procedure]:
        return PROCEDURES

    def reasons(self, action: str) -> dict[str, Listed]:
        return REASONS.get(action, {})

    def has_category(self, code: str) -> bool:
        return code in ROUTES

    def answer(self, entry: str, now: int) -> str:
        return "窗口周六上午开放" if entry == "saturday" else ""

    def arbiter(self, region: str, excluded: frozenset[str] = frozenset()) -> Unit | None:
        return self.resolve(Target(function="hotline", role="arbitrate"), region, "", excluded)

    def on_duty(self, unit: str, at: int) -> Duty | None:
        """The city's bureau has a leader on duty by day, and a stand-in on the 22nd."""
        if unit != "370100.urban":
            return None
        stands_in = ms("2026-09-22 00:00") <= at < ms("2026-09-23 00:00")
        return Duty(post="副局长（代）" if stands_in else "带班副局长", endpoint="watch" if stands_in else "desk")

    def policy(self, policy: str) -> Policy:
        return POLICIES[policy]

    def calendar(self, region: str) -> Calendar:
        return self.china

    def calendar_of(self, unit: str) -> Calendar | None:
        return HALL if unit in OWN_CALENDAR else None

    def calendar_named(self, calendar: str) -> Calendar:
        return HALL if calendar == HALL.id else CALENDARS[calendar]


def in_force(version: int) -> SmallWorld:
    """Versions of the catalogue that differ in their calendar, by turns; the first has the usual one."""
    return SmallWorld(version=version, china=list(CALENDARS.values())[(version - 1) % len(CALENDARS)])


class Told(Struct):
    """One case being told step by step: `said` is everything that left, `records` all its history."""

    facts: SmallWorld
    now: int
    case: Case | None = None
    request: bytes = b""
    records: list[EventRecord] = []
    said: list[Message] = []
    last: Step = Step(None, None)
    count: int = 0

    @property
    def held(self) -> Case:
        assert self.case is not None
        return self.case

    def submit(
        self, category: str = "street", *, again: str = "", proposal: Proposal | None = None, **more: object
    ) -> "Told":
        """The request of this case; `again` gives it another body."""
        body = {"title": "路灯不亮", "text": again, "appeal_kind": "help", "appeal_category": category}
        body["place"] = {"region": COUNTY}  # type: ignore[assignment]
        request = json.encode(body | more)
        command = cmd.Submit(
            **self.base(), channel="website", ref="w-1", request=Raw(request), digest=f"{hash(request):x}",
            received_at=int(str(more.get("received_at_ms", self.now))), query_code="012345", serial="0200042",
            proposal=proposal,
        )  # fmt: skip
        if self.case is None:
            self.request = request
        return self.take(command)

    def reply(self, kind: str, action: cmd.ReplyAction, *, unit: str = "", **said: object) -> "Told":
        """What the holder of the first open task of this kind (and unit) says."""
        task = next(t for t in self.held.tasks.values() if t.kind == kind and (not unit or t.unit == unit))
        return self.reply_to(task.id, task.endpoint, action, **said)

    def reply_to(self, task: str, endpoint: str, action: cmd.ReplyAction, **said: object) -> "Told":
        body = {"case_id": self.held.id, "task_id": task, "action": action, **said}
        return self.take(
            cmd.Reply(**self.base(), endpoint=endpoint, task=task, action=action, body=Raw(json.encode(body)))
        )

    def order(self, unit: str, action: cmd.OrderAction, *, endpoint: str = "", **said: object) -> "Told":
        """What a unit orders in its own name, through its own door."""
        known = UNITS.get(unit)
        body = {"case_id": self.held.id, "action": action, "unit": unit, "officer": "0001", **said}
        door = endpoint or (known.endpoint if known else "desk")
        return self.take(cmd.Order(**self.base(), endpoint=door, unit=unit, action=action, body=Raw(json.encode(body))))

    def follow_up(self, kind: type[cmd.Supplement] | type[cmd.Withdraw] | type[cmd.Urge], **body: object) -> "Told":
        return self.take(kind(**self.base(), channel="website", ref="w-1", body=Raw(json.encode(body))))

    def evaluate(self, grade: int, *reasons: str) -> "Told":
        body = Raw(json.encode({"grade": grade, "reasons": reasons}))
        return self.take(cmd.Evaluate(**self.base(), channel="website", ref="w-1", grade=grade, body=body))

    def wait_until(self, text: str) -> "Told":
        """Let the time come, as the engine does: a deadline pass at each instant at which something is due."""
        return self.wait_until_ms(ms(text))

    def wait_until_ms(self, until: int) -> "Told":
        while self.case and 0 < self.case.next_due <= until:
            self.now = max(self.now, self.case.next_due)
            self.reach_deadline()
        self.now = max(self.now, until)
        return self

    def reach_deadline(self) -> "Told":
        """A deadline pass over the case, at this instant."""
        case = self.held
        return self.take(cmd.ReachDeadline(id=command_id(case.id, f"due {case.version}"), case=case.id, at=self.now))

    def rebase(self, china: Calendar) -> "Told":
        """Another calendar is in force: as the engine does before anything else about this case."""
        self.facts = SmallWorld(version=self.facts.version + 1, china=china)
        command = cmd.Rebase(
            id=command_id(self.held.id, f"calendar {self.held.version}"), case=self.held.id, at=self.now
        )
        return self._took(rebase(self.held, command, self.facts, self.now, lambda: self.request or None))

    def take(self, command: cmd.AnyCommand) -> "Told":
        return self._took(step(self.case, command, self.facts, self.now, lambda: self.request or None))

    def _took(self, made: Step) -> "Told":
        self.last = made
        if self.last.record is not None:
            self.records.append(self.last.record)
        self.said.extend(self.last.messages)
        self.case = self.last.case
        return self

    def base(self) -> dict[str, object]:
        """What every command from outside has; its id follows from where it was read."""
        self.count += 1
        case = case_id("website", "w-1")
        source = f"duokua.intake.website/0/{self.count}"
        return {"id": command_id(case, source), "case": case, "at": self.now, "source": source}

    @property
    def happened(self) -> list[str]:
        """Names of the events of the last command."""
        return [type(event).__name__ for event in self.last.record.events] if self.last.record else []

    @property
    def left(self) -> list[str]:
        """Destinations and types of the messages of the last command, shortened."""
        return [f"{m.to} {m.type.removeprefix('cn.duokua.').removesuffix('.v1')}" for m in self.last.messages]

    def data(self, kind: str) -> dict[str, object]:
        """The newest message of this type."""
        found = next(m for m in reversed(self.said) if m.type == f"cn.duokua.{kind}.v1")
        return json.decode(found.data, type=dict[str, object])


def refused(t: "Told") -> str:
    """The code by which what was said last was refused, and nothing else came of it."""
    (event,) = t.last.record.events if t.last.record else ()
    assert isinstance(event, ev.CommandRefused)
    return event.code


def told(now: int = NOW) -> Told:
    return Told(facts=SmallWorld(), now=now)
